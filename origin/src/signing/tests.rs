use std::{sync::Arc, time::Duration};

use super::*;
use crate::testing::{custom_origin, lines, s3_origin, show};

/// Friday, 24 May 2013, 00:00:00 UTC: the moment of AWS's own examples.
fn example_time() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_369_353_600)
}

fn bucket(behavior: SigningBehavior, token: Option<&str>) -> Origin {
    let mut origin = s3_origin();
    origin.kind = OriginKind::S3(S3Origin {
        auth_method: S3AuthMethod::OriginAccessIdentity,
        region: "us-east-1".to_owned(),
    });
    origin.access = Some(Arc::new(OriginAccess {
        id: "control".to_owned(),
        behavior,
        credentials: fourfront_model::Credentials {
            access_key_id: "AKIAIOSFODNN7EXAMPLE".to_owned(),
            secret_access_key: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY".to_owned(),
            session_token: token.map(str::to_owned),
        },
    }));
    origin
}

fn signed(
    target: &'static str,
    headers: &[(&str, &str)],
    origin: &Origin,
    payload: Payload,
) -> Vec<String> {
    let mut wire = WireRequest {
        target: Bytes::from_static(target.as_bytes()),
        headers: lines(headers),
    };
    sign(&mut wire, &Method::GET, origin, payload, example_time()).unwrap();
    show(&wire.headers)
}

fn signature(lines: &[String]) -> &str {
    let line = lines
        .iter()
        .find(|l| l.starts_with("authorization: "))
        .unwrap();
    line.rsplit_once("Signature=").unwrap().1
}

/// What botocore's `S3SigV4Auth` makes of the same requests (`origin/src/signing/vectors.py`).
const VECTORS: &[(&str, &str)] = include!("vectors.in");

#[test]
fn signatures_are_those_of_aws_own_signer() {
    // CF-434
    let origin = bucket(SigningBehavior::Always, None);
    assert!(VECTORS.len() > 5);
    for (target, expected) in VECTORS {
        let lines = signed(
            target,
            &[("Host", "examplebucket.s3.amazonaws.com")],
            &origin,
            Payload::Empty,
        );
        assert_eq!(signature(&lines), *expected, "{target}");
        assert!(lines.contains(&"x-amz-date: 20130524T000000Z".to_owned()));
        // The hash of nothing.
        assert!(
            lines
                .iter()
                .any(|l| l.starts_with("x-amz-content-sha256: e3b0c442"))
        );
        let scope = "Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request";
        let names = "SignedHeaders=host;x-amz-content-sha256;x-amz-date";
        assert!(lines.iter().any(|l| l.contains(scope) && l.contains(names)));
    }
}

#[test]
fn the_viewers_own_authorization_counts_as_the_control_says() {
    // CF-432
    let viewers = [
        ("Host", "b.test"),
        ("Authorization", "Basic dTpw"),
        ("X-Amz-Date", "x"),
    ];
    let always = signed(
        "/",
        &viewers,
        &bucket(SigningBehavior::Always, None),
        Payload::Empty,
    );
    assert!(
        !always
            .iter()
            .any(|l| l.contains("Basic") || l == "X-Amz-Date: x")
    );
    signature(&always);
    let kept = signed(
        "/",
        &viewers,
        &bucket(SigningBehavior::NoOverride, None),
        Payload::Empty,
    );
    assert_eq!(kept.len(), viewers.len());
    assert!(kept.contains(&"Authorization: Basic dTpw".to_owned()));
    let without = signed(
        "/",
        &viewers[..1],
        &bucket(SigningBehavior::NoOverride, None),
        Payload::Empty,
    );
    signature(&without);
}

#[test]
fn bodies_are_not_hashed_but_by_the_viewer() {
    // CF-434
    let origin = bucket(SigningBehavior::Always, None);
    let hash = |headers: &[(&str, &str)], payload| {
        let lines = signed("/", headers, &origin, payload);
        let line = lines
            .into_iter()
            .find(|l| l.starts_with("x-amz-content-sha256: "));
        line.unwrap().split_off("x-amz-content-sha256: ".len())
    };
    assert_eq!(
        hash(&[("Host", "b.test")], Payload::Viewers),
        "UNSIGNED-PAYLOAD"
    );
    let given = [("Host", "b.test"), ("X-Amz-Content-Sha256", "abc")];
    assert_eq!(hash(&given, Payload::Viewers), "abc");
    assert!(hash(&given, Payload::Empty).starts_with("e3b0c442"));
}

