//! What does not let a viewer pass: each of these is refused with CloudFront's status and code, on the way of hits and on
//! that of misses (CF section 6.8).

use std::collections::BTreeSet;

use fourfront_conformance::Origin;

use super::signed::vectors::{Ask, edge};

const DENIED: &str = "AccessDenied";
const POLICY: &str = "MalformedPolicy";
const SIGNATURE: &str = "MalformedSignature";
const KEY: &str = "InvalidKey";
const MISSING: &str = "MissingKey";

/// Well signed, by a trusted key or another one, and not for this request.
const VECTORS: &[(&str, &str)] = &[
    ("expired", DENIED),
    ("expired long ago", DENIED),
    ("custom expired", DENIED),
    ("custom not valid yet", DENIED),
    ("custom not valid for an hour", DENIED),
    ("custom for another address", DENIED),
    ("custom for another subnet", DENIED),
    ("custom for an address of IPv6", POLICY),
    ("by a stranger", KEY),
    ("by a stranger under a trusted id", DENIED),
    ("by a key of another behaviour", KEY),
    ("by a key of another behaviour under a trusted id", DENIED),
    ("by an ecdsa key under an rsa id", DENIED),
    ("for another host", DENIED),
    ("for another port", DENIED),
    ("for another protocol", DENIED),
    ("canned for another protocol", DENIED),
    ("canned for another host", DENIED),
    ("canned with a port", DENIED),
    ("for another directory", DENIED),
    ("for a longer path", DENIED),
    ("for another type", DENIED),
    ("for another case", DENIED),
    ("for a host with a wildcard that stops", DENIED),
    ("for a host without a path", DENIED),
    ("for a path without its query", DENIED),
    ("for another query", DENIED),
    ("for a query that is not there", DENIED),
    ("wildcard of the path that is to reach the query", DENIED),
    ("wildcard of the host that is to reach the path", DENIED),
    ("for a directory", DENIED),
    ("resource without a protocol", POLICY),
    ("resource of another protocol", POLICY),
    ("resource that is empty", POLICY),
    ("resource that is a list", POLICY),
    ("no end", POLICY),
    ("end in quotation marks", POLICY),
    ("end with a fraction", POLICY),
    ("end with an exponent", POLICY),
    ("end beyond 64 bits", POLICY),
    ("two ends", POLICY),
    ("names in another case", POLICY),
    ("two statements", POLICY),
    ("no statement", POLICY),
    ("a member that no policy has", POLICY),
    ("a version", POLICY),
    ("two addresses", POLICY),
    ("an address that is none", POLICY),
    ("text behind the policy", POLICY),
    ("no policy at all", POLICY),
];

/// Names of vectors that are refused.
pub(crate) fn refused_vectors() -> BTreeSet<&'static str> {
    VECTORS.iter().map(|(name, _)| *name).collect()
}

