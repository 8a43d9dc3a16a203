//! `fourfront serve` (CP-600).

use std::path::Path;

use tokio::signal::unix::{SignalKind, signal};

use super::{Exit, complain, start};
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
    logs::install(&loaded.node.log);
    let Some(node) = start::start_node(&loaded) else {
        return Exit::Failed;
    };
    let Some(listening) = start::start_listeners(&node, &loaded) else {
        return Exit::Failed;
    };
    eprintln!(
        "fourfront: serving on http://{}, admin on http://{}",
        listening.address(),
        loaded.node.admin
    );
    let grace = loaded.node.shutdown_grace;
    if let Err(e) = wait_for_stop(&node, config) {
        complain(&e);
        return Exit::Failed;
    }
    eprintln!("fourfront: draining, at most {} s", grace.as_secs());
    listening.shutdown(grace);
    Exit::Ok
}

/// Reloads on SIGHUP until SIGTERM or SIGINT.
fn wait_for_stop(node: &Node, config: &Path) -> std::io::Result<()> {
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
                    if start::reload(node, config) {
                        eprintln!("fourfront: {} reloaded", config.display());
                    }
                }
            }
        }
    })
}
