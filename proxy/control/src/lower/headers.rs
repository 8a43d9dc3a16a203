//! Which header names a configuration may list where: cache keys (CF-121), what reaches the origin
//! (CF section 4.2) and an origin's custom headers (CF-412, CF-413).

use std::collections::HashMap;

use fourfront_model::{GeneratedHeader, GeneratedHeaders, is_cloudfront, may_be_custom_header};

use crate::{
    cursor::shorten,
    report::{At, Report, Spanned},
};

/// Names that cannot be in a cache key: CF-121 and the rows of CF section 4.2 marked not keyable. `*` at
/// the end is any rest.
const NOT_KEYABLE: &[(&str, &str)] = &[
    ("connection", HOP_BY_HOP),
    ("te", HOP_BY_HOP),
    ("trailer", HOP_BY_HOP),
    ("transfer-encoding", HOP_BY_HOP),
    ("upgrade", HOP_BY_HOP),
    ("proxy-authenticate", HOP_BY_HOP),
    ("proxy-authorization", HOP_BY_HOP),
    ("proxy-connection", HOP_BY_HOP),
    ("cookie", "cookies are chosen under `cookies`"),
    ("content-length", "the node sets it"),
    ("cache-control", "CloudFront does not allow it"),
    ("pragma", "CloudFront does not allow it"),
    ("max-forwards", "CloudFront does not allow it"),
    ("range", "ranges are handled by the node"),
    ("request-range", "CloudFront does not allow it"),
    ("x-forwarded-proto", NEVER_FORWARDED),
    ("x-real-ip", NEVER_FORWARDED),
    ("x-edge-*", NEVER_FORWARDED),
    ("client-cert*", OF_CERTIFICATE),
];

/// Names no request to an origin takes from the viewer (CF-335, CF-337, CF-339, CF-343, CF-346, CF-347,
/// CF-350, CF-358).
const NOT_FORWARDABLE: &[(&str, &str)] = &[
    ("connection", HOP_BY_HOP),
    ("te", HOP_BY_HOP),
    ("trailer", HOP_BY_HOP),
    ("transfer-encoding", HOP_BY_HOP),
    ("upgrade", HOP_BY_HOP),
    ("proxy-authenticate", HOP_BY_HOP),
    ("proxy-authorization", HOP_BY_HOP),
    ("proxy-connection", HOP_BY_HOP),
    ("cookie", "cookies are chosen under `cookies`"),
    ("content-length", "the node sets it"),
    ("expect", "the node answers it"),
    ("request-range", NEVER_FORWARDED),
    ("x-forwarded-proto", NEVER_FORWARDED),
    ("x-real-ip", NEVER_FORWARDED),
    ("x-edge-*", NEVER_FORWARDED),
    ("client-cert*", OF_CERTIFICATE),
];

/// `CloudFront-*` headers that CloudFront makes and this node does not (CF-384, CF-388).
const NOT_GENERATED: &[(&str, &str)] = &[
    (
        "cloudfront-viewer-ja3-fingerprint",
        "the TLS library does not show all that a handshake began with, in its order",
    ),
    (
        "cloudfront-viewer-ja4-fingerprint",
        "the TLS library does not show all that a handshake began with",
    ),
    ("cloudfront-viewer-cert-*", OF_CERTIFICATE),
];

const HOP_BY_HOP: &str = "it belongs to one connection only";
const NEVER_FORWARDED: &str = "it is never forwarded";
const OF_CERTIFICATE: &str = "not available yet: what a viewer's certificate says is not passed on";

/// Whether a name in lower case is meant by a pattern, at whose end `*` is any rest.
pub(crate) fn matches(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(prefix) => name.starts_with(prefix),
        None => pattern == name,
    }
}

/// Whether `name` is a token (RFC 9110 section 5.6.2).
pub(crate) fn is_token(name: &str) -> bool {
    !name.is_empty()
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
}

/// Header names for a cache key: lower case, sorted (CF-167).
pub(crate) fn key_names(names: Vec<Spanned<String>>, report: &Report) -> Vec<String> {
    checked(names, report, |name| {
        let reason = match GeneratedHeader::from_name(name) {
            Some(header) if header.may_be_keyed() => return None,
            Some(_) => "each copy would be for few requests",
            None => not_generated(name).or_else(|| reason_of(NOT_KEYABLE, name))?,
        };
        Some(format!("cannot be in a cache key: {reason}"))
    })
}

/// Header names for an origin request policy's list: lower case, sorted.
pub(crate) fn forwarded_names(names: Vec<Spanned<String>>, report: &Report) -> Vec<String> {
    checked(names, report, |name| {
        let reason = not_generated(name).or_else(|| reason_of(NOT_FORWARDABLE, name))?;
        Some(format!("cannot be forwarded to an origin: {reason}"))
    })
}

