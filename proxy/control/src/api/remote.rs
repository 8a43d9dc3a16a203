//! Other servers, as the control plane asks them: HTTP/1.1, with TLS or without, one connection a request, nothing that is
//! waited for without end.

use std::{
    fmt, io,
    path::PathBuf,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body, Frame, SizeHint};
use http_body_util::combinators::UnsyncBoxBody;
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use rustls_pki_types::{CertificateDer, pem::PemObject as _};
use tokio::{sync::mpsc, time::Sleep};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto::aws_lc_rs};

/// What goes wrong with a body.
pub(super) type Fault = Box<dyn std::error::Error + Send + Sync>;
/// The body of a request to another server.
pub(super) type Outgoing = UnsyncBoxBody<Bytes, Fault>;

/// How long connecting may take, TLS included.
const CONNECT: Duration = Duration::from_secs(10);
/// How long nothing may move, in either direction.
const IDLE: Duration = Duration::from_secs(60);

/// Asks other servers.
#[derive(Clone)]
pub struct Remote {
    client: Client<HttpsConnector<HttpConnector>, Outgoing>,
    idle: Duration,
}

impl fmt::Debug for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Remote").finish_non_exhaustive()
    }
}

/// Trusts no server that speaks TLS.
impl Default for Remote {
    fn default() -> Self {
        Self::of(RootCertStore::empty(), IDLE)
    }
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum RemoteFault {
    /// Nobody listens there, or who does is not who it should be, or says what is no answer.
    #[error("{0}")]
    Failed(String),
    /// Nothing moved for too long.
    #[error("it says nothing for {} s", .0.as_secs())]
    Silent(Duration),
}

impl Remote {
    /// Trusts the certificate authorities in files of PEM.
    ///
    /// # Errors
    /// A file that cannot be read, or holds something else.
    pub fn trusting(authorities: &[PathBuf]) -> Result<Self, String> {
        let mut roots = RootCertStore::empty();
        for file in authorities {
            let named = |e: &dyn fmt::Display| format!("{}: {e}", file.display());
            for certificate in CertificateDer::pem_file_iter(file).map_err(|e| named(&e))? {
                let certificate = certificate.map_err(|e| named(&e))?;
                // Files of the system may hold some that no library takes.
                let _ = roots.add(certificate);
            }
        }
        Ok(Self::of(roots, IDLE))
    }

    fn of(roots: RootCertStore, idle: Duration) -> Self {
        let provider = Arc::new(aws_lc_rs::default_provider());
        #[expect(
            clippy::expect_used,
            reason = "the versions are those that the provider has"
        )]
        let tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions of the provider")
            .with_root_certificates(roots)
            .with_no_client_auth();
        let mut http = HttpConnector::new();
        http.enforce_http(false);
        http.set_nodelay(true);
        http.set_connect_timeout(Some(CONNECT));
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls)
            .https_or_http()
            .enable_http1()
            .wrap_connector(http);
        // Who administers makes few requests, and one on a connection that the other end is about to close is lost.
        let client = Client::builder(TokioExecutor::new())
            .pool_max_idle_per_host(0)
            .build(connector);
        Self { client, idle }
    }

    /// The same with less patience.
    #[cfg(test)]
    pub(super) fn hurried(mut self, idle: Duration) -> Self {
        self.idle = idle;
        self
    }

    /// Sends a request, and gives the head of the answer when it is there. `progress` counts what goes out of its body.
    pub(super) async fn send(
        &self,
        request: Request<Outgoing>,
        progress: &AtomicU64,
    ) -> Result<Response<Paced>, RemoteFault> {
        let mut sending = std::pin::pin!(self.client.request(request));
        loop {
            let before = progress.load(Ordering::Relaxed);
            match tokio::time::timeout(self.idle, &mut sending).await {
                Ok(Ok(answer)) => {
                    return Ok(answer.map(|body| Paced::new(body, self.idle)));
                }
                Ok(Err(e)) => return Err(RemoteFault::Failed(causes(&e))),
                Err(_) if progress.load(Ordering::Relaxed) != before => {}
                Err(_) => return Err(RemoteFault::Silent(self.idle)),
            }
        }
    }
}

/// An error and what it comes from: the outermost says little.
fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let said = cause.to_string();
        if !text.ends_with(&said) {
            text.push_str(": ");
            text.push_str(&said);
        }
        next = cause.source();
    }
    text
}

/// The body of an answer, which may pause, and not for long.
#[derive(Debug)]
pub(super) struct Paced {
    body: Incoming,
    idle: Duration,
    until: Pin<Box<Sleep>>,
}

impl Paced {
    fn new(body: Incoming, idle: Duration) -> Self {
        Self {
            body,
            idle,
            until: Box::pin(tokio::time::sleep(idle)),
        }
    }
}

impl Body for Paced {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let this = &mut *self;
        match Pin::new(&mut this.body).poll_frame(cx) {
            Poll::Ready(frame) => {
                let next = tokio::time::Instant::now() + this.idle;
                this.until.as_mut().reset(next);
                Poll::Ready(frame.map(|frame| frame.map_err(io::Error::other)))
            }
            Poll::Pending => {
                ready!(this.until.as_mut().poll(cx));
                Poll::Ready(Some(Err(io::ErrorKind::TimedOut.into())))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A body that somebody else reads.
#[derive(Debug)]
pub(super) struct Pieces(mpsc::Receiver<io::Result<Bytes>>);

impl Pieces {
    pub(super) const fn new(pieces: mpsc::Receiver<io::Result<Bytes>>) -> Self {
        Self(pieces)
    }
}

impl Body for Pieces {
    type Data = Bytes;
    type Error = Fault;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Fault>>> {
        let piece = ready!(self.0.poll_recv(cx));
        Poll::Ready(piece.map(|piece| piece.map(Frame::data).map_err(Into::into)))
    }
}
