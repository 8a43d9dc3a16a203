//! The shield's side of an origin shield (CF-415): requests that edges send, and what their answers say.
//!
//! Such a request comes to the listener for viewers, and is known by a field that is sealed with the node's secret. What its edge has
//! done is not done again: no check of admission, no function at the viewer's triggers; and what its edge will do is left to it. One whose
//! seal does not hold is refused: it says that it is more than a viewer's, and is none.

use bytes::{Bytes, BytesMut};
use fourfront_origin::shield::{self, Answer, Fetched, Lifted, Message, Refusal};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use pingora::{Result, http::ResponseHeader, proxy::Session};

use super::{
    Edge,
    context::Ctx,
    deliver::add_node_fields,
    headers::lines,
    viewer_side::{drop_reserved, split},
};
use crate::{
    flow::{Exchange, Fault, Flow, NodeFault, Served, ViewerFault, ViewerRequest, shielded::heed},
    purge::{Problem, PurgeAnswer},
};

/// Longest list of what does not answer any more, as the admin API has it (CP-010).
const MOST_BODY: usize = 1 << 20;

impl Edge {
    /// What an edge has sealed in a request, where this node is a shield. More than one such field is nobody's.
    pub(super) fn sealed_in(&self, session: &Session) -> Option<HeaderValue> {
        let fields = session.req_header().headers.get_all(shield::FIELD);
        let mut fields = fields.iter();
        let first = fields.next()?.clone();
        let snapshot = self.node().snapshot();
        snapshot.settings().shield.serves.as_ref()?;
        Some(match fields.next() {
            None => first,
            Some(_) => HeaderValue::from_static(""),
        })
    }

    /// `request_filter` of a request with such a field. True when it has been answered; otherwise it is about to be looked up.
    pub(super) async fn on_shielded(
        &self,
        session: &mut Session,
        ctx: &mut Ctx,
        sealed: HeaderValue,
    ) -> Result<bool> {
        let fault = match self.hear(session, &sealed) {
            Ok(Message::Fetch(told)) => match self.take_up(session, ctx, &told) {
                Ok(()) => return Ok(false),
                Err(fault) => fault,
            },
            Ok(message @ Message::Invalidate(_)) => {
                match self.invalidate(session, &message).await? {
                    Ok(answer) => return send(session, answer).await.map(|()| true),
                    Err(why) => ViewerFault::from(why).into(),
                }
            }
            Err(why) => ViewerFault::from(why).into(),
        };
        self.tell_refused(session, &fault);
        self.send_error(session, ctx, &fault).await?;
        Ok(true)
    }

    fn hear(
        &self,
        session: &Session,
        sealed: &HeaderValue,
    ) -> std::result::Result<Message, Refusal> {
        let snapshot = self.node().snapshot();
        let settings = &snapshot.settings().shield;
        let request = session.req_header();
        let region = settings.serves.as_ref().ok_or(Refusal::Region)?;
        shield::open(
            sealed,
            &settings.secrets,
            region.as_str(),
            (&request.method, request.raw_path()),
            self.node().clock().now(),
        )
    }

    /// Takes up a request where its edge has left it.
    fn take_up(
        &self,
        session: &mut Session,
        ctx: &mut Ctx,
        told: &Fetched,
    ) -> std::result::Result<(), Fault> {
        let snapshot = self.node().snapshot();
        let exchange = heed(&snapshot, told, &lines(session.req_header()));
        let exchange = exchange.ok_or_else(|| ViewerFault::from(Refusal::Unknown))?;
        ctx.at_shield = true;
        if let Some(limit) = snapshot.settings().load.max_requests {
            ctx.taken_on = self.node().load().request(limit);
            if ctx.taken_on.is_none() {
                return Err(NodeFault::Overload { limit }.into());
            }
        }
        drop_reserved(session.req_header_mut());
        let request = session.req_header();
        let (path, _) = split(request.raw_path());
        let mut lookup = ViewerRequest { exchange }.pass(path, &request.method);
        let mut asked = HeaderMap::new();
        let control = told.cache_control.as_deref();
        if let Some(Ok(control)) = control.map(HeaderValue::from_bytes) {
            asked.insert(header::CACHE_CONTROL, control);
        }
        lookup.heed(&asked);
        ctx.flow = Flow::Lookup(Box::new(lookup));
        Ok(())
    }

