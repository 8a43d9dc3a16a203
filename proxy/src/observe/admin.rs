//! The admin listener: health, readiness, metrics and invalidations on the loopback interface (CP-620); and the one for
//! probes and scrapers, which is for other machines and has the first three alone.

use std::{
    collections::HashSet,
    convert::Infallible,
    io,
    net::IpAddr,
    sync::Arc,
    time::{Duration, SystemTime},
};

use async_trait::async_trait;
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::Semaphore,
};

use super::{
    follow::{self, Events},
    tap::LogTap,
};
use crate::purge::{Problem, PurgeAnswer, PurgeCall};

/// What the admin listener can say of the node behind it.
#[async_trait]
pub trait Admin: Send + Sync + 'static {
    /// The Prometheus text exposition.
    fn metrics(&self) -> Result<Vec<u8>, String>;
    /// Whether new requests are accepted: false while draining.
    fn ready(&self) -> bool;
    /// A JSON document on the state of the node.
    fn status(&self) -> String;
    /// A JSON document on how the origins of all distributions do (CP-611).
    fn origins(&self) -> Value;
    /// A JSON document on what is served: `items`, each of a kind and with an id (CP-611).
    fn served(&self) -> Value;
    /// Answers a call about invalidations. May wait for the disk.
    fn purge(&self, call: PurgeCall) -> PurgeAnswer;
    /// Explains what would be done with the request that this body describes (CP-606). May compute for a second
    /// where memory holds a million objects.
    async fn explain(&self, body: Vec<u8>) -> PurgeAnswer;
    /// Names and versions of the functions that a distribution has now.
    fn functions_of(&self, distribution: &str) -> HashSet<(String, u32)>;
    /// Wall-clock time.
    fn now(&self) -> SystemTime;
}

/// How long accepting rests after an error. The usual one is that the process has too many files open, which
/// ends when a viewer leaves; until then each try would fail at once.
const PAUSE: Duration = Duration::from_millis(100);

/// Serves the admin API until the task is dropped: health and metrics are never needed more than when the
/// node is short of something.
pub async fn serve(listener: TcpListener, admin: Arc<dyn Admin>, tap: Arc<LogTap>) {
    let accept = async || listener.accept().await.map(|(stream, _)| stream);
    let serve = |stream| serve_connection(stream, admin.clone(), tap.clone());
    accept_all(accept, serve).await;
}

/// Connections to the listener for probes at the same time, and how long one may last. Whoever reaches it needs no
/// credentials, so what it can hold of the node is bounded; probes and scrapers are few and ask within moments.
const MOST_PROBES: usize = 64;
const PROBE_TIME: Duration = Duration::from_secs(10);

/// Serves health, readiness and metrics, one request to a connection, until the task is dropped.
pub async fn serve_probes(listener: TcpListener, admin: Arc<dyn Admin>) {
    let accept = async || listener.accept().await.map(|(stream, _)| stream);
    let free = Arc::new(Semaphore::new(MOST_PROBES));
    accept_all(accept, |stream| {
        // One too many is closed unheard.
        if let Ok(place) = free.clone().try_acquire_owned() {
            let admin = admin.clone();
            tokio::spawn(async move {
                serve_probe(stream, admin, PROBE_TIME).await;
                drop(place);
            });
        }
    })
    .await;
}

async fn serve_probe<S>(stream: S, admin: Arc<dyn Admin>, limit: Duration)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let service = service_fn(|request: Request<Incoming>| {
        let path = request.uri().path();
        let answered = match path {
            "/health" | "/ready" | "/metrics" => answer(request.method(), path, admin.as_ref()),
            _ => plain(
                StatusCode::NOT_FOUND,
                "no such resource: try /health, /ready or /metrics\n",
            ),
        };
        std::future::ready(Ok::<_, Infallible>(answered))
    });
    let connection = http1::Builder::new()
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service);
    // Who is slow, or hangs up midway, is none of the node's business.
    let _ = tokio::time::timeout(limit, connection).await;
}

