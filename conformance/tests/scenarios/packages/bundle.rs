//! Bundles as their authors make them: one program, the package it is about, and what that package depends on.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use serde_json::Value;
use tempfile::TempDir;

use super::super::npm::installed;

/// The directory that npm has filled, and the lock file it went by.
pub(crate) struct Installed {
    dir: PathBuf,
    source: PathBuf,
    lock: Value,
}

/// A package with a program of its own.
pub(crate) struct Package {
    /// As programs load it.
    pub(crate) name: String,
    pub(crate) version: String,
    /// Its program, without the extension.
    program: String,
}

/// Programs that need more than the package they are about.
const TOGETHER: &[(&str, &str)] = &[
    ("@aws-sdk/lib-dynamodb", "@aws-sdk/client-dynamodb"),
    ("jwks-rsa", "jsonwebtoken"),
];

impl Installed {
    pub(crate) fn new() -> Self {
        let (source, dir) = installed("packages");
        let lock = fs::read(dir.join("package-lock.json")).expect("a lock file");
        Self {
            dir,
            source,
            lock: serde_json::from_slice(&lock).expect("a lock file is JSON"),
        }
    }

    /// The directory under `conformance/npm`.
    pub(crate) fn source(&self) -> &Path {
        &self.source
    }

    /// Every direct dependency. Each must have a program.
    pub(crate) fn packages(&self) -> Vec<Package> {
        let direct = self.lock["packages"][""]["dependencies"]
            .as_object()
            .expect("dependencies");
        direct
            .keys()
            .map(|name| {
                let entry = &self.lock["packages"][format!("node_modules/{name}")];
                Package {
                    name: name.clone(),
                    version: entry["version"].as_str().expect("a version").to_owned(),
                    program: name.rsplit('/').next().unwrap_or(name).to_owned(),
                }
            })
            .collect()
    }

    /// A directory with the package, what it depends on, the programs, and an `index.js` that runs one of them.
    pub(crate) fn bundle(&self, package: &Package) -> TempDir {
        // Beside what is linked from: hard links do not cross file systems.
        let home = self.dir.parent().expect("a directory in another");
        let bundle = TempDir::new_in(home).expect("a temporary directory");
        let mut keys = BTreeSet::new();
        self.gather(&format!("node_modules/{}", package.name), &mut keys);
        for (_, other) in TOGETHER.iter().filter(|(name, _)| *name == package.name) {
            self.gather(&format!("node_modules/{other}"), &mut keys);
        }
        for key in &keys {
            link(&self.dir.join(key), &bundle.path().join(key), false);
        }
        let programs = self.source.join("programs");
        link(&programs, &bundle.path().join("programs"), true);
        let program = bundle
            .path()
            .join(format!("programs/{}.js", package.program));
        assert!(program.exists(), "{} has no program", package.name);
        let index = fs::read_to_string(programs.join("support/index.js")).expect("index.js");
        let index = index
            .replace("PACKAGE", &package.name)
            .replace("PROGRAM", &package.program);
        fs::write(bundle.path().join("index.js"), index).expect("a writable file");
        bundle
    }

    /// The entries of the lock file that a package comes with.
    fn gather(&self, key: &str, into: &mut BTreeSet<String>) {
        let entry = &self.lock["packages"][key];
        // Optional dependencies that are made for another platform are in the lock file alone.
        if !self.dir.join(key).exists() || !into.insert(key.to_owned()) {
            return;
        }
        for kind in ["dependencies", "optionalDependencies", "peerDependencies"] {
            for name in entry[kind].as_object().iter().flat_map(|d| d.keys()) {
                if let Some(found) = self.resolve(key, name) {
                    self.gather(&found, into);
                }
            }
        }
    }

    /// Where Node would find a package from another one.
    fn resolve(&self, from: &str, name: &str) -> Option<String> {
        let mut folder = Some(from);
        loop {
            let prefix = folder.map_or_else(String::new, |f| format!("{f}/"));
            let key = format!("{prefix}node_modules/{name}");
            if self.lock["packages"].get(&key).is_some() {
                return Some(key);
            }
            let (up, _) = folder?.rsplit_once("node_modules/")?;
            folder = Some(up.trim_end_matches('/')).filter(|f| !f.is_empty());
        }
    }
}

/// The same files at another place: linked, or copied where they might be changed under a running test.
fn link(from: &Path, to: &Path, copy: bool) {
    fs::create_dir_all(to).expect("a writable directory");
    for entry in fs::read_dir(from).expect("a readable directory") {
        let entry = entry.expect("a readable directory");
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        if entry.file_type().expect("a kind").is_dir() {
            // What is nested below has entries of its own.
            if entry.file_name() != "node_modules" {
                link(&source, &target, copy);
            }
        } else if copy || fs::hard_link(&source, &target).is_err() {
            fs::copy(&source, &target).expect("a copy");
        }
    }
}
