//! Distributions given as documents of CloudFront's API or of CloudFormation.

use std::fs;

use fourfront_model::{
    AllowedMethods, CacheMode, CachedMethods, Distribution, EventType, OriginKind, OriginProtocol,
    SigningBehavior, ViewerProtocolPolicy,
};

use super::{parse_in, site_dir};
use crate::{Loaded, SiteErrors};

/// A distribution with one origin and nothing else switched on, as the AWS CLI prints it.
const PRINTED: &str = r#"{
    "ETag": "E2QWRUHAPOMQZL",
    "DistributionConfig": {
        "CallerReference": "cli-example-1",
        "Aliases": {
            "Quantity": 2,
            "Items": [
                "www.example.test",
                "*.shop.example.test"
            ]
        },
        "DefaultRootObject": "index.html",
        "Origins": {
            "Quantity": 1,
            "Items": [
                {
                    "Id": "app",
                    "DomainName": "app.example.test",
                    "OriginPath": "/v1",
                    "CustomHeaders": {
                        "Quantity": 1,
                        "Items": [
                            {
                                "HeaderName": "X-Secret",
                                "HeaderValue": "${not a variable}"
                            }
                        ]
                    },
                    "CustomOriginConfig": {
                        "HTTPPort": 80,
                        "HTTPSPort": 443,
                        "OriginProtocolPolicy": "https-only",
                        "OriginSslProtocols": {
                            "Quantity": 1,
                            "Items": [
                                "TLSv1.2"
                            ]
                        },
                        "OriginReadTimeout": 30,
                        "OriginKeepaliveTimeout": 5
                    },
                    "ConnectionAttempts": 3,
                    "ConnectionTimeout": 10,
                    "OriginShield": {
                        "Enabled": false
                    },
                    "OriginAccessControlId": ""
                }
            ]
        },
        "OriginGroups": {
            "Quantity": 0
        },
        "DefaultCacheBehavior": {
            "TargetOriginId": "app",
            "TrustedSigners": {
                "Enabled": false,
                "Quantity": 0
            },
            "TrustedKeyGroups": {
                "Enabled": false,
                "Quantity": 0
            },
            "ViewerProtocolPolicy": "allow-all",
            "AllowedMethods": {
                "Quantity": 7,
                "Items": [
                    "HEAD",
                    "DELETE",
                    "POST",
                    "GET",
                    "OPTIONS",
                    "PUT",
                    "PATCH"
                ],
                "CachedMethods": {
                    "Quantity": 3,
                    "Items": [
                        "HEAD",
                        "GET",
                        "OPTIONS"
                    ]
                }
            },
            "SmoothStreaming": false,
            "Compress": true,
            "LambdaFunctionAssociations": {
                "Quantity": 0
            },
            "FunctionAssociations": {
                "Quantity": 0
            },
            "FieldLevelEncryptionId": "",
            "CachePolicyId": "658327ea-f89d-4fab-a63d-7e88639e58f6",
            "OriginRequestPolicyId": "216adef6-5c7f-47e4-b989-5492eafa07d3",
            "ResponseHeadersPolicyId": "67f7725c-6f97-4210-82d7-5512b31e9d03",
            "GrpcConfig": {
                "Enabled": false
            }
        },
        "CacheBehaviors": {
            "Quantity": 0
        },
        "CustomErrorResponses": {
            "Quantity": 1,
            "Items": [
                {
                    "ErrorCode": 404,
                    "ResponsePagePath": "/404.html",
                    "ResponseCode": "404",
                    "ErrorCachingMinTTL": 10
                }
            ]
        },
        "Comment": "an example",
        "Logging": {
            "Enabled": false,
            "IncludeCookies": false,
            "Bucket": "",
            "Prefix": ""
        },
        "PriceClass": "PriceClass_All",
        "Enabled": true,
        "ViewerCertificate": {
            "CloudFrontDefaultCertificate": true,
            "SSLSupportMethod": "vip",
            "MinimumProtocolVersion": "TLSv1",
            "CertificateSource": "cloudfront"
        },
        "Restrictions": {
            "GeoRestriction": {
                "RestrictionType": "none",
                "Quantity": 0
            }
        },
        "WebACLId": "",
        "HttpVersion": "http2",
        "IsIPV6Enabled": true,
        "ContinuousDeploymentPolicyId": "",
        "Staging": false
    }
}
"#;

