//! serverless.yml read directly.

use fourfront_import::{Artifact, PackLimits};
use serde_json::{Value, json};

use crate::Project;

const HEAD: &str = "service: svc\nprovider: {name: aws, runtime: nodejs22.x}\n";

fn with_events(events: &str) -> Project {
    Project::service(&format!(
        "{HEAD}functions:\n  edge:\n    handler: handler.handler\n    events:\n{events}"
    ))
}

#[track_caller]
fn config(project: &Project) -> Value {
    project.plan("serverless.yml").distributions[0]
        .item
        .config
        .clone()
}

#[test]
fn faults_of_events_have_places_and_help() {
    // CP-332, CP-303
    let project = with_events(
        "      - cloudFront: {eventType: viewer-reqest, origin: 'https://a.test'}\n\
         \x20     - cloudFront: {eventType: viewer-request, orgin: 'https://a.test'}\n\
         \x20     - cloudFront: {eventType: viewer-request, origin: 'a.test'}\n\
         \x20     - cloudFront: {eventType: viewer-request, origin: {DomainName: a.test}}\n\
         \x20     - cloudFront: {eventType: viewer-request, origin: 'https://a.test', cachePolicy: {name: no}}\n",
    );
    assert_eq!(
        project.errors("serverless.yml"),
        [
            "serverless.yml:7:33: functions.edge.events[0].cloudFront.eventType: `viewer-reqest` is no event, known are \
             viewer-request, origin-request, origin-response, viewer-response",
            "serverless.yml:8:49: functions.edge.events[1].cloudFront.orgin: unknown key (did you mean `origin`?)",
            "serverless.yml:8:9: functions.edge.events[1].cloudFront.origin: an event has an origin",
            "serverless.yml:9:57: functions.edge.events[2].cloudFront.origin: `a.test` is no URL \
             (as `https://www.example.org/path` or `s3://bucket.s3.amazonaws.com`)",
            "serverless.yml:10:57: functions.edge.events[3].cloudFront.origin: an origin has one of CustomOriginConfig and \
             S3OriginConfig",
            "serverless.yml:11:88: functions.edge.events[4].cloudFront.cachePolicy: `provider.cloudFront.cachePolicies` has no `no`",
        ]
    );
}

#[test]
fn origins_have_the_frameworks_ids() {
    // CP-333, CP-334
    let config = config(&with_events(
        "      - cloudFront: {eventType: viewer-request, origin: 's3://B.s3.amazonaws.com/files'}\n\
         \x20     - cloudFront: {eventType: viewer-request, pathPattern: /a, origin: 'http://h.test:3000/'}\n\
         \x20     - cloudFront:\n          eventType: viewer-request\n          pathPattern: /b\n          origin:\n\
         \x20           DomainName: !GetAtt [Bucket, DomainName]\n            OriginPath: /p\n            S3OriginConfig: {}\n\
         resources: {Resources: {Bucket: {Type: AWS::S3::Bucket, Properties: {BucketName: mine}}}}\n",
    ));
    assert_eq!(
        config["Origins"]["Items"],
        json!([
            {"Id": "s3/b.s3.amazonaws.com/files", "DomainName": "b.s3.amazonaws.com", "OriginPath": "/files",
             "S3OriginConfig": {"OriginAccessIdentity": ""}},
            {"Id": "custom/h.test:3000", "DomainName": "h.test",
             "CustomOriginConfig": {"OriginProtocolPolicy": "match-viewer", "HTTPPort": 3000, "HTTPSPort": 443}},
            {"Id": "s3/FnGetAttBucketDomainName/p", "DomainName": "mine.s3.amazonaws.com", "OriginPath": "/p",
             "S3OriginConfig": {"OriginAccessIdentity": ""}},
        ])
    );
}

