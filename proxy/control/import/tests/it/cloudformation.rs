//! Templates of CloudFormation and SAM.

use fourfront_import::{Artifact, NoteKind};
use serde_json::{Value, json};

use crate::Project;

/// A template with a distribution whose comment is the value in question, and what comes of it.
#[track_caller]
fn comment(value: &str, rest: &str) -> Value {
    let plan = template(value, rest).plan("template.yaml");
    plan.distributions[0].item.config["Comment"].clone()
}

fn template(value: &str, rest: &str) -> Project {
    let text = format!(
        "Resources:\n  Site:\n    Type: AWS::CloudFront::Distribution\n    Properties:\n      DistributionConfig:\n        Comment: {value}\n\
         \x20       Enabled: true\n        Origins: [{{Id: o, DomainName: a.test, CustomOriginConfig: {{OriginProtocolPolicy: https-only}}}}]\n\
         \x20       DefaultCacheBehavior: {{TargetOriginId: o, ViewerProtocolPolicy: allow-all}}\n{rest}"
    );
    Project::new(&[("template.yaml", &text)])
}

#[test]
fn intrinsics_have_their_values() {
    // CP-303, section 7.2: every construct of the table.
    let rest = "
  Fn: {Type: AWS::Lambda::Function, Properties: {FunctionName: named, Handler: i.h, Runtime: nodejs22.x, Code: {ZipFile: x}}}
  Bucket: {Type: AWS::S3::Bucket}
  Role: {Type: AWS::IAM::Role}
  Store: {Type: AWS::CloudFront::KeyValueStore, Properties: {Name: kv}}
  Secret: {Type: AWS::SSM::Parameter, Properties: {Name: /own, Value: held}}
Parameters:
  Word: {Type: String, Default: w}
  List: {Type: CommaDelimitedList, Default: 'a, b'}
Mappings: {M: {us-east-1: {k: mapped}}}
Conditions:
  Yes: !Equals [!Ref Word, w]
  No: !Not [!Condition Yes]
  Both: !And [!Condition Yes, !Condition No]
  Any: !Or [!Condition Yes, !Condition No]
Outputs: {O: {Value: !Ref Word, Export: {Name: !Sub '${AWS::StackName}-word'}}}
";
    for (written, expected) in [
        ("!Ref Word", json!("w")),
        ("!Ref AWS::Region", json!("us-east-1")),
        ("!Ref AWS::AccountId", json!("000000000000")),
        ("!Ref AWS::StackName", json!("app")),
        ("!Ref AWS::Partition", json!("aws")),
        ("!Ref AWS::URLSuffix", json!("amazonaws.com")),
        ("!Sub 'a ${Word} ${!Word} ${X}'", json!(null)),
        (
            "!Sub ['a ${Word} ${!Word} ${X}', {X: !Ref Word}]",
            json!("a w ${Word} w"),
        ),
        ("!Join ['-', !Ref List]", json!("a-b")),
        ("!Select [1, !Split [',', 'x,y']]", json!("y")),
        ("!Select ['0', !Ref List]", json!("a")),
        ("!FindInMap [M, !Ref AWS::Region, k]", json!("mapped")),
        ("!FindInMap [M, no, k, {DefaultValue: d}]", json!("d")),
        ("!If [Yes, a, b]", json!("a")),
        ("!If [No, a, b]", json!("b")),
        ("!If [Both, a, b]", json!("b")),
        ("!If [Any, a, b]", json!("a")),
        // Removed, so the default of the API stands there.
        ("!If [No, a, !Ref AWS::NoValue]", json!("")),
        ("!Base64 abc", json!("YWJj")),
        ("!ImportValue app-word", json!("w")),
        (
            "'{{resolve:ssm:/own}}-{{resolve:ssm:/own:3}}'",
            json!("held-held"),
        ),
        ("!Ref Bucket", json!("app-bucket")),
        (
            "!GetAtt Bucket.RegionalDomainName",
            json!("app-bucket.s3.us-east-1.amazonaws.com"),
        ),
        (
            "!Select [2, !Split ['/', !GetAtt [Bucket, WebsiteURL]]]",
            json!("app-bucket.s3-website-us-east-1.amazonaws.com"),
        ),
        (
            "!GetAtt Role.Arn",
            json!("arn:aws:iam::000000000000:role/app-Role"),
        ),
        ("!Sub 'f=${Fn}'", json!("f=named")),
        ("!Ref Store", json!("kv")),
        (
            "!GetAtt Store.Arn",
            json!({"$ref": {"kind": "store", "id": "Store", "attribute": "arn"}}),
        ),
        (
            "!Sub '${Fn.Arn}:1'",
            json!({"$parts": [{"$ref": {"kind": "function", "id": "Fn", "attribute": "arn"}}, ":1"]}),
        ),
        ("{Ref: Word}", json!("w")),
        ("{'Fn::GetAtt': [Secret, Value]}", json!("held")),
    ] {
        if expected.is_null() {
            assert!(
                template(written, rest).read("template.yaml").is_err(),
                "{written}"
            );
        } else {
            assert_eq!(comment(written, rest), expected, "{written}");
        }
    }
}

