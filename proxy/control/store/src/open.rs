//! Opening a store: its lock, its format, its leftovers (CP-562, CP-564).

use std::{
    fs::{self, DirBuilder, File, OpenOptions, TryLockError},
    io,
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::Path,
    sync::{Arc, mpsc},
    thread,
};

use arc_swap::ArcSwap;
use parking_lot::{Mutex, RwLock};
use redb::{Database, ReadableDatabase as _, WriteTransaction};

use crate::{
    Handle, OpenDatabase, Options, Shared, Store, StoreError, blob,
    error::Trouble,
    state::State,
    tables::{self, FORMAT, META, META_FORMAT, META_MARKERS, create_all},
    writer,
};

/// The database's file within the directory of a store.
pub(crate) const STATE: &str = "state.redb";
/// The file that is locked while a store is open.
const LOCK: &str = "store.lock";

/// Brings a database from the format of its index in the list, counted from 1, to the next. Runs in a transaction of its own.
pub(crate) type Migration = fn(&WriteTransaction) -> Result<(), Trouble>;

/// From each older format to the one after it.
const MIGRATIONS: &[Migration] = &[];

impl Store {
    /// Opens the store in `dir`, or makes one there; both are created when missing, for the owner alone.
    ///
    /// Checks every page of the database, repairs what a crash left, removes blobs that were not complete, and migrates an
    /// older format after copying the file (CP-562).
    ///
    /// # Errors
    /// [`StoreError::Locked`] when a process has it open, [`StoreError::NewerFormat`] when a newer version wrote it,
    /// [`StoreError::Damaged`] when the database is not what was written, and what the system says.
    pub fn open(dir: impl AsRef<Path>, options: Options) -> Result<Self, StoreError> {
        Self::open_with(dir.as_ref(), options, Arc::new(open_file), MIGRATIONS)
    }

    pub(crate) fn open_with(
        dir: &Path,
        options: Options,
        opener: OpenDatabase,
        migrations: &[Migration],
    ) -> Result<Self, StoreError> {
        create_dir(dir)?;
        let lock = lock(dir)?;
        blob::clean(dir)?;
        let file = dir.join(STATE);
        let known = FIRST_FORMAT.saturating_add(migrations.len() as u64);
        let open =
            |file: &Path| opener(file, &options).map_err(|error| Trouble::from(error).at(file));
        if fs::metadata(&file).map_or(0, |found| found.len()) == 0 {
            create(open, &file, known)?;
        }
        let db = migrate(open(&file)?, open, &file, migrations, known)?;
        let state = db
            .begin_read()
            .map_err(Trouble::from)
            .and_then(|txn| State::load(&txn))
            .map_err(|trouble| trouble.at(&file))?;
        let shared = Arc::new(Shared {
            dir: dir.to_owned(),
            file,
            options,
            opener,
            db: RwLock::new(Some(db)),
            state: ArcSwap::from_pointee(state),
            published: tokio::sync::watch::Sender::new(0),
            keep_blobs: RwLock::new(()),
        });
        let (jobs, taken) = mpsc::channel();
        let writer = thread::Builder::new()
            .name("fourfront-store".to_owned())
            .spawn({
                let shared = Arc::clone(&shared);
                move || writer::run(&shared, &taken)
            })
            .map_err(StoreError::io(
                dir,
                "start the writer's thread of the store",
            ))?;
        Ok(Self {
            handle: Arc::new(Handle {
                shared,
                jobs: Some(jobs),
                writer: Mutex::new(Some(writer)),
                _lock: lock,
            }),
        })
    }
}

/// Opens the database in a file of the system.
pub(crate) fn open_file(file: &Path, options: &Options) -> Result<Database, redb::DatabaseError> {
    Database::builder()
        .set_cache_size(options.cache_bytes)
        // Without it, redb trusts a file that was closed in order, and may panic on one that was altered since.
        .set_check_integrity_on_open(true)
        .create(file)
}

/// Locks `dir` for this process. The lock goes with the handle, so also with the process.
pub(crate) fn lock(dir: &Path) -> Result<File, StoreError> {
    let path = dir.join(LOCK);
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&path)
        .map_err(StoreError::io(&path, "open the lock"))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StoreError::Locked { path }),
        Err(TryLockError::Error(error)) => Err(StoreError::io(&path, "lock")(error)),
    }
}

pub(crate) fn create_dir(dir: &Path) -> Result<(), StoreError> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
        .map_err(StoreError::io(dir, "create the directory"))
}

