//! What failed, and what is written about it: error mapping, retries, the access record.

use std::{
    io,
    net::SocketAddr,
    sync::{Arc, atomic::Ordering},
};

use fourfront_cache::Reason;
use fourfront_origin::{
    OriginFault,
    failover::Failed,
    retry::{Progress, Retry, after_fault},
};
use http::{HeaderMap, HeaderValue, Method, StatusCode, Version, header};
use pingora::{
    Error, ErrorSource, ErrorType,
    http::ResponseHeader,
    protocols::http::ServerSession as HttpSession,
    proxy::{FailToProxy, Session},
};

use super::{
    ANSWER_READY, Edge, REFETCH, SERVE_STALE, SWITCHED,
    context::{Ctx, Pending},
    deliver::internal,
    direct::Outlet,
    request_body,
    shield::Lost,
    shielded,
    viewer_side::{self, split},
};
use crate::{
    flow::{Fault, Flow, Served, ViewerFault, viewer},
    observe::{
        access::{AccessRecord, AnswerFields, Cached, ViewerFields, Wanted},
        metrics::Finished,
    },
    tls::TlsFacts,
};

/// Whether the viewer's connection has a place to come back to.
fn can_be_taken(session: &Session) -> bool {
    let h1 = session.as_downstream().as_http1();
    h1.is_some_and(|h1| Outlet::can_land(h1.stream()))
}

/// Whether nothing was taken from the viewer's connection but its request. Pingora takes a byte of the next one for a viewer who
/// is gone, and that byte is lost.
fn is_whole(ctx: &Ctx) -> bool {
    !ctx.viewer_left.load(Ordering::Relaxed)
}

/// Whether anything of an answer is on its way to the viewer. Interim answers are none of it (CF-396).
pub(super) fn viewer_has_bytes(session: &Session) -> bool {
    let written = session.response_written();
    written.is_some_and(|head| !head.status.is_informational())
}

impl Edge {
    /// `fail_to_connect` and `error_while_proxy`: another try or the end (CF-390..397).
    pub(super) fn after_failure(
        &self,
        session: &mut Session,
        ctx: &mut Ctx,
        mut error: Box<Error>,
        reused: bool,
        connecting: bool,
    ) -> Box<Error> {
        error.set_retry(false);
        if *error.etype() == REFETCH {
            error.set_retry(true);
            return error;
        }
        if ctx.fault.is_some()
            || matches!(error.etype(), t if *t == ANSWER_READY || *t == SERVE_STALE || *t == SWITCHED)
        {
            return error;
        }
        if *error.esource() != ErrorSource::Upstream {
            return error;
        }
        let answered = matches!(ctx.flow, Flow::Store(_) | Flow::Deliver(_));
        let fault = match origin_fault(&error, connecting) {
            OriginFault::Closed | OriginFault::ReadTimeout if answered => OriginFault::BodyAborted,
            fault => fault,
        };
        let again = self.try_failed(session, ctx, fault, reused);
        error.set_retry(again);
        error
    }

    /// An origin fault that one of our own filters found, as the error that ends this try.
    pub(super) fn origin_error(
        &self,
        session: &mut Session,
        ctx: &mut Ctx,
        fault: OriginFault,
    ) -> Box<Error> {
        let again = self.try_failed(session, ctx, fault, false);
        let mut error = Error::new_up(ErrorType::new("fourfront"));
        error.set_retry(again);
        error
    }

    /// Whether there is another try after a fault. Without one the fault is remembered for `fail_to_proxy`, and
    /// neither response trigger runs: there is no response of an origin (LE-037).
    fn try_failed(
        &self,
        session: &mut Session,
        ctx: &mut Ctx,
        fault: OriginFault,
        reused: bool,
    ) -> bool {
        let fault = if ctx.time_is_over() {
            OriginFault::CompletionTimeout
        } else {
            fault
        };
        let body_consumed = !request_body::can_be_repeated(session, &ctx.body);
        let viewer_has_bytes = viewer_has_bytes(session);
        if self.tries_again(ctx, &fault, reused, viewer_has_bytes, body_consumed) {
            ctx.body.again();
            return true;
        }
        if fault != OriginFault::CompletionTimeout
            && self.leaves_shield(session, ctx, &Lost::Silent(fault.clone()))
        {
            return true;
        }
        if self.fails_over(session, ctx, Failed::Fault(&fault)) {
            return true;
        }
        ctx.fault = Some(self.origin_failed(session, ctx, fault));
        false
    }

