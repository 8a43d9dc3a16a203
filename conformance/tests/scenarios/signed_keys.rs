//! Keys of signed URLs: which a node takes, and how they are exchanged while it runs (CF-574).

use fourfront_conformance::{Edge, Origin};

use super::signed::vectors::{Ask, edge, key, no_keys};

#[test]
fn keys_of_other_kinds_stop_the_start_by_their_name() {
    // CF-574
    let mut kinds = Vec::new();
    for (name, pem) in no_keys() {
        let edge = Edge::new().top("public_keys: { media: ./key.pem }");
        edge.write("key.pem", pem);
        let said = match edge.load("http://127.0.0.1:1") {
            Ok(_) => panic!("{name} is taken"),
            Err(errors) => errors.to_string(),
        };
        assert!(
            said.contains(
                "public_keys.media: InvalidArgument: the public key `media` cannot be used: it"
            ),
            "{name}: {said}"
        );
        assert!(said.contains("(CF-574)"), "{name}: {said}");
        let kind = said
            .split("it is ")
            .nth(1)
            .and_then(|s| s.split(';').next());
        kinds.push((name, kind.unwrap_or("-").to_owned()));
    }
    let told = |name: &str| kinds.iter().find(|k| k.0 == name).map(|k| k.1.as_str());
    assert_eq!(told("rsa-3072"), Some("an RSA key of 3072 bits"));
    assert_eq!(told("rsa-4096"), Some("an RSA key of 4096 bits"));
    assert_eq!(told("p384"), Some("an ECDSA key on P-384"));
    assert_eq!(told("p521"), Some("an ECDSA key on P-521"));
    assert_eq!(kinds.len(), 6);
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_exchanged_by_a_reload() {
    // CF-027, CF-070, CF-574
    let origin = Origin::saying("x").await;
    let edge = edge("").start(&origin).await;
    let (old, new) = (Ask::of("canned"), Ask::of("by a stranger"));
    assert_eq!(old.send(&edge).await.status, 200);
    assert!(
        new.send(&edge)
            .await
            .text()
            .contains("<Code>InvalidKey</Code>")
    );

    // Both, then the new one alone.
    let site = edge.site_file();
    let (id, pem) = key("stranger");
    let declared = format!("public_keys: {{ new: {{ id: {id}, pem: {pem:?} }}, ");
    let both = site
        .replace("public_keys: { ", &declared)
        .replace("viewers: [rsa, ecdsa]", "viewers: [rsa, ecdsa, new]");
    edge.reload(&both).expect("a good site file");
    assert_eq!(old.send(&edge).await.status, 200);
    assert_eq!(new.send(&edge).await.status, 200);
    edge.reload(&both.replace("[rsa, ecdsa, new]", "[new]"))
        .expect("a good site file");
    assert!(
        old.send(&edge)
            .await
            .text()
            .contains("<Code>InvalidKey</Code>")
    );
    assert_eq!(new.send(&edge).await.status, 200);

    // A group that is gone is refused, and all stays.
    let broken = both.replace("viewers: [rsa, ecdsa, new]", "watchers: [new]");
    let said = edge.reload(&broken).expect_err("a group is missing");
    assert!(
        said.contains("TrustedKeyGroupDoesNotExist: there is no key group `viewers`"),
        "{said}"
    );
    assert_eq!(new.send(&edge).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_counts_for_the_behaviours_that_trust_it_alone() {
    // CF-070, CF-574
    let origin = Origin::saying("x").await;
    let edge = edge("").start(&origin).await;
    // Signed for any URL, so that the key alone makes the difference.
    let everything = Ask::of("custom of everything");
    assert_eq!(everything.send(&edge).await.status, 200);
    let elsewhere = everything.with("/private/a.txt", "/elsewhere/a.txt");
    assert!(
        elsewhere
            .send(&edge)
            .await
            .text()
            .contains("<Code>InvalidKey</Code>")
    );
    let foreign = Ask::of("by a key of another behaviour");
    assert!(
        foreign
            .send(&edge)
            .await
            .text()
            .contains("<Code>InvalidKey</Code>")
    );
}
