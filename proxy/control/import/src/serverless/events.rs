//! `cloudFront` events to one distribution (CP-332 to CP-338).

use crate::{
    parse::nearest,
    place::{At, item_path, key_path},
    serverless::{Service, logical, normal},
    tree::{Kind, Node},
};

const EVENT_KEYS: &[&str] = &[
    "behavior",
    "cachePolicy",
    "eventType",
    "includeBody",
    "isDefaultOrigin",
    "origin",
    "pathPattern",
];
pub(super) const EVENT_TYPES: &[&str] = &[
    "viewer-request",
    "origin-request",
    "origin-response",
    "viewer-response",
];
/// Managed-CachingOptimized, which the framework takes where nothing else is said (CP-335).
const CACHING_OPTIMIZED: &str = "658327ea-f89d-4fab-a63d-7e88639e58f6";
/// The logical id of the framework's distribution.
const DISTRIBUTION: &str = "CloudFrontDistribution";

/// Whether CloudFront calls a function.
pub(super) fn is_edge(function: &Node) -> bool {
    let events = function.get("events").into_iter().flat_map(Node::items);
    events
        .flat_map(Node::entries)
        .any(|e| e.key == "cloudFront")
}

#[derive(Default)]
struct Built {
    origins: Vec<Node>,
    behaviors: Vec<Node>,
    default_origin: Option<String>,
    /// Functions with an event, in order.
    functions: Vec<(String, At)>,
    /// Where the first event stands.
    at: Option<At>,
}

