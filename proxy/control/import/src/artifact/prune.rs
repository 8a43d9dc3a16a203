//! Development dependencies by npm's lock file (CP-341). Nothing is run: the framework asks `npm ls`, this reads.

use std::{collections::BTreeSet, fs, path::Path};

use serde_json::Value;

/// Largest lock file read, in bytes.
const MAX_LOCK: u64 = 64 << 20;
/// Deepest nesting of `dependencies` in a lock file of npm 6.
const MAX_DEPTH: usize = 32;

/// What a lock file says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Locked {
    /// Directories of development dependencies, relative, with slashes.
    Development(BTreeSet<String>),
    /// A lock file of another tool stands here, which does not say what is for development.
    Other(&'static str),
    /// There are no dependencies to speak of.
    None,
}

/// Reads the lock file of the project in `root`. What is unreadable prunes nothing: a package that is too large works.
pub(crate) fn development(root: &Path) -> Locked {
    // The hidden one says what is installed, the others what should be.
    for name in [
        "node_modules/.package-lock.json",
        "npm-shrinkwrap.json",
        "package-lock.json",
    ] {
        let path = root.join(name);
        let small = fs::metadata(&path).is_ok_and(|m| m.is_file() && m.len() <= MAX_LOCK);
        if !small {
            continue;
        }
        let Some(lock) = fs::read(&path)
            .ok()
            .and_then(|bytes| serde_json::from_slice::<Value>(&bytes).ok())
        else {
            continue;
        };
        let mut found = BTreeSet::new();
        if let Some(packages) = lock.get("packages").and_then(Value::as_object) {
            for (path, package) in packages {
                // `devOptional` is needed by an optional one as well, and stays.
                if path.contains("node_modules/") && is_dev(package) {
                    found.insert(path.clone());
                }
            }
        } else if let Some(packages) = lock.get("dependencies") {
            nested(packages, "", 0, &mut found);
        }
        return Locked::Development(found);
    }
    if !root.join("node_modules").is_dir() {
        return Locked::None;
    }
    for name in ["yarn.lock", "pnpm-lock.yaml", "bun.lock", "bun.lockb"] {
        if root.join(name).is_file() {
            return Locked::Other(name);
        }
    }
    Locked::None
}

fn is_dev(package: &Value) -> bool {
    package.get("dev").and_then(Value::as_bool) == Some(true)
}

/// The form of npm 6: dependencies within dependencies.
fn nested(packages: &Value, prefix: &str, depth: usize, found: &mut BTreeSet<String>) {
    let Some(packages) = packages.as_object().filter(|_| depth < MAX_DEPTH) else {
        return;
    };
    for (name, package) in packages {
        let path = format!("{prefix}node_modules/{name}");
        if is_dev(package) {
            found.insert(path);
        } else if let Some(inner) = package.get("dependencies") {
            nested(inner, &format!("{path}/"), depth + 1, found);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(paths: &[&str]) -> BTreeSet<String> {
        paths.iter().map(|p| (*p).to_owned()).collect()
    }

    #[test]
    fn both_generations_of_lock_files_are_read() {
        // CP-341
        let dir = tempfile::tempdir().unwrap();
        let lock = dir.path().join("package-lock.json");
        fs::write(
            &lock,
            r#"{"lockfileVersion": 3, "packages": {"": {}, "node_modules/a": {}, "node_modules/b": {"dev": true},
                "node_modules/a/node_modules/c": {"dev": true}, "node_modules/d": {"devOptional": true}}}"#,
        )
        .unwrap();
        assert_eq!(
            development(dir.path()),
            Locked::Development(set(&["node_modules/b", "node_modules/a/node_modules/c"]))
        );
        fs::write(
            &lock,
            r#"{"lockfileVersion": 1, "dependencies": {"a": {"dependencies": {"c": {"dev": true}}}, "@x/b": {"dev": true}}}"#,
        )
        .unwrap();
        assert_eq!(
            development(dir.path()),
            Locked::Development(set(&["node_modules/@x/b", "node_modules/a/node_modules/c"]))
        );
    }

    #[test]
    fn other_tools_lock_files_are_named() {
        // CP-341
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("yarn.lock"), "").unwrap();
        assert_eq!(development(dir.path()), Locked::None);
        fs::create_dir(dir.path().join("node_modules")).unwrap();
        assert_eq!(development(dir.path()), Locked::Other("yarn.lock"));
    }
}
