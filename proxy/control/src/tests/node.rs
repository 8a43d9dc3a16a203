//! The `node:` block.

use std::time::Duration;

use fourfront_model::{LimitProfile, TrustedProxies};

use super::{accepted, refused};
use crate::{LogFormat, LogLevel, NodeSettings, Quota, Quotas, UnknownFields};

fn with_node(settings: &str) -> String {
    let settings = settings.trim_matches('\n').replace('\n', "\n  ");
    format!(
        "node:\n  {settings}\ndistributions: {{ a: {{ origins: {{ app: \"http://a.test\" }} }} }}\n"
    )
}

#[test]
fn a_file_without_node_settings_takes_the_defaults() {
    // CF-360, CF-361, CF-362, CF-364
    let loaded = accepted("distributions: { a: { origins: { app: \"http://a.test\" } } }\n");
    assert_eq!(loaded.node, NodeSettings::default());
    let node = loaded.node;
    assert_eq!(node.listen.to_string(), "0.0.0.0:8080");
    assert_eq!(node.admin.to_string(), "127.0.0.1:9400");
    assert_eq!((node.threads, node.max_object_size), (None, None));
    assert_eq!(node.cache_memory, 268_435_456);
    assert_eq!(node.shutdown_grace, Duration::from_secs(30));
    assert_eq!((node.hooks.threads, node.hooks.concurrency), (None, 100));
    assert_eq!(node.hooks.limit_profile, LimitProfile::AwsCurrent);
    assert!(!node.hooks.local_egress && !node.hooks.private_egress);
    assert_eq!(
        (node.log.format, node.log.level),
        (LogFormat::Text, LogLevel::Info)
    );
    assert!(node.log.access);
    let limits = node.limits;
    assert_eq!(
        (limits.max_header_bytes, limits.max_url_bytes),
        (32_768, 8_192)
    );
    assert_eq!(
        (limits.max_header_count, limits.max_body_bytes),
        (200, 68_719_476_736)
    );
}

