//! The disk tier as the node uses it.
//!
//! Every object that is stored in memory is written to disk behind it, and so are those that are too large for
//! memory, while they arrive. What memory has let go of is found here: what has at most [`PROMOTE`] bytes is
//! taken back into memory before it answers, what is larger answers from disk piece by piece. A disk that fails or
//! cannot keep up costs hits and never a request; that is [`fourfront_cache::disk`]'s affair.

use std::{
    path::Path,
    sync::{Arc, Weak},
    time::{Duration, SystemTime},
};

use bytes::{Bytes, BytesMut};
use fourfront_cache::{
    disk::{
        AdmitAll, DiskCounts, DiskEntry, DiskLimits, DiskStore, DiskWriter, NewObject, Written,
    },
    key::{CacheKey, KeySecret},
    memory::Object,
    purge::Invalidations,
};
use http::header;

use super::{kept_head, pace::PIECE, storage::Head};

#[cfg(test)]
mod tests;

/// The longest body that is read into memory as a whole: one segment.
pub(super) const PROMOTE: u64 = 1024 * 1024;

/// The disk tier of a node.
#[derive(Debug)]
pub(super) struct Disk {
    store: DiskStore,
    /// Weak, as the tier is lent to Pingora for good, and the journal must be let go of with the node.
    invalidations: Weak<Invalidations>,
    /// The longest body that is written.
    largest: u64,
}

/// An object on disk.
pub(super) struct OnDisk {
    pub(super) head: Head,
    pub(super) entry: DiskEntry,
    /// Length of its body in bytes.
    pub(super) length: u64,
}

impl Disk {
    /// Opens the tier in a directory, with room for `capacity` bytes; reads its index. One object takes at most an eighth,
    /// or `largest` bytes.
    ///
    /// # Errors
    /// When the sizes cannot work, or the system gives no thread.
    pub(super) fn open(
        dir: &Path,
        capacity: u64,
        largest: Option<u64>,
        invalidations: &Arc<Invalidations>,
    ) -> Result<Self, String> {
        let limits = DiskLimits::of_capacity(capacity);
        let store = DiskStore::open(dir, limits, Arc::new(AdmitAll)).map_err(|e| e.to_string())?;
        Ok(Self {
            store,
            invalidations: Arc::downgrade(invalidations),
            largest: largest.unwrap_or(capacity / 8),
        })
    }

    /// The secret that the keys of what is there were made with.
    pub(super) fn secret(&self) -> KeySecret {
        self.store.secret()
    }

    /// Whether a body of that length may be written.
    pub(super) const fn fits(&self, length: u64) -> bool {
        length <= self.largest
    }

    /// The complete object under a key, be it invalidated: by what it was is the reason of a miss (CP-607).
    pub(super) async fn find(&self, key: &CacheKey) -> Option<OnDisk> {
        let found = self.read_head(self.store.lookup(key).await?)?;
        if found.is_none() {
            // It is of no use to this version of the node. Nobody waits for it to be gone.
            drop(self.store.remove(key));
        }
        found
    }

    /// The same for somebody who wants to know what is there: it leaves everything as it is (CP-606).
    pub(super) async fn peek(&self, key: &CacheKey) -> Option<OnDisk> {
        self.read_head(self.store.peek(key).await?)?
    }

    /// `None` for what is not complete; nothing in it, when the head cannot be read or believed.
    fn read_head(&self, entry: DiskEntry) -> Option<Option<OnDisk>> {
        let length = entry.total().filter(|_| entry.is_complete())?;
        let invalidations = self.invalidations.upgrade()?;
        let head = kept_head::decode(entry.head(), &invalidations);
        Some(head.map(|head| OnDisk {
            head,
            entry,
            length,
        }))
    }

    /// All of a body of at most [`PROMOTE`] bytes; `None` when it cannot be had.
    pub(super) async fn whole(&self, found: &OnDisk) -> Option<Bytes> {
        if let Some(body) = found.entry.whole() {
            return Some(body.clone());
        }
        let mut body = BytesMut::new();
        loop {
            let at = body.len() as u64;
            if at == found.length {
                return Some(body.freeze());
            }
            let read = self.store.read(&found.entry, at..found.length).await.ok()?;
            if read.is_empty() {
                return None;
            }
            if at == 0 && read.len() as u64 == found.length {
                return Some(read);
            }
            body.extend_from_slice(&read);
        }
    }

