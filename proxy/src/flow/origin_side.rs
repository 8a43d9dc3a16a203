//! The origin's side of the cache: from the decision to fetch to the answer that is stored.

use std::{net::SocketAddr, sync::Arc};

use bytes::Bytes;
use fourfront_cache::{Kept, Outcome, Reason, policy::Authorization};
use fourfront_hooks::{event::OriginObject, validate::RequestResult};
use fourfront_model::Origin;
use http::{HeaderMap, StatusCode};

use super::{
    Deliver, Exchange, Served,
    hook::{RequestParts, chosen_origin},
};

/// A request that goes to an origin, before the origin-request function (CF-010.13).
#[derive(Debug)]
pub struct OriginRequest {
    /// The request's constant part.
    pub exchange: Exchange,
    /// Why the cache did not answer.
    pub reason: Reason,
    /// The request as the policies leave it: what the function is shown (LE-091).
    pub request: RequestParts,
    /// The configured origin.
    pub origin: Arc<Origin>,
}

impl OriginRequest {
    /// A request to the behaviour's own origin (LE-003).
    pub fn new(exchange: Exchange, reason: Reason, request: RequestParts) -> Self {
        let origin = exchange
            .route
            .distribution()
            .origin_of(exchange.route.behavior())
            .clone();
        Self {
            exchange,
            reason,
            request,
            origin,
        }
    }

    /// The function, if any, has let the request through (LE-146). A body it put in place of the viewer's is the
    /// caller's to keep (LE-240).
    pub fn send(self, result: Option<RequestResult>, object: Option<OriginObject>) -> Fetch {
        let (request, changed) = match result {
            Some(result) => (self.request.with(&result), result.origin),
            None => (self.request, None),
        };
        let origin = chosen_origin(&self.origin, changed.as_ref());
        Fetch {
            exchange: self.exchange,
            reason: self.reason,
            request,
            origin,
            origin_object: changed.or(object),
            addresses: Vec::new(),
            attempts: 0,
        }
    }

    /// The function answered itself: treated as the origin's answer for storing (LE-164).
    pub fn generated(self) -> Store {
        Store {
            exchange: self.exchange,
            reason: self.reason,
            served: Served::GeneratedAtOrigin,
            body: BodyPlan::Relay,
            authorization: Authorization::Withheld,
            kept: Kept::Bypassed,
            origin_status: None,
            not_modified: None,
        }
    }
}

/// A request that is on its way to an origin (CF-010.14).
#[derive(Debug)]
pub struct Fetch {
    /// The request's constant part.
    pub exchange: Exchange,
    /// Why the cache did not answer.
    pub reason: Reason,
    /// The request as the origin-request function left it, which is what the origin-response function is
    /// shown (LE-094).
    pub request: RequestParts,
    /// Where it goes.
    pub origin: Arc<Origin>,
    /// `request.origin` as functions see it; built only when a function runs.
    pub origin_object: Option<OriginObject>,
    /// The origin's addresses, once resolved; tries go through them in turn (CF-398).
    pub addresses: Vec<SocketAddr>,
    /// Connect tries made so far (CF-391).
    pub attempts: u32,
}

impl Fetch {
    /// The head of the origin's answer has arrived, and the origin-response function, if any, has run.
    #[must_use]
    pub fn answered(self, body: BodyPlan) -> Store {
        Store {
            exchange: self.exchange,
            reason: self.reason,
            served: Served::Miss,
            body,
            authorization: Authorization::Withheld,
            kept: Kept::Bypassed,
            origin_status: None,
            not_modified: None,
        }
    }
}

/// What becomes of the origin's body.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum BodyPlan {
    /// It is passed on as it arrives.
    #[default]
    Relay,
    /// The origin-response function replaced it (LE-177). Taken by the first body callback; later pieces of
    /// the origin's body are dropped.
    Replace(Bytes),
    /// The replacement has been sent.
    Replaced,
}

/// An answer that may be stored (CF-010.15).
#[derive(Debug)]
pub struct Store {
    /// The request's constant part.
    pub exchange: Exchange,
    /// Why the cache did not answer.
    pub reason: Reason,
    /// How the answer came about.
    pub served: Served,
    /// What becomes of the origin's body.
    pub body: BodyPlan,
    /// What the origin got of the viewer's credentials (CF-825).
    pub authorization: Authorization,
    /// Whether it was stored.
    pub kept: Kept,
    /// The status the origin answered with.
    pub origin_status: Option<StatusCode>,
    /// The fields of the origin's 304, when that is what it answered (CF-282).
    pub not_modified: Option<HeaderMap>,
}

impl Store {
    /// What the cache did, for `Cache-Status` and the log.
    pub fn outcome(&self) -> Outcome {
        Outcome::Fetched {
            reason: self.reason.clone(),
            origin_status: self.origin_status,
            kept: self.kept,
        }
    }

    /// The answer goes to the viewer.
    pub fn deliver(self) -> Deliver {
        let served = self.served;
        self.deliver_as(served)
    }

    /// The answer goes to the viewer, and came about as `served`.
    pub fn deliver_as(self, served: Served) -> Deliver {
        Deliver {
            body: self.body,
            ..Deliver::new(self.exchange, served)
        }
    }
}
