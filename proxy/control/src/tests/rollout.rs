//! Continuous deployment: staging distributions and the policies that send requests there.

use std::path::Path;

use fourfront_model::{Rollout, Sessions, Share, StagingRule, Traffic};
use serde_json::json;

use super::{accepted, env, refused, site_dir};
use crate::{Deployed, Deployment, Loaded, Part, parse_with};

/// A site with a primary distribution and a staging one, which begins on line 9, and a policy whose settings begin on
/// line 3, column 5.
fn site(policy: &str) -> String {
    let policy = policy.trim_matches('\n').replace('\n', "\n    ");
    format!(
        "continuous_deployment_policies:\n  trial:\n    {policy}\ndistributions:\n  shop: {{ continuous_deployment_policy_id: trial, origins: {{ app: \"http://a.test\" }} }}\n  \
         next: {{ staging: true, id: ENEXT, origins: {{ app: \"http://b.test\" }} }}\n"
    )
}

fn policy(traffic: &str) -> String {
    format!("enabled: true\nstaging_distribution_dns_names: [next]\ntraffic_config: {traffic}")
}

fn rollouts(loaded: &Loaded) -> [&Rollout; 2] {
    let [shop, next] = loaded.site.distributions() else {
        panic!("two distributions");
    };
    [&shop.rollout, &next.rollout]
}

fn rule(traffic: Traffic) -> Rollout {
    Rollout::Primary(StagingRule {
        policy: "trial".into(),
        staging: "ENEXT".into(),
        traffic,
        sessions_since: 0,
    })
}

#[test]
fn requests_go_by_weight_or_by_header() {
    // CF-052, CF-451, CF-452, CF-453, CF-454
    for (traffic, expected) in [
        (
            "{ type: SingleWeight, single_weight_config: { weight: 0.15 } }",
            Traffic::Weight {
                share: Share::of(0.15).unwrap(),
                sessions: None,
            },
        ),
        (
            "{ Type: SingleWeight, SingleWeightConfig: { Weight: 0.05, SessionStickinessConfig: { IdleTTL: 300, MaximumTTL: 3600 } } }",
            Traffic::Weight {
                share: Share::of(0.05).unwrap(),
                sessions: Some(Sessions {
                    idle: 300,
                    maximum: 3600,
                }),
            },
        ),
        (
            "{ type: SingleHeader, single_header_config: { header: AWS-CF-CD-Trial, value: \"yes\" } }",
            Traffic::Header {
                name: "aws-cf-cd-trial".parse().unwrap(),
                value: "yes".into(),
            },
        ),
    ] {
        let loaded = accepted(&site(&policy(traffic)));
        assert_eq!(rollouts(&loaded), [&rule(expected), &Rollout::Staging]);
        assert!(loaded.warnings.is_empty(), "{:?}", loaded.warnings);
        // The primary is still the only one that answers, so it answers for every host, and the other one for none.
        let site = &loaded.site;
        for host in ["nobody.test", &site.distributions()[1].domain_name] {
            assert_eq!(site.distribution_index_for(host), Some(0), "{host}");
        }
        assert_eq!(site.staging_of(0).map(|(at, _)| at), Some(1));
    }
}

#[test]
fn larger_weights_need_relaxed_compat() {
    // CF-453, CP-122
    let half = "{ type: SingleWeight, single_weight_config: { weight: 0.5 } }";
    let text = site(&policy(half));
    refused(
        &text,
        &[
            "5:75: continuous_deployment_policies.trial.traffic_config.single_weight_config.weight: InvalidArgument: a weight is from 0 to 0.15 | relaxed",
        ],
    );
    for relaxed in [
        format!("compat: relaxed\n{text}"),
        text.replace("trial, origins", "trial, compat: relaxed, origins"),
    ] {
        let loaded = accepted(&relaxed);
        let Rollout::Primary(rule) = &loaded.site.distributions()[0].rollout else {
            panic!("a rule");
        };
        let share = Share::of(0.5).unwrap();
        assert_eq!(
            rule.traffic,
            Traffic::Weight {
                share,
                sessions: None
            }
        );
    }
    refused(
        &format!("compat: relaxed\n{}", text.replace("0.5", "1.5")),
        &[
            "6:75: continuous_deployment_policies.trial.traffic_config.single_weight_config.weight: InvalidArgument: expected a number from 0 to 1",
        ],
    );
}

