//! Entries that do not stand in the site file: what was deployed to a node while it runs.
//!
//! They become entries of the site file's tree before anything is read from it, so they are held against the same tables
//! by the same code, and what a file declares and what was deployed can name each other. An entry's name is taken once:
//! a deployed entry that clashes with one of the file is a fault of the site file, which came second.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use fourfront_model::KeyValueStore;
use serde_json::Value;

use crate::{
    documents,
    report::{At, FileId, Report},
    tree::{Entry, Node, NodeKind},
};

/// A part of the site file that deployed entries may stand in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// `functions`.
    Functions,
    /// `cloudfront_functions`.
    CloudFrontFunctions,
    /// `public_keys`.
    PublicKeys,
    /// `key_groups`.
    KeyGroups,
    /// `origin_access_controls`.
    OriginAccessControls,
    /// `cache_policies`.
    CachePolicies,
    /// `origin_request_policies`.
    OriginRequestPolicies,
    /// `response_headers_policies`.
    ResponseHeadersPolicies,
    /// `continuous_deployment_policies`.
    ContinuousDeploymentPolicies,
    /// `distributions`.
    Distributions,
}

impl Part {
    /// Its key in a site file.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Functions => "functions",
            Self::CloudFrontFunctions => "cloudfront_functions",
            Self::PublicKeys => "public_keys",
            Self::KeyGroups => "key_groups",
            Self::OriginAccessControls => "origin_access_controls",
            Self::CachePolicies => "cache_policies",
            Self::OriginRequestPolicies => "origin_request_policies",
            Self::ResponseHeadersPolicies => "response_headers_policies",
            Self::ContinuousDeploymentPolicies => "continuous_deployment_policies",
            Self::Distributions => "distributions",
        }
    }
}

/// All that was deployed to a node.
#[derive(Clone, Debug, Default)]
pub struct Deployment {
    /// What becomes part of the site file's tree.
    pub entries: Vec<Deployed>,
    /// Key-value stores, whose data goes past any file.
    pub stores: Vec<Arc<KeyValueStore>>,
    /// Where the node keeps its state, in the place of what `node.data_dir` says (CP-600).
    pub data_dir: Option<PathBuf>,
    /// Whether everything is judged as AWS does, whatever `compat` says (CP-604).
    pub as_aws: bool,
}

/// One deployed entry.
#[derive(Clone, Debug, PartialEq)]
pub struct Deployed {
    /// Where it stands.
    pub part: Part,
    /// Its key there.
    pub key: String,
    /// How messages name it, in place of a file: `distribution E1`.
    pub label: String,
    /// Settings in the site file's own spelling, a JSON object. They win over the document.
    pub settings: Value,
    /// The configuration as CloudFront's API has it (CF-020), for parts that know such documents. Its members that
    /// nobody knows are warned of (CP-023).
    pub document: Option<Value>,
}

/// Puts deployed entries into the tree of a site file.
pub(crate) fn splice(site: &mut Node, deployed: &[Deployed], report: &Report) {
    let NodeKind::Mapping(parts) = &mut site.kind else {
        return;
    };
    for entry in deployed {
        let node = entry.node(report);
        let name = entry.part.as_str();
        let at = match parts.iter().position(|p| p.key == name) {
            Some(at) => at,
            None => {
                parts.push(Entry {
                    key: name.to_owned(),
                    line: 0,
                    column: 0,
                    value: Node {
                        file: FileId::SITE,
                        line: 0,
                        column: 0,
                        kind: NodeKind::Mapping(Vec::new()),
                    },
                });
                parts.len() - 1
            }
        };
        let part = &mut parts[at].value;
        if matches!(part.kind, NodeKind::Null) {
            part.kind = NodeKind::Mapping(Vec::new());
        }
        let NodeKind::Mapping(entries) = &mut part.kind else {
            // Faulty, and reported where it is read.
            continue;
        };
        if let Some(own) = entries.iter().find(|e| e.key == entry.key) {
            let at = At {
                file: own.value.file,
                line: own.line,
                column: own.column,
                path: format!("{name}.{}", entry.key),
            };
            report.error_help(
                &at,
                format!("the name is taken by what was deployed: {}", entry.label),
                "rename this entry, or delete what was deployed".to_owned(),
            );
            continue;
        }
        entries.push(Entry {
            key: entry.key.clone(),
            line: 0,
            column: 0,
            value: node,
        });
    }
}

