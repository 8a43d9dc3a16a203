//! What is taken from an origin's response: checks before anything else looks at it, fields removed before a
//! function sees it, and fields removed before it is stored (CF section 6.10). Pure.
//!
//! The order is fixed by the pipeline (CF-010 steps 14 and 15): [`check`], [`received`], the origin-response
//! function, a look at the whole `Vary`, which the decision whether to store goes by (CF-313), [`stored`].

use fourfront_model::{CacheBehavior, CacheMode, HeaderLine, HeaderLines, Origin, OriginKind};
use http::{HeaderValue, header};

use crate::{OriginFault, names, request::is_named};

/// Most bytes of a response's header section, on CloudFront (CF-363).
pub const MAX_HEADER_BYTES: usize = 32_768;

/// Refuses responses that may not be passed on: header section of more than `limit` bytes (CF-363), a transfer coding other than
/// chunked (CF-371), lengths that contradict each other (RFC 9112 section 6.3).
///
/// # Errors
/// [`OriginFault::HeadersTooBig`] or [`OriginFault::InvalidResponse`], both 502 (CF-772).
pub fn check(lines: &[HeaderLine], limit: usize) -> Result<(), OriginFault> {
    // `: ` and CRLF.
    let size = lines.iter().map(|l| l.key.len() + l.value.len() + 4).sum();
    if size > limit {
        return Err(OriginFault::HeadersTooBig { size, limit });
    }
    let invalid = |cause: String| Err(OriginFault::InvalidResponse { cause });
    let mut codings = lines.iter().filter(|l| l.name == header::TRANSFER_ENCODING);
    if let Some(coding) = codings.next()
        && (!coding.value.as_bytes().eq_ignore_ascii_case(b"chunked") || codings.next().is_some())
    {
        let shown = String::from_utf8_lossy(coding.value.as_bytes());
        return invalid(format!(
            "Transfer-Encoding `{shown}` is not plain `chunked`"
        ));
    }
    let mut length = None;
    let lengths = lines.iter().filter(|l| l.name == header::CONTENT_LENGTH);
    for member in lengths.flat_map(|l| l.value.as_bytes().split(|b| *b == b',')) {
        let member = member.trim_ascii();
        if member.is_empty() || !member.iter().all(u8::is_ascii_digit) {
            let shown = String::from_utf8_lossy(member);
            return invalid(format!("Content-Length `{shown}` is not a number"));
        }
        if length.is_some_and(|earlier| earlier != member) {
            return invalid("two different values of Content-Length".to_owned());
        }
        length = Some(member);
    }
    Ok(())
}

/// The response as an origin-response function sees it.
///
/// Removed: hop-by-hop fields and those that `Connection` names, except `Transfer-Encoding`, which functions see
/// and must return (CF-598, LE-215); the fields that only this node writes (CF-615); S3's own ids (CF-439);
/// `Set-Cookie` when the behaviour forwards no cookies, so that cookies a function adds survive (CF-305, CF-613,
/// LE-224); a `Content-Length` beside `Transfer-Encoding` (RFC 9112 section 6.3).
pub fn received(mut lines: HeaderLines, behavior: &CacheBehavior, origin: &Origin) -> HeaderLines {
    let nominated = names::nominated(&lines);
    let chunked = lines.iter().any(|l| l.name == header::TRANSFER_ENCODING);
    let from_s3 = matches!(origin.kind, OriginKind::S3(_));
    lines.retain(|l| {
        let name = l.name.as_str();
        match name {
            "transfer-encoding" => true,
            "content-length" => !chunked,
            "via" | "x-cache" => false,
            "x-amz-id-2" | "x-amz-request-id" => !from_s3,
            "set-cookie" => behavior.forwards_cookies(),
            _ => {
                !names::is_hop_by_hop(name)
                    && !name.starts_with("x-amz-cf-")
                    && !name.starts_with("x-edge-")
                    && !nominated.iter().any(|n| n == name)
            }
        }
    });
    lines
}

