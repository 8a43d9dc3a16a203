//! Any request: the verifier and a naive second one say the same (CP-703).
#![no_main]

#[path = "../../src/tests/drawn.rs"]
mod drawn;
#[path = "../../src/tests/naive.rs"]
mod naive;

use std::{
    sync::{Arc, LazyLock},
    time::{Duration, UNIX_EPOCH},
};

use fourfront_auth::{
    AuthMode, Credential, Gate, Grants, KeyId, LinkSigner, MasterKey, MemoryStore, RequestHead, Secret, Service, Source,
    Window,
};
use http::{HeaderMap, HeaderName, HeaderValue};
use libfuzzer_sys::fuzz_target;
use naive::{Key, Request};

const NOON: i64 = 1_795_521_600;
const KEYS: [Key<'static>; 2] = [
    Key { id: "FFPLAIN", secret: "plain", token: None },
    Key { id: "FFSESSION", secret: "session", token: Some("token/+=") },
];

static GATE: LazyLock<Gate<MemoryStore>> = LazyLock::new(|| {
    let store = MemoryStore::new();
    for key in KEYS {
        store.put(Credential {
            key_id: KeyId::import(key.id, false).unwrap(),
            secret: Secret::new(key.secret),
            session_token: key.token.map(Secret::new),
            grants: Arc::new(Grants::admin()),
            created: UNIX_EPOCH,
            expires: None,
            description: String::new(),
        });
    }
    let links = LinkSigner::new(&MasterKey::from_bytes([9; 32]), "us-east-1");
    Gate::new(store, AuthMode::SigV4, Window::default(), links)
});

/// What the verifier says; nothing for fields that HTTP cannot have.
fn ours(request: &Request, service: Service, now: i64) -> Option<bool> {
    let mut headers = HeaderMap::new();
    for (name, value) in &request.headers {
        let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
        headers.append(name, HeaderValue::from_bytes(value.as_bytes()).ok()?);
    }
    let head = RequestHead {
        method: &request.method,
        raw_path: request.path.as_bytes(),
        raw_query: request.query.as_bytes(),
        headers: &headers,
        over_tls: request.over_tls,
    };
    let now = UNIX_EPOCH + Duration::from_secs(now.try_into().ok()?);
    let socket = Source::Socket { peer_uid: 5, node_uid: 6 };
    let admission = GATE.admit(&head, service, socket, now);
    Some(admission.and_then(|one| one.finish(&naive::sha(&request.body))).is_ok())
}

fuzz_target!(|data: &[u8]| {
    for service in [Service::CloudFront, Service::KeyValueStore] {
        let drawn = drawn::draw(data, &KEYS, service.scope(), NOON);
        let other = naive::accepts(&drawn.request, &KEYS, service.scope(), drawn.now);
        if let Some(one) = ours(&drawn.request, service, drawn.now) {
            assert_eq!(one, other, "{drawn:?}");
            assert!(one || !drawn.untouched, "{drawn:?}");
        }
    }
    // The same bytes as they are: nobody signed them, so that they are refused, whatever they look like.
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let mut lines = text.split('\n');
    let (path, query) = lines.next().unwrap_or_default().split_once('?').unwrap_or_default();
    let headers = lines.filter_map(|line| line.split_once(':'));
    let request = Request {
        method: "GET".to_owned(),
        path: path.to_owned(),
        query: query.to_owned(),
        headers: headers.map(|(name, value)| (name.to_lowercase(), value.to_owned())).collect(),
        ..Request::default()
    };
    assert_ne!(ours(&request, Service::Lambda, NOON), Some(true), "{request:?}");
});
