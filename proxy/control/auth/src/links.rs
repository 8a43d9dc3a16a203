//! Links to what the node itself hands out: the packages that GetFunction points at (CP-070, CP-416).
//!
//! They are signed with a key that comes from the master key, so that any node of a fleet accepts the links of any other,
//! and that opens nothing but artifacts.

use std::{
    sync::{Arc, LazyLock},
    time::{Duration, SystemTime},
};

use data_encoding::HEXLOWER;
use hmac::Mac;
use http::{HeaderMap, HeaderValue, header};

use crate::{
    Credential, KeyId, MasterKey, Presented, RequestHead, Secret, Service, canonical, keys::hmac,
    moment::Moment, role::Grants,
};

/// The id of the key of links. No key of that id can be made or imported: see [`LinkSigner::is_reserved`].
pub(crate) static LINK_KEY: LazyLock<KeyId> = LazyLock::new(|| {
    KeyId::try_from("FF_LINKS".to_owned())
        .unwrap_or_else(|_| unreachable!("it has the form of one"))
});

/// How long the link of GetFunction is good for (CP-070).
pub const ARTIFACT_LINK_GOOD_FOR: Duration = Duration::from_secs(600);

/// Where artifacts are, by the hexadecimal SHA-256 of their content.
pub const ARTIFACT_PATH: &str = "/_fourfront/v1/artifacts/sha256/";

/// Signs links, and is the key that they are verified with.
#[derive(Clone, Debug)]
pub struct LinkSigner {
    credential: Arc<Credential>,
    region: String,
}

/// A link cannot be made for that host.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("'{0}' cannot be the Host of a link")]
pub struct BadAuthority(String);

impl LinkSigner {
    /// The signer of a node or fleet. `region` is the node's own (CP-005).
    pub fn new(master: &MasterKey, region: impl Into<String>) -> Self {
        let secret = HEXLOWER.encode(&master.derive(b"links"));
        Self {
            credential: Arc::new(Credential {
                key_id: LINK_KEY.clone(),
                secret: Secret::new(secret),
                session_token: None,
                grants: Arc::new(Grants::default()),
                created: SystemTime::UNIX_EPOCH,
                expires: None,
                description: "links to artifacts".to_owned(),
            }),
            region: region.into(),
        }
    }

    /// Whether a key id is kept for links, so that it cannot be imported.
    pub fn is_reserved(key_id: &str) -> bool {
        key_id == LINK_KEY.as_str()
    }

    pub(crate) fn credential(&self) -> &Arc<Credential> {
        &self.credential
    }

    /// Path and query of a link to the artifact of that SHA-256, good for ten minutes from `now`.
    ///
    /// `authority` is the `Host` that it will be asked with: that of the request it answers.
    ///
    /// # Errors
    /// An authority that no header can hold.
    pub fn artifact(
        &self,
        sha256: &[u8; 32],
        authority: &str,
        now: SystemTime,
    ) -> Result<String, BadAuthority> {
        let path = format!("{ARTIFACT_PATH}{}", HEXLOWER.encode(sha256));
        let query = presign(
            &self.credential,
            Service::Native,
            &self.region,
            ("GET", &path, ""),
            authority,
            now,
            ARTIFACT_LINK_GOOD_FOR,
        )?;
        Ok(format!("{path}?{query}"))
    }
}

