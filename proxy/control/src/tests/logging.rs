//! Standard logs of distributions, and the node's own access log.

use std::path::{Path, PathBuf};

use fourfront_model::StandardLogging;

use super::{accepted, refused};
use crate::{AccessFormat, Loaded};

/// A distribution with these settings, on line 5, and the settings of a node.
fn site(node: &str, settings: &str) -> String {
    format!(
        "node: {{ {node} }}\ndistributions:\n  site:\n    origins: {{ app: \"http://127.0.0.1:3000\" }}\n    {settings}\n"
    )
}

const ROOT: &str = "log: { directory: ./public }";

fn logging(loaded: &Loaded) -> Option<StandardLogging> {
    loaded.site.distributions()[0].logging.clone()
}

/// The directory of the site file, by one that is in it.
fn base(loaded: &Loaded) -> PathBuf {
    let root = loaded.node.log.directory.clone().unwrap();
    root.parent().map(Path::to_owned).unwrap()
}

#[test]
fn a_bucket_is_a_directory_of_the_node() {
    // CF-045, CF-700
    for (settings, directory) in [
        ("bucket: logs.s3.amazonaws.com", "public/logs"),
        ("enabled: true, bucket: logs", "public/logs"),
        ("bucket: logs, prefix: \"\"", "public/logs"),
        ("bucket: logs, prefix: site", "public/logs/site"),
        ("bucket: logs, prefix: a/b/", "public/logs/a/b"),
        ("bucket: ./elsewhere, prefix: a/", "elsewhere/a"),
    ] {
        let loaded = accepted(&site(ROOT, &format!("logging: {{ {settings} }}")));
        let found = logging(&loaded).unwrap();
        assert_eq!(found.directory, base(&loaded).join(directory), "{settings}");
        assert!(!found.include_cookies);
    }
    let settings = "logging: { enabled: true, include_cookies: true, bucket: /var/log/site }";
    let found = logging(&accepted(&site("", settings))).unwrap();
    assert_eq!(found.directory, Path::new("/var/log/site"));
    assert!(found.include_cookies);
    // Beside what else the node keeps.
    let loaded = accepted(&site("data_dir: ./public", "logging: { bucket: logs }"));
    let found = logging(&loaded).unwrap();
    assert!(found.directory.ends_with("public/logs/logs"));
}

#[test]
fn what_is_switched_off_needs_nothing() {
    // CF-045
    for settings in [
        "logging: none",
        "logging: { enabled: false, include_cookies: false, bucket: \"\", prefix: \"\" }",
        "logging: { enabled: false, include_cookies: true, bucket: logs, prefix: a/ }",
        "logging: {}",
    ] {
        assert_eq!(logging(&accepted(&site("", settings))), None, "{settings}");
    }
}

#[test]
fn a_log_that_could_not_be_written_is_refused() {
    // CF-045
    for (node, settings, expected) in [
        (
            "",
            "logging: { bucket: logs }",
            "5:24: distributions.site.logging.bucket: nothing says in which directory of this machine buckets are (help: name one with `node.log.directory`",
        ),
        (
            ROOT,
            "logging: { enabled: true }",
            "5:14: distributions.site.logging.bucket: nothing says where its files go",
        ),
        (
            ROOT,
            "logging: { bucket: \"a/b\" }",
            "5:24: distributions.site.logging.bucket: `a/b` is not the name of a bucket",
        ),
        (
            ROOT,
            "logging: { bucket: \"..x\" }",
            "5:24: distributions.site.logging.bucket: `..x` is not the name of a bucket",
        ),
        (
            ROOT,
            "logging: { bucket: logs, prefix: ../out }",
            "5:38: distributions.site.logging.prefix: `../out` is not a prefix",
        ),
        (
            ROOT,
            "logging: { bucket: logs, prefix: /out }",
            "5:38: distributions.site.logging.prefix: `/out` is not a prefix",
        ),
        (
            ROOT,
            "logging: { bukket: logs }",
            "5:16: distributions.site.logging.bukket: `bukket` is not a setting of `logging` (help: did you mean `bucket`?)",
        ),
        (
            "log: { directory: ./none/logs }",
            "",
            "1:27: node.log.directory: directory `./none/logs` does not exist",
        ),
    ] {
        refused(&site(node, settings), &[expected]);
    }
}

#[test]
fn the_nodes_own_access_log_has_a_form_and_a_file() {
    // CF-700, CF-706
    for (log, format) in [
        ("", AccessFormat::Text),
        ("format: json", AccessFormat::Json),
        ("format: json, access_format: text", AccessFormat::Text),
        ("access_format: w3c", AccessFormat::W3c),
    ] {
        let node = accepted(&site(&format!("log: {{ {log} }}"), "")).node;
        assert_eq!(node.log.access_format, format, "{log}");
        assert_eq!(
            (node.log.access_file, node.log.include_cookies),
            (None, false)
        );
    }
    let log = "log: { access_file: public/access.log, include_cookies: true }";
    let node = accepted(&site(log, "")).node;
    assert!(node.log.access_file.unwrap().ends_with("public/access.log"));
    assert!(node.log.include_cookies);
    refused(
        &site("log: { access_file: none/access.log }", ""),
        &["1:29: node.log.access_file: file `none/access.log` does not exist"],
    );
    refused(
        &site("log: { access_file: public }", ""),
        &["1:29: node.log.access_file: `public` is not a file"],
    );
}
