//! What the tests share: the captured requests, and a gate that knows their keys.

mod drawn;
mod foreign;
mod gate;
mod mutations;
mod naive;
mod second_opinion;

use std::{
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use crate::{
    AuthFault, AuthMode, Credential, Gate, Grants, KeyId, LinkSigner, MasterKey, MemoryStore,
    Principal, RequestHead, Secret, Service, Source, Window,
};
use http::{HeaderMap, HeaderName, HeaderValue};
use naive::{Key, Request};

/// The second at which all captured requests were signed.
pub(super) const NOW: i64 = 1_795_521_600;

/// The keys that they were signed with: for good, and for a session.
pub(super) const KEYS: [Key<'static>; 2] = [
    Key {
        id: "FFDUMMYDUMMYDUMMY001",
        secret: "dummySecretForTests/+0123456789abcdefghi",
        token: None,
    },
    Key {
        id: "FFDUMMYDUMMYDUMMY002",
        secret: "anotherDummySecret/+9876543210zyxwvutsrq",
        token: Some("dummy/session+token=="),
    },
];

/// A captured request.
#[derive(Clone, Debug)]
pub(super) struct Vector {
    pub(super) name: String,
    pub(super) client: String,
    pub(super) service: Service,
    pub(super) request: Request,
}

/// All captured requests.
pub(super) fn vectors() -> Vec<Vector> {
    use base64::{Engine, engine::general_purpose::STANDARD};

    let captured: serde_json::Value =
        serde_json::from_str(include_str!("vectors/captured.json")).unwrap();
    assert_eq!(captured["now"], NOW);
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    let vector = |one: &serde_json::Value| {
        let target = text(&one["target"]);
        let (path, query) = target.split_once('?').unwrap_or((&target, ""));
        let headers = one["headers"].as_array().unwrap().iter();
        Vector {
            name: text(&one["name"]),
            client: text(&one["client"]),
            service: Service::from_scope(one["service"].as_str().unwrap()).unwrap(),
            request: Request {
                method: text(&one["method"]),
                path: path.to_owned(),
                query: query.to_owned(),
                headers: headers
                    .map(|pair| (text(&pair[0]).to_lowercase(), text(&pair[1])))
                    .collect(),
                body: STANDARD.decode(one["body"].as_str().unwrap()).unwrap(),
                over_tls: false,
            },
        }
    };
    captured["requests"]
        .as_array()
        .unwrap()
        .iter()
        .map(vector)
        .collect()
}

/// The time so many seconds after 1970.
pub(super) fn time(seconds: i64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(u64::try_from(seconds).unwrap())
}

/// A gate that knows the keys.
pub(super) fn gate(mode: AuthMode) -> Gate<MemoryStore> {
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
    Gate::new(store, mode, Window::default(), links)
}

/// The socket, with a stranger at its other end: no failure is counted and nobody is let in for being there.
pub(super) const STRANGER: Source = Source::Socket {
    peer_uid: 5,
    node_uid: 6,
};

/// The fields of a request; `None` if HTTP has no such fields.
pub(super) fn fields(request: &Request) -> Option<HeaderMap> {
    let mut headers = HeaderMap::new();
    for (name, value) in &request.headers {
        headers.append(
            HeaderName::from_bytes(name.as_bytes()).ok()?,
            HeaderValue::from_bytes(value.as_bytes()).ok()?,
        );
    }
    Some(headers)
}

/// Sends a request through the gate.
pub(super) fn admit(
    gate: &Gate<MemoryStore>,
    request: &Request,
    service: Service,
    source: Source,
    now: SystemTime,
) -> Result<Principal, AuthFault> {
    let headers = fields(request).expect("fields that HTTP can have");
    let head = RequestHead {
        method: &request.method,
        raw_path: request.path.as_bytes(),
        raw_query: request.query.as_bytes(),
        headers: &headers,
        over_tls: request.over_tls,
    };
    gate.admit(&head, service, source, now)?
        .finish(&naive::sha(&request.body))
}
