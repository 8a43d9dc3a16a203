//! How viewers connect: certificates that are there, names that mean one of them, and what needs HTTPS.
//!
//! Whether a certificate and its key belong together is seen when they are loaded; here it counts that they are files.

use std::{
    fs::File,
    io::Read as _,
    net::{IpAddr, SocketAddr},
    path::{Path, PathBuf},
};

use fourfront_model::{
    CacheBehavior, HostName, ViewerCertificate, ViewerMtls, ViewerProtocolPolicy,
};
use x509_parser::{pem::Pem, prelude::GeneralName};

use super::{Context, files};
use crate::{
    CertificateFiles, ViewerSettings,
    cursor::shorten,
    raw::{Named, RawCertificate, RawPolicyName, RawViewerCertificate, RawViewerMtls, RawViewers},
    report::{At, Report, Spanned},
    spelling::nearest,
};

/// Where viewers connect by HTTPS when nothing else is written.
const LISTEN_HTTPS: SocketAddr = SocketAddr::new(IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED), 8443);

/// One of the node's certificates, as distributions know it.
#[derive(Debug)]
pub(crate) struct Known {
    label: String,
    arn: Option<String>,
    /// Where it should lie; that it does is seen elsewhere.
    cert: PathBuf,
}

impl Known {
    fn is_called(&self, name: &str) -> bool {
        self.label == name || self.arn.as_deref() == Some(name)
    }
}

/// What the node's certificates are called (CF-095, CP-117).
pub(crate) fn known(raw: &RawViewers, base_dir: &Path, report: &Report) -> Vec<Known> {
    let mut known: Vec<Known> = Vec::new();
    for Named { name, value } in &raw.certificates {
        let value = value.as_ref();
        let arn = value.and_then(|v| v.arn.as_ref());
        if let Some(arn) = arn {
            let others = || raw.certificates.iter().filter(|c| c.name != *name);
            if !arn.value.starts_with("arn:") {
                let message = format!("`{}` is no ARN", shorten(&arn.value));
                report.error(&arn.at, message);
            } else if known.iter().any(|k| k.is_called(&arn.value))
                || others().any(|c| c.name.value == arn.value)
            {
                let message = format!("another certificate is called `{}`", shorten(&arn.value));
                report.error(&arn.at, message);
            }
        }
        let cert = value.and_then(|v| v.cert.as_ref());
        known.push(Known {
            label: name.value.clone(),
            arn: arn.map(|arn| arn.value.clone()),
            cert: cert.map_or_else(PathBuf::new, |cert| base_dir.join(&cert.value)),
        });
    }
    known
}

/// The settings of viewers' connections.
pub(crate) fn viewers(
    raw: RawViewers,
    listen: SocketAddr,
    admin: SocketAddr,
    context: &Context<'_>,
    watched: &mut Vec<PathBuf>,
) -> ViewerSettings {
    let report = context.report;
    let default = ViewerSettings::default();
    let has_https = raw.has_https();
    if let Some(listen) = raw.listen_https.as_ref().filter(|_| !has_https) {
        report.error_help(
            &listen.at,
            "there is no certificate to show to viewers",
            "add one under `node.certificates`".to_owned(),
        );
    }
    if let Some(port) = raw.https_port.as_ref().filter(|_| !has_https) {
        report.error(
            &port.at,
            "viewers cannot come by HTTPS: there is no certificate",
        );
    }
    let listen_https =
        has_https.then(|| raw.listen_https.as_ref().map_or(LISTEN_HTTPS, |l| l.value));
    if let Some(https) = raw.listen_https.as_ref() {
        for (name, other) in [("listen", listen), ("admin", admin)] {
            let one_port = https.value.port() == other.port() && other.port() != 0;
            let overlap = https.value.ip() == other.ip()
                || https.value.ip().is_unspecified()
                || other.ip().is_unspecified();
            if one_port && overlap {
                let message = format!(
                    "`listen_https` {} and `{name}` {other} are one port",
                    https.value
                );
                report.error(&https.at, message);
            }
        }
    }
    let default_certificate = raw
        .default_certificate
        .and_then(|name| position(&name, context))
        .unwrap_or_default();
    let certificates: Vec<_> = raw
        .certificates
        .into_iter()
        .filter_map(|c| certificate(c, context))
        .collect();
    for files in &certificates {
        watched.extend([files.cert.clone(), files.key.clone()]);
    }
    ViewerSettings {
        listen_https,
        https_port: raw.https_port.and_then(|p| p.value.try_into().ok()),
        certificates,
        default_certificate,
        handshake_timeout: raw.handshake_timeout.unwrap_or(default.handshake_timeout),
        websocket_idle_timeout: raw
            .websocket_idle_timeout
            .unwrap_or(default.websocket_idle_timeout),
        h2_cleartext: raw.h2_cleartext.unwrap_or(default.h2_cleartext),
        h2_streams: raw
            .h2_streams
            .and_then(|n| n.try_into().ok())
            .unwrap_or(default.h2_streams),
        proxy_protocol: raw.proxy_protocol.unwrap_or(default.proxy_protocol),
    }
}

