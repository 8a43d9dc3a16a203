//! Origins: a URL, a block or a local directory becomes one [`Origin`] (CF section 5).

use std::{sync::Arc, time::Duration};

use fourfront_model::{
    CustomOrigin, Endpoint, HostName, Origin, OriginAccess, OriginKind, OriginProtocol,
    S3AuthMethod, S3Origin, SigningBehavior,
};

use super::{
    Context,
    bucket::{self, Bucket, Place},
    files, headers,
    origin_access::{AccessControls, Signing},
    pool, shield,
};
use crate::{
    cursor::shorten,
    raw::{RawCustomOrigin, RawOrigin, RawOriginBlock, RawPool, RawProtocol},
    report::{At, Report, Spanned},
};

pub(crate) fn lower(
    id: &Spanned<String>,
    raw: RawOrigin,
    controls: &AccessControls,
    context: &Context<'_>,
) -> Option<Origin> {
    if id.value.is_empty() || id.value.len() > 128 {
        context.report.error(
            &id.at,
            "InvalidOrigin: an origin id has 1 to 128 characters",
        );
    }
    match raw {
        RawOrigin::Url(url) => from_url(id, &url, context.report),
        RawOrigin::Block(block) => from_block(id, *block, controls, context),
    }
}

const URL_HELP: &str =
    "write `http://host:port/path` or `https://...`; a directory is `{ dir: ./public }`";

/// A URL as an origin (CP-642).
pub(crate) fn from_url(
    id: &Spanned<String>,
    url: &Spanned<String>,
    report: &Report,
) -> Option<Origin> {
    let refuse = |what: &str| {
        report.error_help(
            &url.at,
            format!("InvalidOrigin: `{}` {what}", shorten(&url.value)),
            URL_HELP.to_owned(),
        );
    };
    let split = url.value.split_once("://");
    let (protocol, rest) = match split.map(|(scheme, rest)| (scheme.to_ascii_lowercase(), rest)) {
        Some((scheme, rest)) if scheme == "http" => (OriginProtocol::Http, rest),
        Some((scheme, rest)) if scheme == "https" => (OriginProtocol::Https, rest),
        _ => {
            refuse("is not an http or https URL");
            return None;
        }
    };
    if rest.contains(['?', '#']) {
        refuse("has a query or a fragment, which no origin can have");
        return None;
    }
    let (authority, path) = match rest.find('/') {
        Some(slash) => rest.split_at(slash),
        None => (rest, ""),
    };
    if authority.contains('@') {
        refuse("holds credentials: send them as `custom_headers` of a block");
        return None;
    }
    let Some((host, port)) = parse_authority(authority) else {
        refuse("has no valid host and port");
        return None;
    };
    if let Some(port) = port {
        warn_of_port(port, &url.at, report);
    }
    // `http://host/` is how people write a host.
    let path = if path == "/" { "" } else { path };
    check_path(path, &url.at, report)?;
    if protocol == OriginProtocol::Https {
        refuse_website(&host, &url.at, report);
    }
    let kind = CustomOrigin::new(protocol, port.unwrap_or_else(|| protocol.default_port()));
    let mut origin = Origin::new(id.value.clone(), host, OriginKind::Custom(kind));
    path.clone_into(&mut origin.origin_path);
    Some(origin)
}

