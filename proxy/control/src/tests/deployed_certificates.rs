//! Certificates, and what of AWS's own a deployed distribution names (CP-116, CP-117, CP-123).

use std::fs;

use serde_json::{Value, json};

use super::{deployed, env, site_dir};
use crate::{Deployment, Loaded, Part, SiteErrors, parse_with};

const ARN: &str = "arn:aws:acm:us-east-1:123456789012:certificate/1";

/// A node with two certificates, one of them for `*.example.test` and `example.test` and called `site` and by an ARN.
fn load(node: &str, config: Value) -> Result<Loaded, SiteErrors> {
    let dir = site_dir();
    let pair = |names: &[&str]| {
        let names: Vec<_> = names.iter().map(|n| (*n).to_owned()).collect();
        rcgen::generate_simple_self_signed(names)
            .unwrap()
            .cert
            .pem()
    };
    let site = pair(&["*.example.test", "Example.test"]);
    fs::write(dir.path().join("site.pem"), site).unwrap();
    let settings = json!({ "id": "E1", "default": false });
    let deployment = Deployment {
        entries: vec![deployed::entry(
            Part::Distributions,
            "E1",
            settings,
            Some(config),
        )],
        stores: Vec::new(),
        ..Deployment::default()
    };
    let text = format!("node:\n  data_dir: ./data\n  {node}\n");
    parse_with(&text, "site.yaml".as_ref(), dir.path(), &env, &deployment)
}

fn certificates() -> String {
    format!(
        "certificates: {{ other: {{ cert: ca.pem, key: site.key }}, site: {{ cert: site.pem, key: site.key, arn: \"{ARN}\" }} }}"
    )
}

fn config(aliases: &[&str], certificate: Value) -> Value {
    let mut config = deployed::distribution("one.example.test");
    config["Aliases"] = json!({ "Quantity": aliases.len(), "Items": aliases });
    config["ViewerCertificate"] = certificate;
    config
}

fn of_acm(arn: &str) -> Value {
    json!({ "ACMCertificateArn": arn, "SSLSupportMethod": "sni-only", "MinimumProtocolVersion": "TLSv1.2_2021" })
}

fn own() -> Value {
    json!({ "CloudFrontDefaultCertificate": true, "MinimumProtocolVersion": "TLSv1" })
}

fn said(node: &str, config: Value) -> String {
    let errors = load(node, config).unwrap_err();
    assert_eq!(errors.0.len(), 1, "{errors}");
    format!("{} {}", errors.0[0].path, errors.0[0])
}

#[test]
fn certificates_are_found_by_label_and_arn() {
    // CP-117, CF-095
    let nodes = [certificates(), certificates().replace("site: {", "s: {")];
    for name in [ARN, "site"] {
        let loaded = load(&nodes[0], config(&[], of_acm(name))).unwrap();
        let shown = &loaded.site.distributions()[0].viewer_certificate;
        assert_eq!(shown.certificate.as_deref(), Some("site"), "{name}");
    }
    let iam = json!({ "IAMCertificateId": ARN });
    let loaded = load(&nodes[1], config(&[], iam)).unwrap();
    let shown = &loaded.site.distributions()[0].viewer_certificate;
    assert_eq!(shown.certificate.as_deref(), Some("s"));
    let loaded = load(&nodes[0], config(&[], own())).unwrap();
    let shown = &loaded.site.distributions()[0].viewer_certificate;
    assert_eq!(shown.certificate, None);

    let other = "arn:aws:acm:us-east-1:123456789012:certificate/2";
    for node in [certificates(), "threads: 1".to_owned()] {
        let said = said(&node, config(&[], of_acm(other)));
        for part in [
            "/ViewerCertificate/ACMCertificateArn",
            "InvalidViewerCertificate: the node has no certificate `arn:aws:acm:",
            "add it under `node.certificates`",
        ] {
            assert!(said.contains(part), "{said}");
        }
    }
}

#[test]
fn arns_of_certificates_are_taken_once() {
    // CP-117
    let twice = certificates().replace(
        "key: site.key }, site",
        &format!("key: site.key, arn: \"{ARN}\" }}, site"),
    );
    assert!(said(&twice, config(&[], own())).contains("another certificate is called `arn:"));
    let label = certificates().replace("other:", &format!("\"{ARN}\":"));
    assert!(said(&label, config(&[], own())).contains("another certificate is called `arn:"));
    let none = certificates().replace(ARN, "word");
    assert!(said(&none, config(&[], own())).contains("`word` is no ARN"));
    let admin = "admin: { listen: 127.0.0.1:9400, certificate: { cert: site.pem, key: site.key, arn: \"arn:x\" } }";
    assert!(said(admin, config(&[], own())).contains("needs no `arn`"));
}

