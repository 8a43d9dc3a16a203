//! Requests to services that the node does not have (CP-236).

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use aws_sigv4::{
    http_request::{
        PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SigningSettings,
        UriPathNormalizationMode, sign,
    },
    sign::v4,
};
use bytes::Bytes;
use fourfront_auth::{AuthMode, Credential, Grants, LinkSigner, MasterKey, Role, Source, Window};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use serde_json::json;
use tempfile::TempDir;

use super::{peer::Peer, plane::Plane, refused};
use crate::api::{
    Keychain,
    front::{Answered, Front, Head},
    native,
};

const FAR: Source = Source::Address(std::net::IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 9)));

/// The time at which everything here happens.
fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000)
}

/// A node, its key, and what it hands requests on to.
struct Node {
    _dir: TempDir,
    front: Arc<Front>,
    key: Credential,
}

impl Node {
    fn new(forward: &str) -> Self {
        Self::patient(forward, None)
    }

    fn patient(forward: &str, idle: Option<Duration>) -> Self {
        let site = format!("node: {{ data_dir: ./data, admin: {{ forward: {forward} }} }}\n");
        Self::with(&site, idle)
    }

    fn of(site: &str) -> Self {
        Self::with(site, None)
    }

    fn with(site: &str, idle: Option<Duration>) -> Self {
        let Plane { dir, mut control } = Plane::new(site);
        if let Some(idle) = idle {
            Arc::get_mut(&mut control)
                .expect("nobody else has it yet")
                .hurry(idle);
        }
        let master = || MasterKey::from_bytes([7; 32]);
        let keys = Keychain::new(control.store().clone(), master());
        let key = Credential::generate(Grants::admin(), now()).unwrap();
        keys.put(&key, now(), None).unwrap();
        let links = LinkSigner::new(&master(), "us-east-1");
        let window = Window::default();
        let front = Front::new(control, keys, AuthMode::SigV4, window, links);
        let front = Arc::new(front);
        Self {
            _dir: dir,
            front,
            key,
        }
    }

    async fn send(&self, request: Asking<'_>) -> (StatusCode, HeaderMap, Bytes) {
        let head = request.head(&self.key);
        let body = Full::new(request.sends.unwrap_or_else(|| request.body.clone()));
        match self.front.aws(head, body).await {
            Answered::Own(answer) => (answer.status, answer.headers, answer.body),
            Answered::Forwarded(answer) => {
                let (parts, body) = answer.into_parts();
                let body = body.collect().await.unwrap().to_bytes();
                (parts.status, parts.headers, body)
            }
        }
    }

    /// Operation, resource and outcome of all mutations.
    fn audited(&self) -> Vec<String> {
        let page = self.front.control().store().audit_page(None, 100).unwrap();
        let told = |(_, entry): (u64, fourfront_store::AuditEntry)| {
            assert_eq!(&*entry.key, self.key.key_id.as_str());
            format!("{} {} {}", entry.operation, entry.resource, entry.outcome)
        };
        page.into_iter().rev().map(told).collect()
    }
}

/// A request to a service.
#[derive(Clone)]
struct Asking<'a> {
    method: &'a str,
    target: &'a str,
    headers: &'a [(&'static str, &'a str)],
    body: Bytes,
    /// Another body than the one that is signed.
    sends: Option<Bytes>,
    service: &'a str,
    key: Option<&'a Credential>,
    is_signed: bool,
}

const PUT_PARAMETER: Asking<'static> = Asking {
    method: "POST",
    target: "/",
    headers: &[
        ("content-type", "application/x-amz-json-1.1"),
        ("x-amz-target", "AmazonSSM.PutParameter"),
    ],
    body: Bytes::from_static(br#"{"Name":"x","Value":"secret"}"#),
    sends: None,
    service: "ssm",
    key: None,
    is_signed: true,
};

const PUT_OBJECT: Asking<'static> = Asking {
    method: "PUT",
    target: "/bucket/a%20b//c%2Bd?tagging",
    headers: &[("x-amz-meta-a", "1"), ("expect", "100-continue")],
    body: Bytes::from_static(&[b'z'; 300_000]),
    sends: None,
    service: "s3",
    key: None,
    is_signed: true,
};

