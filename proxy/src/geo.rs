//! In which country an address is: a database in MaxMind's format that the operator supplies (CF-601).
//!
//! Read by `maxminddb`, MaxMind's own reader. The file is read as a whole, not mapped: who replaces a mapped file while it is
//! in use takes the process with it.

use std::{
    fmt, fs, io,
    net::IpAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::SystemTime,
};

use fourfront_model::CountryCode;
use maxminddb::{LookupResult, MaxMindDbError, Reader, WithinOptions, path};

/// As many networks are looked at for a country before a database is said to have none.
const LOOKED_AT: usize = 10_000;

/// Why a database cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GeoError {
    /// The file cannot be read.
    #[error("{} cannot be read: {cause}", .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        cause: io::Error,
    },
    /// It is no such database.
    #[error("{} is no database in MaxMind's format: {cause}", .path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        cause: MaxMindDbError,
    },
    /// It says nothing of countries, as one of networks' owners does.
    #[error("{} is a {kind} database, which has no `country.iso_code`", .path.display())]
    NoCountries {
        /// The file.
        path: PathBuf,
        /// What it says it is.
        kind: String,
    },
}

/// A database of where addresses are.
pub struct GeoDatabase {
    reader: Reader<Vec<u8>>,
    path: PathBuf,
    /// Length and time of change, by which the same file is known again.
    version: (u64, Option<SystemTime>),
}

impl fmt::Debug for GeoDatabase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GeoDatabase")
            .field("path", &self.path)
            .field("version", &self.version)
            .finish_non_exhaustive()
    }
}

impl GeoDatabase {
    /// Reads a database, or keeps the one at hand when the file is the same.
    ///
    /// # Errors
    /// [`GeoError`].
    pub fn open(path: &Path, at_hand: Option<&Arc<Self>>) -> Result<Arc<Self>, GeoError> {
        let unreadable = |cause| GeoError::Unreadable {
            path: path.to_owned(),
            cause,
        };
        let meta = fs::metadata(path).map_err(unreadable)?;
        let version = (meta.len(), meta.modified().ok());
        if let Some(same) = at_hand.filter(|d| d.path == path && d.version == version) {
            return Ok(same.clone());
        }
        let bytes = fs::read(path).map_err(unreadable)?;
        let reader = Reader::from_source(bytes).map_err(|cause| GeoError::Format {
            path: path.to_owned(),
            cause,
        })?;
        if !has_countries(&reader) {
            return Err(GeoError::NoCountries {
                path: path.to_owned(),
                kind: reader.metadata().database_type.clone(),
            });
        }
        Ok(Arc::new(Self {
            reader,
            path: path.to_owned(),
            version,
        }))
    }

    /// The country of an address; `None` where the database does not know, or is damaged there. An IPv4 address that a
    /// socket for both shows as one of IPv6 is one of IPv4.
    pub fn country(&self, address: IpAddr) -> Option<CountryCode> {
        country(&self.reader.lookup(address.to_canonical()).ok()?)
    }
}

fn country(found: &LookupResult<'_, Vec<u8>>) -> Option<CountryCode> {
    let code: Option<&str> = found.decode_path(&path!["country", "iso_code"]).ok()?;
    code?.parse().ok()
}

fn has_countries(reader: &Reader<Vec<u8>>) -> bool {
    let networks = reader.networks(WithinOptions::default());
    networks.is_ok_and(|networks| {
        networks
            .take(LOOKED_AT)
            .flatten()
            .any(|network| country(&network).is_some())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_database_is_named() {
        // CF-601
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("a.mmdb");
        let said = GeoDatabase::open(&file, None).unwrap_err().to_string();
        assert!(said.contains("a.mmdb cannot be read"), "{said}");
        for bytes in [
            &b""[..],
            b"no database",
            b"\xab\xcd\xefMaxMind.com",
            &[0; 4_096],
        ] {
            fs::write(&file, bytes).unwrap();
            let said = GeoDatabase::open(&file, None).unwrap_err().to_string();
            assert!(
                said.contains("a.mmdb is no database in MaxMind's format"),
                "{said}"
            );
        }
    }
}
