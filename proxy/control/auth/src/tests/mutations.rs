//! What real clients sent is accepted, and each way of altering it is refused with the code that clients know (CP-703, D6).

use std::collections::{BTreeMap, BTreeSet};

use super::{
    KEYS, NOW, STRANGER, Vector, admit, gate,
    naive::{self, Style, unhex},
    time, vectors,
};
use crate::{AuthMode, Principal, Service};

/// A captured request on its way to being altered.
struct Case {
    vector: Vector,
    now: i64,
}

/// What a refusal is called in the columns of table 1.5.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Want {
    Signature,
    Incomplete,
    Unknown,
    Missing,
    Accepted,
}

impl Want {
    fn code(self, service: Service) -> &'static str {
        let exception = matches!(
            service,
            Service::Lambda | Service::KeyValueStore | Service::Logs
        );
        match (self, service == Service::Native, exception) {
            (Self::Signature, true, _) => "signature_mismatch",
            (Self::Signature, _, true) => "InvalidSignatureException",
            (Self::Signature, ..) => "SignatureDoesNotMatch",
            (Self::Incomplete, true, _) => "malformed_credentials",
            (Self::Incomplete, _, true) => "IncompleteSignatureException",
            (Self::Incomplete, ..) => "IncompleteSignature",
            (Self::Unknown, true, _) => "unknown_credentials",
            (Self::Unknown, _, true) => "UnrecognizedClientException",
            (Self::Unknown, ..) => "InvalidClientTokenId",
            (Self::Missing, true, _) => "missing_credentials",
            (Self::Missing, _, true) => "MissingAuthenticationTokenException",
            (Self::Missing, ..) => "MissingAuthenticationToken",
            (Self::Accepted, ..) => "",
        }
    }
}

impl Case {
    fn in_query(&self) -> bool {
        self.vector.request.query.contains("X-Amz-Signature=")
    }

    /// The text that has the credential, the signed headers and the signature.
    fn proof(&self) -> String {
        if self.in_query() {
            self.vector.request.query.clone()
        } else {
            self.vector
                .request
                .header("authorization")
                .unwrap()
                .to_owned()
        }
    }

    fn set_proof(&mut self, text: &str) {
        if self.in_query() {
            text.clone_into(&mut self.vector.request.query);
        } else {
            self.vector.request.set("authorization", text);
        }
    }

    /// Replaces a part of the proof; whether there was one.
    fn swap(&mut self, from: &str, to: &str) -> bool {
        let (from, to) = if self.in_query() {
            (
                from.replace('/', "%2F").replace(';', "%3B"),
                to.replace('/', "%2F").replace(';', "%3B"),
            )
        } else {
            (from.to_owned(), to.to_owned())
        };
        let proof = self.proof();
        self.set_proof(&proof.replacen(&from, &to, 1));
        proof.contains(&from)
    }

    fn signature(&self) -> String {
        self.proof().rsplit("Signature=").next().unwrap().to_owned()
    }

    fn with_signature(&mut self, change: impl Fn(&str) -> String) -> bool {
        let old = self.signature();
        self.swap(
            &format!("Signature={old}"),
            &format!("Signature={}", change(&old)),
        )
    }

    fn is_ecdsa(&self) -> bool {
        self.proof().contains("ECDSA")
    }

    /// Puts other DER in place of the signature's; whether it has any.
    fn with_der(&mut self, change: impl Fn(&[u8], &[u8]) -> Vec<u8>) -> bool {
        if !self.is_ecdsa() {
            return false;
        }
        let der = unhex(&self.signature()).unwrap();
        let length = usize::from(der[3]);
        let (r, s) = (&der[2..4 + length], &der[4 + length..]);
        self.with_signature(|_| naive::hex(&change(r, s)))
    }

    /// Alters a header; whether it is there.
    fn header(&mut self, name: &str, change: impl Fn(&str) -> String) -> bool {
        let Some(value) = self.vector.request.header(name) else {
            return false;
        };
        let changed = change(value);
        self.vector.request.set(name, &changed);
        true
    }

    fn remove(&mut self, name: &str) -> bool {
        let there = self.vector.request.has(name);
        self.vector.request.headers.retain(|(one, _)| one != name);
        there
    }

