//! The connection to an origin on which a WebSocket may open.
//!
//! Pingora carries the handshake like any request: tries, timeouts, failover and what becomes of an answer that is none are the
//! same. It would carry the WebSocket, too, but with what a request takes: a session on either side, with buffers of 64 KiB,
//! for hours, and by timeouts that are meant for answers. So it talks to the origin through [`Watched`], which looks at
//! what the answer begins with. A 101 stays here, with the connection, and Pingora is shown an answer that has no
//! consequences; anything else passes as it is.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use async_trait::async_trait;
use bytes::{Buf as _, Bytes, BytesMut};
use fourfront_model::{HeaderLine, HeaderLines};
use http::{HeaderName, HeaderValue, header};
use parking_lot::Mutex;
use pingora::{
    Result,
    connectors::L4Connect,
    protocols::{
        Stream,
        l4::{
            socket::SocketAddr as PingoraAddr,
            stream::Stream as L4Stream,
            virt::{VirtualSockOpt, VirtualSocket, VirtualSocketStream},
        },
    },
    upstreams::peer::HttpPeer,
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::has_token;
use crate::pingora::dial::Dialler;

/// Most bytes of the head of a 101 (CF-363).
const MAX_HEAD: usize = fourfront_origin::response::MAX_HEADER_BYTES;

/// Most fields in it.
const MAX_FIELDS: usize = 128;

/// How an answer begins that opens a WebSocket.
const OPENS: &[u8] = b"HTTP/1.1 101";

/// How the other interim answers begin.
const INTERIM: &[u8] = b"HTTP/1.1 1";

/// What Pingora is shown in the place of a 101.
const STAND_IN: &[u8] = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";

/// Goes into answers that pass: the connection is Pingora's for this one answer.
const CLOSES: &[u8] = b"Connection: close\r\n";

/// A handshake under way.
#[derive(Debug, Default)]
pub(in crate::pingora) struct Handshake(Mutex<Outcome>);

/// What an origin has said to it.
#[derive(Debug, Default)]
pub(super) enum Outcome {
    /// Nothing, or something that Pingora is told as it is.
    #[default]
    Ordinary,
    /// It has opened a WebSocket.
    Opened(Opened),
    /// It says so, but not as RFC 6455 section 4.1 wants it.
    Invalid(&'static str),
}

/// A connection on which an origin has opened a WebSocket.
#[derive(Debug)]
pub(in crate::pingora) struct Opened {
    pub(super) stream: Stream,
    /// The fields of its 101.
    pub(super) lines: HeaderLines,
    /// What came behind it.
    pub(super) early: Bytes,
}

impl Handshake {
    /// What the origin has said; asked once.
    pub(super) fn take(&self) -> Outcome {
        std::mem::take(&mut *self.0.lock())
    }

    /// A peer that Pingora can talk to, through which it talks to `peer`.
    ///
    /// # Errors
    /// None that is known of.
    pub(in crate::pingora) fn through(
        self: &Arc<Self>,
        peer: HttpPeer,
        dialler: Arc<Dialler>,
    ) -> Result<HttpPeer> {
        // Never dialled, nor found in a pool: what is made here is closed after an answer.
        let mut outer = HttpPeer::new_uds("/fourfront-handshake", false, String::new())?;
        outer.options.read_timeout = peer.options.read_timeout;
        outer.options.write_timeout = peer.options.write_timeout;
        outer.options.http_upstream_request_policy = peer.options.http_upstream_request_policy;
        outer.options.custom_l4 = Some(Arc::new(Through {
            peer,
            dialler,
            handshake: self.clone(),
        }));
        Ok(outer)
    }
}

#[derive(Debug)]
struct Through {
    peer: HttpPeer,
    dialler: Arc<Dialler>,
    handshake: Arc<Handshake>,
}

#[async_trait]
impl L4Connect for Through {
    async fn connect(&self, _address: &PingoraAddr) -> Result<L4Stream> {
        // Of this try.
        self.handshake.take();
        let stream = self.dialler.dial(&self.peer).await?;
        let watched = Watched::new(stream, self.handshake.clone());
        Ok(L4Stream::from(VirtualSocketStream::new(Box::new(watched))))
    }
}

/// A connection to an origin, on which a 101 is kept back.
#[derive(Debug)]
struct Watched {
    inner: Stream,
    handshake: Arc<Handshake>,
    /// Read, and not judged yet or not handed on yet.
    buffer: BytesMut,
    /// How much of it may be handed on.
    judged: usize,
    state: Watch,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Watch {
    /// The next answer may be a 101.
    Watching,
    /// No other answer comes.
    Passing,
}

/// What is read at a time while the answer is judged.
const READ_SIZE: usize = 4096;

impl Watched {
    fn new(inner: Stream, handshake: Arc<Handshake>) -> Self {
        Self {
            inner,
            handshake,
            buffer: BytesMut::new(),
            judged: 0,
            state: Watch::Watching,
        }
    }

    /// Judges what is in the buffer, as far as it can be: not before a first line is there.
    fn judge(&mut self) {
        loop {
            let rest = &self.buffer[self.judged..];
            let is_long = rest.len() > MAX_HEAD;
            let Some(line) = memchr::memchr(b'\n', rest) else {
                if is_long {
                    self.pass(0);
                }
                return;
            };
            let head = memchr::memmem::find(rest, b"\r\n\r\n").map(|at| at + 4);
            match (rest.starts_with(OPENS), head) {
                (true, Some(head)) => return self.keep(head),
                (true, None) if is_long => return self.refuse("the head of its 101 is too long"),
                // Another answer follows it.
                (false, Some(head)) if rest.starts_with(INTERIM) => self.judged += head,
                (true, None) => return,
                (false, None) if rest.starts_with(INTERIM) && !is_long => return,
                (false, _) => return self.pass(line + 1),
            }
        }
    }

    /// The answer, whose first line has that many bytes, is none that opens a WebSocket.
    fn pass(&mut self, line: usize) {
        self.state = Watch::Passing;
        if line > 0 {
            let rest = self.buffer.split_off(self.judged + line);
            self.buffer.extend_from_slice(CLOSES);
            self.buffer.unsplit(rest);
        }
        self.judged = self.buffer.len();
    }

    /// Keeps a 101 whose head has that many bytes.
    fn keep(&mut self, head: usize) {
        let mut whole = self.buffer.split_off(self.judged);
        let early = whole.split_off(head).freeze();
        match lines(&whole.freeze()) {
            Ok(lines) => {
                let stream = self.take_inner();
                self.stand_in(Outcome::Opened(Opened {
                    stream,
                    lines,
                    early,
                }));
            }
            Err(why) => self.refuse(why),
        }
    }

    fn refuse(&mut self, why: &'static str) {
        self.buffer.truncate(self.judged);
        self.take_inner();
        self.stand_in(Outcome::Invalid(why));
    }

    /// The connection. What is left in its place has ended, and Pingora may close it.
    fn take_inner(&mut self) -> Stream {
        std::mem::replace(&mut self.inner, Box::new(io::Cursor::new(Vec::new())))
    }

    fn stand_in(&mut self, outcome: Outcome) {
        *self.handshake.0.lock() = outcome;
        self.state = Watch::Passing;
        self.buffer.extend_from_slice(STAND_IN);
        self.judged = self.buffer.len();
    }
}

/// The fields of the head of a 101, if that opens a WebSocket (RFC 6455 section 4.1).
fn lines(head: &Bytes) -> std::result::Result<HeaderLines, &'static str> {
    const NOT_HTTP: &str = "its 101 is not HTTP";
    let mut slots = [httparse::EMPTY_HEADER; MAX_FIELDS];
    let mut response = httparse::Response::new(&mut slots);
    response.parse(head).map_err(|_| NOT_HTTP)?;
    let line = |field: &httparse::Header<'_>| {
        Some(HeaderLine {
            name: HeaderName::from_bytes(field.name.as_bytes()).ok()?,
            key: head.slice_ref(field.name.as_bytes()),
            value: HeaderValue::from_maybe_shared(head.slice_ref(field.value)).ok()?,
        })
    };
    let lines: Option<HeaderLines> = response.headers.iter().map(line).collect();
    let lines = lines.ok_or(NOT_HTTP)?;
    let says = |name: &HeaderName, token: &str| {
        let mut values = lines.iter().filter(|l| l.name == *name).map(|l| &l.value);
        values.any(|value| has_token(value, token))
    };
    if !says(&header::UPGRADE, "websocket") || !says(&header::CONNECTION, "upgrade") {
        return Err("its 101 is for another protocol than WebSocket");
    }
    Ok(lines)
}

impl AsyncRead for Watched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        loop {
            if this.judged > 0 {
                let take = this.judged.min(buf.remaining());
                buf.put_slice(&this.buffer[..take]);
                this.buffer.advance(take);
                this.judged -= take;
                return Poll::Ready(Ok(()));
            }
            if this.state == Watch::Passing {
                this.buffer = BytesMut::new();
                return Pin::new(&mut this.inner).poll_read(cx, buf);
            }
            let mut space = [0; READ_SIZE];
            let mut piece = ReadBuf::new(&mut space);
            ready!(Pin::new(&mut this.inner).poll_read(cx, &mut piece))?;
            if piece.filled().is_empty() {
                // What there is is no answer: Pingora's to find out.
                this.state = Watch::Passing;
                this.judged = this.buffer.len();
            } else {
                this.buffer.extend_from_slice(piece.filled());
                this.judge();
            }
        }
    }
}

