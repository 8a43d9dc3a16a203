//! What a request that changes something takes out of the cache (CF-807, CF-834, RFC 9111 section 4.4).

use fourfront_model::CacheMode;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use smallvec::SmallVec;

/// Where a request went, as far as same-origin comparison and relative references need it.
#[derive(Clone, Copy, Debug)]
pub struct Target<'a> {
    /// The viewer's `Host`.
    pub host: &'a str,
    /// The path, in origin form.
    pub path: &'a [u8],
}

/// Whether an answer says that the request may have changed what is stored under its URL. Any method that is not known
/// to be safe counts, and any answer that is no error. Mode `cloudfront` keeps what it has (CF-834).
pub fn invalidates(mode: CacheMode, method: &Method, status: StatusCode) -> bool {
    let safe = matches!(
        *method,
        Method::GET | Method::HEAD | Method::OPTIONS | Method::TRACE
    );
    mode == CacheMode::Rfc9111 && !safe && (status.is_success() || status.is_redirection())
}

/// Path and query of the further URLs that such an answer speaks of: `Location` and `Content-Location`, where they are on
/// the same host. Others are not this origin's to invalidate: one origin could empty another's cache.
pub fn further_targets(target: &Target<'_>, response: &HeaderMap) -> SmallVec<[Vec<u8>; 2]> {
    const FIELDS: [HeaderName; 2] = [header::LOCATION, header::CONTENT_LOCATION];
    FIELDS
        .iter()
        .filter_map(|name| response.get(name))
        .filter_map(|reference| resolve(target, reference))
        .collect()
}

/// Path and query of a reference as RFC 3986 section 5.2 resolves it. `None` for another host or scheme, and for what
/// names no path.
fn resolve(target: &Target<'_>, reference: &HeaderValue) -> Option<Vec<u8>> {
    let reference = reference.as_bytes().trim_ascii();
    let end = reference.iter().position(|b| *b == b'#');
    let reference = &reference[..end.unwrap_or(reference.len())];
    let after_scheme = [&b"http:"[..], b"https:"].iter().find_map(|scheme| {
        let (found, rest) = reference.split_at_checked(scheme.len())?;
        found.eq_ignore_ascii_case(scheme).then_some(rest)
    });
    let hierarchical = after_scheme.unwrap_or(reference);
    if let Some(rest) = hierarchical.strip_prefix(b"//") {
        let path = rest.iter().position(|b| matches!(b, b'/' | b'?'));
        let (authority, path) = rest.split_at(path.unwrap_or(rest.len()));
        if !authority.eq_ignore_ascii_case(target.host.as_bytes()) {
            return None;
        }
        return Some(match path.first() {
            Some(b'/') => without_dots(path),
            // An empty path is `/` (RFC 9110 section 4.2.3).
            _ => [b"/", path].concat(),
        });
    }
    if after_scheme.is_some() || has_scheme(reference) {
        return None;
    }
    let directory = target
        .path
        .iter()
        .rposition(|b| *b == b'/')
        .map_or(&b"/"[..], |slash| &target.path[..=slash]);
    match reference.first() {
        // The target itself, which is invalidated anyway.
        None => None,
        Some(b'/') => Some(without_dots(reference)),
        Some(b'?') => Some([target.path, reference].concat()),
        Some(_) => Some(without_dots(&[directory, reference].concat())),
    }
}

/// Whether a reference begins with a scheme: letters and a colon, before any slash.
fn has_scheme(reference: &[u8]) -> bool {
    let end = reference
        .iter()
        .position(|b| matches!(b, b':' | b'/' | b'?'));
    end.is_some_and(|at| reference[at] == b':')
}

