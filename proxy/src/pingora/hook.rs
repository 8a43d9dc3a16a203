//! Running a function for a request: event, call, judgement, and the notes for logs and
//! metrics. The pure parts are in [`crate::flow::hook`].

use std::time::Instant;

use fourfront_hooks::{
    HookFault,
    cff::OriginChange,
    event::{BodyView, OriginObject},
    pool::Call,
    validate::{HookResult, RequestResult, ResponseResult, Violation},
};
use fourfront_model::{EventType, OnError};
use rand::Rng as _;

use super::context::Record;
use crate::{
    flow::{
        Exchange, Fault, NodeFault,
        hook::{HookInput, RequestParts, ResponseParts, verdict},
    },
    node::Node,
    observe::{access::HookRecord, logs::LOGGED_FAULT},
};

/// What a function is shown beside the exchange.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shown<'a> {
    /// The request.
    pub(super) request: &'a RequestParts,
    /// The request body, at request triggers that include it.
    pub(super) body: Option<BodyView<'a>>,
    /// The origin, at origin triggers.
    pub(super) origin: Option<&'a OriginObject>,
    /// The response, at response triggers.
    pub(super) response: Option<&'a ResponseParts>,
}

/// Runs the function at `event`, if one is attached. `None` when there is none, and when it has failed and its
/// association lets requests go on without it. The request waits for it here (LE-002).
///
/// # Errors
/// [`Fault::Hook`] when the call fails or its result breaks a rule. Failures fail closed (LE-281) otherwise.
pub(super) async fn run(
    node: &Node,
    exchange: &Exchange,
    event_type: EventType,
    shown: Shown<'_>,
    record: &mut Record,
) -> Result<Option<HookResult>, Fault> {
    let ran = run_any(node, exchange, event_type, shown, record).await?;
    Ok(ran.map(|(result, _)| result))
}

/// [`run`] at a viewer trigger, where a CloudFront Function may also choose an origin (LE-475).
///
/// # Errors
/// As [`run`].
pub(super) async fn run_any(
    node: &Node,
    exchange: &Exchange,
    event_type: EventType,
    shown: Shown<'_>,
    record: &mut Record,
) -> Result<Option<(HookResult, Option<Box<OriginChange>>)>, Fault> {
    let Some(hook) = exchange.route.hook(event_type) else {
        return Ok(None);
    };
    let is_of_cloudfront = hook.function.cloudfront().is_some();
    let input = HookInput {
        exchange,
        event_type,
        request: shown.request,
        body: shown.body,
        origin: shown.origin,
        response: shown.response,
    };
    let call = Call {
        event: input.event(),
        event_type,
        timeout: hook.function.timeout_at(event_type),
        // Lines of a CloudFront Function carry the viewer request's id (LE-440).
        request_id: if is_of_cloudfront {
            exchange.request_id.as_str().to_owned()
        } else {
            invocation_id()
        },
        viewer_request_id: exchange.request_id.as_str().to_owned(),
    };
    let invocation_id = call.request_id.clone();
    let started = Instant::now();
    let returned = node.hooks().invoke(&hook.prepared, call).await;
    let judged = verdict(returned, |result| input.judge(result));
    let judged = if is_of_cloudfront {
        judged.map_err(HookFault::of_cloudfront_function)
    } else {
        judged
    };
    let duration = started.elapsed();
    hook.duration.observe(duration.as_secs_f64());
    let function = hook.function.name.as_str();
    let noted = |fault| HookRecord {
        event_type,
        function: function.to_owned(),
        invocation_id,
        duration,
        fault,
    };
    match judged {
        Ok(verdict) => {
            let call = noted(None);
            if let Some(data) = verdict.log_data {
                record.log_data[usize::from(!event_type.is_request())] = Some(data);
            }
            for warning in verdict.outcome.warnings {
                tracing::warn!(
                    request_id = exchange.request_id.as_str(),
                    id = call.invocation_id,
                    distribution = exchange.route.metrics().distribution(),
                    function,
                    event_type = event_type.as_str(),
                    rule = warning.rule,
                    "{}",
                    warning.message
                );
            }
            record.hooks.push(call);
            Ok(Some((verdict.outcome.result, verdict.origin)))
        }
        Err(fault) => {
            let call = noted(Some((fault.class().token(), fault.rule())));
            let ended = match hook.on_error {
                OnError::Fail => Err(failed(node, exchange, &call, fault, &mut record.error)),
                OnError::Bypass => {
                    tell(node, exchange, &call, &fault, "bypass");
                    Ok(None)
                }
            };
            record.hooks.push(call);
            ended
        }
    }
}

