//! What a request presents: a signature in its headers or in its query (CP-410..416).

use std::time::Duration;

use data_encoding::HEXLOWER;
use http::{HeaderMap, HeaderName, header};

use crate::{AuthFault, Mismatch, canonical, moment::Moment};

/// SHA-256 of nothing, in hexadecimal.
const EMPTY_SHA256: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
const UNSIGNED: &str = "UNSIGNED-PAYLOAD";
/// What the words of S3 begin with that stand for a body in chunks, each signed after the one before it or not at all.
const IN_CHUNKS: &str = "STREAMING-";
/// The longest that a presigned link is good for: a week (CP-412).
const LONGEST_LINK: u64 = 604_800;

const X_AMZ_DATE: HeaderName = HeaderName::from_static("x-amz-date");
const X_AMZ_CONTENT_SHA256: HeaderName = HeaderName::from_static("x-amz-content-sha256");
const X_AMZ_REGION_SET: HeaderName = HeaderName::from_static("x-amz-region-set");
const X_AMZ_SECURITY_TOKEN: HeaderName = HeaderName::from_static("x-amz-security-token");

/// A request without its body, as it came.
#[derive(Clone, Copy, Debug)]
pub struct RequestHead<'a> {
    /// The method.
    pub method: &'a str,
    /// The path before any decoding (CP-008), without the query.
    pub raw_path: &'a [u8],
    /// The query before any decoding, without the `?`; empty if there is none.
    pub raw_query: &'a [u8],
    /// The fields. `host` must be among them: a listener of HTTP/2 puts `:authority` there.
    pub headers: &'a HeaderMap,
    /// Whether nobody on the way can read or change it.
    pub over_tls: bool,
}

/// The kinds of signatures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// SigV4, `AWS4-HMAC-SHA256`.
    Hmac,
    /// SigV4a, `AWS4-ECDSA-P256-SHA256`.
    Ecdsa,
}

impl Algorithm {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Hmac => "AWS4-HMAC-SHA256",
            Self::Ecdsa => "AWS4-ECDSA-P256-SHA256",
        }
    }

    fn from_name(name: &str) -> Result<Self, AuthFault> {
        [Self::Hmac, Self::Ecdsa]
            .into_iter()
            .find(|one| one.name() == name)
            .ok_or(AuthFault::Malformed(
                "unknown algorithm: use AWS4-HMAC-SHA256 or AWS4-ECDSA-P256-SHA256",
            ))
    }
}

/// What a signature says of the body (CP-415).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Payload {
    /// Its SHA-256 is in a signed header: the signature can be judged before the body is read.
    Declared([u8; 32]),
    /// Its SHA-256 is part of what was signed, so that the body is needed to judge the signature.
    OfBody,
    /// Nothing, which is accepted over TLS alone.
    Unsigned,
    /// There is none: a presigned link (CP-416).
    Empty,
}

/// A signature that a request presents, in the right form and not yet judged.
#[derive(Clone, Debug)]
pub struct Presented {
    pub(crate) algorithm: Algorithm,
    pub(crate) key_id: String,
    /// The day in the scope, `20261124`.
    pub(crate) day: String,
    /// The region in the scope; SigV4a has it in a header instead.
    pub(crate) region: Option<String>,
    pub(crate) service: String,
    pub(crate) signed_at: Moment,
    /// In query form: for how long, in seconds.
    pub(crate) good_for: Option<i64>,
    pub(crate) signature: String,
    pub(crate) token: Option<String>,
    pub(crate) payload: Payload,
    /// The names of the signed fields.
    pub(crate) signed: Vec<HeaderName>,
    /// All of the canonical request but the hash of the body.
    pub(crate) canonical: Vec<u8>,
}

