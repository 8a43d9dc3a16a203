//! `fourfront explain` (CP-606): asks a running node, through its admin API, what it would do with a request.

use std::{fmt::Write as _, net::IpAddr, time::Instant};

use clap::Args;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use serde_json::{Map, Value, json};

use super::{
    Exit,
    address::{self, Failure, NodeAddress, NodeArgs, text},
    output::OutputArgs,
};

/// What `fourfront explain` is called with.
#[derive(Debug, Args)]
pub(super) struct ExplainArgs {
    /// The URL; only path and query, where the node has one distribution.
    #[arg(value_name = "URL")]
    url: String,
    /// The method.
    #[arg(
        short = 'X',
        long = "request",
        value_name = "METHOD",
        default_value = "GET"
    )]
    method: String,
    /// A header field of the request, as in 'Accept-Language: de'. May be given again.
    #[arg(short = 'H', long = "header", value_name = "FIELD")]
    headers: Vec<String>,
    /// The viewer's address, for what the cache key says of where it is. Default: this machine's.
    #[arg(long, value_name = "ADDRESS")]
    viewer: Option<IpAddr>,
    /// Make the request, too, after it was explained: origins may be asked, and what they say stored.
    #[arg(long)]
    fetch: bool,
    /// Where viewers reach the node, for `--fetch`. Default: what the node says, if it keeps control state.
    #[arg(long, value_name = "ADDRESS", requires = "fetch")]
    at: Option<String>,
    /// Print the whole explanation as JSON, as `-o json` does.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    output: OutputArgs,
    #[command(flatten)]
    node: NodeArgs,
}

pub(super) fn run(args: &ExplainArgs) -> Exit {
    address::talk(explain(args))
}

async fn explain(args: &ExplainArgs) -> Result<(), Failure> {
    let headers = fields(&args.headers).map_err(|e| (Exit::Usage, e))?;
    let node = NodeAddress::at(&args.node)?;
    let mut body = json!({ "url": args.url, "method": args.method, "headers": headers });
    if let Some(viewer) = args.viewer {
        body["viewer"] = json!(viewer);
    }
    let mut told = node
        .ask(Method::POST, "/_fourfront/v1/explain", Some(&body))
        .await?;
    if args.fetch {
        told["fetched"] = fetch(&node, args, &told["request"]).await?;
    }
    args.output.or_json(args.json).show(&told, for_people)
}

/// Makes the request that was explained, as a viewer on this machine, by plain HTTP.
async fn fetch(node: &NodeAddress, args: &ExplainArgs, request: &Value) -> Result<Value, Failure> {
    let at = match &args.at {
        Some(at) => at.trim_start_matches("http://").to_owned(),
        None => {
            let status = node.ask(Method::GET, "/_fourfront/v1/status", None).await?;
            let mut all = list(&status["listeners"]).iter().filter_map(Value::as_str);
            let plain = all.find_map(|url| url.strip_prefix("http://"));
            plain.map(str::to_owned).ok_or_else(|| {
                let message = "the node does not say where viewers reach it: give --at ADDRESS";
                (Exit::Usage, message.to_owned())
            })?
        }
    };
    let failed = |e: &dyn std::fmt::Display| (Exit::Failed, format!("--fetch: {e}"));
    let method = text(request, "method");
    let method = Method::from_bytes(method.as_bytes()).map_err(|e| failed(&e))?;
    let mut headers = HeaderMap::new();
    for (name, value) in request["headers"].as_object().into_iter().flatten() {
        let name: HeaderName = name.parse().map_err(|e| failed(&e))?;
        let value = value.as_str().unwrap_or_default();
        headers.insert(name, HeaderValue::from_str(value).map_err(|e| failed(&e))?);
    }
    let began = Instant::now();
    let target = text(request, "target");
    let answer = address::exchange(&at, method, target, headers).await;
    let (status, headers) = answer.map_err(|e| failed(&e))?;
    let headers: Map<String, Value> = headers
        .iter()
        .map(|(name, value)| {
            let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
            (name.to_string(), value.into())
        })
        .collect();
    let took = (began.elapsed().as_secs_f64() * 1e4).round() / 10.0;
    Ok(json!({ "status": status.as_u16(), "took_ms": took, "headers": headers }))
}

/// The fields, each with its values.
fn fields(given: &[String]) -> Result<Map<String, Value>, String> {
    let mut all = Map::new();
    for field in given {
        let (name, value) = field
            .split_once(':')
            .ok_or_else(|| format!("`{field}` is not a field, such as 'Accept-Language: de'"))?;
        // Names are the same in any case.
        let values = all
            .entry(name.trim().to_ascii_lowercase())
            .or_insert_with(|| json!([]));
        if let Value::Array(values) = values {
            values.push(value.trim().into());
        }
    }
    Ok(all)
}