    fn twice(&mut self, name: &str) -> bool {
        let found = self
            .vector
            .request
            .headers
            .iter()
            .find(|(one, _)| one == name)
            .cloned();
        self.vector.request.headers.extend(found.clone());
        found.is_some()
    }

    fn path(&mut self, from: &str, to: &str) -> bool {
        let old = self.vector.request.path.clone();
        self.vector.request.path = old.replacen(from, to, 1);
        old.contains(from)
    }

    fn query(&mut self, from: &str, to: &str) -> bool {
        let old = self.vector.request.query.clone();
        self.vector.request.query = old.replacen(from, to, 1);
        old.contains(from)
    }

    fn signed(&self) -> Vec<String> {
        let proof = self.proof().replace("%3B", ";");
        let list = proof.split("SignedHeaders=").nth(1).unwrap();
        let list = list.split([',', '&']).next().unwrap();
        list.split(';').map(str::to_owned).collect()
    }

    fn with_signed(&mut self, change: impl Fn(&mut Vec<String>)) -> bool {
        let old = self.signed();
        let mut new = old.clone();
        change(&mut new);
        self.swap(
            &format!("SignedHeaders={}", old.join(";")),
            &format!("SignedHeaders={}", new.join(";")),
        );
        new != old
    }

    /// The first signed header that is not looked at for itself.
    fn some_signed(&self) -> Option<String> {
        let mut signed = self.signed().into_iter();
        signed.find(|name| {
            ![
                "host",
                "x-amz-date",
                "x-amz-content-sha256",
                "x-amz-region-set",
                "date",
            ]
            .contains(&name.as_str())
        })
    }

    fn lone_pair(&self) -> Option<String> {
        let mut pairs = self.vector.request.query.split('&');
        pairs
            .find(|pair| !pair.is_empty() && !pair.starts_with("X-Amz-"))
            .map(str::to_owned)
    }
}

