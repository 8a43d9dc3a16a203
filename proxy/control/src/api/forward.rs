//! Requests to services that the node does not have, handed on to where the operator says such are (CP-236).
//!
//! Nothing of a request is changed but what belongs to one connection alone (RFC 9110 section 7.6.1) and `Via`: `Host` and the
//! signature are as they came. Who asks has to be let in as for the node's own services, and may with the role `admin` or
//! `deploy`; so nobody is led through the node to what it can reach and they cannot. A signature is judged by the node's own
//! keys, whichever service it is for. One that is over the body's hash in a field is judged before anything is sent on; the
//! body then streams, and its end is withheld until the hash is found to be right. One that is over the body itself needs
//! all of it, as do forms, which name their operation there: such bodies are held back on the disk.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc, LazyLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use fourfront_auth::{
    Action, Admission, AuthFault, Mismatch, Presented, Principal, RequestHead, Resource, Source,
};
use fourfront_aws::{ForeignCall, ForeignForm};
use fourfront_model::Endpoint;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, header};
use http_body::{Body, Frame, SizeHint};
use http_body_util::{BodyExt as _, combinators::UnsyncBoxBody};
use sha2::{Digest as _, Sha256};

use super::{
    Caller, Trail,
    front::{Answer, Answered, Front, Head, MOST_REFUSED, Received},
    remote::{Fault, Outgoing, RemoteFault},
};

/// Longest body of a request that is handed on and has to be held back, in bytes.
const MOST_HELD: usize = 70_167_211;
/// Longest body that streams, in bytes: the largest object that S3 takes at once.
const MOST_STREAMED: u64 = 5 << 30;
/// Bytes of a form in which its operation is looked for.
const MOST_FORM: usize = 1 << 20;

const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");

/// How this process is called in `Via`, so that what comes back to it is known.
static VIA: LazyLock<String> =
    LazyLock::new(|| format!("1.1 fourfront-{:016x}", rand::random::<u64>()));

/// What a request to another service comes to before it is sent.
struct Judged {
    principal: Principal,
    call: ForeignCall,
    body: Outgoing,
    watch: Arc<Watch>,
}

/// What becomes of a body while it is sent.
#[derive(Debug, Default)]
struct Watch {
    /// Bytes that went out.
    sent: AtomicU64,
    /// It is not the one that was signed.
    is_other: AtomicBool,
    /// It is longer than it may be.
    is_too_large: AtomicBool,
}

/// A refusal, in no service's words yet.
struct Refusal {
    status: u16,
    code: &'static str,
    message: String,
}

impl Front {
    /// Hands a request to `service` on to `endpoint`.
    pub(super) async fn forward<B>(
        self: &Arc<Self>,
        head: &Head,
        service: &str,
        endpoint: &Endpoint,
        body: B,
        id: &str,
    ) -> Answered
    where
        B: Body<Data = Bytes> + Send + Unpin + 'static,
        B::Error: Into<Fault> + std::fmt::Display,
    {
        let form = ForeignForm::of(service, &head.headers);
        let refuse = |refusal: Refusal| {
            let Refusal {
                status,
                code,
                message,
            } = refusal;
            Answered::Own(form.refusal(status, code, &message, id).into())
        };
        let judged = match self.judge(head, service, form, body).await {
            Ok(judged) => judged,
            Err(refusal) => return refuse(refusal),
        };
        let Judged {
            principal,
            call,
            body,
            watch,
        } = judged;
        let trail = match call.is_mutation {
            true => self.trail_of_call(&self.caller(head, &principal), head, service, &call),
            false => Trail::default(),
        };
        let request = outgoing(head, endpoint, body);
        let is_mutation = call.is_mutation;
        let (front, service, endpoint) = (Arc::clone(self), service.to_owned(), endpoint.clone());
        let sending = async move {
            let sent = match request {
                Ok(request) => {
                    let remote = &front.control().settings().remote;
                    let sent = remote.send(request, &watch.sent).await;
                    sent.map_err(|fault| watch.told(&service, form, &endpoint, &fault))
                }
                Err(refusal) => Err(refusal),
            };
            let error = match &sent {
                Ok(answer) if answer.status().as_u16() < 400 => None,
                Ok(answer) => Some(answer.status().as_u16().to_string()),
                Err(refusal) => Some(refusal.code.to_owned()),
            };
            let store = front.control().store();
            trail.end_async(store, error.as_deref()).await;
            sent
        };
        // What may change something is entered even if who asked hangs up before it is answered.
        let sent = match is_mutation {
            true => tokio::spawn(sending).await.unwrap_or_else(|e| {
                Err(Refusal {
                    status: 500,
                    code: "InternalError",
                    message: e.to_string(),
                })
            }),
            false => sending.await,
        };
        match sent {
            Err(refusal) => refuse(refusal),
            Ok(answer) => {
                let (mut parts, body) = answer.into_parts();
                drop_hops(&mut parts.headers, &[]);
                let body = body.map_err(io::Error::other).boxed_unsync();
                Answered::Forwarded(Response::from_parts(parts, body))
            }
        }
    }

