//! The engine's steps one by one, for benches: no promise of stability.

use std::{sync::Arc, time::Duration};

use fourfront_model::{Compat, Function};

use super::{Host, Ids, Isolate, Place, Program, Progress};
use crate::{ExecutionFault, bundle::Bundle};

/// A program to start isolates of, on the calling thread.
#[derive(Debug)]
pub struct Probe {
    program: Arc<Program>,
    runtime: tokio::runtime::Runtime,
}

impl Probe {
    /// Starts the engine on this thread, which must be the one that starts it first in its process.
    ///
    /// # Errors
    /// When no Tokio runtime can be had.
    pub fn new(function: Function, bundle: Bundle, host: Host) -> std::io::Result<Self> {
        super::startup::startup();
        let program = Program::new(Arc::new(function), Compat::Strict, bundle, host);
        Ok(Self {
            program: Arc::new(program),
            runtime: tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?,
        })
    }

    /// A loaded isolate: what a cold start costs.
    ///
    /// # Errors
    /// What loading came to.
    pub fn isolate(&self) -> Result<ProbeIsolate, ExecutionFault> {
        self.isolate_at(Place::Pool)
    }

    /// A loaded isolate as threads of the proxy's have them.
    ///
    /// # Errors
    /// What loading came to.
    pub fn inline_isolate(&self) -> Result<ProbeIsolate, ExecutionFault> {
        self.isolate_at(Place::Caller)
    }

    fn isolate_at(&self, place: Place) -> Result<ProbeIsolate, ExecutionFault> {
        let mut isolate = self.bare(place)?;
        self.load(&mut isolate)?;
        Ok(isolate)
    }

    /// An isolate of the pool in which nothing of the function has run.
    ///
    /// # Errors
    /// [`ExecutionFault::Load`] when the engine refuses the settings.
    pub fn bare_isolate(&self) -> Result<ProbeIsolate, ExecutionFault> {
        self.bare(Place::Pool)
    }

    fn bare(&self, place: Place) -> Result<ProbeIsolate, ExecutionFault> {
        let _inside = self.runtime.enter();
        Isolate::new(&self.program, place).map(ProbeIsolate)
    }

    /// Loads the function into a bare isolate.
    ///
    /// # Errors
    /// What loading came to.
    pub fn load(&self, isolate: &mut ProbeIsolate) -> Result<(), ExecutionFault> {
        let _inside = self.runtime.enter();
        match isolate.0.start_load(Duration::from_secs(10)) {
            Progress::Done(done) => done.map(|_| ()),
            Progress::Pending => self
                .runtime
                .block_on(std::future::poll_fn(|cx| isolate.0.poll_load(cx))),
        }
    }

    /// The files of the built-ins that the function's isolates have loaded so far, in their order.
    pub fn builtins(&self) -> Vec<String> {
        self.program.builtins()
    }
}

/// A loaded isolate.
pub struct ProbeIsolate(Isolate);

impl ProbeIsolate {
    /// What ends a call from another thread, as the pool's watchdog does.
    pub fn ender(&self) -> impl Fn() + Send + 'static {
        let limits = self.0.limits().clone();
        move || limits.time_out()
    }

    /// One call whose handler ends without waiting.
    ///
    /// # Errors
    /// What the call came to; [`ExecutionFault::NeverSettled`] when it wants to wait.
    pub fn call(&mut self, event: &[u8]) -> Result<Vec<u8>, ExecutionFault> {
        let limit = Duration::from_secs(5);
        let ids = Ids {
            invocation: "00000000-0000-0000-0000-000000000000",
            viewer_request: "",
        };
        match self.0.start(event, ids, limit, limit) {
            Progress::Done(done) => done,
            Progress::Pending => Err(ExecutionFault::NeverSettled),
        }
    }
}
