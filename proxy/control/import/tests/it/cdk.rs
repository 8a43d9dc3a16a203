//! CDK assemblies beyond the goldens.

use fourfront_import::Artifact;
use serde_json::json;

use crate::Project;

const STACK: &str = r#""type": "aws:cloudformation:stack""#;

fn assembly() -> Project {
    let manifest = format!(
        r#"{{"version": "1", "artifacts": {{
            "A": {{{STACK}, "environment": "aws://111122223333/eu-west-1", "properties": {{"templateFile": "A.json"}}, "dependencies": ["B", "A.assets"]}},
            "B": {{{STACK}, "environment": "aws://unknown-account/unknown-region", "properties": {{"templateFile": "B.json", "stackName": "bee"}}}},
            "C": {{{STACK}, "properties": {{"templateFile": "C.json"}}}},
            "A.assets": {{"type": "cdk:asset-manifest", "properties": {{"file": "A.assets.json"}}}},
            "Nested": {{"type": "cdk:cloud-assembly", "properties": {{"directoryName": "stage"}}}}
        }}}}"#
    );
    let a = r#"{"Resources": {
        "Kv": {"Type": "AWS::CloudFront::KeyValueStore", "Properties": {"Name": {"Fn::ImportValue": "shared"},
              "ImportSource": {"SourceType": "S3", "SourceArn": {"Fn::Sub": "arn:aws:s3:::assets-${AWS::AccountId}-${AWS::Region}/h1.json"}}}},
        "F": {"Type": "AWS::Lambda::Function", "Properties": {"Handler": "i.h", "Runtime": "nodejs22.x", "Code": {"S3Bucket": "b", "S3Key": "h2.zip"}}}}}"#;
    let assets = r#"{"files": {
        "h1": {"source": {"path": "asset.h1.json", "packaging": "file"}, "destinations": {"d": {"objectKey": "h1.json"}}},
        "h2": {"source": {"path": "asset.h2", "packaging": "zip"}, "destinations": {"d": {"objectKey": "h2.zip"}}}}}"#;
    Project::new(&[
        ("cdk.json", "{}"),
        ("cdk.out/cdk.out", "{}"),
        ("cdk.out/manifest.json", &manifest),
        ("cdk.out/A.json", a),
        ("cdk.out/A.assets.json", assets),
        ("cdk.out/B.json", r#"{"Resources": {"X": {"Type": "AWS::S3::Bucket"}}, "Outputs": {"O": {"Value": {"Ref": "X"}, "Export": {"Name": "shared"}}}}"#),
        ("cdk.out/C.json", r#"{"Resources": {"Y": {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": {"Ref": "AWS::Region"}}}}}"#),
        ("cdk.out/stage/manifest.json", &format!(r#"{{"artifacts": {{"S": {{{STACK}, "properties": {{"templateFile": "S.json"}}}}}}}}"#)),
        ("cdk.out/stage/S.json", r#"{"Resources": {"Z": {"Type": "AWS::S3::Bucket"}}}"#),
    ])
    .with(|o| o.name = None)
}

#[test]
fn stacks_share_exports_and_assets_are_found() {
    // CP-361, CP-362, CP-364
    let project = assembly();
    let plan = project.plan("");
    assert_eq!(plan.stack, "A+C+S");
    let ids: Vec<&str> = plan.buckets.iter().map(|b| b.id.as_str()).collect();
    assert_eq!(ids, ["B/X", "C/Y", "S/Z"]);
    assert_eq!(plan.buckets[0].item.name, "bee-x");
    assert_eq!(plan.buckets[1].item.name, "us-east-1");
    assert_eq!(plan.stores[0].item.name, "bee-x");
    assert_eq!(plan.functions[0].item.name, "A-F");
    let out = project.path().join("cdk.out");
    assert_eq!(
        plan.stores[0].item.data,
        Some(Artifact::File {
            path: out.join("asset.h1.json")
        })
    );
    assert_eq!(
        json!(plan.functions[0].item.code),
        json!({"type": "directory", "path": out.join("asset.h2")})
    );
}

#[test]
fn chosen_stacks_bring_what_they_depend_on() {
    // CP-361
    let plan = assembly()
        .with(|o| o.stacks = vec!["A".to_owned()])
        .plan("");
    assert_eq!(plan.stack, "A");
    let ids: Vec<&str> = plan.buckets.iter().map(|b| b.id.as_str()).collect();
    assert_eq!(ids, ["B/X"]);
    assert_eq!(
        assembly()
            .with(|o| o.stacks = vec!["No".to_owned()])
            .errors(""),
        ["cdk.out: there is no stack `No`, only A, B, C, S"]
    );
}

#[test]
fn paths_that_lead_out_are_refused() {
    // CP-361: an assembly is read from its own directory alone.
    let project = assembly();
    let manifest = project.path().join("cdk.out/manifest.json");
    let text = std::fs::read_to_string(&manifest)
        .unwrap()
        .replace("A.json", "../../x.json");
    std::fs::write(&manifest, text).unwrap();
    assert_eq!(
        project.errors(""),
        ["cdk.out/manifest.json:2:13: artifacts.A: names no template of this directory"]
    );
}
