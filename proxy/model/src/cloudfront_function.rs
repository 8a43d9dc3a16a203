//! CloudFront Functions and the key-value stores they read (LE section 8).

use std::{
    collections::BTreeMap,
    fmt,
    path::PathBuf,
    sync::{Arc, PoisonError, RwLock},
    time::SystemTime,
};

/// The two runtimes of CloudFront Functions (LE section 8.4).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum CffRuntime {
    /// `cloudfront-js-1.0`.
    V1,
    /// `cloudfront-js-2.0`.
    #[default]
    V2,
}

impl CffRuntime {
    /// Both, older first.
    pub const ALL: [Self; 2] = [Self::V1, Self::V2];

    /// The name in a function's configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::V1 => "cloudfront-js-1.0",
            Self::V2 => "cloudfront-js-2.0",
        }
    }

    /// The runtime of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|r| r.as_str() == name)
    }

    /// Position in [`Self::ALL`], for tables indexed by runtime.
    pub const fn index(self) -> usize {
        self as usize
    }
}

impl fmt::Display for CffRuntime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a function is: the two kinds differ in event, result, runtime and limits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum FunctionKind {
    /// A Lambda@Edge-style function.
    #[default]
    Lambda,
    /// A CloudFront Function; viewer triggers only.
    CloudFront(CloudFrontFunction),
}

/// The part of a function only CloudFront Functions have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CloudFrontFunction {
    /// Which runtime it is written for.
    pub runtime: CffRuntime,
    /// The store it may read, if one is associated (LE-470, LE-474).
    pub store: Option<Arc<KeyValueStore>>,
}

/// Bytes of code a CloudFront Function may have (LE-435).
pub const CFF_MAX_CODE_BYTES: usize = 10 * 1024;

/// MiB of memory a CloudFront Function may use (LE-435).
pub const CFF_MEMORY_MB: u32 = 2;

/// A key-value store: functions only read (LE-474).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyValueStore {
    /// Its name in the site file.
    pub name: String,
    /// The id by which functions may ask for it (LE-470); the name unless configured.
    pub id: String,
    /// The file its data comes from; `None` for one that was deployed.
    pub path: Option<PathBuf>,
    /// What it holds.
    pub data: StoreData,
}

/// What a store holds at some moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreContents {
    /// Keys and values.
    pub entries: BTreeMap<String, String>,
    /// What `meta()` tells of its making (LE-472).
    pub created: SystemTime,
    /// What `meta()` tells of its last change (LE-472).
    pub last_updated: SystemTime,
}

/// The contents of a store, shared by all versions of a site that know it. A change is seen by what begins afterwards; what
/// runs keeps what it began with (CP-204).
#[derive(Clone)]
pub struct StoreData(Arc<RwLock<Arc<StoreContents>>>);

impl StoreData {
    /// Contents that can be changed through any copy of what is returned.
    pub fn new(contents: StoreContents) -> Self {
        Self(Arc::new(RwLock::new(Arc::new(contents))))
    }

    /// What it holds now.
    pub fn now(&self) -> Arc<StoreContents> {
        // Nothing panics while the lock is held.
        let held = self.0.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&held)
    }

    /// Replaces what it holds.
    pub fn set(&self, contents: StoreContents) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(contents);
    }
}

impl fmt::Debug for StoreData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let now = self.now();
        f.debug_struct("StoreData")
            .field("keys", &now.entries.len())
            .field("last_updated", &now.last_updated)
            .finish_non_exhaustive()
    }
}

/// The same data, or such that nobody could tell it from the other.
impl PartialEq for StoreData {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.now() == other.now()
    }
}

impl Eq for StoreData {}

/// Why data does not fit into a store (LE-474).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StoreQuotaError {
    /// The key is empty.
    #[error("a key may not be empty")]
    EmptyKey,
    /// The key is too long.
    #[error("the key `{key}…` has {size} bytes, {most} are allowed")]
    Key {
        /// Its beginning.
        key: String,
        /// Its size.
        size: usize,
        /// What is allowed.
        most: usize,
    },
    /// The value is too long.
    #[error("the value of `{key}` has {size} bytes, {most} are allowed")]
    Value {
        /// The key.
        key: String,
        /// The value's size.
        size: usize,
        /// What is allowed.
        most: usize,
    },
    /// All keys and values together are too long.
    #[error("the store has {size} bytes of keys and values, {most} are allowed")]
    Store {
        /// Their size.
        size: usize,
        /// What is allowed.
        most: usize,
    },
}

