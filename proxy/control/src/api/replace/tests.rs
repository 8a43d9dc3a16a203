use super::*;
use crate::api::testing::{Node, SITE, caller, config, policy};

/// What a write comes to: its status, and the document or the code of the problem.
fn put_at(node: &Node, kind: &Kind, id: &str, body: &Value, wanted: Option<&str>) -> (u16, Value) {
    let given = body.as_object().cloned().unwrap_or_default();
    match put(&node.control, kind, id, &given, wanted, &caller(3_000)) {
        Ok((status, told)) => (status.as_u16(), told),
        Err(problem) => {
            eprintln!("{}", problem.detail);
            (problem.status.as_u16(), json!(problem.code))
        }
    }
}

#[test]
fn a_document_is_replaced_by_who_knows_which() {
    // CP-620, CP-040: If-Match, 412 and 428
    let node = Node::start(SITE);
    let kind = Kind::Distribution;
    let etag = |node: &Node| node.control.store().get(&kind, "E1").unwrap().etag();
    let before = etag(&node);
    let body = json!({ "config": config(81) });
    assert_eq!(
        put_at(&node, &kind, "E1", &body, None),
        (428, json!("PreconditionRequired"))
    );
    for wrong in ["E2QWRUHAPOMQZL", "", "gone"] {
        assert_eq!(
            put_at(&node, &kind, "E1", &body, Some(wrong)),
            (412, json!("PreconditionFailed"))
        );
    }
    let (status, told) = put_at(&node, &kind, "E1", &body, Some(&before));
    assert_eq!(status, 200, "{told}");
    assert_ne!(told["etag"], json!(before));
    assert_eq!(told["etag"], json!(etag(&node)));
    assert_eq!(node.port_of("E1"), Some(81), "it is served");
    // What was read is written again, changed.
    let mut again = told["body"].clone();
    again["config"]["Origins"]["Items"][0]["CustomOriginConfig"]["HTTPPort"] = json!("82");
    let stale = put_at(&node, &kind, "E1", &again, Some(&before));
    assert_eq!(stale, (412, json!("PreconditionFailed")));
    let (status, told) = put_at(&node, &kind, "E1", &again, told["etag"].as_str());
    assert_eq!((status, node.port_of("E1")), (200, Some(82)), "{told}");
    // Whichever there is.
    assert_eq!(put_at(&node, &kind, "E1", &body, Some("*")).0, 200);
    assert_eq!(put_at(&node, &kind, "E9", &body, Some("*")).0, 412);
}

#[test]
fn what_the_api_refuses_is_refused() {
    // CP-620, CP-118: by the operations' own codes; nothing has changed then
    let node = Node::start(SITE);
    let kind = Kind::Distribution;
    let before = node.control.store().get(&kind, "E1").unwrap().etag();
    let with = |name: &str, value: Value| {
        let mut config = config(81);
        config[name] = value;
        json!({ "config": config })
    };
    for (body, code) in [
        (with("CallerReference", json!("other")), "IllegalUpdate"),
        (with("Enabled", json!("perhaps")), "MalformedInput"),
        (with("Staging", json!(true)), "IllegalUpdate"),
        (
            with("Aliases", json!({ "Quantity": 2, "Items": ["a.test"] })),
            "InconsistentQuantities",
        ),
        (json!({ "config": 1 }), "MalformedInput"),
        (json!({ "domain_name": "other.test" }), "InvalidArgument"),
        (json!({ "confog": {} }), "InvalidArgument"),
    ] {
        let (status, told) = put_at(&node, &kind, "E1", &body, Some(&before));
        assert_eq!((status, told), (400, json!(code)), "{body}");
    }
    assert_eq!(
        node.control.store().get(&kind, "E1").unwrap().etag(),
        before
    );
    assert_eq!(node.port_of("E1"), Some(80));
    for kind in [
        Kind::Release,
        Kind::Setting,
        Kind::LambdaVersion,
        Kind::Role,
    ] {
        let told = put_at(&node, &kind, "x", &json!({}), None);
        assert_eq!(told, (405, json!("MethodNotAllowed")), "{kind}");
    }
}