/// The response as it is stored and sent on: without `Transfer-Encoding`, since the node frames anew (CF-599),
/// and with `Vary` filtered where CloudFront filters it (CF-314, CF-614).
pub fn stored(
    mut lines: HeaderLines,
    behavior: &CacheBehavior,
    origin: &Origin,
    mode: CacheMode,
) -> HeaderLines {
    lines.retain(|l| l.name != header::TRANSFER_ENCODING);
    if mode == CacheMode::Cloudfront && matches!(origin.kind, OriginKind::Custom(_)) {
        lines.retain_mut(|l| l.name != header::VARY || keep_vary(&mut l.value, behavior));
    }
    lines
}

/// Cuts names from one `Vary` line; false when none is left (CF-314).
fn keep_vary(value: &mut HeaderValue, behavior: &CacheBehavior) -> bool {
    let Ok(list) = value.to_str() else {
        return false;
    };
    let kept: Vec<&str> = list
        .split(',')
        .map(str::trim)
        .filter(|name| stays_in_vary(&name.to_ascii_lowercase(), behavior))
        .collect();
    let kept = kept.join(", ").into_bytes();
    let any_left = !kept.is_empty();
    *value = names::value(kept);
    any_left
}

fn stays_in_vary(name: &str, behavior: &CacheBehavior) -> bool {
    match name {
        "" | "*" => false,
        "accept-encoding" | "cookie" => true,
        "user-agent" => is_named(behavior, name) || forwards_device(behavior),
        _ => is_named(behavior, name),
    }
}

