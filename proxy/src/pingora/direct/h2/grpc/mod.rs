//! gRPC calls (CF section 4.9): a stream of a viewer's and one of an origin's that are carried as one, both ways at once, with
//! what follows their bodies.
//!
//! A call is judged like any request: where it belongs, methods, countries, signatures, limits. A CloudFront Function sees its
//! head, and the head of its answer. What it has nothing to do with is the cache, pages for errors, second origins of groups
//! and Lambda@Edge (LE-012, LE-048); its body is nobody's but the origin's.
//!
//! - [`start`]: up to the request that goes to the origin, over connections that many calls share
//!   ([`H2Origins`](crate::pingora::h2_origins::H2Origins)).
//! - [`relay`]: each way by itself, at the speed of whoever takes.
//! - Here: what becomes of a call. Before its answer has begun, a failure of the node or of the way to the origin has the
//!   status it always has, which gRPC has a meaning for, too. A reset by either side is one for the other side, with the same code;
//!   so is what the origin says not to have touched, which viewers may send again (RFC 9113 section 8.7).
//!
//! Either side may be silent for long. A call ends when nothing has moved in either direction for as long as the origin's
//! read timeout (CF-392), or when it takes longer than it may (CF-394). One is logged when it ends, as `Miss` where it was
//! answered (CF-704).

mod answer;
mod relay;
mod start;

use std::{
    future::{Future as _, poll_fn},
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use fourfront_origin::OriginFault;
use h2::{Reason, RecvStream, client::ResponseFuture, server::SendResponse};
use http::{HeaderValue, Response, header};
use pingora::http::ResponseHeader;
use tokio::time::{Sleep, sleep_until};

use super::{Head, Peer};
use crate::{
    flow::{Fault, Route, Served, ViewerFault, grpc::has_call_type, hook::RequestParts},
    node::Snapshot,
    pingora::{
        Edge,
        context::Ctx,
        direct::{connection::SEND_TIMEOUT, request::ViewerHead},
        h2_origins::{Place, Sent as SentCall},
        record::{Ended, Sent},
        viewer_side::{split, usable_host},
    },
};
use relay::{Broken, Quiet, Way};

/// Detail of CF-705 for a call whose viewer left before it was answered.
const VIEWER_LEFT: &str = "ClientHungUpRequest";

/// Whether a request is a call (CF-410): its host if so, and the configuration it begins with.
pub(super) fn host_of_call(head: &Head, peer: &Peer) -> Option<(HeaderValue, Arc<Snapshot>)> {
    // Most requests are told apart by this.
    if !has_call_type(&head.headers) || peer.tls.is_none() {
        return None;
    }
    let host = head.headers.get(header::HOST)?;
    let (path, _) = split(&head.target);
    let name = usable_host(host.to_str().ok()?)?;
    let snapshot = peer.node.snapshot();
    let route = Route::find(&snapshot, name, &String::from_utf8_lossy(path))?;
    let is_call = route.behavior().grpc;
    is_call.then(|| (host.clone(), snapshot))
}

/// A call. Its record is written when it is dropped, whatever has become of it.
pub(super) struct Call<'e> {
    edge: &'e Edge,
    peer: Arc<Peer>,
    head: ViewerHead,
    /// Whether bytes of a body have come with a GET or HEAD (CF-368).
    has_body_on_get: bool,
    ctx: Ctx,
    respond: SendResponse<Bytes>,
    /// What the viewer function made of the request, or the request as it came.
    request: Option<RequestParts>,
    /// The head of the answer, once it was sent.
    answered: Option<Box<ResponseHeader>>,
    /// Bytes of messages from the viewer, and those that it has taken.
    from_viewer: u64,
    to_viewer: u64,
    /// Whether the record is another's to write, or is written.
    is_told: bool,
}

/// How a call has ended before its time.
#[derive(Debug)]
enum End {
    /// Its viewer has reset it, by this reason, or has gone.
    Viewer(Option<Reason>),
    /// Its viewer takes nothing.
    Slow,
    /// The origin has reset it, by this reason, or has refused to look at it.
    Reset(Reason),
    /// Something else.
    Fault(Fault),
}

impl From<OriginFault> for End {
    fn from(fault: OriginFault) -> Self {
        Self::Fault(fault.into())
    }
}

