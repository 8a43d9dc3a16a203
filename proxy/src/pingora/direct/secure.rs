//! TLS on a viewer's connection.
//!
//! Pingora's own listeners keep to one policy for all names. So the handshake is begun here, where the name that the viewer
//! asks for decides how it goes on ([`crate::tls::ViewerTls`]).

use std::{
    fmt,
    io::{self, IoSlice},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use async_trait::async_trait;
use pingora::protocols::{
    ALPN, GetProxyDigest, GetSocketDigest, GetTimingDigest, Peek, Shutdown, SocketDigest, Ssl,
    Stream, TimingDigest, UniqueID, UniqueIDType, raw_connect::ProxyDigest, tls::SslDigest,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, ReadBuf},
    time::timeout,
};
use tokio_rustls::{LazyConfigAcceptor, rustls::server::Acceptor, server::TlsStream};

use crate::{node::Node, tls::TlsFacts};

/// How long a viewer may take to let a connection end that is done.
const CLOSED_WITHIN: Duration = Duration::from_secs(5);

/// A connection on which a handshake has succeeded.
pub(in crate::pingora) struct Secured {
    tls: TlsStream<Stream>,
    facts: Arc<TlsFacts>,
    digest: Arc<SslDigest>,
    is_h2: bool,
}

impl Secured {
    /// Does the handshake, within the time that the site file gives it; `None` when it fails. Counted either way.
    pub(super) async fn accept(stream: Stream, node: &Node) -> Option<Self> {
        let within = node.snapshot().settings().viewers.handshake_timeout;
        let outcome = match timeout(within, Self::handshake(stream, node)).await {
            Ok(Ok(secured)) => {
                let resumed = secured.facts.resumed;
                let outcome = if resumed { "resumed" } else { "full" };
                node.metrics().handshake(outcome);
                return Some(secured);
            }
            Ok(Err(e)) => {
                // What strangers send is no news.
                tracing::debug!("a TLS handshake failed: {e}");
                "failed"
            }
            Err(_) => "timeout",
        };
        node.metrics().handshake(outcome);
        None
    }

    async fn handshake(stream: Stream, node: &Node) -> io::Result<Self> {
        let begun = LazyConfigAcceptor::new(Acceptor::default(), stream).await?;
        let hello = begun.client_hello();
        let Some(chosen) = node.tls().choose(hello.server_name()) else {
            return Err(io::Error::other("there is no certificate to show"));
        };
        let tls = begun.into_stream(chosen.config).await?;
        let (_, connection) = tls.get_ref();
        let is_h2 = connection.alpn_protocol() == Some(b"h2");
        let facts = TlsFacts::new(connection, chosen.pair);
        let digest = SslDigest::new(facts.cipher, facts.protocol, None, None, Vec::new());
        Ok(Self {
            tls,
            facts: Arc::new(facts),
            digest: Arc::new(digest),
            is_h2,
        })
    }

    /// What the handshake came to.
    pub(in crate::pingora) const fn facts(&self) -> &Arc<TlsFacts> {
        &self.facts
    }

    /// Whether HTTP/2 was agreed on.
    pub(super) const fn is_h2(&self) -> bool {
        self.is_h2
    }
}

impl AsyncRead for Secured {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tls).poll_read(cx, buf)
    }
}

impl AsyncWrite for Secured {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.tls).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.tls).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tls).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tls).poll_shutdown(cx)
    }
}

impl fmt::Debug for Secured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secured")
            .field("facts", &self.facts)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl Shutdown for Secured {
    async fn shutdown(&mut self) {
        let _ = timeout(CLOSED_WITHIN, self.tls.shutdown()).await;
    }
}

#[async_trait]
impl Peek for Secured {}

impl UniqueID for Secured {
    fn id(&self) -> UniqueIDType {
        self.tls.get_ref().0.id()
    }
}

impl Ssl for Secured {
    fn get_ssl_digest(&self) -> Option<Arc<SslDigest>> {
        Some(self.digest.clone())
    }

    fn selected_alpn_proto(&self) -> Option<ALPN> {
        Some(if self.is_h2 { ALPN::H2 } else { ALPN::H1 })
    }
}

impl GetTimingDigest for Secured {
    fn get_timing_digest(&self) -> Vec<Option<TimingDigest>> {
        self.tls.get_ref().0.get_timing_digest()
    }
}

impl GetProxyDigest for Secured {
    fn get_proxy_digest(&self) -> Option<Arc<ProxyDigest>> {
        self.tls.get_ref().0.get_proxy_digest()
    }

    fn set_proxy_digest(&mut self, digest: ProxyDigest) {
        self.tls.get_mut().0.set_proxy_digest(digest);
    }
}

impl GetSocketDigest for Secured {
    fn get_socket_digest(&self) -> Option<Arc<SocketDigest>> {
        self.tls.get_ref().0.get_socket_digest()
    }

    fn set_socket_digest(&mut self, digest: SocketDigest) {
        self.tls.get_mut().0.set_socket_digest(digest);
    }
}
