//! `geo_restriction` as written (CF-048).

use crate::{
    cursor::{Block, Cursor},
    keys,
    report::{At, Spanned},
};

/// From where a distribution may be used.
#[derive(Debug)]
pub(crate) struct RawGeoRestriction {
    pub(crate) at: At,
    pub(crate) kind: Option<Spanned<RawGeoKind>>,
    pub(crate) locations: Vec<Spanned<String>>,
    /// Whether anything could not be read, and was reported.
    pub(crate) faulty: bool,
}

/// `restriction_type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RawGeoKind {
    None,
    Whitelist,
    Blacklist,
}

impl RawGeoRestriction {
    /// The setting of a distribution: `geo_restriction`, or `restrictions` with one in it, as CloudFront has it.
    pub(crate) fn of_distribution(block: &Block<'_>) -> Option<Self> {
        let cursor = block.either("geo_restriction", "restrictions")?;
        if is_off(cursor) {
            return None;
        }
        if block.get("geo_restriction").is_some() {
            return Self::read(cursor);
        }
        let restrictions = Block::open_spelled(cursor, &keys::RESTRICTIONS)?;
        let cursor = restrictions.get("geo_restriction")?;
        if is_off(cursor) {
            return None;
        }
        Self::read(cursor)
    }

    fn read(cursor: &Cursor<'_>) -> Option<Self> {
        let block = Block::open_spelled(cursor, &keys::GEO_RESTRICTION)?;
        let kind = block.get("restriction_type").map(|c| {
            c.choice(&[
                ("none", Ok(RawGeoKind::None)),
                ("whitelist", Ok(RawGeoKind::Whitelist)),
                ("blacklist", Ok(RawGeoKind::Blacklist)),
            ])
        });
        let listed = block.either("locations", "items");
        let locations = listed.map(|c| c.texts("a list of country codes, such as `[DE, AT]`"));
        let faulty = matches!(kind, Some(None)) || matches!(locations, Some(None));
        let locations = locations.flatten().unwrap_or_default();
        let quantity = block.get("quantity");
        let quantity = quantity.and_then(|c| c.integer(0..=10_000, "a number of countries"));
        if let Some(quantity) = quantity.filter(|q| !faulty && q.value != locations.len() as u64) {
            // CF-020
            let message = format!(
                "InconsistentQuantities: `quantity` is {} and there are {} items",
                quantity.value,
                locations.len()
            );
            cursor.report.error(&quantity.at, message);
        }
        Some(Self {
            at: cursor.at.clone(),
            kind: kind.flatten(),
            locations,
            faulty,
        })
    }
}

fn is_off(cursor: &Cursor<'_>) -> bool {
    matches!(cursor.scalar(), Some("" | "false" | "none"))
}
