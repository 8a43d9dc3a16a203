//! The last steps before the wire: what every answer carries (CF section 6.1), answers the node
//! or a function makes itself, and the viewer-response function.

use bytes::Bytes;
use fourfront_cache::Outcome;
use fourfront_hooks::{cff, validate::ResponseResult};
use fourfront_model::{CacheMode, EventType};
use fourfront_origin::shield::FIELD;
use http::{HeaderValue, Method, header};
use pingora::{Result, http::ResponseHeader, proxy::Session};

use super::{
    Edge,
    context::{Ctx, Record},
    error_page::served_for,
    headers::{append_lines, lines, set_lines},
    hook::{self, Shown},
    response_policy, shielded,
};
use crate::flow::{
    ErrorAnswer, Exchange, Fault, Generated, NodeFault, Replacement, Served, generated,
    hook::{RequestParts, ResponseParts},
    reason,
};

/// The viewer's request as the viewer-request function left it (LE-095), with the whole query whatever the policies
/// are (LE-093).
pub(super) fn viewer_parts(session: &Session) -> RequestParts {
    let request = session.req_header();
    let (path, query) = RequestParts::split_target(request.raw_path());
    RequestParts {
        method: request.method.clone(),
        path,
        query,
        lines: lines(request),
    }
}

/// The head of a response as functions see it.
pub(super) fn response_parts(response: &ResponseHeader) -> ResponseParts {
    let status = response.status.as_u16();
    ResponseParts {
        status,
        description: response
            .get_reason_phrase()
            .unwrap_or_else(|| reason(status))
            .to_owned(),
        lines: lines(response),
    }
}

/// The fields the node adds to every answer (CF-500..505, CF-509, CF-800). `Date` is not among them: what an answer lacks
/// is added where it is written (CF-320).
pub(super) fn add_node_fields(
    response: &mut ResponseHeader,
    exchange: &Exchange,
    served: Served,
    outcome: Option<&Outcome>,
) -> Result<()> {
    let status = response.status.as_u16();
    let node = exchange.route.fields();
    if !response.headers.contains_key(header::SERVER) {
        response.insert_header("Server", node.server.clone())?;
    }
    response.insert_header("X-Cache", node.x_cache(served.x_cache(status)))?;
    response.insert_header("Via", node.via.clone())?;
    response.insert_header("X-Amz-Cf-Pop", node.pop.clone())?;
    response.insert_header("X-Amz-Cf-Id", header_value(exchange.request_id.as_str()))?;
    if let Some(cookie) = exchange.staged.as_ref().and_then(|s| s.cookie()) {
        // CF-454
        response.append_header("Set-Cookie", cookie.clone())?;
    }
    if exchange.route.distribution().cache_mode == CacheMode::Rfc9111
        && let (Some(outcome), Some(name)) = (outcome, &node.cache_name)
    {
        let field = outcome
            .cache_status(name, response.status, None)
            .to_string();
        response.insert_header("Cache-Status", header_value(&field))?;
    }
    Ok(())
}

/// A value the node made of ASCII text; anything else is left out rather than sent broken.
fn header_value(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).unwrap_or_else(|_| HeaderValue::from_static(""))
}

