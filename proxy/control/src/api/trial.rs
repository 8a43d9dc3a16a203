//! `POST test` (CP-605, CP-620): runs a function once on the node, with an event, outside any request.

use bytes::Bytes;
use fourfront_model::{Compat, Function};
use fourfront_store::Kind;
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    ApiError, Caller, Control,
    cloudfront::{self, FunctionDocument},
    lambda::{self, FunctionRef, LATEST},
    named::Named,
    native::{Told, problem},
    plane::Problem,
    tx::{Loads, Tx},
};

/// Which function, and what it is given.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    /// Its name.
    function: String,
    /// Where a function of either kind has the name.
    kind: Option<Wanted>,
    /// A number, an alias or `$LATEST` of a function of Lambda's kind, which is also meant where nothing is said; `LIVE` or
    /// `DEVELOPMENT` of a CloudFront Function, where the published stage is meant if there is one.
    version: Option<Version>,
    /// As CloudFront would send it.
    event: Value,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Wanted {
    Lambda,
    Cloudfront,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Version {
    Number(u32),
    Name(String),
}

impl Version {
    fn text(&self) -> String {
        match self {
            Self::Number(number) => number.to_string(),
            Self::Name(name) => name.clone(),
        }
    }
}

/// A function as it is to be run.
struct Found {
    function: Function,
    /// As it is told.
    version: String,
    compat: Compat,
}

/// The function that a call names, for the rights of its caller.
pub(super) fn function(body: &[u8]) -> Option<Named> {
    let asked: Asked = serde_json::from_slice(body).ok()?;
    Some(match asked.kind {
        Some(Wanted::Lambda) => Named::Lambda(asked.function),
        Some(Wanted::Cloudfront) => Named::CloudfrontFunction(asked.function),
        None => Named::Function(asked.function),
    })
}

/// Answers `POST test`.
pub(super) fn answer(control: &Control, body: &Bytes, caller: &Caller) -> Told {
    let asked: Asked = serde_json::from_slice(body)
        .map_err(|e| Problem::invalid("", format!("not a function to run: {e}")))?;
    if !asked.event.is_object() {
        return Err(Problem::invalid("event", "expected an object"));
    }
    let found = find(control, &asked, caller).map_err(problem)?;
    let told = run(control, &asked, &found).map_err(problem)?;
    Ok((StatusCode::OK, told))
}

fn find(control: &Control, asked: &Asked, caller: &Caller) -> Result<Found, ApiError> {
    let loads = Loads::default();
    let tx = Tx::new(control.around(caller, &loads));
    let name = asked.function.as_str();
    let lambda = tx.get::<Value>(&Kind::Lambda, name)?.is_some();
    let edge = tx.get::<FunctionDocument>(&Kind::CloudfrontFunction, name)?;
    match (asked.kind, lambda, edge) {
        (None, true, Some(_)) => Err(ApiError::new(
            400,
            "InvalidArgument",
            format!("kind: `{name}` is a function of either kind: say `lambda` or `cloudfront`"),
        )),
        (None | Some(Wanted::Cloudfront), _, Some(document)) => {
            edge_function(&tx, asked, &document.body)
        }
        (None | Some(Wanted::Lambda), true, _) => lambda_function(&tx, asked),
        _ => of_site(control, &tx, asked),
    }
}

fn lambda_function(tx: &Tx<'_>, asked: &Asked) -> Result<Found, ApiError> {
    let reference = FunctionRef {
        name: asked.function.clone(),
        qualifier: asked.version.as_ref().map(Version::text),
    };
    let (function, version) = lambda::runnable(tx, &reference)?;
    Ok(Found {
        function,
        version: version.map_or_else(|| LATEST.to_owned(), |number| number.to_string()),
        compat: Compat::Relaxed,
    })
}

fn edge_function(
    tx: &Tx<'_>,
    asked: &Asked,
    document: &FunctionDocument,
) -> Result<Found, ApiError> {
    let name = asked.function.as_str();
    let version = asked.version.as_ref().map(Version::text);
    let (stage, version) = match (version.as_deref(), &document.live) {
        (None | Some("LIVE"), Some(live)) => (live, "LIVE"),
        (None | Some("DEVELOPMENT"), _) => (&document.development, "DEVELOPMENT"),
        (Some("LIVE"), None) => {
            let message = format!("`{name}` has not been published");
            return Err(ApiError::new(404, "NoSuchFunction", message));
        }
        (Some(other), _) => {
            let message = format!("version: `{other}` is neither LIVE nor DEVELOPMENT");
            return Err(ApiError::new(400, "InvalidArgument", message));
        }
    };
    Ok(Found {
        function: cloudfront::model_function(tx, name, stage)?,
        version: version.to_owned(),
        compat: Compat::Strict,
    })
}

/// A function of the site file. Where it has several versions and none is named, the newest is meant.
fn of_site(control: &Control, tx: &Tx<'_>, asked: &Asked) -> Result<Found, ApiError> {
    let name = asked.function.as_str();
    let version = asked.version.as_ref().map(Version::text);
    let loaded = control.loaded(tx)?;
    let functions = loaded.site.functions().iter();
    let fits = |f: &&std::sync::Arc<Function>| {
        let is_edge = f.cloudfront().is_some();
        let of_kind = asked
            .kind
            .is_none_or(|k| (k == Wanted::Cloudfront) == is_edge);
        let number = f.version.0.to_string();
        of_kind && f.name.as_str() == name && version.as_ref().is_none_or(|v| *v == number)
    };
    let found = functions.filter(fits).max_by_key(|f| f.version.0);
    let Some(function) = found else {
        let which = version.map_or_else(String::new, |v| format!(" with the version `{v}`"));
        return Err(ApiError::new(
            404,
            "NoSuchFunction",
            format!("there is no function `{name}`{which}"),
        ));
    };
    Ok(Found {
        version: function.version.0.to_string(),
        function: function.as_ref().clone(),
        compat: Compat::Relaxed,
    })
}

/// Runs it. What it fails with is told like a result: it is the function's failure and not the call's.
fn run(control: &Control, asked: &Asked, found: &Found) -> Result<Value, ApiError> {
    let event = asked.event.to_string();
    let is_edge = found.function.cloudfront().is_some();
    let mut told = json!({
        "function": asked.function,
        "kind": if is_edge { "cloudfront" } else { "lambda" },
        "version": found.version,
        "result": null,
        "error": null,
    });
    if is_edge {
        let tested = control.plane.test(&found.function, event.as_bytes());
        let tested = tested.map_err(|e| ApiError::new(500, "TestFunctionFailed", e))?;
        told["result"] = tested.output.unwrap_or_default();
        if let Some(message) = tested.error {
            told["error"] = json!({ "type": "Error", "message": message });
        }
        told["log"] = json!(tested.log);
        told["compute_utilization"] = json!(tested.utilization);
        return Ok(told);
    }
    let invoked = control
        .plane
        .invoke(&found.function, found.compat, event.as_bytes());
    match invoked {
        Ok(invoked) => {
            let payload: Value = serde_json::from_slice(&invoked.payload).unwrap_or_default();
            match invoked.is_error {
                false => told["result"] = payload,
                true => {
                    told["error"] =
                        json!({ "type": payload["errorType"], "message": payload["errorMessage"] });
                }
            }
            let log: Vec<&str> = invoked.log.lines().collect();
            told["log"] = json!(log);
        }
        // It does not load.
        Err(why) => {
            told["error"] = json!({ "type": "Runtime.ImportModuleError", "message": why });
            told["log"] = json!([]);
        }
    }
    Ok(told)
}

#[cfg(test)]
mod tests;
