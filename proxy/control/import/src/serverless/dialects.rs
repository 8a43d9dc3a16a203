//! What plugins add to a service (CP-339): `lambdaAtEdge` of @silvermine/serverless-plugin-cloudfront-lambda-edge and
//! serverless-offline-edge-lambda, and the event `preExistingCloudFront`.

use serde_json::{Value, json};

use crate::{
    parse::nearest,
    place::{At, item_path, key_path},
    plan::Attachment,
    serverless::{Service, logical},
    tree::{Kind, Node},
};

const LAMBDA_AT_EDGE: &[&str] = &[
    "distribution",
    "distributionID",
    "eventType",
    "includeBody",
    "pathPattern",
];
const PRE_EXISTING: &[&str] = &[
    "distributionId",
    "eventType",
    "includeBody",
    "pathPattern",
    "stage",
];

/// An attachment, with the logical id of the function it is for.
pub(super) struct Attached {
    pub(super) id: String,
    pub(super) at: At,
    pub(super) function: String,
    pub(super) item: Attachment,
}

/// Whether CloudFront calls a function by one of these.
pub(super) fn is_edge(function: &Node) -> bool {
    let events = function.get("events").into_iter().flat_map(Node::items);
    function.get("lambdaAtEdge").is_some()
        || events
            .flat_map(Node::entries)
            .any(|e| e.key == "preExistingCloudFront")
}