impl Service<'_> {
    /// Adds policies, the distribution and permissions to the template's resources.
    pub(super) fn compile_events(&self, resources: &mut Node) {
        let policies = self.compile_cache_policies(resources);
        let mut built = Built::default();
        for (key, _, function) in self.functions() {
            let events = function.get("events");
            let path = format!("functions.{key}.events");
            for (i, event) in events.into_iter().flat_map(Node::items).enumerate() {
                for entry in event.entries().iter().filter(|e| e.key == "cloudFront") {
                    let path = key_path(&item_path(&path, i), "cloudFront");
                    built.at.get_or_insert(entry.at);
                    self.event(key, &entry.value, entry.at, &path, &policies, &mut built);
                }
            }
        }
        let Some(at) = built.at else {
            return;
        };
        if self.report.failed() {
            return;
        }
        self.distribution(at, built, resources);
    }

    /// `provider.cloudFront.cachePolicies` (CP-338). Gives their keys.
    fn compile_cache_policies(&self, resources: &mut Node) -> Vec<String> {
        let policies = self.root.find(&["provider", "cloudFront", "cachePolicies"]);
        let mut keys = Vec::new();
        for policy in policies.into_iter().flat_map(Node::entries) {
            let at = policy.at;
            let mut config = policy.value.clone();
            let name = format!("{}-{}-{}", self.name, self.stage, policy.key);
            config.set("Name", Node::text(at, name));
            let resource = Node::map(
                at,
                [
                    ("Type", Node::text(at, "AWS::CloudFront::CachePolicy")),
                    ("Properties", Node::map(at, [("CachePolicyConfig", config)])),
                ],
            );
            resources.set(&policy_id(&policy.key), resource);
            keys.push(policy.key.clone());
        }
        keys
    }

    fn event(
        &self,
        function: &str,
        event: &Node,
        at: At,
        path: &str,
        policies: &[String],
        built: &mut Built,
    ) {
        let report = self.report;
        if !matches!(event.kind, Kind::Map(_)) {
            report.error(
                at,
                path,
                format!("expected a mapping, found {}", event.what()),
            );
            return;
        }
        for entry in event.entries() {
            if !EVENT_KEYS.contains(&entry.key.as_str()) {
                let help = match nearest(&entry.key, EVENT_KEYS.iter().copied()) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("known are {}", EVENT_KEYS.join(", ")),
                };
                let path = key_path(path, &entry.key);
                report.error_help(entry.at, &path, "unknown key", Some(help));
            }
        }
        let kind = event.get("eventType");
        let Some(kind) = self.event_type(kind, at, &key_path(path, "eventType")) else {
            return;
        };
        let Some(origin) = event.get("origin") else {
            report.error(at, &key_path(path, "origin"), "an event has an origin");
            return;
        };
        let Some(origin) = self.origin(origin, &key_path(path, "origin")) else {
            return;
        };
        let id = origin
            .get("Id")
            .and_then(Node::scalar)
            .unwrap_or_default()
            .to_owned();
        match built
            .origins
            .iter_mut()
            .find(|o| o.get("Id").and_then(Node::scalar) == Some(&id))
        {
            Some(known) => extend(known, &origin),
            None => built.origins.push(origin),
        }
        if event.get("isDefaultOrigin").and_then(Node::flag) == Some(true) {
            if built.default_origin.as_ref().is_some_and(|d| *d != id) {
                let message = "another origin is the default already";
                report.error(at, &key_path(path, "isDefaultOrigin"), message);
            }
            built.default_origin = Some(id.clone());
        }
        let mut behavior = Node::map(at, [("ViewerProtocolPolicy", Node::text(at, "allow-all"))]);
        let own = event.get("behavior");
        for entry in own.into_iter().flat_map(Node::entries) {
            behavior.set(&entry.key, entry.value.clone());
        }
        if let Some(policy) = self.cache_policy(event, own, at, path, policies) {
            behavior.set("CachePolicyId", policy);
        }
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
        if let Some(body) = event.get("includeBody") {
            association.set("IncludeBody", body.clone());
        }
        behavior.set("TargetOriginId", Node::text(at, id.clone()));
        behavior.set(
            "LambdaFunctionAssociations",
            Node::seq(at, vec![association]),
        );
        if let Some(pattern) = event.get("pathPattern") {
            let written = pattern.scalar().unwrap_or_default();
            let allowed = |c: char| c.is_ascii_alphanumeric() || "_.*?$/~\"'@:+-&;".contains(c);
            if written.is_empty() || !written.chars().all(allowed) {
                let message = format!("`{written}` is no path pattern");
                report.error(pattern.at, &key_path(path, "pathPattern"), message);
            }
            behavior.set("PathPattern", pattern.clone());
        }
        let same = |b: &Node| {
            pattern_of(b) == pattern_of(&behavior)
                && b.get("TargetOriginId") == behavior.get("TargetOriginId")
        };
        match built.behaviors.iter_mut().find(|b| same(b)) {
            Some(known) => extend(known, &behavior),
            None => built.behaviors.push(behavior),
        }
        if !built.functions.iter().any(|f| f.0 == function) {
            built.functions.push((function.to_owned(), at));
        }
    }

    pub(super) fn event_type(
        &self,
        written: Option<&Node>,
        at: At,
        path: &str,
    ) -> Option<&'static str> {
        let text = written.and_then(Node::scalar);
        let found = EVENT_TYPES.iter().find(|t| Some(**t) == text);
        if found.is_none() {
            let text = text.unwrap_or("nothing");
            let message = format!("`{text}` is no event, known are {}", EVENT_TYPES.join(", "));
            self.report
                .error(written.map_or(at, |n| n.at), path, message);
        }
        found.copied()
    }

    /// The order of CP-335. `None` where older settings say how long things are kept.
    fn cache_policy(
        &self,
        event: &Node,
        own: Option<&Node>,
        at: At,
        path: &str,
        policies: &[String],
    ) -> Option<Node> {
        if let Some(policy) = event.get("cachePolicy") {
            if let Some(id) = policy.get("id") {
                return Some(id.clone());
            }
            let name = policy
                .get("name")
                .and_then(Node::scalar)
                .unwrap_or_default();
            if !policies.iter().any(|p| p == name) {
                let message = format!("`provider.cloudFront.cachePolicies` has no `{name}`");
                self.report
                    .error(policy.at, &key_path(path, "cachePolicy"), message);
                return None;
            }
            return Some(Node::map(at, [("Ref", Node::text(at, policy_id(name)))]));
        }
        if let Some(id) = own.and_then(|b| b.get("CachePolicyId")) {
            return Some(id.clone());
        }
        let older = ["ForwardedValues", "MinTTL", "DefaultTTL", "MaxTTL"];
        let older = older
            .iter()
            .any(|k| own.is_some_and(|b| b.get(k).is_some()));
        (!older).then(|| Node::text(at, CACHING_OPTIMIZED))
    }

    /// An origin as CloudFormation has it, with its id (CP-333, CP-334).
    fn origin(&self, written: &Node, path: &str) -> Option<Node> {
        let at = written.at;
        let (mut origin, port) = match written.scalar() {
            Some(url) => match from_url(url, at) {
                Some(made) => made,
                None => {
                    let message = format!("`{url}` is no URL");
                    let help =
                        "as `https://www.example.org/path` or `s3://bucket.s3.amazonaws.com`";
                    self.report
                        .error_help(at, path, message, Some(help.to_owned()));
                    return None;
                }
            },
            None => (written.clone(), None),
        };
        let kinds = ["CustomOriginConfig", "S3OriginConfig"];
        // `S3OriginConfig: {}` is how it is written.
        let given = kinds.iter().filter(|k| origin.entry(k).is_some()).count();
        if origin.get("DomainName").is_none() {
            self.report
                .error(at, &key_path(path, "DomainName"), "an origin has it");
            return None;
        }
        if given != 1 {
            let message = "an origin has one of CustomOriginConfig and S3OriginConfig";
            self.report.error(at, path, message);
            return None;
        }
        for kind in kinds {
            if origin.entry(kind).is_some() && origin.get(kind).is_none() {
                origin.set(kind, Node::map(at, []));
            }
        }
        let mut id = match origin.get("S3OriginConfig") {
            Some(_) => "s3/".to_owned(),
            None => "custom/".to_owned(),
        };
        if let Some(domain) = origin.get("DomainName") {
            match domain.scalar() {
                Some(text) => id.push_str(text),
                None => {
                    let mut letters = String::new();
                    alphanumeric(domain, &mut letters);
                    id.push_str(&normal_only(&letters));
                }
            }
        }
        if let Some((port, _)) = port {
            let text = "the framework leaves the port of an origin out; here it is kept";
            self.report.warn(at, path, text);
            id.push_str(&format!(":{port}"));
        }
        if let Some(path) = origin.get("OriginPath").and_then(Node::scalar) {
            id.push_str(path);
        }
        origin.set("Id", Node::text(at, id));
        Some(origin)
    }

    fn distribution(&self, at: At, mut built: Built, resources: &mut Node) {
        let report = self.report;
        let path = "functions";
        // The one without a pattern first, the others as they came.
        built
            .behaviors
            .sort_by_key(|b| b.get("PathPattern").is_some());
        for (i, behavior) in built.behaviors.iter().enumerate() {
            let pattern = pattern_of(behavior);
            if built.behaviors[..i]
                .iter()
                .any(|b| pattern_of(b) == pattern)
            {
                let named = pattern.unwrap_or("the default");
                let message =
                    format!("two behaviors of different origins have the path pattern {named}");
                report.error(behavior.at, path, message);
            }
            let associations = behavior.get("LambdaFunctionAssociations");
            let kinds: Vec<&str> = associations
                .into_iter()
                .flat_map(Node::items)
                .filter_map(|a| a.get("EventType")?.scalar())
                .collect();
            for (i, kind) in kinds.iter().enumerate() {
                if kinds[..i].contains(kind) {
                    let named = pattern.unwrap_or("the default");
                    let message = format!("two functions have {kind} of the behavior for {named}");
                    report.error(behavior.at, path, message);
                }
            }
        }
        let Some(first) = built.behaviors.first().cloned() else {
            return;
        };
        if first.get("PathPattern").is_some() {
            // No behavior is the default: it is made of the first (CP-336).
            let origin = match (&built.default_origin, built.origins.as_slice()) {
                (Some(id), _) => Node::text(at, id.clone()),
                (None, [only]) => only
                    .get("Id")
                    .cloned()
                    .unwrap_or_else(|| Node::text(at, "")),
                _ => {
                    let message = "there are several origins, and none has `isDefaultOrigin: true`";
                    report.error(at, path, message);
                    return;
                }
            };
            let mut default = first;
            default.remove("PathPattern");
            default.remove("LambdaFunctionAssociations");
            default.set("TargetOriginId", origin);
            built.behaviors.insert(0, default);
        }
        let mut behaviors = built.behaviors.into_iter();
        let Some(default) = behaviors.next() else {
            return;
        };
        let mut config = Node::map(
            at,
            [
                (
                    "Comment",
                    Node::text(at, format!("{} {}", self.name, self.stage)),
                ),
                ("Enabled", Node::plain(at, "true")),
                ("DefaultCacheBehavior", default),
                ("Origins", Node::seq(at, built.origins)),
            ],
        );
        let others: Vec<Node> = behaviors.collect();
        if !others.is_empty() {
            config.set("CacheBehaviors", Node::seq(at, others));
        }
        let properties = Node::map(at, [("DistributionConfig", config)]);
        let resource = Node::map(
            at,
            [
                ("Type", Node::text(at, "AWS::CloudFront::Distribution")),
                ("Properties", properties),
            ],
        );
        resources.set(DISTRIBUTION, resource);
        for (function, at) in built.functions {
            let permission = self.permission(&function, at);
            resources.set(
                &logical(&function, "LambdaFunctionInvokePermission"),
                permission,
            );
        }
    }

    fn permission(&self, function: &str, at: At) -> Node {
        let text = |text: &str| Node::text(at, text);
        let reference = |id: &str| Node::map(at, [("Ref", Node::text(at, id))]);
        let arn = format!(
            "arn:${{AWS::Partition}}:cloudfront::${{AWS::AccountId}}:distribution/${{{DISTRIBUTION}}}"
        );
        let properties = Node::map(
            at,
            [
                (
                    "FunctionName",
                    reference(&logical(function, "LambdaVersion")),
                ),
                ("Action", text("lambda:InvokeFunction")),
                ("Principal", text("edgelambda.amazonaws.com")),
                ("SourceArn", Node::map(at, [("Fn::Sub", text(&arn))])),
            ],
        );
        Node::map(
            at,
            [
                ("Type", text("AWS::Lambda::Permission")),
                ("Properties", properties),
            ],
        )
    }
}

