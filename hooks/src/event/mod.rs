//! Events: what a function is shown (LE section 2).
//!
//! [`build`] writes the JSON of one call from views of the request and the response. It is pure
//! and knows no engine. Which fields exist depends on the trigger alone (LE-070..084); whatever
//! else a view carries is left out, so a caller cannot leak an origin into a viewer trigger.

pub(crate) mod json;
mod origin;

use std::net::IpAddr;

use fourfront_model::EventType;

pub(crate) use origin::grouped;
pub use origin::{OriginObject, OriginObjectKind};

use crate::headers::{Groups, HeaderLine};

/// The part of an event that says where it comes from (LE-061).
#[derive(Clone, Copy, Debug)]
pub struct EventConfig<'a> {
    /// `config.distributionDomainName` (LE-070).
    pub distribution_domain_name: &'a str,
    /// `config.distributionId` (LE-071).
    pub distribution_id: &'a str,
    /// `config.eventType` (LE-072).
    pub event_type: EventType,
    /// `config.requestId`: the same for all triggers of a viewer request (LE-073).
    pub request_id: &'a str,
}

/// A request as a trigger sees it: at viewer-request as the viewer sent it (LE-090), at origin-request as it is
/// about to go out (LE-091), at response triggers as the request trigger on the same side left it (LE-094, LE-095).
#[derive(Clone, Copy, Debug)]
pub struct RequestView<'a> {
    /// The connecting peer (LE-074).
    pub client_ip: IpAddr,
    /// Upper case (LE-076).
    pub method: &'a str,
    /// The raw path, as received (LE-078); never with the origin's path in front (LE-238).
    pub uri: &'a [u8],
    /// The raw query without `?`; empty when there is none (LE-077).
    pub querystring: &'a [u8],
    /// All header lines with their raw values (LE-098). Disallowed ones are hidden here, not by the caller
    /// (LE-207).
    pub headers: &'a [HeaderLine],
    /// Some exactly when the association includes the body, even if the request has none (LE-120, LE-124).
    pub body: Option<BodyView<'a>>,
    /// The origin the request is bound for; shown at origin triggers only (LE-080).
    pub origin: Option<&'a OriginObject>,
}

/// The start of a request body.
#[derive(Clone, Copy, Debug)]
pub struct BodyView<'a> {
    /// At most [`body_limit`] bytes (LE-123).
    pub data: &'a [u8],
    /// Whether the request's body is longer than `data`.
    pub truncated: bool,
}

/// A response as a trigger sees it. Its body is never shown (LE-084).
#[derive(Clone, Copy, Debug)]
pub struct ResponseView<'a> {
    /// Three digits (LE-081).
    pub status: u16,
    /// Reason phrase, see [`reason_phrase`] (LE-082).
    pub status_description: &'a str,
    /// All header lines; disallowed ones are hidden here (LE-207).
    pub headers: &'a [HeaderLine],
}

/// How many bytes a body may have that a function is shown or makes, where that is configured (CF-812).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BodyLimits {
    /// At viewer-request and viewer-response.
    pub viewer: usize,
    /// At origin-request and origin-response.
    pub origin: usize,
}

impl BodyLimits {
    /// The limit at a trigger.
    pub const fn at(self, event: EventType) -> usize {
        if event.is_viewer() {
            self.viewer
        } else {
            self.origin
        }
    }
}

/// AWS's, see [`body_limit`].
impl Default for BodyLimits {
    fn default() -> Self {
        Self {
            viewer: body_limit(EventType::ViewerRequest),
            origin: body_limit(EventType::OriginRequest),
        }
    }
}

/// How many bytes of a request body a trigger is shown and may put in its place: 40 KB at the viewer, 1 MB
/// at the origin (LE-123, LE-243, LE-257). Responses made by functions have the same limits (LE-256).
pub const fn body_limit(event: EventType) -> usize {
    if event.is_viewer() {
        40 * 1024
    } else {
        1024 * 1024
    }
}

/// The standard reason phrase of a status, empty if there is none (LE-157).
pub fn reason_phrase(status: u16) -> &'static str {
    http::StatusCode::from_u16(status)
        .ok()
        .and_then(|s| s.canonical_reason())
        .unwrap_or("")
}

