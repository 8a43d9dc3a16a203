//! Targeted cache control (RFC 9213, CF-801): fields only a CDN's caches obey, in place of
//! `Cache-Control` and `Expires`. On in mode `rfc9111`, off in mode `cloudfront` (CF-252, CF-837).
//!
//! `Surrogate-Control` of the W3C note "Edge Architecture Specification" says the same in a grammar of its own, and
//! origins that were written for older CDNs still send it. It is the least specific of the targeted fields.

use http::{HeaderMap, HeaderName, HeaderValue};
use sfv::{BareItem, Dictionary, ListEntry, Parser};

use super::{
    cache_control::{CacheControl, DELTA_SECONDS_CAP, Scope, delta_seconds},
    end_of_member,
};

const CDN_CACHE_CONTROL: HeaderName = HeaderName::from_static("cdn-cache-control");
const SURROGATE_CONTROL: HeaderName = HeaderName::from_static("surrogate-control");

/// The fields that are targeted at this node, most specific first; `own` is the operator's (CF-801).
pub const fn targets(own: HeaderName) -> [HeaderName; 3] {
    [own, CDN_CACHE_CONTROL, SURROGATE_CONTROL]
}

/// The directives of the first targeted field that is present, not empty and well-formed
/// (RFC 9213 section 2.2). `None` leaves `Cache-Control` and `Expires` in charge.
pub(super) fn targeted(own: &HeaderName, headers: &HeaderMap) -> Option<CacheControl> {
    let dictionary = [own, &CDN_CACHE_CONTROL].into_iter().find_map(|name| {
        let mut lines = headers.get_all(name).iter();
        let first = lines.next()?;
        match lines.next() {
            None => parse(first.as_bytes()),
            Some(second) => {
                let all: Vec<_> = [first, second]
                    .into_iter()
                    .chain(lines)
                    .map(HeaderValue::as_bytes)
                    .collect();
                parse(&all.join(&b", "[..]))
            }
        }
    });
    dictionary.or_else(|| surrogate(headers))
}

/// `Surrogate-Control`: `no-store` and `max-age=N` or `max-age=N+M`, where M more seconds may pass before a new copy
/// is there. A directive with a parameter is for the surrogate it names, and this one has no name, since it announces
/// none. `None` when nothing is left that says how to cache.
fn surrogate(headers: &HeaderMap) -> Option<CacheControl> {
    let mut parsed = CacheControl::default();
    let mut says_something = false;
    for line in headers.get_all(SURROGATE_CONTROL) {
        let mut rest = line.as_bytes();
        while !rest.is_empty() {
            let end = end_of_member(rest);
            let member = &rest[..end];
            rest = rest.get(end + 1..).unwrap_or_default();
            let mut parts = member.splitn(2, |b| *b == b';');
            let directive = parts.next().unwrap_or_default().trim_ascii();
            if parts.next().is_some_and(|p| !p.trim_ascii().is_empty()) {
                continue;
            }
            if directive.eq_ignore_ascii_case(b"no-store") {
                parsed.no_store = true;
                says_something = true;
            } else if let Some(window) = argument(directive, b"max-age") {
                let (fresh, stale) = match window.iter().position(|b| *b == b'+') {
                    Some(plus) => (&window[..plus], Some(&window[plus + 1..])),
                    None => (window, None),
                };
                // CF-242: a lifetime that is not a number is zero.
                parsed.max_age = Some(delta_seconds(Some(fresh)).unwrap_or(0));
                parsed.stale_while_revalidate = stale.and_then(|s| delta_seconds(Some(s)));
                says_something = true;
            }
        }
    }
    says_something.then_some(parsed)
}

/// What stands after `name=`.
fn argument<'a>(directive: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let (found, rest) = directive.split_at_checked(name.len())?;
    found
        .eq_ignore_ascii_case(name)
        .then(|| rest.strip_prefix(b"="))
        .flatten()
}

/// RFC 9213 section 2.1: a dictionary; an empty one, or a parsing error, voids the whole field.
fn parse(text: &[u8]) -> Option<CacheControl> {
    let members: Dictionary = Parser::new(text).parse().ok()?;
    if members.is_empty() {
        return None;
    }
    let mut parsed = CacheControl::default();
    for (name, value) in &members {
        // Parameters are ignored, and so is a directive whose value has the wrong type.
        let ListEntry::Item(item) = value else {
            continue;
        };
        let value = &item.bare_item;
        match name.as_str() {
            "max-age" => parsed.max_age = seconds(value),
            "s-maxage" => parsed.s_maxage = seconds(value),
            "stale-while-revalidate" => parsed.stale_while_revalidate = seconds(value),
            "stale-if-error" => parsed.stale_if_error = seconds(value),
            "no-cache" => scope(&mut parsed.no_cache, value),
            "private" => scope(&mut parsed.private, value),
            "no-store" => parsed.no_store = flag(value),
            "public" => parsed.public = flag(value),
            "must-revalidate" => parsed.must_revalidate = flag(value),
            "proxy-revalidate" => parsed.proxy_revalidate = flag(value),
            "must-understand" => parsed.must_understand = flag(value),
            "no-transform" => parsed.no_transform = flag(value),
            _ => {}
        }
    }
    Some(parsed)
}