#[test]
fn what_cannot_be_known_is_an_error_where_it_is_used() {
    // CP-303: what is unknown is an error where it is used, and names what to set.
    const PATH: &str = "template.yaml:6:18: Resources.Site.Properties.DistributionConfig.Comment";
    const SET: &str =
        "(give it with `--set Resources.Site.Properties.DistributionConfig.Comment=VALUE`)";
    let rest = "  Table: {Type: AWS::DynamoDB::Table}\n  Off: {Type: AWS::S3::Bucket, Condition: No}\n\
                Parameters: {P: {Type: String}, L: {Type: String, AllowedValues: [a], Default: b}}\nConditions: {No: !Equals [a, b]}\n";
    for (written, message) in [
        (
            "!Ref Nowhere",
            format!("{PATH}: `Nowhere` is neither a parameter nor a resource here {SET}"),
        ),
        (
            "!Ref P",
            format!(
                "{PATH}: parameter `P` has no value (give it with `--set Parameters.P.Default=VALUE`)"
            ),
        ),
        (
            "!Ref L",
            format!("{PATH}: parameter `L` may not be `b` {SET}"),
        ),
        (
            "!Ref Off",
            format!("{PATH}: `Off` does not exist: its condition is false {SET}"),
        ),
        (
            "!GetAtt Table.Arn",
            format!(
                "{PATH}: `Table` is a AWS::DynamoDB::Table, whose `Arn` is not known here {SET}"
            ),
        ),
        (
            "!ImportValue other",
            format!(
                "{PATH}: nothing here exports `other` (give it with `--set import:other=VALUE`)"
            ),
        ),
        (
            "'{{resolve:secretsmanager:x}}'",
            format!(
                "{PATH}: `secretsmanager:x` is kept in AWS (give it with `--set secretsmanager:x=VALUE`)"
            ),
        ),
        (
            "!Cidr [a, 1, 2]",
            format!("{PATH}: `Fn::Cidr` is not supported {SET}"),
        ),
        (
            "!Select [3, [a]]",
            format!("{PATH}: `Fn::Select` wants item 3 of 1 {SET}"),
        ),
        ("[a]", format!("{PATH}: expected a text, found a list")),
    ] {
        assert_eq!(
            template(written, rest).errors("template.yaml"),
            [message],
            "{written}"
        );
    }
    // The same in a property that nobody reads is no fault.
    let unread = "  R: {Type: AWS::IAM::Role, Properties: {Path: !Ref Nowhere}}\n  T: {Type: AWS::DynamoDB::Table, Properties: {X: !Cidr [a]}}\n";
    template("x", unread).plan("template.yaml");
}