/// Reads a site file whose only distribution is `document`, with `settings` of its own and `rest` at the top.
fn read(document: &str, settings: &str, rest: &str) -> Result<Loaded, SiteErrors> {
    let dir = site_dir();
    fs::write(dir.path().join("d.json"), document).unwrap();
    let text = format!("distributions:\n  a:\n    config: d.json\n    {settings}\n{rest}\n");
    parse_in(dir.path(), &text)
}

#[track_caller]
fn accepted(document: &str, settings: &str, rest: &str) -> Loaded {
    read(document, settings, rest).unwrap_or_else(|e| panic!("refused:\n{e}"))
}

/// What is said of a document, without the directory it lies in.
#[track_caller]
fn said(document: &str, settings: &str, rest: &str) -> Vec<String> {
    match read(document, settings, rest) {
        Ok(_) => panic!("accepted:\n{document}"),
        Err(SiteErrors(errors)) => errors.iter().map(|e| short(&e.to_string())).collect(),
    }
}

fn short(message: &str) -> String {
    match message.split_once("/d.json:") {
        Some((_, rest)) => format!("d.json:{rest}"),
        None => message.to_owned(),
    }
}

#[track_caller]
fn assert_said(document: &str, expected: &[&str]) {
    let said = said(document, "", "");
    let fits =
        said.len() == expected.len() && said.iter().zip(expected).all(|(s, e)| s.starts_with(e));
    assert!(fits, "expected\n  {expected:#?}\nbut it says\n  {said:#?}");
}

fn only(loaded: &Loaded) -> &Distribution {
    &loaded.site.distributions()[0]
}

/// The smallest document that holds together, with `change` applied to its text.
fn small(from: &str, to: &str) -> String {
    const SMALL: &str = r#"{
  "CallerReference": "1",
  "Comment": "",
  "Enabled": true,
  "Origins": {"Quantity": 1, "Items": [{"Id": "app", "DomainName": "app.example.test", "CustomOriginConfig": {"HTTPPort": 80, "HTTPSPort": 443, "OriginProtocolPolicy": "http-only"}}]},
  "DefaultCacheBehavior": {"TargetOriginId": "app", "ViewerProtocolPolicy": "allow-all", "CachePolicyId": "658327ea-f89d-4fab-a63d-7e88639e58f6"}
}"#;
    assert!(SMALL.contains(from), "{from}");
    SMALL.replace(from, to)
}

#[test]
fn what_the_cli_prints_is_taken_as_it_is() {
    // CF-020, CF-023, CF-062, CF-063, CF-412, CF-413, CP-641
    let loaded = accepted(PRINTED, "", "");
    let d = only(&loaded);
    assert_eq!(d.cache_mode, CacheMode::Cloudfront);
    assert!(!d.strip_set_cookie_on_hit);
    let aliases: Vec<_> = d.aliases.iter().map(|a| a.as_str()).collect();
    assert_eq!(aliases, ["www.example.test", "*.shop.example.test"]);
    assert_eq!(d.default_root_object.as_deref(), Some("index.html"));
    let origin = &d.origins[0];
    assert_eq!(
        (
            origin.id.as_str(),
            origin.domain_name.as_str(),
            origin.origin_path.as_str()
        ),
        ("app", "app.example.test", "/v1")
    );
    // A document is no template.
    assert_eq!(
        origin.custom_headers,
        [("X-Secret".to_owned(), "${not a variable}".to_owned())]
    );
    let OriginKind::Custom(custom) = &origin.kind else {
        panic!("a custom origin");
    };
    assert_eq!((custom.protocol, custom.port), (OriginProtocol::Https, 443));
    let b = &d.default_behavior;
    assert_eq!(b.allowed_methods, AllowedMethods::All);
    assert_eq!(b.cached_methods, CachedMethods::GetHeadOptions);
    assert!(b.compress);
    assert_eq!(b.cache_policy.name.as_deref(), Some("CachingOptimized"));
    let name = b.origin_request_policy.as_ref().unwrap().name.as_deref();
    assert_eq!(name, Some("AllViewer"));
    assert!(b.response_headers_policy.is_some());
    assert_eq!(d.error_responses.len(), 1);
    assert_eq!(d.geo_restriction, None);
    // All viewers' headers to the origin, and none in the key.
    let rules: Vec<_> = loaded.warnings.iter().map(|w| w.rule).collect();
    assert_eq!(rules, ["CF-310"]);
    let document = loaded.watched.iter().any(|p| p.ends_with("d.json"));
    assert!(document, "{:?}", loaded.watched);
}