#[test]
fn a_policy_that_is_off_or_unknown_sends_nobody_anywhere() {
    // CF-052, CF-451
    let weight = "{ type: SingleWeight, single_weight_config: { weight: 0.1 } }";
    let on = policy(weight);
    for (text, warned) in [
        (site(&on.replace("enabled: true", "enabled: false")), None),
        (site(&on.replace("enabled: true\n", "")), None),
        (site(&on.replace("[next]", "[]")), None),
        (
            site("enabled: true\nstaging_distribution_dns_names: [next]"),
            None,
        ),
        (site(&on.replace("[next]", "[gone.test]")), Some("CF-451")),
        (
            site(&on).replace("_id: trial", "_id: other"),
            Some("CF-052"),
        ),
    ] {
        let loaded = accepted(&text);
        assert_eq!(rollouts(&loaded), [&Rollout::None, &Rollout::Staging]);
        let warnings: Vec<_> = loaded.warnings.iter().map(|w| w.rule).collect();
        assert_eq!(warnings, warned.into_iter().collect::<Vec<_>>(), "{text}");
    }
    // A staging distribution that is disabled gets nothing either.
    let loaded = accepted(&site(&on).replace("staging: true,", "staging: true, enabled: false,"));
    assert_eq!(loaded.site.staging_of(0), None);
}

#[test]
fn what_a_policy_cannot_be_is_refused() {
    // CF-452, CF-453, CF-454
    let at = "continuous_deployment_policies.trial.traffic_config";
    for (traffic, expected) in [
        (
            "{}",
            format!("5:21: {at}: InvalidArgument: `type` is missing"),
        ),
        (
            "{ type: Half }",
            format!("5:29: {at}.type: expected `SingleWeight` or `SingleHeader`"),
        ),
        (
            "{ type: SingleWeight }",
            format!("5:21: {at}: InvalidArgument: `single_weight_config` is missing"),
        ),
        (
            "{ type: SingleWeight, single_weight_config: {} }",
            format!("5:65: {at}.single_weight_config: InvalidArgument: `weight` is missing"),
        ),
        (
            "{ type: SingleWeight, single_weight_config: { weight: 0, session_stickiness_config: { idle_ttl: 299, maximum_ttl: 600 } } }",
            format!(
                "5:117: {at}.single_weight_config.session_stickiness_config.idle_ttl: InvalidArgument: expected seconds, a whole number from 300 to 3600"
            ),
        ),
        (
            "{ type: SingleWeight, single_weight_config: { weight: 0, session_stickiness_config: { idle_ttl: 900, maximum_ttl: 600 } } }",
            format!(
                "5:105: {at}.single_weight_config.session_stickiness_config: InvalidArgument: `idle_ttl` is at most `maximum_ttl`"
            ),
        ),
        (
            "{ type: SingleHeader, single_header_config: { header: x-trial, value: a } }",
            format!(
                "5:75: {at}.single_header_config.header: InvalidArgument: `x-trial` is not the name of a header that begins with `aws-cf-cd-`"
            ),
        ),
        (
            "{ type: SingleHeader, single_header_config: { header: aws-cf-cd-, value: a } }",
            format!("5:75: {at}.single_header_config.header: InvalidArgument: `aws-cf-cd-`"),
        ),
        (
            "{ type: SingleHeader, single_header_config: { header: aws-cf-cd-a, value: \"\" } }",
            format!("5:95: {at}.single_header_config.value: InvalidArgument: the value"),
        ),
        (
            "{ type: SingleHeader, single_header_config: { header: aws-cf-cd-a } }",
            format!("5:65: {at}.single_header_config: InvalidArgument: `value` is missing"),
        ),
    ] {
        refused(&site(&policy(traffic)), &[&expected]);
    }
}

