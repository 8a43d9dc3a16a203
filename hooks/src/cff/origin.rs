//! Where a function sends a request: what it told the origin helpers of the `cloudfront` module (LE-475..481).

use std::{sync::Arc, time::Duration};

use fourfront_model::{CustomOrigin, Origin, OriginKind, OriginProtocol, S3Origin, SslProtocol};

use super::{Input, tree::Node};
use crate::{
    event::OriginObject,
    validate::{self, Check, Violation},
};

/// The origin that a function chose in place of the assigned one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OriginChange {
    /// Where the request goes.
    pub origin: Arc<Origin>,
    /// What is sent as `Host`; `None` leaves the rule of the behaviour (LE-478).
    pub host: Option<String>,
    /// The name for TLS; `None` leaves it to the host and the domain (LE-478).
    pub server_name: Option<String>,
    /// Whether the secondary of the assigned origin group still stands behind it (LE-477); not behind one that was chosen
    /// in the group's place (LE-479).
    pub keeps_group: bool,
}

/// Judges what the last helper of a run noted.
pub(super) fn check(input: &Input<'_>, note: &Node) -> Result<OriginChange, Violation> {
    if let Some(group) = note.get("group") {
        return Err(refuse(
            "LE-480",
            "createRequestOriginGroup",
            "groups that a function makes are not available yet",
        )
        .with_value(group.shown()));
    }
    if let Some(id) = note.get("select") {
        return select(input, id, note.get("overrides"));
    }
    match note.get("update") {
        Some(node @ Node::Map(_)) => update(input, node),
        _ => Err(refuse(
            "LE-475",
            "updateRequestOrigin",
            "takes an object; `selectRequestOriginById` takes the id of an origin",
        )),
    }
}

fn refuse(rule: &'static str, field: &str, message: &str) -> Violation {
    Violation::new(Check::Origin, rule, field, message)
}

/// LE-479.
fn select(
    input: &Input<'_>,
    id: &Node,
    overrides: Option<&Node>,
) -> Result<OriginChange, Violation> {
    let at = "selectRequestOriginById";
    let found = id
        .text()
        .and_then(|id| input.origins.iter().find(|o| o.id == id));
    let Some(origin) = found else {
        return Err(
            refuse("LE-479", at, "the distribution has no such origin").with_value(id.shown())
        );
    };
    let reader = Reader {
        at,
        node: overrides.unwrap_or(&Node::Null),
    };
    let (host, server_name) = reader.names()?;
    Ok(OriginChange {
        // A configured host goes with the origin: another one than the assigned origin's is asked by its own name.
        host: host.or_else(|| other_name(input, origin)),
        origin: origin.clone(),
        keeps_group: false,
        server_name,
    })
}

/// LE-475, LE-476: what is left out is inherited.
fn update(input: &Input<'_>, node: &Node) -> Result<OriginChange, Violation> {
    let assigned = input.assigned;
    let reader = Reader {
        at: "updateRequestOrigin",
        node,
    };
    let signs = reader.signs(assigned.access.is_some())?;
    reader.refuse_what_is_not_there()?;
    let mut origin = Origin::clone(assigned);
    if signs == Some(false) {
        origin.access = None;
        if let OriginKind::S3(s3) = &mut origin.kind {
            s3.auth_method = fourfront_model::S3AuthMethod::None;
        }
    }
    if let Some(domain) = reader.text("domainName")? {
        origin.domain_name = domain.to_ascii_lowercase();
    }
    let same = origin.domain_name == assigned.domain_name;
    if let Some(path) = reader.text("originPath")? {
        origin.origin_path = path;
    }
    if let Some(headers) = reader.custom_headers()? {
        origin.custom_headers = headers;
    }
    if let Some(attempts) = reader.number("connectionAttempts", 1..=3)? {
        origin.connection_attempts = attempts;
    }
    reader.custom_origin_config(&mut origin)?;
    if !same {
        origin.endpoint = None;
        // Another server than any that is configured: pools and metrics tell them apart.
        "cloudfront-function".clone_into(&mut origin.id);
        if matches!(origin.kind, OriginKind::Dir(_)) {
            origin.kind = OriginKind::S3(S3Origin {
                auth_method: fourfront_model::S3AuthMethod::None,
                region: String::new(),
            });
        }
    }
    reader.timeouts(&mut origin)?;
    origin.keep_server_of(assigned);
    let (host, server_name) = reader.names()?;
    judge(input, &origin)?;
    let host = host.or_else(|| other_name(input, &origin));
    Ok(OriginChange {
        origin: Arc::new(origin),
        host,
        keeps_group: true,
        server_name,
    })
}

