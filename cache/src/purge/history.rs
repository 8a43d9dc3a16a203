//! Invalidations that can be listed (CP-142).

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use super::{Invalidation, Limits};

/// Items of one distribution's history at most, whatever the number of invalidations: 1,000 of 3,000 long paths each
/// would be gigabytes.
const MOST_ITEMS: usize = 100_000;

/// Part of a list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// Newest first.
    pub invalidations: Vec<Arc<Invalidation>>,
    /// Whether there are older ones.
    pub more: bool,
}

#[derive(Debug)]
pub(super) struct History {
    limits: Limits,
    zones: HashMap<String, Past>,
}

/// Of one distribution, oldest first.
#[derive(Debug, Default)]
struct Past {
    invalidations: VecDeque<Arc<Invalidation>>,
    items: usize,
}

impl History {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            limits,
            zones: HashMap::new(),
        }
    }

    pub(super) fn push(&mut self, invalidation: Arc<Invalidation>) {
        let limits = self.limits;
        let now = invalidation.batch.created;
        let past = self
            .zones
            .entry(invalidation.batch.distribution.clone())
            .or_default();
        past.items += invalidation.batch.items.len();
        past.invalidations.push_back(invalidation);
        while let Some(oldest) = past.invalidations.front() {
            let age = now.duration_since(oldest.batch.created);
            let kept = past.invalidations.len() <= limits.history
                && age.unwrap_or(Duration::ZERO) <= limits.history_age
                && (past.items <= MOST_ITEMS || past.invalidations.len() == 1);
            if kept {
                break;
            }
            past.items -= oldest.batch.items.len();
            past.invalidations.pop_front();
        }
    }

    pub(super) fn by_reference(
        &self,
        distribution: &str,
        reference: &str,
    ) -> Option<Arc<Invalidation>> {
        self.find(distribution, |i| i.batch.caller_reference == reference)
    }

    pub(super) fn by_id(&self, distribution: &str, id: &str) -> Option<Arc<Invalidation>> {
        self.find(distribution, |i| i.id.as_str() == id)
    }

    fn find(
        &self,
        distribution: &str,
        wanted: impl Fn(&Invalidation) -> bool,
    ) -> Option<Arc<Invalidation>> {
        let past = self.zones.get(distribution)?;
        past.invalidations.iter().rev().find(|i| wanted(i)).cloned()
    }

    pub(super) fn page(&self, distribution: &str, marker: Option<&str>, most: usize) -> Page {
        let Some(past) = self.zones.get(distribution) else {
            return Page::default();
        };
        // A marker that has left the history has nothing older behind it.
        let mut rest = past.invalidations.iter().rev();
        if let Some(marker) = marker {
            rest.by_ref().find(|i| i.id.as_str() == marker);
        }
        let invalidations = rest.by_ref().take(most).cloned().collect();
        Page {
            invalidations,
            more: rest.next().is_some(),
        }
    }

    /// All of them, in order of their generations within each distribution.
    pub(super) fn all(&self) -> Vec<Arc<Invalidation>> {
        self.zones
            .values()
            .flat_map(|past| past.invalidations.iter().cloned())
            .collect()
    }
}