fn from_block(
    id: &Spanned<String>,
    mut raw: RawOriginBlock,
    controls: &AccessControls,
    context: &Context<'_>,
) -> Option<Origin> {
    let report = context.report;
    let pool = raw.pool.take();
    let headers = headers::custom(std::mem::take(&mut raw.custom_headers), &raw.at, report);
    let path = raw.origin_path.as_ref().map_or(Some(""), |p| {
        check_path(&p.value, &p.at, report).map(|()| p.value.as_str())
    });
    let domain = match &raw.domain_name {
        Some(domain) => Some(lower_domain(domain, report)?),
        None => None,
    };

    let read_timeout = raw
        .custom
        .as_ref()
        .and_then(|c| c.read_timeout.as_ref())
        .or_else(|| raw.s3.as_ref()?.read_timeout.as_ref())
        .map(|t| t.value);
    let completion = raw
        .response_completion_timeout
        .as_ref()
        .filter(|t| t.value > 0);
    if let Some(total) = completion.filter(|t| t.value < read_timeout.unwrap_or(DEFAULT_READ)) {
        // CF-394
        let message = format!(
            "`response_completion_timeout` {} s is below the origin's read timeout of {} s",
            total.value,
            read_timeout.unwrap_or(DEFAULT_READ)
        );
        report.error(&total.at, message);
    }

    let mut secure = None;
    let bucket = domain
        .as_ref()
        .and_then(|(host, _)| context.buckets.of_host(host))
        .map(|(name, bucket)| (name.to_owned(), bucket));
    // A directory in a bucket's place, unless the origin itself says where its bucket is.
    let is_placed = raw.s3.as_ref().is_some_and(|s3| s3.endpoint.is_some());
    let stand_in = bucket
        .as_ref()
        .filter(|_| raw.dir.is_none() && !is_placed)
        .and_then(|(_, bucket)| match &bucket.place {
            Place::Dir(dir) => Some(dir.clone()),
            Place::Aws | Place::Server(_) => None,
        });
    let (domain_name, kind) = match (&raw.dir, &raw.custom, &raw.s3) {
        (Some(dir), None, None) => {
            refuse_for_dir(&raw, report);
            if let Some((_, Some(_))) = domain {
                let at = raw.domain_name.as_ref().map_or(&raw.at, |d| &d.at);
                report.error(at, "InvalidOrigin: a local directory has no port");
            }
            let kind = OriginKind::Dir(files::existing_dir(dir, context)?);
            let name = domain.map_or_else(|| dir_domain(&id.value), |(host, _)| host);
            (name, kind)
        }
        (None, Some(custom), None) => {
            let (host, port) = required_domain(domain, &raw, report)?;
            if custom.protocol != RawProtocol::Is(OriginProtocol::Http) {
                refuse_website(&host, &custom.at, report);
            }
            let kind = custom_kind(custom, port, OriginProtocol::Http, report)?;
            let mut kind = OriginKind::Custom(kind);
            if let Some((name, _)) = &bucket {
                warn_of_bucket(name, &host, stand_in.is_some(), &custom.at, report);
            }
            if let Some(dir) = &stand_in {
                kind = OriginKind::Dir(dir.clone());
            } else if matches!(custom.protocol, RawProtocol::MatchesViewer) {
                if port.is_some() {
                    // One port for two protocols.
                    report.error(
                        &custom.at,
                        "InvalidOrigin: with `match-viewer`, ports are `http_port` and `https_port`, not in `domain_name`",
                    );
                }
                let kind = custom_kind(custom, None, OriginProtocol::Https, report)?;
                secure = Some(OriginKind::Custom(kind));
            }
            (host, kind)
        }
        (None, None, Some(s3)) => {
            let (host, port) = required_domain(domain, &raw, report)?;
            if port.is_some() {
                report.error(&s3.at, "InvalidOrigin: an S3 origin has no port");
            }
            if bucket::is_website(&host) {
                // CF-438
                report.error_help(
                    &s3.at,
                    "InvalidOrigin: a website endpoint of S3 is a custom origin",
                    "write it as an `http://` URL".to_owned(),
                );
            }
            let beside = bucket.as_ref().and_then(|(_, b)| b.region.as_deref());
            let region = match (&s3.region, beside) {
                (Some(region), _) => checked_region(region, report)?,
                (None, Some(region)) => region,
                (None, None) => s3_region(&host).unwrap_or_default(),
            };
            let kind = match &stand_in {
                Some(dir) => OriginKind::Dir(dir.clone()),
                None => OriginKind::S3(S3Origin {
                    auth_method: S3AuthMethod::None,
                    region: region.to_owned(),
                }),
            };
            (host, kind)
        }
        (None, None, None) => {
            report.error_help(
                &raw.at,
                "InvalidOrigin: nothing says how this origin is reached",
                "add `custom_origin_config: { origin_protocol_policy: http-only }`, `s3_origin_config: {}` or `dir`, or write the origin as a URL".to_owned(),
            );
            return None;
        }
        _ => {
            report.error(
                &raw.at,
                "InvalidOrigin: `custom_origin_config`, `s3_origin_config` and `dir` exclude each other",
            );
            return None;
        }
    };

    let mut origin = Origin::new(id.value.clone(), domain_name, kind);
    let bucket = bucket.as_ref().map(|(name, bucket)| (&**name, *bucket));
    place(&mut origin, &raw, bucket, report)?;
    reach(&mut origin, &raw, pool, secure.is_some(), context)?;
    sign(&mut origin, &raw, bucket, controls, report)?;
    origin.shield = raw
        .shield
        .as_ref()
        .and_then(|s| shield::of_origin(s, context));
    origin.origin_path = path?.to_owned();
    origin.custom_headers = headers;
    let seconds = |value: &Option<Spanned<u64>>| value.as_ref().map(|v| v.value);
    if let Some(attempts) = seconds(&raw.connection_attempts) {
        origin.connection_attempts = u32::try_from(attempts).unwrap_or(origin.connection_attempts);
    }
    if let Some(timeout) = seconds(&raw.connection_timeout) {
        origin.connection_timeout = Duration::from_secs(timeout);
    }
    if let Some(timeout) = read_timeout {
        origin.read_timeout = Duration::from_secs(timeout);
    }
    origin.response_completion_timeout = completion.map(|t| Duration::from_secs(t.value));
    if let Some(kind) = secure {
        let secure = Origin {
            kind,
            ..origin.clone()
        };
        origin.secure = Some(Arc::new(secure));
    }
    Some(origin)
}

