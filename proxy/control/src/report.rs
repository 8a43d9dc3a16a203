//! Where errors are gathered while a site file is read, so that one run names them all.

use std::{cell::RefCell, path::Path, sync::Arc};

use crate::{Location, SiteError, SiteErrors};

/// A place in the file together with the path of the setting there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct At {
    pub(crate) line: usize,
    pub(crate) column: usize,
    /// Dotted path, `distributions.site.cache_behaviors[1]`.
    pub(crate) path: String,
}

impl At {
    /// The same place under the path of a member.
    pub(crate) fn member(&self, key: &str) -> Self {
        Self {
            path: join(&self.path, key),
            ..self.clone()
        }
    }
}

/// `path.key`, without a leading dot at the top.
pub(crate) fn join(path: &str, key: &str) -> String {
    if path.is_empty() {
        key.to_owned()
    } else {
        format!("{path}.{key}")
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

/// The errors of one file.
#[derive(Debug)]
pub(crate) struct Report {
    file: Arc<Path>,
    errors: RefCell<Vec<SiteError>>,
    /// Every known setting met, for the test that the reference file shows them all.
    #[cfg(test)]
    pub(crate) seen: RefCell<std::collections::BTreeSet<(&'static str, &'static str)>>,
}

impl Report {
    pub(crate) fn new(file: &Path) -> Self {
        Self {
            file: file.into(),
            errors: RefCell::default(),
            #[cfg(test)]
            seen: RefCell::default(),
        }
    }

    pub(crate) fn location(&self, at: &At) -> Location {
        Location {
            file: Arc::clone(&self.file),
            line: at.line,
            column: at.column,
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
        self.errors.borrow_mut().push(SiteError {
            location: self.location(at),
            path: at.path.clone(),
            message,
            help,
        });
    }

    pub(crate) fn is_clean(&self) -> bool {
        self.errors.borrow().is_empty()
    }

    /// The errors in file order, each once: an alias can lead to the same faulty text several times.
    pub(crate) fn into_errors(self) -> SiteErrors {
        let mut errors = self.errors.into_inner();
        errors.sort_by_key(|e| (e.location.line, e.location.column));
        errors.dedup();
        SiteErrors(errors)
    }
}
