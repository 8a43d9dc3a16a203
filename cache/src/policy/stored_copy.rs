//! Which fields of a response the stored copy keeps.

use std::time::SystemTime;

use fourfront_model::CacheMode;
use http::{HeaderMap, HeaderName, header};

use super::{date, store::directives};

/// Fields that belong to one connection and are never stored (RFC 9111 section 3.1, CF-598).
pub const HOP_BY_HOP: [HeaderName; 10] = [
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    header::PROXY_AUTHENTICATE,
    HeaderName::from_static("proxy-authentication-info"),
    header::PROXY_AUTHORIZATION,
    HeaderName::from_static("proxy-connection"),
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

/// Turns a response head into the copy that is stored; the first viewer gets the head as it was.
///
/// Dropped are hop-by-hop fields and those `Connection` names, the fields of a qualified `no-cache`
/// (CF-246, CF-307) and, in mode `rfc9111`, those of a qualified `private` (CF-836), and `Set-Cookie` where a
/// distribution has it so (CF-308). `Age` goes too, since [`super::Freshness`] carries it on, and a missing `Date` is
/// generated (CF-320). `cdn_cc` is the operator's own targeted field (CF-801).
///
/// All else stays as the origin said it (CF-616), `Set-Cookie` elsewhere (CF-306) and `Cache-Control` and
/// `Expires` with whatever the policy made of them (CF-250).
pub fn strip_for_storage(
    mode: CacheMode,
    cdn_cc: &HeaderName,
    strip_set_cookie: bool,
    headers: &mut HeaderMap,
    received: SystemTime,
) {
    let cc = directives(mode, cdn_cc, headers);
    let mut drop: Vec<HeaderName> = connection_options(headers).collect();
    drop.extend_from_slice(cc.no_cache.fields());
    if mode == CacheMode::Rfc9111 {
        drop.extend_from_slice(cc.private.fields());
    }
    if strip_set_cookie {
        drop.push(header::SET_COOKIE);
    }
    for name in drop.iter().chain(&HOP_BY_HOP).chain([&header::AGE]) {
        headers.remove(name);
    }
    if !headers.contains_key(header::DATE)
        && let Some(value) = date::value(received)
    {
        headers.insert(header::DATE, value);
    }
}

/// The fields `Connection` names (RFC 9110 section 7.6.1).
fn connection_options(headers: &HeaderMap) -> impl Iterator<Item = HeaderName> {
    headers
        .get_all(header::CONNECTION)
        .iter()
        .flat_map(|line| line.as_bytes().split(|b| *b == b','))
        .filter_map(|name| HeaderName::from_bytes(name.trim_ascii()).ok())
        // `close` and `keep-alive` name no field worth keeping either; an end-to-end field named
        // here by mistake must still not take the framing of the stored copy with it.
        .filter(|name| *name != header::CONTENT_LENGTH && *name != header::CACHE_CONTROL)
}

/// Fields a 304 to a viewer carries (CF-284, RFC 9110 section 15.4.5).
pub const NOT_MODIFIED_FIELDS: [HeaderName; 8] = [
    header::ETAG,
    header::CACHE_CONTROL,
    header::DATE,
    header::EXPIRES,
    header::VARY,
    header::CONTENT_LOCATION,
    header::LAST_MODIFIED,
    header::AGE,
];

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use fourfront_model::CdnCc;

    use super::*;

    fn map(fields: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(*name, value.parse().unwrap());
        }
        headers
    }

    fn left(mode: CacheMode, fields: &[(&'static str, &str)]) -> Vec<String> {
        let mut headers = map(fields);
        headers.insert(
            header::DATE,
            "Sun, 06 Nov 1994 08:49:37 GMT".parse().unwrap(),
        );
        let strip = mode == CacheMode::Rfc9111;
        let received = SystemTime::UNIX_EPOCH;
        strip_for_storage(mode, &CdnCc::FIELD, strip, &mut headers, received);
        let mut names: Vec<_> = headers.keys().map(ToString::to_string).collect();
        names.retain(|n| n != "date" && n != "cache-control");
        names.sort();
        names
    }

    #[test]
    fn connection_fields_and_age_are_not_stored() {
        // CF-598, RFC 9111 section 3.1
        let fields = [
            ("connection", "close, X-Hop"),
            ("x-hop", "1"),
            ("keep-alive", "timeout=5"),
            ("transfer-encoding", "chunked"),
            ("upgrade", "h2c"),
            ("trailer", "x-t"),
            ("age", "7"),
            ("x-end", "1"),
        ];
        for mode in [CacheMode::Cloudfront, CacheMode::Rfc9111] {
            assert_eq!(left(mode, &fields), ["x-end"]);
        }
    }

    #[test]
    fn fields_named_by_qualified_directives_are_dropped_from_the_copy() {
        // CF-246, CF-307, CF-836
        let fields = [
            (
                "cache-control",
                "no-cache=\"set-cookie, x-a\", private=\"x-b\"",
            ),
            ("set-cookie", "a=b"),
            ("x-a", "1"),
            ("x-b", "1"),
        ];
        assert_eq!(left(CacheMode::Cloudfront, &fields), ["x-b"]);
        assert!(left(CacheMode::Rfc9111, &fields).is_empty());
    }

    #[test]
    fn cookies_are_replayed_unless_a_distribution_strips_them() {
        // CF-306, CF-308, CF-826
        for mode in [CacheMode::Cloudfront, CacheMode::Rfc9111] {
            for (strip, kept) in [(false, true), (true, false)] {
                let mut headers = map(&[("set-cookie", "a=b")]);
                let received = SystemTime::UNIX_EPOCH;
                strip_for_storage(mode, &CdnCc::FIELD, strip, &mut headers, received);
                assert_eq!(headers.contains_key(header::SET_COOKIE), kept, "{mode:?}");
            }
        }
    }

    #[test]
    fn a_missing_date_is_generated() {
        // CF-320
        let mut headers = HeaderMap::new();
        let received = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
        strip_for_storage(
            CacheMode::Rfc9111,
            &CdnCc::FIELD,
            true,
            &mut headers,
            received,
        );
        assert_eq!(headers[header::DATE], "Sun, 06 Nov 1994 08:49:37 GMT");
    }
}
