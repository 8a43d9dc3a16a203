//! A function's configuration: what is taken from a call, and what is told of it (CP-062, CP-072..074).

use serde_json::{Map, Value, json};

use super::{Code, LATEST, LambdaFunction};
use crate::api::{ApiError, arn::Account, time};

/// Members of `FunctionConfiguration` that calls may give and that are kept as they are, most of them without an effect
/// (CP-074).
const KEPT: &[&str] = &[
    "Runtime",
    "Role",
    "Handler",
    "Description",
    "Timeout",
    "MemorySize",
    "Environment",
    "VpcConfig",
    "DeadLetterConfig",
    "KMSKeyArn",
    "TracingConfig",
    "Layers",
    "FileSystemConfigs",
    "EphemeralStorage",
    "SnapStart",
    "LoggingConfig",
    "Architectures",
];

/// Bytes of names and values of an environment at most (CP-072).
const MOST_ENVIRONMENT: usize = 4_096;

/// What the model gives no ceiling of, and the service does: seconds and megabytes.
const MOST: &[(&str, u64)] = &[("Timeout", 900), ("MemorySize", 10_240)];

/// The runtimes that Lambda knows by these names and that are not JavaScript: stored, and not to be associated (CP-073).
const OTHER_RUNTIMES: &[&str] = &[
    "python",
    "java",
    "dotnet",
    "dotnetcore",
    "go",
    "ruby",
    "provided",
];

/// Takes over what a call gives.
pub(super) fn take(config: &mut Map<String, Value>, input: &Value) -> Result<(), ApiError> {
    for member in KEPT {
        if let Some(given) = input.get(*member) {
            config.insert((*member).to_owned(), given.clone());
        }
    }
    if let Some(runtime) = config.get("Runtime").and_then(Value::as_str) {
        check_runtime(runtime)?;
    }
    for (member, most) in MOST {
        let given = input.get(*member).and_then(Value::as_u64);
        if let Some(given) = given.filter(|given| given > most) {
            let mut name = (*member).to_owned();
            name[..1].make_ascii_lowercase();
            return Err(ApiError::lambda_validation(format!(
                "1 validation error detected: Value '{given}' at '{name}' failed to satisfy constraint: Member must have value less than or equal to {most}"
            )));
        }
    }
    let variables = config.get("Environment").and_then(|e| e.get("Variables"));
    if let Some(variables) = variables.and_then(Value::as_object) {
        let size: usize = variables
            .iter()
            .map(|(name, value)| name.len() + value.as_str().map_or(0, str::len))
            .sum();
        if size > MOST_ENVIRONMENT {
            return Err(ApiError::lambda(
                "InvalidParameterValueException",
                format!(
                    "Lambda was unable to configure your environment variables because the environment variables you have provided exceeded the {MOST_ENVIRONMENT} bytes limit: they have {size}"
                ),
            ));
        }
    }
    Ok(())
}

fn check_runtime(runtime: &str) -> Result<(), ApiError> {
    let other = OTHER_RUNTIMES.iter().any(|family| {
        runtime.strip_prefix(family).is_some_and(|rest| {
            rest.is_empty() || rest.starts_with(|c: char| c.is_ascii_digit() || c == '.')
        })
    });
    if is_javascript(runtime) || other {
        return Ok(());
    }
    Err(ApiError::lambda(
        "InvalidParameterValueException",
        format!(
            "Value {runtime} at 'runtime' failed to satisfy constraint: Member must be a runtime of Lambda's, such as nodejs22.x"
        ),
    ))
}

/// Whether a runtime's name is one that runs here (LE-354, CP-073).
pub(crate) fn is_javascript(runtime: &str) -> bool {
    let version = runtime
        .strip_prefix("nodejs")
        .and_then(|v| v.strip_suffix(".x"))
        .and_then(|v| v.parse::<u32>().ok());
    matches!(version, Some(18..=99))
}

