//! The way in from end to end: whose key, which session, which mode, how often (CP-400, CP-402, CP-416..420).

use std::{net::IpAddr, sync::Arc, time::Duration};

use super::{
    KEYS, NOW, STRANGER, admit, fields, gate,
    naive::{self, Key, Request, Style, sign},
    time, vectors,
};
use crate::{
    ARTIFACT_PATH, Action, AuthFault, AuthMode, BearerToken, Credential, CredentialStore, Gate,
    Grants, KeyId, LinkSigner, MasterKey, MemoryStore, Principal, RequestHead, Resource, Role,
    Secret, Service, Source, StoreError, Window,
};

const DATE: &str = "20261124T120000Z";
const FAR: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));

fn bare(path: &str) -> Request {
    Request {
        method: "GET".to_owned(),
        path: path.to_owned(),
        headers: vec![("host".to_owned(), "node.test:9400".to_owned())],
        ..Request::default()
    }
}

fn signed(key: Key<'_>, asymmetric: bool, in_query: bool) -> Request {
    let mut request = bare("/x");
    let style = Style {
        asymmetric,
        in_query,
        declare: false,
        also: &[],
        service: "lambda",
        date: DATE,
    };
    sign(&mut request, key, style);
    request
}

fn fault(answer: Result<Principal, AuthFault>) -> &'static str {
    answer.expect_err("to be refused").code(Service::CloudFront)
}

fn ask(gate: &Gate<MemoryStore>, request: &Request) -> Result<Principal, AuthFault> {
    admit(gate, request, Service::Lambda, STRANGER, time(NOW))
}

#[test]
fn a_temporary_key_needs_its_token_and_a_permanent_one_ignores_any() {
    // CP-419
    let gate = gate(AuthMode::SigV4);
    let [plain, session] = KEYS;
    for (asymmetric, in_query) in [(false, false), (true, false), (false, true), (true, true)] {
        let with = |key: Key<'static>, token| signed(Key { token, ..key }, asymmetric, in_query);
        assert!(ask(&gate, &with(session, session.token)).is_ok());
        // All three are signed with the right secret.
        for token in [None, Some("other"), Some("")] {
            assert_eq!(
                fault(ask(&gate, &with(session, token))),
                "InvalidClientTokenId"
            );
        }
        let request = with(plain, Some("left over from SSO"));
        assert!(ask(&gate, &request).is_ok());
        let headers = fields(&request).unwrap();
        let head = RequestHead {
            method: "GET",
            raw_path: b"/x",
            raw_query: request.query.as_bytes(),
            headers: &headers,
            over_tls: false,
        };
        let admission = gate
            .admit(&head, Service::Lambda, STRANGER, time(NOW))
            .unwrap();
        assert!(admission.ignored_token());
    }
}

#[test]
fn an_ended_key_is_refused_as_such() {
    // CP-419, table 1.5: an ended key says so to who has its secret, and to nobody else
    let gate = gate(AuthMode::SigV4);
    let mut ended = Credential::clone(&gate.store().credential(KEYS[0].id).unwrap().unwrap());
    ended.expires = Some(time(NOW));
    gate.store().put(ended);
    assert_eq!(
        fault(ask(&gate, &signed(KEYS[0], false, false))),
        "ExpiredToken"
    );
    let guess = Key {
        secret: "guess",
        ..KEYS[0]
    };
    assert_eq!(
        fault(ask(&gate, &signed(guess, false, false))),
        "SignatureDoesNotMatch"
    );
    let request = signed(KEYS[0], true, false);
    let answer = admit(&gate, &request, Service::Lambda, STRANGER, time(NOW - 1));
    assert!(answer.is_ok(), "{answer:?}");
}

