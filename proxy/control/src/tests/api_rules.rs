//! What the site file says about documents of the API: how closely AWS's refusals are followed, and how much there may be.

use std::io::Write as _;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use fourfront_aws::Service;
use serde_json::{Value, json};

use super::{deployed, plane::Plane};
use crate::api::ApiError;

const SITE: &str = "node: { data_dir: ./data }\n";

fn code(result: Result<Value, ApiError>) -> String {
    result.map_or_else(|e| e.code.into_owned(), |_| "well".to_owned())
}

/// Publishes version 1 of a function, and gives its ARN.
fn function(plane: &Plane, name: &str, more: Value) -> String {
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    zip.start_file("index.js", zip::write::SimpleFileOptions::default())
        .unwrap();
    zip.write_all(b"exports.handler = async () => {};").unwrap();
    let zip = zip.finish().unwrap().into_inner();
    let mut input = json!({
        "FunctionName": name, "Runtime": "nodejs22.x", "Handler": "index.handler", "Publish": true,
        "Role": "arn:aws:iam::000000000000:role/edge", "Code": { "ZipFile": STANDARD.encode(zip) },
    });
    for (member, value) in more.as_object().unwrap() {
        input[member] = value.clone();
    }
    plane
        .call(Service::Lambda, "CreateFunction", &input)
        .unwrap();
    format!("arn:aws:lambda:us-east-1:000000000000:function:{name}:1")
}

fn distribution(reference: &str, change: impl FnOnce(&mut Value)) -> Value {
    let mut config = deployed::distribution("a.test");
    config["CallerReference"] = json!(reference);
    change(&mut config);
    json!({ "DistributionConfig": config })
}

fn associate(plane: &Plane, event: &str, arn: &str) -> Result<Value, ApiError> {
    let reference = format!("{event} {arn}");
    let input = distribution(&reference, |config| {
        config["DefaultCacheBehavior"]["LambdaFunctionAssociations"] = json!({
            "Quantity": 1, "Items": [{ "EventType": event, "LambdaFunctionARN": arn }],
        });
    });
    plane.cloudfront("CreateDistribution", &input)
}

#[test]
fn what_the_edge_does_not_have_is_refused_unless_the_site_is_relaxed() {
    // CP-130
    let strange = [
        (
            "environment",
            json!({ "Environment": { "Variables": { "STAGE": "green" } } }),
        ),
        (
            "vpc",
            json!({ "VpcConfig": { "SubnetIds": ["subnet-1"], "SecurityGroupIds": [] } }),
        ),
        (
            "layers",
            json!({ "Layers": ["arn:aws:lambda:us-east-1:000000000000:layer:a:1"] }),
        ),
        (
            "queue",
            json!({ "DeadLetterConfig": { "TargetArn": "arn:aws:sqs:us-east-1:000000000000:q" } }),
        ),
        ("arm", json!({ "Architectures": ["arm64"] })),
    ];
    for (site, expected) in [
        (SITE.to_owned(), "InvalidLambdaFunctionAssociation"),
        (
            format!("compat: strict\n{SITE}"),
            "InvalidLambdaFunctionAssociation",
        ),
        (format!("compat: relaxed\n{SITE}"), "well"),
    ] {
        let plane = Plane::new(&site);
        for (name, more) in &strange {
            let arn = function(&plane, name, more.clone());
            let told = associate(&plane, "viewer-request", &arn);
            assert_eq!(code(told), expected, "{site}: {name}");
        }
        // What cannot run stays refused.
        let arn = function(&plane, "snake", json!({ "Runtime": "python3.12" }));
        let refused = associate(&plane, "viewer-request", &arn).unwrap_err();
        assert_eq!(refused.code, "InvalidLambdaFunctionAssociation");
        for arn in [
            arn.replace(":1", ""),
            arn.replace(":1", ":$LATEST"),
            arn.replace(":1", ":9"),
        ] {
            let told = associate(&plane, "origin-request", &arn);
            assert_eq!(code(told), "InvalidLambdaFunctionAssociation", "{arn}");
        }
    }
}

