//! Node settings: defaults filled in, values held against each other.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
};

use fourfront_model::TrustedProxies;

use super::{Context, admin, files, shield, tls};
use crate::{
    CompressionSettings, HookSettings, LoadSettings, LogSettings, NodeSettings, RequestLimits,
    raw::RawNode, report::Spanned,
};

/// CF-354. Every text that is no network is told of.
fn trusted_proxies(raw: &[Spanned<String>], context: &Context<'_>) -> TrustedProxies {
    let networks = raw.iter().filter(|text| {
        let faulty = TrustedProxies::new([&*text.value]).err();
        if let Some(e) = &faulty {
            context.report.error(&text.at, e.to_string());
        }
        faulty.is_none()
    });
    TrustedProxies::new(networks.map(|text| &*text.value)).unwrap_or_default()
}

/// The directory in which directories stand for buckets (CF-045).
pub(crate) fn log_directory(raw: &RawNode, base_dir: &Path) -> Option<PathBuf> {
    let given = raw
        .log_directory
        .as_ref()
        .map(|dir| PathBuf::from(&dir.value));
    let beside = raw
        .data_dir
        .as_ref()
        .map(|dir| Path::new(&dir.value).join("logs"));
    let path = given.or(beside)?;
    Some(base_dir.join(path).components().collect())
}

/// Two listeners cannot have one port of one address.
fn separate_ports(
    metrics: &Spanned<SocketAddr>,
    others: &[(&str, SocketAddr)],
    context: &Context<'_>,
) {
    let own = metrics.value;
    for (name, other) in others {
        let one_port = own.port() == other.port() && other.port() != 0;
        let overlap =
            own.ip() == other.ip() || own.ip().is_unspecified() || other.ip().is_unspecified();
        if one_port && overlap {
            let message = format!("`metrics` {own} and `{name}` {other} are one port");
            context.report.error(&metrics.at, message);
        }
    }
}

