//! What botocore wrote is read, and what is written botocore has read (CP-020..026, CP-030..033, CP-200, CP-230..232).
//!
//! `conformance/aws/capture.py` made the vectors: for every operation that is answered a request with all members and one
//! with those that have to be there, and answers that botocore understood as they were meant.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use fourfront_aws::{
    Asked, Dispatch, Protocol, Reply, Routed, Service, Tier, decode, dispatch, encode, pairs,
    route, route_named,
};
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Value, json};

fn vectors(lines: &str) -> Vec<Value> {
    lines
        .lines()
        .map(|line| serde_json::from_str(line).expect("a vector"))
        .collect()
}

fn requests() -> Vec<Value> {
    vectors(include_str!("vectors/requests.jsonl"))
}

fn answers() -> Vec<Value> {
    vectors(include_str!("vectors/answers.jsonl"))
}

fn text<'a>(vector: &'a Value, name: &str) -> &'a str {
    vector[name].as_str().expect("a text")
}

fn body(vector: &Value) -> Vec<u8> {
    let body = text(vector, "body");
    if vector["raw"] == json!(true) {
        STANDARD.decode(body).expect("base64")
    } else {
        body.as_bytes().to_vec()
    }
}

fn headers(vector: &Value) -> HeaderMap {
    let headers = vector["headers"].as_object().expect("headers");
    headers
        .iter()
        .map(|(name, value)| {
            let name = HeaderName::from_bytes(name.as_bytes()).expect("a name");
            let value = value.as_str().expect("a text");
            (name, HeaderValue::from_str(value).expect("a value"))
        })
        .collect()
}

fn service(vector: &Value) -> Service {
    Service::signed_as(text(vector, "service")).expect("a service")
}

fn routed(vector: &Value) -> Routed {
    let service = service(vector);
    let (path, query) = (text(vector, "path"), text(vector, "query"));
    match service.protocol() {
        Protocol::RestXml | Protocol::RestJson => {
            route(service, text(vector, "method"), path, query).expect("an operation")
        }
        Protocol::Query => {
            let form = pairs(text(vector, "body")).expect("a form");
            let action = form.iter().find(|(name, _)| name == "Action");
            let action = action.map(|(_, name)| name.clone()).expect("an action");
            route_named(service, &action, form).expect("an operation")
        }
        Protocol::Json11 => {
            let target = headers(vector)["x-amz-target"].clone();
            let target = target.to_str().expect("a text");
            let (_, name) = target.split_once('.').expect("a target");
            route_named(service, name, Vec::new()).expect("an operation")
        }
    }
}

#[test]
fn requests_of_botocore_are_read() {
    // CP-002, CP-008, CP-020..024, CP-030..033, CP-200: every request of botocore's comes out as it went in.
    for vector in requests() {
        let name = text(&vector, "operation");
        let routed = routed(&vector);
        assert_eq!(routed.operation.name, name);
        let decoded = decode(&routed, &headers(&vector), &body(&vector))
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(decoded.input, vector["input"], "{name}");
        assert_eq!(decoded.unknown, Vec::<String>::new(), "{name}");
    }
}

#[test]
fn requests_of_botocore_are_dispatched() {
    // CP-002: the same requests are known by their form alone.
    for vector in requests() {
        let headers = headers(&vector);
        let target = headers.get("x-amz-target");
        let form = service(&vector).protocol() == Protocol::Query;
        let asked = Asked {
            scope: None,
            method: text(&vector, "method"),
            path: text(&vector, "path"),
            query: text(&vector, "query"),
            target: target.map(|target| target.to_str().expect("a text")),
            form: form.then(|| text(&vector, "body")),
        };
        assert_eq!(
            dispatch(asked),
            Dispatch::Service(service(&vector)),
            "{}",
            text(&vector, "operation")
        );
    }
}

#[test]
fn answers_are_those_that_botocore_read() {
    // CP-024..026, CP-031, CP-032, CP-230..232: answers are those that botocore read.
    let reply = Reply {
        request_id: "3f1c0b1e-0000-4000-8000-000000000001",
        namespace: None,
    };
    for vector in answers() {
        let name = text(&vector, "operation");
        let operation = service(&vector).operation(name).expect("an operation");
        let answer = encode(operation, &reply, &vector["output"]).expect("an answer");
        assert_eq!(json!(answer.status.as_u16()), vector["status"], "{name}");
        assert_eq!(answer.headers, headers(&vector), "{name}");
        assert_eq!(
            String::from_utf8_lossy(&answer.body),
            String::from_utf8_lossy(&body(&vector)),
            "{name}"
        );
    }
}

#[test]
fn every_operation_has_vectors() {
    // CP-700: no operation that is answered is left out.
    let (requests, answers) = (requests(), answers());
    for service in Service::ALL {
        for operation in service.operations() {
            if operation.tier == Tier::Later {
                continue;
            }
            let of = |vector: &&Value| {
                vector["service"] == service.signing_name() && vector["operation"] == operation.name
            };
            assert_eq!(requests.iter().filter(of).count(), 2, "{}", operation.name);
            assert_eq!(answers.iter().filter(of).count(), 2, "{}", operation.name);
        }
    }
}