#[test]
fn behaviors_merge_and_the_default_is_made_of_the_first() {
    // CP-335, CP-336
    let config = config(&with_events(
        "      - cloudFront: {eventType: viewer-request, pathPattern: /x/*, origin: 'https://a.test', behavior: {Compress: true}}\n\
         \x20     - cloudFront: {eventType: origin-request, pathPattern: /x/*, origin: 'https://a.test', includeBody: true}\n\
         \x20     - cloudFront: {eventType: origin-request, pathPattern: /y, origin: 'https://b.test', isDefaultOrigin: true,\n\
         \x20                    behavior: {ForwardedValues: {QueryString: true}}}\n",
    ));
    let default = &config["DefaultCacheBehavior"];
    assert_eq!(default["TargetOriginId"], "custom/b.test");
    assert_eq!(default["Compress"], true);
    assert_eq!(default.get("LambdaFunctionAssociations"), None);
    let behaviors = &config["CacheBehaviors"]["Items"];
    assert_eq!(config["CacheBehaviors"]["Quantity"], 2);
    assert_eq!(behaviors[0]["LambdaFunctionAssociations"]["Quantity"], 2);
    assert_eq!(
        behaviors[0]["LambdaFunctionAssociations"]["Items"][1]["IncludeBody"],
        true
    );
    assert_eq!(
        behaviors[0]["CachePolicyId"],
        "658327ea-f89d-4fab-a63d-7e88639e58f6"
    );
    // Older settings say how long things are kept; a policy beside them would be refused.
    assert_eq!(behaviors[1].get("CachePolicyId"), None);
}

#[test]
fn what_the_framework_refuses_is_refused() {
    // CP-336
    let two = with_events(
        "      - cloudFront: {eventType: viewer-request, pathPattern: /x, origin: 'https://a.test'}\n\
         \x20     - cloudFront: {eventType: viewer-request, pathPattern: /x, origin: 'https://b.test'}\n",
    );
    assert_eq!(
        two.errors("serverless.yml"),
        [
            "serverless.yml:8:9: functions: two behaviors of different origins have the path pattern /x",
            "serverless.yml:7:9: functions: there are several origins, and none has `isDefaultOrigin: true`",
        ]
    );
    let twice = Project::service(&format!(
        "{HEAD}functions:\n  a: {{handler: handler.handler, events: [cloudFront: {{eventType: viewer-request, origin: 'https://a.test'}}]}}\n\
         \x20 b: {{handler: handler.handler, events: [cloudFront: {{eventType: viewer-request, origin: 'https://a.test'}}]}}\n",
    ));
    assert_eq!(
        twice.errors("serverless.yml"),
        [
            "serverless.yml:4:42: functions: two functions have viewer-request of the behavior for the default"
        ]
    );
}

