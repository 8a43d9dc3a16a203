//! Logs that every node applies in order, such as invalidations (CP-500, CP-530): append, read on, trim.

use std::sync::Arc;

use bytes::Bytes;

use crate::{
    Store, StoreError,
    error::{Fail, Trouble},
    tables::{self, LOG_ENDS, LOGS, LogRecord},
    writer::Txn,
};

/// One entry of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogEntry {
    /// Its number: 1 for the first ever, and one more for each.
    pub number: u64,
    /// When it was appended, in milliseconds since 1970.
    pub written_at: u64,
    /// What was appended.
    pub entry: Bytes,
}

impl Store {
    /// Appends to a log, durably, and returns the entry's number. A log comes into being with its first entry.
    ///
    /// # Errors
    /// The disk.
    pub fn append(&self, log: &str, entry: Bytes, now: u64) -> Result<u64, StoreError> {
        let log: Arc<str> = log.into();
        self.call(move |txn| append(txn, log, &entry, now))
    }

    /// As [`Self::append`], for tasks.
    ///
    /// # Errors
    /// The disk.
    pub async fn append_async(&self, log: &str, entry: Bytes, now: u64) -> Result<u64, StoreError> {
        let log: Arc<str> = log.into();
        self.call_async(move |txn| append(txn, log, &entry, now))
            .await
    }

    /// The first number that is kept and the next one that will be given: equal when the log is empty, `(1, 1)` when
    /// nothing was ever appended.
    #[must_use]
    pub fn log_ends(&self, log: &str) -> (u64, u64) {
        let state = self.shared().state.load();
        state.logs.get(log).copied().unwrap_or((1, 1))
    }

    /// Up to `limit` entries from the number `from` on, oldest first. Reads the disk.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn log_from(
        &self,
        log: &str,
        from: u64,
        limit: usize,
    ) -> Result<Vec<LogEntry>, StoreError> {
        self.log_read(|table| {
            let range = table.range((log, from)..=(log, u64::MAX))?;
            range.take(limit).map(|entry| read_entry(&entry?)).collect()
        })
    }

    /// Up to `limit` entries before the number `before`, or the last ones; newest first. Reads the disk.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn log_before(
        &self,
        log: &str,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<LogEntry>, StoreError> {
        self.log_read(|table| {
            let range = table.range((log, 0)..(log, before.unwrap_or(u64::MAX)))?;
            let newest_first = range.rev().take(limit);
            newest_first.map(|entry| read_entry(&entry?)).collect()
        })
    }

    /// Drops the entries below the number `first`, durably.
    ///
    /// # Errors
    /// The disk.
    pub fn log_trim(&self, log: &str, first: u64) -> Result<(), StoreError> {
        let log: Arc<str> = log.into();
        self.call(move |txn| {
            let Some(&(kept, next)) = txn.state.logs.get(&log) else {
                return Ok(());
            };
            let first = first.clamp(kept, next);
            if first == kept {
                return Ok(());
            }
            txn.db
                .open_table(LOGS)?
                .retain_in((&*log, kept)..(&*log, first), |_, _| false)?;
            txn.db.open_table(LOG_ENDS)?.insert(&*log, (first, next))?;
            txn.dirty = true;
            txn.state.logs.insert_mut(log, (first, next));
            Ok(())
        })
    }

    fn log_read<T>(
        &self,
        read: impl FnOnce(&LogTable) -> Result<T, Trouble>,
    ) -> Result<T, StoreError> {
        let shared = self.shared();
        let txn = shared.read()?;
        txn.open_table(LOGS)
            .map_err(Trouble::from)
            .and_then(|table| read(&table))
            .map_err(|trouble| trouble.at(&shared.file))
    }
}

type LogTable = redb::ReadOnlyTable<(&'static str, u64), &'static [u8]>;
type Found<'a> = (
    redb::AccessGuard<'a, (&'static str, u64)>,
    redb::AccessGuard<'a, &'static [u8]>,
);

fn read_entry((key, value): &Found<'_>) -> Result<LogEntry, Trouble> {
    let (log, number) = key.value();
    let record: LogRecord<'_> =
        tables::decode(value.value(), || format!("entry {number} of log {log}"))?;
    Ok(LogEntry {
        number,
        written_at: record.written_at,
        entry: Bytes::copy_from_slice(record.entry),
    })
}

fn append(
    txn: &mut Txn<'_>,
    log: Arc<str>,
    entry: &[u8],
    now: u64,
) -> Result<u64, Fail<StoreError>> {
    let (first, number) = txn.state.logs.get(&log).copied().unwrap_or((1, 1));
    let record = tables::encode(&LogRecord {
        written_at: now,
        entry,
    })?;
    txn.db
        .open_table(LOGS)?
        .insert((&*log, number), record.as_slice())?;
    let ends = (first, number + 1);
    txn.db.open_table(LOG_ENDS)?.insert(&*log, ends)?;
    txn.dirty = true;
    txn.state.logs.insert_mut(log, ends);
    Ok(number)
}
