//! `fourfront.reference.yaml` is the page where users look settings up, so it is held against the tables.

use std::{fs, path::Path};

use fourfront_model::{CacheMode, Compat, EventType, Selection, TrustedProxies};

use crate::{
    ControlSettings, Deployment, LoadSettings, NodeSettings, ResolverSettings, Source,
    keys::{self, KeyKind},
    parse, parse_reporting,
    report::Report,
};

const REFERENCE: &str = include_str!("../../fourfront.reference.yaml");

/// A public key.
const KEY: &str = "-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE5t4Umm4DhnvW289k0c5z+/w8Yyx2
LLyLOMUIvYybWGIpNIbgHc1dms9RIZJtssuXqDEThi23IRFHzcQoIpg43g==
-----END PUBLIC KEY-----
";

/// A directory with what the reference names.
fn reference_dir() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for path in [
        "certs/origin-ca.pem",
        "certs/api-ca.pem",
        "certs/site.pem",
        "certs/site.key",
        "certs/master.key",
        "certs/shop.pem",
        "certs/shop.key",
        "certs/viewers.pem",
        "functions/security-headers.js",
        "functions/auth.mjs",
        "functions/rewrite/index.js",
        "functions/canonical.js",
        "functions/redirects.js",
        "stores/flags.json",
        "stores/routes.json",
        "public/index.html",
        "geo/city.mmdb",
        "geo/asn.mmdb",
        "keys/media.pem",
        "keys/partner.pem",
        "keys/shield-secrets.txt",
    ] {
        let path = dir.path().join(path);
        let text = match path.extension() {
            Some(e) if e == "json" => r#"{"data":[]}"#,
            Some(e) if e == "txt" => "another-secret-of-32-characters",
            Some(_) if path.parent().is_some_and(|p| p.ends_with("keys")) => KEY,
            _ => "",
        };
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    for (path, text) in [
        (
            "cloudfront/distribution.json",
            r#"{"ETag": "E2QWRUHAPOMQZL", "DistributionConfig": {
                "CallerReference": "1", "Comment": "", "Enabled": true,
                "Origins": {"Quantity": 1, "Items": [{"Id": "app", "DomainName": "app.example.test",
                    "CustomOriginConfig": {"HTTPPort": 80, "HTTPSPort": 443, "OriginProtocolPolicy": "https-only"}}]},
                "DefaultCacheBehavior": {"TargetOriginId": "app", "ViewerProtocolPolicy": "allow-all",
                    "CachePolicyId": "2e3f4a5b-0000-4000-8000-000000000000"}}}"#,
        ),
        (
            "cloudfront/cache-policy.json",
            r#"{"CachePolicy": {"Id": "9f4a5b6c-0000-4000-8000-000000000000", "CachePolicyConfig": {
                "Name": "imported-cache", "MinTTL": 1}}}"#,
        ),
        (
            "cloudfront/origin-request-policy.json",
            r#"{"OriginRequestPolicyConfig": {"Name": "imported-requests",
                "HeadersConfig": {"HeaderBehavior": "none"}, "CookiesConfig": {"CookieBehavior": "none"},
                "QueryStringsConfig": {"QueryStringBehavior": "none"}}}"#,
        ),
        (
            "cloudfront/rollout.json",
            r#"{"ContinuousDeploymentPolicy": {"Id": "6c7d8e9f-0000-4000-8000-000000000000", "ContinuousDeploymentPolicyConfig": {
                "StagingDistributionDnsNames": {"Quantity": 0}, "Enabled": false}}}"#,
        ),
        (
            "cloudfront/response-headers-policy.json",
            r#"{"Name": "imported-answers", "RemoveHeadersConfig": {"Quantity": 1, "Items": [{"Header": "X-Powered-By"}]}}"#,
        ),
    ] {
        let path = dir.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    fs::create_dir(dir.path().join("node_modules")).unwrap();
    super::zip_file(&dir.path().join("functions/legacy.zip"), &["index.js"]);
    dir
}

fn source(dir: &tempfile::TempDir) -> Source<'_> {
    Source {
        text: REFERENCE,
        base_dir: dir.path(),
        env: &|_| None,
        development: false,
    }
}

#[test]
fn the_reference_is_a_site_file() {
    // CP-640, CP-641, CP-642, CP-643
    let dir = reference_dir();
    let loaded = parse(
        REFERENCE,
        Path::new("fourfront.reference.yaml"),
        dir.path(),
        &|_| None,
    )
    .unwrap_or_else(|e| panic!("{e}"));
    let [site, _, _, _, _] = loaded.site.distributions() else {
        panic!("five distributions");
    };
    assert_eq!((site.id.as_str(), site.origins.len()), ("ESITE", 4));
    assert_eq!(
        (site.cache_mode, site.compat),
        (CacheMode::Rfc9111, Compat::Relaxed)
    );
    assert_eq!(site.behaviors.len(), 3);
    assert_eq!(
        site.behaviors[1].cache_policy.query_strings,
        Selection::AllExcept(vec!["utm_source".into(), "utm_medium".into()])
    );
    let on = &site.default_behavior.functions;
    assert!(on.at(EventType::OriginRequest).unwrap().include_body);
    assert_eq!(on.iter().count(), 4);
    assert_eq!(
        loaded.site.distribution_for("nobody.test").unwrap().id,
        "ESITE"
    );
    assert_eq!(loaded.site.functions().len(), 6);
}

