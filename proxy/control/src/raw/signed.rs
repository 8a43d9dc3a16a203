//! Entries of `public_keys:` and `key_groups:` and what behaviours say of them, as written (CF-025, CF-070).

use crate::{
    cursor::{Block, Cursor},
    keys,
    report::Spanned,
};

/// A public key.
#[derive(Debug)]
pub(crate) struct RawPublicKey {
    pub(crate) source: Option<RawPem>,
    pub(crate) id: Option<Spanned<String>>,
}

/// Where its PEM is.
#[derive(Debug)]
pub(crate) enum RawPem {
    /// In a file.
    File(Spanned<String>),
    /// Here.
    Text(Spanned<String>),
}

/// A key group.
#[derive(Debug)]
pub(crate) struct RawKeyGroup {
    /// Names or ids of keys; `None` when they could not be read.
    pub(crate) keys: Option<Vec<Spanned<String>>>,
    pub(crate) id: Option<Spanned<String>>,
}

impl RawPublicKey {
    /// A block, or just the path of a file (CP-642).
    pub(crate) fn read(cursor: &Cursor<'_>) -> Option<Self> {
        if cursor.scalar().is_some() {
            return Some(Self {
                source: cursor.text().map(RawPem::File),
                id: None,
            });
        }
        if !cursor.is_mapping() {
            cursor.expected("the path of a PEM file, or a block with `file` or `pem`");
            return None;
        }
        let block = Block::open(cursor, &keys::PUBLIC_KEY)?;
        Some(Self {
            source: source(&block),
            id: block.get("id").and_then(Cursor::text),
        })
    }
}

fn source(block: &Block<'_>) -> Option<RawPem> {
    match (block.get("file"), block.either("pem", "encoded_key")) {
        (Some(_), Some(text)) => {
            text.error("the key is given twice: by its file and here");
            None
        }
        (Some(file), None) => file.text().map(RawPem::File),
        (None, Some(text)) => text.text().map(RawPem::Text),
        (None, None) => {
            let help = "name its PEM file with `file: ./key.pem`, or write it as `pem`".to_owned();
            let report = block.report();
            report.error_help(block.at(), "InvalidArgument: there is no key", help);
            None
        }
    }
}

impl RawKeyGroup {
    /// A list of keys, or a block with one.
    pub(crate) fn read(cursor: &Cursor<'_>) -> Option<Self> {
        const WHAT: &str = "a list of public keys, by name or id";
        if !cursor.is_mapping() {
            return Some(Self {
                keys: cursor.texts(WHAT),
                id: None,
            });
        }
        let block = Block::open(cursor, &keys::KEY_GROUP)?;
        let listed = block.either("keys", "items");
        let empty = || (!block.gives("keys", "items")).then(Vec::new);
        Some(Self {
            keys: listed.map_or_else(empty, |c| c.texts(WHAT)),
            id: block.get("id").and_then(Cursor::text),
        })
    }
}

/// `trusted_key_groups`: a list of groups, or CloudFront's normal form of one (CF-020, CF-021). What is switched off is
/// empty.
pub(crate) fn trusted_key_groups(cursor: &Cursor<'_>) -> Vec<Spanned<String>> {
    const WHAT: &str = "a list of key groups, by name or id";
    if matches!(cursor.scalar(), Some("" | "false" | "none")) {
        return Vec::new();
    }
    if !cursor.is_mapping() {
        return cursor.texts(WHAT).unwrap_or_default();
    }
    let Some(block) = Block::open_spelled(cursor, &keys::TRUSTED_KEY_GROUPS) else {
        return Vec::new();
    };
    let enabled = block.get("enabled").and_then(Cursor::boolean);
    if enabled.as_ref().is_some_and(|e| !e.value) {
        return Vec::new();
    }
    let items = match block.get("items") {
        Some(items) => items.texts(WHAT),
        None => Some(Vec::new()),
    };
    let Some(items) = items else {
        return Vec::new();
    };
    let quantity = block.get("quantity");
    let quantity = quantity.and_then(|c| c.integer(0..=10_000, "a number of key groups"));
    if let Some(quantity) = quantity.filter(|q| q.value != items.len() as u64) {
        let message = format!(
            "InconsistentQuantities: `quantity` is {} and there are {} items",
            quantity.value,
            items.len()
        );
        cursor.report.error(&quantity.at, message);
    }
    if let Some(enabled) = enabled.filter(|_| items.is_empty()) {
        cursor.report.error_help(
            &enabled.at,
            "InvalidArgument: signatures are wanted and no key group is named",
            "add `items:` with the names of key groups".to_owned(),
        );
    }
    items
}
