//! CloudFront Functions without an engine: what a function is shown, what it may answer, and what its code may be (LE
//! section 8).

mod event;
mod fields;
mod judge;
mod origin;
mod scanner;
pub mod source;
#[cfg(test)]
mod tests;
mod tree;

use std::{
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use fourfront_model::{Compat, EventType, Origin};

pub use event::{EdgeLocation, build};
pub use origin::OriginChange;

use crate::{
    event::{BodyLimits, RequestView, ResponseView},
    validate::{Check, HookResult, MAX_RESULT_BYTES, Violation, Warning, result_too_large},
};

/// What a run's event was built from, so that "unchanged" can be judged.
#[derive(Clone, Copy, Debug)]
pub struct Input<'a> {
    /// Viewer-request or viewer-response.
    pub event_type: EventType,
    /// Whether conveniences beyond AWS are on.
    pub compat: Compat,
    /// The request the function was shown.
    pub request: RequestView<'a>,
    /// The response it was shown; viewer-response only.
    pub response: Option<ResponseView<'a>>,
    /// The origin that the behaviour assigns (LE-476).
    pub assigned: &'a Arc<Origin>,
    /// All origins of the distribution (LE-479).
    pub origins: &'a [Arc<Origin>],
    /// The largest request, line and headers, that a function may make (LE-225).
    pub max_request_bytes: usize,
    /// What bodies may have (LE-428).
    pub body_limits: BodyLimits,
}

/// An accepted result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judged {
    /// What to do. A request's `origin` and `body` are never given: see [`Self::origin`], and LE-411.
    pub result: HookResult,
    /// The origin that was chosen (LE-475..481).
    pub origin: Option<OriginChange>,
    /// What `cf.logCustomData` noted, URL-encoded (LE-483).
    pub log_data: Option<String>,
    /// What was odd, for the function's log.
    pub warnings: Vec<Warning>,
}

/// Judges what the engine handed out of a run.
///
/// # Errors
/// The first rule that the result breaks (LE-273).
pub fn judge(input: &Input<'_>, output: &[u8]) -> Result<Judged, Violation> {
    if output.len() > MAX_RESULT_BYTES {
        return Err(result_too_large());
    }
    judge::judge(input, output)
}

/// The violation of a body for a response that cannot have another one: it has none, or is a part of one (LE-422).
/// Whoever sends it finds out.
pub fn no_body_to_replace() -> Violation {
    let message = "this response has no body that another one could take the place of";
    Violation::new(Check::BodyType, "LE-422", "body", message)
}

/// A time as `meta()` of a store tells it (LE-472): ISO 8601 in UTC, with milliseconds.
pub fn iso8601(time: SystemTime) -> String {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    let (days, seconds) = (since.as_secs() / 86_400, since.as_secs() % 86_400);
    // Days to a date: Howard Hinnant's civil_from_days, for times since 1970.
    let z = days + 719_468;
    let era = z / 146_097;
    let of_era = z % 146_097;
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 {
        shifted + 3
    } else {
        shifted - 9
    };
    let year = year + era * 400 + u64::from(month <= 2);
    format!(
        "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}.{:03}Z",
        seconds / 3600,
        seconds / 60 % 60,
        seconds % 60,
        since.subsec_millis()
    )
}