/// On which server a bucket lies: the origin's own word counts before the node's (CF-436, CP-320).
fn place(
    origin: &mut Origin,
    raw: &RawOriginBlock,
    bucket: Option<(&str, &Bucket)>,
    report: &Report,
) -> Option<()> {
    let own = raw.s3.as_ref().and_then(|s3| s3.endpoint.as_ref());
    origin.endpoint = match (own, bucket.map(|(_, bucket)| &bucket.place)) {
        (Some(url), _) => Some(endpoint(url, report)?),
        (None, Some(Place::Server(server))) if matches!(origin.kind, OriginKind::S3(_)) => {
            Some(server.clone())
        }
        (None, _) => None,
    };
    Some(())
}

/// To which addresses connections go, and who vouches for what is there (CF-398, CF-424, CF-808).
fn reach(
    origin: &mut Origin,
    raw: &RawOriginBlock,
    pool: Option<RawPool>,
    matches_viewer: bool,
    context: &Context<'_>,
) -> Option<()> {
    let kinds = raw.custom.as_ref().and_then(|c| c.ip_address_type.as_ref());
    if let Some(kinds) = kinds {
        origin.ip_address_type = kinds.value;
        if pool.is_none() {
            pool::check_kind(origin, &origin.domain_name, &kinds.at, context.report);
        }
    }
    if let Some(ca) = &raw.origin_ca {
        let is_secure = match &origin.kind {
            OriginKind::Custom(custom) => {
                matches_viewer || custom.protocol == OriginProtocol::Https
            }
            OriginKind::S3(_) => {
                let server = origin.endpoint.as_ref();
                server.is_none_or(|server| server.protocol == OriginProtocol::Https)
            }
            OriginKind::Dir(_) => false,
        };
        if !is_secure {
            context.report.error(
                &ca.at,
                "`origin_ca` is for connections by https, and there are none to this origin",
            );
        }
        origin.ca = Some(files::existing_file(ca, context)?);
    }
    match pool {
        Some(pool) => pool::lower(origin, pool, matches_viewer, context),
        None => Some(()),
    }
}

/// CF-438: AWS's website endpoints speak plain HTTP alone.
fn refuse_website(host: &str, at: &At, report: &Report) {
    if bucket::is_website(host) {
        report.error_help(
            at,
            "InvalidOrigin: a website endpoint of S3 speaks http alone",
            "write `http://`, or `origin_protocol_policy: http-only`".to_owned(),
        );
    }
}

/// CP-320: what the node says of a bucket that a custom origin names.
fn warn_of_bucket(name: &str, host: &str, is_dir: bool, at: &At, report: &Report) {
    if !is_dir {
        let message = format!(
            "`node.origins.s3.{name}` is not used: requests of a custom origin go to its domain name, and are not signed"
        );
        report.warn(at, "CP-320", message);
    } else if bucket::is_website(host) {
        let message = format!(
            "the directory of `node.origins.s3.{name}` has no index and error documents, as the bucket's website has"
        );
        report.warn(at, "CP-320", message);
    }
}

