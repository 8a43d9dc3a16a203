//! Gathers the JavaScript of the built-ins.
//!
//! The web and Node modules of the `deno_*` crates are files inside those crates, many of them
//! TypeScript. The crates expect to be read from disk while a snapshot is made on the build
//! machine. Here they are copied into the binary as plain JavaScript instead, so that a node can
//! make its snapshot when it starts and needs no file of the machine that built it.

#[cfg(feature = "engine")]
mod edits;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=edits.rs");
    #[cfg(feature = "engine")]
    gather::run();
}

#[cfg(feature = "engine")]
mod gather {
    use std::{
        env,
        fmt::Write as _,
        fs,
        path::{Path, PathBuf},
        process::Command,
    };

    use super::edits::EDITS;
    use deno_ast::{
        EmitOptions, ImportsNotUsedAsValues, MediaType, ParseParams, SourceMapOption,
        TranspileModuleOptions, TranspileOptions,
    };

    /// The crates whose JavaScript is used, and the folder it lies in.
    const CRATES: &[(&str, &str)] = &[
        ("deno_crypto", ""),
        ("deno_fetch", ""),
        ("deno_node", "polyfills"),
        ("deno_web", ""),
        ("deno_webidl", ""),
    ];

    pub(super) fn run() {
        let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
        let mut index = String::from("&[\n");
        for (name, dir) in crate_dirs() {
            let folder = CRATES.iter().find(|(c, _)| *c == name).map_or("", |c| c.1);
            let root = dir.join(folder);
            let mut files = Vec::new();
            list(&root, folder.is_empty(), &mut files);
            files.sort();
            for file in files {
                let inside = file.strip_prefix(&dir).expect("listed below dir");
                let key = format!("{name}/{}", inside.display());
                let text = fs::read_to_string(&file).expect("registry sources are UTF-8");
                let text = edited(&key, text);
                let js = ready(&key, &to_javascript(&key, text));
                let target = out.join(key.replace('/', "__"));
                fs::write(&target, js).expect("OUT_DIR is writable");
                let _ = writeln!(index, "({key:?}, include_str!({target:?})),");
            }
        }
        index.push(']');
        let unknown = EDITS
            .iter()
            .find(|edit| !index.contains(&format!("({:?},", edit.0)));
        assert!(unknown.is_none(), "edits.rs: there is no file {unknown:?}");
        fs::write(out.join("builtin_sources.rs"), index).expect("OUT_DIR is writable");
    }

    /// Where cargo unpacked the crates: asked of cargo, since vendored trees and other registries
    /// put them elsewhere.
    fn crate_dirs() -> Vec<(String, PathBuf)> {
        let cargo = env::var_os("CARGO").expect("cargo sets CARGO");
        let target = env::var("TARGET").expect("cargo sets TARGET");
        // Without the network first. What only tests need may be missing from the local registry
        // then, and cargo cannot leave it out.
        let ask = |more: &[&str]| {
            Command::new(&cargo)
                .args(["metadata", "--format-version=1", "--locked"])
                .args(["--filter-platform", &target])
                .args(more)
                .output()
                .expect("cargo runs")
        };
        let mut out = ask(&["--offline"]);
        if !out.status.success() {
            out = ask(&[]);
        }
        assert!(
            out.status.success(),
            "cargo metadata: {}",
            String::from_utf8_lossy(&out.stderr)
        );
        let meta: serde_json::Value = serde_json::from_slice(&out.stdout).expect("cargo's JSON");
        let mut dirs: Vec<(String, PathBuf)> = meta["packages"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|p| {
                let name = p["name"].as_str()?;
                CRATES.iter().find(|(c, _)| *c == name)?;
                let manifest = Path::new(p["manifest_path"].as_str()?);
                Some((name.to_owned(), manifest.parent()?.to_owned()))
            })
            .collect();
        dirs.sort();
        assert_eq!(dirs.len(), CRATES.len(), "one version of each crate");
        dirs
    }

    fn list(dir: &Path, flat: bool, files: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(dir)
            .expect("crate folder is readable")
            .flatten()
        {
            let path = entry.path();
            if path.is_dir() {
                if !flat {
                    list(&path, flat, files);
                }
                continue;
            }
            let name = path.to_string_lossy();
            let code = [".js", ".mjs", ".ts"].iter().any(|e| name.ends_with(e));
            if code && !name.ends_with(".d.ts") {
                files.push(path);
            }
        }
    }

    /// The text with what `edits.rs` changes in it.
    fn edited(key: &str, mut text: String) -> String {
        for (_, times, from, to) in EDITS.iter().filter(|edit| edit.0 == key) {
            let found = text.matches(from).count();
            assert_eq!(
                found, *times,
                "edits.rs: {key} has this {found} times: {from}"
            );
            text = text.replace(from, to);
        }
        text
    }

    fn to_javascript(key: &str, text: String) -> String {
        // The version that `process.version` reports (NC-30).
        let text = text.replace("__NODE_VERSION__", "22.20.0");
        if !key.ends_with(".ts") {
            return text;
        }
        let parsed = deno_ast::parse_module(ParseParams {
            specifier: deno_ast::ModuleSpecifier::parse(&format!("ext:{key}"))
                .expect("a plain path"),
            text: text.into(),
            media_type: MediaType::TypeScript,
            capture_tokens: false,
            scope_analysis: false,
            maybe_syntax: None,
        })
        .unwrap_or_else(|e| panic!("{key}: {e}"));
        parsed
            .transpile(
                &TranspileOptions {
                    imports_not_used_as_values: ImportsNotUsedAsValues::Remove,
                    ..TranspileOptions::default()
                },
                &TranspileModuleOptions::default(),
                &EmitOptions {
                    source_map: SourceMapOption::None,
                    ..EmitOptions::default()
                },
            )
            .unwrap_or_else(|e| panic!("{key}: {e}"))
            .into_source()
            .text
    }

    /// Makes the text usable in place: one-byte, and wrapped as the engine wants scripts, so that
    /// V8 reads it from the binary and keeps no copy in its heap.
    fn ready(key: &str, text: &str) -> String {
        let mut ascii = String::with_capacity(text.len());
        for c in text.chars() {
            if c.is_ascii() {
                ascii.push(c);
            } else {
                let mut units = [0; 2];
                for unit in c.encode_utf16(&mut units) {
                    let _ = write!(ascii, "\\u{unit:04x}");
                }
            }
        }
        let module = ascii
            .lines()
            .any(|l| l.starts_with("import ") || l.starts_with("export "));
        if module || key.ends_with("_esm.ts") || key.ends_with("_esm.js") {
            return ascii;
        }
        let body = ascii.trim_end().trim_end_matches(';');
        if body.contains("Deno.") {
            // A name that there is no global for here (NC-35).
            return format!(
                "\"use strict\"; return (((Deno) => ({body}\n))(__bootstrap.internals.names)\n);"
            );
        }
        format!("\"use strict\"; return ({body}\n);")
    }
}