    /// Whether a fetch that has failed goes out once more, and how.
    pub(super) fn tries_again(
        &self,
        ctx: &mut Ctx,
        fault: &OriginFault,
        reused: bool,
        viewer_has_bytes: bool,
        body_consumed: bool,
    ) -> bool {
        let left = ctx.left();
        let Flow::Fetch(fetch) = &mut ctx.flow else {
            return false;
        };
        let progress = Progress {
            method: &fetch.request.method,
            attempts: fetch.attempts,
            max_attempts: fetch.goes_to().connection_attempts,
            reused,
            response_began: false,
            viewer_has_bytes,
            body_consumed,
            left,
            other_name_left: fetch.refused_name.is_none() && fetch.two_names.is_some(),
        };
        let retry = after_fault(fault, &progress);
        if matches!(
            retry,
            Retry::Uncounted | Retry::NextAddress | Retry::OtherName
        ) {
            fetch.attempts = fetch.attempts.saturating_sub(1);
        }
        if retry == Retry::OtherName
            && let Some((address, tls)) = fetch.two_names.take()
        {
            self.certificates.refused(address, &tls);
            fetch.refused_name = Some(tls.server_name);
        }
        self.place_failed(ctx, fault, retry);
        retry != Retry::GiveUp
    }

    /// `fail_to_proxy`: sends what is left to send.
    pub(super) async fn on_failure(
        &self,
        session: &mut Session,
        error: &Error,
        ctx: &mut Ctx,
    ) -> FailToProxy {
        let done = |error_code| FailToProxy {
            error_code,
            can_reuse_downstream: error_code != 0,
        };
        if *error.etype() == ANSWER_READY
            && let Some(Pending::Answer(generated)) = ctx.pending.take()
        {
            return done(self.send_replaced(session, error, ctx, generated).await);
        }
        if *error.etype() == SWITCHED
            && let Some(Pending::Opened(opened)) = ctx.pending.take()
        {
            match self.hand_over(session, ctx, *opened) {
                Ok(()) => return done(0),
                Err(e) => ctx.fault = Some(internal(&e)),
            }
        }
        let fault = ctx.fault.take().unwrap_or_else(|| fault_of(error));
        if ctx.record.error.is_none() {
            ctx.record.error = Some(fault.to_string());
        }
        let head_is_out =
            session.response_written().is_some() || session.has_pending_downstream_tasks();
        if head_is_out || viewer_is_gone(error) {
            // The head is out, or part of it may be: a broken transfer is all that can tell the viewer
            // (CF-222, CF-396).
            ctx.record.served = Some(Served::NodeError(detail_of(error, &fault)));
            return done(0);
        }
        // After a fetch has failed Pingora gives the viewer's connection up, and so does a request whose body
        // was not read: say so, instead of letting the next request run into it.
        let fetched = matches!(ctx.flow, Flow::Fetch(_) | Flow::Store(_) | Flow::Deliver(_));
        let stays =
            session.as_mut().is_body_done() && (!fetched || can_be_taken(session)) && is_whole(ctx);
        if !stays {
            session.set_keepalive(None);
        }
        match self.send_error(session, ctx, &fault).await {
            Ok(_) if fetched && stays => {
                self.take_back(session, error, ctx).await;
                done(0)
            }
            Ok(status) => done(status),
            Err(_) => done(0),
        }
    }

    /// Takes the viewer's connection back from Pingora, which would close it after any fetch that it takes for failed, and
    /// writes the record: what it is left with has no request (CF-783).
    async fn take_back(&self, session: &mut Session, error: &Error, ctx: &mut Ctx) {
        if !can_be_taken(session) {
            return;
        }
        self.record(session, Some(error), ctx);
        ctx.handed_over = true;
        let nothing = HttpSession::new_http1(Box::new(io::Cursor::new(Vec::new())));
        let viewers = std::mem::replace(&mut *session.downstream_session, nothing);
        if let Ok(Some(reusable)) = viewers.finish().await {
            Outlet::land(reusable.into_parts().0);
        }
    }

