//! The `node:` block as written.

use std::{net::SocketAddr, time::Duration};

use fourfront_model::{LimitProfile, PopCode};

use super::{Named, RawAdmin, RawBucket, shield::RawNodeShield, tls::RawViewers};
use crate::{
    AccessFormat, ApiQuotas, LogFormat, LogLevel, Quotas, ResolverSettings,
    cursor::{Block, Cursor, shorten},
    keys,
    report::Spanned,
};

/// Node settings; what is absent takes its default in stage three.
#[derive(Debug, Default)]
pub(crate) struct RawNode {
    pub(crate) listen: Option<Spanned<SocketAddr>>,
    pub(crate) admin: RawAdmin,
    pub(crate) metrics: Option<Spanned<SocketAddr>>,
    pub(crate) threads: Option<u64>,
    pub(crate) cache_memory: Option<Spanned<u64>>,
    pub(crate) max_object_size: Option<Spanned<u64>>,
    pub(crate) cache_disk: Option<Spanned<u64>>,
    pub(crate) hook_threads: Option<u64>,
    pub(crate) concurrency: Option<u64>,
    pub(crate) idle_timeout: Option<Duration>,
    pub(crate) local_egress: Option<bool>,
    pub(crate) private_egress: Option<bool>,
    pub(crate) function_name_prefix: Option<Spanned<String>>,
    pub(crate) modules_dir: Option<Spanned<String>>,
    pub(crate) limit_profile: Option<LimitProfile>,
    pub(crate) compute_budget: Option<Duration>,
    pub(crate) log_format: Option<LogFormat>,
    pub(crate) log_level: Option<LogLevel>,
    pub(crate) log_access: Option<bool>,
    pub(crate) access_format: Option<AccessFormat>,
    pub(crate) access_file: Option<Spanned<String>>,
    pub(crate) include_cookies: Option<bool>,
    pub(crate) log_directory: Option<Spanned<String>>,
    pub(crate) max_requests: Option<u64>,
    pub(crate) max_connections: Option<u64>,
    pub(crate) max_compressions: Option<u64>,
    pub(crate) quotas: Quotas,
    pub(crate) api_quotas: ApiQuotas,
    pub(crate) gzip_level: Option<u64>,
    pub(crate) brotli_level: Option<u64>,
    pub(crate) max_header_bytes: Option<Spanned<u64>>,
    pub(crate) max_url_bytes: Option<Spanned<u64>>,
    pub(crate) max_header_count: Option<u64>,
    pub(crate) max_body_bytes: Option<u64>,
    pub(crate) shutdown_grace: Option<Duration>,
    pub(crate) origin_ca: Option<Spanned<String>>,
    pub(crate) resolver: ResolverSettings,
    pub(crate) geo_databases: Vec<Spanned<String>>,
    pub(crate) trusted_proxies: Vec<Spanned<String>>,
    pub(crate) pop: Option<Spanned<PopCode>>,
    pub(crate) data_dir: Option<Spanned<String>>,
    pub(crate) viewers: RawViewers,
    pub(crate) origin_shield: Option<RawNodeShield>,
    pub(crate) buckets: Vec<Named<RawBucket>>,
}

/// More threads than any machine this runs on has cores; more is a slip.
const MOST_THREADS: u64 = 1024;

/// More at the same time than any machine has memory for.
const MOST_AT_ONCE: u64 = 100_000_000;

/// Bytes of a function's body: in base64 it has to fit into a result, which has 6 MiB at most (LE-136).
const MOST_FUNCTION_BODY: u64 = 4 << 20;

/// What the memory tier of the cache can be: less has no room for a usable object, and an object in memory is
/// weighed with 32 bits.
const LEAST_CACHE: u64 = 64 << 10;
/// The disk tier reclaims sixteen regions of 4 MiB in turn at least, and counts bytes with 43 bits.
const LEAST_DISK: u64 = 64 << 20;
const MOST_DISK: u64 = 8 << 40;
const LEAST_OBJECT: u64 = 4 << 10;
const LARGEST_OBJECT: u64 = 4 << 30;

