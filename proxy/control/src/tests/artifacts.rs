//! Code and imports that come from buckets for which directories stand, and origins whose buckets are found when they are
//! deployed (CP-075, CP-156, CP-320).

use std::{fs, io::Write as _};

use fourfront_aws::Service;
use serde_json::{Value, json};

use super::plane::Plane;

const SITE: &str = "node: { data_dir: ./data, artifacts: { builds: ./public } }\n";

fn zip(code: &str) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    zip.start_file("index.js", zip::write::SimpleFileOptions::default())
        .unwrap();
    zip.write_all(code.as_bytes()).unwrap();
    zip.finish().unwrap().into_inner()
}

fn function(code: Value) -> Value {
    json!({
        "FunctionName": "edge",
        "Runtime": "nodejs22.x",
        "Role": "arn:aws:iam::000000000000:role/edge",
        "Handler": "index.handler",
        "Code": code,
    })
}

#[test]
fn code_comes_from_a_directory() {
    // CP-075
    let plane = Plane::new(SITE);
    fs::create_dir(plane.dir.path().join("public/v1")).unwrap();
    let bytes = zip("exports.handler = async () => {};");
    fs::write(plane.dir.path().join("public/v1/edge.zip"), &bytes).unwrap();
    let create = |bucket: &str, key: &str| {
        let code = json!({ "S3Bucket": bucket, "S3Key": key });
        plane.call(Service::Lambda, "CreateFunction", &function(code))
    };
    for (bucket, key, part) in [
        ("other", "v1/edge.zip", "set `node.artifacts.other`"),
        ("builds", "../auth.js", "the key is no path in it"),
        ("builds", "v1/gone.zip", "gone.zip"),
    ] {
        let refused = create(bucket, key).unwrap_err();
        assert_eq!(refused.code, "InvalidParameterValueException");
        assert!(refused.message.contains(part), "{}", refused.message);
        assert!(refused.message.contains(&format!("s3://{bucket}/{key}")));
    }
    let image = json!({ "ImageUri": "000000000000.dkr.ecr.us-east-1.amazonaws.com/edge:1" });
    let refused = plane
        .call(Service::Lambda, "CreateFunction", &function(image))
        .unwrap_err();
    assert_eq!(refused.code, "InvalidParameterValueException");
    let made = create("builds", "v1/edge.zip").unwrap();
    assert_eq!(made["CodeSize"], json!(bytes.len()));
}

#[test]
fn stores_are_imported_from_a_directory() {
    // CP-156
    let plane = Plane::new(SITE);
    let create = |name: &str, arn: &str| {
        let source = json!({ "SourceType": "S3", "SourceARN": arn });
        let input = json!({ "Name": name, "ImportSource": source });
        plane.cloudfront("CreateKeyValueStore", &input)
    };
    let data = [
        ("good", r#"{"data":[{"key":"a","value":"1"}]}"#, None),
        (
            "twice",
            r#"{"data":[{"key":"a","value":"1"},{"key":"a","value":"2"}]}"#,
            Some("twice"),
        ),
        ("list", r#"[{"key":"a","value":"1"}]"#, Some("ImportSource")),
    ];
    for (name, text, fault) in data {
        fs::write(plane.dir.path().join(format!("public/{name}.json")), text).unwrap();
        let outcome = create(name, &format!("arn:aws:s3:::builds/{name}.json"));
        match fault {
            None => assert!(outcome.is_ok(), "{outcome:?}"),
            Some(part) => {
                let refused = outcome.unwrap_err();
                assert_eq!(refused.code, "InvalidArgument");
                assert!(refused.message.contains(part), "{}", refused.message);
            }
        }
    }
    for (arn, part) in [
        ("arn:aws:s3:::other/good.json", "set `node.artifacts.other`"),
        ("arn:aws:s3:::builds", "is no ARN of an object"),
    ] {
        let refused = create("none", arn).unwrap_err();
        assert!(refused.message.contains(part), "{}", refused.message);
    }
}

fn bucket_distribution(control: &str) -> Value {
    let mut config = super::deployed::distribution("assets.s3.us-east-1.amazonaws.com");
    let origin = &mut config["Origins"]["Items"][0];
    origin["S3OriginConfig"] = json!({ "OriginAccessIdentity": "" });
    origin["OriginAccessControlId"] = json!(control);
    origin.as_object_mut().unwrap().remove("CustomOriginConfig");
    json!({ "DistributionConfig": config })
}

#[test]
fn buckets_of_deployed_distributions_are_the_nodes_to_give() {
    // CP-320, CF-435, CP-118: refused when it is deployed, by CloudFront's code and with the setting to add
    let control = json!({ "OriginAccessControlConfig": {
        "Name": "oac", "SigningProtocol": "sigv4", "SigningBehavior": "always",
        "OriginAccessControlOriginType": "s3",
    } });
    let made = |plane: &Plane| {
        let made = plane.cloudfront("CreateOriginAccessControl", &control);
        let id = made.unwrap()["OriginAccessControl"]["Id"].clone();
        plane.cloudfront(
            "CreateDistribution",
            &bucket_distribution(id.as_str().unwrap()),
        )
    };
    let refused = made(&Plane::new("node: { data_dir: ./data }\n")).unwrap_err();
    assert_eq!(
        (refused.status, &*refused.code),
        (400, "InvalidOriginAccessControl")
    );
    assert!(
        refused
            .message
            .contains("node.origins.s3.assets.credentials"),
        "{}",
        refused.message
    );
    for entry in [
        "{ dir: ./public }",
        "{ endpoint: 'http://127.0.0.1:9000', credentials: { access_key_id: a, secret_access_key: b } }",
    ] {
        let site =
            format!("node: {{ data_dir: ./data, origins: {{ s3: {{ assets: {entry} }} }} }}\n");
        made(&Plane::new(&site)).unwrap();
    }
}