#[test]
fn node_defaults_in_the_reference_are_the_defaults() {
    let dir = reference_dir();
    let loaded = parse(REFERENCE, Path::new("r"), dir.path(), &|_| None).unwrap();
    // Where the default is "none" or "one per core", the reference has to show some value.
    let mut default = NodeSettings {
        metrics: Some("0.0.0.0:9401".parse().unwrap()),
        threads: Some(2),
        max_object_size: Some(64 << 20),
        cache_disk: Some(10 << 30),
        origin_ca: Some(dir.path().join("certs/origin-ca.pem")),
        resolver: ResolverSettings {
            servers: Some(vec![
                "192.0.2.53:53".parse().unwrap(),
                "[2001:db8::53]:53".parse().unwrap(),
            ]),
            ..ResolverSettings::default()
        },
        geo_databases: ["geo/city.mmdb", "geo/asn.mmdb"]
            .map(|f| dir.path().join(f))
            .into(),
        trusted_proxies: TrustedProxies::new(["10.0.0.0/8", "2001:db8::/32"]).unwrap(),
        pop: Some("FRA56-C1".parse().unwrap()),
        data_dir: Some(dir.path().join("data")),
        load: LoadSettings {
            max_requests: Some(20_000),
            max_connections: Some(100_000),
        },
        ..NodeSettings::default()
    };
    default.log.access_file = Some(dir.path().join("access.log"));
    default.log.directory = Some(dir.path().join("logs"));
    default.viewers.listen_https = Some("0.0.0.0:8443".parse().unwrap());
    default.viewers.https_port = Some(443);
    let shown = &loaded.node.control;
    assert_eq!(
        (shown.artifacts.len(), shown.certificate.is_some()),
        (1, true)
    );
    default.control = ControlSettings {
        socket: Some(dir.path().join("data/admin.sock")),
        certificate: shown.certificate.clone(),
        clock_skew: Some(15),
        master_key_file: Some(dir.path().join("certs/master.key")),
        artifacts: shown.artifacts.clone(),
        cors: vec!["https://console.example.test".to_owned()],
        ..ControlSettings::default()
    };
    default.viewers.certificates = loaded.node.viewers.certificates.clone();
    assert_eq!(default.viewers.certificates.len(), 2);
    default.shield = loaded.node.shield.clone();
    let shield = &default.shield;
    assert_eq!((shield.secrets.len(), shield.shields.len()), (2, 2));
    default.hooks.threads = Some(2);
    default.hooks.modules_dir = Some(dir.path().join("node_modules"));
    default.control.socket = Some(dir.path().join("data/admin.sock"));
    default.control.certificate = loaded.node.control.certificate.clone();
    assert!(default.control.certificate.is_some());
    default.control.clock_skew = Some(15);
    default.control.master_key_file = Some(dir.path().join("certs/master.key"));
    default.control.artifacts = [("builds".to_owned(), dir.path().join("public"))].into();
    assert_eq!(loaded.node, default);
}

#[test]
fn every_setting_stands_in_the_reference() {
    let dir = reference_dir();
    let report = Report::new(Path::new("fourfront.reference.yaml"));
    assert!(parse_reporting(&source(&dir), &Deployment::default(), &report).is_some());
    let seen = report.seen.borrow();
    let refused = REFERENCE
        .split_once("# --- Refused for now")
        .map(|(_, rest)| rest)
        .unwrap();
    for table in keys::ALL {
        for key in table.keys() {
            let shown = match key.kind {
                // The default behaviour and listed ones take the same: shown once.
                KeyKind::Read | KeyKind::Ignored | KeyKind::Warned { .. } => {
                    seen.contains(&(table.what, key.name))
                        || (table.what == keys::DEFAULT_BEHAVIOR.what
                            && seen.contains(&(keys::BEHAVIOR.what, key.name)))
                        || (table.what == keys::BEHAVIOR.what
                            && seen.contains(&(keys::DEFAULT_BEHAVIOR.what, key.name)))
                }
                KeyKind::Refused { .. } => refused
                    .split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
                    .any(|word| word == key.name),
            };
            assert!(
                shown,
                "`{}` of {} is not in the reference",
                key.name, table.what
            );
        }
    }
}

#[test]
fn every_table_is_listed() {
    // `seen` names each block the reader opened; one that is missing from `keys::ALL` would go unchecked.
    let dir = reference_dir();
    let report = Report::new(Path::new("r"));
    parse_reporting(&source(&dir), &Deployment::default(), &report);
    for (what, _) in report.seen.borrow().iter() {
        assert!(keys::ALL.iter().any(|t| t.what == *what), "{what}");
    }
}
