//! Requests to buckets signed with SigV4 (CF-432..436).
//!
//! What is signed is what goes on the wire, so this comes after [`crate::request::finish`]. The signature covers `Host`, the date
//! and the payload's hash (CF-434): fields that a proxy on the way may touch are left out. A path is sent as S3 writes it, decoded and
//! encoded once, however the viewer wrote it: servers that hold the signature against what they decoded, and servers that hold
//! it against what they received, then agree.

use std::time::SystemTime;

use aws_credential_types::Credentials;
use aws_sigv4::{
    http_request::{
        PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SigningSettings,
        UriPathNormalizationMode, sign as sign_request,
    },
    sign::v4,
};
use bytes::Bytes;
use fourfront_model::{
    HeaderLine, Origin, OriginAccess, OriginKind, S3AuthMethod, S3Origin, SigningBehavior,
};
use http::{HeaderName, HeaderValue, Method, header};

use crate::request::WireRequest;

const CONTENT_SHA256: HeaderName = HeaderName::from_static("x-amz-content-sha256");
/// What S3 is told of an object beside its name. Such fields pass, and are signed with the rest, as S3 wants all of its own
/// to be. No other does: what is copied, and who may read it, is not a viewer's to say with the node's credentials, and an
/// unsigned one would be an error that others get to see.
const PASSED: [&str; 3] = ["x-amz-meta-", "x-amz-checksum-", "x-amz-storage-class"];

/// The body of a request that is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Payload {
    /// None.
    Empty,
    /// The viewer's, as it comes; its hash is the viewer's to give.
    Viewers,
    /// One that a function put in its place.
    Replaced,
}
/// Where a bucket lies whose endpoint names no region.
const DEFAULT_REGION: &str = "us-east-1";

/// A request that cannot be signed: its target or `Host` is none that S3 could take.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("origin `{origin}`: the request cannot be signed: {cause}")]
pub struct SigningError {
    /// The origin's id.
    pub origin: String,
    /// What the signer said.
    pub cause: String,
}

/// With what requests to an origin are signed, if they are: by its configuration, and as a function left it (LE-114).
pub fn access(origin: &Origin) -> Option<(&OriginAccess, &S3Origin)> {
    match (&origin.kind, &origin.access) {
        (OriginKind::S3(s3), Some(access))
            if s3.auth_method == S3AuthMethod::OriginAccessIdentity =>
        {
            Some((access, s3))
        }
        _ => None,
    }
}

/// Signs a request to `origin`, where that is configured. `now` is the wall clock.
///
/// # Errors
/// [`SigningError`].
pub fn sign(
    request: &mut WireRequest,
    method: &Method,
    origin: &Origin,
    payload: Payload,
    now: SystemTime,
) -> Result<(), SigningError> {
    let Some((access, s3)) = access(origin) else {
        return Ok(());
    };
    let has_own = request
        .headers
        .iter()
        .any(|l| l.name == header::AUTHORIZATION);
    if has_own && access.behavior == SigningBehavior::NoOverride {
        return Ok(());
    }
    let failed = |cause: String| SigningError {
        origin: origin.id.clone(),
        cause,
    };
    let text = |name: &HeaderName| {
        let line = request.headers.iter().find(|l| l.name == *name);
        line.and_then(|l| l.value.to_str().ok()).map(str::to_owned)
    };
    let host = text(&header::HOST).ok_or_else(|| failed("it has no `Host`".to_owned()))?;
    let hash = text(&CONTENT_SHA256);
    let body = match (payload, hash) {
        (Payload::Empty, _) => SignableBody::Bytes(&[]),
        (Payload::Viewers, Some(hash)) => SignableBody::Precomputed(hash),
        (Payload::Viewers | Payload::Replaced, _) => SignableBody::UnsignedPayload,
    };
    let passes = |line: &HeaderLine| {
        let name = line.name.as_str();
        let is_s3s = name.starts_with("x-amz-") || line.name == header::AUTHORIZATION;
        !is_s3s || PASSED.iter().any(|passed| name.starts_with(passed))
    };
    request.headers.retain(passes);
    let keys = &access.credentials;
    let identity = Credentials::new(
        &keys.access_key_id,
        &keys.secret_access_key,
        keys.session_token.clone(),
        None,
        "fourfront",
    )
    .into();
    let mut settings = SigningSettings::default();
    settings.percent_encoding_mode = PercentEncodingMode::Single;
    settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
    settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
    let region = match s3.region.as_str() {
        "" => DEFAULT_REGION,
        region => region,
    };
    let params = v4::SigningParams::builder()
        .identity(&identity)
        .region(region)
        .name("s3")
        .time(now)
        .settings(settings)
        .build()
        .map_err(|e| failed(e.to_string()))?;
    let described = request
        .headers
        .iter()
        .filter(|l| l.name.as_str().starts_with("x-amz-"));
    let described: Option<Vec<_>> = described
        .map(|l| Some((l.name.as_str(), l.value.to_str().ok()?)))
        .collect();
    let described = described.ok_or_else(|| failed("a field of S3's is no text".to_owned()))?;
    let target = canonical(&request.target);
    let uri = format!("https://{host}{target}");
    let signable = SignableRequest::new(
        method.as_str(),
        uri,
        std::iter::once(("host", host.as_str())).chain(described.iter().copied()),
        body,
    )
    .map_err(|e| failed(e.to_string()))?;
    let signed = sign_request(signable, &params.into()).map_err(|e| failed(e.to_string()))?;
    let (instructions, _) = signed.into_parts();
    request.target = target.into();
    for (name, value) in instructions.headers() {
        let line = HeaderLine {
            name: HeaderName::from_bytes(name.as_bytes()).map_err(|e| failed(e.to_string()))?,
            key: Bytes::copy_from_slice(name.as_bytes()),
            value: HeaderValue::from_str(value).map_err(|e| failed(e.to_string()))?,
        };
        request.headers.push(line);
    }
    Ok(())
}

/// A target whose path is written as S3 writes it: decoded, and everything encoded but `A-Z a-z 0-9 - . _ ~ /`. A query is the
/// signer's to put in order.
fn canonical(target: &[u8]) -> String {
    let (path, query) = match target.iter().position(|b| *b == b'?') {
        Some(at) => target.split_at(at),
        None => (target, &b""[..]),
    };
    let mut out = String::with_capacity(target.len() + 16);
    let mut rest = path;
    while let Some((&byte, after)) = rest.split_first() {
        let (byte, after) = match (byte, after) {
            (b'%', [high, low, after @ ..]) => match (digit(*high), digit(*low)) {
                (Some(high), Some(low)) => (high << 4 | low, after),
                _ => (byte, &rest[1..]),
            },
            _ => (byte, after),
        };
        encode(byte, true, &mut out);
        rest = after;
    }
    for &byte in query {
        encode(byte, false, &mut out);
    }
    out
}

/// In a query only what no URI can hold is encoded.
fn encode(byte: u8, path: bool, out: &mut String) {
    use std::fmt::Write as _;
    let plain = match path {
        true => byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte),
        false => byte.is_ascii_graphic() && !b"\"<>\\^`{|}#".contains(&byte),
    };
    if plain {
        out.push(char::from(byte));
    } else {
        let _ = write!(out, "%{byte:02X}");
    }
}

const fn digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
