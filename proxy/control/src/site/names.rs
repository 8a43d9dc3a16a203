//! Keys of site files and names of CloudFront's API: one is the other in lower case with the words apart (CP-641).

use fourfront_import::{Property, Shape, properties};
use serde_json::{Map, Value, json};

use super::{Reader, is_off, items, member_text};
use crate::{cursor::Cursor, keys::fold, raw::is_counted};

/// The key of a member: `HTTPSPort` is `https_port`.
pub(crate) fn key_of(api: &str) -> String {
    // One word, as it is in every key of a site file.
    let api = api.replace("CloudFront", "Cloudfront");
    let letters: Vec<char> = api.chars().collect();
    let mut key = String::with_capacity(api.len() + 8);
    for (i, letter) in letters.iter().enumerate() {
        let before = i.checked_sub(1).and_then(|i| letters.get(i));
        let begins = before.is_some_and(|before| {
            let next = letters.get(i + 1).is_some_and(char::is_ascii_lowercase);
            !before.is_ascii_uppercase() || next
        });
        if letter.is_ascii_uppercase() && begins {
            key.push('_');
        }
        key.extend(letter.to_lowercase());
    }
    key
}

/// The member of a structure that a key means.
pub(super) fn property_of(structure: &str, key: &str) -> Option<Property> {
    let folded = fold(key);
    // The API's names first: CloudFormation's are other spellings of a few.
    let api = properties(structure).find(|p| fold(p.api) == folded);
    api.or_else(|| properties(structure).find(|p| fold(p.cloudformation) == folded))
}

/// What the API insists on and a site file may leave out, in CloudFormation's names.
fn required(structure: &str) -> Vec<(&'static str, Value)> {
    match structure {
        "CachePolicyConfig" => vec![("MinTTL", json!(0))],
        "GeoRestriction" => vec![("RestrictionType", json!("none"))],
        "OriginAccessControlConfig" => vec![
            ("SigningProtocol", json!("sigv4")),
            ("OriginAccessControlOriginType", json!("s3")),
        ],
        "ParametersInCacheKeyAndForwardedToOrigin" => vec![
            ("EnableAcceptEncodingGzip", json!(false)),
            ("HeadersConfig", json!({ "HeaderBehavior": "none" })),
            ("CookiesConfig", json!({ "CookieBehavior": "none" })),
            (
                "QueryStringsConfig",
                json!({ "QueryStringBehavior": "none" }),
            ),
        ],
        "ResponseHeadersPolicyContentSecurityPolicy"
        | "ResponseHeadersPolicyContentTypeOptions"
        | "ResponseHeadersPolicyFrameOptions"
        | "ResponseHeadersPolicyReferrerPolicy"
        | "ResponseHeadersPolicyStrictTransportSecurity"
        | "ResponseHeadersPolicyXSSProtection" => vec![("Override", json!(false))],
        "ResponseHeadersPolicyCorsConfig" => vec![
            ("AccessControlAllowHeaders", json!([])),
            ("AccessControlAllowMethods", json!([])),
            ("AccessControlAllowCredentials", json!(false)),
            ("OriginOverride", json!(false)),
        ],
        "ResponseHeadersPolicyCustomHeader" => {
            vec![("Override", json!(false)), ("Value", json!(""))]
        }
        _ => Vec::new(),
    }
}

