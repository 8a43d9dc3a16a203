//! Which files of an example are the example: not what npm or a build has put beside them.
//!
//! Shared by the build script, which puts examples into the binary, and by the tests, which run copies of them.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// What is no part of an example, wherever it lies, and whether its `.gitignore` says so or not.
const NEVER: [&str; 2] = ["node_modules", "target"];

/// A folder and what counts in it. Paths are relative to the folder, and in their order.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Tree {
    pub(crate) files: Vec<PathBuf>,
    /// What to watch in order to notice any change: folders in which everything counts, else files.
    pub(crate) watched: Vec<PathBuf>,
}

impl Tree {
    /// Reads a folder, without what the `.gitignore` in it names.
    ///
    /// # Errors
    /// It cannot be read, or its `.gitignore` has a pattern that is not understood here.
    pub(crate) fn of(root: &Path) -> io::Result<Self> {
        let ignored = match fs::read_to_string(root.join(".gitignore")) {
            Ok(text) => Ignored::parse(&text)?,
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ignored::default(),
            Err(e) => return Err(e),
        };
        let mut tree = Self::default();
        if tree.add(root, Path::new(""), &ignored)? {
            tree.watched = vec![PathBuf::new()];
        }
        Ok(tree)
    }

    /// Adds what lies in a folder. Whether everything in it counts.
    fn add(&mut self, root: &Path, inside: &Path, ignored: &Ignored) -> io::Result<bool> {
        let mut names = Vec::new();
        for entry in fs::read_dir(root.join(inside))? {
            names.push(entry?.file_name());
        }
        names.sort();
        let mut all_count = true;
        let mut watched = Vec::new();
        for name in names {
            let path = inside.join(name);
            if ignored.matches(&path) {
                all_count = false;
                continue;
            }
            if !root.join(&path).is_dir() {
                self.files.push(path.clone());
                watched.push(path);
            } else if self.add(root, &path, ignored)? {
                watched.push(path);
            } else {
                all_count = false;
            }
        }
        if !all_count {
            self.watched.append(&mut watched);
        }
        Ok(all_count)
    }
}

/// The patterns of a `.gitignore` that examples need: names, paths from the folder, `*` at either end.
#[derive(Debug, Default)]
struct Ignored(Vec<String>);

impl Ignored {
    fn parse(text: &str) -> io::Result<Self> {
        let mut patterns = Vec::new();
        for line in text.lines().map(str::trim) {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let pattern = line.trim_end_matches('/');
            let inner = pattern.trim_matches('*');
            if pattern.starts_with('!') || inner.contains(['*', '?', '[', '\\']) {
                let message = format!(".gitignore: `{line}` is a pattern that is not read here");
                return Err(io::Error::new(io::ErrorKind::InvalidData, message));
            }
            patterns.push(pattern.to_owned());
        }
        Ok(Self(patterns))
    }

    /// Whether a path is named, whose folder is not.
    fn matches(&self, path: &Path) -> bool {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let whole = path.to_string_lossy();
        NEVER.contains(&&*name)
            || self.0.iter().any(|pattern| match pattern.contains('/') {
                true => fits(pattern.trim_start_matches('/'), &whole),
                false => fits(pattern, &name),
            })
    }
}

fn fits(pattern: &str, text: &str) -> bool {
    match (pattern.strip_prefix('*'), pattern.strip_suffix('*')) {
        (Some(end), None) => text.ends_with(end),
        (None, Some(start)) => text.starts_with(start),
        (Some(_), Some(_)) => text.contains(pattern.trim_matches('*')),
        (None, None) => text == pattern,
    }
}