    /// Whether a request may be handed on, and what of it.
    async fn judge<B>(
        &self,
        head: &Head,
        service: &str,
        form: ForeignForm,
        body: B,
    ) -> Result<Judged, Refusal>
    where
        B: Body<Data = Bytes> + Send + Unpin + 'static,
        B::Error: Into<Fault> + std::fmt::Display,
    {
        let vias = head.headers.get_all(header::VIA);
        if vias
            .iter()
            .any(|via| via.to_str().is_ok_and(|via| via.contains(VIA.as_str())))
        {
            return Err(Refusal {
                status: 508,
                code: "LoopDetected",
                message: format!("node.admin.forward.{service} leads back to this node (CP-236)"),
            });
        }
        let is_here = match head.source {
            Source::Address(address) => address.to_canonical().is_loopback(),
            Source::Socket { .. } => true,
        };
        let request = RequestHead {
            method: head.method.as_str(),
            raw_path: head.path.as_bytes(),
            raw_query: head.query.as_bytes(),
            headers: &head.headers,
            // On this machine nobody changes a body on its way either.
            over_tls: head.over_tls || is_here,
        };
        let denied = |fault: AuthFault| refusal_of(form, &fault);
        let admission = self
            .gate()
            .admit_foreign(&request, head.source, head.now)
            .map_err(denied)?;
        // Little is read from who may not do it anyway: what proves who it is, for the audit log.
        let may = |who: &Principal| {
            let verdict = who.authorize(Action::Forward, Resource::Any);
            verdict.map_err(AuthFault::from)
        };
        if let Err(fault) = may(admission.claimed()) {
            let refusal = denied(fault);
            self.tell_denied(head, service, admission, body, refusal.code)
                .await;
            return Err(refusal);
        }
        let is_form = ForeignForm::is_form(&head.headers);
        let watch = Arc::<Watch>::default();
        let of = |form: Option<&str>| call_of(head, service, form);
        if admission.is_proven() && !is_form && !body.is_end_stream() {
            let declared = admission.declared();
            let principal = admission
                .finish(&declared.unwrap_or_default())
                .map_err(denied)?;
            let body = Watched {
                body,
                hash: declared.map(|wanted| (Sha256::new(), wanted)),
                held: None,
                left: MOST_STREAMED,
                watch: Arc::clone(&watch),
            };
            return Ok(Judged {
                principal,
                call: of(None),
                body: body.boxed_unsync(),
                watch,
            });
        }
        let received = self.receive(&admission, body, MOST_HELD).await;
        let received = received.map_err(|fault| Refusal {
            status: fault.status(),
            code: fault.code(),
            message: fault.to_string(),
        })?;
        let principal = admission.finish(received.sha256()).map_err(denied)?;
        let call = of(form_of(head, &received).as_deref());
        let body = Watched {
            body: received.into_body(),
            hash: None,
            held: None,
            left: MOST_STREAMED,
            watch: Arc::clone(&watch),
        };
        Ok(Judged {
            principal,
            call,
            body: body.boxed_unsync(),
            watch,
        })
    }