    /// Sends the answer of an origin-response function that had no body callback to travel in.
    async fn send_replaced(
        &self,
        session: &mut Session,
        error: &Error,
        ctx: &mut Ctx,
        generated: crate::flow::Generated,
    ) -> u16 {
        let status = generated.status;
        let Ok(store) = ctx.flow.take_store() else {
            return 0;
        };
        let outcome = store.outcome();
        ctx.record.outcome = Some(outcome.clone());
        ctx.flow = Flow::Deliver(Box::new(store.deliver()));
        // Pingora takes the fetch for failed, and gives the viewer's connection up.
        let stays = session.as_mut().is_body_done() && can_be_taken(session) && is_whole(ctx);
        if !stays {
            session.set_keepalive(None);
        }
        match self
            .send_generated(session, ctx, generated, Some(&outcome))
            .await
        {
            Ok(()) if stays => {
                self.take_back(session, error, ctx).await;
                0
            }
            Ok(()) => status,
            Err(_) => 0,
        }
    }

    /// `logging`: how a request that Pingora carried has ended.
    pub(super) fn record(&self, session: &Session, error: Option<&Error>, ctx: &mut Ctx) {
        if let Some(calls) = &ctx.page {
            calls.add(&mut ctx.record.hooks);
            let status = session.response_written().map(|r| r.status);
            self.count_verdict(ctx, status.unwrap_or_default());
        }
        if ctx.at_shield {
            // The edge writes the record of its viewer's request.
            let head = session.response_written();
            let word = head.map_or("gone", shielded::word_of);
            self.node().metrics().shielded(word);
            let status = head.map(|head| head.status).unwrap_or_default();
            self.count_verdict(ctx, status);
        }
        if !ctx.serves_viewer() || ctx.handed_over {
            return;
        }
        let status = session.response_written().map_or(0, |r| r.status.as_u16());
        let served = match (&ctx.flow, ctx.record.served) {
            (_, Some(served)) => served,
            (Flow::Deliver(deliver), None) => deliver.served,
            _ => Served::Undecided,
        };
        let served = match error {
            // A transfer that broke after the head counts as an error, whatever it began as (CF-704).
            Some(e)
                if status != 0
                    && e.etype() != &ANSWER_READY
                    && !matches!(served, Served::NodeError(_) | Served::Fault(_)) =>
            {
                Served::NodeError(if viewer_is_gone(e) {
                    VIEWER_GONE
                } else {
                    "AbortedOrigin"
                })
            }
            // Nothing has reached the viewer, which is gone then: no fault of ours leaves it without an answer. A fetch that is
            // for the cache, too, goes on to its end, and there is no error (CF-703, CF-705).
            _ if status == 0 && (error.is_some_and(viewer_is_gone) || !is_our_failure(served)) => {
                Served::NodeError("ClientHungUpRequest")
            }
            // The fetch has ended, but without its viewer (CF-224).
            None if ctx.viewer_left.load(Ordering::Relaxed) => Served::NodeError(VIEWER_GONE),
            _ => served,
        };
        let request = session.req_header();
        let ended = Ended {
            method: &request.method,
            target: request.raw_path(),
            host: request.headers.get(header::HOST),
            peer: self.unadmitted_viewer(session, ctx),
            version: request.version,
            tls: viewer_side::tls(session),
            status,
            served,
            bytes: session.body_bytes_sent() as u64,
            websocket_bytes: None,
            viewer_headers: &request.headers,
            head_received: viewer_side::head_bytes(session),
            body_received: session.as_downstream().body_bytes_read() as u64,
            sent: session.response_written().map_or(Sent::Nothing, Sent::Head),
        };
        self.ended(&ended, ctx);
    }

    /// The viewer of a request that was refused before it had an exchange (CF-354).
    fn unadmitted_viewer(&self, session: &Session, ctx: &Ctx) -> Option<SocketAddr> {
        let peer = session.client_addr().and_then(|a| a.as_inet()).copied()?;
        if ctx.flow.exchange().is_some() {
            return Some(peer);
        }
        let headers = &session.req_header().headers;
        Some(viewer(&self.node().snapshot(), peer, headers))
    }