impl End {
    /// What an error of the origin's stream comes to; `answered`: its answer has begun.
    fn of_origin(error: &h2::Error, answered: bool) -> Self {
        match error.reason() {
            Some(reason) if error.is_reset() && error.is_remote() => Self::Reset(reason),
            // It said goodbye before it had looked at it (RFC 9113 section 6.8).
            Some(_) if error.is_go_away() && error.is_remote() && !answered => {
                Self::Reset(Reason::REFUSED_STREAM)
            }
            _ if answered => OriginFault::BodyAborted.into(),
            Some(_) => {
                let cause = error.to_string();
                OriginFault::InvalidResponse { cause }.into()
            }
            None => OriginFault::Closed.into(),
        }
    }

    /// What an error of the viewer's stream comes to.
    fn of_viewer(error: &h2::Error) -> Self {
        let is_reset = error.is_reset() && error.is_remote();
        Self::Viewer(error.reason().filter(|_| is_reset))
    }

    /// By what reason the viewer's stream is reset once its answer has begun.
    fn to_viewer(&self) -> Reason {
        match self {
            Self::Reset(reason) => *reason,
            Self::Viewer(_) | Self::Slow => Reason::CANCEL,
            Self::Fault(_) => Reason::INTERNAL_ERROR,
        }
    }

    /// And the origin's.
    fn to_origin(&self) -> Reason {
        match self {
            Self::Viewer(Some(reason)) => *reason,
            _ => Reason::CANCEL,
        }
    }
}

/// What a call may take.
struct Clock {
    quiet: Quiet,
    /// Without that anything moves (CF-392).
    idle: Duration,
    /// In all (CF-394).
    over: Option<Pin<Box<Sleep>>>,
}

impl Clock {
    fn new(idle: Duration, deadline: Option<std::time::Instant>) -> Self {
        Self {
            quiet: Quiet::new(idle),
            idle,
            over: deadline.map(|at| Box::pin(sleep_until(at.into()))),
        }
    }

    /// Ready when it takes too long. `viewer_waited_for`: it is the viewer who does not take what there is.
    fn poll(&mut self, cx: &mut Context<'_>, moved: u64, viewer_waited_for: bool) -> Poll<End> {
        if let Some(over) = &mut self.over
            && over.as_mut().poll(cx).is_ready()
        {
            return Poll::Ready(OriginFault::CompletionTimeout.into());
        }
        let limit = match viewer_waited_for {
            true => SEND_TIMEOUT,
            false => self.idle,
        };
        self.quiet
            .poll(cx, moved, limit)
            .map(|()| match viewer_waited_for {
                true => End::Slow,
                false => OriginFault::ReadTimeout.into(),
            })
    }
}

impl<'e> Call<'e> {
    /// A call that has just come.
    pub(super) fn new(
        edge: &'e Edge,
        peer: Arc<Peer>,
        head: ViewerHead,
        has_body_on_get: bool,
        respond: SendResponse<Bytes>,
    ) -> Self {
        let ctx = Ctx::new(edge.node().in_flight().enter());
        Self {
            edge,
            peer,
            head,
            has_body_on_get,
            ctx,
            respond,
            request: None,
            answered: None,
            from_viewer: 0,
            to_viewer: 0,
            is_told: false,
        }
    }

    /// Carries it to its end.
    pub(super) async fn carry(mut self, snapshot: &Arc<Snapshot>, body: RecvStream) {
        let ends = body.is_end_stream();
        let Some(sent) = self.start(snapshot, ends).await else {
            return;
        };
        let SentCall {
            response,
            body: to_origin,
            place,
            ..
        } = sent;
        let limit = snapshot.settings().limits.max_body_bytes;
        let mut up = Way::new(body, to_origin, limit);
        let carried = self.exchange(response, &mut up, limit).await;
        self.from_viewer = up.came();
        if let Err(end) = carried {
            let is_silent = matches!(&end, End::Fault(Fault::Origin(OriginFault::ReadTimeout)));
            if is_silent && self.answered.is_none() {
                place.distrust();
            }
            up.reset(end.to_origin());
            self.ended(end).await;
        }
        drop::<Place>(place);
    }

