//! Keys that are for stacks (CP-432): they deploy them, reach what these own, and take nothing over.

use std::sync::Arc;

use fourfront_auth::{AuthMode, Grants, Principal, Role};
use serde_json::{Value, json};

use super::audited::Endpoint;
use crate::api::Caller;

fn plan(stack: &str, stores: &[&str]) -> String {
    let place = json!({ "file": "f", "line": 1, "column": 1 });
    let stores = stores
        .iter()
        .map(|name| json!({ "id": name, "place": place, "name": name }));
    let stores: Vec<Value> = stores.collect();
    json!({ "plan": { "stack": stack, "stores": stores } }).to_string()
}

fn of_stack(role: Role, stack: &str) -> Grants {
    Grants {
        stacks: vec![stack.to_owned()],
        ..Grants::of([role])
    }
}

#[test]
fn a_key_of_a_stack_deploys_it_and_no_other() {
    // CP-432
    let node = Endpoint::new(AuthMode::SigV4);
    let admin = node.token(Grants::admin());
    let shop = node.token(of_stack(Role::Deploy, "shop"));
    let (admin, shop) = (Some(admin.as_str()), Some(shop.as_str()));
    let ask = |token, method, path: &str, body: String| node.native(method, path, token, body);
    assert_eq!(
        ask(admin, "POST", "releases", plan("blog", &["posts"])).0,
        201
    );
    for path in ["plan", "releases"] {
        let (status, told) = ask(shop, "POST", path, plan("blog", &["posts"]));
        assert_eq!(
            (status, &told["code"]),
            (403, &json!("access_denied")),
            "{path}"
        );
    }
    let (status, first) = ask(shop, "POST", "releases", plan("shop", &["routes"]));
    assert_eq!(status, 201, "{first}");
    let first = first["release"].as_str().unwrap().to_owned();
    let (status, second) = ask(shop, "POST", "releases", plan("shop", &["routes", "more"]));
    assert_eq!(status, 201, "{second}");
    // What another stack, or nobody, owns is not taken over by naming it.
    for path in ["plan", "releases"] {
        let (status, told) = ask(shop, "POST", path, plan("shop", &["posts"]));
        assert_eq!(
            (status, &told["code"]),
            (403, &json!("access_denied")),
            "{path}"
        );
        let detail = told["detail"].as_str().unwrap();
        assert!(detail.contains("key-value-store `posts`"), "{detail}");
    }
    // Its releases, and those alone.
    let listed = ask(shop, "GET", "releases", String::new()).1;
    let stacks: Vec<_> = listed["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|r| &r["stack"])
        .collect();
    assert_eq!(stacks, ["shop", "shop"]);
    assert_eq!(
        ask(admin, "GET", "releases", String::new()).1["items"]
            .as_array()
            .unwrap()
            .len(),
        3
    );
    let blog = ask(admin, "GET", "releases?stack=blog", String::new()).1;
    let blog = blog["items"][0]["id"].as_str().unwrap().to_owned();
    for (method, rest) in [("GET", ""), ("POST", "/activate")] {
        let theirs = ask(
            shop,
            method,
            &format!("releases/{blog}{rest}"),
            String::new(),
        );
        assert_eq!(theirs.0, 403, "{method} {rest}: {}", theirs.1);
        let own = ask(
            shop,
            method,
            &format!("releases/{first}{rest}"),
            String::new(),
        );
        assert_eq!(own.0, 200, "{method} {rest}: {}", own.1);
    }
    // What is brought for a deploy belongs to nobody yet; what is there is not to be fetched.
    let sum = fourfront_store::BlobId::of(b"code");
    let path = format!("artifacts/sha256/{sum}");
    assert_eq!(ask(shop, "PUT", &path, "code".to_owned()).0, 201);
    assert_eq!(ask(shop, "HEAD", &path, String::new()).0, 204);
    assert_eq!(ask(shop, "GET", &path, String::new()).0, 403);
    for path in ["keys", "audit", "stacks/shop", "config/setting"] {
        assert_eq!(ask(shop, "GET", path, String::new()).0, 403, "{path}");
    }
}

#[test]
fn a_key_of_a_stack_takes_nothing_over_by_a_rollback() {
    // CP-432, CP-609
    let node = Endpoint::new(AuthMode::SigV4);
    let admin = node.token(Grants::admin());
    let shop = node.token(of_stack(Role::Deploy, "shop"));
    let ask = |token: &str, path: &str, body: String| node.native("POST", path, Some(token), body);
    let (status, first) = ask(&shop, "releases", plan("shop", &["settings"]));
    assert_eq!(status, 201, "{first}");
    let pruned = || json!({ "plan": { "stack": "shop" }, "prune": true }).to_string();
    assert_eq!(ask(&shop, "releases", pruned()).0, 201);
    // What it owned once is somebody else's now.
    let made = ask(&admin, "releases", plan("blog", &["settings"]));
    assert_eq!(made.0, 201, "{}", made.1);
    let back = format!("releases/{}/activate", first["release"].as_str().unwrap());
    let (status, told) = ask(&shop, &back, String::new());
    assert_eq!((status, &told["code"]), (403, &json!("access_denied")));
    let detail = told["detail"].as_str().unwrap();
    assert!(detail.contains("key-value-store `settings`"), "{detail}");
    assert!(!detail.contains("blog"), "{detail}");
    // To and fro between its own releases is its business.
    let (_, one) = ask(&shop, "releases", plan("shop", &["one"]));
    let (_, two) = ask(&shop, "releases", plan("shop", &["one", "two"]));
    for release in [&one, &two, &one, &two] {
        let release = release["release"].as_str().unwrap();
        let path = format!("releases/{release}/activate");
        let (status, told) = ask(&shop, &path, String::new());
        assert_eq!(status, 200, "{told}");
    }
}

#[test]
fn a_key_of_a_stack_reaches_what_the_stack_owns() {
    // CP-432
    let node = Endpoint::new(AuthMode::SigV4);
    let admin = node.token(Grants::admin());
    let writer = node.token(of_stack(Role::KvsWrite, "shop"));
    let reader = node.token(of_stack(Role::Read, "shop"));
    for (stack, store) in [("shop", "routes"), ("blog", "posts")] {
        let made = node.native("POST", "releases", Some(&admin), plan(stack, &[store]));
        assert_eq!(made.0, 201, "{}", made.1);
    }
    let put = |token: &str, store: &str| {
        let path = format!("kv/{store}/key");
        node.native("PUT", &path, Some(token), "value").0
    };
    assert_eq!((put(&writer, "routes"), put(&writer, "posts")), (200, 403));
    assert_eq!(put(&reader, "routes"), 403);
    let get = |path: &str| node.native("GET", path, Some(&reader), "").0;
    assert_eq!((get("kv/routes/key"), get("kv/posts/key")), (200, 403));
    let config = "config/key-value-store";
    assert_eq!(get(&format!("{config}/routes")), 200);
    assert_eq!(get(&format!("{config}/posts")), 403);
    // A store that the stack no longer has is nobody's.
    let pruned = json!({ "plan": { "stack": "shop" }, "prune": true }).to_string();
    assert_eq!(node.native("POST", "releases", Some(&admin), pruned).0, 201);
    assert_eq!(put(&writer, "routes"), 403);
}

#[test]
fn a_key_of_a_distribution_purges_it_and_no_other() {
    // CP-432: by the native API as by CloudFront's, where the path names it
    let node = Endpoint::new(AuthMode::SigV4);
    let of_one = node.token(Grants {
        distributions: vec!["E1".to_owned()],
        ..Grants::of([Role::Purge])
    });
    let of_all = node.token(Grants::of([Role::Purge]));
    // What is admitted is the node's to answer, which is none here.
    let purge =
        |token: &str, body: &str| node.native("POST", "purge", Some(token), body.to_owned()).0;
    let list = |token: &str, query: &str| {
        node.native("GET", &format!("purge{query}"), Some(token), "")
            .0
    };
    let one = r#"{"distribution":"E1","all":true}"#;
    for other in [r#"{"distribution":"E2","all":true}"#, r#"{"all":true}"#, ""] {
        assert_eq!(purge(&of_one, other), 403, "{other}");
        assert_eq!(purge(&of_all, other), 404, "{other}");
    }
    assert_eq!(purge(&of_one, one), 404);
    assert_eq!(
        (list(&of_one, "?distribution=E1"), list(&of_all, "")),
        (404, 404)
    );
    for query in ["", "?distribution=E2", "/I1"] {
        assert_eq!(list(&of_one, query), 403, "{query}");
    }
}

#[test]
fn a_restricted_key_is_told_how_its_own_does() {
    // CP-432: what the node tells of itself is cut to what the key is for; the rest is what a deploy needs
    let node = Endpoint::new(AuthMode::SigV4);
    let caller = |grants| Caller {
        principal: Some(Principal::Token {
            id: "t".to_owned(),
            grants: Arc::new(grants),
        }),
        ..Caller::default()
    };
    let status = json!({
        "distributions": [{ "id": "E1" }, { "id": "E2" }],
        "functions": [{ "function": "a-1" }, { "function": "b" }],
        "control": { "account": "000000000000", "unopened_keys": ["FF1"] },
        "listeners": ["http://127.0.0.1:80"],
    });
    let told = |grants| {
        let mut told = status.clone();
        node.front.cut_status(&caller(grants), &mut told);
        told
    };
    let of_one = |role| Grants {
        distributions: vec!["E1".to_owned()],
        function_prefixes: vec!["a-".to_owned()],
        ..Grants::of([role])
    };
    assert_eq!(told(Grants::admin()), status);
    let mut wanted = status.clone();
    wanted["control"] = json!({ "account": "000000000000" });
    assert_eq!(told(Grants::of([Role::Read])), wanted);
    wanted["distributions"] = json!([{ "id": "E1" }]);
    wanted["functions"] = json!([{ "function": "a-1" }]);
    for role in [Role::Read, Role::Deploy, Role::Admin] {
        assert_eq!(told(of_one(role)), wanted);
    }
    let may = |grants, explained: Value| {
        let refused = node.front.untold(&caller(grants), &explained);
        refused.map(|refused| refused.status.as_u16())
    };
    let of = |id: &str| json!({ "distribution": { "id": id } });
    assert_eq!(may(of_one(Role::Read), of("E1")), None);
    assert_eq!(may(of_one(Role::Read), of("E2")), Some(403));
    assert_eq!(may(of_one(Role::Read), json!({})), Some(403));
    assert_eq!(may(Grants::of([Role::Read]), of("E2")), None);
}
