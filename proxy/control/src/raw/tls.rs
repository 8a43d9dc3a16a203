//! How viewers connect, as written: `node.certificates` and its neighbours, `viewer_certificate`, `http_version`,
//! `viewer_protocol_policy`.

use std::{net::SocketAddr, time::Duration};

use fourfront_model::{HttpVersions, SecurityPolicy, ViewerProtocolPolicy};

use super::{Named, named, node::address};
use crate::{
    cursor::{Block, Cursor},
    keys,
    report::{At, Spanned},
};

/// What `node` says of viewers' connections.
#[derive(Debug, Default)]
pub(crate) struct RawViewers {
    pub(crate) listen_https: Option<Spanned<SocketAddr>>,
    pub(crate) https_port: Option<Spanned<u64>>,
    pub(crate) certificates: Vec<Named<RawCertificate>>,
    pub(crate) default_certificate: Option<Spanned<String>>,
    pub(crate) handshake_timeout: Option<Duration>,
    pub(crate) websocket_idle_timeout: Option<Duration>,
    pub(crate) h2_cleartext: Option<bool>,
    pub(crate) h2_streams: Option<u64>,
    pub(crate) proxy_protocol: Option<bool>,
}

/// One of `node.certificates`.
#[derive(Debug)]
pub(crate) struct RawCertificate {
    pub(crate) cert: Option<Spanned<String>>,
    pub(crate) key: Option<Spanned<String>>,
    /// By which distributions name it, too.
    pub(crate) arn: Option<Spanned<String>>,
}

/// `viewer_certificate`.
#[derive(Debug)]
pub(crate) struct RawViewerCertificate {
    /// By whichever of its names it is given.
    pub(crate) certificates: Vec<Spanned<String>>,
    pub(crate) is_default: bool,
    /// Where an address of its own is asked for.
    pub(crate) own_address: Option<At>,
    /// As written.
    pub(crate) policy: Option<Spanned<RawPolicyName>>,
}

/// `minimum_protocol_version`.
#[derive(Clone, Copy, Debug)]
pub(crate) enum RawPolicyName {
    Known(SecurityPolicy),
    /// It begins below TLS 1.2.
    TooOld(&'static str),
}

/// `viewer_mtls_config`.
#[derive(Debug)]
pub(crate) struct RawViewerMtls {
    pub(crate) at: At,
    pub(crate) required: bool,
    pub(crate) trust_store: Option<Spanned<String>>,
    pub(crate) advertises_names: bool,
}

impl RawViewerMtls {
    pub(super) fn read(cursor: &Cursor<'_>) -> Option<Self> {
        let block = Block::open_spelled(cursor, &keys::VIEWER_MTLS)?;
        let passthrough = Err("not supported: a certificate that is shown is verified");
        let mode = block.get("mode").and_then(|c| {
            c.choice(&[
                ("required", Ok(true)),
                ("optional", Ok(false)),
                ("passthrough", passthrough),
            ])
        });
        let store = block.get("trust_store_config");
        let store = store.and_then(|c| Block::open_spelled(c, &keys::TRUST_STORE));
        let flag = |key: &str| store.as_ref()?.get(key).and_then(Cursor::boolean);
        Some(Self {
            at: cursor.at.clone(),
            required: mode.is_none_or(|m| m.value),
            trust_store: store
                .as_ref()
                .and_then(|s| s.get("trust_store"))
                .and_then(Cursor::text),
            advertises_names: flag("advertise_trust_store_ca_names").is_some_and(|b| b.value),
        })
    }
}

impl RawViewers {
    pub(super) fn read(node: &Block<'_>) -> Self {
        let flag = |block: &Block<'_>, key: &str| {
            let flag = block.get(key).and_then(Cursor::boolean);
            flag.map(|b| b.value)
        };
        let mut raw = Self {
            listen_https: node.get("listen_https").and_then(address),
            https_port: node
                .get("https_port")
                .and_then(|c| c.integer(1..=65_535, "a port")),
            certificates: node.get("certificates").map_or_else(Vec::new, |c| {
                named(c, "a map of certificates by name", RawCertificate::read)
            }),
            default_certificate: node.get("default_certificate").and_then(Cursor::text),
            handshake_timeout: node
                .get("handshake_timeout")
                .and_then(|c| c.seconds(60))
                .map(|s| s.value),
            websocket_idle_timeout: node
                .get("websocket_idle_timeout")
                .and_then(|c| c.seconds(86_400))
                .map(|s| s.value),
            proxy_protocol: flag(node, "proxy_protocol"),
            ..Self::default()
        };
        if let Some(h2) = node.get("http2").and_then(|c| Block::open(c, &keys::HTTP2)) {
            raw.h2_cleartext = flag(&h2, "cleartext");
            raw.h2_streams = h2
                .get("max_concurrent_streams")
                .and_then(|c| c.integer(1..=10_000, "a number of streams"))
                .map(|n| n.value);
        }
        raw
    }

