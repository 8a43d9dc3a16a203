//! What a restricted key is shown of lists: what its own lists name, and no more (CP-432).

use fourfront_auth::{Principal, Resource};
use fourfront_aws::Service;
use serde_json::{Value, json};

/// Takes out of the answer to an operation that lists what a caller may not see.
pub(super) fn filter(principal: &Principal, service: Service, operation: &str, answer: &mut Value) {
    if !principal.is_restricted() {
        return;
    }
    let (list, items, member, resource): (_, _, _, fn(&str) -> Resource<'_>) =
        match (service, operation) {
            (Service::Lambda, "ListFunctions") => (answer, "Functions", "FunctionName", |id| {
                Resource::Function(id)
            }),
            (Service::CloudFront, "ListDistributions") => {
                (&mut answer["DistributionList"], "Items", "Id", |id| {
                    Resource::Distribution(id)
                })
            }
            (Service::CloudFront, "ListFunctions") => {
                (&mut answer["FunctionList"], "Items", "Name", |id| {
                    Resource::Function(id)
                })
            }
            (Service::CloudFront, "ListKeyValueStores") => {
                (&mut answer["KeyValueStoreList"], "Items", "Name", |id| {
                    Resource::Store(id)
                })
            }
            // Policies and keys are nobody's in particular, and the rest names what it is about.
            _ => return,
        };
    let Some(all) = list[items].as_array_mut() else {
        return;
    };
    all.retain(|item| principal.sees(resource(item[member].as_str().unwrap_or_default())));
    let left = all.len();
    if list.get("Quantity").is_some() {
        list["Quantity"] = json!(left);
    }
}

/// What a path of the native API is about. Whatever has no owner that a list could name is for unrestricted keys.
pub(super) fn native(path: &str) -> Resource<'_> {
    const NOBODYS: Resource<'_> = Resource::Stack("");
    let parts: Vec<&str> = path.split('/').collect();
    match parts.as_slice() {
        ["kv", store, ..] => Resource::Store(store),
        // A project is more than one distribution.
        ["stages", _, "deploy"] | ["origins"] => NOBODYS,
        ["stages", id, ..] | ["config", "distribution", id] => Resource::Distribution(id),
        ["config", "lambda" | "cloudfront-function", name] => Resource::Function(name),
        // `NAME:NUMBER`, whose colon may be escaped.
        ["config", "lambda-version" | "lambda-alias", id] => {
            let end = id.find([':', '%']).unwrap_or(id.len());
            Resource::Function(&id[..end])
        }
        ["config", "key-value-store", name] => Resource::Store(name),
        [
            "config",
            "cache-policy"
            | "origin-request-policy"
            | "response-headers-policy"
            | "origin-access-control"
            | "origin-access-identity"
            | "public-key"
            | "key-group",
            ..,
        ] => Resource::Shared,
        ["config" | "releases" | "plan" | "stacks" | "backup", ..] => NOBODYS,
        _ => Resource::Any,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use fourfront_auth::{Action, Grants, Role};

    use super::*;

    fn key(distributions: &[&str], prefixes: &[&str]) -> Principal {
        Principal::Token {
            id: "t".to_owned(),
            grants: Arc::new(Grants {
                distributions: distributions.iter().map(ToString::to_string).collect(),
                function_prefixes: prefixes.iter().map(ToString::to_string).collect(),
                ..Grants::of([Role::Read])
            }),
        }
    }

    #[test]
    fn lists_are_cut_to_what_a_key_is_for() {
        // CP-432
        let mut listed = json!({ "DistributionList": {
            "Quantity": 2, "Items": [{ "Id": "E1" }, { "Id": "E2" }],
        } });
        let (service, operation) = (Service::CloudFront, "ListDistributions");
        filter(&key(&[], &[]), service, operation, &mut listed);
        assert_eq!(listed["DistributionList"]["Quantity"], 2);
        filter(&key(&["E2"], &[]), service, operation, &mut listed);
        assert_eq!(
            listed["DistributionList"],
            json!({ "Quantity": 1, "Items": [{ "Id": "E2" }] })
        );
        let mut listed =
            json!({ "Functions": [{ "FunctionName": "a-1" }, { "FunctionName": "b" }] });
        filter(
            &key(&[], &["a-"]),
            Service::Lambda,
            "ListFunctions",
            &mut listed,
        );
        assert_eq!(listed, json!({ "Functions": [{ "FunctionName": "a-1" }] }));
    }

    #[test]
    fn documents_that_no_list_names_are_not_for_restricted_keys() {
        // CP-432
        let restricted = key(&["E1"], &["a-"]);
        let may = |path: &str| restricted.authorize(Action::Read, native(path)).is_ok();
        for path in [
            "config/distribution/E1",
            "config/lambda-version/a-1:3",
            "config/lambda-version/a-1%3A3",
            "config/cache-policy",
        ] {
            assert!(may(path), "{path}");
        }
        for path in [
            "config/distribution",
            "config/distribution/E2",
            "config/lambda-version/b:1",
            "config/release/r1",
            "config/setting",
            "releases/r1",
            "config/key-value-store/s",
        ] {
            assert!(!may(path), "{path}");
        }
        assert!(
            key(&[], &[])
                .authorize(Action::Read, native("config/release"))
                .is_ok()
        );
    }
}
