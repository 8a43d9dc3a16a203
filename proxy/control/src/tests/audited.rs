//! What the audit log holds of calls as they come to the admin endpoint (CP-433).

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use fourfront_auth::{Action, AuthMode, BearerToken, Grants, Role, Source};
use fourfront_store::{AuditEntry, BlobId};
use http::{HeaderMap, HeaderName, Method};
use http_body_util::Full;
use serde_json::{Value, json};

use super::plane::Plane;
use crate::api::{
    front::{Answer, Answered, Front, Head},
    native,
};

/// What botocore was seen to send, the least of each operation last.
const REQUESTS: &str = include_str!("../../aws/tests/vectors/requests.jsonl");

fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_millis(1_800_000_000_000)
}

/// A node's endpoint, and who speaks to it.
pub(super) struct Endpoint {
    plane: Plane,
    pub(super) front: Arc<Front>,
    runtime: tokio::runtime::Runtime,
}

impl Endpoint {
    pub(super) fn new(mode: AuthMode) -> Self {
        let plane = Plane::new("node: { listen: 127.0.0.1:0, data_dir: ./data }\n");
        let front = plane.front(mode);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .unwrap();
        Self {
            plane,
            front,
            runtime,
        }
    }

    /// A token with such rights.
    pub(super) fn token(&self, grants: Grants) -> String {
        let (token, text) = BearerToken::generate(grants, now()).unwrap();
        self.front.keys().put_token(token, now(), None).unwrap();
        text.to_string()
    }

    fn head(method: &str, url: &str, headers: &[(String, String)]) -> Head {
        let (path, query) = url.split_once('?').unwrap_or((url, ""));
        let mut fields = HeaderMap::new();
        fields.insert("host", "127.0.0.1:9400".parse().unwrap());
        for (name, value) in headers {
            let name: HeaderName = name.parse().unwrap();
            fields.insert(name, value.parse().unwrap());
        }
        Head {
            method: Method::from_bytes(method.as_bytes()).unwrap(),
            path: path.to_owned(),
            query: query.to_owned(),
            headers: fields,
            over_tls: false,
            source: Source::Address([127, 0, 0, 1].into()),
            now: now(),
        }
    }

    fn aws(&self, method: &str, url: &str, headers: &[(String, String)], body: &str) -> Answer {
        let head = Self::head(method, url, headers);
        let body = Full::new(Bytes::from(body.to_owned()));
        match self.runtime.block_on(self.front.aws(head, body)) {
            Answered::Own(answer) => answer,
            Answered::Forwarded(_) => panic!("nothing is handed on here"),
        }
    }

    /// A request of the native API.
    pub(super) fn native(
        &self,
        method: &str,
        path: &str,
        token: Option<&str>,
        body: impl Into<Bytes>,
    ) -> (u16, Value) {
        let bearer = token.map(|t| ("authorization".to_owned(), format!("Bearer {t}")));
        let headers: Vec<_> = bearer.into_iter().collect();
        let head = Self::head(method, &format!("/_fourfront/v1/{path}"), &headers);
        let path = path.split('?').next().unwrap_or_default();
        let admitted = self.front.admit_native(&head, path, Full::new(body.into()));
        let answer = match self.runtime.block_on(admitted) {
            Ok(one) => self.front.told(&one.caller, || {
                native::answer(&self.front, &head, path, &one.body, &one.caller)
            }),
            Err(refused) => refused,
        };
        let told = serde_json::from_slice(&answer.body).unwrap_or_default();
        (answer.status.as_u16(), told)
    }

    /// What came to the log since this was asked last, oldest first.
    fn news(&self, seen: &mut usize) -> Vec<AuditEntry> {
        let mut all = self.plane.control.store().audit_page(None, 10_000).unwrap();
        all.reverse();
        let new = all.split_off(*seen);
        *seen += new.len();
        new.into_iter().map(|(_, entry)| entry).collect()
    }
}

/// The least that a client sends of each operation: service, operation, method, URL, headers and body.
type Sent = (
    String,
    String,
    String,
    String,
    Vec<(String, String)>,
    String,
);

fn requests() -> Vec<Sent> {
    let mut all: Vec<Sent> = Vec::new();
    for line in REQUESTS.lines() {
        let one: Value = serde_json::from_str(line).unwrap();
        if one["raw"] == json!(true) {
            continue;
        }
        let text = |member: &str| one[member].as_str().unwrap().to_owned();
        let headers = one["headers"].as_object().unwrap().iter();
        let headers = headers.map(|(n, v)| (n.clone(), v.as_str().unwrap().to_owned()));
        let query = text("query");
        let url = match query.is_empty() {
            true => text("path"),
            false => format!("{}?{query}", text("path")),
        };
        let sent = (
            text("service"),
            text("operation"),
            text("method"),
            url,
            headers.collect(),
            text("body"),
        );
        all.retain(|a| (&a.0, &a.1) != (&sent.0, &sent.1));
        all.push(sent);
    }
    all
}

