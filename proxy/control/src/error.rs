//! What is wrong with a site file, and where: every error names file, line, column, the setting's path,
//! the fault and, where one is known, the way out (STYLE "Config", CF-024).

use std::{fmt, path::Path, sync::Arc};

/// A place in a site file.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Location {
    /// The file as the user named it.
    pub file: Arc<Path>,
    /// Line, from 1; 0 when the fault is the file itself (it cannot be read).
    pub line: usize,
    /// Column in characters, from 1; 0 when the fault is the file itself.
    pub column: usize,
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file.display())?;
        if self.line > 0 {
            write!(f, ":{}:{}", self.line, self.column)?;
        }
        Ok(())
    }
}

/// One fault of a site file. Displayed as `fourfront.yaml:12:7: distributions.site.origins.app: message (help: ...)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SiteError {
    /// Where.
    pub location: Location,
    /// The setting, as in `distributions.site.cache_behaviors[1].path`; in a document in the form of CloudFront's API
    /// a JSON pointer, as in `/CacheBehaviors/Items/1/PathPattern` (CF-024). Empty for the file as a whole.
    pub path: String,
    /// What is wrong. Begins with CloudFront's error name where its API has one (CF-024).
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
}

impl fmt::Display for SiteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.location)?;
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(&self.message)?;
        if let Some(help) = &self.help {
            write!(f, " (help: {help})")?;
        }
        Ok(())
    }
}

impl std::error::Error for SiteError {}

/// Something that works and may not be what was meant. Displayed as
/// `fourfront.yaml:12:7: distributions.site: message (CF-026)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SiteWarning {
    /// Where.
    pub location: Location,
    /// The setting, as in [`SiteError::path`].
    pub path: String,
    /// The rule that asks for the warning.
    pub rule: &'static str,
    /// What may go otherwise than meant.
    pub message: String,
}

impl fmt::Display for SiteWarning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.location)?;
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        write!(f, "{} ({})", self.message, self.rule)
    }
}

/// All faults found in a site file, in file order; never empty. Displayed one per line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SiteErrors(pub Vec<SiteError>);

impl fmt::Display for SiteErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, e) in self.0.iter().enumerate() {
            if i > 0 {
                f.write_str("\n")?;
            }
            e.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for SiteErrors {}
