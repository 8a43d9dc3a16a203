//! Custom error responses: a page that stands in for an error (CF section 6.9).
//!
//! The page is a request of its own, to the behaviour that takes its path: it is looked up, joins a fetch that is under way,
//! runs the functions on the origin's side, and is stored by that behaviour's rules, as if a viewer had asked for it
//! (CF-301, CF-592, CF-596). What sets it apart is where it begins, past all that guards the behaviour against viewers and past its
//! viewer-request function, and that its answer goes to the request that has failed: piece by piece as it comes, under
//! the status that is configured, with that request's own fields. For a page nothing stands in, so there is no second
//! substitution and no loop (CF-594).
//!
//! What becomes of the error itself does not depend on a page. It runs the origin's triggers and is kept as long as any other
//! (CF section 3.6). But nobody is shown its body, so that is not stored ([`without_body`]), and the viewer who waits for a page
//! holds up nobody who waits for the error.
//!
//! Pingora is about to send the error when its page is sent. It takes an answer that has been sent for its own: heads
//! and bodies that come afterwards go nowhere.

use std::sync::Arc;

use bytes::Bytes;
use fourfront_cache::Outcome;
use fourfront_model::{CacheMode, ErrorPage};
use http::{HeaderName, Method, StatusCode, header};
use parking_lot::Mutex;
use pingora::{
    Error, ErrorType, Result,
    cache::CacheMeta,
    http::{RequestHeader, ResponseHeader},
    protocols::http::{HttpTask, subrequest::server::SubrequestHandle},
    proxy::{Session, subrequest::Ctx as SubrequestCtx},
};

use super::{
    Edge,
    context::Ctx,
    deliver::{add_node_fields, apply_policy, ctx_internal, hide},
    direct::Outlet,
    storage::{StoredFacts, record},
    store::length,
    viewer_side::{host, split},
};
use crate::{
    flow::{Exchange, Fault, Flow, Replacement, Served, ViewerRequest},
    observe::access::HookRecord,
};

/// Why the cache takes no more of an error: it has what it needs.
pub(super) const STORED_WITHOUT_BODY: &str = "fourfront: stored without its body";

/// What a page's request needs to know of the one that has failed.
struct PageRequest {
    exchange: Exchange,
    head: RequestHeader,
    calls: Arc<Calls>,
}

/// The calls of functions that were made for a page; the viewer's record lists them.
#[derive(Debug, Default)]
pub(super) struct Calls(Mutex<Vec<HookRecord>>);

impl Calls {
    pub(super) fn add(&self, calls: &mut Vec<HookRecord>) {
        self.0.lock().append(calls);
    }
}

/// Fields of the failed request that say what it wanted of another object, or how it was sent.
const NOT_FOR_PAGE: [HeaderName; 16] = [
    header::RANGE,
    header::IF_RANGE,
    header::IF_MATCH,
    header::IF_NONE_MATCH,
    header::IF_MODIFIED_SINCE,
    header::IF_UNMODIFIED_SINCE,
    header::CONTENT_LENGTH,
    header::CONTENT_TYPE,
    header::CONTENT_ENCODING,
    header::TRANSFER_ENCODING,
    header::TRAILER,
    header::TE,
    header::EXPECT,
    header::UPGRADE,
    header::CONNECTION,
    header::PROXY_AUTHORIZATION,
];

/// The page that stands in for an error of that status, which is the answer to a request. None does for calls (CF-595), nor
/// for the page's own request by a viewer: it would be answered with itself (CF-594).
pub(super) fn page_for<'a>(
    exchange: &'a Exchange,
    method: &Method,
    path: &[u8],
    status: u16,
) -> Option<&'a ErrorPage> {
    let route = &exchange.route;
    let page = route.distribution().error_page(status)?;
    let object = |path: &[u8]| route.root_object(path);
    let same = matches!(*method, Method::GET | Method::HEAD)
        && object(path).as_deref().unwrap_or(path)
            == object(page.path.as_bytes())
                .as_deref()
                .unwrap_or(page.path.as_bytes());
    (!route.is_call() && !same).then_some(page)
}

/// The same, of Pingora's form of a request.
pub(super) fn page_of<'a>(
    exchange: &'a Exchange,
    request: &RequestHeader,
    status: u16,
) -> Option<&'a ErrorPage> {
    let (path, _) = split(request.raw_path());
    page_for(exchange, &request.method, path, status)
}

/// The record of an error without its body.
pub(super) fn without_body(meta: &CacheMeta) -> Result<CacheMeta> {
    let facts = StoredFacts::of(meta).ok_or_else(|| ctx_internal(&"a record without facts"))?;
    let mut head = meta.response_header_copy();
    head.remove_header(&header::TRANSFER_ENCODING);
    head.insert_header("Content-Length", "0")?;
    Ok(record(meta.created(), head, facts.without_body()))
}

