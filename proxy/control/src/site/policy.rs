//! Policies: at the top of the file or in place, in the API's form or in the short one (CP-642), to what the API has.

use fourfront_import::{Document, Planned, RefKind};
use fourfront_model::{
    MANAGED_CACHE_POLICIES, MANAGED_ORIGIN_REQUEST_POLICIES, MANAGED_RESPONSE_HEADERS_POLICIES,
};
use serde_json::{Map, Value, json};

use super::{Names, Reader, items, member, reference};
use crate::{
    cursor::{Cursor, shorten},
    report::{At, Spanned},
    spelling::nearest,
};

/// A family of policies.
#[derive(Clone, Copy)]
pub(super) struct Family {
    /// Its key in a behaviour; `_id` may follow.
    pub(super) key: &'static str,
    /// Its member in CloudFormation, as in the API.
    pub(super) member: &'static str,
    structure: &'static str,
    kind: RefKind,
    managed: fn() -> Vec<(&'static str, &'static str)>,
}

pub(super) const CACHE: Family = Family {
    key: "cache_policy",
    member: "CachePolicyId",
    structure: "CachePolicyConfig",
    kind: RefKind::CachePolicy,
    managed: || {
        MANAGED_CACHE_POLICIES
            .iter()
            .map(|m| (m.name, m.id))
            .collect()
    },
};

pub(super) const ORIGIN_REQUEST: Family = Family {
    key: "origin_request_policy",
    member: "OriginRequestPolicyId",
    structure: "OriginRequestPolicyConfig",
    kind: RefKind::OriginRequestPolicy,
    managed: || {
        let all = MANAGED_ORIGIN_REQUEST_POLICIES.iter();
        all.map(|m| (m.name, m.id)).collect()
    },
};

pub(super) const RESPONSE_HEADERS: Family = Family {
    key: "response_headers_policy",
    member: "ResponseHeadersPolicyId",
    structure: "ResponseHeadersPolicyConfig",
    kind: RefKind::ResponseHeadersPolicy,
    managed: || {
        let all = MANAGED_RESPONSE_HEADERS_POLICIES.iter();
        all.map(|m| (m.name, m.id)).collect()
    },
};

/// The cache policy of a behaviour that names none (CF-135).
pub(super) const DEFAULT_CACHE_POLICY: &str = "Managed-CachingOptimized";

impl Family {
    /// The id of a managed policy, by its name with or without `Managed-`, or by its id.
    pub(super) fn managed(self, name: &str) -> Option<&'static str> {
        let bare = name.strip_prefix("Managed-").unwrap_or(name);
        let all = (self.managed)();
        let found = all.iter().find(|(known, id)| *known == bare || *id == name);
        found.map(|(_, id)| *id)
    }

    /// The name of a managed policy, by its id.
    pub(super) fn name_of(self, id: &str) -> Option<&'static str> {
        let all = (self.managed)();
        let found = all.iter().find(|(_, known)| *known == id);
        found.map(|(name, _)| *name)
    }
}

type Entries<'n> = [(Spanned<String>, Cursor<'n>)];

