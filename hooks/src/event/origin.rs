//! The origin object of origin triggers (LE section 2.3): what a function sees in `request.origin`
//! and may put there, and its way to and from a configured [`Origin`].

use std::time::Duration;

use fourfront_model::{
    CustomOrigin, Origin, OriginKind, OriginProtocol, S3AuthMethod, S3Origin, SslProtocol,
};

use super::json;

/// `request.origin`: exactly one of `custom` and `s3` (LE-100). Times are whole seconds, as functions
/// read and write them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OriginObject {
    /// Names in the casing they are sent with, and values. Lines of one name stand together, as a map of header
    /// names has them (LE-101). Functions read settings from them that elsewhere would be variables (LE-344).
    pub custom_headers: Vec<(String, String)>,
    /// Where the request goes (LE-103, LE-104).
    pub domain_name: String,
    /// Prefix of the path sent: empty, or `/x` without a trailing slash (LE-105).
    pub path: String,
    /// Seconds between bytes (LE-109).
    pub read_timeout: u32,
    /// Seconds for the whole answer; `None` is unlimited (LE-110).
    pub response_completion_timeout: Option<u32>,
    /// What only one of the two kinds has.
    pub kind: OriginObjectKind,
}

/// `custom` or `s3`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OriginObjectKind {
    /// An HTTP server.
    Custom {
        /// Seconds an idle connection is kept (LE-108).
        keepalive_timeout: u32,
        /// TCP port (LE-106).
        port: u16,
        /// Scheme (LE-107).
        protocol: OriginProtocol,
        /// Permitted TLS versions (LE-111).
        ssl_protocols: Vec<SslProtocol>,
    },
    /// An S3 bucket endpoint.
    S3 {
        /// Whether requests are signed (LE-112, LE-118).
        auth_method: S3AuthMethod,
        /// Bucket region; may be empty when unsigned (LE-113).
        region: String,
    },
}

/// The id of an origin that exists only in a function's answer.
const HOOK_ORIGIN_ID: &str = "hook";

impl From<&Origin> for OriginObject {
    fn from(origin: &Origin) -> Self {
        let kind = match &origin.kind {
            OriginKind::Custom(c) => OriginObjectKind::Custom {
                keepalive_timeout: seconds(c.keepalive_timeout),
                port: c.port,
                protocol: c.protocol,
                ssl_protocols: c.ssl_protocols.clone(),
            },
            OriginKind::S3(s) => OriginObjectKind::S3 {
                auth_method: s.auth_method,
                region: s.region.clone(),
            },
            // A directory stands in for an unsigned bucket.
            OriginKind::Dir(_) => OriginObjectKind::S3 {
                auth_method: S3AuthMethod::None,
                region: String::new(),
            },
        };
        Self {
            custom_headers: grouped(&origin.custom_headers),
            domain_name: origin.domain_name.clone(),
            path: origin.origin_path.clone(),
            read_timeout: seconds(origin.read_timeout),
            response_completion_timeout: origin.response_completion_timeout.map(seconds),
            kind,
        }
    }
}

impl OriginObject {
    /// Whether both are `custom` or both are `s3`.
    pub const fn same_kind(&self, other: &Self) -> bool {
        matches!(
            (&self.kind, &other.kind),
            (
                OriginObjectKind::Custom { .. },
                OriginObjectKind::Custom { .. }
            ) | (OriginObjectKind::S3 { .. }, OriginObjectKind::S3 { .. })
        )
    }

