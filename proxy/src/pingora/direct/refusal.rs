//! Connections beyond what the node takes on at the same time (CF-773).
//!
//! A viewer on plain HTTP/1.1 is told 503. With TLS the telling would cost a handshake, which is the dearest part of a short
//! connection, so such a connection is closed; so are others when many are being told already, and those that keep silent.
//! They leave no access record, since nothing was read of them; the metrics count them.

use std::time::Duration;

use bytes::BytesMut;
use pingora::protocols::Stream;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    time::timeout,
};

use super::unread::overload_page;
use crate::node::Node;

/// How long telling may take altogether. A viewer that was about to ask has asked by then.
const TOLD_WITHIN: Duration = Duration::from_secs(1);

/// What is read of a request before it is answered: had it not been, closing would throw the answer away with it.
const MOST_READ: usize = 16 * 1024;

/// Ends a connection that is one too many.
pub(super) async fn refuse(mut stream: Stream, node: &Node, is_secure: bool, limit: usize) {
    node.metrics().refused("connections");
    if node.load().is_to_be_said(node.clock().now()) {
        tracing::warn!(
            limit,
            "connections are refused: there are as many as node.max_connections allows"
        );
    }
    if is_secure {
        return;
    }
    let Some(_told) = node.load().refusal() else {
        return;
    };
    let telling = async {
        let mut head = BytesMut::with_capacity(1024);
        while memchr::memmem::find(&head, b"\r\n\r\n").is_none() && head.len() < MOST_READ {
            if stream.read_buf(&mut head).await.ok()? == 0 {
                return None;
            }
        }
        stream.write_all(&overload_page(node, limit)).await.ok()?;
        stream.flush().await.ok()?;
        stream.shutdown().await.ok()
    };
    // Whoever does not take it is closed all the same.
    let _ = timeout(TOLD_WITHIN, telling).await;
}
