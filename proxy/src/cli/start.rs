//! Starting a node from a site file: what `serve`, `dev` and `check` share.

use std::{env, io, num::NonZeroUsize, path::Path, sync::Arc};

use fourfront_control::{Loaded, load};
use fourfront_hooks::{
    log::TracingSink,
    pool::{HookPool, Now, PoolSettings},
};

use crate::{
    clock::{Clock, SystemClock},
    node::{self, Node, NodeParts},
    observe::{
        access::{AccessLog, AccessSink, NoAccessLog},
        admin,
        metrics::Metrics,
    },
    pingora::{Listening, ServeSettings, serve},
};

use super::complain;

/// Reads a site file with the process's environment; prints what is wrong with it.
pub(super) fn read_site(path: &Path) -> Option<Loaded> {
    match load(path, &|name| env::var(name).ok()) {
        Ok(loaded) => Some(loaded),
        Err(errors) => {
            eprintln!("{errors}");
            None
        }
    }
}

/// The pool that runs a site's functions.
fn start_pool(loaded: &Loaded) -> HookPool {
    let hooks = &loaded.node.hooks;
    let mut settings = PoolSettings::new(Arc::new(TracingSink), now());
    if let Some(threads) = hooks.threads.and_then(NonZeroUsize::new) {
        settings.threads = threads;
    }
    settings.concurrency_per_function = hooks.concurrency;
    settings.host.egress = node::egress(&loaded.node);
    HookPool::new(settings)
}

/// The system's clock, as functions' log records take it.
pub(super) fn now() -> Now {
    let clock = SystemClock::start();
    Arc::new(move || clock.now())
}

/// A node from a site file; prints what is wrong with its functions and directories.
pub(super) fn start_node(loaded: &Loaded) -> Option<Arc<Node>> {
    let metrics = match Metrics::new() {
        Ok(metrics) => Arc::new(metrics),
        Err(e) => {
            complain(&e);
            return None;
        }
    };
    let hooks = start_pool(loaded);
    let access: Arc<dyn AccessSink> = if loaded.node.log.access {
        Arc::new(
            AccessLog::start(loaded.node.log.format, Box::new(io::stdout()))
                .map_err(|e| complain(&e))
                .ok()?,
        )
    } else {
        Arc::new(NoAccessLog)
    };
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::start());
    let parts = NodeParts {
        hooks,
        clock,
        access,
        name: node_name(),
    };
    match Node::new(loaded, parts, metrics) {
        Ok(node) => Some(node),
        Err(errors) => {
            for error in errors {
                complain(&error);
            }
            None
        }
    }
}

/// This machine's name, for `Via`; characters that a header would not carry are left out.
fn node_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let name: String = name
        .chars()
        .filter(|c| c.is_ascii_alphanumeric() || *c == '-')
        .take(63)
        .collect();
    if name.is_empty() {
        "node".to_owned()
    } else {
        name
    }
}

/// Starts the viewer and the admin listener; prints which address is taken when one is.
pub(super) fn start_listeners(node: &Arc<Node>, loaded: &Loaded) -> Option<Listening> {
    let settings = ServeSettings {
        listen: loaded.node.listen,
        threads: loaded.node.threads,
        origin_ca: loaded
            .node
            .origin_ca
            .as_ref()
            .map(|p| p.display().to_string()),
    };
    let listening = serve(node, &settings)
        .map_err(|e| {
            complain(&format!(
                "node.listen: cannot listen on {}: {e}",
                settings.listen
            ))
        })
        .ok()?;
    let admin = loaded.node.admin;
    let target: Arc<dyn admin::Admin> = node.clone();
    let bound = std::net::TcpListener::bind(admin)
        .and_then(|l| l.set_nonblocking(true).map(|()| l))
        .map_err(|e| complain(&format!("node.admin: cannot listen on {admin}: {e}")))
        .ok()?;
    let started = std::thread::Builder::new()
        .name("admin".to_owned())
        .spawn(move || admin_thread(bound, target));
    started.map_err(|e| complain(&e)).ok()?;
    Some(listening)
}

fn admin_thread(listener: std::net::TcpListener, target: Arc<dyn admin::Admin>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let result = runtime.and_then(|runtime| {
        runtime.block_on(async move {
            let listener = tokio::net::TcpListener::from_std(listener)?;
            admin::serve(listener, target).await
        })
    });
    if let Err(e) = result {
        tracing::error!("admin listener ended: {e}");
    }
}

/// Loads the site file again and swaps it in, or keeps the old one and says why. True when it was applied.
pub(super) fn reload(node: &Node, path: &Path) -> bool {
    let Some(loaded) = read_site(path) else {
        node.metrics().reload("refused");
        eprintln!("fourfront: the configuration in force stays");
        return false;
    };
    match node.reload(&loaded) {
        Ok(()) => true,
        Err(errors) => {
            for error in errors {
                complain(&error);
            }
            eprintln!("fourfront: the configuration in force stays");
            false
        }
    }
}
