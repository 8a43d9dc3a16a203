//! What a request is answered with, as far as it can be answered from memory and by viewer-side functions.

use std::{sync::Arc, time::SystemTime};

use bytes::Bytes;
use fourfront_cache::{
    Outcome,
    memory::Object,
    policy::{Reuse, Verdict},
};
use fourfront_hooks::cff;
use fourfront_model::{Asked as AskedHeaders, EventType, HeaderLine, HeaderLines};
use http::{HeaderMap, HeaderName, Method, StatusCode, header};

use super::{
    Way,
    request::ViewerHead,
    wire::{
        number_line, put_end, put_field, put_lines, put_node_fields, put_number_field, put_status,
        tells_cache_status,
    },
};
use crate::{
    flow::{
        ErrorAnswer, Exchange, Fault, Flow, Generated, Lookup, Served, ViewerFacts, ViewerFault,
        ViewerRequest, admit,
        hook::{RequestParts, ResponseParts},
        reason,
        server_timing::Tier,
        staging,
    },
    observe::access::{AnswerFields, Wanted},
    pingora::{
        Edge,
        context::{Ctx, Record},
        error_page::page_for,
        hook,
        pace::PIECE,
        packed::{Has, Packed},
        record::{Ended, Sent, VIEWER_GONE},
        response_policy::{self, SERVER_TIMING, asked_parts},
        storage::{Found, Head},
        viewer_side::{Asked, Keyed, split},
    },
};

/// What became of a request.
pub(super) enum Answer {
    /// It was answered; whether the connection may go on.
    Sent(bool),
    /// It needs more than this way has. What has been done for it stands in the context, if anything has.
    NotHere(Option<Box<Ctx>>),
}

/// The answer to a request, but for what every answer carries.
struct Reply {
    status: u16,
    description: Option<String>,
    lines: HeaderLines,
    length: Length,
    body: Content,
    served: Served,
    outcome: Option<Outcome>,
    close: bool,
}

/// What an answer says about the length of its body.
enum Length {
    /// What is in its lines.
    AsTold,
    /// Nothing: it has none, whatever its lines say.
    Untold,
    /// So many bytes, whatever its lines say.
    Bytes(u64),
}

/// A body.
enum Content {
    Made(Bytes),
    Stored(Arc<Object<Head>>),
}

impl Content {
    fn len(&self) -> u64 {
        match self {
            Self::Made(bytes) => bytes.len() as u64,
            Self::Stored(object) => object.body().len(),
        }
    }
}

