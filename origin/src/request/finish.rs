//! The last step before the wire: what no function sees or changes.

use bytes::Bytes;
use fourfront_model::{HeaderLine, HeaderLines, Origin};
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
/// name, otherwise it stays as the function left it (LE-150, LE-185), and comes first (CF-359). Header casing
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
    headers.push(
        hosts
            .into_iter()
            .next()
            .unwrap_or_else(|| names::line(header::HOST, super::own_host(origin))),
    );
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

/// CF-325, CF-326, CF-414.
fn target(request: &OriginRequest, origin: &Origin) -> Result<Bytes, FinishError> {
    let mut target = origin.origin_path.clone().into_bytes();
    target.extend_from_slice(&request.path_and_query());
    // Bytes past ASCII are UTF-8 from a function or the viewer's own; both go out as they are (CF-326).
    let splits_request_line = |b: &u8| *b <= b' ' || *b == 0x7f || *b == b'#';
    if !request.path.starts_with(b"/") || target.iter().any(splits_request_line) {
        let shown = String::from_utf8_lossy(&target).into_owned();
        return Err(FinishError::Target(shown));
    }
    Ok(target.into())
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
