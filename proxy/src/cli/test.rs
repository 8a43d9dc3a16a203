//! `fourfront test` (CP-605): one function, one event, the result judged as the node would.

use std::{
    fs,
    net::IpAddr,
    num::NonZeroUsize,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use clap::Args;
use fourfront_hooks::{
    HookFault,
    event::{OriginObject, RequestView, ResponseView},
    pool::{Call, HookPool, PoolSettings},
    validate::{self, Input},
};
use fourfront_model::{
    Compat, CustomOrigin, EventType, Function, FunctionSource, FunctionVersion, HandlerPath,
    HeaderLine, HeaderLines, Origin, OriginKind, OriginProtocol, S3AuthMethod, S3Origin,
};
use http::{HeaderName, HeaderValue};
use serde_json::Value;

use super::{Exit, complain, start};
use crate::observe::logs::StderrLog;

/// Arguments of `fourfront test`.
#[derive(Args, Debug)]
pub(super) struct TestArgs {
    /// A handler file, a bundle directory, or the name of a function in the site file.
    function: String,
    /// A JSON file with the event, as CloudFront would send it.
    event: PathBuf,
    /// A JSON file with the result that must come back; key order does not matter.
    #[arg(long)]
    expect: Option<PathBuf>,
    /// The handler, as `file.export`.
    #[arg(long, default_value = "index.handler")]
    handler: HandlerPath,
    /// The site file that names functions.
    #[arg(short, long, default_value = "fourfront.yaml")]
    config: PathBuf,
    /// Judge with the conveniences of `compat: relaxed`.
    #[arg(long)]
    relaxed: bool,
}

pub(super) fn run(args: &TestArgs) -> Exit {
    match test(args) {
        Ok(exit) => exit,
        Err(message) => {
            complain(&message);
            Exit::Failed
        }
    }
}

fn test(args: &TestArgs) -> Result<Exit, String> {
    let compat = if args.relaxed {
        Compat::Relaxed
    } else {
        Compat::Strict
    };
    let function = find_function(args)?;
    let text = read(&args.event)?;
    let event: Value =
        serde_json::from_str(&text).map_err(|e| format!("{}: {e}", args.event.display()))?;
    let shown = Shown::parse(&event).map_err(|e| format!("{}: {e}", args.event.display()))?;

    let mut settings = PoolSettings::new(Arc::new(StderrLog), start::now());
    settings.threads = NonZeroUsize::MIN;
    let pool = HookPool::new(settings);
    let prepared = match pool.prepare(&function, compat) {
        Ok(prepared) => prepared,
        Err(fault) => return Ok(report(&HookFault::from(fault))),
    };
    let call = Call {
        event: text.into_bytes(),
        event_type: shown.event_type,
        timeout: function.timeout_at(shown.event_type),
        request_id: shown.request_id.clone(),
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|e| e.to_string())?;
    let result = match runtime.block_on(pool.invoke(&prepared, call)) {
        Ok(result) => result,
        Err(fault) => return Ok(report(&fault)),
    };
    println!("{}", String::from_utf8_lossy(&result));
    let outcome = match validate::validate(&shown.input(compat), &result) {
        Ok(outcome) => outcome,
        Err(violation) => return Ok(report(&HookFault::from(violation))),
    };
    for warning in outcome.warnings {
        eprintln!("warning: {} ({})", warning.message, warning.rule);
    }
    match &args.expect {
        Some(expected) => compare(expected, &result),
        None => Ok(Exit::Ok),
    }
}

fn report(fault: &HookFault) -> Exit {
    complain(&format!(
        "{} {} ({}): {fault}",
        fault.class().status(),
        fault.class().token(),
        fault.rule()
    ));
    if let HookFault::Execution(
        fourfront_hooks::ExecutionFault::Load { stack, .. }
        | fourfront_hooks::ExecutionFault::Thrown { stack, .. },
    ) = fault
        && !stack.is_empty()
    {
        eprintln!("{stack}");
    }
    Exit::Failed
}

fn compare(expected: &Path, result: &[u8]) -> Result<Exit, String> {
    let wanted: Value = serde_json::from_str(&read(expected)?)
        .map_err(|e| format!("{}: {e}", expected.display()))?;
    let got: Value = serde_json::from_slice(result).map_err(|e| e.to_string())?;
    if wanted == got {
        return Ok(Exit::Ok);
    }
    complain(&format!(
        "the result is not what {} expects",
        expected.display()
    ));
    for line in differences("", &wanted, &got) {
        eprintln!("  {line}");
    }
    Ok(Exit::Failed)
}

/// Where two documents differ, by path.
fn differences(path: &str, wanted: &Value, got: &Value) -> Vec<String> {
    match (wanted, got) {
        (Value::Object(w), Value::Object(g)) => {
            let mut keys: Vec<&String> = w.keys().chain(g.keys()).collect();
            keys.sort();
            keys.dedup();
            keys.into_iter()
                .flat_map(|k| {
                    let null = Value::Null;
                    differences(
                        &format!("{path}/{k}"),
                        w.get(k).unwrap_or(&null),
                        g.get(k).unwrap_or(&null),
                    )
                })
                .collect()
        }
        (Value::Array(w), Value::Array(g)) if w.len() == g.len() => w
            .iter()
            .zip(g)
            .enumerate()
            .flat_map(|(i, (w, g))| differences(&format!("{path}/{i}"), w, g))
            .collect(),
        _ if wanted == got => Vec::new(),
        _ => vec![format!("{path}: expected {wanted}, got {got}")],
    }
}

fn read(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))
}