impl Presented {
    /// Reads the signature of a request; `None` where it has none.
    ///
    /// A bearer token is not a signature: [`crate::bearer::presented`] has to be asked first.
    ///
    /// # Errors
    /// [`AuthFault::Malformed`] for what is not in the form of a signature (CP-410, CP-411, CP-416), and
    /// [`AuthFault::Mismatch`] where the request shows that it cannot be what was signed: headers that ought to be signed
    /// and are not, or are not there (CP-413), and a body nobody signed outside TLS (CP-415).
    pub fn parse(head: &RequestHead<'_>) -> Result<Option<Self>, AuthFault> {
        let in_query = canonical::pairs(head.raw_query).any(|(name, _)| {
            matches!(
                name,
                b"X-Amz-Algorithm" | b"X-Amz-Credential" | b"X-Amz-Signature"
            )
        });
        match (
            single(head.headers, &header::AUTHORIZATION, "authorization")?,
            in_query,
        ) {
            (Some(_), true) => Err(AuthFault::Malformed(
                "signed twice, in the Authorization header and in the query",
            )),
            (Some(value), false) => Self::from_header(value, head).map(Some),
            (None, true) => Self::from_query(head).map(Some),
            (None, false) => Ok(None),
        }
    }

    /// The names of the fields that are signed.
    pub fn signed_names(&self) -> &[HeaderName] {
        &self.signed
    }

    /// The access key that it names.
    pub fn key_id(&self) -> &str {
        &self.key_id
    }

    /// The service in its scope, for routing (CP-002).
    pub fn service(&self) -> &str {
        &self.service
    }

    /// Whether a session token came along.
    pub(crate) const fn has_token(&self) -> bool {
        self.token.is_some()
    }

    /// How it was made.
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// What it says of the body.
    pub const fn payload(&self) -> Payload {
        self.payload
    }

    fn from_header(value: &str, head: &RequestHead<'_>) -> Result<Self, AuthFault> {
        let (name, fields) = value
            .trim()
            .split_once([' ', '\t'])
            .ok_or(AuthFault::Malformed(
                "the Authorization header has no fields",
            ))?;
        let algorithm = Algorithm::from_name(name)?;
        let [mut credential, mut signed, mut signature] = [None; 3];
        for field in fields.split(',') {
            let (name, value) = field.trim().split_once('=').ok_or(AuthFault::Malformed(
                "a field of the Authorization header has no value",
            ))?;
            let slot = match name {
                "Credential" => &mut credential,
                "SignedHeaders" => &mut signed,
                "Signature" => &mut signature,
                _ => {
                    return Err(AuthFault::Malformed(
                        "unknown field in the Authorization header",
                    ));
                }
            };
            if slot.replace(value).is_some() {
                return Err(AuthFault::Malformed(
                    "a field of the Authorization header is there twice",
                ));
            }
        }
        let (Some(credential), Some(signed), Some(signature)) = (credential, signed, signature)
        else {
            return Err(AuthFault::Malformed(
                "Authorization header requires Credential, SignedHeaders and Signature",
            ));
        };
        let signed_at = match single(head.headers, &X_AMZ_DATE, "x-amz-date")? {
            Some(text) => Moment::from_basic(text),
            None => single(head.headers, &header::DATE, "date")?.and_then(|text| {
                Moment::from_basic(text).or_else(|| Moment::from_date_field(text))
            }),
        };
        let signed_at = signed_at.ok_or(AuthFault::Malformed(
            "a signed request requires a valid X-Amz-Date or Date header",
        ))?;
        let is_to_s3 = credential.rsplit('/').nth(1).is_some_and(is_s3);
        let (payload, hash) =
            match single(head.headers, &X_AMZ_CONTENT_SHA256, "x-amz-content-sha256")? {
                None => (Payload::OfBody, None),
                Some(UNSIGNED) if head.over_tls => (Payload::Unsigned, Some(UNSIGNED)),
                Some(UNSIGNED) => return Err(Mismatch::UnsignedPayload.into()),
                // The chunks' own signatures are for whoever takes the chunks apart: here the body is not signed.
                Some(text) if is_to_s3 && text.starts_with(IN_CHUNKS) => match head.over_tls {
                    true => (Payload::Unsigned, Some(text)),
                    false => return Err(Mismatch::UnsignedPayload.into()),
                },
                Some(text) => (Payload::Declared(sha256(text)?), Some(text)),
            };
        let regions = single(head.headers, &X_AMZ_REGION_SET, "x-amz-region-set")?;
        let token = single(head.headers, &X_AMZ_SECURITY_TOKEN, "x-amz-security-token")?;
        let names = signed_names(signed, head.headers)?;
        let mut presented = Self::new(algorithm, credential, signature, signed_at, payload)?;
        presented.token = token.map(str::to_owned);
        presented.check_scope(regions)?;
        presented.canonical = canonical(head, &names, None, is_s3(&presented.service))?;
        presented.signed = names;
        if let Some(hash) = hash {
            presented.canonical.extend_from_slice(hash.as_bytes());
        }
        Ok(presented)
    }

