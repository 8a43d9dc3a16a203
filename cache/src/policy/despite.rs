//! What is shared between viewers although something speaks against it (CF-805).
//!
//! Mode `cloudfront` stores by the operator's settings where RFC 9111 would go by the origin's word. That is what the mode
//! is for, and it is also how one user comes to see another one's page. So each such response is named, to be counted and
//! told of; nothing is decided here. Mode `rfc9111` has none of them: it stores only what the origin lets it (CF-820, CF-825),
//! and keeps variants apart (CF-824).

use fourfront_model::{CacheMode, CachePolicy, Selection};
use http::{HeaderValue, header};

use super::{Authorization, CacheControl, RequestFacts, ResponseFacts, StoreRules};

/// What speaks against sharing a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Despite {
    /// `private`, overruled by the minimum TTL (CF-239).
    Private,
    /// `no-store`, overruled by the minimum TTL (CF-239).
    NoStore,
    /// `Set-Cookie`, which every viewer gets while the minimum TTL lasts (CF-306).
    SetCookie,
    /// The origin got the viewer's `Authorization`, and the key does not tell users apart by it (CF-310).
    Authorization,
    /// `Vary` names a field that the key does not have (CF-312, CF-315).
    Vary,
}

impl Despite {
    /// The word for it, as metrics and logs have it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Private => "private",
            Self::NoStore => "no-store",
            Self::SetCookie => "set-cookie",
            Self::Authorization => "authorization",
            Self::Vary => "vary",
        }
    }
}

/// What speaks against a response that is stored by these rules (CF-805). Its `Vary` is [`vary_is_keyed`]'s matter, since the
/// stored head has only what is left of it (CF-314).
pub fn stored_despite(
    rules: &StoreRules<'_>,
    request: &RequestFacts<'_>,
    response: &ResponseFacts<'_>,
) -> impl Iterator<Item = Despite> {
    let cloudfront = rules.mode == CacheMode::Cloudfront;
    let success = response.status.is_success() || response.status.is_redirection();
    // Errors have lifetimes of their own (CF-298).
    let by_minimum = cloudfront && success && rules.policy.ttl.min() > 0;
    let cc = CacheControl::of(response.headers);
    [
        (by_minimum && cc.private.is_present(), Despite::Private),
        (by_minimum && cc.no_store, Despite::NoStore),
        (
            by_minimum
                && !rules.strip_set_cookie
                && response.headers.contains_key(header::SET_COOKIE),
            Despite::SetCookie,
        ),
        (
            cloudfront && request.authorization == Authorization::Forwarded,
            Despite::Authorization,
        ),
    ]
    .into_iter()
    .filter_map(|(holds, despite)| holds.then_some(despite))
}

/// Whether all that `Vary` names is in the key that a policy makes, so that going by the key alone confuses nobody (CF-315). `*`
/// names nothing, and is treated on its own (CF-313).
pub fn vary_is_keyed<'a>(
    policy: &CachePolicy,
    lines: impl IntoIterator<Item = &'a HeaderValue>,
) -> bool {
    let keyed = |name: &[u8]| {
        name.is_empty()
            || name == b"*"
            || (name.eq_ignore_ascii_case(b"accept-encoding")
                && policy.normalizes_accept_encoding())
            || (name.eq_ignore_ascii_case(b"cookie") && policy.cookies != Selection::None)
            || policy
                .headers
                .iter()
                .any(|header| header.as_bytes().eq_ignore_ascii_case(name))
    };
    lines
        .into_iter()
        .flat_map(|line| line.as_bytes().split(|b| *b == b','))
        .all(|name| keyed(name.trim_ascii()))
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use fourfront_model::{CachedMethods, CdnCc, Ttl};
    use http::{HeaderMap, Method, StatusCode};

    use super::*;
    use crate::policy::{ErrorTtls, Varies};

    fn policy(min: u64) -> CachePolicy {
        CachePolicy {
            name: None,
            ttl: Ttl::new(min, None, None).unwrap(),
            headers: vec!["x-device".to_owned()],
            cookies: Selection::None,
            query_strings: Selection::None,
            accept_encoding_gzip: true,
            accept_encoding_brotli: false,
        }
    }

    #[test]
    fn what_a_minimum_overrules_is_named_in_mode_cloudfront_alone() {
        // CF-805, CF-239, CF-310, CF-820
        let told = |mode, min, status, authorization| {
            let policy = policy(min);
            let rules = StoreRules {
                mode,
                policy: &policy,
                cached_methods: CachedMethods::GetHead,
                errors: &ErrorTtls::default(),
                cdn_cc: &CdnCc::FIELD,
                strip_set_cookie: false,
            };
            let request = RequestFacts {
                method: &Method::GET,
                authorization,
            };
            let mut headers = HeaderMap::new();
            let restricted = HeaderValue::from_static("no-store, private=\"x-user\"");
            headers.insert(header::CACHE_CONTROL, restricted);
            headers.insert(header::SET_COOKIE, HeaderValue::from_static("id=1"));
            let response = ResponseFacts {
                status: StatusCode::from_u16(status).unwrap(),
                headers: &headers,
                requested: SystemTime::UNIX_EPOCH,
                received: SystemTime::UNIX_EPOCH,
                shielded: std::time::Duration::ZERO,
                varies: Varies::ByFields,
            };
            stored_despite(&rules, &request, &response)
                .map(Despite::as_str)
                .collect::<Vec<_>>()
        };
        use Authorization::{Forwarded, Keyed};
        use CacheMode::{Cloudfront, Rfc9111};
        let all = ["private", "no-store", "set-cookie"];
        assert_eq!(told(Cloudfront, 1, 200, Keyed), all);
        assert_eq!(told(Cloudfront, 1, 302, Forwarded)[3..], ["authorization"]);
        assert_eq!(told(Cloudfront, 0, 200, Forwarded), ["authorization"]);
        assert_eq!(told(Cloudfront, 1, 404, Keyed), [""; 0]);
        assert_eq!(told(Rfc9111, 1, 200, Forwarded), [""; 0]);
    }

    #[test]
    fn a_varying_field_is_keyed_or_it_is_not() {
        // CF-315
        let keyed = |cookies: Selection, lines: &[&'static str]| {
            let policy = CachePolicy {
                cookies,
                ..policy(0)
            };
            let lines: Vec<_> = lines.iter().map(|l| HeaderValue::from_static(l)).collect();
            vary_is_keyed(&policy, &lines)
        };
        assert!(keyed(Selection::None, &[]));
        assert!(keyed(Selection::None, &["X-Device, accept-encoding", "*,"]));
        assert!(!keyed(Selection::None, &["X-Device", "Accept-Language"]));
        assert!(!keyed(Selection::None, &["Cookie"]));
        assert!(keyed(Selection::All, &["Cookie"]));
    }
}
