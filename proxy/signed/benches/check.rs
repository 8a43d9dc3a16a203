//! What a signature costs: by key, and refused before and after the cryptography.

use std::{
    hint::black_box,
    sync::Arc,
    time::{Duration, SystemTime},
};

use aws_lc_rs::{
    encoding::{AsDer as _, PublicKeyX509Der},
    rand::SystemRandom,
    rsa::KeySize,
    signature::{
        ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair,
    },
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use criterion::{Criterion, criterion_group, criterion_main};
use fourfront_model::{KeyGroup, KeyKind, PublicKey};
use fourfront_signed::{Request, Scheme, TrustedKeys, check};
use http::HeaderMap;

const NOW: u64 = 1_772_528_400;

fn encode(bytes: &[u8]) -> String {
    STANDARD
        .encode(bytes)
        .replace('+', "-")
        .replace('=', "_")
        .replace('/', "~")
}

fn key(id: &str, kind: KeyKind, der: &PublicKeyX509Der<'static>) -> Arc<PublicKey> {
    Arc::new(PublicKey {
        id: id.to_owned(),
        name: id.to_owned(),
        kind,
        der: Bytes::copy_from_slice(der.as_ref()),
    })
}

/// Targets of signed URLs, each with its name, and the keys that they are signed with.
fn signed() -> Option<(TrustedKeys, Vec<(&'static str, String)>)> {
    let random = SystemRandom::new();
    let ecdsa = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).ok()?;
    let rsa = RsaKeyPair::generate(KeySize::Rsa2048).ok()?;
    let group = KeyGroup {
        id: "g".to_owned(),
        name: "g".to_owned(),
        keys: vec![
            key("E", KeyKind::EcdsaP256, &ecdsa.public_key().as_der().ok()?),
            key("R", KeyKind::Rsa2048, &rsa.public_key().as_der().ok()?),
        ],
    };
    let sign = |id: &str, text: &str| -> Option<String> {
        let bytes = if id == "E" {
            ecdsa.sign(&random, text.as_bytes()).ok()?.as_ref().to_vec()
        } else {
            let mut bytes = vec![0; rsa.public_modulus_len()];
            rsa.sign(&RSA_PKCS1_SHA256, &random, text.as_bytes(), &mut bytes)
                .ok()?;
            bytes
        };
        Some(format!(
            "&Signature={}&Key-Pair-Id={id}&Hash-Algorithm=SHA256",
            encode(&bytes)
        ))
    };
    let text = |resource: &str, until: u64| {
        format!(
            r#"{{"Statement":[{{"Resource":"{resource}","Condition":{{"DateLessThan":{{"AWS:EpochTime":{until}}}}}}}]}}"#
        )
    };
    let mut targets = Vec::new();
    for (name, id) in [("canned, RSA", "R"), ("canned, ECDSA", "E")] {
        let signature = sign(id, &text("https://d.test/videos/1/a.ts", NOW + 60))?;
        let target = format!("/videos/1/a.ts?Expires={}{signature}", NOW + 60);
        targets.push((name, target));
    }
    for (name, resource) in [
        ("custom, RSA", "https://d.test/videos/*/a.ts"),
        ("custom for another URL, RSA", "https://d.test/audio/*/a.ts"),
    ] {
        let policy = text(resource, NOW + 60);
        let signature = sign("R", &policy)?;
        let target = format!(
            "/videos/1/a.ts?Policy={}{signature}",
            encode(policy.as_bytes())
        );
        targets.push((name, target));
    }
    let expired = sign("R", &text("https://d.test/videos/1/a.ts", NOW))?;
    targets.push(("expired", format!("/videos/1/a.ts?Expires={NOW}{expired}")));
    targets.push(("unsigned", "/videos/1/a.ts".to_owned()));
    Some((TrustedKeys::new([&group]).ok()?, targets))
}

fn checks(c: &mut Criterion) {
    let Some((keys, targets)) = signed() else {
        return;
    };
    let headers = HeaderMap::new();
    for (name, target) in targets {
        let request = Request {
            scheme: Scheme::Https,
            host: "d.test",
            target: target.as_bytes(),
            headers: &headers,
            viewer: [192, 0, 2, 1].into(),
            now: SystemTime::UNIX_EPOCH + Duration::from_secs(NOW),
        };
        c.bench_function(name, |b| b.iter(|| check(&keys, black_box(&request))));
    }
}

criterion_group!(benches, checks);
criterion_main!(benches);
