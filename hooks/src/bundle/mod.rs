//! A function's files, read once and held in memory, mounted at `/var/task` (NC-50), and what else its isolates
//! may read: the operator's extra packages below `/opt` (NC-72).
//!
//! Nothing here knows JavaScript's engine: what a file *is* (CommonJS, ES module, JSON) and what a
//! specifier *means* are decided from names and `package.json` alone, in [`resolve`]. Paths are absolute and
//! virtual, and so are links: none of them is ever shown to the system.

mod dir;
mod modules_dir;
mod package;
pub mod resolve;
mod tree;
mod zip;

use std::{
    borrow::Cow,
    collections::HashMap,
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use fourfront_model::FunctionSource;
use serde_json::Value;

pub use modules_dir::ModulesDir;
use tree::{Entry, Tree};

use crate::ExecutionFault;

/// Where a function sees its own files (LE-341).
pub const TASK_ROOT: &str = "/var/task";

/// Where a function sees the operator's packages (NC-72).
pub const MODULES_ROOT: &str = "/opt/nodejs/node_modules";

/// Unpacked size beyond which a bundle is refused, as Lambda does: 250 MiB.
const MAX_BYTES: u64 = 250 * 1024 * 1024;

/// Links followed on one path, as on Linux.
const MAX_LINKS: usize = 40;

/// The files of one function version.
#[derive(Debug)]
pub struct Bundle {
    tree: Tree,
    modules: Option<Arc<ModulesDir>>,
    /// Each `package.json` is asked for again and again while a package is resolved.
    packages: Mutex<HashMap<String, Option<Arc<Value>>>>,
}

/// What lies at a path, links not followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// A file of so many bytes, and its permissions.
    File(u64, u32),
    /// A folder.
    Dir,
    /// A symbolic link.
    Link,
}

impl Bundle {
    /// Reads a file, a directory or a zip file from disk.
    ///
    /// # Errors
    /// [`ExecutionFault::Load`] when the source is missing, unreadable, too large, written in
    /// TypeScript (NC-58), or has a symbolic link that leaves it; for a zip file also when it breaks a rule of
    /// CP-071.
    pub fn read(source: &FunctionSource) -> Result<Self, ExecutionFault> {
        let tree = match source {
            FunctionSource::File(path) => {
                let bytes = fs::read(path).map_err(|e| unreadable(path, &e))?;
                let mut tree = Tree::default();
                tree.insert_file(TASK_ROOT, single_file_name(path)?, bytes.into(), 0o644)?;
                tree
            }
            FunctionSource::Dir(path) => dir::read(path)?,
            FunctionSource::Zip(path) => {
                let length = fs::metadata(path).map_err(|e| unreadable(path, &e))?.len();
                if length > MAX_BYTES {
                    return Err(import_error(format!(
                        "{} is larger than {MAX_BYTES} bytes",
                        path.display()
                    )));
                }
                zip::read(&fs::read(path).map_err(|e| unreadable(path, &e))?)
                    .map_err(|e| import_error(format!("Could not unzip {}: {e}", path.display())))?
            }
        };
        Ok(Self::of(tree))
    }

    /// A bundle from the bytes of a zip file.
    ///
    /// # Errors
    /// [`ExecutionFault::Load`], naming the entry and the rule of CP-071 that it breaks.
    pub fn from_zip(bytes: &[u8]) -> Result<Self, ExecutionFault> {
        zip::read(bytes)
            .map(Self::of)
            .map_err(|e| import_error(format!("Could not unzip uploaded file: {e}")))
    }

