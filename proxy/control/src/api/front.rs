//! The admin endpoint as requests come to it: whose they are, who sends them and whether they may, what they say, what they
//! are answered (CP section 1, section 8). Sockets are the listener's.

use std::{
    collections::HashSet,
    future::Future,
    sync::Arc,
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use fourfront_auth::{
    Action, AuthFault, AuthMode, Gate, LinkSigner, Principal, RequestHead, Resource, Source, Window,
};
use fourfront_aws::{
    Asked, Condition, Decoded, Dispatch, Operation, Protocol, Reply, RouteError, Routed, Service,
    WireAnswer, dispatch, encode, encode_error, route, route_named,
};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use parking_lot::Mutex;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::{
    ApiError, Caller, Control,
    arn::uuid,
    cors,
    keychain::Keychain,
    lambda::FunctionRef,
    log_query::{self, Subject},
    plane::Problem,
    retries::Retries,
    seen, time, wire,
};
use crate::UnknownFields;

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

/// Why a body was not read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BodyFault {
    /// It is longer than was allowed.
    #[error("the body has more than {0} bytes (CP-010)")]
    TooLarge(usize),
    /// It broke off.
    #[error("the body cannot be read: {0}")]
    Broken(String),
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
}

/// Who sends a request of the native API, and what with it.
#[derive(Debug)]
pub struct Admitted {
    /// Who.
    pub principal: Principal,
    /// The body.
    pub body: Bytes,
}

