//! An [`Artifact`] to a zip. The same content makes the same bytes: names are sorted, times and modes are fixed.

use std::{
    cell::Cell,
    collections::BTreeMap,
    fs::{self, File},
    io::{self, Cursor, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use serde_json::Value;
use walkdir::WalkDir;
use zip::{CompressionMethod, DateTime, ZipWriter, write::SimpleFileOptions};

use super::{
    Artifact, PackError, Selection,
    prune::{Locked, development},
    read_error,
};

/// How large a package may be.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct PackLimits {
    /// Bytes of the zip; 50 MiB, as Lambda has it.
    pub zipped: u64,
    /// Bytes of all files; 250 MiB, as Lambda has it.
    pub unzipped: u64,
    /// Files; 60,000, near what a zip without extensions counts to.
    pub files: usize,
}

impl Default for PackLimits {
    fn default() -> Self {
        Self {
            zipped: 50 << 20,
            unzipped: 250 << 20,
            files: 60_000,
        }
    }
}

impl Artifact {
    /// The package as bytes; see [`Artifact::pack_to`].
    ///
    /// # Errors
    ///
    /// Those of [`Artifact::pack_to`].
    pub fn pack(&self, limits: &PackLimits) -> Result<Vec<u8>, PackError> {
        let mut bytes = Cursor::new(Vec::new());
        self.pack_to(limits, &mut bytes)?;
        Ok(bytes.into_inner())
    }

    /// Writes the package (CP-341). Links are followed as long as they stay in the directory that is packed.
    ///
    /// # Errors
    ///
    /// [`PackError`]: unreadable files, too much of them, links that lead out, an artifact that is not on this machine.
    pub fn pack_to<W: Write + Seek>(&self, limits: &PackLimits, to: W) -> Result<(), PackError> {
        match self {
            Self::Zip { path } => copy_zip(path, limits, to),
            Self::File { path } => {
                let name = name_of(path)?;
                write_zip(
                    BTreeMap::from([(name, Content::File(path.clone()))]),
                    limits,
                    to,
                )
            }
            Self::Inline { name, source } => {
                let Value::String(source) = source else {
                    return Err(PackError::Unresolved);
                };
                let content = Content::Bytes(source.clone().into_bytes());
                write_zip(BTreeMap::from([(name.clone(), content)]), limits, to)
            }
            Self::Directory {
                path,
                patterns,
                prune,
            } => {
                let pruned = match prune.then(|| development(path)) {
                    Some(Locked::Development(pruned)) => pruned,
                    _ => Default::default(),
                };
                let selection = Selection::new(patterns, pruned)?;
                write_zip(walk(path, &selection, limits)?, limits, to)
            }
            Self::S3 { bucket, key, .. } => Err(PackError::Remote {
                bucket: bucket.clone(),
                key: key.clone(),
            }),
        }
    }

    /// The file as it is, for the first content of a store.
    ///
    /// # Errors
    ///
    /// [`PackError`]: an unreadable file, one of more than `limit` bytes, an artifact that is no single file of this machine.
    pub fn read_data(&self, limit: u64) -> Result<Vec<u8>, PackError> {
        match self {
            Self::File { path } | Self::Zip { path } => {
                let mut bytes = Vec::new();
                open(path)?
                    .take(limit + 1)
                    .read_to_end(&mut bytes)
                    .map_err(|e| read_error(path, e))?;
                if bytes.len() as u64 > limit {
                    return Err(PackError::Unzipped { limit });
                }
                Ok(bytes)
            }
            Self::Inline { source, .. } => match source {
                Value::String(text) => Ok(text.clone().into_bytes()),
                _ => Err(PackError::Unresolved),
            },
            Self::Directory { path, .. } => Err(PackError::Special { path: path.clone() }),
            Self::S3 { bucket, key, .. } => Err(PackError::Remote {
                bucket: bucket.clone(),
                key: key.clone(),
            }),
        }
    }
}

enum Content {
    File(PathBuf),
    Bytes(Vec<u8>),
}

fn name_of(path: &Path) -> Result<String, PackError> {
    path.file_name()
        .and_then(|n| n.to_str())
        .map(str::to_owned)
        .ok_or_else(|| PackError::Name {
            path: path.to_owned(),
        })
}

/// Opens a regular file; a pipe would make the reader wait for ever.
fn open(path: &Path) -> Result<File, PackError> {
    let meta = fs::metadata(path).map_err(|e| read_error(path, e))?;
    if !meta.is_file() {
        return Err(PackError::Special {
            path: path.to_owned(),
        });
    }
    File::open(path).map_err(|e| read_error(path, e))
}

fn copy_zip<W: Write>(path: &Path, limits: &PackLimits, mut to: W) -> Result<(), PackError> {
    let mut file = open(path)?;
    let mut magic = [0; 4];
    let zip =
        file.read_exact(&mut magic).is_ok() && matches!(&magic, b"PK\x03\x04" | b"PK\x05\x06");
    if !zip {
        return Err(PackError::NotZip {
            path: path.to_owned(),
        });
    }
    file.rewind().map_err(|e| read_error(path, e))?;
    let mut file = file.take(limits.zipped + 1);
    let copied = io::copy(&mut file, &mut to).map_err(PackError::Write)?;
    if copied > limits.zipped {
        return Err(PackError::Zipped {
            limit: limits.zipped,
        });
    }
    Ok(())
}

/// The files of a directory by their names in the package.
fn walk(
    root: &Path,
    selection: &Selection,
    limits: &PackLimits,
) -> Result<BTreeMap<String, Content>, PackError> {
    let whole = fs::canonicalize(root).map_err(|e| read_error(root, e))?;
    let mut files = BTreeMap::new();
    let mut entries = WalkDir::new(root)
        .follow_links(true)
        .min_depth(1)
        .into_iter();
    while let Some(entry) = entries.next() {
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) => {
                let path = error.path().unwrap_or(root).to_owned();
                // A link to nowhere that nobody packs harms nobody.
                let excluded = relative(&path, root).is_ok_and(|name| !selection.takes(&name));
                if excluded {
                    continue;
                }
                if error.loop_ancestor().is_some() {
                    return Err(PackError::Loop { path });
                }
                return Err(read_error(&path, error.into()));
            }
        };
        let name = relative(entry.path(), root)?;
        let directory = entry.file_type().is_dir();
        if directory && selection.skips(&name) {
            entries.skip_current_dir();
            continue;
        }
        if entry.path_is_symlink() {
            let target = fs::canonicalize(entry.path()).map_err(|e| read_error(entry.path(), e))?;
            match target.strip_prefix(&whole) {
                Ok(inside) => {
                    // `node_modules/.bin` links to what may not be packed.
                    if inside.to_str().is_some_and(|i| selection.is_pruned(i)) {
                        if directory {
                            entries.skip_current_dir();
                        }
                        continue;
                    }
                }
                Err(_) if directory && !selection.takes(&format!("{name}/x")) => {
                    entries.skip_current_dir();
                    continue;
                }
                Err(_) if !directory && !selection.takes(&name) => continue,
                Err(_) => {
                    return Err(PackError::Outside {
                        path: entry.path().to_owned(),
                        root: root.to_owned(),
                    });
                }
            }
        }
        if directory || !selection.takes(&name) {
            continue;
        }
        if !entry.file_type().is_file() {
            return Err(PackError::Special {
                path: entry.path().to_owned(),
            });
        }
        if files.len() >= limits.files {
            return Err(PackError::Files {
                limit: limits.files,
            });
        }
        files.insert(name, Content::File(entry.into_path()));
    }
    if files.is_empty() {
        return Err(PackError::Empty {
            path: root.to_owned(),
        });
    }
    Ok(files)
}