fn find_function(args: &TestArgs) -> Result<Function, String> {
    let path = PathBuf::from(&args.function);
    let source = if path.is_dir() {
        FunctionSource::Dir(path)
    } else if path.is_file() {
        FunctionSource::File(path)
    } else {
        let loaded = start::read_site(&args.config).ok_or_else(|| {
            format!(
                "`{}` is neither a file nor a function of a readable site file",
                args.function
            )
        })?;
        return loaded
            .site
            .functions()
            .iter()
            .find(|f| f.name.as_str() == args.function)
            .map(|f| f.as_ref().clone())
            .ok_or_else(|| {
                format!(
                    "{} has no function `{}`",
                    args.config.display(),
                    args.function
                )
            });
    };
    Ok(Function {
        name: "test"
            .parse()
            .map_err(|e: fourfront_model::FunctionNameError| e.to_string())?,
        version: FunctionVersion(1),
        source,
        handler: args.handler.clone(),
        timeout: None,
        memory_mb: None,
        environment: Vec::new(),
    })
}

/// An event read back into what it would have been built from.
struct Shown {
    event_type: EventType,
    request_id: String,
    client_ip: IpAddr,
    method: String,
    uri: String,
    querystring: String,
    headers: HeaderLines,
    origin: Option<OriginObject>,
    response: Option<(u16, String, HeaderLines)>,
}

impl Shown {
    fn parse(event: &Value) -> Result<Self, String> {
        let cf = event
            .pointer("/Records/0/cf")
            .ok_or("no `Records[0].cf`: not a CloudFront event (LE-060)")?;
        let text = |pointer: &str| cf.pointer(pointer).and_then(Value::as_str);
        let needed = |pointer: &str| {
            text(pointer).ok_or_else(|| format!("`cf{pointer}` is missing or not a string"))
        };
        let event_type: EventType = needed("/config/eventType")?
            .parse()
            .map_err(|e: fourfront_model::UnknownEventType| e.to_string())?;
        let response = match cf.pointer("/response") {
            Some(response) => {
                let status = needed("/response/status")?;
                let status = status
                    .parse()
                    .map_err(|_| format!("`cf/response/status` is not a status: {status}"))?;
                let description = text("/response/statusDescription")
                    .unwrap_or_default()
                    .to_owned();
                Some((status, description, headers(response.get("headers"))?))
            }
            None => None,
        };
        let client_ip = needed("/request/clientIp")?;
        Ok(Self {
            event_type,
            request_id: text("/config/requestId").unwrap_or("test").to_owned(),
            client_ip: client_ip
                .parse()
                .map_err(|_| format!("`cf/request/clientIp` is not an address: {client_ip}"))?,
            method: needed("/request/method")?.to_owned(),
            uri: needed("/request/uri")?.to_owned(),
            querystring: text("/request/querystring").unwrap_or_default().to_owned(),
            headers: headers(cf.pointer("/request/headers"))?,
            origin: cf.pointer("/request/origin").map(origin).transpose()?,
            response,
        })
    }

    fn input(&self, compat: Compat) -> Input<'_> {
        let request = RequestView {
            client_ip: self.client_ip,
            method: &self.method,
            uri: self.uri.as_bytes(),
            querystring: self.querystring.as_bytes(),
            headers: &self.headers,
            body: None,
            origin: self.origin.as_ref(),
        };
        Input {
            compat,
            response: self
                .response
                .as_ref()
                .map(|(status, description, headers)| ResponseView {
                    status: *status,
                    status_description: description,
                    headers,
                }),
            configured_origin: self.origin.as_ref(),
            ..Input::new(self.event_type, request)
        }
    }
}

