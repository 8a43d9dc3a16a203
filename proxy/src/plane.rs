//! The node as its control plane sees it (CP-505): configurations are made ready and swapped in, functions tried out,
//! objects invalidated.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use fourfront_control::{
    Loaded,
    api::plane::{DataPlane, Invoked, LoggedLine, PlaneFault, PurgeAnswer, PurgeCall, Tested},
};
use fourfront_hooks::{
    ExecutionFault, HookFault,
    bundle::Bundle,
    pool::{Call, Prepared},
};
use fourfront_model::{Compat, EventType, Function};
use serde_json::{Value, json};

use crate::{
    node::{Node, SnapshotError},
    observe::tap::{FunctionLine, LogTap},
    purge,
};

/// A node, and what its functions log.
#[derive(Clone, Debug)]
pub struct Plane {
    node: Arc<Node>,
    tap: Arc<LogTap>,
}

/// How long a function of Lambda's kind may take that says nothing about it.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(3);
/// How long a run of a CloudFront Function may take in a test.
const TEST_TIMEOUT: Duration = Duration::from_secs(5);

impl Plane {
    /// A node as a control plane sees it. `tap` is what its functions log into.
    pub const fn new(node: Arc<Node>, tap: Arc<LogTap>) -> Self {
        Self { node, tap }
    }

    fn load(&self, function: &Function, compat: Compat) -> Result<Arc<Prepared>, ExecutionFault> {
        let modules = self.node.snapshot().modules().cloned();
        let bundle = Bundle::read(&function.source)?.with_modules(modules);
        self.node.hooks().prepare_bundle(function, compat, bundle)
    }

    /// Runs one call from a thread that may wait.
    fn run(
        &self,
        prepared: &Arc<Prepared>,
        event: Vec<u8>,
        timeout: Duration,
        event_type: EventType,
    ) -> (String, Result<Vec<u8>, HookFault>) {
        let id = invocation_id();
        let call = Call {
            event,
            event_type,
            timeout,
            request_id: id.clone(),
            viewer_request_id: String::new(),
        };
        let runtime = tokio::runtime::Handle::current();
        let result = runtime.block_on(self.node.hooks().invoke(prepared, call));
        (id, result)
    }

    fn logged(&self, id: &str) -> Vec<String> {
        let lines = self.tap.of_invocation(id);
        lines.iter().map(|line| line.message.clone()).collect()
    }
}

/// A UUID of version 4.
fn invocation_id() -> String {
    let random = rand::random::<u128>();
    let bits = (random & !(0xf << 76 | 0x3 << 62)) | 0x4 << 76 | 0x2 << 62;
    let hex = format!("{bits:032x}");
    format!(
        "{}-{}-{}-{}-{}",
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..]
    )
}

impl DataPlane for Plane {
    fn prepare(&self, loaded: &Loaded) -> Result<Box<dyn FnOnce() + Send>, Vec<PlaneFault>> {
        match self.node.prepare(loaded) {
            Ok(next) => {
                let node = Arc::clone(&self.node);
                let warnings = loaded.warnings.clone();
                Ok(Box::new(move || {
                    node.activate(next);
                    node.metrics().reload("applied");
                    for warning in &warnings {
                        tracing::warn!(rule = warning.rule, "{warning}");
                    }
                }))
            }
            Err(errors) => {
                self.node.metrics().reload("refused");
                Err(errors.into_iter().map(fault).collect())
            }
        }
    }

    fn load_error(&self, function: &Function) -> Option<String> {
        let loaded = self.load(function, Compat::Relaxed);
        loaded.err().map(|fault| fault.to_string())
    }

