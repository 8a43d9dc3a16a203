//! The engine of a fleet of one: this node's own store (CP-500).

use std::{collections::VecDeque, sync::Arc};

use bytes::Bytes;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _},
    sync::{broadcast, watch},
    task::spawn_blocking,
};

use super::{Feed, FleetError, FleetStore, Key, Message};
use crate::{Batch, BlobId, Change, Document, Expected, LogEntry, Store, StoreError, WriteError};

/// Documents or entries that a feed reads at once.
const PAGE: usize = 256;
/// Messages that a subscriber may be behind before it misses some.
const MESSAGES: usize = 1024;

/// Tells the time, in milliseconds since 1970.
pub type Clock = Arc<dyn Fn() -> u64 + Send + Sync>;

/// The store of this node as a fleet's engine.
#[derive(Clone)]
pub struct LocalFleet {
    store: Store,
    clock: Clock,
    messages: broadcast::Sender<Message>,
}

impl LocalFleet {
    /// On a store, with the node's clock.
    #[must_use]
    pub fn new(store: Store, clock: Clock) -> Self {
        Self {
            store,
            clock,
            messages: broadcast::Sender::new(MESSAGES),
        }
    }

    /// The store beneath.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.store
    }
}

impl std::fmt::Debug for LocalFleet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LocalFleet")
            .field("store", &self.store)
            .finish_non_exhaustive()
    }
}

impl FleetStore for LocalFleet {
    type Watch = LocalWatch;
    type Log = LocalLog;
    type Messages = LocalMessages;
    type Blob = tokio::fs::File;

    async fn get(&self, key: &Key) -> Result<Option<Arc<Document>>, FleetError> {
        Ok(self.store.snapshot().get_any(&key.kind, &key.id))
    }

    async fn put_if(
        &self,
        key: &Key,
        expected: u64,
        body: Option<Bytes>,
        author: &str,
    ) -> Result<u64, FleetError> {
        let expected = match expected {
            0 => Expected::Absent,
            revision => Expected::Revision(revision),
        };
        let committed = self.store.write_async(Batch {
            changes: vec![Change {
                kind: key.kind.clone(),
                id: Arc::clone(&key.id),
                expected,
                body,
            }],
            author: author.into(),
            now: (self.clock)(),
            ..Batch::default()
        });
        match committed.await {
            Ok(committed) => Ok(committed.revisions.first().copied().unwrap_or_default()),
            Err(WriteError::Conflict { found, .. }) => Err(FleetError::Conflict { found }),
            Err(WriteError::Store(error)) => Err(error.into()),
            Err(error) => Err(FleetError::Refused(error.to_string())),
        }
    }

    async fn watch_from(&self, revision: u64) -> Result<LocalWatch, FleetError> {
        let watch = LocalWatch {
            published: self.store.shared().published.subscribe(),
            store: self.store.clone(),
            last: revision,
            found: VecDeque::new(),
        };
        watch.check_age()?;
        Ok(watch)
    }

    async fn blob_put(
        &self,
        blob: BlobId,
        mut from: impl AsyncRead + Send + Unpin,
    ) -> Result<(), FleetError> {
        let store = self.store.clone();
        let mut writer = blocking(move || store.blob_writer()).await?;
        loop {
            let mut chunk = Vec::with_capacity(1 << 20);
            while chunk.len() < chunk.capacity() {
                let read = from
                    .read_buf(&mut chunk)
                    .await
                    .map_err(|error| FleetError::Source(Arc::new(error)))?;
                if read == 0 {
                    break;
                }
            }
            if chunk.is_empty() {
                break;
            }
            writer = blocking(move || writer.write(&chunk).map(|()| writer)).await?;
        }
        let found = writer.id();
        if found != blob {
            return Err(FleetError::WrongHash { found });
        }
        blocking(move || writer.finish()).await?;
        Ok(())
    }

    async fn blob_get(&self, blob: BlobId) -> Result<Option<tokio::fs::File>, FleetError> {
        let store = self.store.clone();
        let file = blocking(move || store.blob_open(&blob)).await?;
        Ok(file.map(tokio::fs::File::from_std))
    }

    async fn append(&self, log: &str, entry: Bytes) -> Result<u64, FleetError> {
        Ok(self.store.append_async(log, entry, (self.clock)()).await?)
    }

