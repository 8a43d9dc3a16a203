//! `fourfront serve` (CP-600).

use std::{path::Path, sync::Arc};

use fourfront_control::NodeSettings;
use tokio::signal::unix::{SignalKind, signal};

use super::{Exit, say, start};
use crate::{node::Node, observe::logs};

/// What a signal asks for.
enum Asked {
    Stop,
    Reload,
}

pub(super) fn run(config: &Path) -> Exit {
    let Some(loaded) = start::read_site(config) else {
        return Exit::Failed;
    };
    let Some(metrics) = start::start_logs() else {
        return Exit::Failed;
    };
    logs::install(&loaded.node.log, logs::Detail::Everything);
    let functions = Arc::new(logs::FunctionLog::new(&loaded.node.log));
    let Some(node) = start::start_node(&loaded, metrics, functions) else {
        return Exit::Failed;
    };
    let Some(listeners) = start::start_listeners(&node, &loaded) else {
        return Exit::Failed;
    };
    say(&format!(
        "serving on http://{}, admin on http://{}",
        listeners.viewer.address(),
        listeners.admin
    ));
    if let Err(e) = wait_for_stop(&node, config, &loaded.node) {
        say(&e);
        return Exit::Failed;
    }
    // The last configuration decides: this is read now, not at start.
    let grace = node.snapshot().settings().shutdown_grace;
    say(&format!("draining, at most {} s", grace.as_secs()));
    listeners.viewer.shutdown(grace);
    node.access().finish();
    Exit::Ok
}

/// Reloads on SIGHUP until SIGTERM or SIGINT.
fn wait_for_stop(node: &Node, config: &Path, started: &NodeSettings) -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut hangup = signal(SignalKind::hangup())?;
        loop {
            let asked = tokio::select! {
                _ = terminate.recv() => Asked::Stop,
                _ = interrupt.recv() => Asked::Stop,
                _ = hangup.recv() => Asked::Reload,
            };
            match asked {
                Asked::Stop => return Ok(()),
                Asked::Reload => {
                    if let Some(note) = start::reload(node, config, started) {
                        say(&format!("{} reloaded{note}", config.display()));
                    }
                }
            }
        }
    })
}
