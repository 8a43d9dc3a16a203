use super::*;
use crate::api::testing::{Node, SITE, caller};

fn ask(node: &Node, body: &Value) -> (u16, Value) {
    match answer(&node.control, &body.to_string().into(), &caller(3_000)) {
        Ok((status, told)) => (status.as_u16(), told),
        Err(problem) => (problem.status.as_u16(), json!(problem.code)),
    }
}

#[test]
fn a_function_is_run_in_the_version_that_is_meant() {
    // CP-605, CP-620, CP-077
    let node = Node::start(&format!("{SITE}functions: {{ local: ./local.js }}\n"));
    node.lambda("hook", "exports.handler = async () => ({});");
    for (asked, version) in [
        (json!({ "function": "hook", "event": {} }), "$LATEST"),
        (
            json!({ "function": "hook", "version": 1, "event": {} }),
            "1",
        ),
        (
            json!({ "function": "hook", "version": "1", "event": {} }),
            "1",
        ),
        (
            json!({ "function": "hook", "version": "$LATEST", "event": {} }),
            "$LATEST",
        ),
        (json!({ "function": "local", "event": {} }), "1"),
        (
            json!({ "function": "local", "kind": "lambda", "event": {} }),
            "1",
        ),
    ] {
        let (status, told) = ask(&node, &asked);
        assert_eq!(status, 200, "{asked}: {told}");
        assert_eq!(
            (&told["version"], &told["kind"]),
            (&json!(version), &json!("lambda"))
        );
        // The node of these tests tells which function it ran, and on what.
        let number: u32 = version.parse().unwrap_or(0);
        assert_eq!(
            told["result"],
            json!({ "ran": asked["function"], "version": number, "on": {} })
        );
        assert_eq!(
            (&told["error"], &told["log"]),
            (&Value::Null, &json!(["a line"]))
        );
    }
    for (asked, refused) in [
        (
            json!({ "function": "hook", "version": 7, "event": {} }),
            (404, "ResourceNotFoundException"),
        ),
        (
            json!({ "function": "nobody", "event": {} }),
            (404, "NoSuchFunction"),
        ),
        (
            json!({ "function": "local", "version": 2, "event": {} }),
            (404, "NoSuchFunction"),
        ),
        (
            json!({ "function": "hook", "kind": "cloudfront", "event": {} }),
            (404, "NoSuchFunction"),
        ),
        (json!({ "function": "hook" }), (400, "InvalidArgument")),
        (
            json!({ "function": "hook", "event": [] }),
            (400, "InvalidArgument"),
        ),
        (
            json!({ "function": "hook", "event": {}, "stage": 1 }),
            (400, "InvalidArgument"),
        ),
    ] {
        let (status, code) = refused;
        assert_eq!(ask(&node, &asked), (status, json!(code)), "{asked}");
    }
}

#[test]
fn what_a_function_fails_with_is_told_and_refuses_nothing() {
    // CP-605, CP-620
    let node = Node::start(SITE);
    node.lambda("hook", "exports.handler = async () => ({});");
    let (status, told) = ask(
        &node,
        &json!({ "function": "hook", "event": { "throw": "no" } }),
    );
    assert_eq!((status, &told["result"]), (200, &Value::Null));
    assert_eq!(told["error"], json!({ "type": "Error", "message": "no" }));
}

#[test]
fn a_cloudfront_function_is_run_in_either_stage() {
    // CP-153, CP-620
    let node = Node::start(SITE);
    let code = "ZnVuY3Rpb24gaGFuZGxlcihlKSB7IHJldHVybiBlLnJlcXVlc3Q7IH0=";
    let settings = json!({ "Comment": "", "Runtime": "cloudfront-js-2.0" });
    let input = json!({ "Name": "edge", "FunctionConfig": settings, "FunctionCode": code });
    let made = node.aws("CreateFunction", input).unwrap();
    let ask_for = |version: Value| {
        let asked = json!({ "function": "edge", "version": version, "event": { "a": 1 } });
        let (status, told) = ask(&node, &asked);
        (
            status,
            told.get("version").cloned().unwrap_or_else(|| told.clone()),
        )
    };
    assert_eq!(ask_for(Value::Null), (200, json!("DEVELOPMENT")));
    assert_eq!(ask_for(json!("LIVE")), (404, json!("NoSuchFunction")));
    assert_eq!(ask_for(json!(3)), (400, json!("InvalidArgument")));
    let input = json!({ "Name": "edge", "IfMatch": made["ETag"] });
    node.aws("PublishFunction", input).unwrap();
    assert_eq!(ask_for(Value::Null), (200, json!("LIVE")));
    assert_eq!(ask_for(json!("DEVELOPMENT")), (200, json!("DEVELOPMENT")));
    let (_, told) = ask(&node, &json!({ "function": "edge", "event": { "a": 1 } }));
    assert_eq!(told["result"], json!({ "request": { "a": 1 } }));
    assert_eq!(told["compute_utilization"], 12);
    // A name that either kind has says nothing.
    node.lambda("edge", "exports.handler = async () => ({});");
    assert_eq!(ask_for(Value::Null), (400, json!("InvalidArgument")));
    let asked = json!({ "function": "edge", "kind": "lambda", "event": {} });
    assert_eq!(ask(&node, &asked).1["kind"], "lambda");
}

#[test]
fn the_function_is_known_before_it_is_run() {
    // CP-432: rights of restricted keys go by its name
    assert_eq!(
        function(br#"{"function":"a-b","event":{}}"#),
        Some(Named::Function("a-b".to_owned()))
    );
    for wrong in ["", "{}", r#"{"function":1,"event":{}}"#] {
        assert_eq!(function(wrong.as_bytes()), None);
    }
}