impl Service<'_> {
    /// Hangs functions on the distributions of the template, and says which belong on others.
    pub(super) fn compile_dialects(&self, template: &mut Node) -> Vec<Attached> {
        let mut attached = Vec::new();
        for (key, _, function) in self.functions() {
            let path = format!("functions.{key}.lambdaAtEdge");
            if let Some(one) = function.get("lambdaAtEdge") {
                let listed: Vec<(String, &Node)> = match &one.kind {
                    Kind::Seq(items) => items
                        .iter()
                        .enumerate()
                        .map(|(i, n)| (item_path(&path, i), n))
                        .collect(),
                    _ => vec![(path, one)],
                };
                for (path, node) in listed {
                    self.at_edge(key, node, &path, template, &mut attached);
                }
            }
            let events = function.get("events").into_iter().flat_map(Node::items);
            for (i, event) in events.enumerate() {
                for entry in event
                    .entries()
                    .iter()
                    .filter(|e| e.key == "preExistingCloudFront")
                {
                    let path = item_path(&format!("functions.{key}.events"), i);
                    let path = key_path(&path, "preExistingCloudFront");
                    self.pre_existing(key, &entry.value, &path, template, &mut attached);
                }
            }
        }
        attached
    }

    fn known(&self, node: &Node, keys: &[&str], path: &str) {
        for entry in node.entries() {
            if !keys.contains(&entry.key.as_str()) {
                let help = match nearest(&entry.key, keys.iter().copied()) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("known are {}", keys.join(", ")),
                };
                let path = key_path(path, &entry.key);
                self.report
                    .error_help(entry.at, &path, "unknown key", Some(help));
            }
        }
    }

    fn at_edge(
        &self,
        function: &str,
        node: &Node,
        path: &str,
        template: &mut Node,
        attached: &mut Vec<Attached>,
    ) {
        self.known(node, LAMBDA_AT_EDGE, path);
        let at = node.at;
        let kind = node.get("eventType");
        let Some(kind) = self.event_type(kind, at, &key_path(path, "eventType")) else {
            return;
        };
        if let Some(id) = node.get("distributionID") {
            self.attach(function, id, kind, node, path, template, attached);
            return;
        }
        let Some(named) = node.get("distribution").and_then(Node::scalar) else {
            self.report.error(
                at,
                &key_path(path, "distribution"),
                "names a distribution of `resources`",
            );
            return;
        };
        let pattern = node.get("pathPattern").and_then(Node::scalar);
        let version = Node::map(
            at,
            [("Ref", Node::text(at, logical(function, "LambdaVersion")))],
        );
        let mut association = Node::map(
            at,
            [
                ("EventType", Node::text(at, kind)),
                ("LambdaFunctionARN", version),
            ],
        );
        if let Some(body) = node.get("includeBody") {
            association.set("IncludeBody", body.clone());
        }
        let config = template
            .get_mut("Resources")
            .and_then(|r| r.get_mut(named))
            .and_then(|r| r.get_mut("Properties"))
            .and_then(|p| p.get_mut("DistributionConfig"));
        let Some(config) = config else {
            let message = format!("`resources` has no distribution `{named}`");
            self.report
                .error(at, &key_path(path, "distribution"), message);
            return;
        };
        let behavior = match pattern {
            None => config.get_mut("DefaultCacheBehavior"),
            Some(pattern) => config
                .get_mut("CacheBehaviors")
                .and_then(|b| match &mut b.kind {
                    Kind::Seq(items) => items
                        .iter_mut()
                        .find(|b| b.get("PathPattern").and_then(Node::scalar) == Some(pattern)),
                    _ => None,
                }),
        };
        let Some(behavior) = behavior else {
            let pattern = pattern.unwrap_or("the default");
            let message = format!("`{named}` has no behavior for {pattern}");
            self.report
                .error(at, &key_path(path, "pathPattern"), message);
            return;
        };
        let list = behavior.get("LambdaFunctionAssociations").cloned();
        let mut list = list.unwrap_or_else(|| Node::seq(at, Vec::new()));
        if let Kind::Seq(items) = &mut list.kind {
            items.push(association);
        }
        behavior.set("LambdaFunctionAssociations", list);
    }

    fn pre_existing(
        &self,
        function: &str,
        node: &Node,
        path: &str,
        template: &Node,
        attached: &mut Vec<Attached>,
    ) {
        self.known(node, PRE_EXISTING, path);
        let at = node.at;
        // Stages that an event, or the service, is not for.
        let stage = node.get("stage").and_then(Node::scalar);
        let valid = self
            .root
            .find(&["custom", "lambdaEdgePreExistingCloudFront", "validStages"]);
        let valid = valid.is_none_or(|v| v.items().iter().any(|s| s.scalar() == Some(&self.stage)));
        if stage.is_some_and(|s| s != self.stage) || !valid {
            return;
        }
        let kind = node.get("eventType");
        let Some(kind) = self.event_type(kind, at, &key_path(path, "eventType")) else {
            return;
        };
        let Some(id) = node.get("distributionId") else {
            self.report.error(
                at,
                &key_path(path, "distributionId"),
                "names a distribution",
            );
            return;
        };
        self.attach(function, id, kind, node, path, template, attached);
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "one call for two spellings of the same"
    )]
    fn attach(
        &self,
        function: &str,
        distribution: &Node,
        kind: &str,
        node: &Node,
        path: &str,
        template: &Node,
        attached: &mut Vec<Attached>,
    ) {
        let own = distribution.get("Ref").and_then(Node::scalar).filter(|id| {
            let kind = template
                .find(&["Resources", id, "Type"])
                .and_then(Node::scalar);
            kind == Some("AWS::CloudFront::Distribution")
        });
        let distribution = match (distribution.scalar(), own) {
            (Some(id), _) => Value::from(id),
            (None, Some(id)) => {
                json!({"$ref": {"kind": "distribution", "id": id, "attribute": "id"}})
            }
            (None, None) => {
                let path = key_path(path, "distributionId");
                let help = Some(format!("give it with `--set {path}=VALUE`"));
                let message = "has to be known here";
                self.report
                    .error_help(distribution.at, &path, message, help);
                return;
            }
        };
        let version = logical(function, "LambdaVersion");
        let pattern = node
            .get("pathPattern")
            .and_then(Node::scalar)
            .filter(|p| *p != "*");
        attached.push(Attached {
            id: format!("{}{}", logical(function, "Attachment"), attached.len() + 1),
            at: node.at,
            function: logical(function, "LambdaFunction"),
            item: Attachment {
                distribution,
                path_pattern: pattern.map(str::to_owned),
                event_type: kind.to_owned(),
                include_body: node.get("includeBody").and_then(Node::flag) == Some(true),
                version: json!({"$ref": {"kind": "version", "id": version, "attribute": "arn"}}),
            },
        });
    }
}