fn seconds(value: &BareItem) -> Option<u64> {
    let BareItem::Integer(seconds) = value else {
        return None;
    };
    // CF-242: a negative lifetime is zero.
    let seconds = u64::try_from(i64::from(*seconds)).unwrap_or(0);
    Some(seconds.min(DELTA_SECONDS_CAP))
}

fn flag(value: &BareItem) -> bool {
    matches!(value, BareItem::Boolean(true))
}

fn scope(slot: &mut Scope, value: &BareItem) {
    match value {
        BareItem::Boolean(true) => slot.merge_argument(None),
        BareItem::String(list) => slot.merge_argument(Some(list.as_str().as_bytes())),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use fourfront_model::CdnCc;

    use super::*;

    fn of(lines: &[(&'static str, &str)]) -> Option<CacheControl> {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, value.parse().unwrap());
        }
        targeted(&CdnCc::FIELD, &headers)
    }

    #[test]
    fn the_most_specific_field_wins() {
        // CF-801
        let parsed = of(&[
            ("cdn-cache-control", "max-age=60"),
            ("fourfront-cache-control", "no-store"),
        ])
        .unwrap();
        assert!(parsed.no_store && parsed.max_age.is_none());
    }

    #[test]
    fn the_operators_own_field_is_the_one_that_is_named() {
        // CF-801, RFC 9213 section 2.2
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("fourfront-cache-control", "max-age=1"),
            ("acme-cache-control", "max-age=2"),
            ("cdn-cache-control", "max-age=3"),
        ] {
            headers.insert(name, value.parse().unwrap());
        }
        let seconds = |name| targeted(&HeaderName::from_static(name), &headers)?.max_age;
        assert_eq!(seconds("fourfront-cache-control"), Some(1));
        assert_eq!(seconds("acme-cache-control"), Some(2));
        assert_eq!(seconds("other-cache-control"), Some(3));
    }

    #[test]
    fn an_empty_or_malformed_field_is_passed_over() {
        // CF-801, RFC 9213 section 2.1
        assert_eq!(of(&[("cdn-cache-control", "")]), None);
        assert_eq!(of(&[("cdn-cache-control", "max-age=60, &")]), None);
        assert_eq!(of(&[("cdn-cache-control", "Max-Age=60")]), None);
        let fallback = of(&[
            ("fourfront-cache-control", "max-age="),
            ("cdn-cache-control", "max-age=7"),
        ]);
        assert_eq!(fallback.unwrap().max_age, Some(7));
    }

    #[test]
    fn surrogate_control_counts_where_no_field_of_rfc_9213_does() {
        // CF-801, CF-837
        let seconds = |value: &str| {
            let parsed = of(&[("surrogate-control", value)])?;
            Some((
                parsed.max_age,
                parsed.stale_while_revalidate,
                parsed.no_store,
            ))
        };
        type Parsed = (Option<u64>, Option<u64>, bool);
        let rows: &[(&str, Option<Parsed>)] = &[
            ("max-age=60", Some((Some(60), None, false))),
            ("foo, MAX-AGE=60", Some((Some(60), None, false))),
            ("max-age=60+30", Some((Some(60), Some(30), false))),
            ("max-age=junk", Some((Some(0), None, false))),
            (
                "max-age=99999999999",
                Some((Some(DELTA_SECONDS_CAP), None, false)),
            ),
            ("no-store", Some((None, None, true))),
            ("No-Store, max-age=5", Some((Some(5), None, true))),
            ("max-age=60;", Some((Some(60), None, false))),
            // For another surrogate, or nothing about caching.
            ("max-age=60;other", None),
            ("no-store;other, max-age=5", Some((Some(5), None, false))),
            ("content=\"ESI/1.0, max-age=5\"", None),
            ("max-age =60", None),
            ("", None),
        ];
        for (value, want) in rows {
            assert_eq!(seconds(value), *want, "{value}");
        }
        let both = of(&[
            ("surrogate-control", "no-store"),
            ("cdn-cache-control", "max-age=7"),
        ]);
        assert!(both.is_some_and(|cc| cc.max_age == Some(7) && !cc.no_store));
    }

    #[test]
    fn values_have_their_structured_types() {
        // CF-801, CF-242
        let parsed = of(&[
            (
                "cdn-cache-control",
                "max-age=60;x=1, no-store=?0, s-maxage=\"9\"",
            ),
            (
                "cdn-cache-control",
                "private=\"x-a\", must-revalidate, stale-if-error=-4",
            ),
        ])
        .unwrap();
        assert_eq!(parsed.max_age, Some(60));
        assert_eq!(parsed.s_maxage, None);
        assert!(!parsed.no_store && parsed.must_revalidate);
        assert_eq!(parsed.private.fields().len(), 1);
        assert_eq!(parsed.stale_if_error, Some(0));
    }
}
