//! One record per request: for people (text), for programs (JSON lines, CF-706), as CloudFront has it
//! ([`super::standard`]), and for `dev`; also of those that are refused for their size, which CloudFront leaves out
//! (CF-814). Where records go is [`super::access_log`]'s.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use fourfront_cache::{Outcome, StaleCause};
use fourfront_model::{CountryCode, Distribution, EventType, HeaderLine, StandardLogging};
use http::{HeaderMap, HeaderName, HeaderValue, header};
use serde_json::{Map, Value, json};

use crate::flow::{RequestId, Served, server_timing::Tier};
pub(super) use fourfront_model::Civil;
pub use fourfront_model::rfc3339;

/// How one function call went.
#[derive(Clone, Debug)]
pub struct HookRecord {
    /// The trigger.
    pub event_type: EventType,
    /// The function's name.
    pub function: String,
    /// `context.awsRequestId` of the call.
    pub invocation_id: String,
    /// Wall time, queueing included.
    pub duration: Duration,
    /// `None` when it produced an acceptable result, else the class's token and the rule.
    pub fault: Option<(&'static str, &'static str)>,
}

/// What is written about one request. Field names in JSON are those of CloudFront's log (CF-703), with `ff-`
/// extras.
#[derive(Clone, Debug)]
pub struct AccessRecord {
    /// End of the request.
    pub time: SystemTime,
    /// `X-Amz-Cf-Id`; absent when the request was refused before it got one.
    pub request_id: Option<RequestId>,
    /// Distribution id and path pattern.
    pub route: Option<(String, String)>,
    /// Address of the peer.
    pub viewer: Option<std::net::SocketAddr>,
    /// In which country that is, where it was looked up.
    pub country: Option<CountryCode>,
    /// What the viewer spoke.
    pub version: http::Version,
    /// TLS version and cipher suite, on HTTPS.
    pub tls: Option<(&'static str, &'static str)>,
    /// Method.
    pub method: String,
    /// `Host` as sent.
    pub host: String,
    /// Path as sent.
    pub uri: String,
    /// Query as sent, without `?`, whatever of it is forwarded (CF-187).
    pub query: String,
    /// Status sent; 0 when the viewer left before any byte.
    pub status: u16,
    /// How the answer came about.
    pub served: Served,
    /// Why the cache did not answer (CP-607).
    pub cache_reason: Option<&'static str>,
    /// Bytes received over the WebSocket that the request became; `None` where it is an answer like any other (CF-409).
    pub websocket_bytes: Option<u64>,
    /// Whether it is a gRPC call (CF-410).
    pub is_call: bool,
    /// How it was to come about when its first byte was sent, and with which status; `None` when none was sent (CF-704).
    pub began_as: Option<(Served, u16)>,
    /// Body bytes sent.
    pub bytes: u64,
    /// Bytes of the answer's head, as on HTTP/1.1.
    pub head_bytes: u64,
    /// Bytes received: the request's head, as on HTTP/1.1, and its body.
    pub received: u64,
    /// From the request's head to the last byte queued.
    pub duration: Duration,
    /// From the request's head to the head of the answer.
    pub first_byte: Option<Duration>,
    /// Function calls in order.
    pub hooks: Vec<HookRecord>,
    /// From sending the request to the origin to the head of its answer.
    pub origin: Option<Duration>,
    /// What went wrong, in words, for the operator.
    pub error: Option<String>,
    /// What CloudFront Functions noted at viewer-request and viewer-response, URL-encoded (LE-483).
    pub log_data: [Option<String>; 2],
    /// Where the node is, where [`Wanted::Fields`] was said.
    pub location: Option<Arc<str>>,
    /// The distribution, where one was found.
    pub distribution: Option<Arc<Distribution>>,
    /// Fields of the viewer's head, where [`Wanted::Fields`] was said.
    pub viewer_fields: Option<Box<ViewerFields>>,
    /// Fields of the answer's, likewise.
    pub answer_fields: Option<Box<AnswerFields>>,
    /// What the cache did, likewise.
    pub cached: Option<Box<Cached>>,
}

/// What of a viewer's head logs have fields for. Several lines of one name are one value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ViewerFields {
    /// `Referer`.
    pub referer: Option<Box<[u8]>>,
    /// `User-Agent`.
    pub user_agent: Option<Box<[u8]>>,
    /// `Cookie`, where the configuration has it logged.
    pub cookie: Option<Box<[u8]>>,
    /// `X-Forwarded-For`.
    pub forwarded_for: Option<Box<[u8]>>,
}