impl Edge {
    /// Answers a request, or leaves it to Pingora's way. `keep_alive`: whether the node would go on with the connection.
    pub(super) async fn answer(
        &self,
        connection: &mut impl Way,
        head: &ViewerHead,
        keep_alive: bool,
    ) -> Answer {
        let mut ctx = Ctx::new(self.node().in_flight().enter());
        let snapshot = self.node().snapshot();
        let facts = ViewerFacts {
            method: &head.method,
            target: &head.target,
            host: head.host(),
            version: head.version,
            headers: &head.headers,
            raw_head: &head.raw,
            head_bytes: head.bytes,
            peer: connection.viewer(),
            is_https: connection.tls().is_some(),
            tls: connection.tls(),
            has_body: false,
            https_port: self.node().https_port(),
            limits: &snapshot.settings().limits,
            now: self.node().clock().now(),
            draw: staging::draw,
        };
        if let Err(fault) = self.take_on(&mut ctx, &snapshot, &facts) {
            return match failed_reply(&mut ctx, &fault, asked(head)) {
                Some(reply) => {
                    self.node().metrics().refused("requests");
                    self.send(connection, head, &mut ctx, reply, keep_alive)
                        .await
                }
                // Who asks for nobody that is known is told by Pingora's way.
                None => Answer::NotHere(None),
            };
        }
        let mut state = match admit(&snapshot, &facts) {
            Ok(state) => state,
            Err(refusal) => return refused(*refusal, ctx),
        };
        state.exchange.server = connection.server();
        let staged = state.exchange.staged.as_ref();
        if staged.is_some_and(|staged| staged.hides_cookie(&head.headers)) {
            // Here a head is as it was sent.
            ctx.flow = Flow::ViewerRequest(Box::new(state));
            return Answer::NotHere(Some(Box::new(ctx)));
        }

        let mut changed = None;
        if state
            .exchange
            .route
            .hook(EventType::ViewerRequest)
            .is_some()
        {
            // A GET or HEAD has no body to show.
            ctx.body.end();
            let request = viewer_parts(head);
            let reply = match self.ask_viewer_request(&mut ctx, state, request).await {
                Asked::Continue(request) => {
                    changed = request;
                    None
                }
                Asked::Respond(generated) => generated_reply(&ctx, generated, asked(head)),
                Asked::Fail(fault) => failed_reply(&mut ctx, &fault, asked(head)),
            };
            if let Some(reply) = reply {
                return self
                    .send(connection, head, &mut ctx, reply, keep_alive)
                    .await;
            }
        } else {
            let (path, _) = split(&head.target);
            ctx.flow = Flow::Lookup(Box::new(state.pass(path, &head.method)));
        }

        if let Flow::Lookup(lookup) = &mut ctx.flow {
            match &changed {
                None => lookup.heed(&head.headers),
                Some(request) => lookup.heed(&header_map(&request.lines)),
            }
        }
        let now = self.node().clock().now();
        let found = match &ctx.flow {
            Flow::Lookup(lookup) => self.find_fresh(head, changed.as_ref(), lookup, now).await,
            _ => None,
        };
        let Some((object, tier, key)) = found else {
            ctx.changed = changed;
            return Answer::NotHere(Some(Box::new(ctx)));
        };
        let Ok(lookup) = ctx.flow.take_lookup() else {
            return Answer::Sent(false);
        };
        let outcome = Outcome::Hit {
            ttl: object.head().facts().freshness().ttl(now),
        };
        ctx.record.outcome = Some(outcome.clone());
        ctx.record.tier = Some(tier);
        ctx.record.key = Some(key);
        ctx.flow = Flow::Deliver(Box::new(lookup.found(Served::Hit)));
        self.hit(
            connection, head, changed, &mut ctx, object, outcome, now, keep_alive,
        )
        .await
    }

    /// The fresh object in memory that answers a request, if there is one. Small objects on disk are taken into memory.
    async fn find_fresh(
        &self,
        head: &ViewerHead,
        changed: Option<&RequestParts>,
        lookup: &Lookup,
        now: SystemTime,
    ) -> Option<(Arc<Object<Head>>, Tier, [u8; 16])> {
        if lookup.bypass.is_some() || !lookup.asked.is_empty() {
            return None;
        }
        // What a function made of the request is what counts from here on.
        let target;
        let map;
        let (target, headers) = match changed {
            None => (&*head.target, &head.headers),
            Some(request) => {
                target = request.target();
                map = header_map(&request.lines);
                (&*target, &map)
            }
        };
        let keyed = Keyed {
            method: &head.method,
            target,
            headers,
            version: head.version,
        };
        let key = self.key_of(&keyed, lookup)?;
        let cache = self.node().cache();
        let object = match cache.stored(&key) {
            Some(object) => (object, Tier::Memory, *key.as_bytes()),
            None if cache.has_disk() => match cache.find(&key).await? {
                Found::Object(object) => (object, Tier::Disk, *key.as_bytes()),
                Found::OnDisk(_) => return None,
            },
            None => return None,
        };
        let stored = object.0.head();
        let freshness = stored.facts().untouched()?;
        // The record of a failure has a page for each viewer (CF-296).
        let fresh = stored.facts().fault.is_none()
            && stored.facts().layout.is_none()
            && !stored.facts().has_no_body
            && !is_for_a_page(lookup, head, target, stored.packed().status())
            && freshness.reuse() != Reuse::Refetch
            && freshness.judge(now) == Verdict::Fresh
            && !asks_for_part(headers)
            && stored
                .packed()
                .with_vary(|vary| self.variant(vary, &lookup.exchange, headers))
                == stored.variance();
        fresh.then_some(object)
    }

