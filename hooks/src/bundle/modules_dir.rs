//! Extra packages that an operator provides to all functions of a node (NC-72), an AWS SDK above all, which is in no bundle unless its author packs it (LE-355).
//!
//! The directory may be large, an SDK for one: what is in it is taken down when the node loads, a file is read
//! when a function first needs it, and all isolates share what has been read.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{
    MODULES_ROOT, dir, import_error,
    tree::{Entry, Tree},
    unreadable,
};
use crate::ExecutionFault;

/// The packages of one directory, as they lay there at one time.
#[derive(Debug, PartialEq, Eq)]
pub struct ModulesDir {
    root: PathBuf,
    tree: Tree,
}

impl ModulesDir {
    /// Takes down what lies in the directory. If that is what `before` has, it is `before` again, with
    /// everything it has read.
    ///
    /// # Errors
    /// [`ExecutionFault::Load`] when it cannot be read, or has a link that leaves it.
    pub fn open(path: &Path, before: Option<&Arc<Self>>) -> Result<Arc<Self>, ExecutionFault> {
        let root = path.canonicalize().map_err(|e| unreadable(path, &e))?;
        if !root.is_dir() {
            let message = format!("modules_dir: {} is not a directory", path.display());
            return Err(import_error(message));
        }
        let tree = dir::index(&root, MODULES_ROOT)?;
        let now = Self { root, tree };
        Ok(match before {
            Some(before) if **before == now => before.clone(),
            _ => Arc::new(now),
        })
    }

    pub(super) fn entry(&self, path: &str) -> Option<&Entry> {
        self.tree.get(path)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{super::Bundle, *};

    #[test]
    fn packages_are_read_when_needed_and_changes_are_noticed() {
        // NC-72
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("p")).unwrap();
        fs::write(dir.path().join("p/index.js"), "1").unwrap();
        fs::write(dir.path().join("p/other.js"), "2").unwrap();
        let first = ModulesDir::open(dir.path(), None).unwrap();
        let bundle = Bundle::default().with_modules(Some(first.clone()));
        let path = "/opt/nodejs/node_modules/p/index.js";
        assert_eq!(*bundle.file(path).unwrap(), *b"1");
        assert!(bundle.is_dir("/opt/nodejs/node_modules/p"));
        assert_eq!(bundle.list("/opt"), ["nodejs"]);
        assert!(bundle.is_dir("/var/task"));
        // Nothing has changed: what was read is kept.
        let again = ModulesDir::open(dir.path(), Some(&first)).unwrap();
        assert!(Arc::ptr_eq(&first, &again));
        fs::write(dir.path().join("p/index.js"), "one").unwrap();
        fs::write(dir.path().join("p/other.js"), "two").unwrap();
        let changed = ModulesDir::open(dir.path(), Some(&first)).unwrap();
        assert_ne!(first, changed);
        let next = Bundle::default().with_modules(Some(changed));
        assert_ne!(bundle, next);
        assert_eq!(*next.file(path).unwrap(), *b"one");
        // The old version keeps what it has, and does not mix in what is new.
        assert_eq!(*bundle.file(path).unwrap(), *b"1");
        let other = "/opt/nodejs/node_modules/p/other.js";
        let refused = bundle.read_at(other, 0, &mut [0; 3]).unwrap_err();
        assert!(refused.to_string().contains("has changed"), "{refused}");
    }

    #[test]
    fn what_is_no_directory_is_named() {
        // NC-72
        let fault = ModulesDir::open(Path::new("no/such"), None).unwrap_err();
        assert!(fault.to_string().contains("no/such"), "{fault}");
    }
}
