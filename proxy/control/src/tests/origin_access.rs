//! Origin access controls, and buckets on other servers than AWS's (CF-431..436, CF-440).

use fourfront_model::{
    Endpoint, Origin, OriginKind, OriginProtocol, S3AuthMethod, SigningBehavior,
};

use super::{accepted, refused};

const KEYS: &str = "credentials: { access_key_id: AKID, secret_access_key: s3cr3t }";

fn site(controls: &str, origin: &str) -> String {
    format!(
        "origin_access_controls: {{ {controls} }}
distributions:
  a:
    origins:
      b: {{ {origin} }}
"
    )
}

fn bucket(controls: &str, origin: &str) -> Origin {
    let loaded = accepted(&site(controls, origin));
    let site = &loaded.site.distributions()[0];
    Origin::clone(site.origin_of(&site.default_behavior))
}

fn region(origin: &Origin) -> (&str, S3AuthMethod) {
    match &origin.kind {
        OriginKind::S3(s3) => (&s3.region, s3.auth_method),
        other => panic!("{other:?}"),
    }
}

#[test]
fn origins_name_a_control() {
    // CF-432, CF-433, CF-434, CF-435
    let s3 = "domain_name: b.s3.eu-west-1.amazonaws.com, s3_origin_config: {}, origin_access_control_id: c";
    for (behavior, expected) in [
        ("always", Some(SigningBehavior::Always)),
        ("no-override", Some(SigningBehavior::NoOverride)),
        ("never", None),
    ] {
        let control = format!(
            "c: {{ signing_behavior: {behavior}, signing_protocol: sigv4, origin_access_control_origin_type: s3, {KEYS} }}"
        );
        let origin = bucket(&control, s3);
        assert_eq!(origin.access.as_ref().map(|a| a.behavior), expected);
        let method = match expected {
            Some(_) => S3AuthMethod::OriginAccessIdentity,
            None => S3AuthMethod::None,
        };
        assert_eq!(region(&origin), ("eu-west-1", method));
    }
    let control = format!("c: {{ signing_behavior: always, {KEYS} }}");
    let origin = bucket(&control, s3);
    let access = origin.access.unwrap();
    assert_eq!(
        (&*access.id, &*access.credentials.access_key_id),
        ("c", "AKID")
    );
    assert_eq!(access.credentials.secret_access_key, "s3cr3t");
    // As CloudFront prints one that names none.
    let none = bucket(
        "",
        "domain_name: b.s3.amazonaws.com, s3_origin_config: {}, origin_access_control_id: \"\"",
    );
    assert_eq!(
        (none.access.is_none(), region(&none)),
        (true, ("", S3AuthMethod::None))
    );
}

#[test]
fn buckets_may_lie_on_other_servers() {
    // CF-436
    let control = format!("c: {{ signing_behavior: always, {KEYS} }}");
    let origin = bucket(
        &control,
        "domain_name: 127.0.0.1, origin_path: /bucket, origin_access_control_id: c,
        s3_origin_config: { region: garage, endpoint: 'http://127.0.0.1:9000/' }",
    );
    let endpoint = Endpoint {
        protocol: OriginProtocol::Http,
        host: "127.0.0.1".to_owned(),
        port: 9000,
        bucket: String::new(),
    };
    assert_eq!(origin.endpoint, Some(endpoint));
    assert_eq!(region(&origin).0, "garage");
    let default = bucket(
        &control,
        "domain_name: b.test, s3_origin_config: {}, origin_access_control_id: c",
    );
    assert_eq!(
        (region(&default).0, &default.endpoint),
        ("us-east-1", &None)
    );
}

#[test]
fn what_is_wrong_with_a_control_is_said() {
    // CF-431, CF-432, CF-433, CF-435
    let s3 = "domain_name: b.test, s3_origin_config: {}, origin_access_control_id: c";
    for (controls, origin, said) in [
        (
            "c: { signing_behavior: always }".to_owned(),
            s3,
            "5:81: distributions.a.origins.b.origin_access_control_id: InvalidOriginAccessControl: requests to `b.test` are to be signed, and nothing says with what (help: add `credentials` to the origin access control)",
        ),
        (
            format!("c: {{ {KEYS} }}"),
            s3,
            "1:30: origin_access_controls.c.signing_behavior: nothing says which requests are signed",
        ),
        (
            format!("d: {{ signing_behavior: never, {KEYS} }}"),
            s3,
            "5:81: distributions.a.origins.b.origin_access_control_id: InvalidOriginAccessControl: there is no origin access control `c`",
        ),
        (
            format!("c: {{ signing_behavior: always, {KEYS} }}"),
            "domain_name: b.test, custom_origin_config: { origin_protocol_policy: http-only }, origin_access_control_id: c",
            "5:120: distributions.a.origins.b.origin_access_control_id: IllegalOriginAccessConfiguration: only requests to S3 buckets are signed",
        ),
        (
            String::new(),
            "domain_name: b.test, s3_origin_config: { endpoint: 'b.test:9000' }",
            "5:63: distributions.a.origins.b.s3_origin_config.endpoint: InvalidOrigin: `b.test:9000` is no server",
        ),
        (
            String::new(),
            "domain_name: b.test, s3_origin_config: { region: 'eu west' }",
            "5:61: distributions.a.origins.b.s3_origin_config.region: `eu west` is not the name of a region",
        ),
        (
            String::new(),
            "domain_name: b.s3.amazonaws.com, s3_origin_config: { origin_access_identity: E1 }",
            "5:89: distributions.a.origins.b.s3_origin_config.origin_access_identity: InvalidOriginAccessIdentity: `E1` is none",
        ),
    ] {
        refused(&site(&controls, origin), &[said]);
    }
    for (setting, said) in [
        ("signing_protocol: sigv4a", "sigv4a"),
        ("origin_access_control_origin_type: lambda", "lambda"),
        ("signing_behavior: always-amz-auth", "always-amz-auth"),
    ] {
        let text = site(&format!("c: {{ {setting}, signing_behavior: never }}"), s3);
        let text = match setting.starts_with("signing_behavior") {
            true => text.replace(", signing_behavior: never", ""),
            false => text,
        };
        let key = setting.split(':').next().unwrap();
        let start = format!(
            "1:{}: origin_access_controls.c.{key}: | {said}",
            34 + key.len()
        );
        refused(&text, &[&start]);
    }
}
