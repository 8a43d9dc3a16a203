//! `node.origins.s3` as written: what stands for buckets that origins name by their names at AWS (CP-320).

use super::{Named, RawCredentials, named};
use crate::{
    cursor::{Block, Cursor},
    keys,
    report::{At, Spanned},
};

/// What stands for a bucket.
#[derive(Debug)]
pub(crate) struct RawBucket {
    pub(crate) at: At,
    pub(crate) dir: Option<Spanned<String>>,
    pub(crate) endpoint: Option<Spanned<String>>,
    pub(crate) path_style: Option<Spanned<bool>>,
    pub(crate) region: Option<Spanned<String>>,
    pub(crate) credentials: Option<RawCredentials>,
}

impl RawBucket {
    /// All of them, by the buckets' names.
    pub(super) fn read_all(node: &Block<'_>) -> Vec<Named<Self>> {
        let block = node
            .get("origins")
            .and_then(|c| Block::open(c, &keys::NODE_ORIGINS));
        let buckets = block.as_ref().and_then(|b| b.get("s3"));
        buckets.map_or_else(Vec::new, |c| {
            named(c, "a map from bucket to what stands for it", Self::read)
        })
    }

    /// What stands for a bucket of artifacts: a directory by its name alone, or what stands for any bucket (CP-075).
    pub(super) fn read_artifacts(cursor: &Cursor<'_>) -> Option<Self> {
        if cursor.scalar().is_none() {
            return Self::read(cursor);
        }
        Some(Self {
            at: cursor.at.clone(),
            dir: Some(cursor.text()?),
            endpoint: None,
            path_style: None,
            region: None,
            credentials: None,
        })
    }

    fn read(cursor: &Cursor<'_>) -> Option<Self> {
        if !cursor.is_mapping() {
            cursor.expected("a block with `dir`, `endpoint` or `credentials`");
            return None;
        }
        let block = Block::open(cursor, &keys::BUCKET)?;
        let text = |key: &str| block.get(key).and_then(Cursor::text);
        Some(Self {
            at: cursor.at.clone(),
            dir: text("dir"),
            endpoint: text("endpoint"),
            path_style: block.get("path_style").and_then(Cursor::boolean),
            region: text("region"),
            credentials: block.get("credentials").and_then(RawCredentials::read),
        })
    }
}
