//! What distributions name: functions, stores, keys, access to buckets, continuous deployment policies.

use std::{collections::BTreeMap, path::Path};

use fourfront_import::{
    Artifact, CloudFrontFunction, Function, Planned, RefKind, Store, Version, from_cloudformation,
};
use fourfront_model::CffRuntime;
use serde_json::{Map, Value, json};

use super::{Reader, items, member, member_text, reference};
use crate::{
    cursor::{Cursor, shorten},
    report::{At, Spanned},
};

type Entries<'n> = [(Spanned<String>, Cursor<'n>)];

/// The longest data of a store, in bytes: its quota, and what JSON adds.
const MOST_DATA: u64 = 32 << 20;

impl Reader<'_> {
    /// Properties as the API has them. What does not fit is reported at the entry.
    pub(super) fn document_of(
        &self,
        structure: &str,
        properties: Map<String, Value>,
        at: &At,
    ) -> Option<Value> {
        match from_cloudformation(structure, &properties.into(), Path::new("")) {
            Ok(document) => Some(document),
            Err(errors) => {
                for error in errors.iter() {
                    let message = format!("{}: {}", error.path, error.message);
                    self.report.error(at, message);
                }
                None
            }
        }
    }

    pub(super) fn functions(&mut self, entries: &Entries<'_>) {
        let mut taken: BTreeMap<String, String> = BTreeMap::new();
        for (key, entry) in entries {
            let name = member_text(entry, "name").unwrap_or(&key.value).to_owned();
            if let Some(other) = taken.insert(name.clone(), key.value.clone()) {
                // A second version cannot be made before the first is: both would be the code as it is now.
                self.report.error_help(
                    &key.at,
                    format!(
                        "`{other}` is a version of the function `{}` already",
                        shorten(&name)
                    ),
                    "a deployed file has one version of a function: the node keeps those before it"
                        .to_owned(),
                );
                continue;
            }
            self.function(key, entry, name);
        }
    }

    fn function(&mut self, key: &Spanned<String>, entry: &Cursor<'_>, name: String) {
        self.refuse(
            entry,
            &["concurrency", "credentials", "egress", "log_group"],
        );
        if let Some((key, _)) = entry.member_spelled("version") {
            self.warn(&key.at, "left out: the node numbers versions itself");
        }
        let Some((code, handler)) = self.code(entry) else {
            return;
        };
        let whole = |setting: &str| {
            let setting = member(entry, setting)?;
            let number = setting.scalar().and_then(|s| s.parse().ok());
            if number.is_none() {
                setting.error("expected a whole number of seconds, as Lambda has it");
            }
            number
        };
        let variables = member(entry, "environment").filter(Cursor::is_mapping);
        let variables = variables.map(|v| v.entries("variables").unwrap_or_default());
        let function = Function {
            name,
            runtime: member_text(entry, "runtime").unwrap_or_default().to_owned(),
            handler,
            memory: whole("memory"),
            timeout: whole("timeout"),
            environment: variables
                .into_iter()
                .flatten()
                .map(|(name, value)| (name.value, json!(value.scalar())))
                .collect(),
            description: member_text(entry, "description")
                .unwrap_or_default()
                .to_owned(),
            architectures: Vec::new(),
            tags: BTreeMap::new(),
            edge: true,
            code,
        };
        let version = Version {
            function: reference(RefKind::Function, &key.value, "name"),
            number: None,
            description: String::new(),
            code_sha256: None,
            code: None,
        };
        let function: Planned<Function> = self.planned(key, function);
        let version: Planned<Version> = self.planned(key, version);
        self.plan.functions.push(function);
        self.plan.versions.push(version);
    }

    /// The code and the handler. A single file is `index` in its package, as it is where the file is served (NC-50).
    fn code(&self, entry: &Cursor<'_>) -> Option<(Artifact, String)> {
        let handler = member_text(entry, "handler");
        let at = |name: &str| member(entry, name);
        let alone = entry.scalar().map(|_| entry.clone());
        if let Some(file) = alone.or_else(|| at("file")) {
            let path = self.file(&file)?;
            let extension = path.extension().and_then(|e| e.to_str());
            let Some(extension) = extension.filter(|e| ["js", "mjs", "cjs"].contains(e)) else {
                file.error_help(
                    format!("`{}` is not a JavaScript file", shorten(file.scalar()?)),
                    "a function is a `.js`, `.mjs` or `.cjs` file, a directory named with `dir`, or a zip file named with `zip`".to_owned(),
                );
                return None;
            };
            let stem = path.file_stem().and_then(|s| s.to_str()).unwrap_or("index");
            let handler = handler.unwrap_or("handler");
            let export = handler
                .strip_prefix("index.")
                .or_else(|| handler.strip_prefix(stem)?.strip_prefix('.'))
                .unwrap_or(handler);
            // A name with dots in it cannot be a handler's.
            if !stem.contains('.') {
                return Some((
                    Artifact::File { path: path.clone() },
                    format!("{stem}.{export}"),
                ));
            }
            let inline = Artifact::Inline {
                name: format!("index.{extension}"),
                source: self.text_of(&file)?.into(),
            };
            return Some((inline, format!("index.{export}")));
        }
        let (artifact, place) = if let Some(dir) = at("dir") {
            let path = self.file(&dir)?;
            let artifact = Artifact::Directory {
                path,
                patterns: Vec::new(),
                prune: false,
            };
            (artifact, dir)
        } else {
            let zip = at("zip")?;
            let path = self.file(&zip)?;
            (Artifact::Zip { path }, zip)
        };
        let Some(handler) = handler else {
            let help = "add `handler: index.handler`".to_owned();
            place.error_help(
                "nothing says which file and export of it is the handler",
                help,
            );
            return None;
        };
        Some((artifact, handler.to_owned()))
    }

    pub(super) fn cloudfront_functions(&mut self, entries: &Entries<'_>) {
        for (key, entry) in entries {
            let file = entry.scalar().map(|_| entry.clone());
            let Some(file) = file.or_else(|| member(entry, "file")) else {
                continue;
            };
            let Some(code) = self.text_of(&file) else {
                continue;
            };
            let runtime = member_text(entry, "runtime");
            let mut config = json!({
                "Comment": member_text(entry, "comment").unwrap_or_default(),
                "Runtime": runtime.unwrap_or_else(|| CffRuntime::default().as_str()),
            });
            if let Some(at) = member(entry, "store")
                && let Some(name) = at.scalar()
            {
                // What is not in the file may be the ARN of a store on the node.
                let arn = match name.starts_with("arn:") {
                    true => json!(name),
                    false => match self.find(&self.declared.stores, name, &at, "store") {
                        Some(key) => reference(RefKind::Store, key, "arn"),
                        None => continue,
                    },
                };
                config["KeyValueStoreAssociations"] =
                    json!({ "Quantity": 1, "Items": [{ "KeyValueStoreARN": arn }] });
            }
            let function = CloudFrontFunction {
                name: key.value.clone(),
                code: code.into(),
                config,
                publish: true,
                tags: BTreeMap::new(),
            };
            let planned = self.planned(key, function);
            self.plan.cloudfront_functions.push(planned);
        }
    }

    pub(super) fn stores(&mut self, entries: &Entries<'_>) {
        for (key, entry) in entries {
            self.refuse(entry, &["id"]);
            let file = entry.scalar().map(|_| entry.clone());
            let Some(file) = file.or_else(|| member(entry, "file")) else {
                continue;
            };
            let Some(path) = self.file(&file) else {
                continue;
            };
            let data = Artifact::File { path };
            if let Err(e) = data.read_data(MOST_DATA) {
                file.error(e.to_string());
                continue;
            }
            let store = Store {
                name: key.value.clone(),
                comment: member_text(entry, "comment").unwrap_or_default().to_owned(),
                data: Some(data),
                tags: BTreeMap::new(),
            };
            let planned = self.planned(key, store);
            self.plan.stores.push(planned);
        }
    }

    pub(super) fn public_keys(&mut self, entries: &Entries<'_>) {
        for (key, entry) in entries {
            let file = entry.scalar().map(|_| entry.clone());
            let file = file.or_else(|| member(entry, "file"));
            let text = member_text(entry, "pem").or_else(|| member_text(entry, "encoded_key"));
            let encoded = match (file, text) {
                (Some(file), _) => self.text_of(&file),
                (None, text) => text.map(str::to_owned),
            };
            let Some(encoded) = encoded else {
                continue;
            };
            let mut config = json!({
                "Name": key.value,
                "EncodedKey": encoded,
                "Comment": member_text(entry, "comment").unwrap_or_default(),
            });
            if let Some(reference) = member_text(entry, "caller_reference") {
                config["CallerReference"] = json!(reference);
            }
            let planned = self.document(key, config);
            self.plan.public_keys.push(planned);
        }
    }

    pub(super) fn key_groups(&mut self, entries: &Entries<'_>) {
        for (key, entry) in entries {
            let listed = match entry.is_mapping() {
                true => member(entry, "keys").or_else(|| member(entry, "items")),
                false => Some(entry.clone()),
            };
            let listed = listed.map_or_else(Vec::new, |listed| items(&listed));
            let keys: Vec<Value> = listed
                .iter()
                .filter_map(Cursor::scalar)
                .map(|name| match self.declared.public_keys.get(name) {
                    Some(key) => reference(RefKind::PublicKey, key, "id"),
                    // Its id on the node.
                    None => json!(name),
                })
                .collect();
            let config = json!({
                "Name": key.value,
                "Items": keys,
                "Comment": member_text(entry, "comment").unwrap_or_default(),
            });
            let planned = self.document(key, config);
            self.plan.key_groups.push(planned);
        }
    }

    pub(super) fn access_controls(&mut self, entries: &Entries<'_>) {
        for (key, entry) in entries {
            if let Some((credentials, _)) = entry.member_spelled("credentials") {
                self.report.error_help(
                    &credentials.at,
                    "credentials are the node's, and are not deployed",
                    "write them under `node.origins.s3` of the node's own site file".to_owned(),
                );
            }
            let structure = "OriginAccessControlConfig";
            let mut properties = self.structure(structure, entry, &["credentials"]);
            properties.entry("Name").or_insert_with(|| json!(key.value));
            if let Some(config) = self.document_of(structure, properties, &key.at) {
                let planned = self.document(key, config);
                self.plan.origin_access_controls.push(planned);
            }
        }
    }

    pub(super) fn rollouts(&mut self, entries: &Entries<'_>) {
        for (key, entry) in entries {
            self.refuse(entry, &["sessions_since"]);
            let structure = "ContinuousDeploymentPolicyConfig";
            let handled = [
                "config",
                "id",
                "sessions_since",
                "staging_distribution_dns_names",
            ];
            let mut properties = self.structure(structure, entry, &handled);
            let names = member(entry, "staging_distribution_dns_names");
            let names = names.map_or_else(Vec::new, |names| items(&names));
            let names = names.iter().filter_map(Cursor::scalar).map(|name| {
                match self.declared.distributions.get(name) {
                    Some(key) => reference(RefKind::Distribution, key, "domain_name"),
                    None => json!(name),
                }
            });
            properties.insert("StagingDistributionDnsNames".to_owned(), names.collect());
            properties.entry("Enabled").or_insert_with(|| json!(false));
            if let Some(config) = self.document_of(structure, properties, &key.at) {
                let planned = self.document(key, config);
                self.plan.continuous_deployment_policies.push(planned);
            }
        }
    }
}
