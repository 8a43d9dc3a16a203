//! The admin endpoint as requests come to it: whose they are, who sends them and whether they may, what they say, what they
//! are answered (CP section 1, section 8). Sockets are the listener's.

use std::{collections::HashSet, error::Error, fmt, io::BufReader, sync::Arc, time::SystemTime};

use bytes::Bytes;
use fourfront_auth::{
    Action, AuthFault, AuthMode, Gate, LinkSigner, Principal, RequestHead, Resource, Source, Window,
};
use fourfront_aws::{
    Asked, CodeFault, Condition, Decoded, Dispatch, Operation, Protocol, Reply, RouteError, Routed,
    Service, WireAnswer, dispatch, encode, encode_error, route, route_named,
};
use fourfront_store::{AuditEntry, BlobWriter};
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header};
use http_body::Body;
use parking_lot::Mutex;
use serde_json::{Value, json};

use super::{
    ApiError, Caller, Control, Trail,
    arn::uuid,
    audit::{self, Refusals},
    cors,
    intake::Intake,
    keychain::Keychain,
    log_query,
    named::Named,
    plane::Problem,
    reach,
    retries::Retries,
    seen, time, trial, wire,
};
use crate::UnknownFields;

pub use super::forward::Handed;
pub use super::intake::{BodyFault, Received};

/// A request without its body.
#[derive(Clone, Debug)]
pub struct Head {
    /// Its method.
    pub method: Method,
    /// The path as it came, without the query.
    pub path: String,
    /// The query as it came, without the `?`.
    pub query: String,
    /// Its fields; `host` is among them.
    pub headers: HeaderMap,
    /// Whether it came by TLS.
    pub over_tls: bool,
    /// From where.
    pub source: Source,
    /// When.
    pub now: SystemTime,
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its fields but for `Date` and the length.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
}

impl From<WireAnswer> for Answer {
    fn from(answer: WireAnswer) -> Self {
        Self {
            status: answer.status,
            headers: answer.headers,
            body: answer.body,
        }
    }
}

impl Answer {
    /// A JSON document of the native API, or a problem (RFC 9457).
    pub fn json(status: StatusCode, body: &Value) -> Self {
        let media_type = match status.is_success() {
            true => "application/json",
            false => "application/problem+json",
        };
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
        Self {
            status,
            headers,
            body: format!("{body}\n").into(),
        }
    }

    /// A problem document.
    pub fn problem(problem: Problem) -> Self {
        let answer = problem.answer();
        Self::json(answer.status, &answer.body)
    }

    /// The code of a problem document; its status where it has none. Nothing of what went well.
    fn problem_code(&self) -> Option<String> {
        if self.status.is_success() {
            return None;
        }
        let document: Value = serde_json::from_slice(&self.body).unwrap_or_default();
        let code = document["code"].as_str().map(str::to_owned);
        Some(code.unwrap_or_else(|| self.status.as_str().to_owned()))
    }
}

/// What a request of an AWS-shaped service comes to.
#[derive(Debug)]
pub enum Answered {
    /// The node's answer.
    Own(Answer),
    /// Another server's (CP-236).
    Forwarded(Response<Handed>),
}

/// Who sends a request of the native API, and what with it. What is done about it is answered through [`Front::told`].
#[derive(Debug)]
pub struct Admitted {
    /// Who.
    pub caller: Caller,
    /// The body.
    pub body: Received,
}

/// The admin endpoint.
#[derive(Debug)]
pub struct Front {
    control: Arc<Control>,
    gate: Gate<Keychain>,
    retries: Retries<Answer>,
    unknown: Unknown,
    refusals: Refusals,
    intake: Intake,
}

/// What is read at most from who may not do what they ask for, in bytes: the body belongs to the proof of who they are, and
/// without that proof the audit log would name whomever they name.
const MOST_REFUSED: usize = 1 << 20;
/// Longest body of a call of the native API that brings no artifact, in bytes. A plan names what it brings.
const MOST_NATIVE: usize = 8 << 20;
/// Longest artifact.
const MOST_ARTIFACT: usize = 52_428_800;

impl Front {
    /// The endpoint in front of a control plane.
    pub fn new(
        control: Arc<Control>,
        keys: Keychain,
        mode: AuthMode,
        window: Window,
        links: LinkSigner,
    ) -> Self {
        Self {
            control,
            gate: Gate::new(keys, mode, window, links),
            retries: Retries::default(),
            unknown: Unknown::default(),
            refusals: Refusals::default(),
            intake: Intake::default(),
        }
    }

    /// The answer to a browser that asks what a web page may send here; `None` for everything else (CP-011).
    pub fn preflight(&self, head: &Head) -> Option<Answer> {
        cors::preflight(&self.control.settings().cors, head)
    }

    /// The fields that the answer to a request with these has for the web page it came from, if that may read it (CP-011).
    pub fn fields_for_pages(&self, request: &HeaderMap) -> HeaderMap {
        cors::fields(&self.control.settings().cors, request)
    }