    /// Passes the request on, and the answer back.
    async fn exchange(
        &mut self,
        response: ResponseFuture,
        up: &mut Way,
        limit: u64,
    ) -> Result<(), End> {
        let mut clock = Clock::new(self.read_timeout(), self.ctx.deadline);
        let answer = self.answer(response, up, &mut clock, limit).await?;
        let (parts, body) = answer.into_parts();
        let ends = body.is_end_stream();
        let head = self.head_of(parts, ends).await?;
        let Some(to_viewer) = self.send_head(head, ends)? else {
            return Ok(());
        };
        let mut down = Way::new(body, to_viewer, u64::MAX);
        let tally = self.peer.tally.clone();
        // Right at every moment: a node that stops may cut the call off.
        let (from_viewer, to_viewer) = (&mut self.from_viewer, &mut self.to_viewer);
        let carried = poll_fn(|cx| {
            let ended = poll_up(up, cx, limit);
            *from_viewer = up.came();
            if let Poll::Ready(ended) = ended {
                return Poll::Ready(Err(ended));
            }
            let went = down.poll(cx);
            tally.has_sent(down.went() - *to_viewer);
            *to_viewer = down.went();
            match went {
                Poll::Ready(Ok(())) => return Poll::Ready(Ok(())),
                Poll::Ready(Err(Broken::From(e))) => {
                    return Poll::Ready(Err(End::of_origin(&e, true)));
                }
                Poll::Ready(Err(Broken::To(reason))) => {
                    return Poll::Ready(Err(End::Viewer(reason)));
                }
                // Nobody has set a limit.
                Poll::Ready(Err(Broken::TooLong)) | Poll::Pending => {}
            }
            let moved = up.went() + down.came() + down.went();
            clock.poll(cx, moved, down.waits()).map(Err)
        });
        let carried = carried.await;
        if let Err(end) = &carried {
            down.reset(end.to_viewer());
        }
        carried
    }

    /// Waits for the head of the answer. The request goes on meanwhile.
    async fn answer(
        &mut self,
        response: ResponseFuture,
        up: &mut Way,
        clock: &mut Clock,
        limit: u64,
    ) -> Result<Response<RecvStream>, End> {
        let mut response = pin!(response);
        let respond = &mut self.respond;
        poll_fn(|cx| {
            if let Poll::Ready(reset) = respond.poll_reset(cx) {
                return Poll::Ready(Err(End::Viewer(reset.ok())));
            }
            if let Poll::Ready(ended) = poll_up(up, cx, limit) {
                return Poll::Ready(Err(ended));
            }
            if let Poll::Ready(answer) = response.as_mut().poll(cx) {
                return Poll::Ready(answer.map_err(|e| End::of_origin(&e, false)));
            }
            clock.poll(cx, up.went(), false).map(Err)
        })
        .await
    }

    fn read_timeout(&self) -> Duration {
        let origin = self.ctx.origin.as_ref();
        origin.map_or(SEND_TIMEOUT, |origin| origin.read_timeout)
    }

    /// Does what is left to be done for a call that has ended before its time.
    async fn ended(&mut self, end: End) {
        if let End::Fault(Fault::Origin(fault)) = &end {
            self.edge.tell_failure(&self.ctx, fault);
        }
        if self.answered.is_some() {
            let why = match &end {
                End::Viewer(Some(reason)) => format!("the viewer has reset the call: {reason}"),
                End::Viewer(None) => "the viewer has gone".to_owned(),
                End::Slow => format!("the viewer has taken nothing for {SEND_TIMEOUT:?}"),
                End::Reset(reason) => format!("the origin has reset the call: {reason}"),
                End::Fault(fault) => fault.to_string(),
            };
            self.ctx.record.error.get_or_insert(why);
            return;
        }
        match end {
            End::Viewer(_) | End::Slow => self.viewer_left(),
            End::Reset(reason) => {
                self.respond.send_reset(reason);
                let fault = OriginFault::Closed;
                self.edge.tell_failure(&self.ctx, &fault);
                self.ctx.record.served = Some(Served::NodeError(fault.detail()));
                let why = format!("the origin has reset the call: {reason}");
                self.ctx.record.error.get_or_insert(why);
            }
            End::Fault(fault) => self.fail(&fault).await,
        }
    }

    /// The viewer has left before it was answered. Only that counts against it: calls that stream are often ended by
    /// whoever has seen enough.
    fn viewer_left(&mut self) {
        self.peer.tally.was_reset();
        self.ctx.record.served = Some(Served::NodeError(VIEWER_LEFT));
    }
}

