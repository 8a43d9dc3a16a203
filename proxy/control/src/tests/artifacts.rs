//! Code and imports that come from buckets for which directories or servers stand, and origins whose buckets are found when they are
//! deployed (CP-075, CP-156, CP-305, CP-320).

use std::{
    fs,
    io::Write as _,
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use fourfront_auth::{
    AuthMode, Credential, Gate, Grants, LinkSigner, MasterKey, MemoryStore, RequestHead, Source,
    Window,
};
use fourfront_aws::Service;
use http::Response;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::{peer::Peer, plane::Plane};
use crate::ArtifactSource;

/// A site needs a distribution, unless what was deployed has one.
const REST: &str = "distributions: { site: { origins: { app: 'http://127.0.0.1:3000' } } }\n";
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
    let mut versioned = json!({ "S3Bucket": "builds", "S3Key": "v1/edge.zip" });
    versioned["S3ObjectVersion"] = json!("1");
    let refused = plane.call(Service::Lambda, "CreateFunction", &function(versioned));
    assert!(refused.unwrap_err().message.contains("keeps no versions"));
    let image = json!({ "ImageUri": "000000000000.dkr.ecr.us-east-1.amazonaws.com/edge:1" });
    let refused = plane
        .call(Service::Lambda, "CreateFunction", &function(image))
        .unwrap_err();
    assert_eq!(refused.code, "InvalidParameterValueException");
    let made = create("builds", "v1/edge.zip").unwrap();
    assert_eq!(made["CodeSize"], json!(bytes.len()));
}