    /// The control plane.
    pub const fn control(&self) -> &Arc<Control> {
        &self.control
    }

    /// The keys.
    pub const fn keys(&self) -> &Keychain {
        self.gate.store()
    }

    /// Who is let in.
    pub(super) const fn gate(&self) -> &Gate<Keychain> {
        &self.gate
    }

    /// Reads a body of at most `limit` bytes.
    pub(super) async fn receive<B>(
        &self,
        body: B,
        limit: usize,
        is_known: bool,
    ) -> Result<Received, BodyFault>
    where
        B: Body<Data = Bytes>,
        B::Error: fmt::Display,
    {
        let store = self.control.store();
        self.intake.receive(store, body, limit, is_known).await
    }

    /// Answers a request of an AWS-shaped service, or has it answered where the operator says.
    pub async fn aws<B>(self: &Arc<Self>, head: Head, body: B) -> Answered
    where
        B: Body<Data = Bytes> + Send + Unpin + 'static,
        B::Error: Into<Box<dyn Error + Send + Sync>> + fmt::Display,
    {
        let id = uuid();
        let target = text(&head.headers, "x-amz-target");
        let scope = scope(&head);
        let asked = Asked {
            scope: scope.as_deref(),
            method: head.method.as_str(),
            path: &head.path,
            query: &head.query,
            target: target.as_deref(),
            form: None,
        };
        let dispatched = dispatch(asked);
        let forward = &self.control.settings().forward;
        let foreign = match &dispatched {
            Dispatch::Foreign(name) => Some(name.clone()),
            // A path may look like one of ours in anybody's bucket.
            Dispatch::Service(_) | Dispatch::Native => scope.filter(|scope| {
                !matches!(dispatched, Dispatch::Native) && forward.contains_key(scope)
            }),
            Dispatch::Unknown => {
                let host = text(&head.headers, "host").unwrap_or_default();
                fourfront_aws::foreign_service(target.as_deref(), &host)
                    .filter(|name| !fourfront_aws::is_own_service(name))
            }
            Dispatch::Mismatch(_) => None,
        };
        let endpoint = foreign.as_ref().and_then(|name| forward.get(name));
        let answered = match (&foreign, endpoint) {
            (Some(service), Some(endpoint)) => {
                self.forward(&head, service, endpoint, body, &id).await
            }
            (Some(service), None) => {
                let form = fourfront_aws::ForeignForm::of(service, &head.headers);
                let message = format!(
                    "this node does not speak for the service `{service}`: it has lambda, cloudfront, cloudfront-keyvaluestore, sts, iam and logs; set `node.admin.forward.{service}` to the URL of an endpoint that has it, or give the client one, as by AWS_ENDPOINT_URL_<SERVICE> (CP-236)"
                );
                let refused = form.refusal(400, "UnsupportedOperation", &message, &id);
                Answered::Own(refused.into())
            }
            (None, _) => self.aws_inner(&head, dispatched, body, &id).await.into(),
        };
        match answered {
            Answered::Own(mut answer) => {
                if let Ok(id) = HeaderValue::from_str(&id) {
                    answer.headers.insert("x-amzn-requestid", id);
                }
                Answered::Own(answer)
            }
            forwarded @ Answered::Forwarded(_) => forwarded,
        }
    }

