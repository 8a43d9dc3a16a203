//! Versions as the engine runs them.

use std::{path::PathBuf, time::Duration};

use fourfront_model::{
    Function, FunctionKind, FunctionName, FunctionSource, FunctionVersion, HandlerPath,
};
use serde_json::Value;

use super::Code;

/// A function of the model from a version's document. `zip` is where its code lies; the version of `$LATEST` is 0.
pub(crate) fn model_function(
    name: &str,
    version: u32,
    code: &Code,
    zip: PathBuf,
) -> Result<Function, String> {
    let handler = code.config.get("Handler").and_then(Value::as_str);
    let number = |member: &str| code.config.get(member).and_then(Value::as_u64);
    let variables = code.config.get("Environment").and_then(|e| e.get("Variables"));
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
        egress: None,
        credentials: None,
        kind: FunctionKind::Lambda,
    })
}