impl ViewerFields {
    /// Those among header fields.
    pub fn of(headers: &HeaderMap, cookies: bool) -> Self {
        Self::collect(headers, cookies)
    }

    /// Those among lines.
    pub fn of_lines(lines: &[HeaderLine], cookies: bool) -> Self {
        Self::collect(lines.iter().map(|l| (&l.name, &l.value)), cookies)
    }

    fn collect<'v>(
        lines: impl IntoIterator<Item = (&'v HeaderName, &'v HeaderValue)>,
        cookies: bool,
    ) -> Self {
        let mut fields = Self::default();
        for (name, value) in lines {
            let (field, separator): (_, &[u8]) = match *name {
                header::REFERER => (&mut fields.referer, b", "),
                header::USER_AGENT => (&mut fields.user_agent, b", "),
                // RFC 9113 section 8.2.3
                header::COOKIE if cookies => (&mut fields.cookie, b"; "),
                _ if name.as_str() == "x-forwarded-for" => (&mut fields.forwarded_for, b", "),
                _ => continue,
            };
            *field = Some(match field.take() {
                None => value.as_bytes().into(),
                Some(before) => [&*before, separator, value.as_bytes()].concat().into(),
            });
        }
        fields
    }

    fn len(&self) -> usize {
        let all = [
            &self.referer,
            &self.user_agent,
            &self.cookie,
            &self.forwarded_for,
        ];
        all.into_iter().flatten().map(|value| value.len()).sum()
    }
}

/// What of an answer's head logs have fields for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AnswerFields {
    /// `Content-Type`.
    pub content_type: Option<Box<[u8]>>,
    /// `Content-Length`.
    pub content_length: Option<Box<[u8]>>,
    /// First and last position of `Content-Range`.
    pub range: Option<(u64, u64)>,
}

impl AnswerFields {
    /// Those among header fields.
    pub fn of(headers: &HeaderMap) -> Self {
        let value = |name| headers.get(name).map(HeaderValue::as_bytes);
        Self::from_values(
            value(header::CONTENT_TYPE),
            value(header::CONTENT_LENGTH),
            value(header::CONTENT_RANGE),
        )
    }

    /// Those in a head of HTTP/1.1.
    pub fn of_head(head: &[u8]) -> Self {
        let (mut content_type, mut length, mut range) = (None, None, None);
        let mut rest = head;
        while let Some(end) = memchr::memchr(b'\n', rest) {
            let line = &rest[..end];
            rest = &rest[end + 1..];
            // All three begin so, and few others do.
            let is_one = line.len() > 8 && line[..8].eq_ignore_ascii_case(b"content-");
            let Some(colon) = memchr::memchr(b':', line).filter(|_| is_one) else {
                continue;
            };
            let value = Some(line[colon + 1..].trim_ascii());
            match &*line[8..colon].to_ascii_lowercase() {
                b"type" => content_type = value,
                b"length" => length = value,
                b"range" => range = value,
                _ => {}
            }
        }
        Self::from_values(content_type, length, range)
    }

    fn from_values(
        content_type: Option<&[u8]>,
        length: Option<&[u8]>,
        range: Option<&[u8]>,
    ) -> Self {
        Self {
            content_type: content_type.map(Into::into),
            content_length: length.map(Into::into),
            range: range.and_then(|range| {
                let range = std::str::from_utf8(range).ok()?.strip_prefix("bytes ")?;
                let (first, last) = range.split_once('/')?.0.split_once('-')?;
                Some((first.parse().ok()?, last.parse().ok()?))
            }),
        }
    }
}

/// What the cache did, for the fields of our own (CF-706).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cached {
    /// Where the object was found.
    pub tier: Option<Tier>,
    /// Its key.
    pub key: Option<[u8; 16]>,
    /// How it went.
    pub outcome: Option<Outcome>,
}

impl Cached {
    /// Seconds of lifetime left; negative of a stale object.
    fn ttl(&self) -> Option<i64> {
        use fourfront_cache::Kept;
        match self.outcome.as_ref()? {
            Outcome::Hit { ttl } | Outcome::Stale { ttl, .. } | Outcome::Revalidated { ttl } => {
                Some(*ttl)
            }
            Outcome::Fetched {
                kept: Kept::Stored { ttl },
                ..
            } => Some(*ttl),
            Outcome::Fetched { .. } | Outcome::Followed { .. } => None,
        }
    }