impl Edge {
    /// Sends an answer the node makes itself (CF-780..783).
    pub(super) async fn send_error(
        &self,
        session: &mut Session,
        ctx: &mut Ctx,
        fault: &Fault,
    ) -> Result<u16> {
        if fault.takes_error_page() {
            let (status, served) = (fault.status(), served_for(Some(fault)));
            let outcome = ctx.record.outcome.clone();
            let page = self.answer_with_page(session, ctx, status, served, outcome.as_ref());
            if let Some(status) = page.await? {
                if ctx.record.error.is_none() {
                    ctx.record.error = Some(fault.to_string());
                }
                return Ok(status);
            }
        }
        let exchange = ctx.flow.exchange().cloned();
        let identity;
        let (id, identity) = match &exchange {
            Some(e) => (e.request_id, &e.route.distribution().identity),
            None => {
                identity = fourfront_model::Identity::default();
                (crate::flow::RequestId::random(), &identity)
            }
        };
        let answer = ErrorAnswer::new(fault, id.as_str(), identity);
        let mut head = ResponseHeader::build(answer.status, Some(12))?;
        head.insert_header("Content-Type", answer.content_type)?;
        head.insert_header("Content-Length", answer.body.len())?;
        if let Some(location) = &answer.location {
            head.insert_header("Location", location.clone())?;
        }
        if answer.status == 494 {
            head.set_reason_phrase(Some(reason(494)))?;
        }
        if answer.no_store {
            head.insert_header("Cache-Control", "no-store")?;
        }
        if let Some(allow) = answer.allow {
            head.insert_header("Allow", allow)?;
        }
        match &exchange {
            Some(_) if shielded::add_fault(&mut head, ctx, fault)? => {}
            Some(exchange) => {
                // Redirects to HTTPS too (CF-524).
                apply_policy(&mut head, session, ctx, exchange, answer.served)?;
                add_node_fields(&mut head, exchange, answer.served, None)?;
            }
            None => {
                shielded::add_fault(&mut head, ctx, fault)?;
                head.insert_header("Server", identity.product())?;
                let token = answer.served.x_cache(answer.status);
                head.insert_header(
                    "X-Cache",
                    format!("{token} from {}", identity.x_cache_suffix()),
                )?;
                let (node, domain) = (self.node().name(), identity.domain());
                let via = format!("1.1 {node}.{domain} ({})", identity.product());
                head.insert_header("Via", header_value(&via))?;
                head.insert_header("X-Amz-Cf-Pop", self.node().snapshot().pop())?;
                head.insert_header("X-Amz-Cf-Id", id.as_str())?;
            }
        }
        if answer.close {
            session.set_keepalive(None);
        }
        ctx.record.served = Some(answer.served);
        ctx.record.answers(answer.served, answer.status);
        if ctx.record.error.is_none() {
            ctx.record.error = Some(fault.to_string());
        }
        let with_body = session.req_header().method != Method::HEAD;
        session
            .write_response_header(Box::new(head), !with_body)
            .await?;
        if with_body {
            session.write_response_body(Some(answer.body), true).await?;
        }
        Ok(answer.status)
    }

    /// Sends a response a function made (LE-155..170). The viewer-response function runs for those made at
    /// origin-request with a status below 400 (LE-026, LE-027), never for those made at viewer-request
    /// (LE-163).
    pub(super) async fn send_generated(
        &self,
        session: &mut Session,
        ctx: &mut Ctx,
        generated: Generated,
        outcome: Option<&Outcome>,
    ) -> Result<()> {
        let mut head = generated_head(&generated)?;
        let mut body = generated.body;
        let deliver = ctx.flow.deliver().map_err(|e| ctx_internal(&e))?;
        let exchange = deliver.exchange.clone();
        let mut served = deliver.served;
        if outcome.is_some() {
            // Made at origin-request, or of an origin's answer: an error among them is one of the origin's (CF-595).
            let (error, as_error) = (generated.status, served_for(None));
            let page = self.answer_with_page(session, ctx, error, as_error, outcome);
            if page.await?.is_some() {
                return Ok(());
            }
            hide(&mut head, ctx, &exchange);
        }
        apply_policy(&mut head, session, ctx, &exchange, served)?;
        if !served.is_generated_at_viewer() && ctx.serves_viewer() && head.status.as_u16() < 400 {
            let ran = self.viewer_response(session, ctx, &exchange, &mut head);
            match ran.await {
                Ok(None) => {}
                Ok(Some(replaced)) => body = replaced,
                Err(fault) => {
                    let answer = ErrorAnswer::new(
                        &fault,
                        exchange.request_id.as_str(),
                        &exchange.route.distribution().identity,
                    );
                    head = error_head(&answer)?;
                    served = answer.served;
                    apply_policy(&mut head, session, ctx, &exchange, served)?;
                    body = answer.body;
                }
            }
        }
        ctx.record.served = Some(served);
        ctx.record.answers(served, head.status.as_u16());
        shielded::add_fields(&mut head, ctx, &exchange, served, outcome)?;
        // LE-168: HEAD gets the length and no body. 204 and 304 have neither.
        let bodyless = matches!(head.status.as_u16(), 204 | 304);
        if !bodyless {
            head.insert_header("Content-Length", body.len())?;
        }
        let with_body =
            !bodyless && session.req_header().method != Method::HEAD && !body.is_empty();
        session
            .write_response_header(Box::new(head), !with_body)
            .await?;
        if with_body {
            session.write_response_body(Some(body), true).await?;
        }
        Ok(())
    }

    /// Runs the viewer-response function on a head that is about to be sent (LE-190..195, LE-416). Gives the body that
    /// takes the place of the answer's own, which only a CloudFront Function can make (LE-422).
    pub(super) async fn viewer_response(
        &self,
        session: &Session,
        ctx: &mut Ctx,
        exchange: &Exchange,
        head: &mut ResponseHeader,
    ) -> std::result::Result<Option<Bytes>, Fault> {
        if exchange.route.hook(EventType::ViewerResponse).is_none() {
            return Ok(None);
        }
        let request = viewer_parts(session);
        let response = response_parts(head);
        let asked = self.ask_viewer_response(exchange, &request, &response, &mut ctx.record);
        match asked.await? {
            Some(result) => take_result(head, &response, result),
            None => Ok(None),
        }
    }