/// Passes on what the viewer sends; ready when that ends the call. An origin that takes no more of it may have
/// answered already, so what becomes of the call is seen by its answer.
fn poll_up(up: &mut Way, cx: &mut Context<'_>, limit: u64) -> Poll<End> {
    if up.is_over() {
        return Poll::Pending;
    }
    match up.poll(cx) {
        Poll::Pending | Poll::Ready(Ok(())) => Poll::Pending,
        Poll::Ready(Err(Broken::From(e))) => Poll::Ready(End::of_viewer(&e)),
        Poll::Ready(Err(Broken::To(_))) => {
            up.stop();
            Poll::Pending
        }
        Poll::Ready(Err(Broken::TooLong)) => {
            Poll::Ready(End::Fault(ViewerFault::BodySize { limit }.into()))
        }
    }
}

impl Drop for Call<'_> {
    fn drop(&mut self) {
        if self.is_told {
            return;
        }
        let (status, sent) = match &self.answered {
            Some(head) => (head.status.as_u16(), Sent::Head(head)),
            None => (0, Sent::Nothing),
        };
        // CF-704: what has been answered stays a miss, however it goes on.
        let served = match (&self.answered, self.ctx.record.served) {
            (Some(_), _) => Served::Miss,
            (None, Some(served)) => served,
            (None, None) => Served::NodeError(VIEWER_LEFT),
        };
        let ended = Ended {
            method: &self.head.method,
            target: &self.head.target,
            host: Some(&self.head.host),
            peer: Some(self.peer.viewer),
            version: self.head.version,
            tls: self.peer.tls.as_ref(),
            status,
            served,
            bytes: self.to_viewer,
            websocket_bytes: None,
            viewer_headers: &self.head.headers,
            head_received: self.head.bytes,
            body_received: self.from_viewer,
            sent,
        };
        self.edge.ended(&ended, &mut self.ctx);
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;

    async fn ended(clock: &mut Clock, moved: u64, viewer_waited_for: bool) -> End {
        poll_fn(|cx| clock.poll(cx, moved, viewer_waited_for)).await
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_keeps_a_call_waiting_ends_it() {
        // CF-392, CF-394
        let second = Duration::from_secs(1);
        let fault = |end| match end {
            End::Fault(Fault::Origin(fault)) => fault,
            other => panic!("{other:?}"),
        };
        let began = Instant::now();
        let mut clock = Clock::new(30 * second, None);
        assert_eq!(
            fault(ended(&mut clock, 0, false).await),
            OriginFault::ReadTimeout
        );
        assert_eq!(began.elapsed(), 30 * second);

        // A viewer has as long as for any answer, whatever the origin has.
        let began = Instant::now();
        let mut clock = Clock::new(second, None);
        assert!(matches!(ended(&mut clock, 0, true).await, End::Slow));
        assert_eq!(began.elapsed(), SEND_TIMEOUT);

        let began = Instant::now();
        let over = (began + 5 * second).into_std();
        let mut clock = Clock::new(30 * second, Some(over));
        let end = fault(ended(&mut clock, 0, false).await);
        assert_eq!(
            (end, began.elapsed()),
            (OriginFault::CompletionTimeout, 5 * second)
        );
    }

    #[test]
    fn resets_are_passed_on_and_other_ends_have_their_own() {
        // CF-410, RFC 9113 sections 7 and 8.7
        let rows = [
            (
                End::Viewer(Some(Reason::NO_ERROR)),
                Reason::CANCEL,
                Reason::NO_ERROR,
            ),
            (End::Viewer(None), Reason::CANCEL, Reason::CANCEL),
            (End::Slow, Reason::CANCEL, Reason::CANCEL),
            (
                End::Reset(Reason::REFUSED_STREAM),
                Reason::REFUSED_STREAM,
                Reason::CANCEL,
            ),
            (
                OriginFault::ReadTimeout.into(),
                Reason::INTERNAL_ERROR,
                Reason::CANCEL,
            ),
        ];
        for (end, to_viewer, to_origin) in rows {
            assert_eq!(
                (end.to_viewer(), end.to_origin()),
                (to_viewer, to_origin),
                "{end:?}"
            );
        }
    }
}
