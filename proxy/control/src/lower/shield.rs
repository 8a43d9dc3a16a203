//! Origin shields: which regions have one, and which origins are asked by way of it (CF-415).

use std::{fs, path::PathBuf, sync::Arc, time::Duration};

use fourfront_model::{
    CustomOrigin, Ejection, Origin, OriginKind, OriginProtocol, Pool, PoolChoice, PoolMember,
    Shield, ShieldRegion, ShieldSecret,
};

use super::{Context, files, origin::parse_authority};
use crate::{
    ShieldSettings,
    cursor::shorten,
    raw::{RawNode, RawNodeShield, RawOriginShield},
    report::{Report, Spanned},
};

/// How long connecting to a shield may take, as the origin is asked without it afterwards.
const CONNECT: Duration = Duration::from_secs(3);
/// How long an idle connection to a shield is kept: less than a node waits for the next request (75 s).
const KEEP_ALIVE: Duration = Duration::from_secs(60);

/// What an origin's region means to this node.
#[derive(Debug, Default)]
pub(crate) struct ShieldNames {
    serves: Option<String>,
    /// And whether there are nodes of that region.
    regions: Vec<(String, bool)>,
}

impl ShieldNames {
    /// Those that a node has.
    pub(crate) fn of(raw: &RawNode) -> Self {
        let Some(shield) = &raw.origin_shield else {
            return Self::default();
        };
        let regions = shield.regions.iter();
        // What could not be read was told of there.
        let has_nodes = |urls: &Option<Vec<_>>| urls.as_ref().is_none_or(|urls| !urls.is_empty());
        Self {
            serves: shield.serves.as_ref().map(|s| s.value.clone()),
            regions: regions
                .map(|r| (r.name.value.clone(), has_nodes(&r.value)))
                .collect(),
        }
    }
}

/// The region whose shield an origin is asked by way of; `None` where this node asks it itself.
pub(super) fn of_origin(raw: &RawOriginShield, context: &Context<'_>) -> Option<ShieldRegion> {
    let report = context.report;
    if !raw.enabled {
        return None;
    }
    let Some(region) = &raw.region else {
        report.error_help(
            &raw.at,
            "InvalidArgument: the shield has no `origin_shield_region`",
            "add `origin_shield_region: us-east-1`".to_owned(),
        );
        return None;
    };
    let name = self::region(region, report)?;
    let names = &context.shields;
    if names.serves.as_deref() == Some(name.as_str()) {
        return None;
    }
    let known = names.regions.iter().find(|(n, _)| n == name.as_str());
    match known {
        Some((_, true)) => Some(name),
        Some((_, false)) => None,
        None => {
            report.error_help(
                &region.at,
                format!("no node is known that shields origins for `{name}`"),
                format!(
                    "name one with `node.origin_shield.regions: {{ {name}: \"http://10.0.0.5:8080\" }}`, or go without with `{name}: none`"
                ),
            );
            None
        }
    }
}

fn region(text: &Spanned<String>, report: &Report) -> Option<ShieldRegion> {
    let named = ShieldRegion::new(&text.value);
    if let Err(e) = &named {
        report.error(&text.at, format!("`{}`: {e}", shorten(&text.value)));
    }
    named.ok()
}

/// The settings of a node.
pub(super) fn lower(
    raw: Option<RawNodeShield>,
    context: &Context<'_>,
    watched: &mut Vec<PathBuf>,
) -> ShieldSettings {
    let report = context.report;
    let Some(raw) = raw else {
        return ShieldSettings::default();
    };
    let mut secrets: Vec<_> = raw
        .secrets
        .iter()
        .filter_map(|text| secret(&text.value, text, report))
        .collect();
    if let Some(file) = &raw.secret_file
        && let Some(path) = files::existing_file(file, context)
    {
        secrets.extend(secrets_in(&path, file, report));
        watched.push(path);
    }
    let shields: Vec<_> = raw
        .regions
        .iter()
        .filter_map(|entry| {
            let name = region(&entry.name, report)?;
            let urls = entry.value.as_ref().filter(|urls| !urls.is_empty())?;
            let nodes = Arc::new(nodes(&name, urls, report)?);
            Some(Shield {
                region: name,
                nodes,
            })
        })
        .collect();
    let serves = raw.serves.as_ref().and_then(|text| region(text, report));
    let gave_secret = !raw.secrets.is_empty() || raw.secret_file.is_some();
    if (serves.is_some() || !shields.is_empty()) && !gave_secret {
        report.error_help(
            &raw.at,
            "nodes that shield origins know those behind them by a `secret`, and there is none",
            "give all of them the same: `secret: ${SHIELD_SECRET}`, or `secret_file`".to_owned(),
        );
    }
    ShieldSettings {
        serves,
        secrets,
        shields,
    }
}

