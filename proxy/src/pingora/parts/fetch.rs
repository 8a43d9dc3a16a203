//! Bringing segments from an origin.
//!
//! Pingora makes one request to an origin for each of a viewer's, so the others are made here: by tasks of their own, which a
//! viewer's leaving does not end, on connections of the same kind. Each asks for a few segments that nobody else brings
//! ([`run_of`](crate::pingora::storage::run_of)), on condition that they are the same representation's.

use std::{collections::VecDeque, mem, sync::Arc};

use fourfront_cache::{
    Reason,
    policy::{self, ByteRange, ContentRange, StrongValidator},
};
use fourfront_hooks::event::OriginObject;
use fourfront_model::{EventType, HeaderLine};
use fourfront_origin::{OriginFault, request::RangeSent};
use http::{HeaderName, HeaderValue, StatusCode, header};
use parking_lot::Mutex;
use pingora::{
    Error, ErrorType,
    protocols::http::client::HttpSession,
    proxy::Session,
    upstreams::peer::{HttpPeer, Peer as _},
};
use tokio::sync::OnceCell;

use crate::{
    flow::{self, Fault, Flow, Lookup, OriginRequest, RequestBody},
    pingora::{
        Edge,
        context::{Ctx, Record},
        deliver::internal,
        hook::{self, Decision, Shown},
        record::origin_fault,
        request_body,
        shield::{Lost, Said},
        storage::{Coming, Fetch, Segmented, Unfetched},
    },
};

/// How many interim answers are passed over.
const MOST_INTERIM: usize = 10;

/// Where the segments of one object come from, for one request of a viewer.
pub(in crate::pingora) struct Source {
    edge: Arc<Edge>,
    /// The request before the origin-request function, until that is asked.
    unasked: Mutex<Option<OriginRequest>>,
    /// What it says.
    asked: OnceCell<flow::Fetch>,
    /// What it says here of a request that was to go to a shield, which is of no use (CF-415).
    past_shield: OnceCell<flow::Fetch>,
    validator: StrongValidator,
}

impl std::fmt::Debug for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Source")
            .field("validator", &self.validator)
            .finish_non_exhaustive()
    }
}

impl Source {
    /// For a request that found the object.
    pub(super) fn of_hit(
        edge: &Arc<Edge>,
        session: &Session,
        lookup: &Lookup,
        validator: StrongValidator,
    ) -> Arc<Self> {
        let parts = edge.parts_for_origin(session, lookup, RangeSent::Strip);
        let exchange = lookup.exchange.clone();
        let request = OriginRequest::new(
            exchange,
            Reason::Range,
            parts,
            lookup.origin.clone(),
            RangeSent::Strip,
        );
        Arc::new(Self {
            edge: edge.clone(),
            unasked: Mutex::new(Some(request)),
            asked: OnceCell::new(),
            past_shield: OnceCell::new(),
            validator,
        })
    }

    /// For a request that is being answered with another part of the object.
    pub(super) fn of_fetch(
        edge: Arc<Edge>,
        fetch: flow::Fetch,
        validator: StrongValidator,
    ) -> Arc<Self> {
        Arc::new(Self {
            edge,
            unasked: Mutex::new(None),
            asked: OnceCell::from(fetch),
            past_shield: OnceCell::new(),
            validator,
        })
    }

    /// For the same request and another object, or the same.
    pub(super) fn renewed(self: &Arc<Self>, validator: StrongValidator) -> Arc<Self> {
        if self.validator == validator {
            return self.clone();
        }
        Arc::new(Self {
            edge: self.edge.clone(),
            unasked: Mutex::new(self.unasked.lock().take()),
            asked: self
                .asked
                .get()
                .map_or_else(OnceCell::new, |fetch| OnceCell::from(fetch.again())),
            past_shield: OnceCell::new(),
            validator,
        })
    }

    /// What the function has decided, if it was asked.
    pub(in crate::pingora) fn decided(&self) -> Option<flow::Fetch> {
        self.asked.get().map(flow::Fetch::again)
    }

