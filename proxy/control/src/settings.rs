//! What the `node:` block sets: listeners, memory, limits (CP-640). These are read at start; the site part
//! of the file can change under a running node.

use std::{collections::BTreeMap, net::SocketAddr, path::PathBuf, time::Duration};

use fourfront_model::{LimitProfile, PopCode, Shield, ShieldRegion, ShieldSecret, TrustedProxies};

use crate::{ApiQuotas, api::Account};

/// Node settings, each with its default.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeSettings {
    /// Viewer listener, plain HTTP. Default `0.0.0.0:8080`.
    pub listen: SocketAddr,
    /// Admin listener. Default `127.0.0.1:9400`.
    pub admin: SocketAddr,
    /// Listener for health, readiness and metrics alone, on any address (CP-620); `None` without one.
    pub metrics: Option<SocketAddr>,
    /// Proxy worker threads; `None` is one per core.
    pub threads: Option<usize>,
    /// How much it takes on at the same time.
    pub load: LoadSettings,
    /// Bytes the memory tier of the cache may hold. Default 256 MiB.
    pub cache_memory: u64,
    /// Longest body stored, in bytes (CF-221); `None` is an eighth of the cache.
    pub max_object_size: Option<u64>,
    /// Bytes of the disk tier, in `data_dir`; `None` without one.
    pub cache_disk: Option<u64>,
    /// Where and how functions run.
    pub hooks: HookSettings,
    /// What is logged.
    pub log: LogSettings,
    /// What a viewer request may be at most.
    pub limits: RequestLimits,
    /// What else AWS limits.
    pub quotas: Quotas,
    /// How hard bodies are compressed, where a behaviour has them compressed.
    pub compression: CompressionSettings,
    /// How long requests in flight may take to end after a stop signal. Default 30 s.
    pub shutdown_grace: Duration,
    /// PEM file with certificate authorities trusted for `https` origins besides the public ones (CF-423).
    pub origin_ca: Option<PathBuf>,
    /// Who is asked for the addresses of origins' names, and how long answers are used.
    pub resolver: ResolverSettings,
    /// Databases in MaxMind's format that say where a viewer is and whose network it is in (CF-377..380, CF-601); the first
    /// that knows a fact counts.
    pub geo_databases: Vec<PathBuf>,
    /// Proxies in front of the node that tell whom they speak for (CF-354). Default none.
    pub trusted_proxies: TrustedProxies,
    /// Where the node says it is (CF-502); `None` is what its name comes to.
    pub pop: Option<PopCode>,
    /// Directory for what the node remembers over a restart: its invalidations (CF-661, CP-560). `None`: nothing.
    pub data_dir: Option<PathBuf>,
    /// How viewers connect.
    pub viewers: ViewerSettings,
    /// Who may change what it serves, and what resources are called there.
    pub control: ControlSettings,
    /// How much may be deployed (CP-120). Read anew with the site part.
    pub api_quotas: ApiQuotas,
    /// Origins' shields, and whether it is one (CF-415). Read anew with the site part.
    pub shield: ShieldSettings,
}

impl Default for NodeSettings {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([0, 0, 0, 0], 8080)),
            admin: SocketAddr::from(([127, 0, 0, 1], 9400)),
            metrics: None,
            threads: None,
            load: LoadSettings::default(),
            cache_memory: 256 << 20,
            max_object_size: None,
            cache_disk: None,
            hooks: HookSettings::default(),
            log: LogSettings::default(),
            limits: RequestLimits::default(),
            quotas: Quotas::default(),
            compression: CompressionSettings::default(),
            shutdown_grace: Duration::from_secs(30),
            origin_ca: None,
            resolver: ResolverSettings::default(),
            geo_databases: Vec::new(),
            trusted_proxies: TrustedProxies::default(),
            pop: None,
            data_dir: None,
            viewers: ViewerSettings::default(),
            control: ControlSettings::default(),
            api_quotas: ApiQuotas::default(),
            shield: ShieldSettings::default(),
        }
    }
}

