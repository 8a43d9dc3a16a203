//! The admin listener of a node with control state: whoever asks says who they are, by TCP, TLS or the Unix socket
//! (CP-400..402), and the AWS-shaped services are on the same listener as the native API (CP-001).

use std::{
    convert::Infallible,
    io,
    net::SocketAddr,
    os::unix::fs::MetadataExt as _,
    path::PathBuf,
    pin::Pin,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use fourfront_auth::Source;
use fourfront_control::api::{
    front::{Admitted, Answer, Answered, Front, Head, Received},
    native,
    plane::{Problem, PurgeAnswer, PurgeCall},
};
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full, combinators::UnsyncBoxBody};
use hyper::{
    body::{Body, Frame, Incoming, SizeHint},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, UnixListener},
    sync::Semaphore,
};
use tokio_rustls::TlsAcceptor;

use super::{
    admin::{Admin, LOGS, accept_all, answer},
    copy::Copy,
    follow::{self, Events},
    tap::LogTap,
};
use crate::clock::Clock;

/// Connections at the same time. Clients of AWS's tools keep some each; whoever cannot sign holds one for as long as a head
/// may take.
const MOST_CONNECTIONS: usize = 512;
/// How long a head or a handshake may take.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// A node's admin endpoint.
pub struct Endpoint {
    /// The node.
    pub node: Arc<dyn Admin>,
    /// Who may do what, and what is done.
    pub front: Arc<Front>,
    /// What functions and requests leave in the logs.
    pub tap: Arc<LogTap>,
    /// Wall-clock time.
    pub clock: Arc<dyn Clock>,
    /// Where viewers reach the node, as URLs, once it listens there.
    pub viewers: OnceLock<Vec<String>>,
    /// Where its socket lies, which callers without a key are told of.
    pub socket: PathBuf,
}

impl std::fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Endpoint")
            .field("socket", &self.socket)
            .finish_non_exhaustive()
    }
}

/// The body of an answer: most are there at once, logs and backups come as they may.
type Told = UnsyncBoxBody<Bytes, io::Error>;

/// How a connection came.
#[derive(Clone, Copy)]
struct Came {
    source: Source,
    over_tls: bool,
}

impl Came {
    fn is_local(self) -> bool {
        match self.source {
            Source::Address(address) => address.to_canonical().is_loopback(),
            Source::Socket { .. } => true,
        }
    }
}

/// Serves by TCP, with TLS if there is what to show, until the task is dropped.
pub async fn serve_tcp(listener: TcpListener, tls: Option<TlsAcceptor>, endpoint: Arc<Endpoint>) {
    let accept = async || listener.accept().await;
    let free = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    accept_all(accept, |(stream, peer): (_, SocketAddr)| {
        // One too many is closed unheard.
        let Ok(place) = Arc::clone(&free).try_acquire_owned() else {
            return;
        };
        let (endpoint, tls) = (Arc::clone(&endpoint), tls.clone());
        let came = Came {
            source: Source::Address(peer.ip()),
            over_tls: tls.is_some(),
        };
        tokio::spawn(async move {
            match tls {
                None => endpoint.serve(stream, came).await,
                Some(tls) => {
                    let handshake = tokio::time::timeout(HEAD_TIMEOUT, tls.accept(stream)).await;
                    // Whoever cannot agree on TLS has been told by it.
                    if let Ok(Ok(stream)) = handshake {
                        endpoint.serve(stream, came).await;
                    }
                }
            }
            drop(place);
        });
    })
    .await;
}

/// Serves by the Unix socket until the task is dropped.
pub async fn serve_socket(listener: UnixListener, endpoint: Arc<Endpoint>) {
    let accept = async || listener.accept().await.map(|(stream, _)| stream);
    let node_uid = own_uid();
    accept_all(accept, |stream: tokio::net::UnixStream| {
        let Ok(peer) = stream.peer_cred() else {
            return;
        };
        let came = Came {
            source: Source::Socket {
                peer_uid: peer.uid(),
                node_uid,
            },
            over_tls: false,
        };
        let endpoint = Arc::clone(&endpoint);
        tokio::spawn(async move { endpoint.serve(stream, came).await });
    })
    .await;
}