    /// Enters a call of who is proven and may not hand anything on, if it may have changed something.
    async fn tell_denied<B>(
        &self,
        head: &Head,
        service: &str,
        admission: Admission<'_>,
        body: B,
        code: &str,
    ) where
        B: Body<Data = Bytes> + Send + Unpin + 'static,
        B::Error: std::fmt::Display,
    {
        let (proven, form) = match admission.is_proven() {
            true => {
                let declared = admission.declared().unwrap_or_default();
                (admission.finish(&declared), None)
            }
            false => match self.receive(&admission, body, MOST_REFUSED).await {
                Ok(received) => {
                    let form = form_of(head, &received);
                    (admission.finish(received.sha256()), form)
                }
                Err(_) => return,
            },
        };
        let Ok(principal) = proven else {
            return;
        };
        let call = call_of(head, service, form.as_deref());
        if call.is_mutation {
            let mut caller = self.caller(head, &principal);
            caller.trail = self.trail_of_call(&caller, head, service, &call);
            self.refused(&caller, code).await;
        }
    }

    fn trail_of_call(
        &self,
        caller: &Caller,
        head: &Head,
        service: &str,
        call: &ForeignCall,
    ) -> Trail {
        let operation = format!("{service}:{}", call.operation);
        self.trail_of(caller, &operation, resource(head))
    }
}

impl Watch {
    /// Why nothing came back.
    fn told(
        &self,
        service: &str,
        form: ForeignForm,
        endpoint: &Endpoint,
        fault: &RemoteFault,
    ) -> Refusal {
        if self.is_other.load(Ordering::Acquire) {
            return refusal_of(form, &Mismatch::Body.into());
        }
        if self.is_too_large.load(Ordering::Acquire) {
            return Refusal {
                status: 413,
                code: "EntityTooLarge",
                message: format!("the body has more than {MOST_STREAMED} bytes (CP-010)"),
            };
        }
        let (status, code) = match fault {
            RemoteFault::Failed(_) => (502, "BadGateway"),
            RemoteFault::Silent(_) => (504, "GatewayTimeout"),
        };
        Refusal {
            status,
            code,
            message: format!(
                "{}, where node.admin.forward.{service} hands requests on to, does not answer: {fault} (CP-236)",
                endpoint.authority()
            ),
        }
    }
}

/// A refusal of who asks, in the words that clients of such services know.
fn refusal_of(form: ForeignForm, fault: &AuthFault) -> Refusal {
    let like = match form {
        ForeignForm::S3 | ForeignForm::Query | ForeignForm::Ec2 => {
            fourfront_auth::Service::CloudFront
        }
        ForeignForm::Json(_) | ForeignForm::RestJson => fourfront_auth::Service::Logs,
    };
    let hint = match fault {
        AuthFault::UnknownKey => {
            ": what is handed on to other services is signed with a key of this node (CP-236)"
        }
        _ => "",
    };
    Refusal {
        status: fault.status(),
        code: fault.code(like),
        message: format!("{}{hint}", fault.message(like)),
    }
}

/// What a request asks. `form` is its body where that is a form.
fn call_of(head: &Head, service: &str, form: Option<&str>) -> ForeignCall {
    let method = head.method.as_str();
    ForeignCall::of(
        service,
        &head.headers,
        method,
        &head.path,
        &head.query,
        form,
    )
}