    /// Answers with the page for a fault, where it is known to whom the request belongs; whether it was.
    pub(super) async fn answer_fault(
        &self,
        connection: &mut impl Way,
        head: &ViewerHead,
        ctx: &mut Ctx,
        fault: &Fault,
    ) -> bool {
        let reply = failed_reply(ctx, fault, asked(head));
        self.answer_with(connection, head, ctx, reply).await
    }

    /// Answers with what a viewer-request function has made; whether there was something.
    pub(super) async fn answer_generated(
        &self,
        connection: &mut impl Way,
        head: &ViewerHead,
        ctx: &mut Ctx,
        generated: Generated,
    ) -> bool {
        let reply = generated_reply(ctx, generated, asked(head));
        self.answer_with(connection, head, ctx, reply).await
    }

    async fn answer_with(
        &self,
        connection: &mut impl Way,
        head: &ViewerHead,
        ctx: &mut Ctx,
        reply: Option<Reply>,
    ) -> bool {
        let Some(reply) = reply else {
            return false;
        };
        self.send(connection, head, ctx, reply, true).await;
        true
    }

    /// Answers from a fresh object.
    #[expect(clippy::too_many_arguments, reason = "what is known by now, once")]
    async fn hit(
        &self,
        connection: &mut impl Way,
        head: &ViewerHead,
        changed: Option<RequestParts>,
        ctx: &mut Ctx,
        object: Arc<Object<Head>>,
        outcome: Outcome,
        now: SystemTime,
        keep_alive: bool,
    ) -> Answer {
        let age = object.head().facts().freshness().age_seconds(now);
        let Ok(deliver) = ctx.flow.deliver() else {
            return Answer::Sent(false);
        };
        let exchange = &deliver.exchange;
        let packed = object.head().packed();
        let status = packed.status().as_u16();
        let hidden = &exchange.route.fields().hidden;
        // LE-023..036, LE-424: the gate is the effective status.
        let has_function = status < 400 && exchange.route.hook(EventType::ViewerResponse).is_some();
        if !has_function && !packed.has_cache_status() {
            let out = connection.out();
            out.clear();
            let has = match exchange.route.behavior().response_headers_policy {
                None => {
                    let has = packed.put(out, hidden);
                    put_number_field(out, b"Age", age);
                    has
                }
                Some(_) => {
                    let asked = changed.as_ref().map_or_else(|| asked(head), asked_parts);
                    put_by_policy(out, packed, (exchange, &ctx.record), asked, age)
                }
            };
            if !has.length {
                put_number_field(out, b"Content-Length", object.body().len());
            }
            put_node_fields(
                out,
                exchange,
                status,
                Served::Hit,
                Some(&outcome),
                has.server,
            );
            let keep_alive = keep_alive && head.keep_alive;
            put_end(out, now, has.date, keep_alive);
            let body = Content::Stored(object);
            return self
                .finish(
                    connection,
                    head,
                    ctx,
                    (status, Served::Hit),
                    body,
                    keep_alive,
                )
                .await;
        }
        let mut lines = packed.lines(hidden, 2);
        if !lines.iter().any(|line| line.name == header::CONTENT_LENGTH) {
            let length = object.body().len();
            lines.push(number_line(
                header::CONTENT_LENGTH,
                "Content-Length",
                length,
            ));
        }
        lines.push(number_line(header::AGE, "Age", age));
        let asked = changed.as_ref().map_or_else(|| asked(head), asked_parts);
        let served = Served::Hit;
        response_policy::apply_to_lines(&mut lines, asked, exchange, &ctx.record, served);
        let reply = Reply {
            status,
            description: Some(packed.description().to_owned()),
            lines,
            length: Length::AsTold,
            body: Content::Stored(object.clone()),
            served: Served::Hit,
            outcome: Some(outcome),
            close: false,
        };
        let reply = if has_function {
            let request = changed.unwrap_or_else(|| viewer_parts(head));
            self.viewer_response_direct(ctx, &request, reply).await
        } else {
            Some(reply)
        };
        match reply {
            Some(reply) => self.send(connection, head, ctx, reply, keep_alive).await,
            None => Answer::Sent(false),
        }
    }