    fn from_query(head: &RequestHead<'_>) -> Result<Self, AuthFault> {
        let parameter = |wanted: &[u8]| -> Result<Option<String>, AuthFault> {
            let mut found = canonical::pairs(head.raw_query).filter(|(name, _)| *name == wanted);
            let Some((_, value)) = found.next() else {
                return Ok(None);
            };
            if found.next().is_some() {
                return Err(AuthFault::Malformed(
                    "a parameter of the signature is there twice",
                ));
            }
            canonical::decode(value)
                .map(Some)
                .ok_or(AuthFault::Malformed(
                    "a parameter of the signature is not percent-encoded UTF-8",
                ))
        };
        let needed = |wanted: &[u8]| {
            parameter(wanted)?.ok_or(AuthFault::Malformed(
                "a presigned request requires X-Amz-Algorithm, -Credential, -Date, -Expires, -SignedHeaders and \
                 -Signature",
            ))
        };
        let algorithm = Algorithm::from_name(&needed(b"X-Amz-Algorithm")?)?;
        let signed_at = Moment::from_basic(&needed(b"X-Amz-Date")?).ok_or(AuthFault::Malformed(
            "X-Amz-Date is not a date such as 20261124T120000Z",
        ))?;
        let expires = needed(b"X-Amz-Expires")?;
        let good_for = expires
            .bytes()
            .all(|byte| byte.is_ascii_digit())
            .then(|| expires.parse::<u64>().ok())
            .flatten()
            .filter(|seconds| (1..=LONGEST_LINK).contains(seconds))
            .and_then(|seconds| i64::try_from(seconds).ok())
            .ok_or(AuthFault::Malformed(
                "X-Amz-Expires must be from 1 to 604800 seconds",
            ))?;
        // A header that says something else of the body than the link does, which is that there is none.
        if single(head.headers, &X_AMZ_CONTENT_SHA256, "x-amz-content-sha256")?
            .is_some_and(|hash| hash != EMPTY_SHA256)
        {
            return Err(Mismatch::Body.into());
        }
        let names = signed_names(&needed(b"X-Amz-SignedHeaders")?, head.headers)?;
        let mut presented = Self::new(
            algorithm,
            &needed(b"X-Amz-Credential")?,
            &needed(b"X-Amz-Signature")?,
            signed_at,
            Payload::Empty,
        )?;
        presented.good_for = Some(good_for);
        presented.token = parameter(b"X-Amz-Security-Token")?;
        presented.check_scope(parameter(b"X-Amz-Region-Set")?.as_deref())?;
        let s3 = is_s3(&presented.service);
        presented.canonical = canonical(head, &names, Some(b"X-Amz-Signature"), s3)?;
        presented.signed = names;
        let hash = match s3 {
            // Links of S3 are good for uploads too; where the body may be changed on its way, for none that has one.
            true => {
                if head.over_tls {
                    presented.payload = Payload::Unsigned;
                }
                UNSIGNED
            }
            false => EMPTY_SHA256,
        };
        presented.canonical.extend_from_slice(hash.as_bytes());
        Ok(presented)
    }

    /// Takes the credential apart: `KEY/DAY/REGION/SERVICE/aws4_request`, for SigV4a without the region (CP-411).
    fn new(
        algorithm: Algorithm,
        credential: &str,
        signature: &str,
        signed_at: Moment,
        payload: Payload,
    ) -> Result<Self, AuthFault> {
        const FORM: AuthFault = AuthFault::Malformed(
            "Credential must be <access key>/<date>/<region>/<service>/aws4_request, without the region for SigV4a",
        );
        let parts: Vec<&str> = credential.split('/').collect();
        let (key_id, day, region, service) = match (algorithm, parts.as_slice()) {
            (Algorithm::Hmac, [key, day, region, service, "aws4_request"]) => {
                (*key, *day, Some((*region).to_owned()), *service)
            }
            (Algorithm::Ecdsa, [key, day, service, "aws4_request"]) => (*key, *day, None, *service),
            _ => return Err(FORM),
        };
        if key_id.is_empty() || service.is_empty() || signature.is_empty() {
            return Err(FORM);
        }
        Ok(Self {
            algorithm,
            key_id: key_id.to_owned(),
            day: day.to_owned(),
            region,
            service: service.to_owned(),
            signed_at,
            good_for: None,
            signature: signature.to_owned(),
            token: None,
            payload,
            signed: Vec::new(),
            canonical: Vec::new(),
        })
    }

