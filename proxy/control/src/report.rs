//! Where errors and warnings are gathered while a site file is read, so that one run names them all.

use std::{cell::RefCell, path::Path, sync::Arc};

use crate::{Location, SiteError, SiteErrors, SiteWarning};

/// One of the files that are read: the site file, a document that it names, or an entry that was deployed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct FileId {
    index: usize,
    is_document: bool,
}

impl FileId {
    /// The site file itself.
    pub(crate) const SITE: Self = Self {
        index: 0,
        is_document: false,
    };

    /// Whether this is a document in the form of CloudFront's API (CF-020). What it may leave out is what the API
    /// lets it leave out, and its paths are JSON pointers (CF-024).
    pub(crate) fn is_document(self) -> bool {
        self.is_document
    }

    /// Whether this is an entry that was deployed, in the site file's own form.
    pub(crate) fn is_deployed(self) -> bool {
        self.index > 0 && !self.is_document
    }

    /// The path of a member.
    pub(crate) fn member(self, path: &str, key: &str) -> String {
        if self.is_document() {
            // RFC 6901 section 3
            format!("{path}/{}", key.replace('~', "~0").replace('/', "~1"))
        } else if path.is_empty() {
            key.to_owned()
        } else {
            format!("{path}.{key}")
        }
    }

    /// The path of an item of a list.
    pub(crate) fn item(self, path: &str, index: usize) -> String {
        if self.is_document() {
            format!("{path}/{index}")
        } else {
            format!("{path}[{index}]")
        }
    }
}

/// A place in a file together with the path of the setting there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct At {
    pub(crate) file: FileId,
    pub(crate) line: usize,
    pub(crate) column: usize,
    /// Dotted path, `distributions.site.cache_behaviors[1]`; in a document a JSON pointer,
    /// `/CacheBehaviors/Items/1`.
    pub(crate) path: String,
}

impl At {
    /// A file as a whole.
    pub(crate) const fn whole(file: FileId) -> Self {
        Self {
            file,
            line: 0,
            column: 0,
            path: String::new(),
        }
    }

    /// The same place under the path of a member.
    pub(crate) fn member(&self, key: &str) -> Self {
        Self {
            path: self.file.member(&self.path, key),
            ..self.clone()
        }
    }
}

/// A value and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Spanned<T> {
    pub(crate) value: T,
    pub(crate) at: At,
}

impl<T> Spanned<T> {
    pub(crate) fn map<U>(self, f: impl FnOnce(T) -> U) -> Spanned<U> {
        Spanned {
            value: f(self.value),
            at: self.at,
        }
    }
}

/// A file that is read.
#[derive(Debug)]
struct Source {
    path: Arc<Path>,
    /// Where in a document the configuration stands, as a JSON pointer: `/DistributionConfig`.
    root: String,
    /// Whether members that nobody knows are warned of and not refused (CF-022).
    lenient: bool,
}

/// The errors and warnings of a site file and of the documents that it names.
#[derive(Debug)]
pub(crate) struct Report {
    sources: RefCell<Vec<Source>>,
    errors: RefCell<Vec<(FileId, SiteError)>>,
    warnings: RefCell<Vec<(FileId, SiteWarning)>>,
    /// Every known setting met, for the test that the reference file shows them all.
    #[cfg(test)]
    pub(crate) seen: RefCell<std::collections::BTreeSet<(&'static str, &'static str)>>,
}

impl Report {
    pub(crate) fn new(file: &Path) -> Self {
        Self {
            sources: RefCell::new(vec![Source {
                path: file.into(),
                root: String::new(),
                lenient: false,
            }]),
            errors: RefCell::default(),
            warnings: RefCell::default(),
            #[cfg(test)]
            seen: RefCell::default(),
        }
    }

    /// Takes up a document.
    pub(crate) fn add_document(&self, path: &Path, lenient: bool) -> FileId {
        self.add(path, lenient, true)
    }

    /// Takes up an entry in the site file's own form that stands elsewhere.
    pub(crate) fn add_entry(&self, label: &Path) -> FileId {
        self.add(label, false, false)
    }

