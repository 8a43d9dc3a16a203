//! Files: opened beneath the root, and stamped so that a change shows.

use std::{
    fs::{File, Metadata},
    io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use cap_std::{
    ambient_authority,
    fs::{Dir, OpenOptions, OpenOptionsExt},
};
use http::HeaderValue;

/// The last second HTTP dates can write: the end of the year 9999.
const LAST_HTTP_SECOND: u64 = 253_402_300_799;

/// An open regular file.
#[derive(Debug)]
pub(super) struct Object {
    file: File,
    stamp: Stamp,
}

/// Why a file is not served.
#[derive(Debug)]
pub(super) enum OpenError {
    /// There is none of that name, or it is not a regular file.
    NoSuchKey,
    /// It may not be read, or its path leads out of the root.
    Denied,
    /// The root itself cannot be opened.
    NoRoot(io::Error),
    /// The system failed in another way.
    Failed(io::Error),
}

/// Opens `key` beneath `root`, off the async threads.
pub(super) async fn open(root: &Path, key: &Path) -> Result<Object, OpenError> {
    let (root, key) = (root.to_owned(), key.to_owned());
    tokio::task::spawn_blocking(move || open_blocking(&root, &key))
        .await
        .unwrap_or_else(|e| Err(OpenError::Failed(io::Error::other(e))))
}

/// Opens the root directory itself, following links: its path is the operator's, not the viewer's.
pub(super) fn open_root(root: &Path) -> io::Result<Dir> {
    Dir::open_ambient_dir(root, ambient_authority())
}

fn open_blocking(root: &Path, key: &PathBuf) -> Result<Object, OpenError> {
    let root = open_root(root).map_err(OpenError::NoRoot)?;
    let mut options = OpenOptions::new();
    // Opening a FIFO would otherwise wait for a writer.
    options.read(true).custom_flags(libc::O_NONBLOCK);
    let file = root.open_with(key, &options).map_err(refusal)?.into_std();
    let metadata = file.metadata().map_err(OpenError::Failed)?;
    if !metadata.is_file() {
        return Err(OpenError::NoSuchKey);
    }
    let stamp = Stamp::of(&metadata);
    Ok(Object { file, stamp })
}

fn refusal(error: io::Error) -> OpenError {
    match error.raw_os_error() {
        Some(
            libc::ENOENT
            | libc::ENOTDIR
            | libc::EISDIR
            | libc::ENAMETOOLONG
            | libc::ELOOP
            | libc::ENXIO,
        ) => OpenError::NoSuchKey,
        // No code at all: the path led out of the root.
        Some(libc::EACCES | libc::EPERM) | None => OpenError::Denied,
        _ => OpenError::Failed(error),
    }
}

impl Object {
    /// What the file was when it was opened.
    pub(super) fn stamp(&self) -> Stamp {
        self.stamp
    }

    /// Reads exactly `length` bytes at `offset`, blocking. With `is_last`, also makes sure that the file is
    /// still the one that was stamped.
    ///
    /// # Errors
    /// The file ended early, was changed, or cannot be read.
    pub(super) fn read(&self, offset: u64, length: usize, is_last: bool) -> io::Result<Vec<u8>> {
        use std::os::unix::fs::FileExt;

        let mut bytes = vec![0; length];
        self.file.read_exact_at(&mut bytes, offset)?;
        if is_last
            && !self
                .stamp
                .has_content_of(&Stamp::of(&self.file.metadata()?))
        {
            return Err(io::Error::other("the file was changed while it was read"));
        }
        Ok(bytes)
    }
}

/// What changes when a file changes.
///
/// The entity tag is made of these, not of the content. A hash would mean reading every object once more
/// before its first byte goes out, or a second cache of hashes with this same question of when they are stale.
/// Size and modification time in nanoseconds change with every ordinary write; the inode with every replacement by
/// rename; the change time, which no program can set, also when a tool restores the modification time. The tag
/// is therefore strong (RFC 9110 section 8.8.1) but for two writes of equal size within one tick of the
/// kernel's clock. Two machines with copies of one directory give different tags: a viewer that moves between them
/// gets a 200 where a 304 would have done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Stamp {
    fn of(metadata: &Metadata) -> Self {
        Self {
            inode: metadata.ino(),
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }

    pub(super) fn size(&self) -> u64 {
        self.size
    }

    /// Whether nothing was written between the two. The change time does not count: it also moves when the file
    /// is renamed or unlinked, as a deploy does to files that are still being read, whole and right.
    fn has_content_of(&self, other: &Self) -> bool {
        self.size == other.size && self.modified == other.modified
    }

    /// A strong entity tag.
    pub(super) fn etag(&self) -> HeaderValue {
        let Self {
            inode,
            size,
            modified,
            changed,
        } = self;
        let tag = format!(
            "\"{size:x}-{:x}.{:x}-{:x}.{:x}-{inode:x}\"",
            modified.0, modified.1, changed.0, changed.1
        );
        crate::names::value(tag.into_bytes())
    }

    /// The modification time as HTTP dates see it, in whole seconds. Files may carry times that HTTP cannot
    /// write; they have none here.
    pub(super) fn modified_second(&self) -> Option<SystemTime> {
        let second = u64::try_from(self.modified.0).ok()?;
        (second <= LAST_HTTP_SECOND).then(|| SystemTime::UNIX_EPOCH + Duration::from_secs(second))
    }

    /// `Last-Modified`.
    pub(super) fn last_modified(&self) -> Option<HeaderValue> {
        let date = httpdate::fmt_http_date(self.modified_second()?);
        Some(crate::names::value(date.into_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn modified_at(second: i64) -> Stamp {
        Stamp {
            inode: 1,
            size: 2,
            modified: (second, 3),
            changed: (4, 5),
        }
    }

    #[test]
    fn times_http_cannot_write_are_left_out() {
        let shown = |second| modified_at(second).last_modified();
        assert_eq!(shown(0).unwrap(), "Thu, 01 Jan 1970 00:00:00 GMT");
        assert_eq!(
            shown(253_402_300_799).unwrap(),
            "Fri, 31 Dec 9999 23:59:59 GMT"
        );
        for second in [-1, i64::MIN, 253_402_300_800, i64::MAX] {
            assert_eq!(shown(second), None);
            assert!(modified_at(second).etag().to_str().is_ok());
        }
    }

    #[test]
    fn every_part_of_the_stamp_shows_in_the_tag() {
        // RFC 9110 section 8.8.1
        let a = modified_at(9);
        let changed = [
            Stamp { inode: 7, ..a },
            Stamp { size: 7, ..a },
            Stamp {
                modified: (9, 4),
                ..a
            },
            Stamp {
                changed: (4, 6),
                ..a
            },
        ];
        for b in changed {
            assert_ne!(a.etag(), b.etag());
        }
    }
}
