//! What an edge tells its shield, and the seal on it.

use std::{
    net::SocketAddr,
    time::{Duration, SystemTime},
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use fourfront_model::ShieldSecret;
use hmac::{Hmac, Mac as _};
use http::{HeaderValue, Method};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// How far the clocks of two nodes may be apart, and for how long a message that somebody has overheard can be sent once more.
/// It is for one method and target all the same.
const WINDOW: Duration = Duration::from_secs(300);

/// Longest message that is looked at, in characters.
const LONGEST: usize = 64 * 1024;

/// What stands at the front of what is sealed, so that a seal is good for nothing else.
const CONTEXT: &[u8] = b"fourfront origin shield 1";

/// A secret that seals messages.
pub type Secret = ShieldSecret;

/// What an edge wants of a shield.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Message {
    /// The answer to a request of a viewer's, which is this one in its origin form.
    Fetch(Box<Fetched>),
    /// That something does not answer any more (CF-660). The digest is the request body's, which says what.
    Invalidate([u8; 32]),
}

/// Where a request belongs, and what origin-side functions and the cache need to know of its viewer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fetched {
    /// The distribution's id.
    pub distribution: String,
    /// The path pattern of the behaviour that the viewer's own path belongs to (CF-002).
    pub behavior: String,
    /// The id of the origin that is to be asked: the behaviour's, or the secondary of its group.
    pub origin: String,
    /// The viewer request's id (LE-073).
    pub request_id: String,
    /// Who the viewer is (LE-074).
    pub viewer: SocketAddr,
    /// Whether it came by HTTPS: the origin may be asked likewise (CF-421, CF-430).
    pub is_https: bool,
    /// Ten times the version of HTTP that it spoke (CF-206).
    pub version: u8,
    /// Path and query as the viewer sent them, where a function has changed them (CF-658).
    pub viewer_target: Option<Vec<u8>>,
    /// The viewer's `Cache-Control`, where it has a say (CF-829).
    pub cache_control: Option<Vec<u8>>,
}

impl Message {
    /// That what `body` names does not answer any more.
    pub fn invalidate(body: &[u8]) -> Self {
        Self::Invalidate(Sha256::digest(body).into())
    }

    /// Whether this is about that body.
    pub fn is_about(&self, body: &[u8]) -> bool {
        *self == Self::invalidate(body)
    }
}

/// A message as it travels.
#[derive(Serialize, Deserialize)]
struct Letter {
    /// Seconds since 1970 when it was sealed.
    time: u64,
    /// The region whose shield it is for.
    region: String,
    message: Message,
}

/// Why a message is not heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// It is none.
    #[error("the message cannot be read")]
    Malformed,
    /// It was not sealed with the node's secret, or not for this request.
    #[error("the seal is not that of the node's secret")]
    Seal,
    /// It is too old, or the clocks differ.
    #[error("the message is of another time")]
    Time,
    /// It is for another shield.
    #[error("the message is for the shield of another region")]
    Region,
    /// It names what the node's configuration does not have.
    #[error("the configuration has no such distribution, behaviour or origin")]
    Unknown,
}

impl Refusal {
    /// The word in metrics, logs and answers.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::Seal => "seal",
            Self::Time => "time",
            Self::Region => "region",
            Self::Unknown => "unknown",
        }
    }
}

/// The field's value for a request with that method and target, sealed at the time `now` for the shield of a region.
///
/// # Errors
/// None that can come of what viewers send: the message is plain data.
pub fn seal(
    secret: &Secret,
    region: &str,
    message: Message,
    (method, target): (&Method, &[u8]),
    now: SystemTime,
) -> Result<HeaderValue, Refusal> {
    let letter = Letter {
        time: seconds(now),
        region: region.to_owned(),
        message,
    };
    let letter = postcard::to_allocvec(&letter).map_err(|_| Refusal::Malformed)?;
    let seal = mac(secret, method, target, &letter).finalize().into_bytes();
    let text = format!(
        "{}.{}",
        URL_SAFE_NO_PAD.encode(&letter),
        URL_SAFE_NO_PAD.encode(seal)
    );
    HeaderValue::from_str(&text).map_err(|_| Refusal::Malformed)
}

/// What a request with that method and target is told to be, if it comes from who has one of the secrets.
///
/// # Errors
/// Why it gives no rights. The seal is looked at before anything that it vouches for.
pub fn open(
    value: &HeaderValue,
    secrets: &[Secret],
    region: &str,
    (method, target): (&Method, &[u8]),
    now: SystemTime,
) -> Result<Message, Refusal> {
    let text = value.to_str().ok().filter(|text| text.len() <= LONGEST);
    let (letter, seal) = text
        .and_then(|text| text.split_once('.'))
        .and_then(|(letter, seal)| {
            let decode = |part| URL_SAFE_NO_PAD.decode(part).ok();
            Some((decode(letter)?, decode(seal)?))
        })
        .ok_or(Refusal::Malformed)?;
    // Compared in constant time.
    let is_sealed = |secret: &Secret| {
        mac(secret, method, target, &letter)
            .verify_slice(&seal)
            .is_ok()
    };
    if !secrets.iter().any(is_sealed) {
        return Err(Refusal::Seal);
    }
    let letter: Letter = postcard::from_bytes(&letter).map_err(|_| Refusal::Malformed)?;
    if letter.time.abs_diff(seconds(now)) > WINDOW.as_secs() {
        return Err(Refusal::Time);
    }
    if letter.region != region {
        return Err(Refusal::Region);
    }
    Ok(letter.message)
}

