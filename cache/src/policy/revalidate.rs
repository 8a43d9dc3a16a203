//! Asking the origin about a stored response again, and what a 304 does to it (CF section 3.5,
//! RFC 9111 sections 3.2, 4.3).

use std::time::SystemTime;

use fourfront_model::CacheMode;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};

use super::{
    Freshness, Reuse, date,
    etag::{Comparison, EntityTag},
    stored_copy::HOP_BY_HOP,
};

/// How the origin is asked about a stored response. Either way the viewer's own conditionals are not sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Revalidation {
    /// With these validators, of which at least one is there (CF-258, CF-280).
    Conditional {
        /// What goes out as `If-None-Match`.
        etag: Option<HeaderValue>,
        /// What goes out as `If-Modified-Since`.
        last_modified: Option<HeaderValue>,
    },
    /// For the whole response (CF-259, CF-287, CF-313).
    Unconditional,
}

/// What the stored entry keeps besides the head a viewer sees.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EdgeEncoding<'a> {
    /// The body is as the origin sent it.
    #[default]
    AsReceived,
    /// The node compressed it; this is the tag the origin gave it, if any (CF-281).
    Compressed {
        /// The origin's own `ETag`.
        origin_etag: Option<&'a HeaderValue>,
    },
}

impl EdgeEncoding<'_> {
    /// The tag as the origin knows it (CF-281).
    fn origin_etag<'h>(&'h self, stored: &'h HeaderMap) -> Option<&'h HeaderValue> {
        match self {
            Self::AsReceived => stored.get(header::ETAG),
            Self::Compressed { origin_etag } => *origin_etag,
        }
    }
}

/// Whether the request to the origin carries cookies (CF-287).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OriginCookies {
    /// None.
    None,
    /// Some.
    Sent,
}

/// How to ask about a stale entry (CF-258, CF-259, CF-280, CF-287, CF-313).
pub fn revalidation(
    mode: CacheMode,
    freshness: &Freshness,
    stored: &HeaderMap,
    encoding: EdgeEncoding<'_>,
    cookies: OriginCookies,
) -> Revalidation {
    let refetch = freshness.reuse() == Reuse::Refetch
        || (mode == CacheMode::Cloudfront && cookies == OriginCookies::Sent);
    let etag = encoding.origin_etag(stored).cloned();
    let last_modified = stored.get(header::LAST_MODIFIED).cloned();
    if refetch || (etag.is_none() && last_modified.is_none()) {
        Revalidation::Unconditional
    } else {
        Revalidation::Conditional {
            etag,
            last_modified,
        }
    }
}

/// Whether a 304 speaks of the stored response. When it does not, the entry is discarded and fetched
/// unconditionally once (CF-283, RFC 9111 section 4.3.3).
pub fn not_modified_matches(
    stored: &HeaderMap,
    encoding: EdgeEncoding<'_>,
    update: &HeaderMap,
) -> bool {
    if let Some(theirs) = update.get(header::ETAG) {
        let Some(ours) = encoding.origin_etag(stored) else {
            // Asked by date alone: the tag is news, not a contradiction.
            return true;
        };
        return match (
            EntityTag::parse(ours.as_bytes()),
            EntityTag::parse(theirs.as_bytes()),
        ) {
            // A strong tag identifies by strong comparison. Origins that compress on the fly answer
            // with the weak form of a tag they sent strong, or the reverse, so a weak one on either
            // side is compared weakly.
            (Some(ours), Some(theirs)) if ours.is_weak() || theirs.is_weak() => {
                ours.matches(theirs, Comparison::Weak)
            }
            (Some(ours), Some(theirs)) => ours.matches(theirs, Comparison::Strong),
            _ => ours == theirs,
        };
    }
    match (
        stored.get(header::LAST_MODIFIED),
        update.get(header::LAST_MODIFIED),
    ) {
        (Some(ours), Some(theirs)) => ours == theirs,
        _ => true,
    }
}

