//! CloudFront's standard log of a distribution (CF-045): where its files are and what is in them. Writing them is the
//! node's.

use std::path::PathBuf;

/// The `Logging` member of a distribution, where it is enabled (CF-045).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct StandardLogging {
    /// The directory that its files lie in: the one that the bucket stands for, and the prefix below it (CF-700).
    pub directory: PathBuf,
    /// Whether the viewers' cookies are written (CF-703, field 13).
    pub include_cookies: bool,
}
