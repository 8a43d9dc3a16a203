//! What stands for buckets, for origins of site files, of documents and of deployed distributions (CP-320, CF-435..437).

use fourfront_model::{
    Endpoint, Origin, OriginKind, OriginProtocol, S3AuthMethod, SigningBehavior,
};
use serde_json::{Value, json};

use super::{accepted, deployed, refused};
use crate::{Deployed, Loaded, Part};

const KEYS: &str = "credentials: { access_key_id: AKID, secret_access_key: s3cr3t }";

/// `node` from line 2 on, and the origin of the one distribution on line 6, column 10.
fn site(buckets: &str, origin: &str) -> String {
    format!(
        "node:
  origins: {{ s3: {{ {buckets} }} }}
distributions:
  a:
    origins:
      b: {{ {origin} }}
"
    )
}

fn origin_of(loaded: &Loaded) -> Origin {
    let site = &loaded.site.distributions()[0];
    Origin::clone(site.origin_of(&site.default_behavior))
}

fn dir_of(origin: &Origin) -> Option<String> {
    match &origin.kind {
        OriginKind::Dir(dir) => Some(dir.file_name()?.to_str()?.to_owned()),
        OriginKind::S3(_) | OriginKind::Custom(_) => None,
    }
}

#[test]
fn a_directory_stands_in_for_a_bucket() {
    // CP-320
    for origin in [
        "domain_name: assets.s3.amazonaws.com, s3_origin_config: {}",
        "domain_name: assets.s3.eu-west-1.amazonaws.com, s3_origin_config: {}, connection_attempts: 2",
        "domain_name: assets.s3.amazonaws.com, s3_origin_config: { origin_access_identity: origin-access-identity/cloudfront/E1 }",
        "domain_name: assets.s3-website-us-east-1.amazonaws.com, custom_origin_config: { origin_protocol_policy: http-only }",
        "domain_name: assets.s3.amazonaws.com, custom_origin_config: { origin_protocol_policy: match-viewer }",
    ] {
        let loaded = accepted(&site("assets: { dir: public }", origin));
        let found = origin_of(&loaded);
        assert_eq!(dir_of(&found).as_deref(), Some("public"), "{origin}");
        assert!(found.domain_name.starts_with("assets."), "{found:?}");
        assert_eq!((&found.endpoint, &found.access), (&None, &None));
        assert!(found.secure.is_none());
        let rules: Vec<_> = loaded.warnings.iter().map(|w| w.rule).collect();
        let is_website = origin.contains("website");
        assert_eq!(
            rules,
            if is_website { vec!["CP-320"] } else { vec![] },
            "{origin}"
        );
    }
    // Others are not touched.
    for origin in [
        "domain_name: other.s3.amazonaws.com, s3_origin_config: {}",
        "domain_name: assets.test, s3_origin_config: {}",
        "domain_name: assets.s3.amazonaws.com, s3_origin_config: { endpoint: 'http://127.0.0.1:9000' }",
    ] {
        let loaded = accepted(&site("assets: { dir: public }", origin));
        assert_eq!(dir_of(&origin_of(&loaded)), None, "{origin}");
    }
}

#[test]
fn a_server_stands_in_for_a_bucket() {
    // CP-320, CF-434, CF-436
    let server = |bucket: &str| Endpoint {
        protocol: OriginProtocol::Http,
        host: "minio.test".to_owned(),
        port: 9000,
        bucket: bucket.to_owned(),
    };
    let s3 = "domain_name: assets.s3.eu-west-1.amazonaws.com, s3_origin_config: {}";
    for (settings, s3, expected, region) in [
        ("", s3, server("assets"), "eu-west-1"),
        (", region: garage", s3, server("assets"), "garage"),
        (", path_style: false", s3, server(""), "eu-west-1"),
        (
            ", region: garage",
            "domain_name: assets.s3.amazonaws.com, s3_origin_config: { region: own }",
            server("assets"),
            "own",
        ),
    ] {
        let entry = format!("assets: {{ endpoint: 'http://minio.test:9000'{settings} }}");
        let origin = origin_of(&accepted(&site(&entry, s3)));
        assert_eq!(origin.endpoint, Some(expected), "{settings}");
        let OriginKind::S3(kind) = &origin.kind else {
            panic!("{origin:?}");
        };
        assert_eq!(
            (&*kind.region, kind.auth_method),
            (region, S3AuthMethod::None)
        );
    }
    // A custom origin goes to the name it gives, and that is said.
    let loaded = accepted(&site(
        "assets: { endpoint: 'http://minio.test:9000' }",
        "domain_name: assets.s3.amazonaws.com, custom_origin_config: { origin_protocol_policy: https-only }",
    ));
    assert_eq!(origin_of(&loaded).endpoint, None);
    assert_eq!(loaded.warnings.len(), 1);
    assert_eq!(loaded.warnings[0].rule, "CP-320");
    // Authorities of a server that has no TLS would vouch for nothing.
    refused(
        &site(
            "assets: { endpoint: 'http://minio.test:9000' }",
            "domain_name: assets.s3.amazonaws.com, s3_origin_config: {}, origin_ca: ca.pem",
        ),
        &["6:83: distributions.a.origins.b.origin_ca: `origin_ca` is for connections by https"],
    );
}