/// Takes `.` and `..` out of an absolute path (RFC 3986 section 5.2.4). The query stays as it is.
fn without_dots(path_and_query: &[u8]) -> Vec<u8> {
    let query = path_and_query.iter().position(|b| *b == b'?');
    let (path, query) = path_and_query.split_at(query.unwrap_or(path_and_query.len()));
    let mut kept: Vec<&[u8]> = Vec::new();
    let mut segments = path.split(|b| *b == b'/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        let last = segments.peek().is_none();
        match segment {
            b"." | b".." => {
                if segment == b".." {
                    kept.pop();
                }
                if last {
                    kept.push(b"");
                }
            }
            _ => kept.push(segment),
        }
    }
    let mut resolved = Vec::with_capacity(path_and_query.len());
    for segment in kept {
        resolved.push(b'/');
        resolved.extend_from_slice(segment);
    }
    if resolved.is_empty() {
        resolved.push(b'/');
    }
    resolved.extend_from_slice(query);
    resolved
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_unsafe_method_invalidates_when_its_answer_is_no_error() {
        // CF-807, CF-834, RFC 9111 section 4.4
        use CacheMode::{Cloudfront, Rfc9111};
        let search = Method::from_bytes(b"M-SEARCH").unwrap();
        let rows: &[(CacheMode, &Method, u16, bool)] = &[
            (Rfc9111, &Method::POST, 200, true),
            (Rfc9111, &Method::PUT, 201, true),
            (Rfc9111, &Method::DELETE, 204, true),
            (Rfc9111, &Method::PATCH, 303, true),
            (Rfc9111, &search, 200, true),
            (Rfc9111, &Method::POST, 404, false),
            (Rfc9111, &Method::POST, 500, false),
            (Rfc9111, &Method::GET, 200, false),
            (Rfc9111, &Method::HEAD, 200, false),
            (Rfc9111, &Method::OPTIONS, 200, false),
            (Cloudfront, &Method::POST, 200, false),
        ];
        for (mode, method, status, want) in rows {
            let status = StatusCode::from_u16(*status).unwrap();
            assert_eq!(
                invalidates(*mode, method, status),
                *want,
                "{mode:?} {method} {status}"
            );
        }
    }

    #[test]
    fn location_and_content_location_count_on_the_same_host() {
        // CF-807, RFC 9111 section 4.4, RFC 3986 section 5.4
        let target = Target {
            host: "a.test:8080",
            path: b"/b/c/d",
        };
        let rows: &[(&str, Option<&str>)] = &[
            ("/x?y=/../z", Some("/x?y=/../z")),
            ("x", Some("/b/c/x")),
            ("./x/", Some("/b/c/x/")),
            ("../x", Some("/b/x")),
            ("../../../x", Some("/x")),
            ("..", Some("/b/")),
            ("/a/./b/../c#d", Some("/a/c")),
            ("?q", Some("/b/c/d?q")),
            ("x:y/z", None),
            ("x/y:z", Some("/b/c/x/y:z")),
            ("http://a.test:8080/x", Some("/x")),
            ("HTTPS://A.test:8080/x", Some("/x")),
            ("//a.test:8080", Some("/")),
            ("//a.test:8080?q", Some("/?q")),
            ("http://b.test/x", None),
            ("http://a.test/x", None),
            ("http://a.test:8080@b.test/x", None),
            ("http:x", None),
            ("mailto:a@a.test", None),
            ("#d", None),
            ("", None),
        ];
        for (reference, want) in rows {
            let mut headers = HeaderMap::new();
            headers.insert(header::LOCATION, reference.parse().unwrap());
            let found = further_targets(&target, &headers);
            let found: Vec<_> = found
                .iter()
                .map(|t| std::str::from_utf8(t).unwrap())
                .collect();
            assert_eq!(
                found,
                want.iter().copied().collect::<Vec<_>>(),
                "{reference}"
            );
        }
        let mut headers = HeaderMap::new();
        headers.insert(header::LOCATION, "/1".parse().unwrap());
        headers.insert(header::CONTENT_LOCATION, "/2".parse().unwrap());
        assert_eq!(further_targets(&target, &headers)[..], [b"/1", b"/2"]);
    }

    proptest! {
        #[test]
        fn what_is_resolved_is_an_absolute_path_of_this_host(reference in "[ -~]{0,30}") {
            // CF-807
            let target = Target { host: "a.test", path: b"/b/c" };
            if let Some(found) = resolve(&target, &reference.parse().unwrap()) {
                prop_assert_eq!(found[0], b'/');
                prop_assert!(!found.starts_with(b"//") || reference.contains("//"));
            }
        }
    }
}