/// Writes the event of one call (LE-060). `response` is what response triggers show (LE-062); request
/// triggers ignore it.
pub fn build(
    config: &EventConfig<'_>,
    request: &RequestView<'_>,
    response: Option<&ResponseView<'_>>,
) -> Vec<u8> {
    let event = config.event_type;
    let body = request.body.filter(|_| event.is_request());
    let response = response.filter(|_| !event.is_request());

    let mut out = Vec::with_capacity(estimate(request, body, response));
    out.extend_from_slice(br#"{"Records":[{"cf":{"config":{"distributionDomainName":"#);
    json::string(&mut out, config.distribution_domain_name);
    out.extend_from_slice(br#","distributionId":"#);
    json::string(&mut out, config.distribution_id);
    out.extend_from_slice(br#","eventType":"#);
    json::string(&mut out, event.as_str());
    out.extend_from_slice(br#","requestId":"#);
    json::string(&mut out, config.request_id);

    out.extend_from_slice(br#"},"request":{"clientIp":""#);
    json::display(&mut out, shown_ip(request.client_ip));
    out.extend_from_slice(br#"","method":"#);
    json::string(&mut out, request.method);
    out.extend_from_slice(br#","uri":"#);
    json::bytes(&mut out, request.uri);
    out.extend_from_slice(br#","querystring":"#);
    json::bytes(&mut out, request.querystring);
    out.extend_from_slice(br#","headers":"#);
    write_headers(&mut out, request.headers);
    if let Some(body) = body {
        out.extend_from_slice(if body.truncated {
            br#","body":{"inputTruncated":true,"action":"read-only","encoding":"base64","data":"#
                .as_slice()
        } else {
            br#","body":{"inputTruncated":false,"action":"read-only","encoding":"base64","data":"#
        });
        json::base64(&mut out, body.data);
        out.push(b'}');
    }
    if let Some(origin) = request.origin.filter(|_| !event.is_viewer()) {
        out.extend_from_slice(br#","origin":"#);
        origin.write(&mut out);
    }
    out.push(b'}');

    if let Some(response) = response {
        out.extend_from_slice(br#","response":{"status":""#);
        json::display(&mut out, format_args!("{:03}", response.status));
        out.extend_from_slice(br#"","statusDescription":"#);
        json::string(&mut out, response.status_description);
        out.extend_from_slice(br#","headers":"#);
        write_headers(&mut out, response.headers);
        out.push(b'}');
    }
    out.extend_from_slice(b"}}]}");
    out
}

/// The address as text shows it: an IPv4 peer of an IPv6 socket is an IPv4 peer (LE-074).
pub(crate) fn shown_ip(ip: IpAddr) -> IpAddr {
    ip.to_canonical()
}

/// Room for the event, so that the buffer grows at most once on unusual input.
fn estimate(
    request: &RequestView<'_>,
    body: Option<BodyView<'_>>,
    response: Option<&ResponseView<'_>>,
) -> usize {
    let lines = |h: &[HeaderLine]| -> usize {
        h.iter()
            .map(|l| 2 * l.key.len() + l.value.len() + 28)
            .sum::<usize>()
    };
    640 + request.uri.len()
        + request.querystring.len()
        + lines(request.headers)
        + body.map_or(0, |b| b.data.len() / 3 * 4 + 96)
        + response.map_or(0, |r| lines(r.headers) + 128)
        + request
            .origin
            .map_or(0, |o| 256 + o.custom_headers.len() * 96)
}

/// The map of header lines (LE-196): grouped by name in first-seen order, disallowed names left out
/// (LE-207), cookies joined (LE-097).
fn write_headers(out: &mut Vec<u8>, lines: &[HeaderLine]) {
    let groups = Groups::new(lines);
    out.push(b'{');
    for g in 0..groups.len() {
        if g > 0 {
            out.push(b',');
        }
        let first = &lines[groups.first(g)];
        out.push(b'"');
        // Field names are tokens: nothing in them needs escaping.
        out.extend_from_slice(first.name.as_str().as_bytes());
        out.extend_from_slice(b"\":[");
        if groups.is_joined(g, lines) {
            out.extend_from_slice(br#"{"key":"#);
            json::bytes(out, &first.key);
            out.extend_from_slice(br#","value":"#);
            json::string(out, &groups.joined(g, lines));
            out.push(b'}');
        } else {
            for (n, i) in groups.lines(g).enumerate() {
                if n > 0 {
                    out.push(b',');
                }
                out.extend_from_slice(br#"{"key":"#);
                json::bytes(out, &lines[i].key);
                out.extend_from_slice(br#","value":"#);
                json::bytes(out, lines[i].value.as_bytes());
                out.push(b'}');
            }
        }
        out.push(b']');
    }
    out.push(b'}');
}

#[cfg(test)]
mod tests;