    /// `custom` or `s3`, the key the object stands under.
    pub const fn kind_name(&self) -> &'static str {
        match self.kind {
            OriginObjectKind::Custom { .. } => "custom",
            OriginObjectKind::S3 { .. } => "s3",
        }
    }

    /// The origin to fetch from when a function answered with this object in place of `configured`.
    ///
    /// The object replaces the old one as a whole (LE-116) and need not name an origin of the configuration
    /// (LE-115). What it cannot say (connection attempts and
    /// their timeout) stays as configured. The id stays when kind and domain name do, so that pools and
    /// metrics see the same origin; otherwise it is `hook`. A directory stays a directory under the same
    /// condition.
    pub fn to_origin(&self, configured: &Origin) -> Origin {
        let shown = Self::from(configured);
        let same = self.same_kind(&shown)
            && self
                .domain_name
                .eq_ignore_ascii_case(&configured.domain_name);
        // Whole seconds are what functions see; a configured fraction they left alone is kept.
        let keep = |now: u32, was: Duration| {
            if now == seconds(was) {
                was
            } else {
                Duration::from_secs(now.into())
            }
        };
        let kind = match (&self.kind, &configured.kind) {
            (
                OriginObjectKind::Custom {
                    keepalive_timeout,
                    port,
                    protocol,
                    ssl_protocols,
                },
                configured,
            ) => OriginKind::Custom(CustomOrigin {
                protocol: *protocol,
                port: *port,
                ssl_protocols: ssl_protocols.clone(),
                keepalive_timeout: match configured {
                    OriginKind::Custom(c) => keep(*keepalive_timeout, c.keepalive_timeout),
                    _ => Duration::from_secs((*keepalive_timeout).into()),
                },
            }),
            (OriginObjectKind::S3 { .. }, OriginKind::Dir(root)) if same => {
                OriginKind::Dir(root.clone())
            }
            (
                OriginObjectKind::S3 {
                    auth_method,
                    region,
                },
                _,
            ) => OriginKind::S3(S3Origin {
                auth_method: *auth_method,
                region: region.clone(),
            }),
        };
        let mut origin = Origin {
            id: if same {
                configured.id.clone()
            } else {
                HOOK_ORIGIN_ID.to_owned()
            },
            domain_name: self.domain_name.clone(),
            origin_path: self.path.clone(),
            custom_headers: self.custom_headers.clone(),
            connection_attempts: configured.connection_attempts,
            connection_timeout: configured.connection_timeout,
            read_timeout: keep(self.read_timeout, configured.read_timeout),
            response_completion_timeout: self.response_completion_timeout.map(|t| {
                let was = configured.response_completion_timeout;
                was.map_or_else(|| Duration::from_secs(t.into()), |was| keep(t, was))
            }),
            kind,
            // LE-118
            access: configured.access.clone(),
            endpoint: configured.endpoint.clone().filter(|_| same),
            ip_address_type: configured.ip_address_type,
            ca: None,
            pool: None,
            shield: None,
            // A function names a protocol.
            secure: None,
        };
        origin.keep_server_of(configured);
        origin
    }

    /// Writes the object with the field set of its kind (LE-100..113).
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        out.push(b'{');
        json::string(out, self.kind_name());
        out.extend_from_slice(br#":{"customHeaders":"#);
        self.write_custom_headers(out);
        out.extend_from_slice(br#","domainName":"#);
        json::string(out, &self.domain_name);
        out.extend_from_slice(br#","path":"#);
        json::string(out, &self.path);
        out.extend_from_slice(br#","readTimeout":"#);
        json::display(out, self.read_timeout);
        if let Some(t) = self.response_completion_timeout {
            out.extend_from_slice(br#","responseCompletionTimeout":"#);
            json::display(out, t);
        }
        match &self.kind {
            OriginObjectKind::Custom {
                keepalive_timeout,
                port,
                protocol,
                ssl_protocols,
            } => {
                out.extend_from_slice(br#","keepaliveTimeout":"#);
                json::display(out, keepalive_timeout);
                out.extend_from_slice(br#","port":"#);
                json::display(out, port);
                out.extend_from_slice(br#","protocol":"#);
                json::string(out, protocol.as_str());
                out.extend_from_slice(br#","sslProtocols":["#);
                for (n, p) in ssl_protocols.iter().enumerate() {
                    if n > 0 {
                        out.push(b',');
                    }
                    json::string(out, p.as_str());
                }
                out.push(b']');
            }
            OriginObjectKind::S3 {
                auth_method,
                region,
            } => {
                out.extend_from_slice(br#","authMethod":"#);
                json::string(out, auth_method.as_str());
                out.extend_from_slice(br#","region":"#);
                json::string(out, region);
            }
        }
        out.extend_from_slice(b"}}");
    }

    fn write_custom_headers(&self, out: &mut Vec<u8>) {
        out.push(b'{');
        let mut open: Option<&str> = None;
        for (key, value) in &self.custom_headers {
            if open.is_some_and(|k| k.eq_ignore_ascii_case(key)) {
                out.push(b',');
            } else {
                if open.is_some() {
                    out.extend_from_slice(b"],");
                }
                json::string(out, &key.to_ascii_lowercase());
                out.extend_from_slice(b":[");
                open = Some(key);
            }
            out.extend_from_slice(br#"{"key":"#);
            json::string(out, key);
            out.extend_from_slice(br#","value":"#);
            json::string(out, value);
            out.push(b'}');
        }
        if open.is_some() {
            out.push(b']');
        }
        out.push(b'}');
    }
}

/// Whole seconds, rounded up: a time that exists never shows as none.
fn seconds(time: Duration) -> u32 {
    let whole = time.as_secs() + u64::from(time.subsec_nanos() > 0);
    u32::try_from(whole).unwrap_or(u32::MAX)
}

/// Lines of one name brought together, names in first-seen order.
pub(crate) fn grouped(lines: &[(String, String)]) -> Vec<(String, String)> {
    let mut out: Vec<(String, String)> = Vec::with_capacity(lines.len());
    for line in lines {
        let after = out
            .iter()
            .rposition(|(key, _)| key.eq_ignore_ascii_case(&line.0));
        out.insert(after.map_or(out.len(), |i| i + 1), line.clone());
    }
    out
}
