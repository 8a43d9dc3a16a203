//! A bundle that lies as a directory (NC-50).

use std::{fs, path::Path};

use super::{
    MAX_BYTES, TASK_ROOT, import_error,
    tree::{Content, Entry, MAX_DEPTH, OnDisk, Tree, leads_inside, modified},
    unreadable,
};
use crate::ExecutionFault;

/// Reads the directory with everything in it.
pub(super) fn read(path: &Path) -> Result<Tree, ExecutionFault> {
    let root = path.canonicalize().map_err(|e| unreadable(path, &e))?;
    if !root.is_dir() {
        return Err(import_error(format!(
            "{} is not a directory",
            path.display()
        )));
    }
    let mut walk = Walk {
        mount: TASK_ROOT,
        root: &root,
        tree: Tree::default(),
        left: Some(MAX_BYTES),
    };
    walk.dir(&root, "", 0)?;
    Ok(walk.tree)
}

/// Takes down what lies below a directory; contents are read when they are wanted (NC-72).
pub(super) fn index(root: &Path, mount: &'static str) -> Result<Tree, ExecutionFault> {
    let mut walk = Walk {
        mount,
        root,
        tree: Tree::default(),
        left: None,
    };
    walk.tree.insert_dir("/opt", "nodejs/node_modules")?;
    walk.dir(root, "", 0)?;
    Ok(walk.tree)
}

struct Walk<'a> {
    mount: &'static str,
    root: &'a Path,
    tree: Tree,
    /// Bytes that may still be read; `None` when nothing is.
    left: Option<u64>,
}

impl Walk<'_> {
    fn dir(&mut self, dir: &Path, prefix: &str, depth: usize) -> Result<(), ExecutionFault> {
        if depth > MAX_DEPTH {
            return Err(import_error(format!(
                "{prefix} lies more than {MAX_DEPTH} folders deep"
            )));
        }
        for entry in fs::read_dir(dir).map_err(|e| unreadable(dir, &e))? {
            let entry = entry.map_err(|e| unreadable(dir, &e))?;
            let path = entry.path();
            let name = entry.file_name();
            let Some(name) = name.to_str() else {
                return Err(import_error(format!(
                    "{prefix}{} is not a UTF-8 file name",
                    name.display()
                )));
            };
            let inside = format!("{prefix}{name}");
            let meta = fs::symlink_metadata(&path).map_err(|e| unreadable(&path, &e))?;
            if meta.is_symlink() {
                self.link(&path, &inside)?;
            } else if meta.is_dir() {
                if name == ".git" {
                    continue;
                }
                self.tree.insert_dir(self.mount, &inside)?;
                self.dir(&path, &format!("{inside}/"), depth + 1)?;
            } else if meta.is_file() {
                let bytes = self.content(&path, &meta)?;
                let mode = mode_of(&meta);
                self.tree
                    .insert(self.mount, &inside, Entry::File { bytes, mode })?;
            }
        }
        Ok(())
    }

    fn content(&mut self, path: &Path, meta: &fs::Metadata) -> Result<Content, ExecutionFault> {
        let Some(left) = &mut self.left else {
            return Ok(Content::OnDisk(OnDisk {
                path: path.to_owned(),
                length: meta.len(),
                modified: modified(meta),
                bytes: std::sync::OnceLock::new(),
            }));
        };
        *left = left
            .checked_sub(meta.len())
            .ok_or_else(|| import_error(format!("the bundle is larger than {MAX_BYTES} bytes")))?;
        let bytes = fs::read(path).map_err(|e| unreadable(path, &e))?;
        Ok(Content::Held(bytes.into()))
    }

    /// A link is kept as one: package managers lay out `node_modules` with them, and modules are known by
    /// where they really lie.
    fn link(&mut self, path: &Path, inside: &str) -> Result<(), ExecutionFault> {
        let target = fs::read_link(path).map_err(|e| unreadable(path, &e))?;
        let outside = || import_error(format!("{inside} links outside the bundle"));
        let text = target.to_str().ok_or_else(outside)?;
        if leads_inside(inside, text) {
            let entry = Entry::Link(text.into());
            return Ok(self.tree.insert(self.mount, inside, entry)?);
        }
        // A long way round may lead back in.
        let real = path.canonicalize().map_err(|_| outside())?;
        let within = real.strip_prefix(self.root).map_err(|_| outside())?;
        let within = within.to_str().ok_or_else(outside)?;
        let entry = Entry::Link(format!("{}/{within}", self.mount).into());
        Ok(self.tree.insert(self.mount, inside, entry)?)
    }
}

#[cfg(unix)]
fn mode_of(meta: &fs::Metadata) -> u16 {
    use std::os::unix::fs::PermissionsExt as _;
    // Readable for the function, as its packages are; nothing of it can be run.
    u16::try_from(meta.permissions().mode() & 0o777).unwrap_or(0o644) | 0o444
}

#[cfg(not(unix))]
fn mode_of(_: &fs::Metadata) -> u16 {
    0o644
}
