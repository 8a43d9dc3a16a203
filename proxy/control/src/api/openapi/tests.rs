use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use bytes::Bytes;

use super::*;
use crate::{
    api::front::Received,
    api::testing::{Node, SITE, caller, front},
    published,
};

#[test]
fn the_document_that_is_shipped_is_the_one_that_is_made() {
    // CP-621
    published::same("deploy/openapi.json", &text());
}

#[test]
fn every_route_is_described_and_none_else() {
    // CP-620, CP-621
    let known: Vec<_> = Action::routes().map(|(m, t, _)| (m, t)).collect();
    let described: Vec<_> = routes::ALL.iter().map(|(m, t, _)| (*m, *t)).collect();
    assert_eq!(described, known);
    let document = document();
    let paths = document["paths"].as_object().unwrap();
    let operations = paths.values().flat_map(|item| item.as_object().unwrap());
    assert_eq!(operations.clone().count(), known.len());
    let ids: BTreeSet<_> = operations
        .map(|(_, o)| o["operationId"].to_string())
        .collect();
    assert_eq!(ids.len(), known.len(), "operationId has to be unique");
}

#[test]
fn what_is_referred_to_is_there_and_all_of_it_is_referred_to() {
    // CP-621
    let document = document();
    let mut named = BTreeSet::new();
    fn walk(value: &Value, named: &mut BTreeSet<String>) {
        match value {
            Value::Object(members) => {
                if let Some(name) = members.get("$ref").and_then(Value::as_str) {
                    named.insert(name.to_owned());
                }
                members.values().for_each(|v| walk(v, named));
            }
            Value::Array(items) => items.iter().for_each(|v| walk(v, named)),
            _ => {}
        }
    }
    walk(&document, &mut named);
    for name in &named {
        assert!(
            document.pointer(name.trim_start_matches('#')).is_some(),
            "{name}"
        );
    }
    for name in document["components"]["schemas"]
        .as_object()
        .unwrap()
        .keys()
    {
        let name = format!("#/components/schemas/{name}");
        assert!(named.contains(&name), "nothing refers to {name}");
    }
    // Each is a schema that a validator takes.
    for (name, schema) in document["components"]["schemas"].as_object().unwrap() {
        let mut schema = schema.clone();
        schema["components"] = document["components"].clone();
        if let Err(e) = jsonschema::draft202012::new(&schema) {
            panic!("{name}: {e}");
        }
    }
}

/// What a reader that refuses unknown members says that it takes: words in backquotes after the fault.
fn listed(detail: &str, after: &str) -> BTreeSet<String> {
    let (_, rest) = detail.split_once(after).unwrap_or(("", detail));
    rest.split('`')
        .skip(1)
        .step_by(2)
        .map(str::to_owned)
        .collect()
}