    /// Lets the viewer-response function change a hit (LE-190..195, LE-416).
    async fn viewer_response_direct(
        &self,
        ctx: &mut Ctx,
        request: &RequestParts,
        mut reply: Reply,
    ) -> Option<Reply> {
        let exchange = ctx.flow.deliver().ok()?.exchange.clone();
        let response = ResponseParts {
            status: reply.status,
            description: reply
                .description
                .take()
                .unwrap_or_else(|| reason(reply.status).to_owned()),
            lines: reply.lines,
        };
        // The same as of an answer that is relayed while it arrives.
        let replaceable = !matches!(reply.status, 204 | 206 | 304) && !is_empty(&response.lines);
        let asked = self.ask_viewer_response(&exchange, request, &response, &mut ctx.record);
        let result = match asked.await {
            Ok(Some(result)) => result,
            Ok(None) => {
                reply.description = Some(response.description);
                reply.lines = response.lines;
                return Some(reply);
            }
            Err(fault) => return failed_reply(ctx, &fault, asked_parts(request)),
        };
        reply.description = result.status_description.or_else(|| {
            let same = result.status == response.status;
            // LE-421: a CloudFront Function may choose another status.
            Some(if same {
                response.description
            } else {
                reason(result.status).to_owned()
            })
        });
        reply.status = result.status;
        reply.lines = if result.headers_changed {
            result.headers
        } else {
            response.lines
        };
        match result.body.map(Bytes::from) {
            None => {}
            Some(body) if replaceable || body.is_empty() => {
                // LE-422; the length is the node's (LE-423). 204 and 304, which the function may have chosen, have none.
                let bodyless = matches!(reply.status, 204 | 304);
                let body = if bodyless { Bytes::new() } else { body };
                reply.length = if bodyless {
                    Length::Untold
                } else {
                    Length::Bytes(body.len() as u64)
                };
                reply.body = Content::Made(body);
            }
            Some(_) => {
                let event = EventType::ViewerResponse;
                let violation = cff::no_body_to_replace();
                let fault =
                    hook::refused_late(self.node(), &exchange, event, violation, &mut ctx.record);
                return failed_reply(ctx, &fault, asked_parts(request));
            }
        }
        Some(reply)
    }

    /// Writes the head of a reply and sends it.
    async fn send(
        &self,
        connection: &mut impl Way,
        head: &ViewerHead,
        ctx: &mut Ctx,
        reply: Reply,
        keep_alive: bool,
    ) -> Answer {
        let Some(exchange) = ctx.flow.exchange() else {
            return Answer::Sent(false);
        };
        let keep_alive = keep_alive && head.keep_alive && !reply.close;
        let tells_outcome = reply.outcome.is_some() && tells_cache_status(exchange);
        let out = connection.out();
        out.clear();
        put_status(out, reply.status, reply.description.as_deref());
        // RFC 9110 section 8.6: 204 has no length, whoever chose it.
        let told = matches!(reply.length, Length::AsTold) && reply.status != 204;
        let skip = |name: &HeaderName| {
            (*name == header::CONTENT_LENGTH && !told)
                || (tells_outcome && name.as_str() == "cache-status")
        };
        put_lines(out, &reply.lines, skip);
        if let Length::Bytes(length) = reply.length
            && reply.status != 204
        {
            put_number_field(out, b"Content-Length", length);
        }
        let has_server = reply.lines.iter().any(|l| l.name == header::SERVER);
        let outcome = reply.outcome.as_ref();
        put_node_fields(
            out,
            exchange,
            reply.status,
            reply.served,
            outcome,
            has_server,
        );
        let has_date = reply.lines.iter().any(|l| l.name == header::DATE);
        put_end(out, self.node().clock().now(), has_date, keep_alive);
        let answered = (reply.status, reply.served);
        self.finish(connection, head, ctx, answered, reply.body, keep_alive)
            .await
    }

