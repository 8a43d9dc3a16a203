//! `fourfront serve` (CP-600).

use std::{path::Path, sync::Arc, time::Duration};

use tokio::{
    runtime::Runtime,
    signal::unix::{Signal, SignalKind, signal},
};

use super::{
    Exit,
    control::ControlState,
    notify, say,
    start::{self, StandardLog},
};
use crate::observe::logs;

/// What a signal asks for.
enum Asked {
    Stop,
    Reload,
    /// To open files of logs anew.
    Reopen,
}

/// The signals the node answers to, each from the moment it is caught.
///
/// A signal that is not caught ends the process at once. One to reload is therefore caught before the node starts,
/// which can take seconds and then reloads, and so is the one for who rotates logs; those to stop are caught when there is something to drain: until then,
/// ending at once is what they ask for.
struct Signals {
    runtime: Runtime,
    hangup: Signal,
    user: Signal,
}

/// How long the end of the process waits for readers of its logs to be told of it.
const LAST_READERS: Duration = Duration::from_secs(1);

pub(super) fn run(config: &Path) -> Exit {
    let signals = match Signals::new() {
        Ok(signals) => signals,
        Err(e) => {
            say(&e);
            return Exit::Failed;
        }
    };
    let Some(loaded) = start::read_site(config) else {
        return Exit::Failed;
    };
    let Some(metrics) = start::start_logs() else {
        return Exit::Failed;
    };
    logs::install(&loaded.node.log, logs::Detail::Everything);
    let Ok(state) = ControlState::open(&loaded) else {
        return Exit::Failed;
    };
    // What was deployed is served from the first request on.
    let loaded = match &state {
        None => loaded,
        Some(state) => match state.load(config) {
            Some(loaded) => loaded,
            None => return Exit::Failed,
        },
    };
    let functions = Arc::new(logs::FunctionLog::new(&loaded.node.log));
    let started = start::start_node(&loaded, metrics, functions, StandardLog::Written);
    let Some((node, tap)) = started else {
        return Exit::Failed;
    };
    let controlled = match state {
        None => None,
        Some(state) => match state.start(&node, Arc::clone(&tap), config, &loaded.node) {
            Some(controlled) => Some(controlled),
            None => return Exit::Failed,
        },
    };
    // Before a viewer can come: from then on, ending at once would cut an answer short.
    let stops = match signals.catch_stops() {
        Ok(stops) => stops,
        Err(e) => {
            say(&e);
            return Exit::Failed;
        }
    };
    let Some(listeners) = start::start_listeners(&node, &tap, &loaded, controlled.as_ref()) else {
        return Exit::Failed;
    };
    let secure = listeners.viewer.secure_address();
    if let Some(controlled) = &controlled {
        let plain = format!("http://{}", listeners.viewer.address());
        let secure = secure.map(|address| format!("https://{address}"));
        // Told once: nobody else sets it.
        let _ = controlled
            .endpoint
            .viewers
            .set(std::iter::once(plain).chain(secure).collect());
    }
    let secure = secure.map_or_else(String::new, |address| format!(" and https://{address}"));
    let metrics = listeners.metrics;
    let metrics = metrics.map_or_else(String::new, |address| {
        format!(", metrics on http://{address}")
    });
    let serving = format!(
        "serving on http://{}{secure}, admin on http://{}{metrics}",
        listeners.viewer.address(),
        listeners.admin
    );
    say(&serving);
    notify::ready(&serving);
    let _renewing = start::renew_certificates(&node);
    let reload = || {
        notify::reloading();
        let reloaded = match &controlled {
            Some(controlled) => controlled.reload(&loaded.node),
            None => start::reload(&node, config, &loaded.node),
        };
        match reloaded {
            Some(note) => {
                say(&format!("{} reloaded{note}", config.display()));
                notify::ready(&serving);
            }
            // It serves as before, so the service stays up; who asks for its status sees why.
            None => notify::ready(
                "the last reload was refused, see the log; the configuration before it stays",
            ),
        }
    };
    signals.wait_for_stop(stops, reload, || node.access().reopen());
    // The last configuration decides: this is read now, not at start.
    let grace = node.snapshot().settings().shutdown_grace;
    let draining = format!("draining, at most {} s", grace.as_secs());
    say(&draining);
    notify::stopping(&draining);
    tap.end();
    listeners.viewer.shutdown(grace);
    node.access().finish();
    tap.wait_for_readers(LAST_READERS);
    Exit::Ok
}

impl Signals {
    /// Catches SIGHUP and SIGUSR1.
    fn new() -> std::io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let caught = runtime.block_on(async {
            let hangup = signal(SignalKind::hangup())?;
            Ok::<_, std::io::Error>((hangup, signal(SignalKind::user_defined1())?))
        });
        let (hangup, user) = caught?;
        Ok(Self {
            runtime,
            hangup,
            user,
        })
    }

    /// Catches SIGTERM and SIGINT.
    fn catch_stops(&self) -> std::io::Result<[Signal; 2]> {
        let _inside = self.runtime.enter();
        Ok([
            signal(SignalKind::terminate())?,
            signal(SignalKind::interrupt())?,
        ])
    }

    /// Reloads on SIGHUP, and opens logs anew on SIGUSR1, until SIGTERM or SIGINT.
    fn wait_for_stop(
        mut self,
        [mut terminate, mut interrupt]: [Signal; 2],
        reload: impl Fn(),
        reopen: impl Fn(),
    ) {
        self.runtime.block_on(async {
            loop {
                let asked = tokio::select! {
                    _ = terminate.recv() => Asked::Stop,
                    _ = interrupt.recv() => Asked::Stop,
                    _ = self.hangup.recv() => Asked::Reload,
                    _ = self.user.recv() => Asked::Reopen,
                };
                match asked {
                    Asked::Stop => return,
                    Asked::Reload => reload(),
                    Asked::Reopen => reopen(),
                }
            }
        });
    }
}
