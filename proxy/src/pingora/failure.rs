//! When an origin has failed for good: whether the stored object answers in its place, what the viewer is told
//! where it may not, and how long both hold (CF sections 3.4, 3.6). Trying again is decided in
//! [`super::record`].

use std::time::Duration;

use bytes::Bytes;
use fourfront_cache::{
    Refusal,
    policy::{Authorization, FailureAnswer, OriginFailure, RequestFacts, Varies},
};
use fourfront_origin::{OriginFault, failover::Failed};
use http::{StatusCode, header};
use pingora::{Error, ErrorType, Result, cache::CacheMeta, http::ResponseHeader, proxy::Session};

use super::{
    Edge,
    context::{Ctx, Pending},
    deliver::{ctx_internal, error_head, swap},
    storage::{StoredFacts, record},
    store::Fetched,
};
use crate::flow::{ErrorAnswer, Exchange, Fault, Flow};

impl Edge {
    /// Ends a fetch by a fault after which no other try is made.
    pub(super) fn fetch_over(
        &self,
        session: &Session,
        ctx: &mut Ctx,
        fault: OriginFault,
    ) -> Box<Error> {
        ctx.fault = Some(self.origin_failed(session, ctx, fault));
        Error::new_up(ErrorType::new("fourfront"))
    }

    /// Ends a fetch whose answer may not be passed on.
    ///
    /// # Errors
    /// The one that ends it. There is none for a 304, since Pingora answers from its copy whatever it is told.
    pub(super) fn answer_invalid(
        &self,
        session: &Session,
        ctx: &mut Ctx,
        head: &ResponseHeader,
        fault: OriginFault,
    ) -> Result<()> {
        let exchange = &ctx.flow.fetch().map_err(|e| ctx_internal(&e))?.exchange;
        let answer = self.failure_answer(session, exchange, OriginFailure::Unreachable);
        let error = self.fetch_over(session, ctx, fault);
        if head.status != StatusCode::NOT_MODIFIED || answer.is_none() {
            return Err(error);
        }
        let fault = ctx.fault.take();
        if answer != Some(FailureAnswer::Stale) {
            ctx.pending = fault.map(Pending::Fault);
        }
        Ok(())
    }

    /// Counts and logs that the origin has failed for good: all faults of origins come by here. Returns what the
    /// viewer is told, if no stale object stands in.
    pub(super) fn origin_failed(&self, session: &Session, ctx: &Ctx, fault: OriginFault) -> Fault {
        let Some((exchange, attempts)) = self.tell_failure(ctx, &fault) else {
            return fault.into();
        };
        if attempts.is_none() {
            // An answer is on its way to the viewer: nothing can stand in for the rest of it.
            return fault.into();
        }
        match self.failure_answer(session, exchange, OriginFailure::Unreachable) {
            Some(FailureAnswer::Stale) if ctx.lacks_parts => fault.into(),
            Some(FailureAnswer::Stale) => {
                self.hold_off(session, exchange, status_of(&fault));
                fault.into()
            }
            Some(FailureAnswer::GatewayTimeout) => Fault::Unvalidated(fault),
            Some(FailureAnswer::Failure) | None => {
                if ctx.keeps_stored.is_none() {
                    self.keep_failure(session, exchange, &fault, ctx.shielded);
                }
                fault.into()
            }
        }
    }