    async fn aws_inner<B>(
        self: &Arc<Self>,
        head: &Head,
        dispatched: Dispatch,
        body: B,
        id: &str,
    ) -> Answer
    where
        B: Body<Data = Bytes>,
        B::Error: fmt::Display,
    {
        let target = text(&head.headers, "x-amz-target");
        let service = match dispatched {
            Dispatch::Service(service) => service,
            Dispatch::Mismatch(service) => {
                return refuse(service, &Dispatch::mismatch(service), id);
            }
            // Forms tell STS from IAM by their body, which is read below.
            Dispatch::Native | Dispatch::Unknown | Dispatch::Foreign(_)
                if head.method == Method::POST && head.path == "/" =>
            {
                Service::Sts
            }
            Dispatch::Native | Dispatch::Unknown | Dispatch::Foreign(_) => {
                let message = format!("no service has the path `{}`", head.path);
                return refuse_plain(
                    Service::CloudFront,
                    404,
                    "UnknownOperationException",
                    message,
                    id,
                );
            }
        };
        let request = RequestHead {
            method: head.method.as_str(),
            raw_path: head.path.as_bytes(),
            raw_query: head.query.as_bytes(),
            headers: &head.headers,
            over_tls: head.over_tls,
        };
        let host = text(&head.headers, "host").unwrap_or_default();
        if let Some(other) = self.other_account(&host) {
            // CP-004
            let (status, code) = Condition::AccessDenied.of(service);
            let message = format!("the host names account {other}, which is not this node's");
            return refuse_plain(service, status, code, message, id);
        }
        let admission =
            match self
                .gate
                .admit(&request, auth_service(service), head.source, head.now)
            {
                Ok(admission) => admission,
                Err(fault) => return refuse_fault(service, &fault, id),
            };
        // Paths tell the operation before the body is read; how long that may be depends on it.
        let routed = match service.protocol() {
            Protocol::RestXml | Protocol::RestJson => {
                let routed = route(service, head.method.as_str(), &head.path, &head.query);
                match routed {
                    Ok(routed) => Some(routed),
                    Err(e) => return refuse_route(service, &e, id),
                }
            }
            // One path, whatever is called (CP-011).
            Protocol::Query if !matches!(head.method, Method::GET | Method::POST) => {
                let wrong = RouteError::WrongMethod(vec!["GET", "POST"]);
                return refuse_route(service, &wrong, id);
            }
            Protocol::Json11 if head.method != Method::POST => {
                let wrong = RouteError::WrongMethod(vec!["POST"]);
                return refuse_route(service, &wrong, id);
            }
            Protocol::Query | Protocol::Json11 => None,
        };
        // Little is read from who may not do it anyway.
        let denied = routed.as_ref().and_then(|routed| {
            let action = Action::of_operation(auth_service(service), routed.operation.name);
            admission.claimed().may_ever(action).err()
        });
        let limit = routed
            .as_ref()
            .map_or(1 << 20, |r| r.operation.body_limit());
        let most = denied.as_ref().map_or(limit, |_| limit.min(MOST_REFUSED));
        let is_known = admission.is_proven();
        let received = match (self.receive(body, most, is_known).await, denied) {
            (Ok(received), _) => Arc::new(received),
            (Err(_), Some(denied)) => return refuse_fault(service, &denied.into(), id),
            (Err(fault), None) => return refuse_body(service, routed.as_ref(), &fault, id),
        };
        let digest = *received.sha256();
        let principal = match admission.finish(&digest) {
            Ok(principal) => principal,
            Err(fault) => return refuse_fault(service, &fault, id),
        };
        let mut caller = self.caller(head, &principal);
        if let Some(routed) = &routed {
            caller.trail = self.trail(&caller, routed.operation);
        }
        let read = match routed {
            Some(routed) if routed.operation.code_member().is_some() => {
                self.with_code(service, routed, head, &received, limit)
                    .await
            }
            routed => input(head, service, routed, target.as_deref(), &received, limit),
        };
        let (service, routed, decoded, code) = match read {
            Ok(Input {
                service,
                routed,
                decoded,
                code,
            }) => (service, routed, decoded, code),
            Err(refused) => {
                let (service, error) = (refused.service, refused.error);
                let Some(operation) = refused.operation else {
                    return refuse(service, &error, id);
                };
                if caller.trail.is_none() {
                    caller.trail = self.trail(&caller, operation);
                }
                // Whether it may do it at all goes before what it says.
                let action = Action::of_operation(auth_service(service), operation.name);
                if let Err(denied) = principal.may_ever(action) {
                    let fault = AuthFault::from(denied);
                    self.refused(&caller, fault.code(auth_service(service)))
                        .await;
                    return refuse_fault(service, &fault, id);
                }
                self.refused(&caller, &error.code).await;
                return refuse(service, &error, id);
            }
        };
        let operation = routed.operation;
        if caller.trail.is_none() {
            caller.trail = self.trail(&caller, operation);
        };
        caller.trail.about(super::resource(&decoded.input));
        if let Err(fault) = self.authorize(&principal, service, operation.name, &decoded.input) {
            self.refused(&caller, fault.code(auth_service(service)))
                .await;
            return refuse_fault(service, &fault, id);
        }
        if let Some(refused) = self.refuse_unknown(operation, &decoded.unknown, id) {
            return refused;
        }
        let invocation = text(&head.headers, "amz-sdk-invocation-id");
        let asked = Call {
            operation,
            decoded,
            code,
            principal,
            caller,
            id: id.to_owned(),
            _received: received,
        };
        match invocation.filter(|_| operation.creates()) {
            None => self.answer(asked).await,
            Some(invocation) => {
                let (key, path, query) = (&asked.caller.key_id, &head.path, &head.query);
                let again = format!("{key} {invocation} {path}?{query} {digest:x?}");
                self.once(asked, again, head.now).await
            }
        }
    }

    /// CP-023. What nobody knows may be what a newer AWS has, or a slip of the pen: the operator says which.
    fn refuse_unknown(
        &self,
        operation: &'static Operation,
        unknown: &[String],
        id: &str,
    ) -> Option<Answer> {
        let service = operation.service;
        let settings = self.control.settings();
        let first = unknown.first()?;
        if settings.unknown_fields == UnknownFields::Reject && service == Service::CloudFront {
            let error = wire::unknown_element(first);
            return Some(refuse(service, &in_wire(error), id));
        }
        for path in unknown {
            self.unknown.tell(operation, path);
        }
        None
    }

