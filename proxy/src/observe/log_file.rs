//! A log's output: a stream, or a file that is opened anew when it has been moved away.
//!
//! Who rotates moves the file and sends SIGUSR1, as with nginx: until then lines go to the file under its new name, and
//! afterwards to a new one. No line is torn by that, and none is lost.

use std::{
    fs::{File, OpenOptions},
    io::{self, Write},
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

/// Asks for files to be opened anew; shared with who writes them.
#[derive(Clone, Debug, Default)]
pub struct Reopen(Arc<AtomicBool>);

impl Reopen {
    /// Asks.
    pub fn ask(&self) {
        self.0.store(true, Ordering::Release);
    }

    /// Whether somebody has asked since the last time.
    pub fn is_asked(&self) -> bool {
        self.0.swap(false, Ordering::AcqRel)
    }
}

/// Where a log goes.
#[derive(Debug)]
pub struct LogFile {
    path: Option<PathBuf>,
    file: Option<File>,
    head: Vec<u8>,
    /// Of the head of the file at hand: what is not written yet.
    head_left: Vec<u8>,
    at_line_start: bool,
    reopen: Reopen,
}

impl LogFile {
    /// A file, which begins with `head` where it is new.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn open(path: PathBuf, head: Vec<u8>, reopen: Reopen) -> io::Result<Self> {
        let mut log = Self {
            path: Some(path),
            file: None,
            head,
            head_left: Vec::new(),
            at_line_start: true,
            reopen,
        };
        log.file()?;
        Ok(log)
    }

    /// A stream, which begins with `head`.
    pub const fn stream(stream: File, head: Vec<u8>, reopen: Reopen) -> Self {
        Self {
            path: None,
            file: Some(stream),
            head: Vec::new(),
            head_left: head,
            at_line_start: true,
            reopen,
        }
    }

    /// The file at hand, after its head.
    fn file(&mut self) -> io::Result<&mut File> {
        if self.at_line_start && self.reopen.is_asked() && self.path.is_some() {
            self.file = None;
        }
        let file = match (&mut self.file, &self.path) {
            (Some(file), _) => file,
            (none, Some(path)) => {
                let file = OpenOptions::new().append(true).create(true).open(path)?;
                self.head_left.clear();
                if file.metadata()?.len() == 0 {
                    self.head_left.extend_from_slice(&self.head);
                }
                none.insert(file)
            }
            (None, None) => return Err(io::ErrorKind::NotFound.into()),
        };
        while !self.head_left.is_empty() {
            let written = file.write(&self.head_left)?;
            if written == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            self.head_left.drain(..written);
        }
        Ok(file)
    }
}

impl Write for LogFile {
    fn write(&mut self, lines: &[u8]) -> io::Result<usize> {
        let written = self.file()?.write(lines)?;
        if written > 0 {
            self.at_line_start = lines[written - 1] == b'\n';
        }
        Ok(written)
    }

    /// Lines are not kept back here; but it is a moment to open the file anew.
    fn flush(&mut self) -> io::Result<()> {
        self.file()?.flush()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_file_that_was_moved_away_is_opened_anew_at_the_end_of_a_line() {
        // CF-700
        let dir = tempfile::tempdir().unwrap();
        let (path, moved) = (dir.path().join("a.log"), dir.path().join("a.log.1"));
        let reopen = Reopen::default();
        let mut log = LogFile::open(path.clone(), b"#head\n".to_vec(), reopen.clone()).unwrap();
        log.write_all(b"one\ntw").unwrap();
        fs::rename(&path, &moved).unwrap();
        log.flush().unwrap();
        reopen.ask();
        log.write_all(b"o\n").unwrap();
        assert!(!path.exists());
        log.flush().unwrap();
        log.write_all(b"three\n").unwrap();
        assert_eq!(fs::read_to_string(&moved).unwrap(), "#head\none\ntwo\n");
        assert_eq!(fs::read_to_string(&path).unwrap(), "#head\nthree\n");
        // Nobody had moved it: it has its head already.
        reopen.ask();
        log.write_all(b"four\n").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "#head\nthree\nfour\n");
    }

    #[test]
    fn a_file_that_cannot_be_opened_anew_is_tried_again() {
        let dir = tempfile::tempdir().unwrap();
        let (logs, away) = (dir.path().join("logs"), dir.path().join("away"));
        fs::create_dir(&logs).unwrap();
        let reopen = Reopen::default();
        let path = logs.join("a.log");
        let mut log = LogFile::open(path.clone(), Vec::new(), reopen.clone()).unwrap();
        fs::rename(&logs, &away).unwrap();
        reopen.ask();
        assert!(log.write(b"one\n").is_err());
        fs::create_dir(&logs).unwrap();
        log.write_all(b"two\n").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "two\n");
    }

    #[test]
    fn a_stream_has_its_head_once() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.log");
        let reopen = Reopen::default();
        let file = File::create(&path).unwrap();
        let mut log = LogFile::stream(file, b"#head\n".to_vec(), reopen.clone());
        log.write_all(b"one\n").unwrap();
        reopen.ask();
        log.write_all(b"two\n").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "#head\none\ntwo\n");
    }
}
