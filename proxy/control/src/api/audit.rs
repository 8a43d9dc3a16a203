//! The audit log of the API (CP-433): each call that may change something leaves an entry, however it ends. Never a body.
//!
//! What the call writes and its entry are one write, so that neither is there without the other. A call that writes no
//! document (a purge, an artifact), changes nothing or is refused leaves its entry before it is answered. Whoever cannot
//! prove who they are leaves none: anybody could fill the log then, which keeps so many entries and no more; they are
//! counted where they come from (CP-420).

use std::{collections::HashMap, sync::Arc};

use fourfront_auth::Action;
use fourfront_store::{AuditEntry, Store};
use http::StatusCode;
use parking_lot::Mutex;
use serde_json::{Value, json};

use super::{native::Told, plane::Problem, time};

/// Entries of a page where nothing else is asked for, and the most.
const PAGE: usize = 100;
const MOST: usize = 1_000;

/// What an entry says of a call that did what it was asked for.
const DONE: &str = "ok";

/// The entry of one call, as long as it is worked out. One that changes nothing has none.
#[derive(Clone, Debug, Default)]
pub struct Trail(Option<Arc<Mutex<Open>>>);

#[derive(Debug)]
struct Open {
    entry: AuditEntry,
    /// Whether a write took it along.
    is_entered: bool,
}

impl Trail {
    /// Of a call that may change something.
    pub(super) fn of(entry: AuditEntry) -> Self {
        let is_entered = false;
        Self(Some(Arc::new(Mutex::new(Open { entry, is_entered }))))
    }

    /// Whether the call changes nothing.
    pub(super) const fn is_none(&self) -> bool {
        self.0.is_none()
    }

    /// Says what the call is about, where its path does not.
    pub(super) fn about(&self, resource: &str) {
        if let Some(open) = &self.0 {
            open.lock().entry.resource = resource.into();
        }
    }

    /// The entry for a write that the call makes. A write that fails is told of by [`Self::end`].
    pub(super) fn entry(&self) -> Option<AuditEntry> {
        self.0.as_ref().map(|open| {
            let mut open = open.lock();
            open.is_entered = true;
            AuditEntry {
                outcome: DONE.into(),
                ..open.entry.clone()
            }
        })
    }

    /// What is still to be entered of a call that ended so: with the code of its error, or well.
    pub(super) fn rest(&self, error: Option<&str>) -> Option<AuditEntry> {
        let open = self.0.as_ref()?.lock();
        if error.is_none() && open.is_entered {
            return None;
        }
        Some(AuditEntry {
            outcome: error.unwrap_or(DONE).into(),
            ..open.entry.clone()
        })
    }

    /// Enters what is still to be entered. Blocks on the disk. What was done is done, so that its failure is the node's
    /// affair and not the caller's.
    pub(super) fn end(&self, store: &Store, error: Option<&str>) {
        if let Some(entry) = self.rest(error)
            && let Err(e) = store.audit(vec![entry])
        {
            tracing::error!("the audit log: {e}");
        }
    }

    /// As [`Self::end`], for tasks.
    pub(super) async fn end_async(&self, store: &Store, error: Option<&str>) {
        if let Some(entry) = self.rest(error)
            && let Err(e) = store.audit_async(vec![entry]).await
        {
            tracing::error!("the audit log: {e}");
        }
    }
}

/// How many refusals of a key are entered in a minute: a key that may do nothing could push out what others did.
const REFUSALS: u32 = 60;

/// Counts refusals by key. Only keys that there are get here, so that their number bounds it.
#[derive(Debug, Default)]
pub(super) struct Refusals(Mutex<HashMap<String, (u64, u32)>>);

impl Refusals {
    /// Whether one more of a key is to be entered, at a time in milliseconds.
    pub(super) fn is_told(&self, key: &str, now: u64) -> bool {
        let minute = now / 60_000;
        let mut seen = self.0.lock();
        if seen.len() > 1_000 {
            seen.retain(|_, (of, _)| *of == minute);
        }
        let (of, count) = seen.entry(key.to_owned()).or_insert((minute, 0));
        if *of != minute {
            (*of, *count) = (minute, 0);
        }
        *count += 1;
        *count <= REFUSALS
    }
}

/// What an entry calls a request of the native API and what that is about, if it may change something: method and route,
/// and what stands in the path for the route's words in braces.
pub(super) fn of_native(method: &str, path: &str) -> Option<(String, String)> {
    if !Action::native_changes(method, path) {
        return None;
    }
    let named = |template: &str| {
        let open = template.ends_with("{..}");
        let parts = template.split('/').count();
        // The rest of the path is one part, slashes and all.
        let given = path.splitn(if open { parts } else { usize::MAX }, '/');
        let given = template.split('/').zip(given);
        let given = given.filter(|(word, _)| word.starts_with('{'));
        let given: Vec<String> = given
            .map(|(_, part)| super::native::decoded(part))
            .collect();
        given.join("/")
    };
    Some(match Action::route(method, path) {
        Some(template) => (format!("{method} {template}"), named(template)),
        // Of a route that there is not, the path as it came: who names it is an administrator.
        None => (method.to_owned(), path.chars().take(256).collect()),
    })
}

/// `GET audit`: entries, newest first. `before` is the number to go on from, `limit` how many.
pub(super) fn page(store: &Store, query: &str) -> Told {
    let pairs = fourfront_aws::pairs(query)
        .map_err(|_| Problem::invalid("", "the query is not percent-encoded UTF-8"))?;
    let (mut before, mut limit) = (None, PAGE);
    for (name, value) in &pairs {
        let wrong = |wanted: &str| Problem::invalid(name, format!("`{value}` is not {wanted}"));
        match name.as_str() {
            "before" => before = Some(value.parse().map_err(|_| wrong("a number"))?),
            "limit" => {
                let given = value.parse().ok().filter(|n| (1..=MOST).contains(n));
                limit = given.ok_or_else(|| wrong("a number from 1 to 1000"))?;
            }
            _ => {
                let known = "the audit log is asked for with before and limit";
                return Err(Problem::invalid(name, known));
            }
        }
    }
    let found = store
        .audit_page(before, limit)
        .map_err(|e| super::native::problem(e.into()))?;
    let mut told = json!({ "items": found.iter().map(shown).collect::<Vec<_>>() });
    // A full page that does not end with the first entry ever is not the last one.
    if let Some((number, _)) = found.last()
        && found.len() == limit
        && *number > 0
    {
        told["next"] = json!(number);
    }
    Ok((StatusCode::OK, told))
}

fn shown((number, entry): &(u64, AuditEntry)) -> Value {
    let changes = entry.changes.iter().map(|change| {
        json!({
            "kind": change.kind.as_str(),
            "id": &*change.id,
            "before": change.before,
            "after": change.after,
        })
    });
    json!({
        "number": number,
        "time": time::iso(entry.at),
        "key": &*entry.key,
        "source": &*entry.source,
        "operation": &*entry.operation,
        "resource": &*entry.resource,
        "outcome": &*entry.outcome,
        "changes": changes.collect::<Vec<_>>(),
    })
}
