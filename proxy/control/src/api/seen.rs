//! What a restricted key is shown of lists: what its own lists name, and no more (CP-432).

use fourfront_auth::{Action, Principal, Resource};
use fourfront_aws::Service;
use fourfront_store::Store;
use serde_json::{Value, json};

use http::StatusCode;

use super::{
    Caller,
    front::{Answer, Front},
    named::Named,
    native::decoded,
    plane::Problem,
    reach,
};

/// Takes out of the answer to an operation that lists what a caller may not see.
pub(super) fn filter(
    store: &Store,
    principal: &Principal,
    service: Service,
    operation: &str,
    answer: &mut Value,
) {
    if !principal.is_restricted() {
        return;
    }
    let (list, items, member, resource): (_, _, _, fn(&str) -> Resource<'_>) =
        match (service, operation) {
            (Service::Lambda, "ListFunctions") => (answer, "Functions", "FunctionName", |id| {
                Resource::Lambda(id)
            }),
            (Service::CloudFront, "ListDistributions") => {
                (&mut answer["DistributionList"], "Items", "Id", |id| {
                    Resource::Distribution(id)
                })
            }
            (Service::CloudFront, "ListFunctions") => {
                (&mut answer["FunctionList"], "Items", "Name", |id| {
                    Resource::CloudfrontFunction(id)
                })
            }
            (Service::CloudFront, "ListKeyValueStores") => {
                (&mut answer["KeyValueStoreList"], "Items", "Name", |id| {
                    Resource::Store(id)
                })
            }
            // By a policy, a function or whatever else: ids alone, or all that the other list has.
            (Service::CloudFront, name) if name.starts_with("ListDistributionsBy") => {
                let list = match answer.get("DistributionIdList").is_some() {
                    true => "DistributionIdList",
                    false => "DistributionList",
                };
                (&mut answer[list], "Items", "Id", |id| {
                    Resource::Distribution(id)
                })
            }
            // Policies and keys are nobody's in particular, and the rest names what it is about.
            _ => return,
        };
    let Some(all) = list[items].as_array_mut() else {
        return;
    };
    all.retain(|item| {
        let id = item.as_str().or_else(|| item[member].as_str());
        reach::sees(store, principal, resource(id.unwrap_or_default()))
    });
    let left = all.len();
    if list.get("Quantity").is_some() {
        list["Quantity"] = json!(left);
    }
}

impl Front {
    /// Takes out of how the node is what its caller may not see: other distributions and functions than those that a restricted
    /// key is for, and of keys that cannot be opened whatever it is told by who may not look at keys (CP-432).
    pub fn cut_status(&self, caller: &Caller, status: &mut Value) {
        let Some(principal) = &caller.principal else {
            return;
        };
        let judged = principal.authorize(Action::Credentials, Resource::Any);
        if judged.is_err()
            && let Some(control) = status["control"].as_object_mut()
        {
            control.remove("unopened_keys");
        }
        if !principal.is_restricted() {
            return;
        }
        let store = self.control().store();
        let cut = |list: &mut Value, member: &str, resource: fn(&str) -> Resource<'_>| {
            if let Some(all) = list.as_array_mut() {
                all.retain(|one| {
                    let name = one[member].as_str().unwrap_or_default();
                    reach::sees(store, principal, resource(name))
                });
            }
        };
        cut(&mut status["distributions"], "id", |id| {
            Resource::Distribution(id)
        });
        cut(&mut status["functions"], "function", |name| {
            Resource::Function(name)
        });
    }

    /// Why an explanation may not be shown, if it may not: a restricted key is told of the distributions alone that it sees
    /// (CP-432).
    pub fn untold(&self, caller: &Caller, explained: &Value) -> Option<Answer> {
        let restricted = caller.principal.as_ref().filter(|who| who.is_restricted());
        let principal = restricted?;
        let store = self.control().store();
        let id = explained["distribution"]["id"].as_str();
        if id.is_some_and(|id| reach::sees(store, principal, Resource::Distribution(id))) {
            return None;
        }
        Some(Answer::problem(Problem::new(
            StatusCode::FORBIDDEN,
            "access_denied",
            "this key is told of requests to the distributions that it is for, and of no others",
        )))
    }
}

/// What no list can name.
pub(super) const NOBODYS: Resource<'static> = Resource::Stack("");

/// What a path of the native API is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum About {
    /// This.
    One(Named),
    /// A stack, which a body, a query or a release tells: who answers judges it ([`super::releases`]). Or artifacts that are
    /// brought for one, which are nobody's until a document names them. Or a distribution, told in [`purged`].
    Told,
}

