//! CloudFront's standard log, version 1: W3C extended format, a line for each request (CF-700, CF-701, CF-703). Pure.
//!
//! [`FIELDS`] is the order of the fields. What CloudFront's page on them leaves open is decided so:
//!
//! - `x-edge-location` is what `X-Amz-Cf-Pop` says.
//! - Heads are counted as on HTTP/1.1, also where another protocol compresses them.
//! - `time-to-first-byte` is when the head of the answer is ready to be sent; `-` when there was none.
//! - `sc-range-start` and `sc-range-end` are what the answer's `Content-Range` says.

use std::io::Write as _;

use super::access::{AccessRecord, Civil};

/// The fields of a line, in order (CF-703).
pub const FIELDS: [&str; 33] = [
    "date",
    "time",
    "x-edge-location",
    "sc-bytes",
    "c-ip",
    "cs-method",
    "cs(Host)",
    "cs-uri-stem",
    "sc-status",
    "cs(Referer)",
    "cs(User-Agent)",
    "cs-uri-query",
    "cs(Cookie)",
    "x-edge-result-type",
    "x-edge-request-id",
    "x-host-header",
    "cs-protocol",
    "cs-bytes",
    "time-taken",
    "x-forwarded-for",
    "ssl-protocol",
    "ssl-cipher",
    "x-edge-response-result-type",
    "cs-protocol-version",
    "fle-status",
    "fle-encrypted-fields",
    "c-port",
    "time-to-first-byte",
    "x-edge-detailed-result-type",
    "sc-content-type",
    "sc-content-len",
    "sc-range-start",
    "sc-range-end",
];

/// The lines that a file begins with (CF-700).
pub fn head() -> Vec<u8> {
    format!("#Version: 1.0\n#Fields: {}\n", FIELDS.join(" ")).into_bytes()
}

/// Appends the line of a request. Cookies are in it only with `include_cookies` (CF-045).
pub fn append(record: &AccessRecord, include_cookies: bool, out: &mut Vec<u8>) {
    let at = Civil::of(record.time);
    let mut line = Line { out, begun: false };
    let viewer = record.viewer_fields.as_deref();
    let answer = record.answer_fields.as_deref();
    line.put(format_args!("{:04}-{:02}-{:02}", at.year, at.month, at.day));
    line.put(format_args!(
        "{:02}:{:02}:{:02}",
        at.hour, at.minute, at.second
    ));
    line.text(record.location().as_bytes());
    line.put(format_args!("{}", record.head_bytes + record.bytes));
    match record.viewer {
        Some(viewer) => line.put(format_args!("{}", viewer.ip())),
        None => line.missing(),
    }
    line.text(record.method.as_bytes());
    line.text(record.domain_name().as_bytes());
    line.text(record.uri.as_bytes());
    // Three digits: `000` when the viewer left before any byte.
    line.put(format_args!("{:03}", record.status));
    line.bytes(viewer.and_then(|v| v.referer.as_deref()));
    line.bytes(viewer.and_then(|v| v.user_agent.as_deref()));
    line.text(record.query.as_bytes());
    let cookie = viewer.and_then(|v| v.cookie.as_deref());
    line.bytes(cookie.filter(|_| include_cookies));
    line.put(format_args!("{}", record.result_type()));
    match &record.request_id {
        Some(id) => line.put(format_args!("{id}")),
        None => line.missing(),
    }
    line.text(record.host.as_bytes());
    line.put(format_args!("{}", record.scheme()));
    line.put(format_args!("{}", record.received));
    line.put(format_args!("{:.3}", record.duration.as_secs_f64()));
    line.bytes(viewer.and_then(|v| v.forwarded_for.as_deref()));
    let (protocol, cipher) = record.tls.unwrap_or(("-", "-"));
    line.put(format_args!("{protocol}"));
    line.put(format_args!("{cipher}"));
    line.put(format_args!("{}", record.response_result_type()));
    line.put(format_args!("{}", record.version_name()));
    // Field-level encryption is not offered.
    line.missing();
    line.missing();
    match record.viewer {
        Some(viewer) => line.put(format_args!("{}", viewer.port())),
        None => line.missing(),
    }
    match record.first_byte {
        Some(after) => line.put(format_args!("{:.3}", after.as_secs_f64())),
        None => line.missing(),
    }
    line.put(format_args!("{}", record.detailed_result_type()));
    line.bytes(answer.and_then(|a| a.content_type.as_deref()));
    line.bytes(answer.and_then(|a| a.content_length.as_deref()));
    match answer.and_then(|a| a.range) {
        Some((first, last)) => {
            line.put(format_args!("{first}"));
            line.put(format_args!("{last}"));
        }
        None => {
            line.missing();
            line.missing();
        }
    }
    line.out.push(b'\n');
}

/// A line that is being written.
struct Line<'o> {
    out: &'o mut Vec<u8>,
    begun: bool,
}

impl Line<'_> {
    fn separate(&mut self) {
        if self.begun {
            self.out.push(b'\t');
        }
        self.begun = true;
    }

    /// A value of the node's own, which needs no escapes.
    fn put(&mut self, value: std::fmt::Arguments<'_>) {
        self.separate();
        // Writing to memory does not fail.
        let _ = self.out.write_fmt(value);
    }

    fn missing(&mut self) {
        self.put(format_args!("-"));
    }

    /// A value of the viewer's or the origin's; an empty one is a missing one (CF-701).
    fn text(&mut self, value: &[u8]) {
        self.separate();
        if value.is_empty() {
            self.out.push(b'-');
        }
        escape(value, self.out);
    }

    fn bytes(&mut self, value: Option<&[u8]>) {
        self.text(value.unwrap_or_default());
    }
}