impl Asking<'_> {
    fn head(&self, key: &Credential) -> Head {
        let (path, query) = self.target.split_once('?').unwrap_or((self.target, ""));
        Head {
            method: self.method.parse().unwrap(),
            path: path.to_owned(),
            query: query.to_owned(),
            headers: self.signed(key),
            over_tls: false,
            source: FAR,
            now: now(),
        }
    }

    /// As AWS's own signer does it.
    fn signed(&self, key: &Credential) -> HeaderMap {
        let key = self.key.unwrap_or(key);
        let mut headers = HeaderMap::new();
        let host = ("host", "node.example.test:9400");
        for (name, value) in std::iter::once(&host).chain(self.headers) {
            headers.append(*name, HeaderValue::from_str(value).unwrap());
        }
        if !self.is_signed {
            return headers;
        }
        let identity = aws_credential_types::Credentials::new(
            key.key_id.as_str(),
            key.secret.reveal(),
            None,
            None,
            "test",
        )
        .into();
        let mut settings = SigningSettings::default();
        if self.service == "s3" {
            settings.percent_encoding_mode = PercentEncodingMode::Single;
            settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
            settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
        }
        let params = v4::SigningParams::builder()
            .identity(&identity)
            .region("us-east-1")
            .name(self.service)
            .time(now())
            .settings(settings)
            .build()
            .unwrap();
        let fields = std::iter::once(&host)
            .chain(self.headers)
            .filter(|(name, _)| !matches!(*name, "expect" | "connection" | "via" | "te"))
            .copied();
        let url = format!("http://{}{}", host.1, self.target);
        let body = SignableBody::Bytes(&self.body);
        let signable = SignableRequest::new(self.method, url, fields, body).unwrap();
        let (instructions, _) = sign(signable, &params.into()).unwrap().into_parts();
        for (name, value) in instructions.headers() {
            let name = HeaderName::try_from(name).unwrap();
            headers.insert(name, HeaderValue::try_from(value).unwrap());
        }
        headers
    }
}

fn peer() -> Peer {
    Peer::start(|_, _| {
        Response::builder()
            .status(201)
            .header("x-peer", "1")
            .header("connection", "x-hop")
            .header("x-hop", "1")
            .header("x-amzn-requestid", "the peer's")
            .body(Bytes::from_static(b"done"))
            .unwrap()
    })
}

#[tokio::test]
async fn requests_and_answers_pass_as_they_came() {
    // CP-236, CP-433
    let peer = peer();
    let node = Node::new(&format!(
        "{{ ssm: 'http://{0}', s3: 'http://{0}' }}",
        peer.address
    ));
    for asking in [PUT_PARAMETER, PUT_OBJECT] {
        let (status, headers, body) = node.send(asking.clone()).await;
        assert_eq!((status.as_u16(), &body[..]), (201, &b"done"[..]));
        assert_eq!(headers["x-peer"], "1");
        assert_eq!(headers["x-amzn-requestid"], "the peer's");
        assert!(!headers.contains_key("connection") && !headers.contains_key("x-hop"));
        let [(parts, sent)] = &peer.asked()[..] else {
            panic!("asked once");
        };
        assert_eq!(sent.as_ref(), Some(&asking.body));
        assert_eq!(parts.method.as_str(), asking.method);
        assert_eq!(parts.uri.to_string(), asking.target);
        let came = asking.signed(&node.key);
        for (name, value) in came.iter().filter(|(name, _)| *name != "expect") {
            assert_eq!(parts.headers.get(name), Some(value), "{name}");
        }
        assert!(!parts.headers.contains_key("expect"));
        let via = parts.headers["via"].to_str().unwrap().to_owned();
        // What comes back is told from what comes.
        let again = [("via", &*via), ("x-amz-target", "AmazonSSM.PutParameter")];
        let looping = Asking {
            headers: &again,
            service: "ssm",
            ..asking
        };
        assert_eq!(node.send(looping).await.0.as_u16(), 508);
        assert!(peer.asked().is_empty());
    }
    let look = Asking {
        headers: &[
            ("content-type", "application/x-amz-json-1.1"),
            ("x-amz-target", "AmazonSSM.GetParameter"),
        ],
        ..PUT_PARAMETER
    };
    node.send(look).await;
    let get = Asking {
        method: "GET",
        body: Bytes::new(),
        ..PUT_OBJECT
    };
    node.send(get).await;
    let [_, (parts, sent)] = &peer.asked()[..] else {
        panic!("asked twice");
    };
    assert!(!parts.headers.contains_key("transfer-encoding"));
    assert_eq!(sent.as_ref().map(Bytes::len), Some(0));
    assert_eq!(
        node.audited(),
        ["ssm:PutParameter  ok", "s3:PUT /bucket/a%20b//c%2Bd ok"]
    );
}