#[test]
fn set_and_parameters_give_values() {
    // CP-303
    let rest = "Parameters: {P: {Type: String}, S: {Type: 'AWS::SSM::Parameter::Value<String>', Default: /p}}\n";
    let get = |project: Project| {
        project.plan("template.yaml").distributions[0].item.config["Comment"].clone()
    };
    assert_eq!(
        get(template("!Ref P", rest).with(|o| drop(o.params.insert("P".into(), "v".into())))),
        "v"
    );
    assert_eq!(
        get(template("!Ref P", rest).set("Parameters.P.Default", "v")),
        "v"
    );
    assert_eq!(
        get(template("!Ref P", rest)
            .set("Resources.Site.Properties.DistributionConfig.Comment", "v")),
        "v"
    );
    assert_eq!(
        get(template("!ImportValue x", rest).set("import:x", "v")),
        "v"
    );
    assert_eq!(get(template("!Ref S", rest).set("ssm:/p", "v")), "v");
    assert_eq!(
        template("x", rest)
            .set("Resources.No.Properties.A", "v")
            .errors("template.yaml"),
        ["--set Resources.No.Properties.A: there is no such path in the file"]
    );
}

#[test]
fn documents_become_the_apis() {
    // Section 7.4: the whole mechanical map, once.
    let text = r#"
Resources:
  Site:
    Type: AWS::CloudFront::Distribution
    Properties:
      Tags: [{Key: team, Value: web}]
      DistributionConfig:
        Enabled: "true"
        CNAMEs: [a.test]
        IPV6Enabled: false
        Logging: {Bucket: logs.s3.amazonaws.com}
        Restrictions: {GeoRestriction: {RestrictionType: whitelist, Locations: [DE]}}
        ViewerCertificate: {AcmCertificateArn: "arn:x", SslSupportMethod: sni-only, MinimumProtocolVersion: TLSv1.2_2021}
        CustomErrorResponses: [{ErrorCode: "404", ResponseCode: 200, ResponsePagePath: /i.html, ErrorCachingMinTTL: 10}]
        Origins:
          - Id: o
            DomainName: a.test
            OriginCustomHeaders: [{HeaderName: x, HeaderValue: 1}]
            CustomOriginConfig: {OriginProtocolPolicy: https-only, OriginSSLProtocols: [TLSv1.2], HTTPSPort: "8443"}
        OriginGroups:
          Quantity: 1
          Items: [{Id: g, FailoverCriteria: {StatusCodes: {Quantity: 1, Items: [500]}}, Members: {Quantity: 2, Items: [{OriginId: o}, {OriginId: p}]}}]
        DefaultCacheBehavior:
          TargetOriginId: o
          ViewerProtocolPolicy: allow-all
          AllowedMethods: [GET, HEAD, OPTIONS]
          CachedMethods: [GET, HEAD]
          TrustedKeyGroups: [!Ref Keys]
          ForwardedValues: {QueryString: false, Headers: [], Cookies: {Forward: whitelist, WhitelistedNames: [c]}}
  Keys: {Type: AWS::CloudFront::KeyGroup, Properties: {KeyGroupConfig: {Name: k, Items: [!Ref Key]}}}
  Key: {Type: AWS::CloudFront::PublicKey, Properties: {PublicKeyConfig: {Name: p, CallerReference: r, EncodedKey: x}}}
  Stage:
    Type: AWS::CloudFront::ContinuousDeploymentPolicy
    Properties:
      ContinuousDeploymentPolicyConfig:
        Enabled: true
        StagingDistributionDnsNames: [!GetAtt Site.DomainName]
        Type: SingleWeight
        SingleWeightPolicyConfig: {Weight: "0.1", SessionStickinessConfig: {IdleTTL: 300, MaximumTTL: 600}}
  Headers:
    Type: AWS::CloudFront::ResponseHeadersPolicy
    Properties:
      ResponseHeadersPolicyConfig:
        Name: h
        CustomHeadersConfig: {Items: [{Header: x, Value: y, Override: true}]}
        CorsConfig: {AccessControlAllowOrigins: {Items: ['*']}, AccessControlAllowCredentials: false, OriginOverride: true,
                     AccessControlAllowHeaders: {Items: ['*']}, AccessControlAllowMethods: {Items: [GET]}}
        ServerTimingHeadersConfig: {Enabled: true, SamplingRate: 50}
"#;
    let plan = Project::new(&[("template.yaml", text)]).plan("template.yaml");
    assert_eq!(
        plan.distributions[0].item.config,
        json!({
            "Enabled": true, "Comment": "", "IsIPV6Enabled": false,
            "Aliases": {"Quantity": 1, "Items": ["a.test"]},
            "Logging": {"Enabled": true, "IncludeCookies": false, "Bucket": "logs.s3.amazonaws.com", "Prefix": ""},
            "Restrictions": {"GeoRestriction": {"RestrictionType": "whitelist", "Quantity": 1, "Items": ["DE"]}},
            "ViewerCertificate": {"ACMCertificateArn": "arn:x", "SSLSupportMethod": "sni-only", "MinimumProtocolVersion": "TLSv1.2_2021"},
            "CustomErrorResponses": {"Quantity": 1, "Items": [
                {"ErrorCode": 404, "ResponseCode": "200", "ResponsePagePath": "/i.html", "ErrorCachingMinTTL": 10}]},
            "Origins": {"Quantity": 1, "Items": [{
                "Id": "o", "DomainName": "a.test",
                "CustomHeaders": {"Quantity": 1, "Items": [{"HeaderName": "x", "HeaderValue": "1"}]},
                "CustomOriginConfig": {"OriginProtocolPolicy": "https-only", "HTTPPort": 80, "HTTPSPort": 8443,
                                       "OriginSslProtocols": {"Quantity": 1, "Items": ["TLSv1.2"]}}}]},
            "OriginGroups": {"Quantity": 1, "Items": [{
                "Id": "g", "FailoverCriteria": {"StatusCodes": {"Quantity": 1, "Items": [500]}},
                "Members": {"Quantity": 2, "Items": [{"OriginId": "o"}, {"OriginId": "p"}]}}]},
            "DefaultCacheBehavior": {
                "TargetOriginId": "o", "ViewerProtocolPolicy": "allow-all",
                "AllowedMethods": {"Quantity": 3, "Items": ["GET", "HEAD", "OPTIONS"], "CachedMethods": {"Quantity": 2, "Items": ["GET", "HEAD"]}},
                "TrustedKeyGroups": {"Enabled": true, "Quantity": 1, "Items": [{"$ref": {"kind": "key-group", "id": "Keys", "attribute": "id"}}]},
                "ForwardedValues": {"QueryString": false, "Headers": {"Quantity": 0},
                                    "Cookies": {"Forward": "whitelist", "WhitelistedNames": {"Quantity": 1, "Items": ["c"]}}}},
        })
    );
    assert_eq!(plan.distributions[0].item.tags["team"], "web");
    assert_eq!(
        plan.key_groups[0].item.config,
        json!({"Name": "k", "Items": [{"$ref": {"kind": "public-key", "id": "Key", "attribute": "id"}}]})
    );
    assert_eq!(
        plan.continuous_deployment_policies[0].item.config,
        json!({
            "Enabled": true,
            "StagingDistributionDnsNames": {"Quantity": 1, "Items": [{"$ref": {"kind": "distribution", "id": "Site", "attribute": "domain_name"}}]},
            "TrafficConfig": {"Type": "SingleWeight", "SingleWeightConfig": {"Weight": 0.1, "SessionStickinessConfig": {"IdleTTL": 300, "MaximumTTL": 600}}},
        })
    );
    let headers = &plan.response_headers_policies[0].item.config;
    assert_eq!(headers["CustomHeadersConfig"]["Quantity"], 1);
    assert_eq!(
        headers["CorsConfig"]["AccessControlAllowOrigins"],
        json!({"Quantity": 1, "Items": ["*"]})
    );
}

