//! Where connections to an origin go, and who vouches for what is there (CF-398, CF-424, CF-438, CF-808).

use std::time::Duration;

use fourfront_model::{Ejection, HealthCheck, IpAddressType, Origin, Pool, PoolChoice, PoolMember};

use super::{accepted, refused, with_origin};

const BLOCK: &str = "distributions.site.origins.app";

fn origin(text: &str) -> Origin {
    Origin::clone(&accepted(text).site.distributions()[0].origins[0])
}

fn with_pool(lines: &str) -> String {
    let lines = lines.replace('\n', "\n  ");
    with_origin(&format!(
        "domain_name: app.test\ncustom_origin_config: {{ origin_protocol_policy: http-only }}\npool:\n  {lines}"
    ))
}

fn member(host: &str, port: Option<u16>, weight: u32) -> PoolMember {
    PoolMember {
        host: host.to_owned(),
        port,
        weight,
    }
}

#[test]
fn a_pool_has_defaults_for_all_but_its_members() {
    // CF-808
    let pool = |lines: &str| Pool::clone(origin(&with_pool(lines)).pool.as_deref().unwrap());
    assert_eq!(
        pool("members: [10.0.0.1:8080, { address: B.test, weight: 3 }, \"[::1]:81\"]"),
        Pool {
            members: vec![
                member("10.0.0.1", Some(8080), 1),
                member("b.test", None, 3),
                member("::1", Some(81), 1),
            ],
            choice: PoolChoice::LeastLoaded,
            health_check: None,
            ejection: Ejection {
                failures: 3,
                time: Duration::from_secs(10),
            },
        }
    );
    let seconds = Duration::from_secs;
    let written = pool(
        "members: [a.test]
choice: consistent
health_check: { path: '/up?deep=1', status: 204, interval: 1, timeout: 0.5, unhealthy_after: 2, healthy_after: 1 }
ejection: { failures: 0, time: 30 }",
    );
    assert_eq!(written.choice, PoolChoice::Consistent);
    assert_eq!(
        written.health_check,
        Some(HealthCheck {
            path: Some("/up?deep=1".to_owned()),
            status: 204,
            interval: seconds(1),
            timeout: Duration::from_millis(500),
            unhealthy_after: 2,
            healthy_after: 1,
        })
    );
    assert_eq!(
        (written.ejection.failures, written.ejection.time),
        (0, seconds(30))
    );
    let connects = pool("members: [a.test]\nhealth_check: {}");
    assert_eq!(connects.health_check, Some(HealthCheck::default()));
}

#[test]
fn viewers_of_both_schemes_come_to_the_pool() {
    // CF-421, CF-808
    let text = with_origin(
        "domain_name: app.test
custom_origin_config: { origin_protocol_policy: match-viewer }
pool: { members: [a.test, b.test] }",
    );
    let origin = origin(&text);
    assert_eq!(origin.secure.unwrap().pool, origin.pool);
}

#[test]
fn what_is_wrong_with_a_pool_is_said() {
    // CF-808
    for (lines, said) in [
        (
            "members: []",
            "7:9: {}: InvalidOrigin: the pool has no members",
        ),
        (
            "choice: least-loaded",
            "7:9: {}: InvalidOrigin: the pool has no members",
        ),
        (
            "members: [\"a b\"]",
            "8:21: {}.members[0]: InvalidOrigin: `a b` is no address of a server",
        ),
        (
            "members: [\"http://a.test\"]",
            "8:21: {}.members[0]: InvalidOrigin: `http://a.test` is no address",
        ),
        (
            "members: [a.test, A.test]",
            "8:29: {}.members[1]: `A.test` is in the pool twice",
        ),
        (
            "members: [a.test, { weight: 2 }]",
            "8:29: {}.members[1]: the member has no `address`",
        ),
        (
            "members: [{ address: a.test, weight: 0 }]",
            "8:48: {}.members[0].weight: expected a weight, a whole number from 1 to 100",
        ),
        (
            "members: [a.test]\nchoice: random",
            "9:19: {}.choice: expected `least-loaded` or `consistent`",
        ),
        (
            "members: [a.test]\nhealth_check: { path: up }",
            "9:33: {}.health_check.path: InvalidRelativePath: origin path `up` does not begin with `/`",
        ),
        (
            "members: [a.test]\nhealth_check: { status: 200 }",
            "9:35: {}.health_check.status: without a `path` nothing is asked for that has a status",
        ),
        (
            "members: [a.test]\nhealth_check: { interval: 0 }",
            "9:37: {}.health_check.interval: expected a number of seconds",
        ),
    ] {
        let said = said.replace("{}", &format!("{BLOCK}.pool"));
        refused(&with_pool(lines), &[&said]);
    }
    let other = |settings: &str, said: &str| {
        refused(&with_origin(settings), &[said]);
    };
    other(
        "domain_name: bkt.s3.amazonaws.com\ns3_origin_config: {}\npool: { members: [a.test] }",
        &format!("7:15: {BLOCK}.pool: InvalidOrigin: only a custom origin has a pool"),
    );
    other(
        "domain_name: a.test\ncustom_origin_config: { origin_protocol_policy: match-viewer }\npool: { members: [b.test:80] }",
        &format!("7:27: {BLOCK}.pool.members[0]: InvalidOrigin: with `match-viewer`, ports are"),
    );
}