    /// Counts what the cache had to do with an answer, and says why it was no hit.
    fn count_verdict(&self, ctx: &Ctx, status: StatusCode) -> Option<Reason> {
        let outcome = ctx.record.outcome.as_ref()?;
        let reason = outcome.reason(status);
        let word = reason.as_ref().map_or("hit", Reason::word);
        self.node().count_verdict(word);
        reason
    }

    /// Writes one record, and counts for the behaviour (CF-703, CF-706, CF-720).
    pub(super) fn ended(&self, ended: &Ended<'_>, ctx: &mut Ctx) {
        let exchange = ctx.flow.exchange();
        if let Some(exchange) = exchange {
            if let Some(staged) = &exchange.staged {
                staged.count();
            }
            let began = ctx.record.began.map(|(after, ..)| after);
            exchange.route.metrics().finished(&Finished {
                result: ended.served.result_type(ended.status),
                method: ended.method,
                status: ended.status,
                sent: ended.bytes,
                received: ended.body_received,
                origin_served: began.filter(|_| ended.served == Served::Miss),
            });
        }
        let code = StatusCode::from_u16(ended.status).unwrap_or_default();
        let reason = self.count_verdict(ctx, code);
        let wanted = self.wanted(ctx);
        if wanted == Wanted::Nothing {
            return;
        }
        let distribution = exchange.map(|e| e.route.distribution().clone());
        let (viewer_fields, answer_fields, cached) =
            match wanted {
                Wanted::Fields { cookies } => (
                    Some(ctx.record.seen.take().unwrap_or_else(|| {
                        Box::new(ViewerFields::of(ended.viewer_headers, cookies))
                    })),
                    ended.sent.fields(),
                    Some(Box::new(Cached {
                        tier: ctx.record.tier,
                        key: ctx.record.key,
                        outcome: ctx.record.outcome.take(),
                    })),
                ),
                Wanted::Line | Wanted::Nothing => (None, None, None),
            };
        // One that never got out has not begun.
        let began = ctx.record.began.filter(|_| ended.status != 0);
        let target = ctx.record.original_target.as_deref();
        let (path, query) = split(target.unwrap_or(ended.target));
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        self.node().access().record(AccessRecord {
            time: self.node().clock().now(),
            request_id: exchange.map(|e| e.request_id),
            route: exchange.map(|e| {
                let m = e.route.metrics();
                (m.distribution().to_owned(), m.behavior().to_owned())
            }),
            viewer: exchange.map(|e| e.viewer).or(ended.peer),
            country: exchange.and_then(|e| e.country),
            version: ended.version,
            tls: ended.tls.map(|tls| (tls.protocol, tls.cipher)),
            method: ended.method.to_string(),
            host: ended.host.map_or_else(String::new, |h| text(h.as_bytes())),
            uri: text(path),
            query: query.map_or_else(String::new, text),
            status: ended.status,
            served: ended.served,
            cache_reason: reason.as_ref().map(Reason::word),
            bytes: ended.bytes,
            websocket_bytes: ended.websocket_bytes,
            is_call: exchange.is_some_and(|e| e.route.is_call()),
            duration: ctx.record.started.elapsed(),
            hooks: std::mem::take(&mut ctx.record.hooks),
            origin: ctx.record.origin,
            error: ctx.record.error.take(),
            log_data: std::mem::take(&mut ctx.record.log_data),
            began_as: began.map(|(_, served, status)| (served, status)),
            first_byte: began.map(|(after, ..)| after),
            head_bytes: ended.sent.bytes(),
            received: ended.head_received + ended.body_received,
            location: matches!(wanted, Wanted::Fields { .. })
                .then(|| self.node().snapshot().pop().into()),
            distribution,
            viewer_fields,
            answer_fields,
            cached,
        });
    }

    /// What the logs want of a request.
    pub(super) fn wanted(&self, ctx: &Ctx) -> Wanted {
        let distribution = ctx.flow.exchange().map(|e| e.route.distribution());
        let logging = distribution.and_then(|d| d.logging.as_ref());
        self.node().access().wants(logging)
    }
}