/// What an identity of CloudFront's begins with (CF-437).
const IDENTITY: &str = "origin-access-identity/cloudfront/";

/// How requests to a bucket are signed (CF-431..435, CF-437, CP-320).
fn sign(
    origin: &mut Origin,
    raw: &RawOriginBlock,
    bucket: Option<(&str, &Bucket)>,
    controls: &AccessControls,
    report: &Report,
) -> Option<()> {
    let identity = raw.s3.as_ref().and_then(|s3| s3.identity.as_ref());
    let (name, code, signing) = match (&raw.access_control, identity) {
        (None, None) => return Some(()),
        (Some(_), Some(identity)) => {
            report.error(
                &identity.at,
                "IllegalOriginAccessConfiguration: an origin has an access control or an access identity",
            );
            return None;
        }
        (Some(control), None) => {
            let signing = controls.of(control, report);
            (control, "InvalidOriginAccessControl", signing)
        }
        (None, Some(identity)) => {
            let code = "InvalidOriginAccessIdentity";
            let id = identity.value.strip_prefix(IDENTITY);
            if id.is_none_or(str::is_empty) {
                let message = format!("{code}: `{}` is none", shorten(&identity.value));
                report.error_help(&identity.at, message, format!("write `{IDENTITY}ID`"));
                return None;
            }
            (identity, code, Signing::Buckets(SigningBehavior::Always))
        }
    };
    if matches!(signing, Signing::Faulty) {
        return None;
    }
    let s3 = match &mut origin.kind {
        OriginKind::S3(s3) => s3,
        // Nobody is asked in the place of such a bucket.
        OriginKind::Dir(_) if raw.s3.is_some() => {
            return Some(());
        }
        OriginKind::Dir(_) | OriginKind::Custom(_) => {
            report.error_help(
                &name.at,
                "IllegalOriginAccessConfiguration: only requests to S3 buckets are signed",
                "write the origin with `s3_origin_config`".to_owned(),
            );
            return None;
        }
    };
    let access = match signing {
        Signing::Off => return Some(()),
        Signing::Faulty => return None,
        Signing::With(access) => access,
        Signing::Buckets(behavior) => {
            let Some(credentials) = bucket.and_then(|(_, bucket)| bucket.credentials.clone())
            else {
                refuse_without_keys(code, name, &origin.domain_name, report);
                return None;
            };
            Arc::new(OriginAccess {
                id: name.value.clone(),
                behavior,
                credentials,
            })
        }
    };
    if identity.is_some() {
        let message = "an identity of CloudFront's is unknown to others: requests are signed with the node's credentials for the bucket, as by an origin access control that says `always`";
        report.warn(&name.at, "CF-437", message);
    }
    s3.auth_method = S3AuthMethod::OriginAccessIdentity;
    if s3.region.is_empty() {
        // What the endpoint without one stands for.
        "us-east-1".clone_into(&mut s3.region);
    }
    origin.access = Some(access);
    Some(())
}

/// AWS's own CloudFront is let into a bucket by AWS; a node shows keys (CF-435, CP-320).
fn refuse_without_keys(code: &str, name: &Spanned<String>, host: &str, report: &Report) {
    let (what, help) = match bucket::bucket_of(host) {
        Some(bucket) => (
            format!("the bucket `{bucket}`"),
            format!(
                "set `node.origins.s3.{bucket}.credentials`, or `node.origins.s3.{bucket}.dir` for a directory in its place"
            ),
        ),
        None => (
            format!("`{host}`"),
            "add `credentials` to the origin access control".to_owned(),
        ),
    };
    let message =
        format!("{code}: requests to {what} are to be signed, and nothing says with what");
    report.error_help(&name.at, message, help);
}

/// CF-436: scheme, host and port of a server that speaks S3's protocol.
pub(super) fn endpoint(url: &Spanned<String>, report: &Report) -> Option<Endpoint> {
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
    let (Some(protocol), Some((host, port))) = (protocol, authority) else {
        report.error_help(
            &url.at,
            format!("InvalidOrigin: `{}` is no server", shorten(&url.value)),
            "write `http://host:port` or `https://host`; a path belongs into `origin_path`"
                .to_owned(),
        );
        return None;
    };
    Some(Endpoint {
        protocol,
        host,
        port: port.unwrap_or_else(|| protocol.default_port()),
        bucket: String::new(),
    })
}

