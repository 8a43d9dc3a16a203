//! Isolates of both kinds of function, as the pool uses them.

use std::{
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use super::{
    Ids, Program,
    cff::CffIsolate,
    isolate::{LambdaIsolate, Place, Progress, Trial},
    limits::Limits,
};
use crate::{ExecutionFault, log::LogLevel};

/// A loaded function version on its thread.
pub(crate) enum Isolate {
    /// Of a Lambda@Edge-style function.
    Lambda(Box<LambdaIsolate>),
    /// Of a CloudFront Function: its runs end where they begin, since there is nothing they could wait for.
    CloudFront(Box<CffIsolate>),
}

impl Isolate {
    /// An isolate with nothing of the function run yet. Must be called within a Tokio runtime.
    ///
    /// # Errors
    /// [`ExecutionFault::Load`] when the engine refuses the settings.
    pub(crate) fn new(program: &Arc<Program>, place: Place) -> Result<Self, ExecutionFault> {
        Ok(match program.function.cloudfront() {
            None => Self::Lambda(Box::new(LambdaIsolate::new(program, place)?)),
            Some(_) => Self::CloudFront(Box::new(CffIsolate::new(program, place)?)),
        })
    }

    /// Why the isolate cannot be used again, and how to end what it runs.
    pub(crate) fn limits(&self) -> &Arc<Limits> {
        match self {
            Self::Lambda(isolate) => isolate.limits(),
            Self::CloudFront(isolate) => isolate.limits(),
        }
    }

    /// Starts loading the handler. Until this is done no call may be started.
    pub(crate) fn start_load(&mut self, limit: Duration) -> Progress {
        match self {
            Self::Lambda(isolate) => isolate.start_load(limit),
            Self::CloudFront(isolate) => Progress::Done(isolate.load(limit).map(|()| Vec::new())),
        }
    }

    /// Continues loading.
    pub(crate) fn poll_load(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), ExecutionFault>> {
        match self {
            Self::Lambda(isolate) => isolate.poll_load(cx),
            Self::CloudFront(_) => Poll::Ready(Err(ExecutionFault::NeverSettled)),
        }
    }

    /// Starts a call. `left` is what remains of `timeout`.
    pub(crate) fn start(
        &mut self,
        event: &[u8],
        ids: Ids<'_>,
        left: Duration,
        timeout: Duration,
    ) -> Progress {
        match self {
            Self::Lambda(isolate) => isolate.start(event, ids, left, timeout),
            Self::CloudFront(isolate) => isolate.start(event, ids.invocation, timeout),
        }
    }

    /// [`Self::start`] as a trial: nothing of the call is seen outside until it is accepted.
    pub(crate) fn try_call(
        &mut self,
        event: &[u8],
        ids: Ids<'_>,
        left: Duration,
        timeout: Duration,
    ) -> Trial {
        match self {
            Self::Lambda(isolate) => isolate.try_call(event, ids, left, timeout),
            Self::CloudFront(isolate) => isolate.try_run(event, ids.invocation, timeout),
        }
    }

    /// [`Self::start_load`] as a trial.
    pub(crate) fn try_load(&mut self, limit: Duration) -> Trial {
        match self {
            Self::Lambda(isolate) => isolate.try_load(limit),
            Self::CloudFront(isolate) => isolate.try_load(limit),
        }
    }

    /// Lets what a tried call has done be seen.
    pub(crate) fn accept(&mut self) {
        match self {
            Self::Lambda(isolate) => isolate.accept(),
            Self::CloudFront(isolate) => isolate.accept(),
        }
    }

    /// Lets what a tried load has done be seen.
    pub(crate) fn accept_load(&mut self) {
        if let Self::Lambda(isolate) = self {
            isolate.accept();
        }
    }

    /// Continues a call until it has ended.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<Vec<u8>, ExecutionFault>> {
        match self {
            Self::Lambda(isolate) => isolate.poll(cx),
            Self::CloudFront(_) => Poll::Ready(Err(ExecutionFault::NeverSettled)),
        }
    }

    /// Whether the isolate may run another call after one that ended so.
    pub(crate) fn reusable(&mut self, fault: Option<&ExecutionFault>) -> bool {
        match self {
            Self::Lambda(isolate) => isolate.reusable(fault),
            Self::CloudFront(isolate) => isolate.reusable(),
        }
    }

    /// Writes a call's fault into the function's log.
    pub(crate) fn log_fault(&self, level: LogLevel, fault: &ExecutionFault) {
        match self {
            Self::Lambda(isolate) => isolate.log_fault(level, fault),
            Self::CloudFront(isolate) => isolate.log_fault(level, fault),
        }
    }
}
