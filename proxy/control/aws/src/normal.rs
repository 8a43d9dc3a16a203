//! Documents as reads show them: every container there, defaults filled in (CP-112, table 3.4).
//!
//! The stored document stays as it was sent. What is added here is what AWS adds, so that tools that look into containers
//! without asking whether they are there find them; `OriginGroups` above all.

use serde_json::{Map, Value, json};

/// Brings a `DistributionConfig` into its normal form. What is there stays; applying it twice changes nothing.
pub fn distribution(config: &mut Value) {
    let Some(config) = config.as_object_mut() else {
        return;
    };
    for name in [
        "DefaultRootObject",
        "Comment",
        "WebACLId",
        "ContinuousDeploymentPolicyId",
    ] {
        put(config, name, || json!(""));
    }
    for name in [
        "Aliases",
        "OriginGroups",
        "CacheBehaviors",
        "CustomErrorResponses",
    ] {
        none(config, name);
    }
    put(config, "PriceClass", || json!("PriceClass_All"));
    put(config, "HttpVersion", || json!("http2"));
    put(config, "IsIPV6Enabled", || json!(false));
    put(config, "Staging", || json!(false));
    within(config, "Logging", |logging| {
        put(logging, "Enabled", || json!(false));
        put(logging, "IncludeCookies", || json!(false));
        put(logging, "Bucket", || json!(""));
        put(logging, "Prefix", || json!(""));
    });
    within(config, "Restrictions", |restrictions| {
        within(restrictions, "GeoRestriction", |geo| {
            put(geo, "RestrictionType", || json!("none"));
            put(geo, "Quantity", || json!(0));
        });
    });
    within(config, "ViewerCertificate", certificate);
    each(config, "Origins", origin);
    if let Some(Value::Object(default)) = config.get_mut("DefaultCacheBehavior") {
        behavior(default);
    }
    each(config, "CacheBehaviors", behavior);
}

/// Brings the configuration of a policy into its normal form. `kind` is the name of its shape, as
/// `CachePolicyConfig`; others stay as they are.
pub fn policy(kind: &str, config: &mut Value) {
    let Some(config) = config.as_object_mut() else {
        return;
    };
    match kind {
        "CachePolicyConfig" => {
            put(config, "Comment", || json!(""));
            let least = config.get("MinTTL").and_then(Value::as_i64).unwrap_or(0);
            // The defaults of the model, which the least goes before where it is longer.
            put(config, "DefaultTTL", || json!(least.max(86_400)));
            let usual = config.get("DefaultTTL").and_then(Value::as_i64);
            let most = least.max(usual.unwrap_or(0)).max(31_536_000);
            put(config, "MaxTTL", || json!(most));
            let key = config.get_mut("ParametersInCacheKeyAndForwardedToOrigin");
            if let Some(Value::Object(key)) = key {
                put(key, "EnableAcceptEncodingBrotli", || json!(false));
            }
        }
        "OriginRequestPolicyConfig"
        | "ResponseHeadersPolicyConfig"
        | "KeyGroupConfig"
        | "PublicKeyConfig" => put(config, "Comment", || json!("")),
        "OriginAccessControlConfig" => put(config, "Description", || json!("")),
        _ => {}
    }
}

fn origin(origin: &mut Map<String, Value>) {
    put(origin, "OriginPath", || json!(""));
    put(origin, "OriginAccessControlId", || json!(""));
    put(origin, "ConnectionAttempts", || json!(3));
    put(origin, "ConnectionTimeout", || json!(10));
    none(origin, "CustomHeaders");
    put(origin, "OriginShield", || json!({"Enabled": false}));
    if let Some(Value::Object(custom)) = origin.get_mut("CustomOriginConfig") {
        put(custom, "OriginReadTimeout", || json!(30));
        put(custom, "OriginKeepaliveTimeout", || json!(5));
        put(
            custom,
            "OriginSslProtocols",
            || json!({"Quantity": 1, "Items": ["TLSv1.2"]}),
        );
    }
}

