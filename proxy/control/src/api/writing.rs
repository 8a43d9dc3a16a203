//! How calls that write are kept apart (CP-080).
//!
//! A call is worked out on a snapshot before anybody has to wait for it, as its code may be tried out then, which takes
//! seconds. What it has looked at is looked at again when it is written: where others were faster, it is worked out anew.
//! Two things are done by one call at a time:
//!
//! - Making ready what is served and swapping it in, as one configuration follows on another. Compiling and warming functions
//!   is part of that, and takes as long as they do.
//! - Writing documents, which takes as long as the disk does.
//!
//! So a call that does not change what is served (functions and their code, versions and published CloudFront Functions that no
//! distribution names, aliases, permissions, tags) never waits for functions of others, and one that does waits for those that do. Two writers on one
//! function of Lambda's take turns besides, for as long as Lambda itself would let the second wait.

use std::{cell::RefCell, sync::Arc};

use fourfront_aws::Service;
use fourfront_store::{BlobWriter, Kind, KvsChange, ReleaseDraft};
use parking_lot::MutexGuard;
use serde_json::Value;

use super::{
    ApiError, Caller, Control, cloudfront,
    lambda::FunctionRef,
    sources::{Object, Upload},
    turns::Turn,
    tx::{Loads, Output, Tx},
    work_out,
};

/// A document that was written, and the revision that it got; 0 where there was nothing to delete.
pub(super) type Revision = (Kind, Arc<str>, u64);

/// Who has to wait while a call is worked out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Holding {
    Nobody,
    /// Those that change what is served.
    Serving,
    /// All that write.
    All,
}

/// The configuration that serves next.
type Activate = Box<dyn FnOnce() + Send>;

impl Control {
    /// Answers an operation that writes.
    pub(super) fn write(
        &self,
        service: Service,
        operation: &str,
        input: &Value,
        caller: &Caller,
        code: Option<BlobWriter>,
    ) -> Result<(Output, Vec<Revision>), ApiError> {
        let _turn = match service {
            Service::Lambda => self.turn(input)?,
            _ => None,
        };
        let named = Object::of_call(operation, input);
        let objects = self.fetched(named.into_iter().collect(), caller);
        // Where it is kept once, the next attempt goes on with what was kept.
        let code = RefCell::new(code.map(Upload::New));
        self.transact(caller, |tx| {
            tx.objects = objects.clone();
            tx.code = code.take();
            let output = work_out(tx, service, operation, input);
            code.replace(tx.code.take());
            Ok((output?, None))
        })
    }

    /// The right to write on the function that a call of Lambda's names.
    fn turn(&self, input: &Value) -> Result<Option<Turn<'_>>, ApiError> {
        let account = &self.settings.account;
        let named = [&input["FunctionName"], &input["Resource"]];
        let named = named.into_iter().find_map(Value::as_str);
        // What names none is refused when it is worked out.
        let Some(reference) = named.and_then(|name| FunctionRef::parse(name, account).ok()) else {
            return Ok(None);
        };
        let turn = self.turns.take(&reference.name);
        turn.map(Some).ok_or_else(|| {
            ApiError::lambda(
                "ResourceConflictException",
                format!(
                    "The operation cannot be performed at this time. An update is in progress for resource: {}",
                    account.lambda(&reference.name)
                ),
            )
        })
    }

    /// Works out a change, writes it and serves what it comes to. `work` may be called up to three times.
    pub(super) fn transact<T, E: From<ApiError>>(
        &self,
        caller: &Caller,
        work: impl Fn(&mut Tx<'_>) -> Result<(T, Option<ReleaseDraft>), E>,
    ) -> Result<(T, Vec<Revision>), E> {
        let loads = Loads::default();
        for holding in [Holding::Nobody, Holding::Serving] {
            if let Some(done) = self.attempt(caller, &loads, &work, holding)? {
                return Ok(done);
            }
        }
        let done = self.attempt(caller, &loads, &work, Holding::All)?;
        done.ok_or_else(|| ApiError::internal("the documents change while nobody may write").into())
    }

    /// `None` when others have changed meanwhile what the call has looked at.
    fn attempt<T, E: From<ApiError>>(
        &self,
        caller: &Caller,
        loads: &Loads,
        work: &impl Fn(&mut Tx<'_>) -> Result<(T, Option<ReleaseDraft>), E>,
        holding: Holding,
    ) -> Result<Option<(T, Vec<Revision>)>, E> {
        // Always in this order.
        let mut serving = (holding != Holding::Nobody).then(|| self.serving.lock());
        let mut writing = (holding == Holding::All).then(|| self.writing.lock());
        let mut tx = Tx::new(self.around(caller, loads));
        let (told, release) = work(&mut tx)?;
        if !tx.changes_anything() {
            return Ok(Some((told, Vec::new())));
        }
        let mut activate = None;
        if tx.changes_what_is_served()? {
            if serving.is_none() {
                serving = Some(self.serving.lock());
                if !tx.is_current() {
                    return Ok(None);
                }
            }
            activate = Some(self.prepare(&tx)?);
        }
        let writing: MutexGuard<'_, ()> = writing.take().unwrap_or_else(|| self.writing.lock());
        if !tx.is_current() {
            return Ok(None);
        }
        let revisions = self.commit(tx, release, activate)?;
        drop((writing, serving));
        Ok(Some((told, revisions)))
    }

    /// Writes what a call changes, and swaps in what it comes to. The revisions of what was written.
    fn commit(
        &self,
        tx: Tx<'_>,
        release: Option<ReleaseDraft>,
        activate: Option<Activate>,
    ) -> Result<Vec<Revision>, ApiError> {
        let caller = tx.caller;
        let mut batch = tx.into_batch();
        batch.author = caller.key_id.as_str().into();
        batch.now = caller.now;
        batch.audit = caller.trail.entry();
        batch.release = release;
        let made: Vec<_> = batch.kvs.iter().filter_map(made).collect();
        let names: Vec<_> = batch
            .changes
            .iter()
            .map(|change| (change.kind.clone(), change.id.clone()))
            .collect();
        let committed = self.store.write(batch)?;
        // Functions were given the stores before there was anything in them (CP-204).
        for id in &made {
            self.stores.refresh(&self.store, id);
        }
        if let Some(activate) = activate {
            self.forget_stores();
            activate();
        }
        Ok(names
            .into_iter()
            .zip(committed.revisions)
            .map(|((kind, id), revision)| (kind, id, revision))
            .collect())
    }
}

impl Control {
    /// Forgets stores that are no more. Only who changes what is served may: another call's configuration, which is being made
    /// ready, has stores that are not written yet.
    fn forget_stores(&self) {
        let stores: Vec<_> = self.store.list(&Kind::KeyValueStore, None, usize::MAX);
        self.stores.keep(|id| {
            let named = |document: &Arc<fourfront_store::Document>| {
                let body = document.body.as_deref().unwrap_or_default();
                serde_json::from_slice::<cloudfront::StoreDocument>(body).is_ok_and(|s| s.id == id)
            };
            stores.iter().any(named)
        });
    }
}

/// The store that a change makes.
fn made(change: &KvsChange) -> Option<Arc<str>> {
    match change {
        KvsChange::Create { id, .. } => Some(Arc::clone(id)),
        KvsChange::Remove { .. } => None,
    }
}

#[cfg(test)]
mod tests;
