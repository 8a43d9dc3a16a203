//! `forwarded_values` and the TTLs beside it, as written (CF-068, CF-069).

use crate::{
    cursor::{Block, Cursor},
    keys,
    report::{At, Spanned},
};

/// What a behaviour without policies says about key, forwarding and lifetimes.
#[derive(Debug)]
pub(crate) struct RawLegacy {
    pub(crate) at: At,
    pub(crate) query_string: Option<Spanned<bool>>,
    pub(crate) query_keys: Vec<Spanned<String>>,
    pub(crate) cookies: RawLegacyCookies,
    pub(crate) headers: Vec<Spanned<String>>,
}

/// `cookies`: what of them is forwarded and keyed.
#[derive(Debug, Default)]
pub(crate) enum RawLegacyCookies {
    #[default]
    None,
    All,
    /// Names, in which `*` and `?` are wildcards (CF-196).
    Whitelist(Vec<Spanned<String>>),
}

/// The TTLs of a behaviour, in seconds.
#[derive(Debug, Default)]
pub(crate) struct RawTtls {
    pub(crate) min: Option<Spanned<u64>>,
    pub(crate) default: Option<Spanned<u64>>,
    pub(crate) max: Option<Spanned<u64>>,
}

/// The cap CloudFront puts on lifetimes: 100 years (CF-242).
const MOST_TTL: u64 = 3_153_600_000;

impl RawTtls {
    pub(crate) fn read(behavior: &Block<'_>) -> Self {
        let ttl = |key: &str| behavior.get(key)?.integer(0..=MOST_TTL, "seconds");
        Self {
            min: ttl("min_ttl"),
            default: ttl("default_ttl"),
            max: ttl("max_ttl"),
        }
    }

    /// The first that is given.
    pub(crate) fn any(&self) -> Option<&Spanned<u64>> {
        [&self.min, &self.default, &self.max]
            .into_iter()
            .flatten()
            .next()
    }
}

impl RawLegacy {
    pub(crate) fn read(cursor: &Cursor<'_>) -> Option<Self> {
        let block = Block::open_spelled(cursor, &keys::FORWARDED_VALUES)?;
        let names = |key: &str, what: &str| {
            let names = block.get(key).and_then(|c| c.counted_texts(what));
            names.unwrap_or_default()
        };
        let query_string = block.get("query_string");
        if query_string.is_none() {
            cursor.error("InvalidArgument: `query_string` is missing");
        }
        Some(Self {
            at: cursor.at.clone(),
            query_string: query_string.and_then(Cursor::boolean),
            query_keys: names("query_string_cache_keys", "a list of query parameters"),
            cookies: block.get("cookies").map_or_else(Default::default, cookies),
            headers: names("headers", "a list of header names"),
        })
    }
}

fn cookies(cursor: &Cursor<'_>) -> RawLegacyCookies {
    let Some(block) = Block::open_spelled(cursor, &keys::COOKIE_PREFERENCE) else {
        return RawLegacyCookies::None;
    };
    let Some(forward) = block.get("forward") else {
        cursor.error("InvalidForwardCookies: `forward` is missing");
        return RawLegacyCookies::None;
    };
    let forward = forward.choice(&[
        ("none", Ok(Forward::None)),
        ("whitelist", Ok(Forward::Whitelist)),
        ("all", Ok(Forward::All)),
    ]);
    let names = block.get("whitelisted_names");
    let listed = names.and_then(|c| c.counted_texts("a list of cookie names"));
    let listed = listed.unwrap_or_default();
    match forward.map(|f| f.value) {
        Some(Forward::Whitelist) if listed.is_empty() => {
            cursor.error("InvalidForwardCookies: `whitelist` and no name of a cookie");
            RawLegacyCookies::None
        }
        Some(Forward::Whitelist) => RawLegacyCookies::Whitelist(listed),
        Some(Forward::None | Forward::All) if !listed.is_empty() => {
            let at = names.map_or(&cursor.at, |c| &c.at);
            let message = "InvalidForwardCookies: names are listed without `forward: whitelist`";
            cursor.report.error(at, message);
            RawLegacyCookies::None
        }
        Some(Forward::All) => RawLegacyCookies::All,
        Some(Forward::None) | None => RawLegacyCookies::None,
    }
}

#[derive(Clone, Copy)]
enum Forward {
    None,
    Whitelist,
    All,
}