fn behavior(behavior: &mut Map<String, Value>) {
    for name in ["TrustedSigners", "TrustedKeyGroups"] {
        within(behavior, name, |trusted| {
            put(trusted, "Enabled", || json!(false));
            put(trusted, "Quantity", || json!(0));
        });
    }
    let methods = || json!({"Quantity": 2, "Items": ["HEAD", "GET"]});
    put(behavior, "AllowedMethods", methods);
    if let Some(Value::Object(allowed)) = behavior.get_mut("AllowedMethods") {
        put(allowed, "CachedMethods", methods);
    }
    put(behavior, "SmoothStreaming", || json!(false));
    put(behavior, "Compress", || json!(false));
    put(behavior, "FieldLevelEncryptionId", || json!(""));
    within(behavior, "GrpcConfig", |grpc| {
        put(grpc, "Enabled", || json!(false));
    });
    none(behavior, "LambdaFunctionAssociations");
    none(behavior, "FunctionAssociations");
    let policy = behavior.get("CachePolicyId").and_then(Value::as_str);
    if policy.is_some_and(|id| !id.is_empty()) {
        return;
    }
    put(behavior, "MinTTL", || json!(0));
    put(behavior, "DefaultTTL", || json!(86_400));
    put(behavior, "MaxTTL", || json!(31_536_000));
    if let Some(Value::Object(forwarded)) = behavior.get_mut("ForwardedValues") {
        none(forwarded, "Headers");
        none(forwarded, "QueryStringCacheKeys");
    }
}

fn certificate(certificate: &mut Map<String, Value>) {
    let own = |name: &str| {
        let id = certificate.get(name).and_then(Value::as_str);
        id.filter(|id| !id.is_empty()).map(str::to_owned)
    };
    // The two deprecated members say once more whose certificate it is.
    let found = own("ACMCertificateArn")
        .map(|arn| (arn, "acm"))
        .or_else(|| own("IAMCertificateId").map(|id| (id, "iam")));
    if let Some((id, source)) = found {
        put(certificate, "CloudFrontDefaultCertificate", || json!(false));
        put(certificate, "Certificate", || json!(id));
        put(certificate, "CertificateSource", || json!(source));
        return;
    }
    put(certificate, "CloudFrontDefaultCertificate", || json!(true));
    put(certificate, "SSLSupportMethod", || json!("vip"));
    put(certificate, "MinimumProtocolVersion", || json!("TLSv1"));
    put(certificate, "CertificateSource", || json!("cloudfront"));
}

/// Adds a member that is not there.
fn put(object: &mut Map<String, Value>, name: &str, value: impl FnOnce() -> Value) {
    if object.get(name).is_none_or(Value::is_null) {
        object.insert(name.to_owned(), value());
    }
}

/// Adds a list without items where there is none.
fn none(object: &mut Map<String, Value>, name: &str) {
    put(object, name, || json!({"Quantity": 0}));
}

/// Works on a container, which is made where it is not there.
fn within(object: &mut Map<String, Value>, name: &str, work: impl FnOnce(&mut Map<String, Value>)) {
    put(object, name, || json!({}));
    if let Some(Value::Object(inner)) = object.get_mut(name) {
        work(inner);
    }
}

