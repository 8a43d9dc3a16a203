//! Origin shields as written: `node.origin_shield`, and `origin_shield` of an origin (CF-415).

use super::{Named, named, node::one_or_more};
use crate::{
    cursor::{Block, Cursor},
    keys,
    report::{At, Spanned},
};

/// `node.origin_shield`.
#[derive(Debug)]
pub(crate) struct RawNodeShield {
    pub(crate) at: At,
    pub(crate) serves: Option<Spanned<String>>,
    pub(crate) secrets: Vec<Spanned<String>>,
    pub(crate) secret_file: Option<Spanned<String>>,
    /// URLs of the nodes of each region; none where it is to be gone without.
    pub(crate) regions: Vec<Named<Vec<Spanned<String>>>>,
}

/// `origin_shield` of an origin.
#[derive(Debug)]
pub(crate) struct RawOriginShield {
    pub(crate) at: At,
    pub(crate) enabled: bool,
    pub(crate) region: Option<Spanned<String>>,
}

impl RawNodeShield {
    pub(super) fn read(cursor: &Cursor<'_>) -> Option<Self> {
        let block = Block::open(cursor, &keys::NODE_SHIELD)?;
        Some(Self {
            at: cursor.at.clone(),
            serves: block.get("serves").and_then(Cursor::text),
            secrets: block
                .get("secret")
                .and_then(|c| one_or_more(c, "a secret or a list of secrets"))
                .unwrap_or_default(),
            secret_file: block.get("secret_file").and_then(Cursor::text),
            regions: block
                .get("regions")
                .map_or_else(Vec::new, |c| named(c, "a map of regions and URLs", urls)),
        })
    }
}

fn urls(cursor: &Cursor<'_>) -> Option<Vec<Spanned<String>>> {
    match cursor.scalar() {
        Some("none") => Some(Vec::new()),
        _ => one_or_more(cursor, "a URL, a list of URLs or `none`"),
    }
}

impl RawOriginShield {
    pub(super) fn read(cursor: &Cursor<'_>) -> Option<Self> {
        let block = Block::open_spelled(cursor, &keys::ORIGIN_SHIELD)?;
        let enabled = block.get("enabled").and_then(Cursor::boolean);
        let region = block.get("origin_shield_region").and_then(Cursor::text);
        Some(Self {
            at: cursor.at.clone(),
            enabled: enabled.is_some_and(|e| e.value),
            region: region.filter(|r| !r.value.is_empty()),
        })
    }
}