impl Edge {
    /// Begins the request for a page, if this is one.
    pub(super) fn on_page(session: &mut Session, ctx: &mut Ctx) -> bool {
        let asked = session.subrequest_ctx.as_mut().and_then(|sub| {
            let asked = sub.user_ctx_mut()?.downcast_mut::<Option<PageRequest>>()?;
            asked.take()
        });
        let Some(asked) = asked else {
            return false;
        };
        // Its reader may be slow; those who follow it need not be.
        session.set_proxy_tasks_enabled(true);
        ctx.page = Some(asked.calls);
        ctx.body.end();
        let state = ViewerRequest {
            exchange: asked.exchange,
        };
        let (path, _) = split(asked.head.raw_path());
        ctx.flow = Flow::Lookup(Box::new(state.pass(path, &Method::GET)));
        *session.req_header_mut() = asked.head;
        true
    }

    /// Sends a page in the place of what Pingora is about to send: an error, or what stands for a fault. False when none
    /// stands in.
    ///
    /// # Errors
    /// When the page breaks off, and with it the viewer's answer.
    pub(super) async fn page_in_place(
        &self,
        session: &mut Session,
        ctx: &mut Ctx,
        fault: Option<&Fault>,
        status: StatusCode,
        outcome: &Outcome,
    ) -> Result<bool> {
        let error = match fault {
            Some(fault) => fault.status(),
            None => status.as_u16(),
        };
        if error < 400 || fault.is_some_and(|fault| !fault.takes_error_page()) {
            return Ok(false);
        }
        let served = served_for(fault);
        let sent = self
            .answer_with_page(session, ctx, error, served, Some(outcome))
            .await?;
        if sent.is_none() {
            return Ok(false);
        }
        if let Some(fault) = fault
            && ctx.record.error.is_none()
        {
            ctx.record.error = Some(fault.to_string());
        }
        let deliver = ctx.flow.deliver_mut().map_err(|e| ctx_internal(&e))?;
        deliver.served = served;
        deliver.replacement = Some(Replacement { body: None });
        ctx.answered = true;
        Ok(true)
    }

    /// Sends the page for an error and returns the status it went out with; `None` when no page stands in, or there is
    /// none to be had at all.
    ///
    /// # Errors
    /// When it breaks off, and with it the viewer's answer.
    pub(super) async fn answer_with_page(
        &self,
        session: &mut Session,
        ctx: &mut Ctx,
        error: u16,
        served: Served,
        outcome: Option<&Outcome>,
    ) -> Result<Option<u16>> {
        let head_is_out = |head: &ResponseHeader| !head.status.is_informational();
        let Some(exchange) = ctx.flow.exchange().filter(|_| ctx.serves_viewer()) else {
            return Ok(None);
        };
        let page = page_of(exchange, session.req_header(), error);
        let Some(page) = page.filter(|_| !session.response_written().is_some_and(head_is_out))
        else {
            return Ok(None);
        };
        let (page, exchange) = (page.clone(), exchange.clone());
        let sent = ctx.record.original_target.as_deref();
        let target = sent.unwrap_or_else(|| session.req_header().raw_path());
        let calls = Arc::new(Calls::default());
        let asked = PageRequest {
            exchange: Exchange {
                route: exchange.route.at(&page.path),
                bare_query: false,
                viewer_target: None,
                page_for: Some(Bytes::copy_from_slice(target)),
                ..exchange.clone()
            },
            head: request_for(session.req_header(), &page.path)?,
            calls: calls.clone(),
        };
        let Some(spawner) = &session.subrequest_spawner else {
            return Ok(None);
        };
        let context = SubrequestCtx::builder()
            .user_ctx(Box::new(Some(asked)))
            .build();
        let (request, mut answer) = spawner.create_subrequest(session.as_downstream(), context);
        let running = tokio::spawn(request.run());
        if closes(error) {
            session.set_keepalive(None);
        }
        let failed = Failed {
            exchange: &exchange,
            page: &page,
            served,
            outcome,
        };
        let brought = relay(session, ctx, &mut answer, &failed).await?;
        if matches!(brought, Brought::Page(_) | Brought::Other(_))
            && session.req_header().method != Method::HEAD
        {
            // What is left is that it is over; were nobody there to be told, it would take its viewer for gone. It has its
            // record by then.
            while answer.rx.recv().await.is_some() {}
            let _ = running.await;
        }
        ctx.record.hooks.append(&mut calls.0.lock());
        let told = match brought {
            Brought::Page(_) => "sent",
            Brought::Other(_) | Brought::Nothing => "unavailable",
            Brought::Part => "broken",
        };
        let distribution = &exchange.route.distribution().id;
        self.node().metrics().error_page(distribution, error, told);
        match brought {
            Brought::Page(status) | Brought::Other(status) => Ok(Some(status)),
            Brought::Nothing => Ok(None),
            Brought::Part => {
                // Anything that looks like an end would be taken for one.
                session.as_downstream_mut().shutdown().await;
                Err(Error::explain(ErrorType::ReadError, "the error page broke off").into_up())
            }
        }
    }
}