#[test]
fn kinds_of_addresses_can_be_chosen() {
    // CF-398
    let custom = |settings: &str| {
        with_origin(&format!(
            "domain_name: app.test\ncustom_origin_config: {{ origin_protocol_policy: http-only{settings} }}"
        ))
    };
    for (settings, kinds) in [
        ("", IpAddressType::Dualstack),
        (", ip_address_type: ipv4", IpAddressType::Ipv4),
        (", ip_address_type: ipv6", IpAddressType::Ipv6),
        (", ip_address_type: dualstack", IpAddressType::Dualstack),
    ] {
        assert_eq!(
            origin(&custom(settings)).ip_address_type,
            kinds,
            "{settings}"
        );
    }
    refused(
        &with_origin(
            "domain_name: 127.0.0.1\ncustom_origin_config: { origin_protocol_policy: http-only, ip_address_type: ipv6 }",
        ),
        &[&format!(
            "6:85: {BLOCK}.custom_origin_config.ip_address_type: InvalidOrigin: `127.0.0.1` is no IPv6 address"
        )],
    );
    refused(
        &with_origin(
            "domain_name: a.test\ncustom_origin_config: { origin_protocol_policy: http-only, ip_address_type: ipv4 }\npool: { members: [\"[::1]\"] }",
        ),
        &[&format!(
            "7:27: {BLOCK}.pool.members[0]: InvalidOrigin: `::1` is no IPv4 address"
        )],
    );
}

#[test]
fn an_origin_has_authorities_of_its_own() {
    // CF-424
    let text = |policy: &str, ca: &str| {
        with_origin(&format!(
            "domain_name: app.test\ncustom_origin_config: {{ origin_protocol_policy: {policy} }}\norigin_ca: {ca}"
        ))
    };
    for policy in ["https-only", "match-viewer"] {
        let loaded = accepted(&text(policy, "ca.pem"));
        let ca = loaded.site.distributions()[0].origins[0]
            .ca
            .clone()
            .unwrap();
        assert!(ca.ends_with("ca.pem"));
        // What it holds may change.
        assert!(loaded.watched.contains(&ca));
    }
    refused(
        &text("https-only", "cb.pem"),
        &[&format!(
            "7:20: {BLOCK}.origin_ca: file `cb.pem` does not exist (help: did you mean `ca.pem`?"
        )],
    );
    refused(
        &text("http-only", "ca.pem"),
        &[&format!(
            "7:20: {BLOCK}.origin_ca: `origin_ca` is for connections by https"
        )],
    );
}

#[test]
fn website_endpoints_are_reached_by_http_and_unsigned() {
    // CF-438
    let host = "bkt.s3-website.eu-central-1.amazonaws.com";
    let url = |scheme: &str| {
        format!("distributions:\n  a:\n    origins:\n      app: \"{scheme}://{host}\"\n")
    };
    let app = origin(&url("http"));
    assert!(app.access.is_none());
    let said = "InvalidOrigin: a website endpoint of S3 speaks http alone";
    refused(
        &url("https"),
        &[&format!("4:12: distributions.a.origins.app: {said}")],
    );
    let block = |policy: &str| {
        with_origin(&format!(
            "domain_name: {host}\ncustom_origin_config: {{ origin_protocol_policy: {policy} }}"
        ))
    };
    accepted(&block("http-only"));
    for policy in ["https-only", "match-viewer"] {
        refused(
            &block(policy),
            &[&format!("6:31: {BLOCK}.custom_origin_config: {said}")],
        );
    }
}

#[test]
fn name_servers_can_be_named() {
    // CF-398
    let resolver = |settings: &str| {
        let text = format!(
            "node: {{ resolver: {{ {settings} }} }}\ndistributions: {{ a: {{ origins: {{ o: \"http://a.test\" }} }} }}"
        );
        accepted(&text).node.resolver
    };
    let read = resolver("servers: [192.0.2.53, \"[::1]:5353\"], max_ttl: 5, stale_ttl: 0.5");
    let servers = read.servers.unwrap();
    assert_eq!(
        servers,
        [
            "192.0.2.53:53".parse().unwrap(),
            "[::1]:5353".parse().unwrap()
        ]
    );
    assert_eq!(read.max_ttl, Duration::from_secs(5));
    assert_eq!(read.stale_ttl, Duration::from_millis(500));
    refused(
        "node: { resolver: { servers: [ns.test] } }\ndistributions: { a: { origins: { o: \"http://a.test\" } } }",
        &["1:31: node.resolver.servers[0]: `ns.test` is not the address of a name server"],
    );
}
