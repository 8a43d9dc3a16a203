//! Geo restriction: who is served from where (CF section 6.11).

use std::{
    net::IpAddr,
    time::{Duration, SystemTime},
};

use fourfront::geo::GeoDatabases;
use fourfront_conformance::{
    Edge, Origin, Running, asn_database, country_database, other_database,
};

/// A node to which viewers of this test, all at 127.0.0.1, are in Germany.
fn edge(restriction: &str) -> Edge {
    let edge = Edge::new()
        .node("geo_database: ./country.mmdb")
        .distribution(&format!("geo_restriction: {restriction}"));
    in_germany(&edge);
    edge
}

fn in_germany(edge: &Edge) {
    write(
        edge,
        &country_database(&[("127.0.0.0/8", "DE"), ("192.0.2.0/24", "FR")]),
    );
}

fn write(edge: &Edge, bytes: &[u8]) {
    std::fs::write(edge.dir().join("country.mmdb"), bytes).expect("a writable directory");
}

async fn status(edge: &Running) -> u16 {
    edge.get("/a").await.status
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_decide_who_is_served_also_what_is_stored() {
    // CF-600, CF-601
    let origin = Origin::saying("x").await;
    for (restriction, want) in [
        ("{ restriction_type: whitelist, locations: [DE, AT] }", 200),
        ("{ restriction_type: whitelist, locations: [AT, FR] }", 403),
        ("{ restriction_type: blacklist, locations: [AT, FR] }", 200),
        ("{ restriction_type: blacklist, locations: [AT, DE] }", 403),
        ("none", 200),
    ] {
        let edge = edge(restriction).start(&origin).await;
        assert_eq!(status(&edge).await, want, "{restriction}");
        assert_eq!(status(&edge).await, want, "{restriction}");
        let ranged = edge
            .request("GET", "/a")
            .header("Range", "bytes=0-")
            .send()
            .await;
        assert_eq!(ranged.status == 403, want == 403, "{restriction}");
    }
    // A restriction that comes with a reload keeps who is outside from what is stored.
    let edge = edge("none").start(&origin).await;
    assert_eq!(edge.get("/a").await.x_cache(), "Miss");
    assert_eq!(edge.get("/a").await.x_cache(), "Hit");
    let list = "geo_restriction: { restriction_type: blacklist, locations: [DE] }";
    let restricted = edge.site_file().replace("geo_restriction: none", list);
    edge.reload(&restricted).expect("a good site file");
    assert_eq!(status(&edge).await, 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_says_that_the_country_is_blocked_and_the_log_says_it_too() {
    // CF-300, CF-600, CF-705, CF-761, CF-780
    let origin = Origin::saying("x").await;
    let edge = edge("{ restriction_type: blacklist, locations: [DE] }")
        .start(&origin)
        .await;
    let answer = edge.get("/a").await;
    assert_eq!(answer.status, 403);
    assert_eq!(answer.x_cache(), "Error");
    assert!(
        answer
            .header("content-type")
            .is_some_and(|t| t.starts_with("text/html"))
    );
    let page = answer.text();
    assert!(
        page.contains("configured to block access from your country"),
        "{page}"
    );
    assert!(page.contains("ClientGeoBlocked"), "{page}");
    let record = edge.record_of(&answer).await;
    assert_eq!(record.served.result_type(403).as_str(), "Error");
    assert_eq!(record.served.detail(403), "ClientGeoBlocked");
    assert_eq!(record.to_json()["c-country"], "DE");
    assert_eq!(origin.count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn whom_the_database_does_not_know_is_served() {
    // CF-602
    let origin = Origin::saying("x").await;
    for restriction in [
        "{ restriction_type: whitelist, locations: [AT] }",
        "{ restriction_type: blacklist, locations: [AT] }",
    ] {
        let edge = edge(restriction);
        write(&edge, &country_database(&[("192.0.2.0/24", "AT")]));
        let edge = edge.start(&origin).await;
        let answer = edge.get("/a").await;
        assert_eq!(answer.status, 200, "{restriction}");
        let record = edge.record_of(&answer).await;
        assert!(record.to_json().get("c-country").is_none());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn methods_come_before_the_country_and_the_country_before_signature_and_function() {
    // CF-010.7, CF-010.8, CF-010.9, CF-010.10, LE-009, LE-021
    let origin = Origin::saying("x").await;
    let edge = edge("{ restriction_type: blacklist, locations: [DE] }")
        .top("public_keys: { k: ./k.pem }")
        .top("key_groups: { g: [k] }")
        .hook("viewer-request", "console.log('ran'); return request;")
        .behavior("trusted_key_groups: [g]");
    edge.write("k.pem", super::signed::vectors::key("rsa").1);
    let edge = edge.start(&origin).await;
    let detail = |method: &'static str| {
        let edge = &edge;
        async move {
            let answer = edge.request(method, "/a").send().await;
            edge.record_of(&answer)
                .await
                .served
                .detail(answer.status)
                .to_owned()
        }
    };
    assert_eq!(detail("POST").await, "InvalidRequestMethod");
    assert_eq!(detail("GET").await, "ClientGeoBlocked");
    assert!(edge.logs().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_database_is_exchanged_by_a_reload_and_a_bad_one_is_not_taken() {
    // CF-601
    let origin = Origin::saying("x").await;
    let list = "{ restriction_type: whitelist, locations: [AT] }";
    let edge = edge(list).start(&origin).await;
    assert_eq!(status(&edge).await, 403);
    let replace = |bytes: &[u8]| {
        let file = edge.site_dir().join("country.mmdb");
        std::fs::write(file, bytes).expect("a writable directory");
        edge.reload(&edge.site_file())
    };
    replace(&country_database(&[("127.0.0.1/32", "AT")])).expect("a good database");
    assert_eq!(status(&edge).await, 200);
    for (bytes, said) in [
        (b"nothing".to_vec(), "is no database in MaxMind's format"),
        (
            other_database("127.0.0.0/8"),
            "is a Test-ASN database, which has neither `country.iso_code` nor",
        ),
        (
            country_database(&[("127.0.0.0/8", "de")]),
            "is a Test-Country database, which has neither `country.iso_code` nor",
        ),
        (
            asn_database(&[("127.0.0.0/8", 64_500)]),
            "is a Test-ASN database, which has no `country.iso_code`, and a distribution has a geo restriction",
        ),
    ] {
        let refused = replace(&bytes).expect_err("a bad database");
        assert!(
            refused.contains("node.geo_database: ") && refused.contains(said),
            "{refused}"
        );
        assert_eq!(status(&edge).await, 200);
    }
}

#[test]
fn addresses_of_both_kinds_are_found() {
    // CF-601, CF-354
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("a.mmdb");
    let networks = [
        ("192.0.2.0/24", "DE"),
        ("192.0.2.128/25", "AT"),
        ("2001:db8::/32", "FR"),
        ("2001:db8:1::/48", "CH"),
    ];
    std::fs::write(&file, country_database(&networks)).expect("a writable directory");
    let files = [file];
    let open = |at_hand: &GeoDatabases| GeoDatabases::open(&files, at_hand).expect("a database");
    let database = open(&GeoDatabases::default());
    for (address, country) in [
        ("192.0.2.1", Some("DE")),
        ("192.0.2.129", Some("AT")),
        ("192.0.3.1", None),
        ("::ffff:192.0.2.1", Some("DE")),
        ("2001:db8::1", Some("FR")),
        ("2001:db8:1::1", Some("CH")),
        ("2001:db9::1", None),
        ("::1", None),
    ] {
        let address: IpAddr = address.parse().expect("an address");
        let found = database.country(address);
        assert_eq!(found.as_ref().map(|c| c.as_str()), country, "{address}");
    }
    // The same file is not read again, another one is.
    let address: IpAddr = "192.0.2.1".parse().expect("an address");
    let changed = std::fs::metadata(&files[0]).and_then(|m| m.modified());
    let changed = changed.expect("a time of change");
    let write = |code: &'static str, at: SystemTime| {
        let mut networks = networks;
        networks[0].1 = code;
        std::fs::write(&files[0], country_database(&networks)).expect("a writable directory");
        let file = std::fs::File::options().write(true).open(&files[0]);
        file.and_then(|f| f.set_modified(at)).expect("a file");
        let found = open(&database).country(address);
        found.map(|c| c.to_string())
    };
    assert_eq!(write("PT", changed).as_deref(), Some("DE"));
    let later = changed + Duration::from_secs(1);
    assert_eq!(write("PT", later).as_deref(), Some("PT"));
}