fn secret(text: &str, at: &Spanned<String>, report: &Report) -> Option<ShieldSecret> {
    let secret = ShieldSecret::new(text);
    if let Err(e) = &secret {
        // Without the text itself.
        report.error(&at.at, e.to_string());
    }
    secret.ok()
}

/// One a line.
fn secrets_in(path: &PathBuf, file: &Spanned<String>, report: &Report) -> Vec<ShieldSecret> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(e) => {
            let message = format!("`{}` cannot be read: {e}", file.value);
            report.error(&file.at, message);
            return Vec::new();
        }
    };
    let lines: Vec<_> = text
        .lines()
        .map(str::trim)
        .filter(|l| !l.is_empty())
        .collect();
    if lines.is_empty() {
        report.error(&file.at, format!("`{}` is empty", file.value));
    }
    let secrets = lines
        .into_iter()
        .filter_map(|line| secret(line, file, report));
    secrets.collect()
}

/// The nodes of a region as something to connect to: requests for the same go to the same of several, so that each holds a
/// share of the objects.
fn nodes(region: &ShieldRegion, urls: &[Spanned<String>], report: &Report) -> Option<Origin> {
    let parsed: Vec<_> = urls.iter().filter_map(|url| parse(url, report)).collect();
    let (protocol, host, port) = parsed.first().cloned()?;
    if let Some(other) = urls.get(1).filter(|_| protocol == OriginProtocol::Https) {
        report.error_help(
            &other.at,
            "several nodes by `https` are one name, which their certificates carry",
            "give the name alone, and have it resolve to all of them".to_owned(),
        );
    }
    if let Some(at) = parsed.iter().position(|(p, ..)| *p != protocol) {
        report.error(
            &urls[at].at,
            "the nodes of one region are reached by one protocol",
        );
    }
    let mut custom = CustomOrigin::new(protocol, port);
    custom.keepalive_timeout = KEEP_ALIVE;
    let mut origin = Origin::new(format!("shield {region}"), host, OriginKind::Custom(custom));
    origin.connection_attempts = 1;
    origin.connection_timeout = CONNECT;
    if parsed.len() > 1 {
        let members = parsed.into_iter().map(|(_, host, port)| PoolMember {
            host,
            port: Some(port),
            weight: 1,
        });
        origin.pool = Some(Arc::new(Pool {
            members: members.collect(),
            choice: PoolChoice::Consistent,
            health_check: None,
            ejection: Ejection::default(),
        }));
    }
    Some(origin)
}

fn parse(url: &Spanned<String>, report: &Report) -> Option<(OriginProtocol, String, u16)> {
    let split = url.value.split_once("://");
    let protocol = match split
        .map(|(scheme, _)| scheme.to_ascii_lowercase())
        .as_deref()
    {
        Some("http") => Some(OriginProtocol::Http),
        Some("https") => Some(OriginProtocol::Https),
        _ => None,
    };
    let authority =
        split.and_then(|(_, rest)| parse_authority(rest.strip_suffix('/').unwrap_or(rest)));
    match (protocol, authority) {
        (Some(protocol), Some((host, port))) => Some((
            protocol,
            host,
            port.unwrap_or_else(|| protocol.default_port()),
        )),
        _ => {
            report.error_help(
                &url.at,
                format!("`{}` is no node", shorten(&url.value)),
                "write where its viewers connect: `http://host:8080` or `https://host:8443`"
                    .to_owned(),
            );
            None
        }
    }
}