/// Who is let in at the admin listener (CP-400).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AdminAuth {
    /// Who signs with a key of the node's, or comes by its socket.
    #[default]
    SigV4,
    /// Whoever reaches it, which only this machine may.
    Any,
}

/// What becomes of members of a document that no version of the API is known to have (CP-023).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UnknownFields {
    /// They are kept, told and have no effect.
    #[default]
    Keep,
    /// The call is refused.
    Reject,
}

/// The admin endpoint, where the node keeps control state.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ControlSettings {
    /// Who is let in. Default `sigv4`.
    pub auth: AdminAuth,
    /// Whether it may be reached from elsewhere without TLS (CP-401). Default false.
    pub insecure: bool,
    /// The Unix socket for the node's own user and root; `None` is `admin.sock` in the data directory.
    pub socket: Option<PathBuf>,
    /// What it shows on TLS; without, it speaks plain HTTP.
    pub certificate: Option<CertificateFiles>,
    /// Account, region and domain in names of resources.
    pub account: Account,
    /// Minutes that a caller's clock may be off. Default 15 (CP-412).
    pub clock_skew: Option<u8>,
    /// What stored secrets are sealed with; `None` is `master.key` in the data directory, made at the first start (CP-430).
    pub master_key_file: Option<PathBuf>,
    /// Directories that stand for buckets which code and imports come from (CP-075).
    pub artifacts: BTreeMap<String, PathBuf>,
    /// What becomes of unknown members of documents. Default `keep`.
    pub unknown_fields: UnknownFields,
    /// Origins of web pages that may read its answers, as browsers name them; `*` is any (CP-011). Default none.
    pub cors: Vec<String>,
}

/// The tier between this node and origins (CF-415).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ShieldSettings {
    /// The region that it shields origins for; `None` where it serves viewers alone.
    pub serves: Option<ShieldRegion>,
    /// What the nodes of both tiers know each other by. The first seals; all are heard, so that one can follow another.
    pub secrets: Vec<ShieldSecret>,
    /// Who shields origins for other regions.
    pub shields: Vec<Shield>,
}

impl ShieldSettings {
    /// The shield of a region.
    pub fn of(&self, region: &ShieldRegion) -> Option<&Shield> {
        self.shields.iter().find(|shield| shield.region == *region)
    }
}

/// How names of origins are resolved (CF-398).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResolverSettings {
    /// Name servers; `None` are the system's.
    pub servers: Option<Vec<SocketAddr>>,
    /// How long an answer is used at most. Default a day.
    pub max_ttl: Duration,
    /// How long the last answer is used beyond that when no other can be had. Default one hour.
    pub stale_ttl: Duration,
}

impl Default for ResolverSettings {
    fn default() -> Self {
        Self {
            servers: None,
            max_ttl: Duration::from_secs(86_400),
            stale_ttl: Duration::from_secs(3_600),
        }
    }
}

/// How viewers connect, beside [`NodeSettings::listen`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ViewerSettings {
    /// Viewer listener, HTTPS. Default `0.0.0.0:8443` where there are certificates, else none.
    pub listen_https: Option<SocketAddr>,
    /// The port that viewers are sent to by redirects (CF-523); `None` is that of the listener.
    pub https_port: Option<u16>,
    /// What can be shown, in file order (CF-095).
    pub certificates: Vec<CertificateFiles>,
    /// Which of them is shown to those who name no host, or one that no certificate is for: an index. Default the first.
    pub default_certificate: usize,
    /// How long a handshake may take, and a header of the PROXY protocol before it. Default 10 s.
    pub handshake_timeout: Duration,
    /// How long a WebSocket may go without a byte from the origin to the viewer (CF-399). Default 10 minutes.
    pub websocket_idle_timeout: Duration,
    /// HTTP/2 on the listener for plain HTTP, for viewers who know (RFC 9113 section 3.3). Default false.
    pub h2_cleartext: bool,
    /// Requests at the same time on one connection of HTTP/2. Default 100.
    pub h2_streams: u32,
    /// Whether every connection begins with a header of the PROXY protocol, version 1 or 2. Default false.
    pub proxy_protocol: bool,
}

