//! Response headers policies as written: in place, or named at the top of the file (CF-132). Keys may be spelled as
//! CloudFront's API spells them, and lists written with their length (CF-020).

use crate::{
    cursor::{Block, Cursor},
    keys,
    report::{At, Spanned},
};

/// A response headers policy.
#[derive(Debug)]
pub(crate) struct RawResponseHeadersPolicy {
    pub(crate) at: At,
    pub(crate) id: Option<Spanned<String>>,
    pub(crate) name: Option<Spanned<String>>,
    pub(crate) comment: Option<Spanned<String>>,
    pub(crate) cors: Option<RawCors>,
    pub(crate) security: RawSecurity,
    pub(crate) custom: Vec<RawHeaderField>,
    pub(crate) custom_at: At,
    pub(crate) remove: Vec<Spanned<String>>,
    pub(crate) remove_at: At,
    /// The rate as text; zero where none is given.
    pub(crate) server_timing: Option<Spanned<String>>,
}

/// `cors_config`.
#[derive(Debug)]
pub(crate) struct RawCors {
    pub(crate) at: At,
    pub(crate) origins: Vec<Spanned<String>>,
    pub(crate) headers: Vec<Spanned<String>>,
    pub(crate) methods: Vec<Spanned<String>>,
    pub(crate) credentials: bool,
    pub(crate) expose: Vec<Spanned<String>>,
    pub(crate) max_age: Option<u64>,
    pub(crate) origin_override: bool,
}

