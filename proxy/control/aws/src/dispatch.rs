//! Which service a request is for (CP-002, CP-003, CP-236).

use crate::{
    error::{ApiError, Condition},
    model::Service,
    route::{is_date, pairs},
};

/// What of a request tells whose it is. Host and region do not (CP-004, CP-005).
#[derive(Clone, Copy, Debug, Default)]
pub struct Asked<'a> {
    /// The service in the scope of the signature.
    pub scope: Option<&'a str>,
    /// Method.
    pub method: &'a str,
    /// Path, as it came.
    pub path: &'a str,
    /// Query, as it came.
    pub query: &'a str,
    /// `X-Amz-Target`.
    pub target: Option<&'a str>,
    /// The body, where it is a form. Its `Version` tells STS from IAM.
    pub form: Option<&'a str>,
}

/// Whose request it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Dispatch {
    /// The native API's.
    Native,
    /// A service's.
    Service(Service),
    /// The scope names one service, the path is another's: 403 (CP-003).
    Mismatch(Service),
    /// A service that is not spoken for; its signing name (CP-236).
    Foreign(String),
    /// Nobody's.
    Unknown,
}

impl Dispatch {
    /// The answer where scope and path do not agree (CP-003).
    #[must_use]
    pub fn mismatch(service: Service) -> ApiError {
        let text = format!(
            "Credential should be scoped to the service that the path belongs to, not to '{}'.",
            service.signing_name()
        );
        ApiError::common(service, Condition::BadSignature, text)
    }
}

/// Decides whose a request is (CP-002): the native API by its prefix, then the scope, then the form of the request.
#[must_use]
pub fn dispatch(asked: Asked<'_>) -> Dispatch {
    if asked.path == "/_fourfront" || asked.path.starts_with("/_fourfront/") {
        return Dispatch::Native;
    }
    let shaped = by_shape(asked);
    let Some(scope) = asked.scope else {
        return shaped.map_or(Dispatch::Unknown, Dispatch::Service);
    };
    match (Service::signed_as(scope), shaped) {
        (Some(service), Some(shaped)) if service != shaped => Dispatch::Mismatch(service),
        // A path that is nobody's is for the service to refuse, in its own words.
        (Some(service), _) => Dispatch::Service(service),
        (None, Some(shaped)) => Dispatch::Service(shaped),
        (None, None) => Dispatch::Foreign(scope.to_owned()),
    }
}

fn by_shape(asked: Asked<'_>) -> Option<Service> {
    if asked.path.starts_with("/key-value-stores/") {
        return Some(Service::KeyValueStore);
    }
    let mut segments = asked.path.trim_start_matches('/').split('/');
    let (date, collection) = (segments.next()?, segments.next().unwrap_or_default());
    if is_date(date) {
        let lambda = matches!(
            collection,
            "functions"
                | "tags"
                | "layers"
                | "layers-by-arn"
                | "event-source-mappings"
                | "account-settings"
                | "code-signing-configs"
                | "capacity-providers"
                | "durable-executions"
                | "durable-execution-callbacks"
                | "resource-policy"
        );
        return Some(if lambda {
            Service::Lambda
        } else {
            Service::CloudFront
        });
    }
    if asked.path != "/" && !asked.path.is_empty() {
        return None;
    }
    if let Some(target) = asked.target {
        return target
            .starts_with("Logs_20140328.")
            .then_some(Service::Logs);
    }
    let version = |raw: &str| {
        let pairs = pairs(raw).ok()?;
        let found = pairs.into_iter().find(|(name, _)| name == "Version");
        found.map(|(_, value)| value)
    };
    let version = asked
        .form
        .and_then(version)
        .or_else(|| version(asked.query))?;
    match version.as_str() {
        "2011-06-15" => Some(Service::Sts),
        "2010-05-08" => Some(Service::Iam),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Segment;

    fn unsigned(path: &str) -> Dispatch {
        dispatch(Asked {
            method: "GET",
            path,
            ..Asked::default()
        })
    }

    #[test]
    fn requests_are_known_by_their_form() {
        // CP-002: by shape where there is no scope.
        assert_eq!(unsigned("/_fourfront/v1/nodes"), Dispatch::Native);
        assert_eq!(unsigned("/_fourfrontier"), Dispatch::Unknown);
        assert_eq!(
            unsigned("/2020-05-31/distribution"),
            Dispatch::Service(Service::CloudFront)
        );
        assert_eq!(
            unsigned("/2015-03-31/functions/"),
            Dispatch::Service(Service::Lambda)
        );
        assert_eq!(
            unsigned("/key-value-stores/x/keys"),
            Dispatch::Service(Service::KeyValueStore)
        );
        assert_eq!(unsigned("/"), Dispatch::Unknown);
        let form = |form| {
            dispatch(Asked {
                method: "POST",
                path: "/",
                form: Some(form),
                ..Asked::default()
            })
        };
        assert_eq!(
            form("Action=GetCallerIdentity&Version=2011-06-15"),
            Dispatch::Service(Service::Sts)
        );
        assert_eq!(
            form("Version=2010-05-08&Action=GetRole"),
            Dispatch::Service(Service::Iam)
        );
        assert_eq!(form("Action=GetRole"), Dispatch::Unknown);
        let target = Asked {
            method: "POST",
            path: "/",
            target: Some("Logs_20140328.GetLogEvents"),
            ..Asked::default()
        };
        assert_eq!(dispatch(target), Dispatch::Service(Service::Logs));
    }

    #[test]
    fn scope_and_path_agree() {
        // CP-003: a scope that is not the path's; CP-236: a scope that is nobody's.
        let signed = |scope, path| {
            dispatch(Asked {
                scope: Some(scope),
                method: "GET",
                path,
                ..Asked::default()
            })
        };
        assert_eq!(
            signed("lambda", "/2015-03-31/functions"),
            Dispatch::Service(Service::Lambda)
        );
        assert_eq!(
            signed("cloudfront", "/2015-03-31/functions"),
            Dispatch::Mismatch(Service::CloudFront)
        );
        assert_eq!(
            signed("lambda", "/elsewhere"),
            Dispatch::Service(Service::Lambda)
        );
        assert_eq!(signed("s3", "/bucket/key"), Dispatch::Foreign("s3".into()));
        let answer = Dispatch::mismatch(Service::Lambda);
        assert_eq!(
            (answer.status, &*answer.code),
            (403, "InvalidSignatureException")
        );
        assert_eq!(
            &*Dispatch::mismatch(Service::CloudFront).code,
            "SignatureDoesNotMatch"
        );
    }

    #[test]
    fn every_path_leads_to_its_service() {
        // CP-002: the prefixes hold for every operation in the tables, those of other dates among them.
        for service in [Service::CloudFront, Service::Lambda, Service::KeyValueStore] {
            for operation in service.operations() {
                let path: String = operation
                    .path
                    .iter()
                    .map(|segment| match segment {
                        Segment::Literal(literal) => format!("/{literal}"),
                        Segment::Label(_) => "/x".to_owned(),
                    })
                    .collect();
                assert_eq!(
                    unsigned(&path),
                    Dispatch::Service(service),
                    "{}",
                    operation.name
                );
            }
        }
    }
}