type Mutation = (&'static str, Want, fn(&mut Case) -> bool);

fn seq(parts: &[&[u8]]) -> Vec<u8> {
    let inside = parts.concat();
    [&[0x30, u8::try_from(inside.len()).unwrap()][..], &inside].concat()
}

const LATER: &str = "20261124T120001Z";

/// Each says whether it applies to the request at all.
#[rustfmt::skip]
const MUTATIONS: &[Mutation] = &[
    ("the method is another", Want::Signature, |c| { c.vector.request.method = "PATCH".into(); true }),
    ("the method is in lower case", Want::Signature, |c| { c.vector.request.method = c.vector.request.method.to_lowercase(); true }),
    ("the path is longer", Want::Signature, |c| { c.vector.request.path += "x"; true }),
    ("the path ends in a slash", Want::Signature, |c| { let own = c.vector.request.path.ends_with('/'); c.vector.request.path += "/"; !own }),
    ("the path lost its last slash", Want::Signature, |c| { let own = c.vector.request.path.len() > 1 && c.vector.request.path.ends_with('/'); c.vector.request.path.pop(); own }),
    ("the path is decoded", Want::Signature, |c| c.path("%3A", ":")),
    ("the path is encoded once more", Want::Signature, |c| c.path("%", "%25")),
    ("the path is encoded in lower case", Want::Signature, |c| c.path("%2F", "%2f")),
    ("the path has a letter in another case", Want::Signature, |c| c.path("2020", "2O20") || c.path("f", "F")),
    ("the path goes up", Want::Signature, |c| { let own = c.vector.request.path.len() > 1; c.vector.request.path += "/.."; own }),
    ("a pair of the query is new", Want::Signature, |c| { let q = &mut c.vector.request.query; *q = if q.is_empty() { "a=b".into() } else { format!("a=b&{q}") }; true }),
    ("a pair of the query is gone", Want::Signature, |c| c.lone_pair().is_some_and(|pair| { let rest: Vec<_> = c.vector.request.query.split('&').filter(|one| *one != pair).map(str::to_owned).collect(); c.vector.request.query = rest.join("&"); true })),
    ("a pair of the query is there twice", Want::Signature, |c| c.lone_pair().is_some_and(|pair| { let whole = format!("{pair}&{}", c.vector.request.query); c.vector.request.query = whole; true })),
    ("a value of the query is another", Want::Signature, |c| c.lone_pair().is_some_and(|pair| c.query(&pair, &format!("{pair}0")))),
    ("a name of the query is another", Want::Signature, |c| c.lone_pair().is_some_and(|pair| c.query(&pair, &format!("x{pair}")))),
    ("a space of the query is a plus", Want::Signature, |c| c.query("%20", "+")),
    ("the query is encoded in lower case", Want::Signature, |c| c.query("%2B", "%2b") || c.query("%3A", "%3a")),
    ("the query is gone", Want::Signature, |c| { let own = !c.in_query() && !c.vector.request.query.is_empty(); c.vector.request.query.clear(); own }),
    ("the host is another", Want::Signature, |c| c.header("host", |_| "other.test".into())),
    ("the host has no port", Want::Signature, |c| c.header("host", |host| host.split(':').next().unwrap().into())),
    ("the host is gone", Want::Signature, |c| c.remove("host")),
    ("the host is there twice", Want::Signature, |c| c.twice("host")),
    ("the date is a second later", Want::Signature, |c| c.header("x-amz-date", |_| LATER.into()) || c.query("20261124T120000Z", LATER)),
    ("the date is of the next day", Want::Signature, |c| c.header("x-amz-date", |_| "20261125T000000Z".into()) || c.query("20261124T120000Z", "20261125T000000Z")),
    ("the date is no date", Want::Incomplete, |c| c.header("x-amz-date", |_| "20261324T120000Z".into()) || c.query("20261124T120000Z", "now")),
    ("the date is gone", Want::Incomplete, |c| { let plain = !c.vector.request.has("date"); c.remove("x-amz-date") && plain }),
    ("the date of a link is gone", Want::Incomplete, |c| c.query("&X-Amz-Date=20261124T120000Z", "")),
    ("the date is there twice", Want::Signature, |c| c.twice("x-amz-date")),
    ("the Date header is another", Want::Signature, |c| !c.vector.request.has("x-amz-date") && c.header("date", |_| "Tue, 24 Nov 2026 12:00:01 GMT".into())),
    ("it is 16 minutes old", Want::Signature, |c| { c.now += 16 * 60; !c.in_query() }),
    ("it is a day old", Want::Signature, |c| { c.now += 86_400; true }),
    ("it is of 16 minutes ahead", Want::Signature, |c| { c.now -= 16 * 60; true }),
    ("the link has ended a second ago", Want::Signature, |c| { let q = c.vector.request.query.clone(); let Some(rest) = q.split("X-Amz-Expires=").nth(1) else { return false }; c.now += rest.split('&').next().unwrap().parse::<i64>().unwrap() + 1; true }),
    ("an x-amz header is not signed", Want::Signature, |c| { c.vector.request.set("x-amz-acl", "public"); true }),
    ("the second of an x-amz header", Want::Signature, |c| c.vector.request.headers.iter().find(|(n, _)| n.starts_with("x-amz-") && n != "x-amz-date").cloned().is_some_and(|(n, _)| c.twice(&n))),
    ("a signed header has another value", Want::Signature, |c| c.some_signed().is_some_and(|n| c.header(&n, |v| format!("{v}x")))),
    ("a signed header is gone", Want::Signature, |c| c.some_signed().is_some_and(|n| c.remove(&n))),
    ("a signed header is empty", Want::Signature, |c| c.some_signed().is_some_and(|n| c.header(&n, |_| String::new()))),
    ("a signed header has a second value", Want::Signature, |c| c.some_signed().is_some_and(|n| { c.vector.request.headers.push((n, "more".into())); true })),
    ("If-Match is another", Want::Signature, |c| c.signed().contains(&"if-match".to_owned()) && c.header("if-match", |v| format!("{v}0"))),
    ("signed names are in another order", Want::Incomplete, |c| c.with_signed(|names| names.reverse())),
    ("a signed name is there twice", Want::Incomplete, |c| c.with_signed(|names| names.insert(0, names[0].clone()))),
    ("a signed name is no name", Want::Incomplete, |c| c.with_signed(|names| names.push("z z".into()))),
    ("no name is signed", Want::Incomplete, |c| c.with_signed(|names| names.clear())),
    ("the host is not signed", Want::Signature, |c| c.signed().len() > 1 && c.with_signed(|names| names.retain(|n| n != "host"))),
    ("the date is not signed", Want::Signature, |c| c.with_signed(|names| names.retain(|n| n != "x-amz-date"))),
    ("a header more is said to be signed", Want::Signature, |c| { c.vector.request.set("zz", "1"); c.with_signed(|names| names.push("zz".into())) }),
    ("an absent header is said to be signed", Want::Signature, |c| c.with_signed(|names| names.push("zzz".into()))),
    ("the signature lost its last digit", Want::Signature, |c| c.with_signature(|s| s[..s.len() - 1].into())),
    ("the signature lost its last byte", Want::Signature, |c| c.with_signature(|s| s[..s.len() - 2].into())),
    ("the signature is half", Want::Signature, |c| c.with_signature(|s| s[..32].into())),
    ("the signature has a byte more", Want::Signature, |c| c.with_signature(|s| format!("{s}00"))),
    ("the signature is empty", Want::Incomplete, |c| c.with_signature(|_| String::new())),
    ("the signature is in upper case", Want::Signature, |c| c.with_signature(str::to_uppercase)),
    ("the signature is no hexadecimal", Want::Signature, |c| c.with_signature(|s| s.replace(char::is_numeric, "g"))),
    ("the signature is all zeros", Want::Signature, |c| c.with_signature(|s| "0".repeat(s.len()))),
    ("the signature is that of another request", Want::Signature, |c| { let other = vectors().into_iter().find(|v| v.name != c.vector.name && v.request.has("authorization") && v.request.header("authorization").unwrap().contains("ECDSA") == c.is_ecdsa()).unwrap(); let other = Case { vector: other, now: NOW }.signature(); c.with_signature(|_| other.clone()) }),
    ("DER: r is 0", Want::Signature, |c| c.with_der(|_, s| seq(&[&[2, 1, 0], s]))),
    ("DER: s is 0", Want::Signature, |c| c.with_der(|r, _| seq(&[r, &[2, 1, 0]]))),
    ("DER: both are 1", Want::Signature, |c| c.with_der(|_, _| seq(&[&[2, 1, 1], &[2, 1, 1]]))),
    ("DER: r and s are swapped", Want::Signature, |c| c.with_der(|r, s| seq(&[s, r]))),
    ("DER: a byte after the end", Want::Signature, |c| c.with_der(|r, s| [seq(&[r, s]), vec![0]].concat())),
    ("DER: a third integer", Want::Signature, |c| c.with_der(|r, s| seq(&[r, s, &[2, 1, 1]]))),
    ("DER: a length in the long form", Want::Signature, |c| c.with_der(|r, s| { let mut der = seq(&[r, s]); der.insert(1, 0x81); der })),
    ("DER: without a length", Want::Signature, |c| c.with_der(|r, s| [&[0x30, 0x80][..], r, s, &[0, 0]].concat())),
    ("DER: r is padded", Want::Signature, |c| c.with_der(|r, s| seq(&[&[2, r[1] + 1, 0], &r[2..], s]))),
    ("DER: r is negative", Want::Signature, |c| c.with_der(|r, s| { let mut r = r.to_vec(); if r[2] == 0 { r.remove(2); r[1] -= 1; } else { r[2] |= 0x80; } seq(&[&r, s]) })),
    ("DER: a set and no sequence", Want::Signature, |c| c.with_der(|r, s| { let mut der = seq(&[r, s]); der[0] = 0x31; der })),
    ("DER: r and s without any", Want::Signature, |c| c.with_der(|r, s| [r, s].map(|one| one[one.len() - 32..].to_vec()).concat())),
    ("nobody has the key", Want::Unknown, |c| c.swap("FFDUMMYDUMMYDUMMY00", "FFDUMMYDUMMYDUMMY99")),
    ("the key id is in lower case", Want::Unknown, |c| c.swap("FFDUMMY", "ffdummy")),
    ("the key is another's", Want::Signature, |c| c.swap("DUMMY001/", "DUMMY002/") || c.swap("DUMMY002/", "DUMMY001/")),
    ("the key id is empty", Want::Incomplete, |c| c.swap("FFDUMMYDUMMYDUMMY001", "") || c.swap("FFDUMMYDUMMYDUMMY002", "")),
    ("the day of the scope is another", Want::Signature, |c| c.swap("/20261124/", "/20261123/")),
    ("the day of the scope is none", Want::Signature, |c| c.swap("/20261124/", "/2026112/")),
    ("the region of the scope is another", Want::Signature, |c| c.swap("/eu-west-1/", "/eu-west-2/") || c.swap("/us-east-1/", "/us-east-2/")),
    ("the region of the scope is none", Want::Signature, |c| c.swap("/eu-west-1/", "/Europe/") || c.swap("/us-east-1/", "/*/")),
    ("the service of the scope is another", Want::Signature, |c| { let own = c.vector.service.scope(); c.swap(&format!("/{own}/"), "/s3/") }),
    ("it is routed to another service", Want::Signature, |c| { c.vector.service = if c.vector.service == Service::Lambda { Service::CloudFront } else { Service::Lambda }; true }),
    ("the scope is of another service, and so routed", Want::Signature, |c| { let own = c.vector.service.scope(); c.vector.service = if own == "sts" { Service::Iam } else { Service::Sts }; let new = c.vector.service.scope(); c.swap(&format!("/{own}/"), &format!("/{new}/")) }),
    ("the scope ends otherwise", Want::Incomplete, |c| c.swap("aws4_request", "aws5_request")),
    ("the scope has a part more", Want::Incomplete, |c| c.swap("/aws4_request", "/x/aws4_request")),
    ("the scope has a part less", Want::Incomplete, |c| c.swap("/aws4_request", "")),
    ("the algorithm is not known", Want::Incomplete, |c| c.swap("AWS4-HMAC-SHA256", "AWS4-HMAC-SHA512") || c.swap("AWS4-ECDSA-P256-SHA256", "AWS4-ECDSA-P384-SHA256")),
    ("the algorithm is the other one", Want::Incomplete, |c| c.swap("AWS4-HMAC-SHA256", "AWS4-ECDSA-P256-SHA256") || c.swap("AWS4-ECDSA-P256-SHA256", "AWS4-HMAC-SHA256")),
    ("Authorization is there twice", Want::Signature, |c| c.twice("authorization")),
    ("Authorization is empty", Want::Incomplete, |c| c.header("authorization", |_| String::new())),
    ("Authorization is the algorithm alone", Want::Incomplete, |c| c.header("authorization", |v| v.split(' ').next().unwrap().into())),
    ("Authorization is basic", Want::Incomplete, |c| c.header("authorization", |_| "Basic dXNlcjpwYXNz".into())),
    ("Authorization is not ASCII", Want::Incomplete, |c| c.header("authorization", |v| format!("{v}\u{e9}"))),
    ("a field of Authorization is gone", Want::Incomplete, |c| c.header("authorization", |v| v.split(", Signature").next().unwrap().into())),
    ("a field of Authorization is there twice", Want::Incomplete, |c| c.header("authorization", |v| format!("{v}, Signature=00"))),
    ("a field of Authorization is not known", Want::Incomplete, |c| c.header("authorization", |v| format!("{v}, Extra=1"))),
    ("a field of Authorization has no value", Want::Incomplete, |c| c.header("authorization", |v| v.replace("SignedHeaders=", "SignedHeaders "))),
    ("signed in the header and in the query", Want::Incomplete, |c| if c.in_query() { c.vector.request.set("authorization", "AWS4-HMAC-SHA256 x"); true } else { let q = &mut c.vector.request.query; *q = format!("{q}&X-Amz-Algorithm=AWS4-HMAC-SHA256"); true }),
    ("a bearer token in place of the signature", Want::Incomplete, |c| c.vector.service != Service::Native && c.header("authorization", |_| "Bearer ff_a_b".into())),
    ("the session token is another", Want::Signature, |c| c.header("x-amz-security-token", |v| format!("{v}x")) || c.query("dummy%2Fsession", "dumm%2Fsession")),
    ("the session token is gone", Want::Signature, |c| c.remove("x-amz-security-token") || c.query("&X-Amz-Security-Token=dummy%2Fsession%2Btoken%3D%3D", "")),
    ("the session token is gone, and its name", Want::Signature, |c| c.remove("x-amz-security-token") && c.with_signed(|n| n.retain(|n| n != "x-amz-security-token"))),
    ("the body is another", Want::Signature, |c| { let own = !c.vector.request.body.is_empty(); if own { c.vector.request.body[0] ^= 1; } own }),
    ("the body is longer", Want::Signature, |c| { c.vector.request.body.push(b' '); true }),
    ("the body is gone", Want::Signature, |c| { let own = !c.vector.request.body.is_empty(); c.vector.request.body.clear(); own }),
    ("the body's hash is another", Want::Signature, |c| c.header("x-amz-content-sha256", |v| v.chars().rev().collect())),
    ("the body and its hash are others", Want::Signature, |c| { c.vector.request.body = b"evil".to_vec(); c.header("x-amz-content-sha256", |_| naive::hex(&naive::sha(b"evil"))) }),
    ("the body's hash is gone", Want::Signature, |c| c.remove("x-amz-content-sha256")),
    ("the body's hash is in upper case", Want::Incomplete, |c| c.header("x-amz-content-sha256", str::to_uppercase)),
    ("the body is declared unsigned without TLS", Want::Signature, |c| c.header("x-amz-content-sha256", |_| "UNSIGNED-PAYLOAD".into())),
    ("the body is declared unsigned after signing", Want::Signature, |c| { c.vector.request.over_tls = true; c.header("x-amz-content-sha256", |_| "UNSIGNED-PAYLOAD".into()) }),
    ("the body is declared a stream", Want::Incomplete, |c| c.header("x-amz-content-sha256", |_| "STREAMING-AWS4-HMAC-SHA256-PAYLOAD".into())),
    ("the set of regions is another", Want::Signature, |c| c.header("x-amz-region-set", |_| "us-east-1".into()) || c.query("Region-Set=%2A", "Region-Set=us-east-1")),
    ("the set of regions is none", Want::Signature, |c| c.header("x-amz-region-set", |_| "*,,".into()) || c.query("Region-Set=%2A", "Region-Set=all")),
    ("the set of regions is gone", Want::Incomplete, |c| c.remove("x-amz-region-set") && c.with_signed(|n| n.retain(|n| n != "x-amz-region-set")) || c.query("&X-Amz-Region-Set=%2A", "")),
    ("a link is good for longer", Want::Signature, |c| c.query("X-Amz-Expires=", "X-Amz-Expires=1")),
    ("a link is good for more than a week", Want::Incomplete, |c| c.query("X-Amz-Expires=", "X-Amz-Expires=9999")),
    ("a link is good for no number", Want::Incomplete, |c| c.query("X-Amz-Expires=", "X-Amz-Expires=+")),
    ("a link has a parameter twice", Want::Incomplete, |c| c.query("X-Amz-Date=", "X-Amz-Date=20261124T120000Z&X-Amz-Date=")),
    ("a link has its signature twice", Want::Incomplete, |c| { let own = c.in_query(); c.vector.request.query += "&X-Amz-Signature=00"; own }),
    ("a link has a parameter that is not encoded", Want::Incomplete, |c| c.query("X-Amz-Credential=", "X-Amz-Credential=%zz")),
    ("a link has no signature", Want::Incomplete, |c| { let own = c.in_query(); let signature = format!("&X-Amz-Signature={}", if own { c.signature() } else { String::new() }); c.query(&signature, "") && own }),
    ("a link has a hash of another body", Want::Signature, |c| { c.vector.request.set("x-amz-content-sha256", &"0".repeat(64)); c.in_query() }),
    ("nothing is signed", Want::Missing, |c| { if c.in_query() { c.vector.request.query.clear(); } c.remove("authorization") || c.vector.request.query.is_empty() }),
    // What may change on the way, or between two tries, does no harm.
    ("accepted: another attempt (CP-013)", Want::Accepted, |c| !c.signed().contains(&"amz-sdk-request".to_owned()) && c.header("amz-sdk-request", |_| "attempt=2; max=2".into())),
    ("accepted: headers in another order", Want::Accepted, |c| { c.vector.request.headers.reverse(); true }),
    ("accepted: a header more that is not x-amz", Want::Accepted, |c| { c.vector.request.set("via", "1.1 proxy"); true }),
    ("accepted: spaces in a signed header", Want::Accepted, |c| c.some_signed().is_some_and(|n| !n.contains("security") && c.header(&n, |v| format!(" {}\t", v.replace(' ', "  "))))),
    ("accepted: fields without spaces", Want::Accepted, |c| c.header("authorization", |v| v.replace(", ", ","))),
    ("accepted: fields in another order", Want::Accepted, |c| c.header("authorization", |v| { let (name, fields) = v.split_once(' ').unwrap(); let mut fields: Vec<_> = fields.split(", ").collect(); fields.reverse(); format!("{name} {}", fields.join(", ")) })),
    ("accepted: pairs of the query in another order", Want::Accepted, |c| { let mut pairs: Vec<_> = c.vector.request.query.split('&').map(str::to_owned).collect(); pairs.reverse(); c.vector.request.query = pairs.join("&"); !pairs[0].is_empty() }),
    ("accepted: 15 minutes old", Want::Accepted, |c| { c.now += 900; !c.in_query() }),
    ("accepted: 15 minutes ahead", Want::Accepted, |c| { c.now -= 900; true }),
    ("accepted: the other S (DER)", Want::Accepted, |c| c.with_der(|r, s| seq(&[r, &other_s(s)]))),
];

/// The DER of `n - s`: the other S that makes a signature good.
fn other_s(der: &[u8]) -> Vec<u8> {
    let order = unhex("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551").unwrap();
    let digits = &der[2..];
    let digits = &digits[digits.len().saturating_sub(32)..];
    let mut s = vec![0; 32 - digits.len()];
    s.extend_from_slice(digits);
    let mut borrow = 0_i16;
    let mut out = [0_u8; 32];
    for at in (0..32).rev() {
        let digit = i16::from(order[at]) - i16::from(s[at]) - borrow;
        borrow = i16::from(digit < 0);
        out[at] = u8::try_from(digit.rem_euclid(256)).unwrap();
    }
    let mut digits: Vec<u8> = out.iter().copied().skip_while(|byte| *byte == 0).collect();
    if digits[0] >= 0x80 {
        digits.insert(0, 0);
    }
    [&[2, u8::try_from(digits.len()).unwrap()][..], &digits].concat()
}

#[test]
fn what_real_clients_sent_is_accepted() {
    // CP-410..419, CP-703: SigV4 and SigV4a, by boto3, the AWS CRT and the JS SDK, in headers and in queries
    let gate = gate(AuthMode::SigV4);
    let mut seen: BTreeMap<String, u32> = BTreeMap::new();
    for Vector {
        name,
        client,
        service,
        request,
    } in vectors()
    {
        let who = admit(&gate, &request, service, STRANGER, time(NOW));
        assert!(matches!(who, Ok(Principal::Key { .. })), "{name}: {who:?}");
        *seen.entry(client).or_default() += 1;
        *seen.entry(service.scope().to_owned()).or_default() += 1;
    }
    for (what, least) in [
        ("boto3", 29),
        ("js", 8),
        ("crt", 1),
        ("cloudfront", 10),
        ("lambda", 10),
        ("cloudfront-keyvaluestore", 10),
        ("sts", 4),
    ] {
        assert!(
            seen.get(what).is_some_and(|count| *count >= least),
            "{what}: {seen:?}"
        );
    }
}

#[test]
fn each_alteration_is_refused_with_its_code() {
    // CP-703
    let gate = gate(AuthMode::SigV4);
    let (mut used, mut names, mut wrong) = (0, BTreeSet::new(), Vec::new());
    for (name, want, change) in MUTATIONS {
        let mut applied = 0;
        for vector in vectors() {
            let mut case = Case { vector, now: NOW };
            if !change(&mut case) {
                continue;
            }
            applied += 1;
            let Vector {
                request, service, ..
            } = &case.vector;
            let code = match admit(&gate, request, *service, STRANGER, time(case.now)) {
                Ok(_) => "",
                Err(fault) => fault.code(*service),
            };
            // The time has a code of its own in the native API.
            let code = if code == "signature_time" {
                "signature_mismatch"
            } else {
                code
            };
            if code != want.code(*service) {
                wrong.push(format!("{name}, {}: {code:?}", case.vector.name));
            }
        }
        assert!(applied > 0, "{name} applies to nothing");
        assert!(names.insert(name), "{name} is there twice");
        used += applied;
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    let refused = MUTATIONS
        .iter()
        .filter(|(_, want, _)| *want != Want::Accepted)
        .count();
    assert!(
        refused >= 60 && used > 1000,
        "{refused} alterations, {used} requests"
    );
}

#[test]
fn each_flipped_bit_of_the_proof_is_refused() {
    // CP-410..415, CP-703: no bit of a signature, a scope, or a signed header is without meaning
    let gate = gate(AuthMode::SigV4);
    let mut tried = 0;
    for name in ["boto3-kvs-put", "js-cloudfront-invalidate"] {
        let vector = vectors().into_iter().find(|one| one.name == name).unwrap();
        let proof = vector.request.header("authorization").unwrap().to_owned();
        for bit in 0..proof.len() * 8 {
            let mut bytes = proof.clone().into_bytes();
            bytes[bit / 8] ^= 1 << (bit % 8);
            let Ok(text) = String::from_utf8(bytes) else {
                continue;
            };
            let mut request = vector.request.clone();
            request.set("authorization", &text);
            if super::fields(&request).is_none() {
                continue;
            }
            // Two bits are without meaning: the case of a signed header's name (CP-413), and tab for space.
            let same = text.to_lowercase().replace('\t', " ") == proof.to_lowercase();
            let in_names = text.split("Signature=").next() != proof.split("Signature=").next();
            let answer = admit(&gate, &request, vector.service, STRANGER, time(NOW));
            assert!(answer.is_err() || (same && in_names), "{text}");
            tried += 1;
        }
    }
    assert!(tried > 3000, "{tried}");
}

#[test]
fn a_wrong_clock_is_told_in_the_words_that_clients_know() {
    // CP-412: the texts that SDKs look for when they correct their clock
    let gate = gate(AuthMode::SigV4);
    let of = |name: &str, now| {
        let vector = vectors().into_iter().find(|one| one.name == name).unwrap();
        admit(&gate, &vector.request, vector.service, STRANGER, time(now))
            .unwrap_err()
            .message(vector.service)
    };
    assert_eq!(
        of("boto3-lambda-list", NOW + 960),
        "Signature expired: 20261124T120000Z is now earlier than 20261124T120100Z (20261124T121600Z - 15 min.)"
    );
    assert_eq!(
        of("boto3-lambda-list", NOW - 960),
        "Signature not yet current: 20261124T120000Z is still later than 20261124T115900Z (20261124T114400Z + 15 min.)"
    );
    assert_eq!(
        of("boto3-presigned-lambda-session", NOW + 61),
        "Signature expired: 20261124T120100Z is now earlier than 20261124T120101Z (20261124T120101Z)"
    );
}

#[test]
fn an_unsigned_body_passes_over_tls_alone() {
    // CP-415: an unsigned body, which no captured client sends here
    let gate = gate(AuthMode::SigV4);
    let mut request = naive::Request {
        method: "PUT".to_owned(),
        path: "/x".to_owned(),
        headers: vec![
            ("host".to_owned(), "h".to_owned()),
            (
                "x-amz-content-sha256".to_owned(),
                "UNSIGNED-PAYLOAD".to_owned(),
            ),
        ],
        ..naive::Request::default()
    };
    let style = Style {
        asymmetric: false,
        in_query: false,
        declare: false,
        also: &[],
        service: "lambda",
        date: "20261124T120000Z",
    };
    naive::sign_with(&mut request, KEYS[0], style, "UNSIGNED-PAYLOAD");
    for (over_tls, body, good) in [(true, "a", true), (true, "b", true), (false, "a", false)] {
        request.over_tls = over_tls;
        request.body = body.as_bytes().to_vec();
        let answer = admit(&gate, &request, Service::Lambda, STRANGER, time(NOW));
        assert_eq!(answer.is_ok(), good, "{over_tls} {body} {answer:?}");
    }
}