#[test]
fn a_key_that_is_replaced_or_removed_stops_at_once() {
    // CP-417, CP-418: derived keys are kept by secret, so that a replaced or removed one stops at once
    for asymmetric in [false, true] {
        let gate = gate(AuthMode::SigV4);
        let request = signed(KEYS[0], asymmetric, false);
        for _ in 0..2 {
            assert!(ask(&gate, &request).is_ok());
        }
        let mut other = Credential::clone(&gate.store().credential(KEYS[0].id).unwrap().unwrap());
        other.secret = Secret::new("another");
        gate.store().put(other);
        assert_eq!(fault(ask(&gate, &request)), "SignatureDoesNotMatch");
        assert!(gate.store().remove(KEYS[0].id));
        assert_eq!(fault(ask(&gate, &request)), "InvalidClientTokenId");
    }
}

#[test]
fn guesses_are_stopped_after_twenty_and_others_go_on() {
    // CP-420
    let gate = gate(AuthMode::SigV4);
    let guess = signed(
        Key {
            secret: "guess",
            ..KEYS[0]
        },
        false,
        false,
    );
    let good = signed(KEYS[0], false, false);
    let from = |address: IpAddr, request: &Request, second| {
        admit(
            &gate,
            request,
            Service::Lambda,
            Source::Address(address),
            time(NOW + second),
        )
    };
    // What is no guess does not count: no credentials, a late request.
    for _ in 0..30 {
        assert!(matches!(from(FAR, &bare("/x"), 0), Err(AuthFault::Missing)));
        assert!(matches!(
            from(FAR, &good, 1000),
            Err(AuthFault::Expired { .. })
        ));
    }
    for second in 0..20 {
        assert_eq!(fault(from(FAR, &guess, second)), "SignatureDoesNotMatch");
    }
    let refused = from(FAR, &good, 20).unwrap_err();
    assert_eq!(
        (refused.status(), refused.code(Service::Lambda)),
        (429, "TooManyRequestsException")
    );
    assert!(from([192, 0, 2, 2].into(), &good, 20).is_ok());
    assert!(from(FAR, &good, 60).is_ok());
    // Nobody is locked out of the socket.
    for _ in 0..30 {
        assert_eq!(fault(ask(&gate, &guess)), "SignatureDoesNotMatch");
    }
}

#[test]
fn a_link_opens_its_artifact_for_ten_minutes_and_nothing_else() {
    // CP-070, CP-416
    let gate = gate(AuthMode::SigV4);
    let link = gate
        .links()
        .artifact(&[0xab; 32], "node.test:9400", time(NOW))
        .unwrap();
    let (path, query) = link.split_once('?').unwrap();
    assert_eq!(path, format!("{ARTIFACT_PATH}{}", "ab".repeat(32)));
    let mut request = bare(path);
    request.query = query.to_owned();
    let ask = |request: &Request, now| admit(&gate, request, Service::Native, STRANGER, time(now));
    for now in [NOW, NOW + 600] {
        let who = ask(&request, now).unwrap();
        assert!(matches!(who, Principal::Link));
        assert!(who.authorize(Action::Artifact, Resource::Any).is_ok());
        assert!(who.authorize(Action::Read, Resource::Any).is_err());
    }
    assert!(matches!(
        ask(&request, NOW + 601),
        Err(AuthFault::Expired { .. })
    ));
    let mut other = request.clone();
    other.path = format!("{ARTIFACT_PATH}{}", "ac".repeat(32));
    assert_eq!(fault(ask(&other, NOW)), "SignatureDoesNotMatch");
    other = request.clone();
    other.method = "PUT".to_owned();
    assert_eq!(fault(ask(&other, NOW)), "SignatureDoesNotMatch");
    other = request.clone();
    other.set("host", "other.test");
    assert_eq!(fault(ask(&other, NOW)), "SignatureDoesNotMatch");
    // Nodes of one fleet have one master key, and accept each other's links.
    let elsewhere = |key| LinkSigner::new(&MasterKey::from_bytes([key; 32]), "us-east-1");
    for (key, good) in [(9, true), (8, false)] {
        let link = elsewhere(key)
            .artifact(&[0xab; 32], "node.test:9400", time(NOW))
            .unwrap();
        request.query = link.split_once('?').unwrap().1.to_owned();
        assert_eq!(ask(&request, NOW).is_ok(), good);
    }
}

