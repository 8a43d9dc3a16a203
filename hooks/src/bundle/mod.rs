//! A function's files, read once and held in memory, mounted at `/var/task` (NC-50).
//!
//! Nothing here knows JavaScript's engine: what a file *is* (CommonJS, ES module, JSON) and what a
//! specifier *means* are decided from names and `package.json` alone, in [`resolve`].

pub mod resolve;

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use fourfront_model::FunctionSource;

use crate::ExecutionFault;

/// Where a function sees its own files (LE-341).
pub const TASK_ROOT: &str = "/var/task";

/// Unpacked size beyond which a bundle is refused, as Lambda does: 250 MiB.
const MAX_BYTES: u64 = 250 * 1024 * 1024;

/// The files of one function version. Paths are absolute and virtual: `/var/task/...`.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Bundle {
    files: BTreeMap<Arc<str>, Arc<[u8]>>,
    dirs: BTreeSet<Arc<str>>,
}

impl Bundle {
    /// Reads a file or a directory from disk.
    ///
    /// # Errors
    /// [`ExecutionFault::Load`] when the source is missing, unreadable, too large, written in
    /// TypeScript (NC-58), or has a symbolic link that leaves it.
    pub fn read(source: &FunctionSource) -> Result<Self, ExecutionFault> {
        let mut bundle = Self::default();
        match source {
            FunctionSource::File(path) => {
                let bytes = fs::read(path).map_err(|e| unreadable(path, &e))?;
                bundle.insert(single_file_name(path)?, bytes.into());
            }
            FunctionSource::Dir(path) => {
                let root = path.canonicalize().map_err(|e| unreadable(path, &e))?;
                if !root.is_dir() {
                    return Err(import_error(format!(
                        "{} is not a directory",
                        path.display()
                    )));
                }
                let mut left = MAX_BYTES;
                bundle.read_dir(&root, &root, "", &mut left, 0)?;
            }
        }
        Ok(bundle)
    }

    /// A bundle from names and contents, for tests and inline code. Names are relative to the root.
    pub fn from_files<'a>(files: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let mut bundle = Self::default();
        for (name, text) in files {
            bundle.insert(name, text.as_bytes().into());
        }
        bundle
    }

    /// The bytes of the file at a virtual absolute path.
    pub fn file(&self, path: &str) -> Option<&Arc<[u8]>> {
        self.files.get(path)
    }

    /// Whether a folder lies at a virtual absolute path.
    pub fn is_dir(&self, path: &str) -> bool {
        self.dirs.contains(path)
    }

    /// The names in the folder at a virtual absolute path, sorted.
    pub fn list(&self, path: &str) -> Vec<String> {
        let inside = |full: &str| {
            full.strip_prefix(path)
                .and_then(|rest| rest.strip_prefix('/'))
                .filter(|rest| !rest.is_empty() && !rest.contains('/'))
                .map(str::to_owned)
        };
        let names: BTreeSet<String> = self
            .files
            .keys()
            .chain(&self.dirs)
            .filter_map(|p| inside(p))
            .collect();
        names.into_iter().collect()
    }

    /// Every file with its contents, in the order of their paths.
    pub fn files(&self) -> impl Iterator<Item = (&str, &Arc<[u8]>)> {
        self.files.iter().map(|(p, b)| (&**p, b))
    }

    fn insert(&mut self, relative: &str, bytes: Arc<[u8]>) {
        let path = format!("{TASK_ROOT}/{relative}");
        for (at, _) in path.match_indices('/').skip(1) {
            self.dirs.insert(path[..at].into());
        }
        self.files.insert(path.into(), bytes);
    }

    fn read_dir(
        &mut self,
        root: &Path,
        dir: &Path,
        prefix: &str,
        left: &mut u64,
        depth: usize,
    ) -> Result<(), ExecutionFault> {
        // A link to a folder above itself would otherwise be walked for ever.
        if depth > 64 {
            return Err(import_error(format!(
                "{prefix} lies more than 64 folders deep"
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
            let real = path.canonicalize().map_err(|e| unreadable(&path, &e))?;
            if !real.starts_with(root) {
                return Err(import_error(format!("{inside} links outside the bundle")));
            }
            let meta = fs::metadata(&real).map_err(|e| unreadable(&path, &e))?;
            if meta.is_dir() {
                if name == ".git" {
                    continue;
                }
                self.read_dir(root, &path, &format!("{inside}/"), left, depth + 1)?;
            } else if meta.is_file() {
                *left = left.checked_sub(meta.len()).ok_or_else(|| {
                    import_error(format!("the bundle is larger than {MAX_BYTES} bytes"))
                })?;
                let bytes = fs::read(&real).map_err(|e| unreadable(&path, &e))?;
                self.insert(&inside, bytes.into());
            }
        }
        Ok(())
    }
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
        FunctionSource::Dir(path) => inside(path, text),
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
        assert_eq!(&**bundle.file("/var/task/λ/b/c.js").unwrap(), b"1");
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
