use super::*;
use crate::api::testing::{Node, SITE, caller};

fn deploy_of(plan: Value, prune: bool) -> Deploy {
    let mut plan = plan;
    plan["stack"] = json!("shop");
    let body = json!({ "plan": plan, "prune": prune });
    Deploy::read(&body.to_string().into()).unwrap()
}

fn planned(id: &str, mut item: Value) -> Value {
    item["id"] = json!(id);
    item["place"] = json!({ "file": "f", "line": 1, "column": 1 });
    item
}

fn deploy(node: &Node, plan: Value, prune: bool) -> Result<Value, ApiError> {
    node.control.deploy(&deploy_of(plan, prune), &caller(3_000))
}

fn activate(node: &Node, deployed: &Value) -> Result<Value, ApiError> {
    let release = deployed["release"].as_str().unwrap();
    node.control.activate(release, "", &caller(5_000))
}

/// A CloudFront Function, published or not.
fn edge(code: &str, publish: bool) -> Value {
    let config = json!({ "Comment": "", "Runtime": "cloudfront-js-2.0" });
    let item = json!({ "name": "edge", "code": code, "config": config, "publish": publish });
    planned("Edge", item)
}

/// The id of a resource of the stack, by its kind and logical id.
fn owned(node: &Node, key: &str) -> Option<String> {
    let found = node
        .control
        .store()
        .get(&Kind::Setting, &apply::stack_id("shop"));
    let stack: Stack = serde_json::from_slice(found?.body.as_deref()?).ok()?;
    Some(stack.resources.get(key)?.id.clone())
}

#[test]
fn a_release_does_not_take_back_what_another_stack_owns_now() {
    // CP-302, CP-609
    let node = Node::start(SITE);
    let stores = json!([planned("Settings", json!({ "name": "settings" }))]);
    let functions = json!([edge("function handler(e) { return e.request; }", true)]);
    let first = json!({ "stores": stores, "cloudfront_functions": functions });
    for held in ["stores", "cloudfront_functions"] {
        let first = deploy(&node, json!({ held: first[held] }), true).unwrap();
        deploy(&node, json!({}), true).unwrap();
        let mut other = deploy_of(
            json!({ "stores": stores, "cloudfront_functions": functions }),
            false,
        );
        other.plan.stack = "blog".to_owned();
        node.control.deploy(&other, &caller(4_000)).unwrap();
        let refused = activate(&node, &first).unwrap_err();
        assert_eq!(&*refused.code, "ResourceConflictException", "{held}");
        assert!(refused.message.contains("the stack blog"), "{held}");
        let mut gone = deploy_of(json!({}), true);
        gone.plan.stack = "blog".to_owned();
        node.control.deploy(&gone, &caller(4_000)).unwrap();
        // What nobody owns comes back.
        activate(&node, &first).unwrap();
        deploy(&node, json!({}), true).unwrap();
    }
}

#[test]
fn what_a_rollback_leaves_stays_the_stacks() {
    // CP-609, CP-302
    let node = Node::start(SITE);
    let store = |name: &str| planned(name, json!({ "name": name }));
    let first = deploy(&node, json!({ "stores": [store("one")] }), false).unwrap();
    let both = json!({ "stores": [store("one"), store("two")] });
    deploy(&node, both, false).unwrap();
    activate(&node, &first).unwrap();
    assert_eq!(owned(&node, "store two").as_deref(), Some("two"));
    deploy(&node, json!({ "stores": [store("one")] }), true).unwrap();
    let store = node.control.store();
    assert!(store.get(&Kind::KeyValueStore, "two").is_none());
    assert!(store.get(&Kind::KeyValueStore, "one").is_some());
}
