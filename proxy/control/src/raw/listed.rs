//! What a site file has as a map from name to value and CloudFront's API as a list whose items have ids (CF-020, CF-021).

use std::collections::HashMap;

use super::Named;
use crate::{
    cursor::{Block, Cursor, shorten},
    keys::{self, Table, fold},
    report::Spanned,
};

/// Entries by id: a map whose keys are the ids, or a list, with its length perhaps, whose items have an `id`. `None` when
/// there are none, readable or not.
pub(crate) fn by_id<T>(
    cursor: &Cursor<'_>,
    what: &str,
    table: &'static Table,
    read: impl Fn(&Cursor<'_>) -> Option<T>,
) -> Option<Vec<Named<T>>> {
    if cursor.is_mapping() && !is_counted(cursor) {
        let entries = super::named(cursor, what, &read);
        if entries.is_empty() {
            return None;
        }
        for (key, value) in cursor.entries(what).unwrap_or_default() {
            if let Some(id) = id_of(&value).filter(|id| id.value != key.value) {
                let message = format!(
                    "{} is `{}` by its key and `{}` by its `id`",
                    table.what,
                    shorten(&key.value),
                    shorten(&id.value)
                );
                cursor.report.error(&id.at, message);
            }
        }
        return Some(entries);
    }
    let mut taken: HashMap<String, usize> = HashMap::new();
    let mut entries = Vec::new();
    let Some(items) = cursor.counted(what) else {
        // Reported as what it is.
        return Some(entries);
    };
    if items.is_empty() {
        return None;
    }
    for item in items {
        if !item.is_mapping() {
            item.expected(&format!("the settings of {} with its `id`", table.what));
            continue;
        }
        let value = read(&item);
        let Some(id) = id_of(&item) else {
            let message = format!("InvalidArgument: {} has no `id`", table.what);
            item.error(message);
            continue;
        };
        if let Some(line) = taken.insert(id.value.clone(), id.at.line) {
            // CF-411
            let message = format!(
                "InvalidArgument: the id `{}` is already taken on line {line}",
                shorten(&id.value)
            );
            cursor.report.error(&id.at, message);
            continue;
        }
        entries.push(Named { name: id, value });
    }
    Some(entries)
}

/// The `id` of an entry; what else it holds is read elsewhere.
fn id_of(item: &Cursor<'_>) -> Option<Spanned<String>> {
    let (_, id) = item.member_spelled("id")?;
    id.scalar().and_then(|_| id.text())
}

/// An origin's `custom_headers`: a map from name to value, or CloudFront's list of names and values.
pub(crate) fn custom_headers(cursor: &Cursor<'_>) -> Vec<(Spanned<String>, Spanned<String>)> {
    if cursor.is_mapping() && !is_counted(cursor) {
        let headers = cursor.entries("a map from header name to value");
        let headers = headers.unwrap_or_default().into_iter();
        return headers
            .filter_map(|(name, value)| Some((name, value.text()?)))
            .collect();
    }
    let items = cursor.counted("a map from header name to value");
    let header = |item: &Cursor<'_>| {
        let block = Block::open_spelled(item, &keys::CUSTOM_HEADER)?;
        let text = |key: &str| {
            let text = block.get(key);
            if text.is_none() {
                let message = format!("InvalidArgument: a custom header has no `{key}`");
                item.error(message);
            }
            text.and_then(Cursor::text)
        };
        // Both are missed at once.
        let (name, value) = (text("header_name"), text("header_value"));
        Some((name?, value?))
    };
    items
        .unwrap_or_default()
        .iter()
        .filter_map(header)
        .collect()
}

/// Whether a map is a list written with its length: `{ Quantity, Items }`, or `{ Quantity: 0 }`. Elsewhere a key could
/// have such a name, but not such a value with it.
pub(crate) fn is_counted(cursor: &Cursor<'_>) -> bool {
    let entries = cursor.entries("").unwrap_or_default();
    let is = |key: &Spanned<String>, name: &str| fold(&key.value) == name;
    let lists = entries
        .iter()
        .any(|(key, value)| is(key, "items") && (value.is_list() || value.is_null()));
    let empty = |(key, value): &(Spanned<String>, Cursor<'_>)| {
        is(key, "quantity") && value.scalar() == Some("0")
    };
    let only = entries
        .iter()
        .all(|(key, _)| is(key, "quantity") || is(key, "items"));
    only && (lists || entries.iter().any(empty))
}
