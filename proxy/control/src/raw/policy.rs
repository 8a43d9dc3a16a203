//! Cache policies and origin request policies as written: a managed name, or a block in place (CP-642).

use fourfront_model::Heuristic;

use crate::{
    cursor::{Block, Cursor},
    keys,
    report::{At, Spanned},
};

/// A policy by name or in place.
#[derive(Debug)]
pub(crate) enum RawPolicy<T> {
    Named(Spanned<String>),
    Inline(T),
}

/// A cache policy in place (CF-110..117).
#[derive(Debug)]
pub(crate) struct RawCachePolicy {
    pub(crate) at: At,
    pub(crate) name: Option<String>,
    pub(crate) min_ttl: Option<Spanned<u64>>,
    pub(crate) default_ttl: Option<Spanned<u64>>,
    pub(crate) max_ttl: Option<Spanned<u64>>,
    pub(crate) heuristic: Heuristic,
    pub(crate) headers: RawHeaders,
    pub(crate) cookies: RawSelection,
    pub(crate) query_strings: RawSelection,
    pub(crate) accept_encoding_gzip: bool,
    pub(crate) accept_encoding_brotli: bool,
}

/// An origin request policy in place (CF-125, CF-126).
#[derive(Debug)]
pub(crate) struct RawOriginRequestPolicy {
    pub(crate) name: Option<String>,
    pub(crate) headers: RawHeaders,
    pub(crate) cookies: RawSelection,
    pub(crate) query_strings: RawSelection,
}

/// A choice of headers.
#[derive(Debug, Default)]
pub(crate) enum RawHeaders {
    #[default]
    None,
    Whitelist(Vec<Spanned<String>>),
    AllExcept(Vec<Spanned<String>>),
    AllViewer,
    /// And these that the edge generates.
    AllViewerAnd(Vec<Spanned<String>>),
}

/// A choice of cookies or query parameters (CF-117, CF-126).
#[derive(Debug, Default)]
pub(crate) enum RawSelection {
    #[default]
    None,
    Whitelist(Vec<Spanned<String>>),
    AllExcept(Vec<Spanned<String>>),
    All,
}

/// The cap CloudFront puts on lifetimes: 100 years (CF-242).
const MOST_TTL: u64 = 3_153_600_000;

