//! From an origin to a connection: where to connect, with which name, and how long to wait (CF section 4.6,
//! CF-423). Pure; names are resolved by [`crate::resolve`].

use std::{mem, net::IpAddr, path::PathBuf, time::Duration};

use fourfront_model::{
    Origin, OriginKind, OriginProtocol, S3AuthMethod, SigningBehavior, SslProtocol,
};
use http::HeaderValue;

use crate::signing;

/// Where a request to an origin goes, and how long it may take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Where to connect.
    pub address: Address,
    /// How to secure it; `None` is plain HTTP.
    pub tls: Option<Tls>,
    /// For each try: DNS, TCP and TLS together (CF-390).
    pub connection_timeout: Duration,
    /// How many tries (CF-391).
    pub connection_attempts: u32,
    /// To the first byte and between bytes (CF-392).
    pub read_timeout: Duration,
    /// For all tries and the body; `None` is unlimited (CF-394).
    pub completion_timeout: Option<Duration>,
    /// How long an idle connection is kept (CF-395).
    pub keepalive_timeout: Duration,
}

impl Target {
    /// The target for a try that has spent `spent` of its connection timeout on finding the address (CF-390),
    /// with `left` until the whole fetch must be over (CF-394).
    #[must_use]
    pub fn within(mut self, spent: Duration, left: Option<Duration>) -> Self {
        let left = left.unwrap_or(Duration::MAX);
        self.connection_timeout = self.connection_timeout.saturating_sub(spent).min(left);
        self.read_timeout = self.read_timeout.min(left);
        self
    }
}

/// What answers there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// A server.
    Network {
        /// A name, or an IP address without brackets.
        host: String,
        /// TCP port.
        port: u16,
    },
    /// A directory, answered in this process by [`crate::dir::serve_connection`].
    Directory(PathBuf),
}

/// How a TLS connection is made. The versions offered are 1.2 and 1.3, always (CF-422): what allows 1.2 can be
/// reached, and what does not is refused here. Cipher suites are those of the TLS library: ECDHE with AES-GCM or ChaCha20,
/// without CloudFront's older ones, which have CBC or no forward secrecy (CF-425).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tls {
    /// The name the certificate has to carry; sent as SNI unless it is an IP address (CF-423). Never
    /// empty: a TLS library may take an empty name for a wish not to verify.
    pub server_name: String,
    /// The name it may carry instead (CF-423), for a second handshake under that name when the first one has
    /// found a certificate for another.
    pub other_name: Option<String>,
}

impl Tls {
    /// The two names in the other order; the same where there is one.
    #[must_use]
    pub fn swapped(mut self) -> Self {
        if let Some(other) = &mut self.other_name {
            mem::swap(&mut self.server_name, other);
        }
        self
    }
}

/// Why there is no way to an origin.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SelectError {
    /// Requests to the bucket would have to be signed.
    #[error(
        "origin `{origin}`: authMethod `origin-access-identity` needs an origin access control on the origin; use `none`"
    )]
    Signing {
        /// The origin's id.
        origin: String,
    },
    /// A function allows TLS versions only that cannot be offered. (A configuration that does is refused at start.)
    #[error(
        "origin `{origin}`: sslProtocols allows [{allowed}], and connections to origins offer TLSv1.2 and TLS 1.3 \
         only; add `TLSv1.2`"
    )]
    SslProtocols {
        /// The origin's id.
        origin: String,
        /// What it allows, as written.
        allowed: String,
    },
    /// A function sends a gRPC call there, and calls go by HTTPS alone (CF-410).
    #[error("origin `{origin}` is asked by plain HTTP, and gRPC calls go by HTTPS alone")]
    PlainCall {
        /// The origin's id.
        origin: String,
    },
    /// There is nothing to connect to.
    #[error("origin `{origin}` has no domain name")]
    NoName {
        /// The origin's id.
        origin: String,
    },
}

