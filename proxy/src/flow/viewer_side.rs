//! The viewer's side of the cache: before the look-up and after it.

use bytes::Bytes;
use fourfront_cache::{
    Reason,
    policy::{self, Grace, RequestDirectives},
};
use fourfront_hooks::{cff::OriginChange, validate::ResponseResult};
use fourfront_model::{CacheMode, EventType, HeaderLines, RequestCc};
use fourfront_origin::request::RangeSent;
use http::{HeaderMap, Method};

use super::{BodyPlan, ErrorAnswer, Exchange, OriginRequest, Served, hook::RequestParts};

/// A request that may pass (CF-010.10 is next).
#[derive(Debug)]
pub struct ViewerRequest {
    /// The request's constant part.
    pub exchange: Exchange,
}

impl ViewerRequest {
    /// The viewer-request function, if any, has let the request through. `path` is the path it left.
    ///
    /// The default root object takes the place of exactly `/` only now (LE-011, CF-040), so the function saw `/`
    /// and the key and the origin see the object.
    pub fn pass(self, path: &[u8], method: &Method) -> Lookup {
        let root_object = self.exchange.route.root_object(path);
        // CF-114, CF-215, CF-216. What may not use the cache still passes all four triggers (LE-041).
        let bypass = policy::may_use_cache(&self.exchange.route.store_rules(), method).err();
        let reason = bypass.clone().unwrap_or(Reason::Absent);
        Lookup {
            exchange: self.exchange,
            root_object,
            bypass,
            reason,
            grace: None,
            origin: None,
            asked: RequestDirectives::default(),
        }
    }

    /// The function answered itself (LE-163, LE-022): no look-up, no origin, no viewer-response function, and nothing that is
    /// stored (CF-229).
    pub fn generated(self) -> Deliver {
        let hook = self.exchange.route.hook(EventType::ViewerRequest);
        let served = match hook.and_then(|h| h.function.cloudfront()) {
            Some(_) => Served::GeneratedByFunction,
            None => Served::GeneratedAtViewer,
        };
        Deliver::new(self.exchange, served)
    }

    /// The function failed (LE-046).
    pub fn failed(self, answer: &ErrorAnswer) -> Deliver {
        Deliver::new(self.exchange, answer.served)
    }
}

/// A request whose key can be computed (CF-010.11, .12).
#[derive(Debug)]
pub struct Lookup {
    /// The request's constant part.
    pub exchange: Exchange,
    /// The path that replaces `/` for key and origin (CF-040).
    pub root_object: Option<Bytes>,
    /// Why the cache takes no part, if it does not.
    pub bypass: Option<Reason>,
    /// Why the answer will not come from the cache, as far as is known; logged and shown in `Cache-Status`.
    pub reason: Reason,
    /// Whether the entry found is stale, and what that allows; `None` while nothing stale was found.
    pub grace: Option<Grace>,
    /// The origin that a CloudFront Function chose; the key does not follow it (LE-481).
    pub origin: Option<Box<OriginChange>>,
    /// What the viewer asks of the cache, where it has a say (CF-829).
    pub asked: RequestDirectives,
}

impl Lookup {
    /// Takes the viewer's own `Cache-Control` into account where the distribution wants that (CF-829).
    pub fn heed(&mut self, request: &HeaderMap) {
        let distribution = self.exchange.route.distribution();
        if distribution.cache_mode != CacheMode::Rfc9111
            || distribution.request_cc != RequestCc::Honour
        {
            return;
        }
        self.asked = RequestDirectives::of(request);
        if self.asked.no_store && self.bypass.is_none() {
            self.bypass = Some(Reason::NoStore);
            self.reason = Reason::NoStore;
        }
    }

    /// The path key and origin see.
    pub fn path<'a>(&'a self, viewer_path: &'a [u8]) -> &'a [u8] {
        self.root_object.as_deref().unwrap_or(viewer_path)
    }

    /// An answer was found that may be used.
    pub fn found(self, served: Served) -> Deliver {
        Deliver::new(self.exchange, served)
    }

    /// The request has to go to an origin, as `request` (CF-010.13).
    pub fn missed(self, request: RequestParts, range: RangeSent) -> OriginRequest {
        OriginRequest::new(self.exchange, self.reason, request, self.origin, range)
    }
}

/// A response head and body that take the place of what Pingora is about to send.
///
/// Pingora's own error handling in the middle of a response would end the fill of the cache or answer a bare
/// 500. So a failed viewer-response function swaps what this viewer gets and leaves the transfer, and with it
/// every other reader, alone (LE-279).
#[derive(Clone, Debug)]
pub struct Replacement {
    /// The body to send instead; taken by the first body callback.
    pub body: Option<Bytes>,
}

/// The answer is decided (CF-010.17, .18).
#[derive(Debug)]
pub struct Deliver {
    /// The request's constant part.
    pub exchange: Exchange,
    /// How the answer came about.
    pub served: Served,
    /// What is sent instead of the stored or fetched body.
    pub replacement: Option<Replacement>,
    /// What becomes of the origin's body, which may still be arriving.
    pub body: BodyPlan,
}

impl Deliver {
    /// An answer to `exchange`, without a body of its own still to come.
    pub fn new(exchange: Exchange, served: Served) -> Self {
        Self {
            exchange,
            served,
            replacement: None,
            body: BodyPlan::Relay,
        }
    }
}

/// A response that a function made (LE-155).
#[derive(Clone, Debug)]
pub struct Generated {
    /// Status, 200 to 599.
    pub status: u16,
    /// Reason phrase, when the function gave one (LE-157).
    pub description: Option<String>,
    /// Header fields.
    pub lines: HeaderLines,
    /// The body; empty when there is none.
    pub body: Bytes,
}

impl From<ResponseResult> for Generated {
    fn from(result: ResponseResult) -> Self {
        Self {
            status: result.status,
            description: result.status_description,
            lines: result.headers,
            body: result.body.map(Bytes::from).unwrap_or_default(),
        }
    }
}
