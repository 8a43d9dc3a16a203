//! A tree of files held in memory: what a bundle and the operator's packages have in common.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    path::PathBuf,
    sync::{Arc, OnceLock},
};

use thiserror::Error;

use super::TASK_ROOT;
use crate::ExecutionFault;

/// Entries beyond which a tree is taken for something else than a function.
pub(super) const MAX_ENTRIES: usize = 100_000;

/// Folders within folders.
pub(super) const MAX_DEPTH: usize = 64;

/// What lies at a path.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Entry {
    File { bytes: Content, mode: u16 },
    Dir(BTreeSet<Arc<str>>),
    Link(Arc<str>),
}

impl Entry {
    pub(super) const fn is_link(&self) -> bool {
        matches!(self, Self::Link(_))
    }
}

/// The bytes of a file: at hand, or read when somebody wants them.
#[derive(Debug)]
pub(super) enum Content {
    Held(Arc<[u8]>),
    OnDisk(OnDisk),
}

/// A file that is read on first need and kept then.
#[derive(Debug)]
pub(super) struct OnDisk {
    pub(super) path: PathBuf,
    pub(super) length: u64,
    /// When it was last changed, in nanoseconds.
    pub(super) modified: u128,
    pub(super) bytes: OnceLock<Arc<[u8]>>,
}

impl Content {
    pub(super) fn len(&self) -> u64 {
        match self {
            Self::Held(bytes) => bytes.len() as u64,
            Self::OnDisk(file) => file.length,
        }
    }

    pub(super) fn get(&self) -> io::Result<Arc<[u8]>> {
        let file = match self {
            Self::Held(bytes) => return Ok(bytes.clone()),
            Self::OnDisk(file) => file,
        };
        if let Some(bytes) = file.bytes.get() {
            return Ok(bytes.clone());
        }
        // A version of a function is one set of files: one that has changed since belongs to the next.
        let meta = std::fs::metadata(&file.path)?;
        if meta.len() != file.length || modified(&meta) != file.modified {
            return Err(io::Error::other(format!(
                "{} has changed since the node was loaded: reload it",
                file.path.display()
            )));
        }
        let bytes: Arc<[u8]> = std::fs::read(&file.path)?.into();
        Ok(file.bytes.get_or_init(|| bytes).clone())
    }
}

/// When a file was last changed.
pub(super) fn modified(meta: &std::fs::Metadata) -> u128 {
    meta.modified()
        .ok()
        .and_then(|t| t.duration_since(std::time::UNIX_EPOCH).ok())
        .map_or(0, |d| d.as_nanos())
}

/// Contents on disk are the same when they have not been touched: nobody reads them all to know.
impl PartialEq for Content {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Held(a), Self::Held(b)) => a == b,
            (Self::OnDisk(a), Self::OnDisk(b)) => {
                a.path == b.path && a.length == b.length && a.modified == b.modified
            }
            _ => false,
        }
    }
}

impl Eq for Content {}

/// Why an entry cannot be added.
#[derive(Debug, Error, PartialEq, Eq)]
pub(super) enum Misplaced {
    #[error("{0} occurs twice")]
    Twice(String),
    #[error("{0} is both a file and a folder")]
    FileAndFolder(String),
    #[error("there are more than {MAX_ENTRIES} files and folders")]
    TooMany,
    #[error("{0} lies more than {MAX_DEPTH} folders deep")]
    TooDeep(String),
}

impl From<Misplaced> for ExecutionFault {
    fn from(why: Misplaced) -> Self {
        super::import_error(why.to_string())
    }
}

/// Entries by their absolute virtual paths.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Tree {
    entries: BTreeMap<Arc<str>, Entry>,
}

impl Default for Tree {
    /// The folders that are always there. `/tmp` is the isolate's own, and only named here.
    fn default() -> Self {
        let dir = |names: &[&str]| Entry::Dir(names.iter().map(|n| (*n).into()).collect());
        let entries = [
            ("/", dir(&["opt", "tmp", "var"])),
            ("/opt", dir(&[])),
            ("/var", dir(&["task"])),
            (TASK_ROOT, dir(&[])),
        ];
        Self {
            entries: entries.into_iter().map(|(p, e)| (p.into(), e)).collect(),
        }
    }
}

impl Tree {
    pub(super) fn get(&self, path: &str) -> Option<&Entry> {
        self.entries.get(path)
    }

