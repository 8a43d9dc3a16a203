//! Origins on HTTP/2 whose streams are answered by hand: frames are the library's, and all else is the test's.

use std::{
    net::SocketAddr,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
};

use bytes::Bytes;
use h2::{RecvStream, server::SendResponse};
use http::request::Parts;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    task::{JoinHandle, JoinSet},
};

use crate::{OriginTls, PATIENCE};

/// A stream that somebody has begun.
pub struct H2Call {
    /// The head of the request.
    pub head: Parts,
    /// Its body.
    pub body: RecvStream,
    /// What answers it.
    pub respond: SendResponse<Bytes>,
    /// The number of the connection it came on, from 1.
    pub connection: usize,
    /// The number of the request, from 1.
    pub number: usize,
}

type Answering = Pin<Box<dyn Future<Output = ()> + Send>>;
type Script = Arc<dyn Fn(H2Call) -> Answering + Send + Sync>;

/// An origin that answers each stream as its script does.
#[derive(Debug)]
pub struct H2Origin {
    address: SocketAddr,
    heads: Arc<Mutex<Vec<Parts>>>,
    count: watch::Receiver<usize>,
    accepted: watch::Receiver<usize>,
    open: watch::Receiver<usize>,
    goodbye: watch::Sender<usize>,
    task: JoinHandle<()>,
}

/// What all connections of an origin share.
#[derive(Clone)]
struct Shared {
    options: h2::server::Builder,
    heads: Arc<Mutex<Vec<Parts>>>,
    counter: Arc<watch::Sender<usize>>,
    open: Arc<watch::Sender<usize>>,
    goodbye: watch::Receiver<usize>,
    script: Script,
}

impl H2Origin {
    /// Starts an origin on a free port, with the library's own settings.
    ///
    /// # Panics
    /// When no port can be had.
    pub async fn start<F>(
        tls: OriginTls,
        script: impl Fn(H2Call) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        Self::start_with(tls, h2::server::Builder::new(), script).await
    }

    /// The same with other settings. TLS agrees to HTTP/2, and to nothing else.
    ///
    /// # Panics
    /// When no port can be had.
    pub async fn start_with<F>(
        tls: OriginTls,
        options: h2::server::Builder,
        script: impl Fn(H2Call) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let tls = tls.speaking(&["h2"]);
        let listener = TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a free port on the loopback interface");
        let address = listener
            .local_addr()
            .expect("a bound listener has an address");
        let (counter, count) = watch::channel(0);
        let (accepts, accepted) = watch::channel(0);
        let (opens, open) = watch::channel(0);
        let (goodbye, said) = watch::channel(0);
        let heads: Arc<Mutex<Vec<Parts>>> = Arc::default();
        let shared = Shared {
            options,
            heads: heads.clone(),
            counter: Arc::new(counter),
            open: Arc::new(opens),
            goodbye: said,
            script: Arc::new(move |call| Box::pin(script(call))),
        };
        let task = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                accepts.send_modify(|n| *n += 1);
                let number = *accepts.borrow();
                let (tls, shared) = (tls.clone(), shared.clone());
                connections.spawn(async move { shared.serve(&tls, stream, number).await });
            }
        });
        Self {
            address,
            heads,
            count,
            accepted,
            open,
            goodbye,
            task,
        }
    }

    /// Its URL by its address, as a site file names it.
    pub fn url(&self) -> String {
        format!("https://{}", self.address)
    }

    /// Its port.
    pub const fn port(&self) -> u16 {
        self.address.port()
    }

    /// How many requests it has received.
    pub fn count(&self) -> usize {
        *self.count.borrow()
    }

    /// How many connections it has accepted.
    pub fn connections(&self) -> usize {
        *self.accepted.borrow()
    }

    /// Waits until that many of its connections are open.
    ///
    /// # Panics
    /// When that does not come about within a minute.
    pub async fn open(&self, n: usize) {
        reached(&self.open, |open| open == n).await;
    }

    /// Waits until it has received that many requests.
    ///
    /// # Panics
    /// When they do not come within a minute.
    pub async fn received(&self, n: usize) {
        reached(&self.count, |count| count >= n).await;
    }

    /// The heads of the requests so far.
    pub fn heads(&self) -> Vec<Parts> {
        let heads = self.heads.lock().unwrap_or_else(PoisonError::into_inner);
        heads.clone()
    }

    /// Tells all connections that they end: GOAWAY, and what runs is answered.
    pub fn say_goodbye(&self) {
        self.goodbye.send_modify(|n| *n += 1);
    }
}

async fn reached(what: &watch::Receiver<usize>, is: impl Fn(usize) -> bool) {
    let mut what = what.clone();
    let reached = tokio::time::timeout(PATIENCE, what.wait_for(|n| is(*n))).await;
    reached
        .expect("what is waited for comes about within a minute")
        .expect("the origin runs as long as its handle");
}

impl Drop for H2Origin {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Shared {
    async fn serve(mut self, tls: &OriginTls, stream: TcpStream, connection: usize) {
        let Some(stream) = tls.accept(stream).await else {
            return;
        };
        let Ok(mut frames) = self.options.handshake::<_, Bytes>(stream).await else {
            return;
        };
        self.open.send_modify(|n| *n += 1);
        self.goodbye.mark_unchanged();
        let mut streams = JoinSet::new();
        let mut is_over = false;
        loop {
            let accepted = tokio::select! {
                accepted = frames.accept() => accepted,
                said = self.goodbye.changed(), if !is_over => {
                    is_over = true;
                    if said.is_ok() {
                        frames.graceful_shutdown();
                    }
                    continue;
                }
            };
            let Some(Ok((request, respond))) = accepted else {
                break;
            };
            let (head, body) = request.into_parts();
            self.heads
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(head.clone());
            self.counter.send_modify(|n| *n += 1);
            streams.spawn((self.script)(H2Call {
                head,
                body,
                respond,
                connection,
                number: *self.counter.borrow(),
            }));
        }
        self.open.send_modify(|n| *n -= 1);
    }
}
