//! Origin groups: the secondary is asked when the primary fails (CF section 5.4).
//!
//! A fetch begins at the primary, whatever happened before (CF-443). When that fails as the group's criteria say, the fetch is marked,
//! and the error that ends it makes Pingora ask for another peer. There the request is made anew for the secondary,
//! with a call of its own of the behaviour's origin-request function (LE-042, LE-096, LE-384): all before it is the same, so
//! key, lock and what is stored are untouched, and what the secondary says is the answer (CF-448). A stale object
//! stands in only when the secondary has failed too (CF-449).

use fourfront_hooks::validate::ResponseResult;
use fourfront_origin::failover::{Failed, applies};
use pingora::{Error, Result, proxy::Session};

use super::{
    ANSWER_READY, Edge,
    context::{Ctx, Pending},
    deliver::ctx_internal,
    record::viewer_has_bytes,
    request_body,
};
use crate::flow::{Fetch, Flow, Generated, OriginRequest};

/// What the origin-request function, if any, made of a request.
pub(super) enum Decided {
    /// It goes on its way: the flow is at [`Flow::Fetch`].
    Sent,
    /// It is answered.
    Answered(Box<OriginRequest>, ResponseResult),
}

impl Edge {
    /// Whether the secondary is asked after this failure of the primary. If so, the fetch is marked, and to be ended by an error that
    /// is tried again.
    pub(super) fn fails_over(
        &self,
        session: &mut Session,
        ctx: &mut Ctx,
        failed: Failed<'_>,
    ) -> bool {
        let viewer_has_bytes = viewer_has_bytes(session);
        if viewer_has_bytes || !request_body::can_be_repeated(session, &ctx.body) {
            return false;
        }
        let Flow::Fetch(fetch) = &mut ctx.flow else {
            return false;
        };
        // At a shield the edge turns to the other member, whose shield may be another one.
        if !fetch.is_primary() || fetch.exchange.route.is_at_shield() {
            return false;
        }
        let route = &fetch.exchange.route;
        let Some(failover) = applies(route.behavior(), &fetch.request.method, failed) else {
            return false;
        };
        let distribution = &route.distribution().id;
        let metrics = self.node().metrics();
        let cause = match failed {
            Failed::Status(status) => status.to_string(),
            Failed::Fault(fault) => {
                let origin = &fetch.origin.id;
                let now = self.node().clock().now();
                metrics.origin_fault(distribution, origin, fault.detail(), now, fault.to_string());
                fault.detail().to_owned()
            }
        };
        metrics.failover(distribution, &failover.group);
        tracing::info!(
            request_id = fetch.exchange.request_id.as_str(),
            distribution,
            group = failover.group,
            origin = fetch.origin.id,
            cause,
            "the secondary is asked"
        );
        fetch.failed_over = true;
        true
    }

    /// Has a marked fetch go to the secondary.
    ///
    /// # Errors
    /// That of its origin-request function, or [`ANSWER_READY`] when that has answered.
    pub(super) async fn turn_to_secondary(
        &self,
        session: &mut Session,
        ctx: &mut Ctx,
    ) -> Result<()> {
        let fetch = ctx.flow.take_fetch().map_err(|e| ctx_internal(&e))?;
        // The budget is each origin's own, and so is the body.
        ctx.deadline = None;
        ctx.lease = None;
        // What was decided was decided for the primary.
        ctx.decided = None;
        ctx.body.again();
        let state = self.for_secondary(session, fetch)?;
        self.ask_late(session, ctx, state).await
    }

    /// Makes another request of a fetch, with a call of its own of the origin-request function.
    ///
    /// # Errors
    /// That of the function, or [`ANSWER_READY`] when that has answered.
    pub(super) async fn ask_late(
        &self,
        session: &mut Session,
        ctx: &mut Ctx,
        state: OriginRequest,
    ) -> Result<()> {
        match self.ask_origin_request(session, ctx, state).await? {
            Decided::Sent => Ok(()),
            Decided::Answered(state, response) => {
                let mut generated = Generated::from(response);
                let mut store = state.generated();
                store.compressed = self
                    .compress_whole(session, ctx.background, &store.exchange, &mut generated)
                    .await;
                store.kept = self.keep_generated(session, ctx, &store, &generated).await;
                ctx.flow = Flow::Store(Box::new(store));
                ctx.pending = Some(Pending::Answer(generated));
                Err(Error::new(ANSWER_READY).into_up())
            }
        }
    }

    fn for_secondary(&self, session: &Session, fetch: Fetch) -> Result<OriginRequest> {
        let secondary = fetch.exchange.secondary_origin();
        let secondary = secondary
            .ok_or_else(|| ctx_internal(&"a failover without a secondary"))?
            .clone();
        let range = fetch.range.clone();
        let request = self.origin_parts(session, &fetch.exchange, &secondary, None, range.clone());
        Ok(OriginRequest::to_secondary(fetch, secondary, request))
    }
}