/// The request that a page is for.
struct Failed<'a> {
    exchange: &'a Exchange,
    page: &'a ErrorPage,
    served: Served,
    outcome: Option<&'a Outcome>,
}

/// What the request for a page has brought the viewer, and under which status.
#[derive(Clone, Copy, Debug)]
enum Brought {
    /// The page.
    Page(u16),
    /// Another answer, since the page could not be had (CF-594).
    Other(u16),
    /// An answer that broke off.
    Part,
    /// None.
    Nothing,
}

/// Passes the answer to a page's request on to the viewer, piece by piece.
///
/// # Errors
/// When the viewer does not take it.
async fn relay(
    session: &mut Session,
    ctx: &mut Ctx,
    answer: &mut SubrequestHandle,
    failed: &Failed<'_>,
) -> Result<Brought> {
    let mut head = loop {
        match answer.rx.recv().await {
            Some(HttpTask::Header(head, _)) if head.status.is_informational() => {}
            Some(HttpTask::Header(head, _)) => break head,
            _ => return Ok(Brought::Nothing),
        }
    };
    let is_page = head.status.is_success();
    // Not every answer tells its end in another way; those that the node makes do not.
    let mut left = length(&head);
    finish_head(&mut head, session, ctx, failed)?;
    let whole = match is_page {
        true => Brought::Page(head.status.as_u16()),
        false => Brought::Other(head.status.as_u16()),
    };
    // CF-597: the page is fetched all the same, for whoever comes with GET.
    let ends = left == Some(0) || session.req_header().method == Method::HEAD;
    ctx.record.answers(failed.served, head.status.as_u16());
    session.write_response_header(head, ends).await?;
    ctx.record.served = Some(failed.served);
    if ends {
        return Ok(whole);
    }
    loop {
        let (data, mut end) = match answer.rx.recv().await {
            Some(HttpTask::Body(data, end)) => (data, end),
            Some(HttpTask::Trailer(_) | HttpTask::Done) => (None, true),
            // Nothing else belongs to an answer; and without an end it is none.
            _ => return Ok(Brought::Part),
        };
        let bytes = data.as_ref().map_or(0, Bytes::len) as u64;
        if let Some(left) = &mut left {
            *left = left.saturating_sub(bytes);
            end |= *left == 0;
        }
        if bytes > 0 || end {
            session.write_response_body(data, end).await?;
        }
        if end {
            return Ok(whole);
        }
    }
}

/// How the answer is counted: an error whatever status it goes out with (CF-513, CF-593).
pub(super) fn served_for(fault: Option<&Fault>) -> Served {
    match fault.map(Fault::served) {
        Some(served @ Served::NodeError(_)) => served,
        _ => Served::NodeError("Error"),
    }
}

/// The request for a page: GET, with what policies and functions may look at of the viewer's request.
fn request_for(failed: &RequestHeader, path: &str) -> Result<RequestHeader> {
    let mut head = failed.clone();
    head.set_method(Method::GET);
    if !head.headers.contains_key(header::HOST)
        && let Some(host) = host(failed)
    {
        // HTTP/2 has it in its target, which is about to be replaced.
        head.insert_header("Host", host.to_owned())?;
    }
    head.set_raw_path(path.as_bytes())?;
    for name in &NOT_FOR_PAGE {
        head.remove_header(name);
    }
    Ok(head)
}

/// Makes the head of a page that of the viewer's answer (CF-010.16, .17). A page that could not be had goes out under its own
/// status (CF-594).
fn finish_head(
    head: &mut ResponseHeader,
    session: &Session,
    ctx: &Ctx,
    failed: &Failed<'_>,
) -> Result<()> {
    let (exchange, served) = (failed.exchange, failed.served);
    if head.status.is_success() {
        head.set_status(failed.page.response_code)?;
    }
    hide(head, ctx, exchange);
    if exchange.route.distribution().cache_mode == CacheMode::Rfc9111 {
        // How the page came about is not how the answer did.
        head.remove_header("cache-status");
    }
    apply_policy(head, session, ctx, exchange, served)?;
    add_node_fields(head, exchange, served, failed.outcome)?;
    if let (Some(date), Some(h1)) = (
        head.headers.get(header::DATE),
        session.as_downstream().as_http1(),
    ) {
        Outlet::set_date(h1.stream(), date);
    }
    Ok(())
}

/// Whether the connection ends with the page for an error (CF-507).
const fn closes(error: u16) -> bool {
    matches!(error, 400 | 405 | 414 | 416 | 500 | 501)
}
