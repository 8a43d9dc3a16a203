//! Who the command line is to a node: a bearer token, or an access key that requests are signed with (CP-402, CP-616).

use std::{fs, time::SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::{
    http_request::{
        PayloadChecksumKind, SignableBody, SignableRequest, SigningSettings, sign as sign_request,
    },
    sign::v4,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};

/// The name of the native API in the scope of signatures (CP-402).
const SERVICE: &str = "fourfront";

/// What is shown to a node.
#[derive(Clone, Debug)]
pub(super) enum Key {
    /// Nothing: the node may take its own user's word over its socket.
    None,
    /// A bearer token.
    Token(HeaderValue),
    /// An access key.
    Signing {
        credentials: Credentials,
        region: String,
        /// Whether it was meant for this node, and not found among what is there for AWS.
        is_meant: bool,
    },
}

impl Key {
    /// The key that was given, else that of `FOURFRONT_KEY`, else what AWS's tools would take from the environment.
    ///
    /// # Errors
    /// It has not the form of a key.
    pub(super) fn find(
        given: Option<&str>,
        env: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, String> {
        let env = |name: &str| env(name).filter(|value| !value.is_empty());
        let region = env("AWS_REGION")
            .or_else(|| env("AWS_DEFAULT_REGION"))
            .unwrap_or_else(|| "us-east-1".to_owned());
        let own = env("FOURFRONT_KEY");
        if let Some(text) = given.or(own.as_deref()) {
            return Self::parse(text, region);
        }
        let (id, secret) = (env("AWS_ACCESS_KEY_ID"), env("AWS_SECRET_ACCESS_KEY"));
        let found = match (id, secret) {
            (Some(id), Some(secret)) => Some((id, secret, env("AWS_SESSION_TOKEN"))),
            // Only a file that is named: that of the user's own directory is for AWS itself.
            _ => match env("AWS_SHARED_CREDENTIALS_FILE") {
                Some(file) => {
                    let profile = env("AWS_PROFILE").unwrap_or_else(|| "default".to_owned());
                    let text = fs::read_to_string(&file)
                        .map_err(|e| format!("AWS_SHARED_CREDENTIALS_FILE: {file}: {e}"))?;
                    profile_of(&text, &profile)
                }
                None => None,
            },
        };
        Ok(match found {
            None => Self::None,
            Some((id, secret, token)) => Self::signing(id, secret, token, region, false),
        })
    }

    fn parse(text: &str, region: String) -> Result<Self, String> {
        // What is wrong is not shown: it may be most of a secret.
        let wrong = || "a key is a token `ff_..`, or `ID:SECRET` of an access key".to_owned();
        if text.starts_with("ff_") {
            let mut value =
                HeaderValue::from_str(&format!("Bearer {text}")).map_err(|_| wrong())?;
            value.set_sensitive(true);
            return Ok(Self::Token(value));
        }
        match text.split_once(':') {
            Some((id, secret)) if !id.is_empty() && !secret.is_empty() => Ok(Self::signing(
                id.to_owned(),
                secret.to_owned(),
                None,
                region,
                true,
            )),
            _ => Err(wrong()),
        }
    }

    fn signing(
        id: String,
        secret: String,
        token: Option<String>,
        region: String,
        is_meant: bool,
    ) -> Self {
        Self::Signing {
            credentials: Credentials::new(id, secret, token, None, "fourfront"),
            region,
            is_meant,
        }
    }

    /// Whether the user said which key to use, so that no other way in is tried.
    pub(super) const fn is_meant(&self) -> bool {
        match self {
            Self::None => false,
            Self::Token(_) => true,
            Self::Signing { is_meant, .. } => *is_meant,
        }
    }

    /// Puts what proves it into a request's fields, among which `Host` is already.
    ///
    /// # Errors
    /// The request is none that can be signed.
    pub(super) fn sign(
        &self,
        method: &Method,
        path: &str,
        headers: &mut HeaderMap,
        body: &[u8],
        now: SystemTime,
    ) -> Result<(), String> {
        let (credentials, region) = match self {
            Self::None => return Ok(()),
            Self::Token(token) => {
                headers.insert(header::AUTHORIZATION, token.clone());
                return Ok(());
            }
            Self::Signing {
                credentials,
                region,
                ..
            } => (credentials, region),
        };
        let failed = |e: &dyn std::fmt::Display| format!("the request cannot be signed: {e}");
        let identity = credentials.clone().into();
        let mut settings = SigningSettings::default();
        // The node judges the signature before it reads the body then.
        settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
        let params = v4::SigningParams::builder()
            .identity(&identity)
            .region(region)
            .name(SERVICE)
            .time(now)
            .settings(settings)
            .build()
            .map_err(|e| failed(&e))?;
        let host = headers.get(header::HOST).and_then(|h| h.to_str().ok());
        let url = format!("http://{}{path}", host.unwrap_or_default());
        let fields = headers
            .iter()
            .filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)));
        let signable =
            SignableRequest::new(method.as_str(), &url, fields, SignableBody::Bytes(body))
                .map_err(|e| failed(&e))?;
        let signed = sign_request(signable, &params.into()).map_err(|e| failed(&e))?;
        let (instructions, _) = signed.into_parts();
        for (name, value) in instructions.headers() {
            let name = HeaderName::try_from(name).map_err(|e| failed(&e))?;
            let value = HeaderValue::try_from(value).map_err(|e| failed(&e))?;
            headers.insert(name, value);
        }
        Ok(())
    }
}