impl<T> RawPolicy<T> {
    pub(crate) fn read(
        cursor: &Cursor<'_>,
        inline: impl Fn(&Cursor<'_>) -> Option<T>,
    ) -> Option<Self> {
        if cursor.is_mapping() {
            inline(cursor).map(Self::Inline)
        } else if cursor.scalar().is_some() {
            cursor.text().map(Self::Named)
        } else {
            cursor.expected("the name of a managed policy, or a policy written in place");
            None
        }
    }
}

impl RawCachePolicy {
    pub(crate) fn read(cursor: &Cursor<'_>) -> Option<Self> {
        let block = Block::open(cursor, &keys::CACHE_POLICY)?;
        let ttl = |key: &str| {
            let cursor = block.get(key)?;
            cursor.integer(0..=MOST_TTL, "seconds")
        };
        let flag = |key: &str| block.get(key).and_then(Cursor::boolean);
        Some(Self {
            at: cursor.at.clone(),
            name: name(&block),
            min_ttl: ttl("min_ttl"),
            default_ttl: ttl("default_ttl"),
            max_ttl: ttl("max_ttl"),
            heuristic: block
                .get("heuristic")
                .and_then(|c| {
                    c.choice(&[
                        ("default_ttl", Ok(Heuristic::DefaultTtl)),
                        ("last_modified", Ok(Heuristic::LastModified)),
                    ])
                })
                .map(|h| h.value)
                .unwrap_or_default(),
            headers: block
                .get("headers")
                .and_then(key_headers)
                .unwrap_or_default(),
            cookies: selection(&block, "cookies"),
            query_strings: selection(&block, "query_strings"),
            accept_encoding_gzip: flag("accept_encoding_gzip").is_some_and(|f| f.value),
            accept_encoding_brotli: flag("accept_encoding_brotli").is_some_and(|f| f.value),
        })
    }
}

impl RawOriginRequestPolicy {
    pub(crate) fn read(cursor: &Cursor<'_>) -> Option<Self> {
        let block = Block::open(cursor, &keys::ORIGIN_REQUEST_POLICY)?;
        Some(Self {
            name: name(&block),
            headers: block
                .get("headers")
                .and_then(origin_headers)
                .unwrap_or_default(),
            cookies: selection(&block, "cookies"),
            query_strings: selection(&block, "query_strings"),
        })
    }
}

fn name(block: &Block<'_>) -> Option<String> {
    block.get("name").and_then(Cursor::text).map(|t| t.value)
}

/// `none` or a list: all that CloudFront lets into a key (CF-116).
fn key_headers(cursor: &Cursor<'_>) -> Option<RawHeaders> {
    const WHAT: &str = "`none` or a list of header names";
    match cursor.scalar() {
        Some("none") => Some(RawHeaders::None),
        Some(_) => {
            cursor.expected(WHAT);
            None
        }
        None if cursor.is_mapping() => match lists(cursor)? {
            (Some(names), None) => Some(RawHeaders::Whitelist(names)),
            _ => {
                cursor.error(
                    "a cache policy takes a list of headers: all but some cannot be in a key",
                );
                None
            }
        },
        None => cursor.texts(WHAT).map(RawHeaders::Whitelist),
    }
}

fn origin_headers(cursor: &Cursor<'_>) -> Option<RawHeaders> {
    const WHAT: &str = "`none`, `all_viewer`, a list of header names, or `all_except` or `all_viewer_and_whitelist_cloudfront` with such a list";
    match cursor.scalar() {
        Some("none") => Some(RawHeaders::None),
        Some("all_viewer" | "allViewer") => Some(RawHeaders::AllViewer),
        Some("all_viewer_and_whitelist_cloudfront" | "allViewerAndWhitelistCloudFront") => {
            cursor.error_help(
                "nothing says which headers of CloudFront's",
                "write `{ all_viewer_and_whitelist_cloudfront: [CloudFront-Viewer-Country] }`"
                    .to_owned(),
            );
            None
        }
        Some(_) => {
            cursor.expected(WHAT);
            None
        }
        None if cursor.is_mapping() => {
            let block = Block::open(cursor, &keys::ORIGIN_HEADERS)?;
            let whitelist = list(&block, "whitelist")?.map(RawHeaders::Whitelist);
            let except = list(&block, "all_except")?.map(RawHeaders::AllExcept);
            let and = list(&block, "all_viewer_and_whitelist_cloudfront")?;
            match [whitelist, except, and.map(RawHeaders::AllViewerAnd)] {
                [Some(one), None, None] | [None, Some(one), None] | [None, None, Some(one)] => {
                    Some(one)
                }
                _ => {
                    cursor.error(
                        "give exactly one of `whitelist`, `all_except` and `all_viewer_and_whitelist_cloudfront`",
                    );
                    None
                }
            }
        }
        None => cursor.texts(WHAT).map(RawHeaders::Whitelist),
    }
}

fn selection(block: &Block<'_>, key: &str) -> RawSelection {
    const WHAT: &str = "`none`, `all`, a list of names or `all_except` with such a list";
    let Some(cursor) = block.get(key) else {
        return RawSelection::None;
    };
    let read = match cursor.scalar() {
        Some("none") => Some(RawSelection::None),
        Some("all") => Some(RawSelection::All),
        Some(_) => {
            cursor.expected(WHAT);
            None
        }
        None if cursor.is_mapping() => match lists(cursor) {
            Some((Some(names), None)) => Some(RawSelection::Whitelist(names)),
            Some((None, Some(names))) => Some(RawSelection::AllExcept(names)),
            Some(_) => {
                cursor.error(EXACTLY_ONE);
                None
            }
            None => None,
        },
        None => cursor.texts(WHAT).map(RawSelection::Whitelist),
    };
    read.unwrap_or_default()
}

const EXACTLY_ONE: &str = "give exactly one of `whitelist` and `all_except`";

type Names = Option<Vec<Spanned<String>>>;

/// The two lists of a selection block. `None` when one of them is there and cannot be read.
fn lists(cursor: &Cursor<'_>) -> Option<(Names, Names)> {
    let block = Block::open(cursor, &keys::SELECTION)?;
    Some((list(&block, "whitelist")?, list(&block, "all_except")?))
}

/// One list of such a block; `None` when it is there and cannot be read.
fn list(block: &Block<'_>, key: &str) -> Option<Names> {
    match block.get(key) {
        Some(c) => c.texts("a list of names").map(Some),
        None => Some(None),
    }
}
