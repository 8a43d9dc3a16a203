//! Certificates: what viewers are shown ([`ViewerTls`]), and the authorities that HTTPS origins are held against beside the
//! public ones (CF-423).

mod facts;
mod pair;
mod viewer;

pub use facts::TlsFacts;
pub use pair::{Pair, PairError};
pub use viewer::{Chosen, Renewal, Table, ViewerTls, ViewerTlsError};

use std::path::{Path, PathBuf};

use pingora::tls::{RootCertStore, load_ca_file_into_store};

/// Why a file of certificate authorities cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{}: {cause}", .path.display())]
pub struct OriginCaError {
    path: PathBuf,
    cause: String,
}

/// Reads a file of certificate authorities as connecting to origins will, so that a wrong one is refused with
/// the rest of the configuration and not at the first connection.
///
/// # Errors
/// When it cannot be read, holds something else, or holds nothing.
pub fn check_origin_ca(path: &Path) -> Result<(), OriginCaError> {
    let wrong = |cause: String| OriginCaError {
        path: path.to_owned(),
        cause,
    };
    let mut store = RootCertStore::empty();
    load_ca_file_into_store(path, &mut store).map_err(|e| wrong(reason(&e)))?;
    if store.is_empty() {
        return Err(wrong("no PEM certificate in it".to_owned()));
    }
    Ok(())
}

/// The words of an error without the names of its types.
fn reason(error: &pingora::Error) -> String {
    let context = error.context.as_ref().map(|c| c.as_str().to_owned());
    let cause = error.cause.as_ref().map(ToString::to_string);
    match (context, cause) {
        (Some(context), Some(cause)) => format!("{context}: {cause}"),
        (Some(one), None) | (None, Some(one)) => one,
        (None, None) => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// A self-signed certificate; its key is nowhere.
    const CERTIFICATE: &str = "\
-----BEGIN CERTIFICATE-----
MIIBezCCASGgAwIBAgIUVn+cq8SXegkYrnaQp3TxrSNF6xgwCgYIKoZIzj0EAwIw
EjEQMA4GA1UEAwwHT3JpZ2luczAgFw0yNjExMjUxODI5MzBaGA8yMTI2MTEwMTE4
MjkzMFowEjEQMA4GA1UEAwwHT3JpZ2luczBZMBMGByqGSM49AgEGCCqGSM49AwEH
A0IABCKtRguFQFoiJiHeqnc2P4g/snJZLOYQ7x9gvEaV2UTOVc5y0Rv2Hkn+D9Ig
7gmGPYiZ6KhEoBOnJDDpJwS+Ht6jUzBRMB0GA1UdDgQWBBQ2Z4rIZ8zDtg+FOe+o
axaWEtBuYzAfBgNVHSMEGDAWgBQ2Z4rIZ8zDtg+FOe+oaxaWEtBuYzAPBgNVHRMB
Af8EBTADAQH/MAoGCCqGSM49BAMCA0gAMEUCIQCmTASwR8umEX8/vwKuDWwOPfrS
MVKgB0iUyttOX+JrFgIgNIFxdGJlyoVIFAXLNFTk+6BuI2Q5Th2cHbFoGcZF05k=
-----END CERTIFICATE-----
";

    #[test]
    fn a_file_of_certificates_is_accepted() {
        // CF-423
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ca.pem");
        fs::write(&path, format!("# Ours\n{CERTIFICATE}{CERTIFICATE}")).unwrap();
        check_origin_ca(&path).unwrap();
    }

    #[test]
    fn a_file_without_usable_certificates_is_refused_by_name() {
        // CF-423
        let dir = tempfile::tempdir().unwrap();
        let told = |text: &str| {
            let path = dir.path().join("ca.pem");
            fs::write(&path, text).unwrap();
            check_origin_ca(&path).unwrap_err().to_string()
        };
        assert!(told("hello").ends_with("ca.pem: no PEM certificate in it"));
        let begun = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        assert!(told(begun).contains("root store"), "{}", told(begun));
        let key = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
        assert!(told(key).contains("certificate type"), "{}", told(key));
        let missing = check_origin_ca(&dir.path().join("none.pem")).unwrap_err();
        assert!(missing.to_string().contains("No such file"), "{missing}");
    }
}
