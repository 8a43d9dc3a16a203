//! Where addresses are: databases in MaxMind's format that the operator supplies (CF-377, CF-378, CF-380, CF-601).
//!
//! Read by `maxminddb`, MaxMind's own reader. Files are read as a whole, not mapped: who replaces a mapped file while it is
//! in use takes the process with it.

use std::{
    fmt, fs, io,
    net::IpAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::SystemTime,
};

use fourfront_model::CountryCode;
use maxminddb::{LookupResult, MaxMindDbError, PathElement, Reader, WithinOptions, path};
use serde::Deserialize;

/// As many networks are looked at for what a database knows before it is said not to.
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
    /// It says neither where an address is nor whose.
    #[error("{} is a {kind} database, which has neither `country.iso_code` nor `autonomous_system_number`", .path.display())]
    NothingKnown {
        /// The file.
        path: PathBuf,
        /// What it says it is.
        kind: String,
    },
    /// None of them says anything of countries, which a distribution restricts.
    #[error("{} is a {kind} database, which has no `country.iso_code`, and a distribution has a geo restriction", .path.display())]
    NoCountries {
        /// The first file.
        path: PathBuf,
        /// What it says it is.
        kind: String,
    },
}

/// A database of where addresses are, or of whose.
pub struct GeoDatabase {
    reader: Reader<Vec<u8>>,
    path: PathBuf,
    /// Length and time of change, by which the same file is known again.
    version: (u64, Option<SystemTime>),
    has_countries: bool,
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
    /// Reads a database.
    ///
    /// # Errors
    /// [`GeoError`].
    fn open(path: &Path, at_hand: &[Arc<Self>]) -> Result<Arc<Self>, GeoError> {
        let unreadable = |cause| GeoError::Unreadable {
            path: path.to_owned(),
            cause,
        };
        let meta = fs::metadata(path).map_err(unreadable)?;
        let version = (meta.len(), meta.modified().ok());
        let mut at_hand = at_hand.iter();
        if let Some(same) = at_hand.find(|d| d.path == path && d.version == version) {
            return Ok(same.clone());
        }
        let bytes = fs::read(path).map_err(unreadable)?;
        let reader = Reader::from_source(bytes).map_err(|cause| GeoError::Format {
            path: path.to_owned(),
            cause,
        })?;
        let has_countries = knows(&reader, |found| country(found).is_some());
        if !has_countries && !knows(&reader, |found| asn(found).is_some()) {
            return Err(GeoError::NothingKnown {
                path: path.to_owned(),
                kind: reader.metadata().database_type.clone(),
            });
        }
        Ok(Arc::new(Self {
            reader,
            path: path.to_owned(),
            version,
            has_countries,
        }))
    }
}

/// All databases of a node. Of several that know a fact, the first counts.
#[derive(Clone, Debug, Default)]
pub struct GeoDatabases(Vec<Arc<GeoDatabase>>);

impl GeoDatabases {
    /// Reads databases, but for those at hand whose file is the same.
    ///
    /// # Errors
    /// [`GeoError`], one for each file that cannot be used.
    pub fn open(paths: &[PathBuf], at_hand: &Self) -> Result<Self, Vec<GeoError>> {
        let mut errors = Vec::new();
        let opened = paths.iter().filter_map(|path| {
            let opened = GeoDatabase::open(path, &at_hand.0);
            opened.map_err(|e| errors.push(e)).ok()
        });
        let opened = opened.collect();
        match errors.is_empty() {
            true => Ok(Self(opened)),
            false => Err(errors),
        }
    }

    /// Whether it can be known in which country a viewer is, where that decides who is served (CF-601).
    ///
    /// # Errors
    /// [`GeoError::NoCountries`] when there are databases, and none has countries.
    pub fn must_have_countries(&self) -> Result<(), GeoError> {
        match self.0.first() {
            Some(first) if !self.0.iter().any(|d| d.has_countries) => Err(GeoError::NoCountries {
                path: first.path.clone(),
                kind: first.reader.metadata().database_type.clone(),
            }),
            _ => Ok(()),
        }
    }

    /// The country of an address; `None` where no database knows (CF-601, CF-602).
    pub fn country(&self, address: IpAddr) -> Option<CountryCode> {
        self.look_up(address).country()
    }

    /// What is known of an address. An IPv4 address that a socket for both shows as one of IPv6 is one of IPv4. A database
    /// that is damaged there knows nothing.
    pub fn look_up(&self, address: IpAddr) -> Place<'_> {
        let address = address.to_canonical();
        let found = self.0.iter().filter_map(|d| d.reader.lookup(address).ok());
        Place(found.filter(LookupResult::has_data).collect())
    }
}