#[test]
fn resources_and_policies_of_the_user_win() {
    // CP-337, CP-338
    let project = Project::service(
        "service: svc\nprovider:\n  name: aws\n  runtime: nodejs22.x\n  stage: prod\n  region: eu-west-1\n\
         \x20 cloudFront: {cachePolicies: {short: {DefaultTTL: 60, MinTTL: 0, MaxTTL: 60, ParametersInCacheKeyAndForwardedToOrigin: {\n\
         \x20   EnableAcceptEncodingGzip: 'true', HeadersConfig: {HeaderBehavior: none}, CookiesConfig: {CookieBehavior: none},\n\
         \x20   QueryStringsConfig: {QueryStringBehavior: whitelist, QueryStrings: [a]}}}}}\n\
         functions:\n  my-edge:\n    handler: handler.handler\n    events:\n\
         \x20     - cloudFront: {eventType: viewer-request, origin: 'https://a.test', cachePolicy: {name: short}}\n\
         resources:\n  - Resources:\n      CloudFrontDistribution:\n        Properties:\n          DistributionConfig:\n\
         \x20           Comment: mine\n            Aliases: [www.example.test]\n            IPV6Enabled: true\n  - ${file(more.yml)}\n",
    );
    std::fs::write(
        project.path().join("more.yml"),
        "Resources: {T: {Type: AWS::DynamoDB::Table}}\n",
    )
    .unwrap();
    let plan = project.plan("serverless.yml");
    let config = &plan.distributions[0].item.config;
    assert_eq!(config["Comment"], "mine");
    assert_eq!(config["IsIPV6Enabled"], true);
    assert_eq!(
        config["Aliases"],
        json!({"Quantity": 1, "Items": ["www.example.test"]})
    );
    assert_eq!(
        config["DefaultCacheBehavior"]["CachePolicyId"],
        json!({"$ref": {"kind": "cache-policy", "id": "CloudFrontCachePolicyShort", "attribute": "id"}})
    );
    let policy = &plan.cache_policies[0].item.config;
    assert_eq!(policy["Name"], "svc-prod-short");
    assert_eq!(
        policy["ParametersInCacheKeyAndForwardedToOrigin"],
        json!({
            "EnableAcceptEncodingGzip": true, "HeadersConfig": {"HeaderBehavior": "none"},
            "CookiesConfig": {"CookieBehavior": "none"},
            "QueryStringsConfig": {"QueryStringBehavior": "whitelist", "QueryStrings": {"Quantity": 1, "Items": ["a"]}},
        })
    );
    assert_eq!(plan.functions[0].id, "MyDashedgeLambdaFunction");
    assert_eq!(plan.functions[0].item.name, "svc-prod-my-edge");
    assert_eq!(
        project.notes("serverless.yml"),
        [
            "serverless.yml:6:3: warning: provider.region: the framework takes CloudFront events in us-east-1 alone, here is eu-west-1",
            "more.yml:1:13: ignored: Resources.T: AWS::DynamoDB::Table means nothing here",
        ]
    );
}

#[test]
fn edge_functions_lose_their_environment_unless_it_is_kept() {
    // CP-331
    let text = format!(
        "{HEAD}functions:\n  edge:\n    handler: handler.handler\n    environment: {{A: 1}}\n    events:\n\
         \x20     - cloudFront: {{eventType: viewer-request, origin: 'https://a.test'}}\n  other: {{handler: handler.handler, memorySize: 512, environment: {{B: x}}}}\n"
    );
    let plan = Project::service(&text).plan("serverless.yml");
    let [edge, other] = plan.functions.as_slice() else {
        panic!("{:?}", plan.functions);
    };
    assert_eq!(
        (edge.item.memory, edge.item.timeout, edge.item.edge),
        (Some(128), Some(5), true)
    );
    assert!(edge.item.environment.is_empty());
    assert_eq!(
        (other.item.memory, other.item.timeout, other.item.edge),
        (Some(512), None, false)
    );
    assert_eq!(other.item.environment["B"], "x");
    assert!(
        plan.notes[0]
            .text
            .starts_with("left out, as the framework does")
    );
    let kept = Project::service(&text)
        .with(|o| o.keep_env = true)
        .plan("serverless.yml");
    assert_eq!(kept.functions[0].item.environment["A"], "1");
}

#[test]
fn packages_follow_patterns_and_hold_the_handler() {
    // CP-341
    let text = format!(
        "{HEAD}package: {{patterns: ['!**', 'handler.js', 'lib/**']}}\nfunctions:\n  edge:\n    handler: handler.handler\n    events:\n\
         \x20     - cloudFront: {{eventType: viewer-request, origin: 'https://a.test'}}\n"
    );
    let project = Project::new(&[
        ("serverless.yml", text.as_str()),
        ("handler.js", "x"),
        ("lib/a.js", "x"),
        ("other.js", "x"),
        (".env", "SECRET=1"),
    ]);
    let plan = project.plan("serverless.yml");
    let bytes = plan.functions[0]
        .item
        .code
        .pack(&PackLimits::default())
        .unwrap();
    let zip = zip::ZipArchive::new(std::io::Cursor::new(bytes)).unwrap();
    assert_eq!(zip.len(), 2);

    let text = text.replace("'handler.js', ", "");
    let project = Project::new(&[
        ("serverless.yml", text.as_str()),
        ("handler.js", "x"),
        ("lib/a.js", "x"),
    ]);
    assert_eq!(
        project.errors("serverless.yml"),
        [
            "serverless.yml:6:14: functions.edge.handler: `handler.js` is not in the package (see `package.patterns`)"
        ]
    );
    let project = Project::new(&[("serverless.yml", text.as_str()), ("handler.ts", "x")]);
    assert_eq!(
        project.errors("serverless.yml"),
        [
            "serverless.yml:6:14: functions.edge.handler: `handler.ts` is TypeScript (run `serverless package` and deploy `.serverless/`)"
        ]
    );
    let project = Project::new(&[("serverless.yml", text.as_str())]);
    assert_eq!(
        project.errors("serverless.yml"),
        [
            "serverless.yml:6:14: functions.edge.handler: there is no handler.js, handler.mjs or handler.cjs"
        ]
    );
}

