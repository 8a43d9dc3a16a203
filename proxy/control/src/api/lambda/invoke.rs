//! Versions as the engine runs them, and a single run of one (CP-077).

use std::{path::PathBuf, time::Duration};

use base64::{Engine as _, engine::general_purpose::STANDARD};

use fourfront_model::{
    Compat, Function, FunctionKind, FunctionName, FunctionSource, FunctionVersion, HandlerPath,
};
use serde_json::{Value, json};

use super::{Code, FunctionRef, code_at, text};
use crate::api::{
    ApiError,
    tx::{Output, Tx},
};

/// Bytes of the log's end that an answer carries (CP-077).
const LOG_TAIL: usize = 4_096;

/// `Invoke`. The event is the call's payload as it is; an `Event` call is run like any other, and its result forgotten.
pub(super) fn call(tx: &Tx<'_>, input: &Value) -> Result<Output, ApiError> {
    let reference = FunctionRef::of(tx, input)?;
    let (function, version, code) = code_at(tx, &reference)?;
    let kind = text(input, "InvocationType").unwrap_or("RequestResponse");
    if kind == "DryRun" {
        return Ok(Output::plain(json!({ "StatusCode": 204 })));
    }
    let payload = STANDARD
        .decode(text(input, "Payload").unwrap_or_default())
        .map_err(|e| ApiError::internal(e.to_string()))?;
    let event = match payload.as_slice() {
        [] => b"{}".as_slice(),
        event => event,
    };
    if let Err(e) = serde_json::from_slice::<Value>(event) {
        return Err(ApiError::new(
            400,
            "InvalidRequestContentException",
            format!("Could not parse request body into json: {e}"),
        ));
    }
    let model = model_of(tx, &function.body.name, version, &code)?;
    let invoked = tx.plane.invoke(&model, Compat::Relaxed, event);
    let invoked = invoked.unwrap_or_else(|why| crate::api::plane::Invoked {
        payload:
            json!({ "errorType": "Runtime.ImportModuleError", "errorMessage": why, "trace": [] })
                .to_string()
                .into_bytes(),
        is_error: true,
        log: why,
    });
    if kind == "Event" {
        return Ok(Output::plain(json!({ "StatusCode": 202 })));
    }
    let mut answer = json!({
        "StatusCode": 200,
        "ExecutedVersion": version.map_or_else(|| super::LATEST.to_owned(), |n| n.to_string()),
        "Payload": STANDARD.encode(&invoked.payload),
    });
    if invoked.is_error {
        answer["FunctionError"] = json!("Unhandled");
    }
    if text(input, "LogType") == Some("Tail") {
        let log = invoked.log.as_bytes();
        let tail = &log[log.len().saturating_sub(LOG_TAIL)..];
        answer["LogResult"] = json!(STANDARD.encode(tail));
    }
    Ok(Output::plain(answer))
}

/// The function that a reference names, ready to be run, and the number of its version; none of `$LATEST`.
pub(crate) fn runnable(
    tx: &Tx<'_>,
    reference: &FunctionRef,
) -> Result<(Function, Option<u32>), ApiError> {
    let (function, version, code) = code_at(tx, reference)?;
    let model = model_of(tx, &function.body.name, version, &code)?;
    Ok((model, version))
}

fn model_of(
    tx: &Tx<'_>,
    name: &str,
    version: Option<u32>,
    code: &Code,
) -> Result<Function, ApiError> {
    let runtime = code.config.get("Runtime").and_then(Value::as_str);
    let runtime = runtime.unwrap_or_default();
    if !super::is_javascript(runtime) {
        return Err(ApiError::lambda(
            "InvalidRuntimeException",
            format!(
                "The runtime {runtime} does not run here: functions are JavaScript, nodejs18.x or later"
            ),
        ));
    }
    let zip = tx.blob_path(&code.sha256).unwrap_or_default();
    model_function(name, version.unwrap_or(0), code, zip).map_err(ApiError::internal)
}

/// A function of the model from a version's document. `zip` is where its code lies; the version of `$LATEST` is 0.
pub(crate) fn model_function(
    name: &str,
    version: u32,
    code: &Code,
    zip: PathBuf,
) -> Result<Function, String> {
    let handler = code.config.get("Handler").and_then(Value::as_str);
    let number = |member: &str| code.config.get(member).and_then(Value::as_u64);
    let variables = code
        .config
        .get("Environment")
        .and_then(|e| e.get("Variables"));
    let variables = variables.and_then(Value::as_object).into_iter().flatten();
    Ok(Function {
        name: name.parse::<FunctionName>().map_err(|e| e.to_string())?,
        version: FunctionVersion(version),
        source: FunctionSource::Zip(zip),
        handler: handler
            .unwrap_or("index.handler")
            .parse::<HandlerPath>()
            .map_err(|e| e.to_string())?,
        timeout: Some(Duration::from_secs(number("Timeout").unwrap_or(3))),
        memory_mb: Some(u32::try_from(number("MemorySize").unwrap_or(128)).unwrap_or(128)),
        environment: variables
            .filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())))
            .collect(),
        log_group: None,
        sealed: true,
        concurrency: None,
        egress: None,
        credentials: None,
        kind: FunctionKind::Lambda,
    })
}
