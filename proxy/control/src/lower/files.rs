//! Whether named files and directories are there, and which one was probably meant.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::Context;
use crate::{
    report::{At, Spanned},
    spelling::nearest,
};

/// The file a setting names. Its absence is reported with the nearest name in the same directory.
pub(crate) fn existing_file(text: &Spanned<String>, context: &Context<'_>) -> Option<PathBuf> {
    existing(text, context, "file", |m| m.is_file())
}

/// The directory a setting names, likewise; it must be one that can be listed.
pub(crate) fn existing_dir(text: &Spanned<String>, context: &Context<'_>) -> Option<PathBuf> {
    let path = existing(text, context, "directory", |m| m.is_dir())?;
    match fs::read_dir(&path) {
        Ok(_) => Some(path),
        Err(e) => {
            context
                .report
                .error(&text.at, format!("`{}` cannot be read: {e}", text.value));
            None
        }
    }
}

/// A directory of the node's own, which is made when it is first needed; its parent has to be there.
pub(crate) fn own_dir(text: &Spanned<String>, context: &Context<'_>) -> Option<PathBuf> {
    if text.value.is_empty() || text.value.contains('\0') {
        return existing_dir(text, context);
    }
    let path = context.resolve(&text.value);
    let parent = path.parent().filter(|p| p.is_dir());
    if path.exists() || parent.is_none() {
        return existing_dir(text, context);
    }
    Some(path)
}

/// A file of the node's own, which is made when it is first written; its directory has to be there.
pub(crate) fn own_file(text: &Spanned<String>, context: &Context<'_>) -> Option<PathBuf> {
    let path = context.resolve(&text.value);
    let parent = path.parent().filter(|p| p.is_dir());
    let is_name = !text.value.is_empty() && !text.value.contains('\0') && !path.is_dir();
    if is_name && !path.exists() && parent.is_some() {
        return Some(path);
    }
    // A named pipe or a terminal is as good as a file.
    existing(text, context, "file", |m| !m.is_dir())
}

fn existing(
    text: &Spanned<String>,
    context: &Context<'_>,
    what: &str,
    fits: fn(&fs::Metadata) -> bool,
) -> Option<PathBuf> {
    if text.value.is_empty() || text.value.contains('\0') {
        let message = format!(
            "`{}` is not the path of a {what}",
            text.value.replace('\0', "\u{fffd}")
        );
        context.report.error(&text.at, message);
        return None;
    }
    let path = context.resolve(&text.value);
    match fs::metadata(&path) {
        Ok(found) if fits(&found) => Some(path),
        Ok(_) => {
            context
                .report
                .error(&text.at, format!("`{}` is not a {what}", text.value));
            None
        }
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            missing(&text.at, &text.value, &path, what, context);
            None
        }
        Err(e) => {
            context
                .report
                .error(&text.at, format!("`{}` cannot be read: {e}", text.value));
            None
        }
    }
}

fn missing(at: &At, written: &str, path: &Path, what: &str, context: &Context<'_>) {
    let help = neighbour(path)
        .map(|name| format!("did you mean `{}`?", sibling(written, &name)))
        .or_else(|| Some(format!("looked for {}", path.display())));
    context
        .report
        .error_help(at, format!("{what} `{written}` does not exist"), help);
}

/// The nearest name in the directory where `path` was looked for.
fn neighbour(path: &Path) -> Option<String> {
    let wanted = path.file_name()?.to_str()?;
    let names: Vec<String> = fs::read_dir(path.parent()?)
        .ok()?
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .collect();
    nearest(wanted, names.iter().map(String::as_str)).map(str::to_owned)
}

/// `written` with its last component replaced.
fn sibling(written: &str, name: &str) -> String {
    match written.trim_end_matches('/').rsplit_once('/') {
        Some((dir, _)) => format!("{dir}/{name}"),
        None => name.to_owned(),
    }
}