    /// Answers a call that makes something, once for all attempts that `again` says are the same (CP-013).
    async fn once(self: &Arc<Self>, asked: Call, again: String, now: SystemTime) -> Answer {
        let mut said = self.retries.slot(again, now).lock_owned().await;
        if let Some(answer) = &*said {
            return answer.clone();
        }
        let (front, operation, id) = (Arc::clone(self), asked.operation, asked.id.clone());
        // It goes on when its client hangs up, which is what brings the next attempt.
        let answering = tokio::spawn(async move {
            let answer = front.answer(asked).await;
            if answer.status.is_success() {
                *said = Some(answer.clone());
            }
            answer
        });
        answering.await.unwrap_or_else(|e| {
            let error = worded(operation.service, ApiError::internal(e.to_string()));
            refuse(operation.service, &error, &id)
        })
    }

    /// Answers a call whose sender may make it.
    async fn answer(self: &Arc<Self>, asked: Call) -> Answer {
        let Call {
            operation,
            decoded,
            code,
            principal,
            caller,
            id,
            _received,
        } = asked;
        let service = operation.service;
        let reply = Reply {
            request_id: &id,
            namespace: decoded.namespace.as_deref(),
        };
        let called = {
            let (front, input) = (Arc::clone(self), decoded.input);
            let call = move || {
                let control = &front.control;
                let called = control.call_with(service, operation.name, &input, &caller, code);
                let error = called.as_ref().err().map(|e| &*e.code);
                caller.trail.end(front.control.store(), error);
                called
            };
            blocking(call).await
        };
        match called {
            Ok(mut output) => {
                let store = self.control.store();
                seen::filter(store, &principal, service, operation.name, &mut output);
                match encode(operation, &reply, &output) {
                    Ok(answer) => answer.into(),
                    Err(e) => {
                        let error = worded(service, ApiError::internal(e.to_string()));
                        refuse(service, &error, &id)
                    }
                }
            }
            Err(e) => {
                let mut error = worded(service, e);
                if !knows(operation, &error.code) {
                    error.code = "InvalidArgument".into();
                }
                encode_error(service, &error, &reply).into()
            }
        }
    }

    /// Reads a body with a function's code in it, which goes from one file to another (CP-033).
    async fn with_code(
        self: &Arc<Self>,
        service: Service,
        routed: Routed,
        head: &Head,
        received: &Arc<Received>,
        limit: usize,
    ) -> Result<Input, Refused> {
        let (front, received, headers) =
            (Arc::clone(self), Arc::clone(received), head.headers.clone());
        let operation = routed.operation;
        let refused = move |error| Refused {
            service,
            operation: Some(operation),
            error,
        };
        let internal =
            move |e: &dyn fmt::Display| refused(worded(service, ApiError::internal(e.to_string())));
        let reading = move || {
            let body = received.reader().map_err(|e| internal(&e))?;
            let body = fourfront_aws::unpacked(&headers, body, limit);
            let body = body.map_err(|fault| refused(packed(service, Some(&routed), fault)))?;
            let body = BufReader::with_capacity(64 << 10, body);
            let writer = front.control.store().blob_writer();
            let mut writer = writer.map_err(|e| internal(&e))?;
            let decoded = fourfront_aws::decode_code(&routed, &headers, body, &mut writer);
            let (decoded, has_code) = decoded.map_err(|fault| match fault {
                CodeFault::Refused(error) => refused(error),
                CodeFault::Body(fault) => refused(packed(service, Some(&routed), fault)),
                fault => internal(&fault),
            })?;
            Ok(Input {
                service,
                routed,
                decoded,
                code: has_code.then_some(writer),
            })
        };
        let read = tokio::task::spawn_blocking(reading).await;
        read.unwrap_or_else(|e| Err(internal(&e)))
    }

