//! One linker flag for everything of this package that links Pingora and the engine together, and the examples as files
//! that `fourfront init` writes.
//!
//! Both bring the `brotli` crate, in two major versions, with its C interface switched on, and the C
//! interface exports the same unmangled names from both. Nothing calls those names: the Rust code of each
//! version calls its own mangled ones. So the linker may keep either definition.

use std::{
    env, fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
};

#[path = "build/tree.rs"]
mod tree;

use tree::Tree;

/// No template: its API is a Rust program of this package.
const NO_TEMPLATE: &str = "quickstart";

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=build");
    if env::var("CARGO_CFG_TARGET_OS").is_ok_and(|os| os == "linux") {
        println!("cargo::rustc-link-arg=-Wl,-z,muldefs");
    }
    templates()
}

/// Writes `templates.rs`: the examples by name, each with its files (CP-601).
fn templates() -> io::Result<()> {
    let variable = |name: &str| env::var_os(name).ok_or_else(|| io::Error::other(name.to_owned()));
    let package = PathBuf::from(variable("CARGO_MANIFEST_DIR")?);
    let mut out = fs::File::create(Path::new(&variable("OUT_DIR")?).join("templates.rs"))?;
    let examples = package.join("../examples").canonicalize()?;
    // A new example is one more entry of the list there, and a test holds that complete.
    println!(
        "cargo::rerun-if-changed={}",
        examples.join("README.md").display()
    );
    let mut folders = Vec::new();
    for entry in fs::read_dir(&examples)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() && entry.file_name() != NO_TEMPLATE {
            folders.push(entry.path());
        }
    }
    folders.sort();
    writeln!(out, "&[")?;
    for folder in folders {
        let name = folder.file_name().unwrap_or_default().to_string_lossy();
        let tree = Tree::of(&folder)?;
        for path in &tree.watched {
            println!("cargo::rerun-if-changed={}", folder.join(path).display());
        }
        writeln!(out, "Template {{ name: {name:?}, files: &[")?;
        for path in tree.files {
            writeln!(out, "({path:?}, include_bytes!({:?})),", folder.join(&path))?;
        }
        writeln!(out, "] }},")?;
    }
    writeln!(out, "]")
}