#[test]
fn every_node_setting_is_read() {
    let node = accepted(&with_node(
        "listen: \"[::1]:0\"
admin: 127.0.0.2:0
metrics: 0.0.0.0:9401
threads: 3
cache_memory: 1GiB
cache_disk: 2GiB
max_object_size: 4096
hooks: { threads: 4, concurrency: 7, idle_timeout: 1.5, local_egress: true, private_egress: true, modules_dir: rewrite, limit_profile: aws-2023 }
log: { format: json, level: trace, access: false }
limits: { max_header_bytes: 64KiB, max_url_bytes: 4096, max_header_count: 10, max_body_bytes: 0, max_origin_header_bytes: 2KiB, max_viewer_function_body: 1, max_origin_function_body: 2, max_cache_tags: 3, max_cache_tag_length: 4, max_invalidation_items: 5, max_invalidation_wildcards: 6 }
max_requests: 8
max_connections: 9
compression: { max_in_flight: 11 }
shutdown_grace: 0.5
origin_ca: ./ca.pem
geo_database: ./ca.pem
trusted_proxies: [10.1.2.3/8, 192.0.2.1, \"2001:db8::/32\"]
pop: FRA56-P1
data_dir: ./data",
    ))
    .node;
    assert_eq!(node.listen.to_string(), "[::1]:0");
    assert_eq!(node.admin.to_string(), "127.0.0.2:0");
    // CP-620
    assert_eq!(node.metrics, Some("0.0.0.0:9401".parse().unwrap()));
    assert_eq!(
        (node.threads, node.hooks.threads, node.hooks.concurrency),
        (Some(3), Some(4), 7)
    );
    assert_eq!(
        (node.cache_memory, node.max_object_size),
        (1 << 30, Some(4096))
    );
    assert_eq!(node.hooks.limit_profile, LimitProfile::Aws2023);
    assert!(node.hooks.local_egress && node.hooks.private_egress);
    assert_eq!(node.hooks.idle_timeout, Duration::from_millis(1500));
    // NC-72
    assert!(node.hooks.modules_dir.unwrap().ends_with("rewrite"));
    assert_eq!(
        (node.log.format, node.log.level, node.log.access),
        (LogFormat::Json, LogLevel::Trace, false)
    );
    assert_eq!(node.log.level.as_str(), "trace");
    assert_eq!(
        (node.limits.max_header_bytes, node.limits.max_url_bytes),
        (65_536, 4_096)
    );
    assert_eq!(
        (node.limits.max_header_count, node.limits.max_body_bytes),
        (10, 0)
    );
    // CF-812
    assert_eq!(
        node.quotas,
        Quotas {
            max_origin_header_bytes: 2048,
            max_viewer_function_body: 1,
            max_origin_function_body: 2,
            max_cache_tags: 3,
            max_cache_tag_length: 4,
            max_invalidation_items: 5,
            max_invalidation_wildcards: 6,
        }
    );
    // CF-773, CF-605
    assert_eq!(
        (node.load.max_requests, node.load.max_connections),
        (Some(8), Some(9))
    );
    assert_eq!(node.compression.max_in_flight, 11);
    assert_eq!(node.shutdown_grace, Duration::from_millis(500));
    assert!(node.origin_ca.unwrap().ends_with("ca.pem"));
    // CF-601, CF-377
    assert!(node.geo_databases.len() == 1 && node.geo_databases[0].ends_with("ca.pem"));
    // CF-354, CF-502
    let networks = ["10.0.0.0/8", "192.0.2.1/32", "2001:db8::/32"];
    assert_eq!(node.trusted_proxies, TrustedProxies::new(networks).unwrap());
    assert_eq!(node.pop.unwrap().as_str(), "FRA56-P1");
    // CF-661: it is made when the node starts.
    assert!(node.data_dir.unwrap().ends_with("data"));
}

#[test]
fn settings_of_the_api_are_read() {
    // CP-011, CP-023, CP-120, CP-152, CP-202
    let node = accepted(&with_node(
        "data_dir: ./data
admin: { unknown_fields: reject, cors: [https://console.example.com, \"http://localhost:3000\", \"*\"] }
quotas: { origins: 25, cache_behaviors: 0, cloudfront_function_size: 40KiB, store_size: 1GiB, store_key_size: 1KiB, store_value_size: 2048 }",
    ))
    .node;
    assert_eq!(node.control.unknown_fields, UnknownFields::Reject);
    assert_eq!(node.control.cors.len(), 3);
    let quotas = &node.api_quotas;
    assert_eq!(quotas.most(Quota::Origins), 25);
    assert_eq!(quotas.most(Quota::CacheBehaviors), 0);
    assert_eq!(quotas.most(Quota::Distributions), 10_000);
    assert_eq!(quotas.cloudfront_function_size, 40_960);
    let stores = quotas.stores;
    assert_eq!(
        (stores.total, stores.key, stores.value),
        (1 << 30, 1_024, 2_048)
    );
    let default = NodeSettings::default();
    assert_eq!(default.control.unknown_fields, UnknownFields::Keep);
    assert!(default.control.cors.is_empty());
    assert_eq!(default.api_quotas.cloudfront_function_size, 10_240);
}

#[test]
fn each_bad_value_is_refused() {
    for (setting, expected) in [
        (
            "listen: 8080",
            "2:11: node.listen: `8080` is not an address to listen on | 0.0.0.0:8080",
        ),
        (
            "listen: localhost:8080",
            "2:11: node.listen: `localhost:8080` is not an address",
        ),
        (
            "listen: 0.0.0.0",
            "2:11: node.listen: `0.0.0.0` is not an address",
        ),
        (
            "trusted_proxies: [10.0.0.0/8, all]",
            "2:33: node.trusted_proxies[1]: `all` is no address and no network",
        ),
        (
            "trusted_proxies: { a: b }",
            "2:20: node.trusted_proxies: expected a network or a list of networks",
        ),
        (
            "pop: frankfurt",
            "2:8: node.pop: `frankfurt`: a location code is three upper-case letters",
        ),
        (
            "geo_database: [./ca.pem, ./none.mmdb]",
            "2:28: node.geo_database[1]: file `./none.mmdb` does not exist",
        ),
        (
            "admin: 0.0.0.0:9400",
            "2:10: node.admin: `0.0.0.0:9400` is not a loopback address, and nobody could say who may speak there (help: set `data_dir:`",
        ),
        (
            "admin: 10.0.0.1:9400",
            "2:10: node.admin: `10.0.0.1:9400` is not a loopback address",
        ),
        (
            "admin: 127.0.0.1:8080",
            "2:10: node.admin: `listen` 0.0.0.0:8080 and `admin` 127.0.0.1:8080 are one port",
        ),
        (
            "listen: 127.0.0.1:9400",
            "2:11: node.listen: `listen` 127.0.0.1:9400 and `admin` 127.0.0.1:9400 are one port",
        ),
        (
            "metrics: 9401",
            "2:12: node.metrics: `9401` is not an address to listen on",
        ),
        (
            "metrics: 0.0.0.0:9400",
            "2:12: node.metrics: `metrics` 0.0.0.0:9400 and `admin` 127.0.0.1:9400 are one port",
        ),
        (
            "metrics: 127.0.0.1:8080",
            "2:12: node.metrics: `metrics` 127.0.0.1:8080 and `listen` 0.0.0.0:8080 are one port",
        ),
        (
            "threads: 0",
            "2:12: node.threads: expected a number of threads, a whole number from 1 to 1024, found `0`",
        ),
        (
            "threads: many",
            "2:12: node.threads: expected a number of threads",
        ),
        (
            "cache_memory: 256MB",
            "2:17: node.cache_memory: expected a size: a number of bytes, or a number with KiB, MiB or GiB such as `256MiB`, found `256MB`",
        ),
        (
            "cache_memory: 9999999GiB",
            "2:17: node.cache_memory: | is out of bounds",
        ),
        (
            "max_object_size: 0",
            "2:20: node.max_object_size: 0 bytes is out of bounds",
        ),
        (
            "max_object_size: 1GiB",
            "2:20: node.max_object_size: an object of 1073741824 bytes never fits",
        ),
        (
            "hooks: { modules_dir: ./none }",
            "2:25: node.hooks.modules_dir: directory `./none` does not exist",
        ),
        (
            "hooks: { concurrency: 0 }",
            "2:25: node.hooks.concurrency: expected a number of calls",
        ),
        (
            "hooks: { limit_profile: aws-2024 }",
            "2:27: node.hooks.limit_profile: expected `aws-current` or `aws-2023`, found `aws-2024` (help: did you mean `aws-2023`?)",
        ),
        (
            "log: { format: xml }",
            "2:18: node.log.format: expected `text` or `json`, found `xml`",
        ),
        (
            "log: { level: verbose }",
            "2:17: node.log.level: expected `error`, `warn`, `info`, `debug` or `trace`, found `verbose`",
        ),
        (
            "log: debug",
            "2:8: node.log: expected the settings of `node.log`, found `debug`",
        ),
        (
            "limits: { max_header_bytes: 10 }",
            "2:31: node.limits.max_header_bytes: 10 bytes is out of bounds: from 1024 to 1048576 bytes",
        ),
        (
            "limits: { max_url_bytes: 64KiB }",
            "2:28: node.limits.max_url_bytes: `max_url_bytes` 65536 is above `max_header_bytes` 32768",
        ),
        (
            "limits: { max_header_bytes: 4KiB }",
            "2:31: node.limits.max_header_bytes: `max_url_bytes` 8192 is above",
        ),
        (
            "limits: { max_header_count: 0 }",
            "2:31: node.limits.max_header_count: expected a number of headers",
        ),
        (
            "quotas: { origins: many }",
            "2:22: node.quotas.origins: expected a number of them, a whole number from 0 to 1000000, found `many`",
        ),
        (
            "quotas: { cloudfront_function_size: 41KiB }",
            "2:39: node.quotas.cloudfront_function_size: 41984 bytes is out of bounds: from 1 to 40960 bytes",
        ),
        (
            "quotas: { store_key_size: 2KiB }",
            "2:29: node.quotas.store_key_size: 2048 bytes is out of bounds: from 1 to 1024 bytes",
        ),
        (
            "quotas: { behaviors: 1 }",
            "2:13: node.quotas.behaviors: `behaviors` is not a setting of `node.quotas`",
        ),
        (
            "data_dir: ./data\nadmin: { unknown_fields: refuse }",
            "3:28: node.admin.unknown_fields: expected `keep` or `reject`, found `refuse`",
        ),
        (
            "data_dir: ./data\nadmin: { strict_load: false }",
            "3:25: node.admin.strict_load: `false` is not to be had: a version that does not load never becomes active",
        ),
        (
            "data_dir: ./data\nadmin: { cors: [https://a.test, console.test] }",
            "3:35: node.admin.cors[1]: `console.test` is no origin of a web page | `https://console.example.com`",
        ),
        (
            "data_dir: ./data\nadmin: { cors: https://A.test/ }",
            "3:18: node.admin.cors: `https://A.test/` is no origin of a web page",
        ),
        (
            "data_dir: ./data\nadmin: { cors: '*', auth: any }",
            "3:18: node.admin.cors: with `auth: any`, every web page",
        ),
        (
            "admin: { unknown_fields: reject }",
            "2:10: node.admin: who may speak to the admin listener is kept in `node.data_dir`",
        ),
        (
            "shutdown_grace: -1",
            "2:19: node.shutdown_grace: expected a number of seconds, above 0",
        ),
        (
            "origin_ca: gone.pem",
            "2:14: node.origin_ca: file `gone.pem` does not exist",
        ),
        (
            "origin_ca: rewrite",
            "2:14: node.origin_ca: `rewrite` is not a file",
        ),
        (
            "data_dir: ./none/data",
            "2:13: node.data_dir: directory `./none/data` does not exist",
        ),
        (
            "data_dir: ca.pem",
            "2:13: node.data_dir: `ca.pem` is not a directory",
        ),
        (
            "data_dir: \"\"",
            "2:13: node.data_dir: `` is not the path of a directory",
        ),
        (
            "listn: 0.0.0.0:1",
            "2:3: node.listn: `listn` is not a setting of `node` (help: did you mean `listen`?)",
        ),
    ] {
        refused(&with_node(setting), &[expected]);
    }
}
