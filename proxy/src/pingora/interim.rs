//! Interim answers of an origin, such as 103 (RFC 9110 section 15.2, RFC 8297).
//!
//! Pingora passes them on by itself, unless the final answer arrives with them and is stored: then the viewer is served
//! from the cache, and what came before is lost. Mode `rfc9111` passes on each as it comes; mode `cloudfront` leaves
//! them to chance, since CloudFront promises nothing about them.
//!
//! 100 is between the node and the origin: viewers get one of the node's own (CF-372), and of an origin one is taken
//! (CF-373).

use std::mem;

use fourfront_model::CacheMode;
use fourfront_origin::OriginFault;
use http::{StatusCode, Version};
use pingora::{Result, http::ResponseHeader, proxy::Session};

use super::{context::Ctx, viewer_side};
use crate::flow::Flow;

/// Whether an origin says 100 for the second time in one try (CF-373).
pub(super) fn is_one_too_many(ctx: &mut Ctx, status: StatusCode) -> bool {
    match &mut ctx.flow {
        Flow::Fetch(fetch) if status == StatusCode::CONTINUE => {
            mem::replace(&mut fetch.continued, true)
        }
        _ => false,
    }
}

/// What is wrong then.
pub(super) fn second_continue() -> OriginFault {
    OriginFault::InvalidResponse {
        cause: "a second 100 (Continue)".to_owned(),
    }
}

/// Passes an interim answer on to a viewer that understands it.
pub(super) async fn relay(session: &mut Session, ctx: &Ctx, head: &ResponseHeader) -> Result<()> {
    let mode = ctx
        .flow
        .exchange()
        .map(|e| e.route.distribution().cache_mode);
    let own = matches!(
        head.status,
        // What these two change, Pingora has to know of.
        StatusCode::CONTINUE | StatusCode::SWITCHING_PROTOCOLS
    );
    let understands = session.req_header().version >= Version::HTTP_11;
    if mode != Some(CacheMode::Rfc9111) || own || !understands || !ctx.is_waited_for() {
        return Ok(());
    }
    pass(session, true);
    let viewer = session.as_downstream_mut();
    let sent = viewer.write_response_header(Box::new(head.clone())).await;
    // Pingora comes with the same one afterwards.
    pass(session, false);
    sent.map_err(pingora::Error::into_down)
}

/// Whether interim answers go to the viewer.
fn pass(session: &mut Session, passes: bool) {
    match viewer_side::shared(session) {
        Some(stream) => stream.pass_interim(passes),
        None => session.as_downstream_mut().set_ignore_info_resp(!passes),
    }
}