/// What a path of the native API is about. Whatever has no owner that a list could name is for unrestricted keys. Names are
/// decoded as they are for who answers, so that both speak of the same thing.
pub(super) fn native(method: &str, path: &str) -> About {
    let parts: Vec<&str> = path.split('/').collect();
    About::One(match parts.as_slice() {
        ["plan" | "releases"] | ["releases", _] | ["releases", _, "activate"] => {
            return About::Told;
        }
        ["artifacts", ..] if matches!(method, "PUT" | "HEAD") => return About::Told,
        // Its body, or its query, says of which distribution.
        ["purge"] => return About::Told,
        ["kv", store, ..] => Named::Store(decoded(store)),
        // A project is more than one distribution.
        ["stages", _, "deploy"] | ["origins"] => Named::Nobodys,
        ["stages", id, ..] | ["config", "distribution", id] => Named::Distribution(decoded(id)),
        ["config", "lambda", name] => Named::Lambda(decoded(name)),
        ["config", "cloudfront-function", name] => Named::CloudfrontFunction(decoded(name)),
        // `NAME:WHICH`, and of no function where that is not what it is.
        ["config", "lambda-version" | "lambda-alias", id] => match decoded(id).split_once(':') {
            Some((name, _)) => Named::Lambda(name.to_owned()),
            None => Named::Nobodys,
        },
        ["config", "key-value-store", name] => Named::Store(decoded(name)),
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
        ] => Named::Shared,
        [
            "config" | "releases" | "plan" | "stacks" | "backup" | "purge",
            ..,
        ] => Named::Nobodys,
        _ => Named::Any,
    })
}

/// The distribution that a purge, or a list of purges, is about; nothing where it names none, or a host beside it.
pub(super) fn purged(query: &str, body: &[u8], is_read: bool) -> Option<String> {
    if is_read {
        let mut named = query.rsplit('&').filter_map(|pair| pair.split_once('='));
        let (_, id) = named.find(|(name, _)| *name == "distribution")?;
        return Some(id.to_owned());
    }
    let asked: Value = serde_json::from_slice(body).ok()?;
    let id = asked["distribution"].as_str()?;
    asked.get("host").is_none().then(|| id.to_owned())
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
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path(), fourfront_store::Options::default()).unwrap();
        filter(&store, &key(&[], &[]), service, operation, &mut listed);
        assert_eq!(listed["DistributionList"]["Quantity"], 2);
        filter(&store, &key(&["E2"], &[]), service, operation, &mut listed);
        assert_eq!(
            listed["DistributionList"],
            json!({ "Quantity": 1, "Items": [{ "Id": "E2" }] })
        );
        let mut listed = json!({ "DistributionIdList": { "Quantity": 2, "Items": ["E1", "E2"] } });
        let operation = "ListDistributionsByCachePolicyId";
        filter(&store, &key(&["E2"], &[]), service, operation, &mut listed);
        assert_eq!(
            listed["DistributionIdList"],
            json!({ "Quantity": 1, "Items": ["E2"] })
        );
        let mut listed =
            json!({ "Functions": [{ "FunctionName": "a-1" }, { "FunctionName": "b" }] });
        filter(
            &store,
            &key(&[], &["a-"]),
            Service::Lambda,
            "ListFunctions",
            &mut listed,
        );
        assert_eq!(listed, json!({ "Functions": [{ "FunctionName": "a-1" }] }));
    }

    #[test]
    fn a_purge_says_of_which_distribution() {
        // CP-432
        let body = |text: &str| purged("", text.as_bytes(), false);
        let named = r#"{"distribution":"E1","all":true}"#;
        assert_eq!(body(named).as_deref(), Some("E1"));
        for other in [
            r#"{"all":true}"#,
            r#"{"distribution":"E1","host":"x.test"}"#,
            r#"{"distribution":7}"#,
            "",
        ] {
            assert_eq!(body(other), None, "{other}");
        }
        let query = |text| purged(text, b"", true);
        assert_eq!(query("max_items=1&distribution=E1").as_deref(), Some("E1"));
        // The last one is the one that is answered.
        assert_eq!(
            query("distribution=E1&distribution=E2").as_deref(),
            Some("E2")
        );
        assert_eq!(query("marker=x"), None);
    }

    #[test]
    fn documents_that_no_list_names_are_not_for_restricted_keys() {
        // CP-432
        let restricted = key(&["E1"], &["a-"]);
        let judged = |who: &Principal, path: &str| match native("GET", path) {
            About::One(about) => who.authorize(Action::Read, about.resource()).is_ok(),
            About::Told => panic!("{path}"),
        };
        let may = |path: &str| judged(&restricted, path);
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
            "config/lambda-version/b%3A1",
            "config/lambda-alias/b%2Da-1:live",
            "config/lambda-alias/a-1",
            "config/lambda/b",
            "config/release/r1",
            "config/setting",
            "stacks/shop",
            "config/key-value-store/s",
        ] {
            assert!(!may(path), "{path}");
        }
        assert!(judged(&key(&[], &[]), "config/release"));
        // Judged by the name that the handler works on.
        let about = |path: &str| native("PUT", path);
        let lambda = |name: &str| About::One(Named::Lambda(name.to_owned()));
        for path in ["lambda-alias/shop%2Dauth:live", "lambda/shop%2dauth"] {
            let path = format!("config/{path}");
            assert_eq!(about(&path), lambda("shop-auth"), "{path}");
        }
        let function = Named::CloudfrontFunction("a b".to_owned());
        assert_eq!(
            about("config/cloudfront-function/a%20b"),
            About::One(function)
        );
        assert_eq!(
            about("kv/a%2Fb/key"),
            About::One(Named::Store("a/b".to_owned()))
        );
        assert!(!may("purge/I1"));
        for path in [
            "plan",
            "releases",
            "releases/r1",
            "releases/r1/activate",
            "purge",
        ] {
            assert_eq!(native("GET", path), About::Told, "{path}");
        }
        let artifact = "artifacts/sha256/00";
        assert_eq!(native("PUT", artifact), About::Told);
        assert_eq!(native("GET", artifact), About::One(Named::Any));
    }
}
