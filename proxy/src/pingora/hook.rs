//! Running a function for a request: event, call, judgement, and the notes for logs and
//! metrics. The pure parts are in [`crate::flow::hook`].

use std::time::Instant;

use fourfront_hooks::{
    ExecutionFault, HookFault,
    event::{BodyView, OriginObject},
    pool::Call,
    validate::{self, HookResult, RequestResult, ResponseResult},
};
use fourfront_model::EventType;

use super::context::Record;
use crate::{
    flow::{
        Exchange, Fault, NodeFault,
        hook::{HookInput, RequestParts, ResponseParts},
    },
    node::Node,
    observe::access::HookRecord,
};

/// AWS's name for a result beyond the transport's limit.
const RESULT_TOO_LARGE: &str = "Function.ResponseSizeTooLarge";

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

/// Runs the function at `event`, if one is attached. `None` when there is none.
///
/// # Errors
/// [`Fault::Hook`] when the call fails or its result breaks a rule. Failures fail closed (LE-281).
pub(super) async fn run(
    node: &Node,
    exchange: &Exchange,
    event_type: EventType,
    shown: Shown<'_>,
    record: &mut Record,
) -> Result<Option<HookResult>, Fault> {
    let Some(hook) = exchange.route.hook(event_type) else {
        return Ok(None);
    };
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
        request_id: invocation_id(),
    };
    let started = Instant::now();
    let judged = match node.hooks().invoke(&hook.prepared, call).await {
        Ok(result) => input.judge(&result).map_err(HookFault::from),
        // The engine holds back what is longer than a result may be; the class is validation's (LE-136).
        Err(HookFault::Execution(ExecutionFault::Thrown { error_type, .. }))
            if error_type == RESULT_TOO_LARGE =>
        {
            Err(validate::result_too_large().into())
        }
        Err(fault) => Err(fault),
    };
    let duration = started.elapsed();
    hook.duration.observe(duration.as_secs_f64());
    let function = hook.function.name.as_str();
    let noted = |fault| HookRecord {
        event_type,
        function: function.to_owned(),
        duration,
        fault,
    };
    match judged {
        Ok(outcome) => {
            record.hooks.push(noted(None));
            for warning in outcome.warnings {
                tracing::warn!(
                    request_id = exchange.request_id.as_str(),
                    distribution = exchange.route.metrics().distribution(),
                    function,
                    event_type = event_type.as_str(),
                    rule = warning.rule,
                    "{}",
                    warning.message
                );
            }
            Ok(Some(outcome.result))
        }
        Err(fault) => {
            let (class, rule) = (fault.class().token(), fault.rule());
            record.hooks.push(noted(Some((class, rule))));
            record.error = Some(fault.to_string());
            node.metrics()
                .hook_fault(function, event_type.as_str(), class, rule);
            // LE-282, LE-283: the distribution's own stream, naming rule and offender.
            tracing::warn!(
                request_id = exchange.request_id.as_str(),
                distribution = exchange.route.metrics().distribution(),
                behavior = exchange.route.metrics().behavior(),
                function,
                event_type = event_type.as_str(),
                class,
                rule,
                stack = stack(&fault),
                "{fault}"
            );
            Err(Fault::Hook {
                event: event_type,
                fault,
            })
        }
    }
}

/// A new UUID, version 4 (LE-325): another one for each call, unlike the viewer request's id.
fn invocation_id() -> String {
    let mut b = [0u8; 16];
    fastrand::fill(&mut b);
    b[6] = b[6] & 0x0f | 0x40;
    b[8] = b[8] & 0x3f | 0x80;
    let hex = |range: std::ops::Range<usize>| {
        b[range]
            .iter()
            .map(|b| format!("{b:02x}"))
            .collect::<String>()
    };
    format!(
        "{}-{}-{}-{}-{}",
        hex(0..4),
        hex(4..6),
        hex(6..8),
        hex(8..10),
        hex(10..16)
    )
}

fn stack(fault: &HookFault) -> &str {
    use fourfront_hooks::ExecutionFault::{Load, Thrown};
    match fault {
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
