//! The admin endpoint as requests come to it: whose they are, who sends them and whether they may, what they say, what they
//! are answered (CP section 1, section 8). Sockets are the listener's.

mod aws;
mod bodies;
mod refusals;
mod unknown;

use std::{
    fmt,
    sync::Arc,
    time::{Instant, SystemTime},
};

use bytes::Bytes;
use fourfront_auth::{
    Action, Admission, AuthFault, AuthMode, Gate, LinkSigner, Principal, RequestHead, Resource,
    Source, Window,
};
use fourfront_aws::{Operation, Service, WireAnswer};
use fourfront_store::AuditEntry;
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header};
use http_body::Body;
use serde_json::{Value, json};

use super::{
    Caller, Control, Trail,
    audit::{self, Refusals},
    cors,
    intake::{Intake, Sender},
    keychain::Keychain,
    log_query,
    plane::Problem,
    reach,
    retries::Retries,
    seen, time, trial,
};
use refusals::{native_body, native_fault};
use unknown::Unknown;

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
pub(super) const MOST_REFUSED: usize = 1 << 20;
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

    /// Reads a body of at most `limit` bytes. One that times out or breaks off is counted where it comes from (CP-420).
    pub(super) async fn receive<B>(
        &self,
        admission: &Admission<'_>,
        body: B,
        limit: usize,
    ) -> Result<Received, BodyFault>
    where
        B: Body<Data = Bytes>,
        B::Error: fmt::Display,
    {
        let mut coming = Coming {
            admission,
            since: Instant::now(),
            has_come: false,
        };
        let sender = Sender {
            is_known: admission.is_proven(),
            network: admission.unproven_from(),
        };
        let store = self.control.store();
        let received = self.intake.receive(store, body, limit, sender).await;
        coming.has_come = !matches!(received, Err(BodyFault::Broken(_)));
        received
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
            |s| seen::About::One(s.named()),
        );
        let may = |principal: &Principal| {
            let verdict = match &about {
                seen::About::One(one) => {
                    reach::authorize(self.control.store(), principal, action, one.resource())
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
        let body = match (self.receive(&admission, body, most).await, denied) {
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
                caller.trail.about(function.name());
                let store = self.control.store();
                reach::authorize(store, &principal, action, function.resource())
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

    pub(super) fn trail_of(&self, caller: &Caller, operation: &str, resource: &str) -> Trail {
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
    pub(super) async fn refused(&self, caller: &Caller, code: &str) {
        if !caller.trail.is_none() && self.refusals.is_told(&caller.key_id, caller.now) {
            let store = self.control.store();
            caller.trail.end_async(store, Some(code)).await;
        }
    }
}

/// A body on its way. Who hangs up drops it.
struct Coming<'a> {
    admission: &'a Admission<'a>,
    since: Instant,
    has_come: bool,
}

impl Drop for Coming<'_> {
    fn drop(&mut self) {
        if !self.has_come {
            self.admission.broke_off(self.since.elapsed());
        }
    }
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
