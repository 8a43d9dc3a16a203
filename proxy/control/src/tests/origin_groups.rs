//! Origin groups (CF-442, CF-445).

use super::{accepted, refused};

/// A site with two origins, and a group whose settings are those lines.
fn with_group(lines: &str) -> String {
    let lines = lines.replace('\n', "\n        ");
    format!(
        "distributions:
  a:
    origins: {{ one: \"http://a.test\", two: \"http://b.test\" }}
    origin_groups:
      both:
        {lines}
    default_cache_behavior: {{ origin: both }}
"
    )
}

#[test]
fn a_behaviour_targets_a_group_as_it_targets_an_origin() {
    // CF-041, CF-060, CF-442
    for members in ["[two, one]", "[{ origin_id: two }, { origin_id: one }]"] {
        let text = with_group(&format!(
            "members: {members}\nfailover_criteria: {{ status_codes: [503, 404, 503] }}\nselection_criteria: default"
        ));
        let loaded = accepted(&text);
        let site = &loaded.site.distributions()[0];
        let behavior = &site.default_behavior;
        assert_eq!(site.origin_of(behavior).id, "two");
        assert_eq!(site.secondary_of(behavior).unwrap().id, "one");
        let failover = behavior.failover.as_ref().unwrap();
        assert_eq!(failover.group, "both");
        assert_eq!(failover.statuses, [404, 503]);
    }
    let alone = accepted("distributions: { a: { origins: { one: \"http://a.test\" } } }");
    let site = &alone.site.distributions()[0];
    assert!(site.secondary_of(&site.default_behavior).is_none());
}

#[test]
fn what_is_wrong_with_a_group_is_said() {
    // CF-060, CF-442, CF-445
    let criteria = "failover_criteria: { status_codes: [503] }";
    for (lines, said) in [
        (
            format!("members: [one]\n{criteria}"),
            "5:7: distributions.a.origin_groups.both.members: an origin group has two members, a primary and a secondary; here are 1",
        ),
        (
            format!("members: [one, two, one]\n{criteria}"),
            "5:7: distributions.a.origin_groups.both.members: an origin group has two members, a primary and a secondary; here are 3",
        ),
        (
            format!("members: [one, one]\n{criteria}"),
            "5:7: distributions.a.origin_groups.both.members: primary and secondary are the same origin",
        ),
        (
            format!("members: [one, tow]\n{criteria}"),
            "6:24: distributions.a.origin_groups.both.members[1]: NoSuchOrigin: there is no origin `tow` (help: did you mean `two`?)",
        ),
        (
            "members: [one, two]".to_owned(),
            "5:7: distributions.a.origin_groups.both.failover_criteria: the origin group says no status to fail over at | 400, 403, 404, 416, 429, 500, 502, 503, 504",
        ),
        (
            "members: [one, two]\nfailover_criteria: { status_codes: [501] }".to_owned(),
            "7:45: distributions.a.origin_groups.both.failover_criteria.status_codes[0]: 501 is no status to fail over at | 400, 403",
        ),
        (
            format!("members: [one, two]\n{criteria}\nselection_criteria: media-quality-based"),
            "8:29: distributions.a.origin_groups.both.selection_criteria: | MediaPackage",
        ),
    ] {
        refused(&with_group(&lines), &[said]);
    }
}

#[test]
fn a_groups_name_is_its_own() {
    // CF-060
    refused(
        "distributions:
  a:
    origins: { one: \"http://a.test\", two: \"http://b.test\" }
    origin_groups:
      two: { members: [one, two], failover_criteria: { status_codes: [500] } }
    default_cache_behavior: { origin: bth }
",
        &[
            "5:7: distributions.a.origin_groups.two: `two` is an origin's id already",
            "6:39: distributions.a.default_cache_behavior.origin: NoSuchOrigin: there is no origin `bth`",
        ],
    );
    refused(
        "distributions: { a: { origins: { one: \"http://a.test\" }, origin_groups: [b] } }",
        &[
            "1:74: distributions.a.origin_groups[0]: expected the settings of an origin group with its `id`, found `b`",
        ],
    );
}