#[tokio::test]
async fn nobody_gets_through_who_is_not_let_in() {
    // CP-236, CP-432: no open proxy
    let peer = peer();
    let node = Node::new(&format!(
        "{{ ssm: 'http://{0}', s3: 'http://{0}' }}",
        peer.address
    ));
    let stranger = Credential::generate(Grants::admin(), now()).unwrap();
    let mut forger = Credential::generate(Grants::admin(), now()).unwrap();
    forger.key_id = node.key.key_id.clone();
    let reader = Credential::generate(Grants::of([Role::Read]), now()).unwrap();
    let restricted = Credential::generate(
        Grants {
            stores: vec!["s".to_owned()],
            ..Grants::of([Role::Deploy])
        },
        now(),
    )
    .unwrap();
    for key in [&reader, &restricted] {
        node.front.keys().put(key, now(), None).unwrap();
    }
    for asking in [PUT_PARAMETER, PUT_OBJECT] {
        let is_json = asking.service == "ssm";
        let [unsigned, unknown, forged] = match is_json {
            true => [
                "MissingAuthenticationTokenException",
                "UnrecognizedClientException",
                "InvalidSignatureException",
            ],
            false => [
                "MissingAuthenticationToken",
                "InvalidClientTokenId",
                "SignatureDoesNotMatch",
            ],
        };
        let by = |key| Asking {
            key: Some(key),
            ..asking.clone()
        };
        let other = Asking {
            sends: Some(Bytes::from_static(&[b'y'; 300_000])),
            ..asking.clone()
        };
        let bare = Asking {
            is_signed: false,
            headers: &[
                ("x-amz-target", "AmazonSSM.PutParameter"),
                ("content-type", "application/x-amz-json-1.1"),
            ],
            ..asking.clone()
        };
        let denied = if is_json {
            "AccessDeniedException"
        } else {
            "AccessDenied"
        };
        for (asking, code) in [
            (by(&stranger), unknown),
            (by(&forger), forged),
            (by(&reader), denied),
            (by(&restricted), denied),
            (other, forged),
        ] {
            let (status, _, body) = node.send(asking).await;
            let body = String::from_utf8_lossy(&body);
            assert!(body.contains(code), "{status} {body}");
            assert_eq!(status, 403);
        }
        if is_json {
            let (status, _, body) = node.send(bare).await;
            assert!(String::from_utf8_lossy(&body).contains(unsigned));
            assert_eq!(status, 403);
        }
    }
    // Who is proven and may not is entered (CP-433): both keys, once for each request.
    let page = node.front.control().store().audit_page(None, 100).unwrap();
    let mut entered: Vec<_> = page
        .iter()
        .map(|(_, entry)| format!("{} {} {}", entry.key, entry.operation, entry.outcome))
        .collect();
    let mut wanted = Vec::new();
    for key in [&reader, &restricted] {
        let key = key.key_id.as_str();
        wanted.push(format!("{key} ssm:PutParameter AccessDeniedException"));
        wanted.push(format!("{key} s3:PUT AccessDenied"));
    }
    entered.retain(|entry| entry.contains("AccessDenied"));
    entered.sort();
    wanted.sort();
    assert_eq!(entered, wanted);
    // Of the object whose body was another one, nothing came to its end.
    assert!(peer.asked().iter().all(|(_, body)| body.is_none()));
}

/// A body that never comes, or breaks off.
struct Lost {
    is_broken: bool,
}

