//! Certificate authorities of single origins (CF-424).

use std::{
    hash::{DefaultHasher, Hash as _, Hasher as _},
    path::{Path, PathBuf},
    sync::Arc,
};

use pingora::{protocols::tls::CaType, utils::tls::WrappedX509};
use x509_parser::{pem::Pem, prelude::FromDer as _};

use crate::tls::{OriginCaError, check_origin_ca};

/// Authorities that alone vouch for an origin.
pub struct Authority {
    certificates: Arc<CaType>,
    /// Of the certificates: connections that others vouch for are no use to this origin.
    identity: u64,
}

/// Why a file of authorities cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AuthorityError {
    /// As for `node.origin_ca`.
    #[error(transparent)]
    File(#[from] OriginCaError),
    /// One of its certificates cannot be read.
    #[error("{}: certificate {number}: {cause}", .path.display())]
    Certificate {
        /// The file.
        path: PathBuf,
        /// Which one, from 1.
        number: usize,
        /// Why.
        cause: String,
    },
}

impl Authority {
    /// Reads a file of PEM certificates.
    ///
    /// # Errors
    /// When it cannot be read, holds something else, or holds nothing.
    pub fn read(path: &Path) -> Result<Self, AuthorityError> {
        check_origin_ca(path)?;
        let wrong = |number: usize, cause: String| AuthorityError::Certificate {
            path: path.to_owned(),
            number,
            cause,
        };
        let text = std::fs::read(path).map_err(|e| wrong(1, e.to_string()))?;
        let mut certificates = Vec::new();
        let mut hash = DefaultHasher::new();
        for (index, pem) in Pem::iter_from_buffer(&text).enumerate() {
            let pem = pem.map_err(|e| wrong(index + 1, e.to_string()))?;
            // Parsed here first, because what wraps it below panics at what is none.
            x509_parser::certificate::X509Certificate::from_der(&pem.contents)
                .map_err(|e| wrong(index + 1, e.to_string()))?;
            pem.contents.hash(&mut hash);
            let wrapped = WrappedX509::new(pem.contents, pingora::utils::tls::parse_x509);
            certificates.push(wrapped);
        }
        Ok(Self {
            certificates: certificates.into(),
            identity: hash.finish(),
        })
    }

    /// For a connection.
    pub(crate) const fn certificates(&self) -> &Arc<CaType> {
        &self.certificates
    }

    /// Tells connections apart by who vouched for them.
    pub(crate) const fn identity(&self) -> u64 {
        self.identity
    }
}

impl PartialEq for Authority {
    fn eq(&self, other: &Self) -> bool {
        self.identity == other.identity
    }
}

impl Eq for Authority {}

impl std::fmt::Debug for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Authority")
            .field("certificates", &self.certificates.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use rcgen::{CertificateParams, KeyPair};

    use super::*;

    fn pem(name: &str) -> String {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new([name.to_owned()]).unwrap();
        params.self_signed(&key).unwrap().pem()
    }

    #[test]
    fn authorities_are_told_apart_by_what_they_are() {
        // CF-424
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ca.pem");
        let read = |text: &str| {
            fs::write(&path, text).unwrap();
            Authority::read(&path)
        };
        let (one, other) = (pem("a.test"), pem("b.test"));
        let first = read(&one).unwrap();
        assert_eq!(first.certificates().len(), 1);
        assert_eq!(first, read(&format!("A comment\n{one}")).unwrap());
        assert_ne!(first, read(&other).unwrap());
        let both = read(&format!("{one}{other}")).unwrap();
        assert_eq!(both.certificates().len(), 2);
        assert_ne!(first, both);
        for text in [
            "",
            "hello",
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        ] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