#[test]
fn what_signs_takes_the_keys_of_the_bucket() {
    // CP-320, CF-432, CF-435, CF-437
    let with = |control: &str, bucket: &str, origin: &str| {
        let text = site(bucket, origin);
        accepted(&format!(
            "{text}origin_access_controls: {{ c: {{ {control} }} }}\n"
        ))
    };
    let named =
        "domain_name: assets.s3.amazonaws.com, s3_origin_config: {}, origin_access_control_id: c";
    let keys = format!("assets: {{ {KEYS} }}");
    for (word, behavior) in [
        ("always", SigningBehavior::Always),
        ("no-override", SigningBehavior::NoOverride),
    ] {
        let loaded = with(&format!("signing_behavior: {word}"), &keys, named);
        let access = origin_of(&loaded).access.unwrap();
        assert_eq!((access.behavior, &*access.id), (behavior, "c"));
        assert_eq!(access.credentials.access_key_id, "AKID");
        assert_eq!(loaded.warnings, []);
    }
    let loaded = with("signing_behavior: never", "other: { dir: public }", named);
    assert!(origin_of(&loaded).access.is_none());
    // The control's own keys go before those of the bucket.
    let own = "signing_behavior: always, credentials: { access_key_id: OWN, secret_access_key: x }";
    let access = origin_of(&with(own, &keys, named)).access.unwrap();
    assert_eq!(access.credentials.access_key_id, "OWN");
    // So does a server with keys of its own, also for an origin that names that server itself.
    let server = format!("assets: {{ endpoint: 'http://minio.test:9000', {KEYS} }}");
    let placed = "domain_name: assets.s3.amazonaws.com, s3_origin_config: { endpoint: 'http://a.test:1' }, origin_access_control_id: c";
    for (origin, host) in [(named, "minio.test"), (placed, "a.test")] {
        let origin = origin_of(&with("signing_behavior: always", &server, origin));
        assert!(origin.access.is_some());
        assert_eq!(origin.endpoint.unwrap().host, host);
    }
    // An identity is a control that says `always`.
    let identity = "domain_name: assets.s3.amazonaws.com, s3_origin_config: { origin_access_identity: origin-access-identity/cloudfront/E1 }";
    let loaded = accepted(&site(&keys, identity));
    let origin = origin_of(&loaded);
    assert_eq!(origin.access.unwrap().behavior, SigningBehavior::Always);
    assert_eq!(loaded.warnings.len(), 1);
    assert_eq!(loaded.warnings[0].rule, "CF-437");
    let none =
        "domain_name: assets.s3.amazonaws.com, s3_origin_config: { origin_access_identity: '' }";
    assert!(origin_of(&accepted(&site(&keys, none))).access.is_none());
    // A directory lets everybody in, but a control that is not there is a slip all the same.
    let loaded = with("signing_behavior: always", "assets: { dir: public }", named);
    assert_eq!(dir_of(&origin_of(&loaded)).as_deref(), Some("public"));
    refused(
        &site("assets: { dir: public }", named),
        &[
            "6:98: distributions.a.origins.b.origin_access_control_id: InvalidOriginAccessControl: there is no",
        ],
    );
}