#[test]
fn unknown_properties_warn_or_stop() {
    // CP-303
    let project = template("x", "").with(|_| {});
    let path = project.path().join("template.yaml");
    let text = std::fs::read_to_string(&path).unwrap().replace(
        "Enabled: true",
        "Enabled: true\n        IsIPV6Enabled: true",
    );
    std::fs::write(&path, text).unwrap();
    assert_eq!(
        project.notes("template.yaml"),
        [
            "template.yaml:8:9: warning: Resources.Site.Properties.DistributionConfig.IsIPV6Enabled: unknown property, left out \
          (did you mean `IPV6Enabled`?)"
        ]
    );
    assert_eq!(
        project.with(|o| o.strict = true).errors("template.yaml"),
        [
            "template.yaml:8:9: Resources.Site.Properties.DistributionConfig.IsIPV6Enabled: unknown property, left out \
          (did you mean `IPV6Enabled`?)"
        ]
    );
}

#[test]
fn functions_of_distributions_are_held_to_the_edge() {
    // CP-303: Lambda@Edge has no network and no layers, other functions may.
    let function = "{Type: AWS::Lambda::Function, Properties: {Handler: i.h, Runtime: nodejs22.x, Code: {ZipFile: x}, Layers: [arn]}}";
    let text = format!(
        "Resources:\n  Api: {function}\n  Edge: {function}\n  V: {{Type: AWS::Lambda::Version, Properties: {{FunctionName: !Ref Edge}}}}\n\
         \x20 P: {{Type: AWS::Lambda::Permission, Properties: {{FunctionName: !Ref V, Action: a, Principal: edgelambda.amazonaws.com}}}}\n\
         \x20 Q: {{Type: AWS::Lambda::Permission, Properties: {{FunctionName: !Ref Api, Action: a, Principal: apigateway.amazonaws.com}}}}\n"
    );
    assert_eq!(
        Project::new(&[("template.yaml", &text)]).errors("template.yaml"),
        [
            "template.yaml:3:115: Resources.Edge.Properties.Layers: a function of a distribution cannot have it"
        ]
    );
}

