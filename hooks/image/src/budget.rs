//! What a picture may cost: memory that is asked for before it is used, and looks at whether anybody still waits (NC-116).

use std::{fmt, sync::Arc};

use crate::Error;

/// Who pays.
pub trait Host: Send + Sync {
    /// Takes so many bytes into account; `false` where they are too many.
    fn reserve(&self, bytes: usize) -> bool;
    /// Gives them back.
    fn release(&self, bytes: usize);
    /// Whether nobody waits for the picture any more.
    fn is_cancelled(&self) -> bool;
}

/// The account of one piece of work.
#[derive(Clone)]
pub struct Budget(Arc<dyn Host>);

impl fmt::Debug for Budget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Budget")
    }
}

impl Budget {
    /// An account with this payer.
    #[must_use]
    pub fn new(host: Arc<dyn Host>) -> Self {
        Self(host)
    }

    /// Takes memory into account until the charge is dropped.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`] where that is too much, [`Error::Cancelled`] where nobody waits any more.
    pub(crate) fn charge(&self, bytes: usize) -> Result<Charge, Error> {
        self.check()?;
        if !self.0.reserve(bytes) {
            return Err(Error::OutOfMemory);
        }
        Ok(Charge {
            host: self.0.clone(),
            bytes,
        })
    }

    /// Whether to go on. Asked between pieces of work of a few milliseconds.
    pub(crate) fn check(&self) -> Result<(), Error> {
        if self.0.is_cancelled() {
            return Err(Error::Cancelled);
        }
        Ok(())
    }

    /// The same for rows, one after the other, of so many pixels: asked as often as there is enough to do in between, be they
    /// many or long.
    pub(crate) fn row(&self, y: usize, width: usize) -> Result<(), Error> {
        const PIXELS: usize = 1 << 16;
        let before = y.saturating_sub(1) * width / PIXELS;
        if y == 0 || y * width / PIXELS != before {
            self.check()?;
        }
        Ok(())
    }
}

/// Memory taken into account.
pub(crate) struct Charge {
    host: Arc<dyn Host>,
    bytes: usize,
}

impl fmt::Debug for Charge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Charge({})", self.bytes)
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.host.release(self.bytes);
    }
}

/// A payer with a limit and nobody who leaves, for tests and programs of their own.
#[derive(Debug)]
pub struct Purse {
    left: std::sync::atomic::AtomicUsize,
    least: std::sync::atomic::AtomicUsize,
}

impl Purse {
    /// So many bytes at the same time.
    #[must_use]
    pub fn new(bytes: usize) -> Arc<Self> {
        Arc::new(Self {
            left: bytes.into(),
            least: bytes.into(),
        })
    }

    /// What was left when least was left.
    #[must_use]
    pub fn least(&self) -> usize {
        self.least.load(std::sync::atomic::Ordering::Relaxed)
    }

    /// What is left now.
    #[must_use]
    pub fn left(&self) -> usize {
        self.left.load(std::sync::atomic::Ordering::Relaxed)
    }
}

impl Host for Purse {
    fn reserve(&self, bytes: usize) -> bool {
        use std::sync::atomic::Ordering::Relaxed;
        let taken = self
            .left
            .fetch_update(Relaxed, Relaxed, |left| left.checked_sub(bytes));
        if let Ok(before) = taken {
            self.least.fetch_min(before - bytes, Relaxed);
        }
        taken.is_ok()
    }

    fn release(&self, bytes: usize) {
        self.left
            .fetch_add(bytes, std::sync::atomic::Ordering::Relaxed);
    }

    fn is_cancelled(&self) -> bool {
        false
    }
}
