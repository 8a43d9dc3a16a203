//! What depends on how a viewer came: whether the connection is for the request's host (CF-036), and the viewer protocol
//! policy (CF-061, CF-520..522).

use std::sync::Arc;

use bytes::Bytes;
use fourfront_model::{HttpVersions, ViewerProtocolPolicy};
use http::{HeaderValue, Method, Version};

use super::{Exchange, ViewerFacts, ViewerFault};

/// Whether what was agreed in the handshake is good for the request's host.
///
/// A handshake for the name of another distribution will do when the certificate it was shown is for the host, too: browsers
/// use one connection for several hosts then (RFC 9113 section 9.1.1). But nobody gets around the terms that a distribution
/// has for its own name by asking for another one, or for none.
pub(super) fn check_connection(
    facts: &ViewerFacts<'_>,
    exchange: &Exchange,
) -> Result<(), ViewerFault> {
    let (Some(tls), Some(host)) = (facts.tls, facts.host) else {
        return Ok(());
    };
    let distribution = exchange.route.entry();
    let site = exchange.route.snapshot().site();
    let name = tls.server_name.as_deref();
    let asked_for = name.and_then(|name| site.distribution_for(name));
    let mtls = distribution.viewer_mtls.as_ref();
    if mtls.is_some_and(|mtls| mtls.required) && !tls.has_client {
        // The connection is older than the setting, or for another name (CF-055).
        return Err(ViewerFault::Misdirected);
    }
    if asked_for.is_some_and(|other| Arc::ptr_eq(other, distribution)) {
        return Ok(());
    }
    if mtls.is_some() {
        // Whoever has vouched for the viewer's certificate was another one.
        return Err(ViewerFault::Misdirected);
    }
    let speaks =
        facts.version != Version::HTTP_2 || distribution.http_versions == HttpVersions::Http2;
    let agreed = speaks && tls.keeps_to(&distribution.viewer_certificate);
    if agreed && (asked_for.is_none() || tls.covers(host)) {
        Ok(())
    } else {
        Err(ViewerFault::Misdirected)
    }
}

/// What plain HTTP gets (CF-520..522, CF-525). This comes before any function (LE-008, LE-020).
pub(super) fn check_policy(
    facts: &ViewerFacts<'_>,
    exchange: &Exchange,
) -> Result<(), ViewerFault> {
    let policy = exchange.route.behavior().viewer_protocol_policy;
    if exchange.is_https || policy == ViewerProtocolPolicy::AllowAll {
        return Ok(());
    }
    let status = match *facts.method {
        Method::GET | Method::HEAD => 301,
        Method::POST | Method::PUT | Method::DELETE | Method::OPTIONS | Method::PATCH => {
            if facts.version < Version::HTTP_11 {
                return Err(ViewerFault::HttpsOnly);
            }
            307
        }
        // No behaviour allows these, as the next step says.
        _ => return Ok(()),
    };
    match (policy, location(facts)) {
        (ViewerProtocolPolicy::RedirectToHttps, Some(location)) => {
            Err(ViewerFault::ToHttps { status, location })
        }
        _ => Err(ViewerFault::HttpsOnly),
    }
}

/// Where the same is by HTTPS (CF-523): the host as sent, without its port, and the target as sent.
fn location(facts: &ViewerFacts<'_>) -> Option<HeaderValue> {
    let host = facts.host?;
    let name = match host.strip_prefix('[').and_then(|rest| rest.find(']')) {
        Some(end) => &host[..end + 2],
        None => host.split_once(':').map_or(host, |(name, _)| name),
    };
    let port = match facts.https_port {
        443 => String::new(),
        port => format!(":{port}"),
    };
    let mut location = format!("https://{name}{port}").into_bytes();
    location.extend_from_slice(facts.target);
    HeaderValue::from_maybe_shared(Bytes::from(location)).ok()
}