    /// The account that a host names, if it is another one's.
    fn other_account<'h>(&self, host: &'h str) -> Option<&'h str> {
        let (account, _) = fourfront_aws::split_host(host);
        account.filter(|account| *account != self.control.settings().account.id)
    }

    /// Lets in a request of the native API, or says why not. `path` is what follows `/_fourfront/v1/`.
    ///
    /// # Errors
    /// The answer to give.
    pub async fn admit_native<B>(
        &self,
        head: &Head,
        path: &str,
        body: B,
    ) -> Result<Admitted, Answer>
    where
        B: Body<Data = Bytes>,
        B::Error: fmt::Display,
    {
        let request = RequestHead {
            method: head.method.as_str(),
            raw_path: head.path.as_bytes(),
            raw_query: head.query.as_bytes(),
            headers: &head.headers,
            over_tls: head.over_tls,
        };
        let refused = |fault: AuthFault| native_fault(&fault);
        let service = fourfront_auth::Service::Native;
        let admission = self
            .gate
            .admit(&request, service, head.source, head.now)
            .map_err(refused)?;
        let action = Action::of_native(head.method.as_str(), path);
        // Of logs a restricted key reads those of what its lists name, and says so in the query.
        let named = (path == "logs")
            .then(|| log_query::subject(&head.query))
            .flatten();
        let about = named.as_ref().map_or_else(
            || seen::native(head.method.as_str(), path),
            |s| seen::About::One(s.resource()),
        );
        let may = |principal: &Principal| {
            let verdict = match about {
                seen::About::One(resource) => {
                    reach::authorize(self.control.store(), principal, action, resource)
                }
                seen::About::Told => principal.may_ever(action),
            };
            verdict.map_err(AuthFault::from)
        };
        // Little is read from who may not do it anyway. Which function is to be run stands in the body.
        let runs = action == Action::Run;
        let ever = |principal: &Principal| match runs {
            true => principal.may_ever(action).map_err(AuthFault::from),
            false => may(principal),
        };
        let denied = ever(admission.claimed()).err();
        let limit = match path.starts_with("artifacts/") {
            true => MOST_ARTIFACT,
            false => MOST_NATIVE,
        };
        let most = denied.as_ref().map_or(limit, |_| limit.min(MOST_REFUSED));
        let is_known = admission.is_proven();
        let body = match (self.receive(body, most, is_known).await, denied) {
            (Ok(body), _) => body,
            (Err(_), Some(denied)) => return Err(refused(denied)),
            (Err(fault), None) => return Err(native_body(&fault)),
        };
        let principal = admission.finish(body.sha256()).map_err(refused)?;
        let mut caller = self.caller(head, &principal);
        if let Some((operation, resource)) = audit::of_native(head.method.as_str(), path) {
            caller.trail = self.trail_of(&caller, &format!("fourfront:{operation}"), &resource);
        }
        // These are small, and what they are about stands in them.
        let held = match runs || path == "purge" {
            true => body.bytes().map_err(|e| {
                let status = StatusCode::INTERNAL_SERVER_ERROR;
                Answer::problem(Problem::new(status, "InternalError", e.to_string()))
            })?,
            false => Bytes::new(),
        };
        let mut judged = match trial::function(&held).filter(|_| runs) {
            Some(function) => {
                caller.trail.about(&function);
                let resource = Resource::Function(&function);
                reach::authorize(self.control.store(), &principal, action, resource)
                    .map_err(AuthFault::from)
            }
            None => may(&principal),
        };
        if path == "purge" && judged.is_ok() {
            let is_read = matches!(head.method, Method::GET | Method::HEAD);
            let named = seen::purged(&head.query, &held, is_read);
            let resource = match &named {
                Some(id) => Resource::Distribution(id),
                None => seen::NOBODYS,
            };
            caller.trail.about(named.as_deref().unwrap_or_default());
            judged = reach::authorize(self.control.store(), &principal, action, resource)
                .map_err(AuthFault::from);
        }
        if let Err(fault) = judged {
            self.refused(&caller, fault.code(service)).await;
            return Err(refused(fault));
        }
        Ok(Admitted { caller, body })
    }

    /// Does what was admitted, and enters how it ended in the audit log (CP-433). Blocks.
    pub fn told(&self, caller: &Caller, work: impl FnOnce() -> Answer) -> Answer {
        let answer = work();
        let code = answer.problem_code();
        caller.trail.end(self.control.store(), code.as_deref());
        answer
    }

    /// Enters what begins well and is told as it comes, such as a backup.
    pub async fn begun(&self, caller: &Caller) {
        caller.trail.end_async(self.control.store(), None).await;
    }

    /// Who a principal is to the API.
    pub(super) fn caller(&self, head: &Head, principal: &Principal) -> Caller {
        let scheme = if head.over_tls { "https" } else { "http" };
        let host = text(&head.headers, "host").unwrap_or_default();
        Caller {
            key_id: principal.name(),
            now: time::millis(head.now),
            origin: format!("{scheme}://{host}"),
            source: match head.source {
                Source::Address(address) => address.to_string(),
                Source::Socket { peer_uid, .. } => format!("uid {peer_uid}"),
            },
            principal: Some(principal.clone()),
            trail: Trail::default(),
        }
    }

    /// What the audit log is to be told of a call of an operation, if that may change something.
    fn trail(&self, caller: &Caller, operation: &Operation) -> Trail {
        let service = auth_service(operation.service);
        if !Action::of_operation(service, operation.name).is_mutation() {
            return Trail::default();
        }
        let name = format!("{}:{}", operation.service.signing_name(), operation.name);
        self.trail_of(caller, &name, "")
    }

    fn trail_of(&self, caller: &Caller, operation: &str, resource: &str) -> Trail {
        Trail::of(AuditEntry {
            at: caller.now,
            key: caller.key_id.as_str().into(),
            source: caller.source.as_str().into(),
            operation: operation.into(),
            resource: resource.into(),
            ..AuditEntry::default()
        })
    }

    /// Enters a call that is refused before it is worked out.
    async fn refused(&self, caller: &Caller, code: &str) {
        if !caller.trail.is_none() && self.refusals.is_told(&caller.key_id, caller.now) {
            let store = self.control.store();
            caller.trail.end_async(store, Some(code)).await;
        }
    }

    fn authorize(
        &self,
        principal: &Principal,
        service: Service,
        operation: &str,
        input: &Value,
    ) -> Result<(), AuthFault> {
        let action = Action::of_operation(auth_service(service), operation);
        let named = Named::of(&self.control, service, operation, input);
        let store = self.control.store();
        reach::authorize(store, principal, action, named.resource()).map_err(AuthFault::from)?;
        if operation == "UpdateDistributionWithStagingConfig" {
            // It is about two of them.
            let staging = input["StagingDistributionId"].as_str().unwrap_or_default();
            reach::authorize(store, principal, action, Resource::Distribution(staging))
                .map_err(AuthFault::from)?;
        }
        Ok(())
    }
}