    /// Runs the viewer-response function on a response that it may change; `None` when it leaves it as it is, having
    /// failed where that is no matter (LE-281).
    pub(super) async fn ask_viewer_response(
        &self,
        exchange: &Exchange,
        request: &RequestParts,
        response: &ResponseParts,
        record: &mut Record,
    ) -> std::result::Result<Option<ResponseResult>, Fault> {
        let event = EventType::ViewerResponse;
        let seen = generated::seen(exchange, event, request);
        let shown = Shown {
            request: seen.as_ref().unwrap_or(request),
            body: None,
            origin: None,
            response: Some(response),
        };
        let result = hook::run(self.node(), exchange, event, shown, record).await?;
        Ok(result.map(hook::response_only).transpose()?)
    }

    /// The end of every relayed or stored answer: `Age`, the viewer-response function, the node's fields. A
    /// function that fails gets this viewer an error page while the transfer goes on (LE-279).
    pub(super) async fn finish_head(
        &self,
        session: &mut Session,
        ctx: &mut Ctx,
        head: &mut ResponseHeader,
        outcome: &Outcome,
    ) -> Result<()> {
        let deliver = ctx.flow.deliver().map_err(|e| ctx_internal(&e))?;
        let exchange = deliver.exchange.clone();
        let served = deliver.served;
        hide(head, ctx, &exchange);
        apply_policy(head, session, ctx, &exchange, served)?;
        // LE-023..036, LE-424: the gate is the effective status. No function runs for the viewer of an error page
        // (LE-032).
        if head.status.as_u16() >= 400 || !ctx.serves_viewer() {
            return shielded::add_fields(head, ctx, &exchange, served, Some(outcome));
        }
        let replaceable = !ends_with_head(head) && head.status.as_u16() != 206;
        match self.viewer_response(session, ctx, &exchange, head).await {
            Ok(None) => add_node_fields(head, &exchange, served, Some(outcome)),
            Ok(Some(body)) if replaceable || body.is_empty() => {
                replace_body(session, head, ctx, body, replaceable)?;
                add_node_fields(head, &exchange, served, Some(outcome))
            }
            Ok(Some(_)) => {
                let event = EventType::ViewerResponse;
                let violation = cff::no_body_to_replace();
                let node = self.node();
                let fault = hook::refused_late(node, &exchange, event, violation, &mut ctx.record);
                swap(session, head, ctx, &fault)
            }
            Err(fault) => swap(session, head, ctx, &fault),
        }
    }
}

/// Makes a head, which a function saw as `response`, into what that made of it. Gives the body that takes the place of the
/// answer's own.
pub(super) fn take_result(
    head: &mut ResponseHeader,
    response: &ResponseParts,
    result: ResponseResult,
) -> std::result::Result<Option<Bytes>, Fault> {
    if result.headers_changed {
        match result.headers.strip_prefix(&*response.lines) {
            // What most do: everything stays, some is added.
            Some(added) => append_lines(head, added)?,
            None => set_lines(head, &result.headers)?,
        }
    }
    let mut description = result.status_description;
    if result.status != response.status {
        // LE-421: a CloudFront Function may.
        head.set_status(result.status).map_err(|e| internal(&e))?;
        description.get_or_insert_with(|| reason(result.status).to_owned());
    }
    if let Some(description) = description
        && description != response.description
    {
        let _ = head.set_reason_phrase(Some(&description));
    }
    Ok(result.body.map(Bytes::from))
}

/// Applies the behaviour's response headers policy, where a viewer is answered (CF-554).
pub(super) fn apply_policy(
    head: &mut ResponseHeader,
    session: &Session,
    ctx: &Ctx,
    exchange: &Exchange,
    served: Served,
) -> Result<()> {
    if !ctx.serves_viewer() {
        return Ok(());
    }
    let asked = response_policy::asked(session.req_header());
    response_policy::apply(head, asked, exchange, &ctx.record, served)
}

/// CF-675, CF-801: tags and targeted cache control are the node's affair, where the site file says so. The stored head keeps
/// them.
pub(super) fn hide(head: &mut ResponseHeader, ctx: &Ctx, exchange: &Exchange) {
    if ctx.at_shield {
        // They are the edge's affair as well.
        return;
    }
    for name in &exchange.route.fields().hidden {
        head.remove_header(name);
    }
}