#[test]
fn temporary_credentials_send_their_token() {
    // CF-434, CF-435
    let origin = bucket(SigningBehavior::Always, Some("token"));
    let lines = signed("/", &[("Host", "b.test")], &origin, Payload::Empty);
    assert!(lines.contains(&"x-amz-security-token: token".to_owned()));
    let names = "SignedHeaders=host;x-amz-content-sha256;x-amz-date;x-amz-security-token";
    assert!(lines.iter().any(|l| l.contains(names)));
}

#[test]
fn what_is_not_configured_is_not_signed() {
    // CF-430, LE-114
    let mut unsigned = bucket(SigningBehavior::Always, None);
    unsigned.kind = s3_origin().kind;
    let mut custom = custom_origin();
    custom.access = bucket(SigningBehavior::Always, None).access;
    for origin in [s3_origin(), unsigned, custom] {
        assert_eq!(
            signed("/", &[("Host", "b.test")], &origin, Payload::Empty),
            ["Host: b.test"]
        );
    }
}

#[test]
fn what_cannot_be_signed_is_an_error() {
    let origin = bucket(SigningBehavior::Always, None);
    for host in ["", "a b"] {
        let mut wire = WireRequest {
            target: Bytes::from_static(b"/"),
            headers: lines(&[("Host", host)]),
        };
        let error = sign(
            &mut wire,
            &Method::GET,
            &origin,
            Payload::Empty,
            example_time(),
        )
        .unwrap_err();
        assert_eq!(error.origin, "bucket", "{host}");
    }
}

#[test]
fn paths_are_written_as_s3_writes_them() {
    // CF-434
    for (target, written) in [
        ("/a b", "/a%20b"),
        ("/a%2Fb%2fc", "/a/b/c"),
        ("/~user/(x)+%28", "/~user/%28x%29%2B%28"),
        ("/100%", "/100%25"),
        ("/%zz?a=%zz&b=c d", "/%25zz?a=%zz&b=c%20d"),
        ("/\u{e9}", "/%C3%A9"),
        ("/a/../b//c", "/a/../b//c"),
    ] {
        assert_eq!(canonical(target.as_bytes()), written, "{target}");
    }
}

#[test]
fn what_a_viewer_says_to_s3_is_signed_or_left_out() {
    // CF-434: S3 refuses its own fields unsigned, and the node's rights are not the viewer's to use.
    let origin = bucket(SigningBehavior::Always, None);
    let headers = [
        ("Host", "b.test"),
        ("X-Amz-Meta-Color", "red"),
        ("X-Amz-Copy-Source", "/other/secret"),
        ("X-Amz-Acl", "public-read"),
        ("X-Amz-Cf-Id", "ID"),
        ("X-Custom", "1"),
    ];
    let lines = signed("/", &headers, &origin, Payload::Replaced);
    let named = |name: &str| {
        lines
            .iter()
            .any(|l| l.to_ascii_lowercase().starts_with(name))
    };
    assert!(named("x-amz-meta-color: red") && named("x-custom: 1"));
    assert!(!named("x-amz-copy-source") && !named("x-amz-acl") && !named("x-amz-cf-id"));
    let authorization = lines
        .iter()
        .find(|l| l.starts_with("authorization: "))
        .unwrap();
    for line in &lines {
        let name = line.split(':').next().unwrap().to_ascii_lowercase();
        assert!(
            !name.starts_with("x-amz-") || authorization.contains(&name),
            "{name}"
        );
    }
    // The viewer's hash is not that of a body in its place.
    let given = [("Host", "b.test"), ("X-Amz-Content-Sha256", "abc")];
    let lines = signed("/", &given, &origin, Payload::Replaced);
    assert!(lines.contains(&"x-amz-content-sha256: UNSIGNED-PAYLOAD".to_owned()));
}