/// A call that may be made.
struct Call {
    operation: &'static Operation,
    decoded: Decoded,
    /// A function's code, as it was taken out of the body.
    code: Option<BlobWriter>,
    principal: Principal,
    caller: Caller,
    /// Of the request.
    id: String,
    /// The body, whose place is given back when the call is over.
    _received: Arc<Received>,
}

/// What a body says.
struct Input {
    service: Service,
    routed: Routed,
    decoded: Decoded,
    code: Option<BlobWriter>,
}

/// What a body is refused for, in a service's words.
struct Refused {
    service: Service,
    /// Where the body, or the path before it, has told which.
    operation: Option<&'static Operation>,
    error: fourfront_aws::ApiError,
}

/// Reads a body that is small enough to be held in memory.
fn input(
    head: &Head,
    service: Service,
    routed: Option<Routed>,
    target: Option<&str>,
    received: &Received,
    limit: usize,
) -> Result<Input, Refused> {
    let operation = routed.as_ref().map(|routed| routed.operation);
    let refused = |error| Refused {
        service,
        operation,
        error,
    };
    let raw = received.bytes();
    let raw = raw.map_err(|e| refused(worded(service, ApiError::internal(e.to_string()))))?;
    let unpacked = fourfront_aws::unpack(&head.headers, &raw, limit)
        .map_err(|fault| refused(packed(service, routed.as_ref(), fault)))?;
    let (service, routed) = match routed {
        Some(routed) => (service, routed),
        None => named(head, service, target, &unpacked).map_err(|(service, error)| Refused {
            service,
            operation: None,
            error,
        })?,
    };
    let decoded = fourfront_aws::decode(&routed, &head.headers, &unpacked);
    let decoded = decoded.map_err(|error| Refused {
        service,
        operation: Some(routed.operation),
        error,
    })?;
    Ok(Input {
        service,
        routed,
        decoded,
        code: None,
    })
}

/// What is wrong with how a body is packed.
fn packed(
    service: Service,
    routed: Option<&Routed>,
    fault: fourfront_aws::BodyError,
) -> fourfront_aws::ApiError {
    let condition = match fault {
        fourfront_aws::BodyError::TooLarge => Condition::TooLarge,
        _ => Condition::MalformedBody,
    };
    let mut error = body_error(service, routed, condition, fault.to_string());
    if matches!(fault, fourfront_aws::BodyError::Coding) {
        error.status = 415;
    }
    error
}

/// The operation of a request that names it in its body or in a field, and which service that makes it (CP-002).
fn named(
    head: &Head,
    service: Service,
    target: Option<&str>,
    body: &[u8],
) -> Result<(Service, Routed), (Service, fourfront_aws::ApiError)> {
    if let Some(target) = target {
        let name = target.rsplit('.').next().unwrap_or_default();
        let routed = route_named(service, name, Vec::new());
        return routed
            .map(|routed| (service, routed))
            .map_err(|e| (service, e.answer(service)));
    }
    let form = String::from_utf8_lossy(body);
    let asked = Asked {
        scope: None,
        method: head.method.as_str(),
        path: &head.path,
        query: &head.query,
        target: None,
        form: Some(&form),
    };
    let service = match (scope(head), dispatch(asked)) {
        (None, Dispatch::Service(service)) => service,
        _ => service,
    };
    let given = match form.is_empty() {
        true => head.query.as_str(),
        false => &form,
    };
    let pairs = fourfront_aws::pairs(given).map_err(|e| (service, e.answer(service)))?;
    let action = pairs.iter().find(|(name, _)| name == "Action");
    let action = action.map(|(_, value)| value.clone()).unwrap_or_default();
    route_named(service, &action, pairs)
        .map(|routed| (service, routed))
        .map_err(|e| (service, e.answer(service)))
}