#[test]
fn a_bearer_token_is_for_the_native_api() {
    // CP-402
    let gate = gate(AuthMode::SigV4);
    let (token, text) = BearerToken::generate(Grants::of([Role::Read]), time(NOW)).unwrap();
    let id = token.id.clone();
    gate.store().put_token(token);
    let mut request = bare("/_fourfront/v1/status");
    request.set("authorization", &format!("Bearer {}", *text));
    let ask = |request: &Request, service| admit(&gate, request, service, STRANGER, time(NOW));
    let who = ask(&request, Service::Native).unwrap();
    assert_eq!(who.name(), format!("ff_{id}"));
    assert!(who.authorize(Action::Read, Resource::Any).is_ok());
    assert!(who.authorize(Action::Write, Resource::Any).is_err());
    assert_eq!(fault(ask(&request, Service::Lambda)), "IncompleteSignature");
    assert!(gate.store().remove(&id));
    assert_eq!(
        fault(ask(&request, Service::Native)),
        "InvalidClientTokenId"
    );
}

#[test]
fn the_nodes_own_user_is_let_in_on_the_socket() {
    // CP-402: the socket's own user and root need no key, nobody else goes without
    let gate = gate(AuthMode::SigV4);
    let from = |peer_uid| {
        let source = Source::Socket {
            peer_uid,
            node_uid: 1001,
        };
        admit(
            &gate,
            &bare("/_fourfront/v1/status"),
            Service::Native,
            source,
            time(NOW),
        )
    };
    for uid in [0, 1001] {
        assert_eq!(from(uid).unwrap().name(), format!("uid:{uid}"));
    }
    assert_eq!(fault(from(1000)), "MissingAuthenticationToken");
}

#[test]
fn mode_any_lets_in_who_is_on_this_machine() {
    // CP-400: any well-formed signature or none, from this machine, and no page of a browser
    let gate = gate(AuthMode::Any);
    let guess = Key {
        id: "test",
        secret: "test",
        token: None,
    };
    let local = |mut request: Request, host: &str| {
        request.set("host", host);
        ask(&gate, &request)
    };
    assert_eq!(local(bare("/x"), "localhost:9400").unwrap().name(), "local");
    assert_eq!(
        local(signed(guess, false, false), "127.0.0.1:9400")
            .unwrap()
            .name(),
        "local:test"
    );
    let mut page = bare("/x");
    page.set("origin", "https://evil.test");
    assert!(matches!(
        local(page, "localhost:9400"),
        Err(AuthFault::Foreign(_))
    ));
    assert!(matches!(
        local(bare("/x"), "evil.test"),
        Err(AuthFault::Foreign(_))
    ));
    assert_eq!(
        fault(local(signed(guess, false, false), "evil.test")),
        "InvalidClientTokenId"
    );
    assert!(matches!(
        ask(&gate, &signed(KEYS[0], false, false)),
        Ok(Principal::Key { .. })
    ));
    let mut malformed = bare("/x");
    malformed.set("authorization", "AWS4-HMAC-SHA256 nonsense");
    assert_eq!(
        fault(local(malformed, "localhost:9400")),
        "IncompleteSignature"
    );
}

