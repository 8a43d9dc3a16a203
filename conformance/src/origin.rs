//! Scripted origins: a closure decides each answer, and every request is remembered.

use std::{
    convert::Infallible,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use http_body_util::{BodyExt, Full, StreamBody, combinators::BoxBody};
use hyper::{
    Response,
    body::{Frame, Incoming},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use tokio::{
    net::TcpListener,
    sync::{mpsc, watch},
    task::{JoinHandle, JoinSet},
};

use crate::{Hello, OriginTls};

/// One request as an origin received it.
#[derive(Clone, Debug)]
pub struct Seen {
    /// Method.
    pub method: String,
    /// Path and query.
    pub target: String,
    /// Header fields in order; names in lower case.
    pub headers: Vec<(String, String)>,
    /// Body.
    pub body: Bytes,
}

impl Seen {
    /// The first field of that name, in any case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(n, _)| n.eq_ignore_ascii_case(name))
            .map(|(_, v)| v.as_str())
    }

    /// All fields of that name, in order.
    pub fn all(&self, name: &str) -> Vec<&str> {
        let lines = self.headers.iter();
        let lines = lines.filter(|(n, _)| n.eq_ignore_ascii_case(name));
        lines.map(|(_, v)| v.as_str()).collect()
    }
}

/// What an origin answers.
#[derive(Debug)]
pub struct Reply {
    status: u16,
    headers: Vec<(String, String)>,
    body: ReplyBody,
    gate: Option<watch::Receiver<bool>>,
}

#[derive(Debug)]
enum ReplyBody {
    Whole(Bytes),
    /// Pieces sent as they come; the end of the channel ends the body.
    Stream(mpsc::UnboundedReceiver<Bytes>),
}

impl Reply {
    /// An answer without a body.
    pub fn status(status: u16) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: ReplyBody::Whole(Bytes::new()),
            gate: None,
        }
    }

    /// 200 with a body of known length.
    pub fn ok(body: impl Into<Bytes>) -> Self {
        Self::status(200).body(body)
    }

    /// 200 whose body is what comes over the channel, chunked.
    pub fn stream(pieces: mpsc::UnboundedReceiver<Bytes>) -> Self {
        Self {
            body: ReplyBody::Stream(pieces),
            ..Self::status(200)
        }
    }

    /// Adds a header field.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Holds the whole answer back until the channel says true, or ends.
    #[must_use]
    pub fn after(mut self, gate: &watch::Receiver<bool>) -> Self {
        self.gate = Some(gate.clone());
        self
    }

    /// Sets the body.
    #[must_use]
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = ReplyBody::Whole(body.into());
        self
    }
}

type Script = Arc<dyn Fn(&Seen) -> Reply + Send + Sync>;

/// A running origin. It ends when it is dropped, and its connections with it.
#[derive(Debug)]
pub struct Origin {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
    count: watch::Receiver<usize>,
    connections: watch::Receiver<usize>,
    tls: Option<OriginTls>,
    task: JoinHandle<()>,
}

impl Origin {
    /// Starts an origin on a free port.
    ///
    /// # Panics
    /// When no port can be had.
    pub async fn start(script: impl Fn(&Seen) -> Reply + Send + Sync + 'static) -> Self {
        Self::start_with(None, script).await
    }

    /// Starts an origin that answers everything with this text, good for a minute.
    ///
    /// # Panics
    /// When no port can be had.
    pub async fn saying(text: &'static str) -> Self {
        Self::start(move |_| Reply::ok(text).header("Cache-Control", "max-age=60")).await
    }

    /// Starts an origin that answers with path and query of the request, good for a minute.
    ///
    /// # Panics
    /// When no port can be had.
    pub async fn echo() -> Self {
        Self::start(|request| {
            Reply::ok(request.target.clone()).header("Cache-Control", "max-age=60")
        })
        .await
    }

    /// Starts an HTTPS origin on a free port.
    ///
    /// # Panics
    /// When no port can be had.
    pub async fn start_tls(
        tls: OriginTls,
        script: impl Fn(&Seen) -> Reply + Send + Sync + 'static,
    ) -> Self {
        Self::start_with(Some(tls), script).await
    }

    /// Starts an origin at an address of the loopback network; `None` when it is taken.
    pub async fn start_on(
        address: SocketAddr,
        script: impl Fn(&Seen) -> Reply + Send + Sync + 'static,
    ) -> Option<Self> {
        let listener = TcpListener::bind(address).await.ok()?;
        Some(Self::on(listener, None, script))
    }

    async fn start_with(
        tls: Option<OriginTls>,
        script: impl Fn(&Seen) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a free port on the loopback interface");
        Self::on(listener, tls, script)
    }

    fn on(
        listener: TcpListener,
        tls: Option<OriginTls>,
        script: impl Fn(&Seen) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let address = listener
            .local_addr()
            .expect("a bound listener has an address");
        let seen: Arc<Mutex<Vec<Seen>>> = Arc::default();
        let (counter, count) = watch::channel(0);
        let (accepted, connections) = watch::channel(0);
        let task = tokio::spawn(accept(
            listener,
            tls.clone(),
            Arc::new(script),
            seen.clone(),
            Arc::new(counter),
            accepted,
        ));
        Self {
            address,
            seen,
            count,
            connections,
            tls,
            task,
        }
    }