/// The user of this process.
pub(crate) fn own_uid() -> u32 {
    std::fs::metadata("/proc/self").map_or(u32::MAX, |of| of.uid())
}

/// Listens on a Unix socket, in the place of one that nobody listens on any more.
///
/// # Errors
/// What the system says, or that another node listens there.
pub fn bind_socket(path: &std::path::Path) -> io::Result<std::os::unix::net::UnixListener> {
    use std::os::unix::{
        fs::PermissionsExt as _,
        net::{UnixListener, UnixStream},
    };
    let bound = match UnixListener::bind(path) {
        Err(e) if e.kind() == io::ErrorKind::AddrInUse => {
            if UnixStream::connect(path).is_ok() {
                return Err(e);
            }
            std::fs::remove_file(path)?;
            UnixListener::bind(path)
        }
        bound => bound,
    }?;
    // Connecting takes the right to write; who it is is asked besides.
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
    bound.set_nonblocking(true)?;
    Ok(bound)
}

impl Endpoint {
    async fn serve<S>(self: Arc<Self>, stream: S, came: Came)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let service = service_fn(move |request: Request<Incoming>| {
            let endpoint = Arc::clone(&self);
            let is_whole = Arc::new(AtomicBool::new(request.body().is_end_stream()));
            let request = request.map(|incoming| Sent {
                incoming,
                is_whole: Arc::clone(&is_whole),
            });
            async move {
                let mut answered = endpoint.answer(request, came).await;
                // What was not read stands before the next request, so there is none on this connection: a client that is not
                // told so would send one, and get no answer (RFC 9112 section 9.6).
                if !is_whole.load(Ordering::Relaxed) {
                    let close = HeaderValue::from_static("close");
                    answered.headers_mut().insert(header::CONNECTION, close);
                }
                Ok::<_, Infallible>(answered)
            }
        });
        // A client that hangs up midway is its own business.
        let _ = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_TIMEOUT)
            .serve_connection(TokioIo::new(stream), service)
            .await;
    }

    async fn answer(self: Arc<Self>, request: Request<Sent>, came: Came) -> Response<Told> {
        let (parts, body) = request.into_parts();
        let path = parts.uri.path();
        let is_read = matches!(parts.method, Method::GET | Method::HEAD);
        let bare = path.strip_prefix("/_fourfront/v1").unwrap_or(path);
        match bare {
            // One word each, for probes.
            "/health" | "/ready" if is_read => {
                return answer(&parts.method, path, self.node.as_ref()).map(whole);
            }
            "/metrics" if is_read && came.is_local() => {
                return answer(&parts.method, path, self.node.as_ref()).map(whole);
            }
            _ => {}
        }
        let head = Head {
            method: parts.method.clone(),
            path: path.to_owned(),
            query: parts.uri.query().unwrap_or_default().to_owned(),
            headers: parts.headers.clone(),
            over_tls: came.over_tls,
            source: came.source,
            now: self.clock.now(),
        };
        if let Some(told) = self.front.preflight(&head) {
            return response(told);
        }
        // Of a page that may read it.
        let fields = self.front.fields_for_pages(&parts.headers);
        let mut answered = self.told(head, bare, body, came).await;
        answered.headers_mut().extend(fields);
        answered
    }

    /// The answer to whoever says who they are.
    async fn told(
        self: Arc<Self>,
        head: Head,
        bare: &str,
        body: Sent,
        came: Came,
    ) -> Response<Told> {
        let path = head.path.clone();
        if path == "/_fourfront/v1/backup" && head.method == Method::GET {
            return match self.admit(&head, "backup", body, came).await {
                Ok(admitted) => {
                    self.front.begun(&admitted.caller).await;
                    let store = self.front.control().store().clone();
                    let mut copy = Response::new(Copy::of(store, head.now).boxed_unsync());
                    let media_type = HeaderValue::from_static("application/octet-stream");
                    copy.headers_mut().insert(header::CONTENT_TYPE, media_type);
                    copy
                }
                Err(refused) => response(refused),
            };
        }
        let is_native = matches!(bare, "/status" | "/metrics") || path.starts_with("/_fourfront");
        if path == LOGS {
            let answered = self.logs(&head, body, came).await;
            return answered.unwrap_or_else(response);
        }
        let answered = if is_native {
            let path = bare.trim_start_matches('/').to_owned();
            self.native(head, &path, body, came).await
        } else {
            match self.front.aws(head, body).await {
                Answered::Own(answer) => answer,
                Answered::Forwarded(answer) => return answer,
            }
        };
        response(answered)
    }

    /// Where its socket lies for whoever has another working directory.
    fn socket_told(&self) -> String {
        let told = std::path::absolute(&self.socket);
        told.as_ref()
            .unwrap_or(&self.socket)
            .to_string_lossy()
            .into_owned()
    }

    /// Lets in a request of the native API, or says why not.
    async fn admit(
        &self,
        head: &Head,
        path: &str,
        body: Sent,
        came: Came,
    ) -> Result<Admitted, Answer> {
        let admitted = self.front.admit_native(head, path, body).await;
        admitted.map_err(|mut refused| {
            // The node's own user need not look for keys.
            let socket = HeaderValue::from_str(&self.socket_told());
            if let (true, Ok(socket)) = (came.is_local(), socket) {
                refused.headers.insert("fourfront-socket", socket);
            }
            refused
        })
    }

    /// Lines of functions and access records as server-sent events (CP-608, CP-620).
    async fn logs(&self, head: &Head, body: Sent, came: Came) -> Result<Response<Told>, Answer> {
        self.admit(head, "logs", body, came).await?;
        let answered = follow::answer(&head.method, &head.query, &self.tap, &self.node);
        answered
            .map(|events| {
                events.map(|events| Events::map_err(events, |never| match never {}).boxed_unsync())
            })
            .map_err(Answer::problem)
    }

    async fn native(self: Arc<Self>, head: Head, path: &str, body: Sent, came: Came) -> Answer {
        let Admitted { caller, body } = match self.admit(&head, path, body, came).await {
            Ok(admitted) => admitted,
            Err(refused) => return refused,
        };
        let mut parts = path.splitn(2, '/');
        let (first, rest) = (
            parts.next().unwrap_or_default(),
            parts.next().unwrap_or_default(),
        );
        let is_read = matches!(head.method, Method::GET | Method::HEAD);
        match (first, is_read) {
            ("status", true) if rest.is_empty() => {
                let mut status: serde_json::Value =
                    serde_json::from_str(&self.node.status()).unwrap_or_default();
                status["control"] = fourfront_control::api::front::status(self.front.control());
                status["listeners"] = serde_json::json!(self.viewers.get());
                status["control"]["socket"] = self.socket_told().into();
                // Of keys that the master key does not open (CP-430).
                status["control"]["unopened_keys"] =
                    self.front.keys().unopened().unwrap_or_default().into();
                self.front.cut_status(&caller, &mut status);
                Answer::json(StatusCode::OK, &status)
            }
            ("origins", true) if rest.is_empty() => {
                Answer::json(StatusCode::OK, &self.node.origins())
            }
            ("config", true) if rest.is_empty() => {
                let served = self.node.served();
                let told = native::in_force(self.front.control(), &served);
                Answer::json(StatusCode::OK, &told)
            }
            ("metrics", true) if rest.is_empty() => {
                let answered = answer(&head.method, "/metrics", self.node.as_ref());
                of_response(answered).await
            }
            ("purge", _) => {
                let call = match (is_read, rest) {
                    (false, "") if head.method == Method::POST => match read(&body) {
                        Ok(body) => Some(PurgeCall::Create(body)),
                        Err(e) => return of_purge(internal(&e.to_string())),
                    },
                    (true, "") => Some(PurgeCall::List(head.query.clone())),
                    (true, id) => Some(PurgeCall::Get(id.to_owned())),
                    _ => None,
                };
                let (node, front) = (Arc::clone(&self.node), Arc::clone(&self.front));
                let work = move || match call {
                    Some(call) => of_purge(node.purge(call)),
                    None => not_allowed("POST to `purge`, or GET it or `purge/` and an id"),
                };
                let answered = tokio::task::spawn_blocking(move || front.told(&caller, work)).await;
                answered.unwrap_or_else(|e| of_purge(internal(&e.to_string())))
            }
            ("explain", _) if rest.is_empty() => {
                if head.method != Method::POST {
                    return not_allowed("POST to `explain`");
                }
                let body = match read(&body) {
                    Ok(body) => body,
                    Err(e) => return of_purge(internal(&e.to_string())),
                };
                let node = Arc::clone(&self.node);
                let runtime = tokio::runtime::Handle::current();
                let explain = move || runtime.block_on(node.explain(body));
                let answered = tokio::task::spawn_blocking(explain).await;
                let answered = answered.unwrap_or_else(|e| internal(&e.to_string()));
                // What is wrong with the question tells of nothing that the node has.
                if answered.status.is_success()
                    && let Some(refused) = self.front.untold(&caller, &answered.body)
                {
                    return refused;
                }
                of_purge(answered)
            }
            _ => {
                let (front, path) = (Arc::clone(&self.front), path.to_owned());
                let work = move || {
                    let work = || native::answer(&front, &head, &path, &body, &caller);
                    front.told(&caller, work)
                };
                let answered = tokio::task::spawn_blocking(work).await;
                answered.unwrap_or_else(|e| of_purge(internal(&e.to_string())))
            }
        }
    }
}

