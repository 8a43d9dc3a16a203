//! A certificate and its key, as they lie in files.

use std::{
    fs, io,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    sync::Arc,
};

use fourfront_control::CertificateFiles;
use tokio_rustls::rustls::{
    crypto::{CryptoProvider, aws_lc_rs},
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    sign::CertifiedKey,
};
use x509_parser::prelude::{FromDer as _, GeneralName, X509Certificate};

/// Longest file that is read: a chain has a few KiB, and the path may name a device.
const MAX_FILE: u64 = 1 << 20;

/// A certificate that can be shown, with its chain and key.
#[derive(Debug)]
pub struct Pair {
    key: Arc<CertifiedKey>,
    /// DNS names it is for, in lower case; a wildcard keeps its `*.`.
    names: Vec<Box<str>>,
    /// Last second it is good for, since 1970.
    not_after: i64,
    stamp: Stamp,
}

/// Why a certificate cannot be shown.
#[derive(Debug, thiserror::Error)]
#[error("node.certificates.{label}.{part}: {}: {cause}", .path.display())]
pub struct PairError {
    label: String,
    part: &'static str,
    path: PathBuf,
    cause: String,
}

impl Pair {
    /// Reads the files, and sees that they belong together (CF-095).
    ///
    /// # Errors
    /// Which file is at fault, and why.
    pub fn load(files: &CertificateFiles) -> Result<Self, PairError> {
        let wrong = |part: &'static str, path: &Path, cause: String| PairError {
            label: files.label.clone(),
            part,
            path: path.to_owned(),
            cause,
        };
        // Before they are read: what is written meanwhile is seen the next time.
        let stamp = Stamp::of(files);
        let of_cert = |cause: String| wrong("cert", &files.cert, cause);
        let of_key = |cause: String| wrong("key", &files.key, cause);
        let text = read_file(&files.cert).map_err(|e| of_cert(e.to_string()))?;
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
        let chain = chain.map_err(|e| of_cert(e.to_string()))?;
        let Some(first) = chain.first() else {
            return Err(of_cert("no PEM certificate in it".to_owned()));
        };
        let (names, not_after) = describe(first).map_err(of_cert)?;
        let text = read_file(&files.key).map_err(|e| of_key(e.to_string()))?;
        let key = PrivateKeyDer::from_pem_slice(&text)
            .map_err(|_| of_key("no PEM private key in it".to_owned()))?;
        let key = CertifiedKey::from_der(chain, key, provider()).map_err(|e| {
            of_key(format!(
                "not the key of that certificate, or of no kind that is known: {e}"
            ))
        })?;
        Ok(Self {
            key: Arc::new(key),
            names,
            not_after,
            stamp,
        })
    }

    /// What a handshake needs of it.
    pub(super) const fn key(&self) -> &Arc<CertifiedKey> {
        &self.key
    }

    /// The names it is for.
    pub(super) fn names(&self) -> &[Box<str>] {
        &self.names
    }

    /// Whether it is for a host, which is in lower case and has no port: by its name, or by a wildcard in the place of its
    /// first label (RFC 9525 section 6.3).
    pub fn covers(&self, host: &str) -> bool {
        let parent = host.split_once('.').map(|(_, parent)| parent);
        self.names.iter().any(|name| match name.strip_prefix("*.") {
            Some(suffix) => parent == Some(suffix),
            None => **name == *host,
        })
    }

    /// The last second it is good for, since 1970.
    pub const fn not_after(&self) -> i64 {
        self.not_after
    }

    /// As the files were when they were read.
    pub(super) const fn stamp(&self) -> &Stamp {
        &self.stamp
    }

    /// Whether it shows the same certificate.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.key.cert == other.key.cert
    }
}

/// What tells that a file is another one than before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stamp([Option<FileStamp>; 2]);

/// None where there is no file.
#[derive(Clone, Debug, PartialEq, Eq)]
struct FileStamp {
    device: u64,
    inode: u64,
    length: u64,
    /// Seconds and nanoseconds.
    modified: (i64, i64),
}

impl Stamp {
    pub(super) fn of(files: &CertificateFiles) -> Self {
        // Links are followed: that is how renewed certificates are put in place.
        Self([&files.cert, &files.key].map(|path| {
            let m = fs::metadata(path).ok()?;
            Some(FileStamp {
                device: m.dev(),
                inode: m.ino(),
                length: m.len(),
                modified: (m.mtime(), m.mtime_nsec()),
            })
        }))
    }
}

/// The provider of all cryptography on viewers' connections.
pub(super) fn provider() -> &'static Arc<CryptoProvider> {
    static PROVIDER: std::sync::LazyLock<Arc<CryptoProvider>> =
        std::sync::LazyLock::new(|| Arc::new(aws_lc_rs::default_provider()));
    &PROVIDER
}

pub(super) fn read_file(path: &Path) -> io::Result<Vec<u8>> {
    use io::Read as _;
    let mut bytes = Vec::new();
    fs::File::open(path)?
        .take(MAX_FILE)
        .read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The DNS names of a certificate, and its last second.
fn describe(der: &CertificateDer<'_>) -> Result<(Vec<Box<str>>, i64), String> {
    let (_, certificate) =
        X509Certificate::from_der(der).map_err(|e| format!("not a certificate: {e}"))?;
    let names = certificate
        .subject_alternative_name()
        .map_err(|e| format!("its names cannot be read: {e}"))?
        .map(|san| {
            let dns = san
                .value
                .general_names
                .iter()
                .filter_map(|name| match name {
                    GeneralName::DNSName(name) => Some(name.to_ascii_lowercase().into()),
                    _ => None,
                });
            dns.collect()
        })
        .unwrap_or_default();
    Ok((names, certificate.validity().not_after.timestamp()))
}