impl Default for ViewerSettings {
    fn default() -> Self {
        Self {
            listen_https: None,
            https_port: None,
            certificates: Vec::new(),
            default_certificate: 0,
            handshake_timeout: Duration::from_secs(10),
            websocket_idle_timeout: Duration::from_secs(600),
            h2_cleartext: false,
            h2_streams: 100,
            proxy_protocol: false,
        }
    }
}

/// A certificate and its key, as files (CF-095).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateFiles {
    /// How distributions call it: a name, or an ARN.
    pub label: String,
    /// PEM: the certificate, then those between it and the authority.
    pub cert: PathBuf,
    /// PEM: the private key.
    pub key: PathBuf,
}

/// Where and how functions run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HookSettings {
    /// Threads that run JavaScript; `None` is one per core.
    pub threads: Option<usize>,
    /// Calls of one function at the same time; one more is 503-L (LE-265). Default 100.
    pub concurrency: usize,
    /// How long an isolate that nobody calls is kept (LE-350). Default ten minutes.
    pub idle_timeout: Duration,
    /// Whether functions reach this machine's own addresses, by connections of their own or by an origin that
    /// they name (LE-346). The admin listener stays out of reach. Default false.
    pub local_egress: bool,
    /// Whether they reach the addresses of private networks in the same ways (LE-346, LE-A50). Default false.
    pub private_egress: bool,
    /// What stands before a function's name in `context` and the environment (LE-326). Default `us-east-1.`, which
    /// replicas on AWS report.
    pub function_name_prefix: String,
    /// A directory of packages for all functions, which see it at `/opt/nodejs/node_modules` (NC-72).
    pub modules_dir: Option<PathBuf>,
    /// Which of AWS's published ceilings bind functions of strict distributions (LE-262).
    pub limit_profile: LimitProfile,
    /// Processor time that is 100 percent of a CloudFront Function's compute utilisation (LE-437). Default 1 ms.
    pub compute_budget: Duration,
}

impl Default for HookSettings {
    fn default() -> Self {
        Self {
            threads: None,
            concurrency: 100,
            idle_timeout: Duration::from_secs(600),
            local_egress: false,
            private_egress: false,
            function_name_prefix: "us-east-1.".to_owned(),
            modules_dir: None,
            limit_profile: LimitProfile::default(),
            compute_budget: Duration::from_millis(1),
        }
    }
}

/// How much a node takes on at the same time. What is beyond is refused at once, so that what is under way goes on
/// (CF-773). `None` is as much as memory and the system's limits allow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LoadSettings {
    /// Viewers' requests being served; one more is answered 503. nginx's `limit_conn` counts so. Default none.
    pub max_requests: Option<usize>,
    /// Viewers' connections, idle ones included; one more is told 503, or closed where it begins with TLS. nginx's
    /// `worker_connections`. Default none.
    pub max_connections: Option<usize>,
}

/// Limits of AWS's beside those of a viewer's request, each AWS's own unless configured (CF-812).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quotas {
    /// Bytes of the header section of an origin's response; beyond: 502 (CF-363). Default 32,768.
    pub max_origin_header_bytes: usize,
    /// Bytes of a request body that a function at a viewer's trigger is shown, and of a body it makes (LE-123, LE-162).
    /// Default 40,960.
    pub max_viewer_function_body: usize,
    /// The same at an origin's trigger. Default 1,048,576.
    pub max_origin_function_body: usize,
    /// Tags of one response; what comes after them is ignored (CF-671). Default 50.
    pub max_cache_tags: usize,
    /// Characters of a tag; longer ones are ignored, or refused in an invalidation (CF-671). Default 256.
    pub max_cache_tag_length: usize,
    /// Paths and tags of one invalidation (CP-140). Default 3,000.
    pub max_invalidation_items: usize,
    /// Those of them with a wildcard (CP-140). Default 15.
    pub max_invalidation_wildcards: usize,
}