/// What the answer to HEAD means for the response stored for GET (CF-833).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeadUpdate {
    /// It is the same response: its head is updated as by a 304 ([`merge_not_modified`]).
    Freshen,
    /// It is another by now.
    Invalidate,
    /// Nothing can be told.
    Nothing,
}

/// Compares the answer to HEAD with the head stored for GET (CF-833, RFC 9111 section 4.3.5): the same when each
/// validator and length it brings is the stored one's, as the origin knows that. HEAD does not touch GET in mode
/// `cloudfront`.
pub fn head_update(
    mode: CacheMode,
    stored: &HeaderMap,
    encoding: EdgeEncoding<'_>,
    status: StatusCode,
    answer: &HeaderMap,
) -> HeadUpdate {
    const TELLING: [HeaderName; 3] = [header::ETAG, header::LAST_MODIFIED, header::CONTENT_LENGTH];
    if mode == CacheMode::Cloudfront || status != StatusCode::OK {
        return HeadUpdate::Nothing;
    }
    let same = TELLING.iter().all(|name| {
        let known = match (encoding, name) {
            (EdgeEncoding::Compressed { .. }, name) if *name == header::CONTENT_LENGTH => {
                return true;
            }
            (_, name) if *name == header::ETAG => encoding.origin_etag(stored),
            (_, name) => stored.get(name),
        };
        answer.get(name).is_none_or(|new| known == Some(new))
    });
    if same {
        HeadUpdate::Freshen
    } else {
        HeadUpdate::Invalidate
    }
}

/// Fields of a 304 that never change the stored head (CF-282, RFC 9111 section 3.2).
const KEPT_ON_UPDATE: [HeaderName; 3] = [
    header::CONTENT_LENGTH,
    header::CONTENT_ENCODING,
    header::CONTENT_RANGE,
];

/// Digests of the stored content: the content stays, so they do (RFC 9530 section 2). Mode `rfc9111` only, since CF-282
/// does not name them.
const DIGESTS: [HeaderName; 2] = [
    HeaderName::from_static("content-md5"),
    HeaderName::from_static("content-digest"),
];

/// Digests of the origin's body, which a compressed one is not (CF-552).
const BODYS_DIGESTS: [HeaderName; 4] = [
    HeaderName::from_static("content-md5"),
    HeaderName::from_static("content-digest"),
    HeaderName::from_static("digest"),
    HeaderName::from_static("repr-digest"),
];

/// Updates a stored head from a 304 (CF-282, CF-319, CF-833). `Age` and `Date` become those of the 304, so
/// that the age restarts from it. Then call [`super::decide_store`] on the result, and
/// [`super::strip_for_storage`].
pub fn merge_not_modified(
    mode: CacheMode,
    stored: &mut HeaderMap,
    encoding: EdgeEncoding<'_>,
    update: &HeaderMap,
    received: SystemTime,
) {
    stored.remove(header::AGE);
    match date::value(received) {
        Some(now) => stored.insert(header::DATE, now),
        None => stored.remove(header::DATE),
    };
    let compressed = matches!(encoding, EdgeEncoding::Compressed { .. });
    let varied = compressed || names_accept_encoding(stored);
    for name in update.keys() {
        let kept = KEPT_ON_UPDATE.contains(name)
            || (mode == CacheMode::Rfc9111 && DIGESTS.contains(name))
            || HOP_BY_HOP.contains(name)
            || (compressed && (*name == header::ETAG || BODYS_DIGESTS.contains(name)));
        if kept {
            continue;
        }
        stored.remove(name);
        for value in update.get_all(name) {
            stored.append(name.clone(), value.clone());
        }
    }
    if varied && !names_accept_encoding(stored) {
        // CF-604: what the node put there, the origin does not know of.
        stored.append(header::VARY, HeaderValue::from_static("Accept-Encoding"));
    }
}

