//! `fourfront backup` and `restore` (CP-562, CP-615): a copy of a node's control state while it is written to, and a store made
//! of one.

use std::{
    fs::{File, OpenOptions},
    io,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    time::Duration,
};

use clap::Args;
use fourfront_control::api::Keychain;
use fourfront_store::{Options, Store};
use http::Method;
use http_body_util::BodyExt as _;

use super::{
    Exit,
    address::{self, Call, Failure, LONG, NodeAddress, NodeArgs},
    master,
    output::note,
    status::size,
};

/// How long the next part of a backup is waited for.
const NEXT_PART: Duration = Duration::from_secs(120);

#[derive(Debug, Args)]
pub(super) struct BackupArgs {
    /// The file to write, which must not exist; `-` is standard output. It holds the node's keys, sealed, and all code.
    file: PathBuf,
    #[command(flatten)]
    node: NodeArgs,
}

#[derive(Debug, Args)]
pub(super) struct RestoreArgs {
    /// A backup; `-` is standard input.
    file: PathBuf,
    /// The directory that `node.data_dir` names. The node must not run.
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// Take the place of a store that is there; it is kept as `state.redb.replaced`.
    #[arg(long)]
    replace: bool,
    /// The master key that the node has, where it is not `master.key` in that directory: whether it opens the keys in the
    /// backup is looked at. It is not copied.
    #[arg(long, value_name = "FILE")]
    master_key: Option<PathBuf>,
}

pub(super) fn backup(args: &BackupArgs) -> Exit {
    address::talk(async {
        let node = NodeAddress::at(&args.node)?;
        let call = Call {
            patience: LONG,
            ..Call::new(Method::GET, "/_fourfront/v1/backup")
        };
        let body = node.open(call).await?.into_body();
        if args.file.as_os_str() == "-" {
            return receive(body, io::stdout().lock()).await.map(|_| ());
        }
        let failed = |e: io::Error| (Exit::Failed, format!("{}: {e}", args.file.display()));
        // Its owner's alone from the first byte on.
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&args.file)
            .map_err(failed)?;
        let received = receive(body, &file).await;
        let done = received.and_then(|bytes| file.sync_all().map(|()| bytes).map_err(failed));
        match done {
            Ok(bytes) => {
                note(&format_args!("{}: {}", args.file.display(), size(bytes)));
                note(
                    &"the keys in it are sealed, and the master key is not in it: keep a copy of that apart",
                );
                Ok(())
            }
            Err(failure) => {
                // Half of one would be found out when it is needed.
                let _ = std::fs::remove_file(&args.file);
                Err(failure)
            }
        }
    })
}

/// Writes down what comes. How many bytes that was.
async fn receive(mut body: hyper::body::Incoming, mut to: impl io::Write) -> Result<u64, Failure> {
    let broken = |e: &dyn std::fmt::Display| (Exit::Failed, format!("the backup broke off: {e}"));
    let mut bytes = 0;
    loop {
        let frame = tokio::time::timeout(NEXT_PART, body.frame()).await;
        let frame = frame.map_err(|_| broken(&"nothing more comes"))?;
        let Some(frame) = frame else {
            return match to.flush() {
                Ok(()) => Ok(bytes),
                Err(e) => Err(broken(&e)),
            };
        };
        if let Ok(data) = frame.map_err(|e| broken(&e))?.into_data() {
            bytes += data.len() as u64;
            to.write_all(&data).map_err(|e| broken(&e))?;
        }
    }
}

pub(super) fn restore(args: &RestoreArgs) -> Exit {
    match restore_into(args) {
        Ok(()) => Exit::Ok,
        Err((exit, message)) => {
            super::say(&message);
            exit
        }
    }
}

fn restore_into(args: &RestoreArgs) -> Result<(), Failure> {
    use fourfront_store::StoreError;

    let (file, data, replace) = (&args.file, &args.data, args.replace);
    let restored = match file.as_os_str() == "-" {
        true => fourfront_store::restore(io::stdin().lock(), data, replace),
        false => {
            let opened =
                File::open(file).map_err(|e| (Exit::Failed, format!("{}: {e}", file.display())))?;
            fourfront_store::restore(io::BufReader::new(opened), data, replace)
        }
    };
    let restored = restored.map_err(|e| {
        let exit = match e {
            StoreError::Exists { .. } | StoreError::Locked { .. } => Exit::Conflict,
            _ => Exit::Failed,
        };
        (exit, e.to_string())
    })?;
    note(&format_args!(
        "{}: change {} with {} artifacts",
        data.display(),
        restored.header.sequence,
        restored.blobs
    ));
    match sealed(data, args.master_key.as_deref()) {
        Ok(said) => note(&said),
        // The store is there all the same.
        Err(e) => note(&format_args!("the keys in it: {e}")),
    }
    Ok(())
}

/// Whether the keys of a restored store can be used: they are sealed with a master key, which no backup holds (CP-430).
fn sealed(data: &Path, file: Option<&Path>) -> Result<String, String> {
    let store = Store::open(data, Options::default()).map_err(|e| e.to_string())?;
    let Some(found) = master::there(data, file, &|name| std::env::var(name).ok())? else {
        return Ok(format!(
            "its keys are sealed with the master key of the node that it is of: put that into {} (0600), or where \
             node.admin.master_key_file says, before the node starts; without it nobody can sign with them, and the node's \
             own user makes new ones by the socket (`fourfront key create`)",
            data.join("master.key").display()
        ));
    };
    let keys = Keychain::new(store, found.key);
    let said = master::unopened(&keys, &found.origin)?;
    Ok(said.unwrap_or_else(|| format!("the master key of {} opens its keys", found.origin)))
}