    /// What it has decided when the object was validated.
    pub(in crate::pingora) fn decide(&self, fetch: &flow::Fetch) {
        // One that has been asked has been asked about the same.
        let _ = self.asked.set(fetch.again());
    }

    /// Has the origin-request function, if there is one, decide; once for all that is fetched.
    pub(super) async fn ask(&self, record: &mut Record) -> Result<(), Unfetched> {
        self.asked
            .get_or_try_init(|| self.run_function(record))
            .await
            .map(|_| ())
    }

    async fn run_function(&self, record: &mut Record) -> Result<flow::Fetch, Unfetched> {
        let Some(state) = self.unasked.lock().take() else {
            return Err(Unfetched::Answered(None));
        };
        match self.edge.shield_for(&state, false) {
            // LE-006: it runs there.
            Some(shield) => Ok(state.send_to(shield)),
            None => self.run_for(state, record).await,
        }
    }

    async fn run_for(
        &self,
        state: OriginRequest,
        record: &mut Record,
    ) -> Result<flow::Fetch, Unfetched> {
        let event = EventType::OriginRequest;
        if state.exchange.route.hook(event).is_none() {
            return Ok(state.send(None, None));
        }
        let object = OriginObject::from(state.origin.as_ref());
        self.edge
            .resolve_first(&state)
            .await
            .map_err(|fault| Unfetched::Fault(fault.into()))?;
        let mut body = RequestBody::default();
        body.end();
        let shown = Shown {
            request: &state.request,
            body: request_body::shown(&body, &state.exchange, event),
            origin: Some(&object),
            response: None,
        };
        let ran = hook::run(self.edge.node(), &state.exchange, event, shown, record).await;
        match ran.map(Decision::from) {
            // LE-281: what it has not seen is not for others.
            Ok(Decision::Continue(_)) if record.passed_by(event) => Err(Unfetched::Refused),
            Ok(Decision::Continue(result)) => Ok(state.send(result, Some(object))),
            Ok(Decision::Respond(answer)) => Err(Unfetched::Answered(Some(Box::new(answer)))),
            Err(fault) => Err(Unfetched::Fault(fault)),
        }
    }

    async fn bring(&self, object: &Segmented, run: &mut VecDeque<Coming>) -> Result<(), Unfetched> {
        let bytes = |coming: &Coming| object.layout().bytes_of(coming.index);
        let (Some(first), Some(last)) = (run.front().map(bytes), run.back().map(bytes)) else {
            return Ok(());
        };
        let range = ByteRange {
            start: first.start,
            end: last.end.saturating_sub(1),
        };
        let mut ctx = Ctx::new(self.edge.node().in_flight().enter());
        self.ask(&mut ctx.record).await?;
        let Some(fetch) = self.past_shield.get().or_else(|| self.asked.get()) else {
            return Err(Unfetched::Answered(None));
        };
        ctx.origin = Some(fetch.origin.clone());
        ctx.flow = Flow::Fetch(Box::new(fetch.again()));
        let (mut upstream, peer) = self.open(&mut ctx, range).await?;
        self.check(&upstream, object, range)?;
        while let Some(coming) = run.front_mut() {
            if ctx.time_is_over() {
                return Err(self.failed(&ctx, OriginFault::CompletionTimeout));
            }
            let read = upstream.read_response_body().await;
            let mut data = match read {
                Ok(Some(data)) => data,
                Ok(None) => return Err(self.failed(&ctx, OriginFault::BodyAborted)),
                Err(error) => {
                    let fault = match origin_fault(&error, false) {
                        OriginFault::Closed | OriginFault::ReadTimeout => OriginFault::BodyAborted,
                        fault => fault,
                    };
                    return Err(self.failed(&ctx, fault));
                }
            };
            let mut complete = coming.arrival.take(&mut data);
            while complete {
                if let Some(coming) = run.pop_front() {
                    object.keep(coming).await;
                }
                complete = !data.is_empty()
                    && run
                        .front_mut()
                        .is_some_and(|coming| coming.arrival.take(&mut data));
            }
        }
        if upstream.response_done() {
            let idle = peer.idle_timeout();
            self.edge
                .connector()
                .release_http_session(upstream, &peer, idle)
                .await;
        }
        Ok(())
    }