/// Hands over each connection, past all errors.
pub(super) async fn accept_all<S>(
    mut accept: impl AsyncFnMut() -> io::Result<S>,
    mut serve: impl FnMut(S),
) {
    let mut failing = false;
    loop {
        match accept().await {
            Ok(stream) => {
                failing = false;
                serve(stream);
            }
            Err(e) => {
                // Once for each time it begins: a storm of errors must not become a storm of lines.
                if !failing {
                    tracing::error!("admin listener: {e}");
                }
                failing = true;
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

fn serve_connection(stream: TcpStream, admin: Arc<dyn Admin>, tap: Arc<LogTap>) {
    tokio::spawn(async move {
        let service = service_fn(move |request: Request<Incoming>| {
            let (admin, tap) = (admin.clone(), tap.clone());
            async move {
                let path = request.uri().path();
                let answered = match purge_path(path) {
                    Some(id) => {
                        let id = id.to_owned();
                        purge(request, &id, admin).await
                    }
                    None if path == EXPLAIN => explain(request, admin).await,
                    None if path == LOGS => match logs(&request, &admin, &tap) {
                        Ok(events) => return Ok(events.map(Events::boxed_unsync)),
                        Err(problem) => purge_response(problem.answer()),
                    },
                    None => answer(request.method(), path, admin.as_ref()),
                };
                Ok::<_, Infallible>(answered.map(Full::boxed_unsync))
            }
        });
        // A scraper that hangs up midway is its own business.
        let _ = http1::Builder::new()
            .serve_connection(TokioIo::new(stream), service)
            .await;
    });
}

/// Longest body of a call (CP-010).
const MOST_BODY: usize = 1 << 20;

/// What follows `purge` in the path of the invalidation API; empty for the collection.
fn purge_path(path: &str) -> Option<&str> {
    let rest = path.strip_prefix("/_fourfront/v1/purge")?;
    match rest {
        "" => Some(rest),
        _ => rest.strip_prefix('/'),
    }
}

/// `POST purge`, `GET purge` and `GET purge/{id}` (CP-610, CP-620).
async fn purge<B>(request: Request<B>, id: &str, admin: Arc<dyn Admin>) -> Response<Full<Bytes>>
where
    B: hyper::body::Body<Data: Send, Error: Into<Box<dyn std::error::Error + Send + Sync>>> + Send,
{
    let (head, body) = request.into_parts();
    let call = match (&head.method, id) {
        (&Method::POST, "") => match read_call(&head.headers, body).await {
            Ok(body) => PurgeCall::Create(body),
            Err(problem) => return purge_response(problem.answer()),
        },
        (&Method::GET | &Method::HEAD, "") => {
            PurgeCall::List(head.uri.query().unwrap_or_default().to_owned())
        }
        (&Method::GET | &Method::HEAD, id) => PurgeCall::Get(id.to_owned()),
        _ => {
            let detail = "POST to `purge`, or GET it or `purge/` and an id";
            let status = StatusCode::METHOD_NOT_ALLOWED;
            return purge_response(Problem::new(status, "MethodNotAllowed", detail).answer());
        }
    };
    // It may wait for the disk; others do not wait for it.
    let answered = tokio::task::spawn_blocking(move || admin.purge(call)).await;
    purge_response(answered.unwrap_or_else(internal))
}

/// Where explanations are asked for.
const EXPLAIN: &str = "/_fourfront/v1/explain";

/// `POST explain` (CP-606, CP-620).
async fn explain<B>(request: Request<B>, admin: Arc<dyn Admin>) -> Response<Full<Bytes>>
where
    B: hyper::body::Body<Data: Send, Error: Into<Box<dyn std::error::Error + Send + Sync>>> + Send,
{
    let (head, body) = request.into_parts();
    if head.method != Method::POST {
        let status = StatusCode::METHOD_NOT_ALLOWED;
        let problem = Problem::new(status, "MethodNotAllowed", "POST to `explain`");
        return purge_response(problem.answer());
    }
    let body = match read_call(&head.headers, body).await {
        Ok(body) => body,
        Err(problem) => return purge_response(problem.answer()),
    };
    // It goes through all that is in memory; others do not wait for it.
    let runtime = tokio::runtime::Handle::current();
    let explain = move || runtime.block_on(admin.explain(body));
    let answered = tokio::task::spawn_blocking(explain).await;
    purge_response(answered.unwrap_or_else(internal))
}

/// Where logs are read.
pub(super) const LOGS: &str = "/_fourfront/v1/logs";

/// `GET logs` (CP-608, CP-620).
fn logs<B>(
    request: &Request<B>,
    admin: &Arc<dyn Admin>,
    tap: &Arc<LogTap>,
) -> Result<Response<Events>, Problem> {
    // A web page of another origin cannot read an answer; one at a name of its own that leads here could.
    check_host(request.headers())?;
    let query = request.uri().query().unwrap_or_default();
    follow::answer(request.method(), query, tap, admin)
}

fn internal(error: tokio::task::JoinError) -> PurgeAnswer {
    let status = StatusCode::INTERNAL_SERVER_ERROR;
    Problem::new(status, "InternalError", error.to_string()).answer()
}

/// The body of a call. The listener has no authentication, so what a web page in an operator's browser can send is
/// refused: to another origin without being asked about it first, which cannot be of this type, and to a name of its
/// own that leads to this machine.
async fn read_call<B>(headers: &http::HeaderMap, body: B) -> Result<Vec<u8>, Problem>
where
    B: hyper::body::Body<Error: Into<Box<dyn std::error::Error + Send + Sync>>>,
{
    check_host(headers)?;
    let media_type = headers.get(header::CONTENT_TYPE);
    let media_type = media_type.and_then(|t| t.to_str().ok()).unwrap_or_default();
    let essence = media_type.split(';').next().unwrap_or_default().trim();
    if !essence.eq_ignore_ascii_case("application/json") {
        let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
        let detail = "send JSON, with `Content-Type: application/json`";
        return Err(Problem::new(status, "UnsupportedMediaType", detail));
    }
    match Limited::new(body, MOST_BODY).collect().await {
        Ok(body) => Ok(body.to_bytes().into()),
        Err(e) => {
            let status = StatusCode::PAYLOAD_TOO_LARGE;
            let detail = format!("at most {MOST_BODY} bytes (CP-010): {e}");
            Err(Problem::new(status, "RequestEntityTooLarge", detail))
        }
    }
}

fn check_host(headers: &http::HeaderMap) -> Result<(), Problem> {
    let host = headers.get(header::HOST);
    if host.is_none_or(|host| names_this_machine(host.to_str().unwrap_or_default())) {
        return Ok(());
    }
    let detail = "`Host` is to be an address or `localhost`";
    Err(Problem::new(StatusCode::FORBIDDEN, "AccessDenied", detail))
}

/// Whether an authority is an address, or a name that always means this machine (RFC 6761 section 6.3).
fn names_this_machine(authority: &str) -> bool {
    let host = match authority.strip_prefix('[') {
        Some(v6) => v6.split(']').next().unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    };
    host.parse::<IpAddr>().is_ok() || host == "localhost" || host.ends_with(".localhost")
}

fn purge_response(answer: PurgeAnswer) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(format!("{}\n", answer.body))));
    *response.status_mut() = answer.status;
    let media_type = match answer.status.is_success() {
        true => "application/json",
        false => "application/problem+json",
    };
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        header::HeaderValue::from_static(media_type),
    );
    let location = answer.location.and_then(|l| l.parse().ok());
    if let Some(location) = location {
        headers.insert(header::LOCATION, location);
    }
    response
}

