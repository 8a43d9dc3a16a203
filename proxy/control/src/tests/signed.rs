//! Public keys, key groups, and the behaviours that trust them.

use std::fs;

use fourfront_model::KeyKind;

use super::{accepted, parse_in, refused, site_dir};

/// RSA of 2048 bits.
const RSA: &str = "-----BEGIN PUBLIC KEY-----
MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAonr60PYA+OoB10bVFm8c
zuWS2FN42G9B6TevYpHwRnPINs4rzuvhMIfTv3QMidsmxE6WdCbAlixXArIEd27j
qqtX4VURhMRll0U1eqOpyz821i5cAUxYf/5XSarAHnDu8c0OYyjE/Gs0z1M/6y7z
LpkdR9TC/qVUgLmMuctqVY5KdEnHZszeE0kXlNI1UM2ZrNQRUpoIQEVHf6C0sVp+
NRpJqrrYsXN6epRXVZgZZjIKI4etIpzPX6PO0PRWbPu8xgE5AQqeNbs/WxEpfxi8
BLVmZoK/G/QnY7O2TyajFTjel3oNrI2f01NnUIlsem/1zqrufRHwALXT01DxFU0C
gwIDAQAB
-----END PUBLIC KEY-----
";

/// ECDSA on P-256.
const ECDSA: &str = "-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE5t4Umm4DhnvW289k0c5z+/w8Yyx2
LLyLOMUIvYybWGIpNIbgHc1dms9RIZJtssuXqDEThi23IRFHzcQoIpg43g==
-----END PUBLIC KEY-----
";

/// ECDSA on P-256, but not on the curve: one digit of the point is another.
const OFF_CURVE: &str = "-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE5t4Umm4DhnvW289k0c5z+/w8Yyx2
LLyLOMUIvYybWGIpNIbgHc1dms9RIZJtssuXqDEThi23IRFHzcQoIpg43w==
-----END PUBLIC KEY-----
";

/// A PEM as the value of a setting in a flow map.
fn quoted(pem: &str) -> String {
    format!("\"{}\"", pem.replace('\n', "\\n"))
}

/// A site with the keys `a`, RSA, and `b`, ECDSA, and these groups and settings of the default behaviour. Groups stand on
/// line 4, settings on line 9.
fn site(groups: &str, settings: &str) -> String {
    format!(
        "public_keys:\n  a: {{ id: KA, pem: {} }}\n  b: {{ encoded_key: {} }}\nkey_groups: {{ {groups} }}\n\
         distributions:\n  site:\n    origins: {{ app: \"http://127.0.0.1:3000\" }}\n    default_cache_behavior:\n      {settings}\n",
        quoted(RSA),
        quoted(ECDSA),
    )
}

/// Ids of the keys that the default behaviour trusts.
fn trusted(groups: &str, settings: &str) -> Vec<(String, KeyKind)> {
    let loaded = accepted(&site(groups, settings));
    let behavior = &loaded.site.distributions()[0].default_behavior;
    let groups = behavior.trusted_key_groups.iter();
    assert_eq!(behavior.wants_signature(), groups.len() > 0);
    groups
        .flat_map(|g| &g.keys)
        .map(|k| (k.id.clone(), k.kind))
        .collect()
}

#[test]
fn groups_are_trusted_in_either_form() {
    // CF-020, CF-021, CF-025, CF-070
    let a = || ("KA".to_owned(), KeyKind::Rsa2048);
    let b = || ("b".to_owned(), KeyKind::EcdsaP256);
    for (groups, settings, keys) in [
        ("g: [a, b]", "trusted_key_groups: [g]", vec![a(), b()]),
        ("g: [KA]", "trusted_key_groups: [g]", vec![a()]),
        (
            "g: { id: h, keys: [a] }, h: { id: i, keys: [b] }",
            "trusted_key_groups: [h]",
            vec![b()],
        ),
        (
            "g: { id: G-1, keys: [b], comment: x }",
            "trusted_key_groups: [G-1]",
            vec![b()],
        ),
        (
            "g: { items: [a] }, h: [b]",
            "trusted_key_groups: { enabled: true, quantity: 2, items: [g, h] }",
            vec![a(), b()],
        ),
        ("g: [a]", "trusted_key_groups: { items: [g] }", vec![a()]),
        (
            "g: [a]",
            "trusted_key_groups: { enabled: false, items: [g] }",
            vec![],
        ),
        (
            "g: [a]",
            "trusted_key_groups: { enabled: false, quantity: 0 }",
            vec![],
        ),
        ("g: [a]", "trusted_key_groups: []", vec![]),
        ("g: [a]", "trusted_key_groups: none", vec![]),
        ("g: [a]", "trusted_key_groups:", vec![]),
        (
            "g: [a]",
            "trusted_signers: { enabled: false, quantity: 0 }",
            vec![],
        ),
    ] {
        assert_eq!(trusted(groups, settings), keys, "{groups} {settings}");
    }
}