/// The `Host` that is sent, and whose it is.
#[derive(Clone, Copy, Debug)]
pub struct SentHost<'a> {
    /// The value on the wire.
    pub value: &'a HeaderValue,
    /// Whether it is the viewer's, forwarded by policy ([`crate::request::forwards_host`]), to an origin whose
    /// domain name no function changed: only then it takes the domain name's place in SNI (CF-423, LE-A43).
    pub forwarded: bool,
}

/// Where to connect for `origin`. Buckets are reached by the scheme the viewer used (CF-430); custom origins
/// have their own.
///
/// # Errors
/// [`SelectError`] when this version cannot reach such an origin.
pub fn target(
    origin: &Origin,
    host: SentHost<'_>,
    viewer_scheme: OriginProtocol,
) -> Result<Target, SelectError> {
    let to = |address, tls, keepalive_timeout| Target {
        address,
        tls,
        connection_timeout: origin.connection_timeout,
        connection_attempts: origin.connection_attempts,
        read_timeout: origin.read_timeout,
        completion_timeout: origin.response_completion_timeout,
        keepalive_timeout,
    };
    let default_keepalive = Duration::from_secs(5); // CF-395
    let (protocol, port, protocols, keepalive) = match &origin.kind {
        OriginKind::Dir(root) => {
            return Ok(to(
                Address::Directory(root.clone()),
                None,
                default_keepalive,
            ));
        }
        OriginKind::Custom(custom) => (
            custom.protocol,
            custom.port,
            custom.ssl_protocols.as_slice(),
            custom.keepalive_timeout,
        ),
        OriginKind::S3(s3) => {
            let access = signing::access(origin);
            if s3.auth_method != S3AuthMethod::None && access.is_none() {
                return Err(SelectError::Signing {
                    origin: origin.id.clone(),
                });
            }
            let protocols = [SslProtocol::TlsV1_2].as_slice();
            let (protocol, port) = match (&origin.endpoint, access) {
                (Some(endpoint), _) => (endpoint.protocol, endpoint.port),
                // CF-432
                (None, Some((access, _))) if access.behavior == SigningBehavior::Always => {
                    (OriginProtocol::Https, OriginProtocol::Https.default_port())
                }
                (None, _) => (viewer_scheme, viewer_scheme.default_port()),
            };
            (protocol, port, protocols, default_keepalive)
        }
    };
    let endpoint = origin.endpoint.as_ref().map(|endpoint| &*endpoint.host);
    let domain = host_name(endpoint.unwrap_or(&origin.domain_name));
    if domain.is_empty() {
        return Err(SelectError::NoName {
            origin: origin.id.clone(),
        });
    }
    let tls = match protocol {
        OriginProtocol::Http => None,
        OriginProtocol::Https => {
            check_versions(origin, protocols)?;
            Some(tls(domain, host))
        }
    };
    let host = domain.to_owned();
    Ok(to(Address::Network { host, port }, tls, keepalive))
}

/// Of the versions that can be listed, 1.2 alone is ever offered (CF-422, LE-111). 1.3 is offered besides, but
/// not by itself: without 1.2 in the list, a connection might use what the list does not allow.
fn check_versions(origin: &Origin, allowed: &[SslProtocol]) -> Result<(), SelectError> {
    if allowed.contains(&SslProtocol::TlsV1_2) {
        return Ok(());
    }
    let names: Vec<_> = allowed.iter().map(|p| p.as_str()).collect();
    Err(SelectError::SslProtocols {
        origin: origin.id.clone(),
        allowed: names.join(", "),
    })
}

/// CF-423.
fn tls(domain: &str, sent: SentHost<'_>) -> Tls {
    let sent_name = sent.value.to_str().map(host_name).unwrap_or_default();
    let other =
        (!sent_name.is_empty() && !sent_name.eq_ignore_ascii_case(domain)).then_some(sent_name);
    let (server_name, other_name) = match other {
        Some(sent_name) if sent.forwarded => (sent_name, Some(domain)),
        other => (domain, other),
    };
    Tls {
        server_name: server_name.to_owned(),
        other_name: other_name.map(str::to_owned),
    }
}