    /// Whether viewers can come by HTTPS.
    pub(crate) const fn has_https(&self) -> bool {
        !self.certificates.is_empty()
    }
}

impl RawCertificate {
    pub(super) fn read(cursor: &Cursor<'_>) -> Option<Self> {
        if !cursor.is_mapping() {
            cursor.expected("a block with `cert` and `key`");
            return None;
        }
        let block = Block::open(cursor, &keys::CERTIFICATE)?;
        let file = |key: &str| {
            let file = block.get(key);
            if file.is_none() {
                let message = format!("the certificate has no `{key}`");
                let help = format!("name a PEM file with `{key}: ./certs/site.pem`");
                cursor.error_help(message, help);
            }
            file.and_then(Cursor::text)
        };
        Some(Self {
            cert: file("cert"),
            key: file("key"),
            arn: block.get("arn").and_then(Cursor::text),
        })
    }
}

impl RawViewerCertificate {
    pub(super) fn read(cursor: &Cursor<'_>) -> Option<Self> {
        let block = Block::open_spelled(cursor, &keys::VIEWER_CERTIFICATE)?;
        let names = ["certificate", "acm_certificate_arn", "iam_certificate_id"];
        let certificates = names
            .iter()
            .filter_map(|key| block.get(key)?.text())
            .filter(|name| !name.value.is_empty())
            .collect::<Vec<_>>();
        let certificates = dedup(certificates);
        let is_default = block
            .get("cloudfront_default_certificate")
            .and_then(Cursor::boolean)
            .is_some_and(|b| b.value);
        // CF-096
        let own = block
            .get("ssl_support_method")
            .filter(|c| c.scalar() != Some(""))
            .and_then(|c| {
                c.choice(&[
                    ("sni-only", Ok(false)),
                    ("vip", Ok(true)),
                    ("static-ip", Ok(true)),
                ])
            });
        let known = SecurityPolicy::ALL.map(|p| (p.as_str(), Ok(RawPolicyName::Known(p))));
        let old = SecurityPolicy::TOO_OLD.map(|name| (name, Ok(RawPolicyName::TooOld(name))));
        let words: Vec<_> = known.into_iter().chain(old).collect();
        let policy = block
            .get("minimum_protocol_version")
            .filter(|c| c.scalar() != Some(""))
            .and_then(|c| c.choice(&words));
        Some(Self {
            certificates,
            is_default,
            own_address: own.filter(|o| o.value).map(|o| o.at),
            policy,
        })
    }
}

/// CloudFront prints a certificate twice: under the name of its kind, and under the `Certificate` of former times.
fn dedup(certificates: Vec<Spanned<String>>) -> Vec<Spanned<String>> {
    let mut kept: Vec<Spanned<String>> = Vec::new();
    for certificate in certificates {
        if !kept.iter().any(|k| k.value == certificate.value) {
            kept.push(certificate);
        }
    }
    kept
}

/// CF-050: HTTP/1.1 is always on.
pub(super) fn http_versions(cursor: &Cursor<'_>) -> Option<HttpVersions> {
    let needs = Err("not available yet: it needs HTTP/3; write `http2`");
    let version = cursor.choice(&[
        ("http1.1", Ok(HttpVersions::Http1)),
        ("http2", Ok(HttpVersions::Http2)),
        ("http3", needs),
        ("http2and3", needs),
    ]);
    version.map(|v| v.value)
}

/// CF-061.
pub(super) fn viewer_protocol_policy(cursor: &Cursor<'_>) -> Option<Spanned<ViewerProtocolPolicy>> {
    cursor.choice(&[
        ("allow-all", Ok(ViewerProtocolPolicy::AllowAll)),
        ("https-only", Ok(ViewerProtocolPolicy::HttpsOnly)),
        (
            "redirect-to-https",
            Ok(ViewerProtocolPolicy::RedirectToHttps),
        ),
    ])
}
