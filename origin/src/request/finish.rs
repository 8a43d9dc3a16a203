//! The last step before the wire: what no function sees or changes.

use bytes::Bytes;
use fourfront_model::{Endpoint, HeaderLine, HeaderLines, Origin};
use http::{HeaderName, HeaderValue, header};

use super::OriginRequest;
use crate::names;

const X_AMZ_CF_ID: HeaderName = HeaderName::from_static("x-amz-cf-id");

/// A request as it is written to the origin's connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WireRequest {
    /// The request target: origin path, path and query, raw (CF-325).
    pub target: Bytes,
    /// Header lines in order, names in wire casing. `Content-Length` is right when present; chunked framing is
    /// the HTTP library's to add.
    pub headers: HeaderLines,
}

/// Why a request cannot be sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FinishError {
    /// The path does not begin with `/`, or path or query hold a byte that would end the request line.
    #[error(
        "the request target {0:?} cannot be sent: it must begin with `/` and hold no space, `#` or control character"
    )]
    Target(String),
    /// A custom header is not HTTP. Configured and function-made headers are checked when they are made, so
    /// this names a bug rather than a viewer's mistake.
    #[error("origin `{origin}`: custom header `{name}` is not a valid HTTP header")]
    CustomHeader {
        /// The origin's id.
        origin: String,
        /// The header's name.
        name: String,
    },
}

/// Makes the request that is sent to `origin`, which is the one the origin-request function chose.
///
/// Custom headers overwrite (CF-412); the origin's path is prefixed (CF-414); `X-Amz-Cf-Id` is set (CF-355);
/// hop-by-hop fields give way to `Connection: Keep-Alive` (CF-335); a missing `Host` is the origin's domain
/// name, otherwise it stays as the function left it (LE-150, LE-185), and comes first (CF-359). Where a server knows the
/// bucket by its path, the bucket comes before all of the path and `Host` is the server's (CF-436). Header casing
/// is kept as the function returned it (LE-206). `replaced_body` is the length of a body the function
/// put in place of the viewer's (LE-240).
///
/// # Errors
/// [`FinishError`] when the result would not be an HTTP request.
pub fn finish(
    request: OriginRequest,
    origin: &Origin,
    request_id: &HeaderValue,
    replaced_body: Option<u64>,
) -> Result<WireRequest, FinishError> {
    let target = target(&request, origin)?;
    let custom = custom_headers(origin)?;
    let set_here = |l: &HeaderLine| {
        l.name == X_AMZ_CF_ID
            || l.name == header::EXPECT
            || names::is_hop_by_hop(l.name.as_str())
            || (replaced_body.is_some() && l.name == header::CONTENT_LENGTH)
            || custom.iter().any(|c| c.name == l.name)
    };

    let (hosts, others): (HeaderLines, HeaderLines) = request
        .headers
        .into_iter()
        .filter(|l| !set_here(l))
        .partition(|l| l.name == header::HOST);

    let mut headers = HeaderLines::with_capacity(others.len() + custom.len() + 4);
    headers.push(match by_path(origin) {
        // The server would look for a bucket, or for a site of its own, under any other name.
        Some(server) => names::line(header::HOST, names::value(server.authority().into_bytes())),
        None => hosts
            .into_iter()
            .next()
            .unwrap_or_else(|| names::line(header::HOST, super::own_host(origin))),
    });
    headers.extend(others);
    headers.extend(custom);
    if let Some(length) = replaced_body {
        headers.push(names::line(header::CONTENT_LENGTH, length.into()));
    }
    headers.push(names::line(X_AMZ_CF_ID, request_id.clone()));
    headers.push(names::line(
        header::CONNECTION,
        HeaderValue::from_static("Keep-Alive"),
    ));
    Ok(WireRequest { target, headers })
}

