//! Requests of botocore's with something broken in them: whatever that is, there is an answer (CP-008, CP-028, CP-030).

use std::sync::LazyLock;

use fourfront_aws::{
    ApiError, Decoded, Protocol, Reply, Service, decode, encode_error, pairs, route, route_named,
};
use http::{HeaderMap, HeaderName, HeaderValue};
use proptest::{prelude::*, sample::Index};
use serde_json::Value;

static REQUESTS: LazyLock<Vec<Value>> = LazyLock::new(|| {
    include_str!("vectors/requests.jsonl")
        .lines()
        .map(|line| serde_json::from_str(line).expect("a vector"))
        .collect()
});

/// One thing that is done to some bytes.
#[derive(Clone, Debug)]
enum Harm {
    Replace(Index, u8),
    Remove(Index),
    Insert(Index, &'static str),
    Double(Index, Index),
    Cut(Index),
}

const MARKS: &[&str] = &[
    "<",
    ">",
    "/>",
    "&",
    "&#0;",
    "\"",
    "{",
    "]",
    "%",
    "%ff",
    "+",
    ".",
    "\u{e9}",
    "\0",
    "<!DOCTYPE a>",
    "null",
];

fn harms() -> impl Strategy<Value = Harm> {
    prop_oneof![
        (any::<Index>(), any::<u8>()).prop_map(|(at, byte)| Harm::Replace(at, byte)),
        any::<Index>().prop_map(Harm::Remove),
        (any::<Index>(), proptest::sample::select(MARKS))
            .prop_map(|(at, mark)| Harm::Insert(at, mark)),
        (any::<Index>(), any::<Index>()).prop_map(|(from, to)| Harm::Double(from, to)),
        any::<Index>().prop_map(Harm::Cut),
    ]
}

fn harmed(text: &str, harms: &[Harm]) -> Vec<u8> {
    let mut bytes = text.as_bytes().to_vec();
    for harm in harms {
        if bytes.is_empty() {
            break;
        }
        let length = bytes.len();
        match harm {
            Harm::Replace(at, byte) => bytes[at.index(length)] = *byte,
            Harm::Remove(at) => {
                bytes.remove(at.index(length));
            }
            Harm::Insert(at, mark) => {
                let at = at.index(length);
                bytes.splice(at..at, mark.bytes());
            }
            Harm::Double(from, to) => {
                let (from, to) = (from.index(length), to.index(length));
                let part = bytes[from.min(to)..from.max(to)].to_vec();
                bytes.splice(from..from, part);
            }
            Harm::Cut(at) => bytes.truncate(at.index(length)),
        }
    }
    bytes
}

fn answered(
    service: Service,
    vector: &Value,
    path: &str,
    body: &[u8],
) -> Result<Decoded, ApiError> {
    let text = |name: &str| vector[name].as_str().unwrap_or_default();
    let headers: HeaderMap = vector["headers"]
        .as_object()
        .into_iter()
        .flatten()
        .filter_map(|(name, value)| {
            let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
            Some((name, HeaderValue::from_str(value.as_str()?).ok()?))
        })
        .collect();
    let routed = match service.protocol() {
        Protocol::RestXml | Protocol::RestJson => {
            route(service, text("method"), path, text("query"))
        }
        Protocol::Query => pairs(&String::from_utf8_lossy(body))
            .and_then(|form| route_named(service, text("operation"), form)),
        Protocol::Json11 => route_named(service, text("operation"), Vec::new()),
    };
    let routed = routed.map_err(|error| error.answer(service))?;
    decode(&routed, &headers, body)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    // CP-008, CP-028, CP-030: no request ends the node, and each is told what is wrong with it in few words.
    #[test]
    fn broken_requests_are_read_or_refused(
        which in any::<Index>(),
        of_path in proptest::collection::vec(harms(), 0..2),
        of_body in proptest::collection::vec(harms(), 0..4),
    ) {
        let vector = &REQUESTS[which.index(REQUESTS.len())];
        let service = vector["service"].as_str().and_then(Service::signed_as).expect("a service");
        let path = harmed(vector["path"].as_str().unwrap_or_default(), &of_path);
        let path = String::from_utf8_lossy(&path).into_owned();
        let body = harmed(vector["body"].as_str().unwrap_or_default(), &of_body);
        match answered(service, vector, &path, &body) {
            Ok(decoded) => prop_assert!(decoded.input.is_object()),
            Err(error) => {
                prop_assert!((400..=501).contains(&error.status), "{error}");
                let reply = Reply { request_id: "r", namespace: None };
                let answer = encode_error(service, &error, &reply);
                prop_assert_eq!(answer.status.as_u16(), error.status);
                prop_assert!(std::str::from_utf8(&answer.body).is_ok_and(|text| text.len() < 70_000));
            }
        }
    }
}
