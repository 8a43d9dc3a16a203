//! Fetches whose viewer leaves (CF-224).
//!
//! Pingora goes on filling the cache when the viewer it fills it for has gone, as nginx and Varnish do. A CDN pays for every byte
//! that it fetches, and viewers leave long bodies all the time: players seek, downloads are broken off. So such a fetch is
//! broken off with the next bytes that arrive, unless somebody follows it (CF-405) or the distribution says that it is worth
//! ending ([`FinishFetch`]). Those who follow may leave, too; so it is asked with each piece.
//!
//! What is fetched in slices is not asked about: a slice is short, and the next one is fetched when somebody reads it.
//!
//! [`FinishFetch`]: fourfront_model::FinishFetch

use std::sync::atomic::Ordering;

use http::{Method, StatusCode};
use pingora::{Error, ErrorType, http::ResponseHeader, proxy::Session};

use super::{Edge, context::Ctx, store::length};

impl Edge {
    /// Notes that the viewer of a fetch for the cache has gone. One who has all of the answer may go.
    pub(super) fn viewer_left(session: &Session, ctx: &Ctx) {
        let written = session.response_written();
        let has_no_body = |head: &ResponseHeader| {
            let status = head.status;
            status == StatusCode::NOT_MODIFIED || status == StatusCode::NO_CONTENT
        };
        if session.req_header().method == Method::HEAD || written.is_some_and(has_no_body) {
            return;
        }
        let length = written.and_then(length);
        if length.is_none_or(|length| (session.body_bytes_sent() as u64) < length) {
            ctx.viewer_left.store(true, Ordering::Relaxed);
        }
    }

    /// The error that ends a fetch which nobody waits for, if this is one.
    pub(super) fn abandoned(&self, session: &mut Session, ctx: &Ctx) -> Option<Box<Error>> {
        if !ctx.viewer_left.load(Ordering::Relaxed) {
            return None;
        }
        let distribution = ctx.flow.exchange()?.route.distribution();
        let key = session.cache.cache_key().clone();
        let reader = session.cache.miss_body_reader()?;
        self.node()
            .cache()
            .give_up(&key, reader, distribution.finish_fetch)
            .then(|| Error::new_down(ErrorType::ConnectionClosed))
    }
}