/// Whether the answer that Pingora is about to send ends with this head: then no body callback comes that could send
/// another body.
fn ends_with_head(head: &ResponseHeader) -> bool {
    matches!(head.status.as_u16(), 204 | 304)
        || head
            .headers
            .get(header::CONTENT_LENGTH)
            .is_some_and(|l| l == "0")
}

/// Has the body callbacks send a function's body in place of the answer's own (LE-422); the length is the node's
/// (LE-423).
fn replace_body(
    session: &Session,
    head: &mut ResponseHeader,
    ctx: &mut Ctx,
    mut body: Bytes,
    has_body: bool,
) -> Result<()> {
    head.remove_header(&header::TRANSFER_ENCODING);
    if matches!(head.status.as_u16(), 204 | 304) {
        // A status the function has chosen: neither has a body.
        head.remove_header(&header::CONTENT_LENGTH);
        body.clear();
    } else {
        head.insert_header("Content-Length", body.len())?;
    }
    if session.req_header().method == Method::HEAD {
        body.clear();
    }
    if has_body {
        let deliver = ctx.flow.deliver_mut().map_err(|e| ctx_internal(&e))?;
        deliver.replacement = Some(Replacement { body: Some(body) });
    }
    Ok(())
}

/// Puts the page for a fault in the place of the answer Pingora is about to send: head here, body in the body
/// callback. The transfer behind it goes on, so the cache and other viewers get what they would have got
/// (LE-279).
pub(super) fn swap(
    session: &Session,
    head: &mut ResponseHeader,
    ctx: &mut Ctx,
    fault: &Fault,
) -> Result<()> {
    // Where no body can follow any more, the replacement's is left out and the length says so.
    let to_head = session.req_header().method == Method::HEAD;
    let no_body = ends_with_head(head);
    let for_viewer = ctx.serves_viewer();
    let mut told = ResponseHeader::build(200, Some(1))?;
    let for_edge = shielded::add_fault(&mut told, ctx, fault)?;
    let deliver = ctx.flow.deliver_mut().map_err(|e| ctx_internal(&e))?;
    let exchange = &deliver.exchange;
    let identity = &exchange.route.distribution().identity;
    let answer = ErrorAnswer::new(fault, exchange.request_id.as_str(), identity);
    if ctx.record.error.is_none() {
        ctx.record.error = Some(fault.to_string());
    }
    *head = error_head(&answer)?;
    let mut body = if no_body { Bytes::new() } else { answer.body };
    head.insert_header("Content-Length", body.len())?;
    if to_head {
        // CF-782: the length it would have, and nothing.
        body.clear();
    }
    if for_viewer {
        let asked = response_policy::asked(session.req_header());
        response_policy::apply(head, asked, exchange, &ctx.record, answer.served)?;
    }
    match told.headers.get(FIELD).filter(|_| for_edge) {
        Some(told) => head.insert_header(FIELD, told.clone())?,
        None => add_node_fields(head, exchange, answer.served, None)?,
    }
    deliver.served = answer.served;
    deliver.replacement = Some(Replacement { body: Some(body) });
    Ok(())
}

pub(super) fn generated_head(generated: &Generated) -> Result<ResponseHeader> {
    let mut head = ResponseHeader::build(generated.status, Some(generated.lines.len() + 8))?;
    if let Some(description) = &generated.description {
        head.set_reason_phrase(Some(description))?;
    }
    set_lines(&mut head, &generated.lines).map_err(|e| ctx_internal(&e))?;
    // The proxy owns the length (LE-166, LE-227).
    head.remove_header(&header::CONTENT_LENGTH);
    head.remove_header(&header::TRANSFER_ENCODING);
    Ok(head)
}

pub(super) fn error_head(answer: &ErrorAnswer) -> Result<ResponseHeader> {
    let mut head = ResponseHeader::build(answer.status, Some(12))?;
    head.insert_header("Content-Type", answer.content_type)?;
    if answer.no_store {
        head.insert_header("Cache-Control", "no-store")?;
    }
    Ok(head)
}

/// An internal error for Pingora; `fail_to_proxy` turns it into a 500.
pub(super) fn ctx_internal(cause: &impl ToString) -> Box<pingora::Error> {
    pingora::Error::explain(pingora::ErrorType::InternalError, cause.to_string())
}

/// `NodeFault` for a state that cannot be.
pub(super) fn internal(cause: &impl ToString) -> Fault {
    NodeFault::Internal(cause.to_string()).into()
}
