//! Between Pingora's header types and header lines.

use bytes::Bytes;
use fourfront_model::{HeaderLine, HeaderLines};
use http::HeaderName;
use pingora::http::{HMap, HeaderNameVariant, RequestHeader, ResponseHeader};

use crate::flow::NodeFault;

/// The request's fields as lines, in the casing received (LE-197).
pub(super) fn request_lines(request: &RequestHeader) -> HeaderLines {
    let mut lines = HeaderLines::with_capacity(request.headers.len());
    let visited = request.map(|name, value| {
        push(&mut lines, &name, value);
        Ok(())
    });
    debug_assert!(
        visited.is_ok(),
        "visiting cannot fail: the visitor never does"
    );
    lines
}

/// The response's fields as lines, in the casing received.
pub(super) fn response_lines(response: &ResponseHeader) -> HeaderLines {
    let mut lines = HeaderLines::with_capacity(response.headers.len());
    let visited = response.map(|name, value| {
        push(&mut lines, &name, value);
        Ok(())
    });
    debug_assert!(
        visited.is_ok(),
        "visiting cannot fail: the visitor never does"
    );
    lines
}

fn push(lines: &mut HeaderLines, name: &HeaderNameVariant<'_>, value: &http::HeaderValue) {
    let (lower, key) = match name {
        HeaderNameVariant::Case(case) => {
            let Ok(lower) = HeaderName::from_bytes(case.as_slice()) else {
                return;
            };
            (lower, Bytes::copy_from_slice(case.as_slice()))
        }
        HeaderNameVariant::Titled(titled) => {
            let Ok(lower) = HeaderName::from_bytes(titled.as_bytes()) else {
                return;
            };
            (lower, Bytes::copy_from_slice(titled.as_bytes()))
        }
    };
    lines.push(HeaderLine {
        name: lower,
        key,
        value: value.clone(),
    });
}

/// Replaces all fields of a request by `lines`.
pub(super) fn set_request_lines(
    request: &mut RequestHeader,
    lines: &[HeaderLine],
) -> Result<(), NodeFault> {
    for name in names(&request.headers) {
        request.remove_header(&name);
    }
    for line in lines {
        request
            .append_header(line.key.clone(), line.value.clone())
            .map_err(|_| NodeFault::Header("request"))?;
    }
    Ok(())
}

/// Replaces all fields of a response by `lines`.
pub(super) fn set_response_lines(
    response: &mut ResponseHeader,
    lines: &[HeaderLine],
) -> Result<(), NodeFault> {
    for name in names(&response.headers) {
        response.remove_header(&name);
    }
    append_response_lines(response, lines)
}

/// Adds `lines` to the fields of a response.
pub(super) fn append_response_lines(
    response: &mut ResponseHeader,
    lines: &[HeaderLine],
) -> Result<(), NodeFault> {
    for line in lines {
        response
            .append_header(line.key.clone(), line.value.clone())
            .map_err(|_| NodeFault::Header("response"))?;
    }
    Ok(())
}

fn names(headers: &HMap) -> Vec<HeaderName> {
    headers.keys().cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_keep_casing_order_and_repetition() {
        // LE-097, LE-196, LE-197
        let mut request = RequestHeader::build("GET", b"/", None).unwrap();
        request.append_header("X-Probe", "one").unwrap();
        request.append_header("x-probe", "two").unwrap();
        request.append_header("hOST", "a.test").unwrap();
        let lines = request_lines(&request);
        let seen: Vec<_> = lines
            .iter()
            .map(|l| {
                (
                    l.name.as_str(),
                    std::str::from_utf8(&l.key).unwrap(),
                    l.value.to_str().unwrap(),
                )
            })
            .collect();
        assert_eq!(
            seen,
            [
                ("x-probe", "X-Probe", "one"),
                ("x-probe", "x-probe", "two"),
                ("host", "hOST", "a.test")
            ]
        );

        let mut copy = RequestHeader::build("GET", b"/", None).unwrap();
        copy.append_header("gone", "1").unwrap();
        set_request_lines(&mut copy, &lines).unwrap();
        assert_eq!(request_lines(&copy), lines);
    }
}