/// Makes what was created, renamed or removed in `dir` durable.
pub(crate) fn sync_dir(dir: &Path) -> Result<(), StoreError> {
    File::open(dir)
        .and_then(|dir| dir.sync_all())
        .map_err(StoreError::io(dir, "sync the directory"))
}

/// redb makes its file with the rights of the process; this one holds sealed secrets.
pub(crate) fn create_private(file: &Path) -> Result<(), StoreError> {
    let created = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(file);
    match created {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            Err(StoreError::io(file, "create the database")(error))
        }
        _ => Ok(()),
    }
}

/// Makes an empty database under another name and renames it, since one that is made half cannot be opened.
fn create(
    open: impl Fn(&Path) -> Result<Database, StoreError>,
    file: &Path,
    format: u64,
) -> Result<(), StoreError> {
    let creating = file.with_extension("redb.creating");
    remove_file(&creating)?;
    create_private(&creating)?;
    let db = open(&creating)?;
    initialise(&db, format).map_err(|trouble| trouble.at(&creating))?;
    db.close()
        .map_err(|error| Trouble::from(error).at(&creating))?;
    fs::rename(&creating, file)
        .map_err(StoreError::io(file, "rename the new database to its name"))?;
    file.parent().map_or(Ok(()), sync_dir)
}

/// Not being there is as good.
pub(crate) fn remove_file(file: &Path) -> Result<(), StoreError> {
    match fs::remove_file(file) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(StoreError::io(
            file,
            "remove what an earlier attempt left",
        )(error)),
        _ => Ok(()),
    }
}

/// Brings an older database up, refuses a newer one.
fn migrate(
    db: Database,
    open: impl Fn(&Path) -> Result<Database, StoreError>,
    file: &Path,
    migrations: &[Migration],
    known: u64,
) -> Result<Database, StoreError> {
    let found = format(&db).map_err(|trouble| trouble.at(file))?;
    if found > known {
        return Err(StoreError::NewerFormat {
            path: file.to_owned(),
            found,
            known,
        });
    }
    if found == known {
        return Ok(db);
    }
    // Copied while closed, so that the copy is a database that opens by itself.
    drop(db);
    copy_aside(file, found)?;
    let db = open(file)?;
    let steps = (FIRST_FORMAT..)
        .zip(migrations)
        .filter(|(from, _)| *from >= found);
    for (from, step) in steps {
        let stepped = (|| {
            let txn = db.begin_write()?;
            step(&txn)?;
            tables::set_meta_number(&txn, META_FORMAT, from + 1)?;
            txn.commit()?;
            Ok(())
        })();
        stepped.map_err(|trouble: Trouble| trouble.at(file))?;
    }
    Ok(db)
}

/// The first format there was.
const FIRST_FORMAT: u64 = 1;
const _: () = assert!(FORMAT == FIRST_FORMAT + MIGRATIONS.len() as u64);

fn format(db: &Database) -> Result<u64, Trouble> {
    let txn = db.begin_read()?;
    match tables::meta_number(&txn, META_FORMAT)? {
        0 => Err(Trouble::Damaged(
            "it is no store's: it has no format".to_owned(),
        )),
        format => Ok(format),
    }
}

/// Format, tables and the key of markers.
fn initialise(db: &Database, format: u64) -> Result<(), Trouble> {
    let mut key = [0; 32];
    getrandom::fill(&mut key)
        .map_err(|error| Trouble::Damaged(format!("no random numbers from the system: {error}")))?;
    let txn = db.begin_write()?;
    create_all(&txn)?;
    tables::set_meta_number(&txn, META_FORMAT, format)?;
    txn.open_table(META)?.insert(META_MARKERS, key.as_slice())?;
    txn.commit()?;
    Ok(())
}

/// Copies the database to `state.redb.format-N`, durably and under its name only when complete (CP-562).
fn copy_aside(file: &Path, format: u64) -> Result<(), StoreError> {
    let aside = file.with_extension(format!("redb.format-{format}"));
    let partial = file.with_extension("redb.copying");
    let copied = fs::copy(file, &partial)
        .and_then(|_| File::open(&partial)?.sync_all())
        .and_then(|()| fs::rename(&partial, &aside));
    copied.map_err(StoreError::io(
        &aside,
        "copy the database before its migration",
    ))?;
    file.parent().map_or(Ok(()), sync_dir)
}