/// The admin endpoint.
#[derive(Debug)]
pub struct Front {
    control: Arc<Control>,
    gate: Gate<Keychain>,
    retries: Retries<Answer>,
    unknown: Unknown,
}

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

    /// Answers a request of an AWS-shaped service. `body` reads at most so many bytes.
    pub async fn aws<F>(self: &Arc<Self>, head: Head, body: impl FnOnce(usize) -> F) -> Answer
    where
        F: Future<Output = Result<Bytes, BodyFault>>,
    {
        let id = uuid();
        let mut answer = self.aws_inner(&head, body, &id).await;
        if let Ok(id) = HeaderValue::from_str(&id) {
            answer.headers.insert("x-amzn-requestid", id);
        }
        answer
    }

    async fn aws_inner<F>(
        self: &Arc<Self>,
        head: &Head,
        body: impl FnOnce(usize) -> F,
        id: &str,
    ) -> Answer
    where
        F: Future<Output = Result<Bytes, BodyFault>>,
    {
        let target = text(&head.headers, "x-amz-target");
        let scope = scope(head);
        let asked = Asked {
            scope: scope.as_deref(),
            method: head.method.as_str(),
            path: &head.path,
            query: &head.query,
            target: target.as_deref(),
            form: None,
        };
        let service = match dispatch(asked) {
            Dispatch::Service(service) => service,
            Dispatch::Mismatch(service) => {
                return refuse(service, &Dispatch::mismatch(service), id);
            }
            Dispatch::Foreign(name) => {
                let message = format!(
                    "this node does not speak for the service `{name}`: it has lambda, cloudfront, cloudfront-keyvaluestore, sts, iam and logs; give the client of `{name}` an endpoint of its own, as by AWS_ENDPOINT_URL_<SERVICE> (CP-236)"
                );
                // In the form that its client reads.
                let like = match target {
                    Some(_) => Service::Logs,
                    None => Service::CloudFront,
                };
                return refuse_plain(like, 400, "UnsupportedOperation", message, id);
            }
            // Forms tell STS from IAM by their body, which is read below.
            Dispatch::Native | Dispatch::Unknown
                if head.method == Method::POST && head.path == "/" =>
            {
                Service::Sts
            }
            Dispatch::Native | Dispatch::Unknown => {
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
        // Nothing is read from who may not do it anyway.
        if let Some(routed) = &routed {
            let action = Action::of_operation(auth_service(service), routed.operation.name);
            if let Err(denied) = admission.claimed().may_ever(action) {
                return refuse_fault(service, &denied.into(), id);
            }
        }
        let limit = routed
            .as_ref()
            .map_or(1 << 20, |r| r.operation.body_limit());
        let raw = match body(limit).await {
            Ok(raw) => raw,
            Err(fault) => {
                let condition = match fault {
                    BodyFault::TooLarge(_) => Condition::TooLarge,
                    BodyFault::Broken(_) => Condition::MalformedBody,
                };
                let error = body_error(service, routed.as_ref(), condition, fault.to_string());
                return refuse(service, &error, id);
            }
        };
        let digest = sha256(&raw);
        let principal = match admission.finish(&digest) {
            Ok(principal) => principal,
            Err(fault) => return refuse_fault(service, &fault, id),
        };
        let unpacked = match fourfront_aws::unpack(&head.headers, &raw, limit) {
            Ok(unpacked) => unpacked,
            Err(e) => {
                let condition = match e {
                    fourfront_aws::BodyError::TooLarge => Condition::TooLarge,
                    _ => Condition::MalformedBody,
                };
                let mut error = body_error(service, routed.as_ref(), condition, e.to_string());
                if matches!(e, fourfront_aws::BodyError::Coding) {
                    error.status = 415;
                }
                return refuse(service, &error, id);
            }
        };
        let (service, routed) = match routed {
            Some(routed) => (service, routed),
            None => match named(head, service, target.as_deref(), &unpacked) {
                Ok(named) => named,
                Err((service, e)) => return refuse(service, &e, id),
            },
        };
        let decoded = match fourfront_aws::decode(&routed, &head.headers, &unpacked) {
            Ok(decoded) => decoded,
            Err(e) => return refuse(service, &e, id),
        };
        let operation = routed.operation;
        if let Err(fault) = self.authorize(&principal, service, operation.name, &decoded.input) {
            return refuse_fault(service, &fault, id);
        }
        if let Some(refused) = self.refuse_unknown(operation, &decoded.unknown, id) {
            return refused;
        }
        let caller = self.caller(head, &principal);
        let invocation = text(&head.headers, "amz-sdk-invocation-id");
        let asked = Call {
            operation,
            decoded,
            principal,
            caller,
            id: id.to_owned(),
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
            principal,
            caller,
            id,
        } = asked;
        let service = operation.service;
        let reply = Reply {
            request_id: &id,
            namespace: decoded.namespace.as_deref(),
        };
        let called = {
            let (front, input) = (Arc::clone(self), decoded.input);
            let call = move || front.control.call(service, operation.name, &input, &caller);
            blocking(call).await
        };
        match called {
            Ok(mut output) => {
                seen::filter(&principal, service, operation.name, &mut output);
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

    /// The account that a host names, if it is another one's.
    fn other_account<'h>(&self, host: &'h str) -> Option<&'h str> {
        let (account, _) = fourfront_aws::split_host(host);
        account.filter(|account| *account != self.control.settings().account.id)
    }

    /// Lets in a request of the native API, or says why not. `path` is what follows `/_fourfront/v1/`.
    ///
    /// # Errors
    /// The answer to give.
    pub async fn admit_native<F>(
        &self,
        head: &Head,
        path: &str,
        body: impl FnOnce(usize) -> F,
    ) -> Result<Admitted, Answer>
    where
        F: Future<Output = Result<Bytes, BodyFault>>,
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
        let resource = named
            .as_ref()
            .map_or_else(|| seen::native(path), Subject::resource);
        let may = |principal: &Principal| {
            let verdict = principal.authorize(action, resource);
            verdict.map_err(AuthFault::from)
        };
        // Nothing is read from who may not do it anyway.
        may(admission.claimed()).map_err(refused)?;
        let limit = match path.starts_with("artifacts/") {
            true => MOST_ARTIFACT,
            false => MOST_NATIVE,
        };
        let body = body(limit).await.map_err(|fault| match fault {
            BodyFault::TooLarge(_) => Answer::problem(Problem::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                "RequestEntityTooLarge",
                fault.to_string(),
            )),
            BodyFault::Broken(_) => Answer::problem(Problem::new(
                StatusCode::BAD_REQUEST,
                "MalformedInput",
                fault.to_string(),
            )),
        })?;
        let principal = admission.finish(&sha256(&body)).map_err(refused)?;
        may(&principal).map_err(refused)?;
        Ok(Admitted { principal, body })
    }

    /// Who a principal is to the API.
    pub fn caller(&self, head: &Head, principal: &Principal) -> Caller {
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
        principal
            .authorize(action, named.resource())
            .map_err(AuthFault::from)?;
        if operation == "UpdateDistributionWithStagingConfig" {
            // It is about two of them.
            let staging = input["StagingDistributionId"].as_str().unwrap_or_default();
            principal
                .authorize(action, Resource::Distribution(staging))
                .map_err(AuthFault::from)?;
        }
        Ok(())
    }
}