fn pattern_of(behavior: &Node) -> Option<&str> {
    behavior.get("PathPattern").and_then(Node::scalar)
}

fn policy_id(key: &str) -> String {
    format!("CloudFrontCachePolicy{}", normal(key))
}

/// A URL as an origin (CP-333), with its port and whether it is one of HTTPS.
fn from_url(url: &str, at: At) -> Option<(Node, Option<(u16, bool)>)> {
    let (scheme, rest) = url.split_once("://")?;
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let path = path.split(['?', '#']).next().unwrap_or_default();
    let host = authority.rsplit('@').next().unwrap_or(authority);
    let (host, port) = match host.rsplit_once(':') {
        // An address of IPv6 has colons of its own.
        Some((name, port)) if !port.ends_with(']') => (name, Some(port.parse::<u16>().ok()?)),
        _ => (host, None),
    };
    let bad = |c: char| c.is_whitespace() || c == '{' || c == '}';
    if host.is_empty() || host.contains(bad) || scheme.is_empty() {
        return None;
    }
    let mut origin = Node::map(at, [("DomainName", Node::text(at, host.to_lowercase()))]);
    if path.len() > 1 {
        origin.set("OriginPath", Node::text(at, path));
    }
    let https = scheme.eq_ignore_ascii_case("https");
    if scheme.eq_ignore_ascii_case("s3") {
        origin.set("S3OriginConfig", Node::map(at, []));
        return Some((origin, None));
    }
    let mut config = Node::map(
        at,
        [("OriginProtocolPolicy", Node::text(at, "match-viewer"))],
    );
    if let Some(port) = port {
        let key = if https { "HTTPSPort" } else { "HTTPPort" };
        config.set(key, Node::plain(at, port.to_string()));
    }
    origin.set("CustomOriginConfig", config);
    Some((origin, port.map(|p| (p, https))))
}

