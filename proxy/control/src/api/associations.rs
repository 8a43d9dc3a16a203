//! Functions in a distribution's configuration: which it names, and whether they may stand there (CP-130..134).

use fourfront_model::Compat;
use fourfront_store::Kind;
use serde_json::Value;

use super::{
    ApiError,
    lambda::{self, FunctionRef, LATEST, Version},
    tx::Tx,
};

/// One association of a behaviour.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Association<'c> {
    pub(crate) event: &'c str,
    pub(crate) arn: &'c str,
    pub(crate) include_body: bool,
}

/// The behaviours of a configuration, the default one first, each with where it stands.
pub(crate) fn behaviors(config: &Value) -> impl Iterator<Item = (String, &Value)> {
    let default = config.get("DefaultCacheBehavior").into_iter();
    let default = default.map(|b| ("DefaultCacheBehavior".to_owned(), b));
    let others = config["CacheBehaviors"]["Items"].as_array();
    let others = others.into_iter().flatten().enumerate();
    default.chain(others.map(|(i, b)| (format!("CacheBehaviors.Items[{i}]"), b)))
}

/// A behaviour's associations with Lambda functions.
pub(crate) fn lambda_of(behavior: &Value) -> Vec<Association<'_>> {
    listed(behavior, "LambdaFunctionAssociations", "LambdaFunctionARN")
}

/// A behaviour's associations with CloudFront Functions.
pub(crate) fn cloudfront_of(behavior: &Value) -> Vec<Association<'_>> {
    listed(behavior, "FunctionAssociations", "FunctionARN")
}

fn listed<'c>(behavior: &'c Value, list: &str, arn: &str) -> Vec<Association<'c>> {
    let items = behavior[list]["Items"].as_array();
    items
        .into_iter()
        .flatten()
        .map(|item| Association {
            event: item["EventType"].as_str().unwrap_or_default(),
            arn: item[arn].as_str().unwrap_or_default(),
            include_body: item["IncludeBody"] == Value::Bool(true),
        })
        .collect()
}

/// Holds every association of a configuration against what AWS refuses.
pub(crate) fn check(tx: &Tx<'_>, config: &Value) -> Result<(), ApiError> {
    for (place, behavior) in behaviors(config) {
        let lambda = lambda_of(behavior);
        let cloudfront = cloudfront_of(behavior);
        check_events(&place, &lambda, "InvalidLambdaFunctionAssociation", 4)?;
        check_events(&place, &cloudfront, "InvalidFunctionAssociation", 2)?;
        for association in &cloudfront {
            // CP-131
            if association.event.starts_with("origin-") {
                return Err(ApiError::cloudfront(
                    "InvalidFunctionAssociation",
                    format!(
                        "{place}: a CloudFront Function runs at viewer-request and viewer-response, not at {}",
                        association.event
                    ),
                ));
            }
        }
        let is_viewer = |a: &&Association<'_>| a.event.starts_with("viewer-");
        if cloudfront.iter().any(|a| is_viewer(&a)) && lambda.iter().any(|a| is_viewer(&a)) {
            return Err(ApiError::cloudfront(
                "InvalidFunctionAssociation",
                format!(
                    "{place}: CloudFront Functions and Lambda functions cannot both be associated with viewer events of one behavior"
                ),
            ));
        }
        for association in &lambda {
            check_lambda(tx, &place, association)?;
        }
    }
    Ok(())
}

/// CP-131.
fn check_events(
    place: &str,
    associations: &[Association<'_>],
    code: &'static str,
    most: usize,
) -> Result<(), ApiError> {
    if associations.len() > most {
        return Err(ApiError::cloudfront(
            code,
            format!(
                "{place}: {} associations, and at most {most} are allowed",
                associations.len()
            ),
        ));
    }
    for (index, association) in associations.iter().enumerate() {
        if associations[..index]
            .iter()
            .any(|a| a.event == association.event)
        {
            return Err(ApiError::cloudfront(
                code,
                format!(
                    "{place}: the event {} is associated twice",
                    association.event
                ),
            ));
        }
    }
    Ok(())
}

/// CP-130, CP-132. What a function of a relaxed site may have besides: variables, which reach it as `process.env`, and what has
/// no effect here (a VPC, a queue for what failed, layers, whose code is not there, an architecture). Limits of the trigger
/// (CP-134) are judged when the distribution is made ready, as of a site file.
fn check_lambda(tx: &Tx<'_>, place: &str, association: &Association<'_>) -> Result<(), ApiError> {
    let Association {
        event,
        arn,
        include_body,
    } = association;
    let refuse = |what: String| {
        ApiError::cloudfront(
            "InvalidLambdaFunctionAssociation",
            format!("{place}: {arn}: {what}"),
        )
    };
    if !arn.starts_with("arn:") {
        return Err(refuse("the function ARN is no ARN".to_owned()));
    }
    let reference = FunctionRef::parse(arn, &tx.settings.account).map_err(|e| match e.status {
        403 => ApiError::new(403, "AccessDenied", e.message),
        _ => refuse(e.message),
    })?;
    let number = match reference.qualifier.as_deref() {
        None | Some(LATEST) => None,
        Some(qualifier) => qualifier.parse::<u32>().ok(),
    };
    let Some(number) = number else {
        return Err(refuse(
            "the function ARN must reference a specific function version (the ARN must end with the version number)".to_owned(),
        ));
    };
    let id = lambda::version_id(&reference.name, number);
    let version = tx.get::<Version>(&Kind::LambdaVersion, &id)?;
    let Some(version) = version else {
        return Err(refuse("there is no such function version".to_owned()));
    };
    if *include_body && event.ends_with("-response") {
        return Err(refuse(format!(
            "IncludeBody is for request events, not for {event}"
        )));
    }
    let config = &version.body.code.config;
    let runtime = config
        .get("Runtime")
        .and_then(Value::as_str)
        .unwrap_or_default();
    if !lambda::is_javascript(runtime) {
        return Err(refuse(format!(
            "the runtime {runtime} does not run at the edge: functions are JavaScript, nodejs18.x or later"
        )));
    }
    if tx.rules.compat == Compat::Relaxed {
        return Ok(());
    }
    let is_filled = |value: &Value| match value {
        Value::Object(members) => members.values().any(|v| match v {
            Value::Array(items) => !items.is_empty(),
            Value::Object(items) => !items.is_empty(),
            Value::String(text) => !text.is_empty(),
            _ => false,
        }),
        Value::Array(items) => !items.is_empty(),
        _ => false,
    };
    for (member, what) in [
        ("Environment", "environment variables"),
        ("VpcConfig", "a VPC"),
        ("Layers", "layers"),
        ("DeadLetterConfig", "a dead letter queue"),
    ] {
        if config.get(member).is_some_and(is_filled) {
            return Err(refuse(format!(
                "the function has {what}, which functions at the edge cannot have"
            )));
        }
    }
    let is_arm = |value: &Value| {
        value
            .as_array()
            .is_some_and(|a| a.iter().any(|a| a == "arm64"))
    };
    if config.get("Architectures").is_some_and(is_arm) {
        return Err(refuse(
            "the function is for arm64; functions at the edge are for x86_64".to_owned(),
        ));
    }
    Ok(())
}