/// Each part is preceded by its length, so that none can be taken for the beginning of another.
fn mac(secret: &Secret, method: &Method, target: &[u8], letter: &[u8]) -> Hmac<Sha256> {
    let mut mac = keyed(secret.as_bytes());
    for part in [CONTEXT, method.as_str().as_bytes(), target, letter] {
        mac.update(&(part.len() as u64).to_be_bytes());
        mac.update(part);
    }
    mac
}

/// HMAC takes keys of any length: one that is longer than a block is hashed first, which is done here so that there is no
/// error left to be had.
fn keyed(secret: &[u8]) -> Hmac<Sha256> {
    let digest = Sha256::digest(secret);
    Hmac::<Sha256>::new(&hmac::digest::Key::<Hmac<Sha256>>::from(block(&digest)))
}

/// A key of one block: the digest, and zeros behind it as RFC 2104 fills keys up.
fn block(digest: &[u8]) -> [u8; 64] {
    let mut block = [0; 64];
    block.iter_mut().zip(digest).for_each(|(b, d)| *b = *d);
    block
}

fn seconds(time: SystemTime) -> u64 {
    time.duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: u64 = 1_772_528_400;

    fn secret(text: &str) -> Secret {
        Secret::new(text).unwrap()
    }

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    fn fetch() -> Message {
        Message::Fetch(Box::new(Fetched {
            distribution: "E1".to_owned(),
            behavior: "/a*".to_owned(),
            origin: "app".to_owned(),
            request_id: "id==".to_owned(),
            viewer: "[2001:db8::1]:4711".parse().unwrap(),
            is_https: true,
            version: 20,
            viewer_target: Some(b"/a?\xff".to_vec()),
            cache_control: None,
        }))
    }

    const GET: (&Method, &[u8]) = (&Method::GET, b"/a?b");

    fn sealed() -> HeaderValue {
        let secret = secret("0123456789abcdef");
        seal(&secret, "eu-west-1", fetch(), GET, at(AT)).unwrap()
    }

    fn opened(
        value: &HeaderValue,
        with: &[&str],
        of: (&Method, &[u8]),
        now: u64,
    ) -> Result<Message, Refusal> {
        let secrets: Vec<_> = with.iter().map(|text| secret(text)).collect();
        open(value, &secrets, "eu-west-1", of, at(now))
    }

    #[test]
    fn what_is_sealed_is_heard_by_who_has_the_secret() {
        // CF-415
        let old_and_new = ["fedcba9876543210", "0123456789abcdef"];
        assert_eq!(opened(&sealed(), &old_and_new, GET, AT + 299), Ok(fetch()));
        assert_eq!(opened(&sealed(), &old_and_new, GET, AT - 299), Ok(fetch()));
    }

    #[test]
    fn a_seal_is_for_one_request_one_shield_and_some_minutes() {
        // CF-415
        let with = ["0123456789abcdef"];
        let put = (&Method::PUT, GET.1);
        let elsewhere = (&Method::GET, &b"/a?c"[..]);
        for (given, of, now, why) in [
            (&["fedcba9876543210"], GET, AT, Refusal::Seal),
            (&with, put, AT, Refusal::Seal),
            (&with, elsewhere, AT, Refusal::Seal),
            (&with, GET, AT + 301, Refusal::Time),
            (&with, GET, AT - 301, Refusal::Time),
        ] {
            assert_eq!(opened(&sealed(), given, of, now), Err(why));
        }
        let secrets = [secret(with[0])];
        let other = open(&sealed(), &secrets, "us-east-1", GET, at(AT));
        assert_eq!(other, Err(Refusal::Region));
        assert_eq!(opened(&sealed(), &[], GET, AT), Err(Refusal::Seal));
    }

    #[test]
    fn no_change_of_a_message_is_heard() {
        // CF-415
        let text = sealed().to_str().unwrap().to_owned();
        for at in 0..text.len() {
            let mut changed = text.clone().into_bytes();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            let value = HeaderValue::from_bytes(&changed).unwrap();
            let heard = opened(&value, &["0123456789abcdef"], GET, AT);
            assert!(heard.is_err(), "{at}: {heard:?}");
        }
        for junk in [
            "",
            ".",
            "a.b",
            &text[..text.len() - 1],
            &format!("{text}A"),
            "\u{e9}.\u{e9}",
        ] {
            let value = HeaderValue::from_bytes(junk.as_bytes()).unwrap();
            let heard = opened(&value, &["0123456789abcdef"], GET, AT);
            assert!(heard.is_err(), "{junk}: {heard:?}");
        }
        let long = HeaderValue::from_str(&"A".repeat(LONGEST + 1)).unwrap();
        assert_eq!(
            opened(&long, &["0123456789abcdef"], GET, AT),
            Err(Refusal::Malformed)
        );
    }

    #[test]
    fn an_invalidation_is_about_one_body() {
        // CF-415, CF-660
        let message = Message::invalidate(b"{}");
        assert!(message.is_about(b"{}"));
        assert!(!message.is_about(b"{ }") && !fetch().is_about(b"{}"));
    }
}