    /// Why a stale object was served.
    const fn stale_reason(&self) -> Option<&'static str> {
        let Some(Outcome::Stale { cause, .. }) = &self.outcome else {
            return None;
        };
        Some(match cause {
            StaleCause::Revalidating => "revalidating",
            StaleCause::HeldOff => "held-off",
            StaleCause::Accepted => "accepted",
            StaleCause::OriginFailed(_) => "origin-failed",
        })
    }
}

impl AccessRecord {
    /// `cs(Host)`: the distribution's own domain name; empty when none was found (CF-703).
    pub fn domain_name(&self) -> &str {
        self.distribution.as_ref().map_or("", |d| &d.domain_name)
    }

    /// `x-edge-location`; empty where it is not known.
    pub(super) fn location(&self) -> &str {
        self.location.as_deref().unwrap_or_default()
    }

    /// `x-edge-result-type`: how it ended.
    pub fn result_type(&self) -> &'static str {
        self.served.result_type(self.status).as_str()
    }

    /// `x-edge-response-result-type`: how it was to end when its first byte was sent (CF-704).
    pub fn response_result_type(&self) -> &'static str {
        let (served, status) = self.began_as.unwrap_or((self.served, self.status));
        served.result_type(status).as_str()
    }

    /// `x-edge-detailed-result-type` (CF-705).
    pub fn detailed_result_type(&self) -> &'static str {
        self.served.detail(self.status)
    }

    /// Roughly the bytes that it takes in memory.
    pub(super) fn cost(&self) -> usize {
        let texts = self.uri.len() + self.query.len() + self.host.len();
        let fields = self.viewer_fields.as_ref().map_or(0, |fields| fields.len());
        let data = self.log_data.iter().flatten().map(String::len);
        let error = self.error.as_ref().map_or(0, String::len);
        // Itself, its distribution's and behaviour's names, and what has few sizes.
        1024 + texts + fields + error + data.sum::<usize>() + self.hooks.len() * 256
    }

    /// The JSON form, with cookies where the record has them (CF-706).
    pub fn to_json(&self) -> Value {
        self.to_json_with(true)
    }

    /// The JSON form; cookies are in it only with `include_cookies`.
    pub(super) fn to_json_with(&self, include_cookies: bool) -> Value {
        let mut record = Map::new();
        let mut put = |key: &str, value: Value| {
            record.insert(key.to_owned(), value);
        };
        let or_dash = |text: &str| json!(if text.is_empty() { "-" } else { text });
        let lossy = |value: Option<&[u8]>| {
            value.map_or_else(|| json!("-"), |v| json!(String::from_utf8_lossy(v)))
        };
        let viewer = self.viewer_fields.as_deref();
        let answer = self.answer_fields.as_deref();
        let at = Civil::of(self.time);
        put(
            "date",
            json!(format!("{:04}-{:02}-{:02}", at.year, at.month, at.day)),
        );
        put(
            "time",
            json!(format!("{:02}:{:02}:{:02}", at.hour, at.minute, at.second)),
        );
        put("ff-time", json!(rfc3339(self.time)));
        put("x-edge-location", or_dash(self.location()));
        put("sc-bytes", json!(self.head_bytes + self.bytes));
        put(
            "x-edge-request-id",
            json!(
                self.request_id
                    .map_or_else(|| "-".to_owned(), |id| id.to_string())
            ),
        );
        if let Some((distribution, behavior)) = &self.route {
            put("ff-distribution", json!(distribution));
            put("cache-behavior-path-pattern", json!(behavior));
        }
        put(
            "c-ip",
            json!(
                self.viewer
                    .map_or_else(|| "-".to_owned(), |v| v.ip().to_string())
            ),
        );
        if let Some(country) = self.country {
            put("c-country", json!(country.as_str()));
        }
        put(
            "c-port",
            self.viewer.map_or_else(|| json!("-"), |v| json!(v.port())),
        );
        put("cs-protocol", json!(self.scheme()));
        put("cs-protocol-version", json!(self.version_name()));
        let (protocol, cipher) = self.tls.unwrap_or(("-", "-"));
        put("ssl-protocol", json!(protocol));
        put("ssl-cipher", json!(cipher));
        put("cs-method", json!(self.method));
        put("cs(Host)", or_dash(self.domain_name()));
        put("x-host-header", or_dash(&self.host));
        put("cs-uri-stem", or_dash(&self.uri));
        put("cs-uri-query", or_dash(&self.query));
        put(
            "cs(Referer)",
            lossy(viewer.and_then(|v| v.referer.as_deref())),
        );
        put(
            "cs(User-Agent)",
            lossy(viewer.and_then(|v| v.user_agent.as_deref())),
        );
        put(
            "cs(Cookie)",
            lossy(
                viewer
                    .and_then(|v| v.cookie.as_deref())
                    .filter(|_| include_cookies),
            ),
        );
        put(
            "x-forwarded-for",
            lossy(viewer.and_then(|v| v.forwarded_for.as_deref())),
        );
        put("cs-bytes", json!(self.received));
        put("sc-status", json!(self.status));
        put("sc-body-bytes", json!(self.bytes));
        if let Some(bytes) = self.websocket_bytes {
            put("cs-body-bytes", json!(bytes));
        }
        put(
            "sc-content-type",
            lossy(answer.and_then(|a| a.content_type.as_deref())),
        );
        put(
            "sc-content-len",
            lossy(answer.and_then(|a| a.content_length.as_deref())),
        );
        let range = answer.and_then(|a| a.range);
        let position = |at: Option<u64>| at.map_or_else(|| json!("-"), |at| json!(at));
        put("sc-range-start", position(range.map(|r| r.0)));
        put("sc-range-end", position(range.map(|r| r.1)));
        put("time-taken", json!(seconds(self.duration)));
        put(
            "time-to-first-byte",
            self.first_byte
                .map_or_else(|| json!("-"), |t| json!(seconds(t))),
        );
        put("x-edge-result-type", json!(self.result_type()));
        put(
            "x-edge-response-result-type",
            json!(self.response_result_type()),
        );
        put(
            "x-edge-detailed-result-type",
            json!(self.detailed_result_type()),
        );
        put("fle-status", json!("-"));
        put("fle-encrypted-fields", json!("-"));
        if let Some(cached) = &self.cached {
            let is_cached = !matches!(cached.outcome, None | Some(Outcome::Fetched { .. }));
            if let Some(tier) = cached.tier.filter(|_| is_cached) {
                put("ff-tier", json!(tier.as_str()));
            }
            if let Some(ttl) = cached.ttl() {
                put("ff-ttl", json!(ttl));
            }
            if let Some(key) = cached.key {
                put(
                    "ff-key",
                    json!(format!("{:032x}", u128::from_be_bytes(key))),
                );
            }
            if let Some(reason) = cached.stale_reason() {
                put("ff-stale-reason", json!(reason));
            }
        }
        if let Some(reason) = self.cache_reason {
            put("ff-cache-reason", json!(reason));
        }
        if let Some(origin) = self.origin {
            put("ff-origin-time", json!(seconds(origin)));
        }
        if !self.hooks.is_empty() {
            let hooks: Vec<Value> = self
                .hooks
                .iter()
                .map(|h| {
                    let mut hook = json!({
                        "event_type": h.event_type.as_str(),
                        "function": h.function,
                        "time": seconds(h.duration),
                    });
                    if let (Some((class, rule)), Some(object)) = (h.fault, hook.as_object_mut()) {
                        object.insert("fault".to_owned(), json!(class));
                        object.insert("rule".to_owned(), json!(rule));
                    }
                    hook
                })
                .collect();
            put("ff-hooks", Value::Array(hooks));
        }
        let names = ["viewer-request-log-data", "viewer-response-log-data"];
        for (name, data) in names.into_iter().zip(&self.log_data) {
            if let Some(data) = data {
                put(name, json!(data));
            }
        }
        if let Some(error) = &self.error {
            put("ff-error", json!(error));
        }
        Value::Object(record)
    }

    /// `cs-protocol` (CF-703, CF-409, CF-410).
    pub const fn scheme(&self) -> &'static str {
        match (self.tls, self.websocket_bytes) {
            (Some(_), None) if self.is_call => "grpcs",
            (Some(_), None) => "https",
            (None, None) => "http",
            (Some(_), Some(_)) => "wss",
            (None, Some(_)) => "ws",
        }
    }

    /// `cs-protocol-version`.
    pub const fn version_name(&self) -> &'static str {
        match self.version {
            http::Version::HTTP_09 => "HTTP/0.9",
            http::Version::HTTP_10 => "HTTP/1.0",
            http::Version::HTTP_2 => "HTTP/2.0",
            http::Version::HTTP_3 => "HTTP/3.0",
            _ => "HTTP/1.1",
        }
    }

    /// One line for people: status, verdict, request, times.
    pub fn to_text(&self) -> String {
        use std::fmt::Write as _;
        let mut line = String::with_capacity(160);
        let query = if self.query.is_empty() {
            String::new()
        } else {
            format!("?{}", self.query)
        };
        let _ = write!(
            line,
            "{} {} {} {}{query} {} {}B {:.1}ms",
            rfc3339(self.time),
            self.status,
            self.method,
            self.uri,
            self.served.detail(self.status),
            self.bytes,
            millis(self.duration),
        );
        if let Some(reason) = self.cache_reason {
            let _ = write!(line, " cache={reason}");
        }
        for hook in &self.hooks {
            let _ = write!(line, " {}={:.2}ms", hook.event_type, millis(hook.duration));
            if let Some((class, rule)) = hook.fault {
                let _ = write!(line, "!{class}({rule})");
            }
        }
        if let Some(origin) = self.origin {
            let _ = write!(line, " origin={:.1}ms", millis(origin));
        }
        for data in self.log_data.iter().flatten() {
            let _ = write!(line, " data={data}");
        }
        if let Some(error) = &self.error {
            let _ = write!(line, " error={error:?}");
        }
        line
    }
}