/// How a request has ended, beside what its context knows.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ended<'a> {
    pub(super) method: &'a Method,
    /// Path and query as the viewer sent them, where the context has no other.
    pub(super) target: &'a [u8],
    pub(super) host: Option<&'a HeaderValue>,
    /// Who has connected, or is known to be behind that; the viewer of an exchange is its own.
    pub(super) peer: Option<SocketAddr>,
    pub(super) version: Version,
    /// The connection's handshake, on HTTPS.
    pub(super) tls: Option<&'a Arc<TlsFacts>>,
    /// 0 when no head was sent.
    pub(super) status: u16,
    pub(super) served: Served,
    /// Bytes of the body that were sent.
    pub(super) bytes: u64,
    /// Bytes that the viewer has sent over the WebSocket that the request became.
    pub(super) websocket_bytes: Option<u64>,
    /// The viewer's fields, where the context has no others.
    pub(super) viewer_headers: &'a HeaderMap,
    /// Bytes of the request's head.
    pub(super) head_received: u64,
    /// And of its body, as far as that was read.
    pub(super) body_received: u64,
    /// The head that was sent.
    pub(super) sent: Sent<'a>,
}

/// The head of an answer.
#[derive(Clone, Copy, Debug)]
pub(super) enum Sent<'a> {
    /// None was sent.
    Nothing,
    /// As Pingora has it.
    Head(&'a ResponseHeader),
    /// As it was written: how many bytes, and what is logged of it.
    Written(u64, Option<&'a AnswerFields>),
}

impl Sent<'_> {
    /// How many bytes it has on HTTP/1.1.
    fn bytes(&self) -> u64 {
        match self {
            Self::Nothing => 0,
            Self::Written(bytes, _) => *bytes,
            Self::Head(head) => {
                let fields = head.headers.iter();
                let fields = fields.map(|(name, value)| name.as_str().len() + value.len() + 4);
                let phrase = head.get_reason_phrase().map_or(0, str::len);
                ("HTTP/1.1 200 \r\n\r\n".len() + phrase + fields.sum::<usize>()) as u64
            }
        }
    }

    fn fields(&self) -> Option<Box<AnswerFields>> {
        match self {
            Self::Nothing => None,
            Self::Written(_, fields) => fields.map(|fields| Box::new(fields.clone())),
            Self::Head(head) => Some(Box::new(AnswerFields::of(&head.headers))),
        }
    }
}

/// CF-705: the viewer left before it had all of the answer.
pub(super) const VIEWER_GONE: &str = "ClientCommError";

/// Whether an answer says that something has failed, other than its way to the viewer.
fn is_our_failure(served: Served) -> bool {
    match served {
        Served::NodeError(detail) => detail != VIEWER_GONE,
        Served::Fault(_) => true,
        _ => false,
    }
}

/// The fault behind an error that no filter of ours made.
fn fault_of(error: &Error) -> Fault {
    match error.esource() {
        ErrorSource::Upstream => origin_fault(error, false).into(),
        ErrorSource::Downstream => ViewerFault::Target.into(),
        ErrorSource::Internal | ErrorSource::Unset => internal(error),
    }
}

fn detail_of(error: &Error, fault: &Fault) -> &'static str {
    if viewer_is_gone(error) {
        return VIEWER_GONE;
    }
    match fault {
        Fault::Origin(_) | Fault::Unvalidated(_) => "AbortedOrigin",
        Fault::Viewer(v) => v.detail(),
        Fault::Hook { .. } | Fault::HookAtShield { .. } | Fault::Node(_) => "InternalError",
    }
}

/// Nothing can be sent any more.
fn viewer_is_gone(error: &Error) -> bool {
    *error.esource() == ErrorSource::Downstream
        && matches!(
            error.etype(),
            ErrorType::WriteError
                | ErrorType::WriteTimedout
                | ErrorType::ReadError
                | ErrorType::ReadTimedout
                | ErrorType::ConnectionClosed
                | ErrorType::H1Error
                | ErrorType::H2Error
        )
}