#[test]
fn an_artifact_goes_before_patterns() {
    // CP-341
    let project = Project::new(&[
        (
            "serverless.yml",
            "service: s\nprovider: aws\npackage: {artifact: built.zip}\nfunctions:\n  a: {handler: x.y, package: {artifact: 's3://b/k/a.zip'}}\n  b: {handler: x.y}\n",
        ),
        ("built.zip", "PK"),
    ]);
    let plan = project.plan("serverless.yml");
    let Artifact::S3 { bucket, key, .. } = &plan.functions[0].item.code else {
        panic!("{:?}", plan.functions[0]);
    };
    assert_eq!((bucket.as_str(), key.as_str()), ("b", "k/a.zip"));
    assert!(
        matches!(&plan.functions[1].item.code, Artifact::Zip { path } if path.ends_with("built.zip"))
    );
}

#[test]
fn plugins_that_make_other_code_stop_the_direct_path() {
    // CP-342, CP-306
    let project = Project::service(&format!(
        "{HEAD}plugins:\n  - serverless-offline\n  - serverless-esbuild\n"
    ));
    assert_eq!(
        project.errors("serverless.yml"),
        [
            "serverless.yml:5:5: plugins: `serverless-esbuild` makes other code than what is written here \
          (run `serverless package` and deploy `.serverless/`)"
        ]
    );
}

#[test]
fn lambda_at_edge_hangs_functions_on_distributions_of_the_service() {
    // CP-339
    let project = Project::service(&format!(
        "{HEAD}functions:\n  a:\n    handler: handler.handler\n    lambdaAtEdge:\n\
         \x20     - {{distribution: Site, eventType: viewer-request}}\n\
         \x20     - {{distribution: Site, eventType: origin-request, pathPattern: img/*, includeBody: true}}\n\
         resources:\n  Resources:\n    Site:\n      Type: AWS::CloudFront::Distribution\n      Properties:\n        DistributionConfig:\n\
         \x20         Enabled: true\n          Origins: [{{Id: o, DomainName: a.test, CustomOriginConfig: {{OriginProtocolPolicy: https-only}}}}]\n\
         \x20         DefaultCacheBehavior: {{TargetOriginId: o, ViewerProtocolPolicy: allow-all}}\n\
         \x20         CacheBehaviors: [{{PathPattern: img/*, TargetOriginId: o, ViewerProtocolPolicy: allow-all}}]\n",
    ));
    let plan = project.plan("serverless.yml");
    let version = json!({"$ref": {"kind": "version", "id": "ALambdaVersion", "attribute": "arn"}});
    let config = &plan.distributions[0].item.config;
    assert_eq!(
        config["DefaultCacheBehavior"]["LambdaFunctionAssociations"]["Items"],
        json!([{"EventType": "viewer-request", "LambdaFunctionARN": version}])
    );
    assert_eq!(
        config["CacheBehaviors"]["Items"][0]["LambdaFunctionAssociations"]["Items"],
        json!([{"EventType": "origin-request", "LambdaFunctionARN": version, "IncludeBody": true}])
    );
    assert!(plan.functions[0].item.edge);

    let project = Project::service(&format!(
        "{HEAD}functions: {{a: {{handler: handler.handler, lambdaAtEdge: {{distribution: No, eventType: viewer-request}}}}}}\n"
    ));
    assert_eq!(
        project.errors("serverless.yml"),
        [
            "serverless.yml:3:57: functions.a.lambdaAtEdge.distribution: `resources` has no distribution `No`"
        ]
    );
}

