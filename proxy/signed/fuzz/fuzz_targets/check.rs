//! Any request against a key that nobody holds: none passes.
#![no_main]

use std::{
    sync::{Arc, LazyLock},
    time::{Duration, SystemTime},
};

use fourfront_model::{KeyGroup, PublicKey};
use fourfront_signed::{Request, Scheme, TrustedKeys, check, key::read_public_key};
use http::{HeaderMap, HeaderValue, header};
use libfuzzer_sys::fuzz_target;

static KEYS: LazyLock<TrustedKeys> = LazyLock::new(|| {
    let pem = "-----BEGIN PUBLIC KEY-----\n\
        MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE5t4Umm4DhnvW289k0c5z+/w8Yyx2\n\
        LLyLOMUIvYybWGIpNIbgHc1dms9RIZJtssuXqDEThi23IRFHzcQoIpg43g==\n\
        -----END PUBLIC KEY-----\n";
    let (kind, der) = read_public_key(pem.as_bytes()).unwrap();
    let name = "K".to_owned();
    let id = name.clone();
    let key = Arc::new(PublicKey {
        id,
        name,
        kind,
        der,
    });
    let group = KeyGroup {
        id: "g".to_owned(),
        name: "g".to_owned(),
        keys: vec![key],
    };
    TrustedKeys::new([&group]).unwrap()
});

fuzz_target!(|data: &[u8]| {
    let mut lines = data.split(|b| *b == b'\n');
    let target = lines.next().unwrap_or_default();
    let mut headers = HeaderMap::new();
    for line in lines {
        if let Ok(value) = HeaderValue::from_bytes(line) {
            headers.append(header::COOKIE, value);
        }
    }
    let request = Request {
        scheme: Scheme::Http,
        host: "d.test",
        target,
        headers: &headers,
        viewer: [192, 0, 2, 1].into(),
        now: SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000),
    };
    let refusal = check(&KEYS, &request).expect_err("nobody has the key");
    assert!(refusal.page().contains(refusal.code()));
});
