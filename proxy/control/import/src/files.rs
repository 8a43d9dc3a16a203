//! Files of a project.

use std::{
    fs::{self, File},
    io::Read as _,
    path::{Path, PathBuf},
};

use crate::{
    artifact::Artifact,
    parse::parse,
    place::{At, Report},
    tree::Node,
};

/// Largest file that is parsed, in bytes; CloudFormation takes templates of 1 MB.
pub(crate) const MAX_FILE: u64 = 16 << 20;

/// A fault of a file as a whole.
pub(crate) fn fault(
    report: &Report,
    path: &Path,
    message: impl Into<String>,
    help: Option<String>,
) {
    report.error_help(whole(report, path), "", message, help);
}

/// The place of a file as a whole.
pub(crate) fn whole(report: &Report, path: &Path) -> At {
    At {
        file: report.file(path.display().to_string()),
        line: 0,
        column: 0,
    }
}

/// Reads a text. A `None` was reported.
pub(crate) fn text(report: &Report, path: &Path) -> Option<String> {
    let bytes = match bytes(path) {
        Ok(bytes) => bytes,
        Err(error) => {
            fault(report, path, format!("cannot be read: {error}"), None);
            return None;
        }
    };
    match String::from_utf8(bytes) {
        Ok(text) => Some(text),
        Err(_) => {
            fault(report, path, "not UTF-8", None);
            None
        }
    }
}

fn bytes(path: &Path) -> std::io::Result<Vec<u8>> {
    // A pipe would make the reader wait for ever.
    if !fs::metadata(path)?.is_file() {
        return Err(std::io::Error::other("not a regular file"));
    }
    let mut bytes = Vec::new();
    File::open(path)?
        .take(MAX_FILE + 1)
        .read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(std::io::Error::other(format!(
            "larger than {} MiB",
            MAX_FILE >> 20
        )));
    }
    Ok(bytes)
}

/// Reads YAML or JSON. A `None` was reported.
pub(crate) fn load(report: &Report, path: &Path) -> Option<Node> {
    let text = text(report, path)?;
    let file = report.file(path.display().to_string());
    let json = path.extension().is_some_and(|e| e == "json");
    parse(&text, file, json, report)
}

/// The directory a file is in; an empty path is the current one.
pub(crate) fn directory(file: &Path) -> PathBuf {
    match file.parent() {
        Some(parent) if parent != Path::new("") => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// Name of a directory, for a stack that has none.
pub(crate) fn directory_name(directory: &Path) -> String {
    let whole = fs::canonicalize(directory).unwrap_or_else(|_| directory.to_owned());
    let name = whole.file_name().and_then(|n| n.to_str());
    name.unwrap_or("stack").to_owned()
}

/// Code that a template names by a path or an `s3://` address. A `None` was reported.
pub(crate) fn local_code(
    report: &Report,
    base: &Path,
    written: &str,
    at: At,
    path: &str,
) -> Option<Artifact> {
    if let Some(object) = written.strip_prefix("s3://") {
        let Some((bucket, key)) = object.split_once('/') else {
            report.error(at, path, "expected `s3://BUCKET/KEY`");
            return None;
        };
        return Some(Artifact::S3 {
            bucket: bucket.to_owned(),
            key: key.to_owned(),
            version: None,
        });
    }
    let file = base.join(written);
    let kind = match fs::metadata(&file) {
        Ok(meta) => meta,
        Err(error) => {
            let message = format!("`{written}` cannot be read: {error}");
            report.error(at, path, message);
            return None;
        }
    };
    Some(if kind.is_dir() {
        Artifact::Directory {
            path: file,
            patterns: Vec::new(),
            prune: false,
        }
    } else if file
        .extension()
        .is_some_and(|e| e.eq_ignore_ascii_case("zip"))
    {
        Artifact::Zip { path: file }
    } else {
        Artifact::File { path: file }
    })
}

/// The zips of a directory by name.
pub(crate) fn zips(directory: &Path) -> Vec<(String, Artifact)> {
    let mut found: Vec<_> = fs::read_dir(directory)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let path = entry.path();
            let name = path.file_name()?.to_str()?.to_owned();
            (name.ends_with(".zip") && path.is_file()).then_some((name, Artifact::Zip { path }))
        })
        .collect();
    found.sort_by(|a, b| a.0.cmp(&b.0));
    found
}
