//! What Pingora carries through the filters of one request.

use std::{
    sync::{Arc, atomic::AtomicBool},
    time::{Duration, Instant, SystemTime},
};

use fourfront_cache::{
    Outcome,
    policy::{ByteRange, StrongValidator},
};
use fourfront_model::{EventType, Origin};
use fourfront_origin::pool::Lease;

use pingora::cache::CacheMeta;

use super::{
    deadline::Deadline,
    error_page::Calls,
    hook::Decision,
    parts::Source,
    storage::StoredFacts,
    websocket::{Handshake, Opened},
};
use crate::{
    flow::{
        Fault, Fetch, Flow, Generated, RequestBody, Served, ViewerFault, hook::RequestParts,
        server_timing::Tier,
    },
    node::InFlightGuard,
    observe::access::{HookRecord, ViewerFields},
};

/// The context of one request: the flow, and what the log line will say.
#[derive(Debug)]
pub struct Ctx {
    /// Where the request is in its life.
    pub flow: Flow,
    /// What is noted on the way.
    pub record: Record,
    /// The fault behind an error that is on its way to `fail_to_proxy`.
    pub fault: Option<Fault>,
    /// The origin that is asked, once one is.
    pub(super) origin: Option<Arc<Origin>>,
    /// When the request last went out to an origin, by the node's clock: the start of the answer's age (CF-830).
    pub(super) requested: Option<SystemTime>,
    /// When the origin's answer must be complete, once it is asked (CF-394).
    pub(super) deadline: Option<Instant>,
    /// Sees that a silent origin's connection ends then.
    pub(super) silence_ends: Option<Deadline>,
    /// Whether this is the background refresh of a stale object (LE-040): no viewer waits for it.
    pub background: bool,
    /// Set where this is the request for an error page: its answer goes to the request that has failed, which takes over
    /// the calls of functions.
    pub(super) page: Option<Arc<Calls>>,
    /// Whether the viewer has been answered with an error page: what comes after that goes nowhere.
    pub(super) answered: bool,
    /// The request body, as far as a function is shown it or puts another in its place.
    pub body: RequestBody,
    /// Whether a viewer that waits for leave to send its body has got it (CF-372).
    pub(super) invited: bool,
    /// What takes the place of what Pingora is about to send.
    pub(super) pending: Option<Pending>,
    /// The slices that the origin is asked for in place of the viewer's range (CF-533).
    pub(super) slice: Option<ByteRange>,
    /// How a long body that arrives can be fetched in parts, and what joins them.
    pub(super) long: Option<(Box<Fetch>, StrongValidator)>,
    /// The record of an answer that is a part of an object.
    pub(super) prepared: Option<CacheMeta>,
    /// Whether a part that was missing of the object at hand is fetched for this request.
    pub(super) completed: bool,
    /// Whether parts are missing of the stale object at hand, which so can answer for nobody.
    pub(super) lacks_parts: bool,
    /// What is stored in parts, of which one cannot be had: no failure takes its place.
    pub(super) keeps_stored: Option<(StoredFacts, StrongValidator)>,
    /// Where the parts of the object come from that was found last.
    pub(super) source: Option<Arc<Source>>,
    /// What the origin-request function has said already.
    pub(super) decided: Option<Result<Decision, Fault>>,
    /// What a function made of the request before Pingora saw it.
    pub(super) changed: Option<RequestParts>,
    /// Why the request was refused before Pingora saw it.
    pub(super) refused: Option<ViewerFault>,
    /// Whether the viewer has gone for whom an answer is fetched and stored.
    pub(super) viewer_left: AtomicBool,
    /// Whether this node is an origin shield for the request, which an edge has sent (CF-415).
    pub(super) at_shield: bool,
    /// At a shield: how long the object that answers has been in the cache.
    pub(super) kept: Duration,
    /// At an edge: for how much of its age the answer that came was in the cache of a shield.
    pub(super) shielded: Duration,
    /// The handshake for a WebSocket that this is.
    pub(super) handshake: Option<Arc<Handshake>>,
    /// Whether what becomes of the request is no longer Pingora's affair.
    pub(super) handed_over: bool,
    /// The request's place at a server of its origin's pool, once it has one, until all is sent.
    pub(super) lease: Option<Lease>,
    /// Counts the request as being served.
    _in_flight: InFlightGuard,
    /// Counts it among those that are limited, once it was taken on (CF-773).
    pub(super) taken_on: Option<InFlightGuard>,
}