#[test]
fn what_a_staging_distribution_cannot_have_is_refused() {
    // CP-122, CF-451
    let weight = "{ type: SingleWeight, single_weight_config: { weight: 0.1 } }";
    let text = site(&policy(weight));
    let with = |more: &str| text.replace("id: ENEXT,", &format!("id: ENEXT, {more},"));
    for (more, expected) in [
        (
            "aliases: [b.test]",
            "distributions.next.aliases[0]: InvalidArgument: a staging distribution has no aliases",
        ),
        (
            "continuous_deployment_policy_id: trial",
            "distributions.next.continuous_deployment_policy_id: InvalidArgument: a staging distribution has no continuous",
        ),
        (
            "default: true",
            "distributions.next.default: a staging distribution is reached through",
        ),
    ] {
        let column = if more.starts_with("aliases") {
            47
        } else {
            37 + more.find(": ").unwrap() + 2
        };
        refused(&with(more), &[&format!("8:{column}: {expected}")]);
    }
    refused(
        &text.replace("[next]", "[shop]"),
        &[
            "4:38: continuous_deployment_policies.trial.staging_distribution_dns_names[0]: InvalidArgument: `shop` is no staging distribution",
        ],
    );
    refused(
        &text.replace("[next]", "[next, next]"),
        &[
            "4:44: continuous_deployment_policies.trial.staging_distribution_dns_names[1]: InvalidArgument: a policy has one staging distribution",
        ],
    );
}

#[test]
fn deployed_policies_are_read_as_the_api_has_them() {
    // CF-451, CP-122
    let distribution = |staging: bool, policy: &str| {
        json!({
            "CallerReference": policy, "Comment": "", "Enabled": true, "Staging": staging,
            "ContinuousDeploymentPolicyId": policy,
            "Origins": { "Quantity": 1, "Items": [{ "Id": "o", "DomainName": "a.test", "CustomOriginConfig": {
                "HTTPPort": 80, "HTTPSPort": 443, "OriginProtocolPolicy": "http-only" } }] },
            "DefaultCacheBehavior": { "TargetOriginId": "o", "ViewerProtocolPolicy": "allow-all",
                "CachePolicyId": "658327ea-f89d-4fab-a63d-7e88639e58f6" },
        })
    };
    let entry = |part, key: &str, settings, document| Deployed {
        part,
        key: key.to_owned(),
        label: key.to_owned(),
        settings,
        document: Some(document),
    };
    let deployment = Deployment {
        entries: vec![
            entry(
                Part::ContinuousDeploymentPolicies,
                "p1",
                json!({ "id": "p1", "sessions_since": 1_700_000_000_000_u64 }),
                json!({
                    "StagingDistributionDnsNames": { "Quantity": 1, "Items": ["d2.edge.test"] },
                    "Enabled": true,
                    "TrafficConfig": { "Type": "SingleWeight", "SingleWeightConfig": { "Weight": f64::from(0.15_f32) } },
                }),
            ),
            entry(
                Part::Distributions,
                "E1",
                json!({ "id": "E1", "domain_name": "d1.edge.test", "default": false }),
                distribution(false, "p1"),
            ),
            entry(
                Part::Distributions,
                "E2",
                json!({ "id": "E2", "domain_name": "d2.edge.test", "default": false }),
                distribution(true, ""),
            ),
        ],
        stores: Vec::new(),
        ..Deployment::default()
    };
    let dir = site_dir();
    let text = "node: { data_dir: ./data }\n";
    let loaded = parse_with(text, Path::new("site.yaml"), dir.path(), &env, &deployment)
        .unwrap_or_else(|e| panic!("{e}"));
    let (at, rule) = loaded.site.staging_of(0).unwrap();
    assert_eq!((at, rule.sessions_since), (1, 1_700_000_000_000));
    assert_eq!(loaded.site.distribution_index_for("d1.edge.test"), Some(0));
    assert_eq!(loaded.site.distribution_index_for("d2.edge.test"), None);
}
