//! What makes a request a gRPC call (CF-410). Decided once, when it is known where the request belongs: from then on
//! [`super::Route::is_call`] says so, and functions cannot change it.

use fourfront_model::CacheBehavior;
use http::{HeaderMap, HeaderValue, Version, header};

use super::ViewerFacts;

/// Whether a request is a call: it came over HTTP/2 and TLS, to a behaviour that lets calls pass, and says that it is one.
/// Anything else with that content type is a request like any other.
pub(super) fn is_call(facts: &ViewerFacts<'_>, behavior: &CacheBehavior) -> bool {
    behavior.grpc
        && facts.is_https
        && facts.version == Version::HTTP_2
        && has_call_type(facts.headers)
}

/// Whether the content type of a request is a call's.
pub(crate) fn has_call_type(headers: &HeaderMap) -> bool {
    headers.get(header::CONTENT_TYPE).is_some_and(is_call_type)
}

/// `application/grpc`, with the format of messages behind a `+` perhaps; `application/grpc-web` is for plain HTTP.
fn is_call_type(value: &HeaderValue) -> bool {
    const NAME: &[u8] = b"application/grpc";
    value
        .as_bytes()
        .split_at_checked(NAME.len())
        .is_some_and(|(name, rest)| {
            name.eq_ignore_ascii_case(NAME)
                && matches!(rest.first(), None | Some(b'+' | b';' | b' ' | b'\t'))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_known_by_their_content_type() {
        // CF-410
        let is = |value: &'static str| is_call_type(&HeaderValue::from_static(value));
        for call in [
            "application/grpc",
            "application/grpc+proto",
            "Application/GRPC+json",
            "application/grpc; charset=utf-8",
            "application/grpc ;a=b",
        ] {
            assert!(is(call), "{call}");
        }
        for other in [
            "",
            "application/grp",
            "application/grpc-web",
            "application/grpc-web+proto",
            "application/grpcx",
            "text/plain, application/grpc",
        ] {
            assert!(!is(other), "{other}");
        }
        assert!(!has_call_type(&HeaderMap::new()));
    }
}