/// `root/a/b` as `a/b`.
fn relative(path: &Path, root: &Path) -> Result<String, PackError> {
    let fault = || PackError::Name {
        path: path.to_owned(),
    };
    let inside = path.strip_prefix(root).map_err(|_| fault())?;
    let parts: Option<Vec<&str>> = inside.iter().map(|part| part.to_str()).collect();
    Ok(parts.ok_or_else(fault)?.join("/"))
}

fn write_zip<W: Write + Seek>(
    files: BTreeMap<String, Content>,
    limits: &PackLimits,
    to: W,
) -> Result<(), PackError> {
    let full = Cell::new(false);
    let to = Limited {
        to,
        position: 0,
        limit: limits.zipped,
        full: &full,
    };
    let fault = |error: io::Error| {
        if full.get() {
            PackError::Zipped {
                limit: limits.zipped,
            }
        } else {
            PackError::Write(error)
        }
    };
    // The mode says nothing about content: it would make two checkouts of one commit differ.
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .last_modified_time(DateTime::default())
        .unix_permissions(0o644);
    let mut zip = ZipWriter::new(to);
    let mut left = limits.unzipped;
    for (name, content) in files {
        zip.start_file(name, options).map_err(|e| fault(e.into()))?;
        match content {
            Content::Bytes(bytes) => {
                left = left
                    .checked_sub(bytes.len() as u64)
                    .ok_or(PackError::Unzipped {
                        limit: limits.unzipped,
                    })?;
                zip.write_all(&bytes).map_err(fault)?;
            }
            Content::File(path) => {
                // Not `io::copy`: a fault of the disk and one of the package are different things to say.
                let mut file = open(&path)?;
                let mut buffer = vec![0; 64 << 10];
                loop {
                    let n = file.read(&mut buffer).map_err(|e| read_error(&path, e))?;
                    if n == 0 {
                        break;
                    }
                    left = left.checked_sub(n as u64).ok_or(PackError::Unzipped {
                        limit: limits.unzipped,
                    })?;
                    zip.write_all(&buffer[..n]).map_err(fault)?;
                }
            }
        }
    }
    zip.finish().map_err(|e| fault(e.into()))?;
    Ok(())
}