/// Whether the behaviour forwards what a device was recognised as, which `User-Agent` decides.
fn forwards_device(behavior: &CacheBehavior) -> bool {
    ["desktop", "mobile", "smarttv", "tablet"]
        .iter()
        .any(|device| is_named(behavior, &format!("cloudfront-is-{device}-viewer")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{behavior, custom_origin, lines, s3_origin, show};

    fn invalid(raw: &[(&str, &str)]) -> String {
        check(&lines(raw), MAX_HEADER_BYTES)
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn header_sections_over_the_limit_are_refused() {
        // CF-363
        let value = "v".repeat(MAX_HEADER_BYTES - "X: \r\n".len());
        assert_eq!(check(&lines(&[("X", &value)]), MAX_HEADER_BYTES), Ok(()));
        assert_eq!(
            check(&lines(&[("XY", &value)]), MAX_HEADER_BYTES),
            Err(OriginFault::HeadersTooBig {
                size: MAX_HEADER_BYTES + 1,
                limit: MAX_HEADER_BYTES
            })
        );
    }

    #[test]
    fn only_plain_chunked_framing_is_understood() {
        // CF-371
        assert_eq!(
            check(
                &lines(&[("Transfer-Encoding", "Chunked")]),
                MAX_HEADER_BYTES
            ),
            Ok(())
        );
        for coding in ["gzip, chunked", "identity", "chunked, chunked", ""] {
            assert!(invalid(&[("Transfer-Encoding", coding)]).contains(coding));
        }
        let twice = [
            ("Transfer-Encoding", "chunked"),
            ("Transfer-Encoding", "chunked"),
        ];
        assert!(check(&lines(&twice), MAX_HEADER_BYTES).is_err());
    }

    #[test]
    fn lengths_must_be_numbers_that_agree() {
        // CF-772, CF-374
        assert_eq!(
            check(&lines(&[("Content-Length", "5, 5")]), MAX_HEADER_BYTES),
            Ok(())
        );
        assert!(
            invalid(&[("Content-Length", "5"), ("Content-Length", "6")]).contains("two different")
        );
        for bad in ["-1", "+5", "0x5", "5,", ""] {
            assert!(
                invalid(&[("Content-Length", bad)]).contains("not a number"),
                "{bad}"
            );
        }
    }

    #[test]
    fn fields_of_one_hop_and_of_the_node_are_removed() {
        // CF-598, CF-599, CF-615, CF-616
        let raw = lines(&[
            ("Content-Type", "text/css"),
            ("Connection", "keep-alive, X-Hop"),
            ("Keep-Alive", "timeout=5"),
            ("X-Hop", "1"),
            ("Trailer", "X-Sum"),
            ("Upgrade", "h2c"),
            ("Proxy-Authenticate", "Basic"),
            ("Via", "1.1 elsewhere"),
            ("X-Cache", "HIT"),
            ("X-Amz-Cf-Pop", "FRA56-P1"),
            ("X-Edge-Test", "1"),
            ("Transfer-Encoding", "chunked"),
            ("Content-Length", "10"),
            ("Server", "nginx"),
        ]);
        let seen = received(raw, &behavior(), &custom_origin());
        assert_eq!(
            show(&seen),
            [
                "Content-Type: text/css",
                "Transfer-Encoding: chunked",
                "Server: nginx"
            ]
        );
        let kept = stored(seen, &behavior(), &custom_origin(), CacheMode::Rfc9111);
        assert_eq!(show(&kept), ["Content-Type: text/css", "Server: nginx"]);
    }

    #[test]
    fn connection_cannot_cut_out_content_length() {
        // CF-598
        let raw = lines(&[
            ("Connection", "Content-Length, Vary"),
            ("Content-Length", "3"),
            ("Vary", "Origin"),
        ]);
        assert_eq!(
            show(&received(raw, &behavior(), &custom_origin())),
            ["Content-Length: 3", "Vary: Origin"]
        );
    }

    #[test]
    fn set_cookie_passes_only_where_cookies_are_forwarded() {
        // CF-305, CF-306, CF-613, LE-224
        let raw = || lines(&[("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")]);
        assert_eq!(
            show(&received(raw(), &behavior(), &custom_origin())),
            [""; 0]
        );
        let mut cookies = behavior();
        cookies.origin_request_policy = fourfront_model::managed_origin_request_policy("AllViewer");
        assert_eq!(
            show(&received(raw(), &cookies, &custom_origin())),
            ["Set-Cookie: a=1", "Set-Cookie: b=2"]
        );
    }

    #[test]
    fn the_ids_of_a_bucket_stay_behind() {
        // CF-439
        let raw = || {
            lines(&[
                ("x-amz-id-2", "q"),
                ("x-amz-request-id", "r"),
                ("x-amz-meta-k", "v"),
            ])
        };
        assert_eq!(
            show(&received(raw(), &behavior(), &s3_origin())),
            ["x-amz-meta-k: v"]
        );
        assert_eq!(received(raw(), &behavior(), &custom_origin()).len(), 3);
    }

    #[test]
    fn vary_is_filtered_like_cloudfront_does() {
        // CF-314, CF-614
        let vary = |value: &str, behavior: &CacheBehavior, origin: &Origin, mode| {
            show(&stored(lines(&[("Vary", value)]), behavior, origin, mode))
        };
        let mode = CacheMode::Cloudfront;
        let custom = custom_origin();
        let all = "Origin, Accept-Encoding,Cookie, User-Agent, *";
        assert_eq!(
            vary(all, &behavior(), &custom, mode),
            ["Vary: Accept-Encoding, Cookie"]
        );
        assert_eq!(vary("Origin, *", &behavior(), &custom, mode), [""; 0]);

        let mut named = behavior();
        named.origin_request_policy =
            fourfront_model::managed_origin_request_policy("CORS-CustomOrigin");
        assert_eq!(vary("Origin", &named, &custom, mode), ["Vary: Origin"]);

        let mut policy = (*named.cache_policy).clone();
        policy.headers = vec!["cloudfront-is-tablet-viewer".into()];
        named.cache_policy = policy.into();
        assert_eq!(
            vary("User-Agent", &named, &custom, mode),
            ["Vary: User-Agent"]
        );

        assert_eq!(
            vary(all, &behavior(), &s3_origin(), mode),
            [format!("Vary: {all}")]
        );
        assert_eq!(
            vary(all, &behavior(), &custom, CacheMode::Rfc9111),
            [format!("Vary: {all}")]
        );
    }
}
