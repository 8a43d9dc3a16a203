//! Site files that are deployed to a node at work (CP-300..302), and what a node has written as one, or for Terraform (CP-351).

use serde_json::Value;

use crate::{program::answer_with, releases::Served};

const SITE: &str = r#"
node: { listen: 127.0.0.1:1, admin: "${OF_ANOTHER_MACHINE}" }
functions:
  edge: { file: ./edge.js, timeout: 2 }
cloudfront_functions:
  late: { file: ./late.js, store: routes }
stores: { routes: { file: ./routes.json } }
cache_policies:
  short: { default_ttl: 5, max_ttl: 60 }
  unused: { default_ttl: 7, max_ttl: 60 }
distributions:
  site:
    aliases: [shop.example.test]
    origins: { app: "http://${APP_HOST:-app.example.test}:8081" }
    default_cache_behavior:
      cache_policy: short
      on: { viewer-request: edge }
    cache_behaviors:
      - { path: /late, on: { viewer-response: late } }
"#;

fn files(answer: &str) -> Vec<(&'static str, String)> {
    vec![
        ("shop/fourfront.yaml", SITE.to_owned()),
        ("shop/edge.js", answer_with(answer)),
        (
            "shop/late.js",
            "function handler(event) { return event.response; }\n".to_owned(),
        ),
        (
            "shop/routes.json",
            r#"{"data":[{"key":"/a","value":"/b"}]}"#.to_owned(),
        ),
    ]
}

fn started(answer: &str) -> Served {
    let files = files(answer);
    let files: Vec<_> = files
        .iter()
        .map(|(path, text)| (*path, text.as_str()))
        .collect();
    Served::start(&files)
}

/// What a deploy did with each resource, as `action kind`.
fn steps(stdout: &str) -> Vec<String> {
    let told: Value =
        serde_json::from_str(&stdout[stdout.find('{').expect("JSON")..]).expect("JSON");
    let steps = told["steps"].as_array().expect("steps").iter();
    steps
        .map(|s| {
            format!(
                "{} {}",
                s["action"].as_str().expect("an action"),
                s["id"].as_str().expect("an id")
            )
        })
        .collect()
}

#[test]
fn a_site_file_is_deployed_changed_and_pruned() {
    // CP-300, CP-301, CP-302, CP-305, CP-640, CP-641, CP-642
    let node = started("one");
    let planned = node.run(&["deploy", "shop", "--dry-run"]);
    assert_eq!(planned.code, Some(0), "{planned:?}");
    for part in [
        "create  function",
        "shop/fourfront.yaml:4:3",
        "ignored: node",
    ] {
        let said = format!("{}{}", planned.stdout, planned.stderr);
        assert!(said.contains(part), "{part}: {planned:?}");
    }
    let first = node.run(&["deploy", "shop"]);
    assert_eq!(first.code, Some(0), "{first:?}");
    assert!(
        first.stderr.contains("http://shop.example.test:"),
        "{first:?}"
    );
    assert_eq!(node.page(), "one");

    // What has not changed is left as it is (CP-067).
    let second = node.run(&["deploy", "shop"]);
    assert_eq!(second.code, Some(0), "{second:?}");
    assert!(second.stderr.contains("nothing changed"), "{second:?}");

    node.site.write("shop/edge.js", &answer_with("two"));
    let changed = steps(&node.done(&["deploy", "shop/fourfront.yaml", "--dry-run", "-o", "json"]));
    for step in [
        "change edge",
        "create edge",
        "keep short",
        "keep late",
        "keep routes",
    ] {
        assert!(changed.iter().any(|s| s == step), "{step}: {changed:?}");
    }
    node.done(&["deploy", "shop"]);
    assert_eq!(node.page(), "two");

    let without = SITE.replace("  unused: { default_ttl: 7, max_ttl: 60 }\n", "");
    node.site.write("shop/fourfront.yaml", &without);
    let policies = |node: &Served| {
        let all = node.json(&["policy", "list"]).to_string();
        ["short", "unused"].map(|name| all.contains(&format!("\"{name}\"")))
    };
    let kept = steps(&node.done(&["deploy", "shop", "--dry-run", "-o", "json"]));
    assert!(kept.iter().any(|s| s == "keep unused"), "{kept:?}");
    assert_eq!(policies(&node), [true, true]);
    node.done(&["deploy", "shop", "--prune"]);
    assert_eq!(policies(&node), [true, false]);
    assert_eq!(node.page(), "two");

    // A name that another stack has is not taken over.
    let other = node.run(&["deploy", "shop", "--stack", "other"]);
    assert_eq!(other.code, Some(4), "{other:?}");
    assert!(
        other.stderr.contains("belongs to the stack shop"),
        "{other:?}"
    );
}