    /// The day is that of the date, and the region, or the set of them, has the form of one (CP-005, CP-411).
    fn check_scope(&self, set: Option<&str>) -> Result<(), AuthFault> {
        if self.signed_at.basic().get(..8) != Some(self.day.as_str()) {
            return Err(Mismatch::Day.into());
        }
        let good = match &self.region {
            Some(region) => is_region(region),
            None => set
                .ok_or(AuthFault::Malformed("SigV4a requires X-Amz-Region-Set"))?
                .split(',')
                .all(|one| one.trim() == "*" || is_region(one.trim())),
        };
        if good {
            Ok(())
        } else {
            Err(Mismatch::Region.into())
        }
    }

    /// The string that the signature is over, for a body of that SHA-256.
    pub(crate) fn string_to_sign(&self, body_sha256: &[u8; 32]) -> String {
        use sha2::{Digest, Sha256};

        let mut hash = Sha256::new_with_prefix(&self.canonical);
        if self.payload == Payload::OfBody {
            hash.update(HEXLOWER.encode(body_sha256));
        }
        let region = self.region.iter().flat_map(|region| [region, "/"]);
        format!(
            "{}\n{}\n{}/{}{}/aws4_request\n{}",
            self.algorithm.name(),
            self.signed_at.basic(),
            self.day,
            region.collect::<String>(),
            self.service,
            HEXLOWER.encode(&hash.finalize())
        )
    }

    /// How long a presigned link is good for.
    pub fn good_for(&self) -> Option<Duration> {
        self.good_for
            .and_then(|seconds| u64::try_from(seconds).ok())
            .map(Duration::from_secs)
    }
}

/// The names of the signed headers, which are sorted, have `host` among them and all `x-amz-*` that are there (CP-413).
fn signed_names(text: &str, headers: &HeaderMap) -> Result<Vec<HeaderName>, AuthFault> {
    let names = text
        .split(';')
        .map(|name| HeaderName::from_bytes(name.as_bytes()))
        .collect::<Result<Vec<_>, _>>()
        .map_err(|_| {
            AuthFault::Malformed("SignedHeaders has something that is not a header's name")
        })?;
    if !names.is_sorted_by(|one, next| one.as_str() < next.as_str()) {
        return Err(AuthFault::Malformed(
            "SignedHeaders must be sorted, each name once",
        ));
    }
    if !names.contains(&header::HOST) {
        return Err(Mismatch::UnsignedHeader("host".to_owned()).into());
    }
    if headers.get_all(header::HOST).iter().nth(1).is_some() {
        return Err(Mismatch::RepeatedHeader("host").into());
    }
    let unsigned = headers
        .keys()
        .find(|name| name.as_str().starts_with("x-amz-") && !names.contains(name));
    match unsigned {
        Some(name) => Err(Mismatch::UnsignedHeader(name.to_string()).into()),
        None => Ok(names),
    }
}

/// Whether requests to a service are signed as S3 has it: the path as it is sent, and neither put in order nor encoded again.
fn is_s3(service: &str) -> bool {
    service == "s3" || service == "s3express" || service.starts_with("s3-")
}

/// The canonical request up to the hash of the body (CP-414). `as_sent` is whether the path is signed as it is sent.
fn canonical(
    head: &RequestHead<'_>,
    names: &[HeaderName],
    leave_out: Option<&[u8]>,
    as_sent: bool,
) -> Result<Vec<u8>, Mismatch> {
    let mut out = Vec::with_capacity(512);
    out.extend_from_slice(head.method.as_bytes());
    out.push(b'\n');
    match as_sent {
        true => out.extend_from_slice(head.raw_path),
        false => canonical::path(head.raw_path, &mut out),
    }
    out.push(b'\n');
    canonical::query(head.raw_query, leave_out, &mut out);
    out.push(b'\n');
    canonical::headers(names, head.headers, &mut out)?;
    out.push(b'\n');
    for (index, name) in names.iter().enumerate() {
        if index > 0 {
            out.push(b';');
        }
        out.extend_from_slice(name.as_str().as_bytes());
    }
    out.push(b'\n');
    Ok(out)
}