    /// A connection on which the head of an answer has come.
    async fn open(
        &self,
        ctx: &mut Ctx,
        range: ByteRange,
    ) -> Result<(HttpSession, HttpPeer), Unfetched> {
        loop {
            let peer = self.edge.next_peer(ctx).await;
            let (fault, reused) = match peer {
                Ok(peer) => match self.send(ctx, &peer, range).await {
                    Ok(upstream) => {
                        if self.heed_shield(ctx, &upstream).await? {
                            ctx.answered_by_server();
                            return Ok((upstream, peer));
                        }
                        continue;
                    }
                    Err(Failed {
                        error,
                        reused,
                        connecting,
                    }) => (origin_fault(&error, connecting), reused),
                },
                Err(Fault::Origin(fault)) => (fault, false),
                Err(fault) => return Err(Unfetched::Fault(fault)),
            };
            let fault = match ctx.time_is_over() {
                true => OriginFault::CompletionTimeout,
                false => fault,
            };
            if self.edge.tries_again(ctx, &fault, reused, false, false) {
                continue;
            }
            if fault == OriginFault::CompletionTimeout
                || !self.leave_shield(ctx, &Lost::Silent(fault.clone())).await?
            {
                return Err(self.failed(ctx, fault));
            }
        }
    }

    /// Whether the answer is one to the request: a shield may say that it is not. False when the origin itself is to be asked.
    async fn heed_shield(&self, ctx: &mut Ctx, upstream: &HttpSession) -> Result<bool, Unfetched> {
        let fetch = ctx
            .flow
            .fetch()
            .map_err(|e| Unfetched::Fault(internal(&e)))?;
        let head = upstream.response_header();
        let said = head.and_then(|head| self.edge.said(fetch, head));
        match said {
            None | Some(Said::Answer(_)) => Ok(true),
            Some(Said::Fault(Fault::Origin(fault))) => Err(self.failed(ctx, fault)),
            Some(Said::Fault(fault)) => Err(Unfetched::Fault(fault)),
            Some(Said::Lost(lost)) => match self.leave_shield(ctx, &lost).await? {
                true => Ok(false),
                false => Err(Unfetched::Refused),
            },
        }
    }

    /// Turns to the origin itself, for this part and those that come after it. False when it was no shield that failed.
    async fn leave_shield(&self, ctx: &mut Ctx, lost: &Lost) -> Result<bool, Unfetched> {
        let fetch = ctx
            .flow
            .fetch()
            .map_err(|e| Unfetched::Fault(internal(&e)))?;
        if fetch.shield.is_none() {
            return Ok(false);
        }
        self.edge.lost(fetch, lost);
        let state = OriginRequest::past_shield(fetch.again());
        let asked = self
            .past_shield
            .get_or_try_init(|| self.run_for(state, &mut ctx.record));
        let fetch = asked.await?.again();
        ctx.lease = None;
        ctx.origin = Some(fetch.origin.clone());
        ctx.flow = Flow::Fetch(Box::new(fetch));
        Ok(true)
    }

