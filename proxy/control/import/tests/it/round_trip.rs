//! The map of section 7.4 and its inverse.

use fourfront_import::to_cloudformation;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::Project;

fn list(items: Vec<Value>) -> Value {
    match items.is_empty() {
        true => json!({"Quantity": 0}),
        false => json!({"Quantity": items.len(), "Items": items}),
    }
}

fn trusted(items: Vec<Value>) -> Value {
    let mut list = list(items);
    list["Enabled"] = (list["Quantity"] != 0).into();
    list
}

fn words() -> impl Strategy<Value = Vec<Value>> {
    prop::collection::vec("[a-z][a-z0-9]{0,5}", 0..3)
        .prop_map(|w| w.into_iter().map(Value::from).collect())
}

/// Methods are never none.
fn methods() -> impl Strategy<Value = Vec<Value>> {
    (2_usize..4).prop_map(|n| {
        ["GET", "HEAD", "OPTIONS"][..n]
            .iter()
            .map(|m| Value::from(*m))
            .collect()
    })
}

prop_compose! {
    fn behavior()(
        keys in words(), methods in methods(), cached in methods(), headers in words(), names in words(), compress: bool,
        ttl in 0_u32..1000, body: bool, kind in "viewer-request|origin-request", functions in 0_usize..3,
    ) -> Value {
        let function = json!({"LambdaFunctionARN": "arn:aws:lambda:us-east-1:000000000000:function:f:1", "EventType": kind, "IncludeBody": body});
        let mut allowed = list(methods);
        allowed["CachedMethods"] = list(cached);
        json!({
            "TargetOriginId": "o", "ViewerProtocolPolicy": "allow-all", "Compress": compress, "MinTTL": ttl,
            "TrustedKeyGroups": trusted(keys), "AllowedMethods": allowed,
            "LambdaFunctionAssociations": list(vec![function; functions]),
            "ForwardedValues": {"QueryString": true, "Headers": list(headers), "Cookies": {"Forward": "whitelist", "WhitelistedNames": list(names)}},
        })
    }
}

prop_compose! {
    fn distribution()(
        aliases in words(), default in behavior(), others in prop::collection::vec(behavior(), 0..3), comment in "[ -~]{0,20}",
        ipv6: bool, logging: bool, locations in words(), port in 1_u16.., codes in prop::collection::vec(400_u16..600, 0..3),
        protocols in words(), headers in words(), error in 400_u16..600, weight in 0_u32..60,
    ) -> Value {
        let others = others.into_iter().enumerate().map(|(i, mut b)| {
            b["PathPattern"] = format!("/{i}").into();
            b
        });
        let mut geo = list(locations);
        geo["RestrictionType"] = "whitelist".into();
        let header = |h: Value| json!({"HeaderName": h, "HeaderValue": "v"});
        let mut config = json!({
            "Comment": comment, "Enabled": true, "IsIPV6Enabled": ipv6, "Aliases": list(aliases), "PriceClass": "PriceClass_All",
            "DefaultCacheBehavior": default, "CacheBehaviors": list(others.collect()),
            "Restrictions": {"GeoRestriction": geo},
            "Origins": list(vec![
                json!({"Id": "o", "DomainName": "a.test", "OriginPath": "", "ConnectionAttempts": 3,
                       "CustomHeaders": list(headers.into_iter().map(header).collect()),
                       "CustomOriginConfig": {"HTTPPort": port, "HTTPSPort": 443, "OriginProtocolPolicy": "https-only",
                                              "OriginSslProtocols": list(protocols), "OriginReadTimeout": weight + 1}}),
                json!({"Id": "p", "DomainName": "b.s3.amazonaws.com", "S3OriginConfig": {"OriginAccessIdentity": ""}}),
            ]),
            "OriginGroups": list(vec![json!({
                "Id": "g", "FailoverCriteria": {"StatusCodes": list(codes.into_iter().map(Value::from).collect())},
                "Members": list(vec![json!({"OriginId": "o"}), json!({"OriginId": "p"})])})]),
            "CustomErrorResponses": list(vec![json!({"ErrorCode": error, "ResponseCode": "200", "ResponsePagePath": "/x", "ErrorCachingMinTTL": 5})]),
            "ViewerCertificate": {"ACMCertificateArn": "arn:x", "SSLSupportMethod": "sni-only", "MinimumProtocolVersion": "TLSv1.2_2021"},
        });
        if logging {
            config["Logging"] = json!({"Enabled": true, "IncludeCookies": false, "Bucket": "l.s3.amazonaws.com", "Prefix": "p"});
        }
        config
    }
}

fn back(kind: &str, property: &str, api: &str, config: &Value) -> (Value, Vec<String>) {
    let template = json!({"Resources": {"X": {"Type": kind, "Properties": {property: to_cloudformation(api, config)}}}});
    let plan = Project::new(&[("template.json", &template.to_string())]).plan("template.json");
    let found = plan
        .documents()
        .into_iter()
        .flat_map(|(_, d)| d)
        .next()
        .unwrap();
    (
        found.item.config.clone(),
        plan.notes.iter().map(ToString::to_string).collect(),
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn distributions_survive_cloudformation(config in distribution()) {
        // CP-351, CP-705: what is written as CloudFormation reads back as what it was.
        let (read, notes) = back("AWS::CloudFront::Distribution", "DistributionConfig", "DistributionConfig", &config);
        prop_assert_eq!(notes, Vec::<String>::new());
        prop_assert_eq!(read, config);
    }
}

#[test]
fn policies_survive_cloudformation() {
    // CP-351
    for (kind, api, config) in [
        (
            "CachePolicy",
            "CachePolicyConfig",
            json!({"Name": "n", "MinTTL": 1, "ParametersInCacheKeyAndForwardedToOrigin": {
                "EnableAcceptEncodingGzip": true, "HeadersConfig": {"HeaderBehavior": "whitelist", "Headers": list(vec![json!("a")])},
                "CookiesConfig": {"CookieBehavior": "none"}, "QueryStringsConfig": {"QueryStringBehavior": "all"}}}),
        ),
        (
            "ResponseHeadersPolicy",
            "ResponseHeadersPolicyConfig",
            json!({"Name": "n", "RemoveHeadersConfig": list(vec![json!({"Header": "x"})]),
                   "SecurityHeadersConfig": {"ContentTypeOptions": {"Override": true}}}),
        ),
        (
            "KeyGroup",
            "KeyGroupConfig",
            json!({"Name": "n", "Items": ["K1"]}),
        ),
        (
            "ContinuousDeploymentPolicy",
            "ContinuousDeploymentPolicyConfig",
            json!({"Enabled": true, "StagingDistributionDnsNames": list(vec![json!("d.test")]),
                   "TrafficConfig": {"Type": "SingleHeader", "SingleHeaderConfig": {"Header": "aws-cf-cd-x", "Value": "v"}}}),
        ),
    ] {
        let (read, notes) = back(&format!("AWS::CloudFront::{kind}"), api, api, &config);
        assert_eq!(notes, Vec::<String>::new());
        assert_eq!(read, config, "{kind}");
    }
}

#[test]
fn what_cloudformation_does_not_have_is_left_out_and_the_unknown_is_kept() {
    // CP-351, CP-321
    let config = json!({"CallerReference": "r", "Comment": "c", "Logging": {"Enabled": false, "IncludeCookies": false, "Bucket": "", "Prefix": ""},
                        "FromTheFuture": {"X": 1}});
    assert_eq!(
        to_cloudformation("DistributionConfig", &config),
        json!({"Comment": "c", "FromTheFuture": {"X": 1}})
    );
}