    /// A bundle from names and contents, for tests and inline code. Names are relative to the root.
    ///
    /// # Panics
    /// When two of the names exclude each other.
    pub fn from_files<'a>(files: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let mut tree = Tree::default();
        for (name, text) in files {
            tree.insert_file(TASK_ROOT, name, text.as_bytes().into(), 0o644)
                .expect("the names are the caller's own");
        }
        Self::of(tree)
    }

    fn of(tree: Tree) -> Self {
        Self {
            tree,
            modules: None,
            packages: Mutex::default(),
        }
    }

    /// The same files with the operator's packages beside them (NC-72).
    #[must_use]
    pub fn with_modules(self, modules: Option<Arc<ModulesDir>>) -> Self {
        Self { modules, ..self }
    }

    /// The operator's packages, if the node has any.
    pub const fn modules(&self) -> Option<&Arc<ModulesDir>> {
        self.modules.as_ref()
    }

    /// What lies at an absolute path, links not followed.
    pub fn look(&self, path: &str) -> Option<Look> {
        self.entry(path).map(|entry| match entry {
            Entry::File { bytes, mode } => Look::File(bytes.len(), u32::from(*mode)),
            Entry::Dir(_) => Look::Dir,
            Entry::Link(_) => Look::Link,
        })
    }

    fn entry(&self, path: &str) -> Option<&Entry> {
        match &self.modules {
            Some(modules) if path.starts_with("/opt") => modules.entry(path),
            _ => self.tree.get(path),
        }
    }

    /// The target of the link at a path.
    pub fn link(&self, path: &str) -> Option<&str> {
        match self.entry(path)? {
            Entry::Link(target) => Some(target),
            _ => None,
        }
    }

    /// The path with all its links followed, if something lies there.
    pub fn real_path(&self, path: &str) -> Option<String> {
        if self.entry(path).is_some_and(|e| !e.is_link()) {
            return Some(path.to_owned());
        }
        let mut links = 0;
        let mut left: Vec<String> = parts_of(path);
        let mut real = String::new();
        while let Some(part) = left.pop() {
            if part == ".." {
                real.truncate(real.rfind('/').unwrap_or(0));
                continue;
            }
            let next = format!("{real}/{part}");
            match self.entry(&next)? {
                Entry::Link(target) => {
                    links += 1;
                    if links > MAX_LINKS {
                        return None;
                    }
                    if target.starts_with('/') {
                        real.clear();
                    }
                    left.extend(parts_of(target));
                }
                _ => real = next,
            }
        }
        Some(if real.is_empty() { "/".into() } else { real })
    }

    /// The bytes of the file at an absolute path, links followed.
    pub fn file(&self, path: &str) -> Option<Arc<[u8]>> {
        match self.entry(&self.real_path(path)?)? {
            Entry::File { bytes, .. } => bytes.get().ok(),
            _ => None,
        }
    }

    /// Copies a part of the file at a real path; answers how much that was.
    ///
    /// # Errors
    /// What the file system says of a file that is read when it is needed.
    pub fn read_at(&self, path: &str, position: u64, into: &mut [u8]) -> io::Result<usize> {
        let Some(Entry::File { bytes, .. }) = self.entry(path) else {
            return Err(io::ErrorKind::NotFound.into());
        };
        let bytes = bytes.get()?;
        let start = usize::try_from(position).map_or(bytes.len(), |p| p.min(bytes.len()));
        let part = &bytes[start..bytes.len().min(start.saturating_add(into.len()))];
        into[..part.len()].copy_from_slice(part);
        Ok(part.len())
    }

    /// Whether a file lies at an absolute path, links followed.
    pub fn is_file(&self, path: &str) -> bool {
        self.real_path(path)
            .is_some_and(|p| matches!(self.look(&p), Some(Look::File(..))))
    }

    /// Whether a folder lies at an absolute path, links followed.
    pub fn is_dir(&self, path: &str) -> bool {
        self.real_path(path)
            .is_some_and(|p| matches!(self.look(&p), Some(Look::Dir)))
    }

    /// The names in the folder at a real path, sorted.
    pub fn list(&self, path: &str) -> Vec<String> {
        match self.entry(path) {
            Some(Entry::Dir(names)) => names.iter().map(|n| n.to_string()).collect(),
            _ => Vec::new(),
        }
    }

    /// Every file of the function's own, with its contents.
    pub fn files(&self) -> impl Iterator<Item = (&str, Arc<[u8]>)> {
        self.tree.files()
    }

    /// The `package.json` in a folder, parsed; `None` when there is none or it is no JSON.
    fn package_json(&self, dir: &str) -> Option<Arc<Value>> {
        let mut known = self.packages.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = known.get(dir) {
            return found.clone();
        }
        let parsed = self
            .file(&format!("{dir}/package.json"))
            .and_then(|bytes| serde_json::from_slice(&bytes).ok())
            .map(Arc::new);
        known.insert(dir.to_owned(), parsed.clone());
        parsed
    }
}

impl Default for Bundle {
    fn default() -> Self {
        Self::of(Tree::default())
    }
}

/// Bundles are the same when their isolates would see the same.
impl PartialEq for Bundle {
    fn eq(&self, other: &Self) -> bool {
        self.tree == other.tree && self.modules == other.modules
    }
}

/// The components of a path, the first one last.
fn parts_of(path: &str) -> Vec<String> {
    path.split('/')
        .rev()
        .filter(|p| !p.is_empty() && *p != ".")
        .map(str::to_owned)
        .collect()
}

/// A text with the paths a function sees turned back into those of its author's files: stack traces for people on
/// the author's machine. Other paths stay (NC-50, NC-56).
pub fn author_paths<'a>(source: &FunctionSource, text: &'a str) -> Cow<'a, str> {
    if !text.contains(TASK_ROOT) {
        return Cow::Borrowed(text);
    }
    let inside = |dir: &Path, text: &str| {
        let dir = dir.join("");
        text.replace(&format!("{TASK_ROOT}/"), &dir.display().to_string())
    };
    Cow::Owned(match source {
        FunctionSource::File(path) => {
            let text = match single_file_name(path) {
                Ok(name) => {
                    text.replace(&format!("{TASK_ROOT}/{name}"), &path.display().to_string())
                }
                Err(_) => text.to_owned(),
            };
            // A source map may name neighbours of the file.
            inside(path.parent().unwrap_or_else(|| Path::new("")), &text)
        }
        FunctionSource::Dir(path) | FunctionSource::Zip(path) => inside(path, text),
    })
}