#[test]
fn yaml_faults_have_places() {
    // CP-304
    let star = Project::new(&[("template.yaml", "Resources: [*.js]\n")]).errors("template.yaml");
    assert!(
        star[0].starts_with("template.yaml:1:13: not valid YAML: "),
        "{star:?}"
    );
    assert!(
        star[0].ends_with("(quote a value that begins with `*`, which otherwise names an anchor)"),
        "{star:?}"
    );
    for (text, message) in [
        (
            "Resources: !Reff x\n",
            "template.yaml:1:12: unknown tag `!Reff` (did you mean `!Ref`?)",
        ),
        (
            "Resources: {}\nResources: {}\n",
            "template.yaml:2:1: Resources: `Resources` is already given on line 1",
        ),
        (
            "Resources: {}\n---\na: b\n",
            "template.yaml:2:1: the file holds more than one YAML document",
        ),
        ("", "template.yaml:1:1: the file is empty"),
    ] {
        assert_eq!(
            Project::new(&[("template.yaml", text)]).errors("template.yaml"),
            [message],
            "{text}"
        );
    }
    assert_eq!(
        Project::new(&[("template.json", "{\"Resources\": {},}")]).errors("template.json"),
        ["template.json:1:17: not valid JSON: Trailing commas are not allowed"]
    );
}

#[test]
fn json_and_merge_keys_are_read() {
    // CP-304: JSON that YAML parsers do not read, and merge keys.
    let json = "{\n\t\"Resources\": {\n\t\t\"B\": {\"Type\": \"AWS::S3::Bucket\", \"Properties\": {\"BucketName\": \"\\ud83d\\ude00\\/x\"}}}}";
    let plan = Project::new(&[("template.json", json)]).plan("template.json");
    assert_eq!(plan.buckets[0].item.name, "\u{1F600}/x");
    assert_eq!(
        (plan.buckets[0].place.line, plan.buckets[0].place.column),
        (3, 3)
    );
    let yaml = "Resources:\n  A: &a {Type: AWS::S3::Bucket, Properties: {BucketName: a}}\n  B: {<<: *a, Properties: {BucketName: b}}\n";
    let plan = Project::new(&[("template.yaml", yaml)]).plan("template.yaml");
    assert_eq!(plan.buckets[1].item.name, "b");
}

