//! How large a function's package would be if it were uploaded to AWS: the ceilings of LE-254 and LE-255
//! are on the zip file. A tree below the ceiling as it lies on disk needs no compressing to know that.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
};

use flate2::{Compression, write::DeflateEncoder};

/// More files than this and the tree is taken for something else than a function.
const MOST_FILES: usize = 100_000;
/// A zip's own bytes per entry: local header, central header and the name twice, roughly.
const ENTRY_OVERHEAD: u64 = 128;

/// The size of the package, exact only when the tree as it lies is larger than `ceiling` bytes.
///
/// # Errors
/// What the file system says, or that the tree has too many files.
pub(crate) fn zipped_size(path: &Path, ceiling: u64) -> io::Result<u64> {
    let mut files = Vec::new();
    collect(path.canonicalize()?, &mut files)?;
    let lying: u64 = files.iter().map(|(_, size)| size + ENTRY_OVERHEAD).sum();
    if lying <= ceiling {
        return Ok(lying);
    }
    let mut total = 0;
    for (file, _) in files {
        let mut encoder = DeflateEncoder::new(Count(0), Compression::default());
        io::copy(&mut File::open(file)?, &mut encoder)?;
        total += encoder.finish()?.0 + ENTRY_OVERHEAD;
    }
    Ok(total)
}

/// Regular files below `path`. Links are not followed: what they name is counted where it lies.
fn collect(path: PathBuf, files: &mut Vec<(PathBuf, u64)>) -> io::Result<()> {
    let mut open = vec![path];
    while let Some(path) = open.pop() {
        let found = fs::symlink_metadata(&path)?;
        if found.is_dir() {
            for entry in fs::read_dir(&path)? {
                open.push(entry?.path());
            }
        } else if found.is_file() {
            files.push((path, found.len()));
        }
        if files.len() + open.len() > MOST_FILES {
            return Err(io::Error::other(format!("more than {MOST_FILES} files")));
        }
    }
    Ok(())
}

/// Counts what is written to it.
struct Count(u64);

impl Write for Count {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.0 += buf.len() as u64;
        Ok(buf.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_is_compressed_only_when_it_lies_above_the_ceiling() {
        // LE-255
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("lib")).unwrap();
        fs::write(dir.path().join("index.js"), "x".repeat(5_000)).unwrap();
        fs::write(dir.path().join("lib/a.js"), "y".repeat(5_000)).unwrap();
        assert_eq!(zipped_size(dir.path(), 1 << 20).unwrap(), 10_256);
        assert!(zipped_size(dir.path(), 1_000).unwrap() < 1_000);
    }
}
