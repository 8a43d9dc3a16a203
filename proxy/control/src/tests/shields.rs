//! Origin shields: which node is asked for an origin (CF-415).

use fourfront_model::{OriginProtocol, PoolChoice};

use super::{accepted, refused};

fn site(node: &str, origin: &str) -> String {
    format!(
        "node:
  origin_shield: {node}
distributions:
  site:
    origins:
      app: {{ domain_name: app.test, custom_origin_config: {{ origin_protocol_policy: match-viewer }}, {origin} }}
"
    )
}

const SECRET: &str = "secret: 0123456789abcdef";
const ON: &str = "origin_shield: { enabled: true, origin_shield_region: eu-west-1 }";

/// The region that the origin is asked by way of.
fn region(node: &str, origin: &str) -> Option<String> {
    let loaded = accepted(&site(node, origin));
    let app = &loaded.site.distributions()[0].origins[0];
    let region = app.shield.as_ref().map(ToString::to_string);
    let secure = app.secure.as_ref().unwrap();
    assert_eq!(secure.shield, app.shield);
    region
}

#[test]
fn an_enabled_shield_is_a_node_of_its_region() {
    // CF-415
    let nodes = format!(
        "{{ {SECRET}, regions: {{ eu-west-1: 'http://10.0.0.5:8080', us-east-1: none }} }}"
    );
    assert_eq!(region(&nodes, ON).as_deref(), Some("eu-west-1"));
    let spelled = "OriginShield: { Enabled: true, OriginShieldRegion: eu-west-1 }";
    assert_eq!(region(&nodes, spelled).as_deref(), Some("eu-west-1"));
    for off in [
        "origin_shield: { enabled: false }",
        "origin_shield: { enabled: false, origin_shield_region: eu-west-2 }",
        "origin_shield: { enabled: true, origin_shield_region: us-east-1 }",
        "origin_path: ''",
    ] {
        assert_eq!(region(&nodes, off), None, "{off}");
    }
    // The shield itself asks the origin.
    let shield = format!("{{ {SECRET}, serves: eu-west-1 }}");
    assert_eq!(region(&shield, ON), None);
}

#[test]
fn nodes_are_reached_by_url() {
    // CF-415
    let node = format!(
        "{{ {SECRET}, regions: {{ one: 'https://shield.test/', two: ['http://10.0.0.5:8080', 'http://[::1]'] }} }}"
    );
    let loaded = accepted(&site(&node, "origin_path: ''"));
    let shields = &loaded.node.shield.shields;
    let reached = |at: usize| {
        let origin = &shields[at].nodes;
        let fourfront_model::OriginKind::Custom(custom) = &origin.kind else {
            panic!("a shield is reached by HTTP")
        };
        (custom.protocol, origin.domain_name.clone(), custom.port)
    };
    assert_eq!(
        reached(0),
        (OriginProtocol::Https, "shield.test".to_owned(), 443)
    );
    assert!(shields[0].nodes.pool.is_none());
    assert_eq!(shields[0].urls(), ["https://shield.test:443"]);
    assert_eq!(
        shields[1].urls(),
        ["http://10.0.0.5:8080", "http://[::1]:80"]
    );
    assert_eq!(
        reached(1),
        (OriginProtocol::Http, "10.0.0.5".to_owned(), 8080)
    );
    let pool = shields[1].nodes.pool.as_ref().unwrap();
    assert_eq!(pool.choice, PoolChoice::Consistent);
    let members: Vec<_> = pool.members.iter().map(|m| (&*m.host, m.port)).collect();
    assert_eq!(members, [("10.0.0.5", Some(8080)), ("::1", Some(80))]);
}

#[test]
fn secrets_stand_in_the_file_or_beside_it() {
    // CF-415
    let node = "{ serves: eu-west-1, secret: [0123456789abcdef, fedcba9876543210], secret_file: secrets.txt }";
    let dir = super::site_dir();
    std::fs::write(
        dir.path().join("secrets.txt"),
        "\n a-third-secret-of-some-length \n",
    )
    .unwrap();
    let loaded = super::parse_in(dir.path(), &site(node, "origin_path: ''")).unwrap();
    let secrets = &loaded.node.shield.secrets;
    let texts: Vec<_> = secrets.iter().map(|s| s.as_bytes()).collect();
    let wanted: [&[u8]; 3] = [
        b"0123456789abcdef",
        b"fedcba9876543210",
        b"a-third-secret-of-some-length",
    ];
    assert_eq!(texts, wanted);
    assert!(loaded.watched.contains(&dir.path().join("secrets.txt")));
    assert!(!format!("{:?}", loaded.node).contains("fedcba"));
}

#[test]
fn what_cannot_be_is_named() {
    // CF-415, CP-641
    let at = "distributions.site.origins.app.origin_shield";
    refused(
        &site(&format!("{{ {SECRET}, serves: us-east-1 }}"), ON),
        &[&format!(
            "6:155: {at}.origin_shield_region: no node is known that shields origins for `eu-west-1` (help: name one with `node.origin_shield.regions: {{ eu-west-1: \"http://10.0.0.5:8080\" }}`, or go without with `eu-west-1: none`)"
        )],
    );
    for (node, origin, message) in [
        (
            "{ serves: eu-west-1 }",
            ON,
            "know those behind them by a `secret`",
        ),
        (
            "{ regions: { eu-west-1: 'http://a' } }",
            ON,
            "know those behind them by a `secret`",
        ),
        (
            "{ serves: eu-west-1, secret: short }",
            ON,
            "16 to 1024 visible characters",
        ),
        (
            "{ serves: EU, secret: 0123456789abcdef }",
            "origin_path: ''",
            "`EU`: a region is written",
        ),
        (
            "{ serves: eu-west-1, secret: 0123456789abcdef }",
            "origin_shield: { enabled: true }",
            "no `origin_shield_region`",
        ),
        (
            "{ secret: 0123456789abcdef, regions: { eu-west-1: '10.0.0.5:8080' } }",
            ON,
            "`10.0.0.5:8080` is no node",
        ),
        (
            "{ secret: 0123456789abcdef, regions: { eu-west-1: ['http://a', 'https://b'] } }",
            ON,
            "reached by one protocol",
        ),
        (
            "{ secret: 0123456789abcdef, regions: { eu-west-1: ['https://a', 'https://b'] } }",
            ON,
            "several nodes by `https` are one name",
        ),
    ] {
        let text = site(node, origin);
        let dir = super::site_dir();
        let errors = super::parse_in(dir.path(), &text).unwrap_err().to_string();
        assert!(errors.contains(message), "{errors}");
        assert!(!errors.contains("short"), "{errors}");
    }
}
