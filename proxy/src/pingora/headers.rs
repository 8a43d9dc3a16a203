//! Between Pingora's header types and header lines.

use bytes::Bytes;
use fourfront_model::{HeaderLine, HeaderLines};
use http::{HeaderMap, HeaderName, HeaderValue};
use pingora::http::{HMap, HeaderNameVariant, RequestHeader, ResponseHeader};

use crate::flow::NodeFault;

/// A request's or a response's head: two types of Pingora's that do the same to their fields.
pub(super) trait Head {
    /// Which of the two, for messages.
    const KIND: &'static str;

    /// The fields, without the casing received.
    fn fields(&self) -> &HMap;

    /// Shows each field in order, in the casing received.
    fn visit(&self, each: impl FnMut(&HeaderNameVariant<'_>, &HeaderValue));

    /// Removes all fields of a name.
    fn remove(&mut self, name: &HeaderName);

    /// Adds a field behind the others; false when it is not valid.
    fn append(&mut self, line: &HeaderLine) -> bool;
}

macro_rules! head {
    ($head:ty, $kind:literal) => {
        impl Head for $head {
            const KIND: &'static str = $kind;

            fn fields(&self) -> &HMap {
                &self.headers
            }

            fn visit(&self, mut each: impl FnMut(&HeaderNameVariant<'_>, &HeaderValue)) {
                let visited = self.map(|name, value| {
                    each(&name, value);
                    Ok(())
                });
                debug_assert!(
                    visited.is_ok(),
                    "visiting cannot fail: the visitor never does"
                );
            }

            fn remove(&mut self, name: &HeaderName) {
                self.remove_header(name);
            }

            fn append(&mut self, line: &HeaderLine) -> bool {
                self.append_header(line.key.clone(), line.value.clone())
                    .is_ok()
            }
        }
    };
}

head!(RequestHeader, "request");
head!(ResponseHeader, "response");

/// The fields of a head as lines, in the casing received (LE-197).
pub(super) fn lines(head: &impl Head) -> HeaderLines {
    let mut lines = HeaderLines::with_capacity(head.fields().len());
    head.visit(|name, value| push(&mut lines, name, value));
    lines
}

/// The fields of a map as lines, whose names are in lower case as on HTTP/2.
pub(super) fn map_lines(headers: &HeaderMap) -> HeaderLines {
    let line = |(name, value): (&HeaderName, &HeaderValue)| HeaderLine {
        key: Bytes::copy_from_slice(name.as_str().as_bytes()),
        name: name.clone(),
        value: value.clone(),
    };
    headers.iter().map(line).collect()
}

/// Replaces all fields of a head by `lines`.
pub(super) fn set_lines<H: Head>(head: &mut H, lines: &[HeaderLine]) -> Result<(), NodeFault> {
    let names: Vec<HeaderName> = head.fields().keys().cloned().collect();
    for name in &names {
        head.remove(name);
    }
    append_lines(head, lines)
}

/// Adds `lines` behind the fields of a head.
pub(super) fn append_lines<H: Head>(head: &mut H, lines: &[HeaderLine]) -> Result<(), NodeFault> {
    for line in lines {
        if !head.append(line) {
            return Err(NodeFault::Header(H::KIND));
        }
    }
    Ok(())
}

fn push(lines: &mut HeaderLines, name: &HeaderNameVariant<'_>, value: &HeaderValue) {
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
        let received = lines(&request);
        let seen: Vec<_> = received
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
        set_lines(&mut copy, &received).unwrap();
        assert_eq!(lines(&copy), received);

        let mut response = ResponseHeader::build(200, None).unwrap();
        response.append_header("gone", "1").unwrap();
        set_lines(&mut response, &received).unwrap();
        assert_eq!(lines(&response), received);
    }
}
