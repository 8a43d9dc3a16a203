//! How viewers connect: certificates that are there, names that mean one of them, and what needs HTTPS.
//!
//! Whether a certificate and its key belong together is seen when they are loaded; here it counts that they are files.

use std::{
    net::{IpAddr, SocketAddr},
    path::PathBuf,
};

use fourfront_model::{CacheBehavior, ViewerCertificate, ViewerMtls, ViewerProtocolPolicy};

use super::{Context, files};
use crate::{
    CertificateFiles, ViewerSettings,
    cursor::shorten,
    raw::{Named, RawCertificate, RawPolicyName, RawViewerCertificate, RawViewerMtls, RawViewers},
    report::Spanned,
    spelling::nearest,
};

/// Where viewers connect by HTTPS when nothing else is written.
const LISTEN_HTTPS: SocketAddr = SocketAddr::new(IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED), 8443);

/// What the node's certificates are called.
pub(crate) fn labels(raw: &RawViewers) -> Vec<String> {
    raw.certificates
        .iter()
        .map(|c| c.name.value.clone())
        .collect()
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
    let labels = &context.certificates;
    let found = labels.iter().position(|l| *l == name.value);
    if found.is_none() {
        let near = nearest(&name.value, labels.iter().map(String::as_str));
        let help = match near {
            Some(near) => format!("did you mean `{near}`?"),
            None => "add it under `node.certificates`".to_owned(),
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
    let certificate = named.filter(|name| position(name, context).is_some());
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
        certificate: certificate.map(|c| c.value),
        policy,
    }
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