#[test]
fn each_operation_that_may_change_something_leaves_an_entry_and_no_other_does() {
    // CP-433: all operations of the table, as botocore sends them, to a node that has none of what they name
    let node = Endpoint::new(AuthMode::Any);
    let (requests, mut seen, mut entered) = (requests(), 0, 0);
    for (service, name, action) in Action::operations() {
        let sent = requests
            .iter()
            .find(|one| one.0 == service.scope() && one.1 == name);
        let (.., method, url, headers, body) = sent.expect(name);
        let answer = node.aws(method, url, headers, body);
        let news = node.news(&mut seen);
        let told: Vec<_> = news.iter().map(|entry| &*entry.operation).collect();
        let wanted = format!("{}:{name}", service.scope());
        let wanted: &[&str] = match action.is_mutation() {
            true => &[&wanted],
            false => &[],
        };
        assert_eq!(told, wanted, "{answer:?}");
        for entry in news {
            assert_eq!(
                (&*entry.outcome == "ok", &*entry.key, &*entry.source),
                (answer.status.is_success(), "local", "127.0.0.1"),
                "{name}: {entry:?} {answer:?}"
            );
            entered += 1;
        }
    }
    assert!(entered > 60, "{entered}");
}

#[test]
fn each_route_that_may_change_something_leaves_an_entry_and_no_other_does() {
    // CP-433, CP-620: all routes of the table but those that the node answers itself, well and refused
    let node = Endpoint::new(AuthMode::SigV4);
    let admin = node.token(Grants::admin());
    let reader = node.token(Grants::of([Role::Read]));
    let mut seen = 0;
    node.news(&mut seen);
    let of_the_node = ["health", "ready", "metrics", "status", "explain", "purge"];
    for (method, template, _) in Action::routes() {
        let path = template.replace("{..}", "a/b").replace(['{', '}'], "");
        let first = path.split('/').next().unwrap_or_default();
        if of_the_node.contains(&first) || ["logs", "backup"].contains(&first) {
            continue;
        }
        let changes = Action::native_changes(method, &path);
        let wanted = format!("fourfront:{method} {template}");
        let wanted: &[&str] = if changes { &[&wanted] } else { &[] };
        for (token, role) in [(&admin, "admin"), (&reader, "read")] {
            let (status, told) = node.native(method, &path, Some(token), "");
            let news = node.news(&mut seen);
            let found: Vec<_> = news.iter().map(|entry| &*entry.operation).collect();
            assert_eq!(found, wanted, "{role} {method} {path}: {status} {told}");
            for entry in news {
                let code = told["code"].as_str().unwrap_or("ok");
                assert_eq!(&*entry.outcome, code, "{role} {method} {path}");
                assert!(entry.key.starts_with("ff_"), "{entry:?}");
                if role == "read" {
                    assert_eq!(&*entry.outcome, "access_denied", "{method} {path}");
                }
            }
        }
        // Nobody in particular is not entered.
        let (status, _) = node.native(method, &path, None, "");
        assert_eq!((status, node.news(&mut seen).len()), (403, 0), "{path}");
    }
    // What no table knows is an administrator's, and told as it came.
    node.native("PUT", "what/ever", Some(&admin), "");
    let news = node.news(&mut seen);
    assert_eq!(news.len(), 1, "{news:?}");
    assert_eq!(
        (&*news[0].operation, &*news[0].resource),
        ("fourfront:PUT", "what/ever")
    );
}