#[test]
fn what_names_nothing_is_refused_with_cloudfronts_words() {
    // CF-020, CF-024, CF-070, CF-071
    const BEHAVIOR: &str = "distributions.site.default_cache_behavior";
    for (groups, settings, said) in [
        (
            "viewers: [a]",
            "trusted_key_groups: [viewer]",
            format!(
                "9:28: {BEHAVIOR}.trusted_key_groups[0]: TrustedKeyGroupDoesNotExist: there is no key group `viewer` | did you mean `viewers`?"
            ),
        ),
        (
            "",
            "trusted_key_groups: [g]",
            format!(
                "9:28: {BEHAVIOR}.trusted_key_groups[0]: TrustedKeyGroupDoesNotExist: there is no key group `g`"
            ),
        ),
        (
            "g: [a]",
            "trusted_key_groups: { enabled: true, quantity: 0 }",
            format!(
                "9:38: {BEHAVIOR}.trusted_key_groups.enabled: InvalidArgument: signatures are wanted and no key group is named"
            ),
        ),
        (
            "g: [a]",
            "trusted_key_groups: { enabled: true, quantity: 2, items: [g] }",
            format!(
                "9:54: {BEHAVIOR}.trusted_key_groups.quantity: InconsistentQuantities: `quantity` is 2 and there are 1 items"
            ),
        ),
        (
            "g: [a]",
            "trusted_key_groups: g",
            format!(
                "9:27: {BEHAVIOR}.trusted_key_groups: expected a list of key groups, by name or id, found `g`"
            ),
        ),
        (
            "g: []",
            "trusted_key_groups: [g]",
            "4:15: key_groups.g: InvalidArgument: the key group has no public key".to_owned(),
        ),
        (
            "g: {}",
            "trusted_key_groups: [g]",
            "4:15: key_groups.g: InvalidArgument: the key group has no public key".to_owned(),
        ),
        (
            "g: [a, c]",
            "trusted_key_groups: [g]",
            "4:22: key_groups.g[1]: NoSuchPublicKey: there is no public key `c` | known are a, b"
                .to_owned(),
        ),
        (
            "g: { id: x, keys: [a] }, h: { id: x, keys: [b] }",
            "trusted_key_groups: [g]",
            "4:49: key_groups.h.id: the id `x` is already taken by the key group on line 4"
                .to_owned(),
        ),
        (
            "g: [a]",
            "trusted_signers: [self]",
            format!(
                "9:7: {BEHAVIOR}.trusted_signers: `trusted_signers` is not supported: signers live in AWS accounts; CloudFront's replacement is `trusted_key_groups`"
            ),
        ),
    ] {
        refused(&site(groups, settings), &[&said]);
    }
    refused(
        &site("\"g g\": [a]", "compress: false"),
        &["4:15: key_groups.g g: `g g` cannot be a key group"],
    );
}

#[test]
fn keys_come_from_files_too_which_are_watched() {
    // CF-574
    let dir = site_dir();
    fs::create_dir(dir.path().join("keys")).unwrap();
    fs::write(dir.path().join("keys/a.pem"), format!("a comment\n{RSA}")).unwrap();
    let text = "public_keys: { a: ./keys/a.pem }\nkey_groups: { g: [a] }\ndistributions:\n  site:\n    \
                origins: { app: \"http://127.0.0.1:3000\" }\n    default_cache_behavior: { trusted_key_groups: [g] }\n";
    let loaded = parse_in(dir.path(), text).unwrap();
    assert!(loaded.watched.contains(&dir.path().join("keys/a.pem")));
    let group = &loaded.site.distributions()[0]
        .default_behavior
        .trusted_key_groups[0];
    assert_eq!(
        (group.keys[0].id.as_str(), group.keys[0].kind),
        ("a", KeyKind::Rsa2048)
    );

    let missing = text.replace("a.pem", "b.pem");
    let said = parse_in(dir.path(), &missing).unwrap_err().to_string();
    assert!(
        said.contains("file `./keys/b.pem` does not exist"),
        "{said}"
    );
    fs::write(dir.path().join("keys/a.pem"), "x".repeat(70_000)).unwrap();
    let said = parse_in(dir.path(), text).unwrap_err().to_string();
    assert!(
        said.contains("public_keys.a: `./keys/a.pem` is longer than 65536 bytes"),
        "{said}"
    );
}

#[test]
fn what_is_no_key_of_the_two_kinds_is_refused_by_its_name() {
    // CF-574
    let key = |settings: &str| {
        format!(
            "public_keys:\n  media: {settings}\ndistributions: {{ a: {{ origins: {{ app: \"http://a.test\" }} }} }}\n"
        )
    };
    let unusable = "the public key `media` cannot be used";
    for (pem, said) in [
        (
            OFF_CURVE.to_owned(),
            "it cannot be read as a public key (CF-574)",
        ),
        (
            "no PEM".to_owned(),
            "there is no `-----BEGIN PUBLIC KEY-----` in it (CF-574)",
        ),
        (
            format!("{RSA}{ECDSA}"),
            "there is more in it than one public key (CF-574)",
        ),
        (
            RSA.replace("PUBLIC", "PRIVATE"),
            "it holds a private key: give the public one alone (CF-574)",
        ),
        (
            RSA.replace("BEGIN PUBLIC", "BEGIN RSA PUBLIC")
                .replace("END PUBLIC", "END RSA PUBLIC"),
            "there is no `-----BEGIN PUBLIC KEY-----` in it (CF-574)",
        ),
    ] {
        refused(
            &key(&format!("{{ pem: {} }}", quoted(&pem))),
            &[&format!(
                "2:17: public_keys.media.pem: InvalidArgument: {unusable}: {said}"
            )],
        );
    }
    refused(
        &key("{ id: x }"),
        &["2:10: public_keys.media: InvalidArgument: there is no key | `file: ./key.pem`"],
    );
    refused(
        &key(&format!("{{ file: ./ca.pem, pem: {} }}", quoted(RSA))),
        &["2:33: public_keys.media.pem: the key is given twice"],
    );
    refused(
        &key("[x]"),
        &[
            "2:10: public_keys.media: expected the path of a PEM file, or a block with `file` or `pem`, found a list",
        ],
    );
    refused(
        &key("./ca.pem"),
        &["2:10: public_keys.media: InvalidArgument: the public key `media` cannot be used"],
    );
}
