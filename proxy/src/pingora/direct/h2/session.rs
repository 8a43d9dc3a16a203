//! A stream of HTTP/2 as Pingora's proxy takes it: through its interface for protocols that are not its own.

use std::{
    collections::VecDeque,
    future::poll_fn,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use h2::{Reason, RecvStream, SendStream, server::SendResponse};
use http::{HeaderMap, Method, Response, StatusCode, header};
use parking_lot::Mutex;
use pingora::{
    Error, ErrorType, OrErr as _, Result,
    http::{RequestHeader, ResponseHeader},
    protocols::{
        Digest,
        http::{
            HttpTask,
            custom::{CustomMessageWrite, server::Session as CustomSession},
        },
        l4::socket::SocketAddr,
    },
};
use tokio::time::timeout;

use super::{
    Peer,
    request::Head,
    send::{Unsent, send_piece},
};
use crate::pingora::{context::Ctx, direct::connection::SEND_TIMEOUT};

/// How much of a body is kept for another try, as Pingora keeps it on HTTP/1.1.
const COPY_LIMIT: usize = 64 * 1024;

/// How long a viewer may send nothing of a body. nginx's `client_body_timeout`.
const BODY_TIMEOUT: Duration = Duration::from_secs(60);

/// What filters know of a stream, and tell it, beside Pingora: in the extensions of the request.
#[derive(Debug, Default)]
pub(in crate::pingora) struct Shared {
    /// Bytes of the head (CF-360).
    pub(in crate::pingora) head_bytes: u64,
    /// Whether bytes of a body have come that may not be (CF-368).
    pub(in crate::pingora) has_body: bool,
    /// Whether a body follows whose length the head does not tell.
    pub(in crate::pingora) is_unbounded: bool,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    passes_interim: bool,
    is_forgotten: bool,
}

impl Shared {
    /// Whether interim answers are sent on. Without it they are not: Pingora comes with them at its own time.
    pub(in crate::pingora) fn pass_interim(&self, passes: bool) {
        self.state.lock().passes_interim = passes;
    }

    /// The body was read to its end and has to look as if there were none.
    pub(in crate::pingora) fn forget_body(&self) {
        self.state.lock().is_forgotten = true;
    }

    /// Whether it was.
    pub(in crate::pingora) fn is_body_forgotten(&self) -> bool {
        self.state.lock().is_forgotten
    }
}

/// What was done for a request before Pingora has it.
#[derive(Clone)]
pub(in crate::pingora) struct Handed(Arc<Mutex<Option<Box<Ctx>>>>);

impl Handed {
    /// It, once.
    pub(in crate::pingora) fn take(&self) -> Option<Box<Ctx>> {
        self.0.lock().take()
    }
}

/// One stream.
pub(super) struct Session {
    request: RequestHeader,
    body: RecvStream,
    respond: SendResponse<Bytes>,
    /// Once the head is out.
    stream: Option<SendStream<Bytes>>,
    written: Option<Box<ResponseHeader>>,
    /// Whether the end of the answer is out.
    ended: bool,
    /// Whether the viewer was told that it may send its body.
    invited: bool,
    /// Whether the last byte of the body was read.
    is_read: bool,
    body_read: usize,
    body_sent: u64,
    kept: Option<Kept>,
    peer: Arc<Peer>,
    digest: Arc<Digest>,
    shared: Arc<Shared>,
    read_timeout: Option<Duration>,
    write_timeout: Option<Duration>,
    drain_timeout: Option<Duration>,
    uses_tasks: bool,
    tasks: VecDeque<HttpTask>,
    /// What is being sent, and whether it is the last.
    piece: Bytes,
    piece_ends: bool,
    /// Whether a task has said that the answer ends.
    ends: bool,
    /// Whether it was counted that the viewer has reset the stream.
    is_counted: AtomicBool,
}

/// What is kept of a body for another try.
#[derive(Debug, Default)]
struct Kept {
    bytes: BytesMut,
    truncated: bool,
}

impl Kept {
    fn push(&mut self, data: &[u8]) {
        if self.truncated || self.bytes.len() + data.len() > COPY_LIMIT {
            self.truncated = true;
            return;
        }
        self.bytes.extend_from_slice(data);
    }
}

impl Session {
    /// A request that is handed on, with what has been done for it.
    ///
    /// # Errors
    /// When it is none that Pingora takes.
    pub(super) fn new(
        head: Head,
        begun: Option<Box<Ctx>>,
        body: RecvStream,
        respond: SendResponse<Bytes>,
        peer: Arc<Peer>,
    ) -> Result<Self> {
        let shared = Arc::new(Shared {
            head_bytes: head.bytes(),
            has_body: head.has_body,
            is_unbounded: !head.is_whole && !head.tells_length(),
            state: Mutex::default(),
        });
        let is_read = head.is_whole;
        let mut request = head.into_pingora()?;
        request.extensions_mut().insert(shared.clone());
        if let Some(tls) = &peer.tls {
            request.extensions_mut().insert(tls.clone());
        }
        if begun.is_some() {
            request
                .extensions_mut()
                .insert(Handed(Arc::new(Mutex::new(begun))));
        }
        Ok(Self {
            request,
            body,
            respond,
            stream: None,
            written: None,
            ended: false,
            invited: false,
            is_read,
            body_read: 0,
            body_sent: 0,
            kept: None,
            digest: peer.digest.clone(),
            peer,
            shared,
            read_timeout: Some(BODY_TIMEOUT),
            write_timeout: Some(SEND_TIMEOUT),
            drain_timeout: None,
            uses_tasks: false,
            tasks: VecDeque::new(),
            piece: Bytes::new(),
            piece_ends: false,
            ends: false,
            is_counted: AtomicBool::new(false),
        })
    }

    /// The viewer has reset the stream, which more than one call may find.
    fn was_reset(&self) {
        if !self.is_counted.swap(true, Ordering::Relaxed) {
            self.peer.tally.was_reset();
        }
    }

    fn has_no_body(&self) -> bool {
        self.shared.is_body_forgotten()
            || (self.body_read == 0 && (self.is_read || self.body.is_end_stream()))
    }

    /// Sends a head.
    fn send_head(&mut self, mut head: Box<ResponseHeader>, end: bool) -> Result<()> {
        if self.ended || self.written.is_some() {
            return Ok(());
        }
        if head.status.is_informational() {
            return self.send_interim(&head);
        }
        // RFC 9113 section 8.2.2
        for name in [
            header::CONNECTION,
            header::TRANSFER_ENCODING,
            header::UPGRADE,
        ] {
            head.remove_header(&name);
        }
        head.remove_header("keep-alive");
        head.remove_header("proxy-connection");
        if !head.headers.contains_key(header::DATE) {
            // RFC 9110 section 6.6.1
            let now = httpdate::fmt_http_date(self.peer.node.clock().now());
            head.insert_header(header::DATE, now)?;
        }
        let mut response = Response::new(());
        *response.status_mut() = head.status;
        response.headers_mut().clone_from(&head.headers);
        // Pingora says of no answer of its own that it ends here, and of one that ends a failed fetch nothing later.
        let end = end
            || self.request.method == Method::HEAD
            || matches!(
                head.status,
                StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED
            )
            || head
                .headers
                .get(header::CONTENT_LENGTH)
                .is_some_and(|l| l == "0");
        let sent = self.respond.send_response(response, end);
        self.stream = Some(sent.map_err(|e| self.unsent(&e.into()))?);
        self.written = Some(head);
        self.ended = end;
        Ok(())
    }

    fn send_interim(&mut self, head: &ResponseHeader) -> Result<()> {
        let asked = self.request.headers.contains_key(header::EXPECT);
        let is_invitation = head.status == StatusCode::CONTINUE && asked && !self.invited;
        if !is_invitation && !self.shared.state.lock().passes_interim {
            return Ok(());
        }
        self.invited |= is_invitation;
        let mut response = Response::new(());
        *response.status_mut() = head.status;
        let fields = response.headers_mut();
        fields.clone_from(&head.headers);
        for name in [
            header::CONNECTION,
            header::TRANSFER_ENCODING,
            header::UPGRADE,
        ] {
            fields.remove(name);
        }
        let sent = self.respond.send_informational(response);
        sent.map_err(|e| self.unsent(&e.into()))
    }

    /// Sends what is being sent.
    async fn send_current(&mut self) -> Result<()> {
        let end = self.piece_ends;
        if self.ended || (self.piece.is_empty() && !end) {
            self.piece.clear();
            return Ok(());
        }
        let Some(stream) = self.stream.as_mut() else {
            return Error::e_explain(ErrorType::H2Error, "a body without a head");
        };
        let within = self.write_timeout.unwrap_or(SEND_TIMEOUT);
        // Cut off in the middle, it goes on with what is left: what is handed over is taken out of the piece at once.
        let (piece, tally) = (&mut self.piece, &self.peer.tally);
        let sent = send_piece(stream, piece, end, within, tally, &mut self.body_sent).await;
        sent.map_err(|e| self.unsent(&e))?;
        self.piece_ends = false;
        self.ended = end;
        Ok(())
    }

    fn unsent(&self, cause: &Unsent) -> Box<Error> {
        if cause.is_by_viewer() {
            self.was_reset();
        }
        let kind = match cause {
            Unsent::Slow(_) => ErrorType::WriteTimedout,
            Unsent::Reset(_) | Unsent::Over(_) => ErrorType::WriteError,
        };
        Error::explain(kind, cause.to_string()).into_down()
    }

    /// Takes the next task, whose body is then what is being sent.
    fn begin(&mut self, task: HttpTask) -> Result<()> {
        match task {
            HttpTask::Header(head, end) => {
                self.send_head(head, end)?;
                self.ends |= end;
            }
            HttpTask::Body(data, end) => {
                self.piece = data.unwrap_or_default();
                self.piece_ends = end;
                self.ends |= end;
            }
            HttpTask::UpgradedBody(..) => {
                return Error::e_explain(ErrorType::InternalError, "HTTP/2 has no upgrades");
            }
            // Only gRPC needs them (CF-410); HTTP/1.1 viewers get none either.
            HttpTask::Trailer(_) | HttpTask::Done => self.ends = true,
            HttpTask::Failed(e) => return Err(e),
        }
        Ok(())
    }

    /// Ends the answer.
    fn end(&mut self) -> Result<()> {
        if self.ended {
            return Ok(());
        }
        if let Some(stream) = self.stream.as_mut() {
            let sent = stream.send_data(Bytes::new(), true);
            sent.map_err(|e| self.unsent(&e.into()))?;
            self.ended = true;
        }
        Ok(())
    }

    fn reset(&mut self, reason: Reason) {
        if !self.ended {
            self.respond.send_reset(reason);
            self.ended = true;
        }
    }

    /// Waits until the viewer gives the stream up.
    async fn given_up(&mut self) -> Box<Error> {
        let (stream, respond) = (&mut self.stream, &mut self.respond);
        let reset = poll_fn(|cx| match stream {
            Some(stream) => stream.poll_reset(cx),
            None => respond.poll_reset(cx),
        });
        let (why, is_reset) = match reset.await {
            Ok(reason) => (format!("the viewer has reset the stream: {reason}"), true),
            Err(e) => (format!("the connection is over: {e}"), false),
        };
        if is_reset && !self.ended {
            self.was_reset();
        }
        Error::explain(ErrorType::ConnectionClosed, why).into_down()
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // What was not finished must not look as if it were.
        self.reset(Reason::INTERNAL_ERROR);
    }
}

#[async_trait]
impl CustomSession for Session {
    fn req_header(&self) -> &RequestHeader {
        &self.request
    }

    fn req_header_mut(&mut self) -> &mut RequestHeader {
        &mut self.request
    }

    async fn read_body_bytes(&mut self) -> Result<Option<Bytes>> {
        if self.shared.is_body_forgotten() || self.is_read {
            return Ok(None);
        }
        let read = match self.read_timeout {
            None => self.body.data().await,
            Some(within) => match timeout(within, self.body.data()).await {
                Ok(read) => read,
                Err(_) => {
                    let why = format!("the viewer has sent nothing of its body for {within:?}");
                    return Err(Error::explain(ErrorType::ReadTimedout, why).into_down());
                }
            },
        };
        let data = match read {
            None => {
                self.is_read = true;
                return Ok(None);
            }
            Some(Ok(data)) => data,
            Some(Err(e)) => {
                if e.is_reset() && e.is_remote() {
                    self.was_reset();
                }
                return Err(Error::because(ErrorType::ReadError, "reading a body", e).into_down());
            }
        };
        self.body_read += data.len();
        if let Some(kept) = &mut self.kept {
            kept.push(&data);
        }
        // Makes room for as much again; a stream that is over needs none.
        let _ = self.body.flow_control().release_capacity(data.len());
        Ok(Some(data))
    }

    async fn drain_request_body(&mut self) -> Result<()> {
        let within = self.drain_timeout;
        let drain = async {
            while self.read_body_bytes().await?.is_some() {}
            Ok(())
        };
        match within {
            None => drain.await,
            Some(within) => timeout(within, drain)
                .await
                .or_err(ErrorType::ReadTimedout, "draining a body")?,
        }
    }

    async fn write_response_header(&mut self, head: Box<ResponseHeader>, end: bool) -> Result<()> {
        self.send_head(head, end)
    }

    async fn write_response_header_ref(&mut self, head: &ResponseHeader, end: bool) -> Result<()> {
        self.send_head(Box::new(head.clone()), end)
    }

    async fn write_body(&mut self, data: Bytes, end: bool) -> Result<()> {
        self.piece = data;
        self.piece_ends = end;
        self.send_current().await
    }

    async fn write_trailers(&mut self, _trailers: HeaderMap) -> Result<()> {
        self.end()
    }

    async fn response_duplex_vec(&mut self, tasks: Vec<HttpTask>) -> Result<bool> {
        self.tasks.extend(tasks);
        self.write_proxy_tasks().await
    }

    fn proxy_tasks_enabled(&self) -> bool {
        self.uses_tasks
    }

    fn set_proxy_tasks_enabled(&mut self, enabled: bool) {
        self.uses_tasks = enabled;
    }

    fn send_proxy_task(&mut self, task: HttpTask) {
        self.tasks.push_back(task);
    }

    fn has_pending_proxy_tasks(&self) -> bool {
        !self.tasks.is_empty() || !self.piece.is_empty() || self.piece_ends
    }

    async fn write_proxy_tasks(&mut self) -> Result<bool> {
        loop {
            self.send_current().await?;
            match self.tasks.pop_front() {
                Some(task) => self.begin(task)?,
                None => break,
            }
        }
        if self.ends {
            self.end()?;
        }
        Ok(self.ends)
    }

    fn set_read_timeout(&mut self, timeout: Option<Duration>) {
        self.read_timeout = timeout;
    }

    fn get_read_timeout(&self) -> Option<Duration> {
        self.read_timeout
    }

    fn set_write_timeout(&mut self, timeout: Option<Duration>) {
        self.write_timeout = timeout;
    }

    fn get_write_timeout(&self) -> Option<Duration> {
        self.write_timeout
    }

    fn set_total_drain_timeout(&mut self, timeout: Option<Duration>) {
        self.drain_timeout = timeout;
    }

    fn get_total_drain_timeout(&self) -> Option<Duration> {
        self.drain_timeout
    }

    fn request_summary(&self) -> String {
        let host = self.request.headers.get(header::HOST);
        let host = host.map_or(&[][..], |host| host.as_bytes());
        format!(
            "{} {}, Host: {}",
            self.request.method,
            String::from_utf8_lossy(self.request.raw_path()),
            String::from_utf8_lossy(host),
        )
    }

    fn response_written(&self) -> Option<&ResponseHeader> {
        self.written.as_deref()
    }

    async fn shutdown(&mut self, _code: u32, _why: &str) {
        self.reset(Reason::INTERNAL_ERROR);
    }

    fn is_body_done(&mut self) -> bool {
        self.is_read || self.has_no_body() || self.body.is_end_stream()
    }

    async fn finish(&mut self) -> Result<()> {
        self.end()
    }

    fn is_body_empty(&mut self) -> bool {
        self.has_no_body()
    }

    async fn read_body_or_idle(&mut self, no_body_expected: bool) -> Result<Option<Bytes>> {
        if no_body_expected || self.is_body_done() {
            Err(self.given_up().await)
        } else {
            self.read_body_bytes().await
        }
    }

    fn body_bytes_sent(&self) -> usize {
        usize::try_from(self.body_sent).unwrap_or(usize::MAX)
    }

    fn body_bytes_read(&self) -> usize {
        self.body_read
    }

    fn digest(&self) -> Option<&Digest> {
        Some(&self.digest)
    }

    fn digest_mut(&mut self) -> Option<&mut Digest> {
        Arc::get_mut(&mut self.digest)
    }

    fn client_addr(&self) -> Option<&SocketAddr> {
        self.digest.socket_digest.as_ref()?.peer_addr()
    }

    fn server_addr(&self) -> Option<&SocketAddr> {
        self.digest.socket_digest.as_ref()?.local_addr()
    }

    /// What a refresh in the background is known by, and begins with.
    fn pseudo_raw_h1_request_header(&self) -> Bytes {
        let request = &self.request;
        let mut head = Vec::with_capacity(256);
        head.extend_from_slice(request.method.as_str().as_bytes());
        head.push(b' ');
        head.extend_from_slice(request.raw_path());
        head.extend_from_slice(b" HTTP/1.1\r\n");
        for (name, value) in &request.headers {
            head.extend_from_slice(name.as_str().as_bytes());
            head.extend_from_slice(b": ");
            head.extend_from_slice(value.as_bytes());
            head.extend_from_slice(b"\r\n");
        }
        head.extend_from_slice(b"\r\n");
        head.into()
    }

    fn enable_retry_buffering(&mut self) {
        self.kept.get_or_insert_default();
    }

    fn retry_buffer_truncated(&self) -> bool {
        self.kept.as_ref().is_some_and(|kept| kept.truncated)
    }

    fn get_retry_buffer(&self) -> Option<Bytes> {
        let kept = self.kept.as_ref()?;
        let is_whole = !kept.truncated && !kept.bytes.is_empty();
        is_whole.then(|| kept.bytes.clone().freeze())
    }

    async fn finish_custom(&mut self) -> Result<()> {
        self.end()
    }

    fn take_custom_message_reader(
        &mut self,
    ) -> Option<Box<dyn futures_core::Stream<Item = Result<Bytes>> + Unpin + Send + Sync + 'static>>
    {
        None
    }

    fn restore_custom_message_reader(
        &mut self,
        _reader: Box<
            dyn futures_core::Stream<Item = Result<Bytes>> + Unpin + Send + Sync + 'static,
        >,
    ) -> Result<()> {
        Ok(())
    }

    fn take_custom_message_writer(&mut self) -> Option<Box<dyn CustomMessageWrite>> {
        None
    }

    fn restore_custom_message_writer(
        &mut self,
        _writer: Box<dyn CustomMessageWrite>,
    ) -> Result<()> {
        Ok(())
    }
}