    pub(super) fn files(&self) -> impl Iterator<Item = (&str, Arc<[u8]>)> {
        self.entries.iter().filter_map(|(path, entry)| match entry {
            Entry::File { bytes, .. } => Some((&**path, bytes.get().ok()?)),
            _ => None,
        })
    }

    pub(super) fn insert_file(
        &mut self,
        root: &str,
        relative: &str,
        bytes: Arc<[u8]>,
        mode: u16,
    ) -> Result<(), Misplaced> {
        let bytes = Content::Held(bytes);
        self.insert(root, relative, Entry::File { bytes, mode })
    }

    /// Adds an entry and the folders above it.
    pub(super) fn insert(
        &mut self,
        root: &str,
        relative: &str,
        entry: Entry,
    ) -> Result<(), Misplaced> {
        let path = format!("{root}/{relative}");
        self.insert_dir(root, relative.rfind('/').map_or("", |i| &relative[..i]))?;
        match self.entries.get(path.as_str()) {
            None => {}
            Some(Entry::Dir(_)) => return Err(Misplaced::FileAndFolder(relative.to_owned())),
            Some(_) => return Err(Misplaced::Twice(relative.to_owned())),
        }
        self.add(path, entry)
    }

    /// Adds a folder, if it is not there, and those above it.
    pub(super) fn insert_dir(&mut self, root: &str, relative: &str) -> Result<(), Misplaced> {
        let mut path = root.to_owned();
        let parts = relative.split('/').filter(|p| !p.is_empty());
        for (depth, part) in parts.enumerate() {
            if depth >= MAX_DEPTH {
                return Err(Misplaced::TooDeep(relative.to_owned()));
            }
            path = format!("{path}/{part}");
            match self.entries.get(path.as_str()) {
                Some(Entry::Dir(_)) => {}
                Some(_) => return Err(Misplaced::FileAndFolder(path[root.len() + 1..].to_owned())),
                None => self.add(path.clone(), Entry::Dir(BTreeSet::new()))?,
            }
        }
        Ok(())
    }

    /// Adds what is known not to be there, in a folder that is.
    fn add(&mut self, path: String, entry: Entry) -> Result<(), Misplaced> {
        if self.entries.len() >= MAX_ENTRIES {
            return Err(Misplaced::TooMany);
        }
        let at = path.rfind('/').unwrap_or(0);
        let parent = if at == 0 { "/" } else { &path[..at] };
        if let Some(Entry::Dir(names)) = self.entries.get_mut(parent) {
            names.insert(path[at + 1..].into());
        }
        self.entries.insert(path.into(), entry);
        Ok(())
    }
}

/// Where a link inside the tree leads, or `None` when that is outside. Only text is looked at: what it names
/// is looked up in the tree again.
pub(super) fn leads_inside(relative: &str, target: &str) -> bool {
    let folders = relative.split('/').filter(|p| !p.is_empty()).count();
    let mut depth = folders.saturating_sub(1);
    if target.starts_with('/') {
        return false;
    }
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => match depth.checked_sub(1) {
                Some(up) => depth = up,
                None => return false,
            },
            _ => depth += 1,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_lead_inside_or_nowhere() {
        // NC-50
        for (at, target, inside) in [
            ("a", "b", true),
            ("a", "../b", false),
            ("d/a", "../b", true),
            ("d/a", "../../b", false),
            ("d/a", "x/../../../b", false),
            ("a", "/etc/passwd", false),
            ("a", "./x/..", true),
        ] {
            assert_eq!(leads_inside(at, target), inside, "{at} -> {target}");
        }
    }

    #[test]
    fn a_name_is_one_thing() {
        // NC-50, CP-071
        let mut tree = Tree::default();
        let file =
            |tree: &mut Tree, name: &str| tree.insert_file(TASK_ROOT, name, Arc::from(*b""), 0o644);
        file(&mut tree, "a/b").unwrap();
        assert_eq!(file(&mut tree, "a/b"), Err(Misplaced::Twice("a/b".into())));
        assert_eq!(
            file(&mut tree, "a"),
            Err(Misplaced::FileAndFolder("a".into()))
        );
        assert_eq!(
            file(&mut tree, "a/b/c"),
            Err(Misplaced::FileAndFolder("a/b".into()))
        );
        let deep = "d/".repeat(MAX_DEPTH + 1);
        assert!(matches!(
            file(&mut tree, &format!("{deep}x")),
            Err(Misplaced::TooDeep(_))
        ));
    }
}