fn seconds(d: Duration) -> f64 {
    (d.as_secs_f64() * 1e6).round() / 1e6
}

fn millis(d: Duration) -> f64 {
    d.as_secs_f64() * 1e3
}

/// What of a request its record has to hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// Nothing: no record is made.
    Nothing,
    /// What is in a line of text.
    Line,
    /// Also fields of heads, and what the cache did.
    Fields {
        /// Cookies among them.
        cookies: bool,
    },
}

/// Where access records go.
pub trait AccessSink: Send + Sync {
    /// What is wanted of a request to a distribution that has such a log.
    fn wants(&self, _logging: Option<&StandardLogging>) -> Wanted {
        Wanted::Fields { cookies: true }
    }

    /// Takes one record. Never blocks.
    fn record(&self, record: AccessRecord);

    /// Opens files anew, for who has moved them away.
    fn reopen(&self) {}

    /// Writes what is waiting and ends; called once, when no request is being served any more.
    fn finish(&self) {}
}

/// Discards every record: `log.access: false`.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoAccessLog;

impl AccessSink for NoAccessLog {
    fn wants(&self, _: Option<&StandardLogging>) -> Wanted {
        Wanted::Nothing
    }

    fn record(&self, _: AccessRecord) {}
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A distribution that logs nothing.
    pub(in crate::observe) fn distribution() -> Distribution {
        let text = "distributions: { site: { id: ESITE, origins: { app: \"http://a.test\" } } }";
        let loaded = fourfront_control::parse(
            text,
            std::path::Path::new("fourfront.yaml"),
            std::path::Path::new("/"),
            &|_| None,
        );
        (*loaded.unwrap().site.distributions()[0]).clone()
    }

