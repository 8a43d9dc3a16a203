//! Whole checks, with keys made on the spot. What the public signers make is checked in `conformance/`.

use std::{
    sync::{Arc, LazyLock},
    time::Duration,
};

use aws_lc_rs::{
    encoding::AsDer as _,
    rand::SystemRandom,
    rsa::KeySize,
    signature::{
        ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair,
    },
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use fourfront_model::{KeyGroup, PublicKey};
use http::{HeaderValue, header};
use proptest::prelude::*;

use super::*;

const NOW: u64 = 1_000_000;

/// A key of each kind.
struct Keys {
    ecdsa: EcdsaKeyPair,
    rsa: RsaKeyPair,
    trusted: TrustedKeys,
}

static KEYS: LazyLock<Keys> = LazyLock::new(|| {
    let ecdsa = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap();
    let rsa = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
    let ders = [
        ecdsa.public_key().as_der().unwrap(),
        rsa.public_key().as_der().unwrap(),
    ];
    let key = |(id, der): (&str, &aws_lc_rs::encoding::PublicKeyX509Der<'static>)| {
        let (kind, der) = key::read_public_key(pem(der.as_ref()).as_bytes()).unwrap();
        let (id, name) = (id.to_owned(), id.to_lowercase());
        Arc::new(PublicKey {
            id,
            name,
            kind,
            der,
        })
    };
    let group = KeyGroup {
        id: "g".to_owned(),
        name: "g".to_owned(),
        keys: ["E", "R"].into_iter().zip(&ders).map(key).collect(),
    };
    let trusted = TrustedKeys::new([&group]).unwrap();
    Keys {
        ecdsa,
        rsa,
        trusted,
    }
});

fn pem(der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    format!("-----BEGIN PUBLIC KEY-----\n{text}\n-----END PUBLIC KEY-----\n")
}

fn encode(bytes: &[u8]) -> String {
    STANDARD
        .encode(bytes)
        .replace('+', "-")
        .replace('=', "_")
        .replace('/', "~")
}

/// A signature by `E` or `R` with SHA-256.
fn sign(key: &str, text: &str) -> String {
    let random = SystemRandom::new();
    if key == "E" {
        return encode(KEYS.ecdsa.sign(&random, text.as_bytes()).unwrap().as_ref());
    }
    let mut signature = vec![0; KEYS.rsa.public_modulus_len()];
    KEYS.rsa
        .sign(&RSA_PKCS1_SHA256, &random, text.as_bytes(), &mut signature)
        .unwrap();
    encode(&signature)
}

/// The parameters that let a URL pass until then.
fn canned(key: &str, url: &str, until: u64) -> String {
    let text = format!(
        r#"{{"Statement":[{{"Resource":"{url}","Condition":{{"DateLessThan":{{"AWS:EpochTime":{until}}}}}}}]}}"#
    );
    let signature = sign(key, &text);
    format!("Expires={until}&Signature={signature}&Key-Pair-Id={key}&Hash-Algorithm=SHA256")
}

/// The parameters that a custom policy makes.
fn custom(key: &str, policy: &str) -> String {
    let (text, signature) = (encode(policy.as_bytes()), sign(key, policy));
    format!("Policy={text}&Signature={signature}&Key-Pair-Id={key}&Hash-Algorithm=SHA256")
}

fn policy(resource: &str, further: &str) -> String {
    format!(
        r#"{{"Statement":[{{"Resource":"{resource}","Condition":{{"DateLessThan":{{"AWS:EpochTime":2000000}}{further}}}}}]}}"#
    )
}

#[derive(Clone, Copy)]
struct Viewer {
    scheme: Scheme,
    host: &'static str,
    address: &'static str,
    now: u64,
}

const VIEWER: Viewer = Viewer {
    scheme: Scheme::Https,
    host: "d.test",
    address: "192.0.2.9",
    now: NOW,
};

impl Viewer {
    fn asks(self, target: &str) -> Result<(), Refusal> {
        self.asks_with(target, &HeaderMap::new())
    }

    fn asks_with(self, target: &str, headers: &HeaderMap) -> Result<(), Refusal> {
        let request = Request {
            scheme: self.scheme,
            host: self.host,
            target: target.as_bytes(),
            headers,
            viewer: self.address.parse().unwrap(),
            now: SystemTime::UNIX_EPOCH + Duration::from_secs(self.now),
        };
        check(&KEYS.trusted, &request)
    }
}

const DENIED: fn(Denial) -> Result<(), Refusal> = |denial| Err(Refusal::AccessDenied(denial));

#[test]
fn a_canned_url_passes_as_it_was_signed_until_it_expires() {
    // CF-561, CF-562, CF-566, CF-567, CF-569, CF-574
    for key in ["E", "R"] {
        let signed = canned(key, "https://d.test/a?x=1&y=2", NOW + 1);
        let target = format!("/a?x=1&{signed}&y=2");
        assert_eq!(VIEWER.asks(&target), Ok(()), "{key}");
        let later = Viewer {
            now: NOW + 1,
            ..VIEWER
        };
        assert_eq!(later.asks(&target), DENIED(Denial::Expired));
        let plain = Viewer {
            scheme: Scheme::Http,
            ..VIEWER
        };
        assert_eq!(plain.asks(&target), DENIED(Denial::Signature));
        let elsewhere = Viewer {
            host: "e.test",
            ..VIEWER
        };
        assert_eq!(elsewhere.asks(&target), DENIED(Denial::Signature));
        for changed in ["/b?x=1&", "/a?x=1&z=3&", "/a?", "/a?x=1&x=1&", "/a?x=2&"] {
            let target = format!("{changed}{signed}&y=2");
            assert_eq!(VIEWER.asks(&target), DENIED(Denial::Signature), "{changed}");
        }
        let longer = target.replace(&format!("Expires={}", NOW + 1), "Expires=2000000");
        assert_eq!(VIEWER.asks(&longer), DENIED(Denial::Signature));
        let other_hash = target.replace("SHA256", "SHA1");
        assert_eq!(VIEWER.asks(&other_hash), DENIED(Denial::Signature));
    }
}

#[test]
fn a_custom_policy_passes_whom_it_names() {
    // CF-568, CF-569, CF-570, CF-571, CF-572
    let signed = custom(
        "E",
        &policy(
            "https://d.test/a/*",
            r#","DateGreaterThan":{"AWS:EpochTime":999999},"IpAddress":{"AWS:SourceIp":"192.0.2.0/24"}"#,
        ),
    );
    assert_eq!(VIEWER.asks(&format!("/a/b?{signed}")), Ok(()));
    assert_eq!(VIEWER.asks(&format!("/a/c/d?{signed}")), Ok(()));
    assert_eq!(
        VIEWER.asks(&format!("/b?{signed}")),
        DENIED(Denial::Resource)
    );
    for (viewer, denial) in [
        (
            Viewer {
                now: 999_999,
                ..VIEWER
            },
            Denial::NotYet,
        ),
        (
            Viewer {
                now: 2_000_000,
                ..VIEWER
            },
            Denial::Expired,
        ),
        (
            Viewer {
                address: "192.0.3.1",
                ..VIEWER
            },
            Denial::Address,
        ),
        (
            Viewer {
                address: "2001:db8::1",
                ..VIEWER
            },
            Denial::Address,
        ),
        (
            Viewer {
                scheme: Scheme::Http,
                ..VIEWER
            },
            Denial::Resource,
        ),
    ] {
        assert_eq!(viewer.asks(&format!("/a/b?{signed}")), DENIED(denial));
    }
}

#[test]
fn cookies_pass_where_the_query_has_no_signature() {
    // CF-561, CF-563, CF-567
    let cookies = |parameters: &str| {
        let pairs: Vec<_> = parameters
            .split('&')
            .map(|p| format!("CloudFront-{p}"))
            .collect();
        let mut headers = HeaderMap::new();
        let line = HeaderValue::try_from(pairs.join("; ")).unwrap();
        headers.insert(header::COOKIE, line);
        headers
    };
    let one = cookies(&canned("R", "https://d.test/a?x=1", NOW + 1));
    assert_eq!(VIEWER.asks_with("/a?x=1", &one), Ok(()));
    assert_eq!(VIEWER.asks_with("/a?x=1&Hash-Algorithm=x", &one), Ok(()));
    assert_eq!(VIEWER.asks_with("/a", &one), DENIED(Denial::Signature));
    assert_eq!(
        VIEWER.asks_with("/a?x=1&Expires=9", &one),
        Err(Refusal::MissingKey)
    );
    let all = cookies(&custom("E", &policy("https://d.test/*", "")));
    assert_eq!(VIEWER.asks_with("/any/thing?at=all", &all), Ok(()));
    let signed = canned("R", "https://d.test/a", NOW + 1);
    let target = format!("/b?{signed}");
    assert_eq!(VIEWER.asks_with(&target, &all), DENIED(Denial::Signature));
}

#[test]
fn refusals_come_in_an_order() {
    // CF-576
    let good = canned("E", "https://d.test/a", NOW + 1);
    let denied = |parameters: &str| VIEWER.asks(&format!("/a?{parameters}")).unwrap_err().code();
    assert_eq!(denied("x=1"), "MissingKey");
    for (from, to, code) in [
        ("Key-Pair-Id=E", "Key-Pair-Id=", "MissingKey"),
        ("Key-Pair-Id=E", "Key-Pair-Id=F", "InvalidKey"),
        ("Key-Pair-Id=E", "Key-Pair-Id=e", "InvalidKey"),
        ("Signature=", "Signature=*", "MalformedSignature"),
        ("Signature=", "Other=", "MalformedSignature"),
        ("Expires=", "Expires=+", "MalformedPolicy"),
        ("Expires=", "Other=", "MalformedPolicy"),
        ("SHA256", "SHA512", "AccessDenied"),
        ("Expires=", "Expires=9", "AccessDenied"),
        ("Expires=", "Expires=-", "AccessDenied"),
        ("Key-Pair-Id=E", "Key-Pair-Id=R", "AccessDenied"),
    ] {
        assert_eq!(denied(&good.replace(from, to)), code, "{from} {to}");
    }
    // With several faults the first of these counts.
    assert_eq!(denied("Key-Pair-Id=F&Signature=*&Policy=*"), "InvalidKey");
    assert_eq!(
        denied("Key-Pair-Id=E&Signature=*&Policy=*"),
        "MalformedSignature"
    );
    assert_eq!(
        denied("Key-Pair-Id=E&Signature=YQ&Policy=*"),
        "MalformedPolicy"
    );
    assert_eq!(
        denied("Key-Pair-Id=E&Signature=YQ&Policy="),
        "MalformedPolicy"
    );
    assert_eq!(
        denied("Key-Pair-Id=E&Signature=YQ&Policy=e30"),
        "MalformedPolicy"
    );
}

#[test]
fn a_policy_covers_what_it_was_signed_with_to_the_byte() {
    // CF-568
    let text = policy("https://d.test/*", "");
    let signed = custom("E", &text);
    let same_meaning = text.replace("[{", "[ {");
    let swapped = signed.replace(&encode(text.as_bytes()), &encode(same_meaning.as_bytes()));
    assert_ne!(signed, swapped);
    assert_eq!(
        VIEWER.asks(&format!("/a?{swapped}")),
        DENIED(Denial::Signature)
    );
}

#[test]
fn a_canned_text_cannot_be_made_of_another_policy() {
    // CF-566: the text of a policy with more conditions, cut so that the URL is a part of it.
    let inner = r#"https://d.test/a","Condition":{"DateLessThan":{"AWS:EpochTime":5}}},{"Resource":"https://d.test/b"#;
    let signed = canned("E", inner, 2_000_000);
    let path = inner.strip_prefix("https://d.test").unwrap();
    assert_eq!(
        VIEWER.asks(&format!("{path}?{signed}")),
        DENIED(Denial::Url)
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn no_byte_of_a_signed_url_can_be_changed(at in 0_usize..400, to in 0x21_u8..0x7f) {
        // CF-566, CF-567, CF-574
        static SIGNED: LazyLock<String> = LazyLock::new(|| {
            format!("/a/b?x=1&{}", canned("R", "https://d.test/a/b?x=1", NOW + 1))
        });
        let mut changed = SIGNED.clone().into_bytes();
        let at = at % changed.len();
        prop_assume!(changed[at] != to);
        changed[at] = to;
        let changed = String::from_utf8(changed).unwrap();
        prop_assert!(VIEWER.asks(&changed).is_err(), "{}", changed);
    }

    #[test]
    fn nothing_that_is_sent_does_harm(target in "/[ -~]{0,200}", cookie in "[ -~]{0,200}") {
        // CF-576
        let mut headers = HeaderMap::new();
        headers.insert(header::COOKIE, HeaderValue::try_from(cookie).unwrap());
        prop_assert!(VIEWER.asks_with(&target, &headers).is_err());
    }

    #[test]
    fn no_policy_does_harm(text in prop::collection::vec(any::<u8>(), 0..200)) {
        // CF-568
        let _ = Policy::parse(&text);
    }
}