#[test]
fn aliases_are_covered_by_the_certificate() {
    // CP-116
    let node = certificates();
    let fine = ["www.example.test", "example.test", "WWW2.example.test"];
    load(&node, config(&fine, of_acm(ARN))).unwrap();
    load(&node, config(&["*.example.test"], of_acm(ARN))).unwrap();
    for alias in [
        "a.b.example.test",
        "example.org",
        "*.b.example.test",
        "*.test",
    ] {
        let said = said(&node, config(&["www.example.test", alias], of_acm(ARN)));
        assert!(said.starts_with("/Aliases/Items/1 "), "{said}");
        let what = format!(
            "InvalidViewerCertificate: the certificate `site` is not for `{alias}`: it is for *.example.test, example.test"
        );
        assert!(said.contains(&what), "{said}");
    }
    let none = said(&node, config(&["www.example.test"], own()));
    assert!(
        none.contains("InvalidViewerCertificate: CloudFront's own certificate covers no alias"),
        "{none}"
    );
    let unread = said(&node, config(&["www.example.test"], of_acm("other")));
    assert!(
        unread.contains("InvalidViewerCertificate: the certificate `other`: the file holds none"),
        "{unread}"
    );
    // Without HTTPS there is nothing to be covered, and `relaxed` is content with what is shown.
    load("threads: 1", config(&["www.example.test"], own())).unwrap();
    load(
        &format!("{node}\ncompat: relaxed"),
        config(&["example.org"], of_acm(ARN)),
    )
    .unwrap();
}

#[test]
fn the_api_refuses_by_cloudfronts_code_and_names_the_setting() {
    // CP-116, CP-117, CP-118
    let site =
        "node: { data_dir: ./data, certificates: { site: { cert: site.pem, key: site.key } } }\n";
    let plane = super::plane::Plane::new(site);
    let create = |config: Value| {
        let input = json!({ "DistributionConfig": config });
        plane.cloudfront("CreateDistribution", &input)
    };
    for (config, part) in [
        (config(&[], of_acm(ARN)), "add it under `node.certificates`"),
        (
            config(&["www.example.org"], of_acm("site")),
            "is not for `www.example.org`",
        ),
        (config(&["www.example.test"], own()), "ACMCertificateArn"),
    ] {
        let refused = create(config).unwrap_err();
        assert_eq!(
            (refused.status, &*refused.code),
            (400, "InvalidViewerCertificate")
        );
        assert!(refused.message.contains(part), "{}", refused.message);
    }
    let made = create(config(&["www.example.test"], of_acm("site"))).unwrap();
    let certificate = &made["Distribution"]["DistributionConfig"]["ViewerCertificate"];
    assert_eq!(certificate["Certificate"], "site");
}

/// What is said of a distribution with a member of its own: warnings by their rules, or the error.
fn with(change: impl FnOnce(&mut Value)) -> Result<Vec<&'static str>, String> {
    let mut config = config(&[], own());
    config["DefaultCacheBehavior"]["ViewerProtocolPolicy"] = json!("https-only");
    change(&mut config);
    match load(&certificates(), config) {
        Ok(loaded) => Ok(loaded.warnings.iter().map(|w| w.rule).collect()),
        Err(errors) => Err(errors.to_string()),
    }
}

#[test]
fn what_changes_nothing_here_is_warned_of() {
    // CP-123, CF-046, CF-049: addresses, streams of records, and the firewall that CloudFront's users all but always name
    for (member, value, rule) in [
        ("AnycastIpListId", "anycast-1", "CP-123"),
        (
            "WebACLId",
            "arn:aws:wafv2:us-east-1:1:global/webacl/x/1",
            "CF-049",
        ),
    ] {
        assert_eq!(
            with(|c| c[member] = json!(value)),
            Ok(vec![rule]),
            "{member}"
        );
        assert_eq!(with(|c| c[member] = json!("")), Ok(vec![]), "{member}");
    }
    let stream = |value: &'static str| {
        with(|c| c["DefaultCacheBehavior"]["RealtimeLogConfigArn"] = json!(value))
    };
    assert_eq!(
        stream("arn:aws:cloudfront::123456789012:realtime-log-config/x"),
        Ok(vec!["CP-123"])
    );
    assert_eq!(stream(""), Ok(vec![]));
}

#[test]
fn what_guards_something_is_refused() {
    // CP-123, CF-055, CF-056, CF-074: left out, viewers would come without certificates, past the function that turns them
    // away, and fields would reach the origin in the clear
    let mtls = |settings: Value| with(|c| c["ViewerMtlsConfig"] = settings);
    let trust = json!({ "TrustStoreId": "ts-1", "AdvertiseTrustStoreCaNames": false });
    for (outcome, reason) in [
        (
            mtls(json!({ "Mode": "required", "TrustStoreConfig": trust })),
            "`trust_store_id` is not supported",
        ),
        (
            mtls(json!({ "Mode": "passthrough" })),
            "`passthrough` is not supported",
        ),
        (
            with(|c| c["ConnectionFunctionAssociation"] = json!({ "Id": "cf-1" })),
            "`connection_function_association` is not supported",
        ),
        (
            with(|c| c["DefaultCacheBehavior"]["FieldLevelEncryptionId"] = json!("fle-1")),
            "`field_level_encryption_id` is not supported",
        ),
    ] {
        let said = outcome.unwrap_err();
        assert!(said.contains(reason), "{said}");
    }
    let off = with(|c| c["DefaultCacheBehavior"]["FieldLevelEncryptionId"] = json!(""));
    assert_eq!(off, Ok(vec![]));
}
