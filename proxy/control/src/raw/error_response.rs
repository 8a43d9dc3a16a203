//! Custom error responses as written (CF-590).

use crate::{
    cursor::{Block, Cursor},
    keys,
    report::{At, Spanned},
};

/// One entry of `custom_error_responses`.
#[derive(Debug)]
pub(crate) struct RawErrorResponse {
    pub(crate) at: At,
    pub(crate) error_code: Option<Spanned<String>>,
    pub(crate) page_path: Option<Spanned<String>>,
    pub(crate) response_code: Option<Spanned<String>>,
    pub(crate) caching_min_ttl: Option<Spanned<u64>>,
}

/// The cap CloudFront puts on lifetimes: 100 years (CF-242).
const MOST_TTL: u64 = 3_153_600_000;

impl RawErrorResponse {
    pub(crate) fn read_all(cursor: &Cursor<'_>) -> Vec<Self> {
        let items = cursor.counted("a list of entries, each with `error_code`");
        let items = items.unwrap_or_default();
        items.iter().filter_map(Self::read).collect()
    }

    fn read(cursor: &Cursor<'_>) -> Option<Self> {
        let block = Block::open_spelled(cursor, &keys::CUSTOM_ERROR_RESPONSE)?;
        // Empty counts as not given, as in CloudFront's normal form.
        let text = |key: &str| {
            let text = block.get(key).and_then(Cursor::text);
            text.filter(|t| !t.value.is_empty())
        };
        Some(Self {
            at: cursor.at.clone(),
            error_code: text("error_code"),
            page_path: text("response_page_path"),
            response_code: text("response_code"),
            caching_min_ttl: block
                .get("error_caching_min_ttl")
                .and_then(|c| c.integer(0..=MOST_TTL, "seconds")),
        })
    }
}