type Found<'a> = LookupResult<'a, Vec<u8>>;

/// What databases know of one address. A fact is decoded when it is asked for.
#[derive(Debug)]
pub struct Place<'a>(Vec<Found<'a>>);

impl<'a> Place<'a> {
    /// The country as ISO 3166-1 writes it (CF-377).
    pub fn country(&self) -> Option<CountryCode> {
        self.0.iter().find_map(country)
    }

    /// The country's name in English.
    pub fn country_name(&self) -> Option<&'a str> {
        self.text(&path!["country", "names", "en"])
    }

    /// The largest part of the country that has a code in ISO 3166-2, without the country's: at most three characters
    /// (CF-378).
    pub fn region(&self) -> Option<&'a str> {
        self.text(&path!["subdivisions", 0, "iso_code"])
            .filter(|code| code.len() <= 3)
    }

    /// Its name in English.
    pub fn region_name(&self) -> Option<&'a str> {
        self.text(&path!["subdivisions", 0, "names", "en"])
    }

    /// The city's name in English.
    pub fn city(&self) -> Option<&'a str> {
        self.text(&path!["city", "names", "en"])
    }

    /// The postal code, or the beginning of it.
    pub fn postal_code(&self) -> Option<&'a str> {
        self.text(&path!["postal", "code"])
    }

    /// The time zone by its name in the IANA's database.
    pub fn time_zone(&self) -> Option<&'a str> {
        self.text(&path!["location", "time_zone"])
    }

    /// Degrees north.
    pub fn latitude(&self) -> Option<f64> {
        let degrees = self.fact::<f64>(&path!["location", "latitude"]);
        degrees.filter(|d| d.abs() <= 90.0)
    }

    /// Degrees east.
    pub fn longitude(&self) -> Option<f64> {
        let degrees = self.fact::<f64>(&path!["location", "longitude"]);
        degrees.filter(|d| d.abs() <= 180.0)
    }

    /// The metro code, which places in the US have and others have not, whatever a database says (CF-378).
    pub fn metro_code(&self) -> Option<u32> {
        let code = self.fact(&path!["location", "metro_code"])?;
        self.country().filter(|c| c.as_str() == "US").map(|_| code)
    }

    /// The number of the autonomous system whose address it is (CF-380).
    pub fn asn(&self) -> Option<u32> {
        self.0.iter().find_map(asn)
    }

    fn text(&self, path: &[PathElement<'_>]) -> Option<&'a str> {
        self.fact::<&str>(path).filter(|text| !text.is_empty())
    }

    fn fact<T: Deserialize<'a>>(&self, path: &[PathElement<'_>]) -> Option<T> {
        self.0.iter().find_map(|found| fact(found, path))
    }
}

fn country(found: &Found<'_>) -> Option<CountryCode> {
    fact::<&str>(found, &path!["country", "iso_code"])?
        .parse()
        .ok()
}

fn asn(found: &Found<'_>) -> Option<u32> {
    fact(found, &path!["autonomous_system_number"])
}

/// A fact as one database has it. One of another form than is common is none.
fn fact<'a, T: Deserialize<'a>>(found: &Found<'a>, path: &[PathElement<'_>]) -> Option<T> {
    found.decode_path(path).ok().flatten()
}

fn knows(reader: &Reader<Vec<u8>>, fact: impl Fn(&Found<'_>) -> bool) -> bool {
    let networks = reader.networks(WithinOptions::default());
    networks.is_ok_and(|networks| networks.take(LOOKED_AT).flatten().any(|found| fact(&found)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_database_is_named() {
        // CF-601
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("a.mmdb");
        let open = || {
            let opened = GeoDatabases::open(std::slice::from_ref(&file), &GeoDatabases::default());
            let errors = opened.unwrap_err();
            assert_eq!(errors.len(), 1);
            errors[0].to_string()
        };
        let said = open();
        assert!(said.contains("a.mmdb cannot be read"), "{said}");
        for bytes in [
            &b""[..],
            b"no database",
            b"\xab\xcd\xefMaxMind.com",
            &[0; 4_096],
        ] {
            fs::write(&file, bytes).unwrap();
            let said = open();
            assert!(
                said.contains("a.mmdb is no database in MaxMind's format"),
                "{said}"
            );
        }
    }
}
