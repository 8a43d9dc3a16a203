//! `fourfront test` of a CloudFront Function: as CloudFront's own test operation, and judged besides (LE-443).

use std::{net::IpAddr, num::NonZeroUsize, sync::Arc};

use fourfront_control::Loaded;
use fourfront_hooks::{
    HookFault, cff,
    event::{RequestView, ResponseView},
    headers::line,
    log::AuthorPaths,
    pool::{Call, HookPool, PoolSettings},
};
use fourfront_model::{
    Compat, CustomOrigin, Distribution, EventType, Function, HeaderLines, Origin, OriginKind,
    OriginProtocol,
};
use http::{HeaderName, HeaderValue};
use serde_json::{Map, Value, json};

use super::{Case, compare, report, start};
use crate::{cli::Exit, flow::hook::verdict, observe::logs::StderrLog};

/// Where a node without a name says it is: no node runs here.
const POP: &str = "XXX00-C1";

pub(super) fn test(
    case: &Case<'_>,
    function: &Function,
    loaded: Option<&Loaded>,
    event: &Value,
) -> Result<Exit, String> {
    let shown = Shown::parse(event).map_err(|e| format!("{}: {e}", case.event.display()))?;
    let distribution = loaded.and_then(|loaded| runs(loaded, function, &shown));
    let compat = match distribution {
        _ if case.relaxed => Compat::Relaxed,
        Some(distribution) => distribution.compat,
        None => Compat::Strict,
    };
    let log = Arc::new(AuthorPaths(StderrLog));
    let mut settings = PoolSettings::new(log, start::now());
    settings.threads = NonZeroUsize::MIN;
    if let Some(loaded) = loaded {
        settings.host.compute.budget = loaded.node.hooks.compute_budget;
    }
    let pool = HookPool::new(settings);
    let prepared = match pool.prepare(function, compat) {
        Ok(prepared) => prepared,
        Err(fault) => {
            let fault = HookFault::from(fault).of_cloudfront_function();
            return Ok(report(&case.told, function, &fault));
        }
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|e| e.to_string())?;
    let run = || {
        let call = Call {
            event: shown.input(event).to_string().into_bytes(),
            event_type: shown.event_type,
            timeout: function.timeout_at(shown.event_type),
            request_id: shown.request_id.clone(),
            viewer_request_id: shown.request_id.clone(),
        };
        runtime.block_on(pool.invoke(&prepared, call))
    };
    let returned = run();
    let mut result = Value::Null;
    let origins = origins(distribution);
    let judged = verdict(returned, |output| {
        result = serde_json::from_slice(output).unwrap_or_default();
        case.told.result(&result["result"].to_string());
        for (name, what) in [("origin", "chosen origin"), ("data", "custom log data")] {
            if let Some(value) = result.get(name) {
                case.told.aside(&format!("{what}: {value}"));
            }
        }
        shown.judge(compat, &origins, output)
    });
    if let Some(percent) = prepared.compute_utilization() {
        // LE-436. One run of cold code: a node that has run it some times needs less.
        case.told.aside(&format!("compute utilization: {percent}"));
    }
    match judged {
        Ok(judged) => {
            for warning in judged.warnings {
                case.told
                    .aside(&format!("warning: {} ({})", warning.message, warning.rule));
            }
        }
        Err(fault) => {
            return Ok(report(
                &case.told,
                function,
                &fault.of_cloudfront_function(),
            ));
        }
    }
    match case.expect {
        Some(expected) => compare(
            &case.told,
            expected,
            result["result"].to_string().as_bytes(),
        ),
        None => Ok(Exit::Ok),
    }
}

/// The distribution that runs the function; when several do, the event says which one is meant.
fn runs<'l>(loaded: &'l Loaded, function: &Function, shown: &Shown) -> Option<&'l Distribution> {
    let runs = |d: &&Arc<Distribution>| {
        let mut attached = d.all_behaviors().flat_map(|b| b.functions.iter());
        attached.any(|(_, association)| association.function.name == function.name)
    };
    let running = || loaded.site.distributions().iter().filter(runs);
    let meant = running().find(|d| shown.distribution.as_ref() == Some(&d.id));
    meant.or_else(|| running().next()).map(AsRef::as_ref)
}

/// The origins that helpers may choose from; one of no importance for a function on its own.
fn origins(distribution: Option<&Distribution>) -> Vec<Arc<Origin>> {
    distribution.map_or_else(
        || {
            let kind = OriginKind::Custom(CustomOrigin::new(OriginProtocol::Https, 443));
            vec![Arc::new(Origin::new("origin", "origin.invalid", kind))]
        },
        |d| d.origins.clone(),
    )
}

/// An event read back into what it would have been built from.
struct Shown {
    event_type: EventType,
    request_id: String,
    distribution: Option<String>,
    client_ip: IpAddr,
    method: String,
    uri: String,
    query: String,
    headers: HeaderLines,
    response: Option<(u16, String, HeaderLines)>,
}

