//! The URL that is signed: as requested, without what CloudFront's signature added to it (CF-567).

use std::borrow::Cow;

use fourfront_model::SIGNED_URL_PARAMETERS;

/// How a viewer is connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// Plain.
    Http,
    /// Over TLS.
    Https,
}

impl Scheme {
    /// As it stands in a URL.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }
}

/// A URL in the sections that a policy's resource is compared with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Url<'a> {
    pub(crate) scheme: Scheme,
    pub(crate) host: &'a str,
    pub(crate) path: &'a [u8],
    /// Never empty.
    pub(crate) query: Option<Cow<'a, [u8]>>,
}

impl<'a> Url<'a> {
    /// The URL of a request for `target`, path and query as sent. What remains of the query keeps its order; where nothing
    /// remains there is none (CF-567).
    pub fn of(scheme: Scheme, host: &'a str, target: &'a [u8]) -> Self {
        let (path, query) = split(target);
        Self {
            scheme,
            host,
            path,
            query: query.and_then(without_signature),
        }
    }

    /// The canned policy for it (CF-566). `None` where the URL could end the text that stands around it, which no URL does
    /// that is one (RFC 3986 appendix A).
    pub(crate) fn canned_policy(&self, expires: &[u8]) -> Option<Vec<u8>> {
        const BEFORE: &[u8] = br#"{"Statement":[{"Resource":""#;
        const BETWEEN: &[u8] = br#"","Condition":{"DateLessThan":{"AWS:EpochTime":"#;
        const AFTER: &[u8] = b"}}}]}";
        let query = self.query.as_deref().unwrap_or_default();
        let mark: &[u8] = if query.is_empty() { b"" } else { b"?" };
        let host = self.host.as_bytes();
        let ends_text = |part: &&[u8]| memchr::memchr2(b'"', b'\\', part).is_some();
        if [host, self.path, query].iter().any(ends_text) {
            return None;
        }
        let scheme = self.scheme.as_str().as_bytes();
        let parts = [
            BEFORE, scheme, b"://", host, self.path, mark, query, BETWEEN, expires, AFTER,
        ];
        Some(parts.concat())
    }
}

/// Path and query of a target.
pub(crate) fn split(target: &[u8]) -> (&[u8], Option<&[u8]>) {
    match memchr::memchr(b'?', target) {
        Some(at) => (&target[..at], Some(&target[at + 1..])),
        None => (target, None),
    }
}

/// Name and value of each parameter, as sent; one without `=` has no value.
pub(crate) fn parameters(query: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    query
        .split(|b| *b == b'&')
        .map(|parameter| match memchr::memchr(b'=', parameter) {
            Some(at) => (&parameter[..at], &parameter[at + 1..]),
            None => (parameter, &parameter[..0]),
        })
}

fn without_signature(query: &[u8]) -> Option<Cow<'_, [u8]>> {
    let is_signature = |name: &[u8]| SIGNED_URL_PARAMETERS.iter().any(|n| n.as_bytes() == name);
    if !parameters(query).any(|(name, _)| is_signature(name)) {
        return (!query.is_empty()).then_some(Cow::Borrowed(query));
    }
    let mut left = Vec::with_capacity(query.len());
    let mut first = true;
    for parameter in query.split(|b| *b == b'&') {
        let end = memchr::memchr(b'=', parameter).unwrap_or(parameter.len());
        if is_signature(&parameter[..end]) {
            continue;
        }
        if !std::mem::take(&mut first) {
            left.push(b'&');
        }
        left.extend_from_slice(parameter);
    }
    (!left.is_empty()).then_some(Cow::Owned(left))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signed(target: &str) -> String {
        let url = Url::of(Scheme::Https, "d.test", target.as_bytes());
        let text = String::from_utf8(url.canned_policy(b"1").unwrap()).unwrap();
        let rest = text.strip_prefix(r#"{"Statement":[{"Resource":"https://d.test"#);
        let end = r#"","Condition":{"DateLessThan":{"AWS:EpochTime":1}}}]}"#;
        rest.and_then(|r| r.strip_suffix(end)).unwrap().to_owned()
    }

    #[test]
    fn the_url_loses_what_the_signature_added_and_nothing_else() {
        // CF-562, CF-567
        for (target, url) in [
            ("/a", "/a"),
            ("/a?", "/a"),
            ("/a?Expires=1&Signature=s&Key-Pair-Id=k", "/a"),
            ("/a?Hash-Algorithm=SHA1", "/a"),
            (
                "/a?x=1&Policy=p&Signature=s&y=2&Key-Pair-Id=k",
                "/a?x=1&y=2",
            ),
            ("/a?Signature=s&x=1&Expires=1&x=2", "/a?x=1&x=2"),
            ("/a?x=1&&Expires=1", "/a?x=1&"),
            ("/a?expires=1&Expires=2&EXPIRES=3", "/a?expires=1&EXPIRES=3"),
            ("/a?%45xpires=1", "/a?%45xpires=1"),
            ("/a?x=Expires=1", "/a?x=Expires=1"),
            ("/a?Expires", "/a"),
            ("/a?b?Expires=1", "/a?b?Expires=1"),
            ("/a%2Fb/../c?q=%41", "/a%2Fb/../c?q=%41"),
        ] {
            assert_eq!(signed(target), url, "{target}");
        }
    }

    #[test]
    fn a_url_that_would_end_the_text_around_it_has_no_canned_policy() {
        // CF-566
        for (host, target) in [("d.test", "/a\"b"), ("d.test", "/a?b=\\"), ("d\"", "/")] {
            let url = Url::of(Scheme::Http, host, target.as_bytes());
            assert_eq!(url.canned_policy(b"1"), None, "{host}{target}");
        }
    }
}