#[test]
fn what_is_wrong_with_a_bucket_is_said() {
    // CP-320, CF-431, CF-435
    let s3 = "domain_name: assets.s3.amazonaws.com, s3_origin_config: {}";
    let dirs = "assets: { dir: public }";
    for (buckets, origin, said) in [
        (
            "assets: {}",
            s3,
            "2:28: node.origins.s3.assets: nothing is said of the bucket | credentials",
        ),
        (
            "assets: public",
            s3,
            "2:28: node.origins.s3.assets: expected a block with `dir`, `endpoint` or `credentials`",
        ),
        (
            "assets: { dir: gone }",
            s3,
            "2:35: node.origins.s3.assets.dir: directory `gone` does not exist",
        ),
        (
            "assets: { dir: public, endpoint: 'http://a.test' }",
            s3,
            "2:53: node.origins.s3.assets.endpoint: `dir` and `endpoint` exclude each other",
        ),
        (
            "assets: { dir: public, region: x }",
            s3,
            "2:35: node.origins.s3.assets.dir: a directory has no `region`",
        ),
        (
            "assets: { endpoint: 'a.test:9000' }",
            s3,
            "2:40: node.origins.s3.assets.endpoint: InvalidOrigin: `a.test:9000` is no server",
        ),
        (
            "assets: { region: x, path_style: true }",
            s3,
            "2:53: node.origins.s3.assets.path_style: `path_style` says how the server at `endpoint`",
        ),
        (
            "assets.s3.amazonaws.com: { dir: public }",
            s3,
            "2:20: node.origins.s3.assets.s3.amazonaws.com: `assets.s3.amazonaws.com` is not the name of a bucket (help: write `assets` alone)",
        ),
        (
            "Assets: { dir: public }",
            s3,
            "2:20: node.origins.s3.Assets: `Assets` is not the name of a bucket",
        ),
        (
            dirs,
            "domain_name: other.s3.amazonaws.com, s3_origin_config: { origin_access_identity: origin-access-identity/cloudfront/E1 }",
            "6:93: distributions.a.origins.b.s3_origin_config.origin_access_identity: InvalidOriginAccessIdentity: requests to the bucket `other` are to be signed | node.origins.s3.other.credentials",
        ),
        (
            dirs,
            "domain_name: other.s3.amazonaws.com, s3_origin_config: { origin_access_identity: origin-access-identity/cloudfront/E1 }, origin_access_control_id: c",
            "6:93: distributions.a.origins.b.s3_origin_config.origin_access_identity: IllegalOriginAccessConfiguration",
        ),
        (
            dirs,
            "domain_name: assets.s3.amazonaws.com, custom_origin_config: { origin_protocol_policy: http-only }, origin_access_control_id: c",
            "6:137: distributions.a.origins.b.origin_access_control_id: IllegalOriginAccessConfiguration: only requests to S3 buckets are signed",
        ),
    ] {
        let text = site(buckets, origin);
        refused(
            &format!("{text}origin_access_controls: {{ c: {{ signing_behavior: always }} }}\n"),
            &[said],
        );
    }
}

fn bucket_distribution(control: &str) -> Value {
    let mut config = deployed::distribution("assets.s3.us-east-1.amazonaws.com");
    let origin = &mut config["Origins"]["Items"][0];
    origin["S3OriginConfig"] = json!({ "OriginAccessIdentity": "" });
    origin["OriginAccessControlId"] = json!(control);
    // As normal forms have them.
    origin["ConnectionAttempts"] = json!(3);
    origin["OriginShield"] = json!({ "Enabled": false });
    origin.as_object_mut().unwrap().remove("CustomOriginConfig");
    config
}

fn control(behavior: &str) -> Deployed {
    deployed::entry(
        Part::OriginAccessControls,
        "EOAC",
        json!({
            "signing_behavior": behavior,
            "signing_protocol": "sigv4",
            "origin_access_control_origin_type": "s3",
        }),
        None,
    )
}

#[test]
fn deployed_distributions_find_their_buckets() {
    // CP-320, CF-435
    let load = |node: &str, behavior: &str| {
        let settings = json!({ "id": "E1" });
        let config = bucket_distribution("EOAC");
        let entries = [
            control(behavior),
            deployed::entry(Part::Distributions, "E1", settings, Some(config)),
        ];
        deployed::load(&format!("node:\n  data_dir: ./data\n  {node}\n"), &entries)
    };
    let keys = format!("origins: {{ s3: {{ assets: {{ {KEYS} }} }} }}");
    let origin = origin_of(&load(&keys, "always").unwrap());
    let access = origin.access.unwrap();
    assert_eq!(
        (&*access.id, access.behavior),
        ("EOAC", SigningBehavior::Always)
    );
    let dir = "origins: { s3: { assets: { dir: public } } }";
    let origin = origin_of(&load(dir, "always").unwrap());
    assert_eq!(dir_of(&origin).as_deref(), Some("public"));
    assert!(load("threads: 1", "never").is_ok());

    let errors = load("threads: 1", "always").unwrap_err();
    assert_eq!(errors.0.len(), 1, "{errors}");
    assert_eq!(errors.0[0].path, "/Origins/Items/0/OriginAccessControlId");
    let said = errors.to_string();
    for part in [
        "InvalidOriginAccessControl: requests to the bucket `assets` are to be signed",
        "node.origins.s3.assets.credentials",
    ] {
        assert!(said.contains(part), "{said}");
    }
}
