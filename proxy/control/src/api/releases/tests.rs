use std::collections::BTreeMap;

use super::*;
use crate::api::{
    apply::Staged,
    cloudfront::{DistributionDocument, FunctionDocument},
    testing::{Node, SITE, caller, config},
};

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

fn live(node: &Node) -> Option<String> {
    let found = node.control.store().get(&Kind::CloudfrontFunction, "edge");
    let body = found.unwrap().body.clone().unwrap();
    let document: FunctionDocument = serde_json::from_slice(&body).unwrap();
    document.live.map(|live| live.sha256)
}

fn sum(code: &str) -> String {
    fourfront_store::BlobId::of(code.as_bytes()).to_string()
}

/// A distribution with a reference of its own.
fn site(id: &str, more: &Value) -> Value {
    let mut config = config(80);
    config["CallerReference"] = json!(id);
    for (name, value) in more.as_object().unwrap() {
        config[name] = value.clone();
    }
    planned(id, json!({ "config": config }))
}

fn stored(node: &Node, id: &str) -> DistributionDocument {
    let found = node.control.store().get(&Kind::Distribution, id).unwrap();
    serde_json::from_slice(found.body.as_deref().unwrap()).unwrap()
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

fn policy_of(node: &Node, id: &str) -> String {
    let policy = &stored(node, id).config[STAGED_BY];
    policy.as_str().unwrap_or_default().to_owned()
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

#[test]
fn what_only_a_site_file_says_is_copied_tried_out_and_promoted() {
    // CP-122, CP-612, CP-641
    let node = Node::start(SITE);
    let with = |strips: bool| {
        let mut site = site("Site", &json!({}));
        site["settings"] = json!({ "strip_set_cookie_on_hit": strips });
        json!({ "distributions": [site] })
    };
    deploy(&node, with(true), false).unwrap();
    let id = owned(&node, "distribution Site").unwrap();
    let etag = |id: &str| {
        let told = node.aws("GetDistribution", json!({ "Id": id })).unwrap();
        told["ETag"].as_str().unwrap().to_owned()
    };
    let copy = json!({
        "PrimaryDistributionId": id, "Staging": true, "IfMatch": etag(&id),
        "CallerReference": "copy", "Enabled": true,
    });
    let copied = node.aws("CopyDistribution", copy).unwrap();
    let staging = copied["Distribution"]["Id"].as_str().unwrap();
    let settings = |id: &str| stored(&node, id).settings;
    let expected = |strips: bool| {
        let name = "strip_set_cookie_on_hit".to_owned();
        BTreeMap::from([(name, json!(strips))])
    };
    assert_eq!(settings(staging), expected(true));
    let try_out = |strips: bool| {
        let deploy = deploy_of(with(strips), false);
        let staged = Staged {
            primary: &id,
            staging,
        };
        let tried = node.control.transact(&caller(4_000), |tx| {
            let artifacts = Artifacts::default();
            let applied = apply::apply(tx, &deploy.plan, &artifacts, false, Some(staged));
            Ok::<_, ApiError>((applied?, None))
        });
        tried.unwrap().0.steps[0].action
    };
    assert_eq!(try_out(false), "change");
    assert_eq!(try_out(false), "keep");
    assert_eq!(settings(staging), expected(false));
    assert_eq!(settings(&id), expected(true));
    let both = format!("{}, {}", etag(&id), etag(staging));
    let promote = json!({ "Id": id, "StagingDistributionId": staging, "IfMatch": both });
    node.aws("UpdateDistributionWithStagingConfig", promote)
        .unwrap();
    assert_eq!(settings(&id), expected(false));
}

#[test]
fn a_function_is_published_when_what_is_live_is_not_the_plans() {
    // CP-301, CP-321, CP-151
    let node = Node::start(SITE);
    let plan = |code: &str, publish| json!({ "cloudfront_functions": [edge(code, publish)] });
    deploy(&node, plan("a", false), false).unwrap();
    assert_eq!(live(&node), None);
    let published = deploy(&node, plan("a", true), false).unwrap();
    assert_eq!(published["steps"][0]["action"], "change");
    assert_eq!(live(&node), Some(sum("a")));
    let again = deploy(&node, plan("a", true), false).unwrap();
    assert_eq!(again["unchanged"], true);
    // Somebody wrote the code that the plan has, and did not publish it.
    let found = node.aws("DescribeFunction", json!({ "Name": "edge" }));
    let input = json!({
        "Name": "edge", "IfMatch": found.unwrap()["ETag"],
        "FunctionConfig": edge("", true)["config"],
        "FunctionCode": "Yg==",
    });
    node.aws("UpdateFunction", input).unwrap();
    assert_eq!(live(&node), Some(sum("a")));
    deploy(&node, plan("b", true), false).unwrap();
    assert_eq!(live(&node), Some(sum("b")));
}

#[test]
fn that_a_resource_is_retained_is_a_change_by_itself() {
    // CP-301
    let node = Node::start(SITE);
    let plan = |retain: bool| {
        let store = json!({ "name": "settings", "retain": retain });
        json!({ "stores": [planned("Settings", store)] })
    };
    deploy(&node, plan(false), false).unwrap();
    let retained = deploy(&node, plan(true), false).unwrap();
    assert_eq!(retained.get("unchanged"), None);
    assert_eq!(deploy(&node, plan(true), false).unwrap()["unchanged"], true);
    deploy(&node, json!({}), true).unwrap();
    let store = node.control.store().get(&Kind::KeyValueStore, "settings");
    assert!(store.is_some());
}

#[test]
fn a_trial_publishes_no_function_that_others_run() {
    // CP-612
    let node = Node::start(SITE);
    let arn = "arn:aws:cloudfront::000000000000:function/edge";
    let runs = json!({ "FunctionAssociations": {
        "Quantity": 1,
        "Items": [{ "EventType": "viewer-request", "FunctionARN": arn }],
    } });
    let plan = |code: &str, publish, named: bool| {
        let mut site = site("Site", &json!({}));
        if named {
            site["config"]["DefaultCacheBehavior"]["FunctionAssociations"] =
                runs["FunctionAssociations"].clone();
        }
        json!({ "cloudfront_functions": [edge(code, publish)], "distributions": [site] })
    };
    deploy(&node, plan("a", false, false), false).unwrap();
    let id = owned(&node, "distribution Site").unwrap();
    let etag = node.aws("GetDistribution", json!({ "Id": id })).unwrap()["ETag"].clone();
    let copy = json!({
        "PrimaryDistributionId": id, "Staging": true, "IfMatch": etag,
        "CallerReference": "copy", "Enabled": true,
    });
    let copied = node.aws("CopyDistribution", copy).unwrap();
    let staging = copied["Distribution"]["Id"].as_str().unwrap();
    let try_out = |code: &str| {
        let deploy = deploy_of(plan(code, true, true), false);
        let staged = Staged {
            primary: &id,
            staging,
        };
        let tried = node.control.transact(&caller(4_000), |tx| {
            let artifacts = Artifacts::default();
            let applied = apply::apply(tx, &deploy.plan, &artifacts, false, Some(staged));
            Ok::<_, ApiError>((applied?, None))
        });
        tried.map(|_| ()).map_err(|e| e.code.into_owned())
    };
    assert_eq!(try_out("a"), Ok(()));
    assert_eq!(live(&node), Some(sum("a")));
    assert_eq!(try_out("b"), Ok(()));
    assert_eq!(live(&node), Some(sum("b")));
    deploy(&node, plan("b", true, true), false).unwrap();
    assert_eq!(try_out("c"), Err("StageShared".to_owned()));
    assert_eq!(live(&node), Some(sum("b")));
}

/// A stack with a distribution, tried out by what the template says itself where `rollout` is set.
fn rollout(rollout: bool) -> Value {
    let reference = |kind: &str, id: &str, attribute: &str| json!({ "$ref": { "kind": kind, "id": id, "attribute": attribute } });
    if !rollout {
        return json!({ "distributions": [site("Site", &json!({}))] });
    }
    let policy = json!({ "config": {
        "Enabled": true,
        "StagingDistributionDnsNames": {
            "Quantity": 1, "Items": [reference("distribution", "Trial", "domain_name")],
        },
        "TrafficConfig": { "Type": "SingleWeight", "SingleWeightConfig": { "Weight": 0.1 } },
    } });
    let by = reference("continuous-deployment-policy", "Rollout", "id");
    json!({
        "continuous_deployment_policies": [planned("Rollout", policy)],
        "distributions": [
            site("Site", &json!({ STAGED_BY: by })),
            site("Trial", &json!({ "Staging": true })),
        ],
    })
}

#[test]
fn a_rollback_leaves_no_distribution_with_a_policy_that_goes() {
    // CP-609, CP-612
    let node = Node::start(SITE);
    let first = deploy(&node, rollout(false), false).unwrap();
    let second = deploy(&node, rollout(true), false).unwrap();
    let id = owned(&node, "distribution Site").unwrap();
    let policy = owned(&node, "continuous-deployment-policy Rollout").unwrap();
    assert_eq!(policy_of(&node, &id), policy);
    activate(&node, &first).unwrap();
    assert_eq!(policy_of(&node, &id), "");
    // And back, with the policy of then.
    activate(&node, &second).unwrap();
    assert_eq!(policy_of(&node, &id), policy);
    activate(&node, &first).unwrap();
    let mut changed = rollout(false);
    changed["distributions"][0]["config"]["Comment"] = json!("changed");
    deploy(&node, changed, false).unwrap();
}

#[test]
fn a_pruned_policy_is_named_by_nothing() {
    // CP-301, CP-612
    let node = Node::start(SITE);
    deploy(&node, rollout(true), false).unwrap();
    let id = owned(&node, "distribution Site").unwrap();
    let policy = policy_of(&node, &id);
    // Without pruning it stays, and so does what is tried out by it.
    deploy(&node, rollout(false), false).unwrap();
    assert_eq!(policy_of(&node, &id), policy);
    deploy(&node, rollout(false), true).unwrap();
    assert_eq!(policy_of(&node, &id), "");
    let kind = Kind::ContinuousDeploymentPolicy;
    assert!(node.control.store().get(&kind, &policy).is_none());
    let mut changed = rollout(false);
    changed["distributions"][0]["config"]["Comment"] = json!("changed");
    deploy(&node, changed, true).unwrap();
}

#[test]
fn what_only_its_logical_id_changed_of_is_not_pruned() {
    // CP-301, CP-302
    let node = Node::start(SITE);
    let plan = |prefix: &str| {
        let mut function = edge("a", true);
        function["id"] = json!(format!("{prefix}Edge"));
        let store = planned(&format!("{prefix}Store"), json!({ "name": "settings" }));
        json!({ "stores": [store], "cloudfront_functions": [function] })
    };
    deploy(&node, plan("Old"), false).unwrap();
    let told = deploy(&node, plan("New"), true).unwrap();
    let steps = told["steps"].as_array().unwrap();
    assert!(steps.iter().all(|s| s["action"] == "keep"), "{told}");
    let store = node.control.store();
    assert!(store.get(&Kind::KeyValueStore, "settings").is_some());
    assert!(store.get(&Kind::CloudfrontFunction, "edge").is_some());
    assert_eq!(owned(&node, "store NewStore").as_deref(), Some("settings"));
    assert_eq!(owned(&node, "store OldStore"), None);
}