/// What a store may hold, in bytes (LE-474, CP-202). The default is CloudFront's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoreQuotas {
    /// Of all keys and values together. Default 5 MiB.
    pub total: usize,
    /// Of one key. Default 512.
    pub key: usize,
    /// Of one value. Default 1024.
    pub value: usize,
}

impl Default for StoreQuotas {
    fn default() -> Self {
        Self {
            total: 5 << 20,
            key: 512,
            value: 1024,
        }
    }
}

impl KeyValueStore {
    /// Holds data against quotas (LE-474).
    ///
    /// # Errors
    /// The first quota exceeded.
    pub fn check_quotas(
        entries: &BTreeMap<String, String>,
        quotas: &StoreQuotas,
    ) -> Result<(), StoreQuotaError> {
        let mut total = 0;
        for (key, value) in entries {
            let start = || key.chars().take(32).collect::<String>();
            if key.is_empty() {
                return Err(StoreQuotaError::EmptyKey);
            }
            if key.len() > quotas.key {
                return Err(StoreQuotaError::Key {
                    key: start(),
                    size: key.len(),
                    most: quotas.key,
                });
            }
            if value.len() > quotas.value {
                return Err(StoreQuotaError::Value {
                    key: start(),
                    size: value.len(),
                    most: quotas.value,
                });
            }
            total += key.len() + value.len();
        }
        if total > quotas.total {
            return Err(StoreQuotaError::Store {
                size: total,
                most: quotas.total,
            });
        }
        Ok(())
    }

    /// Whether a function that asks for `id` means this store: by id, by name, or by an ARN that ends in
    /// either (LE-470).
    pub fn is_called(&self, id: &str) -> bool {
        let last = id.rsplit('/').next().unwrap_or(id);
        last == self.id || last == self.name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runtimes_round_trip_through_their_names() {
        for runtime in CffRuntime::ALL {
            assert_eq!(CffRuntime::from_name(runtime.as_str()), Some(runtime));
        }
        assert_eq!(CffRuntime::from_name("cloudfront-js-3.0"), None);
    }

    #[test]
    fn quotas_of_a_store_are_kept() {
        // LE-474, CP-202
        let quotas = StoreQuotas::default();
        let check = |key: &str, value: &str| {
            KeyValueStore::check_quotas(&BTreeMap::from([(key.into(), value.into())]), &quotas)
        };
        assert_eq!(check(&"k".repeat(512), &"v".repeat(1024)), Ok(()));
        assert!(matches!(
            check(&"k".repeat(513), ""),
            Err(StoreQuotaError::Key { size: 513, .. })
        ));
        assert!(matches!(
            check("k", &"v".repeat(1025)),
            Err(StoreQuotaError::Value { size: 1025, .. })
        ));
        assert_eq!(check("", "v"), Err(StoreQuotaError::EmptyKey));
        let many: BTreeMap<_, _> = (0..5200)
            .map(|i| (format!("key-{i}"), "v".repeat(1024)))
            .collect();
        assert!(matches!(
            KeyValueStore::check_quotas(&many, &quotas),
            Err(StoreQuotaError::Store { .. })
        ));
        let more = StoreQuotas {
            total: 6 << 20,
            ..quotas
        };
        assert_eq!(KeyValueStore::check_quotas(&many, &more), Ok(()));
    }

    #[test]
    fn a_change_is_seen_by_what_begins_after_it() {
        // CP-204
        let holding = |value: &str| StoreContents {
            entries: BTreeMap::from([("k".to_owned(), value.to_owned())]),
            created: SystemTime::UNIX_EPOCH,
            last_updated: SystemTime::UNIX_EPOCH,
        };
        let data = StoreData::new(holding("1"));
        let (same, equal, before) = (data.clone(), StoreData::new(holding("1")), data.now());
        assert_eq!(data, equal);
        data.set(holding("2"));
        assert_eq!(before.entries["k"], "1");
        assert_eq!(same.now().entries["k"], "2");
        assert_eq!(data, same);
        assert_ne!(data, equal);
    }

    #[test]
    fn a_store_is_called_by_id_name_or_arn() {
        // LE-470
        let store = KeyValueStore {
            name: "routes".into(),
            id: "0a1b".into(),
            path: Some("routes.json".into()),
            data: StoreData::new(StoreContents {
                entries: BTreeMap::new(),
                created: SystemTime::UNIX_EPOCH,
                last_updated: SystemTime::UNIX_EPOCH,
            }),
        };
        for id in [
            "routes",
            "0a1b",
            "arn:aws:cloudfront::123456789012:key-value-store/0a1b",
        ] {
            assert!(store.is_called(id), "{id}");
        }
        assert!(!store.is_called("other"));
    }
}