/// What takes the place of the answer Pingora is about to send.
#[derive(Debug)]
pub(super) enum Pending {
    /// A whole answer.
    Answer(Generated),
    /// The page for a failure.
    Fault(Fault),
    /// The answer to another request to the origin.
    Refetch,
    /// A WebSocket in the place of an answer.
    Opened(Box<Opened>),
}

/// Notes for the access record and the metrics.
#[derive(Debug)]
pub struct Record {
    /// When the head had been read.
    pub started: Instant,
    /// Path and query as the viewer sent them; kept only once a function changes the request.
    pub original_target: Option<Vec<u8>>,
    /// Function calls in order.
    pub hooks: Vec<HookRecord>,
    /// When the request to the origin was sent.
    pub fetch_started: Option<Instant>,
    /// How long its address was asked for before.
    pub dns: Option<Duration>,
    /// How long connecting took since.
    pub connect: Option<Duration>,
    /// From then to the head of the answer.
    pub origin: Option<Duration>,
    /// Whether its shield was asked in the origin's place (CF-415).
    pub by_shield: bool,
    /// Where the stored answer was found, as far as that is known.
    pub tier: Option<Tier>,
    /// How the answer came about, when the flow does not say.
    pub served: Option<Served>,
    /// What the cache did.
    pub outcome: Option<Outcome>,
    /// What went wrong, for the operator.
    pub error: Option<String>,
    /// What CloudFront Functions noted with `cf.logCustomData` at viewer-request and viewer-response (LE-483).
    pub log_data: [Option<String>; 2],
    /// How long the head of the answer took, and how the answer was to come about by then (CF-704).
    pub began: Option<(Duration, Served, u16)>,
    /// What logs tell of the viewer's head; kept only once a function changes it.
    pub seen: Option<Box<ViewerFields>>,
    /// Under which key the answer was looked for.
    pub key: Option<[u8; 16]>,
}

impl Record {
    /// The head of the answer is about to be sent.
    pub(super) fn answers(&mut self, served: Served, status: u16) {
        if self.began.is_none() {
            self.began = Some((self.started.elapsed(), served, status));
        }
    }

    /// Whether the function at a trigger failed. The request goes on only where its association says so (LE-281).
    pub(super) fn passed_by(&self, event: EventType) -> bool {
        self.hooks
            .iter()
            .any(|call| call.event_type == event && call.fault.is_some())
    }
}

impl Ctx {
    /// A context for a request whose head is about to be read.
    pub(super) fn new(in_flight: InFlightGuard) -> Self {
        Self {
            flow: Flow::Received,
            record: Record {
                started: Instant::now(),
                original_target: None,
                hooks: Vec::new(),
                fetch_started: None,
                dns: None,
                connect: None,
                origin: None,
                by_shield: false,
                tier: None,
                served: None,
                outcome: None,
                error: None,
                log_data: [None, None],
                began: None,
                seen: None,
                key: None,
            },
            fault: None,
            origin: None,
            requested: None,
            deadline: None,
            silence_ends: None,
            background: false,
            page: None,
            answered: false,
            body: RequestBody::default(),
            invited: false,
            pending: None,
            slice: None,
            long: None,
            prepared: None,
            completed: false,
            lacks_parts: false,
            keeps_stored: None,
            source: None,
            decided: None,
            changed: None,
            refused: None,
            viewer_left: AtomicBool::new(false),
            at_shield: false,
            kept: Duration::ZERO,
            shielded: Duration::ZERO,
            handshake: None,
            handed_over: false,
            lease: None,
            _in_flight: in_flight,
            taken_on: None,
        }
    }

    /// What is left of the time for the origin's answer; `None` when that is unlimited (CF-394).
    pub(super) fn time_left(&self) -> Option<Duration> {
        self.deadline
            .map(|end| end.saturating_duration_since(Instant::now()))
    }

    /// Whether the time for the origin's answer is over (CF-394).
    pub(super) fn time_is_over(&self) -> bool {
        self.time_left().is_some_and(|left| left.is_zero())
    }

    /// Whether a viewer waits for the answer as it is: not for a background refresh, for an error page not as it is, and for what
    /// an edge gets from its shield not yet.
    pub(super) const fn serves_viewer(&self) -> bool {
        self.is_waited_for() && !self.at_shield
    }

    /// Whether a viewer waits for the answer, or an edge on its behalf.
    pub(super) const fn is_waited_for(&self) -> bool {
        !self.background && self.page.is_none()
    }

    /// Remembers a fault and makes the error that takes it to `fail_to_proxy`.
    pub(super) fn fail(&mut self, fault: impl Into<Fault>) -> Box<pingora::Error> {
        self.fault = Some(fault.into());
        pingora::Error::new(pingora::ErrorType::new("fourfront"))
    }
}