    /// Sends the head that stands in the connection and a body, and notes how it went.
    async fn finish(
        &self,
        connection: &mut impl Way,
        head: &ViewerHead,
        ctx: &mut Ctx,
        (status, served): (u16, Served),
        body: Content,
        keep_alive: bool,
    ) -> Answer {
        // HEAD, 204 and 304 have no body, whatever length the head tells (RFC 9110 section 6.4.1).
        let bodyless =
            head.method == Method::HEAD || matches!(status, 204 | 304) || body.len() == 0;
        let fields = match self.wanted(ctx) {
            Wanted::Fields { .. } => {
                ctx.record.answers(served, status);
                Some(AnswerFields::of_head(connection.out()))
            }
            Wanted::Line | Wanted::Nothing => None,
        };
        let head_bytes = connection.out().len() as u64;
        let (bytes, sent) = match body {
            _ if bodyless => connection.send(|| None).await,
            Content::Made(bytes) => {
                let mut bytes = Some(bytes);
                connection.send(|| bytes.take()).await
            }
            Content::Stored(object) => {
                let mut body = object.body().read();
                connection.send(|| body.next_piece(PIECE)).await
            }
        };
        let gone = sent.is_err();
        let ended = Ended {
            method: &head.method,
            target: &head.target,
            host: Some(&head.host),
            peer: Some(connection.viewer()),
            version: head.version,
            tls: connection.tls(),
            status,
            // A transfer that broke counts as an error, whatever it began as (CF-704).
            served: match served {
                Served::NodeError(_) | Served::Fault(_) => served,
                _ if gone => Served::NodeError(VIEWER_GONE),
                _ => served,
            },
            bytes,
            websocket_bytes: None,
            viewer_headers: &head.headers,
            head_received: head.bytes,
            body_received: 0,
            sent: Sent::Written(head_bytes, fields.as_ref()),
        };
        self.ended(&ended, ctx);
        Answer::Sent(keep_alive && !gone)
    }
}

/// What is refused is told by Pingora's way, which judges it again: but for signatures, which cost more than all else.
fn refused((fault, exchange): (ViewerFault, Option<Exchange>), mut ctx: Ctx) -> Answer {
    match (fault, exchange) {
        (fault @ ViewerFault::Signature(_), Some(exchange)) => {
            ctx.flow = Flow::ViewerRequest(Box::new(ViewerRequest { exchange }));
            ctx.refused = Some(fault);
            Answer::NotHere(Some(Box::new(ctx)))
        }
        _ => Answer::NotHere(None),
    }
}

/// The request as functions see it (LE-095), with the whole query whatever the policies are (LE-093).
pub(super) fn viewer_parts(head: &ViewerHead) -> RequestParts {
    let (path, query) = match memchr::memchr(b'?', &head.target) {
        Some(at) => (head.target.slice(..at), head.target.slice(at + 1..)),
        None => (head.target.clone(), Bytes::new()),
    };
    RequestParts {
        method: head.method.clone(),
        path,
        query,
        lines: head.lines(),
    }
}

/// A response that a viewer-request function made (LE-155..170): no other function runs (LE-163).
fn generated_reply(ctx: &Ctx, mut generated: Generated, asked: AskedHeaders<'_>) -> Option<Reply> {
    let deliver = ctx.flow.deliver().ok()?;
    let (served, exchange) = (deliver.served, &deliver.exchange);
    let lines = &mut generated.lines;
    response_policy::apply_to_lines(lines, asked, exchange, &ctx.record, served);
    // LE-168: 204 and 304 have no length. The node owns it otherwise (LE-166, LE-227).
    let length = if matches!(generated.status, 204 | 304) {
        Length::Untold
    } else {
        Length::Bytes(generated.body.len() as u64)
    };
    Some(Reply {
        status: generated.status,
        description: generated.description,
        lines: generated.lines,
        length,
        body: Content::Made(generated.body),
        served,
        outcome: None,
        close: false,
    })
}

