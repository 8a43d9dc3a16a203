//! Cache policies and origin request policies as written: a managed name, or a block in place (CP-642).

use fourfront_model::Heuristic;

use super::policy_config;
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
    pub(crate) id: Option<Spanned<String>>,
    pub(crate) name: Option<Spanned<String>>,
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
    pub(crate) at: At,
    pub(crate) id: Option<Spanned<String>>,
    pub(crate) name: Option<Spanned<String>>,
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
            for key in ["config", "id"] {
                if let Some((key, _)) = cursor.member_spelled(key) {
                    let message = format!(
                        "`{}` is for policies at the top of the file, which behaviours name",
                        key.value
                    );
                    cursor.report.error(&key.at, message);
                }
            }
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
        let block = Block::open_spelled(cursor, &keys::CACHE_POLICY)?;
        let parameters = block
            .get("parameters_in_cache_key_and_forwarded_to_origin")
            .and_then(|c| Block::open_spelled(c, &keys::KEY_PARAMETERS));
        let parameter = |key: &str| parameters.as_ref()?.get(key);
        let ttl = |key: &str| {
            let cursor = block.get(key)?;
            cursor.integer(0..=MOST_TTL, "seconds")
        };
        // In CloudFront's form or in the short one.
        let flag = |key: &str, parameter_key: &str| {
            let cursor = parameter(parameter_key).or_else(|| block.get(key));
            cursor.and_then(Cursor::boolean).is_some_and(|f| f.value)
        };
        let in_key = |key: &str, read: fn(&Cursor<'_>) -> Option<RawSelection>| {
            let parameter = parameter(&format!("{key}_config"))?;
            Some(read(parameter).unwrap_or_default())
        };
        for key in KEY_SETTINGS {
            if let Some(cursor) = block.get(key).filter(|_| parameters.is_some()) {
                cursor.error(
                    "`parameters_in_cache_key_and_forwarded_to_origin` says this already: give one",
                );
            }
        }
        Some(Self {
            at: cursor.at.clone(),
            id: block.get("id").and_then(Cursor::text),
            name: block.get("name").and_then(Cursor::text),
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
            headers: match parameter("headers_config") {
                Some(config) => policy_config::key_headers(config),
                None => block.get("headers").and_then(key_headers),
            }
            .unwrap_or_default(),
            cookies: in_key("cookies", policy_config::cookies)
                .unwrap_or_else(|| selection(&block, "cookies")),
            query_strings: in_key("query_strings", policy_config::query_strings)
                .unwrap_or_else(|| selection(&block, "query_strings")),
            accept_encoding_gzip: flag("accept_encoding_gzip", "enable_accept_encoding_gzip"),
            accept_encoding_brotli: flag("accept_encoding_brotli", "enable_accept_encoding_brotli"),
        })
    }
}

impl RawOriginRequestPolicy {
    pub(crate) fn read(cursor: &Cursor<'_>) -> Option<Self> {
        let block = Block::open_spelled(cursor, &keys::ORIGIN_REQUEST_POLICY)?;
        // In CloudFront's form or in the short one.
        let config = |key: &str, read: fn(&Cursor<'_>) -> Option<RawSelection>| {
            let short = key.trim_end_matches("_config");
            let Some(config) = block.get(key) else {
                return selection(&block, short);
            };
            if let Some(short) = block.get(short) {
                short.error(format!("`{key}` says this already: give one"));
            }
            read(config).unwrap_or_default()
        };
        let headers = match (block.get("headers_config"), block.get("headers")) {
            (Some(_), Some(short)) => {
                short.error("`headers_config` says this already: give one");
                None
            }
            (Some(config), None) => policy_config::origin_headers(config),
            (None, short) => short.and_then(origin_headers),
        };
        Some(Self {
            at: cursor.at.clone(),
            id: block.get("id").and_then(Cursor::text),
            name: block.get("name").and_then(Cursor::text),
            headers: headers.unwrap_or_default(),
            cookies: config("cookies_config", policy_config::cookies),
            query_strings: config("query_strings_config", policy_config::query_strings),
        })
    }
}

/// What CloudFront's form of a cache policy has within its parameters.
const KEY_SETTINGS: [&str; 5] = [
    "headers",
    "cookies",
    "query_strings",
    "accept_encoding_gzip",
    "accept_encoding_brotli",
];

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
