//! What stands for buckets: a directory, a server that speaks S3's protocol, or AWS with credentials (CP-320, CF-435, CF-436).
//!
//! Distributions name buckets as AWS does, `assets.s3.eu-west-1.amazonaws.com`, be they written for a node or not; which of
//! them lie elsewhere here, and who may read them, is the node's own business and stands in `node.origins.s3`.

use std::{collections::BTreeMap, path::PathBuf};

use fourfront_model::{Credentials, Endpoint};

use super::{Context, files, grants, origin};
use crate::{
    cursor::shorten,
    raw::{Named, RawBucket},
    report::{Report, Spanned},
};

/// What stands for buckets, by their names.
#[derive(Debug, Default)]
pub(crate) struct Buckets(BTreeMap<String, Bucket>);

/// What stands for one.
#[derive(Debug)]
pub(crate) struct Bucket {
    pub(super) place: Place,
    pub(super) region: Option<String>,
    pub(super) credentials: Option<Credentials>,
}

/// Where its objects are.
#[derive(Debug)]
pub(crate) enum Place {
    /// At AWS, under the name that origins give.
    Aws,
    /// On another server.
    Server(Endpoint),
    /// In a directory.
    Dir(PathBuf),
}

impl Buckets {
    pub(crate) fn lower(raw: Vec<Named<RawBucket>>, context: &Context<'_>) -> Self {
        let one = |Named { name, value }: Named<RawBucket>| {
            check_name(&name, context.report);
            let bucket = bucket(&name.value, value?, context)?;
            Some((name.value, bucket))
        };
        Self(raw.into_iter().filter_map(one).collect())
    }

    /// All of them.
    pub(super) fn into_all(self) -> impl Iterator<Item = (String, Bucket)> {
        self.0.into_iter()
    }

    /// What stands for the bucket of a host.
    pub(super) fn of_host(&self, host: &str) -> Option<(&str, &Bucket)> {
        let (name, bucket) = self.0.get_key_value(bucket_of(host)?)?;
        Some((name, bucket))
    }
}

fn check_name(name: &Spanned<String>, report: &Report) {
    let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-._".contains(&b);
    let host = bucket_of(&name.value);
    let is_name = (3..=63).contains(&name.value.len()) && name.value.bytes().all(fits);
    if is_name && host.is_none() {
        return;
    }
    let message = format!("`{}` is not the name of a bucket", shorten(&name.value));
    let help = match host {
        Some(bucket) => format!("write `{bucket}` alone"),
        None => "3 to 63 lower-case letters, digits, `-` and `.`".to_owned(),
    };
    report.error_help(&name.at, message, help);
}

fn bucket(name: &str, raw: RawBucket, context: &Context<'_>) -> Option<Bucket> {
    let report = context.report;
    if let Some(style) = raw.path_style.as_ref().filter(|_| raw.endpoint.is_none()) {
        report.error(
            &style.at,
            "`path_style` says how the server at `endpoint` knows the bucket, and there is none",
        );
    }
    let region = match &raw.region {
        Some(region) => Some(origin::checked_region(region, report)?.to_owned()),
        None => None,
    };
    let credentials = match raw.credentials {
        Some(credentials) => Some(grants::credentials(credentials, context)?),
        None => None,
    };
    let place = match (&raw.dir, &raw.endpoint) {
        (Some(dir), None) => {
            if region.is_some() || credentials.is_some() {
                report.error(
                    &dir.at,
                    "a directory has no `region` and takes no `credentials`",
                );
            }
            Place::Dir(files::existing_dir(dir, context)?)
        }
        (None, Some(url)) => {
            let mut server = origin::endpoint(url, report)?;
            if raw.path_style.is_none_or(|style| style.value) {
                name.clone_into(&mut server.bucket);
            }
            Place::Server(server)
        }
        (None, None) if region.is_none() && credentials.is_none() => {
            report.error_help(
                &raw.at,
                "nothing is said of the bucket",
                "add `dir: ./public`, `endpoint: http://host:port`, or `credentials` for AWS itself"
                    .to_owned(),
            );
            return None;
        }
        (None, None) => Place::Aws,
        (Some(_), Some(url)) => {
            report.error(&url.at, "`dir` and `endpoint` exclude each other");
            return None;
        }
    };
    Some(Bucket {
        place,
        region,
        credentials,
    })
}

/// The bucket that a name of AWS's is for, in the forms `BUCKET.s3.amazonaws.com`, `BUCKET.s3.REGION.amazonaws.com`,
/// `BUCKET.s3-REGION.amazonaws.com`, with `dualstack` before the region, and those of websites.
pub(super) fn bucket_of(host: &str) -> Option<&str> {
    let rest = host
        .strip_suffix(".amazonaws.com")
        .or_else(|| host.strip_suffix(".amazonaws.com.cn"))?;
    // The last one: a bucket may be called `s3.backup`.
    let mut from = rest.len();
    while let Some(dot) = rest[..from].rfind('.') {
        let label = rest[dot + 1..].split('.').next().unwrap_or_default();
        if label == "s3" || label.starts_with("s3-") {
            return Some(&rest[..dot]);
        }
        from = dot;
    }
    None
}

/// Whether a host is that of a bucket's website (CF-438).
pub(super) fn is_website(host: &str) -> bool {
    let is_aws = host.ends_with(".amazonaws.com") || host.ends_with(".amazonaws.com.cn");
    is_aws && host.split('.').any(|l| l.starts_with("s3-website"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_known_by_their_names_at_aws() {
        // CP-320, CF-434, CF-438
        for (host, expected) in [
            ("b.s3.amazonaws.com", Some("b")),
            ("b.s3.eu-west-1.amazonaws.com", Some("b")),
            ("b.s3-eu-west-1.amazonaws.com", Some("b")),
            ("b.s3.dualstack.eu-west-1.amazonaws.com", Some("b")),
            ("b.s3.cn-north-1.amazonaws.com.cn", Some("b")),
            ("b.s3-website-us-east-1.amazonaws.com", Some("b")),
            ("b.s3-website.eu-central-1.amazonaws.com", Some("b")),
            ("www.b.test.s3.amazonaws.com", Some("www.b.test")),
            ("s3.backup.s3.amazonaws.com", Some("s3.backup")),
            ("s3.amazonaws.com", None),
            ("s3.eu-west-1.amazonaws.com", None),
            ("b.execute-api.eu-west-1.amazonaws.com", None),
            ("b.s3.amazonaws.com.evil.test", None),
            ("amazonaws.com", None),
            ("b.test", None),
        ] {
            assert_eq!(bucket_of(host), expected, "{host}");
        }
        assert!(is_website("b.s3-website-us-east-1.amazonaws.com"));
        assert!(!is_website("b.s3-website.test"));
    }
}
