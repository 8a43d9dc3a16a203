//! What has been invalidated in one distribution, so that an object can be looked up in it.
//!
//! # How it stays small
//!
//! Naming the same path or tag again takes no further room. New names do, so the table has two layers, and names go
//! into the young one. When that is full, the old layer is let go and the young one takes its place; whatever was last
//! confirmed before the newest invalidation of the layer that was let go counts as invalidated from then on. That is the
//! safe side, and it costs a fetch for objects that nobody has asked for during all the invalidations since. Letting go is
//! one assignment; no object is looked at.

use std::{
    collections::BTreeMap,
    ops::Bound::{Included, Unbounded},
};

use smallvec::SmallVec;

use super::target::{TagHash, Target};

/// What was done under one name. Generations; zero is never.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Entry {
    /// The last invalidation after which nothing older answers.
    pub(super) hard: u64,
    /// The last one that made it stale.
    pub(super) soft: u64,
    /// When that was, in milliseconds since 1970.
    pub(super) soft_at: u64,
}

/// What an invalidation does to what it names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    Hard,
    /// At that time, in milliseconds since 1970.
    Soft(u64),
}

impl Entry {
    fn mark(&mut self, generation: u64, effect: Effect) {
        match effect {
            Effect::Hard => self.hard = self.hard.max(generation),
            Effect::Soft(at) if generation > self.soft => {
                (self.soft, self.soft_at) = (generation, at)
            }
            Effect::Soft(_) => {}
        }
    }

    fn join(&mut self, other: &Self) {
        self.hard = self.hard.max(other.hard);
        if other.soft > self.soft {
            (self.soft, self.soft_at) = (other.soft, other.soft_at);
        }
    }
}

/// One layer. Trees and not hash tables: none of them is ever rebuilt while it grows, so no look-up waits for that.
#[derive(Debug, Default)]
pub(super) struct Layer {
    pub(super) paths: BTreeMap<u64, Entry>,
    pub(super) tags: BTreeMap<TagHash, Entry>,
    pub(super) prefixes: BTreeMap<Target, Entry>,
    /// The newest generation in it.
    pub(super) newest: u64,
}

impl Layer {
    fn len(&self) -> usize {
        self.paths.len() + self.tags.len() + self.prefixes.len()
    }

    fn find(&self, subject: &Subject<'_>, found: &mut Entry) {
        for target in subject.targets {
            if let Some(entry) = self.paths.get(&target.hash()) {
                found.join(entry);
            }
            self.find_prefixes(target, found);
        }
        if self.tags.is_empty() {
            return;
        }
        for tag in subject.tags {
            if let Some(entry) = self.tags.get(tag) {
                found.join(entry);
            }
        }
    }

    /// Every prefix of `target` in the order of the tree, from the longest down. The greatest key that is not above a
    /// text is either a prefix of it, or it shows how short a prefix can be at most: as long as what both have in common.
    fn find_prefixes(&self, target: &Target, found: &mut Entry) {
        let mut rest = target.as_str();
        while let Some((prefix, entry)) = self
            .prefixes
            .range::<str, _>((Unbounded, Included(rest)))
            .next_back()
        {
            let common = common_length(prefix.as_str(), rest);
            let next = if common == prefix.as_str().len() {
                found.join(entry);
                common.checked_sub(1)
            } else {
                Some(common)
            };
            match next {
                Some(length) if length > 0 => rest = &rest[..length],
                _ => return,
            }
        }
    }
}

fn common_length(a: &str, b: &str) -> usize {
    a.bytes().zip(b.bytes()).take_while(|(a, b)| a == b).count()
}

/// What an object is known by.
#[derive(Clone, Copy, Debug)]
pub(super) struct Subject<'a> {
    pub(super) targets: &'a [Target],
    pub(super) tags: &'a [TagHash],
}

/// All of a distribution.
#[derive(Debug)]
pub(super) struct Table {
    /// Everything, by `/*` and by what was let go of.
    pub(super) all: Entry,
    pub(super) young: Layer,
    pub(super) old: Layer,
    /// Names in one layer at most.
    layer: usize,
}

/// What an operation made superfluous. Trees take a while to be dropped, so that is left to whoever called, after the
/// lock.
pub(super) type Garbage = SmallVec<[Layer; 2]>;

impl Table {
    /// A table of at most `names` names.
    pub(super) fn new(names: usize) -> Self {
        Self {
            all: Entry::default(),
            young: Layer::default(),
            old: Layer::default(),
            layer: (names / 2).max(1),
        }
    }

    /// What of `subject` has been invalidated after generation `base`: entries of that generation and before are zero.
    pub(super) fn find(&self, subject: &Subject<'_>, base: u64) -> Entry {
        let mut found = self.all;
        for layer in [&self.young, &self.old] {
            if layer.newest > base {
                layer.find(subject, &mut found);
            }
        }
        if found.hard <= base {
            found.hard = 0;
        }
        if found.soft <= base {
            (found.soft, found.soft_at) = (0, 0);
        }
        found
    }

    pub(super) fn mark_path(&mut self, path: &Target, generation: u64, effect: Effect) -> Garbage {
        let entry = self.young.paths.entry(path.hash()).or_default();
        entry.mark(generation, effect);
        self.marked(generation)
    }

    pub(super) fn mark_tag(&mut self, tag: TagHash, generation: u64, effect: Effect) -> Garbage {
        let entry = self.young.tags.entry(tag).or_default();
        entry.mark(generation, effect);
        self.marked(generation)
    }

    pub(super) fn mark_prefix(
        &mut self,
        start: &Target,
        generation: u64,
        effect: Effect,
    ) -> Garbage {
        let entry = self.young.prefixes.entry(start.clone()).or_default();
        entry.mark(generation, effect);
        self.marked(generation)
    }

    pub(super) fn mark_all(&mut self, generation: u64, effect: Effect) -> Garbage {
        self.all.mark(generation, effect);
        let mut garbage = Garbage::new();
        if effect == Effect::Hard {
            // Nothing older can answer, whatever else was said of it.
            garbage.push(std::mem::take(&mut self.young));
            garbage.push(std::mem::take(&mut self.old));
        }
        garbage
    }

    fn marked(&mut self, generation: u64) -> Garbage {
        self.young.newest = self.young.newest.max(generation);
        let mut garbage = Garbage::new();
        if self.young.len() >= self.layer {
            let young = std::mem::take(&mut self.young);
            let old = std::mem::replace(&mut self.old, young);
            self.all.mark(old.newest, Effect::Hard);
            garbage.push(old);
        }
        garbage
    }

    /// Names in it.
    pub(super) fn len(&self) -> usize {
        self.young.len() + self.old.len()
    }
}
