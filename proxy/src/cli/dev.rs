//! `fourfront dev` (CP-601): a node without state that follows the files it is made of.

use std::{
    collections::BTreeSet,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::mpsc::{Receiver, RecvTimeoutError, channel},
    time::{Duration, Instant},
};

use fourfront_control::{Loaded, LogFormat, LogSettings};
use notify::{RecursiveMode, Watcher as _};

use super::{Exit, complain, start};
use crate::{node::Node, observe::logs};

/// Editors write a file in several steps; changes closer together than this are one (CP-601).
const DEBOUNCE: Duration = Duration::from_millis(50);

pub(super) fn run(path: &Path, listen: SocketAddr) -> Exit {
    let Some(mut loaded) = start::read_site(path) else {
        return Exit::Failed;
    };
    loaded.node.listen = listen;
    loaded.node.log = LogSettings {
        format: LogFormat::Text,
        access: true,
        ..loaded.node.log
    };
    // Who develops runs what functions call on the same machine (LE-346).
    loaded.node.hooks.local_egress = true;
    logs::install(&loaded.node.log);
    let Some(node) = start::start_node(&loaded) else {
        return Exit::Failed;
    };
    let Some(listening) = start::start_listeners(&node, &loaded) else {
        return Exit::Failed;
    };
    eprintln!(
        "fourfront: developing on http://{}, watching {}",
        listening.address(),
        path.display()
    );
    let Err(e) = watch(&node, path, &loaded);
    complain(&e);
    Exit::Failed
}

/// Reloads whenever something under the watched paths changes. Returns only when watching fails.
fn watch(
    node: &Node,
    path: &Path,
    loaded: &Loaded,
) -> Result<std::convert::Infallible, notify::Error> {
    let (sender, events) = channel();
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        // Reading a file is an event too; only writes matter.
        if event.as_ref().is_ok_and(|e| !e.kind.is_access()) {
            // The receiver lives as long as this function, which never returns before the watcher is dropped.
            let _ = sender.send(());
        }
    })?;
    let mut watched = BTreeSet::new();
    follow(&mut watcher, &mut watched, path, loaded)?;
    loop {
        let changed = next_change(&events)?;
        let Some(loaded) = start::read_site(path) else {
            eprintln!("fourfront: the configuration in force stays");
            continue;
        };
        follow(&mut watcher, &mut watched, path, &loaded)?;
        match node.reload(&loaded) {
            Ok(()) => eprintln!(
                "fourfront: reloaded in {} ms",
                changed.elapsed().as_millis()
            ),
            Err(errors) => {
                for error in errors {
                    complain(&error);
                }
                eprintln!("fourfront: the configuration in force stays");
            }
        }
    }
}

/// Waits for a change and then for quiet; the time of the first event.
fn next_change(events: &Receiver<()>) -> Result<Instant, notify::Error> {
    events
        .recv()
        .map_err(|_| notify::Error::generic("the file watcher ended"))?;
    let first = Instant::now();
    loop {
        match events.recv_timeout(DEBOUNCE) {
            Ok(()) => {}
            Err(RecvTimeoutError::Timeout) => return Ok(first),
            Err(RecvTimeoutError::Disconnected) => {
                return Err(notify::Error::generic("the file watcher ended"));
            }
        }
    }
}

/// Watches the directories of all files in use: editors replace files, and a watch on a replaced file sees
/// nothing more.
fn follow(
    watcher: &mut notify::RecommendedWatcher,
    watched: &mut BTreeSet<PathBuf>,
    site: &Path,
    loaded: &Loaded,
) -> Result<(), notify::Error> {
    for path in loaded.watched.iter().map(PathBuf::as_path).chain([site]) {
        let (directory, mode) = if path.is_dir() {
            (path, RecursiveMode::Recursive)
        } else {
            let parent = path
                .parent()
                .filter(|p| !p.as_os_str().is_empty())
                .unwrap_or_else(|| Path::new("."));
            (parent, RecursiveMode::NonRecursive)
        };
        if watched.insert(directory.to_owned()) {
            watcher.watch(directory, mode)?;
        }
    }
    Ok(())
}
