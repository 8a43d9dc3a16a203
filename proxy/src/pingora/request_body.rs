//! The viewer's request body: read for functions that are shown it, relayed to the origin.
//!
//! Pingora reads the body while it talks to the origin. Of what it reads it keeps a copy of up to 64 KiB and
//! repeats that at the start of every try; without a copy it waits for the next piece. Two things follow for what
//! was read earlier, for a function:
//!
//! - What Pingora does not repeat goes out of [`RequestBody`], in front of the first piece.
//! - There has to be a first piece. Where the body was read to its end and Pingora has no copy of that end, it
//!   is told that the request has no body ([`forget_body`]): it then asks for the end of the body, and thereby
//!   for ours, in every try.
//!
//! Where the length is known, copying begins in time to have the end. So the second case is left to chunked
//! bodies of more than 64 KiB that a trigger is shown as a whole.

use bytes::{Bytes, BytesMut};
use fourfront_hooks::event::BodyView;
use fourfront_model::EventType;
use http::header;
use pingora::{Result, protocols::http::ServerSession as HttpSession, proxy::Session};

use super::{context::Ctx, deliver::ctx_internal, direct::Shared, viewer_side};
use crate::flow::{Exchange, RequestBody, ViewerFault};

/// How much of a body Pingora copies for another try.
const COPY_LIMIT: usize = 64 * 1024;

/// Reads as much of the viewer's body as the function at `event` is shown (LE-120, LE-123). Where there is no
/// function, or one that is not shown the body, nothing is read (LE-246).
///
/// # Errors
/// When the viewer breaks off, or sends more than the node takes (CF-362).
pub(super) async fn read(
    session: &mut Session,
    ctx: &mut Ctx,
    exchange: &Exchange,
    event: EventType,
) -> Result<()> {
    if !exchange.route.includes_body(event) {
        return Ok(());
    }
    if ctx.background {
        // A refresh is made without the body of the request that started it.
        ctx.body.end();
    }
    let shown = exchange.route.body_limits().at(event);
    if !ctx.body.wants_more(shown) {
        return Ok(());
    }
    let limit = size_limit(exchange);
    while ctx.body.wants_more(shown) {
        if session.is_body_done() {
            ctx.body.end();
            break;
        }
        invite(session, ctx).await?;
        let end_is_near = announced(session)
            .is_none_or(|length| length.saturating_sub(ctx.body.read_bytes()) <= COPY_LIMIT);
        if end_is_near {
            session.enable_retry_buffering();
            ctx.body.copy_from_here();
        }
        let piece = session.read_request_body().await;
        match piece.map_err(pingora::Error::into_down)? {
            Some(piece) => ctx.body.push(&piece),
            None => ctx.body.end(),
        }
        check_size(session, ctx, Some(limit))?;
    }
    let repeats = ctx.body.settle(!session.retry_buffer_truncated());
    if !repeats && session.is_body_done() && !session.is_body_empty() {
        forget_body(session).await?;
        ctx.body.settle(false);
    }
    Ok(())
}

/// What the function at `event` is shown of the body: `None` when it is not shown any (LE-120).
pub(super) fn shown<'a>(
    body: &'a RequestBody,
    exchange: &Exchange,
    event: EventType,
) -> Option<BodyView<'a>> {
    exchange
        .route
        .includes_body(event)
        .then(|| body.shown(exchange.route.body_limits().at(event)))
}

/// Tells a viewer that waits for leave to send its body to go on, once (CF-372).
pub(super) async fn invite(session: &mut Session, ctx: &mut Ctx) -> Result<()> {
    if !ctx.invited && session.req_header().headers.contains_key(header::EXPECT) {
        ctx.invited = true;
        session.write_continue_response().await?;
    }
    Ok(())
}

/// `request_body_filter`: counts the body against its limit, and sends what was read for functions or put in the
/// body's place (LE-240).
pub(super) fn relay(
    session: &Session,
    ctx: &mut Ctx,
    piece: &mut Option<Bytes>,
    end: bool,
) -> Result<()> {
    let limit = ctx.flow.exchange().map(size_limit);
    check_size(session, ctx, limit)?;
    *piece = ctx.body.relay(piece.take(), end);
    Ok(())
}

/// Whether another try would send the body as the failed one did.
pub(super) fn can_be_repeated(session: &mut Session, body: &RequestBody) -> bool {
    let copy_is_whole = !session.retry_buffer_truncated();
    // Pingora begins a try with its copy, the end of an empty body or the next piece. A try that gets none of them
    // would wait for ever.
    let begins =
        !session.is_body_done() || session.is_body_empty() || session.get_retry_buffer().is_some();
    begins && body.can_be_repeated(session.body_bytes_read(), copy_is_whole)
}

/// Whether the body goes out in chunks, as it came, without Pingora knowing that there is one (CF-370).
pub(super) fn is_chunked_unseen(session: &mut Session, body: &RequestBody) -> bool {
    let headers = &session.req_header().headers;
    // A stream of HTTP/2 says neither where its body ends nor how it comes.
    let is_unbounded = headers.contains_key(header::TRANSFER_ENCODING)
        || (!headers.contains_key(header::CONTENT_LENGTH)
            && viewer_side::shared(session).is_some_and(Shared::is_body_forgotten));
    body.replacement().is_none() && is_unbounded && session.is_body_empty()
}

fn size_limit(exchange: &Exchange) -> u64 {
    exchange.route.snapshot().settings().limits.max_body_bytes
}

/// CF-362: what has come of the body so far, in whatever way it was read.
fn check_size(session: &Session, ctx: &mut Ctx, limit: Option<u64>) -> Result<()> {
    match limit {
        Some(limit) if session.body_bytes_read() as u64 > limit => {
            Err(ctx.fail(ViewerFault::BodySize { limit }))
        }
        _ => Ok(()),
    }
}

/// `Content-Length`, which says where the body ends unless it comes in chunks.
fn announced(session: &Session) -> Option<usize> {
    let headers = &session.req_header().headers;
    if headers.contains_key(header::TRANSFER_ENCODING) {
        return None;
    }
    let length = headers.get(header::CONTENT_LENGTH)?;
    length.to_str().ok()?.trim().parse().ok()
}

/// Tells Pingora that the request has no body, after the body was read to its end.
///
/// It takes that from a request head only, so it is given one to read, and the request keeps the head it has.
/// Bytes that came after the body are lost with what Pingora knew of it: the connection ends after this answer,
/// as it does anyway for viewers that send the next request too early. A stream of HTTP/2 is simply told.
async fn forget_body(session: &mut Session) -> Result<()> {
    if let Some(stream) = viewer_side::shared(session) {
        stream.forget_body();
        return Ok(());
    }
    let HttpSession::H1(session) = session.as_downstream_mut() else {
        return Err(ctx_internal(
            &"a body of this protocol cannot be put back once it was read",
        ));
    };
    let head = session.req_header().clone();
    session.set_pipelined_prefix(BytesMut::from(&b"POST / HTTP/1.1\r\nHost: _\r\n\r\n"[..]));
    session.read_request().await?;
    // Asked while that head is in place: this is when Pingora decides whether there is a body.
    let forgotten = session.is_body_empty();
    *session.req_header_mut() = head;
    session.set_server_keepalive(None);
    if forgotten {
        Ok(())
    } else {
        Err(ctx_internal(&"a body that was read is still expected"))
    }
}