/// A server with one bucket that lets in who signs with its key, by the auth crate's verifier.
fn bucket_server() -> (Peer, Credential) {
    let key = Credential::generate(Grants::admin(), SystemTime::UNIX_EPOCH).unwrap();
    let known = MemoryStore::new();
    known.put(key.clone());
    let links = LinkSigner::new(&MasterKey::from_bytes([1; 32]), "eu-west-1");
    let gate = Gate::new(known, AuthMode::SigV4, Window::default(), links);
    let zip = Bytes::from(zip("exports.handler = async () => {};"));
    let server = Peer::start(move |parts, _| {
        let error = |status: u16, code: &str| {
            let body = format!("<Error><Code>{code}</Code><Message>No {code}.</Message></Error>");
            let answer = Response::builder().status(status);
            answer.body(Bytes::from(body)).unwrap()
        };
        let head = RequestHead {
            method: parts.method.as_str(),
            raw_path: parts.uri.path().as_bytes(),
            raw_query: parts.uri.query().unwrap_or_default().as_bytes(),
            headers: &parts.headers,
            over_tls: false,
        };
        let source = Source::Address([192, 0, 2, 1].into());
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
        let admitted = gate.admit_foreign(&head, source, now);
        let empty = Sha256::digest(b"").into();
        if let Err(fault) = admitted.and_then(|admission| admission.finish(&empty)) {
            return error(403, fault.code(fourfront_auth::Service::CloudFront));
        }
        match (parts.uri.path(), parts.uri.query()) {
            ("/releases/v%201/edge%2B%28a%29.zip", None) => Response::new(zip.clone()),
            ("/releases/edge.zip", Some("versionId=a%2Fb")) => Response::new(zip.clone()),
            ("/releases/flags.json", None) => {
                Response::new(Bytes::from_static(br#"{"data":[{"key":"a","value":"1"}]}"#))
            }
            ("/releases/large.zip", None) => Response::new(Bytes::from(vec![0; 52_428_801])),
            _ => error(404, "NoSuchKey"),
        }
    });
    (server, key)
}

#[test]
fn code_comes_from_a_server_with_signed_requests() {
    // CP-075, CP-156, CP-305
    let (server, key) = bucket_server();
    let site = format!(
        "node:\n  data_dir: ./data\n  artifacts:\n    releases:\n      endpoint: http://{0}\n      region: eu-west-1\n      \
         credentials: {{ access_key_id: {1}, secret_access_key: '{2}' }}\n    \
         strange: {{ endpoint: 'http://{0}', credentials: {{ access_key_id: {1}, secret_access_key: other }} }}\n    \
         gone: {{ endpoint: 'http://127.0.0.1:1' }}\n",
        server.address,
        key.key_id.as_str(),
        key.secret.reveal(),
    );
    let plane = Plane::new(&site);
    let create = |name: &str, code: Value| {
        let mut input = function(code);
        input["FunctionName"] = json!(name);
        plane.call(Service::Lambda, "CreateFunction", &input)
    };
    let object = |bucket: &str, key: &str| json!({ "S3Bucket": bucket, "S3Key": key });
    let made = create("one", object("releases", "v 1/edge+(a).zip")).unwrap();
    let mut versioned = object("releases", "edge.zip");
    versioned["S3ObjectVersion"] = json!("a/b");
    let same = create("two", versioned).unwrap();
    assert_eq!(made["CodeSha256"], same["CodeSha256"]);
    let asked = server.asked();
    assert_eq!(asked.len(), 2);
    let host = server.address.to_string();
    assert!(
        asked
            .iter()
            .all(|(parts, _)| parts.headers["host"] == *host)
    );
    for (bucket, key, parts) in [
        (
            "releases",
            "edge.zip",
            &["NoSuchKey", "node.artifacts.releases", "No NoSuchKey."][..],
        ),
        (
            "releases",
            "large.zip",
            &["52428801 bytes", "node.artifacts.releases"],
        ),
        (
            "strange",
            "edge.zip",
            &["SignatureDoesNotMatch", "node.artifacts.strange"],
        ),
        ("gone", "edge.zip", &["127.0.0.1:1", "node.artifacts.gone"]),
        // What may be another bucket's to whoever resolves it.
        ("releases", "../strange/edge.zip", &["`.` or `..`"]),
        ("releases", "a/./edge.zip", &["`.` or `..`"]),
    ] {
        let refused = create("three", object(bucket, key)).unwrap_err();
        assert_eq!(
            (refused.status, &*refused.code),
            (400, "InvalidParameterValueException")
        );
        let named = format!("s3://{bucket}/{key}");
        for part in parts.iter().chain([&&*named]) {
            assert!(refused.message.contains(part), "{}", refused.message);
        }
    }
    let source = json!({ "SourceType": "S3", "SourceARN": "arn:aws:s3:::releases/flags.json" });
    let input = json!({ "Name": "flags", "ImportSource": source });
    plane.cloudfront("CreateKeyValueStore", &input).unwrap();
}

#[test]
fn buckets_of_artifacts_are_where_the_node_says() {
    // CP-075
    let artifacts = |entry: &str| {
        let site = format!("node: {{ artifacts: {{ releases: {entry} }} }}\n{REST}");
        let loaded = super::accepted(&site);
        match loaded.node.control.artifacts["releases"].clone() {
            ArtifactSource::Server(server) => (
                server.endpoint.authority(),
                server.endpoint.bucket,
                server.host,
                server.region,
            ),
            ArtifactSource::Dir(_) => panic!("a server"),
        }
    };
    let told = |of: [&str; 4]| {
        let [authority, bucket, host, region] = of.map(str::to_owned);
        (authority, bucket, host, region)
    };
    let by_name = "releases.s3.eu-west-1.amazonaws.com";
    for (entry, wanted) in [
        ("{ region: eu-west-1 }", [by_name, "", by_name, "eu-west-1"]),
        (
            "{ endpoint: 'http://127.0.0.1:9000' }",
            ["127.0.0.1:9000", "releases", "127.0.0.1:9000", "us-east-1"],
        ),
        (
            "{ endpoint: 'http://127.0.0.1:9000', path_style: false, region: eu-west-1 }",
            ["127.0.0.1:9000", "", by_name, "eu-west-1"],
        ),
    ] {
        assert_eq!(artifacts(entry), told(wanted), "{entry}");
    }
    super::accepted(&format!(
        "node: {{ artifacts: {{ releases: {{ dir: ./public }} }} }}\n{REST}"
    ));
    super::refused(
        &format!(
            "{}\n{REST}",
            "node: { artifacts: { releases: { dir: ./public, endpoint: 'http://127.0.0.1:1' } } }"
        ),
        &["1:59: node.artifacts.releases.endpoint: `dir` and `endpoint` exclude each other"],
    );
    // CP-642: the secret of credentials may be a file
    let dir = super::site_dir();
    fs::write(dir.path().join("secret"), "s3cr3t\n").unwrap();
    let site = format!(
        "{}\n{REST}",
        "node: { artifacts: { releases: { endpoint: 'http://h', credentials: { access_key_id: a, secret_access_key_file: ./secret } } } }"
    );
    let loaded = super::parse_in(dir.path(), &site).unwrap();
    let ArtifactSource::Server(server) = &loaded.node.control.artifacts["releases"] else {
        panic!("a server");
    };
    assert_eq!(
        server.credentials.as_ref().unwrap().secret_access_key,
        "s3cr3t"
    );
    super::refused(
        &format!(
            "{}\n{REST}",
            "node: { artifacts: { releases: { endpoint: 'http://h', credentials: { access_key_id: a, secret_access_key_file: ./gone, secret_access_key: b } } } }"
        ),
        &[
            "1:113: node.artifacts.releases.credentials.secret_access_key_file: `secret_access_key` and | exclude each other",
        ],
    );
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
