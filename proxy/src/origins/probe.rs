//! Probes of a pool's servers (CF-808): a request, or a connection, by Pingora's own checks.

use std::{
    io::{self, Write as _},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use fourfront_model::HealthCheck;
use fourfront_origin::pool::Probe;
use pingora::{
    Error, ErrorType,
    connectors::{ConnectorOptions, TransportConnector, http::Connector},
    lb::{
        Backend,
        health_check::{HttpHealthCheck, TcpHealthCheck},
    },
};
use tempfile::NamedTempFile;

use super::Authority;
use crate::pingora::all_roots;

/// What a probe is made of: with the same it goes on over a reload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ProbeOf {
    pub(super) check: HealthCheck,
    /// The origin's name: `Host`, SNI, and what certificates have to carry.
    pub(super) host: String,
    pub(super) is_https: bool,
    /// Who alone vouches for the origin, if somebody does (CF-424).
    pub(super) authority: Option<Arc<Authority>>,
    /// Who vouches for it else, beside the public authorities (CF-423).
    pub(super) origin_ca: Option<PathBuf>,
}

/// Why servers cannot be probed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProbeError {
    /// The authorities cannot be handed on.
    #[error("{0}")]
    Roots(#[from] io::Error),
    /// The request cannot be made.
    #[error("{0}")]
    Request(String),
}

impl ProbeOf {
    /// The probe.
    ///
    /// # Errors
    /// When authorities cannot be read, or the path is none.
    pub(super) fn make(&self) -> Result<Box<dyn Probe + Send + Sync>, ProbeError> {
        // Read while the connector is made, and not needed afterwards.
        let roots = self.origin_ca.as_deref().map(roots).transpose()?;
        let mut options = ConnectorOptions::new(1);
        options.ca_file = roots.as_ref().map(|file| file.path().display().to_string());
        let check = &self.check;
        let times = |n: u32| usize::try_from(n).unwrap_or(usize::MAX);
        let (healthy, unhealthy) = (times(check.healthy_after), times(check.unhealthy_after));
        let inner: Box<dyn Probe + Send + Sync> = match &check.path {
            Some(path) => {
                let wrong = |e: Box<Error>| ProbeError::Request(e.to_string());
                let mut http = HttpHealthCheck::new("", self.is_https);
                http.req.set_raw_path(path.as_bytes()).map_err(wrong)?;
                let host = match self.host.contains(':') {
                    true => format!("[{}]", self.host),
                    false => self.host.clone(),
                };
                http.req.insert_header("Host", host).map_err(wrong)?;
                let agent = concat!("Fourfront/", env!("CARGO_PKG_VERSION"), " (health check)");
                http.req.insert_header("User-Agent", agent).map_err(wrong)?;
                if self.is_https {
                    http.peer_template.sni.clone_from(&self.host);
                }
                let peer = &mut http.peer_template.options;
                peer.connection_timeout = Some(check.timeout);
                peer.total_connection_timeout = Some(check.timeout);
                peer.read_timeout = Some(check.timeout);
                peer.write_timeout = Some(check.timeout);
                peer.ca = self.authority.as_ref().map(|a| a.certificates().clone());
                http.set_connector(Connector::new(Some(options)));
                http.consecutive_success = healthy;
                http.consecutive_failure = unhealthy;
                let wanted = check.status;
                http.validator = Some(Box::new(move |head| match head.status.as_u16() {
                    status if status == wanted => Ok(()),
                    status => Error::e_explain(
                        ErrorType::HTTPStatus(status),
                        "not the status that is wanted",
                    ),
                }));
                Box::new(http)
            }
            None => {
                let mut tcp = *TcpHealthCheck::new();
                if self.is_https {
                    tcp.peer_template.sni.clone_from(&self.host);
                }
                let peer = &mut tcp.peer_template.options;
                peer.connection_timeout = Some(check.timeout);
                peer.total_connection_timeout = Some(check.timeout);
                peer.ca = self.authority.as_ref().map(|a| a.certificates().clone());
                tcp.set_connector(TransportConnector::new(Some(options)));
                tcp.consecutive_success = healthy;
                tcp.consecutive_failure = unhealthy;
                Box::new(tcp)
            }
        };
        Ok(Box::new(Bounded {
            inner,
            // For connecting and for the answer; what else is sent after that is not read to its end.
            within: check.timeout.saturating_mul(2),
            host: self.host.clone(),
        }))
    }
}

pub(super) fn roots(origin_ca: &std::path::Path) -> io::Result<NamedTempFile> {
    let mut file = NamedTempFile::new()?;
    file.write_all(&all_roots(&origin_ca.display().to_string())?)?;
    file.flush()?;
    Ok(file)
}

/// A probe that takes no longer than it may: Pingora's reads bodies of any length, at any speed, and a round waits for all.
struct Bounded {
    inner: Box<dyn Probe + Send + Sync>,
    within: Duration,
    host: String,
}

#[async_trait]
impl Probe for Bounded {
    async fn check(&self, target: &Backend) -> pingora::Result<()> {
        match tokio::time::timeout(self.within, self.inner.check(target)).await {
            Ok(result) => result,
            Err(_) => Error::e_explain(ErrorType::ReadTimedout, "the probe took too long"),
        }
    }

    /// What the log calls it when it goes down or up.
    fn backend_summary(&self, target: &Backend) -> String {
        format!("server {} of origin {}", target.addr, self.host)
    }

    fn health_threshold(&self, success: bool) -> usize {
        self.inner.health_threshold(success)
    }
}
