//! What the API asks of the node that it configures. The node is V8, Pingora and a cache; the API knows none of them.

use std::{fmt, time::SystemTime};

use fourfront_model::{Compat, Function, FunctionKey};
use http::StatusCode;
use serde_json::{Value, json};

use crate::Loaded;

/// The part of a node that serves.
pub trait DataPlane: Send + Sync + 'static {
    /// Makes a configuration ready: compiles and warms its functions. Nothing that serves changes until what is returned
    /// is called, which cannot fail (CP-505). May take seconds.
    ///
    /// # Errors
    /// Why it cannot serve; everything that is wrong.
    fn prepare(&self, loaded: &Loaded) -> Result<Box<dyn FnOnce() + Send>, Vec<PlaneFault>>;

    /// Why a function does not load, if it does not (CP-065).
    fn load_error(&self, function: &Function) -> Option<String>;

    /// Runs a function of Lambda's kind once, on an event as it is given (CP-077).
    ///
    /// # Errors
    /// The function does not load.
    fn invoke(&self, function: &Function, compat: Compat, event: &[u8]) -> Result<Invoked, String>;

    /// Runs a CloudFront Function once, for `TestFunction` (CP-153).
    ///
    /// # Errors
    /// The harness failed, not the function.
    fn test(&self, function: &Function, event: &[u8]) -> Result<Tested, String>;

    /// Whether a distribution is served, under whatever name.
    fn serves(&self, distribution: &str) -> bool;

    /// Answers a call about invalidations, at the time `now`. May wait for the disk.
    fn purge(&self, call: PurgeCall, now: SystemTime) -> PurgeAnswer;

    /// What functions have logged of late, as far as it is still kept: the lines of one, or of all; oldest first (CP-232).
    fn logged(&self, function: Option<&str>) -> Vec<LoggedLine>;
}

/// A line that a function logged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoggedLine {
    /// Its number: later lines have higher ones.
    pub number: u64,
    /// When.
    pub time: SystemTime,
    /// How grave, in Lambda's words: `TRACE`, `DEBUG`, `INFO`, `WARN`, `ERROR`.
    pub level: &'static str,
    /// The function's name.
    pub function: String,
    /// Its version.
    pub version: u32,
    /// `context.awsRequestId`; empty while the function is loaded.
    pub invocation_id: String,
    /// What it said.
    pub message: String,
}

/// Why a configuration cannot serve.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlaneFault {
    /// The function that is at fault, where one is.
    pub function: Option<FunctionKey>,
    /// What is wrong; of a function, with file and line.
    pub message: String,
}

impl fmt::Display for PlaneFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// What an invocation came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Invoked {
    /// The result, or what is told of the error, as JSON.
    pub payload: Vec<u8>,
    /// Whether it is an error.
    pub is_error: bool,
    /// What it logged, a line each.
    pub log: String,
}

/// What a test of a CloudFront Function came to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tested {
    /// Percent of the compute budget.
    pub utilization: u8,
    /// What it logged.
    pub log: Vec<String>,
    /// What it threw.
    pub error: Option<String>,
    /// What it returned.
    pub output: Option<Value>,
}

/// What is asked of the invalidation API (CP-620).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PurgeCall {
    /// `POST purge` with this body. Waits for the disk.
    Create(Vec<u8>),
    /// `GET purge`, with its query.
    List(String),
    /// `GET purge/{id}`.
    Get(String),
}

/// What is told: a JSON document, by its status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PurgeAnswer {
    /// 200, 201 or the status of a problem.
    pub status: StatusCode,
    /// What was asked for, or a problem document (RFC 9457, CP-621).
    pub body: Value,
    /// Where a new invalidation is found.
    pub location: Option<String>,
}

/// Why a call of the native API is refused. `code` is stable, `detail` names what and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The status of the answer.
    pub status: StatusCode,
    /// What scripts go by.
    pub code: String,
    /// For people.
    pub detail: String,
    /// Where in the request.
    pub field: Option<String>,
}

impl Problem {
    /// A refusal.
    pub fn new(status: StatusCode, code: impl Into<String>, detail: impl Into<String>) -> Self {
        Self {
            status,
            code: code.into(),
            detail: detail.into(),
            field: None,
        }
    }

    /// A refusal of one member of the request.
    pub fn invalid(field: &str, detail: impl Into<String>) -> Self {
        Self {
            field: Some(field.to_owned()),
            ..Self::new(StatusCode::BAD_REQUEST, "InvalidArgument", detail)
        }
    }

    /// As a problem document (CP-621).
    pub fn answer(self) -> PurgeAnswer {
        let mut body = json!({
            "type": "about:blank",
            "title": self.status.canonical_reason().unwrap_or_default(),
            "status": self.status.as_u16(),
            "code": self.code,
            "detail": self.detail,
        });
        if let Some(field) = self.field {
            body["field"] = json!(field);
        }
        PurgeAnswer {
            status: self.status,
            body,
            location: None,
        }
    }
}

/// No node: what was deployed is looked at before there is one.
pub(crate) struct Nowhere;

const NOWHERE: &str = "the node does not serve yet";

impl DataPlane for Nowhere {
    fn prepare(&self, _: &Loaded) -> Result<Box<dyn FnOnce() + Send>, Vec<PlaneFault>> {
        let message = NOWHERE.to_owned();
        Err(vec![PlaneFault {
            function: None,
            message,
        }])
    }

    fn load_error(&self, _: &Function) -> Option<String> {
        Some(NOWHERE.to_owned())
    }

    fn invoke(&self, _: &Function, _: Compat, _: &[u8]) -> Result<Invoked, String> {
        Err(NOWHERE.to_owned())
    }

    fn test(&self, _: &Function, _: &[u8]) -> Result<Tested, String> {
        Err(NOWHERE.to_owned())
    }

    fn serves(&self, _: &str) -> bool {
        false
    }

    fn purge(&self, _: PurgeCall, _: SystemTime) -> PurgeAnswer {
        Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "ServiceUnavailable",
            NOWHERE,
        )
        .answer()
    }

    fn logged(&self, _: Option<&str>) -> Vec<LoggedLine> {
        Vec::new()
    }
}