impl AsyncWrite for Watched {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

impl VirtualSocket for Watched {
    fn set_socket_option(&self, _option: VirtualSockOpt) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};

    use super::*;

    const OPENED: &str = "HTTP/1.1 101 Switching Protocols\r\nupgrade: WebSocket\r\nConnection: keep-alive, Upgrade\r\nSec-WebSocket-Accept: x\r\n\r\n";

    /// What Pingora gets of what an origin sends in pieces of that size, and what is kept back.
    async fn watched(sent: &str, piece: usize) -> (String, Outcome) {
        let (near, mut far) = duplex(4096);
        let handshake = Arc::new(Handshake::default());
        let mut watched = Watched::new(Box::new(near), handshake.clone());
        let sent = sent.to_owned();
        let sending = tokio::spawn(async move {
            for piece in sent.as_bytes().chunks(piece) {
                if far.write_all(piece).await.is_err() {
                    return;
                }
                tokio::task::yield_now().await;
            }
        });
        let mut got = Vec::new();
        let mut some = [0; 7];
        loop {
            match watched.read(&mut some).await.unwrap() {
                0 => break,
                n => got.extend_from_slice(&some[..n]),
            }
        }
        sending.await.unwrap();
        (String::from_utf8(got).unwrap(), handshake.take())
    }