    fn add(&self, path: &Path, lenient: bool, is_document: bool) -> FileId {
        let mut sources = self.sources.borrow_mut();
        sources.push(Source {
            path: path.into(),
            root: String::new(),
            lenient,
        });
        FileId {
            index: sources.len() - 1,
            is_document,
        }
    }

    /// Says where in a document the configuration stands.
    pub(crate) fn set_root(&self, file: FileId, pointer: String) {
        if let Some(source) = self.sources.borrow_mut().get_mut(file.index) {
            source.root = pointer;
        }
    }

    /// Where in a document the configuration stands, as a JSON pointer.
    pub(crate) fn root(&self, file: FileId) -> String {
        let sources = self.sources.borrow();
        sources
            .get(file.index)
            .map_or_else(String::new, |s| s.root.clone())
    }

    /// Whether members of a file that nobody knows are warned of and not refused (CF-022).
    pub(crate) fn is_lenient(&self, file: FileId) -> bool {
        let sources = self.sources.borrow();
        sources.get(file.index).is_some_and(|s| s.lenient)
    }

    pub(crate) fn location(&self, at: &At) -> Location {
        let sources = self.sources.borrow();
        // INVARIANT: ids are indices, handed out by this report alone.
        let source = sources.get(at.file.index).or_else(|| sources.first());
        Location {
            file: source.map_or_else(|| Path::new("").into(), |s| Arc::clone(&s.path)),
            line: at.line,
            column: at.column,
        }
    }

    /// `line 7`, as seen from a place; of another file with its name.
    pub(crate) fn line(&self, at: &At, from: &At) -> String {
        if at.file == from.file {
            format!("line {}", at.line)
        } else {
            let file = self.location(at).file;
            format!("line {} of {}", at.line, file.display())
        }
    }

    /// Records an error that says everything in its message.
    pub(crate) fn error(&self, at: &At, message: impl Into<String>) {
        self.push(at, message.into(), None);
    }

    /// Records an error with a way out.
    pub(crate) fn error_help(
        &self,
        at: &At,
        message: impl Into<String>,
        help: impl Into<Option<String>>,
    ) {
        self.push(at, message.into(), help.into());
    }

    fn push(&self, at: &At, message: String, help: Option<String>) {
        let error = SiteError {
            location: self.location(at),
            path: at.path.clone(),
            message,
            help,
        };
        self.errors.borrow_mut().push((at.file, error));
    }

    /// Records what works and may not be what was meant, with the rule that asks for the warning.
    pub(crate) fn warn(&self, at: &At, rule: &'static str, message: impl Into<String>) {
        let warning = SiteWarning {
            location: self.location(at),
            path: at.path.clone(),
            rule,
            message: message.into(),
        };
        self.warnings.borrow_mut().push((at.file, warning));
    }

    /// The warnings in file order, each once.
    pub(crate) fn take_warnings(&self) -> Vec<SiteWarning> {
        let mut warnings = self.warnings.take();
        warnings.sort_by_key(|(file, w)| (*file, w.location.line, w.location.column));
        warnings.dedup();
        warnings.into_iter().map(|(_, w)| w).collect()
    }

    /// Takes back errors about what turns out not to matter, by their paths.
    pub(crate) fn forget(&self, is_forgotten: impl Fn(&str) -> bool) {
        let mut errors = self.errors.borrow_mut();
        errors.retain(|(_, error)| !is_forgotten(&error.path));
    }

    pub(crate) fn is_clean(&self) -> bool {
        self.errors.borrow().is_empty()
    }

    /// The errors in file order, each once: an alias can lead to the same faulty text several times.
    pub(crate) fn into_errors(self) -> SiteErrors {
        let mut errors = self.errors.into_inner();
        errors.sort_by_key(|(file, e)| (*file, e.location.line, e.location.column));
        errors.dedup();
        SiteErrors(errors.into_iter().map(|(_, e)| e).collect())
    }
}
