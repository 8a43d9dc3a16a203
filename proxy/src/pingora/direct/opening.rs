//! What may come first on a connection: a header of the PROXY protocol, and the preface of HTTP/2 where that is spoken
//! without TLS.

use std::{io, os::fd::AsRawFd as _};

use bytes::BytesMut;
use pingora::protocols::{
    GetSocketDigest as _, SocketDigest, Stream,
    l4::{socket::SocketAddr, stream::Stream as L4Stream},
};
use proxy_header::{Error as HeaderError, ParseConfig, ProxyHeader};
use tokio::{io::AsyncReadExt as _, time::timeout};

use crate::node::Node;

/// Longest header: one of version 2 may bring fields of some KiB.
const MAX_HEADER: usize = 8 * 1024;

/// What a viewer begins with who knows that the node speaks HTTP/2 (RFC 9113 section 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Takes the header of the PROXY protocol from the start of a connection. From then on the connection is the viewer's, whose
/// address and whose idea of the node's address it tells. `None` when there is no such header in time; counted.
pub(super) async fn take_proxy_header(stream: Stream, node: &Node) -> Option<Stream> {
    let within = node.snapshot().settings().viewers.handshake_timeout;
    let taken = match timeout(within, read_header(stream)).await {
        Ok(Ok(stream)) => return Some(stream),
        Ok(Err(e)) => e.to_string(),
        Err(_) => "it does not come".to_owned(),
    };
    tracing::debug!("a connection without a header of the PROXY protocol: {taken}");
    node.metrics().connection_cut("proxy_header");
    None
}

async fn read_header(stream: Stream) -> io::Result<Stream> {
    let mut stream = plain(stream)?;
    let mut buffer = BytesMut::with_capacity(256);
    let config = ParseConfig {
        include_tlvs: false,
        ..ParseConfig::default()
    };
    loop {
        if stream.read_buf(&mut buffer).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        match ProxyHeader::parse(&buffer, config) {
            Ok((header, length)) => {
                // Without addresses it is the proxy itself that asks.
                if let Some(addresses) = header.proxied_address() {
                    let digest = SocketDigest::from_raw_fd(stream.as_raw_fd());
                    let inet = |address| Some(SocketAddr::Inet(address));
                    // They were empty.
                    let _ = digest.peer_addr.set(inet(addresses.source));
                    let _ = digest.local_addr.set(inet(addresses.destination));
                    stream.set_socket_digest(digest);
                }
                stream.rewind(&buffer[length..]);
                return Ok(Box::new(*stream));
            }
            Err(HeaderError::BufferTooShort) if buffer.len() < MAX_HEADER => {}
            Err(e) => return Err(io::Error::other(e.to_string())),
        }
    }
}

/// Whether a connection begins with the preface of HTTP/2, which stays in front of it. `None` when it ends or keeps silent.
pub(super) async fn begins_with_preface(stream: Stream, node: &Node) -> Option<(Stream, bool)> {
    let mut stream = plain(stream).ok()?;
    let within = node.snapshot().settings().viewers.handshake_timeout;
    let mut buffer = BytesMut::with_capacity(PREFACE.len());
    let reading = async {
        loop {
            let more = (&mut *stream)
                .take((PREFACE.len() - buffer.len()) as u64)
                .read_buf(&mut buffer)
                .await;
            if more.ok()? == 0 || !PREFACE.starts_with(&buffer) {
                return (!buffer.is_empty()).then_some(false);
            }
            if buffer.len() == PREFACE.len() {
                return Some(true);
            }
        }
    };
    let is_h2 = timeout(within, reading).await.ok().flatten()?;
    stream.rewind(&buffer);
    Some((Box::new(*stream), is_h2))
}

/// The connection as the listener has accepted it.
fn plain(stream: Stream) -> io::Result<Box<L4Stream>> {
    let stream = stream.into_any().downcast::<L4Stream>();
    stream.map_err(|_| io::Error::other("not a connection as it was accepted"))
}
