//! One entry of `origin_groups:` as written.

use super::{Named, listed};
use crate::{
    cursor::{Block, Cursor},
    keys,
    report::{At, Spanned},
};

/// Two origins, of which the second is asked when the first fails.
#[derive(Debug)]
pub(crate) struct RawOriginGroup {
    pub(crate) at: At,
    pub(crate) members: Vec<Spanned<String>>,
    /// How many were written, readable or not.
    pub(crate) written: usize,
    pub(crate) status_codes: Option<Vec<Spanned<u64>>>,
}

const WHAT: &str = "a map from group id to group, or a list of groups with `id`";

/// An empty list is none, as in CloudFront's normal form.
pub(crate) fn origin_groups(cursor: &Cursor<'_>) -> Vec<Named<RawOriginGroup>> {
    listed::by_id(cursor, WHAT, &keys::ORIGIN_GROUP, RawOriginGroup::read).unwrap_or_default()
}

impl RawOriginGroup {
    fn read(cursor: &Cursor<'_>) -> Option<Self> {
        let block = Block::open_spelled(cursor, &keys::ORIGIN_GROUP)?;
        let members = block.get("members");
        let members = members.and_then(|c| c.counted("two ids of origins, the primary first"));
        let members = members.unwrap_or_default();
        let codes = block
            .get("failover_criteria")
            .and_then(|c| Block::open_spelled(c, &keys::FAILOVER_CRITERIA))
            .and_then(|criteria| {
                let codes = criteria.get("status_codes")?;
                codes.counted("a list of statuses")
            });
        if let Some(selection) = block.get("selection_criteria") {
            let quality = Err("not supported: media quality is AWS MediaPackage's to tell");
            selection.choice(&[("default", Ok(())), ("media-quality-based", quality)]);
        }
        Some(Self {
            at: cursor.at.clone(),
            written: members.len(),
            members: members.iter().filter_map(member).collect(),
            status_codes: codes.map(|codes| {
                let codes = codes.iter();
                codes
                    .filter_map(|c| c.integer(100..=599, "a status"))
                    .collect()
            }),
        })
    }
}

/// An id, or as CloudFront has it: `{ origin_id: app }`.
fn member(cursor: &Cursor<'_>) -> Option<Spanned<String>> {
    if cursor.is_mapping() {
        let block = Block::open_spelled(cursor, &keys::GROUP_MEMBER)?;
        return block.get("origin_id").and_then(Cursor::text);
    }
    cursor.text()
}
