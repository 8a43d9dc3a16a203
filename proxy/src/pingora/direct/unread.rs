//! Pages for what Pingora cannot read, and for connections that are refused (CF-760, CF-763, CF-773, CF-780, CF-781).
//!
//! Pingora answers such a request itself, with a head of constants, before there is a session that a filter sees. The page takes
//! that answer's place where it is written ([`super::outlet`]). It leaves no access record: nothing is known of the
//! request.

use fourfront_model::Identity;

use super::wire::{put_end, put_field, put_number_field, put_status};
use crate::{
    flow::{ErrorAnswer, Fault, NodeFault, RequestId, ViewerFault},
    node::Node,
    pingora::Edge,
};

/// Who makes pages for requests that were not read.
pub(super) trait UnreadPages {
    /// The whole answer, head and body, in place of one with that status.
    fn page(&self, status: u16) -> Vec<u8>;
}

impl UnreadPages for Edge {
    fn page(&self, status: u16) -> Vec<u8> {
        let fault = match status {
            405 => ViewerFault::MethodNotSupported,
            _ => ViewerFault::Unreadable,
        };
        page_of(self.node(), &fault.into())
    }
}

/// The whole answer to a connection that is one too many (CF-773).
pub(super) fn overload_page(node: &Node, limit: usize) -> Vec<u8> {
    page_of(node, &NodeFault::Overload { limit }.into())
}

fn page_of(node: &Node, fault: &Fault) -> Vec<u8> {
    let identity = Identity::default();
    let (id, product) = (RequestId::random(), identity.product());
    let answer = ErrorAnswer::new(fault, id.as_str(), &identity);
    let token = answer.served.x_cache(answer.status);
    let x_cache = format!("{token} from {}", identity.x_cache_suffix());
    let via = format!("1.1 {}.{} ({product})", node.name(), identity.domain());
    let snapshot = node.snapshot();
    let mut out = Vec::with_capacity(1024);
    put_status(&mut out, answer.status, None);
    put_field(&mut out, b"Content-Type", b"text/html; charset=utf-8");
    put_number_field(&mut out, b"Content-Length", answer.body.len() as u64);
    if let Some(allow) = answer.allow {
        put_field(&mut out, b"Allow", allow.as_bytes());
    }
    for (name, value) in [
        ("Server", product),
        ("X-Cache", &x_cache),
        ("Via", &via),
        ("X-Amz-Cf-Pop", snapshot.pop()),
        ("X-Amz-Cf-Id", id.as_str()),
    ] {
        put_field(&mut out, name.as_bytes(), value.as_bytes());
    }
    // Where one request ends and the next begins is not known either.
    put_end(&mut out, node.clock().now(), false, false);
    out.extend_from_slice(&answer.body);
    out
}