    /// Counts and logs a fault; the exchange, and the number of tries when no answer has begun.
    pub(super) fn tell_failure<'a>(
        &self,
        ctx: &'a Ctx,
        fault: &OriginFault,
    ) -> Option<(&'a Exchange, Option<u32>)> {
        let (exchange, origin) = ctx.flow.exchange().zip(ctx.origin.as_ref())?;
        let attempts = match &ctx.flow {
            Flow::Fetch(fetch) => Some(fetch.attempts),
            _ => None,
        };
        let distribution = &exchange.route.distribution().id;
        let node = self.node();
        node.metrics().origin_fault(
            distribution,
            &origin.id,
            fault.detail(),
            node.clock().now(),
            fault.to_string(),
        );
        tracing::warn!(
            request_id = exchange.request_id.as_str(),
            distribution,
            origin = origin.id,
            attempts,
            cause = fault.detail(),
            "{fault}"
        );
        Some((exchange, attempts))
    }

    /// The origin has failed to give a part of an object that is at hand otherwise.
    pub(super) fn part_failed(&self, ctx: &Ctx, fault: OriginFault) -> Fault {
        self.tell_failure(ctx, &fault);
        fault.into()
    }

    /// Stores the page for a failure like an error of the origin, where its status is kept (CF-290, CF-296), so
    /// that the origin is not asked again at once. It takes the place of a stale object that may not answer
    /// any more, never of one that may (CF-299). In mode `rfc9111` no page of the node has a lifetime (CF-831).
    ///
    /// Done before the key's lock is let go: whoever waits for the lock finds it (CF-404).
    fn keep_failure(
        &self,
        session: &Session,
        exchange: &Exchange,
        fault: &OriginFault,
        shielded: Duration,
    ) {
        let method = &session.req_header().method;
        if !session.cache.enabled() || exchange.is_failed_over(method, Failed::Fault(fault)) {
            return;
        }
        match self.failure_record(session, exchange, fault, shielded) {
            Ok((meta, page)) => {
                let key = session.cache.cache_key();
                if let Err(refusal) = self.node().cache().put(key, &meta, page) {
                    tracing::debug!("a failure was not stored: {}", refusal.detail());
                }
            }
            Err(refusal) => tracing::trace!("a failure is not stored: {}", refusal.detail()),
        }
    }

    fn failure_record(
        &self,
        session: &Session,
        exchange: &Exchange,
        fault: &OriginFault,
        shielded: Duration,
    ) -> std::result::Result<(CacheMeta, Bytes), Refusal> {
        let identity = &exchange.route.distribution().identity;
        let told = Fault::from(fault.clone());
        let answer = ErrorAnswer::new(&told, exchange.request_id.as_str(), identity);
        let mut head = error_head(&answer).map_err(|_| Refusal::Status)?;
        head.insert_header("Content-Length", answer.body.len())
            .map_err(|_| Refusal::Status)?;
        // An origin that cannot be reached fails HEAD and GET alike, so either fills their common key.
        let request = RequestFacts {
            method: &session.req_header().method,
            authorization: Authorization::Withheld,
        };
        let now = self.node().clock().now();
        let varies = Varies::ByFields;
        if !shielded.is_zero() {
            // A shield has kept it for a while, which is part of the time that it is kept for (CF-415).
            head.insert_header("Age", shielded.as_secs())
                .map_err(|_| Refusal::Status)?;
        }
        let fetched = Fetched {
            shielded,
            ..Fetched::at(now)
        };
        let meta = self.judge(session, exchange, &request, &head, varies, fetched)?;
        let facts = StoredFacts::of(&meta).ok_or(Refusal::Status)?;
        let meta = record(
            now,
            meta.response_header_copy(),
            facts.of_failure(fault.clone()),
        );
        Ok((meta, answer.body))
    }

    /// Answers from a stored failure: with the page for this viewer in the place of the stored one.
    pub(super) fn answer_stored_failure(
        session: &Session,
        head: &mut ResponseHeader,
        ctx: &mut Ctx,
        fault: &OriginFault,
        age: u64,
    ) -> Result<()> {
        swap(session, head, ctx, &fault.clone().into())?;
        head.insert_header(header::AGE, age)
    }

    /// The stale object at hand answers for an origin that failed with `status`, and goes on answering for a
    /// while (CF-272). Done before its lock is let go, so that whoever waits for the lock finds it so.
    pub(super) fn hold_off(&self, session: &Session, exchange: &Exchange, status: StatusCode) {
        if let Some(period) = exchange.route.store_rules().hold_off(status) {
            let now = self.node().clock().now();
            self.node()
                .cache()
                .hold_off(session.cache.cache_key(), now, period);
        }
    }

    /// What the stored object at hand says to a failure (CF-268..271, CF-276, CF-827); `None` without one.
    pub(super) fn failure_answer(
        &self,
        session: &Session,
        exchange: &Exchange,
        failure: OriginFailure,
    ) -> Option<FailureAnswer> {
        let stored = session.cache.maybe_cache_meta().and_then(StoredFacts::of)?;
        if stored.is_gone() {
            // CF-660: it was invalidated while the origin was asked.
            return Some(FailureAnswer::Failure);
        }
        let mode = exchange.route.distribution().cache_mode;
        let now = self.node().clock().now();
        Some(stored.freshness().on_failure(mode, failure, now))
    }
}

/// The status a fault is answered with, were it answered.
fn status_of(fault: &OriginFault) -> StatusCode {
    StatusCode::from_u16(fault.status()).unwrap_or(StatusCode::BAD_GATEWAY)
}