impl Default for Quotas {
    fn default() -> Self {
        Self {
            max_origin_header_bytes: 32_768,
            max_viewer_function_body: 40 * 1024,
            max_origin_function_body: 1024 * 1024,
            max_cache_tags: 50,
            max_cache_tag_length: 256,
            max_invalidation_items: 3_000,
            max_invalidation_wildcards: 15,
        }
    }
}

/// Levels of compression at the edge (CF-606).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CompressionSettings {
    /// 1 to 9. Default 6.
    pub gzip_level: u32,
    /// 0 to 11. Default 5.
    pub brotli_level: u32,
    /// Bodies that are compressed at the same time; while there are as many, others stay as they are (CF-605). Default 512.
    pub max_in_flight: usize,
}

impl Default for CompressionSettings {
    fn default() -> Self {
        Self {
            gzip_level: 6,
            brotli_level: 5,
            max_in_flight: 512,
        }
    }
}

/// What is logged and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogSettings {
    /// Default text.
    pub format: LogFormat,
    /// Least level that is written. Default info.
    pub level: LogLevel,
    /// Whether each request leaves an access record. Default true.
    pub access: bool,
    /// Form of access records. Default that of the other records.
    pub access_format: AccessFormat,
    /// The file they go to; `None` is standard output.
    pub access_file: Option<PathBuf>,
    /// Whether they hold viewers' cookies, in the forms that have a field for them. Default false.
    pub include_cookies: bool,
    /// Where directories stand for the buckets that distributions name (CF-045). Default `logs` in `data_dir`, where
    /// there is one.
    pub directory: Option<PathBuf>,
}

impl Default for LogSettings {
    fn default() -> Self {
        Self {
            format: LogFormat::default(),
            level: LogLevel::default(),
            access: true,
            access_format: AccessFormat::default(),
            access_file: None,
            include_cookies: false,
            directory: None,
        }
    }
}

/// Form of log records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// Lines for people.
    #[default]
    Text,
    /// One JSON object per line.
    Json,
}

/// Form of access records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AccessFormat {
    /// Lines for people.
    #[default]
    Text,
    /// One JSON object per line (CF-706).
    Json,
    /// CloudFront's standard log, version 1 (CF-700).
    W3c,
}

impl From<LogFormat> for AccessFormat {
    fn from(format: LogFormat) -> Self {
        match format {
            LogFormat::Text => Self::Text,
            LogFormat::Json => Self::Json,
        }
    }
}

/// Least level that is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    /// The node failed at something.
    Error,
    /// And what an operator should look at.
    Warn,
    /// And what happened.
    #[default]
    Info,
    /// And why.
    Debug,
    /// Everything.
    Trace,
}

impl LogLevel {
    /// The word in the site file, which is also `tracing`'s.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}

/// What a viewer request may be at most (CF-360..364).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestLimits {
    /// Bytes of request line and headers; beyond: 494 (CF-360). Default 32,768.
    pub max_header_bytes: u64,
    /// Bytes of the URL; beyond: 414 (CF-361). Default 8,192.
    pub max_url_bytes: u64,
    /// Number of header fields; beyond: 400 (CF-364). Default 200.
    pub max_header_count: usize,
    /// Bytes of the body; beyond: 413 (CF-362). Default 64 GB, counted as AWS does, in powers of two.
    pub max_body_bytes: u64,
}

impl Default for RequestLimits {
    fn default() -> Self {
        Self {
            max_header_bytes: 32_768,
            max_url_bytes: 8_192,
            max_header_count: 200,
            max_body_bytes: 64 << 30,
        }
    }
}