    async fn log_from(&self, log: &str, number: u64) -> Result<LocalLog, FleetError> {
        let feed = LocalLog {
            published: self.store.shared().published.subscribe(),
            store: self.store.clone(),
            log: log.into(),
            next: number.max(1),
            found: VecDeque::new(),
        };
        feed.check_age()?;
        Ok(feed)
    }

    async fn publish(&self, subject: &str, body: Bytes) -> Result<(), FleetError> {
        let message = Message {
            subject: subject.into(),
            body,
        };
        // Nobody listens: nobody is told.
        let _ = self.messages.send(message);
        Ok(())
    }

    async fn subscribe(&self, subject: &str) -> Result<LocalMessages, FleetError> {
        Ok(LocalMessages {
            subject: subject.into(),
            messages: self.messages.subscribe(),
        })
    }
}

/// Does what blocks on the disk where blocking is allowed.
async fn blocking<T: Send + 'static>(
    run: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, FleetError> {
    match spawn_blocking(run).await {
        Ok(done) => Ok(done?),
        Err(error) => Err(FleetError::Unavailable(error.to_string())),
    }
}

/// Waits until another state is published.
async fn another(published: &mut watch::Receiver<u64>) -> Result<(), FleetError> {
    published
        .changed()
        .await
        .map_err(|error| FleetError::Unavailable(error.to_string()))
}

/// Documents of this node's store as they change.
#[derive(Debug)]
pub struct LocalWatch {
    store: Store,
    published: watch::Receiver<u64>,
    last: u64,
    found: VecDeque<Arc<Document>>,
}

impl LocalWatch {
    fn check_age(&self) -> Result<(), FleetError> {
        let purged = self.store.shared().state.load().purged;
        // From the beginning nothing is known yet, so no deletion is missed.
        if self.last != 0 && self.last < purged {
            return Err(FleetError::TooOld {
                asked: self.last,
                first: purged,
            });
        }
        Ok(())
    }
}

impl Feed<Arc<Document>> for LocalWatch {
    async fn next(&mut self) -> Result<Arc<Document>, FleetError> {
        loop {
            if let Some(document) = self.found.pop_front() {
                self.last = document.revision;
                return Ok(document);
            }
            // Marked as seen before the look, so that what is published after it wakes us.
            self.published.borrow_and_update();
            self.check_age()?;
            let snapshot = self.store.snapshot();
            self.found = snapshot.changed_since(self.last, PAGE).into();
            if self.found.is_empty() {
                another(&mut self.published).await?;
            }
        }
    }
}

/// Entries of a log of this node's store.
#[derive(Debug)]
pub struct LocalLog {
    store: Store,
    published: watch::Receiver<u64>,
    log: Arc<str>,
    next: u64,
    found: VecDeque<LogEntry>,
}

impl LocalLog {
    fn check_age(&self) -> Result<(), FleetError> {
        let (first, _) = self.store.log_ends(&self.log);
        if self.next < first {
            return Err(FleetError::TooOld {
                asked: self.next,
                first,
            });
        }
        Ok(())
    }
}

impl Feed<LogEntry> for LocalLog {
    async fn next(&mut self) -> Result<LogEntry, FleetError> {
        loop {
            if let Some(entry) = self.found.pop_front() {
                self.next = entry.number + 1;
                return Ok(entry);
            }
            self.published.borrow_and_update();
            let (_, end) = self.store.log_ends(&self.log);
            if self.next >= end {
                another(&mut self.published).await?;
                continue;
            }
            let (store, log, from) = (self.store.clone(), Arc::clone(&self.log), self.next);
            let page = blocking(move || store.log_from(&log, from, PAGE)).await?;
            // After the reading: what was trimmed before it is missing from the page.
            self.check_age()?;
            self.found = page.into();
        }
    }
}

/// Messages that were published on this node.
#[derive(Debug)]
pub struct LocalMessages {
    subject: Arc<str>,
    messages: broadcast::Receiver<Message>,
}

impl Feed<Message> for LocalMessages {
    async fn next(&mut self) -> Result<Message, FleetError> {
        loop {
            let message = match self.messages.recv().await {
                Ok(message) => message,
                Err(broadcast::error::RecvError::Lagged(missed)) => {
                    return Err(FleetError::Lagged { missed });
                }
                Err(error @ broadcast::error::RecvError::Closed) => {
                    return Err(FleetError::Unavailable(error.to_string()));
                }
            };
            let below = message.subject.strip_prefix(&*self.subject);
            if below.is_some_and(|rest| rest.is_empty() || rest.starts_with('.')) {
                return Ok(message);
            }
        }
    }
}
