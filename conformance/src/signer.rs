//! Signed URLs and signed cookies for a key that is made on the spot (CF section 6.8).

use base64::{Engine as _, engine::general_purpose::STANDARD};
use rcgen::{KeyPair, SigningKey as _};

/// A key on P-256, by its id.
#[derive(Debug)]
pub struct Signer {
    key: KeyPair,
    id: String,
}

impl Signer {
    /// A new key that distributions know by that id.
    ///
    /// # Panics
    /// When no key can be made.
    pub fn new(id: &str) -> Self {
        Self {
            key: KeyPair::generate().expect("a key"),
            id: id.to_owned(),
        }
    }

    /// The public half, as `public_keys` takes it.
    pub fn public_pem(&self) -> String {
        self.key.public_key_pem()
    }

    /// The parameters of URLs that are good until then, seconds since 1970: for all that `resource` matches.
    pub fn query(&self, resource: &str, until: u64) -> String {
        let (policy, signature) = self.sign(resource, until);
        let id = &self.id;
        format!("Policy={policy}&Signature={signature}&Key-Pair-Id={id}&Hash-Algorithm=SHA256")
    }

    /// The same as cookies.
    pub fn cookies(&self, resource: &str, until: u64) -> String {
        let (policy, signature) = self.sign(resource, until);
        format!(
            "CloudFront-Policy={policy}; CloudFront-Signature={signature}; CloudFront-Key-Pair-Id={}; CloudFront-Hash-Algorithm=SHA256",
            self.id
        )
    }

    fn sign(&self, resource: &str, until: u64) -> (String, String) {
        let policy = format!(
            r#"{{"Statement":[{{"Resource":"{resource}","Condition":{{"DateLessThan":{{"AWS:EpochTime":{until}}}}}}}]}}"#
        );
        let signature = self.key.sign(policy.as_bytes()).expect("a signature");
        (coded(policy.as_bytes()), coded(&signature))
    }
}

/// Base64 in CloudFront's alphabet for URLs.
fn coded(bytes: &[u8]) -> String {
    let text = STANDARD.encode(bytes);
    text.replace('+', "-").replace('=', "_").replace('/', "~")
}
