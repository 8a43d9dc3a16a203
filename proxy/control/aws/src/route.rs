//! From a path to an operation (CP-007, CP-008, CP-011, CP-016).

use std::collections::BTreeSet;

use percent_encoding::percent_decode_str;

use crate::{
    error::{ApiError, Condition},
    model::{Operation, Segment, Service, Tier},
    tables,
};

/// The date in the paths of CloudFront's tables.
const CURRENT: &str = "2020-05-31";
/// The oldest date that an SDK shipped with (CP-007).
const OLDEST: &str = "2014-05-31";

/// An operation, and what the request line says of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Routed {
    /// The operation.
    pub operation: &'static Operation,
    /// Parameters of the path, decoded, by name.
    pub labels: Vec<(&'static str, String)>,
    /// Pairs of the query, decoded, in their order.
    pub query: Vec<(String, String)>,
    /// The namespace that the path's date stands for, where it is an older one (CP-007).
    pub namespace: Option<String>,
}

/// Why there is no operation to call.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RouteError {
    /// No operation has such a path.
    #[error("no operation has this path")]
    UnknownPath,
    /// No operation has such a name.
    #[error("the service has no operation {0}")]
    UnknownName(String),
    /// The path is known with other methods.
    #[error("the path takes {}", .0.join(", "))]
    WrongMethod(Vec<&'static str>),
    /// The operation is known and not answered.
    #[error("{0} is not implemented")]
    Later(&'static str),
    /// Path or query hold escapes of what is not UTF-8.
    #[error("the request line is not UTF-8")]
    Unreadable,
}

impl RouteError {
    /// The answer to the request.
    #[must_use]
    pub fn answer(&self, service: Service) -> ApiError {
        let condition = match self {
            Self::UnknownPath | Self::UnknownName(_) => Condition::UnknownOperation,
            Self::WrongMethod(_) => Condition::WrongMethod,
            Self::Later(_) => Condition::NotImplemented,
            Self::Unreadable => Condition::Constraint,
        };
        ApiError::common(service, condition, self.to_string())
    }
}

/// Finds the operation of a service whose paths tell operations apart. `raw_path` and `raw_query` are as they came
/// (CP-008): the path is split at its slashes before anything is decoded.
///
/// # Errors
/// A path that nobody has, a method that the path does not take, an operation that is not answered.
pub fn route(
    service: Service,
    method: &str,
    raw_path: &str,
    raw_query: &str,
) -> Result<Routed, RouteError> {
    let mut segments: Vec<&str> = raw_path
        .strip_prefix('/')
        .ok_or(RouteError::UnknownPath)?
        .split('/')
        .collect();
    let trailing = segments.len() > 1 && segments.last() == Some(&"");
    if trailing {
        segments.pop();
    }
    let namespace = match service {
        Service::CloudFront => older(&mut segments)?,
        _ => None,
    };
    let query = pairs(raw_query)?;
    let mut allowed = BTreeSet::new();
    let mut best: Option<(usize, &'static Operation)> = None;
    for operation in service.operations() {
        let Some(literals) = fit(operation.path, &segments, trailing) else {
            continue;
        };
        let asked = operation.query.iter().all(|(name, value)| {
            let same = |(key, given): &(String, String)| key == name && given == value;
            query.iter().any(same)
        });
        if !asked {
            continue;
        }
        if operation.method != method {
            allowed.insert(operation.method);
            continue;
        }
        let weight = literals + operation.query.len();
        if best.is_none_or(|(most, _)| weight > most) {
            best = Some((weight, operation));
        }
    }
    let Some((_, operation)) = best else {
        return Err(if allowed.is_empty() {
            RouteError::UnknownPath
        } else {
            RouteError::WrongMethod(allowed.into_iter().collect())
        });
    };
    if operation.tier == Tier::Later {
        return Err(RouteError::Later(operation.name));
    }
    let mut labels = Vec::new();
    for (segment, raw) in operation.path.iter().zip(&segments) {
        if let Segment::Label(name) = segment {
            let value = percent_decode_str(raw)
                .decode_utf8()
                .map_err(|_| RouteError::Unreadable)?;
            labels.push((*name, value.into_owned()));
        }
    }
    Ok(Routed {
        operation,
        labels,
        query,
        namespace,
    })
}

/// Finds the operation of a service whose requests name it: `Action` of a form, or what follows the dot of
/// `X-Amz-Target`. `pairs` are those of the form, none for JSON.
///
/// # Errors
/// A name that the service does not have, or has and does not answer.
pub fn route_named(
    service: Service,
    name: &str,
    pairs: Vec<(String, String)>,
) -> Result<Routed, RouteError> {
    if let Some(operation) = service.operation(name) {
        return Ok(Routed {
            operation,
            labels: Vec::new(),
            query: pairs,
            namespace: None,
        });
    }
    let later = tables::later(service).iter().find(|later| **later == name);
    Err(match later {
        Some(name) => RouteError::Later(name),
        None => RouteError::UnknownName(name.chars().take(64).collect()),
    })
}

/// Replaces an older date of CloudFront's by the one in the tables, and gives the namespace it stands for (CP-007).
fn older(segments: &mut [&str]) -> Result<Option<String>, RouteError> {
    let Some(first) = segments.first_mut() else {
        return Err(RouteError::UnknownPath);
    };
    if *first == CURRENT {
        return Ok(None);
    }
    if !is_date(first) || !(OLDEST..CURRENT).contains(first) {
        return Err(RouteError::UnknownPath);
    }
    let namespace = format!("http://cloudfront.amazonaws.com/doc/{first}/");
    *first = CURRENT;
    Ok(Some(namespace))
}

/// Whether a text has the form `2020-05-31`.
pub(crate) fn is_date(text: &str) -> bool {
    text.len() == 10
        && text.bytes().enumerate().all(|(index, byte)| match index {
            4 | 7 => byte == b'-',
            _ => byte.is_ascii_digit(),
        })
}

/// How many literals of a path stand in the segments, if the path fits at all. A slash at the end is passed over where
/// a collection ends (CP-011).
fn fit(path: &[Segment], segments: &[&str], trailing: bool) -> Option<usize> {
    if path.len() != segments.len() {
        return None;
    }
    if trailing && matches!(path.last(), Some(Segment::Label(_))) {
        return None;
    }
    let mut literals = 0;
    for (wanted, given) in path.iter().zip(segments) {
        match wanted {
            Segment::Literal(literal) if literal == given => literals += 1,
            Segment::Label(_) if !given.is_empty() => {}
            _ => return None,
        }
    }
    Some(literals)
}

/// Pairs of a query or of a form, decoded once. A plus is a space: SDKs escape the others.
///
/// # Errors
/// Escapes of what is not UTF-8.
pub fn pairs(raw: &str) -> Result<Vec<(String, String)>, RouteError> {
    let decode = |text: &str| {
        let spaced = text.replace('+', " ");
        let decoded = percent_decode_str(&spaced).decode_utf8();
        decoded
            .map(std::borrow::Cow::into_owned)
            .map_err(|_| RouteError::Unreadable)
    };
    raw.split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            Ok((decode(name)?, decode(value)?))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(service: Service, method: &str, path: &str, query: &str) -> &'static str {
        route(service, method, path, query)
            .expect("an operation")
            .operation
            .name
    }

    #[test]
    fn segments_are_split_before_they_are_decoded() {
        // CP-008: split raw, decoded once.
        let path = "/key-value-stores/arn%3Aaws%3Acloudfront%3A%3A000000000000%3Akey-value-store%2F8e1a/keys/a%2Fb%20c%252F";
        let routed = route(Service::KeyValueStore, "PUT", path, "").expect("an operation");
        assert_eq!(routed.operation.name, "PutKey");
        assert_eq!(
            routed.labels,
            [
                (
                    "KvsARN",
                    "arn:aws:cloudfront::000000000000:key-value-store/8e1a".to_owned()
                ),
                ("Key", "a/b c%2F".to_owned()),
            ]
        );
        let bad = route(Service::KeyValueStore, "GET", "/key-value-stores/%ff", "");
        assert_eq!(bad, Err(RouteError::Unreadable));
    }

    // Sections 2.1 and 3.1: queries that are part of an operation.
    #[test]
    fn constant_queries_tell_operations_apart() {
        let distribution = "/2020-05-31/distribution";
        assert_eq!(
            name(Service::CloudFront, "POST", distribution, ""),
            "CreateDistribution"
        );
        for query in ["WithTags", "WithTags=", "a=b&WithTags"] {
            assert_eq!(
                name(Service::CloudFront, "POST", distribution, query),
                "CreateDistributionWithTags"
            );
        }
        let tagging = "/2020-05-31/tagging";
        assert_eq!(
            name(
                Service::CloudFront,
                "POST",
                tagging,
                "Operation=Tag&Resource=x"
            ),
            "TagResource"
        );
        assert_eq!(
            name(
                Service::CloudFront,
                "POST",
                tagging,
                "Operation=Untag&Resource=x"
            ),
            "UntagResource"
        );
        assert_eq!(
            name(Service::CloudFront, "GET", tagging, "Resource=x"),
            "ListTagsForResource"
        );
    }

    #[test]
    fn older_dates_are_taken() {
        // CP-007: older dates lead to the same operations and are remembered for the answer.
        let routed = route(
            Service::CloudFront,
            "GET",
            "/2016-11-25/distribution/E1",
            "",
        )
        .expect("an operation");
        assert_eq!(routed.operation.name, "GetDistribution");
        assert_eq!(
            routed.namespace.as_deref(),
            Some("http://cloudfront.amazonaws.com/doc/2016-11-25/")
        );
        for path in [
            "/2013-11-11/distribution/E1",
            "/2021-01-01/distribution/E1",
            "/20200531/distribution",
            "/2016-11-2\u{e9}/x",
        ] {
            assert_eq!(
                route(Service::CloudFront, "GET", path, ""),
                Err(RouteError::UnknownPath)
            );
        }
    }

    #[test]
    fn a_slash_may_end_a_collection() {
        // CP-011: a slash after a collection, and nowhere else.
        assert_eq!(
            name(Service::Lambda, "POST", "/2015-03-31/functions/", ""),
            "CreateFunction"
        );
        assert_eq!(
            name(Service::Lambda, "GET", "/2015-03-31/functions", ""),
            "ListFunctions"
        );
        for path in [
            "/2015-03-31/functions/edge/",
            "/2015-03-31/functions//",
            "/2015-03-31/functions//code",
            "2015-03-31/functions",
            "",
            "/",
        ] {
            assert_eq!(
                route(Service::Lambda, "GET", path, ""),
                Err(RouteError::UnknownPath),
                "{path}"
            );
        }
    }

    #[test]
    fn what_cannot_be_called() {
        // CP-011, CP-016: what is not there, not so, not yet.
        let path = "/2020-05-31/distribution/E1";
        let wrong = route(Service::CloudFront, "PATCH", path, "").expect_err("no such method");
        assert_eq!(wrong, RouteError::WrongMethod(vec!["DELETE", "GET"]));
        assert_eq!(wrong.answer(Service::CloudFront).status, 405);
        let unknown =
            route(Service::Lambda, "GET", "/2015-03-31/nothing", "").expect_err("no such path");
        assert_eq!(unknown.answer(Service::Lambda).status, 404);
        let later =
            route(Service::CloudFront, "GET", "/2020-05-31/vpc-origin/vo1", "").expect_err("later");
        assert_eq!(later, RouteError::Later("GetVpcOrigin"));
        let answer = later.answer(Service::CloudFront);
        assert_eq!(
            (answer.status, &*answer.code),
            (400, "UnsupportedOperation")
        );
        let later = route(Service::Lambda, "GET", "/2018-10-31/layers", "").expect_err("later");
        assert_eq!(later.answer(Service::Lambda).status, 501);
        let named = route_named(Service::Iam, "CreateUser", Vec::new()).expect_err("later");
        assert_eq!(named, RouteError::Later("CreateUser"));
        let named = route_named(Service::Sts, "Nothing", Vec::new()).expect_err("unknown");
        assert_eq!(&*named.answer(Service::Sts).code, "InvalidAction");
    }

    // Section 3.1: a literal goes before a parameter.
    #[test]
    fn every_operation_finds_itself() {
        for service in [Service::CloudFront, Service::Lambda, Service::KeyValueStore] {
            for operation in service.operations() {
                let mut path = String::new();
                for segment in operation.path {
                    path.push('/');
                    path.push_str(match segment {
                        Segment::Literal(literal) => literal,
                        Segment::Label(_) => "x-1",
                    });
                }
                let query: Vec<String> = operation
                    .query
                    .iter()
                    .map(|(name, value)| format!("{name}={value}"))
                    .collect();
                let found = route(service, operation.method, &path, &query.join("&"));
                let expected = operation.name;
                match found {
                    Ok(routed) => assert_eq!(routed.operation.name, expected),
                    Err(RouteError::Later(name)) => {
                        assert_eq!((name, operation.tier), (expected, Tier::Later))
                    }
                    Err(other) => panic!("{expected}: {other}"),
                }
            }
        }
    }
}