    fn invoke(&self, function: &Function, compat: Compat, event: &[u8]) -> Result<Invoked, String> {
        let prepared = self
            .load(function, compat)
            .map_err(|fault| fault.to_string())?;
        let timeout = function.timeout.unwrap_or(DEFAULT_TIMEOUT);
        let (id, result) = self.run(&prepared, event.to_vec(), timeout, trigger(event));
        let mut log = format!("START RequestId: {id} Version: {}\n", function.version);
        for line in self.logged(&id) {
            log.push_str(&line);
            log.push('\n');
        }
        log.push_str(&format!("END RequestId: {id}\n"));
        Ok(match result {
            Ok(payload) => Invoked {
                payload,
                is_error: false,
                log,
            },
            Err(fault) => {
                let (kind, message) = told(&fault);
                let payload = json!({ "errorType": kind, "errorMessage": message, "trace": [] });
                Invoked {
                    payload: payload.to_string().into_bytes(),
                    is_error: true,
                    log,
                }
            }
        })
    }

    fn test(&self, function: &Function, event: &[u8]) -> Result<Tested, String> {
        let event: Value = serde_json::from_slice(event).map_err(|e| e.to_string())?;
        let prepared = match self.load(function, Compat::Strict) {
            Ok(prepared) => prepared,
            Err(fault) => {
                return Ok(Tested {
                    error: Some(fault.to_string()),
                    ..Tested::default()
                });
            }
        };
        let event_type = match event.pointer("/context/eventType").and_then(Value::as_str) {
            Some("viewer-response") => EventType::ViewerResponse,
            _ => EventType::ViewerRequest,
        };
        let mut input = json!({ "event": event });
        if event_type.is_request() {
            input["edge"] = json!({ "name": self.node.snapshot().pop(), "serverIp": "127.0.0.1", "region": "" });
        }
        let input = input.to_string().into_bytes();
        let (id, result) = self.run(&prepared, input, TEST_TIMEOUT, event_type);
        let mut tested = Tested {
            utilization: prepared.compute_utilization().unwrap_or(0).min(100),
            log: self.logged(&id),
            ..Tested::default()
        };
        match result {
            Ok(json) => {
                let output: Value = serde_json::from_slice(&json).map_err(|e| e.to_string())?;
                let member =
                    match event_type.is_request() && output["result"].get("statusCode").is_none() {
                        true => "request",
                        false => "response",
                    };
                tested.output = Some(json!({ member: output["result"] }));
            }
            Err(fault) => tested.error = Some(told(&fault).1),
        }
        Ok(tested)
    }

    fn serves(&self, distribution: &str) -> bool {
        let snapshot = self.node.snapshot();
        snapshot
            .site()
            .distributions()
            .iter()
            .any(|d| d.id == distribution)
    }

    fn purge(&self, call: PurgeCall, now: SystemTime) -> PurgeAnswer {
        purge::answer(&self.node, call, now)
    }

    fn logged(&self, function: Option<&str>) -> Vec<LoggedLine> {
        let lines = self
            .tap
            .kept(|line| function.is_none_or(|name| name == line.function));
        let told = |line: Arc<FunctionLine>| LoggedLine {
            number: line.number,
            time: line.time,
            level: line.level.as_str(),
            function: line.function.clone(),
            version: line.version,
            invocation_id: line.invocation_id.clone(),
            message: line.message.clone(),
        };
        lines.into_iter().map(told).collect()
    }
}

/// What an event says that it is about; an origin request if it is none of CloudFront's.
fn trigger(event: &[u8]) -> EventType {
    let event: Value = serde_json::from_slice(event).unwrap_or_default();
    let named = event.pointer("/Records/0/cf/config/eventType");
    let named = named.and_then(Value::as_str).and_then(|t| t.parse().ok());
    named.unwrap_or(EventType::OriginRequest)
}

/// Name and message of what a function failed with, as Lambda tells them.
fn told(fault: &HookFault) -> (String, String) {
    let message = fault.cause().to_string();
    match message.split_once(": ") {
        Some((kind, rest)) if kind.ends_with("Error") && !kind.contains(' ') => {
            (kind.to_owned(), rest.to_owned())
        }
        _ => ("Error".to_owned(), message),
    }
}

fn fault(error: SnapshotError) -> PlaneFault {
    let message = error.to_string();
    let function = match error {
        SnapshotError::Function { key, .. } => Some(key),
        _ => None,
    };
    PlaneFault { function, message }
}