    /// The next piece of a body; `None` at the end of the range, an error when the disk has it no more.
    pub(super) async fn piece(
        &self,
        entry: &DiskEntry,
        at: u64,
        end: u64,
    ) -> Result<Option<Bytes>, &'static str> {
        let until = end.min(at.saturating_add(PIECE));
        match self.store.read(entry, at..until).await {
            Ok(bytes) if bytes.is_empty() => Ok(None),
            Ok(bytes) => Ok(Some(bytes)),
            Err(_) => Err("an object on disk is gone while it is read"),
        }
    }

    /// Writes an object that is in memory. Nobody waits for it.
    pub(super) fn keep(&self, key: CacheKey, object: &Object<Head>) {
        let length = object.body().len();
        let Some(mut writing) = self.begin(key, object.head(), Some(length)) else {
            return;
        };
        let mut body = object.body().read();
        while let Some(piece) = body.next_piece(u64::MAX) {
            writing.append(&piece);
        }
        writing.finish(length);
    }

    /// Writes a segment, once there is room for it; `None` when it is not written. Resolves when it can be found.
    pub(super) async fn keep_segment(
        &self,
        key: CacheKey,
        head: &Head,
        body: Bytes,
    ) -> Option<Written> {
        let head = kept_head::encode(head)?;
        self.store
            .room_for((head.len() + body.len()) as u64 * 2)
            .await;
        let object = NewObject {
            head,
            epoch: 0,
            total: None,
        };
        self.store.insert_whole(key, object, body).ok()
    }

    /// Whether something is stored under a key, as far as is known without reading it.
    pub(super) fn contains(&self, key: &CacheKey) -> bool {
        self.store.contains(key)
    }

    /// Begins to write an object that arrives; `None` when it is not written.
    pub(super) fn begin(
        &self,
        key: CacheKey,
        head: &Head,
        expected: Option<u64>,
    ) -> Option<Writing> {
        let head = kept_head::encode(head)?;
        if expected.is_some_and(|length| !self.fits(length)) {
            return None;
        }
        let object = NewObject {
            head,
            // Each head has a stamp, which says more.
            epoch: 0,
            total: expected,
        };
        let writer = self.store.insert(key, object).ok()?;
        Some(Writing {
            writer: Some(writer),
            segment: self.store.limits().segment,
            open: BytesMut::new(),
            next: 0,
            left: self.largest,
        })
    }

    /// Puts a new head on what is stored, as a 304 does (CF-282). Says whether there was something; what turns out to be
    /// another representation is removed.
    pub(super) async fn update_head(&self, key: &CacheKey, head: &Head) -> bool {
        let Some(OnDisk {
            head: old, entry, ..
        }) = self.find(key).await.filter(|f| !f.head.facts().is_gone())
        else {
            return false;
        };
        let (before, now) = (old.headers(), head.headers());
        let same = [header::ETAG, header::LAST_MODIFIED]
            .iter()
            .all(|name| before.get(name) == now.get(name));
        let Some(head) = kept_head::encode(head).filter(|_| same) else {
            self.remove(key);
            return false;
        };
        self.put_head(&entry, head)
    }

    /// Lets an object answer for a while without its origin being asked (CF-272). Another head that is put on it meanwhile
    /// ends that.
    pub(super) async fn hold_off(&self, key: &CacheKey, now: SystemTime, period: Duration) {
        let found = self.find(key).await.filter(|f| !f.head.facts().is_gone());
        if let Some(OnDisk { head, entry, .. }) = found
            && let Some(head) = kept_head::encode(&head.held_off(now, period))
        {
            self.put_head(&entry, head);
        }
    }

    fn put_head(&self, entry: &DiskEntry, head: Bytes) -> bool {
        let object = NewObject {
            head,
            epoch: 0,
            total: None,
        };
        self.store.update_head(entry, object).is_ok()
    }

    /// Removes a key.
    pub(super) fn remove(&self, key: &CacheKey) {
        // It holds at once in this process. After a restart the object would be judged anew, as any other.
        drop(self.store.remove(key));
    }

    /// Writes what is pending, and lets go of the directory.
    pub(super) async fn close(&self) {
        self.store.close().await;
    }

    pub(super) fn objects(&self) -> u64 {
        self.store.objects()
    }

    pub(super) fn counts(&self) -> DiskCounts {
        self.store.counts()
    }

    pub(super) fn is_on(&self) -> bool {
        self.store.is_on()
    }
}

/// An object on its way to the disk, cut into segments. Dropped unfinished it leaves nothing.
#[derive(Debug)]
pub(super) struct Writing {
    /// `None` once a segment found no room: then the object would be of no use.
    writer: Option<DiskWriter>,
    segment: usize,
    open: BytesMut,
    next: u32,
    /// Bytes that may still come. A body whose length was not announced may go on for ever (CF-221).
    left: u64,
}

impl Writing {
    /// Takes the next bytes of the body.
    pub(super) fn append(&mut self, bytes: &Bytes) {
        let Some(left) = self.left.checked_sub(bytes.len() as u64) else {
            self.writer = None;
            self.open = BytesMut::new();
            return;
        };
        if self.writer.is_none() {
            return;
        }
        self.left = left;
        if self.open.is_empty() && bytes.len() == self.segment {
            self.write(bytes.clone());
            return;
        }
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            let (now, later) = rest.split_at(rest.len().min(self.segment - self.open.len()));
            self.open.extend_from_slice(now);
            rest = later;
            if self.open.len() == self.segment {
                let full = self.open.split().freeze();
                self.write(full);
            }
        }
    }

    fn write(&mut self, segment: Bytes) {
        if let Some(writer) = &mut self.writer
            && writer.append(self.next, segment).is_err()
        {
            self.writer = None;
        }
        self.next = self.next.saturating_add(1);
    }

    /// The body is complete, with `length` bytes.
    pub(super) fn finish(mut self, length: u64) {
        if !self.open.is_empty() {
            let last = self.open.split().freeze();
            self.write(last);
        }
        if let Some(mut writer) = self.writer.take() {
            writer.set_total(length);
            // What becomes of it is counted by the store.
            drop(writer.commit());
        }
    }
}
