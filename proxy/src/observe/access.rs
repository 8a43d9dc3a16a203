//! One record per request, for people (text), programs (JSON lines, CF-706) and `dev`; also of those that are refused for
//! their size, which CloudFront leaves out (CF-814).
//!
//! Records are handed to a [`Writer`], so that a slow disk or terminal never holds up a request; what
//! does not fit is dropped and counted (LE-352 asks the same of function logs).

use std::{
    io::{self, Write},
    time::{Duration, SystemTime},
};

use fourfront_control::LogFormat;
use fourfront_model::{CountryCode, EventType};
use prometheus::IntCounter;
use serde_json::{Map, Value, json};

use super::writer::{Writer, WriterSettings};
use crate::flow::{RequestId, Served};

/// Records waiting to be written before new ones are dropped.
const QUEUE: usize = 16_384;

/// How long the end of the process waits for the last records to be written.
const LAST_RECORDS: Duration = Duration::from_secs(2);

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
    /// Body bytes sent, or bytes over a WebSocket.
    pub bytes: u64,
    /// Bytes received over the WebSocket that the request became; `None` where it is an answer like any other (CF-409).
    pub websocket_bytes: Option<u64>,
    /// From the request's head to the last byte queued.
    pub duration: Duration,
    /// Function calls in order.
    pub hooks: Vec<HookRecord>,
    /// From sending the request to the origin to the head of its answer.
    pub origin: Option<Duration>,
    /// What went wrong, in words, for the operator.
    pub error: Option<String>,
    /// What CloudFront Functions noted at viewer-request and viewer-response, URL-encoded (LE-483).
    pub log_data: [Option<String>; 2],
}