/// Lines of a name and what it is, aligned.
#[derive(Default)]
struct Lines(String);

impl Lines {
    fn put(&mut self, name: &str, value: impl std::fmt::Display) {
        let line = format!("{name:<13} {value}");
        let _ = writeln!(self.0, "{}", line.trim_end());
    }

    /// A line that belongs to the one before.
    fn below(&mut self, name: &str, value: impl std::fmt::Display) {
        self.put(&format!("  {name}"), value);
    }
}

/// The explanation in short.
fn for_people(told: &Value) -> String {
    let mut lines = Lines::default();
    let request = &told["request"];
    lines.put(
        "request",
        format!(
            "{} {}{}",
            text(request, "method"),
            text(request, "host"),
            text(request, "target")
        ),
    );
    lines.put("verdict", verdict(told));
    let distribution = &told["distribution"];
    if distribution.is_object() {
        let (id, by) = (text(distribution, "id"), text(distribution, "matched_by"));
        lines.put("distribution", format!("{id} ({by})"));
        lines.put("behavior", behavior(&told["behavior"]));
    }
    for function in list(&told["functions"]) {
        lines.put(
            "function",
            format!(
                "{}: {} version {}",
                text(function, "event_type"),
                text(function, "name"),
                function["version"]
            ),
        );
    }
    if told["cache"].is_object() {
        lines.put("cache", cache(&told["cache"]));
    }
    if told["key"].is_object() {
        key(&mut lines, told);
    }
    for copy in list(&told["stored"]) {
        stored(&mut lines, copy);
    }
    if told["key"].is_object() && list(&told["stored"]).is_empty() {
        lines.put("stored", "nothing under this key");
    }
    let sent = &told["origin_request"];
    if sent.is_object() {
        let method = text(&told["request"], "method");
        let (target, origin) = (text(sent, "target"), text(sent, "origin"));
        lines.put("sends", format!("{method} {target} to {origin}"));
        for field in list(&sent["headers"]) {
            lines.below(
                &text(field, "name").to_ascii_lowercase(),
                text(field, "value"),
            );
        }
    }
    let fetched = &told["fetched"];
    if fetched.is_object() {
        lines.put(
            "fetched",
            format!("{} in {} ms", fetched["status"], fetched["took_ms"]),
        );
        for name in ["age", "x-cache", "cache-status", "cache-control"] {
            if let Some(value) = fetched["headers"][name].as_str() {
                lines.below(name, value);
            }
        }
    }
    for note in list(&told["notes"]) {
        lines.put("note", note.as_str().unwrap_or_default());
    }
    lines.0
}

fn verdict(told: &Value) -> String {
    let verdict = &told["verdict"];
    let found = list(&told["stored"]).iter().find(|c| c["found"] == true);
    let remaining = found.and_then(|c| c["ttl"]["remaining"].as_i64());
    let mut line = text(verdict, "result").to_owned();
    let result = line.clone();
    match (result.as_str(), remaining) {
        ("hit", Some(left)) => {
            let _ = write!(line, ", {left} s left");
        }
        ("stale", Some(left)) => {
            let _ = write!(line, " for {} s", -left);
            match verdict["grace"].as_str() {
                Some(grace) => {
                    let _ = write!(line, ", served: {grace}");
                }
                None => line.push_str(", not served before the origin is asked"),
            }
        }
        ("refused", _) => {
            let _ = write!(
                line,
                " with {}: {}",
                verdict["status"],
                text(verdict, "detail")
            );
        }
        _ => {}
    }
    if let Some(reason) = verdict["reason"].as_str() {
        let _ = write!(line, "; reason {reason}");
    }
    let _ = write!(line, "; origin {}", text(verdict, "origin"));
    line
}

fn behavior(behavior: &Value) -> String {
    let mut line = text(behavior, "path_pattern").to_owned();
    let tried: Vec<_> = list(&behavior["did_not_match"])
        .iter()
        .filter_map(Value::as_str)
        .collect();
    match (behavior["default"] == true, tried.is_empty()) {
        (true, true) => line.push_str(" (the default)"),
        (true, false) => {
            let _ = write!(line, " (the default: not {})", tried.join(", "));
        }
        (false, true) => line.push_str(" (the first that matches)"),
        (false, false) => {
            let _ = write!(
                line,
                " (the first that matches, after {})",
                tried.join(", ")
            );
        }
    }
    if let Some(policy) = behavior["cache_policy"].as_str() {
        let _ = write!(line, ", policy {policy}");
    }
    let _ = write!(line, ", origin {}", text(behavior, "origin"));
    if let Some(servers) = behavior["servers"].as_array() {
        let told = servers
            .iter()
            .map(|s| format!("{} {}", text(s, "address"), text(s, "state")));
        let _ = write!(line, " ({})", told.collect::<Vec<_>>().join(", "));
    }
    if behavior["shield"].is_object() {
        let shield = &behavior["shield"];
        let nodes = shield["nodes"].as_array().into_iter().flatten();
        let nodes: Vec<_> = nodes.filter_map(Value::as_str).collect();
        let (region, nodes) = (text(shield, "region"), nodes.join(", "));
        let _ = match text(shield, "state") {
            "asked" => write!(line, " by shield {region} ({nodes})"),
            state => write!(line, ", its shield {region} ({nodes}) {state}"),
        };
    }
    line
}

