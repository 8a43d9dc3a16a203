//! The head of a call's answer, and answers that are not the origin's.

use bytes::Bytes;
use fourfront_hooks::cff;
use fourfront_model::EventType;
use fourfront_origin::response;
use h2::SendStream;
use http::{Response, header, response::Parts};
use pingora::{Error, http::ResponseHeader};

use super::{Call, End};
use crate::{
    flow::{BodyPlan, Fault, Flow, Generated, Served},
    pingora::{
        deliver::{add_node_fields, hide, internal, response_parts, take_result},
        direct::h2::reply::Reply,
        headers::{append_lines, map_lines},
        hook,
        response_policy::{self, asked_parts},
    },
};

impl Call<'_> {
    /// The head of the origin's answer as the viewer gets it: what the policies leave of it, seen by the CloudFront
    /// Function at viewer-response below status 400, with the node's own fields. `ends`: it is all of the answer.
    pub(super) async fn head_of(
        &mut self,
        parts: Parts,
        ends: bool,
    ) -> Result<ResponseHeader, End> {
        self.ctx.answered_by_server();
        self.edge.note_latency(&mut self.ctx);
        let fetch = self
            .ctx
            .flow
            .take_fetch()
            .map_err(|e| End::Fault(internal(&e)))?;
        let route = fetch.exchange.route.clone();
        let lines = map_lines(&parts.headers);
        let most = route.snapshot().settings().quotas.max_origin_header_bytes;
        if let Err(fault) = response::check(&lines, most) {
            self.ctx.flow = Flow::Fetch(Box::new(fetch));
            return Err(fault.into());
        }
        let lines = response::received(lines, route.behavior(), &fetch.origin);
        let mode = route.distribution().cache_mode;
        let lines = response::stored(lines, route.behavior(), &fetch.origin, mode);
        let mut store = fetch.answered(BodyPlan::Relay);
        store.origin_status = Some(parts.status);
        let outcome = store.outcome();
        self.ctx.record.outcome = Some(outcome.clone());
        self.ctx.flow = Flow::Deliver(Box::new(store.deliver()));

        let mut head =
            ResponseHeader::build(parts.status, Some(lines.len() + 8)).map_err(failed)?;
        append_lines(&mut head, &lines).map_err(|e| End::Fault(e.into()))?;
        self.finish_head(&mut head, ends)
            .await
            .map_err(End::Fault)?;
        let exchange = self
            .ctx
            .flow
            .exchange()
            .ok_or_else(|| End::Fault(internal(&"no exchange")))?;
        add_node_fields(&mut head, exchange, Served::Miss, Some(&outcome)).map_err(failed)?;
        if !head.headers.contains_key(header::DATE) {
            // RFC 9110 section 6.6.1
            let now = httpdate::fmt_http_date(self.edge.node().clock().now());
            head.insert_header(header::DATE, now).map_err(failed)?;
        }
        Ok(head)
    }

    /// The response headers policy, and the function.
    async fn finish_head(&mut self, head: &mut ResponseHeader, ends: bool) -> Result<(), Fault> {
        let (Some(exchange), Some(request)) = (self.ctx.flow.exchange(), &self.request) else {
            return Err(internal(&"an answer to nothing"));
        };
        hide(head, &self.ctx, exchange);
        let (exchange, asked) = (exchange.clone(), asked_parts(request));
        let record = &self.ctx.record;
        response_policy::apply(head, asked, &exchange, record, Served::Miss)
            .map_err(|e| internal(&e))?;
        let event = EventType::ViewerResponse;
        // LE-424: the gate is the effective status.
        if head.status.as_u16() >= 400 || exchange.route.hook(event).is_none() {
            return Ok(());
        }
        let response = response_parts(head);
        let record = &mut self.ctx.record;
        let asked = self
            .edge
            .ask_viewer_response(&exchange, request, &response, record);
        let Some(result) = asked.await? else {
            return Ok(());
        };
        match take_result(head, &response, result)? {
            // Messages are the origin's alone, and end with a status that is no function's.
            Some(body) if !body.is_empty() || !ends => {
                let violation = cff::no_body_to_replace();
                let (node, record) = (self.edge.node(), &mut self.ctx.record);
                Err(hook::refused_late(
                    node, &exchange, event, violation, record,
                ))
            }
            _ => Ok(()),
        }
    }

    /// Sends the head of the answer; the stream that its messages go to, unless it `ends`.
    pub(super) fn send_head(
        &mut self,
        head: ResponseHeader,
        ends: bool,
    ) -> Result<Option<SendStream<Bytes>>, End> {
        let mut response = Response::new(());
        *response.status_mut() = head.status;
        response.headers_mut().clone_from(&head.headers);
        self.ctx.record.answers(Served::Miss, head.status.as_u16());
        let sent = self.respond.send_response(response, ends);
        let stream = sent.map_err(|e| End::of_viewer(&e))?;
        self.answered = Some(Box::new(head));
        Ok((!ends).then_some(stream))
    }

    /// Answers with the page for a fault, unless there is nobody to answer to. It is an answer like any other's, with its status, which
    /// gRPC's own are made of.
    pub(super) async fn fail(&mut self, fault: &Fault) {
        let mut reply = Reply::new(&mut self.respond, &self.peer);
        let (edge, head, ctx) = (self.edge, &self.head, &mut self.ctx);
        self.is_told = edge.answer_fault(&mut reply, head, ctx, fault).await;
    }

    /// Answers with what the viewer-request function has made.
    pub(super) async fn respond_with(&mut self, generated: Generated) {
        let mut reply = Reply::new(&mut self.respond, &self.peer);
        let (edge, head, ctx) = (self.edge, &self.head, &mut self.ctx);
        self.is_told = edge
            .answer_generated(&mut reply, head, ctx, generated)
            .await;
    }
}

fn failed(error: Box<Error>) -> End {
    End::Fault(internal(&error))
}