#[test]
fn a_document_comes_in_several_wrappings() {
    // CF-020, CF-021
    let config = small("", "");
    for document in [
        config.clone(),
        format!("{{\"DistributionConfig\": {config}}}"),
        format!(
            "{{\"ETag\": \"E1\", \"Distribution\": {{\"Id\": \"EDFDVBD6EXAMPLE\", \"Status\": \"Deployed\", \"DistributionConfig\": {config}}}}}"
        ),
        format!("{{\"DistributionConfig\": {config}, \"Tags\": []}}"),
    ] {
        let loaded = accepted(&document, "", "");
        let id = &only(&loaded).id;
        // `get-distribution` knows what the distribution is called.
        assert_eq!(
            id == "EDFDVBD6EXAMPLE",
            document.contains("EDFDVBD6"),
            "{id}"
        );
        let own = accepted(&document, "id: OWN", "");
        assert_eq!(only(&own).id, "OWN");
    }
    let tabs = small("\n  ", "\n\t");
    accepted(&tabs, "", "");
    accepted(
        &small(
            "\"Comment\": \"\"",
            "\"Comment\": \"caf\\u00e9 \\/ \\ud83d\\ude00\"",
        ),
        "",
        "",
    );
}

#[test]
fn cloudformations_spellings_and_plain_lists_do() {
    // CF-021, CF-046, CF-068, CF-072
    let document = "DistributionConfig:
  Enabled: true
  IPV6Enabled: true
  HttpVersion: http2
  Aliases: [www.example.test]
  Origins:
    - Id: app
      DomainName: app.example.test
      OriginCustomHeaders:
        - { HeaderName: X-Env, HeaderValue: test }
      CustomOriginConfig: { HTTPPort: 8080, OriginProtocolPolicy: http-only, OriginSSLProtocols: [TLSv1.2] }
    - Id: bucket
      DomainName: bkt.s3.eu-west-1.amazonaws.com
      S3OriginConfig: { OriginAccessIdentity: '' }
      OriginAccessControlId: E1OAC
  OriginGroups:
    Quantity: 1
    Items:
      - Id: both
        FailoverCriteria: { StatusCodes: { Quantity: 2, Items: [500, 503] } }
        Members: { Quantity: 2, Items: [{ OriginId: app }, { OriginId: bucket }] }
  DefaultCacheBehavior:
    TargetOriginId: both
    ViewerProtocolPolicy: https-only
    AllowedMethods: [GET, HEAD, OPTIONS]
    CachedMethods: [GET, HEAD, OPTIONS]
    ForwardedValues: { QueryString: true, Cookies: { Forward: none }, Headers: [Origin] }
    MaxTTL: 60
    DefaultTTL: 60
    LambdaFunctionAssociations:
      - { EventType: origin-request, LambdaFunctionARN: 'arn:aws:lambda:us-east-1:123456789012:function:auth:3', IncludeBody: true }
    FunctionAssociations:
      - { EventType: viewer-request, FunctionARN: 'arn:aws:cloudfront::123456789012:function/redirects' }
  CacheBehaviors:
    - { PathPattern: /img/*, TargetOriginId: bucket, ViewerProtocolPolicy: https-only, CachePolicyId: named }
  ViewerCertificate: { AcmCertificateArn: 'arn:aws:acm:us-east-1:1:certificate/x', SslSupportMethod: sni-only, MinimumProtocolVersion: TLSv1.2_2021 }
  CustomErrorResponses: [{ ErrorCode: 503, ErrorCachingMinTTL: 0 }]
";
    let rest = "functions: { auth: ./auth.js }
cloudfront_functions: { redirects: ./cff/redirects.js }
cache_policies: { named: { default_ttl: 5 } }
origin_access_controls: { E1OAC: { SigningBehavior: always, SigningProtocol: sigv4, OriginAccessControlOriginType: s3, credentials: { access_key_id: AKID, secret_access_key: x } } }
node: { certificates: { 'arn:aws:acm:us-east-1:1:certificate/x': { cert: site.pem, key: site.key } } }";
    let loaded = accepted(document, "", rest);
    let d = only(&loaded);
    let b = &d.default_behavior;
    assert_eq!(b.viewer_protocol_policy, ViewerProtocolPolicy::HttpsOnly);
    assert_eq!(b.allowed_methods, AllowedMethods::GetHeadOptions);
    assert_eq!(b.cached_methods, CachedMethods::GetHeadOptions);
    assert_eq!(b.failover.as_ref().unwrap().statuses, [500, 503]);
    assert_eq!(b.cache_policy.headers, ["origin"]);
    assert_eq!(b.cache_policy.ttl.max(), 60);
    let at_origin = b.functions.at(EventType::OriginRequest).unwrap();
    assert_eq!(
        (at_origin.function.name.as_str(), at_origin.include_body),
        ("auth", true)
    );
    let at_viewer = b.functions.at(EventType::ViewerRequest).unwrap();
    assert_eq!(at_viewer.function.name.as_str(), "redirects");
    assert_eq!(d.behaviors[0].cache_policy.ttl.default_ttl(), 5);
    let access = d.origins[1].access.as_ref().unwrap();
    assert_eq!(access.behavior, SigningBehavior::Always);
    assert_eq!(d.origins[0].custom_headers[0].0, "X-Env");
    assert_eq!(d.error_responses[0].caching_min_ttl, Some(0));
    assert_eq!(
        d.viewer_certificate.certificate.as_deref(),
        Some("arn:aws:acm:us-east-1:1:certificate/x")
    );
}

#[test]
fn the_site_file_wins_over_the_document_member_by_member() {
    // CF-020, CP-641
    let settings = "aliases: [own.example.test]
    cache_mode: rfc9111
    default_root_object: \"\"
    origins: { app: { domain_name: 127.0.0.1, custom_origin_config: { http_port: 8081, origin_protocol_policy: http-only } } }";
    let loaded = accepted(PRINTED, settings, "");
    let d = only(&loaded);
    assert_eq!(d.aliases.len(), 1);
    assert_eq!(d.cache_mode, CacheMode::Rfc9111);
    assert_eq!(d.default_root_object, None);
    assert_eq!(d.origins[0].domain_name, "127.0.0.1");
    assert_eq!(d.error_responses.len(), 1);
    // An empty setting is not given, and the modes at the top are for imported distributions, too.
    let loaded = accepted(PRINTED, "aliases:", "cache_mode: rfc9111");
    assert_eq!(only(&loaded).aliases.len(), 2);
    assert_eq!(only(&loaded).cache_mode, CacheMode::Rfc9111);
    // Both names of one setting are one.
    let geo = small(
        "\"Comment\": \"\"",
        "\"Comment\": \"\", \"Restrictions\": {\"GeoRestriction\": {\"RestrictionType\": \"whitelist\", \"Quantity\": 1, \"Items\": [\"AT\"]}}",
    );
    let loaded = accepted(&geo, "geo_restriction: none", "");
    assert_eq!(only(&loaded).geo_restriction, None);
}

#[test]
fn faults_are_named_with_a_pointer_into_the_document() {
    // CF-020, CF-024, CF-060, CF-065
    for (from, to, expected) in [
        (
            "\"Quantity\": 1",
            "\"Quantity\": 2",
            "d.json:5:27: /Origins/Quantity: InconsistentQuantities: it says 2, and there are 1 items",
        ),
        (
            "\"TargetOriginId\": \"app\"",
            "\"TargetOriginId\": \"apq\"",
            "d.json:6:46: /DefaultCacheBehavior/TargetOriginId: NoSuchOrigin: there is no origin `apq`",
        ),
        (
            "658327ea-f89d-4fab-a63d-7e88639e58f6",
            "00000000-f89d-4fab-a63d-7e88639e58f6",
            "d.json:6:107: /DefaultCacheBehavior/CachePolicyId: NoSuchCachePolicy: ",
        ),
        (
            "\"HTTPPort\": 80,",
            "\"HTTPPort\": 80, \"OriginReadTimeout\": 0,",
            "d.json:5:148: /Origins/Items/0/CustomOriginConfig/OriginReadTimeout: InvalidOriginReadTimeout: ",
        ),
        (
            "\"CachePolicyId\": \"658327ea-f89d-4fab-a63d-7e88639e58f6\"",
            "\"Compress\": false",
            "d.json:6:27: /DefaultCacheBehavior: InvalidArgument: the behaviour has neither `CachePolicyId` nor `ForwardedValues`",
        ),
        (
            "\"ViewerProtocolPolicy\": \"allow-all\", ",
            "",
            "d.json:6:27: /DefaultCacheBehavior: InvalidArgument: the behaviour has no `ViewerProtocolPolicy`",
        ),
        (
            "\"TargetOriginId\": \"app\", ",
            "",
            "d.json:6:27: /DefaultCacheBehavior: InvalidArgument: the behaviour has no `TargetOriginId`",
        ),
        (
            "\"Id\": \"app\", ",
            "",
            "d.json:5:40: /Origins/Items/0: InvalidArgument: an origin has no `id`",
        ),
        (
            "\"Comment\": \"\"",
            "\"Comment\": \"\", \"DefaultRootObject\": \"/index.html\"",
            "d.json:3:39: /DefaultRootObject: InvalidDefaultRootObject: ",
        ),
        (
            "\"Comment\": \"\"",
            "\"Comment\": \"\", \"a/b~c\": 1",
            "d.json:3:18: /a~1b~0c: `a/b~c` is not a setting of a distribution",
        ),
        (
            "\"Enabled\": true",
            "\"Enabled\": maybe",
            "d.json:4:14: /Enabled: expected `true` or `false`, found `maybe`",
        ),
    ] {
        let said = said(&small(from, to), "", "");
        assert!(said[0].starts_with(expected), "{expected}: {said:#?}");
        // Where an origin has no id, whoever names it finds none.
        let more = usize::from(expected.ends_with("has no `id`"));
        assert_eq!(said.len(), 1 + more, "{said:#?}");
    }
}

#[test]
fn required_members_are_missed() {
    // CF-023
    for (from, member) in [
        ("  \"Enabled\": true,\n", "Enabled"),
        ("\"DefaultCacheBehavior\": {", "DefaultCacheBehavior"),
    ] {
        let document = if member == "Enabled" {
            small(from, "")
        } else {
            small("\"DefaultCacheBehavior\": {", "\"Tag\": {")
        };
        let said = said(&document, "unknown_members: warn", "");
        let expected = format!("InvalidArgument: the document has no `{member}`");
        assert!(said.iter().any(|s| s.contains(&expected)), "{said:#?}");
    }
    let said = said(
        &small("\"Origins\": {", "\"Tag\": {"),
        "unknown_members: warn",
        "",
    );
    assert!(
        said.iter()
            .any(|s| s.contains("the distribution has no origin")),
        "{said:#?}"
    );
}

#[test]
fn unknown_members_are_refused_or_left_out_with_a_warning() {
    // CF-022
    let document = small(
        "\"Comment\": \"\"",
        "\"Comment\": \"\", \"NextYearsFeature\": {\"Enabled\": true}",
    );
    assert_said(
        &document,
        &["d.json:3:18: /NextYearsFeature: `NextYearsFeature` is not a setting of a distribution"],
    );
    let loaded = accepted(&document, "unknown_members: warn", "");
    let warnings: Vec<_> = loaded
        .warnings
        .iter()
        .map(|w| short(&w.to_string()))
        .collect();
    assert_eq!(
        warnings,
        [
            "d.json:3:18: /NextYearsFeature: `NextYearsFeature` is not known of a distribution, and left out (CF-022)"
        ]
    );
    // The site file itself is always strict, and what is known and cannot be had is refused in any case.
    let said = said(
        &document.replace("NextYearsFeature", "TenantConfig"),
        "unknown_members: warn\n    next_years_feature: 1",
        "",
    );
    assert_eq!(said.len(), 2, "{said:#?}");
    assert!(
        said[0].contains("`next_years_feature` is not a setting"),
        "{said:#?}"
    );
    assert!(
        said[1].contains("`tenant_config` is not available yet"),
        "{said:#?}"
    );
    super::refused(
        "distributions:\n  a:\n    unknown_members: warn\n    origins: { app: \"http://a.test\" }\n",
        &["3:22: distributions.a.unknown_members: this is about documents"],
    );
}

#[test]
fn a_firewall_of_aws_is_left_out_with_a_warning() {
    // CF-049
    let with = |acl: &str| {
        let text = format!("\"Comment\": \"\", \"WebACLId\": \"{acl}\"");
        accepted(&small("\"Comment\": \"\"", &text), "", "")
    };
    assert_eq!(with("").warnings, []);
    let warned = with("arn:aws:wafv2:us-east-1:123456789012:global/webacl/x/1").warnings;
    assert_eq!((warned.len(), warned[0].rule), (1, "CF-049"));
    assert_eq!(warned[0].path, "/WebACLId");
}

#[test]
fn documents_that_cannot_be_read_are_named() {
    // CF-020, CF-024
    let dir = site_dir();
    let site = |config: &str| {
        let text = format!("distributions:\n  a:\n    config: {config}\n");
        let Err(SiteErrors(errors)) = parse_in(dir.path(), &text) else {
            panic!("accepted");
        };
        let said: Vec<String> = errors.iter().map(|e| short(&e.to_string())).collect();
        said
    };
    let said = site("nothing.json");
    assert_eq!(said.len(), 1, "{said:#?}");
    assert!(
        said[0].starts_with("fourfront.yaml:3:13: distributions.a.config: the document `nothing.json` cannot be read"),
        "{said:#?}"
    );
    assert_eq!(site("[x]").len(), 1);
    for (document, expected) in [
        ("{", "not valid YAML"),
        ("", "the file holds no settings"),
        ("[1]", "expected a `DistributionConfig`"),
        (
            "{\"Distribution\": {\"Id\": \"E1\"}}",
            "/Distribution: the document has no `DistributionConfig`",
        ),
        (
            "{\"Resources\": {}}",
            "the document has no `DistributionConfig`",
        ),
        (
            "!Ref X",
            "the tag `!Ref` has no meaning in a document of CloudFront's API",
        ),
    ] {
        fs::write(dir.path().join("d.json"), document).unwrap();
        let said = site("d.json");
        assert!(
            said[0].starts_with("d.json") && said[0].contains(expected),
            "{document}: {said:#?}"
        );
    }
    fs::write(dir.path().join("d.json"), b"\xff").unwrap();
    assert!(site("d.json")[0].contains("not UTF-8"));
    fs::write(dir.path().join("d.json"), " ".repeat((1 << 20) + 1)).unwrap();
    assert!(site("d.json")[0].contains("longer than"));
}

#[test]
fn names_that_two_documents_share_are_told_with_their_files() {
    // CF-033
    let dir = site_dir();
    for name in ["one.json", "two.json"] {
        fs::write(dir.path().join(name), PRINTED).unwrap();
    }
    let text = "distributions:\n  a: { config: one.json }\n  b: { config: two.json }\n";
    let Err(SiteErrors(errors)) = parse_in(dir.path(), text) else {
        panic!("accepted");
    };
    assert_eq!(errors.len(), 2);
    for error in &errors {
        assert!(error.location.file.ends_with("two.json"));
        assert!(error.message.starts_with("CNAMEAlreadyExists: "), "{error}");
        assert!(error.message.ends_with("one.json"), "{error}");
    }
    assert_eq!(errors[0].path, "/DistributionConfig/Aliases/Items/0");
}

/// A document whose default behaviour has these associations.
fn with_associations(lambda: &[(&str, &str)], cloudfront: &[(&str, &str)]) -> String {
    let list = |all: &[(&str, &str)], arn: &str| {
        let items: Vec<String> = all
            .iter()
            .map(|(event, value)| format!("{{\"EventType\": \"{event}\", \"{arn}\": \"{value}\"}}"))
            .collect();
        format!(
            "{{\"Quantity\": {}, \"Items\": [{}]}}",
            items.len(),
            items.join(", ")
        )
    };
    small(
        "\"ViewerProtocolPolicy\"",
        &format!(
            "\n\"LambdaFunctionAssociations\": {},\n\"FunctionAssociations\": {},\n\"ViewerProtocolPolicy\"",
            list(lambda, "LambdaFunctionARN"),
            list(cloudfront, "FunctionARN")
        ),
    )
}

const AUTH_1: &str = "arn:aws:lambda:us-east-1:123456789012:function:auth:1";
const AUTH_2: &str = "arn:aws:lambda:us-east-1:123456789012:function:auth:2";
const REDIRECTS: &str = "arn:aws:cloudfront::123456789012:function/redirects";

#[test]
fn functions_are_found_by_their_arns() {
    // CF-025, CF-072, LE-371, LE-374
    let functions =
        "cloudfront_functions: { redirects: ./cff/redirects.js }\nfunctions: { auth: ./auth.js";
    let by_name = format!("{functions} }}");
    let document = with_associations(
        &[("origin-request", AUTH_1)],
        &[("viewer-request", REDIRECTS)],
    );
    let loaded = accepted(&document, "", &by_name);
    let on = &only(&loaded).default_behavior.functions;
    assert_eq!(on.iter().count(), 2);

    // Two versions, each with its ARN; the exact one goes before the one without a version.
    let by_arn = format!(
        "{functions}, second: {{ file: ./headers.mjs, arn: \"{AUTH_2}\" }}, any: {{ file: ./auth.js, arn: \"{}\" }} }}",
        AUTH_1.trim_end_matches(":1")
    );
    let document = with_associations(
        &[("origin-request", AUTH_2), ("origin-response", AUTH_1)],
        &[],
    );
    let loaded = accepted(&document, "", &by_arn);
    let on = &only(&loaded).default_behavior.functions;
    let name = |event| on.at(event).unwrap().function.name.as_str().to_owned();
    assert_eq!(name(EventType::OriginRequest), "second");
    assert_eq!(name(EventType::OriginResponse), "any");

    // One declared function is not two versions.
    let said = said(&document, "", &by_name);
    assert_eq!(said.len(), 1, "{said:#?}");
    assert!(
        said[0].contains("InvalidLambdaFunctionAssociation: versions 2 and 1 of `auth`"),
        "{said:#?}"
    );
}

#[test]
fn associations_that_cannot_be_are_named_as_cloudfront_names_them() {
    // CF-024, CF-072, LE-371, LE-374, LE-375
    let functions =
        "functions: { auth: ./auth.js }\ncloudfront_functions: { redirects: ./cff/redirects.js }";
    for (lambda, cloudfront, expected) in [
        (
            &[(
                "viewer-request",
                "arn:aws:lambda:us-east-1:123456789012:function:auth",
            )][..],
            &[][..],
            "InvalidLambdaFunctionAssociation: `arn:aws:lambda:us-east-1:123456789012:function:auth` is no ARN of a function with the number of a version",
        ),
        (
            &[(
                "viewer-request",
                "arn:aws:lambda:us-east-1:123456789012:function:auth:$LATEST",
            )],
            &[],
            "InvalidLambdaFunctionAssociation: `arn:aws:lambda",
        ),
        (
            &[(
                "viewer-request",
                "arn:aws:lambda:us-east-1:123456789012:function:other:1",
            )],
            &[],
            "InvalidLambdaFunctionAssociation: the site file has no function for",
        ),
        (
            &[],
            &[(
                "viewer-request",
                "arn:aws:cloudfront::123456789012:function/other",
            )],
            "NoSuchFunctionExists: the site file has no function for",
        ),
        (
            &[("viewer-request", AUTH_1)],
            &[("viewer-request", REDIRECTS)],
            "InvalidFunctionAssociation: viewer-request has a function on line 7 already",
        ),
        (
            &[("viewer-request", AUTH_1)],
            &[("viewer-response", REDIRECTS)],
            "InvalidFunctionAssociation: viewer events of one behaviour",
        ),
        (
            &[],
            &[("origin-request", REDIRECTS)],
            "InvalidFunctionAssociation: `redirects` is a CloudFront Function",
        ),
        (&[("viewer", AUTH_1)], &[], "expected `viewer-request`"),
    ] {
        let said = said(&with_associations(lambda, cloudfront), "", functions);
        assert_eq!(said.len(), 1, "{said:#?}");
        assert!(said[0].contains(expected), "{expected}: {said:#?}");
        assert!(
            said[0].contains("FunctionAssociations/Items/0/"),
            "{said:#?}"
        );
    }
    super::refused(
        "functions:\n  auth: { file: ./auth.js, arn: auth }\ndistributions: { a: { origins: { app: \"http://a.test\" } } }\n",
        &["2:33: functions.auth.arn: `auth` is no ARN of such a function"],
    );
}

#[test]
fn certificates_keys_and_controls_are_looked_up_by_what_the_document_calls_them() {
    // CF-024, CF-025, CF-070, CF-095
    let said = said(
        &small(
            "\"CachePolicyId\"",
            "\n\"TrustedKeyGroups\": {\"Enabled\": true, \"Quantity\": 1, \"Items\": [\"kg\"]},\n\"ResponseHeadersPolicyId\": \"rhp\",\n\"OriginRequestPolicyId\": \"orp\",\n\"CachePolicyId\"",
        )
        .replace(
            "\"Comment\": \"\"",
            "\"Comment\": \"\", \"ViewerCertificate\": {\"CloudFrontDefaultCertificate\": false, \"ACMCertificateArn\": \"arn:x\", \"SSLSupportMethod\": \"sni-only\", \"MinimumProtocolVersion\": \"TLSv1.2_2021\", \"Certificate\": \"arn:x\", \"CertificateSource\": \"acm\"}",
        )
        .replace(
            "\"CustomOriginConfig\"",
            "\"OriginAccessControlId\": \"EOAC\", \"CustomOriginConfig\"",
        ),
        "",
        "",
    );
    let expected = [
        "/ViewerCertificate/Certificate: InvalidViewerCertificate: the node has no certificate `arn:x`",
        "/Origins/Items/0/OriginAccessControlId: InvalidOriginAccessControl: ",
        "/DefaultCacheBehavior/TrustedKeyGroups/Items/0: TrustedKeyGroupDoesNotExist: ",
        "/DefaultCacheBehavior/ResponseHeadersPolicyId: NoSuchResponseHeadersPolicy: ",
        "/DefaultCacheBehavior/OriginRequestPolicyId: NoSuchOriginRequestPolicy: ",
    ];
    assert_eq!(said.len(), expected.len(), "{said:#?}");
    for (said, expected) in said.iter().zip(expected) {
        assert!(said.contains(expected), "{expected}: {said}");
    }
}

#[test]
fn the_members_of_a_distribution_are_all_known() {
    // CF-020, CF-022: names as in the API's model of 2020-05-31.
    use crate::keys;
    for (table, members) in [
        (
            &keys::DISTRIBUTION,
            "CallerReference Aliases DefaultRootObject Origins OriginGroups DefaultCacheBehavior CacheBehaviors CustomErrorResponses Comment Logging PriceClass Enabled ViewerCertificate Restrictions WebACLId HttpVersion IsIPV6Enabled ContinuousDeploymentPolicyId Staging AnycastIpListId TenantConfig ConnectionMode ViewerMtlsConfig ConnectionFunctionAssociation CacheTagConfig",
        ),
        (
            &keys::ORIGIN,
            "Id DomainName OriginPath CustomHeaders S3OriginConfig CustomOriginConfig VpcOriginConfig ConnectionAttempts ConnectionTimeout ResponseCompletionTimeout OriginShield OriginAccessControlId",
        ),
        (
            &keys::CUSTOM_ORIGIN,
            "HTTPPort HTTPSPort OriginProtocolPolicy OriginSslProtocols OriginReadTimeout OriginKeepaliveTimeout IpAddressType OriginMtlsConfig",
        ),
        (&keys::S3_ORIGIN, "OriginAccessIdentity OriginReadTimeout"),
        (
            &keys::ORIGIN_GROUP,
            "Id FailoverCriteria Members SelectionCriteria",
        ),
        (
            &keys::BEHAVIOR,
            "PathPattern TargetOriginId TrustedSigners TrustedKeyGroups ViewerProtocolPolicy AllowedMethods SmoothStreaming Compress LambdaFunctionAssociations FunctionAssociations FieldLevelEncryptionId RealtimeLogConfigArn CachePolicyId OriginRequestPolicyId ResponseHeadersPolicyId GrpcConfig ForwardedValues MinTTL DefaultTTL MaxTTL",
        ),
        (
            &keys::FORWARDED_VALUES,
            "QueryString Cookies Headers QueryStringCacheKeys",
        ),
        (&keys::COOKIE_PREFERENCE, "Forward WhitelistedNames"),
        (
            &keys::VIEWER_CERTIFICATE,
            "CloudFrontDefaultCertificate IAMCertificateId ACMCertificateArn SSLSupportMethod MinimumProtocolVersion Certificate CertificateSource",
        ),
        (
            &keys::CUSTOM_ERROR_RESPONSE,
            "ErrorCode ResponsePagePath ResponseCode ErrorCachingMinTTL",
        ),
        (&keys::VIEWER_MTLS, "Mode TrustStoreConfig"),
        (
            &keys::TRUST_STORE,
            "TrustStoreId AdvertiseTrustStoreCaNames IgnoreCertificateExpiry",
        ),
        (&keys::CACHE_TAGS, "HeaderName"),
        (
            &keys::LAMBDA_ASSOCIATION,
            "LambdaFunctionARN EventType IncludeBody",
        ),
        (&keys::FUNCTION_ASSOCIATION, "FunctionARN EventType"),
        (
            &keys::CACHE_POLICY,
            "Comment Name DefaultTTL MaxTTL MinTTL ParametersInCacheKeyAndForwardedToOrigin",
        ),
        (
            &keys::KEY_PARAMETERS,
            "EnableAcceptEncodingGzip EnableAcceptEncodingBrotli HeadersConfig CookiesConfig QueryStringsConfig",
        ),
        (
            &keys::ORIGIN_REQUEST_POLICY,
            "Comment Name HeadersConfig CookiesConfig QueryStringsConfig",
        ),
        (
            &keys::RESPONSE_HEADERS_POLICY,
            "Comment Name CorsConfig SecurityHeadersConfig ServerTimingHeadersConfig CustomHeadersConfig RemoveHeadersConfig",
        ),
    ] {
        for member in members.split(' ') {
            assert!(
                table.find_spelled(member).is_some(),
                "{member} of {}",
                table.what
            );
        }
    }
}