/// CF-325, CF-326, CF-414, CF-436.
fn target(request: &OriginRequest, origin: &Origin) -> Result<Bytes, FinishError> {
    let mut target = Vec::new();
    if let Some(server) = by_path(origin) {
        target.push(b'/');
        target.extend_from_slice(server.bucket.as_bytes());
    }
    target.extend_from_slice(origin.origin_path.as_bytes());
    target.extend_from_slice(&request.path_and_query());
    // Bytes past ASCII are UTF-8 from a function or the viewer's own; both go out as they are (CF-326).
    let splits_request_line = |b: &u8| *b <= b' ' || *b == 0x7f || *b == b'#';
    if !request.path.starts_with(b"/") || target.iter().any(splits_request_line) {
        let shown = String::from_utf8_lossy(&target).into_owned();
        return Err(FinishError::Target(shown));
    }
    Ok(target.into())
}

/// The server of a bucket that it knows by path (CF-436).
fn by_path(origin: &Origin) -> Option<&Endpoint> {
    let server = origin.endpoint.as_ref();
    server.filter(|server| !server.bucket.is_empty())
}

/// CF-412, names in the casing configured.
fn custom_headers(origin: &Origin) -> Result<HeaderLines, FinishError> {
    let line = |(key, value): &(String, String)| {
        Some(HeaderLine {
            name: key.parse().ok()?,
            key: Bytes::copy_from_slice(key.as_bytes()),
            value: HeaderValue::from_bytes(value.as_bytes()).ok()?,
        })
    };
    origin
        .custom_headers
        .iter()
        .map(|pair| {
            line(pair).ok_or_else(|| FinishError::CustomHeader {
                origin: origin.id.clone(),
                name: pair.0.clone(),
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use fourfront_model::{CustomOrigin, OriginKind, OriginProtocol};

    use super::*;
    use crate::testing::{custom_origin, lines, show};

    fn finished(headers: &[(&str, &str)], origin: &Origin, body: Option<u64>) -> WireRequest {
        let request = OriginRequest {
            path: Bytes::from_static(b"/x"),
            query: Bytes::from_static(b"q=1"),
            headers: lines(headers),
        };
        finish(request, origin, &HeaderValue::from_static("ID"), body).unwrap()
    }

    #[test]
    fn custom_headers_overwrite_and_the_path_is_prefixed() {
        // CF-412, CF-414, CF-335, CF-355, LE-014, LE-238
        let mut origin = custom_origin();
        origin.origin_path = "/v3".into();
        origin.custom_headers = vec![
            ("X-eNV".into(), "staging".into()),
            ("X-New".into(), "é".into()),
        ];
        let wire = finished(
            &[
                ("X-First", "1"),
                ("x-env", "viewer"),
                ("Host", "app"),
                ("X-Env", "again"),
            ],
            &origin,
            None,
        );
        assert_eq!(wire.target, "/v3/x?q=1");
        assert_eq!(
            show(&wire.headers),
            [
                "Host: app",
                "X-First: 1",
                "X-eNV: staging",
                "X-New: é",
                "X-Amz-Cf-Id: ID",
                "Connection: Keep-Alive",
            ]
        );
    }

    #[test]
    fn host_stays_as_the_function_left_it() {
        // LE-150, LE-185, LE-206
        let mut elsewhere = Origin::new(
            "elsewhere",
            "other.test",
            OriginKind::Custom(CustomOrigin::new(OriginProtocol::Https, 443)),
        );
        let host = |origin: &Origin, headers: &[(&str, &str)]| {
            show(&finished(headers, origin, None).headers)[0].clone()
        };
        assert_eq!(
            host(&elsewhere, &[("hOST", "origin.test")]),
            "hOST: origin.test"
        );
        assert_eq!(host(&elsewhere, &[]), "Host: other.test");
        elsewhere.domain_name = "2001:db8::1".into();
        assert_eq!(host(&elsewhere, &[]), "Host: [2001:db8::1]");
    }

    #[test]
    fn a_bucket_that_its_server_knows_by_path_comes_first() {
        // CF-436, CF-414, CP-320: the server's own name is `Host`, with the port that a client of it would write
        let mut origin = crate::testing::s3_origin();
        origin.origin_path = "/v3".into();
        let sent = |origin: &Origin| {
            let wire = finished(&[("Host", "assets.s3.amazonaws.com")], origin, None);
            let target = String::from_utf8(wire.target.to_vec()).unwrap();
            (target, show(&wire.headers)[0].clone())
        };
        for (protocol, host, port, expected) in [
            (
                OriginProtocol::Http,
                "minio.test",
                9000,
                "Host: minio.test:9000",
            ),
            (OriginProtocol::Https, "minio.test", 443, "Host: minio.test"),
            (
                OriginProtocol::Https,
                "2001:db8::1",
                80,
                "Host: [2001:db8::1]:80",
            ),
        ] {
            let mut server = Endpoint {
                protocol,
                host: host.to_owned(),
                port,
                bucket: "assets".to_owned(),
            };
            origin.endpoint = Some(server.clone());
            assert_eq!(
                sent(&origin),
                ("/assets/v3/x?q=1".to_owned(), expected.to_owned())
            );
            server.bucket.clear();
            origin.endpoint = Some(server);
            let plain = (
                "/v3/x?q=1".to_owned(),
                "Host: assets.s3.amazonaws.com".to_owned(),
            );
            assert_eq!(sent(&origin), plain);
        }
    }

    #[test]
    fn fields_of_the_connection_are_the_nodes_alone() {
        // CF-335, CF-343, CF-346, CF-347
        let wire = finished(
            &[
                ("Host", "a"),
                ("Connection", "upgrade"),
                ("Upgrade", "h2c"),
                ("Transfer-Encoding", "chunked"),
                ("TE", "trailers"),
                ("X-Amz-Cf-Id", "forged"),
            ],
            &custom_origin(),
            None,
        );
        assert_eq!(
            show(&wire.headers),
            ["Host: a", "X-Amz-Cf-Id: ID", "Connection: Keep-Alive"]
        );
    }

    #[test]
    fn a_replaced_body_gets_its_own_length() {
        // LE-184, LE-240
        let headers = [
            ("Host", "a"),
            ("Content-Length", "99"),
            ("Content-Type", "x/y"),
        ];
        let shown = |body| show(&finished(&headers, &custom_origin(), body).headers);
        assert!(shown(None).contains(&"Content-Length: 99".to_owned()));
        let replaced = shown(Some(5));
        assert!(replaced.contains(&"Content-Length: 5".to_owned()));
        assert!(!replaced.contains(&"Content-Length: 99".to_owned()));
    }

    #[test]
    fn what_would_break_the_request_line_is_refused() {
        // CF-326, LE-230, LE-233
        let with = |path: &'static str, query: &'static str| {
            let request = OriginRequest {
                path: path.into(),
                query: query.into(),
                headers: Vec::new(),
            };
            finish(
                request,
                &custom_origin(),
                &HeaderValue::from_static("ID"),
                None,
            )
        };
        assert_eq!(with("/é%20", "ü=1").unwrap().target, "/é%20?ü=1");
        for (path, query) in [
            ("x", ""),
            ("/a b", ""),
            ("/a", "b\r\nHost: evil"),
            ("/\0", ""),
            ("/", "#"),
        ] {
            assert!(
                matches!(with(path, query), Err(FinishError::Target(_))),
                "{path:?} {query:?}"
            );
        }
    }

    #[test]
    fn a_custom_header_that_is_not_http_is_named() {
        // CF-412
        let mut origin = custom_origin();
        origin.custom_headers = vec![("X-Bad".into(), "a\r\nb".into())];
        let request = OriginRequest {
            path: Bytes::from_static(b"/"),
            query: Bytes::new(),
            headers: Vec::new(),
        };
        let error = finish(request, &origin, &HeaderValue::from_static("ID"), None).unwrap_err();
        assert_eq!(
            error.to_string(),
            "origin `app`: custom header `X-Bad` is not a valid HTTP header"
        );
    }
}