fn not_allowed(detail: &str) -> Answer {
    let status = StatusCode::METHOD_NOT_ALLOWED;
    Answer::problem(Problem::new(status, "MethodNotAllowed", detail))
}

fn internal(what: &str) -> PurgeAnswer {
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "InternalError", what).answer()
}

fn of_purge(answer: PurgeAnswer) -> Answer {
    let mut told = Answer::json(answer.status, &answer.body);
    let location = answer.location.and_then(|l| HeaderValue::from_str(&l).ok());
    if let Some(location) = location {
        told.headers.insert(header::LOCATION, location);
    }
    told
}

async fn of_response(response: Response<Full<Bytes>>) -> Answer {
    let (parts, body) = response.into_parts();
    let Ok(body) = body.collect().await;
    Answer {
        status: parts.status,
        headers: parts.headers,
        body: body.to_bytes(),
    }
}

/// A request's body, and whether it was read to its end. Who is refused is not read.
struct Sent {
    incoming: Incoming,
    is_whole: Arc<AtomicBool>,
}

impl Body for Sent {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let polled = Pin::new(&mut self.incoming).poll_frame(cx);
        if matches!(polled, Poll::Ready(None)) || self.incoming.is_end_stream() {
            self.is_whole.store(true, Ordering::Relaxed);
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}

/// A body that is there at once.
fn whole(body: Full<Bytes>) -> Told {
    body.map_err(|never| match never {}).boxed_unsync()
}

fn response(answer: Answer) -> Response<Told> {
    let mut response = Response::new(whole(Full::new(answer.body)));
    *response.status_mut() = answer.status;
    *response.headers_mut() = answer.headers;
    response
}

/// A body that is small enough to be held.
fn read(body: &Received) -> io::Result<Vec<u8>> {
    body.bytes().map(Vec::from)
}