/// Appends a value URL-encoded (CF-701). So no value can end a field or a line, and none can be read back in two ways.
pub fn escape(value: &[u8], out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    for byte in value {
        let escaped = *byte <= 32 || *byte >= 127 || br##"<>"#%{}|\^~[]`'"##.contains(byte);
        if escaped {
            let digits = [*byte >> 4, *byte & 15].map(|d| HEX[usize::from(d)]);
            out.extend_from_slice(&[b'%', digits[0], digits[1]]);
        } else {
            out.push(*byte);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Duration};

    use super::*;
    use crate::{
        flow::Served,
        observe::access::{AnswerFields, ViewerFields, tests::record},
    };

    fn line(record: &AccessRecord, include_cookies: bool) -> Vec<String> {
        let mut out = Vec::new();
        append(record, include_cookies, &mut out);
        let text = String::from_utf8(out).unwrap();
        let line = text.strip_suffix('\n').unwrap();
        line.split('\t').map(str::to_owned).collect()
    }

    fn boxed(text: &str) -> Option<Box<[u8]>> {
        Some(text.as_bytes().into())
    }

    #[test]
    fn a_file_begins_with_its_version_and_its_fields() {
        // CF-700, CF-703
        let head = String::from_utf8(head()).unwrap();
        let (version, fields) = head.split_once('\n').unwrap();
        assert_eq!(version, "#Version: 1.0");
        assert_eq!(
            fields,
            "#Fields: date time x-edge-location sc-bytes c-ip cs-method cs(Host) cs-uri-stem sc-status cs(Referer) \
             cs(User-Agent) cs-uri-query cs(Cookie) x-edge-result-type x-edge-request-id x-host-header cs-protocol \
             cs-bytes time-taken x-forwarded-for ssl-protocol ssl-cipher x-edge-response-result-type \
             cs-protocol-version fle-status fle-encrypted-fields c-port time-to-first-byte \
             x-edge-detailed-result-type sc-content-type sc-content-len sc-range-start sc-range-end\n"
        );
    }

    #[test]
    fn a_line_has_every_field_in_its_place() {
        // CF-703, CF-704, CF-705
        let record = AccessRecord {
            query: "a=1&b=2".into(),
            head_bytes: 300,
            received: 150,
            first_byte: Some(Duration::from_micros(1_234)),
            began_as: Some((Served::Hit, 200)),
            status: 200,
            served: Served::NodeError("ClientCommError"),
            viewer_fields: Some(Box::new(ViewerFields {
                referer: boxed("https://a.test/x y"),
                user_agent: boxed("Mozilla/5.0 (X11)"),
                cookie: boxed("a=b; c=d"),
                forwarded_for: boxed("203.0.113.1, 10.0.0.1"),
            })),
            answer_fields: Some(Box::new(AnswerFields {
                content_type: boxed("text/html; charset=utf-8"),
                content_length: boxed("78"),
                range: Some((0, 77)),
            })),
            distribution: Some(Arc::new(crate::observe::access::tests::distribution())),
            ..record()
        };
        let expected = [
            "2026-03-03",
            "09:00:00",
            "FFN00-C1",
            "312",
            "198.51.100.24",
            "GET",
            "site.fourfront.localhost",
            "/api/x",
            "200",
            "https://a.test/x%20y",
            "Mozilla/5.0%20(X11)",
            "a=1&b=2",
            "a=b;%20c=d",
            "Error",
            "-",
            "shop.example.test",
            "https",
            "150",
            "0.002",
            "203.0.113.1,%2010.0.0.1",
            "TLSv1.3",
            "TLS_AES_128_GCM_SHA256",
            "Hit",
            "HTTP/2.0",
            "-",
            "-",
            "1234",
            "0.001",
            "ClientCommError",
            "text/html;%20charset=utf-8",
            "78",
            "0",
            "77",
        ];
        assert_eq!(line(&record, true), expected);
        // CF-045
        assert_eq!(line(&record, false)[12], "-");
    }

    #[test]
    fn what_is_not_known_is_a_dash() {
        // CF-701, CF-703
        let nothing = AccessRecord {
            viewer: None,
            tls: None,
            status: 0,
            host: String::new(),
            uri: "/".into(),
            ..record()
        };
        let line = line(&nothing, true);
        assert_eq!(line.len(), FIELDS.len());
        let at = |name: &str| &line[FIELDS.iter().position(|f| *f == name).unwrap()];
        for name in [
            "c-ip",
            "cs(Host)",
            "cs(Referer)",
            "cs-uri-query",
            "x-host-header",
            "ssl-protocol",
            "c-port",
            "time-to-first-byte",
            "sc-content-len",
            "sc-range-end",
        ] {
            assert_eq!(at(name), "-", "{name}");
        }
        assert_eq!(at("sc-status"), "000");
        assert_eq!(at("cs-protocol"), "http");
    }

    #[test]
    fn every_byte_that_could_be_misread_is_escaped() {
        // CF-701
        let all: Vec<u8> = (0..=255).collect();
        let mut out = Vec::new();
        escape(&all, &mut out);
        let text = String::from_utf8(out).unwrap();
        let plain: String = text
            .split('%')
            .enumerate()
            .flat_map(|(at, part)| part.chars().skip(if at == 0 { 0 } else { 2 }))
            .collect();
        assert_eq!(
            plain,
            "!$&()*+,-./0123456789:;=?@ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz"
        );
        assert!(text.contains("%09") && text.contains("%25") && text.contains("%7E"));
        assert!(text.contains("%27") && text.contains("%FF"));
    }
}
