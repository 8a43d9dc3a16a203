//! Answers of the AWS CLI (CP-350).

use serde_json::json;

use crate::Project;

const CONFIG: &str = r#"{"ETag": "E1", "DistributionConfig": {
    "CallerReference": "r", "Comment": "c", "Enabled": true,
    "Origins": {"Quantity": 1, "Items": [{"Id": "o", "DomainName": "b.s3.amazonaws.com", "OriginAccessControlId": "EOAC",
        "S3OriginConfig": {"OriginAccessIdentity": "origin-access-identity/cloudfront/EOAI"}}]},
    "DefaultCacheBehavior": {"TargetOriginId": "o", "ViewerProtocolPolicy": "allow-all",
        "CachePolicyId": "658327ea-f89d-4fab-a63d-7e88639e58f6", "OriginRequestPolicyId": "own-policy",
        "TrustedKeyGroups": {"Enabled": true, "Quantity": 1, "Items": ["group"]},
        "FunctionAssociations": {"Quantity": 1, "Items": [{"FunctionARN": "arn:aws:cloudfront::1:function/cff", "EventType": "viewer-response"}]},
        "LambdaFunctionAssociations": {"Quantity": 1, "Items": [
            {"LambdaFunctionARN": "arn:aws:lambda:us-east-1:1:function:edge:7", "EventType": "viewer-request", "IncludeBody": false}]}}}}"#;

#[test]
fn what_is_missing_is_named_with_the_command_that_fetches_it() {
    // CP-350
    let project = Project::new(&[("dist.json", CONFIG)]);
    let errors = project.errors("dist.json");
    let [error] = errors.as_slice() else {
        panic!("{errors:?}");
    };
    assert!(
        error
            .starts_with("dist.json:1:1: DistributionConfig: names what no file here holds (run: "),
        "{error}"
    );
    for command in [
        "aws cloudfront get-origin-access-control --id EOAC > EOAC.json",
        "aws cloudfront get-cloud-front-origin-access-identity --id EOAI > EOAI.json",
        "aws cloudfront get-origin-request-policy --id own-policy > own-policy.json",
        "aws cloudfront get-key-group --id group > group.json",
        "aws cloudfront describe-function --name cff --stage LIVE > cff.json",
        "aws lambda get-function --function-name edge --qualifier 7 > edge.json",
        "curl -o edge-7.zip \"$(aws lambda get-function --function-name edge --qualifier 7 --query Code.Location --output text)\"",
    ] {
        assert!(error.contains(command), "{command}: {error}");
    }
    // The managed policy is not among them.
    assert!(!error.contains("get-cache-policy"), "{error}");
}

