//! Requests of AWS-shaped services: which operation, whether its sender may make it, what it is answered.

use std::{
    error::Error,
    fmt,
    sync::Arc,
    time::{Instant, SystemTime},
};

use bytes::Bytes;
use fourfront_auth::{Action, AuthFault, Principal, RequestHead, Resource};
use fourfront_aws::{
    Asked, Condition, Decoded, Dispatch, Operation, Protocol, Reply, RouteError, Service, dispatch,
    encode, encode_error, route,
};
use fourfront_store::BlobWriter;
use http::{HeaderValue, Method};
use http_body::Body;
use serde_json::Value;

use super::{
    Answer, Answered, Front, Head, MOST_REFUSED, Received, auth_service,
    bodies::{Input, input},
    refusals::{
        in_wire, knows, refuse, refuse_body, refuse_fault, refuse_plain, refuse_route, worded,
    },
    scope, text,
};
use crate::{
    UnknownFields,
    api::{ApiError, Caller, arn::uuid, named::Named, reach, resource, seen, wire},
};

impl Front {
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
        let received = match (self.receive(&admission, body, most).await, denied) {
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
        caller.trail.about(resource(&decoded.input));
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
        let began = Instant::now();
        let mut said = self.retries.slot(again.clone(), now).lock_owned().await;
        if let Some(answer) = &*said {
            return answer.clone();
        }
        let (front, operation, id) = (Arc::clone(self), asked.operation, asked.id.clone());
        // It goes on when its client hangs up, which is what brings the next attempt.
        let answering = tokio::spawn(async move {
            let answer = front.answer(asked).await;
            if answer.status.is_success() {
                *said = Some(answer.clone());
                front.retries.answered(&again, now + began.elapsed());
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

    /// The account that a host names, if it is another one's.
    fn other_account<'h>(&self, host: &'h str) -> Option<&'h str> {
        let (account, _) = fourfront_aws::split_host(host);
        account.filter(|account| *account != self.control.settings().account.id)
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

/// Runs what waits for the disk or compiles functions; others do not wait for it.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ApiError> + Send + 'static,
) -> Result<T, ApiError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|e| Err(ApiError::internal(e.to_string())))
}