    #[tokio::test]
    async fn a_101_is_kept_with_what_follows_it() {
        // CF-408, RFC 6455 section 4.1
        for piece in [1, 13, 4096] {
            let (got, outcome) = watched(&format!("{OPENED}hello"), piece).await;
            assert_eq!(got.as_bytes(), STAND_IN);
            let Outcome::Opened(mut opened) = outcome else {
                panic!("{outcome:?}")
            };
            let accept = opened
                .lines
                .iter()
                .find(|l| l.key == "Sec-WebSocket-Accept");
            assert_eq!(accept.unwrap().value, "x");
            let mut all = opened.early.to_vec();
            opened.stream.read_to_end(&mut all).await.unwrap();
            assert_eq!(all, b"hello");
        }
    }

    #[tokio::test]
    async fn other_answers_pass_and_end_the_connection() {
        // CF-408
        let rows = [
            (
                "HTTP/1.1 200 OK\r\nA: b\r\n\r\nthe end",
                "HTTP/1.1 200 OK\r\nConnection: close\r\nA: b\r\n\r\nthe end",
            ),
            (
                "HTTP/1.0 101 x\r\n\r\nthe end",
                "HTTP/1.0 101 x\r\nConnection: close\r\n\r\nthe end",
            ),
            ("nonsense, the end", "nonsense, the end"),
            ("HTTP/1.1 10", "HTTP/1.1 10"),
            ("", ""),
        ];
        for (sent, want) in rows {
            for piece in [1, 4096] {
                let (got, outcome) = watched(sent, piece).await;
                assert_eq!(got, want);
                assert!(matches!(outcome, Outcome::Ordinary), "{outcome:?}");
            }
        }
    }

    #[tokio::test]
    async fn a_101_may_come_after_other_interim_answers() {
        // RFC 9110 section 15.2
        let early = "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n";
        for piece in [1, 4096] {
            let (got, outcome) = watched(&format!("{early}{OPENED}"), piece).await;
            assert_eq!(got, format!("{early}{}", String::from_utf8_lossy(STAND_IN)));
            assert!(matches!(outcome, Outcome::Opened(_)), "{outcome:?}");
        }
    }

    #[tokio::test]
    async fn a_101_that_opens_no_websocket_is_invalid() {
        // CF-220, RFC 6455 section 4.1
        let rows = [
            "HTTP/1.1 101 x\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n".to_owned(),
            "HTTP/1.1 101 x\r\nConnection: Upgrade\r\n\r\n".to_owned(),
            "HTTP/1.1 101 x\r\nUpgrade: websocket\r\n\r\n".to_owned(),
            "HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nno field\r\n\r\n"
                .to_owned(),
            format!("HTTP/1.1 101 x\r\nA: {}", "b".repeat(MAX_HEAD)),
        ];
        for sent in &rows {
            let (got, outcome) = watched(sent, 4096).await;
            assert_eq!(got.as_bytes(), STAND_IN);
            assert!(matches!(outcome, Outcome::Invalid(_)), "{outcome:?}");
        }
    }
}