/// Works on every item of a list.
fn each(object: &mut Map<String, Value>, name: &str, work: impl Fn(&mut Map<String, Value>)) {
    let list = object.get_mut(name).and_then(|list| list.get_mut("Items"));
    let items = list.and_then(Value::as_array_mut).into_iter().flatten();
    items.filter_map(Value::as_object_mut).for_each(work);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn normal(mut config: Value) -> Value {
        distribution(&mut config);
        let once = config.clone();
        distribution(&mut config);
        assert_eq!(config, once, "twice is as once");
        config
    }

    #[test]
    fn the_least_document_gets_every_container() {
        // CP-112, every row of table 3.4.
        let config = normal(json!({
            "CallerReference": "r",
            "Comment": "",
            "Enabled": true,
            "Origins": {"Quantity": 1, "Items": [{
                "Id": "o",
                "DomainName": "origin.example",
                "CustomOriginConfig": {"HTTPPort": 80, "HTTPSPort": 443, "OriginProtocolPolicy": "http-only"},
            }]},
            "DefaultCacheBehavior": {
                "TargetOriginId": "o",
                "ViewerProtocolPolicy": "allow-all",
                "ForwardedValues": {"QueryString": false, "Cookies": {"Forward": "none"}},
            },
        }));
        let none = json!({"Quantity": 0});
        let trusted = json!({"Enabled": false, "Quantity": 0});
        let methods = json!({"Quantity": 2, "Items": ["HEAD", "GET"]});
        assert_eq!(
            config,
            json!({
                "CallerReference": "r",
                "Comment": "",
                "Enabled": true,
                "DefaultRootObject": "",
                "WebACLId": "",
                "ContinuousDeploymentPolicyId": "",
                "Aliases": none,
                "OriginGroups": none,
                "CacheBehaviors": none,
                "CustomErrorResponses": none,
                "PriceClass": "PriceClass_All",
                "HttpVersion": "http2",
                "IsIPV6Enabled": false,
                "Staging": false,
                "Logging": {"Enabled": false, "IncludeCookies": false, "Bucket": "", "Prefix": ""},
                "Restrictions": {"GeoRestriction": {"RestrictionType": "none", "Quantity": 0}},
                "ViewerCertificate": {
                    "CloudFrontDefaultCertificate": true,
                    "SSLSupportMethod": "vip",
                    "MinimumProtocolVersion": "TLSv1",
                    "CertificateSource": "cloudfront",
                },
                "Origins": {"Quantity": 1, "Items": [{
                    "Id": "o",
                    "DomainName": "origin.example",
                    "OriginPath": "",
                    "OriginAccessControlId": "",
                    "ConnectionAttempts": 3,
                    "ConnectionTimeout": 10,
                    "CustomHeaders": none,
                    "OriginShield": {"Enabled": false},
                    "CustomOriginConfig": {
                        "HTTPPort": 80,
                        "HTTPSPort": 443,
                        "OriginProtocolPolicy": "http-only",
                        "OriginReadTimeout": 30,
                        "OriginKeepaliveTimeout": 5,
                        "OriginSslProtocols": {"Quantity": 1, "Items": ["TLSv1.2"]},
                    },
                }]},
                "DefaultCacheBehavior": {
                    "TargetOriginId": "o",
                    "ViewerProtocolPolicy": "allow-all",
                    "TrustedSigners": trusted,
                    "TrustedKeyGroups": trusted,
                    "AllowedMethods": {"Quantity": 2, "Items": ["HEAD", "GET"], "CachedMethods": methods},
                    "SmoothStreaming": false,
                    "Compress": false,
                    "GrpcConfig": {"Enabled": false},
                    "LambdaFunctionAssociations": none,
                    "FunctionAssociations": none,
                    "FieldLevelEncryptionId": "",
                    "MinTTL": 0,
                    "DefaultTTL": 86400,
                    "MaxTTL": 31_536_000,
                    "ForwardedValues": {
                        "QueryString": false,
                        "Cookies": {"Forward": "none"},
                        "Headers": none,
                        "QueryStringCacheKeys": none,
                    },
                },
            })
        );
    }

    #[test]
    fn what_was_sent_stays() {
        // CP-112: TTLs are of legacy behaviours alone (CP-119), and what was sent stays.
        let config = normal(json!({
            "DefaultCacheBehavior": {"CachePolicyId": "p", "Compress": true},
            "CacheBehaviors": {"Quantity": 1, "Items": [{"PathPattern": "/a", "CachePolicyId": "", "MinTTL": 5}]},
            "OriginGroups": {"Quantity": 1, "Items": [{"Id": "g"}]},
            "ViewerCertificate": {"ACMCertificateArn": "arn:aws:acm:us-east-1:000000000000:certificate/1", "SSLSupportMethod": "sni-only", "MinimumProtocolVersion": "TLSv1.2_2021"},
            "NewerMember": {"Kept": ["as", "sent"]},
        }));
        let default = &config["DefaultCacheBehavior"];
        assert_eq!(default["Compress"], true);
        assert!(default.get("MinTTL").is_none() && default.get("ForwardedValues").is_none());
        let legacy = &config["CacheBehaviors"]["Items"][0];
        assert_eq!(
            (&legacy["MinTTL"], &legacy["DefaultTTL"]),
            (&json!(5), &json!(86400))
        );
        assert_eq!(config["OriginGroups"]["Quantity"], 1);
        let certificate = &config["ViewerCertificate"];
        assert_eq!(certificate["CertificateSource"], "acm");
        assert_eq!(certificate["SSLSupportMethod"], "sni-only");
        assert_eq!(certificate["CloudFrontDefaultCertificate"], false);
        assert_eq!(config["NewerMember"], json!({"Kept": ["as", "sent"]}));
    }

    // Documents that are none are left alone.
    #[test]
    fn other_values_are_left_alone() {
        for value in [json!(null), json!([1]), json!("text")] {
            assert_eq!(normal(value.clone()), value);
        }
        let odd = json!({"Origins": "none", "DefaultCacheBehavior": 3, "Logging": []});
        assert_eq!(normal(odd)["Origins"], "none");
    }

    // Section 3.2: the model's defaults of cache policies.
    #[test]
    fn policies() {
        let with = |config: Value| {
            let mut config = config;
            policy("CachePolicyConfig", &mut config);
            (config["DefaultTTL"].clone(), config["MaxTTL"].clone())
        };
        assert_eq!(
            with(json!({"MinTTL": 0})),
            (json!(86400), json!(31_536_000))
        );
        assert_eq!(
            with(json!({"MinTTL": 100_000})),
            (json!(100_000), json!(31_536_000))
        );
        assert_eq!(
            with(json!({"MinTTL": 0, "DefaultTTL": 1, "MaxTTL": 2})),
            (json!(1), json!(2))
        );
        let mut control = json!({"Name": "n"});
        policy("OriginAccessControlConfig", &mut control);
        assert_eq!(control, json!({"Name": "n", "Description": ""}));
    }
}