    /// Its address.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its URL by address, as a site file names it.
    pub fn url(&self) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{}", self.address)
    }

    /// Its port.
    pub const fn port(&self) -> u16 {
        self.address.port()
    }

    /// The names asked for in TLS handshakes (SNI), in order; `None` where there was none.
    pub fn server_names(&self) -> Vec<Option<String>> {
        self.hellos().into_iter().map(|h| h.name).collect()
    }

    /// How handshakes began, in order.
    pub fn hellos(&self) -> Vec<Hello> {
        self.tls.as_ref().map_or_else(Vec::new, OriginTls::hellos)
    }

    /// How many requests it has received.
    pub fn count(&self) -> usize {
        *self.count.borrow()
    }

    /// How many connections it has accepted.
    pub fn connections(&self) -> usize {
        *self.connections.borrow()
    }

    /// Waits until it has received that many requests.
    ///
    /// # Panics
    /// When the origin ends first.
    pub async fn received(&self, n: usize) {
        let mut count = self.count.clone();
        let reached = tokio::time::timeout(crate::PATIENCE, count.wait_for(|c| *c >= n)).await;
        reached
            .expect("the requests waited for arrive within a minute")
            .expect("the origin runs as long as its handle");
    }

    /// All requests received so far.
    ///
    /// # Panics
    /// When a script panicked while it held the list.
    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().expect("scripts do not panic").clone()
    }

    /// The last request received.
    ///
    /// # Panics
    /// When there was none.
    pub fn last(&self) -> Seen {
        self.seen()
            .pop()
            .expect("the origin has received a request")
    }
}

impl Drop for Origin {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(
    listener: TcpListener,
    tls: Option<OriginTls>,
    script: Script,
    seen: Arc<Mutex<Vec<Seen>>>,
    counter: Arc<watch::Sender<usize>>,
    accepted: watch::Sender<usize>,
) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        accepted.send_modify(|n| *n += 1);
        let (script, seen, counter) = (script.clone(), seen.clone(), counter.clone());
        let tls = tls.clone();
        connections.spawn(async move {
            let service = service_fn(move |request: hyper::Request<Incoming>| {
                let (script, seen, counter) = (script.clone(), seen.clone(), counter.clone());
                async move { Ok::<_, Infallible>(answer(request, &script, &seen, &counter).await) }
            });
            let mut http = http1::Builder::new();
            http.preserve_header_case(true)
                .title_case_headers(true)
                // The node's clock stands still in 2026; an origin that knew the real time would seem to lie.
                .auto_date_header(false);
            // A node that hangs up is part of many scenarios, and so are handshakes that fail.
            match tls {
                None => {
                    let _ = http.serve_connection(TokioIo::new(stream), service).await;
                }
                Some(tls) => {
                    if let Some(stream) = tls.accept(stream).await {
                        let _ = http.serve_connection(TokioIo::new(stream), service).await;
                    }
                }
            }
        });
    }
}

async fn answer(
    request: hyper::Request<Incoming>,
    script: &Script,
    seen: &Mutex<Vec<Seen>>,
    counter: &watch::Sender<usize>,
) -> Response<BoxBody<Bytes, Infallible>> {
    let (head, body) = request.into_parts();
    let body = body
        .collect()
        .await
        .map(http_body_util::Collected::to_bytes)
        .unwrap_or_default();
    let one = Seen {
        method: head.method.to_string(),
        target: head
            .uri
            .path_and_query()
            .map_or_else(String::new, ToString::to_string),
        headers: head
            .headers
            .iter()
            .map(|(n, v)| {
                (
                    n.to_string(),
                    String::from_utf8_lossy(v.as_bytes()).into_owned(),
                )
            })
            .collect(),
        body,
    };
    if let Ok(mut seen) = seen.lock() {
        seen.push(one.clone());
    }
    let reply = script(&one);
    // Counted after the script has run, so that a test that waits for the count finds its effects.
    counter.send_modify(|n| *n += 1);
    if let Some(mut gate) = reply.gate {
        // A gate whose test has ended is open.
        let _ = gate.wait_for(|open| *open).await;
    }
    let mut response = Response::builder().status(reply.status);
    for (name, value) in &reply.headers {
        response = response.header(name, value);
    }
    let body = match reply.body {
        ReplyBody::Whole(bytes) => Full::new(bytes).boxed(),
        ReplyBody::Stream(mut pieces) => {
            let (sender, receiver) = mpsc::channel::<Result<Frame<Bytes>, Infallible>>(1);
            tokio::spawn(async move {
                while let Some(piece) = pieces.recv().await {
                    if sender.send(Ok(Frame::data(piece))).await.is_err() {
                        return;
                    }
                }
            });
            BodyExt::boxed(StreamBody::new(ReceiverStream(receiver)))
        }
    };
    response.body(body).unwrap_or_else(|_| {
        let mut broken =
            Response::new(Full::new(Bytes::from_static(b"the script's reply is not HTTP")).boxed());
        *broken.status_mut() = http::StatusCode::IM_A_TEAPOT;
        broken
    })
}

/// A channel as a stream.
struct ReceiverStream<T>(mpsc::Receiver<T>);

impl<T> futures_core::Stream for ReceiverStream<T> {
    type Item = T;

    fn poll_next(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<T>> {
        self.0.poll_recv(cx)
    }
}