impl Shown {
    fn parse(event: &Value) -> Result<Self, String> {
        let text = |pointer: &str| event.pointer(pointer).and_then(Value::as_str);
        let needed = |pointer: &str| {
            text(pointer).ok_or_else(|| {
                format!("`event{pointer}` is missing or not a string: not an event of CloudFront Functions (LE-400)")
            })
        };
        let event_type: EventType = needed("/context/eventType")?
            .parse()
            .map_err(|e: fourfront_model::UnknownEventType| e.to_string())?;
        if !event_type.is_viewer() {
            return Err(format!(
                "CloudFront Functions do not run at {event_type} (LE-401)"
            ));
        }
        let mut headers = lines(event.pointer("/request/headers"))?;
        let cookies = pairs(event.pointer("/request/cookies"))?;
        if !cookies.is_empty() {
            let cookies: Vec<String> = cookies.iter().map(|(n, v, _)| format!("{n}={v}")).collect();
            push(&mut headers, "cookie", &cookies.join("; "))?;
        }
        let query: Vec<String> = pairs(event.pointer("/request/querystring"))?
            .iter()
            .map(|(n, v, _)| format!("{n}={v}"))
            .collect();
        let response = match event.get("response") {
            None => None,
            Some(response) => {
                let status = response.get("statusCode").and_then(Value::as_u64);
                let status = status
                    .and_then(|s| u16::try_from(s).ok())
                    .ok_or("`event/response/statusCode` is not a status (LE-408)")?;
                let description = text("/response/statusDescription").unwrap_or_default();
                let mut headers = lines(response.get("headers"))?;
                for (name, value, attributes) in pairs(response.get("cookies"))? {
                    let attributes = attributes.map_or_else(String::new, |a| format!("; {a}"));
                    push(
                        &mut headers,
                        "set-cookie",
                        &format!("{name}={value}{attributes}"),
                    )?;
                }
                Some((status, description.to_owned(), headers))
            }
        };
        if response.is_none() && !event_type.is_request() {
            return Err("a viewer-response event has a `response` (LE-400)".to_owned());
        }
        let ip = text("/viewer/ip").unwrap_or("127.0.0.1");
        Ok(Self {
            event_type,
            request_id: text("/context/requestId").unwrap_or("test").to_owned(),
            distribution: text("/context/distributionId").map(str::to_owned),
            client_ip: ip
                .parse()
                .map_err(|_| format!("`event/viewer/ip` is not an address: {ip}"))?,
            method: needed("/request/method")?.to_owned(),
            uri: needed("/request/uri")?.to_owned(),
            query: query.join("&"),
            headers,
            response,
        })
    }

    /// What the engine is given: the event as it is, and what goes beside it.
    fn input(&self, event: &Value) -> Value {
        let mut input = Map::new();
        input.insert("event".to_owned(), event.clone());
        if !self.query.is_empty() {
            input.insert("raw".to_owned(), json!(self.query));
        }
        if self.event_type.is_request() {
            let edge = json!({ "name": POP, "serverIp": "127.0.0.1", "region": "" });
            input.insert("edge".to_owned(), edge);
        }
        Value::Object(input)
    }

    fn judge(
        &self,
        compat: Compat,
        origins: &[Arc<Origin>],
        output: &[u8],
    ) -> Result<cff::Judged, fourfront_hooks::validate::Violation> {
        let response = self.response.as_ref();
        let input = cff::Input {
            event_type: self.event_type,
            compat,
            request: RequestView {
                client_ip: self.client_ip,
                method: &self.method,
                uri: self.uri.as_bytes(),
                querystring: self.query.as_bytes(),
                headers: &self.headers,
                body: None,
                origin: None,
            },
            response: response.map(|(status, description, headers)| ResponseView {
                status: *status,
                status_description: description,
                headers,
            }),
            // A distribution has an origin, and a function on its own was given one.
            assigned: &origins[0],
            origins,
            max_request_bytes: fourfront_hooks::validate::DEFAULT_MAX_REQUEST_BYTES,
            body_limits: fourfront_hooks::event::BodyLimits::default(),
        };
        cff::judge(&input, output)
    }
}

type Pair = (String, String, Option<String>);

/// Names and values of a map of `{value, multiValue}` (LE-404, LE-407).
fn pairs(map: Option<&Value>) -> Result<Vec<Pair>, String> {
    let mut all = Vec::new();
    let Some(Value::Object(map)) = map else {
        return Ok(all);
    };
    for (name, entry) in map {
        let one = |entry: &Value| -> Result<Pair, String> {
            let text = |key: &str| entry.get(key).and_then(Value::as_str).map(str::to_owned);
            let value = text("value")
                .ok_or_else(|| format!("`{name}` is not an object with a `value` (LE-404)"))?;
            Ok((name.clone(), value, text("attributes")))
        };
        match entry.get("multiValue").and_then(Value::as_array) {
            Some(list) => {
                for entry in list {
                    all.push(one(entry)?);
                }
            }
            None => all.push(one(entry)?),
        }
    }
    Ok(all)
}

fn lines(map: Option<&Value>) -> Result<HeaderLines, String> {
    let mut lines = HeaderLines::new();
    for (name, value, _) in pairs(map)? {
        push(&mut lines, &name, &value)?;
    }
    Ok(lines)
}

fn push(lines: &mut HeaderLines, name: &str, value: &str) -> Result<(), String> {
    let bad = || format!("header `{name}` is not one that HTTP can carry");
    let lower = HeaderName::from_bytes(name.as_bytes()).map_err(|_| bad())?;
    let value = HeaderValue::from_str(value).map_err(|_| bad())?;
    lines.push(line(lower, value));
    Ok(())
}
