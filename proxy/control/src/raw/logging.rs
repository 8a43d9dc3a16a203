//! `logging` as written (CF-045).

use crate::{
    cursor::{Block, Cursor},
    keys,
    report::{At, Spanned},
};

/// A distribution's standard log.
#[derive(Debug)]
pub(crate) struct RawLogging {
    pub(crate) at: At,
    pub(crate) enabled: Option<bool>,
    pub(crate) include_cookies: bool,
    pub(crate) bucket: Option<Spanned<String>>,
    pub(crate) prefix: Option<Spanned<String>>,
}

impl RawLogging {
    /// `none` and `false` are none.
    pub(crate) fn read(cursor: &Cursor<'_>) -> Option<Self> {
        if matches!(cursor.scalar(), Some("" | "false" | "none")) {
            return None;
        }
        let block = Block::open_spelled(cursor, &keys::LOGGING)?;
        let boolean = |key: &str| block.get(key).and_then(Cursor::boolean).map(|b| b.value);
        let text = |key: &str| block.get(key).and_then(Cursor::text);
        Some(Self {
            at: cursor.at.clone(),
            enabled: boolean("enabled"),
            include_cookies: boolean("include_cookies").unwrap_or_default(),
            bucket: text("bucket").filter(|b| !b.value.is_empty()),
            prefix: text("prefix").filter(|p| !p.value.is_empty()),
        })
    }
}