#[test]
fn limits_of_a_trigger_bind_deployed_functions() {
    // CP-134, LE-250..253, LE-262, LE-266
    let current = Plane::new(SITE);
    let old = Plane::new("node: { data_dir: ./data, hooks: { limit_profile: aws-2023 } }\n");
    let relaxed = Plane::new(&format!("compat: relaxed\n{SITE}"));
    let cases = [
        // Whether it may be associated with each trigger, by today's limits and by those that CP-134 names.
        (
            json!({ "Timeout": 5, "MemorySize": 128 }),
            [true; 2],
            [true; 2],
        ),
        (json!({ "Timeout": 6 }), [true; 2], [false, true]),
        (json!({ "MemorySize": 129 }), [true; 2], [false, true]),
        (json!({ "Timeout": 30 }), [true; 2], [false, true]),
        (json!({ "Timeout": 31 }), [false; 2], [false; 2]),
    ];
    for (at, (config, today, before)) in cases.into_iter().enumerate() {
        let name = format!("f{at}");
        for (plane, allowed) in [(&current, today), (&old, before), (&relaxed, [true; 2])] {
            let arn = function(plane, &name, config.clone());
            for (event, allowed) in ["viewer-request", "origin-request"]
                .into_iter()
                .zip(allowed)
            {
                let told = code(associate(plane, event, &arn));
                let expected = match allowed {
                    true => "well",
                    false => "InvalidLambdaFunctionAssociation",
                };
                assert_eq!(told, expected, "{config} at {event}");
            }
        }
    }
    // What no trigger takes is refused when the function is made: its model has the same ceiling.
    let input = json!({ "FunctionName": "f0", "MemorySize": 10_241 });
    let told = current.call(Service::Lambda, "UpdateFunctionConfiguration", &input);
    assert_eq!(code(told), "ValidationException");
}

fn with_quotas(quotas: &str) -> Plane {
    Plane::new(&format!(
        "node: {{ data_dir: ./data, quotas: {{ {quotas} }} }}\n"
    ))
}

