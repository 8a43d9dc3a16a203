//! Site files against what they become, or what is said about them.

mod api_rules;
mod artifacts;
mod associations;
mod behaviors;
mod buckets;
mod cloudfront_functions;
mod deployed;
mod deployed_certificates;
mod development;
mod distributions;
mod documents;
mod error_responses;
mod functions;
mod generated;
mod geo;
mod grants;
mod grpc;
mod legacy;
mod logging;
mod managed_documents;
mod named_policies;
mod node;
mod origin_access;
mod origin_groups;
mod origins;
mod plane;
mod policies;
mod pools;
mod reference;
mod refusals;
mod response_headers;
mod rollout;
mod shields;
mod signed;
mod text;
mod tls;
mod warnings;

use std::{fs, path::Path};

use tempfile::TempDir;

use crate::{Loaded, SiteErrors, parse};

/// A CloudFront Function that is too long: comments count.
const LARGE: &str = {
    const TEXT: [u8; 10_241] = [b'/'; 10_241];
    match std::str::from_utf8(&TEXT) {
        Ok(text) => text,
        Err(_) => "",
    }
};

/// A directory with what the site files of these tests name.
fn site_dir() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (path, text) in [
        ("auth.js", "exports.handler = async () => {};"),
        ("headers.mjs", "export const handler = async () => {};"),
        ("typed.ts", "export const handler = async () => {};"),
        ("notes.txt", "no code"),
        ("rewrite/index.js", "exports.handler = async () => {};"),
        (
            "rewrite/lib/app.mjs",
            "export const handler = async () => {};",
        ),
        ("typed/index.ts", "export const handler = async () => {};"),
        ("public/index.html", "<p>hello</p>"),
        ("ca.pem", "not read here"),
        ("site.pem", "not read here"),
        ("site.key", "not read here"),
        (
            "cff/redirects.js",
            "function handler(e) { return e.request; }",
        ),
        ("cff/large.js", LARGE),
        ("routes.json", r#"{"data":[{"key":"/old","value":"/new"}]}"#),
        (
            "twice.json",
            r#"{"data":[{"key":"a","value":"1"},{"key":"a","value":"2"}]}"#,
        ),
        ("list.json", r#"[{"key":"a","value":"1"}]"#),
    ] {
        let path = dir.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    // A value that no store takes.
    let long = format!(
        r#"{{"data":[{{"key":"a","value":"{}"}}]}}"#,
        "v".repeat(1025)
    );
    fs::write(dir.path().join("long.json"), long).unwrap();
    dir
}

thread_local! {
    /// One such directory per test, for those that do not change it.
    static DIR: TempDir = site_dir();
}

/// The environment of these tests.
fn env(name: &str) -> Option<String> {
    match name {
        "PORT" => Some("3000".into()),
        "EMPTY" => Some(String::new()),
        _ => None,
    }
}

fn parse_in(dir: &Path, text: &str) -> Result<Loaded, SiteErrors> {
    parse(text, Path::new("fourfront.yaml"), dir, &env)
}

/// The model of a file without faults.
#[track_caller]
fn accepted(text: &str) -> Loaded {
    match DIR.with(|dir| parse_in(dir.path(), text)) {
        Ok(loaded) => loaded,
        Err(e) => panic!("refused:\n{e}\nin\n{text}"),
    }
}

/// Holds all that is said about a file against what should be said: one entry per error, in file order,
/// `line:column: path: start of the message`, then ` | ` before each text that must follow somewhere.
#[track_caller]
fn refused(text: &str, expected: &[&str]) {
    let Err(errors) = DIR.with(|dir| parse_in(dir.path(), text)) else {
        panic!("accepted:\n{text}");
    };
    let said: Vec<String> = errors
        .0
        .iter()
        .map(|e| e.to_string().replacen("fourfront.yaml:", "", 1))
        .collect();
    let fits = |said: &str, expected: &str| {
        let mut parts = expected.split(" | ");
        parts.next().is_some_and(|start| said.starts_with(start))
            && parts.all(|part| said.contains(part))
    };
    let all_fit =
        said.len() == expected.len() && said.iter().zip(expected).all(|(s, e)| fits(s, e));
    assert!(
        all_fit,
        "expected\n  {}\nbut it says\n  {}\nabout\n{}",
        expected.join("\n  "),
        said.join("\n  "),
        text.chars().take(2_000).collect::<String>(),
    );
}

/// A site whose default behaviour has `settings`, which begin on line 5, column 7.
fn with_default_behavior(settings: &str) -> String {
    let settings = settings.trim_matches('\n').replace('\n', "\n      ");
    format!(
        "functions: {{ auth: ./auth.js, headers: ./headers.mjs }}\n\
         distributions:\n  site:\n    default_cache_behavior:\n      {settings}\n    \
         origins: {{ app: \"http://127.0.0.1:3000\" }}\n"
    )
}

/// A site whose only origin, `app`, has `settings`, which begin on line 5, column 9.
fn with_origin(settings: &str) -> String {
    let settings = settings.trim_matches('\n').replace('\n', "\n        ");
    format!("distributions:\n  site:\n    origins:\n      app:\n        {settings}\n")
}

/// A zip file of empty files.
fn zip_file(path: &Path, names: &[&str]) {
    let mut writer = zip::ZipWriter::new(fs::File::create(path).unwrap());
    for name in names {
        let options = zip::write::SimpleFileOptions::default();
        writer.start_file(*name, options).unwrap();
    }
    writer.finish().unwrap();
}
