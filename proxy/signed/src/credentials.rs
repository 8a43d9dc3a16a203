//! What a viewer presents: a signed URL, or signed cookies (CF-561..564).

use fourfront_model::SIGNED_URL_PARAMETERS;
use http::{HeaderMap, header};

use crate::{
    refusal::{Denial, Refusal},
    url::{parameters, split},
};

/// What was signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signed<'a> {
    /// A custom policy, still encoded.
    Policy(&'a [u8]),
    /// The canned policy with this expiry.
    Expires(&'a [u8]),
    /// Nothing that is said.
    Nothing,
}

/// What signatures are made over a hash of (CF-564).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Hash {
    /// Where nothing else is said.
    #[default]
    Sha1,
    /// Where `Hash-Algorithm` says so.
    Sha256,
}

/// What a viewer presents, still encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Credentials<'a> {
    /// Which key it is to be checked with; never empty.
    pub key_id: &'a [u8],
    /// The signature; empty where there is none.
    pub signature: &'a [u8],
    /// What it is over.
    pub signed: Signed<'a>,
    /// And of which hash; `None` for one that CloudFront does not have.
    pub hash: Option<Hash>,
}

/// The five values in the order of [`SIGNED_URL_PARAMETERS`].
#[derive(Clone, Copy, Debug, Default)]
struct Values<'a>([Option<&'a [u8]>; 5]);

impl<'a> Credentials<'a> {
    /// What a request presents. With any of `Expires`, `Policy`, `Signature` and `Key-Pair-Id` in its query that is the
    /// query, whatever its cookies say (CF-561).
    ///
    /// # Errors
    /// [`Refusal::MissingKey`] where no key is named, [`Refusal::AccessDenied`] for what is in the query twice.
    pub fn of(target: &'a [u8], headers: &'a HeaderMap) -> Result<Self, Refusal> {
        let query = split(target).1.unwrap_or_default();
        let (values, twice) = Values::of_query(query);
        if values.are_of_a_signed_url() {
            return match twice {
                Some(name) => Err(Denial::Twice(name).into()),
                None => values.read(),
            };
        }
        Values::of_cookies(headers).read()
    }
}

impl<'a> Values<'a> {
    /// The parameters of a signed URL, and one that is there twice.
    fn of_query(query: &'a [u8]) -> (Self, Option<&'static str>) {
        let mut values = Self::default();
        let mut twice = None;
        for (name, value) in parameters(query) {
            let known = SIGNED_URL_PARAMETERS
                .iter()
                .position(|n| n.as_bytes() == name);
            let Some(at) = known else {
                continue;
            };
            if values.0[at].replace(value).is_some() {
                twice = Some(SIGNED_URL_PARAMETERS[at]);
            }
        }
        (values, twice)
    }

    /// The signed cookies: parameters' names behind `CloudFront-` (CF-563). The first of a name counts.
    fn of_cookies(headers: &'a HeaderMap) -> Self {
        let mut values = Self::default();
        let pairs = headers
            .get_all(header::COOKIE)
            .iter()
            .flat_map(|line| line.as_bytes().split(|b| *b == b';'));
        for pair in pairs {
            let pair = pair.trim_ascii();
            let Some(rest) = pair.strip_prefix(b"CloudFront-") else {
                continue;
            };
            let Some(equals) = memchr::memchr(b'=', rest) else {
                continue;
            };
            let (name, value) = (&rest[..equals], &rest[equals + 1..]);
            let known = SIGNED_URL_PARAMETERS
                .iter()
                .position(|n| n.as_bytes() == name);
            if let Some(at) = known {
                values.0[at].get_or_insert(value);
            }
        }
        values
    }

    /// `Hash-Algorithm` alone may be anybody's parameter (CF-561).
    fn are_of_a_signed_url(&self) -> bool {
        let [expires, policy, signature, key_id, _] = self.0;
        [expires, policy, signature, key_id]
            .iter()
            .any(Option::is_some)
    }

