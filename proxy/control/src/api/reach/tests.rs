use std::sync::Arc;

use fourfront_auth::{Grants, Role};
use fourfront_store::{Batch, Change, Expected};
use serde_json::{Value, json};

use super::*;
use crate::api::{
    releases::Deploy,
    testing::{Node, SITE, caller},
};

fn key_of_shop() -> Principal {
    let grants = Grants {
        stacks: vec!["shop".to_owned()],
        ..Grants::of([Role::Deploy])
    };
    Principal::Token {
        id: "t".to_owned(),
        grants: Arc::new(grants),
    }
}

fn put(kind: Kind, id: &str, body: &Value) -> Change {
    Change {
        kind,
        id: id.into(),
        body: Some(body.to_string().into_bytes().into()),
        expected: Expected::Any,
    }
}

#[test]
fn a_key_of_a_stack_has_no_part_in_what_only_has_a_name_like_its_own() {
    // CP-432: a function of CloudFront with the name of somebody else's Lambda, and the other way round
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path(), fourfront_store::Options::default()).unwrap();
    let owned = json!({ "resources": {
        "edge": { "kind": "cloudfront-function", "id": "auth" },
        "routes": { "kind": "lambda", "id": "routes" },
        "own": { "kind": "lambda", "id": "own" },
    } });
    let mut changes = vec![put(Kind::Setting, "stack:shop", &owned)];
    for name in ["auth", "own", "routes"] {
        changes.push(put(Kind::Lambda, name, &json!({})));
    }
    for name in ["auth", "routes"] {
        changes.push(put(Kind::CloudfrontFunction, name, &json!({})));
    }
    let batch = Batch {
        changes,
        ..Batch::default()
    };
    store.write(batch).unwrap();
    let key = key_of_shop();
    let may = |resource| authorize(&store, &key, Action::Write, resource).is_ok();
    assert!(may(Resource::CloudfrontFunction("auth")) && !may(Resource::Lambda("auth")));
    assert!(may(Resource::Lambda("routes")) && !may(Resource::CloudfrontFunction("routes")));
    // Where only the name is told, all that has it has to be the stack's.
    assert!(!may(Resource::Function("auth")) && may(Resource::Function("own")));
}

#[test]
fn a_key_of_a_stack_makes_no_alias_or_version_of_a_function_of_others() {
    // CP-432
    let node = Node::start(SITE);
    node.lambda("theirs", "exports.handler = async (e) => e;");
    let key = Caller {
        principal: Some(key_of_shop()),
        ..caller(2_000)
    };
    let place = json!({ "file": "f", "line": 1, "column": 1 });
    let alias = json!([{
        "id": "A", "place": place, "name": "live", "function": "theirs", "version": "1",
    }]);
    let version = json!([{ "id": "V", "place": place, "function": "theirs" }]);
    for (of, items) in [("aliases", alias), ("versions", version)] {
        let body = json!({ "plan": { "stack": "shop", of: items } }).to_string();
        let deploy = Deploy::read(&body.into()).unwrap();
        let refused = node.control.deploy(&deploy, &key).unwrap_err();
        assert_eq!(
            (refused.status, &*refused.code),
            (403, "access_denied"),
            "{of}"
        );
        // Who may do everything may do this, too.
        node.control.deploy(&deploy, &caller(3_000)).unwrap();
    }
}