/// The service in the scope of a signature, if there is one.
fn scope(head: &Head) -> Option<String> {
    let request = RequestHead {
        method: head.method.as_str(),
        raw_path: head.path.as_bytes(),
        raw_query: head.query.as_bytes(),
        headers: &head.headers,
        over_tls: head.over_tls,
    };
    let presented = fourfront_auth::Presented::parse(&request).ok()??;
    Some(presented.service().to_owned())
}

const fn auth_service(service: Service) -> fourfront_auth::Service {
    match service {
        Service::CloudFront => fourfront_auth::Service::CloudFront,
        Service::Lambda => fourfront_auth::Service::Lambda,
        Service::KeyValueStore => fourfront_auth::Service::KeyValueStore,
        Service::Sts => fourfront_auth::Service::Sts,
        Service::Iam => fourfront_auth::Service::Iam,
        Service::Logs => fourfront_auth::Service::Logs,
    }
}

pub(super) fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    let value = headers.get(name)?.to_str().ok()?;
    Some(value.to_owned())
}

fn in_wire(error: ApiError) -> fourfront_aws::ApiError {
    fourfront_aws::ApiError {
        status: error.status,
        code: error.code,
        message: error.message,
        retry_after: None,
    }
}

/// An error of the control plane in a service's words: what goes wrong below the services has one name there, and clients
/// know it by another for each.
fn worded(service: Service, mut error: ApiError) -> fourfront_aws::ApiError {
    if error.code == "InternalError" {
        let (status, code) = Condition::Internal.of(service);
        (error.status, error.code) = (status, code.into());
    }
    in_wire(error)
}

/// Whether an operation's own clients know a code. What a configuration is refused for is judged by one code for all that
/// has such a member, and a policy has fewer names for its faults than a distribution.
fn knows(operation: &Operation, code: &str) -> bool {
    let is_of_model = operation.service == Service::CloudFront
        && code.starts_with("Invalid")
        && operation.service.status_of(code).is_some();
    !is_of_model
        || operation.errors.contains(&code)
        || !operation.errors.contains(&"InvalidArgument")
}

fn refuse(service: Service, error: &fourfront_aws::ApiError, id: &str) -> Answer {
    let reply = Reply {
        request_id: id,
        namespace: None,
    };
    encode_error(service, error, &reply).into()
}

fn refuse_plain(
    service: Service,
    status: u16,
    code: &'static str,
    message: String,
    id: &str,
) -> Answer {
    refuse(service, &in_wire(ApiError::new(status, code, message)), id)
}

fn refuse_fault(service: Service, fault: &AuthFault, id: &str) -> Answer {
    let of = auth_service(service);
    let error = ApiError::new(fault.status(), fault.code(of), fault.message(of));
    let mut error = in_wire(error);
    if let AuthFault::TooManyFailures { retry_after } = fault {
        error.retry_after = u32::try_from(retry_after.as_secs().max(1)).ok();
    }
    refuse(service, &error, id)
}

/// What is wrong with a body before it is looked at, in the service's words, or the operation's own.
fn body_error(
    service: Service,
    routed: Option<&Routed>,
    condition: Condition,
    message: String,
) -> fourfront_aws::ApiError {
    let own = "RequestTooLargeException";
    match routed {
        Some(routed)
            if condition == Condition::TooLarge && routed.operation.errors.contains(&own) =>
        {
            fourfront_aws::ApiError::new(service, own, message)
        }
        _ => fourfront_aws::ApiError::common(service, condition, message),
    }
}

/// A body that is not read, in the service's words.
fn refuse_body(service: Service, routed: Option<&Routed>, fault: &BodyFault, id: &str) -> Answer {
    let condition = match fault {
        BodyFault::TooLarge(_) => Condition::TooLarge,
        BodyFault::Broken(_) => Condition::MalformedBody,
        BodyFault::Busy => Condition::NotWritable,
        BodyFault::Disk(_) => Condition::Internal,
    };
    let mut error = body_error(service, routed, condition, fault.to_string());
    error.retry_after = (*fault == BodyFault::Busy).then_some(1);
    refuse(service, &error, id)
}

/// A body that the native API does not take.
fn native_body(fault: &BodyFault) -> Answer {
    let (status, code) = match fault {
        BodyFault::TooLarge(_) => (StatusCode::PAYLOAD_TOO_LARGE, "RequestEntityTooLarge"),
        BodyFault::Broken(_) => (StatusCode::BAD_REQUEST, "MalformedInput"),
        BodyFault::Busy => (StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailable"),
        BodyFault::Disk(_) => (StatusCode::INTERNAL_SERVER_ERROR, "InternalError"),
    };
    Answer::problem(Problem::new(status, code, fault.to_string()))
}

/// A refusal of the native API.
fn native_fault(fault: &AuthFault) -> Answer {
    let service = fourfront_auth::Service::Native;
    let status = StatusCode::from_u16(fault.status()).unwrap_or(StatusCode::FORBIDDEN);
    let mut answer = Answer::problem(Problem::new(
        status,
        fault.code(service),
        fault.message(service),
    ));
    if let AuthFault::TooManyFailures { retry_after } = fault {
        let seconds = HeaderValue::from(retry_after.as_secs().max(1));
        answer.headers.insert(header::RETRY_AFTER, seconds);
    }
    answer
}

/// Runs what waits for the disk or compiles functions; others do not wait for it.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ApiError> + Send + 'static,
) -> Result<T, ApiError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|e| Err(ApiError::internal(e.to_string())))
}