/// The page for a function that failed (CF-780..783, LE-278).
fn failed_reply(ctx: &mut Ctx, fault: &Fault, asked: AskedHeaders<'_>) -> Option<Reply> {
    let exchange: &Exchange = ctx.flow.exchange()?;
    let identity = &exchange.route.distribution().identity;
    let answer = ErrorAnswer::new(fault, exchange.request_id.as_str(), identity);
    ctx.record.served = Some(answer.served);
    if ctx.record.error.is_none() {
        ctx.record.error = Some(fault.to_string());
    }
    let line = |name: HeaderName, key: &'static str, value: &'static str| HeaderLine {
        name,
        key: Bytes::from_static(key.as_bytes()),
        value: http::HeaderValue::from_static(value),
    };
    let content_type = answer.content_type;
    let mut lines: HeaderLines = vec![line(header::CONTENT_TYPE, "Content-Type", content_type)];
    if answer.no_store {
        lines.push(line(header::CACHE_CONTROL, "Cache-Control", "no-store"));
    }
    if let Some(allow) = answer.allow {
        lines.push(line(header::ALLOW, "Allow", allow));
    }
    let served = answer.served;
    response_policy::apply_to_lines(&mut lines, asked, exchange, &ctx.record, served);
    Some(Reply {
        status: answer.status,
        description: None,
        lines,
        length: Length::Bytes(answer.body.len() as u64),
        body: Content::Made(answer.body),
        served: answer.served,
        outcome: None,
        close: answer.close,
    })
}

/// What of a request the response headers policy looks at.
fn asked(head: &ViewerHead) -> AskedHeaders<'_> {
    AskedHeaders::of(&head.method, |name| head.headers.get(name))
}

/// Writes a stored head as the behaviour's policy leaves it, and `Age` (CF-553, CF-554). Says what is in it that the node
/// otherwise adds.
fn put_by_policy(
    out: &mut Vec<u8>,
    packed: &Packed,
    (exchange, record): (&Exchange, &Record),
    asked: AskedHeaders<'_>,
    age: u64,
) -> Has {
    let hidden = &exchange.route.fields().hidden;
    let is_hidden = |name: &[u8]| {
        let mut hidden = hidden.iter();
        hidden.any(|h| name.eq_ignore_ascii_case(h.as_str().as_bytes()))
    };
    let has = |name: &HeaderName| packed.shows(name) && !hidden.contains(name);
    let Some(changes) = response_policy::changes(exchange, asked, has) else {
        return Has::default();
    };
    // CF-612: what the origin said of another answer is not for this one.
    let timing = response_policy::timing(&changes, exchange, record, Served::Hit, Vec::new);
    let is_timing = |name: &[u8]| name.eq_ignore_ascii_case(SERVER_TIMING.as_str().as_bytes());
    let mut has = packed.put_but(out, |name| {
        is_hidden(name) || changes.drops(name) || (timing.is_some() && is_timing(name))
    });
    changes.each(|_, key, value| {
        put_field(out, key, value.as_bytes());
        has.note(key);
    });
    if let Some(value) = timing {
        put_field(out, b"Server-Timing", value.as_bytes());
    }
    if !changes.drops(b"age") {
        put_number_field(out, b"Age", age);
    }
    has
}

fn header_map(lines: &[HeaderLine]) -> HeaderMap {
    let lines = lines.iter();
    lines.map(|l| (l.name.clone(), l.value.clone())).fold(
        HeaderMap::new(),
        |mut map, (name, value)| {
            map.append(name, value);
            map
        },
    )
}

/// Whether a stored response has no body to be replaced.
fn is_empty(lines: &[HeaderLine]) -> bool {
    let mut lengths = lines.iter().filter(|l| l.name == header::CONTENT_LENGTH);
    lengths.next().is_some_and(|l| l.value == "0")
}

/// Whether a page stands in for a stored error: Pingora's way fetches it (CF-592).
fn is_for_a_page(lookup: &Lookup, head: &ViewerHead, target: &[u8], status: StatusCode) -> bool {
    if status.as_u16() < 400 {
        return false;
    }
    let (path, _) = split(target);
    page_for(&lookup.exchange, &head.method, path, status.as_u16()).is_some()
}

/// Whether the answer depends on a condition or a range, which a function may have put there (RFC 9110 sections 13
/// and 14).
fn asks_for_part(request: &HeaderMap) -> bool {
    [
        header::RANGE,
        header::IF_NONE_MATCH,
        header::IF_MODIFIED_SINCE,
        header::IF_MATCH,
        header::IF_UNMODIFIED_SINCE,
    ]
    .iter()
    .any(|name| request.contains_key(name))
}
