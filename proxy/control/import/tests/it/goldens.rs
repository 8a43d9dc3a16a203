//! One project, five tools, one plan (CP-704).

use std::{
    collections::BTreeMap,
    io::{Cursor, Read as _},
    path::PathBuf,
};

use fourfront_import::{
    Artifact, Options, PackLimits, Plan, RefKind, SourceKind, Target, detect, read,
};
use serde_json::{Value, json};

fn data(name: &str) -> PathBuf {
    PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").expect("tests are run by cargo"))
        .join("tests/data")
        .join(name)
}

#[track_caller]
fn plan(name: &str) -> Plan {
    match read(&data(name), &Options::default()) {
        Ok(plan) => plan,
        Err(errors) => panic!("{name}: {errors}"),
    }
}

/// Names and contents of a package.
fn files(artifact: &Artifact) -> BTreeMap<String, String> {
    let bytes = artifact.pack(&PackLimits::default()).unwrap();
    let mut zip = zip::ZipArchive::new(Cursor::new(bytes)).unwrap();
    (0..zip.len())
        .map(|i| {
            let mut file = zip.by_index(i).unwrap();
            let mut text = String::new();
            file.read_to_string(&mut text).unwrap();
            (file.name().unwrap().into_owned(), text)
        })
        .collect()
}

/// The plan without what tools name or default differently: ids, names, places, and members of the normal form at their
/// defaults (CP-704, "up to names").
fn essence(plan: &Plan) -> Value {
    let [function] = plan.functions.as_slice() else {
        panic!("one function, not {}", plan.functions.len());
    };
    let [version] = plan.versions.as_slice() else {
        panic!("one version, not {}", plan.versions.len());
    };
    let [distribution] = plan.distributions.as_slice() else {
        panic!("one distribution, not {}", plan.distributions.len());
    };
    let of = Target::of(&version.item.function).unwrap();
    assert_eq!(
        (of.kind, of.id.as_str()),
        (RefKind::Function, function.id.as_str())
    );
    let mut config = distribution.item.config.clone();
    let origin = config["Origins"]["Items"][0]["Id"].take();
    assert_eq!(
        config["DefaultCacheBehavior"]["TargetOriginId"].take(),
        origin
    );
    let arn = &config["DefaultCacheBehavior"]["LambdaFunctionAssociations"]["Items"][0]["LambdaFunctionARN"];
    let arn = Target::of(arn).unwrap();
    assert_eq!(
        (arn.kind, arn.id.as_str(), arn.attribute.as_str()),
        (RefKind::Version, version.id.as_str(), "arn")
    );
    config["DefaultCacheBehavior"]["LambdaFunctionAssociations"]["Items"][0]["LambdaFunctionARN"] =
        json!("VERSION");
    for (object, member, default) in [
        ("", "HttpVersion", json!("http2")),
        ("", "IsIPV6Enabled", json!(false)),
        ("/DefaultCacheBehavior", "Compress", json!(false)),
        (
            "/Origins/Items/0/CustomOriginConfig",
            "OriginSslProtocols",
            json!({"Quantity": 1, "Items": ["TLSv1.2"]}),
        ),
    ] {
        let object = config.pointer_mut(object).unwrap().as_object_mut().unwrap();
        if object.get(member) == Some(&default) {
            object.remove(member);
        }
    }
    let f = &function.item;
    json!({
        "function": {
            "runtime": f.runtime, "handler": f.handler, "memory": f.memory, "timeout": f.timeout, "environment": f.environment,
            "edge": f.edge, "files": files(&f.code),
        },
        "distribution": config,
    })
}

fn expected() -> Value {
    json!({
        "function": {
            "runtime": "nodejs20.x", "handler": "handler.handler", "memory": 128, "timeout": 5, "environment": {}, "edge": true,
            "files": {"handler.js": std::fs::read_to_string(data("seed/handler.js")).unwrap()},
        },
        "distribution": {
            "Comment": "edgesvc dev",
            "Enabled": true,
            "Origins": {"Quantity": 1, "Items": [{
                "Id": null, "DomainName": "www.example.org", "OriginPath": "/app",
                "CustomOriginConfig": {"HTTPPort": 80, "HTTPSPort": 443, "OriginProtocolPolicy": "match-viewer"},
            }]},
            "DefaultCacheBehavior": {
                "TargetOriginId": null,
                "ViewerProtocolPolicy": "allow-all",
                "CachePolicyId": "658327ea-f89d-4fab-a63d-7e88639e58f6",
                "LambdaFunctionAssociations": {"Quantity": 1, "Items": [
                    {"EventType": "viewer-request", "LambdaFunctionARN": "VERSION"},
                ]},
            },
        },
    })
}