impl RawNode {
    pub(crate) fn read(cursor: &Cursor<'_>) -> Option<Self> {
        let block = Block::open(cursor, &keys::NODE)?;
        let threads = |c: &Cursor<'_>| c.integer(1..=MOST_THREADS, "a number of threads");
        let most = |key, what| {
            let most = block
                .get(key)
                .and_then(|c| c.integer(1..=MOST_AT_ONCE, what));
            most.map(|m| m.value)
        };
        let mut raw = Self {
            listen: block.get("listen").and_then(address),
            admin: RawAdmin::read(&block),
            metrics: block.get("metrics").and_then(address),
            threads: block.get("threads").and_then(threads).map(|t| t.value),
            max_requests: most("max_requests", "a number of requests"),
            max_connections: most("max_connections", "a number of connections"),
            cache_memory: block
                .get("cache_memory")
                .and_then(|c| c.size(LEAST_CACHE..=1 << 50)),
            cache_disk: block
                .get("cache_disk")
                .and_then(|c| c.size(LEAST_DISK..=MOST_DISK)),
            max_object_size: block
                .get("max_object_size")
                .and_then(|c| c.size(LEAST_OBJECT..=LARGEST_OBJECT)),
            shutdown_grace: block
                .get("shutdown_grace")
                .and_then(|c| c.seconds(86_400))
                .map(|s| s.value),
            origin_ca: block.get("origin_ca").and_then(Cursor::text),
            resolver: block
                .get("resolver")
                .and_then(super::resolver::read)
                .unwrap_or_default(),
            geo_databases: block
                .get("geo_database")
                .and_then(|c| one_or_more(c, "a file or a list of files"))
                .unwrap_or_default(),
            trusted_proxies: block
                .get("trusted_proxies")
                .and_then(|c| one_or_more(c, "a network or a list of networks"))
                .unwrap_or_default(),
            pop: block.get("pop").and_then(pop),
            data_dir: block.get("data_dir").and_then(Cursor::text),
            viewers: RawViewers::read(&block),
            origin_shield: block.get("origin_shield").and_then(RawNodeShield::read),
            buckets: RawBucket::read_all(&block),
            ..Self::default()
        };
        if let Some(hooks) = block
            .get("hooks")
            .and_then(|c| Block::open(c, &keys::HOOKS))
        {
            raw.hook_threads = hooks.get("threads").and_then(threads).map(|t| t.value);
            raw.concurrency = hooks
                .get("concurrency")
                .and_then(|c| c.integer(1..=1_000_000, "a number of calls"))
                .map(|c| c.value);
            raw.idle_timeout = hooks
                .get("idle_timeout")
                .and_then(|c| c.seconds(86_400))
                .map(|s| s.value);
            raw.local_egress = hooks
                .get("local_egress")
                .and_then(Cursor::boolean)
                .map(|b| b.value);
            raw.private_egress = hooks
                .get("private_egress")
                .and_then(Cursor::boolean)
                .map(|b| b.value);
            raw.function_name_prefix = hooks.get("function_name_prefix").and_then(name_prefix);
            raw.compute_budget = hooks
                .get("compute_budget")
                .and_then(|c| c.seconds(1))
                .map(|s| s.value);
            raw.modules_dir = hooks.get("modules_dir").and_then(Cursor::text);
            raw.limit_profile = hooks
                .get("limit_profile")
                .and_then(|c| {
                    c.choice(&[
                        ("aws-current", Ok(LimitProfile::AwsCurrent)),
                        ("aws-2023", Ok(LimitProfile::Aws2023)),
                    ])
                })
                .map(|c| c.value);
        }
        if let Some(log) = block.get("log").and_then(|c| Block::open(c, &keys::LOG)) {
            raw.read_log(&log);
        }
        if let Some(compression) = block
            .get("compression")
            .and_then(|c| Block::open(c, &keys::COMPRESSION))
        {
            let level = |key, range| {
                let level = compression.get(key);
                level
                    .and_then(|c| c.integer(range, "a level of compression"))
                    .map(|l| l.value)
            };
            raw.gzip_level = level("gzip_level", 1..=9);
            raw.brotli_level = level("brotli_level", 0..=11);
            raw.max_compressions = compression
                .get("max_in_flight")
                .and_then(|c| c.integer(1..=MOST_AT_ONCE, "a number of bodies"))
                .map(|m| m.value);
        }
        if let Some(limits) = block
            .get("limits")
            .and_then(|c| Block::open(c, &keys::LIMITS))
        {
            raw.read_limits(&limits);
        }
        if let Some(quotas) = block.get("quotas") {
            raw.api_quotas = super::quotas::read(quotas);
        }
        Some(raw)
    }

    fn read_log(&mut self, log: &Block<'_>) {
        let format = log.get("format").and_then(|c| {
            c.choice(&[("text", Ok(LogFormat::Text)), ("json", Ok(LogFormat::Json))])
        });
        self.log_format = format.map(|c| c.value);
        let levels = [
            LogLevel::Error,
            LogLevel::Warn,
            LogLevel::Info,
            LogLevel::Debug,
            LogLevel::Trace,
        ]
        .map(|l| (l.as_str(), Ok(l)));
        self.log_level = log
            .get("level")
            .and_then(|c| c.choice(&levels))
            .map(|c| c.value);
        self.log_access = log.get("access").and_then(Cursor::boolean).map(|b| b.value);
        let access_format = log.get("access_format").and_then(|c| {
            c.choice(&[
                ("text", Ok(AccessFormat::Text)),
                ("json", Ok(AccessFormat::Json)),
                ("w3c", Ok(AccessFormat::W3c)),
            ])
        });
        self.access_format = access_format.map(|f| f.value);
        self.access_file = log.get("access_file").and_then(Cursor::text);
        let cookies = log.get("include_cookies").and_then(Cursor::boolean);
        self.include_cookies = cookies.map(|b| b.value);
        self.log_directory = log.get("directory").and_then(Cursor::text);
    }

