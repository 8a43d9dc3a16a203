//! Lists in pages (CP-044..047). A marker names the last item that was told, so it goes on working when that is gone.

use serde_json::Value;

use super::{ApiError, tx::Tx};

/// One page.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Page {
    /// What stands on it.
    pub(crate) items: Vec<Value>,
    /// The marker of the next page, where there is one.
    pub(crate) next: Option<String>,
}

/// Cuts a page out of all items with their positions. `listing` says what is listed: a marker of another list is refused.
pub(crate) fn page(
    tx: &Tx<'_>,
    listing: &str,
    mut all: Vec<(String, Value)>,
    marker: Option<&str>,
    most: usize,
) -> Result<Page, ApiError> {
    all.sort_by(|(a, _), (b, _)| a.cmp(b));
    let markers = tx.store.markers();
    if let Some(marker) = marker.filter(|m| !m.is_empty()) {
        let after = markers.open(listing, marker).map_err(|_| {
            ApiError::new(400, "InvalidArgument", "the marker is none of this list's")
        })?;
        all.retain(|(position, _)| *position > after);
    }
    let next = match all.get(most.max(1) - 1) {
        Some((last, _)) if all.len() > most => Some(markers.sign(listing, last)),
        _ => None,
    };
    all.truncate(most);
    Ok(Page {
        items: all.into_iter().map(|(_, item)| item).collect(),
        next,
    })
}
