//! Where things stand in the user's files, and what is said about them.

use std::{cell::RefCell, fmt};

use serde::{Deserialize, Serialize};

use crate::error::ImportError;

/// A place in a file, as a compiler would print it.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Place {
    /// The file, as a path that begins with the one the caller gave.
    pub file: String,
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

/// What a reader noticed without failing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// How much it matters.
    pub kind: NoteKind,
    /// Where.
    pub place: Place,
    /// Path of keys from the top of the file, as `Resources.Bucket`.
    pub path: String,
    /// A sentence without a full stop.
    pub text: String,
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = match self.kind {
            NoteKind::Ignored => "ignored",
            NoteKind::Warning => "warning",
        };
        write!(f, "{}: {word}: {}: {}", self.place, self.path, self.text)
    }
}

/// How much a [`Note`] matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NoteKind {
    /// A resource that means nothing here and is left out (CP-303).
    Ignored,
    /// Something that may not be what its author meant.
    Warning,
}

/// A file by number; see [`Report::file`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FileId(u32);

/// A place, cheap to copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct At {
    pub(crate) file: FileId,
    pub(crate) line: u32,
    pub(crate) column: u32,
}

/// Collects faults and notes while reading goes on.
#[derive(Debug, Default)]
pub(crate) struct Report {
    strict: bool,
    inner: RefCell<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    files: Vec<String>,
    errors: Vec<ImportError>,
    notes: Vec<Note>,
}

/// Most faults that are gathered; a file with more is not helped by the rest.
const MAX_ERRORS: usize = 100;
/// Most notes that are gathered.
const MAX_NOTES: usize = 2_000;

impl Report {
    pub(crate) fn new(strict: bool) -> Self {
        Self {
            strict,
            inner: RefCell::default(),
        }
    }

    /// Registers a file by the name that places print.
    pub(crate) fn file(&self, name: String) -> FileId {
        let files = &mut self.inner.borrow_mut().files;
        files.push(name);
        FileId(u32::try_from(files.len() - 1).unwrap_or(u32::MAX))
    }

    pub(crate) fn place(&self, at: At) -> Place {
        Place {
            file: self
                .inner
                .borrow()
                .files
                .get(at.file.0 as usize)
                .cloned()
                .unwrap_or_default(),
            line: at.line,
            column: at.column,
        }
    }

    pub(crate) fn error(&self, at: At, path: &str, message: impl Into<String>) {
        self.error_help(at, path, message, None);
    }

    pub(crate) fn error_help(
        &self,
        at: At,
        path: &str,
        message: impl Into<String>,
        help: Option<String>,
    ) {
        let error = ImportError {
            place: self.place(at),
            path: path.to_owned(),
            message: message.into(),
            help,
        };
        let errors = &mut self.inner.borrow_mut().errors;
        // One value may be looked at from several sides.
        if errors.len() < MAX_ERRORS && !errors.contains(&error) {
            errors.push(error);
        }
    }

    pub(crate) fn note(&self, kind: NoteKind, at: At, path: &str, text: impl Into<String>) {
        let note = Note {
            kind,
            place: self.place(at),
            path: path.to_owned(),
            text: text.into(),
        };
        let notes = &mut self.inner.borrow_mut().notes;
        if notes.len() < MAX_NOTES && !notes.contains(&note) {
            notes.push(note);
        }
    }

    pub(crate) fn warn(&self, at: At, path: &str, text: impl Into<String>) {
        self.note(NoteKind::Warning, at, path, text);
    }

    /// A fault where the caller asked for strictness, a warning otherwise (CP-303).
    pub(crate) fn lenient(
        &self,
        at: At,
        path: &str,
        text: impl Into<String>,
        help: Option<String>,
    ) {
        if self.strict {
            self.error_help(at, path, text, help);
        } else {
            let mut text = text.into();
            if let Some(help) = help {
                text = format!("{text} ({help})");
            }
            self.warn(at, path, text);
        }
    }

    pub(crate) fn failed(&self) -> bool {
        !self.inner.borrow().errors.is_empty()
    }

    pub(crate) fn take(&self) -> (Vec<ImportError>, Vec<Note>) {
        let inner = &mut *self.inner.borrow_mut();
        (
            std::mem::take(&mut inner.errors),
            std::mem::take(&mut inner.notes),
        )
    }
}

/// A path of keys, one longer: `a` and `b` are `a.b`, `a` and 3 are `a[3]`.
pub(crate) fn key_path(path: &str, key: &str) -> String {
    if path.is_empty() {
        key.to_owned()
    } else {
        format!("{path}.{key}")
    }
}

pub(crate) fn item_path(path: &str, index: usize) -> String {
    format!("{path}[{index}]")
}
