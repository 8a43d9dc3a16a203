//! What was deployed to a node, together with what its site file declares.

use std::path::Path;

use fourfront_model::{CacheMode, FunctionVersion};
use serde_json::{Value, json};

use super::{env, site_dir};
use crate::{Deployed, Deployment, Loaded, Part, SiteErrors, parse_with};

pub(super) const NODE: &str = "node: { data_dir: ./data }\n";

pub(super) fn entry(part: Part, key: &str, settings: Value, document: Option<Value>) -> Deployed {
    Deployed {
        part,
        key: key.to_owned(),
        label: format!("{} {key}", part.as_str()),
        settings,
        document,
    }
}

pub(super) fn distribution(origin: &str) -> Value {
    json!({
        "CallerReference": "r",
        "Comment": "",
        "Enabled": true,
        "Origins": { "Quantity": 1, "Items": [{
            "Id": "o",
            "DomainName": origin,
            "CustomOriginConfig": {
                "HTTPPort": 80, "HTTPSPort": 443, "OriginProtocolPolicy": "http-only",
            },
        }] },
        "DefaultCacheBehavior": {
            "TargetOriginId": "o",
            "ViewerProtocolPolicy": "allow-all",
            "CachePolicyId": "658327ea-f89d-4fab-a63d-7e88639e58f6",
        },
    })
}

pub(super) fn load(text: &str, deployed: &[Deployed]) -> Result<Loaded, SiteErrors> {
    let deployment = Deployment {
        entries: deployed.to_vec(),
        stores: Vec::new(),
        ..Deployment::default()
    };
    let dir = site_dir();
    parse_with(text, Path::new("site.yaml"), dir.path(), &env, &deployment)
}

#[test]
fn a_node_that_takes_deployments_may_begin_with_none() {
    // CP-640: node settings and what is served have owners of their own
    assert!(load(NODE, &[]).unwrap().site.distributions().is_empty());
    let errors = load("node: {}\n", &[]).unwrap_err().to_string();
    assert!(errors.contains("no distribution is configured"), "{errors}");
}

#[test]
fn documents_and_versions_of_functions_are_served_beside_the_file() {
    // CP-110, CP-130, LE-371: each version is a function of its own
    let arn =
        |version: u32| format!("arn:aws:lambda:us-east-1:000000000000:function:edge:{version}");
    let function = |version: u32| {
        let settings = json!({
            "name": "edge", "version": version, "file": "./auth.js", "arn": arn(version),
        });
        entry(Part::Functions, &format!("edge:{version}"), settings, None)
    };
    let mut config = distribution("one.example.test");
    config["DefaultCacheBehavior"]["LambdaFunctionAssociations"] = json!({
        "Quantity": 1,
        "Items": [{ "EventType": "viewer-request", "LambdaFunctionARN": arn(2) }],
    });
    let deployed = [
        entry(
            Part::Distributions,
            "E1",
            json!({ "id": "E1" }),
            Some(config),
        ),
        function(1),
        function(2),
    ];
    let file = format!(
        "{NODE}distributions: {{ site: {{ default: true, origins: {{ app: \"http://127.0.0.1:3000\" }} }} }}\n"
    );
    let loaded = load(&file, &deployed).unwrap();
    let ids: Vec<_> = loaded.site.distributions().iter().map(|d| &d.id).collect();
    assert_eq!(ids.len(), 2);
    let ours = &loaded.site.distributions()[1];
    assert_eq!(
        (ours.id.as_str(), ours.cache_mode),
        ("E1", CacheMode::Cloudfront)
    );
    let (_, association) = ours.default_behavior.functions.iter().next().unwrap();
    assert_eq!(association.function.name.as_str(), "edge");
    assert_eq!(association.function.version, FunctionVersion(2));
    assert_eq!(loaded.site.functions().len(), 2);
}

#[test]
fn faults_of_what_was_deployed_are_named_by_it() {
    // CF-024, CP-118, CP-023
    let mut config = distribution("one.example.test");
    config["DefaultCacheBehavior"]["TargetOriginId"] = json!("nowhere");
    config["Novelty"] = json!({ "Enabled": true });
    let deployed = [entry(
        Part::Distributions,
        "E1",
        json!({ "id": "E1" }),
        Some(config),
    )];
    let errors = load(NODE, &deployed).unwrap_err();
    assert_eq!(errors.0.len(), 1, "{errors}");
    assert_eq!(errors.0[0].path, "/DefaultCacheBehavior/TargetOriginId");
    assert!(
        errors.to_string().starts_with("distributions E1: "),
        "{errors}"
    );
    assert!(errors.0[0].message.starts_with("NoSuchOrigin"), "{errors}");
}

#[test]
fn a_name_is_the_files_or_the_deployed_ones() {
    // CP-640
    let file = format!(
        "{NODE}distributions: {{ E1: {{ origins: {{ app: \"http://127.0.0.1:3000\" }} }} }}\n"
    );
    let config = distribution("one.example.test");
    let deployed = [entry(Part::Distributions, "E1", json!({}), Some(config))];
    let errors = load(&file, &deployed).unwrap_err().to_string();
    assert_eq!(
        errors,
        "site.yaml:2:18: distributions.E1: the name is taken by what was deployed: distributions E1 \
         (help: rename this entry, or delete what was deployed)"
    );
}

#[test]
fn one_version_is_declared_once() {
    // LE-371
    let text = format!(
        "{NODE}functions: {{ a: {{ file: ./auth.js, name: edge, version: 3 }}, b: {{ file: ./auth.js, name: edge, version: 3 }} }}\n"
    );
    let errors = load(&text, &[]).unwrap_err().to_string();
    assert!(
        errors.contains("version 3 of `edge` is already declared on line 2"),
        "{errors}"
    );
}
