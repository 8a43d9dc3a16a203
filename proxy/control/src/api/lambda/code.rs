//! The zip that code is uploaded as: whether it can be one (CP-071). Whether it loads is the engine's to say.

use std::{
    collections::HashSet,
    io::{Read, Seek},
};

use zip::ZipArchive;

/// Largest zip, in bytes (CP-071).
pub(crate) const MOST_ZIPPED: u64 = 52_428_800;
/// Largest sum of the files in it, in bytes (CP-071).
const MOST_UNZIPPED: u64 = 262_144_000;

/// Why a zip is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CodeFault {
    /// Too long as it is.
    #[error(
        "Request must be smaller than {MOST_ZIPPED} bytes for the zip of a function's code, and it has {0}"
    )]
    Zipped(u64),
    /// Too long when unzipped.
    #[error("Unzipped size must be smaller than {MOST_UNZIPPED} bytes")]
    Unzipped,
    /// It is none.
    #[error("Could not unzip uploaded file. Please check your file, then try to upload again: {0}")]
    Unreadable(String),
    /// It holds what must not be unpacked.
    #[error("Could not unzip uploaded file: the entry `{name}` {what}")]
    Entry {
        /// Its name.
        name: String,
        /// What is wrong with it.
        what: &'static str,
    },
}

/// Looks a zip over.
pub(crate) struct CodeCheck;

impl CodeCheck {
    /// Holds sizes and names of a zip of so many bytes against Lambda's limits.
    pub(crate) fn check<R: Read + Seek>(zip: R, size: u64) -> Result<(), CodeFault> {
        if size > MOST_ZIPPED {
            return Err(CodeFault::Zipped(size));
        }
        let unreadable = |e: zip::result::ZipError| CodeFault::Unreadable(e.to_string());
        let mut archive = ZipArchive::new(zip).map_err(unreadable)?;
        let mut names = HashSet::new();
        let mut total: u64 = 0;
        for index in 0..archive.len() {
            let mut entry = archive.by_index(index).map_err(unreadable)?;
            let name = String::from_utf8_lossy(entry.name_raw()).into_owned();
            let refuse = |what| CodeFault::Entry {
                name: name.clone(),
                what,
            };
            let path = name.trim_start_matches("./");
            if path.starts_with('/')
                || path.split('/').any(|part| part == "..")
                || path.contains('\\')
            {
                return Err(refuse("leads out of the function's directory"));
            }
            if !names.insert(path.trim_end_matches('/').to_owned()) {
                return Err(refuse("is there twice"));
            }
            if entry.is_symlink() {
                let mut target = String::new();
                let read = entry.by_ref().take(4_096).read_to_string(&mut target);
                if read.is_err() || leaves(path, &target) {
                    return Err(refuse(
                        "is a link that leads out of the function's directory",
                    ));
                }
            }
            total = total.saturating_add(entry.size());
            if total > MOST_UNZIPPED {
                return Err(CodeFault::Unzipped);
            }
        }
        Ok(())
    }
}

/// Whether a link that lies at a path leads out of the root.
fn leaves(path: &str, target: &str) -> bool {
    if target.starts_with('/') {
        return true;
    }
    let mut depth = path.split('/').count().saturating_sub(1);
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." if depth == 0 => return true,
            ".." => depth -= 1,
            _ => depth += 1,
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Write as _};

    use zip::{ZipWriter, write::SimpleFileOptions};

    use super::*;

    fn check(build: impl FnOnce(&mut ZipWriter<Cursor<Vec<u8>>>)) -> Result<(), CodeFault> {
        let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
        build(&mut writer);
        let bytes = writer.finish().unwrap().into_inner();
        CodeCheck::check(Cursor::new(&bytes), bytes.len() as u64)
    }

    #[test]
    fn what_unpacks_outside_is_refused() {
        // CP-071
        let plain = SimpleFileOptions::default();
        assert_eq!(
            check(|zip| {
                zip.start_file("index.js", plain).unwrap();
                zip.write_all(b"exports.handler = 1").unwrap();
                zip.add_directory("lib/", plain).unwrap();
                zip.add_symlink("lib/a", "../index.js", plain).unwrap();
            }),
            Ok(())
        );
        for name in ["../evil.js", "/etc/passwd", "a/../../b", "a\\..\\b"] {
            let fault = check(|zip| zip.start_file(name, plain).unwrap()).unwrap_err();
            assert!(matches!(fault, CodeFault::Entry { .. }), "{name}: {fault}");
        }
        for (name, target) in [("a", "/etc/passwd"), ("a", "../b"), ("a/b", "../../c")] {
            let fault = check(|zip| zip.add_symlink(name, target, plain).unwrap()).unwrap_err();
            assert!(
                fault.to_string().contains("a link that leads out"),
                "{fault}"
            );
        }
    }

    #[test]
    fn what_is_no_zip_or_too_long_is_refused() {
        // CP-071
        let fault = CodeCheck::check(Cursor::new(b"no zip at all"), 13).unwrap_err();
        assert!(
            fault
                .to_string()
                .starts_with("Could not unzip uploaded file"),
            "{fault}"
        );
        let fault = CodeCheck::check(Cursor::new(b""), MOST_ZIPPED + 1).unwrap_err();
        assert_eq!(fault, CodeFault::Zipped(MOST_ZIPPED + 1));
    }
}
