//! Who is let in at all, by where the node listens (CP-400, CP-401).

use std::{fmt, net::SocketAddr, path::PathBuf};

use http::{HeaderMap, HeaderName, header};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::AuthFault;

/// `admin.auth`. There is no `off`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AuthMode {
    /// Each request proves who it is from.
    #[default]
    SigV4,
    /// Any request that is well formed, signed or not. For listeners on this machine alone.
    Any,
}

/// Where the admin endpoint listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AdminListener {
    /// A Unix socket.
    Unix(PathBuf),
    /// An address.
    Tcp {
        /// Address and port.
        address: SocketAddr,
        /// Whether it speaks TLS.
        tls: bool,
    },
}

impl AdminListener {
    /// Whether only this machine reaches it.
    pub fn is_local(&self) -> bool {
        match self {
            Self::Unix(_) => true,
            Self::Tcp { address, .. } => address.ip().to_canonical().is_loopback(),
        }
    }
}

impl fmt::Display for AdminListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "{}", path.display()),
            Self::Tcp { address, .. } => write!(f, "{address}"),
        }
    }
}

/// Why a node does not start with those listeners.
#[derive(Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum ListenerRefusal {
    /// CP-400.
    #[error(
        "admin.auth \"any\" is for loopback and Unix sockets, and {0} is reached from elsewhere: use \"sigv4\""
    )]
    AnyOffLoopback(String),
    /// CP-401.
    #[error(
        "the admin listener {0} is reached from elsewhere and has no TLS, which leaves functions and stored values for all to \
         read: give it a certificate, or say admin.insecure: true"
    )]
    NoTls(String),
}

/// Whether a node may start with those admin listeners (CP-400, CP-401).
///
/// # Errors
/// The first listener that it may not have, and why.
pub fn check_listeners(
    mode: AuthMode,
    insecure: bool,
    listeners: &[AdminListener],
) -> Result<(), ListenerRefusal> {
    for listener in listeners.iter().filter(|listener| !listener.is_local()) {
        if mode == AuthMode::Any {
            return Err(ListenerRefusal::AnyOffLoopback(listener.to_string()));
        }
        if !insecure && !matches!(listener, AdminListener::Tcp { tls: true, .. }) {
            return Err(ListenerRefusal::NoTls(listener.to_string()));
        }
    }
    Ok(())
}

/// Whether a key that is made at start and printed may be accepted: only as long as nobody has a credential, and where only
/// this machine reaches the node.
pub fn may_use_development_key(listeners: &[AdminListener], store_is_empty: bool) -> bool {
    store_is_empty && listeners.iter().all(AdminListener::is_local)
}

/// In mode `any`: whether an unsigned request may be from a page in somebody's browser, which reaches loopback too. Such a
/// page shows its `Origin`, or is from a name that was made to mean this machine (DNS rebinding).
pub(crate) fn check_local(headers: &HeaderMap) -> Result<(), AuthFault> {
    const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
    if headers.contains_key(header::ORIGIN)
        || headers
            .get(FETCH_SITE)
            .is_some_and(|site| site != "none" && site != "same-origin")
    {
        return Err(AuthFault::Foreign(
            "unsigned requests from a browser's page are not accepted",
        ));
    }
    let host = headers
        .get(header::HOST)
        .and_then(|host| host.to_str().ok());
    if host.is_some_and(is_local_host) {
        Ok(())
    } else {
        Err(AuthFault::Foreign(
            "unsigned requests for other hosts than this machine are not accepted",
        ))
    }
}

/// `localhost`, what ends in `.localhost`, a loopback address, each with an account before it (CP-004) and a port behind.
fn is_local_host(host: &str) -> bool {
    let host = match host.strip_prefix('[') {
        Some(six) => six.split(']').next().unwrap_or_default(),
        None => host.rsplit_once(':').map_or(host, |(name, _)| name),
    };
    let is_account =
        |label: &str| label.len() == 12 && label.bytes().all(|byte| byte.is_ascii_digit());
    let host = match host.split_once('.') {
        Some((label, rest)) if is_account(label) => rest,
        _ => host,
    };
    let name = host.to_ascii_lowercase();
    name == "localhost"
        || name.ends_with(".localhost")
        || host
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tcp(address: &str, tls: bool) -> AdminListener {
        AdminListener::Tcp {
            address: address.parse().unwrap(),
            tls,
        }
    }

    #[test]
    fn a_listener_off_loopback_needs_signatures_and_tls() {
        // CP-400, CP-401
        let unix = AdminListener::Unix("/run/ff.sock".into());
        let local = [
            tcp("127.0.0.1:1", false),
            tcp("[::1]:1", false),
            tcp("[::ffff:127.0.0.1]:1", false),
            unix,
        ];
        for mode in [AuthMode::SigV4, AuthMode::Any] {
            assert_eq!(check_listeners(mode, false, &local), Ok(()));
        }
        for far in ["0.0.0.0:1", "[::]:1", "10.0.0.1:1", "[::ffff:10.0.0.1]:1"] {
            let plain = [local[0].clone(), tcp(far, false)];
            let shown = plain[1].to_string();
            let none = ListenerRefusal::NoTls(shown.clone());
            assert_eq!(check_listeners(AuthMode::SigV4, false, &plain), Err(none));
            assert_eq!(check_listeners(AuthMode::SigV4, true, &plain), Ok(()));
            let secure = [tcp(far, true)];
            assert_eq!(check_listeners(AuthMode::SigV4, false, &secure), Ok(()));
            for insecure in [true, false] {
                let any = ListenerRefusal::AnyOffLoopback(shown.clone());
                assert_eq!(check_listeners(AuthMode::Any, insecure, &secure), Err(any));
            }
            assert!(!may_use_development_key(&plain, true));
        }
        assert!(may_use_development_key(&local, true) && !may_use_development_key(&local, false));
    }

    #[test]
    fn there_are_two_modes() {
        // CP-400: there is no `off`
        assert_eq!(
            serde_json::from_str::<AuthMode>("\"sigv4\"").unwrap(),
            AuthMode::SigV4
        );
        assert_eq!(
            serde_json::from_str::<AuthMode>("\"any\"").unwrap(),
            AuthMode::Any
        );
        assert!(serde_json::from_str::<AuthMode>("\"off\"").is_err());
    }

    #[test]
    fn a_page_in_a_browser_is_not_this_machine() {
        // CP-400
        let check = |pairs: &[(&'static str, &str)]| {
            let mut headers = HeaderMap::new();
            for (name, value) in pairs {
                headers.insert(*name, value.parse().unwrap());
            }
            check_local(&headers).is_ok()
        };
        for host in [
            "localhost:9400",
            "127.0.0.1:9400",
            "127.8.8.8",
            "[::1]:9400",
            "000000000000.localhost:9400",
            "000000000000.127.0.0.1:9400",
            "Node.Localhost",
        ] {
            assert!(check(&[("host", host)]), "{host}");
            assert!(!check(&[("host", host), ("origin", "https://evil.test")]));
            assert!(!check(&[("host", host), ("sec-fetch-site", "cross-site")]));
            assert!(check(&[("host", host), ("sec-fetch-site", "none")]));
        }
        for host in [
            "evil.test",
            "localhost.evil.test",
            "127.0.0.1.evil.test",
            "10.0.0.1",
            "[::2]:1",
            "",
            "[",
            "xlocalhost",
        ] {
            assert!(!check(&[("host", host)]), "{host}");
        }
        assert!(!check(&[]));
    }
}