const PLAIN: &str = "text/plain; charset=utf-8";

fn text(
    status: StatusCode,
    content_type: &'static str,
    body: impl Into<Bytes>,
) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        header::HeaderValue::from_static(content_type),
    );
    response
}

fn plain(status: StatusCode, body: &'static str) -> Response<Full<Bytes>> {
    text(status, PLAIN, body)
}

fn json(told: &Value) -> Response<Full<Bytes>> {
    text(
        StatusCode::OK,
        "application/json",
        told.to_string().into_bytes(),
    )
}

/// What a node without control state serves all comes from its site file.
fn of_the_site_file(mut served: Value) -> Value {
    let items = served["items"].as_array_mut().into_iter().flatten();
    for item in items {
        item["from"] = "site file".into();
    }
    served
}

pub(super) fn answer(method: &Method, path: &str, admin: &dyn Admin) -> Response<Full<Bytes>> {
    if method != Method::GET && method != Method::HEAD {
        return plain(StatusCode::METHOD_NOT_ALLOWED, "only GET\n");
    }
    match path.strip_prefix("/_fourfront/v1").unwrap_or(path) {
        "/health" => plain(StatusCode::OK, "ok\n"),
        "/ready" if admin.ready() => plain(StatusCode::OK, "ready\n"),
        "/ready" => plain(StatusCode::SERVICE_UNAVAILABLE, "draining\n"),
        "/status" => text(
            StatusCode::OK,
            "application/json",
            admin.status().into_bytes(),
        ),
        "/origins" => json(&admin.origins()),
        "/config" => json(&of_the_site_file(admin.served())),
        "/metrics" => match admin.metrics() {
            Ok(body) => text(StatusCode::OK, "text/plain; version=0.0.4", body),
            Err(e) => text(StatusCode::INTERNAL_SERVER_ERROR, PLAIN, e.into_bytes()),
        },
        _ => plain(
            StatusCode::NOT_FOUND,
            "no such resource: try /health, /ready, /status, /origins, /config, /metrics, /_fourfront/v1/logs, \
             /_fourfront/v1/purge or /_fourfront/v1/explain\n",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Fixed(bool);

    #[async_trait]
    impl Admin for Fixed {
        fn metrics(&self) -> Result<Vec<u8>, String> {
            Ok(b"x 1\n".to_vec())
        }
        fn ready(&self) -> bool {
            self.0
        }
        fn status(&self) -> String {
            "{}".to_owned()
        }
        fn origins(&self) -> Value {
            serde_json::json!({ "items": [] })
        }
        fn served(&self) -> Value {
            serde_json::json!({ "items": [{ "kind": "distribution", "id": "E1" }] })
        }
        fn functions_of(&self, _: &str) -> HashSet<(String, u32)> {
            HashSet::new()
        }
        fn now(&self) -> SystemTime {
            SystemTime::UNIX_EPOCH
        }
        fn purge(&self, call: PurgeCall) -> PurgeAnswer {
            PurgeAnswer {
                status: StatusCode::CREATED,
                body: format!("{call:?}").into(),
                location: Some("/there".to_owned()),
            }
        }
        async fn explain(&self, body: Vec<u8>) -> PurgeAnswer {
            PurgeAnswer {
                status: StatusCode::OK,
                body: String::from_utf8(body).unwrap().into(),
                location: None,
            }
        }
    }

    #[tokio::test]
    async fn explanations_are_asked_for_with_json() {
        // CP-010, CP-606, CP-620, CP-621
        let ask = async |method: &str, media_type: &str, body: &'static str| {
            let request = Request::builder()
                .method(method)
                .uri(EXPLAIN)
                .header("Host", "127.0.0.1:9400")
                .header("Content-Type", media_type)
                .body(Full::new(Bytes::from(body)))
                .unwrap();
            let response = explain(request, Arc::new(Fixed(true))).await;
            let status = response.status().as_u16();
            let body = response.into_body().collect().await.unwrap().to_bytes();
            (status, String::from_utf8(body.to_vec()).unwrap())
        };
        let (status, body) = ask("POST", "application/json", "{}").await;
        assert_eq!((status, body.as_str()), (200, "\"{}\"\n"));
        for (method, media_type, status) in [
            ("GET", "application/json", 405),
            ("POST", "text/plain", 415),
        ] {
            let (got, body) = ask(method, media_type, "{}").await;
            assert_eq!(got, status);
            assert!(body.contains("\"code\":"), "{body}");
        }
    }

    #[tokio::test]
    async fn purges_are_json_from_whoever_means_it() {
        // CP-010, CP-620, CP-621
        let ask = async |method: &str, target: &str, media_type: Option<&str>, body: Vec<u8>| {
            let mut request = Request::builder().method(method).uri(target);
            if let Some(media_type) = media_type {
                request = request.header("Content-Type", media_type);
            }
            let request = request.body(Full::new(Bytes::from(body))).unwrap();
            let id = purge_path(target.split('?').next().unwrap())
                .unwrap()
                .to_owned();
            let response = purge(request, &id, Arc::new(Fixed(true))).await;
            let status = response.status().as_u16();
            let media_type = response.headers()["content-type"]
                .to_str()
                .unwrap()
                .to_owned();
            let body = response.into_body().collect().await.unwrap().to_bytes();
            (
                status,
                media_type,
                String::from_utf8(body.to_vec()).unwrap(),
            )
        };
        let json = Some("application/json; charset=utf-8");
        let base = "/_fourfront/v1/purge";
        let (status, media_type, body) = ask("POST", base, json, b"{}".to_vec()).await;
        assert_eq!((status, media_type.as_str()), (201, "application/json"));
        assert!(body.contains("Create"), "{body}");
        let (_, _, body) = ask("GET", "/_fourfront/v1/purge?marker=x", None, vec![]).await;
        assert!(body.contains("List") && body.contains("marker=x"), "{body}");
        let (_, _, body) = ask("GET", "/_fourfront/v1/purge/I1", None, vec![]).await;
        assert!(body.contains("Get") && body.contains("I1"), "{body}");
        for (method, target, media_type, body, status) in [
            ("POST", base, Some("text/plain"), vec![], 415),
            ("POST", base, None, vec![], 415),
            ("POST", base, json, vec![b' '; MOST_BODY + 1], 413),
            ("DELETE", base, json, vec![], 405),
            ("POST", "/_fourfront/v1/purge/I1", json, vec![], 405),
        ] {
            let (got, media_type, body) = ask(method, target, media_type, body).await;
            assert_eq!(
                (got, media_type.as_str()),
                (status, "application/problem+json")
            );
            assert!(body.contains("\"code\":"), "{body}");
        }
        assert_eq!(purge_path("/_fourfront/v1/purged"), None);
        for (host, own) in [
            ("127.0.0.1:9400", true),
            ("[::1]:9400", true),
            ("localhost", true),
            ("node.localhost:1", true),
            ("attacker.test:9400", false),
            ("localhost.attacker.test", false),
            ("", false),
        ] {
            let mut headers = http::HeaderMap::new();
            headers.insert("host", host.parse().unwrap());
            headers.insert("content-type", "application/json".parse().unwrap());
            let read = read_call(&headers, Full::new(Bytes::from_static(b"{}"))).await;
            assert_eq!(read.is_ok(), own, "{host}");
        }
    }

    #[test]
    fn readiness_follows_the_node_and_health_does_not() {
        // CP-620
        let status = |path, ready| answer(&Method::GET, path, &Fixed(ready)).status().as_u16();
        assert_eq!(status("/health", false), 200);
        assert_eq!(status("/_fourfront/v1/ready", true), 200);
        assert_eq!(status("/ready", false), 503);
        assert_eq!(status("/metrics", true), 200);
        assert_eq!(status("/nope", true), 404);
        assert_eq!(
            answer(&Method::POST, "/health", &Fixed(true))
                .status()
                .as_u16(),
            405
        );
    }

    /// What the listener for probes says to these bytes; as much as comes before it closes.
    async fn probe(sent: &str, limit: Duration) -> String {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        let (mut near, far) = tokio::io::duplex(64 << 10);
        near.write_all(sent.as_bytes()).await.unwrap();
        let mut read = String::new();
        let serving = serve_probe(far, Arc::new(Fixed(true)), limit);
        let (_, told) = tokio::join!(serving, near.read_to_string(&mut read));
        told.unwrap();
        read
    }

    #[tokio::test(start_paused = true)]
    async fn probes_learn_of_health_and_metrics_and_of_nothing_else() {
        // CP-620
        for (method, path, status) in [
            ("GET", "/health", 200),
            ("GET", "/ready", 200),
            ("HEAD", "/metrics", 200),
            ("GET", "/status", 404),
            ("GET", "/_fourfront/v1/purge", 404),
            ("GET", "/_fourfront/v1/status", 404),
            ("POST", "/_fourfront/v1/purge", 404),
            ("POST", "/_fourfront/v1/explain", 404),
            ("POST", "/metrics", 405),
        ] {
            // Two at once: the second stays without an answer, the connection ends.
            let one = format!("{method} {path} HTTP/1.1\r\nHost: a\r\n\r\n");
            let told = probe(&one.repeat(2), PROBE_TIME).await;
            let expected = format!("HTTP/1.1 {status} ");
            assert!(told.starts_with(&expected), "{method} {path}: {told}");
            assert_eq!(told.matches("HTTP/1.1 ").count(), 1, "{told}");
        }
        // Who never finishes a request is let go; the clock here runs ahead when nobody has anything to do.
        assert_eq!(probe("GET /health HTTP/1.1\r\n", PROBE_TIME).await, "");
    }

    #[tokio::test]
    async fn accepting_goes_on_after_errors() {
        // CP-620
        let mut script = vec![Ok("second"), Err(24), Err(24), Ok("first")];
        let (taken, mut streams) = tokio::sync::mpsc::unbounded_channel();
        let accept = async move || match script.pop() {
            Some(next) => next.map_err(io::Error::from_raw_os_error),
            None => std::future::pending().await,
        };
        let accepting = accept_all(accept, move |stream| taken.send(stream).unwrap());
        let checks = async { (streams.recv().await, streams.recv().await) };
        tokio::select! {
            () = accepting => unreachable!("accepting never ends"),
            taken = checks => assert_eq!(taken, (Some("first"), Some("second"))),
        }
    }
}
