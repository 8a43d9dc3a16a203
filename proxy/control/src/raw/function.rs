//! One entry of `functions:` as written.

use std::time::Duration;

use crate::{
    cursor::{Block, Cursor},
    keys,
    report::{At, Spanned},
};

/// A function.
#[derive(Debug)]
pub(crate) struct RawFunction {
    pub(crate) at: At,
    /// What it is called, where that is not the entry's key: there may be several versions.
    pub(crate) name: Option<Spanned<String>>,
    pub(crate) version: Option<Spanned<u64>>,
    pub(crate) source: Option<RawSource>,
    pub(crate) handler: Option<Spanned<String>>,
    pub(crate) timeout: Option<Spanned<Duration>>,
    pub(crate) memory: Option<Spanned<u64>>,
    pub(crate) concurrency: Option<Spanned<u64>>,
    pub(crate) runtime: Option<Spanned<String>>,
    pub(crate) arn: Option<Spanned<String>>,
    pub(crate) environment: Vec<(Spanned<String>, String)>,
    pub(crate) log_group: Option<Spanned<String>>,
    pub(crate) egress: Option<Vec<Spanned<String>>>,
    pub(crate) credentials: Option<RawCredentials>,
}

/// `credentials`.
#[derive(Debug)]
pub(crate) struct RawCredentials {
    pub(crate) at: At,
    pub(crate) access_key_id: Option<Spanned<String>>,
    pub(crate) secret_access_key: Option<Spanned<String>>,
    pub(crate) secret_access_key_file: Option<Spanned<String>>,
    pub(crate) session_token: Option<Spanned<String>>,
}

impl RawCredentials {
    pub(crate) fn read(cursor: &Cursor<'_>) -> Option<Self> {
        let block = Block::open(cursor, &keys::CREDENTIALS)?;
        let text = |key: &str| block.get(key).and_then(Cursor::text);
        Some(Self {
            at: cursor.at.clone(),
            access_key_id: text("access_key_id"),
            secret_access_key: text("secret_access_key"),
            secret_access_key_file: text("secret_access_key_file"),
            session_token: text("session_token"),
        })
    }
}

/// Where its code is said to lie.
#[derive(Debug)]
pub(crate) enum RawSource {
    File(Spanned<String>),
    Dir(Spanned<String>),
    Zip(Spanned<String>),
}

impl RawFunction {
    /// A block, or just the path of a file (CP-642).
    pub(crate) fn read(cursor: &Cursor<'_>) -> Option<Self> {
        if cursor.scalar().is_some() {
            return Some(Self {
                at: cursor.at.clone(),
                name: None,
                version: None,
                source: cursor.text().map(RawSource::File),
                handler: None,
                timeout: None,
                memory: None,
                concurrency: None,
                runtime: None,
                arn: None,
                environment: Vec::new(),
                log_group: None,
                egress: None,
                credentials: None,
            });
        }
        if !cursor.is_mapping() {
            cursor.expected("the path of a file, or a block with `file`, `dir` or `zip`");
            return None;
        }
        let block = Block::open(cursor, &keys::FUNCTION)?;
        let environment = block
            .get("environment")
            .and_then(|c| c.entries("a map of variable names"))
            .unwrap_or_default();
        Some(Self {
            at: cursor.at.clone(),
            name: block.get("name").and_then(Cursor::text),
            version: block
                .get("version")
                .and_then(|c| c.integer(1..=u64::from(u32::MAX), "the number of a version")),
            source: source(&block),
            handler: block.get("handler").and_then(Cursor::text),
            // 15 minutes is Lambda's own bound; the trigger's is checked where the function is attached.
            timeout: block.get("timeout").and_then(|c| c.seconds(900)),
            memory: block
                .get("memory")
                .and_then(|c| c.integer(64..=65_536, "MiB of memory")),
            concurrency: block
                .get("concurrency")
                .and_then(|c| c.integer(0..=1_000_000, "a number of calls")),
            runtime: block.get("runtime").and_then(Cursor::text),
            arn: block.get("arn").and_then(Cursor::text),
            environment: environment
                .into_iter()
                .filter_map(|(name, value)| Some((name, value.text()?.value)))
                .collect(),
            credentials: block.get("credentials").and_then(RawCredentials::read),
            log_group: block.get("log_group").and_then(Cursor::text),
            egress: block
                .get("egress")
                .and_then(|c| c.texts("a list of hosts that the function may connect to")),
        })
    }
}

fn source(block: &Block<'_>) -> Option<RawSource> {
    match (block.get("file"), block.get("dir"), block.get("zip")) {
        (Some(file), None, None) => file.text().map(RawSource::File),
        (None, Some(dir), None) => dir.text().map(RawSource::Dir),
        (None, None, Some(zip)) => zip.text().map(RawSource::Zip),
        (Some(_), Some(second), _) | (_, Some(_), Some(second)) | (Some(_), _, Some(second)) => {
            second.error(
                "`file`, `dir` and `zip` exclude each other: a function is one file, one directory or one zip file",
            );
            None
        }
        (None, None, None) => {
            block.report().error_help(
                block.at(),
                "the function has no code",
                "name it with `file: ./handler.js`, `dir: ./handler` or `zip: ./handler.zip`"
                    .to_owned(),
            );
            None
        }
    }
}