impl AccessRecord {
    /// The JSON form (CF-706).
    pub fn to_json(&self) -> Value {
        let mut record = Map::new();
        let mut put = |key: &str, value: Value| {
            record.insert(key.to_owned(), value);
        };
        put("time", json!(rfc3339(self.time)));
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
        put("cs-protocol-version", json!(version_name(self.version)));
        let (protocol, cipher) = self.tls.unwrap_or(("-", "-"));
        put("ssl-protocol", json!(protocol));
        put("ssl-cipher", json!(cipher));
        put("cs-method", json!(self.method));
        put("x-host-header", json!(self.host));
        put("cs-uri-stem", json!(self.uri));
        put(
            "cs-uri-query",
            json!(if self.query.is_empty() {
                "-"
            } else {
                &self.query
            }),
        );
        put("sc-status", json!(self.status));
        put("sc-body-bytes", json!(self.bytes));
        if let Some(bytes) = self.websocket_bytes {
            put("cs-body-bytes", json!(bytes));
        }
        put("time-taken", json!(seconds(self.duration)));
        put(
            "x-edge-result-type",
            json!(self.served.result_type(self.status).as_str()),
        );
        put(
            "x-edge-detailed-result-type",
            json!(self.served.detail(self.status)),
        );
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

    /// `cs-protocol` (CF-703, CF-409).
    pub const fn scheme(&self) -> &'static str {
        match (self.tls, self.websocket_bytes) {
            (Some(_), None) => "https",
            (None, None) => "http",
            (Some(_), Some(_)) => "wss",
            (None, Some(_)) => "ws",
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

/// `cs-protocol-version` (CF-703 field 24).
const fn version_name(version: http::Version) -> &'static str {
    match version {
        http::Version::HTTP_09 => "HTTP/0.9",
        http::Version::HTTP_10 => "HTTP/1.0",
        http::Version::HTTP_2 => "HTTP/2.0",
        http::Version::HTTP_3 => "HTTP/3.0",
        _ => "HTTP/1.1",
    }
}

fn seconds(d: Duration) -> f64 {
    (d.as_secs_f64() * 1e6).round() / 1e6
}

fn millis(d: Duration) -> f64 {
    d.as_secs_f64() * 1e3
}

/// `2026-03-03T09:00:00.123Z`.
pub fn rfc3339(time: SystemTime) -> String {
    let since = time
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    let (secs, ms) = (since.as_secs(), since.subsec_millis());
    let (days, rest) = (secs / 86_400, secs % 86_400);
    // Days to a civil date, by the 400-year cycle counted from March (H. Hinnant's algorithm).
    let z = days + 719_468;
    let era = z / 146_097;
    let doe = z % 146_097;
    let yoe = (doe - doe / 1_460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let day = doy - (153 * mp + 2) / 5 + 1;
    let month = if mp < 10 { mp + 3 } else { mp - 9 };
    let year = yoe + era * 400 + u64::from(month <= 2);
    format!(
        "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}.{ms:03}Z",
        rest / 3_600,
        rest % 3_600 / 60,
        rest % 60
    )
}

/// Where access records go.
pub trait AccessSink: Send + Sync {
    /// Takes one record. Never blocks.
    fn record(&self, record: AccessRecord);

    /// Whether records go anywhere; when not, none need be made.
    fn enabled(&self) -> bool {
        true
    }

    /// Writes what is waiting and ends; called once, when no request is being served any more.
    fn finish(&self) {}
}

/// Discards every record: `log.access: false`.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoAccessLog;

impl AccessSink for NoAccessLog {
    fn record(&self, _: AccessRecord) {}

    fn enabled(&self) -> bool {
        false
    }
}

/// Writes records on a thread of its own.
#[derive(Debug)]
pub struct AccessLog {
    writer: Writer<AccessRecord>,
}

impl AccessLog {
    /// Starts the writer thread; `dropped` counts records that were not written.
    ///
    /// # Errors
    /// When the thread cannot be started.
    pub fn start(
        format: LogFormat,
        out: impl Write + Send + 'static,
        dropped: IntCounter,
    ) -> io::Result<Self> {
        let settings = WriterSettings {
            name: "access-log",
            capacity: QUEUE,
            dropped,
        };
        let append = move |record: &AccessRecord, line: &mut Vec<u8>| {
            let text = match format {
                LogFormat::Text => record.to_text(),
                LogFormat::Json => record.to_json().to_string(),
            };
            line.extend_from_slice(text.as_bytes());
            line.push(b'\n');
        };
        let report = |e: &io::Error| {
            tracing::error!("access log: {e}; records are lost until it can be written again");
        };
        Ok(Self {
            writer: Writer::start(settings, out, append, report)?,
        })
    }
}

impl AccessSink for AccessLog {
    fn record(&self, record: AccessRecord) {
        self.writer.push(record, 1);
    }

    fn finish(&self) {
        if !self.writer.finish(LAST_RECORDS) {
            tracing::warn!("access log: its reader has stopped; the last records are lost");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use parking_lot::Mutex;

    use super::*;

    fn record() -> AccessRecord {
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
    fn json_uses_the_log_fields_of_cloudfront() {
        // CF-703, CF-706, LE-271
        let json = record().to_json();
        assert_eq!(json["time"], "2026-03-03T09:00:00.123Z");
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

    /// An output that fails until it is repaired.
    #[derive(Clone, Default)]
    struct Disk(Arc<Mutex<(Vec<u8>, bool)>>);

    impl Write for Disk {
        fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
            let (text, full) = &mut *self.0.lock();
            if *full {
                return Err(io::ErrorKind::StorageFull.into());
            }
            text.extend_from_slice(buf);
            Ok(buf.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn records_are_written_in_order_and_past_a_full_disk() {
        // CF-706
        let disk = Disk::default();
        let dropped = IntCounter::new("dropped", "Records").unwrap();
        let log = AccessLog::start(LogFormat::Json, disk.clone(), dropped.clone()).unwrap();
        disk.0.lock().1 = true;
        log.record(record());
        assert!(log.writer.flush(Duration::from_secs(60)));
        disk.0.lock().1 = false;
        log.record(AccessRecord {
            status: 404,
            ..record()
        });
        log.finish();
        let text = String::from_utf8(disk.0.lock().0.clone()).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[0].contains("\"sc-status\":503") && lines[1].contains("\"sc-status\":404"));
        assert_eq!((lines.len(), dropped.get()), (2, 0));
    }
}