/// Pingora's error types as ours (CF-772, CF-774).
pub(super) fn origin_fault(error: &Error, connecting: bool) -> OriginFault {
    let cause = || {
        let text = error.root_cause().to_string();
        if text.is_empty() {
            error.etype().as_str().to_owned()
        } else {
            text
        }
    };
    match error.etype() {
        ErrorType::ConnectTimedout | ErrorType::TLSHandshakeTimedout => OriginFault::ConnectTimeout,
        ErrorType::TLSHandshakeFailure | ErrorType::InvalidCert | ErrorType::HandshakeError => {
            let cause = tls_cause(error);
            if cause.contains(WRONG_NAME) {
                OriginFault::CertificateName { cause }
            } else {
                OriginFault::Tls { cause }
            }
        }
        ErrorType::ReadTimedout => OriginFault::ReadTimeout,
        ErrorType::WriteError | ErrorType::WriteTimedout if !connecting => {
            OriginFault::Write { cause: cause() }
        }
        ErrorType::InvalidHTTPHeader | ErrorType::H1Error | ErrorType::InvalidH2 => {
            OriginFault::InvalidResponse { cause: cause() }
        }
        ErrorType::ConnectionClosed | ErrorType::ReadError if !connecting => OriginFault::Closed,
        _ => OriginFault::Connect { cause: cause() },
    }
}

/// How rustls says that a certificate is good but for its name. Pingora passes its errors on as text.
const WRONG_NAME: &str = "certificate not valid for name";

/// The TLS library's own words, without the layers around them.
fn tls_cause(error: &Error) -> String {
    let text = error.to_string();
    let inner = match text.split_once("tls connect error cause: ") {
        Some((_, inner)) => inner,
        None => text.trim_start(),
    };
    inner
        .split_once(" cause: local address")
        .map_or(inner, |(inner, _)| inner)
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn upstream(etype: ErrorType) -> Box<Error> {
        Error::new_up(etype)
    }

    #[test]
    fn errors_map_to_the_status_of_their_cause() {
        // CF-772, CF-774
        let rows = [
            (ErrorType::ConnectRefused, true, 502, "OriginConnectError"),
            (ErrorType::ConnectTimedout, true, 504, "OriginCommError"),
            (ErrorType::InvalidCert, true, 502, "OriginConnectError"),
            (ErrorType::ReadTimedout, false, 504, "OriginCommError"),
            (ErrorType::ConnectionClosed, false, 502, "OriginReadError"),
            (
                ErrorType::InvalidHTTPHeader,
                false,
                502,
                "OriginInvalidResponseError",
            ),
        ];
        for (etype, connecting, status, detail) in rows {
            let name = etype.as_str().to_owned();
            let fault = origin_fault(&upstream(etype), connecting);
            assert_eq!((fault.status(), fault.detail()), (status, detail), "{name}");
        }
    }

    #[test]
    fn a_certificate_for_another_name_is_told_from_a_bad_one() {
        // CF-423: the words are the TLS library's, proven by the scenarios with a real one
        let failed = |words: &str| {
            let inner = Error::because(ErrorType::TLSHandshakeFailure, "tls connect error", words);
            let context = format!("TLS connect() failed: {inner}, SNI: a.test");
            let address = "local address 127.0.0.1:1";
            let error = Error::because(ErrorType::TLSHandshakeFailure, context, address);
            origin_fault(&error, true)
        };
        let cause =
            "invalid peer certificate: certificate not valid for name \"a.test\", SNI: a.test";
        assert_eq!(
            failed("invalid peer certificate: certificate not valid for name \"a.test\""),
            OriginFault::CertificateName {
                cause: cause.to_owned()
            }
        );
        assert_eq!(
            failed("invalid peer certificate: UnknownIssuer"),
            OriginFault::Tls {
                cause: "invalid peer certificate: UnknownIssuer, SNI: a.test".to_owned()
            }
        );
    }

    #[test]
    fn a_viewer_that_left_is_not_an_origin_error() {
        // CF-705
        let gone = Error::new_down(ErrorType::WriteError);
        assert!(viewer_is_gone(&gone));
        assert!(!viewer_is_gone(&upstream(ErrorType::WriteError)));
    }
}