/// LE-478: with another name than the assigned origin's, that name is the host.
fn other_name(input: &Input<'_>, origin: &Origin) -> Option<String> {
    (origin.domain_name != input.assigned.domain_name).then(|| origin.domain_name.clone())
}

/// By the rules of origin objects (LE-103..113, LE-186, LE-226).
fn judge(input: &Input<'_>, origin: &Origin) -> Result<(), Violation> {
    let known: Vec<OriginObject> = input
        .origins
        .iter()
        .map(|o| OriginObject::from(o.as_ref()))
        .collect();
    let assigned = OriginObject::from(input.assigned.as_ref());
    let rules = validate::Input {
        compat: input.compat,
        known_origins: &known,
        configured_origin: Some(&assigned),
        ..validate::Input::new(input.event_type, input.request)
    };
    validate::origin::judge(&rules, &OriginObject::from(origin), &assigned)
}

/// A helper's object.
struct Reader<'n> {
    at: &'static str,
    node: &'n Node,
}

impl Reader<'_> {
    fn refuse(&self, name: &str, message: &str) -> Violation {
        let rule = if self.at == "updateRequestOrigin" {
            "LE-475"
        } else {
            "LE-479"
        };
        refuse(rule, &format!("{}.{name}", self.at), message)
    }

    fn text(&self, name: &str) -> Result<Option<String>, Violation> {
        match self.node.get(name) {
            None => Ok(None),
            Some(Node::Text(text)) => Ok(Some(text.clone())),
            Some(other) => Err(self
                .refuse(name, "must be a string")
                .with_value(other.shown())),
        }
    }

    fn number<T: TryFrom<i64> + PartialOrd + std::fmt::Display>(
        &self,
        name: &str,
        range: std::ops::RangeInclusive<T>,
    ) -> Result<Option<T>, Violation> {
        let Some(node) = self.node.get(name) else {
            return Ok(None);
        };
        let number = node.integer().and_then(|n| T::try_from(n).ok());
        match number.filter(|n| range.contains(n)) {
            Some(number) => Ok(Some(number)),
            None => {
                let message = format!("must be a number from {} to {}", range.start(), range.end());
                Err(self.refuse(name, &message).with_value(node.shown()))
            }
        }
    }

    /// The block of that name, for its own members.
    fn block<'s>(&'s self, name: &str) -> Result<Option<Reader<'s>>, Violation> {
        match self.node.get(name) {
            None => Ok(None),
            Some(node @ Node::Map(_)) => Ok(Some(Reader { at: self.at, node })),
            Some(other) => Err(self
                .refuse(name, "must be an object")
                .with_value(other.shown())),
        }
    }

    /// `hostHeader` and `sni` (LE-478).
    fn names(&self) -> Result<(Option<String>, Option<String>), Violation> {
        if let Some(names) = self.node.get("allowedCertificateNames")
            && *names != Node::List(Vec::new())
        {
            return Err(self.refuse(
                "allowedCertificateNames",
                "is not available yet: the certificate must carry the name that is asked for",
            ));
        }
        let name = |field: &str| {
            let name = self.text(field)?;
            let usable = |n: &String| {
                !n.is_empty()
                    && n.len() <= 253
                    && n.bytes()
                        .all(|b| b.is_ascii_alphanumeric() || b"-._:[]".contains(&b))
            };
            match name {
                Some(name) if !usable(&name) => {
                    Err(self.refuse(field, "must be a host name").with_value(name))
                }
                name => Ok(name),
            }
        };
        Ok((name("hostHeader")?, name("sni")?))
    }

    /// Settings that would change what a request does and that this node cannot honour.
    fn refuse_what_is_not_there(&self) -> Result<(), Violation> {
        if let Some(inside) = self.block("originShield")?
            && !matches!(inside.node.get("enabled"), None | Some(Node::Bool(false)))
        {
            return Err(self.refuse(
                "originShield.enabled",
                "a function cannot choose a shield: the origin is asked without one",
            ));
        }
        match self.text("ipAddressType")?.as_deref() {
            None | Some("dualstack") => Ok(()),
            Some(other) => Err(self
                .refuse("ipAddressType", "only `dualstack` is available yet")
                .with_value(other)),
        }
    }

    /// What `originAccessControlConfig` says of signing; signed is only what is configured so (LE-118).
    fn signs(&self, configured: bool) -> Result<Option<bool>, Violation> {
        let Some(inside) = self.block("originAccessControlConfig")? else {
            return Ok(None);
        };
        let behavior = inside.node.get("signingBehavior").and_then(Node::text);
        let is_off = matches!(inside.node.get("enabled"), Some(Node::Bool(false)));
        if is_off || behavior == Some("never") {
            return Ok(Some(false));
        }
        if configured {
            return Ok(Some(true));
        }
        Err(self.refuse(
            "originAccessControlConfig.enabled",
            "only requests to origins with an origin access control are signed",
        ))
    }

    /// LE-476: an empty map removes what the assigned origin adds.
    fn custom_headers(&self) -> Result<Option<Vec<(String, String)>>, Violation> {
        let Some(block) = self.block("customHeaders")? else {
            return Ok(None);
        };
        let Node::Map(members) = block.node else {
            return Ok(None);
        };
        let read = |(name, value): &(String, Node)| {
            let field = format!("customHeaders.{name}");
            if name.bytes().any(|b| b.is_ascii_uppercase()) {
                return Err(self.refuse(&field, "header names must be lower case"));
            }
            match value {
                Node::Text(text) => Ok((name.clone(), text.clone())),
                other => Err(self
                    .refuse(&field, "must be a string")
                    .with_value(other.shown())),
            }
        };
        members.iter().map(read).collect::<Result<_, _>>().map(Some)
    }

    fn custom_origin_config(&self, origin: &mut Origin) -> Result<(), Violation> {
        let Some(config) = self.block("customOriginConfig")? else {
            return Ok(());
        };
        let protocol = match config.text("protocol")?.as_deref() {
            None => None,
            Some("http") => Some(OriginProtocol::Http),
            Some("https") => Some(OriginProtocol::Https),
            Some(other) => {
                return Err(self
                    .refuse("customOriginConfig.protocol", "must be `http` or `https`")
                    .with_value(other));
            }
        };
        let mut custom = match &origin.kind {
            OriginKind::Custom(custom) => custom.clone(),
            _ => {
                let protocol = protocol.unwrap_or(OriginProtocol::Https);
                CustomOrigin::new(protocol, protocol.default_port())
            }
        };
        if let Some(protocol) = protocol {
            custom.protocol = protocol;
        }
        if let Some(port) = config.number("port", 1..=u16::MAX)? {
            custom.port = port;
        }
        if let Some(list) = config.node.get("sslProtocols") {
            let one = |node: &Node| node.text().and_then(SslProtocol::from_name);
            let read = match list {
                Node::List(list) => list.iter().map(one).collect::<Option<Vec<_>>>(),
                _ => None,
            };
            custom.ssl_protocols = read.filter(|l| !l.is_empty()).ok_or_else(|| {
                self.refuse(
                    "customOriginConfig.sslProtocols",
                    "must be an array of SSLv3, TLSv1, TLSv1.1, TLSv1.2",
                )
            })?;
        }
        origin.kind = OriginKind::Custom(custom);
        Ok(())
    }

    fn timeouts(&self, origin: &mut Origin) -> Result<(), Violation> {
        let Some(block) = self.block("timeouts")? else {
            return Ok(());
        };
        let seconds = |n: u32| Duration::from_secs(n.into());
        if let Some(n) = block.number("connectionTimeout", 1..=10)? {
            origin.connection_timeout = seconds(n);
        }
        if let Some(n) = block.number("readTimeout", 1..=120)? {
            origin.read_timeout = seconds(n);
        }
        if let Some(n) = block.number("keepAliveTimeout", 1..=120)?
            && let OriginKind::Custom(custom) = &mut origin.kind
        {
            custom.keepalive_timeout = seconds(n);
        }
        if let Some(n) = block.number("responseCompletionTimeout", 1..=86_400)? {
            if seconds(n) < origin.read_timeout {
                return Err(self
                    .refuse(
                        "timeouts.responseCompletionTimeout",
                        "may not be shorter than `readTimeout`",
                    )
                    .with_value(n.to_string()));
            }
            origin.response_completion_timeout = Some(seconds(n));
        }
        Ok(())
    }
}