#[test]
fn a_distribution_has_so_much_of_everything() {
    // CP-120
    let plane = with_quotas(
        "cache_behaviors: 1, origins: 1, origin_groups: 0, aliases: 1, origin_custom_headers: 1, trusted_key_groups: 0, \
         headers_per_policy: 1, cookies_per_policy: 1, query_strings_per_policy: 1",
    );
    let list =
        |item: &Value, count: usize| json!({ "Quantity": count, "Items": vec![item; count] });
    let forwarded = |config: &mut Value, member: &str, value: Value| {
        let behavior = &mut config["DefaultCacheBehavior"];
        behavior.as_object_mut().unwrap().remove("CachePolicyId");
        behavior["ForwardedValues"] =
            json!({ "QueryString": true, "Cookies": { "Forward": "none" } });
        behavior["ForwardedValues"][member] = value;
    };
    type Change<'c> = &'c dyn Fn(&mut Value);
    let cases: [(&str, Change<'_>); 9] = [
        ("TooManyCacheBehaviors", &|config| {
            let behavior = config["DefaultCacheBehavior"].clone();
            config["CacheBehaviors"] = list(&behavior, 2);
        }),
        ("TooManyOrigins", &|config| {
            let origin = config["Origins"]["Items"][0].clone();
            config["Origins"] = list(&origin, 2);
        }),
        ("TooManyOriginGroupsPerDistribution", &|config| {
            config["OriginGroups"] = list(&json!({ "Id": "g" }), 1);
        }),
        ("TooManyDistributionCNAMEs", &|config| {
            config["Aliases"] = list(&json!("a.example.test"), 2);
        }),
        ("TooManyOriginCustomHeaders", &|config| {
            let header = json!({ "HeaderName": "X-A", "HeaderValue": "b" });
            config["Origins"]["Items"][0]["CustomHeaders"] = list(&header, 2);
        }),
        ("TooManyKeyGroupsAssociatedToDistribution", &|config| {
            let groups = json!({ "Enabled": true, "Quantity": 1, "Items": ["g"] });
            config["DefaultCacheBehavior"]["TrustedKeyGroups"] = groups;
        }),
        ("TooManyHeadersInForwardedValues", &|config| {
            forwarded(config, "Headers", list(&json!("X-A"), 2));
        }),
        ("TooManyCookieNamesInWhiteList", &|config| {
            let cookies =
                json!({ "Forward": "whitelist", "WhitelistedNames": list(&json!("a"), 2) });
            forwarded(config, "Cookies", cookies);
        }),
        ("TooManyQueryStringParameters", &|config| {
            forwarded(config, "QueryStringCacheKeys", list(&json!("a"), 2));
        }),
    ];
    for (expected, change) in cases {
        let told = plane.cloudfront("CreateDistribution", &distribution(expected, change));
        assert_eq!(code(told), expected);
    }
    let made = plane
        .cloudfront("CreateDistribution", &distribution("one", |_| {}))
        .unwrap();
    // An update is held against the same.
    let mut update = distribution("one", |config| {
        let origin = config["Origins"]["Items"][0].clone();
        config["Origins"] = list(&origin, 2);
    });
    update["Id"] = made["Distribution"]["Id"].clone();
    update["IfMatch"] = made["ETag"].clone();
    assert_eq!(
        code(plane.cloudfront("UpdateDistribution", &update)),
        "TooManyOrigins"
    );
}

#[test]
fn an_account_has_so_many_of_each() {
    // CP-120
    let plane = with_quotas(
        "distributions: 1, cloudfront_functions: 1, key_value_stores: 1, cache_policies: 1, origin_request_policies: 1, \
         response_headers_policies: 1, origin_access_controls: 1, origin_access_identities: 1, public_keys: 1, key_groups: 0",
    );
    let named = |config: &str, name: &str, more: Value| {
        let mut input = json!({ config: { "Name": name } });
        for (member, value) in more.as_object().unwrap() {
            input[config][member] = value.clone();
        }
        input
    };
    let none = json!({
        "HeadersConfig": { "HeaderBehavior": "none" }, "CookiesConfig": { "CookieBehavior": "none" },
        "QueryStringsConfig": { "QueryStringBehavior": "none" },
    });
    type Input = Box<dyn Fn(&str) -> Value>;
    let cases: [(&str, &str, Input); 8] = [
        (
            "CreateDistribution",
            "TooManyDistributions",
            Box::new(|name| distribution(name, |_| {})),
        ),
        (
            "CreateFunction",
            "TooManyFunctions",
            Box::new(|name| {
                json!({ "Name": name, "FunctionConfig": { "Comment": "", "Runtime": "cloudfront-js-2.0" },
                    "FunctionCode": STANDARD.encode("function handler(e) { return e.request; }") })
            }),
        ),
        (
            "CreateKeyValueStore",
            "EntityLimitExceeded",
            Box::new(|name| json!({ "Name": name })),
        ),
        (
            "CreateCachePolicy",
            "TooManyCachePolicies",
            Box::new(move |name| named("CachePolicyConfig", name, json!({ "MinTTL": 1 }))),
        ),
        (
            "CreateOriginRequestPolicy",
            "TooManyOriginRequestPolicies",
            Box::new(move |name| named("OriginRequestPolicyConfig", name, none.clone())),
        ),
        (
            "CreateResponseHeadersPolicy",
            "TooManyResponseHeadersPolicies",
            Box::new(move |name| {
                let removed = json!({ "Quantity": 1, "Items": [{ "Header": "X-Powered-By" }] });
                let more = json!({ "RemoveHeadersConfig": removed });
                named("ResponseHeadersPolicyConfig", name, more)
            }),
        ),
        (
            "CreateOriginAccessControl",
            "TooManyOriginAccessControls",
            Box::new(move |name| {
                let more = json!({ "SigningProtocol": "sigv4", "SigningBehavior": "never",
                    "OriginAccessControlOriginType": "s3" });
                named("OriginAccessControlConfig", name, more)
            }),
        ),
        (
            "CreateCloudFrontOriginAccessIdentity",
            "TooManyCloudFrontOriginAccessIdentities",
            Box::new(
                |name| json!({ "CloudFrontOriginAccessIdentityConfig": { "CallerReference": name, "Comment": "" } }),
            ),
        ),
    ];
    for (operation, expected, input) in &cases {
        assert_eq!(
            code(plane.cloudfront(operation, &input("one"))),
            "well",
            "{operation}"
        );
        assert_eq!(code(plane.cloudfront(operation, &input("two"))), *expected);
    }
    let key =
        json!({ "PublicKeyConfig": { "CallerReference": "k", "Name": "k", "EncodedKey": KEY } });
    let made = plane.cloudfront("CreatePublicKey", &key).unwrap();
    assert_eq!(
        code(plane.cloudfront("CreatePublicKey", &key)),
        "TooManyPublicKeys"
    );
    let group = json!({ "KeyGroupConfig": { "Name": "g", "Items": [made["PublicKey"]["Id"]] } });
    assert_eq!(
        code(plane.cloudfront("CreateKeyGroup", &group)),
        "TooManyKeyGroups"
    );
}

/// A public key.
const KEY: &str = "-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE5t4Umm4DhnvW289k0c5z+/w8Yyx2
LLyLOMUIvYybWGIpNIbgHc1dms9RIZJtssuXqDEThi23IRFHzcQoIpg43g==
-----END PUBLIC KEY-----
";

#[test]
fn a_policy_lists_so_many_names() {
    // CP-120
    let plane = with_quotas(
        "headers_per_policy: 1, cookies_per_policy: 1, query_strings_per_policy: 1, custom_headers_per_policy: 0, \
         removed_headers_per_policy: 0, public_keys_per_key_group: 0",
    );
    let names = json!({ "Quantity": 2, "Items": ["A", "B"] });
    let lists = [
        ("HeadersConfig", "HeaderBehavior", "Headers", "Headers"),
        ("CookiesConfig", "CookieBehavior", "Cookies", "Cookies"),
        (
            "QueryStringsConfig",
            "QueryStringBehavior",
            "QueryStrings",
            "QueryStrings",
        ),
    ];
    for (config, behavior, member, what) in lists {
        let mut all = json!({
            "HeadersConfig": { "HeaderBehavior": "none" }, "CookiesConfig": { "CookieBehavior": "none" },
            "QueryStringsConfig": { "QueryStringBehavior": "none" },
        });
        all[config] = json!({ behavior: "whitelist", member: names });
        let mut key = all.clone();
        key["EnableAcceptEncodingGzip"] = json!(false);
        let policy = json!({ "CachePolicyConfig": {
            "Name": what, "MinTTL": 1, "ParametersInCacheKeyAndForwardedToOrigin": key } });
        let told = plane.cloudfront("CreateCachePolicy", &policy);
        assert_eq!(code(told), format!("TooMany{what}InCachePolicy"));
        all["Name"] = json!(what);
        let policy = json!({ "OriginRequestPolicyConfig": all });
        let told = plane.cloudfront("CreateOriginRequestPolicy", &policy);
        assert_eq!(code(told), format!("TooMany{what}InOriginRequestPolicy"));
    }
    for (member, item, expected) in [
        (
            "CustomHeadersConfig",
            json!({ "Header": "X-A", "Value": "b", "Override": true }),
            "TooManyCustomHeadersInResponseHeadersPolicy",
        ),
        (
            "RemoveHeadersConfig",
            json!({ "Header": "X-A" }),
            "TooManyRemoveHeadersInResponseHeadersPolicy",
        ),
    ] {
        let policy = json!({ "ResponseHeadersPolicyConfig": {
            "Name": member, member: { "Quantity": 1, "Items": [item] } } });
        assert_eq!(
            code(plane.cloudfront("CreateResponseHeadersPolicy", &policy)),
            expected
        );
    }
    let group = json!({ "KeyGroupConfig": { "Name": "g", "Items": ["K1"] } });
    let told = plane.cloudfront("CreateKeyGroup", &group);
    assert_eq!(code(told), "TooManyPublicKeysInKeyGroup");
}

#[test]
fn one_thing_is_named_by_so_many_distributions() {
    // CP-120
    let plane = with_quotas("distributions_per_function: 1, distributions_per_policy: 2");
    let arn = function(&plane, "edge", json!({}));
    assert_eq!(code(associate(&plane, "origin-request", &arn)), "well");
    let second = associate(&plane, "origin-response", &arn);
    assert_eq!(code(second), "TooManyDistributionsWithSingleFunctionARN");
    let create =
        |reference| plane.cloudfront("CreateDistribution", &distribution(reference, |_| {}));
    let made = create("two").unwrap();
    assert_eq!(
        code(create("three")),
        "TooManyDistributionsAssociatedToCachePolicy"
    );
    // One that names it already goes on naming it.
    let mut update = distribution("two", |config| config["Comment"] = json!("changed"));
    update["Id"] = made["Distribution"]["Id"].clone();
    update["IfMatch"] = made["ETag"].clone();
    assert_eq!(
        code(plane.cloudfront("UpdateDistribution", &update)),
        "well"
    );
}

#[test]
fn sizes_of_code_and_stores_are_settings() {
    // CP-152, CP-202
    let code_of = |size: usize| {
        let head = "function handler(e) { return e.request; } //";
        STANDARD.encode(format!("{head}{}", "x".repeat(size - head.len())))
    };
    let make = |plane: &Plane, size: usize| {
        let input = json!({ "Name": format!("f{size}"), "FunctionCode": code_of(size),
            "FunctionConfig": { "Comment": "", "Runtime": "cloudfront-js-2.0" } });
        let told = plane.cloudfront("CreateFunction", &input);
        told.map_or_else(
            |e| (e.status, e.code.into_owned()),
            |_| (201, String::new()),
        )
    };
    let (default, larger) = (
        Plane::new(SITE),
        with_quotas(
            "cloudfront_function_size: 40960, store_size: 1030, store_key_size: 1024, store_value_size: 2000",
        ),
    );
    let too_large = (413, "FunctionSizeLimitExceeded".to_owned());
    assert_eq!(make(&default, 10_240).0, 201);
    assert_eq!(make(&default, 10_241), too_large);
    assert_eq!(make(&larger, 40_960).0, 201);
    assert_eq!(make(&larger, 40_961), too_large);

    let put = |plane: &Plane, key: usize, value: usize| {
        let all = plane.cloudfront("ListKeyValueStores", &json!({})).unwrap();
        let store = match all["KeyValueStoreList"]["Items"].get(0) {
            Some(store) => store.clone(),
            None => {
                let made = plane.cloudfront("CreateKeyValueStore", &json!({ "Name": "s" }));
                made.unwrap()["KeyValueStore"].clone()
            }
        };
        let arn = &store["ARN"];
        let service = Service::KeyValueStore;
        let told = plane
            .call(service, "DescribeKeyValueStore", &json!({ "KvsARN": arn }))
            .unwrap();
        let input = json!({ "KvsARN": arn, "Key": "k".repeat(key), "Value": "v".repeat(value), "IfMatch": told["ETag"] });
        let told = plane.call(service, "PutKey", &input);
        told.map_or_else(
            |e| (e.status, e.code.into_owned()),
            |_| (200, String::new()),
        )
    };
    let exceeded = (402, "ServiceQuotaExceededException".to_owned());
    assert_eq!(put(&default, 512, 1_024).0, 200);
    assert_eq!(put(&default, 513, 1), exceeded);
    assert_eq!(put(&default, 1, 1_025), exceeded);
    assert_eq!(put(&larger, 1_024, 6).0, 200);
    assert_eq!(put(&larger, 1_025, 1), exceeded);
    assert_eq!(put(&larger, 1_024, 7), exceeded, "of the whole store");
    assert_eq!(put(&larger, 2, 2_001), exceeded);
}
