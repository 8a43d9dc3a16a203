//! Configurations of Terraform against the provider's schema.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{attributes, identifier, write_terraform};
use crate::site::tests::{EXAMPLE, Project};

/// Everything of a configuration that the provider would not take, going by its own list of arguments.
pub(crate) fn faults(document: &Value) -> Vec<String> {
    let known = attributes();
    let mut faults = Vec::new();
    fn walk(
        path: &str,
        value: &Value,
        known: &std::collections::BTreeMap<&str, (&str, bool)>,
        faults: &mut Vec<String>,
    ) {
        let Some(members) = value.as_object() else {
            return faults.push(format!("{path}: no block"));
        };
        for (name, value) in members {
            let here = format!("{path}.{name}");
            let Some((kind, _)) = known.get(here.as_str()) else {
                faults.push(format!("{here}: no argument"));
                continue;
            };
            let text = |value: &Value| value.is_string();
            let fits = match *kind {
                "string" => text(value),
                "bool" => value.is_boolean(),
                "number" => value.is_number(),
                r#"["map", "string"]"# => value.as_object().is_some_and(|m| m.values().all(text)),
                kind if kind.starts_with("block") => {
                    let blocks = value.as_array();
                    for block in blocks.into_iter().flatten() {
                        walk(&here, block, known, faults);
                    }
                    blocks.is_some_and(|b| !b.is_empty())
                }
                kind => value.as_array().is_some_and(|items| {
                    items.iter().all(|item| match kind.contains("number") {
                        true => item.is_number(),
                        false => item.is_string(),
                    })
                }),
            };
            if !fits {
                faults.push(format!("{here}: {value} is no {kind}"));
            }
        }
        let within = format!("{path}.");
        for (missing, _) in known.iter().filter(|(_, (_, required))| *required) {
            let name = missing
                .strip_prefix(&within)
                .filter(|rest| !rest.contains('.'));
            if name.is_some_and(|name| !members.contains_key(name)) {
                faults.push(format!("{missing}: missing"));
            }
        }
    }
    for (kind, resources) in document["resource"].as_object().into_iter().flatten() {
        for body in resources
            .as_object()
            .into_iter()
            .flatten()
            .map(|(_, body)| body)
        {
            walk(kind, body, &known, &mut faults);
        }
    }
    faults
}

#[test]
fn everything_written_is_an_argument_of_the_provider() {
    // CP-351
    let project = Project::new(EXAMPLE);
    let plan = project.read().unwrap_or_else(|e| panic!("{e}"));
    let written = write_terraform(&plan, Some("http://127.0.0.1:9400")).unwrap();
    assert_eq!(
        faults(&written.document),
        Vec::<String>::new(),
        "{:#}",
        written.document
    );
    let kinds: Vec<&str> = written.document["resource"]
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    let kinds: BTreeSet<&str> = kinds.into_iter().collect();
    let expected = [
        "aws_cloudfront_cache_policy",
        "aws_cloudfront_distribution",
        "aws_cloudfront_function",
        "aws_cloudfront_key_group",
        "aws_cloudfront_key_value_store",
        "aws_cloudfront_origin_access_control",
        "aws_cloudfront_origin_request_policy",
        "aws_cloudfront_public_key",
        "aws_cloudfront_response_headers_policy",
        "aws_iam_role",
        "aws_lambda_function",
    ];
    assert_eq!(kinds, expected.into());
    let endpoints = &written.document["provider"]["aws"]["endpoints"][0];
    assert_eq!(endpoints["cloudfront"], json!("http://127.0.0.1:9400"));
    // What it has no argument for is told of, and nothing else is.
    let mut notes = written.notes.clone();
    notes.sort();
    assert_eq!(
        notes,
        [
            "left out: `cache_mode` of site, which is a setting of the node's own",
            "left out: `request_cc` of site, which is a setting of the node's own",
            "left out: the data of the store `routes`, which `fourfront kv` writes",
        ]
    );
}

#[test]
fn references_are_expressions_and_texts_are_not() {
    // CP-351
    let project = Project::new(EXAMPLE);
    let mut plan = project.read().unwrap_or_else(|e| panic!("{e}"));
    plan.distributions[0].item.config["Comment"] = json!("${a} %{b} $c");
    let written = write_terraform(&plan, None).unwrap();
    let site = &written.document["resource"]["aws_cloudfront_distribution"]["site"];
    assert_eq!(site["comment"], json!("$${a} %%{b} $c"));
    let default = &site["default_cache_behavior"][0];
    assert_eq!(
        default["lambda_function_association"],
        json!([{ "event_type": "origin-request", "include_body": true, "lambda_arn": "${aws_lambda_function.rewrite.qualified_arn}" }])
    );
    assert_eq!(
        default["function_association"][0]["function_arn"],
        json!("${aws_cloudfront_function.redirects.arn}")
    );
    // With a policy there are no lifetimes to give.
    let first = &site["ordered_cache_behavior"][0];
    assert!(
        first.get("default_ttl").is_none() && first.get("min_ttl").is_none(),
        "{first}"
    );
    assert_eq!(
        site["ordered_cache_behavior"][0]["cache_policy_id"],
        json!("${aws_cloudfront_cache_policy.static.id}")
    );
    assert_eq!(
        site["origin"][1]["origin_access_control_id"],
        json!("${aws_cloudfront_origin_access_control.signed.id}")
    );
    assert_eq!(
        site["origin_group"][0]["member"][1]["origin_id"],
        json!("assets")
    );
    assert_eq!(
        written.document["provider"]["aws"],
        json!({ "region": "us-east-1" })
    );
    for (id, name) in [("a.b/c", "a_b_c"), ("1x", "_1x"), ("x-1", "x-1"), ("", "_")] {
        assert_eq!(identifier(id), name);
    }
}

#[test]
fn what_terraform_cannot_say_is_told_or_refused() {
    // CP-351
    let project = Project::new(EXAMPLE);
    let mut plan = project.read().unwrap_or_else(|e| panic!("{e}"));
    let config = &mut plan.distributions[0].item.config;
    config["FromTheFuture"] = json!(1);
    config["Origins"]["Items"][2]["ResponseCompletionTimeout"] = json!(60);
    let written = write_terraform(&plan, None).unwrap();
    for expected in [
        "left out: `FromTheFuture` of DistributionConfig in site, which nobody here knows",
        "left out: `ResponseCompletionTimeout` of Origin in site, for which the provider has no argument",
    ] {
        assert!(
            written.notes.iter().any(|n| n == expected),
            "{:?}",
            written.notes
        );
    }
    assert_eq!(faults(&written.document), Vec::<String>::new());
    let mut second = plan.versions[0].clone();
    second.id = "auth-2".to_owned();
    plan.versions.push(second);
    assert!(
        write_terraform(&plan, None)
            .unwrap_err()
            .contains("two versions of `auth`")
    );
}