/// A host without port, brackets and trailing dot.
fn host_name(host: &str) -> &str {
    if host.parse::<IpAddr>().is_ok() {
        return host;
    }
    let name = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, _)) => address,
        None => host.split_once(':').map_or(host, |(name, _)| name),
    };
    name.strip_suffix('.').unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use fourfront_model::{Credentials, CustomOrigin, Endpoint, OriginAccess, S3Origin};

    use super::*;
    use crate::testing::{custom_origin, s3_origin};

    fn https_origin() -> Origin {
        let mut custom = CustomOrigin::new(OriginProtocol::Https, 8443);
        custom.ssl_protocols = vec![
            SslProtocol::SslV3,
            SslProtocol::TlsV1_1,
            SslProtocol::TlsV1_2,
        ];
        Origin::new("o", "app.test", OriginKind::Custom(custom))
    }

    fn select(origin: &Origin, host: &'static str, forwarded: bool) -> Target {
        let value = &HeaderValue::from_static(host);
        target(origin, SentHost { value, forwarded }, OriginProtocol::Http).unwrap()
    }

    #[test]
    fn timeouts_and_tries_come_from_the_origin() {
        // CF-390, CF-391, CF-392, CF-394, CF-395
        let mut origin = custom_origin();
        origin.connection_attempts = 2;
        origin.connection_timeout = Duration::from_secs(3);
        origin.read_timeout = Duration::from_secs(7);
        origin.response_completion_timeout = Some(Duration::from_secs(60));
        let target = select(&origin, "origin.test", false);
        assert_eq!(
            target,
            Target {
                address: Address::Network {
                    host: "origin.test".into(),
                    port: 80
                },
                tls: None,
                connection_timeout: Duration::from_secs(3),
                connection_attempts: 2,
                read_timeout: Duration::from_secs(7),
                completion_timeout: Some(Duration::from_secs(60)),
                keepalive_timeout: Duration::from_secs(5),
            }
        );
    }

    #[test]
    fn a_try_takes_no_longer_than_is_left() {
        // CF-390, CF-394
        let seconds = Duration::from_secs;
        let mut origin = custom_origin();
        origin.connection_timeout = seconds(3);
        origin.read_timeout = seconds(7);
        let rows = [
            (0, None, 3, 7),
            (2, None, 1, 7),
            (4, None, 0, 7),
            (1, Some(5), 2, 5),
            (1, Some(1), 1, 1),
            (0, Some(0), 0, 0),
        ];
        for (spent, left, connecting, reading) in rows {
            let target =
                select(&origin, "origin.test", false).within(seconds(spent), left.map(seconds));
            assert_eq!(
                (target.connection_timeout, target.read_timeout),
                (seconds(connecting), seconds(reading)),
                "{spent} {left:?}"
            );
        }
    }

    #[test]
    fn sni_is_the_forwarded_host_or_the_domain_name() {
        // CF-423, LE-A43
        let names = |host, forwarded| {
            let tls = select(&https_origin(), host, forwarded).tls.unwrap();
            (tls.server_name, tls.other_name)
        };
        let name = |n: &str| Some(n.to_owned());
        assert_eq!(names("App.test", false), ("app.test".into(), None));
        assert_eq!(
            names("www.example.test:8080", true),
            ("www.example.test".into(), name("app.test"))
        );
        assert_eq!(
            names("www.example.test", false),
            ("app.test".into(), name("www.example.test"))
        );
        assert_eq!(names("", true), ("app.test".into(), None));
    }

    #[test]
    fn names_can_be_swapped_where_there_are_two() {
        // CF-423
        let tls = |server_name: &str, other_name: Option<&str>| Tls {
            server_name: server_name.into(),
            other_name: other_name.map(Into::into),
        };
        assert_eq!(tls("a", Some("b")).swapped(), tls("b", Some("a")));
        assert_eq!(tls("a", None).swapped(), tls("a", None));
    }

    #[test]
    fn an_origin_that_allows_no_version_on_offer_is_refused_by_name() {
        // CF-422, LE-111
        use SslProtocol::{SslV3, TlsV1, TlsV1_1, TlsV1_2};
        let value = &HeaderValue::from_static("app.test");
        let host = SentHost {
            value,
            forwarded: false,
        };
        let with = |protocol, versions: &[SslProtocol]| {
            let mut custom = CustomOrigin::new(protocol, 8443);
            custom.ssl_protocols = versions.to_vec();
            let origin = Origin::new("o", "app.test", OriginKind::Custom(custom));
            target(&origin, host, OriginProtocol::Http)
        };
        let https = OriginProtocol::Https;
        for versions in [&[TlsV1, TlsV1_2][..], &[TlsV1_2], &[SslV3, TlsV1_2]] {
            assert!(with(https, versions).is_ok(), "{versions:?}");
        }
        for versions in [&[TlsV1][..], &[TlsV1, TlsV1_1], &[SslV3], &[]] {
            let refused = with(https, versions).unwrap_err().to_string();
            assert!(refused.contains("sslProtocols"), "{refused}");
            // It says nothing about a connection without TLS.
            assert!(with(OriginProtocol::Http, versions).is_ok(), "{versions:?}");
        }
    }

    #[test]
    fn addresses_in_place_of_names_are_understood() {
        // CF-411
        for (domain, host) in [("[::1]", "::1"), ("::1", "::1"), ("127.0.0.1", "127.0.0.1")] {
            let mut origin = https_origin();
            origin.domain_name = domain.into();
            let target = select(&origin, "[::1]:8443", false);
            assert_eq!(
                target.address,
                Address::Network {
                    host: host.into(),
                    port: 8443
                }
            );
            assert_eq!(target.tls.unwrap().server_name, host);
        }
    }

    #[test]
    fn buckets_follow_the_viewers_scheme_and_go_unsigned() {
        // CF-430, LE-118
        let value = &HeaderValue::from_static("bucket.test");
        let host = SentHost {
            value,
            forwarded: false,
        };
        let secure = target(&s3_origin(), host, OriginProtocol::Https).unwrap();
        let port_443 = Address::Network {
            host: "bucket.test".into(),
            port: 443,
        };
        assert_eq!((&secure.address, secure.tls.is_some()), (&port_443, true));
        let plain = target(&s3_origin(), host, OriginProtocol::Http).unwrap();
        assert!(plain.tls.is_none());

        let mut signed = s3_origin();
        signed.kind = OriginKind::S3(S3Origin {
            auth_method: S3AuthMethod::OriginAccessIdentity,
            region: "eu-west-1".into(),
        });
        let refused = target(&signed, host, OriginProtocol::Https).unwrap_err();
        assert!(refused.to_string().contains("access control"), "{refused}");

        // CF-432: what is signed always goes over HTTPS, and else by the viewer's scheme. CF-436: an endpoint has its own.
        for (behavior, secure) in [
            (SigningBehavior::Always, true),
            (SigningBehavior::NoOverride, false),
        ] {
            signed.access = Some(Arc::new(OriginAccess {
                id: "control".to_owned(),
                behavior,
                credentials: Credentials {
                    access_key_id: "AKID".to_owned(),
                    secret_access_key: "secret".to_owned(),
                    session_token: None,
                },
            }));
            let plain = target(&signed, host, OriginProtocol::Http).unwrap();
            assert_eq!(plain.tls.is_some(), secure, "{behavior:?}");
        }
        signed.endpoint = Some(Endpoint {
            protocol: OriginProtocol::Http,
            host: "127.0.0.1".to_owned(),
            port: 9000,
            bucket: String::new(),
        });
        let elsewhere = target(&signed, host, OriginProtocol::Https).unwrap();
        let port_9000 = Address::Network {
            host: "127.0.0.1".into(),
            port: 9000,
        };
        assert_eq!(
            (&elsewhere.address, elsewhere.tls.is_some()),
            (&port_9000, false)
        );
    }

    #[test]
    fn directories_need_no_network() {
        let origin = Origin::new("site", "site", OriginKind::Dir("/srv/site".into()));
        let target = select(&origin, "site", false);
        assert_eq!(target.address, Address::Directory("/srv/site".into()));
        assert_eq!(target.tls, None);
    }
}