    async fn send(
        &self,
        ctx: &Ctx,
        peer: &HttpPeer,
        range: ByteRange,
    ) -> Result<HttpSession, Failed> {
        let connected = self.edge.connector().get_http_session(peer).await;
        let (mut upstream, reused) = connected.map_err(|error| Failed {
            error,
            reused: false,
            connecting: true,
        })?;
        let failed = |error| Failed {
            error,
            reused,
            connecting: false,
        };
        let options = &peer.options;
        upstream.set_read_timeout(options.read_timeout);
        upstream.set_write_timeout(options.write_timeout);
        let fetch = ctx
            .flow
            .fetch()
            .map_err(|e| failed(Error::because(ErrorType::InternalError, "no fetch", e)))?;
        let mut fetch = fetch.again();
        self.ask_for(&mut fetch, range);
        let request = self.edge.part_request(&fetch).map_err(failed)?;
        upstream
            .write_request_header(Box::new(request))
            .await
            .map_err(failed)?;
        upstream.finish_request_body().await.map_err(failed)?;
        let mut continued = false;
        for _ in 0..MOST_INTERIM {
            upstream.read_response_header().await.map_err(failed)?;
            let status = upstream.response_header().map(|head| head.status);
            if !status.is_some_and(|status| status.is_informational()) {
                return Ok(upstream);
            }
            // CF-373
            if status == Some(StatusCode::CONTINUE) && mem::replace(&mut continued, true) {
                return Err(failed(Error::explain(
                    ErrorType::InvalidHTTPHeader,
                    "a second 100 (Continue)",
                )));
            }
        }
        Err(failed(Error::explain(
            ErrorType::InvalidHTTPHeader,
            "too many interim responses",
        )))
    }

    /// The conditions of the viewer are answered already; what is asked now is for the same representation.
    fn ask_for(&self, fetch: &mut flow::Fetch, range: ByteRange) {
        let lines = &mut fetch.request.lines;
        lines.retain(|l| {
            !policy::CONDITIONALS.contains(&l.name)
                && l.name != header::RANGE
                && l.name != header::IF_RANGE
        });
        let (name, value) = self.validator.condition();
        lines.push(line(name, value));
        if let Some(field) = super::field(range) {
            lines.push(line(header::RANGE, field));
        }
    }

    /// Whether the answer is the part that was asked for, of the same representation (CF-534).
    fn check(
        &self,
        upstream: &HttpSession,
        object: &Segmented,
        range: ByteRange,
    ) -> Result<(), Unfetched> {
        let Some(head) = upstream.response_header() else {
            return Err(Unfetched::Fault(internal(&"an answer without a head")));
        };
        let is_it = head.status == StatusCode::PARTIAL_CONTENT
            && self.validator.is_of(&head.headers)
            && ContentRange::of(&head.headers).is_some_and(|part| {
                part.range == range && part.complete == Some(object.layout().total)
            });
        if is_it {
            return Ok(());
        }
        // What one viewer can provoke says nothing of the object.
        let other = match head.status {
            StatusCode::PRECONDITION_FAILED => true,
            StatusCode::OK => !self.validator.is_of(&head.headers),
            StatusCode::PARTIAL_CONTENT => {
                let total = ContentRange::of(&head.headers).and_then(|part| part.complete);
                !self.validator.is_of(&head.headers)
                    || total.is_some_and(|total| total != object.layout().total)
            }
            _ => false,
        };
        Err(match other {
            true => Unfetched::Changed,
            false => Unfetched::Refused,
        })
    }

    fn failed(&self, ctx: &Ctx, fault: OriginFault) -> Unfetched {
        Unfetched::Fault(self.edge.part_failed(ctx, fault))
    }
}

impl Fetch for Source {
    fn fetch(self: Arc<Self>, object: Arc<Segmented>, mut run: VecDeque<Coming>) {
        tokio::spawn(async move {
            if let Err(why) = self.bring(&object, &mut run).await {
                if matches!(why, Unfetched::Changed) {
                    object.discard();
                }
                let why = Arc::new(why);
                for coming in run {
                    coming.arrival.fail(why.clone());
                }
            }
        });
    }
}

/// A try that failed.
struct Failed {
    error: Box<Error>,
    reused: bool,
    connecting: bool,
}

pub(super) fn line(name: HeaderName, value: HeaderValue) -> HeaderLine {
    let key = bytes::Bytes::copy_from_slice(name.as_str().as_bytes());
    HeaderLine { name, key, value }
}