#[test]
fn a_forged_signature_with_a_declared_hash_is_refused_before_the_body() {
    // CP-415, CP-420: a declared hash lets the signature be judged before a body of 70 MB is read; without one, nothing is proven yet
    let gate = gate(AuthMode::SigV4);
    for (declare, early) in [(true, true), (false, false)] {
        let mut request = bare("/x");
        request.body = b"body".to_vec();
        let style = Style {
            asymmetric: false,
            in_query: false,
            declare,
            also: &[],
            service: "lambda",
            date: DATE,
        };
        sign(
            &mut request,
            Key {
                secret: "guess",
                ..KEYS[0]
            },
            style,
        );
        let headers = fields(&request).unwrap();
        let head = RequestHead {
            method: "GET",
            raw_path: b"/x",
            raw_query: b"",
            headers: &headers,
            over_tls: false,
        };
        let admission = gate.admit(&head, Service::Lambda, STRANGER, time(NOW));
        assert_eq!(admission.is_err(), early);
        if let Ok(admission) = admission {
            assert_eq!(admission.claimed().name(), KEYS[0].id);
            assert!(admission.finish(&naive::sha(b"body")).is_err());
        }
    }
}

#[test]
fn a_generated_key_signs_in_both_ways() {
    // CP-430: the development key, or the first one, is as good as any other
    let gate = gate(AuthMode::SigV4);
    let made = Credential::generate(Grants::admin(), time(NOW)).unwrap();
    gate.store().put(made.clone());
    let key = Key {
        id: made.key_id.as_str(),
        secret: made.secret.reveal(),
        token: None,
    };
    for asymmetric in [false, true] {
        let who = ask(&gate, &signed(key, asymmetric, false)).unwrap();
        assert!(who.authorize(Action::Credentials, Resource::Any).is_ok());
        assert_eq!(who.name(), key.id);
    }
}

struct Broken;

impl CredentialStore for Broken {
    fn credential(&self, _: &str) -> Result<Option<Arc<Credential>>, StoreError> {
        Err(StoreError::new("disk"))
    }

    fn token(&self, _: &str) -> Result<Option<Arc<BearerToken>>, StoreError> {
        Err(StoreError::new("disk"))
    }
}

// A store that cannot be read lets nobody in, and blames nobody
#[test]
fn a_broken_store_is_our_fault() {
    let links = LinkSigner::new(&MasterKey::from_bytes([9; 32]), "us-east-1");
    let gate = Gate::new(Broken, AuthMode::SigV4, Window::minutes(1).unwrap(), links);
    let request = signed(KEYS[0], false, false);
    let headers = fields(&request).unwrap();
    let head = RequestHead {
        method: "GET",
        raw_path: b"/x",
        raw_query: b"",
        headers: &headers,
        over_tls: false,
    };
    for _ in 0..30 {
        let answer = gate.admit(&head, Service::Lambda, Source::Address(FAR), time(NOW));
        assert_eq!(answer.unwrap_err().status(), 503);
    }
}

#[test]
fn the_window_is_from_one_to_sixty_minutes() {
    // CP-412: the window is a setting
    assert_eq!((Window::minutes(0), Window::minutes(61)), (None, None));
    let vector = vectors()
        .into_iter()
        .find(|one| one.name == "boto3-lambda-list")
        .unwrap();
    for minutes in [1_u8, 60] {
        let store = MemoryStore::new();
        store.put(Credential {
            key_id: KeyId::import(KEYS[0].id, false).unwrap(),
            secret: Secret::new(KEYS[0].secret),
            session_token: None,
            grants: Arc::default(),
            created: time(0),
            expires: None,
            description: String::new(),
        });
        let links = LinkSigner::new(&MasterKey::from_bytes([9; 32]), "us-east-1");
        let gate = Gate::new(
            store,
            AuthMode::SigV4,
            Window::minutes(minutes).unwrap(),
            links,
        );
        let edge = Duration::from_secs(u64::from(minutes) * 60);
        let at = |now| admit(&gate, &vector.request, vector.service, STRANGER, now).is_ok();
        let second = Duration::from_secs(1);
        assert!(at(time(NOW) + edge) && !at(time(NOW) + edge + second));
        assert!(at(time(NOW) - edge) && !at(time(NOW) - edge - second));
    }
}
