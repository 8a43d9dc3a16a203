//! Bodies as Pingora reads and writes them: from memory, from disk, while they arrive.

use std::any::Any;

use async_trait::async_trait;
use bytes::Bytes;
use fourfront_cache::{
    Refusal,
    disk::DiskEntry,
    key::CacheKey,
    memory::{BodyReader, Fill, FillReader, Filled, Object, ReadError},
};
use pingora::{
    Result,
    cache::{
        CacheKey as PingoraKey, CacheMeta,
        storage::{HandleHit, HandleMiss, HitHandler, MissFinishType, Storage},
        trace::SpanHandle,
    },
};

use super::{Adapter, Head, storage_error};
use crate::{
    flow::server_timing::Tier,
    pingora::{
        disk::{Disk, Writing},
        pace::PIECE,
    },
};

pub(super) fn bounds(start: usize, end: Option<usize>) -> std::ops::Range<u64> {
    start as u64..end.map_or(u64::MAX, |e| e as u64)
}

pub(super) fn object_hit(object: &Object<Head>) -> Result<(CacheMeta, HitHandler)> {
    let meta = object.head().meta_of(object.body().len())?;
    Ok((meta, Box::new(ObjectHit(object.body().read()))))
}

/// The answer to HEAD: its head says nothing that it did not say, and nobody reads its body.
pub(super) fn head_hit(object: &Object<Head>) -> Result<(CacheMeta, HitHandler)> {
    let hit = ObjectHit(object.body().read());
    Ok((object.head().meta()?, Box::new(hit)))
}

/// Where an object is read from; `None` of one that arrives or that is in both tiers.
pub(in crate::pingora) fn tier_of(hit: &HitHandler) -> Option<Tier> {
    if hit.as_any().is::<ObjectHit>() {
        Some(Tier::Memory)
    } else if hit.as_any().is::<DiskHit>() {
        Some(Tier::Disk)
    } else {
        None
    }
}

/// Reading an object from disk.
pub(super) struct DiskHit {
    pub(super) disk: &'static Disk,
    pub(super) entry: DiskEntry,
    pub(super) at: u64,
    pub(super) end: u64,
    /// Length of the body.
    pub(super) length: u64,
}

#[async_trait]
impl HandleHit for DiskHit {
    async fn read_body(&mut self) -> Result<Option<Bytes>> {
        let piece = self.disk.piece(&self.entry, self.at, self.end).await;
        let piece = piece.map_err(storage_error)?;
        self.at += piece.as_ref().map_or(0, |bytes| bytes.len() as u64);
        Ok(piece)
    }

    async fn finish(
        self: Box<Self>,
        _storage: &'static (dyn Storage + Sync),
        _key: &PingoraKey,
        _trace: &SpanHandle,
    ) -> Result<()> {
        Ok(())
    }

    fn can_seek(&self) -> bool {
        true
    }

    fn seek(&mut self, start: usize, end: Option<usize>) -> Result<()> {
        let asked = bounds(start, end);
        self.end = self.length.min(asked.end);
        self.at = asked.start.min(self.end);
        Ok(())
    }

    fn as_any(&self) -> &(dyn Any + Send + Sync) {
        self
    }

    fn as_any_mut(&mut self) -> &mut (dyn Any + Send + Sync) {
        self
    }
}

/// Reading a complete object.
pub(super) struct ObjectHit(BodyReader);

#[async_trait]
impl HandleHit for ObjectHit {
    async fn read_body(&mut self) -> Result<Option<Bytes>> {
        Ok(self.0.next_piece(PIECE))
    }

    async fn finish(
        self: Box<Self>,
        _storage: &'static (dyn Storage + Sync),
        _key: &PingoraKey,
        _trace: &SpanHandle,
    ) -> Result<()> {
        Ok(())
    }

    fn can_seek(&self) -> bool {
        true
    }

    fn seek(&mut self, start: usize, end: Option<usize>) -> Result<()> {
        self.0.seek(bounds(start, end));
        Ok(())
    }

    fn as_any(&self) -> &(dyn Any + Send + Sync) {
        self
    }

    fn as_any_mut(&mut self) -> &mut (dyn Any + Send + Sync) {
        self
    }
}

/// Reading an object while it arrives.
pub(super) struct FillHit {
    pub(super) reader: FillReader<Head>,
    /// Whether the reader's viewer is the one whose request fills.
    pub(super) leads: bool,
}

#[async_trait]
impl HandleHit for FillHit {
    async fn read_body(&mut self) -> Result<Option<Bytes>> {
        let read = self.reader.next_piece(PIECE).await;
        if self.leads && matches!(read, Err(ReadError::Lagged)) {
            // An error here ends the request, and the fill with it. The viewer who is too slow has lost the body;
            // those who follow have not.
            self.reader.ended().await;
        }
        read.map_err(storage_error)
    }

    async fn finish(
        self: Box<Self>,
        _storage: &'static (dyn Storage + Sync),
        _key: &PingoraKey,
        _trace: &SpanHandle,
    ) -> Result<()> {
        Ok(())
    }

    fn can_seek(&self) -> bool {
        // Pingora seeks only after it has cut the range from a known length.
        self.reader.complete_len().is_some()
    }

    fn seek(&mut self, start: usize, end: Option<usize>) -> Result<()> {
        self.reader.seek(bounds(start, end));
        Ok(())
    }

    fn should_count_access(&self) -> bool {
        false
    }

    fn as_any(&self) -> &(dyn Any + Send + Sync) {
        self
    }

    fn as_any_mut(&mut self) -> &mut (dyn Any + Send + Sync) {
        self
    }
}

/// Writing an object as it arrives. Dropped unfinished, it aborts the fill and its readers.
pub(super) struct FillMiss {
    pub(super) adapter: &'static Adapter,
    pub(super) fill: Option<Fill<Head>>,
    pub(super) key: CacheKey,
    /// The way to the disk of what is large, or may be.
    pub(super) writing: Option<Writing>,
    pub(super) tag: [u8; 8],
    pub(super) written: usize,
}

#[async_trait]
impl HandleMiss for FillMiss {
    async fn write_body(&mut self, data: Bytes, _eof: bool) -> Result<()> {
        self.written += data.len();
        if let Some(writing) = &mut self.writing {
            writing.append(&data);
        }
        match &mut self.fill {
            Some(fill) => fill.append(data).map_err(storage_error),
            None => Err(storage_error("write after the end")),
        }
    }

    async fn finish(mut self: Box<Self>) -> Result<MissFinishType> {
        let written = self.written;
        let filled = match self.fill.take() {
            Some(fill) => fill.finish().map_err(storage_error)?,
            None => return Err(storage_error("finished twice")),
        };
        let writing = self.writing.take();
        match (filled, &self.adapter.disk) {
            // A newer answer is on its way, or the key was removed.
            (Filled::NotStored(Refusal::Overtaken), _) | (_, None) => {}
            (Filled::Stored(object), Some(disk)) => match writing {
                Some(writing) => writing.finish(object.body().len()),
                None => disk.keep(self.key, &object),
            },
            (Filled::NotStored(_), Some(_)) => {
                if let Some(writing) = writing {
                    // What memory has is older.
                    self.adapter.tier.remove(&self.key);
                    writing.finish(written as u64);
                }
            }
        }
        Ok(MissFinishType::Created(written))
    }

    fn streaming_write_tag(&self) -> Option<&[u8]> {
        Some(&self.tag)
    }
}

impl Drop for FillMiss {
    fn drop(&mut self) {
        self.adapter
            .starting
            .lock()
            .remove(&u64::from_le_bytes(self.tag));
    }
}