#[test]
fn an_entry_tells_what_changed_and_never_what_was_sent() {
    // CP-433: revisions before and after, the resource, the outcome; keys and artifacts, which are no documents, as well
    let node = Endpoint::new(AuthMode::SigV4);
    let admin = node.token(Grants::admin());
    let admin = Some(admin.as_str());
    let mut seen = 0;
    node.news(&mut seen);
    let (status, key) = node.native(
        "POST",
        "keys",
        admin,
        r#"{"roles":["read"],"description":"hush"}"#,
    );
    assert_eq!(status, 201, "{key}");
    let id = key["id"].as_str().unwrap();
    let (status, rotated) = node.native("POST", &format!("keys/{id}/rotate"), admin, "");
    assert_eq!(status, 201, "{rotated}");
    assert_eq!(
        node.native("DELETE", &format!("keys/{id}"), admin, "").0,
        200
    );
    assert_eq!(
        node.native("DELETE", &format!("keys/{id}"), admin, "").0,
        404
    );
    let (bytes, sum) = ("secret code", BlobId::of(b"secret code"));
    let path = format!("artifacts/sha256/{sum}");
    assert_eq!(node.native("PUT", &path, admin, bytes).0, 201);
    let news = node.news(&mut seen);
    let told: Vec<_> = news
        .iter()
        .map(|e| (&*e.operation, &*e.resource, &*e.outcome))
        .collect();
    let sum = sum.to_string();
    assert_eq!(
        told,
        [
            ("fourfront:POST keys", id, "ok"),
            ("fourfront:POST keys/{id}/rotate", id, "ok"),
            ("fourfront:DELETE keys/{id}", id, "ok"),
            ("fourfront:DELETE keys/{id}", id, "NotFound"),
            ("fourfront:PUT artifacts/sha256/{hex}", sum.as_str(), "ok"),
        ]
    );

    let plan = json!({ "plan": { "stack": "shop", "stores": [
        { "id": "Routes", "place": { "file": "f", "line": 1, "column": 1 }, "name": "routes" },
    ] } });
    let deploy = |message: &str| {
        let mut body = plan.clone();
        body["message"] = json!(message);
        node.native("POST", "releases", admin, body.to_string())
    };
    let (status, first) = deploy("hush");
    assert_eq!(status, 201, "{first}");
    assert_eq!(deploy("hush").1["unchanged"], true);
    node.native("PUT", "kv/routes/a", admin, "hush");
    node.native("PUT", "kv/routes/a", admin, "hush");
    let news = node.news(&mut seen);
    let told: Vec<_> = news
        .iter()
        .map(|e| (&*e.operation, &*e.resource, &*e.outcome, e.changes.len()))
        .collect();
    assert_eq!(
        told,
        [
            ("fourfront:POST releases", "shop", "ok", 2),
            ("fourfront:POST releases", "shop", "ok", 0),
            ("fourfront:PUT kv/{store}/{..}", "routes/a", "ok", 1),
            ("fourfront:PUT kv/{store}/{..}", "routes/a", "ok", 1),
        ]
    );
    let made = &news[0].changes[0];
    assert!(made.before.is_none() && made.after.is_some(), "{made:?}");
    let (one, two) = (&news[2].changes[0], &news[3].changes[0]);
    assert!(
        one.after.is_some() && one.after == two.before,
        "{one:?} {two:?}"
    );
    assert!(two.after > two.before, "{two:?}");

    let page = node.native("GET", "audit?limit=1000", admin, "").1;
    let text = page.to_string();
    let secret = key["secret"].as_str().unwrap();
    assert!(!text.contains("hush") && !text.contains(secret), "{text}");
}

#[test]
fn the_log_is_read_in_pages_by_administrators_alone() {
    // CP-433
    let node = Endpoint::new(AuthMode::SigV4);
    let admin = node.token(Grants::admin());
    let admin = Some(admin.as_str());
    for n in 0..5 {
        node.native("DELETE", &format!("keys/FF{n}"), admin, "");
    }
    let mut query = "audit?limit=2".to_owned();
    let mut numbers = Vec::new();
    loop {
        let (status, page) = node.native("GET", &query, admin, "");
        assert_eq!(status, 200, "{page}");
        let items = page["items"].as_array().unwrap();
        numbers.extend(
            items
                .iter()
                .map(|item| item["resource"].as_str().unwrap().to_owned()),
        );
        match page["next"].as_u64() {
            Some(next) => query = format!("audit?limit=2&before={next}"),
            None => break,
        }
    }
    assert_eq!(numbers, ["FF4", "FF3", "FF2", "FF1", "FF0"]);
    let newest = &node.native("GET", "audit?limit=1", admin, "").1["items"][0];
    assert_eq!(newest["time"], "2027-01-15T08:00:00.000Z");
    assert_eq!(newest["outcome"], "NotFound");
    for wrong in ["limit=0", "limit=1001", "before=x", "who=me"] {
        let (status, told) = node.native("GET", &format!("audit?{wrong}"), admin, "");
        assert_eq!(status, 400, "{wrong}: {told}");
    }
    for role in Role::ALL.into_iter().filter(|role| *role != Role::Admin) {
        let token = node.token(Grants::of([role]));
        assert_eq!(
            node.native("GET", "audit", Some(&token), "").0,
            403,
            "{role:?}"
        );
    }
}

#[test]
fn a_key_that_may_nothing_does_not_push_out_what_others_did() {
    // CP-433: its refusals are entered so many times a minute
    let node = Endpoint::new(AuthMode::SigV4);
    let reader = node.token(Grants::of([Role::Read]));
    for _ in 0..100 {
        assert_eq!(node.native("DELETE", "keys/FF1", Some(&reader), "").0, 403);
    }
    assert_eq!(node.news(&mut 0).len(), 60);
}