pub(crate) fn lower(
    raw: RawNode,
    context: &Context<'_>,
    watched: &mut Vec<PathBuf>,
) -> NodeSettings {
    let report = context.report;
    let default = NodeSettings::default();
    let default_limits = RequestLimits::default();

    let listen = raw.listen.as_ref().map_or(default.listen, |l| l.value);
    let admin_at = raw.admin.listen.as_ref().map(|l| l.at.clone());
    let admin = raw.admin.listen.as_ref();
    let admin = admin.map_or(default.admin, |a| a.value);
    let control = admin::lower(raw.admin, admin, raw.data_dir.is_some(), context);
    let same_port = listen.port() == admin.port() && listen.port() != 0;
    let overlap = listen.ip() == admin.ip() || listen.ip().is_unspecified();
    if let Some(at) = admin_at.or_else(|| raw.listen.map(|l| l.at))
        && same_port
        && overlap
    {
        let message = format!("`listen` {listen} and `admin` {admin} are one port");
        report.error(&at, message);
    }

    let metrics = raw.metrics.as_ref().map(|m| m.value);
    if let Some(metrics) = &raw.metrics {
        separate_ports(metrics, &[("listen", listen), ("admin", admin)], context);
    }

    let cache_memory = raw
        .cache_memory
        .as_ref()
        .map_or(default.cache_memory, |c| c.value);
    let cache_disk = raw.cache_disk.as_ref().map(|c| c.value);
    if let Some(disk) = raw.cache_disk.as_ref().filter(|_| raw.data_dir.is_none()) {
        report.error(&disk.at, "`cache_disk` needs `node.data_dir` to lie in");
    }
    let (tier, room) = match cache_disk {
        Some(disk) if disk > cache_memory => ("cache_disk", disk),
        _ => ("cache_memory", cache_memory),
    };
    if let Some(most) = raw.max_object_size.as_ref().filter(|m| m.value > room) {
        let message = format!(
            "an object of {} bytes never fits into the {room} bytes of `{tier}`",
            most.value
        );
        report.error(&most.at, message);
    }

    let max_header_bytes = raw
        .max_header_bytes
        .as_ref()
        .map_or(default_limits.max_header_bytes, |m| m.value);
    let max_url_bytes = raw
        .max_url_bytes
        .as_ref()
        .map_or(default_limits.max_url_bytes, |m| m.value);
    if max_url_bytes > max_header_bytes {
        // The request line counts into both (CF-360, CF-361).
        if let Some(at) = raw
            .max_url_bytes
            .map(|m| m.at)
            .or_else(|| raw.max_header_bytes.map(|m| m.at))
        {
            let message = format!(
                "`max_url_bytes` {max_url_bytes} is above `max_header_bytes` {max_header_bytes}, which counts the URL too"
            );
            report.error(&at, message);
        }
    }

    let origin_ca = raw
        .origin_ca
        .and_then(|path| files::existing_file(&path, context));
    watched.extend(origin_ca.clone());

    let geo_databases: Vec<_> = raw
        .geo_databases
        .iter()
        .filter_map(|path| files::existing_file(path, context))
        .collect();
    watched.extend(geo_databases.iter().cloned());
    let trusted_proxies = trusted_proxies(&raw.trusted_proxies, context);

    let data_dir = raw.data_dir.and_then(|path| files::own_dir(&path, context));
    if let Some(path) = &raw.log_directory {
        files::own_dir(path, context);
    }

    // NC-72
    let modules_dir = raw
        .modules_dir
        .and_then(|path| files::existing_dir(&path, context));
    watched.extend(modules_dir.clone());

    let viewers = tls::viewers(raw.viewers, listen, admin, context, watched);
    if let (Some(metrics), Some(https)) = (&raw.metrics, viewers.listen_https) {
        separate_ports(metrics, &[("listen_https", https)], context);
    }

    let shield = shield::lower(raw.origin_shield, context, watched);

    let format = raw.log_format.unwrap_or(default.log.format);
    let access_file = raw.access_file.and_then(|f| files::own_file(&f, context));

    let count = |value: Option<u64>| value.and_then(|v| usize::try_from(v).ok());
    let level = |value: Option<u64>| value.and_then(|v| u32::try_from(v).ok());
    NodeSettings {
        compression: CompressionSettings {
            gzip_level: level(raw.gzip_level).unwrap_or(default.compression.gzip_level),
            brotli_level: level(raw.brotli_level).unwrap_or(default.compression.brotli_level),
            max_in_flight: count(raw.max_compressions).unwrap_or(default.compression.max_in_flight),
        },
        listen,
        admin,
        metrics,
        threads: count(raw.threads),
        load: LoadSettings {
            max_requests: count(raw.max_requests),
            max_connections: count(raw.max_connections),
        },
        quotas: raw.quotas,
        cache_memory,
        max_object_size: raw.max_object_size.map(|m| m.value),
        cache_disk,
        hooks: HookSettings {
            threads: count(raw.hook_threads),
            concurrency: count(raw.concurrency).unwrap_or(default.hooks.concurrency),
            idle_timeout: raw.idle_timeout.unwrap_or(default.hooks.idle_timeout),
            local_egress: raw.local_egress.unwrap_or(default.hooks.local_egress),
            private_egress: raw.private_egress.unwrap_or(default.hooks.private_egress),
            function_name_prefix: raw
                .function_name_prefix
                .map_or(default.hooks.function_name_prefix, |p| p.value),
            modules_dir,
            limit_profile: context.profile,
            compute_budget: raw.compute_budget.unwrap_or(default.hooks.compute_budget),
        },
        log: LogSettings {
            format,
            access_format: raw.access_format.unwrap_or_else(|| format.into()),
            access_file,
            include_cookies: raw.include_cookies.unwrap_or(default.log.include_cookies),
            directory: context.log_directory.clone(),
            level: raw.log_level.unwrap_or(default.log.level),
            access: raw.log_access.unwrap_or(default.log.access),
        },
        limits: RequestLimits {
            max_header_bytes,
            max_url_bytes,
            max_header_count: count(raw.max_header_count)
                .unwrap_or(default_limits.max_header_count),
            max_body_bytes: raw.max_body_bytes.unwrap_or(default_limits.max_body_bytes),
        },
        shutdown_grace: raw.shutdown_grace.unwrap_or(default.shutdown_grace),
        origin_ca,
        resolver: raw.resolver,
        geo_databases,
        trusted_proxies,
        pop: raw.pop.map(|p| p.value),
        data_dir,
        viewers,
        control,
        api_quotas: raw.api_quotas,
        shield,
    }
}
