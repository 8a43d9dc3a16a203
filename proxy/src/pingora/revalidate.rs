//! Asking the origin about a stored object again, and a 304 that is not simply a yes (CF section 3.5).
//!
//! Pingora answers from its stored copy whatever [`super::origin_side`] makes of a 304. What takes the copy's
//! place waits as [`Pending`] until that answer passes `response_filter`.

use bytes::Bytes;
use fourfront_cache::{
    Kept, Refusal,
    policy::{self, EdgeEncoding, OriginCookies, Revalidation},
};
use fourfront_model::CacheMode;
use fourfront_origin::request::Preconditions;
use http::StatusCode;
use pingora::{
    Error, Result,
    cache::{CacheMeta, CachePhase, NoCacheReason},
    http::ResponseHeader,
    proxy::Session,
};

use super::{
    ANSWER_READY, Edge, REFETCH,
    context::{Ctx, Pending},
    deliver::ctx_internal,
    storage::{Facts, StoredFacts},
};
use crate::flow::{Exchange, Fetch, Generated, Store};

impl Edge {
    /// Whether a 304 speaks of another object than the one that is stored (CF-283).
    pub(super) fn contradicts_stored(session: &Session, head: &ResponseHeader) -> bool {
        head.status == StatusCode::NOT_MODIFIED
            && session.cache.maybe_cache_meta().is_some_and(|stored| {
                let facts = StoredFacts::of(stored);
                let encoding = facts
                    .as_deref()
                    .map_or(EdgeEncoding::AsReceived, Facts::encoding);
                !policy::not_modified_matches(stored.headers(), encoding, &head.headers)
            })
    }

    /// Discards the stored object: it is fetched anew, without conditions. That cannot be answered by a 304, so
    /// it happens once (CF-283).
    pub(super) fn refetch(&self, session: &Session, ctx: &mut Ctx, fetch: &mut Fetch) {
        self.node().cache().remove(session.cache.cache_key());
        fetch
            .request
            .lines
            .retain(|l| !policy::CONDITIONALS.contains(&l.name));
        ctx.pending = Some(Pending::Refetch);
    }

    /// Puts an answer that a function made of a 304 in the place of the stored object, or only takes that away
    /// when the answer may not be stored (LE-182).
    pub(super) fn replace_stored(
        &self,
        session: &Session,
        store: &Store,
        generated: &Generated,
    ) -> Kept {
        let cache = self.node().cache();
        let stored = self
            .judge_generated(session, store, generated)
            .and_then(|meta| {
                let facts = StoredFacts::of(&meta);
                self.put_beside(session, &store.exchange, meta, generated.body.clone())?;
                Ok(facts)
            });
        match stored {
            Ok(facts) => {
                let now = self.node().clock().now();
                Kept::Stored {
                    ttl: facts.map_or(0, |f| f.freshness().ttl(now)),
                }
            }
            Err(refusal) => {
                cache.remove(session.cache.cache_key());
                Kept::Not(refusal)
            }
        }
    }

    /// Stores an object under the request's key while Pingora is busy with an answer to it.
    pub(super) fn put_beside(
        &self,
        session: &Session,
        exchange: &Exchange,
        mut meta: CacheMeta,
        body: Bytes,
    ) -> std::result::Result<(), Refusal> {
        let cache = self.node().cache();
        let mut key = session.cache.cache_key().clone();
        // As Pingora does it for a fetched object: another variant than the one that was asked about begins a new
        // family, in the primary slot.
        let variance = self.variant(meta.headers(), exchange, &session.req_header().headers);
        if key.get_variance_key().is_some_and(|k| Some(*k) != variance) {
            cache.remove(&key);
            key.remove_variance_key();
        }
        if let Some(variance) = variance {
            meta.set_variance(variance);
        }
        cache.put(&key, &meta, body)
    }

    /// Stops an answer out of the stored copy whose place something else takes that Pingora cannot send in
    /// mid-flight.
    ///
    /// # Errors
    /// The error that leads on: to `fail_to_proxy`, which sends what is ready, or to another try.
    pub(super) fn turn_back(&self, session: &mut Session, ctx: &mut Ctx) -> Result<()> {
        match &ctx.pending {
            None | Some(Pending::Fault(_) | Pending::Opened(_)) => Ok(()),
            Some(Pending::Answer(_)) => Err(Error::new(ANSWER_READY).into_up()),
            Some(Pending::Refetch) => {
                ctx.pending = None;
                self.begin_as_miss(session, ctx)?;
                Err(Error::new(REFETCH).into_up())
            }
        }
    }

    /// Takes the request back to where nothing is stored. It holds no lock any more: whoever waits for the key
    /// has been let go, as after any failed validation.
    fn begin_as_miss(&self, session: &mut Session, ctx: &Ctx) -> Result<()> {
        let exchange = &ctx.flow.fetch().map_err(|e| ctx_internal(&e))?.exchange;
        let key = session.cache.cache_key().clone();
        session.cache.disable(NoCacheReason::Deferred);
        self.enable(session, exchange);
        let cache = &mut session.cache;
        cache.set_cache_key(key);
        cache.cache_miss();
        debug_assert_eq!(cache.phase(), CachePhase::Miss, "nothing was looked up");
        Ok(())
    }
}

/// The conditions the origin is sent. A stored object's validators take the place of the viewer's conditions
/// (CF-280, CF-287, CF-313); on a miss mode `rfc9111` wants the whole object (CF-286, CF-839).
pub(super) fn preconditions(
    session: &Session,
    mode: CacheMode,
    cookies: OriginCookies,
) -> Preconditions {
    if !session.cache.enabled() {
        return Preconditions::Forward;
    }
    let stored = session
        .cache
        .maybe_cache_meta()
        .and_then(|meta| Some((StoredFacts::of(meta)?, meta.headers())));
    let Some((facts, head)) = stored else {
        return match policy::strips_conditionals_on_miss(mode) {
            true => Preconditions::Strip,
            false => Preconditions::Forward,
        };
    };
    match policy::revalidation(mode, &facts.freshness(), head, facts.encoding(), cookies) {
        Revalidation::Unconditional => Preconditions::Strip,
        Revalidation::Conditional {
            etag,
            last_modified,
        } => Preconditions::Validate {
            etag,
            last_modified,
        },
    }
}