pub(super) fn certificate(
    named: Named<RawCertificate>,
    context: &Context<'_>,
) -> Option<CertificateFiles> {
    let raw = named.value?;
    let cert = raw.cert.and_then(|p| files::existing_file(&p, context));
    let key = raw.key.and_then(|p| files::existing_file(&p, context));
    Some(CertificateFiles {
        label: named.name.value,
        cert: cert?,
        key: key?,
    })
}

/// Which of the node's certificates a name means (CF-095, CP-117).
fn position(name: &Spanned<String>, context: &Context<'_>) -> Option<usize> {
    let known = &context.certificates;
    let found = known.iter().position(|k| k.is_called(&name.value));
    if found.is_none() {
        let names = known
            .iter()
            .flat_map(|k| [Some(&k.label), k.arn.as_ref()])
            .flatten();
        // One ARN is much like another.
        let near = nearest(&name.value, names.map(String::as_str));
        let near = near.filter(|_| !name.value.starts_with("arn:"));
        let help = match near {
            Some(near) => format!("did you mean `{near}`?"),
            None => "add it under `node.certificates`, by that name or with that `arn`".to_owned(),
        };
        let message = format!(
            "InvalidViewerCertificate: the node has no certificate `{}`",
            shorten(&name.value)
        );
        context.report.error_help(&name.at, message, help);
    }
    found
}

/// CF-047.
pub(crate) fn viewer_certificate(
    raw: RawViewerCertificate,
    context: &Context<'_>,
) -> ViewerCertificate {
    let report = context.report;
    if let [_, another, ..] = &raw.certificates[..] {
        report.error(
            &another.at,
            "InvalidViewerCertificate: a distribution has one certificate",
        );
    }
    let named = raw.certificates.into_iter().next();
    if raw.is_default
        && let Some(named) = &named
    {
        report.error(
            &named.at,
            "InvalidViewerCertificate: `cloudfront_default_certificate` is set, too",
        );
    }
    let certificate = named.and_then(|name| position(&name, context));
    let policy = match raw.policy.map(|p| (p.value, p.at)) {
        Some((RawPolicyName::Known(policy), _)) => policy,
        // CF-100: CloudFront sets it whatever its users wish.
        Some((RawPolicyName::TooOld(_), _)) if certificate.is_none() => Default::default(),
        Some((RawPolicyName::TooOld(name), at)) => {
            // CF-097
            report.error_help(
                &at,
                format!("`{name}` begins below TLS 1.2, which this node does not speak"),
                "write `TLSv1.2_2021`, or another that begins with TLSv1.2 or TLSv1.3".to_owned(),
            );
            Default::default()
        }
        None => Default::default(),
    };
    // The default certificate's `vip` is how CloudFront prints nothing.
    if let Some(at) = raw.own_address.filter(|_| !raw.is_default) {
        let message = "a node has no addresses to give away; `sni-only` is used";
        report.warn(&at, "CF-096", message);
    }
    ViewerCertificate {
        certificate: certificate.map(|at| context.certificates[at].label.clone()),
        policy,
    }
}