    pub(in crate::observe) fn record() -> AccessRecord {
        AccessRecord {
            time: SystemTime::UNIX_EPOCH + Duration::from_millis(1_772_528_400_123),
            request_id: None,
            route: Some(("D1".into(), "/api/*".into())),
            viewer: Some("198.51.100.24:1234".parse().unwrap()),
            country: Some("DE".parse().unwrap()),
            version: http::Version::HTTP_2,
            tls: Some(("TLSv1.3", "TLS_AES_128_GCM_SHA256")),
            method: "GET".into(),
            host: "shop.example.test".into(),
            uri: "/api/x".into(),
            query: String::new(),
            status: 503,
            served: Served::Fault(fourfront_hooks::FaultClass::Execution),
            cache_reason: None,
            bytes: 12,
            websocket_bytes: None,
            is_call: false,
            duration: Duration::from_micros(1_500),
            hooks: vec![HookRecord {
                event_type: EventType::ViewerRequest,
                function: "auth".into(),
                invocation_id: "5f0c".into(),
                duration: Duration::from_micros(40),
                fault: Some(("LambdaExecutionError", "LE-271")),
            }],
            origin: None,
            error: None,
            log_data: [None, None],
            began_as: None,
            head_bytes: 0,
            received: 0,
            first_byte: None,
            location: Some("FFN00-C1".into()),
            distribution: None,
            viewer_fields: None,
            answer_fields: None,
            cached: None,
        }
    }

