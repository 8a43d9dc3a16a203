//! Who writes on a function of Lambda's (CP-080): one call after the other, and none waits for long.

use std::{collections::HashSet, time::Duration};

use parking_lot::{Condvar, Mutex};

/// How long a second writer waits for the first.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);

/// The functions that are written on, by name.
#[derive(Debug)]
pub(super) struct Turns {
    held: Mutex<HashSet<String>>,
    freed: Condvar,
    patience: Duration,
}

/// The right to write on a function, for as long as it is kept.
#[derive(Debug)]
#[must_use]
pub(super) struct Turn<'t> {
    turns: &'t Turns,
    name: String,
}

impl Turns {
    /// Those who wait do so for this long.
    pub(super) fn new(patience: Duration) -> Self {
        Self {
            held: Mutex::default(),
            freed: Condvar::new(),
            patience,
        }
    }

    /// Waits until nobody else writes on a function; `None` when that takes too long.
    pub(super) fn take(&self, name: &str) -> Option<Turn<'_>> {
        let mut held = self.held.lock();
        let is_held = |held: &mut HashSet<String>| held.contains(name);
        self.freed.wait_while_for(&mut held, is_held, self.patience);
        // Whether it was freed says more than whether the time was up: both may be so.
        held.insert(name.to_owned()).then(|| Turn {
            turns: self,
            name: name.to_owned(),
        })
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.turns.held.lock().remove(&self.name);
        self.turns.freed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_writes_on_a_function_and_others_on_others() {
        // CP-080
        let turns = Turns::new(Duration::ZERO);
        let first = turns.take("edge").unwrap();
        assert!(turns.take("edge").is_none(), "somebody writes on it");
        assert!(turns.take("other").is_some());
        drop(first);
        assert!(turns.take("edge").is_some());
    }

    #[test]
    fn who_waits_is_next() {
        // CP-080
        let turns = Turns::new(Duration::from_secs(60));
        let first = turns.take("edge").unwrap();
        std::thread::scope(|scope| {
            let second = scope.spawn(|| turns.take("edge").is_some());
            drop(first);
            assert!(second.join().unwrap());
        });
    }
}