/// CP-116: CloudFront takes no alias that the distribution's certificate is not for. A node without certificates serves them
/// all by plain HTTP.
pub(crate) fn check_aliases(
    aliases: &[(&HostName, &At)],
    certificate: Option<&str>,
    context: &Context<'_>,
) {
    let report = context.report;
    let Some((_, first)) = aliases.first().filter(|_| context.has_https) else {
        return;
    };
    let Some(certificate) = certificate else {
        report.error_help(
            first,
            "InvalidViewerCertificate: CloudFront's own certificate covers no alias",
            "name one of `node.certificates` with `ACMCertificateArn`, by its label or its `arn`"
                .to_owned(),
        );
        return;
    };
    let mut known = context.certificates.iter();
    let Some(known) = known.find(|k| k.label == certificate) else {
        // Reported where it is named.
        return;
    };
    let names = match names(&known.cert) {
        Ok(names) => names,
        Err(why) => {
            let message =
                format!("InvalidViewerCertificate: the certificate `{certificate}`: {why}");
            report.error(first, message);
            return;
        }
    };
    for (alias, at) in aliases {
        let covers = |name: &String| name == alias.as_str() || is_below(alias.as_str(), name);
        if !names.iter().any(covers) {
            let message = format!(
                "InvalidViewerCertificate: the certificate `{certificate}` is not for `{}`: it is for {}",
                alias.as_str(),
                names.join(", ")
            );
            report.error(at, message);
        }
    }
}

/// Whether a name is one label below that of a wildcard.
fn is_below(name: &str, wildcard: &str) -> bool {
    let parent = name.split_once('.').map(|(_, parent)| parent);
    !name.starts_with('*') && parent.is_some() && wildcard.strip_prefix("*.") == parent
}

/// The largest file of a certificate that is looked into, in bytes.
const LARGEST: u64 = 1 << 20;

/// The DNS names of a certificate, in lower case.
fn names(path: &Path) -> Result<Vec<String>, String> {
    let mut bytes = Vec::new();
    let file = File::open(path).and_then(|file| file.take(LARGEST).read_to_end(&mut bytes));
    file.map_err(|e| e.to_string())?;
    let pem = Pem::iter_from_buffer(&bytes)
        .flatten()
        .find(|pem| pem.label == "CERTIFICATE")
        .ok_or("the file holds none")?;
    let certificate = pem.parse_x509().map_err(|e| e.to_string())?;
    let names = certificate
        .subject_alternative_name()
        .map_err(|e| e.to_string())?;
    let names = names.map(|names| names.value.general_names.iter());
    let dns = names.into_iter().flatten().filter_map(|name| match name {
        GeneralName::DNSName(name) => Some(name.to_ascii_lowercase()),
        _ => None,
    });
    Ok(dns.collect())
}

/// CF-061. What keeps plain HTTP away needs something else to send viewers to.
pub(crate) fn protocol_policy(
    raw: Option<Spanned<ViewerProtocolPolicy>>,
    context: &Context<'_>,
) -> ViewerProtocolPolicy {
    let Some(policy) = raw else {
        return ViewerProtocolPolicy::default();
    };
    if policy.value != ViewerProtocolPolicy::AllowAll && !context.has_https {
        context.report.error_help(
            &policy.at,
            "viewers cannot come by HTTPS: the node has no certificate",
            "add one under `node.certificates`, or write `allow-all`".to_owned(),
        );
    }
    policy.value
}

/// CF-055. Every behaviour has to keep plain HTTP away: nobody shows a certificate there.
pub(crate) fn viewer_mtls<'a>(
    raw: RawViewerMtls,
    mut behaviors: impl Iterator<Item = &'a CacheBehavior>,
    context: &Context<'_>,
) -> Option<ViewerMtls> {
    let report = context.report;
    let Some(store) = raw.trust_store else {
        report.error_help(
            &raw.at.member("trust_store_config"),
            "nothing says whose certificates viewers may show",
            "name a PEM file with `trust_store_config: { trust_store: ./certs/viewers.pem }`"
                .to_owned(),
        );
        return None;
    };
    let open = behaviors.find(|b| b.viewer_protocol_policy == ViewerProtocolPolicy::AllowAll);
    if let Some(open) = open {
        let message = format!(
            "viewers of behaviour `{}` may come by plain HTTP, where no certificate is shown",
            open.path_pattern.as_str()
        );
        let help = "write `viewer_protocol_policy: https-only` or `redirect-to-https` there";
        report.error_help(&raw.at, message, help.to_owned());
    }
    Some(ViewerMtls {
        required: raw.required,
        trust_store: files::existing_file(&store, context)?,
        advertises_names: raw.advertises_names,
    })
}