/// `FunctionConfiguration` (CP-062). `arn` says whether the answer names the version in its ARN, which calls differ in
/// (CP-066).
pub(super) fn shown(
    function: &LambdaFunction,
    version: Option<u32>,
    code: &Code,
    arn: Named,
    account: &Account,
) -> Value {
    let name = &function.name;
    let number = version.map_or_else(|| LATEST.to_owned(), |n| n.to_string());
    let mut shown = json!({
        "FunctionName": name,
        "FunctionArn": match arn {
            Named::Function => account.lambda(name),
            Named::Version => format!("{}:{number}", account.lambda(name)),
        },
        "CodeSize": code.size,
        "CodeSha256": base64_of_hex(&code.sha256),
        "Description": "",
        "Timeout": 3,
        "MemorySize": 128,
        "LastModified": time::lambda(code.modified),
        "Version": number,
        "TracingConfig": { "Mode": "PassThrough" },
        "RevisionId": code.revision_id,
        "PackageType": "Zip",
        "Architectures": ["x86_64"],
        "EphemeralStorage": { "Size": 512 },
        "SnapStart": { "ApplyOn": "None", "OptimizationStatus": "Off" },
        "LoggingConfig": { "LogFormat": "Text", "LogGroup": format!("/aws/lambda/{name}") },
        "RuntimeVersionConfig": {
            "RuntimeVersionArn": format!("arn:aws:lambda:{}::runtime:fourfront", account.region),
        },
        // It was compiled before this is told (CP-064).
        "State": "Active",
        "LastUpdateStatus": "Successful",
    });
    if let Some(error) = &code.load_error {
        shown["StateReason"] = json!(error);
    }
    for (member, value) in &code.config {
        match member.as_str() {
            "SnapStart" => {
                let on = value.get("ApplyOn").cloned();
                shown[member] = json!({
                    "ApplyOn": on.unwrap_or_else(|| json!("None")),
                    "OptimizationStatus": "Off",
                });
            }
            // Each is told as an object with its ARN.
            "Layers" => {
                let layers = value.as_array().into_iter().flatten();
                let layers: Vec<Value> = layers
                    .map(|arn| json!({ "Arn": arn, "CodeSize": 0 }))
                    .collect();
                if !layers.is_empty() {
                    shown[member] = json!(layers);
                }
            }
            "VpcConfig" => {
                let list = |key: &str| value.get(key).cloned().unwrap_or_else(|| json!([]));
                shown[member] = json!({
                    "SubnetIds": list("SubnetIds"), "SecurityGroupIds": list("SecurityGroupIds"), "VpcId": "",
                });
            }
            // Without a variable there is none.
            "Environment"
                if value
                    .get("Variables")
                    .and_then(Value::as_object)
                    .is_none_or(Map::is_empty) => {}
            _ => shown[member] = value.clone(),
        }
    }
    shown
}

/// Whether two states of a function are one and the same to who reads them, so that publishing the second makes no new version
/// (CP-067). What was left to its default is the same as the default that is given, as by Terraform, which gives all of them.
pub(super) fn are_same(
    function: &LambdaFunction,
    one: &Code,
    other: &Code,
    account: &Account,
) -> bool {
    let told = |code: &Code| {
        let mut told = shown(function, None, code, Named::Function, account);
        // What a version says of itself is no reason for a new one.
        for own in ["Description", "LastModified", "RevisionId"] {
            told[own] = Value::Null;
        }
        told
    };
    one.sha256 == other.sha256 && told(one) == told(other)
}

/// What the ARN of an answer names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Named {
    /// The function alone.
    Function,
    /// The version.
    Version,
}

/// SHA-256 as Lambda tells it (CP-063).
pub(crate) fn base64_of_hex(hex: &str) -> String {
    use base64::Engine as _;
    let nibble = |b: u8| {
        char::from(b)
            .to_digit(16)
            .and_then(|d| u8::try_from(d).ok())
            .unwrap_or(0)
    };
    let bytes: Vec<u8> = hex
        .as_bytes()
        .chunks_exact(2)
        .map(|pair| nibble(pair[0]) << 4 | nibble(pair[1]))
        .collect();
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runtimes_run_are_kept_or_are_refused() {
        // CP-073
        for runtime in ["nodejs18.x", "nodejs24.x"] {
            assert!(is_javascript(runtime) && check_runtime(runtime).is_ok());
        }
        for runtime in [
            "python3.12",
            "provided.al2023",
            "java21",
            "dotnet8",
            "go1.x",
        ] {
            assert!(
                !is_javascript(runtime) && check_runtime(runtime).is_ok(),
                "{runtime}"
            );
        }
        for runtime in ["nodejs", "cobol85", "pythonic", ""] {
            assert_eq!(
                check_runtime(runtime).unwrap_err().code,
                "InvalidParameterValueException",
                "{runtime}"
            );
        }
    }

    #[test]
    fn an_environment_has_four_kilobytes() {
        // CP-072
        let with =
            |bytes: usize| json!({ "Environment": { "Variables": { "A": "x".repeat(bytes) } } });
        assert!(take(&mut Map::new(), &with(4_095)).is_ok());
        let fault = take(&mut Map::new(), &with(4_096)).unwrap_err();
        assert_eq!(fault.code, "InvalidParameterValueException");
    }

    #[test]
    fn checksums_are_told_in_base64() {
        // CP-063
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(
            base64_of_hex(empty),
            "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
        );
    }
}