impl Reader<'_> {
    pub(super) fn cache_policies(&mut self, entries: &Entries<'_>) {
        for (key, entry) in entries {
            if let Some(planned) = self.policy(CACHE, key, &key.value, entry) {
                self.plan.cache_policies.push(planned);
            }
        }
    }

    pub(super) fn origin_request_policies(&mut self, entries: &Entries<'_>) {
        for (key, entry) in entries {
            if let Some(planned) = self.policy(ORIGIN_REQUEST, key, &key.value, entry) {
                self.plan.origin_request_policies.push(planned);
            }
        }
    }

    pub(super) fn response_headers_policies(&mut self, entries: &Entries<'_>) {
        for (key, entry) in entries {
            if let Some(planned) = self.policy(RESPONSE_HEADERS, key, &key.value, entry) {
                self.plan.response_headers_policies.push(planned);
            }
        }
    }

    fn policy(
        &self,
        family: Family,
        key: &Spanned<String>,
        name: &str,
        entry: &Cursor<'_>,
    ) -> Option<Planned<Document>> {
        let mut properties = match family.kind {
            RefKind::CachePolicy => self.cache_policy(entry),
            RefKind::OriginRequestPolicy => self.origin_request_policy(entry),
            _ => self.structure(family.structure, entry, &["config", "id"]),
        };
        properties.entry("Name").or_insert_with(|| json!(name));
        let config = self.document_of(family.structure, properties, &key.at)?;
        Some(self.document(key, config))
    }

    fn cache_policy(&self, entry: &Cursor<'_>) -> Map<String, Value> {
        const SHORT: [&str; 5] = [
            "headers",
            "cookies",
            "query_strings",
            "accept_encoding_gzip",
            "accept_encoding_brotli",
        ];
        if let Some(heuristic) = member(entry, "heuristic")
            && heuristic.scalar() != Some("default_ttl")
        {
            self.refuse(entry, &["heuristic"]);
        }
        let handled: Vec<&str> = ["config", "id", "heuristic"]
            .into_iter()
            .chain(SHORT)
            .collect();
        let mut properties = self.structure("CachePolicyConfig", entry, &handled);
        const PARAMETERS: &str = "ParametersInCacheKeyAndForwardedToOrigin";
        if !properties.contains_key(PARAMETERS) {
            let flag = |name: &str| member(entry, name).and_then(|f| f.scalar().map(str::to_owned));
            let mut parameters = json!({
                "EnableAcceptEncodingGzip": flag(SHORT[3]).unwrap_or_else(|| "false".to_owned()),
                "HeadersConfig": headers(entry),
                "CookiesConfig": selection(entry, "cookies", "CookieBehavior", "Cookies"),
                "QueryStringsConfig": selection(entry, "query_strings", "QueryStringBehavior", "QueryStrings"),
            });
            if let Some(brotli) = flag(SHORT[4]) {
                parameters["EnableAcceptEncodingBrotli"] = json!(brotli);
            }
            properties.insert(PARAMETERS.to_owned(), parameters);
        }
        properties
    }

    fn origin_request_policy(&self, entry: &Cursor<'_>) -> Map<String, Value> {
        let handled = ["config", "id", "headers", "cookies", "query_strings"];
        let mut properties = self.structure("OriginRequestPolicyConfig", entry, &handled);
        for (member, value) in [
            ("HeadersConfig", headers(entry)),
            (
                "CookiesConfig",
                selection(entry, "cookies", "CookieBehavior", "Cookies"),
            ),
            (
                "QueryStringsConfig",
                selection(
                    entry,
                    "query_strings",
                    "QueryStringBehavior",
                    "QueryStrings",
                ),
            ),
        ] {
            properties.entry(member).or_insert(value);
        }
        properties
    }

    /// The policy that a behaviour names or has in place. `name` is what one in place is called after.
    pub(super) fn policy_of(
        &mut self,
        family: Family,
        behavior: &Cursor<'_>,
        name: &str,
        at: &At,
    ) -> Option<Value> {
        let id_key = format!("{}_id", family.key);
        let given = member(behavior, family.key).or_else(|| member(behavior, &id_key))?;
        if given.is_mapping() {
            let key = Spanned {
                value: format!("{name}/{}", family.key),
                at: given.at.clone(),
            };
            let called = format!("{}-{}", self.plan.stack, name.replace('/', "-"));
            let planned = self.policy(family, &key, &called, &given)?;
            match family.kind {
                RefKind::CachePolicy => self.plan.cache_policies.push(planned),
                RefKind::OriginRequestPolicy => self.plan.origin_request_policies.push(planned),
                _ => self.plan.response_headers_policies.push(planned),
            }
            return Some(reference(family.kind, &key.value, "id"));
        }
        let named = given.scalar().filter(|named| !named.is_empty())?;
        let names = self.names(family);
        if let Some(key) = names.get(named) {
            return Some(reference(family.kind, key, "id"));
        }
        if let Some(id) = family.managed(named) {
            return Some(json!(id));
        }
        if is_id(named) {
            // Of a policy that is on the node, or is not; the node says.
            return Some(json!(named));
        }
        let managed = (family.managed)();
        let managed = managed.iter().map(|(name, _)| *name);
        let bare = named.strip_prefix("Managed-").unwrap_or(named);
        let help = nearest(named, names.keys().map(String::as_str))
            .map(|near| format!("did you mean `{near}`?"))
            .or_else(|| {
                nearest(bare, managed).map(|near| format!("did you mean `Managed-{near}`?"))
            });
        let at = At {
            path: given.at.path.clone(),
            ..match given.at.line {
                0 => at.clone(),
                _ => given.at.clone(),
            }
        };
        let message = format!("there is no policy `{}`", shorten(named));
        self.report.error_help(&at, message, help);
        None
    }

    fn names(&self, family: Family) -> &Names {
        match family.kind {
            RefKind::CachePolicy => &self.declared.cache,
            RefKind::OriginRequestPolicy => &self.declared.origin_request,
            _ => &self.declared.response_headers,
        }
    }
}

/// Whether a text has the form of a policy's id.
fn is_id(text: &str) -> bool {
    let dashes = [8, 13, 18, 23];
    text.len() == 36
        && text
            .bytes()
            .enumerate()
            .all(|(i, b)| match dashes.contains(&i) {
                true => b == b'-',
                false => b.is_ascii_hexdigit(),
            })
}

/// `headers` in the short form.
fn headers(entry: &Cursor<'_>) -> Value {
    let Some(given) = member(entry, "headers") else {
        return json!({ "HeaderBehavior": "none" });
    };
    let (word, names) = match given.scalar() {
        Some("none") => ("none", None),
        Some(_) => ("allViewer", None),
        None => choice(&given),
    };
    with_names("HeaderBehavior", word, "Headers", names)
}

/// `cookies` and `query_strings` in the short form.
fn selection(entry: &Cursor<'_>, key: &str, behavior: &str, list: &str) -> Value {
    let Some(given) = member(entry, key) else {
        return json!({ behavior: "none" });
    };
    let (word, names) = match given.scalar() {
        Some("all") => ("all", None),
        Some(_) => ("none", None),
        None => choice(&given),
    };
    with_names(behavior, word, list, names)
}

fn with_names(behavior: &str, word: &str, list: &str, names: Option<Vec<String>>) -> Value {
    match names {
        Some(names) => json!({ behavior: word, list: names }),
        None => json!({ behavior: word }),
    }
}

/// A list of names, or a block that says what the names are for.
fn choice(given: &Cursor<'_>) -> (&'static str, Option<Vec<String>>) {
    let names = |listed: &Cursor<'_>| {
        let listed = items(listed);
        let names = listed.iter().filter_map(Cursor::scalar);
        Some(names.map(str::to_owned).collect())
    };
    for (key, word) in [
        ("whitelist", "whitelist"),
        ("all_except", "allExcept"),
        (
            "all_viewer_and_whitelist_cloudfront",
            "allViewerAndWhitelistCloudFront",
        ),
    ] {
        if let Some(listed) = member(given, key) {
            return (word, names(&listed));
        }
    }
    ("whitelist", names(given))
}