/// The failure of a call whose result was accepted, and turns out not to be one that may be followed (LE-346). No
/// association lets a request go on after that: the function has spoken, and what it said is refused.
pub(super) fn refused_late(
    node: &Node,
    exchange: &Exchange,
    event_type: EventType,
    violation: Violation,
    record: &mut Record,
) -> Fault {
    let mut fault = HookFault::from(violation);
    let hook = exchange.route.hook(event_type);
    if hook.is_some_and(|h| h.function.cloudfront().is_some()) {
        fault = fault.of_cloudfront_function();
    }
    let mut calls = record.hooks.iter_mut().rev();
    match calls.find(|call| call.event_type == event_type) {
        Some(call) => {
            call.fault = Some((fault.class().token(), fault.rule()));
            failed(node, exchange, call, fault, &mut record.error)
        }
        None => NodeFault::Internal("a result without its call".to_owned()).into(),
    }
}

/// A failure that ends its request.
fn failed(
    node: &Node,
    exchange: &Exchange,
    call: &HookRecord,
    fault: HookFault,
    error: &mut Option<String>,
) -> Fault {
    *error = Some(fault.to_string());
    tell(node, exchange, call, &fault, "fail");
    Fault::Hook {
        event: call.event_type,
        fault,
    }
}

/// Counts and logs the failure of a call, apart from those of origins (LE-284).
fn tell(node: &Node, exchange: &Exchange, call: &HookRecord, fault: &HookFault, on_error: &str) {
    let (function, event_type) = (call.function.as_str(), call.event_type);
    let (class, rule) = (fault.class().token(), fault.rule());
    if let Some(hook) = exchange.route.hook(event_type) {
        let key = hook.function.key();
        node.metrics()
            .hook_fault(&key, event_type.as_str(), class, rule);
    }
    // LE-282, LE-283: the distribution's own stream, naming rule and offender.
    macro_rules! warn_under {
        ($target:expr) => {
            tracing::warn!(
                target: $target,
                request_id = exchange.request_id.as_str(),
                id = call.invocation_id,
                distribution = exchange.route.metrics().distribution(),
                behavior = exchange.route.metrics().behavior(),
                function,
                event_type = event_type.as_str(),
                class,
                rule,
                on_error,
                stack = stack(fault),
                "{fault}"
            )
        };
    }
    if is_in_the_functions_log(fault) {
        warn_under!(LOGGED_FAULT);
    } else {
        warn_under!(module_path!());
    }
}

/// A new UUID, version 4 (LE-325): another one for each call, unlike the viewer request's id.
fn invocation_id() -> String {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let mut b = [0u8; 16];
    rand::rng().fill_bytes(&mut b);
    b[6] = b[6] & 0x0f | 0x40;
    b[8] = b[8] & 0x3f | 0x80;
    let mut id = String::with_capacity(36);
    for (at, byte) in b.into_iter().enumerate() {
        if matches!(at, 4 | 6 | 8 | 10) {
            id.push('-');
        }
        id.push(char::from(HEX[usize::from(byte >> 4)]));
        id.push(char::from(HEX[usize::from(byte & 0x0f)]));
    }
    id
}

/// Whether the engine has told the function's own log of it: what ended a call that had begun (LE-278).
fn is_in_the_functions_log(fault: &HookFault) -> bool {
    use fourfront_hooks::ExecutionFault::{Load, WorkerGone};
    match fault.cause() {
        HookFault::Execution(Load { .. } | WorkerGone) => false,
        HookFault::Execution(_) => true,
        _ => false,
    }
}

fn stack(fault: &HookFault) -> &str {
    use fourfront_hooks::ExecutionFault::{Load, Thrown};
    match fault.cause() {
        HookFault::Execution(Load { stack, .. } | Thrown { stack, .. }) => stack,
        _ => "",
    }
}

/// A result that must be a response; anything else has been refused by validation (LE-132, LE-133).
pub(super) fn response_only(result: HookResult) -> Result<ResponseResult, NodeFault> {
    match result {
        HookResult::Response(response) => Ok(response),
        HookResult::Request(_) => Err(NodeFault::Internal(
            "a response trigger returned a request".to_owned(),
        )),
    }
}

/// The two things a request trigger may return (LE-130, LE-131).
#[derive(Debug)]
pub(super) enum Decision {
    /// Go on, with these changes.
    Continue(Option<RequestResult>),
    /// Answer with this.
    Respond(ResponseResult),
}

impl From<Option<HookResult>> for Decision {
    fn from(result: Option<HookResult>) -> Self {
        match result {
            None => Self::Continue(None),
            Some(HookResult::Request(request)) => Self::Continue(Some(request)),
            Some(HookResult::Response(response)) => Self::Respond(response),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invocation_ids_are_random_uuids() {
        // LE-325
        let id = invocation_id();
        let groups: Vec<usize> = id.split('-').map(str::len).collect();
        assert_eq!(groups, [8, 4, 4, 4, 12]);
        assert!(id.chars().all(|c| c == '-' || c.is_ascii_hexdigit()));
        assert_eq!(id.as_bytes()[14], b'4');
        assert!(b"89ab".contains(&id.as_bytes()[19]));
        assert_ne!(id, invocation_id());
    }
}
