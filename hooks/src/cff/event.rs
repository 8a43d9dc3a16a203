//! What a CloudFront Function is shown (LE section 8.1).

use http::header;

use super::fields::{Fields, Value};
use crate::{
    event::{EventConfig, RequestView, ResponseView, json, shown_ip},
    headers::{HeaderLine, is_disallowed, text_of},
};

/// Where the run takes place: `cf.edgeLocation` (LE-482).
#[derive(Clone, Copy, Debug)]
pub struct EdgeLocation<'a> {
    /// The location code, as in `X-Amz-Cf-Pop`.
    pub name: &'a str,
    /// The address that the viewer connected to, if it is known.
    pub server_ip: Option<std::net::IpAddr>,
    /// The region of the nearest regional cache; empty for a node on its own.
    pub region: &'a str,
}

/// Writes what one run is given: the event (LE-400..402), the raw query for `rawQueryString()` (LE-412), and where it runs.
/// `response` is what viewer-response shows; viewer-request ignores it. `bare_query` tells a query that is empty from one that
/// is not there.
pub fn build(
    config: &EventConfig<'_>,
    request: &RequestView<'_>,
    response: Option<&ResponseView<'_>>,
    bare_query: bool,
    edge: &EdgeLocation<'_>,
) -> Vec<u8> {
    let response = response.filter(|_| !config.event_type.is_request());
    let mut out = Vec::with_capacity(1024);
    out.extend_from_slice(br#"{"event":{"version":"1.0","context":{"distributionDomainName":"#);
    json::string(&mut out, config.distribution_domain_name);
    out.extend_from_slice(br#","distributionId":"#);
    json::string(&mut out, config.distribution_id);
    out.extend_from_slice(br#","eventType":"#);
    json::string(&mut out, config.event_type.as_str());
    out.extend_from_slice(br#","requestId":"#);
    json::string(&mut out, config.request_id);
    // LE-402: the connecting peer.
    out.extend_from_slice(br#"},"viewer":{"ip":""#);
    json::display(&mut out, shown_ip(request.client_ip));
    out.extend_from_slice(br#""},"request":{"method":"#);
    json::string(&mut out, request.method);
    out.extend_from_slice(br#","uri":"#);
    json::bytes(&mut out, request.uri);
    out.extend_from_slice(br#","querystring":"#);
    query_fields(request.querystring).write(&mut out);
    out.extend_from_slice(br#","headers":"#);
    header_fields(request.headers, &header::COOKIE).write(&mut out);
    out.extend_from_slice(br#","cookies":"#);
    request_cookies(request.headers).write(&mut out);
    if let Some(response) = response {
        out.extend_from_slice(br#"},"response":{"statusCode":"#);
        json::display(&mut out, response.status);
        out.extend_from_slice(br#","statusDescription":"#);
        json::string(&mut out, response.status_description);
        out.extend_from_slice(br#","headers":"#);
        header_fields(response.headers, &header::SET_COOKIE).write(&mut out);
        out.extend_from_slice(br#","cookies":"#);
        response_cookies(response.headers).write(&mut out);
    }
    out.extend_from_slice(b"}}");
    if bare_query || !request.querystring.is_empty() {
        out.extend_from_slice(br#","raw":"#);
        json::bytes(&mut out, request.querystring);
    }
    if config.event_type.is_request() {
        out.extend_from_slice(br#","edge":{"name":"#);
        json::string(&mut out, edge.name);
        out.extend_from_slice(br#","serverIp":""#);
        if let Some(ip) = edge.server_ip {
            json::display(&mut out, shown_ip(ip));
        }
        out.extend_from_slice(br#"","region":"#);
        json::string(&mut out, edge.region);
        out.push(b'}');
    }
    out.push(b'}');
    out
}

/// Lines by lower-case name, without hidden ones (LE-207) and cookies, which have a map of their own (LE-405, LE-406).
pub(super) fn header_fields(lines: &[HeaderLine], cookie: &header::HeaderName) -> Fields {
    let mut fields = Fields::default();
    for line in lines.iter().filter(|l| is_shown(l, cookie)) {
        fields.push(
            line.name.as_str(),
            Value::new(text_of(line.value.as_bytes())),
        );
    }
    fields
}

/// Whether a line is in the map of headers.
pub(super) fn is_shown(line: &HeaderLine, cookie: &header::HeaderName) -> bool {
    line.name != *cookie && !is_disallowed(line.name.as_str())
}

/// The pairs of `Cookie` lines; names keep their case (LE-405).
pub(super) fn request_cookies(lines: &[HeaderLine]) -> Fields {
    let mut fields = Fields::default();
    for line in lines.iter().filter(|l| l.name == header::COOKIE) {
        let text = text_of(line.value.as_bytes());
        for pair in text.split(';').map(str::trim).filter(|p| !p.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            fields.push(name, Value::new(value));
        }
    }
    fields
}

/// The cookies of `Set-Cookie` lines, attributes as they came (LE-409).
pub(super) fn response_cookies(lines: &[HeaderLine]) -> Fields {
    let mut fields = Fields::default();
    for line in lines.iter().filter(|l| l.name == header::SET_COOKIE) {
        let text = text_of(line.value.as_bytes());
        let (pair, attributes) = match text.split_once(';') {
            Some((pair, attributes)) => (pair, Some(attributes.trim().to_owned())),
            None => (&*text, None),
        };
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        fields.push(
            name.trim(),
            Value {
                value: value.trim().to_owned(),
                attributes,
            },
        );
    }
    fields
}

/// The parameters of a raw query, not decoded; names keep their case (LE-405).
pub(super) fn query_fields(raw: &[u8]) -> Fields {
    let mut fields = Fields::default();
    let text = text_of(raw);
    for segment in segments(&text) {
        let (name, value) = segment.split_once('=').unwrap_or((segment, ""));
        fields.push(name, Value::new(value));
    }
    fields
}

/// The parameters of a query as they stand there.
pub(super) fn segments(query: &str) -> impl Iterator<Item = &str> {
    query.split('&').filter(|s| !s.is_empty())
}

#[cfg(test)]
mod tests {
    use fourfront_model::EventType;
    use serde_json::{Value as Json, json};

    use super::*;
    use crate::headers::{HeaderLines, line};

    fn lines(of: &[(&str, &str)]) -> HeaderLines {
        of.iter()
            .map(|(n, v)| line(n.parse().unwrap(), v.parse().unwrap()))
            .collect()
    }

    fn event(event_type: EventType, query: &str) -> Json {
        let config = EventConfig {
            distribution_domain_name: "d111.cloudfront.test",
            distribution_id: "E1",
            event_type,
            request_id: "id==",
        };
        let headers = lines(&[
            ("host", "www.example.test"),
            ("accept", "text/html"),
            ("accept", "*/*"),
            ("x-list", "a, b"),
            ("cookie", "id=1; Theme=dark; id=2"),
            ("connection", "close"),
            ("cloudfront-viewer-country", "DE"),
        ]);
        let request = RequestView {
            client_ip: "::ffff:203.0.113.9".parse().unwrap(),
            method: "GET",
            uri: b"/a%20b",
            querystring: query.trim_start_matches('?').as_bytes(),
            headers: &headers,
            body: None,
            origin: None,
        };
        let answer = lines(&[
            ("content-type", "text/html"),
            ("set-cookie", "a=1; Path=/; Secure"),
            ("set-cookie", "a=2"),
            ("set-cookie", "b="),
        ]);
        let response = ResponseView {
            status: 200,
            status_description: "OK",
            headers: &answer,
        };
        let edge = EdgeLocation {
            name: "FFN00-C1",
            server_ip: Some("192.0.2.1".parse().unwrap()),
            region: "",
        };
        serde_json::from_slice(&build(
            &config,
            &request,
            Some(&response),
            query == "?",
            &edge,
        ))
        .unwrap()
    }

    #[test]
    fn a_viewer_request_event_has_exactly_these_fields() {
        // LE-400, LE-401, LE-402, LE-403, LE-404, LE-405, LE-406, LE-407, LE-411, LE-412, LE-482
        assert_eq!(
            event(EventType::ViewerRequest, "ID=42&mv=1&mv=2&flag"),
            json!({
                "event": {
                    "version": "1.0",
                    "context": {
                        "distributionDomainName": "d111.cloudfront.test",
                        "distributionId": "E1",
                        "eventType": "viewer-request",
                        "requestId": "id==",
                    },
                    "viewer": { "ip": "203.0.113.9" },
                    "request": {
                        "method": "GET",
                        "uri": "/a%20b",
                        "querystring": {
                            "ID": { "value": "42" },
                            "mv": { "value": "1", "multiValue": [{ "value": "1" }, { "value": "2" }] },
                            "flag": { "value": "" },
                        },
                        "headers": {
                            "host": { "value": "www.example.test" },
                            "accept": { "value": "text/html", "multiValue": [{ "value": "text/html" }, { "value": "*/*" }] },
                            "x-list": { "value": "a, b" },
                            "cloudfront-viewer-country": { "value": "DE" },
                        },
                        "cookies": {
                            "id": { "value": "1", "multiValue": [{ "value": "1" }, { "value": "2" }] },
                            "Theme": { "value": "dark" },
                        },
                    },
                },
                "raw": "ID=42&mv=1&mv=2&flag",
                "edge": { "name": "FFN00-C1", "serverIp": "192.0.2.1", "region": "" },
            })
        );
    }

    #[test]
    fn a_viewer_response_event_has_the_response_too() {
        // LE-400, LE-404, LE-406, LE-408, LE-409, LE-482
        let event = event(EventType::ViewerResponse, "");
        assert_eq!(
            event["event"]["response"],
            json!({
                "statusCode": 200,
                "statusDescription": "OK",
                "headers": { "content-type": { "value": "text/html" } },
                "cookies": {
                    "a": {
                        "value": "1",
                        "attributes": "Path=/; Secure",
                        "multiValue": [{ "value": "1", "attributes": "Path=/; Secure" }, { "value": "2" }],
                    },
                    "b": { "value": "" },
                },
            })
        );
        assert_eq!(event["event"]["request"]["querystring"], json!({}));
        assert_eq!((event.get("raw"), event.get("edge")), (None, None));
    }

    #[test]
    fn a_bare_question_mark_is_a_query_that_is_empty() {
        // LE-412
        let raw = |query| event(EventType::ViewerRequest, query).get("raw").cloned();
        assert_eq!((raw("?"), raw("")), (Some(json!("")), None));
    }
}