/// A call that may be made.
struct Call {
    operation: &'static Operation,
    decoded: Decoded,
    principal: Principal,
    caller: Caller,
    /// Of the request.
    id: String,
}

/// What an operation is about, by name.
enum Named {
    Any,
    Shared,
    Distribution(String),
    Function(String),
    Store(String),
}

impl Named {
    fn of(control: &Control, service: Service, operation: &str, input: &Value) -> Self {
        let member = |name: &str| input[name].as_str().map(str::to_owned);
        let account = &control.settings().account;
        match service {
            Service::Lambda => {
                // The member that the operation acts on, and no other that may stand beside it.
                let name = match operation {
                    "ListTags" | "TagResource" | "UntagResource" => member("Resource"),
                    _ => member("FunctionName"),
                };
                let parsed = name.and_then(|n| FunctionRef::parse(&n, account).ok());
                parsed.map_or(Self::Any, |reference| Self::Function(reference.name))
            }
            Service::KeyValueStore => {
                let arn = member("KvsARN").unwrap_or_default();
                control.store_named_by(&arn).map_or(Self::Any, Self::Store)
            }
            Service::CloudFront if operation.ends_with("KeyValueStore") => {
                member("Name").map_or(Self::Any, Self::Store)
            }
            Service::CloudFront if operation.ends_with("Function") => {
                member("Name").map_or(Self::Any, Self::Function)
            }
            Service::CloudFront if operation.contains("Invalidation") => {
                member("DistributionId").map_or(Self::Any, Self::Distribution)
            }
            Service::CloudFront if operation == "CopyDistribution" => {
                member("PrimaryDistributionId").map_or(Self::Any, Self::Distribution)
            }
            Service::CloudFront
                if operation.contains("Distribution")
                    && !operation.starts_with("CreateDistribution") =>
            {
                member("Id").map_or(Self::Any, Self::Distribution)
            }
            Service::CloudFront if operation.starts_with("CreateDistribution") => Self::Any,
            Service::CloudFront
                if operation.contains("TagResource") || operation == "ListTagsForResource" =>
            {
                let arn = member("Resource").unwrap_or_default();
                match arn.split_once(":distribution/") {
                    Some((_, id)) => Self::Distribution(id.to_owned()),
                    None => match arn.split_once(":function/") {
                        Some((_, name)) => Self::Function(name.to_owned()),
                        None => Self::Any,
                    },
                }
            }
            Service::CloudFront => Self::Shared,
            Service::Logs => super::logs::function_named(input).map_or(Self::Any, Self::Function),
            Service::Sts | Service::Iam => Self::Any,
        }
    }

    fn resource(&self) -> Resource<'_> {
        match self {
            Self::Any => Resource::Any,
            Self::Shared => Resource::Shared,
            Self::Distribution(id) => Resource::Distribution(id),
            Self::Function(name) => Resource::Function(name),
            Self::Store(name) => Resource::Store(name),
        }
    }
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

fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    let value = headers.get(name)?.to_str().ok()?;
    Some(value.to_owned())
}

fn sha256(body: &[u8]) -> [u8; 32] {
    Sha256::digest(body).into()
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

/// The longest that a body may take to come, so that a caller who stops sending holds nothing.
pub const BODY_TIMEOUT: Duration = Duration::from_secs(120);

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