/// The origin of an event, with defaults for what it leaves out (LE-100..113).
fn origin(object: &Value) -> Result<OriginObject, String> {
    let (kind, fields) = match (object.get("custom"), object.get("s3")) {
        (Some(custom), None) => ("custom", custom),
        (None, Some(s3)) => ("s3", s3),
        _ => {
            return Err(
                "`cf/request/origin` must have exactly one of `custom` and `s3` (LE-100)"
                    .to_owned(),
            );
        }
    };
    let text = |name: &str| {
        fields
            .get(name)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    let seconds = |name: &str| {
        fields
            .get(name)
            .and_then(Value::as_u64)
            .map(Duration::from_secs)
    };
    let kind = if kind == "custom" {
        let protocol = if text("protocol") == "http" {
            OriginProtocol::Http
        } else {
            OriginProtocol::Https
        };
        let port = fields
            .get("port")
            .and_then(Value::as_u64)
            .and_then(|p| u16::try_from(p).ok());
        let mut custom =
            CustomOrigin::new(protocol, port.unwrap_or_else(|| protocol.default_port()));
        if let Some(keepalive) = seconds("keepaliveTimeout") {
            custom.keepalive_timeout = keepalive;
        }
        OriginKind::Custom(custom)
    } else {
        let auth_method = match text("authMethod").as_str() {
            "origin-access-identity" => S3AuthMethod::OriginAccessIdentity,
            _ => S3AuthMethod::None,
        };
        OriginKind::S3(S3Origin {
            auth_method,
            region: text("region"),
        })
    };
    let mut origin = Origin::new("event", text("domainName"), kind);
    origin.origin_path = text("path");
    if let Some(timeout) = seconds("readTimeout") {
        origin.read_timeout = timeout;
    }
    for line in headers(fields.get("customHeaders"))? {
        let value = String::from_utf8_lossy(line.value.as_bytes()).into_owned();
        origin
            .custom_headers
            .push((String::from_utf8_lossy(&line.key).into_owned(), value));
    }
    Ok(OriginObject::from(&origin))
}

/// Header lines from an event's header map (LE-196).
fn headers(map: Option<&Value>) -> Result<HeaderLines, String> {
    let mut lines = HeaderLines::new();
    let Some(Value::Object(map)) = map else {
        return Ok(lines);
    };
    for (name, values) in map {
        let bad = || format!("header `{name}` is not an array of {{key, value}} (LE-196)");
        for entry in values.as_array().ok_or_else(bad)? {
            let value = entry.get("value").and_then(Value::as_str).ok_or_else(bad)?;
            let key = entry.get("key").and_then(Value::as_str).unwrap_or(name);
            lines.push(HeaderLine {
                name: HeaderName::from_bytes(name.as_bytes()).map_err(|_| bad())?,
                key: Bytes::copy_from_slice(key.as_bytes()),
                value: HeaderValue::from_str(value).map_err(|_| bad())?,
            });
        }
    }
    Ok(lines)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_event_is_read_back() {
        // LE-060, LE-196
        let event = json!({"Records": [{"cf": {
            "config": {"eventType": "viewer-response", "requestId": "r"},
            "request": {"clientIp": "::1", "method": "GET", "uri": "/a", "querystring": "x=1",
                "headers": {"host": [{"key": "Host", "value": "a.test"}]}},
            "response": {"status": "200", "statusDescription": "OK", "headers": {}}
        }}]});
        let shown = Shown::parse(&event).unwrap();
        assert_eq!(shown.event_type, EventType::ViewerResponse);
        assert_eq!(shown.headers.len(), 1);
        assert_eq!(shown.response.map(|r| r.0), Some(200));
        assert!(Shown::parse(&json!({"Records": []})).is_err_and(|e| e.contains("LE-060")));
    }

    #[test]
    fn differences_name_the_path() {
        let wanted = json!({"status": "200", "headers": {"a": [{"value": "1"}]}});
        let got = json!({"status": "200", "headers": {"a": [{"value": "2"}]}, "body": "x"});
        assert_eq!(
            differences("", &wanted, &got),
            [
                "/body: expected null, got \"x\"",
                "/headers/a/0/value: expected \"1\", got \"2\""
            ]
        );
    }
}
