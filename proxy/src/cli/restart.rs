//! Node settings that are read at start (CP-640): a reload that changes one of them says so.

use fourfront_control::{HookSettings, LogSettings, NodeSettings, ViewerSettings};

/// The settings, by their names in the site file, that differ from those the process was started with and
/// take effect only when it is started again.
pub(super) fn needs_restart(started: &NodeSettings, now: &NodeSettings) -> Vec<&'static str> {
    // Taken apart without `..`, so that a new setting is put on one of the two sides.
    let NodeSettings {
        listen,
        admin,
        metrics,
        threads,
        cache_memory,
        max_object_size,
        hooks:
            HookSettings {
                threads: hook_threads,
                concurrency,
                idle_timeout,
                local_egress,
                private_egress,
                function_name_prefix,
                // Read whenever functions are loaded.
                modules_dir: _,
                // Decides what the loader accepts.
                limit_profile: _,
                compute_budget,
            },
        log:
            LogSettings {
                format,
                level,
                access,
                access_format,
                access_file,
                include_cookies,
                // Decides where the files of distributions are.
                directory: _,
            },
        // Read with each request, connection or response.
        limits: _,
        quotas: _,
        load: _,
        compression: _,
        // Read with each configuration.
        geo_databases: _,
        trusted_proxies: _,
        pop: _,
        shield: _,
        // Read with each call.
        api_quotas: _,
        // Read when the node stops.
        shutdown_grace: _,
        origin_ca,
        resolver,
        data_dir,
        cache_disk,
        viewers:
            ViewerSettings {
                listen_https,
                // Read with each handshake, request or reload.
                https_port: _,
                certificates: _,
                default_certificate: _,
                handshake_timeout: _,
                websocket_idle_timeout: _,
                h2_cleartext: _,
                h2_streams: _,
                proxy_protocol: _,
            },
        control,
    } = started;
    let differs = [
        ("node.listen", *listen != now.listen),
        (
            "node.listen_https",
            *listen_https != now.viewers.listen_https,
        ),
        ("node.metrics", *metrics != now.metrics),
        ("node.admin", *admin != now.admin || *control != now.control),
        ("node.threads", *threads != now.threads),
        ("node.cache_memory", *cache_memory != now.cache_memory),
        (
            "node.max_object_size",
            *max_object_size != now.max_object_size,
        ),
        ("node.hooks.threads", *hook_threads != now.hooks.threads),
        (
            "node.hooks.concurrency",
            *concurrency != now.hooks.concurrency,
        ),
        (
            "node.hooks.idle_timeout",
            *idle_timeout != now.hooks.idle_timeout,
        ),
        (
            "node.hooks.local_egress",
            *local_egress != now.hooks.local_egress,
        ),
        (
            "node.hooks.private_egress",
            *private_egress != now.hooks.private_egress,
        ),
        (
            "node.hooks.function_name_prefix",
            *function_name_prefix != now.hooks.function_name_prefix,
        ),
        (
            "node.hooks.compute_budget",
            *compute_budget != now.hooks.compute_budget,
        ),
        ("node.log.format", *format != now.log.format),
        ("node.log.level", *level != now.log.level),
        ("node.log.access", *access != now.log.access),
        (
            "node.log.access_format",
            *access_format != now.log.access_format,
        ),
        ("node.log.access_file", *access_file != now.log.access_file),
        (
            "node.log.include_cookies",
            *include_cookies != now.log.include_cookies,
        ),
        ("node.origin_ca", *origin_ca != now.origin_ca),
        ("node.resolver", *resolver != now.resolver),
        ("node.cache_disk", *cache_disk != now.cache_disk),
        ("node.data_dir", *data_dir != now.data_dir),
    ];
    differs
        .into_iter()
        .filter_map(|(name, differs)| differs.then_some(name))
        .collect()
}

/// What is said of them; nothing when there are none.
pub(super) fn note(names: &[&str]) -> String {
    if names.is_empty() {
        String::new()
    } else {
        format!("; not before a restart: {}", names.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn settings_read_at_start_are_named_and_others_are_not() {
        // CP-600, CP-640
        let started = NodeSettings::default();
        let mut now = started.clone();
        now.shutdown_grace = Duration::from_secs(1);
        now.limits.max_header_count = 7;
        assert_eq!(needs_restart(&started, &now), [""; 0]);
        assert_eq!(note(&[]), "");
        now.admin.set_port(9_500);
        now.cache_memory = 1;
        now.hooks.concurrency = 1;
        let names = needs_restart(&started, &now);
        assert_eq!(
            note(&names),
            "; not before a restart: node.admin, node.cache_memory, node.hooks.concurrency"
        );
    }
}