/// The name a single file is mounted under (NC-50): its extension decides, its name does not.
fn single_file_name(path: &Path) -> Result<&'static str, ExecutionFault> {
    match path.extension().and_then(|e| e.to_str()) {
        Some("mjs") => Ok("index.mjs"),
        Some("cjs") => Ok("index.cjs"),
        Some("ts" | "mts" | "cts") => Err(import_error(format!(
            "{} is TypeScript: compile to JavaScript first",
            display_name(path)
        ))),
        _ => Ok("index.js"),
    }
}

fn display_name(path: &Path) -> String {
    path.file_name()
        .map_or_else(|| path.display().to_string(), |n| n.display().to_string())
}

fn unreadable(path: &Path, error: &io::Error) -> ExecutionFault {
    let path: PathBuf = path.into();
    import_error(format!("cannot read {}: {error}", path.display()))
}

pub(crate) fn import_error(message: String) -> ExecutionFault {
    ExecutionFault::Load {
        error_type: "Runtime.ImportModuleError".into(),
        message,
        stack: String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_single_file_is_mounted_as_index() {
        // NC-50
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("anything.mjs");
        fs::write(&path, "export const handler = 1").unwrap();
        let bundle = Bundle::read(&FunctionSource::File(path)).unwrap();
        assert!(bundle.file("/var/task/index.mjs").is_some());
        assert!(bundle.is_dir("/var/task"));
    }

    #[test]
    fn a_directory_keeps_its_tree_and_its_utf8_names() {
        // NC-50
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("λ/b")).unwrap();
        fs::write(dir.path().join("λ/b/c.js"), "1").unwrap();
        let bundle = Bundle::read(&FunctionSource::Dir(dir.path().into())).unwrap();
        assert_eq!(*bundle.file("/var/task/λ/b/c.js").unwrap(), *b"1");
        assert!(bundle.is_dir("/var/task/λ"));
    }

    #[test]
    fn paths_in_a_stack_lead_back_to_the_authors_files() {
        // NC-50, NC-56, CP-601
        let stack = "at f (/var/task/index.mjs:1:2)\n at g (/var/task/lib/b.ts:3:4) /var/taskbar";
        let of = |source: FunctionSource| author_paths(&source, stack).into_owned();
        assert_eq!(
            of(FunctionSource::File("site/auth.mjs".into())),
            "at f (site/auth.mjs:1:2)\n at g (site/lib/b.ts:3:4) /var/taskbar"
        );
        assert_eq!(
            of(FunctionSource::Dir("site/auth".into())),
            "at f (site/auth/index.mjs:1:2)\n at g (site/auth/lib/b.ts:3:4) /var/taskbar"
        );
        let source = FunctionSource::File("auth.js".into());
        assert_eq!(
            author_paths(&source, "/var/task/index.js:1 /var/task/index.mjs"),
            "auth.js:1 index.mjs"
        );
        assert!(matches!(
            author_paths(&source, "plain"),
            Cow::Borrowed("plain")
        ));
    }

    #[cfg(unix)]
    #[test]
    fn a_link_out_of_the_bundle_is_refused_and_one_inside_is_followed() {
        // NC-50
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("a.js"), "1").unwrap();
        std::os::unix::fs::symlink(dir.path().join("a.js"), dir.path().join("b.js")).unwrap();
        let bundle = Bundle::read(&FunctionSource::Dir(dir.path().into())).unwrap();
        assert!(bundle.file("/var/task/b.js").is_some());
        std::os::unix::fs::symlink("/etc/hostname", dir.path().join("host")).unwrap();
        let fault = Bundle::read(&FunctionSource::Dir(dir.path().into())).unwrap_err();
        assert!(fault.to_string().contains("host links outside the bundle"));
    }

    #[test]
    fn typescript_and_missing_files_are_named() {
        // NC-58, LE-308
        let fault = Bundle::read(&FunctionSource::File("x/site.ts".into())).unwrap_err();
        assert!(fault.to_string().contains("cannot read x/site.ts"));
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("site.ts");
        fs::write(&path, "").unwrap();
        let fault = Bundle::read(&FunctionSource::File(path)).unwrap_err();
        assert!(
            fault
                .to_string()
                .contains("site.ts is TypeScript: compile to JavaScript first")
        );
    }
}
