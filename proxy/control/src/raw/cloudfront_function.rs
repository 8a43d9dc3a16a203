//! Entries of `cloudfront_functions:` and `stores:` as written.

use fourfront_model::CffRuntime;

use crate::{
    cursor::{Block, Cursor},
    keys,
    report::Spanned,
};

/// A CloudFront Function.
#[derive(Debug)]
pub(crate) struct RawCloudFrontFunction {
    pub(crate) file: Option<Spanned<String>>,
    pub(crate) runtime: Option<CffRuntime>,
    pub(crate) store: Option<Spanned<String>>,
    pub(crate) arn: Option<Spanned<String>>,
}

/// A key-value store.
#[derive(Debug)]
pub(crate) struct RawStore {
    pub(crate) file: Option<Spanned<String>>,
    pub(crate) id: Option<Spanned<String>>,
}

impl RawCloudFrontFunction {
    /// A block, or just the path of a file (CP-642).
    pub(crate) fn read(cursor: &Cursor<'_>) -> Option<Self> {
        if cursor.scalar().is_some() {
            return Some(Self {
                file: cursor.text(),
                runtime: None,
                store: None,
                arn: None,
            });
        }
        if !cursor.is_mapping() {
            cursor.expected("the path of a file, or a block with `file`");
            return None;
        }
        let block = Block::open(cursor, &keys::CLOUDFRONT_FUNCTION)?;
        let runtimes = CffRuntime::ALL.map(|r| (r.as_str(), Ok(r)));
        Some(Self {
            file: file(&block, "the function has no code", "./function.js"),
            runtime: block
                .get("runtime")
                .and_then(|c| c.choice(&runtimes))
                .map(|r| r.value),
            store: block.get("store").and_then(Cursor::text),
            arn: block.get("arn").and_then(Cursor::text),
        })
    }
}

impl RawStore {
    /// A block, or just the path of a file (CP-642).
    pub(crate) fn read(cursor: &Cursor<'_>) -> Option<Self> {
        if cursor.scalar().is_some() {
            return Some(Self {
                file: cursor.text(),
                id: None,
            });
        }
        if !cursor.is_mapping() {
            cursor.expected("the path of a file, or a block with `file`");
            return None;
        }
        let block = Block::open(cursor, &keys::STORE)?;
        Some(Self {
            file: file(&block, "the store has no data", "./store.json"),
            id: block.get("id").and_then(Cursor::text),
        })
    }
}

fn file(block: &Block<'_>, missing: &str, example: &str) -> Option<Spanned<String>> {
    let Some(file) = block.get("file") else {
        let help = format!("name it with `file: {example}`");
        block.report().error_help(block.at(), missing, help);
        return None;
    };
    file.text()
}