/// `security_headers_config`.
#[derive(Debug, Default)]
pub(crate) struct RawSecurity {
    pub(crate) xss: Option<RawProtection>,
    /// The value and whether it overrides, as of all of these.
    pub(crate) frame_options: Option<(&'static str, bool)>,
    pub(crate) referrer: Option<(&'static str, bool)>,
    pub(crate) content_security: Option<(Spanned<String>, bool)>,
    pub(crate) content_type: Option<bool>,
    pub(crate) transport: Option<RawTransport>,
}

/// `xss_protection`.
#[derive(Debug)]
pub(crate) struct RawProtection {
    pub(crate) at: At,
    pub(crate) protection: bool,
    pub(crate) mode_block: Option<Spanned<bool>>,
    pub(crate) report_uri: Option<Spanned<String>>,
    pub(crate) overrides: bool,
}

/// `strict_transport_security`.
#[derive(Debug)]
pub(crate) struct RawTransport {
    pub(crate) max_age: u64,
    pub(crate) include_subdomains: bool,
    pub(crate) preload: bool,
    pub(crate) overrides: bool,
}

/// A custom header.
#[derive(Debug)]
pub(crate) struct RawHeaderField {
    pub(crate) name: Spanned<String>,
    pub(crate) value: Spanned<String>,
    pub(crate) overrides: bool,
}

/// The longest time a header tells, in seconds: what AWS's integers hold.
const MOST_SECONDS: u64 = 2_147_483_647;

impl RawResponseHeadersPolicy {
    pub(crate) fn read(cursor: &Cursor<'_>) -> Option<Self> {
        let block = Block::open_spelled(cursor, &keys::RESPONSE_HEADERS_POLICY)?;
        let (custom, remove) = ("custom_headers_config", "remove_headers_config");
        let at = |key: &str| match block.get(key) {
            Some(cursor) => cursor.at.clone(),
            None => cursor.at.member(key),
        };
        Some(Self {
            at: cursor.at.clone(),
            id: block.get("id").and_then(Cursor::text),
            name: block.get("name").and_then(Cursor::text),
            comment: block.get("comment").and_then(Cursor::text),
            cors: block.get("cors_config").and_then(RawCors::read),
            security: block
                .get("security_headers_config")
                .and_then(RawSecurity::read)
                .unwrap_or_default(),
            custom: block.get(custom).map_or_else(Vec::new, custom_headers),
            custom_at: at(custom),
            remove: block.get(remove).map_or_else(Vec::new, removed_headers),
            remove_at: at(remove),
            server_timing: block
                .get("server_timing_headers_config")
                .and_then(server_timing),
        })
    }
}

fn flag(block: &Block<'_>, key: &str) -> bool {
    let flag = block.get(key).and_then(Cursor::boolean);
    flag.is_some_and(|f| f.value)
}

/// A member that the block makes no sense without.
fn required<'b, 'n>(block: &'b Block<'n>, key: &str) -> Option<&'b Cursor<'n>> {
    let found = block.get(key);
    if found.is_none() {
        let message = format!("InvalidArgument: `{key}` is missing");
        block.report().error(block.at(), message);
    }
    found
}

impl RawCors {
    fn read(cursor: &Cursor<'_>) -> Option<Self> {
        let block = Block::open_spelled(cursor, &keys::CORS)?;
        let texts = |key: &str, what: &str| {
            let list = block.get(key).and_then(|c| c.counted_texts(what));
            list.unwrap_or_default()
        };
        let methods = match block.get("access_control_allow_methods") {
            // CF-608
            Some(c) if c.scalar().is_some() => c.text().into_iter().collect(),
            _ => texts(
                "access_control_allow_methods",
                "a list of methods, or `ALL`",
            ),
        };
        let max_age = block.get("access_control_max_age_sec");
        let origins = required(&block, "access_control_allow_origins").and_then(|c| {
            let origins = c.counted_texts("a list of origins")?;
            if origins.is_empty() {
                c.error("InvalidArgument: there is no origin in the list");
            }
            Some(origins)
        });
        Some(Self {
            at: cursor.at.clone(),
            origins: origins.unwrap_or_default(),
            headers: texts("access_control_allow_headers", "a list of header names"),
            methods,
            credentials: flag(&block, "access_control_allow_credentials"),
            expose: texts("access_control_expose_headers", "a list of header names"),
            max_age: max_age
                .and_then(|c| c.integer(0..=MOST_SECONDS, "seconds"))
                .map(|m| m.value),
            origin_override: flag(&block, "origin_override"),
        })
    }
}

impl RawSecurity {
    pub(crate) const fn is_empty(&self) -> bool {
        self.xss.is_none()
            && self.frame_options.is_none()
            && self.referrer.is_none()
            && self.content_security.is_none()
            && self.content_type.is_none()
            && self.transport.is_none()
    }

    fn read(cursor: &Cursor<'_>) -> Option<Self> {
        let block = Block::open_spelled(cursor, &keys::SECURITY_HEADERS)?;
        Some(Self {
            xss: block.get("xss_protection").and_then(RawProtection::read),
            frame_options: block.get("frame_options").and_then(frame_options),
            referrer: block.get("referrer_policy").and_then(referrer_policy),
            content_security: block
                .get("content_security_policy")
                .and_then(content_security_policy),
            content_type: block.get("content_type_options").and_then(|c| {
                let block = Block::open_spelled(c, &keys::CONTENT_TYPE_OPTIONS)?;
                Some(flag(&block, "override"))
            }),
            transport: block
                .get("strict_transport_security")
                .and_then(RawTransport::read),
        })
    }
}

impl RawProtection {
    fn read(cursor: &Cursor<'_>) -> Option<Self> {
        let block = Block::open_spelled(cursor, &keys::XSS_PROTECTION)?;
        let report_uri = block.get("report_uri").and_then(Cursor::text);
        Some(Self {
            at: cursor.at.clone(),
            protection: required(&block, "protection")?.boolean()?.value,
            mode_block: block.get("mode_block").and_then(Cursor::boolean),
            report_uri: report_uri.filter(|uri| !uri.value.is_empty()),
            overrides: flag(&block, "override"),
        })
    }
}

impl RawTransport {
    fn read(cursor: &Cursor<'_>) -> Option<Self> {
        let block = Block::open_spelled(cursor, &keys::STRICT_TRANSPORT_SECURITY)?;
        let max_age = required(&block, "access_control_max_age_sec")?;
        Some(Self {
            max_age: max_age.integer(0..=MOST_SECONDS, "seconds")?.value,
            include_subdomains: flag(&block, "include_subdomains"),
            preload: flag(&block, "preload"),
            overrides: flag(&block, "override"),
        })
    }
}

fn frame_options(cursor: &Cursor<'_>) -> Option<(&'static str, bool)> {
    let block = Block::open_spelled(cursor, &keys::FRAME_OPTIONS)?;
    let words = ["DENY", "SAMEORIGIN"].map(|w| (w, Ok(w)));
    let chosen = required(&block, "frame_option")?.choice(&words)?;
    Some((chosen.value, flag(&block, "override")))
}

fn referrer_policy(cursor: &Cursor<'_>) -> Option<(&'static str, bool)> {
    let block = Block::open_spelled(cursor, &keys::REFERRER_POLICY)?;
    let words = [
        "no-referrer",
        "no-referrer-when-downgrade",
        "origin",
        "origin-when-cross-origin",
        "same-origin",
        "strict-origin",
        "strict-origin-when-cross-origin",
        "unsafe-url",
    ]
    .map(|w| (w, Ok(w)));
    let chosen = required(&block, "referrer_policy")?.choice(&words)?;
    Some((chosen.value, flag(&block, "override")))
}

fn content_security_policy(cursor: &Cursor<'_>) -> Option<(Spanned<String>, bool)> {
    let block = Block::open_spelled(cursor, &keys::CONTENT_SECURITY_POLICY)?;
    let policy = required(&block, "content_security_policy")?.text()?;
    Some((policy, flag(&block, "override")))
}

fn custom_headers(cursor: &Cursor<'_>) -> Vec<RawHeaderField> {
    let items = cursor.counted("a list of headers, each with `header`, `value` and `override`");
    let read = |cursor: &Cursor<'_>| {
        let block = Block::open_spelled(cursor, &keys::POLICY_HEADER)?;
        let name = required(&block, "header")?.text()?;
        let value = match block.get("value") {
            Some(value) => value.text()?,
            // CF-557: it may be empty.
            None => Spanned {
                value: String::new(),
                at: cursor.at.member("value"),
            },
        };
        Some(RawHeaderField {
            name,
            value,
            overrides: flag(&block, "override"),
        })
    };
    items.unwrap_or_default().iter().filter_map(read).collect()
}

/// Names, or blocks with one as CloudFront's API has them.
fn removed_headers(cursor: &Cursor<'_>) -> Vec<Spanned<String>> {
    let items = cursor.counted("a list of header names");
    let read = |cursor: &Cursor<'_>| {
        if !cursor.is_mapping() {
            return cursor.text();
        }
        let block = Block::open_spelled(cursor, &keys::REMOVED_HEADER)?;
        required(&block, "header")?.text()
    };
    items.unwrap_or_default().iter().filter_map(read).collect()
}

fn server_timing(cursor: &Cursor<'_>) -> Option<Spanned<String>> {
    let block = Block::open_spelled(cursor, &keys::SERVER_TIMING)?;
    let rate = match block.get("sampling_rate") {
        Some(rate) => rate.text()?,
        None => Spanned {
            value: "0".to_owned(),
            at: cursor.at.member("sampling_rate"),
        },
    };
    let enabled = required(&block, "enabled")?.boolean()?;
    enabled.value.then_some(rate)
}