/// Members that nobody knows and that the log has told of.
#[derive(Debug, Default)]
struct Unknown(Mutex<HashSet<(&'static str, String)>>);

impl Unknown {
    /// As many are remembered; others are told of each time.
    const MOST: usize = 1_024;

    /// Tells of a member once.
    fn tell(&self, operation: &'static Operation, path: &str) -> bool {
        let mut told = self.0.lock();
        // Items of a list have the same members.
        let place: Vec<_> = path
            .split('.')
            .filter(|part| part.parse::<u32>().is_err())
            .collect();
        let key = (operation.name, place.join("."));
        if told.contains(&key) {
            return false;
        }
        if told.len() < Self::MOST {
            told.insert(key);
        }
        tracing::warn!(
            "{}:{}: the member {path} is not known here: it is kept, told and has no effect (CP-023)",
            operation.service.signing_name(),
            operation.name
        );
        true
    }
}

/// A request that leads to no operation; of a path with other methods, which.
fn refuse_route(service: Service, error: &RouteError, id: &str) -> Answer {
    let mut answer = refuse(service, &error.answer(service), id);
    if let RouteError::WrongMethod(methods) = error
        && let Ok(allow) = HeaderValue::from_str(&methods.join(", "))
    {
        answer.headers.insert(header::ALLOW, allow);
    }
    answer
}

/// Makes links to artifacts.
pub fn links(
    signer: LinkSigner,
    now: impl Fn() -> SystemTime + Send + Sync + 'static,
) -> super::Links {
    Box::new(move |origin, sha256| {
        let authority = origin.split_once("://").map_or(origin, |(_, rest)| rest);
        let id = sha256.parse::<fourfront_store::BlobId>().ok();
        let link = id.and_then(|id| signer.artifact(id.as_bytes(), authority, now()).ok());
        format!("{origin}{}", link.unwrap_or_default())
    })
}

/// How far clocks may be apart, as the setting says; 15 minutes where it says nothing (CP-412).
pub fn window(minutes: Option<u8>) -> Window {
    minutes.and_then(Window::minutes).unwrap_or_default()
}

/// A status document's part that the control plane knows.
pub fn status(control: &Control) -> Value {
    let snapshot = control.store().snapshot();
    let count = |kind: &fourfront_store::Kind| snapshot.count(kind);
    json!({
        "account": control.settings().account.id,
        "region": control.settings().account.region,
        "data_dir": std::path::absolute(control.store().dir()).ok(),
        "sequence": snapshot.sequence(),
        "functions": count(&fourfront_store::Kind::Lambda),
        "function_versions": count(&fourfront_store::Kind::LambdaVersion),
        "cloudfront_functions": count(&fourfront_store::Kind::CloudfrontFunction),
        "key_value_stores": count(&fourfront_store::Kind::KeyValueStore),
        "distributions": count(&fourfront_store::Kind::Distribution),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_knows_is_told_of_once() {
        // CP-023
        let unknown = Unknown::default();
        let operation = |name| Service::CloudFront.operation(name).unwrap();
        let (create, update) = (
            operation("CreateDistribution"),
            operation("UpdateDistribution"),
        );
        assert!(unknown.tell(create, "DistributionConfig.Later"));
        assert!(!unknown.tell(create, "DistributionConfig.Later"));
        assert!(unknown.tell(update, "DistributionConfig.Later"));
        assert!(unknown.tell(create, "DistributionConfig.Origins.Items.0.Later"));
        assert!(!unknown.tell(create, "DistributionConfig.Origins.Items.7.Later"));
        for number in 0..2 * Unknown::MOST {
            unknown.tell(create, &format!("DistributionConfig.M{number}"));
        }
        assert_eq!(unknown.0.lock().len(), Unknown::MOST);
    }

    #[test]
    fn a_path_with_other_methods_says_which() {
        // CP-011, RFC 9110 section 15.5.6
        let wrong = RouteError::WrongMethod(vec!["DELETE", "GET"]);
        let answer = refuse_route(Service::CloudFront, &wrong, "1");
        assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED);
        assert_eq!(answer.headers[header::ALLOW], "DELETE, GET");
        let missing = refuse_route(Service::Lambda, &RouteError::UnknownPath, "1");
        assert!(
            missing.status == StatusCode::NOT_FOUND && !missing.headers.contains_key(header::ALLOW)
        );
    }
}