/// A header that may be there once, as text.
pub(crate) fn single<'a>(
    headers: &'a HeaderMap,
    name: &HeaderName,
    label: &'static str,
) -> Result<Option<&'a str>, AuthFault> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    if values.next().is_some() {
        return Err(Mismatch::RepeatedHeader(label).into());
    }
    value
        .to_str()
        .map(|text| Some(text.trim()))
        .map_err(|_| AuthFault::Malformed("a header of the signature is not ASCII"))
}

fn sha256(text: &str) -> Result<[u8; 32], AuthFault> {
    HEXLOWER
        .decode(text.as_bytes())
        .ok()
        .and_then(|bytes| bytes.try_into().ok())
        .ok_or(AuthFault::Malformed(
            "X-Amz-Content-SHA256 must be a SHA-256 in hexadecimal or UNSIGNED-PAYLOAD; streaming forms are not accepted",
        ))
}

/// `[a-z]{2}(-[a-z]+)+-\d` (CP-005).
fn is_region(text: &str) -> bool {
    let mut parts = text.split('-');
    let first = parts.next().unwrap_or_default();
    let last = parts.next_back().unwrap_or_default();
    let letters =
        |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_lowercase());
    let mut middle = parts.peekable();
    first.len() == 2
        && letters(first)
        && last.len() == 1
        && last.bytes().all(|byte| byte.is_ascii_digit())
        && middle.peek().is_some()
        && middle.all(letters)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_region_of_the_form_is_one() {
        // CP-005
        for good in ["us-east-1", "eu-west-3", "us-gov-west-1", "xx-y-0"] {
            assert!(is_region(good), "{good}");
        }
        for wrong in [
            "",
            "*",
            "us",
            "us-1",
            "us-east",
            "us-east-",
            "us-east-12",
            "US-east-1",
            "usa-east-1",
            "us--1",
            "us-ea st-1",
        ] {
            assert!(!is_region(wrong), "{wrong}");
        }
    }

    #[test]
    fn a_link_has_all_parameters_once_and_in_range() {
        // CP-412, CP-416: each thing that a link needs and what it may be
        let whole = "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=K%2F20261124%2Fus-east-1%2Flambda%2Faws4_request\
                     &X-Amz-Date=20261124T120000Z&X-Amz-Expires=60&X-Amz-SignedHeaders=host&X-Amz-Signature=00";
        let mut headers = HeaderMap::new();
        headers.insert("host", "h".parse().unwrap());
        let parse = |query: &str| {
            Presented::parse(&RequestHead {
                method: "GET",
                raw_path: b"/",
                raw_query: query.as_bytes(),
                headers: &headers,
                over_tls: false,
            })
        };
        let good = parse(whole).unwrap().unwrap();
        assert_eq!(good.good_for(), Some(Duration::from_secs(60)));
        assert_eq!(good.payload(), Payload::Empty);
        for pair in whole.split('&') {
            let without: Vec<&str> = whole.split('&').filter(|one| *one != pair).collect();
            assert!(
                matches!(parse(&without.join("&")), Err(AuthFault::Malformed(_))),
                "{pair}"
            );
            let twice = format!("{whole}&{pair}");
            assert!(
                matches!(parse(&twice), Err(AuthFault::Malformed(_))),
                "{pair}"
            );
        }
        for expires in [
            "0",
            "-1",
            "+60",
            "604801",
            "6e1",
            "",
            "99999999999999999999",
        ] {
            let query = whole.replace("Expires=60", &format!("Expires={expires}"));
            assert!(
                matches!(parse(&query), Err(AuthFault::Malformed(_))),
                "{expires}"
            );
        }
        assert!(parse("a=b&x-amz-signature=1").unwrap().is_none());
    }
}
