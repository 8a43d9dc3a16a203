//! A bundle that comes as a zip file, and what such a file must not do (NC-50, CP-071).
//!
//! Nothing is ever unpacked onto a disk. Even so a name that would leave the root is refused, not repaired: the
//! same file unpacked elsewhere would do harm, and AWS refuses it.

use std::io::{Cursor, Read as _};

use thiserror::Error;
use zip::{CompressionMethod, ZipArchive, read::ZipFile, result::ZipError};

use super::{
    MAX_BYTES, TASK_ROOT,
    tree::{Entry, MAX_ENTRIES, Misplaced, Tree, leads_inside},
};

/// The longest name of a file and the longest path, as on Linux.
const LONGEST_NAME: usize = 255;
const LONGEST_PATH: usize = 4095;

/// What kind of thing an entry is, in the bits of its mode.
const KIND: u32 = 0o170_000;
const IS_DIR: u32 = 0o040_000;
const IS_FILE: u32 = 0o100_000;
const IS_LINK: u32 = 0o120_000;

/// Why a zip file is refused. Names are escaped, as strangers wrote them.
#[derive(Debug, Error)]
pub(super) enum Refused {
    #[error("{0}")]
    Unreadable(#[from] ZipError),
    #[error("two entries have the same name")]
    Duplicates,
    #[error("entries overlap each other")]
    Overlap,
    #[error("{0}")]
    Misplaced(#[from] Misplaced),
    #[error("the name of {0} is not UTF-8")]
    NotUtf8(String),
    #[error("{0} is not a name within the bundle: {1}")]
    Name(String, &'static str),
    #[error("{0} is encrypted")]
    Encrypted(String),
    #[error("{0} is compressed with {1}; a package is stored or deflated")]
    Compression(String, CompressionMethod),
    #[error("{0} is neither file, folder nor link")]
    Kind(String),
    #[error("{0} links outside the bundle")]
    LinkOutside(String),
    #[error("{0} cannot be read: {1}")]
    Entry(String, std::io::Error),
    #[error("the bundle is larger than {MAX_BYTES} bytes when unpacked")]
    TooLarge,
}

/// Reads all entries.
pub(super) fn read(bytes: &[u8]) -> Result<Tree, Refused> {
    let mut archive = ZipArchive::new(Cursor::new(bytes))?;
    if archive.len() > MAX_ENTRIES {
        return Err(Misplaced::TooMany.into());
    }
    if archive.has_duplicate_names() {
        return Err(Refused::Duplicates);
    }
    // Many entries that share their data unpack to much more than the file could hold.
    if archive.has_overlapping_files()? {
        return Err(Refused::Overlap);
    }
    let mut tree = Tree::default();
    let mut left = MAX_BYTES;
    for index in 0..archive.len() {
        // Without decompressing: the crate would refuse what it cannot do in words of its own.
        let method = check(&archive.by_index_raw(index)?)?;
        debug_assert!(matches!(
            method,
            CompressionMethod::Stored | CompressionMethod::Deflated
        ));
        add(&mut tree, archive.by_index(index)?, &mut left)?;
    }
    Ok(tree)
}

fn check<R: std::io::Read>(file: &ZipFile<'_, R>) -> Result<CompressionMethod, Refused> {
    let shown = || {
        String::from_utf8_lossy(file.name_raw())
            .escape_debug()
            .to_string()
    };
    if file.encrypted() {
        return Err(Refused::Encrypted(shown()));
    }
    match file.compression() {
        method @ (CompressionMethod::Stored | CompressionMethod::Deflated) => Ok(method),
        other => Err(Refused::Compression(shown(), other)),
    }
}

fn add<R: std::io::Read>(
    tree: &mut Tree,
    mut file: ZipFile<'_, R>,
    left: &mut u64,
) -> Result<(), Refused> {
    let raw = file.name_raw().to_vec();
    let shown = || String::from_utf8_lossy(&raw).escape_debug().to_string();
    let text = std::str::from_utf8(&raw).map_err(|_| Refused::NotUtf8(shown()))?;
    let name = within(text).map_err(|why| Refused::Name(shown(), why))?;
    let mode = file.unix_mode().unwrap_or(0);
    if text.ends_with('/') || mode & KIND == IS_DIR {
        return Ok(tree.insert_dir(TASK_ROOT, &name)?);
    }
    if name.is_empty() {
        return Err(Refused::Name(shown(), "it is the root"));
    }
    if !matches!(mode & KIND, 0 | IS_FILE | IS_LINK) {
        return Err(Refused::Kind(shown()));
    }
    // The size an entry declares is a claim: what counts is what comes out.
    let mut data = Vec::with_capacity(
        usize::try_from(file.size().min(*left))
            .unwrap_or(0)
            .min(1 << 20),
    );
    let mut bounded = (&mut file).take(*left + 1);
    bounded
        .read_to_end(&mut data)
        .map_err(|e| Refused::Entry(shown(), e))?;
    *left = left
        .checked_sub(data.len() as u64)
        .ok_or(Refused::TooLarge)?;
    if mode & KIND == IS_LINK {
        let target = String::from_utf8(data).map_err(|_| Refused::LinkOutside(shown()))?;
        if target.is_empty() || target.len() > LONGEST_PATH || !leads_inside(&name, &target) {
            return Err(Refused::LinkOutside(shown()));
        }
        return Ok(tree.insert(TASK_ROOT, &name, Entry::Link(target.into()))?);
    }
    // Zip files of other systems carry no permissions.
    let mode = u16::try_from(mode & 0o777).unwrap_or(0) | 0o444;
    let mode = if mode == 0o444 { 0o644 } else { mode };
    Ok(tree.insert_file(TASK_ROOT, &name, data.into(), mode)?)
}

/// The name with `.` and doubled slashes taken out, if it stays below the root.
fn within(name: &str) -> Result<String, &'static str> {
    if name.starts_with('/') {
        return Err("it is absolute");
    }
    if name.len() > LONGEST_PATH {
        return Err("it is too long");
    }
    if name.contains('\0') {
        return Err("it contains a NUL character");
    }
    // A folder separator for some and a part of a name for others.
    if name.contains('\\') {
        return Err("it contains a backslash");
    }
    let mut parts = Vec::new();
    for part in name.split('/') {
        match part {
            "" | "." => {}
            ".." => return Err("it contains `..`"),
            part if part.len() > LONGEST_NAME => return Err("it is too long"),
            part => parts.push(part),
        }
    }
    Ok(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use zip::{ZipWriter, write::SimpleFileOptions};

    use super::*;
    use crate::bundle::{Bundle, Look};

    type Writer = ZipWriter<Cursor<Vec<u8>>>;

    fn zipped(fill: impl FnOnce(&mut Writer)) -> Vec<u8> {
        let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
        fill(&mut writer);
        writer.finish().unwrap().into_inner()
    }

    fn plain() -> SimpleFileOptions {
        SimpleFileOptions::default().compression_method(CompressionMethod::Deflated)
    }

    fn file(writer: &mut Writer, name: &str, text: &[u8]) {
        writer.start_file(name, plain()).unwrap();
        writer.write_all(text).unwrap();
    }

    /// Why a zip file with one entry of that name is refused. The writer repairs some names, so they are put
    /// in afterwards.
    fn named(name: &[u8]) -> String {
        let stand_in = "n".repeat(name.len());
        let mut bytes = zipped(|w| file(w, &stand_in, b"x"));
        let at: Vec<usize> = (0..bytes.len() - name.len())
            .filter(|i| bytes[*i..].starts_with(stand_in.as_bytes()))
            .collect();
        assert_eq!(at.len(), 2, "local and central header");
        for at in at {
            bytes[at..at + name.len()].copy_from_slice(name);
        }
        refusal(&bytes)
    }

    fn refusal(bytes: &[u8]) -> String {
        Bundle::from_zip(bytes).unwrap_err().to_string()
    }

    #[test]
    fn files_folders_links_and_modes_are_kept() {
        // NC-50
        let bytes = zipped(|w| {
            file(w, "./index.js", b"exports.handler = 1");
            w.add_directory("empty/", plain()).unwrap();
            file(w, "\u{3bb}/index.js", b"2");
            w.add_symlink("\u{3bb}/link.js", "../index.js", plain())
                .unwrap();
            w.start_file("bin/tool", plain().unix_permissions(0o755))
                .unwrap();
            w.start_file(
                "stored",
                plain().compression_method(CompressionMethod::Stored),
            )
            .unwrap();
        });
        let bundle = Bundle::from_zip(&bytes).unwrap();
        assert_eq!(
            bundle.list("/var/task"),
            ["bin", "empty", "index.js", "stored", "\u{3bb}"]
        );
        assert!(bundle.is_dir("/var/task/empty"));
        let linked = bundle.real_path("/var/task/\u{3bb}/link.js").unwrap();
        assert_eq!(linked, "/var/task/index.js");
        assert_eq!(
            *bundle.file("/var/task/\u{3bb}/link.js").unwrap(),
            *b"exports.handler = 1"
        );
        assert_eq!(
            bundle.look("/var/task/bin/tool"),
            Some(Look::File(0, 0o755))
        );
        assert_eq!(
            bundle.look("/var/task/index.js"),
            Some(Look::File(19, 0o644))
        );
    }

    #[test]
    fn names_stay_below_the_root() {
        // CP-071
        for (name, why) in [
            (&b"../evil.js"[..], "`..`"),
            (b"a/../../evil.js", "`..`"),
            (b"/etc/passwd", "absolute"),
            (b"a\\..\\b.js", "backslash"),
            (b"a\0b.js", "NUL"),
            (b"\xff\xfe.js", "not UTF-8"),
        ] {
            let said = named(name);
            assert!(said.contains(why), "{said}");
        }
        let long = "x".repeat(300);
        assert!(refusal(&zipped(|w| file(w, &long, b""))).contains("too long"));
    }

    #[test]
    fn links_and_other_kinds_are_judged() {
        // NC-50, CP-071
        for target in ["/etc/passwd", "../../x", ""] {
            let bytes = zipped(|w| w.add_symlink("d/l", target, plain()).unwrap());
            let said = refusal(&bytes);
            assert!(said.contains("d/l links outside the bundle"), "{said}");
        }
        // A named pipe: the mode lies in the upper half of the external attributes.
        let mut bytes = zipped(|w| file(w, "pipe", b""));
        let central = find(&bytes, b"PK\x01\x02");
        bytes[central + 38..central + 42].copy_from_slice(&(0o010_644_u32 << 16).to_le_bytes());
        assert!(refusal(&bytes).contains("pipe is neither file, folder nor link"));
    }

    fn find(bytes: &[u8], mark: &[u8]) -> usize {
        bytes.windows(mark.len()).position(|w| w == mark).unwrap()
    }

    #[test]
    fn a_name_occurs_once() {
        // CP-071
        let mut bytes = zipped(|w| {
            file(w, "a.js", b"1");
            file(w, "b.js", b"2");
        });
        while let Some(at) = bytes.windows(4).position(|w| w == b"b.js") {
            bytes[at] = b'a';
        }
        assert!(refusal(&bytes).contains("two entries have the same name"));
        let twice = zipped(|w| {
            file(w, "a.js", b"1");
            file(w, "./a.js", b"2");
        });
        assert!(refusal(&twice).contains("a.js occurs twice"));
        let both = zipped(|w| {
            file(w, "a", b"1");
            file(w, "a/b.js", b"2");
        });
        assert!(refusal(&both).contains("a is both a file and a folder"));
    }

    #[test]
    fn a_bomb_is_refused_before_it_has_grown() {
        // CP-071
        let bytes = zipped(|w| {
            w.start_file("zeros", plain()).unwrap();
            let zeros = vec![0; 1 << 20];
            for _ in 0..=250 {
                w.write_all(&zeros).unwrap();
            }
        });
        assert!(bytes.len() < 1 << 20);
        assert!(refusal(&bytes).contains("larger than"));
        // An entry that claims to be small.
        let mut liar = zipped(|w| file(w, "a.js", &[b'a'; 1000]));
        let central = find(&liar, b"PK\x01\x02");
        liar[central + 24..central + 28].copy_from_slice(&1_u32.to_le_bytes());
        assert!(refusal(&liar).contains("a.js"), "{}", refusal(&liar));
    }

    #[test]
    fn what_cannot_be_unpacked_is_named() {
        // CP-071
        assert!(
            refusal(b"not a zip")
                .starts_with("Runtime.ImportModuleError: Could not unzip uploaded file"),
            "{}",
            refusal(b"not a zip")
        );
        let mut secret = zipped(|w| file(w, "key.pem", b"x"));
        let (local, central) = (find(&secret, b"PK\x03\x04"), find(&secret, b"PK\x01\x02"));
        secret[local + 6] |= 1;
        secret[central + 8] |= 1;
        assert!(refusal(&secret).contains("key.pem is encrypted"));
        let mut odd = zipped(|w| file(w, "x.js", b"x"));
        let (local, central) = (find(&odd, b"PK\x03\x04"), find(&odd, b"PK\x01\x02"));
        // LZMA.
        odd[local + 8] = 14;
        odd[central + 10] = 14;
        let said = refusal(&odd);
        assert!(said.contains("x.js is compressed with"), "{said}");
    }

    #[test]
    fn no_damage_breaks_the_reader() {
        // CP-071
        let whole = zipped(|w| {
            file(w, "index.js", b"exports.handler = 1");
            file(w, "lib/a.js", &[b'a'; 300]);
            w.add_symlink("lib/l", "a.js", plain()).unwrap();
        });
        let mut read = 0;
        for at in 0..whole.len() {
            for change in [0x01, 0x80, 0xff] {
                let mut bytes = whole.clone();
                bytes[at] ^= change;
                let Ok(bundle) = Bundle::from_zip(&bytes) else {
                    continue;
                };
                read += 1;
                for (path, _) in bundle.files() {
                    assert!(
                        path.starts_with("/var/task/") && !path.contains("/../"),
                        "{path}"
                    );
                }
            }
            assert!(Bundle::from_zip(&whole[..at]).is_err(), "cut at {at}");
        }
        // Dates and the like may be anything.
        assert!(read > 0);
    }
}
