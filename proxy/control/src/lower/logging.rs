//! Standard logs: which directory of the node stands for a bucket (CF-045, CF-700).
//!
//! A bucket is a directory of `node.log.directory` that is called like it, so that a tool that copies directories to buckets
//! has nothing else to be told. A path instead of a bucket's name is a directory anywhere. The node sends nothing to S3 itself.

use std::path::PathBuf;

use fourfront_model::StandardLogging;

use super::Context;
use crate::{
    cursor::shorten,
    raw::RawLogging,
    report::{Report, Spanned},
};

/// Most characters of a prefix, as CloudFront has it.
const MOST_PREFIX: usize = 256;

/// Lowers a distribution's log; `None` for none, or when errors were reported.
pub(crate) fn lower(raw: RawLogging, context: &Context<'_>) -> Option<StandardLogging> {
    let report = context.report;
    let prefix = match raw.prefix {
        None => Some(PathBuf::new()),
        Some(prefix) => below(&prefix, report),
    };
    // CloudFront's own exports say `Enabled: false` with an empty bucket where there is none.
    if !raw.enabled.unwrap_or_else(|| raw.bucket.is_some()) {
        return None;
    }
    let Some(bucket) = raw.bucket else {
        report.error_help(
            &raw.at.member("bucket"),
            "nothing says where its files go",
            "add `bucket:` with the name of a bucket, or `./` and a directory".to_owned(),
        );
        return None;
    };
    Some(StandardLogging {
        directory: directory(&bucket, context)?.join(prefix?),
        include_cookies: raw.include_cookies,
    })
}

fn directory(bucket: &Spanned<String>, context: &Context<'_>) -> Option<PathBuf> {
    let report = context.report;
    let text = &bucket.value;
    if text.starts_with('/') || text.starts_with("./") || text.starts_with("../") {
        if text.contains('\0') {
            report.error(&bucket.at, "a path holds no NUL");
            return None;
        }
        return Some(context.resolve(text));
    }
    // What a bucket may be called, which is also a name for a directory.
    let name = name_of(text);
    let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_');
    let is_name = (3..=255).contains(&name.len())
        && name.bytes().all(fits)
        && name.starts_with(|c: char| c.is_ascii_alphanumeric());
    if !is_name {
        let message = format!("`{}` is not the name of a bucket", shorten(text));
        let help =
            "it is called such as `logs.s3.amazonaws.com`; a directory begins with `./` or `/`";
        report.error_help(&bucket.at, message, help.to_owned());
        return None;
    }
    let Some(root) = &context.log_directory else {
        report.error_help(
            &bucket.at,
            "nothing says in which directory of this machine buckets are",
            "name one with `node.log.directory`, or set `node.data_dir`".to_owned(),
        );
        return None;
    };
    Some(root.join(name))
}

/// The bucket's name in `name.s3.amazonaws.com` and `name.s3.eu-west-1.amazonaws.com`.
fn name_of(bucket: &str) -> &str {
    let name = bucket
        .strip_suffix(".amazonaws.com")
        .and_then(|host| {
            host.rfind(".s3")
                .map(|end| (&host[..end], &host[end + 3..]))
        })
        .filter(|(_, rest)| rest.is_empty() || rest.starts_with(['.', '-']));
    name.map_or(bucket, |(name, _)| name)
}

/// A prefix as the path of a directory. It is one whether it ends in a slash or not, since CloudFront appends the slash.
fn below(prefix: &Spanned<String>, report: &Report) -> Option<PathBuf> {
    let text = &prefix.value;
    let parts = text.strip_suffix('/').unwrap_or(text).split('/');
    let is_part = |part: &str| !matches!(part, "" | "." | "..") && !part.contains('\0');
    if text.chars().count() > MOST_PREFIX || !parts.clone().all(is_part) {
        let message = format!("`{}` is not a prefix for names of files", shorten(text));
        let help = format!(
            "at most {MOST_PREFIX} characters, such as `site/logs/`, without `..` and without a slash in front"
        );
        report.error_help(&prefix.at, message, help);
        return None;
    }
    Some(parts.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buckets_domain_name_names_the_bucket() {
        // CF-045
        for (text, name) in [
            ("logs.s3.amazonaws.com", "logs"),
            ("my.logs.s3.amazonaws.com", "my.logs"),
            ("logs.s3.eu-west-1.amazonaws.com", "logs"),
            ("logs.s3-eu-west-1.amazonaws.com", "logs"),
            ("logs", "logs"),
            ("logs.s3.example.test", "logs.s3.example.test"),
            ("a.s3x.amazonaws.com", "a.s3x.amazonaws.com"),
        ] {
            assert_eq!(name_of(text), name);
        }
    }
}