/// Letters and digits of what the framework would write as JSON, in its order.
fn alphanumeric(node: &Node, into: &mut String) {
    let mut text = |text: &str| into.extend(text.chars().filter(char::is_ascii_alphanumeric));
    match &node.kind {
        Kind::Text(t) | Kind::Plain(t) => text(t),
        Kind::Null => text("null"),
        Kind::Seq(items) => items.iter().for_each(|i| alphanumeric(i, into)),
        Kind::Map(entries) => {
            for entry in entries {
                into.extend(entry.key.chars().filter(char::is_ascii_alphanumeric));
                alphanumeric(&entry.value, into);
            }
        }
        _ => {}
    }
}

/// The first letter upper case.
fn normal_only(text: &str) -> String {
    let mut letters = text.chars();
    match letters.next() {
        Some(first) => first.to_uppercase().chain(letters).collect(),
        None => String::new(),
    }
}

/// The framework's merge of two behaviors or origins: lists together without repetition, what is there stays, what is missing
/// comes.
fn extend(known: &mut Node, more: &Node) {
    for entry in more.entries() {
        match known.get_mut(&entry.key) {
            None => known.set(&entry.key, entry.value.clone()),
            Some(mine) => match (&mut mine.kind, &entry.value.kind) {
                (Kind::Seq(mine), Kind::Seq(items)) => {
                    for item in items {
                        if !mine.contains(item) {
                            mine.push(item.clone());
                        }
                    }
                }
                (Kind::Map(_), Kind::Map(_)) => extend(mine, &entry.value),
                _ => {}
            },
        }
    }
}