#[test]
fn cloudfront_functions_and_stores_are_read() {
    // Section 7.3, CP-321, CP-156
    let text = "
Resources:
  Kv: {Type: AWS::CloudFront::KeyValueStore, Properties: {Name: kv, Comment: c, ImportSource: {SourceType: S3, SourceArn: 'arn:aws:s3:::b/k.json'}}}
  F:
    Type: AWS::CloudFront::Function
    Properties:
      Name: f
      AutoPublish: true
      FunctionCode: 'function handler(e) { return e.request; }'
      FunctionConfig: {Comment: c, Runtime: cloudfront-js-2.0, KeyValueStoreAssociations: [{KeyValueStoreARN: !GetAtt Kv.Arn}]}
  G: {Type: AWS::CloudFront::Function, Properties: {Name: g, FunctionCode: x, FunctionConfig: {Comment: '', Runtime: cloudfront-js-1.0}}}
";
    let plan = Project::new(&[("template.yaml", text)]).plan("template.yaml");
    let f = &plan.cloudfront_functions[0].item;
    assert!(f.publish);
    assert_eq!(
        f.config["KeyValueStoreAssociations"],
        json!({"Quantity": 1, "Items": [{"KeyValueStoreARN": {"$ref": {"kind": "store", "id": "Kv", "attribute": "arn"}}}]})
    );
    assert!(!plan.cloudfront_functions[1].item.publish);
    assert_eq!(plan.notes[0].kind, NoteKind::Warning);
    assert!(
        matches!(&plan.stores[0].item.data, Some(Artifact::S3 { bucket, key, .. }) if bucket == "b" && key == "k.json")
    );
}

#[test]
fn sams_globals_merge_and_its_references_mean_version_and_alias() {
    // CP-360
    let text = "
Transform: AWS::Serverless-2016-10-31
Globals: {Function: {Runtime: nodejs22.x, Timeout: 9, Environment: {Variables: {A: a, B: b}}, Architectures: [x86_64]}}
Resources:
  F:
    Type: AWS::Serverless::Function
    Properties:
      InlineCode: 'exports.handler = 1'
      Handler: index.handler
      Timeout: 3
      Environment: {Variables: {B: own}}
      AutoPublishAlias: live
      Events: {E: {Type: Api}}
  P: {Type: AWS::Lambda::Permission, Properties: {FunctionName: !Ref F.Alias, Action: a, Principal: edgelambda.amazonaws.com}}
  Q: {Type: AWS::Lambda::Permission, Properties: {FunctionName: !Sub '${F.Version}', Action: a, Principal: edgelambda.amazonaws.com}}
";
    let project = Project::new(&[("template.yaml", text)]);
    let plan = project.plan("template.yaml");
    let f = &plan.functions[0].item;
    assert_eq!((f.runtime.as_str(), f.timeout), ("nodejs22.x", Some(3)));
    assert_eq!(json!(f.environment), json!({"A": "a", "B": "own"}));
    assert_eq!(
        f.code,
        Artifact::Inline {
            name: "index.js".into(),
            source: "exports.handler = 1".into()
        }
    );
    let refer =
        |kind: &str, id: &str| json!({"$ref": {"kind": kind, "id": id, "attribute": "arn"}});
    assert_eq!(
        plan.permissions[0].item.function,
        refer("alias", "FAliaslive")
    );
    assert_eq!(
        plan.permissions[1].item.function,
        refer("version", "FVersion")
    );
    assert!(f.edge);
    assert_eq!(
        project.notes("template.yaml"),
        [
            "template.yaml:13:16: ignored: Resources.F.Properties.Events.E: an event of type Api means nothing here"
        ]
    );
}

#[test]
fn code_is_looked_for_on_this_disk() {
    // CP-305
    let text = "Resources:\n  A: {Type: AWS::Lambda::Function, Properties: {Code: ./src, Handler: i.h, Runtime: nodejs22.x}}\n\
                \x20 B: {Type: AWS::Lambda::Function, Properties: {Code: no.zip, Handler: i.h, Runtime: nodejs22.x}}\n";
    assert_eq!(
        Project::new(&[("template.yaml", text), ("src/i.js", "")]).errors("template.yaml"),
        [
            "template.yaml:3:55: Resources.B.Properties.Code: `no.zip` cannot be read: No such file or directory (os error 2)",
            "template.yaml:3:55: Resources.B.Properties.Code: `Code` has `ZipFile`, or `S3Bucket` and `S3Key`"
        ][..1]
    );
}