    #[test]
    fn a_websocket_has_a_protocol_of_its_own_and_bytes_both_ways() {
        // CF-409, CF-703
        let socket = AccessRecord {
            websocket_bytes: Some(7),
            ..record()
        };
        let json = socket.to_json();
        assert_eq!(json["cs-protocol"], "wss");
        assert_eq!(
            (&json["sc-body-bytes"], &json["cs-body-bytes"]),
            (&json!(12), &json!(7))
        );
        let plain = AccessRecord {
            tls: None,
            ..socket
        };
        assert_eq!(plain.scheme(), "ws");
        assert!(record().to_json().get("cs-body-bytes").is_none());
    }

    #[test]
    fn a_call_has_a_protocol_of_its_own() {
        // CF-410, CF-703
        let call = AccessRecord {
            is_call: true,
            ..record()
        };
        assert_eq!(call.to_json()["cs-protocol"], "grpcs");
        assert_eq!(record().scheme(), "https");
    }

    #[test]
    fn json_uses_the_log_fields_of_cloudfront() {
        // CF-703, CF-706, LE-271
        let json = record().to_json();
        assert_eq!(
            (&json["date"], &json["time"]),
            (&json!("2026-03-03"), &json!("09:00:00"))
        );
        assert_eq!(json["ff-time"], "2026-03-03T09:00:00.123Z");
        for name in crate::observe::standard::FIELDS {
            assert!(json.get(name).is_some(), "{name}");
        }
        assert_eq!(json["x-edge-result-type"], "LambdaExecutionError");
        assert_eq!(json["cs-uri-query"], "-");
        assert_eq!(json["c-country"], "DE");
        assert_eq!(json["ff-hooks"][0]["rule"], "LE-271");
    }

    #[test]
    fn text_is_one_line() {
        let text = record().to_text();
        assert!(
            text.contains("503 GET /api/x LambdaExecutionError"),
            "{text}"
        );
        assert!(
            text.contains("viewer-request=0.04ms!LambdaExecutionError(LE-271)"),
            "{text}"
        );
        assert!(!text.contains('\n'));
    }

    #[test]
    fn leap_days_and_year_ends_are_dated_right() {
        let at = |secs| rfc3339(SystemTime::UNIX_EPOCH + Duration::from_secs(secs));
        assert_eq!(at(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(at(951_782_400), "2000-02-29T00:00:00.000Z");
        assert_eq!(at(1_735_689_599), "2024-12-31T23:59:59.000Z");
    }

    #[test]
    fn json_says_what_the_cache_did() {
        // CF-706
        let json = AccessRecord {
            cached: Some(Box::new(Cached {
                tier: Some(Tier::Disk),
                key: Some([1; 16]),
                outcome: Some(Outcome::Stale {
                    ttl: -7,
                    cause: StaleCause::HeldOff,
                }),
            })),
            ..record()
        }
        .to_json();
        assert_eq!(json["ff-tier"], "disk");
        assert_eq!(json["ff-ttl"], -7);
        assert_eq!(json["ff-key"], "01".repeat(16));
        assert_eq!(json["ff-stale-reason"], "held-off");
    }

    #[test]
    fn fields_of_a_head_are_found_in_either_form() {
        // CF-703, RFC 9113 section 8.2.3
        let head = b"HTTP/1.1 206 Partial Content\r\ncontent-type: text/html\r\nContent-Encoding: gzip\r\n\
                     CONTENT-RANGE: bytes 5-9/100\r\nContent-Length:5\r\n\r\n";
        let mut headers = HeaderMap::new();
        headers.insert("content-type", HeaderValue::from_static("text/html"));
        headers.insert("content-range", HeaderValue::from_static("bytes 5-9/100"));
        headers.insert("content-length", HeaderValue::from_static("5"));
        let found = AnswerFields::of_head(head);
        assert_eq!(found, AnswerFields::of(&headers));
        assert_eq!(found.range, Some((5, 9)));
        assert_eq!(found.content_length.as_deref(), Some(&b"5"[..]));
        headers.insert("content-range", HeaderValue::from_static("bytes */100"));
        assert_eq!(AnswerFields::of(&headers).range, None);

        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("cookie", "a=1"),
            ("cookie", "b=2"),
            ("x-forwarded-for", "::1"),
        ] {
            headers.append(name, HeaderValue::from_static(value));
        }
        let found = ViewerFields::of(&headers, true);
        assert_eq!(found.cookie.as_deref(), Some(&b"a=1; b=2"[..]));
        assert_eq!(found.forwarded_for.as_deref(), Some(&b"::1"[..]));
        assert_eq!(ViewerFields::of(&headers, false).cookie, None);
    }
}