#[test]
fn policies_are_replaced_and_not_made() {
    // CP-620, CP-101
    let node = Node::start(SITE);
    let made = node
        .aws(
            "CreateCachePolicy",
            json!({ "CachePolicyConfig": policy("a", 1) }),
        )
        .unwrap();
    let id = made["CachePolicy"]["Id"].as_str().unwrap().to_owned();
    let etag = node
        .control
        .store()
        .get(&Kind::CachePolicy, &id)
        .unwrap()
        .etag();
    let body = json!({ "config": policy("a", 5) });
    let (status, told) = put_at(&node, &Kind::CachePolicy, &id, &body, Some(&etag));
    assert_eq!(
        (status, &told["body"]["config"]["MinTTL"]),
        (200, &json!(5))
    );
    let told = put_at(&node, &Kind::CachePolicy, "mine", &body, None);
    assert_eq!(told, (404, json!("NotFound")));
}

#[test]
fn what_callers_name_is_made_and_changed() {
    // CP-620: functions by artifacts that were sent before, stores and aliases
    let node = Node::start(SITE);
    let code = node
        .control
        .store()
        .blob_put(b"function handler(e) { return e.request; }")
        .unwrap();
    let other = node
        .control
        .store()
        .blob_put(b"function handler(e) { return e.request }")
        .unwrap();
    let settings = json!({ "Comment": "one", "Runtime": "cloudfront-js-2.0" });
    let body = json!({ "development": { "config": settings, "sha256": code.to_string() } });
    let kind = Kind::CloudfrontFunction;
    let (status, told) = put_at(&node, &kind, "edge", &body, None);
    assert_eq!(status, 201, "{told}");
    assert_eq!(told["body"]["live"], Value::Null);
    let mut again = told["body"].clone();
    again["development"]["sha256"] = json!(other.to_string());
    let (status, told) = put_at(&node, &kind, "edge", &again, told["etag"].as_str());
    assert_eq!(status, 200, "{told}");
    assert_eq!(
        told["body"]["development"]["sha256"],
        json!(other.to_string())
    );
    assert_eq!(told["body"]["development"]["config"]["Comment"], "one");
    for wrong in ["", "00", &"0".repeat(64)] {
        again["development"]["sha256"] = json!(wrong);
        let told = put_at(&node, &kind, "edge", &again, Some("*"));
        assert_eq!(told, (400, json!("InvalidArgument")), "{wrong}");
    }
    let kind = Kind::KeyValueStore;
    let (status, _) = put_at(&node, &kind, "routes", &json!({ "comment": "a" }), None);
    assert_eq!(status, 201);
    let (status, told) = put_at(
        &node,
        &kind,
        "routes",
        &json!({ "comment": "b" }),
        Some("*"),
    );
    assert_eq!((status, &told["body"]["comment"]), (200, &json!("b")));

    let zip = node.zip("exports.handler = async () => ({});");
    let role = "arn:aws:iam::000000000000:role/edge";
    let settings = json!({ "Role": role, "Runtime": "nodejs20.x", "Handler": "index.handler" });
    let body = json!({ "latest": { "config": settings, "sha256": zip } });
    let (status, told) = put_at(&node, &Kind::Lambda, "hook", &body, None);
    assert_eq!(status, 201, "{told}");
    let mut again = told["body"].clone();
    again["latest"]["config"]["Timeout"] = json!(7);
    let (status, told) = put_at(&node, &Kind::Lambda, "hook", &again, told["etag"].as_str());
    assert_eq!(
        (status, &told["body"]["latest"]["config"]["Timeout"]),
        (200, &json!(7))
    );
    again = told["body"].clone();
    again["latest"]["config"]["Timeout"] = json!("long");
    let (status, _) = put_at(&node, &Kind::Lambda, "hook", &again, Some("*"));
    assert_eq!(status, 400);
    let body = json!({ "version": "$LATEST", "description": "now" });
    let (status, told) = put_at(&node, &Kind::LambdaAlias, "hook:live", &body, None);
    assert_eq!(
        (status, &told["body"]["version"]),
        (201, &json!("$LATEST")),
        "{told}"
    );
    let body = json!({ "version": "9" });
    let (status, _) = put_at(&node, &Kind::LambdaAlias, "hook:live", &body, Some("*"));
    assert_eq!(status, 404);
}