/// The query of a presigned request (CP-416): `query` as it is, and the parameters of the signature.
fn presign(
    credential: &Credential,
    service: Service,
    region: &str,
    (method, path, query): (&str, &str, &str),
    authority: &str,
    now: SystemTime,
    good_for: Duration,
) -> Result<String, BadAuthority> {
    let bad = || BadAuthority(authority.to_owned());
    let date = Moment::of(now).basic();
    let scope = format!(
        "{}/{}/{region}/{}/aws4_request",
        credential.key_id,
        &date[..8],
        service.scope()
    );
    let mut out = query.as_bytes().to_vec();
    let seconds = good_for.as_secs().to_string();
    add(&mut out, "X-Amz-Algorithm", "AWS4-HMAC-SHA256");
    add(&mut out, "X-Amz-Credential", &scope);
    add(&mut out, "X-Amz-Date", &date);
    add(&mut out, "X-Amz-Expires", &seconds);
    add(&mut out, "X-Amz-SignedHeaders", "host");
    if let Some(token) = &credential.session_token {
        add(&mut out, "X-Amz-Security-Token", token.reveal());
    }
    let unsigned = out.len();
    // What is parsed here is what will be parsed when the link comes back, so that the two cannot differ.
    add(&mut out, "X-Amz-Signature", "0");
    let mut headers = HeaderMap::new();
    headers.insert(
        header::HOST,
        HeaderValue::from_str(authority).map_err(|_| bad())?,
    );
    let presented = Presented::parse(&RequestHead {
        method,
        raw_path: path.as_bytes(),
        raw_query: &out,
        headers: &headers,
        over_tls: false,
    });
    let Ok(Some(presented)) = presented else {
        return Err(bad());
    };
    let key = crate::keys::KeyCache::new(0)
        .hmac(&credential.secret, &presented.day, region, service.scope())
        .0;
    let mut mac = hmac(&key);
    mac.update(
        presented
            .string_to_sign(&crate::verify::empty_sha256())
            .as_bytes(),
    );
    out.truncate(unsigned);
    out.extend_from_slice(b"&X-Amz-Signature=");
    out.extend_from_slice(HEXLOWER.encode(&mac.finalize().into_bytes()).as_bytes());
    String::from_utf8(out).map_err(|_| bad())
}

fn add(query: &mut Vec<u8>, name: &str, value: &str) {
    if !query.is_empty() {
        query.push(b'&');
    }
    query.extend_from_slice(name.as_bytes());
    query.push(b'=');
    canonical::encode(value.as_bytes(), query);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_the_one_that_botocore_makes() {
        // CP-416: the links that botocore made, made here
        let captured: serde_json::Value =
            serde_json::from_str(include_str!("tests/vectors/captured.json")).unwrap();
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(captured["now"].as_u64().unwrap());
        let mut made = 0;
        for request in captured["requests"].as_array().unwrap() {
            if request["form"] != "query" || request["client"] != "boto3" {
                continue;
            }
            let target = request["target"].as_str().unwrap();
            if target.contains("ECDSA") {
                continue;
            }
            let key = &captured["keys"][request["key"].as_str().unwrap()];
            let credential = Credential {
                key_id: KeyId::import(key["id"].as_str().unwrap(), false).unwrap(),
                secret: Secret::new(key["secret"].as_str().unwrap()),
                session_token: key["token"].as_str().map(Secret::new),
                grants: Arc::default(),
                created: now,
                expires: None,
                description: String::new(),
            };
            let (path, whole) = target.split_once('?').unwrap();
            let query = whole
                .split("X-Amz-Algorithm")
                .next()
                .unwrap()
                .trim_end_matches('&');
            let value = |name: &str| {
                whole
                    .split('&')
                    .find_map(|pair| pair.strip_prefix(name))
                    .unwrap()
            };
            let good_for = Duration::from_secs(value("X-Amz-Expires=").parse().unwrap());
            let service = Service::from_scope(request["service"].as_str().unwrap()).unwrap();
            let region = value("X-Amz-Credential=").split("%2F").nth(2).unwrap();
            let query = presign(
                &credential,
                service,
                region,
                ("GET", path, query),
                request["headers"][0][1].as_str().unwrap(),
                now,
                good_for,
            )
            .unwrap();
            let signature = query.rsplit("X-Amz-Signature=").next().unwrap();
            assert_eq!(signature, value("X-Amz-Signature="), "{}", request["name"]);
            made += 1;
        }
        assert_eq!(made, 3);
    }

    #[test]
    fn a_host_that_no_header_can_hold_makes_no_link() {
        let signer = LinkSigner::new(&MasterKey::from_bytes([7; 32]), "us-east-1");
        let made = signer.artifact(&[1; 32], "a\r\nb", SystemTime::UNIX_EPOCH);
        assert_eq!(made, Err(BadAuthority("a\r\nb".to_owned())));
        assert!(LinkSigner::is_reserved("FF_LINKS") && !LinkSigner::is_reserved("test"));
    }
}