impl http_body::Body for Lost {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<http_body::Frame<Bytes>, std::io::Error>>> {
        match self.is_broken {
            true => std::task::Poll::Ready(Some(Err(std::io::ErrorKind::BrokenPipe.into()))),
            false => std::task::Poll::Pending,
        }
    }
}

#[tokio::test(start_paused = true)]
async fn bodies_of_strangers_that_do_not_come_are_counted() {
    // CP-420, CP-033: who knows no more than a key's id holds nobody up for long
    let peer = peer();
    let node = Node::new(&format!("{{ ssm: 'http://{}' }}", peer.address));
    let head = || PUT_PARAMETER.head(&node.key);
    for n in 0..20 {
        let body = Lost {
            is_broken: n % 2 == 0,
        };
        let is_broken = body.is_broken;
        let asking = node.front.aws(head(), body);
        match is_broken {
            // Broken off, and given up after its time.
            true => match asking.await {
                Answered::Own(answer) => assert_eq!(answer.status, 400, "{n}"),
                Answered::Forwarded(_) => panic!("it has no body"),
            },
            // Hung up on.
            false => {
                let hung_up = tokio::time::timeout(Duration::from_millis(1), asking).await;
                assert!(hung_up.is_err(), "{n}");
            }
        }
    }
    let mut later = head();
    later.now += Duration::from_secs(1);
    match node.front.aws(later, Full::new(PUT_PARAMETER.body)).await {
        Answered::Own(answer) => assert_eq!(answer.status, 429),
        Answered::Forwarded(_) => panic!("it is not to be asked any more"),
    }
    assert!(peer.asked().is_empty());
}

#[tokio::test]
async fn no_field_talks_a_request_out_of_what_it_is_signed_with() {
    // CP-236, CP-413: `Connection` is signed by nobody
    let peer = peer();
    let node = Node::new(&format!("{{ s3: 'http://{}' }}", peer.address));
    let copy = Asking {
        headers: &[
            ("x-amz-copy-source", "/a/b"),
            ("x-hop", "1"),
            ("connection", "x-amz-copy-source, x-other, host, keep-alive"),
        ],
        ..PUT_OBJECT
    };
    assert_eq!(node.send(copy).await.0.as_u16(), 201);
    let [(parts, _)] = &peer.asked()[..] else {
        panic!("asked once");
    };
    assert_eq!(parts.headers["x-amz-copy-source"], "/a/b");
    assert!(!parts.headers.contains_key("connection"));
}

#[tokio::test]
async fn who_hangs_up_is_entered_all_the_same() {
    // CP-433, CP-236
    let (came, mut comes) = tokio::sync::mpsc::unbounded_channel();
    let (go, goes) = std::sync::mpsc::channel::<()>();
    let goes = std::sync::Mutex::new(goes);
    let peer = Peer::start(move |_, _| {
        came.send(()).unwrap();
        goes.lock().unwrap().recv().unwrap();
        Response::new(Bytes::from_static(b"done"))
    });
    let node = Node::new(&format!("{{ ssm: 'http://{}' }}", peer.address));
    tokio::select! {
        _ = node.send(PUT_PARAMETER) => panic!("it is not answered yet"),
        _ = comes.recv() => {}
    }
    go.send(()).unwrap();
    let entered = async {
        while node.audited().is_empty() {
            tokio::task::yield_now().await;
        }
    };
    let entered = tokio::time::timeout(Duration::from_secs(20), entered).await;
    entered.unwrap();
    assert_eq!(node.audited(), ["ssm:PutParameter  ok"]);
}

#[tokio::test]
async fn what_is_not_there_is_told_with_its_setting() {
    // CP-236
    let node = Node::new("{ ssm: 'http://127.0.0.1:1' }");
    let (status, _, body) = node.send(PUT_OBJECT).await;
    let body = String::from_utf8_lossy(&body).into_owned();
    assert_eq!(status, 400);
    assert!(body.contains("<Code>UnsupportedOperation</Code>"), "{body}");
    assert!(body.contains("node.admin.forward.s3"), "{body}");
    let (status, headers, body) = node.send(PUT_PARAMETER).await;
    let body = String::from_utf8_lossy(&body).into_owned();
    assert_eq!(status, 502);
    assert_eq!(headers["content-type"], "application/x-amz-json-1.1");
    assert!(body.contains("node.admin.forward.ssm"), "{body}");
    assert_eq!(node.audited(), ["ssm:PutParameter  BadGateway"]);
}

