//! Connections to origins: over the network, or to a directory answered in this process.

use std::{
    collections::hash_map::DefaultHasher,
    hash::{Hash, Hasher},
    io,
    net::SocketAddr,
    path::Path,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use async_trait::async_trait;
use fourfront_origin::{
    dir::{self, DirRoot},
    select::Target,
};
use pingora::{
    Result,
    connectors::L4Connect,
    protocols::l4::{
        socket::SocketAddr as PingoraAddr,
        stream::Stream,
        virt::{VirtualSockOpt, VirtualSocket, VirtualSocketStream},
    },
    upstreams::peer::{HttpPeer, HttpUpstreamRequestPolicy, PeerOptions},
};
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};

use super::deliver::internal;
use crate::{flow::Fault, origins::Authority};

/// Bytes in flight between the node and a directory, each way.
const PIPE: usize = 64 * 1024;

/// A peer on the network, to be spoken to in HTTP/1.1: nothing here offers another protocol (CF-327).
///
/// `authority` is who alone vouches for the origin; without one those do that the connector knows (CF-423, CF-424).
pub(super) fn network(
    address: SocketAddr,
    target: &Target,
    authority: Option<&Arc<Authority>>,
) -> HttpPeer {
    let (tls, name) = match &target.tls {
        Some(tls) => (true, tls.server_name.clone()),
        None => (false, String::new()),
    };
    let mut peer = HttpPeer::new(address, tls, name);
    // The name is all that is verified: Pingora's `alternative_cn` means nothing to rustls (CF-423, see
    // `super::certificates`).
    set_options(&mut peer.options, target);
    if let Some(authority) = authority.filter(|_| tls) {
        peer.options.ca = Some(authority.certificates().clone());
        // Pingora finds connections again by much, but not by who vouched for them.
        peer.group_key = authority.identity();
    }
    peer
}

/// A directory origin (stand-in for a bucket): the same requests over a pipe within the process.
pub(super) fn directory(
    path: &Path,
    root: &Arc<DirRoot>,
    target: &Target,
) -> std::result::Result<HttpPeer, Fault> {
    // Pingora knows peers by address, so each directory needs one of its own; it is never dialled. Nor is it ever
    // found in the pool: each request has a pipe of its own (see `Edge::wire_request`).
    let mut hash = DefaultHasher::new();
    path.hash(&mut hash);
    let address = format!("/fourfront-dir/{:016x}", hash.finish());
    let mut peer = HttpPeer::new_uds(&address, false, String::new()).map_err(|e| internal(&e))?;
    set_options(&mut peer.options, target);
    peer.options.custom_l4 = Some(Arc::new(DirConnect { root: root.clone() }));
    Ok(peer)
}

fn set_options(options: &mut PeerOptions, target: &Target) {
    options.connection_timeout = Some(target.connection_timeout);
    options.total_connection_timeout = Some(target.connection_timeout);
    options.read_timeout = Some(target.read_timeout);
    options.write_timeout = Some(target.read_timeout);
    options.idle_timeout = Some(target.keepalive_timeout);
    // What becomes of an upgrade is decided elsewhere (CF-408); the rest of the request is built by our own rules.
    options.http_upstream_request_policy = HttpUpstreamRequestPolicy::deny_upgrades();
}

/// Opens a pipe to a task that serves the directory.
#[derive(Debug)]
struct DirConnect {
    root: Arc<DirRoot>,
}

#[async_trait]
impl L4Connect for DirConnect {
    async fn connect(&self, _address: &PingoraAddr) -> Result<Stream> {
        let (ours, theirs) = tokio::io::duplex(PIPE);
        tokio::spawn(dir::serve_connection(theirs, self.root.clone()));
        Ok(Stream::from(VirtualSocketStream::new(Box::new(Pipe(ours)))))
    }
}

/// One end of the pipe, as Pingora wants its sockets.
#[derive(Debug)]
struct Pipe(DuplexStream);

impl AsyncRead for Pipe {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl AsyncWrite for Pipe {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

impl VirtualSocket for Pipe {
    fn set_socket_option(&self, _option: VirtualSockOpt) -> io::Result<()> {
        Ok(())
    }
}