/// LE-113
pub(super) fn checked_region<'r>(region: &'r Spanned<String>, report: &Report) -> Option<&'r str> {
    let fits = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
    if !region.value.is_empty() && region.value.bytes().all(fits) {
        return Some(&region.value);
    }
    let message = format!("`{}` is not the name of a region", shorten(&region.value));
    report.error(&region.at, message);
    None
}

/// Seconds of [`Origin::new`]'s read timeout (CF-392).
const DEFAULT_READ: u64 = 30;

fn required_domain(
    domain: Option<(String, Option<u16>)>,
    raw: &RawOriginBlock,
    report: &Report,
) -> Option<(String, Option<u16>)> {
    if domain.is_none() {
        report.error_help(
            &raw.at,
            "InvalidOrigin: the origin has no domain name",
            "add `domain_name: origin.example.com`".to_owned(),
        );
    }
    domain
}

/// `scheme` is what counts where the protocol is the viewer's (CF-421).
fn custom_kind(
    raw: &RawCustomOrigin,
    domain_port: Option<u16>,
    scheme: OriginProtocol,
    report: &Report,
) -> Option<CustomOrigin> {
    let protocol = match raw.protocol {
        RawProtocol::Is(protocol) => protocol,
        RawProtocol::MatchesViewer => scheme,
        RawProtocol::Faulty => return None,
        RawProtocol::Absent => {
            report.error_help(
                &raw.at,
                "InvalidOrigin: nothing says whether this origin speaks http or https",
                "add `origin_protocol_policy: http-only`, `https-only` or `match-viewer`"
                    .to_owned(),
            );
            return None;
        }
    };
    // CF-420: both ports may stand in the file, as in CloudFront's normal form; the protocol picks one.
    let port = match protocol {
        OriginProtocol::Http => &raw.http_port,
        OriginProtocol::Https => &raw.https_port,
    };
    if let (Some(given), Some(_)) = (port, domain_port) {
        report.error(
            &given.at,
            "InvalidOrigin: the port is given here and in `domain_name`",
        );
    }
    let port_at = port.as_ref().map_or(&raw.at, |p| &p.at);
    let port = port
        .as_ref()
        .and_then(|p| u16::try_from(p.value).ok())
        .or(domain_port)
        .unwrap_or_else(|| protocol.default_port());
    warn_of_port(port, port_at, report);
    let mut kind = CustomOrigin::new(protocol, port);
    if let Some(protocols) = &raw.ssl_protocols {
        kind.ssl_protocols.clone_from(protocols);
    }
    if let Some(timeout) = raw.keepalive_timeout {
        kind.keepalive_timeout = Duration::from_secs(timeout);
    }
    Some(kind)
}

/// CF-420
fn warn_of_port(port: u16, at: &At, report: &Report) {
    if !matches!(port, 80 | 443 | 1_024..) {
        let message = format!(
            "port {port} of an origin: CloudFront connects to 80, 443 and 1024 to 65535 alone"
        );
        report.warn(at, "CF-420", message);
    }
}

/// Settings of a connection, which a directory has not.
fn refuse_for_dir(raw: &RawOriginBlock, report: &Report) {
    for (name, setting) in [
        ("connection_attempts", &raw.connection_attempts),
        ("connection_timeout", &raw.connection_timeout),
        (
            "response_completion_timeout",
            &raw.response_completion_timeout,
        ),
    ] {
        if let Some(setting) = setting {
            let message = format!("`{name}` has no meaning for a local directory");
            report.error(&setting.at, message);
        }
    }
}

/// The bucket name functions see for a directory, made from the origin's id.
fn dir_domain(id: &str) -> String {
    let label: String = id
        .to_ascii_lowercase()
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
        .take(63)
        .collect();
    format!("{}.s3.fourfront.localhost", label.trim_matches('-'))
}

fn lower_domain(domain: &Spanned<String>, report: &Report) -> Option<(String, Option<u16>)> {
    let text = &domain.value;
    if text.contains("://") {
        // CF-411
        report.error_help(
            &domain.at,
            format!("InvalidOrigin: `{}` holds a scheme", shorten(text)),
            "write the host alone here, or the whole origin as a URL".to_owned(),
        );
        return None;
    }
    let parsed = parse_authority(text);
    if parsed.is_none() {
        let message = format!("InvalidOrigin: `{}` is not a host name", shorten(text));
        report.error(&domain.at, message);
    }
    parsed
}