fn cache(cache: &Value) -> String {
    let use_it = match (
        cache["method_may_use_it"] == true,
        cache["policy_allows"] == true,
    ) {
        (true, true) => "the method may use it",
        (false, _) => "not for this method",
        (true, false) => "off: all TTLs are 0",
    };
    format!(
        "mode {}, {use_it}; min_ttl {}, default_ttl {}, max_ttl {}",
        text(cache, "mode"),
        cache["min_ttl"],
        cache["default_ttl"],
        cache["max_ttl"]
    )
}

fn key(lines: &mut Lines, told: &Value) {
    let key = &told["key"];
    lines.put("key", text(key, "hash"));
    let target = text(&told["request"], "target");
    let asked = target.split_once('?').map(|(_, query)| query);
    let mut has_query = false;
    for part in list(&key["parts"]) {
        let (name, value) = (text(part, "part"), text(part, "value"));
        has_query |= name == "query";
        match asked.filter(|asked| name == "query" && *asked != value) {
            Some(asked) => lines.below(name, format!("{value} (of {asked})")),
            None => lines.below(name, value),
        }
    }
    if let Some(asked) = asked.filter(|asked| !has_query && !asked.is_empty()) {
        lines.below("query", format!("not in the key: {asked}"));
    }
    if told["vary"].is_object() {
        match told["vary"]["fields"].as_array() {
            None => lines.put(
                "vary",
                "on more than can be told apart: nothing answers twice",
            ),
            Some(fields) => {
                for field in fields {
                    let value = field["value"]
                        .as_str()
                        .unwrap_or("(not sent to the origin)");
                    lines.put("vary", format!("{}: {value}", text(field, "name")));
                }
            }
        }
    }
}

fn stored(lines: &mut Lines, copy: &Value) {
    let bytes = match copy["bytes"].as_u64() {
        Some(bytes) => format!("{bytes} bytes"),
        None => "length not known yet".to_owned(),
    };
    let found = match copy["found"] == true {
        true => "",
        false => " (not this request's)",
    };
    lines.put(
        "stored",
        format!(
            "{}, {} with {bytes}, {}{found}",
            match text(copy, "tier") {
                "arriving" => "arriving",
                "memory" => "in memory",
                _ => "on disk",
            },
            copy["status"],
            text(copy, "state"),
        ),
    );
    if let Some(variant) = copy["variant"].as_str() {
        lines.below("variant", variant);
    }
    let ttl = &copy["ttl"];
    lines.below(
        "ttl",
        format!(
            "{} gives {} s; age {} s of which {} s on arrival {}; {} s left",
            text(ttl, "source"),
            ttl["lifetime"],
            ttl["age"],
            ttl["initial_age"],
            text(ttl, "received"),
            ttl["remaining"],
        ),
    );
    lines.below("stale", windows(&copy["stale"]));
    if copy["invalidation"].is_object() {
        let by = &copy["invalidation"];
        let items: Vec<_> = list(&by["items"])
            .iter()
            .filter_map(Value::as_str)
            .collect();
        if by["by"] == "change" {
            lines.below("changed", "by a request to its URL that was not safe");
        } else {
            lines.below(
                "invalidated",
                format!(
                    "{} of {} made it {}: {}",
                    text(by, "id"),
                    text(by, "create_time"),
                    text(by, "effect"),
                    match items.is_empty() {
                        true => "its items are not remembered".to_owned(),
                        false => items.join(" "),
                    }
                ),
            );
        }
    }
    if let Some(failure) = copy["failure"].as_str() {
        lines.below("failure", failure);
    }
    let tags: Vec<_> = list(&copy["tags"])
        .iter()
        .filter_map(Value::as_str)
        .collect();
    if !tags.is_empty() {
        lines.below("tags", tags.join(" "));
    }
    for (name, value) in copy["fields"].as_object().into_iter().flatten() {
        lines.below(
            "field",
            format!("{name}: {}", value.as_str().unwrap_or_default()),
        );
    }
}

