//! The managed response headers policies, which every configuration may name (CF-151..155).

use std::sync::Arc;

use http::HeaderValue;

use crate::{
    ALL_METHODS, AllowHeaders, AllowOrigins, CorsPolicy, PolicyField, ResponseHeadersPolicy,
};

/// A managed response headers policy: name, id and contents.
pub struct ManagedResponseHeadersPolicy {
    /// Name without the `Managed-` prefix.
    pub name: &'static str,
    /// The id it has on AWS.
    pub id: &'static str,
    cors: Cors,
    security: bool,
}

enum Cors {
    None,
    Simple,
    Preflight,
}

/// All of them.
pub const MANAGED_RESPONSE_HEADERS_POLICIES: &[ManagedResponseHeadersPolicy] = &[
    managed(
        "SimpleCORS",
        "60669652-455b-4ae9-85a4-c4c02393f86c",
        Cors::Simple,
        false,
    ),
    managed(
        "CORS-With-Preflight",
        "5cc3b908-e619-4b99-88e5-2cf7f45965bd",
        Cors::Preflight,
        false,
    ),
    managed(
        "SecurityHeadersPolicy",
        "67f7725c-6f97-4210-82d7-5512b31e9d03",
        Cors::None,
        true,
    ),
    managed(
        "CORS-and-SecurityHeadersPolicy",
        "e61eb60c-9c35-4d20-a928-2b84e02af89c",
        Cors::Simple,
        true,
    ),
    managed(
        "CORS-with-preflight-and-SecurityHeadersPolicy",
        "eaab4381-ed33-4a86-88ca-d9558dc6cd63",
        Cors::Preflight,
        true,
    ),
];

/// Names, values and whether they override.
const SECURITY: [(&str, &str, bool); 5] = [
    ("X-XSS-Protection", "1; mode=block", false),
    ("X-Frame-Options", "SAMEORIGIN", false),
    ("Referrer-Policy", "strict-origin-when-cross-origin", false),
    ("X-Content-Type-Options", "nosniff", true),
    ("Strict-Transport-Security", "max-age=31536000", false),
];

/// The managed response headers policy of that name (with or without `Managed-`) or id.
pub fn managed_response_headers_policy(name_or_id: &str) -> Option<Arc<ResponseHeadersPolicy>> {
    let wanted = name_or_id.strip_prefix("Managed-").unwrap_or(name_or_id);
    let m = MANAGED_RESPONSE_HEADERS_POLICIES
        .iter()
        .find(|m| m.name == wanted || m.id == wanted)?;
    let cors = |methods, expose| CorsPolicy {
        origins: AllowOrigins::Any,
        allow_headers: AllowHeaders::default(),
        allow_methods: methods,
        allow_credentials: false,
        expose_headers: expose,
        max_age: None,
        origin_override: false,
    };
    let fields = SECURITY.iter().filter(|_| m.security);
    let fields = fields.filter_map(|(k, v, o)| PolicyField::new(k, v, *o).ok());
    let mut policy = ResponseHeadersPolicy::new(Some(m.name.to_owned()), fields);
    policy.cors = match m.cors {
        Cors::None => None,
        Cors::Simple => Some(cors(None, None)),
        Cors::Preflight => Some(cors(
            HeaderValue::from_str(&ALL_METHODS.join(", ")).ok(),
            Some(HeaderValue::from_static("*")),
        )),
    };
    Some(Arc::new(policy))
}

const fn managed(
    name: &'static str,
    id: &'static str,
    cors: Cors,
    security: bool,
) -> ManagedResponseHeadersPolicy {
    ManagedResponseHeadersPolicy {
        name,
        id,
        cors,
        security,
    }
}

#[cfg(test)]
mod tests {
    use http::Method;

    use super::*;
    use crate::Asked;

    #[test]
    fn contents_follow_the_table() {
        // CF-151, CF-152, CF-153, CF-154, CF-155, CF-025, CF-100
        let cors = ["access-control-allow-origin: *"];
        let preflight = [
            "access-control-allow-origin: *",
            "access-control-expose-headers: *",
            "access-control-allow-methods: DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT",
        ];
        let security = [
            "x-xss-protection: 1; mode=block",
            "x-frame-options: SAMEORIGIN",
            "referrer-policy: strict-origin-when-cross-origin",
            "x-content-type-options: nosniff",
            "strict-transport-security: max-age=31536000",
        ];
        let both = |cors: &[&'static str]| [cors, &security[..]].concat();
        let rows: [(&str, &str, Vec<&str>); 5] = [
            (
                "SimpleCORS",
                "60669652-455b-4ae9-85a4-c4c02393f86c",
                cors.to_vec(),
            ),
            (
                "CORS-With-Preflight",
                "5cc3b908-e619-4b99-88e5-2cf7f45965bd",
                preflight.to_vec(),
            ),
            (
                "SecurityHeadersPolicy",
                "67f7725c-6f97-4210-82d7-5512b31e9d03",
                security.to_vec(),
            ),
            (
                "CORS-and-SecurityHeadersPolicy",
                "e61eb60c-9c35-4d20-a928-2b84e02af89c",
                both(&cors),
            ),
            (
                "CORS-with-preflight-and-SecurityHeadersPolicy",
                "eaab4381-ed33-4a86-88ca-d9558dc6cd63",
                both(&preflight),
            ),
        ];
        assert_eq!(MANAGED_RESPONSE_HEADERS_POLICIES.len(), rows.len());
        let mut request = http::HeaderMap::new();
        request.insert("origin", HeaderValue::from_static("https://a.test"));
        request.insert(
            "access-control-request-method",
            HeaderValue::from_static("PUT"),
        );
        for (name, id, expected) in rows {
            let policy = managed_response_headers_policy(name).unwrap();
            for other in [id.to_owned(), format!("Managed-{name}")] {
                assert_eq!(
                    managed_response_headers_policy(&other),
                    Some(policy.clone())
                );
            }
            let asked = Asked::of(&Method::OPTIONS, |n| request.get(n));
            let mut added = Vec::new();
            policy.changes(asked, |_| false).each(|name, _, value| {
                added.push(format!("{name}: {}", value.to_str().unwrap()));
            });
            assert_eq!(added, expected, "{name}");
            // All but one give way to the origin's.
            let mut added = Vec::new();
            policy
                .changes(asked, |_| true)
                .each(|name, _, _| added.push(name.to_string()));
            let overriding = if expected.len() >= 5 {
                &["x-content-type-options"][..]
            } else {
                &[]
            };
            assert_eq!(added, overriding, "{name}");
        }
        assert!(managed_response_headers_policy("Managed-SimpleCors").is_none());
    }
}