/// Good ones, of which something was changed.
fn mutations() -> Vec<(&'static str, Ask, &'static str)> {
    let canned = || Ask::of("canned");
    let query = || Ask::of("canned with a query");
    let custom = || Ask::of("custom");
    let sha256 = || Ask::of("canned sha256");
    let cookies = || Ask::of("cookies custom");
    let cookies_canned = || Ask::of("cookies canned");
    let flipped = |ask: Ask, name: &str| {
        let old = ask.value(name);
        let first = if old.starts_with('A') { "B" } else { "A" };
        ask.set(name, &format!("{first}{}", &old[1..]))
    };
    let cut = |ask: Ask, name: &str, kept: usize| {
        let old = ask.value(name);
        ask.set(name, &old[..kept])
    };
    let other_signature =
        |ask: Ask, of: &str| ask.set("Signature", &Ask::of(of).value("Signature"));
    let other_policy = |ask: Ask, of: &str| ask.set("Policy", &Ask::of(of).value("Policy"));
    vec![
        // Nothing, or not all of it.
        ("no signature", Ask::plain("/private/a.txt"), MISSING),
        (
            "a query of another kind",
            Ask::plain("/private/a.txt?x=1"),
            MISSING,
        ),
        (
            "only a hash algorithm",
            Ask::plain("/private/a.txt?Hash-Algorithm=SHA256"),
            MISSING,
        ),
        ("no key", canned().without("Key-Pair-Id"), MISSING),
        ("an empty key", canned().set("Key-Pair-Id", ""), MISSING),
        (
            "no signature among the parameters",
            canned().without("Signature"),
            SIGNATURE,
        ),
        (
            "an empty signature",
            canned().set("Signature", ""),
            SIGNATURE,
        ),
        ("no expiry", canned().without("Expires"), POLICY),
        ("no policy", custom().without("Policy"), POLICY),
        ("an empty policy", custom().set("Policy", ""), POLICY),
        // The key.
        (
            "an unknown key",
            canned().set("Key-Pair-Id", "KUNKNOWN000001"),
            KEY,
        ),
        (
            "the key's name in place of its id",
            canned().set("Key-Pair-Id", "rsa"),
            KEY,
        ),
        (
            "the key's id in lower case",
            canned().set("Key-Pair-Id", "k1rsaexample01"),
            KEY,
        ),
        (
            "another trusted key",
            canned().set("Key-Pair-Id", "K2ECDSAEXAMPLE"),
            DENIED,
        ),
        (
            "another key's id and more",
            canned().set("Key-Pair-Id", "K1RSAEXAMPLE01,K1"),
            KEY,
        ),
        // The URL.
        (
            "another path",
            canned().with("/private/a.txt", "/private/b.txt"),
            DENIED,
        ),
        (
            "another case of the path",
            canned().with("/private/a.txt", "/private/A.txt"),
            DENIED,
        ),
        (
            "an encoded letter in the path",
            canned().with("/private/a.txt", "/private/%61.txt"),
            DENIED,
        ),
        (
            "a double slash",
            canned().with("/private/a.txt", "/private//a.txt"),
            DENIED,
        ),
        (
            "a slash at the end",
            canned().with("/private/a.txt?", "/private/a.txt/?"),
            DENIED,
        ),
        (
            "a dot segment",
            canned().with("/private/a.txt", "/private/./a.txt"),
            DENIED,
        ),
        (
            "a parameter more, behind",
            canned().with("&Key-Pair-Id", "&download=1&Key-Pair-Id"),
            DENIED,
        ),
        (
            "a parameter more, in front",
            canned().with("?", "?download=1&"),
            DENIED,
        ),
        ("a parameter less", query().without("size"), DENIED),
        (
            "another value of a parameter",
            query().set("size", "small"),
            DENIED,
        ),
        (
            "another order of parameters",
            query().with("size=large&page=2", "page=2&size=large"),
            DENIED,
        ),
        (
            "a parameter twice",
            query().with("page=2", "page=2&page=2"),
            DENIED,
        ),
        (
            "an encoded letter in the query",
            query().with("size=large", "size=%6Carge"),
            DENIED,
        ),
        (
            "a semicolon between parameters",
            query().with("size=large&", "size=large;"),
            DENIED,
        ),
        (
            "another host",
            canned().header("Host", "other.test"),
            DENIED,
        ),
        (
            "a port at the host",
            canned().header("Host", "viewer.test:80"),
            DENIED,
        ),
        (
            "a dot at the host",
            canned().header("Host", "viewer.test."),
            DENIED,
        ),
        (
            "a host in capitals",
            canned().header("Host", "VIEWER.test"),
            DENIED,
        ),
        (
            "a quotation mark in the path",
            canned().with("/private/a.txt", "/private/a.txt\""),
            DENIED,
        ),
        // The time.
        (
            "a later expiry",
            canned().set("Expires", "1772539999"),
            DENIED,
        ),
        (
            "an earlier expiry",
            canned().set("Expires", "1772530000"),
            DENIED,
        ),
        (
            "an expiry with a zero in front",
            canned().with("Expires=", "Expires=0"),
            POLICY,
        ),
        (
            "an expiry with a sign",
            canned().with("Expires=", "Expires=+"),
            POLICY,
        ),
        (
            "an expiry below zero",
            canned().with("Expires=", "Expires=-"),
            DENIED,
        ),
        (
            "an expiry with a fraction",
            canned().with("&Signature", ".0&Signature"),
            POLICY,
        ),
        (
            "an expiry beyond 64 bits",
            canned().set("Expires", "18446744073709551616"),
            POLICY,
        ),
        (
            "an expiry in hexadecimal",
            canned().set("Expires", "0x69A6BFC0"),
            POLICY,
        ),
        (
            "an expiry that is encoded",
            canned().with("Expires=1", "Expires=%31"),
            POLICY,
        ),
        (
            "no digits of an expiry",
            canned().set("Expires", "tomorrow"),
            POLICY,
        ),
        // The signature.
        (
            "one letter of the signature",
            flipped(canned(), "Signature"),
            DENIED,
        ),
        (
            "one letter of an ecdsa signature",
            flipped(Ask::of("canned ecdsa"), "Signature"),
            DENIED,
        ),
        (
            "the signature of another URL",
            other_signature(canned(), "canned with a query"),
            DENIED,
        ),
        (
            "the signature of another time",
            other_signature(canned(), "expired"),
            DENIED,
        ),
        (
            "the signature of a custom policy",
            other_signature(canned(), "custom"),
            DENIED,
        ),
        (
            "the signature with another hash",
            other_signature(canned(), "canned sha256"),
            DENIED,
        ),
        (
            "half of the signature",
            cut(canned(), "Signature", 172),
            DENIED,
        ),
        (
            "the signature with one letter less",
            cut(canned(), "Signature", 341),
            SIGNATURE,
        ),
        (
            "the signature with too much padding",
            canned().with("&Key-Pair-Id", "_&Key-Pair-Id"),
            SIGNATURE,
        ),
        (
            "the signature in MIME's letters",
            canned().set("Signature", "YWJj+/=="),
            SIGNATURE,
        ),
        (
            "the signature percent-encoded",
            canned().with("__&Key", "%5F%5F&Key"),
            SIGNATURE,
        ),
        (
            "spaces in the signature",
            canned().with("Signature=", "Signature=%20"),
            SIGNATURE,
        ),
        (
            "a plus for a space in the signature",
            canned().with("Signature=", "Signature=+"),
            SIGNATURE,
        ),
        (
            "a signature that is no base64",
            canned().set("Signature", "!!!!"),
            SIGNATURE,
        ),
        // The hash.
        (
            "no hash algorithm for sha256",
            sha256().without("Hash-Algorithm"),
            DENIED,
        ),
        (
            "another hash algorithm",
            sha256().set("Hash-Algorithm", "SHA1"),
            DENIED,
        ),
        (
            "a hash algorithm for sha1",
            canned().with("&Key", "&Hash-Algorithm=SHA256&Key"),
            DENIED,
        ),
        (
            "an unknown hash algorithm",
            sha256().set("Hash-Algorithm", "SHA512"),
            DENIED,
        ),
        (
            "no hash at all",
            sha256().set("Hash-Algorithm", "none"),
            DENIED,
        ),
        (
            "a hash algorithm in lower case",
            sha256().set("Hash-Algorithm", "sha256"),
            DENIED,
        ),
        (
            "an empty hash algorithm",
            sha256().set("Hash-Algorithm", ""),
            DENIED,
        ),
        // Whoever takes these for SHA1 finds the signature good.
        (
            "an unknown hash algorithm for sha1",
            canned().with("&Key", "&Hash-Algorithm=SHA512&Key"),
            DENIED,
        ),
        (
            "an empty hash algorithm for sha1",
            canned().with("&Key", "&Hash-Algorithm=&Key"),
            DENIED,
        ),
        (
            "sha1 in lower case",
            canned().with("&Key", "&Hash-Algorithm=sha1&Key"),
            DENIED,
        ),
        (
            "an unknown hash algorithm in cookies",
            cookies().with(
                "CloudFront-Key",
                "CloudFront-Hash-Algorithm=MD5; CloudFront-Key",
            ),
            DENIED,
        ),
        // The policy.
        (
            "another policy under the signature",
            other_policy(custom(), "custom of everything"),
            DENIED,
        ),
        (
            "one letter of the policy",
            flipped(custom(), "Policy"),
            POLICY,
        ),
        ("half of the policy", cut(custom(), "Policy", 60), POLICY),
        (
            "the policy in MIME's letters",
            custom().set("Policy", "e30="),
            POLICY,
        ),
        (
            "an empty object as policy",
            custom().set("Policy", "e30"),
            POLICY,
        ),
        (
            "the policy percent-encoded",
            custom().with("Policy=e", "Policy=%65"),
            POLICY,
        ),
        (
            "a path that climbs out of the wildcard",
            custom().with("/private/a.txt", "/private/x/../../private/a.txt"),
            DENIED,
        ),
        (
            "a path that climbs in disguise",
            custom().with("/private/a.txt", "/private/%2e%2e/private/a.txt"),
            DENIED,
        ),
        (
            "a path that climbs for some origins",
            custom().with("/private/a.txt", "/private/..%2fprivate%2fa.txt"),
            DENIED,
        ),
        (
            "another host than the policy's",
            custom().header("Host", "other.test"),
            DENIED,
        ),
        // Twice, and two of a kind.
        (
            "the expiry twice",
            canned().with("Expires=", "Expires=1999999999&Expires="),
            DENIED,
        ),
        (
            "the signature twice",
            canned().with("&Key-Pair-Id", "&Signature=YQ&Key-Pair-Id"),
            DENIED,
        ),
        (
            "the key twice",
            canned().with("?", "?Key-Pair-Id=K2ECDSAEXAMPLE&"),
            DENIED,
        ),
        (
            "the policy twice",
            custom().with("?", "?Policy=e30&"),
            DENIED,
        ),
        (
            "a policy beside the expiry",
            canned().with("?", "?Policy=e30&"),
            POLICY,
        ),
        (
            "names in lower case",
            canned()
                .with("Expires", "expires")
                .with("Signature", "signature")
                .with("Key-Pair-Id", "key-pair-id"),
            MISSING,
        ),
        (
            "an encoded letter in a name",
            canned().with("Key-Pair-Id", "%4Bey-Pair-Id"),
            MISSING,
        ),
        (
            "a semicolon between the signature's parameters",
            canned().with("&Signature", ";Signature"),
            SIGNATURE,
        ),
        // Cookies.
        (
            "cookies without the key",
            cookies().with("CloudFront-Key-Pair-Id", "Key-Pair-Id"),
            MISSING,
        ),
        (
            "cookies without the signature",
            cookies().with("CloudFront-Signature", "Signature"),
            SIGNATURE,
        ),
        (
            "cookies without the policy",
            cookies().with("CloudFront-Policy", "Policy"),
            POLICY,
        ),
        (
            "cookies in lower case",
            cookies().with("CloudFront-Key-Pair-Id", "cloudfront-key-pair-id"),
            MISSING,
        ),
        (
            "cookies of an unknown key",
            cookies().set("CloudFront-Key-Pair-Id", "K4STRANGER0001"),
            KEY,
        ),
        (
            "one letter of the signature in cookies",
            flipped(cookies(), "CloudFront-Signature"),
            DENIED,
        ),
        (
            "another policy in cookies",
            cookies().set(
                "CloudFront-Policy",
                &Ask::of("custom of everything").value("Policy"),
            ),
            DENIED,
        ),
        (
            "a hash algorithm in cookies",
            Ask::of("cookies custom sha256").with("CloudFront-Hash-Algorithm", "Hash-Algorithm"),
            DENIED,
        ),
        (
            "canned cookies for another URL",
            cookies_canned().with("/private/a.txt", "/private/b.txt"),
            DENIED,
        ),
        (
            "canned cookies with a query",
            cookies_canned().with("/private/a.txt", "/private/a.txt?x=1"),
            DENIED,
        ),
        (
            "a later expiry in cookies",
            cookies_canned().set("CloudFront-Expires", "1772539999"),
            DENIED,
        ),
        (
            "a bad cookie in front of the good one",
            cookies().with(
                "CloudFront-Signature",
                "CloudFront-Signature=YQ; CloudFront-Signature",
            ),
            DENIED,
        ),
        (
            "good cookies beside an expiry in the URL",
            cookies().with("/private/a.txt", "/private/a.txt?Expires=1999999999"),
            MISSING,
        ),
        (
            "good cookies beside a bad signed URL",
            Ask {
                headers: cookies().headers,
                ..Ask::of("expired")
            },
            DENIED,
        ),
        (
            "half in the URL and half in cookies",
            cookies().with(
                "/private/a.txt",
                "/private/a.txt?Key-Pair-Id=K1RSAEXAMPLE01",
            ),
            SIGNATURE,
        ),
        (
            "the signature in a header",
            Ask::plain("/private/a.txt").header("CloudFront-Signature", "YQ"),
            MISSING,
        ),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn each_mutation_is_refused_with_its_code_whether_the_object_is_stored_or_not() {
    // CF-561, CF-562, CF-563, CF-564, CF-565, CF-566, CF-567, CF-568, CF-569, CF-570, CF-572, CF-573, CF-574, CF-576, CF-577
    let origin = Origin::saying("secret").await;
    let cold = edge("").start(&origin).await;
    let warm = edge("").start(&origin).await;
    for name in ["canned", "canned with a query", "custom of everything"] {
        assert_eq!(Ask::of(name).send(&warm).await.status, 200);
        assert_ne!(Ask::of(name).send(&warm).await.x_cache(), "Miss", "{name}");
    }
    let before = origin.count();
    let vectors = VECTORS
        .iter()
        .map(|(name, code)| (*name, Ask::of(name), *code));
    let cases: Vec<_> = vectors.chain(mutations()).collect();
    let names: BTreeSet<_> = cases.iter().map(|(name, ..)| *name).collect();
    assert_eq!(names.len(), cases.len(), "each has a name of its own");
    assert!(cases.len() >= 140, "{}", cases.len());
    for (name, ask, code) in cases {
        // A range goes another way than what may be answered from memory.
        let ranged = ask.clone().header("Range", "bytes=0-");
        for (edge, ask) in [
            (&cold, &ask),
            (&warm, &ask),
            (&cold, &ranged),
            (&warm, &ranged),
        ] {
            let answer = ask.send(edge).await;
            assert_eq!(answer.status, 403, "{name}: {answer:?}");
            assert_eq!(answer.header("content-type"), Some("text/xml"), "{name}");
            assert_eq!(answer.x_cache(), "Error", "{name}");
            let expected = format!("<Error><Code>{code}</Code><Message>");
            assert!(
                answer.text().contains(&expected),
                "{name}: {}",
                answer.text()
            );
        }
    }
    assert_eq!(origin.count(), before, "none came to the origin");
}