/// Sets `node.data_dir` in the tree of a site file. Faults are told of `--data`, which says it.
pub(crate) fn set_data_dir(site: &mut Node, dir: &Path, report: &Report) {
    const NODE: &str = "node";
    const SETTING: &str = "data_dir";
    let file = report.add_entry(Path::new("--data"));
    let entry = |key: &str, kind| Entry {
        key: key.to_owned(),
        line: 0,
        column: 0,
        value: Node {
            file,
            line: 0,
            column: 0,
            kind,
        },
    };
    let NodeKind::Mapping(parts) = &mut site.kind else {
        return;
    };
    let at = parts.iter().position(|p| p.key == NODE).unwrap_or_else(|| {
        parts.push(entry(NODE, NodeKind::Null));
        parts.len() - 1
    });
    let node = &mut parts[at].value;
    if matches!(node.kind, NodeKind::Null) {
        node.kind = NodeKind::Mapping(Vec::new());
    }
    // What is no mapping is faulty, and reported where it is read.
    if let NodeKind::Mapping(settings) = &mut node.kind {
        settings.retain(|setting| setting.key != SETTING);
        let dir = dir.to_string_lossy().into_owned();
        settings.push(entry(SETTING, NodeKind::Scalar(dir)));
    }
}

/// Takes `compat` out of the tree of a site file, so that all of it is judged strictly (CP-604).
pub(crate) fn judge_strictly(site: &mut Node) {
    let relaxed = |block: &mut Node| {
        if let NodeKind::Mapping(settings) = &mut block.kind {
            settings.retain(|setting| setting.key != "compat");
        }
    };
    relaxed(site);
    let NodeKind::Mapping(parts) = &mut site.kind else {
        return;
    };
    let distributions = parts.iter_mut().filter(|part| part.key == "distributions");
    for part in distributions {
        if let NodeKind::Mapping(all) = &mut part.value.kind {
            for distribution in all {
                relaxed(&mut distribution.value);
            }
        }
    }
}

impl Deployed {
    fn node(&self, report: &Report) -> Node {
        let label = Path::new(&self.label);
        let mut node = of_json(&self.settings, report.add_entry(label));
        let (Some(document), NodeKind::Mapping(own)) = (&self.document, &mut node.kind) else {
            return node;
        };
        for (key, value) in [("config", self.label.as_str()), ("unknown_members", "warn")] {
            // Policies have no such choice, and are as lenient.
            if key == "config" || self.part == Part::Distributions {
                own.push(Entry {
                    key: key.to_owned(),
                    line: 0,
                    column: 0,
                    value: Node {
                        file: node.file,
                        line: 0,
                        column: 0,
                        kind: NodeKind::Scalar(value.to_owned()),
                    },
                });
            }
        }
        let document = of_json(document, report.add_document(label, true));
        documents::adopt_tree(self.part.as_str(), own, document);
        node
    }
}

/// A JSON value as a tree; numbers and booleans are text there.
fn of_json(value: &Value, file: FileId) -> Node {
    let kind = match value {
        Value::Null => NodeKind::Null,
        Value::Bool(b) => NodeKind::Scalar(b.to_string()),
        Value::Number(n) => NodeKind::Scalar(n.to_string()),
        Value::String(s) => NodeKind::Scalar(s.clone()),
        Value::Array(items) => {
            NodeKind::Sequence(items.iter().map(|item| of_json(item, file)).collect())
        }
        Value::Object(members) => NodeKind::Mapping(
            members
                .iter()
                .map(|(key, value)| Entry {
                    key: key.clone(),
                    line: 0,
                    column: 0,
                    value: of_json(value, file),
                })
                .collect(),
        ),
    };
    Node {
        file,
        line: 0,
        column: 0,
        kind,
    }
}