#[test]
fn what_a_node_has_is_written_and_deployed_elsewhere() {
    // CP-351, CP-705
    let node = started("one");
    node.done(&["deploy", "shop"]);
    let printed = node.run(&["export", "--format", "fourfront"]);
    assert!(
        printed.stdout.contains("cache_policy: short"),
        "{printed:?}"
    );
    assert!(printed.stderr.contains("--out DIR"), "{printed:?}");
    node.done(&["export", "--format", "fourfront", "--out", "exported"]);

    let elsewhere = Served::start(&[]);
    let dir = node.site.path().join("exported");
    let dir = dir.to_str().expect("a path");
    elsewhere.done(&["deploy", dir]);
    assert_eq!(elsewhere.page(), "one");
    assert_eq!(
        elsewhere.done(&["kv", "get", "routes", "/a"]).trim_end(),
        "/b"
    );
    let document = |node: &Served| {
        let text = node.done(&["export", "--format", "fourfront"]);
        // The one thing that is each node's own.
        let lines = text.lines().filter(|l| !l.trim_start().starts_with('E'));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(document(&elsewhere), document(&node));

    let path = node.done(&["export", "--format", "terraform", "--out", "tf"]);
    let text = std::fs::read_to_string(node.site.path().join(path.trim_end())).expect("a file");
    let document: Value = serde_json::from_str(&text).expect("JSON");
    assert!(
        document["resource"]["aws_lambda_function"]["edge"].is_object(),
        "{document:#}"
    );
    for file in ["tf/functions/edge.zip", "tf/cloudfront-functions/late.js"] {
        assert!(node.site.path().join(file).is_file(), "{file}");
    }
}

#[test]
fn functions_that_are_not_published_cannot_be_associated() {
    // CP-321, CP-133
    let template = "\
AWSTemplateFormatVersion: '2010-09-09'
Resources:
  Early:
    Type: AWS::CloudFront::Function
    Properties:
      Name: early
      FunctionCode: 'function handler(event) { return event.request; }'
      FunctionConfig: { Comment: '', Runtime: cloudfront-js-2.0 }
  Site:
    Type: AWS::CloudFront::Distribution
    Properties:
      DistributionConfig:
        Enabled: true
        Origins: [{ Id: a, DomainName: a.example.test, CustomOriginConfig: { OriginProtocolPolicy: http-only } }]
        DefaultCacheBehavior:
          TargetOriginId: a
          ViewerProtocolPolicy: allow-all
          CachePolicyId: 658327ea-f89d-4fab-a63d-7e88639e58f6
          FunctionAssociations: [{ EventType: viewer-request, FunctionARN: !GetAtt Early.FunctionARN }]
";
    let node = Served::start(&[("app/template.yaml", template)]);
    let refused = node.run(&["deploy", "app"]);
    assert_eq!(refused.code, Some(1), "{refused:?}");
    for part in [
        "InvalidFunctionAssociation",
        "DEVELOPMENT",
        "AutoPublish: true",
    ] {
        assert!(refused.stderr.contains(part), "{part}: {refused:?}");
    }
    let published = template.replace(
        "      Name: early\n",
        "      Name: early\n      AutoPublish: true\n",
    );
    node.site.write("app/template.yaml", &published);
    node.done(&["deploy", "app"]);
    // Made up, as CloudFormation makes it up.
    let all: Value = serde_json::from_str(&node.done(&["export"])).expect("JSON");
    assert_eq!(all["DistributionConfig"]["CallerReference"], "app/Site");
}
