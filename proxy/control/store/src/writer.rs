//! The one writer: a thread that takes jobs, shares a transaction and its fsync among all that wait, and publishes what it
//! committed.
//!
//! A job first decides, looking at the state with the jobs before it applied, and only then changes anything. A refused
//! job has therefore left no trace, and the others of its transaction go on without it. A job that fails half way spoils the
//! transaction: it is aborted, and its writers hear so.
//!
//! # When the disk fails
//! After a failed commit the database takes no more transactions (redb cannot know what reached the disk). It is then closed
//! and opened again, which repairs it, and the state in memory is read anew; so an error is answered to those who waited,
//! and the next write finds a store that is whole. While even that fails, reads go on from memory and each write tries again.

use std::{
    collections::VecDeque,
    sync::{Arc, mpsc},
};

use redb::{ReadableDatabase as _, WriteTransaction};

use crate::{
    Shared,
    error::{Fail, StoreError, Trouble},
    state::State,
    tables::{META_SEQUENCE, set_meta_number},
};

/// Jobs that share one transaction at most. Bounds how much is undone together.
const SHARE: usize = 256;

/// What a job works on.
pub(crate) struct Txn<'a> {
    pub(crate) db: &'a WriteTransaction,
    /// With everything that went before, committed or not.
    pub(crate) state: State,
    /// Set by a job that wrote something: a transaction of refusals needs no commit.
    pub(crate) dirty: bool,
    pub(crate) shared: &'a Shared,
}

impl Txn<'_> {
    /// The next number of the sequence.
    pub(crate) fn next_revision(&mut self) -> u64 {
        self.state.sequence += 1;
        self.dirty = true;
        self.state.sequence
    }
}

/// Answers a job when it is known whether the transaction was committed.
type Deliver = Box<dyn FnOnce(Result<(), StoreError>) + Send>;

enum Ran {
    Done(Deliver),
    Broken(StoreError, Deliver),
}

/// A unit of work for the writer. Given an error instead of a transaction, it answers with that.
pub(crate) struct Job(Box<Work>);

type Work = dyn FnOnce(Result<&mut Txn<'_>, StoreError>) -> Ran + Send;

impl Job {
    /// `run` does the work; `reply` gets its outcome after the commit.
    pub(crate) fn new<T, E>(
        run: impl FnOnce(&mut Txn<'_>) -> Result<T, Fail<E>> + Send + 'static,
        reply: impl FnOnce(Result<T, E>) + Send + 'static,
    ) -> Self
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        Self(Box::new(move |txn| {
            let txn = match txn {
                Ok(txn) => txn,
                Err(error) => {
                    reply(Err(error.into()));
                    return Ran::Done(Box::new(|_| ()));
                }
            };
            match run(txn) {
                Ok(done) => Ran::Done(Box::new(move |committed| {
                    reply(committed.map(|()| done).map_err(E::from));
                })),
                // What it was refused for may have been written by the same transaction, so a failed commit goes first.
                Err(Fail::Refused(why)) => Ran::Done(Box::new(move |committed| {
                    reply(Err(match committed {
                        Ok(()) => why,
                        Err(error) => error.into(),
                    }));
                })),
                Err(Fail::Broken(trouble)) => Ran::Broken(
                    trouble.at(&txn.shared.file),
                    Box::new(move |committed| {
                        if let Err(error) = committed {
                            reply(Err(error.into()));
                        }
                    }),
                ),
            }
        }))
    }
}

/// Takes jobs until nobody can send any.
pub(crate) fn run(shared: &Shared, jobs: &mpsc::Receiver<Job>) {
    let mut waiting = VecDeque::with_capacity(SHARE);
    while let Ok(first) = jobs.recv() {
        waiting.push_back(first);
        while waiting.len() < SHARE {
            let Ok(job) = jobs.try_recv() else { break };
            waiting.push_back(job);
        }
        while !waiting.is_empty() {
            share_transaction(shared, &mut waiting);
        }
    }
    // Closing writes what makes the next start quick. The last write was durable without it.
    shared.db.write().take();
}

/// One transaction for all of `waiting`, or for those up to the first that breaks it.
fn share_transaction(shared: &Shared, waiting: &mut VecDeque<Job>) {
    let mut delivers = Vec::with_capacity(waiting.len());
    let outcome = transact(shared, waiting, &mut delivers);
    if let (Err(error), true) = (&outcome, delivers.is_empty()) {
        // The transaction could not even begin: nobody is going to fare better.
        for Job(run) in waiting.drain(..) {
            run(Err(error.clone()));
        }
    }
    for deliver in delivers {
        deliver(outcome.clone());
    }
}

fn transact(
    shared: &Shared,
    waiting: &mut VecDeque<Job>,
    delivers: &mut Vec<Deliver>,
) -> Result<(), StoreError> {
    if shared.db.read().is_none() {
        reopen(shared)?;
    }
    let begun = shared.with_db(redb::Database::begin_write);
    let db = match begun {
        Ok(Ok(db)) => db,
        Ok(Err(error)) => {
            let error = Trouble::from(error).at(&shared.file);
            // Left by a commit that failed: whole again after a reopening.
            reopen(shared)?;
            return Err(error);
        }
        Err(error) => return Err(error),
    };
    let mut txn = Txn {
        db: &db,
        state: State::clone(&shared.state.load()),
        dirty: false,
        shared,
    };
    let sequence = txn.state.sequence;
    let mut broken = None;
    while let Some(Job(run)) = waiting.pop_front() {
        match run(Ok(&mut txn)) {
            Ran::Done(deliver) => delivers.push(deliver),
            Ran::Broken(error, deliver) => {
                delivers.push(deliver);
                broken = Some(error);
                break;
            }
        }
    }
    let Txn { state, dirty, .. } = txn;
    if broken.is_none() && dirty && state.sequence != sequence {
        broken = set_meta_number(&db, META_SEQUENCE, state.sequence)
            .err()
            .map(|trouble| trouble.at(&shared.file));
    }
    if broken.is_some() || !dirty {
        let aborted = db
            .abort()
            .map_err(|error| Trouble::from(error).at(&shared.file));
        if aborted.is_err() {
            reopen(shared)?;
        }
        return broken.map_or(Ok(()), Err);
    }
    if let Err(error) = db.commit() {
        let error = Trouble::from(error).at(&shared.file);
        // A second failure says no more to the writers than the first. The next write tries again.
        let _ = reopen(shared);
        return Err(error);
    }
    shared.publish(Arc::new(state));
    Ok(())
}

/// Closes the database and opens it again, and reads the state anew.
fn reopen(shared: &Shared) -> Result<(), StoreError> {
    let mut slot = shared.db.write();
    *slot = None;
    let db = shared.open_database()?;
    let state = db
        .begin_read()
        .map_err(Trouble::from)
        .and_then(|txn| State::load(&txn))
        .map_err(|trouble| trouble.at(&shared.file))?;
    *slot = Some(db);
    drop(slot);
    shared.publish(Arc::new(state));
    Ok(())
}