/// The form in a body, if it is one, and not a long one.
fn form_of(head: &Head, received: &Received) -> Option<String> {
    if !ForeignForm::is_form(&head.headers) || received.len() > MOST_FORM {
        return None;
    }
    let bytes = received.bytes().ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// What a request without a target is about, for the audit log: its path, and nothing of its query, which may be a secret.
fn resource(head: &Head) -> &str {
    match head.path.as_str() {
        "/" => "",
        path => path.get(..1024).unwrap_or(path),
    }
}

/// The request as it goes out.
fn outgoing(
    head: &Head,
    endpoint: &Endpoint,
    body: Outgoing,
) -> Result<Request<Outgoing>, Refusal> {
    let query = match head.query.as_str() {
        "" => String::new(),
        query => format!("?{query}"),
    };
    let scheme = endpoint.protocol.as_str();
    let url = format!("{scheme}://{}{}{query}", endpoint.authority(), head.path);
    let request = Request::builder()
        .method(head.method.clone())
        .uri(url)
        .body(body);
    let mut request = request.map_err(|e| Refusal {
        status: 400,
        code: "InvalidRequest",
        message: e.to_string(),
    })?;
    let headers = request.headers_mut();
    *headers = head.headers.clone();
    drop_hops(headers, &signed_names(head));
    // The node has let its sender go on already.
    headers.remove(header::EXPECT);
    if let Ok(via) = HeaderValue::from_str(&VIA) {
        headers.append(header::VIA, via);
    }
    Ok(request)
}

/// The names of the fields that a request is signed with.
fn signed_names(head: &Head) -> Vec<HeaderName> {
    let request = RequestHead {
        method: head.method.as_str(),
        raw_path: head.path.as_bytes(),
        raw_query: head.query.as_bytes(),
        headers: &head.headers,
        // Whether the body may be unsigned was judged before.
        over_tls: true,
    };
    match Presented::parse(&request) {
        Ok(Some(presented)) => presented.signed_names().to_vec(),
        Ok(None) | Err(_) => Vec::new(),
    }
}

/// Removes what is about one connection alone, and what `Connection` says is (RFC 9110 section 7.6.1), but for what is `kept`:
/// nobody talks a request out of what it is signed with.
fn drop_hops(headers: &mut HeaderMap, kept: &[HeaderName]) {
    let named: Vec<HeaderName> = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .filter(|name| !matches!(*name, header::HOST | header::AUTHORIZATION))
        .filter(|name| !kept.contains(name))
        .collect();
    let always = [
        header::CONNECTION,
        KEEP_ALIVE,
        PROXY_CONNECTION,
        header::TE,
        header::TRAILER,
        header::TRANSFER_ENCODING,
        header::UPGRADE,
    ];
    for name in always.iter().chain(&named) {
        headers.remove(name);
    }
}

/// A body that is counted and, where its hash was signed, held against that before its end goes out.
struct Watched<B> {
    body: B,
    hash: Option<(Sha256, [u8; 32])>,
    /// What came last, until it is known not to be the end of another body than the signed one.
    held: Option<Bytes>,
    left: u64,
    watch: Arc<Watch>,
}

impl<B> Body for Watched<B>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Into<Fault>,
{
    type Data = Bytes;
    type Error = Fault;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Fault>>> {
        let this = &mut *self;
        loop {
            let Some(frame) = ready!(Pin::new(&mut this.body).poll_frame(cx)) else {
                if let Some((hash, wanted)) = this.hash.take()
                    && wanted != <[u8; 32]>::from(hash.finalize())
                {
                    this.watch.is_other.store(true, Ordering::Release);
                    return Poll::Ready(Some(Err("another body than was signed".into())));
                }
                return Poll::Ready(this.held.take().map(|last| Ok(Frame::data(last))));
            };
            // Trailers belong to the connection.
            let Ok(data) = frame.map_err(Into::into)?.into_data() else {
                continue;
            };
            let len = u64::try_from(data.len()).unwrap_or(u64::MAX);
            this.watch.sent.fetch_add(len, Ordering::Relaxed);
            let Some(left) = this.left.checked_sub(len) else {
                this.watch.is_too_large.store(true, Ordering::Release);
                return Poll::Ready(Some(Err("the body is too large".into())));
            };
            this.left = left;
            let Some((hash, _)) = &mut this.hash else {
                return Poll::Ready(Some(Ok(Frame::data(data))));
            };
            if data.is_empty() {
                continue;
            }
            hash.update(&data);
            if let Some(before) = this.held.replace(data) {
                return Poll::Ready(Some(Ok(Frame::data(before))));
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.hash.is_none() && self.held.is_none() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        if self.hash.is_some() || self.held.is_some() {
            return SizeHint::default();
        }
        self.body.size_hint()
    }
}

impl From<Answer> for Answered {
    fn from(answer: Answer) -> Self {
        Self::Own(answer)
    }
}

/// The body of an answer that is handed back.
pub type Handed = UnsyncBoxBody<Bytes, io::Error>;
