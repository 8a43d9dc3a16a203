//! `fourfront dev` (CP-601): a node without state that follows the files it is made of.

use std::{convert::Infallible, env, net::SocketAddr, path::Path, sync::Arc};

use fourfront_control::{
    AccessFormat, Loaded, LogFormat, LogSettings, NodeSettings, load_for_development,
};
use fourfront_hooks::log::AuthorPaths;

use super::{
    Exit, say,
    start::{self, StandardLog},
    watch::Watch,
};
use crate::{node::Node, observe::logs};

pub(super) fn run(path: &Path, listen: SocketAddr) -> Exit {
    let Some(loaded) = read_site(path, listen) else {
        return Exit::Failed;
    };
    let Some(metrics) = start::start_logs() else {
        return Exit::Failed;
    };
    logs::install(&loaded.node.log, logs::Detail::FaultsOnce);
    // Who develops wants the names of their own files, not of those a function sees.
    let functions = Arc::new(AuthorPaths(logs::FunctionLog::new(&loaded.node.log)));
    let started = start::start_node(&loaded, metrics, functions, StandardLog::Off);
    let Some((node, tap)) = started else {
        return Exit::Failed;
    };
    // Before listening: what is saved from now on is seen.
    let watch = match Watch::start(path, &loaded) {
        Ok(watch) => watch,
        Err(e) => {
            say(&format!("cannot watch {}: {e}", path.display()));
            return Exit::Failed;
        }
    };
    let Some(listeners) = start::start_listeners(&node, &tap, &loaded, None) else {
        return Exit::Failed;
    };
    let secure = listeners.viewer.secure_address();
    let secure = secure.map_or_else(String::new, |address| format!(" and https://{address}"));
    say(&format!(
        "developing on http://{}{secure}, watching {}",
        listeners.viewer.address(),
        path.display()
    ));
    let Err(e) = follow(&node, path, listeners.viewer.address(), &loaded.node, watch);
    say(&e);
    Exit::Failed
}

/// The site file with what `dev` decides itself.
fn read_site(path: &Path, listen: SocketAddr) -> Option<Loaded> {
    let loaded = load_for_development(path, &|name| env::var(name).ok());
    let mut loaded = loaded.map_err(|e| logs::say(&e.to_string())).ok()?;
    loaded.node.listen = listen;
    if let Some(https) = &mut loaded.node.viewers.listen_https {
        // As far away as plain HTTP is heard.
        https.set_ip(listen.ip());
    }
    loaded.node.log = LogSettings {
        format: LogFormat::Text,
        access: true,
        access_format: AccessFormat::Text,
        access_file: None,
        ..loaded.node.log
    };
    // Without state, and beside a node that may have this file's (CP-601).
    loaded.node.data_dir = None;
    loaded.node.metrics = None;
    // Who develops runs what functions call on the same machine (LE-346).
    loaded.node.hooks.local_egress = true;
    loaded.node.hooks.private_egress = true;
    Some(loaded)
}

/// Reloads whenever a file of the site changes. Returns only when watching fails.
fn follow(
    node: &Node,
    path: &Path,
    listen: SocketAddr,
    started: &NodeSettings,
    mut watch: Watch,
) -> Result<Infallible, notify::Error> {
    // What was asked for may have been any free port; no reload changes it.
    let started = NodeSettings {
        listen,
        ..started.clone()
    };
    loop {
        let changed = watch.next_change()?;
        // Before reading: what is written into a new folder from now on is seen.
        watch.look_again()?;
        let Some(loaded) = read_site(path, listen) else {
            node.metrics().reload("refused");
            say(&start::KEPT);
            continue;
        };
        watch.follow(path, &loaded)?;
        if let Some(note) = start::apply(node, &loaded, &started) {
            let took = changed.elapsed().as_millis();
            say(&format!("reloaded in {took} ms{note}"));
        }
    }
}