/// Whether `Vary` names `Accept-Encoding`, or everything.
fn names_accept_encoding(headers: &HeaderMap) -> bool {
    let lines = headers.get_all(header::VARY).iter();
    lines
        .flat_map(|line| line.as_bytes().split(|b| *b == b','))
        .map(<[u8]>::trim_ascii)
        .any(|name| name == b"*" || name.eq_ignore_ascii_case(b"accept-encoding"))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::policy::{LifetimeSource, OnError};

    const OLD: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
    const NEW: &str = "Mon, 07 Nov 1994 08:49:37 GMT";

    fn map(fields: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(*name, value.parse().unwrap());
        }
        headers
    }

    fn freshness(reuse: Reuse) -> Freshness {
        Freshness {
            received: SystemTime::UNIX_EPOCH,
            initial_age: Duration::ZERO,
            lifetime: Duration::ZERO,
            source: LifetimeSource::MaxAge,
            while_revalidating: Duration::ZERO,
            on_error: OnError::Always,
            stale_limit: Duration::from_secs(60),
            reuse,
            held_until: None,
        }
    }

    fn asked(
        mode: CacheMode,
        reuse: Reuse,
        stored: &[(&'static str, &str)],
        cookies: OriginCookies,
    ) -> Revalidation {
        let encoding = EdgeEncoding::AsReceived;
        revalidation(mode, &freshness(reuse), &map(stored), encoding, cookies)
    }

    #[test]
    fn the_stored_validators_are_asked_about_unless_the_whole_response_is_wanted() {
        // CF-258, CF-259, CF-280, CF-287, CF-313
        use CacheMode::{Cloudfront, Rfc9111};
        let both = [("etag", "\"1\""), ("last-modified", OLD)];
        let want = Revalidation::Conditional {
            etag: Some(HeaderValue::from_static("\"1\"")),
            last_modified: Some(HeaderValue::from_static(OLD)),
        };
        let none = Revalidation::Unconditional;
        for mode in [Cloudfront, Rfc9111] {
            assert_eq!(
                asked(mode, Reuse::Validate, &both, OriginCookies::None),
                want
            );
            assert_eq!(asked(mode, Reuse::Validate, &[], OriginCookies::None), none);
            assert_eq!(
                asked(mode, Reuse::Refetch, &both, OriginCookies::None),
                none
            );
        }
        assert_eq!(
            asked(Cloudfront, Reuse::Validate, &both, OriginCookies::Sent),
            none
        );
        assert_eq!(
            asked(Rfc9111, Reuse::Validate, &both, OriginCookies::Sent),
            want
        );
    }

    #[test]
    fn a_compressed_entry_is_asked_about_by_the_origins_own_tag() {
        // CF-281
        let stored = map(&[("etag", "W/\"1\"")]);
        let origin_etag = HeaderValue::from_static("\"1\"");
        let encoding = EdgeEncoding::Compressed {
            origin_etag: Some(&origin_etag),
        };
        let asked = revalidation(
            CacheMode::Cloudfront,
            &freshness(Reuse::Validate),
            &stored,
            encoding,
            OriginCookies::None,
        );
        assert_eq!(
            asked,
            Revalidation::Conditional {
                etag: Some(origin_etag.clone()),
                last_modified: None
            }
        );
        assert!(not_modified_matches(
            &stored,
            encoding,
            &map(&[("etag", "\"1\"")])
        ));
        let mut merged = stored;
        let update = map(&[("etag", "\"1\"")]);
        let mode = CacheMode::Cloudfront;
        merge_not_modified(mode, &mut merged, encoding, &update, SystemTime::UNIX_EPOCH);
        assert_eq!(merged[header::ETAG], "W/\"1\"");
    }

    #[test]
    fn a_304_updates_all_but_the_fields_that_describe_the_body() {
        // CF-282, CF-319, RFC 9111 section 3.2
        let mut stored = map(&[
            ("content-length", "10"),
            ("content-encoding", "br"),
            ("content-type", "text/html"),
            ("etag", "\"1\""),
            ("cache-control", "max-age=5"),
            ("x-a", "old"),
            ("x-kept", "1"),
            ("age", "100"),
            ("date", OLD),
        ]);
        let update = map(&[
            ("content-length", "0"),
            ("content-encoding", "gzip"),
            ("content-range", "bytes 0-1/2"),
            ("transfer-encoding", "chunked"),
            ("connection", "close"),
            ("cache-control", "max-age=60"),
            ("x-a", "new"),
            ("x-a", "newer"),
            ("x-b", "1"),
        ]);
        let received = SystemTime::UNIX_EPOCH + Duration::from_secs(784_198_177);
        let merge = |stored: &mut HeaderMap, update: &HeaderMap| {
            let encoding = EdgeEncoding::AsReceived;
            merge_not_modified(CacheMode::Cloudfront, stored, encoding, update, received);
        };
        merge(&mut stored, &update);
        let want = map(&[
            ("content-length", "10"),
            ("content-encoding", "br"),
            ("content-type", "text/html"),
            ("etag", "\"1\""),
            ("cache-control", "max-age=60"),
            ("x-a", "new"),
            ("x-a", "newer"),
            ("x-b", "1"),
            ("x-kept", "1"),
            ("date", NEW),
        ]);
        assert_eq!(stored, want);
        // The 304's own `Age` and `Date` count.
        let update = map(&[("age", "3"), ("date", OLD)]);
        merge(&mut stored, &update);
        assert_eq!(
            (&stored["age"], &stored["date"]),
            (&update["age"], &update["date"])
        );
    }

    #[test]
    fn a_304_leaves_the_digest_of_the_content_alone_in_mode_rfc9111() {
        // CF-833, CF-282, RFC 9111 section 3.2
        let update = map(&[("content-md5", "b"), ("content-digest", "b"), ("x-a", "b")]);
        for (mode, want) in [(CacheMode::Rfc9111, "a"), (CacheMode::Cloudfront, "b")] {
            let mut stored = map(&[("content-md5", "a"), ("content-digest", "a"), ("x-a", "a")]);
            let encoding = EdgeEncoding::AsReceived;
            merge_not_modified(mode, &mut stored, encoding, &update, SystemTime::UNIX_EPOCH);
            assert_eq!(
                (&stored["content-md5"], &stored["content-digest"]),
                (&want.parse().unwrap(), &want.parse().unwrap())
            );
            assert_eq!(stored["x-a"], "b");
        }
    }

    #[test]
    fn head_freshens_what_it_describes_and_invalidates_what_it_does_not() {
        // CF-833, RFC 9111 section 4.3.5
        use HeadUpdate::{Freshen, Invalidate, Nothing};
        let stored = map(&[
            ("etag", "\"1\""),
            ("last-modified", OLD),
            ("content-length", "10"),
        ]);
        let bare = map(&[("content-length", "10")]);
        type Row<'a> = (
            &'a HeaderMap,
            u16,
            &'a [(&'static str, &'a str)],
            HeadUpdate,
        );
        let rows: &[Row<'_>] = &[
            (&stored, 200, &[], Freshen),
            (&stored, 200, &[("etag", "\"1\"")], Freshen),
            (
                &stored,
                200,
                &[("etag", "\"1\""), ("content-length", "10")],
                Freshen,
            ),
            (&stored, 200, &[("etag", "\"2\"")], Invalidate),
            (
                &stored,
                200,
                &[("etag", "\"1\""), ("last-modified", NEW)],
                Invalidate,
            ),
            (&stored, 200, &[("content-length", "11")], Invalidate),
            (&bare, 200, &[("content-length", "10")], Freshen),
            (&bare, 200, &[("etag", "\"1\"")], Invalidate),
            (&stored, 404, &[("etag", "\"2\"")], Nothing),
            (&stored, 500, &[], Nothing),
        ];
        for (stored, status, answer, want) in rows {
            let status = StatusCode::from_u16(*status).unwrap();
            let plain = EdgeEncoding::AsReceived;
            let got = head_update(CacheMode::Rfc9111, stored, plain, status, &map(answer));
            assert_eq!(got, *want, "{status} {answer:?}");
            let got = head_update(CacheMode::Cloudfront, stored, plain, status, &map(answer));
            assert_eq!(got, Nothing);
        }
        // CF-281: of a body that the node has compressed, the origin knows another tag and another length.
        let compressed = map(&[("etag", "W/\"1\""), ("content-length", "5")]);
        let origin_etag = HeaderValue::from_static("\"1\"");
        for (etag, length, want) in [
            ("\"1\"", "10", Freshen),
            ("W/\"1\"", "10", Invalidate),
            ("\"2\"", "5", Invalidate),
        ] {
            let encoding = EdgeEncoding::Compressed {
                origin_etag: Some(&origin_etag),
            };
            let answer = map(&[("etag", etag), ("content-length", length)]);
            let ok = StatusCode::OK;
            let got = head_update(CacheMode::Rfc9111, &compressed, encoding, ok, &answer);
            assert_eq!(got, want, "{etag} {length}");
        }
    }

    #[test]
    fn a_304_with_another_validator_is_not_about_this_entry() {
        // CF-283
        let matches = |stored: &[(&'static str, &str)], update: &[(&'static str, &str)]| {
            not_modified_matches(&map(stored), EdgeEncoding::AsReceived, &map(update))
        };
        let tagged = [("etag", "\"1\""), ("last-modified", OLD)];
        assert!(matches(&tagged, &[]));
        assert!(matches(&tagged, &[("etag", "\"1\"")]));
        assert!(matches(&tagged, &[("etag", "W/\"1\"")]));
        assert!(!matches(&tagged, &[("etag", "\"2\"")]));
        assert!(!matches(&tagged, &[("last-modified", NEW)]));
        assert!(matches(
            &[("last-modified", OLD)],
            &[("last-modified", OLD)]
        ));
        assert!(matches(&[("last-modified", OLD)], &[("etag", "\"9\"")]));
    }

    #[test]
    fn what_compression_put_into_a_head_stays_there() {
        // CF-282, CF-552, CF-604
        let update = map(&[
            ("vary", "Origin"),
            ("content-md5", "x"),
            ("digest", "x"),
            ("repr-digest", "x"),
            ("content-digest", "x"),
            ("etag", "\"1\""),
        ]);
        let origin_etag = HeaderValue::from_static("\"1\"");
        for mode in [CacheMode::Cloudfront, CacheMode::Rfc9111] {
            let mut stored = map(&[
                ("etag", "W/\"1\""),
                ("vary", "Origin"),
                ("content-encoding", "br"),
            ]);
            stored.append(header::VARY, HeaderValue::from_static("Accept-Encoding"));
            let encoding = EdgeEncoding::Compressed {
                origin_etag: Some(&origin_etag),
            };
            merge_not_modified(mode, &mut stored, encoding, &update, SystemTime::UNIX_EPOCH);
            let vary: Vec<_> = stored.get_all(header::VARY).iter().collect();
            assert_eq!(vary, ["Origin", "Accept-Encoding"], "{mode:?}");
            assert_eq!(stored[header::ETAG], "W/\"1\"");
            let digests = stored.keys().filter(|name| BODYS_DIGESTS.contains(name));
            let digests: Vec<_> = digests.collect();
            assert!(digests.is_empty(), "{digests:?}");
        }
        // Nor does an answer cease to vary that no viewer got compressed yet.
        let mut stored = map(&[("vary", "Accept-Encoding")]);
        let plain = EdgeEncoding::AsReceived;
        let mode = CacheMode::Rfc9111;
        merge_not_modified(mode, &mut stored, plain, &update, SystemTime::UNIX_EPOCH);
        let vary: Vec<_> = stored.get_all(header::VARY).iter().collect();
        assert_eq!(vary, ["Origin", "Accept-Encoding"]);
    }
}