#[test]
fn five_tools_give_one_plan() {
    // CP-704, CP-330..336, 342, 360..363: the same project read in five ways.
    for name in [
        "seed/serverless.yml",
        "packaged",
        "sam/template.yaml",
        "cdk-us-east-1",
        "cdk-eu-west-1",
    ] {
        assert_eq!(essence(&plan(name)), expected(), "{name}");
    }
}

#[test]
fn sams_own_transform_gives_the_same() {
    // CP-704, CP-360: what SAM's own transform makes differs from our reading of SAM by where the code is.
    let mut theirs = plan("sam/transformed.json");
    let ours = plan("sam/template.yaml");
    let Artifact::S3 { bucket, key, .. } = &theirs.functions[0].item.code else {
        panic!("{:?}", theirs.functions[0].item.code);
    };
    assert_eq!((bucket.as_str(), key.as_str()), ("bucket", "edgesvc.zip"));
    theirs.functions[0].item.code = ours.functions[0].item.code.clone();
    assert_eq!(essence(&theirs), essence(&ours));
    assert_eq!(theirs.functions[0].item.name, ours.functions[0].item.name);
    assert_eq!(theirs.aliases[0].item.name, ours.aliases[0].item.name);
    assert_eq!(theirs.aliases[0].id, "EdgeAliaslive");
    assert_eq!(ours.aliases[0].id, "EdgeAliaslive");
}

#[test]
fn the_worked_example_has_the_frameworks_names() {
    // CP-331, CP-334, CP-302: the names of the worked example.
    for name in ["seed/serverless.yml", "packaged"] {
        let plan = plan(name);
        assert_eq!(plan.stack, "edgesvc-dev");
        assert_eq!(plan.functions[0].id, "EdgeLambdaFunction");
        assert_eq!(plan.functions[0].item.name, "edgesvc-dev-edge");
        assert!(plan.functions[0].retain);
        assert_eq!(plan.distributions[0].id, "CloudFrontDistribution");
        let origin = &plan.distributions[0].item.config["Origins"]["Items"][0];
        assert_eq!(origin["Id"], "custom/www.example.org/app");
        let permission = &plan.permissions[0];
        assert_eq!(permission.id, "EdgeLambdaFunctionInvokePermission");
        assert_eq!(permission.item.principal, "edgelambda.amazonaws.com");
        assert_eq!(
            permission.item.source_arn,
            Some(json!({"$parts": [
                "arn:aws:cloudfront::000000000000:distribution/",
                {"$ref": {"kind": "distribution", "id": "CloudFrontDistribution", "attribute": "id"}},
            ]}))
        );
    }
}

#[test]
fn assemblies_hold_the_users_resources_alone() {
    // CP-363, CP-364: nothing of the CDK's own is in the plan, and stacks keep apart.
    let plan = plan("cdk-eu-west-1");
    assert_eq!(plan.stack, "Seed");
    assert_eq!(
        plan.functions[0].id,
        "edge-lambda-stack-c8fb1a1f3968714dff243d597d0691e0854617cfca/edge79DAC8C5"
    );
    assert_eq!(
        plan.distributions[0].id,
        "Seed/CloudFrontDistributionBA64CE3A"
    );
    assert_eq!(plan.notes, []);
}

#[test]
fn each_is_recognised() {
    // CP-300
    for (name, kind) in [
        ("seed", SourceKind::Serverless),
        ("seed/serverless.yml", SourceKind::Serverless),
        ("packaged", SourceKind::ServerlessPackage),
        ("sam", SourceKind::Sam),
        ("sam/transformed.json", SourceKind::CloudFormation),
        ("cdk-us-east-1", SourceKind::Cdk),
        ("cdk-us-east-1/manifest.json", SourceKind::Cdk),
    ] {
        assert_eq!(detect(&data(name)).unwrap(), kind, "{name}");
    }
}

#[test]
fn plans_are_json_and_lines() {
    // CP-301: a plan can be written down and printed.
    let plan = plan("seed/serverless.yml");
    let json = serde_json::to_string(&plan).unwrap();
    assert_eq!(serde_json::from_str::<Plan>(&json).unwrap(), plan);
    let prefix = format!("{}/", data("seed").display());
    let lines: Vec<String> = plan
        .describe()
        .iter()
        .map(|l| l.replace(&prefix, "./"))
        .collect();
    assert_eq!(
        lines,
        [
            "stack edgesvc-dev",
            "function EdgeLambdaFunction: edgesvc-dev-edge, nodejs20.x, 128 MB, 5 s, ./ (./serverless.yml:8:3)",
            "version EdgeLambdaVersion: of EdgeLambdaFunction (./serverless.yml:8:3)",
            "distribution CloudFrontDistribution: edgesvc dev (./serverless.yml:11:9)",
        ]
    );
}