impl Reader<'_> {
    /// The members of a block as the properties of a CloudFormation resource. Keys in `handled` are somebody else's; those
    /// that the structure does not have are refused.
    pub(super) fn structure(
        &self,
        structure: &str,
        cursor: &Cursor<'_>,
        handled: &[&str],
    ) -> Map<String, Value> {
        let mut out = Map::new();
        if cursor.is_mapping() {
            for (key, value) in cursor.entries("").unwrap_or_default() {
                if value.is_null() || handled.iter().any(|h| super::is(&key.value, h)) {
                    continue;
                }
                let Some(property) = property_of(structure, &key.value) else {
                    self.inexpressible(&key);
                    continue;
                };
                if let Some(value) = self.value(property, &value) {
                    out.insert(property.cloudformation.to_owned(), value);
                }
            }
        }
        for (name, value) in required(structure) {
            if !out.contains_key(name) {
                out.insert(name.to_owned(), value);
            }
        }
        out
    }

    fn value(&self, property: Property, cursor: &Cursor<'_>) -> Option<Value> {
        match property.shape {
            Shape::Text | Shape::Number | Shape::Flag | Shape::Methods => {
                cursor.scalar().map(Value::from)
            }
            Shape::Struct("GrpcConfig") if cursor.scalar().is_some() => {
                Some(json!({ "Enabled": cursor.scalar() }))
            }
            Shape::Struct(_) | Shape::Geo if is_off(cursor) => None,
            Shape::Struct(name) => Some(self.structure(name, cursor, &[]).into()),
            Shape::Geo => Some(self.geo(cursor)),
            // `access_control_allow_methods: ALL`
            Shape::Scalars if cursor.scalar().is_some_and(|_| !is_off(cursor)) => {
                Some(json!([cursor.scalar()]))
            }
            Shape::Scalars => {
                let items = items(cursor);
                Some(items.iter().filter_map(Cursor::scalar).collect())
            }
            Shape::Structs("OriginCustomHeader") if cursor.is_mapping() && !is_counted(cursor) => {
                let entries = cursor.entries("").unwrap_or_default();
                let header = |(name, value): &(crate::report::Spanned<String>, Cursor<'_>)| json!({ "HeaderName": name.value, "HeaderValue": value.scalar() });
                Some(entries.iter().map(header).collect())
            }
            Shape::Structs(name) => {
                let items = items(cursor);
                Some(items.iter().map(|item| self.item(name, item)).collect())
            }
        }
    }

    /// An item of a list, which may be its one member alone.
    fn item(&self, structure: &str, item: &Cursor<'_>) -> Value {
        let only = match structure {
            "OriginGroupMember" => "OriginId",
            "ResponseHeadersPolicyRemoveHeader" => "Header",
            _ => return self.structure(structure, item, &[]).into(),
        };
        match item.scalar() {
            Some(text) => json!({ only: text }),
            None => self.structure(structure, item, &[]).into(),
        }
    }

    pub(super) fn geo(&self, cursor: &Cursor<'_>) -> Value {
        let listed = super::member(cursor, "locations").or_else(|| super::member(cursor, "items"));
        let listed = listed.map_or_else(Vec::new, |listed| items(&listed));
        let listed: Vec<&str> = listed.iter().filter_map(Cursor::scalar).collect();
        let kind = member_text(cursor, "restriction_type").unwrap_or("none");
        json!({ "RestrictionType": kind, "Locations": listed })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::{self, Table};

    /// Structures of the API and the tables of the loader that read them.
    const TABLES: &[(&str, &Table)] = &[
        ("DistributionConfig", &keys::DISTRIBUTION),
        ("Origin", &keys::ORIGIN),
        ("CustomOriginConfig", &keys::CUSTOM_ORIGIN),
        ("S3OriginConfig", &keys::S3_ORIGIN),
        ("OriginCustomHeader", &keys::CUSTOM_HEADER),
        ("OriginShield", &keys::ORIGIN_SHIELD),
        ("OriginGroup", &keys::ORIGIN_GROUP),
        ("OriginGroupMember", &keys::GROUP_MEMBER),
        ("OriginGroupFailoverCriteria", &keys::FAILOVER_CRITERIA),
        ("DefaultCacheBehavior", &keys::DEFAULT_BEHAVIOR),
        ("CacheBehavior", &keys::BEHAVIOR),
        ("LambdaFunctionAssociation", &keys::LAMBDA_ASSOCIATION),
        ("FunctionAssociation", &keys::FUNCTION_ASSOCIATION),
        ("GrpcConfig", &keys::GRPC_CONFIG),
        ("ForwardedValues", &keys::FORWARDED_VALUES),
        ("CookiePreference", &keys::COOKIE_PREFERENCE),
        ("CustomErrorResponse", &keys::CUSTOM_ERROR_RESPONSE),
        ("LoggingConfig", &keys::LOGGING),
        ("Restrictions", &keys::RESTRICTIONS),
        ("ViewerMtlsConfig", &keys::VIEWER_MTLS),
        ("TrustStoreConfig", &keys::TRUST_STORE),
        ("CacheTagConfig", &keys::CACHE_TAGS),
        ("ViewerCertificate", &keys::VIEWER_CERTIFICATE),
        ("CachePolicyConfig", &keys::CACHE_POLICY),
        (
            "ParametersInCacheKeyAndForwardedToOrigin",
            &keys::KEY_PARAMETERS,
        ),
        ("CachePolicyHeadersConfig", &keys::HEADERS_CONFIG),
        ("CachePolicyCookiesConfig", &keys::COOKIES_CONFIG),
        ("CachePolicyQueryStringsConfig", &keys::QUERY_STRINGS_CONFIG),
        ("OriginRequestPolicyConfig", &keys::ORIGIN_REQUEST_POLICY),
        (
            "ResponseHeadersPolicyConfig",
            &keys::RESPONSE_HEADERS_POLICY,
        ),
        ("ResponseHeadersPolicyCorsConfig", &keys::CORS),
        (
            "ResponseHeadersPolicySecurityHeadersConfig",
            &keys::SECURITY_HEADERS,
        ),
        ("ResponseHeadersPolicyXSSProtection", &keys::XSS_PROTECTION),
        (
            "ResponseHeadersPolicyStrictTransportSecurity",
            &keys::STRICT_TRANSPORT_SECURITY,
        ),
        ("ResponseHeadersPolicyCustomHeader", &keys::POLICY_HEADER),
        (
            "ContinuousDeploymentPolicyConfig",
            &keys::CONTINUOUS_DEPLOYMENT_POLICY,
        ),
        ("TrafficConfig", &keys::TRAFFIC),
        (
            "ContinuousDeploymentSingleWeightConfig",
            &keys::SINGLE_WEIGHT,
        ),
        (
            "ContinuousDeploymentSingleHeaderConfig",
            &keys::SINGLE_HEADER,
        ),
        ("SessionStickinessConfig", &keys::SESSION_STICKINESS),
        ("OriginAccessControlConfig", &keys::ORIGIN_ACCESS_CONTROL),
    ];

    #[test]
    fn every_member_of_the_api_is_a_key_of_a_site_file() {
        // CP-641: the renaming is mechanical, and no member is left without a key, be it one that is refused by name.
        let mut missing = Vec::new();
        for (structure, table) in TABLES {
            assert!(properties(structure).next().is_some(), "{structure}");
            for property in properties(structure) {
                let key = key_of(property.api);
                if table.find(&key).is_none() {
                    missing.push(format!("{structure}.{key}"));
                }
                let found = property_of(structure, &key);
                assert_eq!(found, Some(property), "{structure}.{key}");
            }
        }
        assert_eq!(missing, Vec::<String>::new());
    }

    #[test]
    fn words_are_told_apart_as_people_tell_them() {
        // CP-641
        for (api, key) in [
            ("HTTPSPort", "https_port"),
            ("MinTTL", "min_ttl"),
            ("IsIPV6Enabled", "is_ipv6_enabled"),
            ("ACMCertificateArn", "acm_certificate_arn"),
            ("WebACLId", "web_acl_id"),
            ("S3OriginConfig", "s3_origin_config"),
            (
                "CloudFrontDefaultCertificate",
                "cloudfront_default_certificate",
            ),
            ("XSSProtection", "xss_protection"),
            ("LambdaFunctionARN", "lambda_function_arn"),
        ] {
            assert_eq!(key_of(api), key);
        }
    }
}