#[tokio::test]
async fn a_server_that_says_nothing_is_not_waited_for() {
    // CP-236
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let forward = format!("{{ ssm: 'http://{}' }}", silent.local_addr().unwrap());
    let node = Node::patient(&forward, Some(Duration::from_millis(50)));
    let (status, _, body) = node.send(PUT_PARAMETER).await;
    assert_eq!(status, 504, "{}", String::from_utf8_lossy(&body));
}

#[tokio::test]
async fn code_of_a_plan_comes_from_where_the_node_says() {
    // CP-305, CP-075: what a plan does not bring is an object that the node fetches
    let zip = {
        let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
        zip.start_file("index.js", zip::write::SimpleFileOptions::default())
            .unwrap();
        Bytes::from(zip.finish().unwrap().into_inner())
    };
    let sum = fourfront_store::BlobId::of(&zip).to_string();
    let peer = Peer::start(move |_, _| Response::new(zip.clone()));
    let node = Node::of(&format!(
        "node: {{ data_dir: ./data, artifacts: {{ releases: {{ endpoint: 'http://{}' }} }} }}\n",
        peer.address
    ));
    let function = |id: &str| {
        json!({
            "id": id, "place": { "file": "template.yaml", "line": 1, "column": 1 },
            "name": id, "runtime": "nodejs22.x", "handler": "index.handler", "edge": true,
            "code": { "type": "s3", "bucket": "releases", "key": "edge.zip", "version": "2" },
        })
    };
    let mut plan = serde_json::to_value(fourfront_import::Plan::default()).unwrap();
    plan["stack"] = json!("site");
    plan["functions"] = json!([function("one"), function("two")]);
    let body = json!({ "plan": plan }).to_string();
    let asking = Asking {
        method: "POST",
        target: "/_fourfront/v1/releases",
        headers: &[],
        body: body.into(),
        service: "fourfront",
        ..PUT_PARAMETER
    };
    let head = asking.head(&node.key);
    let body = Full::new(asking.body.clone());
    let admitted = node.front.admit_native(&head, "releases", body).await;
    let admitted = admitted.unwrap();
    let caller = admitted.caller.clone();
    let front = Arc::clone(&node.front);
    let deploying = tokio::task::spawn_blocking(move || {
        native::answer(&front, &head, "releases", &admitted.body, &caller)
    });
    let answer = deploying.await.unwrap();
    assert_eq!(
        answer.status,
        201,
        "{}",
        String::from_utf8_lossy(&answer.body)
    );
    let asked: Vec<_> = peer.asked();
    assert!(
        asked
            .iter()
            .all(|(parts, _)| parts.uri == "/releases/edge.zip?versionId=2")
    );
    assert!(!asked.is_empty());
    let blob = sum.parse().unwrap();
    assert!(node.front.control().store().blob_has(&blob));
}

#[test]
fn the_nodes_own_services_are_not_handed_on() {
    // CP-236
    let site = |entry: &str| {
        format!(
            "node:\n  data_dir: ./data\n  admin:\n    forward:\n      {entry}\n\
             distributions: {{ site: {{ origins: {{ app: 'http://127.0.0.1:3000' }} }} }}\n"
        )
    };
    for service in [
        "lambda",
        "cloudfront",
        "cloudfront-keyvaluestore",
        "sts",
        "iam",
        "logs",
    ] {
        let said = format!(
            "5:7: node.admin.forward.{service}: `{service}` is answered by the node itself"
        );
        refused(
            &site(&format!("{service}: 'http://127.0.0.1:1'")),
            &[&*said],
        );
    }
    refused(
        &site("SSM: 'http://127.0.0.1:1'"),
        &["5:7: node.admin.forward.SSM: `SSM` is not the name of a service"],
    );
    refused(
        &site("ssm: 'http://127.0.0.1:1/path'"),
        &["5:12: node.admin.forward.ssm: InvalidOrigin: `http://127.0.0.1:1/path` is no server"],
    );
}