/// Id, secret and session token of a profile in a file as AWS's tools have it.
fn profile_of(text: &str, profile: &str) -> Option<(String, String, Option<String>)> {
    let mut is_ours = false;
    let mut found = [None, None, None];
    for line in text.lines().map(str::trim) {
        if let Some(name) = line.strip_prefix('[').and_then(|l| l.strip_suffix(']')) {
            is_ours = name.trim() == profile;
        }
        let Some((name, value)) = line.split_once('=').filter(|_| is_ours) else {
            continue;
        };
        let at = match name.trim() {
            "aws_access_key_id" => 0,
            "aws_secret_access_key" => 1,
            "aws_session_token" => 2,
            _ => continue,
        };
        found[at] = Some(value.trim().to_owned());
    }
    let [id, secret, token] = found;
    Some((id?, secret?, token))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn find(given: Option<&str>, env: &[(&str, &str)]) -> Result<Key, String> {
        Key::find(given, &|name| {
            let found = env.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    fn id(key: &Key) -> &str {
        match key {
            Key::None => "none",
            Key::Token(_) => "token",
            Key::Signing { credentials, .. } => credentials.access_key_id(),
        }
    }

    #[test]
    fn the_key_is_the_one_that_was_meant_most() {
        // CP-616
        let aws = [("AWS_ACCESS_KEY_ID", "A"), ("AWS_SECRET_ACCESS_KEY", "s")];
        let own = [("FOURFRONT_KEY", "F:s"), aws[0], aws[1]];
        assert_eq!(id(&find(Some("ff_a_b"), &own).unwrap()), "token");
        assert_eq!(id(&find(Some("G:x:y"), &own).unwrap()), "G");
        assert_eq!(id(&find(None, &own).unwrap()), "F");
        let found = find(None, &aws).unwrap();
        assert_eq!((id(&found), found.is_meant()), ("A", false));
        assert_eq!(id(&find(None, &aws[..1]).unwrap()), "none");
        assert!(find(None, &own).unwrap().is_meant());
        for wrong in ["", "secret", ":s", "A:"] {
            let error = find(Some(wrong), &[]).unwrap_err();
            assert!(!error.contains("secret`"), "{error}");
        }
        assert!(find(None, &[("AWS_SHARED_CREDENTIALS_FILE", "/nowhere/at/all")]).is_err());
    }

    #[test]
    fn files_of_credentials_are_read_by_profile() {
        // CP-430: the form in which the first key is written
        let text =
            "[a]\naws_access_key_id = A\naws_secret_access_key=s=1\n\n[ b ]\naws_access_key_id=B\n";
        assert_eq!(
            profile_of(text, "a"),
            Some(("A".to_owned(), "s=1".to_owned(), None))
        );
        assert_eq!(profile_of(text, "b"), None);
        assert_eq!(profile_of(text, "c"), None);
    }

    #[test]
    fn a_request_is_signed_for_the_native_api() {
        // CP-402
        let key = find(Some("FFID:secret"), &[]).unwrap();
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, HeaderValue::from_static("127.0.0.1:9400"));
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_391_891);
        key.sign(
            &Method::GET,
            "/_fourfront/v1/status",
            &mut headers,
            b"",
            now,
        )
        .unwrap();
        let signed = headers[header::AUTHORIZATION].to_str().unwrap();
        let scope = "Credential=FFID/20261122/us-east-1/fourfront/aws4_request";
        assert!(signed.contains(scope), "{signed}");
        assert!(headers.contains_key("x-amz-content-sha256"));
    }
}
