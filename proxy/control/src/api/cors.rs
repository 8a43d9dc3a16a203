//! Which web pages may read answers of the admin endpoint (CP-011): none, unless `node.admin.cors` names their origins. A page
//! signs its requests itself; nothing that a browser would add by itself, such as cookies, lets anybody in.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};

use super::front::{Answer, Head};

/// What pages may send, beside what every page may: what the SDKs sign and how they are told of attempts.
const HEADERS: &str = "authorization, content-encoding, content-type, if-match, if-none-match, amz-sdk-invocation-id, amz-sdk-request, x-amz-content-sha256, x-amz-date, x-amz-region-set, x-amz-security-token, x-amz-target, x-amz-user-agent";
/// The methods of all operations.
const METHODS: &str = "GET, HEAD, POST, PUT, PATCH, DELETE";
/// What they may read of an answer's fields.
const EXPOSED: &str = "date, etag, location, retry-after, x-amz-function-error, x-amz-log-result, x-amzn-errortype, x-amzn-requestid";
/// Seconds for which a browser need not ask again.
const MAX_AGE: &str = "600";

/// The answer to a browser that asks what a page may send; `None` for everything else.
pub(super) fn preflight(origins: &[String], head: &Head) -> Option<Answer> {
    let allowed = allowed(origins, &head.headers)?;
    if head.method != Method::OPTIONS
        || !head
            .headers
            .contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
    {
        return None;
    }
    let mut headers = HeaderMap::new();
    mark(allowed, &mut headers);
    for (name, value) in [
        (header::ACCESS_CONTROL_ALLOW_METHODS, METHODS),
        (header::ACCESS_CONTROL_ALLOW_HEADERS, HEADERS),
        (header::ACCESS_CONTROL_MAX_AGE, MAX_AGE),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    Some(Answer {
        status: StatusCode::NO_CONTENT,
        headers,
        body: Bytes::new(),
    })
}

/// The fields that an answer to a request with these has besides; none for a page that may not read it.
pub(super) fn fields(origins: &[String], request: &HeaderMap) -> HeaderMap {
    let mut headers = HeaderMap::new();
    if let Some(allowed) = allowed(origins, request) {
        mark(allowed, &mut headers);
        let exposed = HeaderValue::from_static(EXPOSED);
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, exposed);
    }
    headers
}

/// Who may read an answer, if the page that asks may.
fn allowed(origins: &[String], request: &HeaderMap) -> Option<HeaderValue> {
    let origin = request.get(header::ORIGIN)?;
    if origins.iter().any(|o| o == "*") {
        return Some(HeaderValue::from_static("*"));
    }
    let is_known = |o: &String| o.as_bytes() == origin.as_bytes();
    origins.iter().any(is_known).then(|| origin.clone())
}

fn mark(allowed: HeaderValue, headers: &mut HeaderMap) {
    const FIELD: HeaderName = header::ACCESS_CONTROL_ALLOW_ORIGIN;
    headers.insert(FIELD, allowed);
    headers.insert(header::VARY, HeaderValue::from_static("origin"));
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use fourfront_auth::Source;

    use super::*;

    fn asked(method: Method, fields: &[(&'static str, &'static str)]) -> Head {
        let fields = fields.iter().map(|(name, value)| {
            (
                HeaderName::from_static(name),
                HeaderValue::from_static(value),
            )
        });
        Head {
            method,
            path: "/2020-05-31/distribution".to_owned(),
            query: String::new(),
            headers: fields.collect(),
            over_tls: false,
            source: Source::Address([127, 0, 0, 1].into()),
            now: SystemTime::UNIX_EPOCH,
        }
    }

    #[test]
    fn pages_of_named_origins_may_read_answers_and_no_others() {
        // CP-011
        let named = ["https://console.example.test".to_owned()];
        let from = |origin| asked(Method::GET, &[("origin", origin)]).headers;
        let told = fields(&named, &from("https://console.example.test"));
        assert_eq!(
            told[header::ACCESS_CONTROL_ALLOW_ORIGIN],
            "https://console.example.test"
        );
        assert_eq!(told[header::VARY], "origin");
        assert!(!told.contains_key(header::ACCESS_CONTROL_ALLOW_CREDENTIALS));
        for other in [
            "https://console.example.test.evil.test",
            "http://console.example.test",
            "null",
        ] {
            assert!(fields(&named, &from(other)).is_empty(), "{other}");
        }
        assert!(fields(&[], &from("https://console.example.test")).is_empty());
        assert!(fields(&named, &HeaderMap::new()).is_empty());
        let any = fields(&["*".to_owned()], &from("https://a.test"));
        assert_eq!(any[header::ACCESS_CONTROL_ALLOW_ORIGIN], "*");
    }

    #[test]
    fn a_browser_is_told_what_a_page_may_send() {
        // CP-011
        let named = ["https://a.test".to_owned()];
        let question = [
            ("origin", "https://a.test"),
            ("access-control-request-method", "PUT"),
        ];
        let told = preflight(&named, &asked(Method::OPTIONS, &question)).unwrap();
        assert_eq!(told.status, StatusCode::NO_CONTENT);
        let headers = told.headers[header::ACCESS_CONTROL_ALLOW_HEADERS].to_str();
        assert!(headers.unwrap().contains("authorization"));
        assert_eq!(
            told.headers[header::ACCESS_CONTROL_ALLOW_ORIGIN],
            "https://a.test"
        );
        assert!(preflight(&named, &asked(Method::PUT, &question)).is_none());
        assert!(preflight(&named, &asked(Method::OPTIONS, &question[..1])).is_none());
        assert!(preflight(&[], &asked(Method::OPTIONS, &question)).is_none());
    }
}
