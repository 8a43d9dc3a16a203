//! The stream that Pingora answers on, where the date of its answers is put right, and a page put in the place of its answer to
//! what it could not read.
//!
//! Pingora writes its own `Date` over an answer's, whoever made that (CF-320, RFC 9110 section 6.6.1), and offers no setting for
//! it. So the head's `Date` is written here once more.
//!
//! All dates have the same length (RFC 9110 section 5.6.7), so nothing moves.

use std::{
    fmt,
    io::{self, IoSlice},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use http::HeaderValue;
use parking_lot::Mutex;
use pingora::protocols::{
    ALPN, GetProxyDigest, GetSocketDigest, GetTimingDigest, Peek, Shutdown, SocketDigest, Ssl,
    Stream, TimingDigest, UniqueID, UniqueIDType,
    raw_connect::ProxyDigest,
    tls::{SslDigest, TlsRef},
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{secure::Secured, unread::UnreadPages};
use crate::{pingora::websocket::Socket, tls::TlsFacts};

/// Bytes of a date.
const DATE_BYTES: usize = 29;
/// What stands before it, in any case.
const BEFORE: &[u8] = b"\r\ndate: ";

/// A viewer's connection while Pingora has it.
pub(in crate::pingora) struct Outlet {
    inner: Stream,
    /// A lock, as it is set through a shared reference; whoever writes owns the stream.
    date: Mutex<Option<Dated>>,
    /// Likewise.
    unread: Mutex<Unread>,
    /// The target of the request as it came, where Pingora is shown another one. Likewise.
    target: Mutex<Option<Bytes>>,
    /// Where the connection comes back to, where Pingora does not give it back.
    landing: Option<Landing>,
    /// The WebSocket that it becomes, likewise.
    socket: Mutex<Option<Box<Socket>>>,
}

/// Where a viewer's connection is found that Pingora has let go of, as far as it knows for good.
#[derive(Clone, Default)]
pub(super) struct Landing(Arc<Mutex<Option<Landed>>>);

/// What becomes of a connection that has come back.
pub(super) enum Landed {
    /// Another request may follow.
    Idle(Stream),
    /// It has become a WebSocket.
    Socket(Box<Socket>, Stream),
}

impl Landing {
    /// What has come back.
    pub(super) fn take(&self) -> Option<Landed> {
        self.0.lock().take()
    }
}

/// What becomes of an answer to a request that was not read.
enum Unread {
    /// It was read, or nobody makes pages.
    No,
    /// Whether it can be read is not known.
    Perhaps(Arc<dyn UnreadPages + Send + Sync>),
    /// It was not: this is written, so far to here.
    Page { page: Vec<u8>, written: usize },
}

/// The date of the next head.
#[derive(Debug)]
struct Dated {
    date: HeaderValue,
    /// Where it begins in what is written next, once that is known.
    at: Option<usize>,
    /// Bytes of it that are written.
    written: usize,
}

impl Outlet {
    pub(super) fn new(inner: Stream) -> Self {
        Self {
            inner,
            date: Mutex::new(None),
            unread: Mutex::new(Unread::No),
            target: Mutex::new(None),
            landing: None,
            socket: Mutex::new(None),
        }
    }

    /// With a place to come back to.
    pub(super) fn landing(mut self, landing: Landing) -> Self {
        self.landing = Some(landing);
        self
    }

    /// Whether a connection has a place to come back to.
    pub(in crate::pingora) fn can_land(stream: &Stream) -> bool {
        let outlet = stream.as_any().downcast_ref::<Self>();
        outlet.is_some_and(|outlet| outlet.landing.is_some())
    }

    /// Brings a connection back on which another request may follow.
    pub(in crate::pingora) fn land(stream: Stream) {
        let Ok(mut outlet) = stream.into_any().downcast::<Self>() else {
            return;
        };
        if let Some(landing) = outlet.landing.take() {
            *landing.0.lock() = Some(Landed::Idle(outlet.take_inner()));
        }
    }

    /// Lets the connection become a WebSocket, once Pingora has let go of it.
    ///
    /// # Errors
    /// The socket, when the connection has nowhere to come back to.
    pub(in crate::pingora) fn hand_over(
        stream: &Stream,
        socket: Box<Socket>,
    ) -> Result<(), Box<Socket>> {
        let outlet = stream.as_any().downcast_ref::<Self>();
        match outlet.filter(|outlet| outlet.landing.is_some()) {
            Some(outlet) => {
                *outlet.socket.lock() = Some(socket);
                Ok(())
            }
            None => Err(socket),
        }
    }

    /// With pages for a request that turns out not to be one.
    pub(super) fn unread(mut self, pages: Arc<dyn UnreadPages + Send + Sync>) -> Self {
        *self.unread.get_mut() = Unread::Perhaps(pages);
        self
    }

    /// With the target of the request, where Pingora is shown another one.
    pub(super) fn target(mut self, target: Option<Bytes>) -> Self {
        *self.target.get_mut() = target;
        self
    }

    /// The request was read: what is written from here on is its answer. Its target, where Pingora was shown another one.
    pub(in crate::pingora) fn is_read(stream: &Stream) -> Option<Bytes> {
        let outlet = stream.as_any().downcast_ref::<Self>()?;
        *outlet.unread.lock() = Unread::No;
        outlet.target.lock().take()
    }

    /// Writes the page in place of the answer that `buf` is, if it is one to a request that was not read.
    fn poll_page(&mut self, cx: &mut Context<'_>, buf: &[u8]) -> Option<Poll<io::Result<usize>>> {
        let Self { inner, unread, .. } = self;
        let unread = unread.get_mut();
        if let Unread::Perhaps(pages) = unread {
            *unread = match refusal(buf) {
                Some(status) => Unread::Page {
                    page: pages.page(status),
                    written: 0,
                },
                None => Unread::No,
            };
        }
        let Unread::Page { page, written } = unread else {
            return None;
        };
        while *written < page.len() {
            match Pin::new(&mut *inner).poll_write(cx, &page[*written..]) {
                Poll::Ready(Ok(0)) => {
                    return Some(Poll::Ready(Err(io::ErrorKind::WriteZero.into())));
                }
                Poll::Ready(Ok(bytes)) => *written += bytes,
                other => return Some(other),
            }
        }
        Some(Poll::Ready(Ok(buf.len())))
    }

    /// The stream behind an outlet.
    pub(super) fn unwrap(stream: Stream) -> Option<Stream> {
        let outlet = stream.into_any().downcast::<Self>();
        outlet.ok().map(|mut outlet| outlet.take_inner())
    }

    fn take_inner(&mut self) -> Stream {
        std::mem::replace(&mut self.inner, Box::new(io::Cursor::new(Vec::new())))
    }

    /// The handshake behind an outlet, on HTTPS.
    pub(in crate::pingora) fn tls(stream: &Stream) -> Option<&Arc<TlsFacts>> {
        let outlet = stream.as_any().downcast_ref::<Self>()?;
        let secured = outlet.inner.as_any().downcast_ref::<Secured>()?;
        Some(secured.facts())
    }

    /// Has the next head carry this date. One that has another form than dates have is not taken.
    pub(in crate::pingora) fn set_date(stream: &Stream, date: &HeaderValue) {
        let outlet = stream.as_any().downcast_ref::<Self>();
        if let Some(outlet) = outlet.filter(|_| date.len() == DATE_BYTES) {
            *outlet.date.lock() = Some(Dated {
                date: date.clone(),
                at: None,
                written: 0,
            });
        }
    }
}

impl Dated {
    /// What to write in the place of `buf`; `None` when that has no date.
    fn patch(&mut self, buf: &[u8]) -> Option<Vec<u8>> {
        let at = match self.at {
            Some(at) => at,
            None => find(buf)?,
        };
        self.at = Some(at);
        let mut patched = buf.to_vec();
        let place = patched.get_mut(at..).unwrap_or_default();
        let left = &self.date.as_bytes()[self.written..];
        for (byte, right) in place.iter_mut().zip(left) {
            *byte = *right;
        }
        Some(patched)
    }

    /// Takes note of what was written; whether that was all of the date.
    fn wrote(&mut self, bytes: usize) -> bool {
        let at = self.at.unwrap_or_default();
        self.written += bytes.saturating_sub(at);
        self.at = Some(at.saturating_sub(bytes));
        self.written >= DATE_BYTES
    }
}

/// The status of an answer that Pingora makes before there is a request.
fn refusal(buf: &[u8]) -> Option<u16> {
    match buf.strip_prefix(b"HTTP/1.1 ")?.get(..3)? {
        b"400" => Some(400),
        b"405" => Some(405),
        _ => None,
    }
}

/// Where the date begins in the head that `buf` begins with.
fn find(buf: &[u8]) -> Option<usize> {
    let end = buf.windows(4).position(|w| w == b"\r\n\r\n")?;
    let mut lines = buf[..end].windows(BEFORE.len());
    let at = lines.position(|w| w.eq_ignore_ascii_case(BEFORE))? + BEFORE.len();
    (buf.get(at + DATE_BYTES..at + DATE_BYTES + 2)? == b"\r\n").then_some(at)
}

/// Whoever drops it may be in the midst of anything but what has been handed over.
impl Drop for Outlet {
    fn drop(&mut self) {
        if let (Some(landing), Some(socket)) = (self.landing.take(), self.socket.get_mut().take()) {
            *landing.0.lock() = Some(Landed::Socket(socket, self.take_inner()));
        }
    }
}

impl AsyncWrite for Outlet {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        if let Some(polled) = this.poll_page(cx, buf) {
            return polled;
        }
        let date = this.date.get_mut();
        if let Some(dated) = date {
            if let Some(patched) = dated.patch(buf) {
                let written = ready!(Pin::new(&mut this.inner).poll_write(cx, &patched))?;
                if dated.wrote(written) {
                    *date = None;
                }
                return Poll::Ready(Ok(written));
            }
            *date = None;
        }
        Pin::new(&mut this.inner).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.date.get_mut().is_some() || !matches!(self.unread.get_mut(), Unread::No) {
            let first = bufs.iter().find(|b| !b.is_empty());
            return self.poll_write(cx, first.map_or(&[][..], |b| b));
        }
        Pin::new(&mut self.inner).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.socket.get_mut().is_some() {
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

impl AsyncRead for Outlet {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(cx, buf)
    }
}

impl fmt::Debug for Outlet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

#[async_trait]
impl Shutdown for Outlet {
    async fn shutdown(&mut self) {
        if self.socket.get_mut().is_none() {
            Shutdown::shutdown(&mut *self.inner).await;
        }
    }
}

#[async_trait]
impl Peek for Outlet {
    async fn try_peek(&mut self, buf: &mut [u8]) -> io::Result<bool> {
        self.inner.try_peek(buf).await
    }
}

impl UniqueID for Outlet {
    fn id(&self) -> UniqueIDType {
        self.inner.id()
    }
}

impl Ssl for Outlet {
    fn get_ssl(&self) -> Option<&TlsRef> {
        self.inner.get_ssl()
    }

    fn get_ssl_digest(&self) -> Option<Arc<SslDigest>> {
        self.inner.get_ssl_digest()
    }

    fn selected_alpn_proto(&self) -> Option<ALPN> {
        self.inner.selected_alpn_proto()
    }
}

impl GetTimingDigest for Outlet {
    fn get_timing_digest(&self) -> Vec<Option<TimingDigest>> {
        self.inner.get_timing_digest()
    }

    fn get_read_pending_time(&self) -> Duration {
        self.inner.get_read_pending_time()
    }

    fn get_write_pending_time(&self) -> Duration {
        self.inner.get_write_pending_time()
    }
}

impl GetProxyDigest for Outlet {
    fn get_proxy_digest(&self) -> Option<Arc<ProxyDigest>> {
        self.inner.get_proxy_digest()
    }

    fn set_proxy_digest(&mut self, digest: ProxyDigest) {
        self.inner.set_proxy_digest(digest);
    }
}

impl GetSocketDigest for Outlet {
    fn get_socket_digest(&self) -> Option<Arc<SocketDigest>> {
        self.inner.get_socket_digest()
    }

    fn set_socket_digest(&mut self, digest: SocketDigest) {
        self.inner.set_socket_digest(digest);
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    const NEW: &str = "Sun, 06 Nov 1994 08:49:37 GMT";

    fn head(name: &str) -> String {
        format!(
            "HTTP/1.1 200 OK\r\nX-Date: Thu, 01 Jan 1970 00:00:00 GMT\r\n{name}: Thu, 01 Jan 1970 00:00:00 GMT\r\nA: b\r\n\r\n"
        )
    }

    fn with_new_date(head: &str, name: &str) -> String {
        head.replace(
            &format!("\n{name}: Thu, 01 Jan 1970 00:00:00 GMT"),
            &format!("\n{name}: {NEW}"),
        )
    }

    /// What arrives of these writes, the date set before the first one, over a stream that takes so many bytes at a
    /// time.
    async fn sent(room: usize, date: &str, writes: &[&str]) -> String {
        let (near, mut far) = tokio::io::duplex(room);
        let mut stream: Stream = Box::new(Outlet::new(Box::new(near)));
        Outlet::set_date(&stream, &HeaderValue::from_str(date).unwrap());
        let reading = tokio::spawn(async move {
            let mut all = String::new();
            far.read_to_string(&mut all).await.unwrap();
            all
        });
        for text in writes {
            stream.write_all(text.as_bytes()).await.unwrap();
        }
        drop(Outlet::unwrap(stream).unwrap());
        reading.await.unwrap()
    }

    #[tokio::test]
    async fn the_date_of_a_head_is_the_answers_own_however_it_is_cut() {
        // CF-320, RFC 9110 section 6.6.1
        for name in ["Date", "date", "DATE"] {
            let head = head(name);
            let want = with_new_date(&head, name);
            for room in 1..head.len() + 10 {
                let body = "\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\n\r\n";
                let got = sent(room, NEW, &[&head, body, &head]).await;
                // Of that head alone.
                assert_eq!(got, format!("{want}{body}{head}"), "{room}");
            }
        }
    }

    struct Page;

    impl UnreadPages for Page {
        fn page(&self, status: u16) -> Vec<u8> {
            format!("page for {status}").into_bytes()
        }
    }

    /// What arrives of writes, the request read before them or not.
    async fn answered(room: usize, read: bool, writes: &[&str]) -> String {
        let (near, mut far) = tokio::io::duplex(room);
        let mut stream: Stream = Box::new(Outlet::new(Box::new(near)).unread(Arc::new(Page)));
        if read {
            let _ = Outlet::is_read(&stream);
        }
        let reading = tokio::spawn(async move {
            let mut all = String::new();
            far.read_to_string(&mut all).await.unwrap();
            all
        });
        for text in writes {
            stream.write_all(text.as_bytes()).await.unwrap();
        }
        drop(Outlet::unwrap(stream).unwrap());
        reading.await.unwrap()
    }

    #[tokio::test]
    async fn a_page_stands_for_the_answer_to_what_was_not_read() {
        // CF-780
        let bare = "HTTP/1.1 400 Bad Request\r\nContent-Length: 1\r\n\r\n";
        for room in [1, 7, 100] {
            assert_eq!(answered(room, false, &[bare, "x"]).await, "page for 400");
            let other = "HTTP/1.1 405 Method Not Allowed\r\n\r\n";
            assert_eq!(answered(room, false, &[other]).await, "page for 405");
            assert_eq!(answered(room, true, &[bare, "x"]).await, format!("{bare}x"));
            let fine = "HTTP/1.1 200 OK\r\n\r\n";
            assert_eq!(
                answered(room, false, &[fine, bare]).await,
                format!("{fine}{bare}")
            );
        }
    }

    #[tokio::test]
    async fn what_has_no_date_is_written_as_it_is() {
        // CF-320
        let plain = "HTTP/1.1 200 OK\r\nA: b\r\n\r\n";
        for room in [1, 7, 100] {
            let got = sent(room, NEW, &[plain, &head("Date")]).await;
            assert_eq!(got, format!("{plain}{}", head("Date")));
            let head = head("Date");
            for odd in ["Sunday, 06-Nov-94 08:49:37 GMT", "now"] {
                assert_eq!(sent(room, odd, &[&head]).await, head, "{odd}");
            }
        }
    }
}
