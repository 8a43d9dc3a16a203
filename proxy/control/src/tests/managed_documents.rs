//! The managed policies as CloudFront's API tells of them, held against what the node does under their ids.

use std::{fs, sync::Arc};

use fourfront_model::{
    CacheBehavior, GeneratedHeaders, MANAGED_CACHE_POLICIES, MANAGED_ORIGIN_REQUEST_POLICIES,
    MANAGED_RESPONSE_HEADERS_POLICIES, managed_cache_policy, managed_origin_request_policy,
    managed_response_headers_policy,
};
use serde_json::Value;

use super::{parse_in, site_dir};

/// What the API answers with.
const DOCUMENTS: &str = include_str!("../api/cloudfront/managed.json");

/// What the policies are called here: no other may have the name of a managed one (CF-025).
const OTHER: &str = "Other";

/// Ids and configurations of one kind, in order.
fn documents(kind: &str) -> Vec<(String, Value)> {
    let all: Value = serde_json::from_str(DOCUMENTS).unwrap();
    let listed = all[kind].as_array().unwrap();
    let read = |policy: &Value| {
        assert_eq!(policy.as_object().unwrap().len(), 2, "{policy}");
        let id = policy["Id"].as_str().unwrap().to_owned();
        (id, policy["Config"].clone())
    };
    listed.iter().map(read).collect()
}

/// A behaviour whose `setting` names a policy of that kind, which is read from the configuration as a document.
fn behavior_with(kind: &str, setting: &str, mut config: Value) -> Arc<CacheBehavior> {
    let name = config["Name"].as_str().unwrap().to_owned();
    config["Name"] = OTHER.into();
    let dir = site_dir();
    fs::write(dir.path().join("x.json"), config.to_string()).unwrap();
    let text = format!(
        "{kind}: {{ x: {{ config: ./x.json }} }}\n\
         distributions: {{ a: {{ origins: {{ app: \"http://a.test\" }}, default_cache_behavior: {{ {setting}: x }} }} }}\n"
    );
    let loaded = parse_in(dir.path(), &text).unwrap_or_else(|e| panic!("{name}: {e}"));
    assert_eq!(loaded.warnings.len(), 0, "{name}: {:?}", loaded.warnings);
    loaded.site.distributions()[0].default_behavior.clone()
}

#[test]
fn there_is_a_document_for_every_managed_policy() {
    // CP-100, CF-135..141, CF-143..155
    let ids = |kind| -> Vec<String> { documents(kind).into_iter().map(|(id, _)| id).collect() };
    let cache = MANAGED_CACHE_POLICIES.iter().map(|m| m.id);
    assert_eq!(ids("cache_policies"), cache.collect::<Vec<_>>());
    let requests = MANAGED_ORIGIN_REQUEST_POLICIES.iter().map(|m| m.id);
    assert_eq!(ids("origin_request_policies"), requests.collect::<Vec<_>>());
    let responses = MANAGED_RESPONSE_HEADERS_POLICIES.iter().map(|m| m.id);
    assert_eq!(
        ids("response_headers_policies"),
        responses.collect::<Vec<_>>()
    );
    let all: Value = serde_json::from_str(DOCUMENTS).unwrap();
    assert_eq!(all.as_object().unwrap().len(), 3);
}

#[test]
fn documents_have_the_names_that_aws_lists() {
    // CP-100. Tools look policies up by these names in the lists, character by character. Two have no prefix on AWS.
    let without_prefix = [
        "UseOriginCacheControlHeaders",
        "UseOriginCacheControlHeaders-QueryStrings",
    ];
    let listed = |name: &str| match without_prefix.contains(&name) {
        true => name.to_owned(),
        false => format!("Managed-{name}"),
    };
    let names = |kind| -> Vec<String> {
        let name = |config: &Value| config["Name"].as_str().unwrap().to_owned();
        documents(kind).iter().map(|(_, c)| name(c)).collect()
    };
    let cache = MANAGED_CACHE_POLICIES.iter().map(|m| listed(m.name));
    assert_eq!(names("cache_policies"), cache.collect::<Vec<_>>());
    let requests = MANAGED_ORIGIN_REQUEST_POLICIES.iter();
    assert_eq!(
        names("origin_request_policies"),
        requests.map(|m| listed(m.name)).collect::<Vec<_>>()
    );
    let responses = MANAGED_RESPONSE_HEADERS_POLICIES.iter();
    assert_eq!(
        names("response_headers_policies"),
        responses.map(|m| listed(m.name)).collect::<Vec<_>>()
    );
}

#[test]
fn cache_policy_documents_say_what_the_node_does() {
    // CP-100, CF-020, CF-135..141
    for (id, config) in documents("cache_policies") {
        let behavior = behavior_with("cache_policies", "cache_policy", config);
        let mut expected = (*managed_cache_policy(&id).unwrap()).clone();
        expected.name = Some(OTHER.to_owned());
        assert_eq!(*behavior.cache_policy, expected, "{id}");
    }
}

#[test]
fn origin_request_policy_documents_say_what_the_node_does() {
    // CP-100, CF-020, CF-143..150
    for (id, config) in documents("origin_request_policies") {
        let kind = "origin_request_policies";
        let behavior = behavior_with(kind, "origin_request_policy", config);
        let mut expected = (*managed_origin_request_policy(&id).unwrap()).clone();
        expected.name = Some(OTHER.to_owned());
        if id == "b689b0a8-53d0-40ab-baf2-68738e2966ac" {
            // CF-144: it adds headers of CloudFront's that its configuration on AWS does not tell of. So a copy of it
            // is not the same policy, and the node must go by the id.
            assert!(!expected.generated.is_empty());
            expected.generated = GeneratedHeaders::NONE;
        }
        assert_eq!(
            behavior.origin_request_policy.as_deref(),
            Some(&expected),
            "{id}"
        );
    }
}

#[test]
fn response_headers_policy_documents_say_what_the_node_does() {
    // CP-100, CF-020, CF-132, CF-151..155
    for (id, config) in documents("response_headers_policies") {
        let kind = "response_headers_policies";
        let behavior = behavior_with(kind, "response_headers_policy", config);
        let mut expected = (*managed_response_headers_policy(&id).unwrap()).clone();
        expected.name = Some(OTHER.to_owned());
        assert_eq!(
            behavior.response_headers_policy.as_deref(),
            Some(&expected),
            "{id}"
        );
    }
}

#[test]
fn lists_are_counted_and_empty_ones_have_no_items() {
    // CP-100, CF-020
    fn lists(value: &Value, path: &str) -> usize {
        match value {
            Value::Object(members) => {
                let mut found = 0;
                if let Some(quantity) = members.get("Quantity") {
                    let items = members.get("Items").map(|i| i.as_array().unwrap().len());
                    assert_ne!(items, Some(0), "{path}");
                    assert_eq!(
                        quantity.as_u64(),
                        items.or(Some(0)).map(|n| n as u64),
                        "{path}"
                    );
                    found += 1;
                } else {
                    assert!(!members.contains_key("Items"), "{path}");
                }
                let within =
                    |(key, value): (&String, &Value)| lists(value, &format!("{path}/{key}"));
                found + members.iter().map(within).sum::<usize>()
            }
            Value::Array(items) => items.iter().map(|item| lists(item, path)).sum(),
            _ => 0,
        }
    }
    let all: Value = serde_json::from_str(DOCUMENTS).unwrap();
    // Of the cache policies, the origin request policies, and four in each of four `CorsConfig`.
    assert_eq!(lists(&all, ""), 5 + 7 + 16);
}
