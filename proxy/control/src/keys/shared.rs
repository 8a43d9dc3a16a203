//! What is declared once and named by distributions: functions, stores, keys, access to buckets.

use super::{Table, ignored, read, refused, refused_unless};

pub(crate) const FUNCTION: Table = Table {
    what: "a function",
    groups: &[&[
        read("name"),
        read("version"),
        read("file"),
        read("dir"),
        read("zip"),
        read("handler"),
        read("timeout"),
        read("memory"),
        read("concurrency"),
        read("environment"),
        read("credentials"),
        read("egress"),
        read("log_group"),
        read("runtime"),
        read("arn"),
        ignored("description"),
        // LE-353
        refused("vpc_config", "not supported: a hook has no VPC"),
        refused(
            "dead_letter_config",
            "not supported: a hook is never called asynchronously",
        ),
        refused(
            "layers",
            "not supported: put the layer's files into the function's directory",
        ),
        refused_unless(
            "tracing_config",
            "PassThrough",
            "not supported: Lambda@Edge has no tracing",
        ),
        refused(
            "provisioned_concurrency",
            "not supported: isolates start in milliseconds",
        ),
        refused(
            "image_uri",
            "not supported: a hook is a file or a directory, not a container image",
        ),
        refused_unless(
            "package_type",
            "Zip",
            "not supported: a hook is a file or a directory, not a container image",
        ),
        refused_unless(
            "architectures",
            "x86_64",
            "not supported: JavaScript is not bound to a processor",
        ),
        refused(
            "kms_key_arn",
            "not supported: a site file has no customer-managed keys",
        ),
    ]],
};

pub(crate) const CLOUDFRONT_FUNCTION: Table = Table {
    what: "a CloudFront Function",
    groups: &[&[
        read("file"),
        read("runtime"),
        read("store"),
        read("arn"),
        ignored("comment"),
        refused(
            "stage",
            "not a setting here: what a site file holds is the published (LIVE) stage",
        ),
    ]],
};

pub(crate) const STORE: Table = Table {
    what: "a store",
    groups: &[&[read("file"), read("id"), ignored("comment")]],
};

pub(crate) const PUBLIC_KEY: Table = Table {
    what: "a public key",
    groups: &[&[
        read("file"),
        read("pem"),
        read("encoded_key"),
        read("id"),
        ignored("comment"),
        ignored("caller_reference"),
    ]],
};

pub(crate) const KEY_GROUP: Table = Table {
    what: "a key group",
    groups: &[&[read("keys"), read("items"), read("id"), ignored("comment")]],
};

pub(crate) const ORIGIN_ACCESS_CONTROL: Table = Table {
    what: "an origin access control",
    groups: &[&[
        read("signing_behavior"),
        read("signing_protocol"),
        read("origin_access_control_origin_type"),
        read("credentials"),
        ignored("name"),
        ignored("description"),
    ]],
};

pub(crate) const CREDENTIALS: Table = Table {
    what: "`credentials`",
    groups: &[&[
        read("access_key_id"),
        read("secret_access_key"),
        read("secret_access_key_file"),
        read("session_token"),
    ]],
};
