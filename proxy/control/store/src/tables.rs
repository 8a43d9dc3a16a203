//! What stands in the database, and how.
//!
//! Keys are tuples of texts and numbers, so that a listing is a range. Values are records in postcard's form, read only by
//! the format that wrote them (`FORMAT`, in the table `meta`); a change of a record is a new format with a migration.

use redb::{ReadTransaction, TableDefinition, WriteTransaction};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::error::Trouble;

/// The newest format that this version knows.
pub(crate) const FORMAT: u64 = 1;

/// Single values by name: `format`, `sequence`, `purged` and `markers`.
pub(crate) const META: TableDefinition<'static, &str, &[u8]> = TableDefinition::new("meta");
/// (kind, id) to the current [`DocumentRecord`], tombstones among them.
pub(crate) const DOCUMENTS: TableDefinition<'static, (&str, &str), &[u8]> =
    TableDefinition::new("documents");
/// (kind, id, revision) to what was current earlier.
pub(crate) const REVISIONS: TableDefinition<'static, (&str, &str, u64), &[u8]> =
    TableDefinition::new("revisions");
/// Store id to [`KvsRecord`].
pub(crate) const KVS_STORES: TableDefinition<'static, &str, &[u8]> =
    TableDefinition::new("kvs-stores");
/// (store id, key) to the value.
pub(crate) const KVS: TableDefinition<'static, (&str, &str), &str> = TableDefinition::new("kvs");
/// Key id to [`CredentialRecord`].
pub(crate) const CREDENTIALS: TableDefinition<'static, &str, &[u8]> =
    TableDefinition::new("credentials");
/// Number to `AuditRecord`.
pub(crate) const AUDIT: TableDefinition<'static, u64, &[u8]> = TableDefinition::new("audit");
/// (log, number) to [`LogRecord`]: invalidations, and what else every node applies in order.
pub(crate) const LOGS: TableDefinition<'static, (&str, u64), &[u8]> = TableDefinition::new("logs");
/// Log to its first kept and its next number.
pub(crate) const LOG_ENDS: TableDefinition<'static, &str, (u64, u64)> =
    TableDefinition::new("log-ends");
/// Name to a position in somebody else's log (CP-530).
pub(crate) const CURSORS: TableDefinition<'static, &str, u64> = TableDefinition::new("cursors");
/// SHA-256 in hexadecimal to the time since which no document names the blob.
pub(crate) const IDLE_BLOBS: TableDefinition<'static, &str, u64> =
    TableDefinition::new("idle-blobs");

pub(crate) const META_FORMAT: &str = "format";
pub(crate) const META_SEQUENCE: &str = "sequence";
pub(crate) const META_PURGED: &str = "purged";
pub(crate) const META_MARKERS: &str = "markers";

/// Creates every table, so that no reader meets one that is missing.
pub(crate) fn create_all(txn: &WriteTransaction) -> Result<(), Trouble> {
    txn.open_table(META)?;
    txn.open_table(DOCUMENTS)?;
    txn.open_table(REVISIONS)?;
    txn.open_table(KVS_STORES)?;
    txn.open_table(KVS)?;
    txn.open_table(CREDENTIALS)?;
    txn.open_table(AUDIT)?;
    txn.open_table(LOGS)?;
    txn.open_table(LOG_ENDS)?;
    txn.open_table(CURSORS)?;
    txn.open_table(IDLE_BLOBS)?;
    Ok(())
}

#[derive(Deserialize, Serialize)]
pub(crate) struct DocumentRecord<'a> {
    pub(crate) revision: u64,
    pub(crate) created_at: u64,
    pub(crate) written_at: u64,
    pub(crate) author: &'a str,
    pub(crate) note: &'a str,
    pub(crate) body: Option<&'a [u8]>,
}

#[derive(Deserialize, Serialize)]
pub(crate) struct KvsRecord {
    pub(crate) revision: u64,
    pub(crate) created_at: u64,
    pub(crate) modified_at: u64,
}

#[derive(Deserialize, Serialize)]
pub(crate) struct CredentialRecord<'a> {
    pub(crate) written_at: u64,
    pub(crate) sealed: &'a [u8],
}

#[derive(Deserialize, Serialize)]
pub(crate) struct LogRecord<'a> {
    pub(crate) written_at: u64,
    pub(crate) entry: &'a [u8],
}

pub(crate) fn encode<T: Serialize>(record: &T) -> Result<Vec<u8>, Trouble> {
    postcard::to_allocvec(record).map_err(|error| Trouble::Damaged(format!("a record: {error}")))
}

/// Reads a record that borrows from `bytes`. `of` says which one, for the error.
pub(crate) fn decode<'a, T: Deserialize<'a>>(
    bytes: &'a [u8],
    of: impl FnOnce() -> String,
) -> Result<T, Trouble> {
    match postcard::take_from_bytes(bytes) {
        Ok((record, [])) => Ok(record),
        Ok(_) => Err(Trouble::Damaged(format!(
            "the record of {} has more bytes than it should",
            of()
        ))),
        Err(error) => Err(Trouble::Damaged(format!("the record of {}: {error}", of()))),
    }
}

/// As [`decode`], for records that own what they hold.
pub(crate) fn decode_owned<T: DeserializeOwned>(
    bytes: &[u8],
    of: impl FnOnce() -> String,
) -> Result<T, Trouble> {
    decode(bytes, of)
}

/// A number of the table `meta`; 0 when it was never written.
pub(crate) fn meta_number(txn: &ReadTransaction, name: &str) -> Result<u64, Trouble> {
    let Some(bytes) = txn.open_table(META)?.get(name)? else {
        return Ok(0);
    };
    let bytes = <[u8; 8]>::try_from(bytes.value())
        .map_err(|_| Trouble::Damaged(format!("`{name}` is not a number of eight bytes")))?;
    Ok(u64::from_le_bytes(bytes))
}

pub(crate) fn set_meta_number(
    txn: &WriteTransaction,
    name: &str,
    number: u64,
) -> Result<(), Trouble> {
    txn.open_table(META)?
        .insert(name, number.to_le_bytes().as_slice())?;
    Ok(())
}