    fn read(self) -> Result<Credentials<'a>, Refusal> {
        let [expires, policy, signature, key_id, hash] = self.0;
        let key_id = key_id.filter(|id| !id.is_empty());
        Ok(Credentials {
            key_id: key_id.ok_or(Refusal::MissingKey)?,
            signature: signature.unwrap_or_default(),
            // With both, the custom policy counts (CF-562).
            signed: match (policy, expires) {
                (Some(policy), _) => Signed::Policy(policy),
                (None, Some(expires)) => Signed::Expires(expires),
                (None, None) => Signed::Nothing,
            },
            hash: match hash {
                None | Some(b"SHA1") => Some(Hash::Sha1),
                Some(b"SHA256") => Some(Hash::Sha256),
                Some(_) => None,
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use fourfront_model::SIGNED_COOKIES;
    use http::HeaderValue;

    use super::*;

    fn cookies(lines: &[&'static str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(header::COOKIE, HeaderValue::from_static(line));
        }
        headers
    }

    fn told(target: &str, headers: &HeaderMap) -> Result<String, Refusal> {
        let credentials = Credentials::of(target.as_bytes(), headers)?;
        let text = |b: &[u8]| String::from_utf8_lossy(b).into_owned();
        let signed = match credentials.signed {
            Signed::Policy(p) => format!("policy {}", text(p)),
            Signed::Expires(e) => format!("expires {}", text(e)),
            Signed::Nothing => "nothing".to_owned(),
        };
        let hash = credentials.hash.map_or("other", |hash| match hash {
            Hash::Sha1 => "Sha1",
            Hash::Sha256 => "Sha256",
        });
        let (key, signature) = (text(credentials.key_id), text(credentials.signature));
        Ok(format!("{key} {signature} {signed} {hash}"))
    }

    #[test]
    fn cookies_are_called_as_parameters_are() {
        // CF-563
        for (cookie, parameter) in SIGNED_COOKIES.iter().zip(SIGNED_URL_PARAMETERS) {
            assert_eq!(*cookie, format!("CloudFront-{parameter}"));
        }
    }

    #[test]
    fn what_urls_present() {
        // CF-561, CF-562, CF-564
        let none = HeaderMap::new();
        let twice = |name| Err(Denial::Twice(name).into());
        for (query, want) in [
            (
                "Expires=1&Signature=s&Key-Pair-Id=K",
                Ok("K s expires 1 Sha1"),
            ),
            (
                "Key-Pair-Id=K&x=1&Signature=s&Expires=1",
                Ok("K s expires 1 Sha1"),
            ),
            (
                "Policy=p&Signature=s&Key-Pair-Id=K",
                Ok("K s policy p Sha1"),
            ),
            (
                "Policy=p&Expires=1&Signature=s&Key-Pair-Id=K",
                Ok("K s policy p Sha1"),
            ),
            (
                "Policy=&Expires=1&Signature=s&Key-Pair-Id=K",
                Ok("K s policy  Sha1"),
            ),
            (
                "Expires=1&Signature=s&Key-Pair-Id=K&Hash-Algorithm=SHA256",
                Ok("K s expires 1 Sha256"),
            ),
            (
                "Expires=1&Signature=s&Key-Pair-Id=K&Hash-Algorithm=SHA1",
                Ok("K s expires 1 Sha1"),
            ),
            ("Expires=1&Key-Pair-Id=K", Ok("K  expires 1 Sha1")),
            (
                "Expires=1&Signature=a=b&Key-Pair-Id=K",
                Ok("K a=b expires 1 Sha1"),
            ),
            (
                "Expires=1&Signature=s&Key-Pair-Id=K&Hash-Algorithm=sha256",
                Ok("K s expires 1 other"),
            ),
            (
                "Expires=1&Signature=s&Key-Pair-Id=K&Hash-Algorithm=SHA512",
                Ok("K s expires 1 other"),
            ),
            (
                "Expires=1&Signature=s&Key-Pair-Id=K&Hash-Algorithm",
                Ok("K s expires 1 other"),
            ),
            ("", Err(Refusal::MissingKey)),
            ("x=1", Err(Refusal::MissingKey)),
            ("Hash-Algorithm=SHA256", Err(Refusal::MissingKey)),
            ("Expires=1&Signature=s", Err(Refusal::MissingKey)),
            (
                "Expires=1&Signature=s&Key-Pair-Id=",
                Err(Refusal::MissingKey),
            ),
            (
                "Expires=1&Signature=s&Key-Pair-Id",
                Err(Refusal::MissingKey),
            ),
            (
                "expires=1&signature=s&key-pair-id=K",
                Err(Refusal::MissingKey),
            ),
            ("Key-Pair-Id=K", Ok("K  nothing Sha1")),
            ("Signature=s&Key-Pair-Id=K", Ok("K s nothing Sha1")),
            (
                "Expires=1&Expires=1&Signature=s&Key-Pair-Id=K",
                twice("Expires"),
            ),
            (
                "Policy=p&Signature=s&Key-Pair-Id=K&Policy=q",
                twice("Policy"),
            ),
            (
                "Expires=1&Signature=s&Signature=t&Key-Pair-Id=K",
                twice("Signature"),
            ),
            (
                "Expires=1&Signature=s&Key-Pair-Id=K&Key-Pair-Id=L",
                twice("Key-Pair-Id"),
            ),
        ] {
            let want = want.map(str::to_owned);
            assert_eq!(told(&format!("/a?{query}"), &none), want, "{query}");
        }
    }

    #[test]
    fn what_cookies_present() {
        // CF-561, CF-563, CF-564
        let canned = "CloudFront-Expires=1; CloudFront-Signature=s; CloudFront-Key-Pair-Id=K";
        for (lines, want) in [
            (vec![canned], Ok("K s expires 1 Sha1")),
            (
                vec![
                    "a=b;CloudFront-Policy=p;CloudFront-Signature=s ; CloudFront-Key-Pair-Id=K; CloudFront-Hash-Algorithm=SHA256",
                ],
                Ok("K s policy p Sha256"),
            ),
            (
                vec![
                    "CloudFront-Policy=p",
                    "CloudFront-Signature=s",
                    "CloudFront-Key-Pair-Id=K",
                ],
                Ok("K s policy p Sha1"),
            ),
            (
                vec!["CloudFront-Signature=first", canned],
                Ok("K first expires 1 Sha1"),
            ),
            (vec!["CloudFront-Policy=p", canned], Ok("K s policy p Sha1")),
            (
                vec!["CloudFront-Hash-Algorithm=MD5", canned],
                Ok("K s expires 1 other"),
            ),
            (
                vec!["CloudFront-Expires=1; CloudFront-Signature=s"],
                Err(Refusal::MissingKey),
            ),
            (
                vec!["cloudfront-key-pair-id=K; CloudFront-Signature=s"],
                Err(Refusal::MissingKey),
            ),
            (
                vec!["Key-Pair-Id=K; Signature=s; Expires=1"],
                Err(Refusal::MissingKey),
            ),
            (vec!["CloudFront-Key-Pair-Id"], Err(Refusal::MissingKey)),
            (vec!["CloudFront-Key-Pair-Id=K"], Ok("K  nothing Sha1")),
        ] {
            let want = want.map(str::to_owned);
            assert_eq!(told("/a?x=1", &cookies(&lines)), want, "{lines:?}");
        }
    }

    #[test]
    fn a_signed_url_leaves_no_second_chance_to_cookies() {
        // CF-561
        let good =
            cookies(&["CloudFront-Expires=1; CloudFront-Signature=s; CloudFront-Key-Pair-Id=K"]);
        for name in ["Expires", "Policy", "Signature"] {
            assert_eq!(
                told(&format!("/a?{name}=x"), &good),
                Err(Refusal::MissingKey),
                "{name}"
            );
            assert_eq!(
                told(&format!("/a?{name}"), &good),
                Err(Refusal::MissingKey),
                "{name}"
            );
        }
        assert_eq!(
            told("/a?Key-Pair-Id=K", &good),
            Ok("K  nothing Sha1".to_owned())
        );
        let other = told("/a?Hash-Algorithm=SHA512", &good);
        assert_eq!(other, Ok("K s expires 1 Sha1".to_owned()));
    }
}