    /// Ends what an edge says does not answer any more, before that edge does.
    async fn invalidate(
        &self,
        session: &mut Session,
        message: &Message,
    ) -> Result<std::result::Result<PurgeAnswer, Refusal>> {
        let mut body = BytesMut::new();
        while let Some(piece) = session.read_request_body().await? {
            body.extend_from_slice(&piece);
            if body.len() > MOST_BODY {
                return Ok(Err(Refusal::Malformed));
            }
        }
        if !message.is_about(&body) {
            return Ok(Err(Refusal::Seal));
        }
        let node = self.node.clone();
        let now = self.node().clock().now();
        // It waits for the disk.
        let done =
            tokio::task::spawn_blocking(move || crate::purge::invalidate_here(&node, &body, now));
        Ok(Ok(done.await.unwrap_or_else(|_| {
            let status = StatusCode::INTERNAL_SERVER_ERROR;
            Problem::new(status, "InternalError", "the invalidation broke off").answer()
        })))
    }

    fn tell_refused(&self, session: &Session, fault: &Fault) {
        let Fault::Viewer(ViewerFault::Shield(why)) = fault else {
            // Counted as an answer.
            self.node().metrics().refused("requests");
            return;
        };
        let word = why.word();
        self.node().metrics().shielded(word);
        if self.node().load().is_to_be_said(self.node().clock().now()) {
            let peer = session.client_addr().map(ToString::to_string);
            tracing::warn!(
                peer,
                why = word,
                "a request to the origin shield is refused"
            );
        }
    }
}

/// Adds what says how an answer came about: to whom depends on who has asked.
pub(super) fn add_fields(
    head: &mut ResponseHeader,
    ctx: &Ctx,
    exchange: &Exchange,
    served: Served,
    outcome: Option<&fourfront_cache::Outcome>,
) -> Result<()> {
    if !ctx.at_shield {
        return add_node_fields(head, exchange, served, outcome);
    }
    let answer = match served {
        Served::Hit | Served::Stale => Answer::Hit(ctx.kept),
        _ => Answer::Miss,
    };
    head.insert_header(shield::FIELD, answer.value())
}

/// The same of a fault's page, where an edge gets it; false where a viewer does.
pub(super) fn add_fault(head: &mut ResponseHeader, ctx: &Ctx, fault: &Fault) -> Result<bool> {
    let answer = match fault {
        Fault::Viewer(ViewerFault::Shield(why)) => Answer::refused(*why),
        _ if !ctx.at_shield => return Ok(false),
        Fault::Origin(fault) => Answer::OriginFault(fault.into()),
        Fault::Unvalidated(origin) => Answer::OriginFault(Lifted {
            status: fault.status(),
            ..Lifted::from(origin)
        }),
        Fault::Hook { event, fault } => {
            Answer::FunctionFault(*event, fault.class().token().to_owned())
        }
        // About the request, as an origin would say.
        Fault::Viewer(_) => Answer::Miss,
        Fault::Node(NodeFault::Overload { .. }) => Answer::Busy,
        Fault::Node(_) | Fault::HookAtShield { .. } => Answer::Failed,
    };
    head.insert_header(shield::FIELD, answer.value())?;
    Ok(ctx.at_shield)
}

/// The word in metrics for an answer that an edge got.
pub(super) fn word_of(head: &ResponseHeader) -> &'static str {
    match head.headers.get(shield::FIELD).and_then(Answer::parse) {
        Some(Answer::Hit(_)) => "hit",
        Some(Answer::Miss) => "miss",
        Some(Answer::OriginFault(_)) => "origin-fault",
        Some(Answer::FunctionFault(..)) => "function-fault",
        Some(Answer::Busy) => "busy",
        Some(Answer::Refused(_) | Answer::Failed) | None => "failed",
    }
}

async fn send(session: &mut Session, answer: PurgeAnswer) -> Result<()> {
    let body = Bytes::from(answer.body.to_string());
    let mut head = ResponseHeader::build(answer.status, Some(4))?;
    head.insert_header("Content-Type", "application/json")?;
    head.insert_header("Content-Length", body.len())?;
    head.insert_header(shield::FIELD, Answer::Miss.value())?;
    session.write_response_header(Box::new(head), false).await?;
    session.write_response_body(Some(body), true).await
}
