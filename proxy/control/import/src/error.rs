//! Faults in what a user wrote.

use std::fmt;

use crate::place::Place;

/// One fault, with its place and the path of keys that leads there (CP-303).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ImportError {
    /// Where it stands.
    pub place: Place,
    /// Keys from the top of the file, as `Resources.Edge.Properties.Code`; empty for the file itself.
    pub path: String,
    /// What is wrong, without a full stop.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
}

impl fmt::Display for ImportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.place.line == 0 {
            f.write_str(&self.place.file)?;
        } else {
            self.place.fmt(f)?;
        }
        if !self.path.is_empty() {
            write!(f, ": {}", self.path)?;
        }
        write!(f, ": {}", self.message)?;
        if let Some(help) = &self.help {
            write!(f, " ({help})")?;
        }
        Ok(())
    }
}

/// All faults found, at least one, in the order they were found.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct ImportErrors(Vec<ImportError>);

impl ImportErrors {
    pub(crate) fn new(errors: Vec<ImportError>) -> Self {
        Self(errors)
    }

    /// The faults.
    pub fn iter(&self) -> impl Iterator<Item = &ImportError> {
        self.0.iter()
    }
}

impl fmt::Display for ImportErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, error) in self.0.iter().enumerate() {
            if i > 0 {
                f.write_str("\n")?;
            }
            error.fmt(f)?;
        }
        Ok(())
    }
}