/// The generated headers that `allViewerAndWhitelistCloudFront` lists (CF-125).
pub(crate) fn generated_names(names: Vec<Spanned<String>>, report: &Report) -> GeneratedHeaders {
    let names = checked(names, report, |name| {
        let reason = match is_cloudfront(name) {
            true => not_generated(name)?,
            false => "only `CloudFront-*` headers are listed beside all of the viewer's",
        };
        Some(format!("cannot be in this list: {reason}"))
    });
    GeneratedHeaders::among(&names)
}

/// Why a name in lower case is no header that the edge generates, if it looks like one.
fn not_generated(name: &str) -> Option<&'static str> {
    if !is_cloudfront(name) || GeneratedHeader::from_name(name).is_some() {
        return None;
    }
    let unknown = "CloudFront makes no header of that name";
    Some(reason_of(NOT_GENERATED, name).unwrap_or(unknown))
}

fn reason_of(table: &'static [(&str, &str)], name: &str) -> Option<&'static str> {
    let found = table.iter().find(|(pattern, _)| matches(pattern, name));
    found.map(|(_, reason)| *reason)
}

/// Header names that only leave something out, so that every name makes sense.
pub(crate) fn excepted_names(names: Vec<Spanned<String>>, report: &Report) -> Vec<String> {
    checked(names, report, |_| None)
}

fn checked(
    names: Vec<Spanned<String>>,
    report: &Report,
    refuse: impl Fn(&str) -> Option<String>,
) -> Vec<String> {
    let mut first: HashMap<String, usize> = HashMap::new();
    for name in names {
        let lower = name.value.to_ascii_lowercase();
        if !is_token(&lower) {
            not_a_name(&name, report);
        } else if let Some(reason) = refuse(&lower) {
            report.error(&name.at, format!("header `{}` {reason}", name.value));
        } else if let Some(line) = first.get(&lower) {
            let message = format!("header `{}` is already listed on line {line}", name.value);
            report.error(&name.at, message);
        } else {
            first.insert(lower, name.at.line);
        }
    }
    let mut names: Vec<String> = first.into_keys().collect();
    names.sort_unstable();
    names
}

fn not_a_name(name: &Spanned<String>, report: &Report) {
    let message = format!("`{}` is not a header name", shorten(&name.value));
    report.error(&name.at, message);
}

/// An origin's custom headers, in file order and in the casing written (CF-412, CF-413).
pub(crate) fn custom(
    raw: Vec<(Spanned<String>, Spanned<String>)>,
    origin: &At,
    report: &Report,
) -> Vec<(String, String)> {
    const MOST_HEADERS: usize = 30;
    const MOST_NAME: usize = 256;
    const MOST_VALUE: usize = 1_783;
    const MOST_TOTAL: usize = 10_240;

    let count = raw.len();
    let mut total = 0;
    let mut first: HashMap<String, usize> = HashMap::new();
    let mut headers = Vec::with_capacity(count);
    for (name, value) in raw {
        let lower = name.value.to_ascii_lowercase();
        if !is_token(&lower) {
            not_a_name(&name, report);
            continue;
        }
        if !may_be_custom_header(&lower) {
            // CF-413
            let message = format!("header `{}` is not allowed as a custom header", name.value);
            report.error(&name.at, message);
        }
        if let Some(line) = first.insert(lower, name.at.line) {
            let message = format!("header `{}` is already given on line {line}", name.value);
            report.error(&name.at, message);
        }
        if name.value.len() > MOST_NAME {
            let length = name.value.len();
            let message =
                format!("the name is {length} characters long, at most {MOST_NAME} are allowed");
            report.error(&name.at, message);
        }
        let length = value.value.chars().count();
        if length > MOST_VALUE {
            let message =
                format!("the value is {length} characters long, at most {MOST_VALUE} are allowed");
            report.error(&value.at, message);
        }
        if !is_field_value(&value.value) {
            report.error(
                &value.at,
                "a header value has no control characters and no space at its ends",
            );
        }
        total += name.value.len() + length;
        headers.push((name.value, value.value));
    }
    if count > MOST_HEADERS {
        let message = format!(
            "TooManyOriginCustomHeaders: {count} custom headers, at most {MOST_HEADERS} are allowed"
        );
        report.error(&origin.member("custom_headers"), message);
    }
    if total > MOST_TOTAL {
        let message =
            format!("custom headers take {total} characters, at most {MOST_TOTAL} are allowed");
        report.error(&origin.member("custom_headers"), message);
    }
    headers
}

/// RFC 9110 section 5.5: no control characters but tabs, no surrounding space.
pub(crate) fn is_field_value(value: &str) -> bool {
    let blank = |c: char| c == ' ' || c == '\t';
    value.chars().all(|c| c == '\t' || !c.is_control())
        && !value.starts_with(blank)
        && !value.ends_with(blank)
}