#[test]
fn companions_become_references() {
    // CP-350
    let project = Project::new(&[
        ("d/dist.json", CONFIG),
        (
            "d/oac.json",
            r#"{"OriginAccessControl": {"Id": "EOAC", "OriginAccessControlConfig": {"Name": "oac"}}}"#,
        ),
        (
            "d/oai.json",
            r#"{"CloudFrontOriginAccessIdentity": {"Id": "EOAI", "CloudFrontOriginAccessIdentityConfig": {"Comment": ""}}}"#,
        ),
        (
            "d/policies.json",
            r#"{"OriginRequestPolicyList": {"Items": [{"Type": "managed", "OriginRequestPolicy": {"Id": "m", "OriginRequestPolicyConfig": {"Name": "Managed-X"}}},
                {"Type": "custom", "OriginRequestPolicy": {"Id": "own-policy", "OriginRequestPolicyConfig": {"Name": "own"}}}]}}"#,
        ),
        (
            "d/group.json",
            r#"{"KeyGroup": {"Id": "group", "KeyGroupConfig": {"Name": "g", "Items": ["K1"]}}}"#,
        ),
        (
            "d/key.json",
            r#"{"PublicKey": {"Id": "K1", "PublicKeyConfig": {"Name": "k"}}}"#,
        ),
        (
            "d/cff.json",
            r#"{"FunctionSummary": {"Name": "cff", "FunctionConfig": {"Comment": "", "Runtime": "cloudfront-js-2.0",
                "KeyValueStoreAssociations": {"Quantity": 1, "Items": [{"KeyValueStoreARN": "arn:kv"}]}}}}"#,
        ),
        ("d/cff.js", "function handler(e) { return e.response; }"),
        (
            "d/kv.json",
            r#"{"KeyValueStore": {"Name": "kv", "ARN": "arn:kv", "Comment": ""}}"#,
        ),
        ("d/kv.data.json", r#"{"data": []}"#),
        (
            "d/edge.json",
            r#"{"Configuration": {"FunctionName": "edge", "Version": "7", "Runtime": "nodejs22.x", "Handler": "index.handler",
                "MemorySize": 128, "Timeout": 5, "CodeSha256": "x"}, "Code": {"Location": "https://x"}}"#,
        ),
        ("d/edge-7.zip", "PK"),
    ]);
    let plan = project.plan("d");
    let config = &plan.distributions[0].item.config;
    let refer = |kind: &str, id: &str, attribute: &str| json!({"$ref": {"kind": kind, "id": id, "attribute": attribute}});
    let origin = &config["Origins"]["Items"][0];
    assert_eq!(
        origin["OriginAccessControlId"],
        refer("origin-access-control", "EOAC", "id")
    );
    assert_eq!(
        origin["S3OriginConfig"]["OriginAccessIdentity"],
        json!({"$parts": ["origin-access-identity/cloudfront/", refer("origin-access-identity", "EOAI", "id")]})
    );
    let behavior = &config["DefaultCacheBehavior"];
    assert_eq!(
        behavior["CachePolicyId"],
        "658327ea-f89d-4fab-a63d-7e88639e58f6"
    );
    assert_eq!(
        behavior["OriginRequestPolicyId"],
        refer("origin-request-policy", "own-policy", "id")
    );
    assert_eq!(
        behavior["TrustedKeyGroups"]["Items"][0],
        refer("key-group", "group", "id")
    );
    assert_eq!(
        behavior["FunctionAssociations"]["Items"][0]["FunctionARN"],
        refer("cloudfront-function", "cff", "arn")
    );
    assert_eq!(
        behavior["LambdaFunctionAssociations"]["Items"][0]["LambdaFunctionARN"],
        refer("version", "edge:7", "arn")
    );
    assert_eq!(
        plan.key_groups[0].item.config["Items"][0],
        refer("public-key", "K1", "id")
    );
    assert_eq!(plan.origin_request_policies.len(), 1);
    assert_eq!(plan.versions[0].item.number, Some(7));
    assert_eq!(plan.functions[0].item.handler, "index.handler");
    assert_eq!(
        plan.cloudfront_functions[0].item.config["KeyValueStoreAssociations"]["Items"][0]["KeyValueStoreARN"],
        refer("store", "arn:kv", "arn")
    );
    assert!(plan.stores[0].item.data.is_some());
}

#[test]
fn a_distribution_comes_in_three_forms() {
    // CP-350: the three forms of one document.
    let bare = r#"{"CallerReference": "r", "Origins": {"Quantity": 0}, "DefaultCacheBehavior": {"TargetOriginId": "o"}}"#;
    let forms = [
        bare.to_owned(),
        format!(r#"{{"ETag": "E", "DistributionConfig": {bare}}}"#),
        format!(
            r#"{{"ETag": "E", "Distribution": {{"Id": "E123", "DistributionConfig": {bare}}}}}"#
        ),
    ];
    for (form, id) in forms.iter().zip(["dist", "dist", "E123"]) {
        let plan = Project::new(&[("dist.json", form)]).plan("dist.json");
        assert_eq!(plan.distributions[0].id, id);
        let expected: serde_json::Value = serde_json::from_str(bare).unwrap();
        assert_eq!(plan.distributions[0].item.config, expected);
    }
}