/// When a stale copy is served.
fn windows(stale: &Value) -> String {
    let mut all = Vec::new();
    if stale["while_revalidate"] != 0 {
        all.push(format!(
            "{} s while it is refreshed",
            stale["while_revalidate"]
        ));
    }
    all.push(match text(stale, "on_error") {
        "within" => format!("{} s when the origin fails", stale["on_error_window"]),
        "if-unreachable" => "when the origin cannot be reached".to_owned(),
        "always" => "when the origin fails".to_owned(),
        _ => "not when the origin fails".to_owned(),
    });
    if let Some(until) = stale["held_off_until"].as_str() {
        all.push(format!("without asking until {until}"));
    }
    let conditions: Vec<_> = list(&stale["conditions"])
        .iter()
        .filter_map(Value::as_str)
        .collect();
    match conditions.is_empty() {
        true => all.push("fetched whole".to_owned()),
        false => all.push(format!("asked about with {}", conditions.join(", "))),
    }
    all.join("; ")
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_read_as_curl_does() {
        // CP-606
        let given = |all: &[&str]| {
            let all: Vec<_> = all.iter().map(|f| (*f).to_owned()).collect();
            fields(&all).map(Value::Object)
        };
        assert_eq!(
            given(&["Accept: a", "X-A:1", "x-a: 2:3", "Empty:"]),
            Ok(json!({ "accept": ["a"], "x-a": ["1", "2:3"], "empty": [""] }))
        );
        assert!(given(&["Accept"]).is_err());
    }

    #[test]
    fn people_are_told_of_a_shield() {
        // CP-606, CF-415
        let line = |state: &str| {
            let shield = json!({ "region": "eu-west-1", "state": state, "nodes": ["http://a:80", "http://b:80"] });
            behavior(&json!({
                "path_pattern": "*", "default": true, "did_not_match": [], "cache_policy": null, "origin": "app",
                "shield": shield,
            }))
        };
        assert_eq!(
            line("asked"),
            "* (the default), origin app by shield eu-west-1 (http://a:80, http://b:80)"
        );
        assert_eq!(
            line("left out"),
            "* (the default), origin app, its shield eu-west-1 (http://a:80, http://b:80) left out"
        );
    }

    #[test]
    fn people_get_aligned_lines() {
        // CP-606
        let told = json!({
            "request": { "method": "GET", "host": "a.test", "target": "/a?x=1&y=2" },
            "distribution": { "id": "E1", "matched_by": "alias a.test" },
            "behavior": {
                "path_pattern": "/a*", "default": false, "did_not_match": ["/b"], "cache_policy": null, "origin": "app",
            },
            "functions": [{ "event_type": "viewer-request", "name": "auth", "version": 3 }],
            "cache": {
                "mode": "rfc9111", "method_may_use_it": true, "policy_allows": true, "min_ttl": 0, "default_ttl": 60,
                "max_ttl": 600,
            },
            "key": { "hash": "00ff", "parts": [{ "part": "path", "value": "/a" }, { "part": "query", "value": "x=1" }] },
            "vary": { "fields": [{ "name": "accept", "value": null }], "variant": "11" },
            "stored": [{
                "tier": "memory", "found": true, "variant": "11", "status": 200, "bytes": 5, "state": "stale", "failure": null,
                "tags": ["t"], "fields": { "etag": "\"1\"" },
                "ttl": {
                    "source": "max-age", "lifetime": 60, "received": "T", "initial_age": 0, "age": 70, "remaining": -10,
                },
                "stale": {
                    "while_revalidate": 30, "on_error": "within", "on_error_window": 5, "held_off_until": null,
                    "conditions": ["if-none-match"],
                },
                "invalidation": { "id": "I1", "effect": "stale", "create_time": "U", "items": ["/a*"] },
            }],
            "verdict": {
                "result": "stale", "reason": "stale-revalidate", "grace": "stale-while-revalidate",
                "origin": "asked in the background",
            },
            "notes": ["so it is"],
        });
        let want = "\
request       GET a.test/a?x=1&y=2
verdict       stale for 10 s, served: stale-while-revalidate; reason stale-revalidate; origin asked in the background
distribution  E1 (alias a.test)
behavior      /a* (the first that matches, after /b), origin app
function      viewer-request: auth version 3
cache         mode rfc9111, the method may use it; min_ttl 0, default_ttl 60, max_ttl 600
key           00ff
  path        /a
  query       x=1 (of x=1&y=2)
vary          accept: (not sent to the origin)
stored        in memory, 200 with 5 bytes, stale
  variant     11
  ttl         max-age gives 60 s; age 70 s of which 0 s on arrival T; -10 s left
  stale       30 s while it is refreshed; 5 s when the origin fails; asked about with if-none-match
  invalidated I1 of U made it stale: /a*
  tags        t
  field       etag: \"1\"
note          so it is
";
        assert_eq!(for_people(&told), want);
    }
}