/// A writer that holds only so much.
struct Limited<'a, W> {
    to: W,
    position: u64,
    limit: u64,
    full: &'a Cell<bool>,
}

impl<W: Write> Write for Limited<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.position.saturating_add(bytes.len() as u64) > self.limit {
            self.full.set(true);
            return Err(io::Error::from(io::ErrorKind::FileTooLarge));
        }
        let n = self.to.write(bytes)?;
        self.position += n as u64;
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

impl<W: Seek> Seek for Limited<'_, W> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.position = self.to.seek(to)?;
        Ok(self.position)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use sha2::{Digest, Sha256};

    use super::*;

    fn directory(path: &Path, patterns: &[&str]) -> Artifact {
        Artifact::Directory {
            path: path.to_owned(),
            patterns: patterns.iter().map(|p| (*p).to_owned()).collect(),
            prune: true,
        }
    }

    fn names(zip: &[u8]) -> Vec<String> {
        let zip = zip::ZipArchive::new(Cursor::new(zip)).unwrap();
        zip.file_names().map(|n| n.unwrap().into_owned()).collect()
    }

    fn write(root: &Path, name: &str, text: &str) {
        let path = root.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    #[test]
    fn the_same_content_makes_the_same_bytes() {
        // CP-341
        let pack = |order: &[&str]| {
            let dir = tempfile::tempdir().unwrap();
            for name in order {
                write(dir.path(), name, name);
            }
            directory(dir.path(), &[])
                .pack(&PackLimits::default())
                .unwrap()
        };
        let a = pack(&["b.js", "a/c.js", "a.js"]);
        let b = pack(&["a.js", "b.js", "a/c.js"]);
        assert_eq!(Sha256::digest(&a), Sha256::digest(&b));
        assert_eq!(names(&a), ["a.js", "a/c.js", "b.js"]);
    }

    #[test]
    fn patterns_and_the_lock_file_choose() {
        // CP-341
        let dir = tempfile::tempdir().unwrap();
        for name in [
            "index.js",
            ".git/HEAD",
            "node_modules/a/i.js",
            "node_modules/dev/i.js",
        ] {
            write(dir.path(), name, "x");
        }
        write(
            dir.path(),
            "package-lock.json",
            r#"{"packages": {"node_modules/dev": {"dev": true}}}"#,
        );
        fs::create_dir(dir.path().join("node_modules/.bin")).unwrap();
        symlink("../dev/i.js", dir.path().join("node_modules/.bin/dev")).unwrap();
        let zip = directory(dir.path(), &["!.git/**", "!package-lock.json"])
            .pack(&PackLimits::default())
            .unwrap();
        assert_eq!(names(&zip), ["index.js", "node_modules/a/i.js"]);
    }

    #[test]
    fn links_stay_inside() {
        // CP-341
        let dir = tempfile::tempdir().unwrap();
        let secret = tempfile::NamedTempFile::new().unwrap();
        write(dir.path(), "real/i.js", "x");
        symlink("real", dir.path().join("link")).unwrap();
        let zip = directory(dir.path(), &[])
            .pack(&PackLimits::default())
            .unwrap();
        assert_eq!(names(&zip), ["link/i.js", "real/i.js"]);

        symlink(secret.path(), dir.path().join("out")).unwrap();
        let error = directory(dir.path(), &[])
            .pack(&PackLimits::default())
            .unwrap_err();
        assert!(matches!(error, PackError::Outside { .. }), "{error}");
        // Nobody packs it, so nobody minds.
        directory(dir.path(), &["!out"])
            .pack(&PackLimits::default())
            .unwrap();

        symlink("..", dir.path().join("real/up")).unwrap();
        let error = directory(dir.path(), &["!out"])
            .pack(&PackLimits::default())
            .unwrap_err();
        assert!(matches!(error, PackError::Loop { .. }), "{error}");
    }

    #[test]
    fn size_is_bounded_zipped_unzipped_and_by_count() {
        // CP-341
        let dir = tempfile::tempdir().unwrap();
        let mut noise = Vec::new();
        let mut x = 1_u32;
        while noise.len() < 4096 {
            x = x.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            noise.extend(x.to_be_bytes());
        }
        fs::write(dir.path().join("a"), &noise).unwrap();
        fs::write(dir.path().join("b"), &noise).unwrap();
        let limits = PackLimits::default();
        let fault = |limits: PackLimits| {
            directory(dir.path(), &[])
                .pack(&limits)
                .unwrap_err()
                .to_string()
        };
        let zipped = PackLimits {
            zipped: 5000,
            ..limits
        };
        assert_eq!(
            fault(zipped),
            "the package is larger than 5000 bytes zipped"
        );
        let unzipped = PackLimits {
            unzipped: 8191,
            ..limits
        };
        assert_eq!(
            fault(unzipped),
            "the package is larger than 8191 bytes unzipped"
        );
        assert_eq!(
            fault(PackLimits { files: 1, ..limits }),
            "the package holds more than 1 files"
        );

        // A zip that is there already is measured as well.
        let zip = dir.path().join("c.zip");
        let bytes = directory(dir.path(), &[]).pack(&limits).unwrap();
        fs::write(&zip, &bytes).unwrap();
        let artifact = Artifact::Zip { path: zip.clone() };
        assert_eq!(artifact.pack(&limits).unwrap(), bytes);
        assert!(matches!(
            artifact.pack(&zipped).unwrap_err(),
            PackError::Zipped { limit: 5000 }
        ));
        fs::write(&zip, "no").unwrap();
        assert!(matches!(
            artifact.pack(&limits).unwrap_err(),
            PackError::NotZip { .. }
        ));
    }

    #[test]
    fn an_empty_selection_is_no_package() {
        // CP-341
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), "a.js", "");
        let error = directory(dir.path(), &["!**"])
            .pack(&PackLimits::default())
            .unwrap_err();
        assert!(matches!(error, PackError::Empty { .. }), "{error}");
    }
}