#[test]
fn requests_list_the_members_that_are_read() {
    // CP-621: each reader names what it takes when it meets what it does not know
    let node = Node::start(SITE);
    node.aws("CreateKeyValueStore", json!({ "Name": "routes" }))
        .unwrap();
    let document = document();
    let schemas = &document["components"]["schemas"];
    let told = |name: &str| -> BTreeSet<String> {
        let properties = schemas[name]["properties"].as_object().unwrap();
        properties.keys().cloned().collect()
    };
    let unknown = Received::of(Bytes::from_static(br#"{"zzz": 1}"#));
    let (control, _kept) = node.into_parts();
    let front = front(control);
    let head = |method: http::Method| crate::api::front::Head {
        method,
        path: String::new(),
        query: String::new(),
        headers: http::HeaderMap::new(),
        over_tls: false,
        source: fourfront_auth::Source::Address(std::net::Ipv4Addr::LOCALHOST.into()),
        now: std::time::SystemTime::UNIX_EPOCH,
    };
    let native = |method: http::Method, path: &str| {
        let answer = crate::api::native::answer(&front, &head(method), path, &unknown, &caller(5));
        let told: Value = serde_json::from_slice(&answer.body).unwrap();
        assert_eq!(answer.status, 400, "{path}: {told}");
        told["detail"].as_str().unwrap().to_owned()
    };
    let mut seen = BTreeSet::from(["Plan", "DocumentChange"]);
    for (method, path, schema) in [
        (http::Method::POST, "plan", "Deploy"),
        (http::Method::POST, "releases/r1/activate", "Activation"),
        (http::Method::PUT, "stages/E1", "StageTraffic"),
        (http::Method::POST, "stages/E1/deploy", "Deploy"),
        (http::Method::POST, "test", "Test"),
        (http::Method::POST, "keys", "NewKey"),
        (http::Method::POST, "keys/FF1/rotate", "Rotation"),
        (http::Method::POST, "kv/routes", "EntryChanges"),
    ] {
        let detail = native(method, path);
        assert_eq!(listed(&detail, "`zzz`"), told(schema), "{schema}: {detail}");
        seen.insert(schema);
    }
    // Those of the node itself are held against it where a node runs.
    seen.extend(["Explain", "Purge"]);
    let bodies: BTreeSet<_> = routes::ALL
        .iter()
        .filter_map(|(_, _, route)| match route.body {
            Body::Required(name) | Body::Optional(name) => Some(name),
            _ => None,
        })
        .collect();
    seen.remove("Plan");
    assert_eq!(bodies, seen);
}

/// The same schema with nothing in objects but what is named.
fn closed(schema: &Value) -> Value {
    match schema {
        Value::Array(items) => items.iter().map(closed).collect(),
        Value::Object(members) => {
            let mut all: Map<_, _> = members
                .iter()
                .map(|(k, v)| (k.clone(), closed(v)))
                .collect();
            if all.get("properties").is_some_and(Value::is_object) {
                all.entry("additionalProperties").or_insert(json!(false));
            }
            Value::Object(all)
        }
        other => other.clone(),
    }
}

/// Holds a value against a schema of the document.
fn held(name: &str, value: &Value) {
    let document = document();
    let mut schema = reference(name);
    schema["components"]["schemas"] = closed(&document["components"]["schemas"]);
    let validator = jsonschema::draft202012::new(&schema).unwrap();
    let wrong: Vec<String> = validator
        .iter_errors(value)
        .map(|e| format!("{}: {e}", e.instance_path()))
        .collect();
    assert!(wrong.is_empty(), "{name}: {wrong:#?}\nof {value:#}");
}

#[test]
fn answers_are_as_they_are_described() {
    // CP-620, CP-621; CP-433, CP-611, CP-612. Those of the node itself are held against the document where a node runs.
    let node = Node::start(SITE);
    let entry = fourfront_store::AuditEntry {
        changes: vec![fourfront_store::AuditChange {
            kind: fourfront_store::Kind::Distribution,
            id: "E1".into(),
            before: Some(1),
            after: None,
        }],
        ..fourfront_store::AuditEntry::default()
    };
    let entries = vec![entry.clone(), entry.clone(), entry];
    node.control.store().audit(entries).unwrap();
    let (control, _kept) = node.into_parts();
    let front = front(control);
    let ask = |method: http::Method, path: &str, body: &Value| {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let head = crate::api::front::Head {
            method,
            path: String::new(),
            query: query.to_owned(),
            headers: http::HeaderMap::new(),
            over_tls: false,
            source: fourfront_auth::Source::Address(std::net::Ipv4Addr::LOCALHOST.into()),
            now: std::time::SystemTime::UNIX_EPOCH,
        };
        let body = match body {
            Value::Null => Bytes::new(),
            body => body.to_string().into(),
        };
        let answer =
            crate::api::native::answer(&front, &head, path, &Received::of(body), &caller(5));
        let told: Value = serde_json::from_slice(&answer.body).unwrap();
        assert!(answer.status.is_success(), "{path}: {told}");
        told
    };
    let place = json!({ "file": "t.yaml", "line": 1, "column": 1 });
    let mut config = crate::api::testing::config(80);
    config["CallerReference"] = json!("2");
    let mut plan = json!({ "plan": {
        "stack": "shop",
        "distributions": [{ "id": "D", "place": place, "config": config }],
        "stores": [{ "id": "S", "place": place, "name": "routes" }],
        "notes": [{ "kind": "ignored", "place": place, "path": "Resources.X", "text": "nothing" }],
    } });
    held("Planned", &ask(http::Method::POST, "plan", &plan));
    held("Deployed", &ask(http::Method::POST, "releases", &plan));
    let served =
        json!({ "items": [{ "kind": "distribution", "id": "EFILE", "name": "file.test" }] });
    let told = crate::api::native::in_force(front.control(), &served);
    held("InForce", &told);
    let from = |of: &str| {
        let mut items = told["items"].as_array().unwrap().iter();
        let found = items.find(|i| i["kind"] == "distribution" && i["from"] == of);
        found.unwrap_or_else(|| panic!("{of}: {told}"))["id"].clone()
    };
    assert_eq!(
        (from("deployed"), from("site file")),
        (json!("E1"), json!("EFILE"))
    );
    let id = from("stack shop");
    let path = format!("stages/{}", id.as_str().unwrap());
    held("Stage", &ask(http::Method::POST, &path, &Value::Null));
    plan["plan"]["distributions"][0]["config"]["Comment"] = json!("changed");
    let told = ask(http::Method::POST, &format!("{path}/deploy"), &plan);
    held("TriedOut", &told);
    assert_eq!(told["notes"].as_array().unwrap().len(), 1);
    let mut steps = told["steps"].as_array().unwrap().iter();
    let step = steps.find(|s| s["kind"] == "distribution").unwrap();
    let staging = &told["staging"]["id"];
    assert_eq!(
        (&step["action"], &step["name"]),
        (&json!("change"), staging)
    );
    let page = ask(http::Method::GET, "audit?limit=2", &Value::Null);
    held("AuditEntries", &page);
    assert_eq!(page["items"][0]["changes"].as_array().unwrap().len(), 1);
    let next = format!("audit?before={}", page["next"]);
    held("AuditEntries", &ask(http::Method::GET, &next, &Value::Null));
}

#[test]
fn a_plan_is_described_as_it_is_written() {
    // CP-301, CP-621: every member of every part, as it is serialised
    use fourfront_import as import;
    let document = document();
    let plan = &document["components"]["schemas"]["Plan"]["properties"];
    let written = serde_json::to_value(import::Plan::default()).unwrap();
    let names = |value: &Value| -> BTreeSet<String> {
        value.as_object().unwrap().keys().cloned().collect()
    };
    assert_eq!(names(plan), names(&written));
}

/// The sources of the control plane and of the node.
fn sources() -> Vec<PathBuf> {
    fn walk(directory: &Path, all: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() && name != "openapi" && name != "cli" {
                walk(&path, all);
            } else if name.ends_with(".rs") && !name.starts_with("test") {
                all.push(path);
            }
        }
    }
    let here =
        PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").expect("tests are run by cargo"));
    let mut all = Vec::new();
    walk(&here.join("src/api"), &mut all);
    walk(&here.join("../src"), &mut all);
    all
}

/// Whether a text has the form of a code: `NoSuchStage`.
fn is_code(text: &str) -> bool {
    text.len() > 5
        && text.starts_with(|c: char| c.is_ascii_uppercase())
        && text.bytes().all(|b| b.is_ascii_alphanumeric())
        && text.bytes().any(|b| b.is_ascii_lowercase())
}

#[test]
fn every_code_of_the_source_is_listed() {
    // CP-621: codes are stable, so that one is added where it is made and here
    let makers = [
        "ApiError::new(",
        "ApiError::cloudfront(",
        "ApiError::lambda(",
        "ApiError::store_data(",
        "code: \"",
    ];
    let mut made: BTreeMap<String, PathBuf> = BTreeMap::new();
    // Those that can be told to be of problem documents, wherever they are made.
    let mut of_problems = made.clone();
    let is_code = |text: &&str| is_code(text);
    for path in sources() {
        let text = fs::read_to_string(&path).unwrap();
        let text = text
            .split("#[cfg(test)]\nmod tests {")
            .next()
            .unwrap_or_default();
        for (at, _) in text.match_indices("Problem::new(") {
            let call: String = text[at..].chars().take(160).collect();
            let call = call.split(';').next().unwrap_or_default();
            if let Some(code) = call.split('"').skip(1).step_by(2).find(is_code) {
                of_problems.insert(code.to_owned(), path.clone());
            }
        }
        // `(StatusCode::BAD_REQUEST, "MalformedInput")`
        for (_, rest) in text
            .split("(StatusCode::")
            .skip(1)
            .filter_map(|t| t.split_once(','))
        {
            let code = rest.trim_start().strip_prefix('"');
            let code = code.and_then(|rest| rest.split('"').next()).filter(is_code);
            if let Some(code) = code {
                of_problems.insert(code.to_owned(), path.clone());
            }
        }
        for maker in makers {
            for (at, _) in text.match_indices(maker) {
                let call = &text[at..];
                let call: String = call.chars().take(160).collect();
                let call = call.split(';').next().unwrap_or_default();
                let first = call.split('"').skip(1).step_by(2).find(is_code);
                if let Some(code) = first {
                    made.entry(code.to_owned()).or_insert_with(|| path.clone());
                }
            }
        }
    }
    assert!(made.len() > 20, "{made:?}");
    assert!(of_problems.len() > 15, "{of_problems:?}");
    // Of services that the native API does not go through: STS, IAM, logs, and those that requests are handed on to, which are
    // refused in their own forms; and of the wire's own readers.
    let elsewhere = |path: &Path| {
        let path = path.to_string_lossy();
        [
            "iam.rs",
            "sts.rs",
            "logs.rs",
            "events.rs",
            "pattern.rs",
            "forward.rs",
            "error.rs",
        ]
        .iter()
        .any(|name| path.ends_with(name))
    };
    let listed: BTreeSet<&str> = codes::OWN
        .iter()
        .map(|(code, _)| *code)
        .chain(codes::of_services())
        .collect();
    for (code, path) in &made {
        let known = listed.contains(code.as_str()) || elsewhere(path);
        assert!(known, "`{code}` of {} is not listed", path.display());
    }
    for (code, path) in &of_problems {
        let known = listed.contains(code.as_str());
        assert!(known, "`{code}` of {} is not listed", path.display());
    }
}

#[test]
fn every_code_about_who_is_asking_is_listed() {
    // CP-400, CP-621
    use fourfront_auth::{AuthFault, Service, StoreError};
    for fault in [
        AuthFault::Missing,
        AuthFault::UnknownKey,
        AuthFault::TokenExpired,
        AuthFault::Store(StoreError::new("disk")),
        AuthFault::TooManyFailures {
            retry_after: std::time::Duration::from_secs(1),
        },
    ] {
        let code = fault.code(Service::Native);
        assert!(codes::OWN.iter().any(|(known, _)| *known == code), "{code}");
    }
    let source = include_str!("../../../auth/src/fault.rs");
    let (_, code) = source.split_once("pub const fn code").unwrap();
    let (code, _) = code.split_once("pub fn message").unwrap();
    let is_native = |word: &&str| {
        word.contains('_') && word.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')
    };
    let words: BTreeSet<&str> = code
        .split('"')
        .skip(1)
        .step_by(2)
        .filter(is_native)
        .collect();
    assert!(words.len() >= 9, "{words:?}");
    for word in words {
        assert!(codes::OWN.iter().any(|(known, _)| *known == word), "{word}");
    }
}
