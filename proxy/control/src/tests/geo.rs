//! Geo restrictions and the database they need.

use fourfront_model::GeoRestriction;

use super::{accepted, refused};

/// A distribution with these settings, on line 5, and the settings of a node.
fn site(node: &str, settings: &str) -> String {
    format!(
        "node: {{ {node} }}\ndistributions:\n  site:\n    origins: {{ app: \"http://127.0.0.1:3000\" }}\n    {settings}\n"
    )
}

const DATABASE: &str = "geo_database: ./ca.pem";

fn restriction(settings: &str) -> Option<GeoRestriction> {
    let loaded = accepted(&site(DATABASE, settings));
    let [path] = &*loaded.node.geo_databases else {
        panic!("one database");
    };
    assert!(path.ends_with("ca.pem") && loaded.watched.contains(path));
    loaded.site.distributions()[0].geo_restriction.clone()
}

#[test]
fn restrictions_are_lists_of_countries_in_either_form() {
    // CF-020, CF-021, CF-048, CF-600
    let codes = |all: &[&str]| all.iter().map(|c| c.parse().unwrap()).collect();
    let only = |all| Some(GeoRestriction::Only(codes(all)));
    let but = |all| Some(GeoRestriction::AllBut(codes(all)));
    for (settings, want) in [
        (
            "geo_restriction: { restriction_type: whitelist, locations: [DE, AT] }",
            only(&["AT", "DE"]),
        ),
        (
            "geo_restriction: { restriction_type: blacklist, locations: [NO, NO] }",
            but(&["NO"]),
        ),
        (
            "restrictions: { geo_restriction: { restriction_type: blacklist, quantity: 1, items: [FR] } }",
            but(&["FR"]),
        ),
        (
            "geo_restriction: { restriction_type: none, locations: [] }",
            None,
        ),
        ("geo_restriction: { restriction_type: none }", None),
        ("geo_restriction: none", None),
        (
            "restrictions: { geo_restriction: { restriction_type: none, quantity: 0 } }",
            None,
        ),
        ("restrictions: { geo_restriction: none }", None),
        ("restrictions: none", None),
        ("restrictions: {}", None),
    ] {
        assert_eq!(restriction(settings), want, "{settings}");
    }
}

#[test]
fn what_restricts_nothing_is_refused_with_cloudfronts_words() {
    // CF-020, CF-024, CF-048
    const GEO: &str = "distributions.site.geo_restriction";
    for (settings, said) in [
        (
            "geo_restriction: { restriction_type: whitelist, locations: [DE, at] }",
            format!("5:69: {GEO}.locations[1]: InvalidLocationCode: `at` is not a country | did you mean `AT`?"),
        ),
        (
            "geo_restriction: { restriction_type: whitelist, locations: [UK] }",
            format!("5:65: {GEO}.locations[0]: InvalidLocationCode: `UK` is not a country | did you mean `GB`?"),
        ),
        (
            "geo_restriction: { restriction_type: whitelist, locations: [EU] }",
            format!("5:65: {GEO}.locations[0]: InvalidLocationCode: `EU`"),
        ),
        (
            "geo_restriction: { restriction_type: whitelist }",
            format!("5:42: {GEO}.restriction_type: InvalidGeoRestrictionParameter: no country is listed"),
        ),
        (
            "geo_restriction: { restriction_type: none, locations: [DE] }",
            format!("5:42: {GEO}.restriction_type: InvalidGeoRestrictionParameter: with `none`"),
        ),
        (
            "geo_restriction: { locations: [DE] }",
            format!("5:22: {GEO}: InvalidGeoRestrictionParameter: there are countries | whitelist"),
        ),
        (
            "geo_restriction: { restriction_type: allow, locations: [DE] }",
            format!("5:42: {GEO}.restriction_type: expected `none`, `whitelist` or `blacklist`, found `allow`"),
        ),
        (
            "restrictions: { geo_restriction: { restriction_type: blacklist, quantity: 2, items: [DE] } }",
            "5:79: distributions.site.restrictions.geo_restriction.quantity: InconsistentQuantities".to_owned(),
        ),
    ] {
        refused(&site(DATABASE, settings), &[&said]);
    }
    // Without a database nobody would be kept out.
    refused(
        &site(
            "",
            "geo_restriction: { restriction_type: blacklist, locations: [DE] }",
        ),
        &[&format!(
            "5:42: {GEO}.restriction_type: nothing says in which country a viewer is | node.geo_database"
        )],
    );
    refused(
        &site("geo_database: ./none.mmdb", "enabled: true"),
        &["1:23: node.geo_database: file `./none.mmdb` does not exist"],
    );
}