    fn read_limits(&mut self, limits: &Block<'_>) {
        // The floors leave room for the smallest request a browser sends.
        self.max_header_bytes = limits
            .get("max_header_bytes")
            .and_then(|c| c.size(1 << 10..=1 << 20));
        self.max_url_bytes = limits
            .get("max_url_bytes")
            .and_then(|c| c.size(64..=1 << 20));
        self.max_header_count = limits
            .get("max_header_count")
            .and_then(|c| c.integer(1..=10_000, "a number of headers"))
            .map(|c| c.value);
        self.max_body_bytes = limits
            .get("max_body_bytes")
            .and_then(|c| c.size(0..=1 << 50))
            .map(|c| c.value);
        self.read_quotas(limits);
    }

    /// CF-812. The ceilings are what the node's own forms can hold.
    fn read_quotas(&mut self, limits: &Block<'_>) {
        let size = |key, range| {
            let size = limits.get(key).and_then(|c| c.size(range));
            size.and_then(|s| usize::try_from(s.value).ok())
        };
        let number = |key, range, what| {
            let number = limits.get(key).and_then(|c| c.integer(range, what));
            number.and_then(|n| usize::try_from(n.value).ok())
        };
        let quotas = &mut self.quotas;
        let given = [
            (
                &mut quotas.max_origin_header_bytes,
                size("max_origin_header_bytes", 1 << 10..=1 << 20),
            ),
            (
                &mut quotas.max_viewer_function_body,
                size("max_viewer_function_body", 0..=MOST_FUNCTION_BODY),
            ),
            (
                &mut quotas.max_origin_function_body,
                size("max_origin_function_body", 0..=MOST_FUNCTION_BODY),
            ),
            (
                &mut quotas.max_cache_tags,
                number("max_cache_tags", 1..=255, "a number of tags"),
            ),
            (
                &mut quotas.max_cache_tag_length,
                number("max_cache_tag_length", 1..=4096, "a number of characters"),
            ),
            (
                &mut quotas.max_invalidation_items,
                number("max_invalidation_items", 1..=100_000, "a number of paths"),
            ),
            (
                &mut quotas.max_invalidation_wildcards,
                number(
                    "max_invalidation_wildcards",
                    0..=100_000,
                    "a number of paths",
                ),
            ),
        ];
        for (quota, value) in given {
            *quota = value.unwrap_or(*quota);
        }
    }
}

pub(super) fn one_or_more(cursor: &Cursor<'_>, what: &str) -> Option<Vec<Spanned<String>>> {
    match cursor.scalar() {
        Some(_) => cursor.text().map(|one| vec![one]),
        None => cursor.texts(what),
    }
}

/// CF-502.
fn pop(cursor: &Cursor<'_>) -> Option<Spanned<PopCode>> {
    let text = cursor.text()?;
    match text.value.parse() {
        Ok(code) => Some(text.map(|_| code)),
        Err(e) => {
            let message = format!("`{}`: {e}", shorten(&text.value));
            cursor.error(message);
            None
        }
    }
}

/// LE-326: what a name may hold, and the dot that ends AWS's own prefix. An empty text is no prefix.
fn name_prefix(cursor: &Cursor<'_>) -> Option<Spanned<String>> {
    let text = cursor.text()?;
    let fits = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
    if text.value.len() <= 64 && text.value.bytes().all(fits) {
        return Some(text);
    }
    cursor.error_help(
        format!(
            "`{}` cannot begin the name of a function",
            shorten(&text.value)
        ),
        "at most 64 letters, digits, `-`, `_` and `.`; AWS's is `us-east-1.`".to_owned(),
    );
    None
}

pub(super) fn address(cursor: &Cursor<'_>) -> Option<Spanned<SocketAddr>> {
    let text = cursor.text()?;
    match text.value.parse() {
        Ok(address) => Some(text.map(|_| address)),
        Err(_) => {
            cursor.error_help(
                format!("`{}` is not an address to listen on", text.value),
                "write address and port, such as `0.0.0.0:8080` or `[::1]:8080`".to_owned(),
            );
            None
        }
    }
}
