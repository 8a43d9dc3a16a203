//! Answers from memory on HTTP/2.
//!
//! What is answered there is written as a head of HTTP/1.1, which is how stored objects keep theirs. Reading that again costs
//! about a microsecond, and keeps the decisions in one place.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use bytes::Bytes;
use h2::{Reason, server::SendResponse};
use http::{HeaderName, HeaderValue, Response, StatusCode, header};

use super::{
    Peer,
    send::{Unsent, send_piece},
};
use crate::{
    pingora::direct::{Way, connection::SEND_TIMEOUT},
    tls::TlsFacts,
};

/// Most fields of an answer: what is stored has been bounded in bytes, and functions' results are.
const MAX_FIELDS: usize = 512;

/// The answer to one stream.
pub(super) struct Reply<'a> {
    respond: &'a mut SendResponse<Bytes>,
    peer: &'a Peer,
    out: Vec<u8>,
}

impl<'a> Reply<'a> {
    pub(super) const fn new(respond: &'a mut SendResponse<Bytes>, peer: &'a Peer) -> Self {
        Self {
            respond,
            peer,
            out: Vec::new(),
        }
    }

    async fn answer(
        &mut self,
        next: &mut (impl FnMut() -> Option<Bytes> + Send),
        sent: &mut u64,
    ) -> Result<(), Unsent> {
        let head = Bytes::from(std::mem::take(&mut self.out));
        let Some(response) = response(&head) else {
            self.respond.send_reset(Reason::INTERNAL_ERROR);
            return Err(Unsent::Reset(Reason::INTERNAL_ERROR));
        };
        let Some(mut piece) = next() else {
            self.respond.send_response(response, true)?;
            return Ok(());
        };
        let mut stream = self.respond.send_response(response, false)?;
        loop {
            let following = next();
            let end = following.is_none();
            let tally = &self.peer.tally;
            let gone = send_piece(&mut stream, &mut piece, end, SEND_TIMEOUT, tally, sent);
            if let Err(e) = gone.await {
                if matches!(e, Unsent::Slow(_)) {
                    stream.send_reset(Reason::CANCEL);
                }
                return Err(e);
            }
            match following {
                Some(another) => piece = another,
                None => return Ok(()),
            }
        }
    }
}

impl Way for Reply<'_> {
    fn viewer(&self) -> SocketAddr {
        self.peer.viewer
    }

    fn server(&self) -> Option<IpAddr> {
        self.peer.server
    }

    fn tls(&self) -> Option<&Arc<TlsFacts>> {
        self.peer.tls.as_ref()
    }

    fn out(&mut self) -> &mut Vec<u8> {
        &mut self.out
    }

    async fn send(
        &mut self,
        mut next: impl FnMut() -> Option<Bytes> + Send,
    ) -> (u64, io::Result<()>) {
        let mut sent = 0;
        let done = self.answer(&mut next, &mut sent).await;
        if let Err(e) = &done
            && e.is_by_viewer()
        {
            self.peer.tally.was_reset();
        }
        (sent, done.map_err(io::Error::other))
    }
}

/// A head as HTTP/2 has it; `None` when it is none.
fn response(head: &Bytes) -> Option<Response<()>> {
    let mut slots = [httparse::EMPTY_HEADER; MAX_FIELDS];
    let mut parsed = httparse::Response::new(&mut slots);
    parsed.parse(head).ok()?;
    let mut response = Response::new(());
    *response.status_mut() = StatusCode::from_u16(parsed.code?).ok()?;
    let fields = response.headers_mut();
    fields.reserve(parsed.headers.len());
    for field in parsed.headers.iter() {
        let name = HeaderName::from_bytes(field.name.as_bytes()).ok()?;
        // RFC 9113 section 8.2.2
        if matches!(
            name,
            header::CONNECTION | header::TRANSFER_ENCODING | header::UPGRADE
        ) {
            continue;
        }
        let value = HeaderValue::from_maybe_shared(head.slice_ref(field.value)).ok()?;
        fields.append(name, value);
    }
    Some(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_loses_what_belongs_to_a_connection() {
        // CF-782, RFC 9113 section 8.2.2
        let head = Bytes::from_static(
            b"HTTP/1.1 404 Not Found\r\nX-Cache: Hit\r\nSet-Cookie: a\r\nSet-Cookie: b\r\nConnection: close\r\n\r\n",
        );
        let response = response(&head).unwrap();
        assert_eq!(response.status(), 404);
        assert_eq!(response.headers().get_all("set-cookie").iter().count(), 2);
        assert_eq!(response.headers().len(), 3);
    }
}