#[test]
fn pre_existing_distributions_are_attachments_of_their_stages() {
    // CP-339
    let text = format!(
        "{HEAD}custom: {{lambdaEdgePreExistingCloudFront: {{validStages: [dev, prod]}}}}\nfunctions:\n  a:\n    handler: handler.handler\n    events:\n\
         \x20     - preExistingCloudFront: {{distributionId: E123, eventType: viewer-request, pathPattern: '*', includeBody: false}}\n\
         \x20     - preExistingCloudFront: {{distributionId: E456, eventType: viewer-request, pathPattern: /x, stage: prod}}\n"
    );
    let plan = Project::service(&text).plan("serverless.yml");
    let [attachment] = plan.attachments.as_slice() else {
        panic!("{:?}", plan.attachments);
    };
    assert_eq!(attachment.item.distribution, "E123");
    assert_eq!(attachment.item.path_pattern, None);
    assert!(plan.functions[0].item.edge);
    let stage = |stage: &str| {
        let stage = Some(stage.to_owned());
        Project::service(&text)
            .with(|o| o.stage = stage)
            .plan("serverless.yml")
            .attachments
    };
    let ids: Vec<_> = stage("prod")
        .into_iter()
        .map(|a| a.item.path_pattern)
        .collect();
    assert_eq!(ids, [None, Some("/x".to_owned())]);
    assert_eq!(stage("test").len(), 0);
}

#[test]
fn set_gives_what_is_kept_elsewhere() {
    // CP-340, CP-303
    let text = format!(
        "{HEAD}custom: {{host: '${{ssm:/host}}'}}\nfunctions:\n  edge:\n    handler: handler.handler\n    events:\n\
         \x20     - cloudFront: {{eventType: viewer-request, origin: 'https://${{self:custom.host}}/p'}}\n"
    );
    let errors = Project::service(&text).errors("serverless.yml");
    assert_eq!(
        errors[0],
        "serverless.yml:3:16: custom.host: `${ssm:/host}` is not to be had without running the framework \
         (give it with `--set ssm:/host=VALUE`)"
    );
    for (key, value) in [("ssm:/host", "h.test"), ("custom.host", "h.test")] {
        let project = Project::service(&text).set(key, value);
        assert_eq!(
            config(&project)["Origins"]["Items"][0]["DomainName"],
            "h.test",
            "{key}"
        );
    }
}

#[test]
fn a_digest_that_differs_is_refused() {
    // CP-342, section 7.3: a zip that is not the one that was packaged is no code of this version.
    let data = std::path::PathBuf::from(
        std::env::var_os("CARGO_MANIFEST_DIR").expect("tests are run by cargo"),
    )
    .join("tests/data/packaged");
    let template = "cloudformation-template-update-stack.json";
    let text = std::fs::read_to_string(data.join(template)).unwrap();
    let project = Project::new(&[(template, &text)]);
    assert_eq!(
        project.errors(""),
        [
            ": `edgesvc.zip`, the code of edgesvc-dev-edge, is not there (run `serverless package` again)"
        ]
    );
    std::fs::copy(data.join("edgesvc.zip"), project.path().join("edgesvc.zip")).unwrap();
    project.plan("");
    std::fs::write(project.path().join("edgesvc.zip"), "PK\x03\x04other").unwrap();
    let errors = project.errors("");
    assert!(
        errors[0].starts_with("edgesvc.zip: `CodeSha256` of EdgeLambdaVersion"),
        "{errors:?}"
    );
}