/// `host`, `host:port` or `[v6]:port`; names and addresses alike, lower case (CF-411). A v6 address leaves
/// without its brackets.
pub(crate) fn parse_authority(text: &str) -> Option<(String, Option<u16>)> {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (address, after) = rest.split_once(']')?;
            let address: std::net::Ipv6Addr = address.parse().ok()?;
            let port = match after {
                "" => None,
                after => Some(after.strip_prefix(':')?),
            };
            (address.to_string(), port)
        }
        None => {
            let (name, port) = match text.split_once(':') {
                Some((name, port)) => (name, Some(port)),
                None => (text, None),
            };
            let name: HostName = name.parse().ok()?;
            if name.is_wildcard() {
                return None;
            }
            (name.as_str().to_owned(), port)
        }
    };
    let port = match port {
        None => None,
        Some(p) if p.bytes().all(|b| b.is_ascii_digit()) => {
            Some(p.parse::<u16>().ok().filter(|p| *p > 0)?)
        }
        Some(_) => return None,
    };
    Some((host, port))
}

/// CF-414, LE-105: empty, or a URL-encoded path that begins with `/` and does not end with one.
pub(super) fn check_path(path: &str, at: &At, report: &Report) -> Option<()> {
    let fault = if path.is_empty() {
        return Some(());
    } else if !path.starts_with('/') {
        "does not begin with `/`"
    } else if path.ends_with('/') {
        "ends with `/`"
    } else if path.len() > 255 {
        "is longer than 255 characters"
    } else if path.contains(['?', '#']) || !path.bytes().all(|b| b.is_ascii_graphic()) {
        "holds characters that have to be percent-encoded"
    } else {
        return Some(());
    };
    let message = format!(
        "InvalidRelativePath: origin path `{}` {fault}",
        shorten(path)
    );
    report.error(at, message);
    None
}

/// The region in an S3 endpoint's name, `bucket.s3.eu-west-1.amazonaws.com` or the older
/// `bucket.s3-eu-west-1.amazonaws.com` (CF-434).
fn s3_region(host: &str) -> Option<&str> {
    let labels: Vec<&str> = host.split('.').collect();
    let aws = labels.iter().rposition(|l| *l == "amazonaws")?;
    let before = labels[..aws].last()?;
    match before.strip_prefix("s3-") {
        Some(region) => Some(region),
        None if *before != "s3" && aws >= 2 && labels[..aws - 1].contains(&"s3") => Some(before),
        None => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_and_ports() {
        // CF-411
        for (text, expected) in [
            ("Origin.Test", Some(("origin.test", None))),
            ("origin.test:3000", Some(("origin.test", Some(3000)))),
            ("127.0.0.1:80", Some(("127.0.0.1", Some(80)))),
            ("[::1]:80", Some(("::1", Some(80)))),
            ("[::1]", Some(("::1", None))),
            ("a_b", Some(("a_b", None))),
            ("", None),
            (":80", None),
            ("a:", None),
            ("a:0", None),
            ("a:65536", None),
            ("a:+80", None),
            ("*.a", None),
            ("a b", None),
            ("::1", None),
            ("[::1]80", None),
        ] {
            let parsed = parse_authority(text);
            let got = parsed.as_ref().map(|(h, p)| (h.as_str(), *p));
            // `a:` has an empty port, which RFC 3986 allows and nobody means.
            assert_eq!(got, expected, "{text}");
        }
    }

    #[test]
    fn regions_come_from_endpoint_names() {
        // CF-434, LE-113
        for (host, expected) in [
            ("bkt.s3.amazonaws.com", None),
            ("bkt.s3.eu-west-1.amazonaws.com", Some("eu-west-1")),
            (
                "b.k.t.s3.dualstack.eu-west-1.amazonaws.com",
                Some("eu-west-1"),
            ),
            ("bkt.s3-eu-west-1.amazonaws.com", Some("eu-west-1")),
            ("minio.test", None),
        ] {
            assert_eq!(s3_region(host), expected, "{host}");
        }
    }
}
