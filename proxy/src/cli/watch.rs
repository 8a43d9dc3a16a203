//! The files a site is made of, watched for changes (CP-601).
//!
//! Folders are watched and not files, because editors replace files and a watch on a replaced file sees
//! nothing more. So more is seen than matters: what is not a file of the site is left out here, be it the
//! node's own log beside the site file.

use std::{
    cell::Cell,
    collections::BTreeSet,
    path::{Path, PathBuf},
    sync::mpsc::{Receiver, RecvTimeoutError, channel},
    time::{Duration, Instant},
};

use fourfront_control::Loaded;
use notify::{Event, RecommendedWatcher, RecursiveMode, Watcher as _};

/// Editors write a file in several steps; changes closer together than this are one (CP-601).
const DEBOUNCE: Duration = Duration::from_millis(50);

/// A file that is written all the time still leads to a reload this long after its first change.
const LONGEST: Duration = Duration::from_millis(500);

/// What the watcher hands over.
type Seen = notify::Result<Event>;

/// A watch on the files of a site.
pub(super) struct Watch {
    watcher: RecommendedWatcher,
    events: Receiver<Seen>,
    files: Files,
    /// Whether a watched folder was removed or made anew, which is another one to the system.
    stale: bool,
}

impl Watch {
    /// Begins to watch.
    pub(super) fn start(site: &Path, loaded: &Loaded) -> notify::Result<Self> {
        let (sender, events) = channel();
        let watcher = notify::recommended_watcher(move |event: Seen| {
            // The receiver lives as long as the watcher.
            let _ = sender.send(event);
        })?;
        let mut watch = Self {
            watcher,
            events,
            files: Files::default(),
            stale: true,
        };
        watch.follow(site, loaded)?;
        Ok(watch)
    }

    /// Watches what the site is made of now.
    pub(super) fn follow(&mut self, site: &Path, loaded: &Loaded) -> notify::Result<()> {
        let files = Files::of(loaded.watched.iter().map(PathBuf::as_path).chain([site]));
        self.stale |= files != self.files;
        self.files = files;
        self.look_again()
    }

    /// Watches folders that were made anew.
    pub(super) fn look_again(&mut self) -> notify::Result<()> {
        if !self.stale {
            return Ok(());
        }
        let folders = self.files.folders();
        let watched = folders.iter().map(|f| (*f, RecursiveMode::NonRecursive));
        let trees = self.files.trees.iter();
        // Trees last: their own mode wins where a folder is both.
        let watched = watched.chain(trees.map(|t| (t.as_path(), RecursiveMode::Recursive)));
        self.stale = false;
        for (folder, mode) in watched {
            match self.watcher.watch(folder, mode) {
                Ok(()) => {}
                // Gone: what makes it anew is seen in the folder above.
                Err(_) if !folder.is_dir() => self.stale = true,
                // Above a tree, and closed to this user.
                Err(_) if !self.files.has_a_file_in(folder) => {}
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }

    /// Waits for a change and then for quiet; the time of the first event.
    pub(super) fn next_change(&mut self) -> notify::Result<Instant> {
        let (files, stale) = (&self.files, Cell::new(self.stale));
        let begun = next_change(&self.events, |event| {
            let folder = files.lose_a_folder_by(event);
            stale.set(stale.get() || folder);
            folder || files.are_touched_by(event)
        });
        self.stale = stale.get();
        begun.ok_or_else(|| notify::Error::generic("the file watcher ended"))
    }
}

/// Paths as the watcher reports them: absolute, the folder resolved.
#[derive(Debug, Default, PartialEq, Eq)]
struct Files {
    /// Files, and the roots of trees.
    single: BTreeSet<PathBuf>,
    /// Folders that count with all that is in them.
    trees: BTreeSet<PathBuf>,
}

impl Files {
    fn of<'a>(paths: impl Iterator<Item = &'a Path>) -> Self {
        let mut files = Self::default();
        for path in paths {
            let named = in_resolved_folder(path);
            // A link and what it leads to can both change.
            let real = path.canonicalize().unwrap_or_else(|_| named.clone());
            if real.is_dir() {
                files.trees.insert(real.clone());
            }
            files.single.extend([named, real]);
        }
        files
    }

    /// The folders in which single files appear and disappear, but for those in a tree.
    fn folders(&self) -> BTreeSet<&Path> {
        self.single
            .iter()
            .filter_map(|file| file.parent())
            .filter(|folder| !self.in_a_tree(folder))
            .collect()
    }

    /// Whether a change in the folder itself may be one of the site.
    fn has_a_file_in(&self, folder: &Path) -> bool {
        let is_file = |f: &&PathBuf| f.parent() == Some(folder) && !self.trees.contains(*f);
        self.trees.contains(folder) || self.single.iter().any(|f| is_file(&f))
    }

    fn in_a_tree(&self, path: &Path) -> bool {
        self.trees.iter().any(|tree| path.starts_with(tree))
    }

    /// Whether a watched folder itself came or went.
    fn lose_a_folder_by(&self, event: &Seen) -> bool {
        let Ok(event) = event else {
            return false;
        };
        let is_watched = |path: &PathBuf| {
            self.trees.contains(path) || self.single.iter().any(|f| f.parent() == Some(path))
        };
        event.need_rescan() || !event.kind.is_access() && event.paths.iter().any(is_watched)
    }

    fn are_touched_by(&self, event: &Seen) -> bool {
        let Ok(event) = event else {
            return false;
        };
        if event.need_rescan() {
            // Events were lost, so no path is known.
            return true;
        }
        // Reading a file is an event too; only writes matter.
        let touches = |path: &PathBuf| self.single.contains(path) || self.in_a_tree(path);
        !event.kind.is_access() && event.paths.iter().any(touches)
    }
}

fn in_resolved_folder(path: &Path) -> PathBuf {
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
        return path.to_owned();
    };
    let folder = if folder.as_os_str().is_empty() {
        Path::new(".")
    } else {
        folder
    };
    match folder.canonicalize() {
        Ok(folder) => folder.join(name),
        Err(_) => path.to_owned(),
    }
}

/// Waits for an event that counts, then until none has come for [`DEBOUNCE`], or for [`LONGEST`] in all. `None`
/// when no more can come.
fn next_change<E>(events: &Receiver<E>, counts: impl Fn(&E) -> bool) -> Option<Instant> {
    while !counts(&events.recv().ok()?) {}
    let first = Instant::now();
    let mut last = first;
    loop {
        let until = (last + DEBOUNCE).min(first + LONGEST);
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Some(first);
        }
        match events.recv_timeout(left) {
            Ok(event) if counts(&event) => last = Instant::now(),
            Ok(_) => {}
            Err(RecvTimeoutError::Timeout) => return Some(first),
            Err(RecvTimeoutError::Disconnected) => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, thread};

    use notify::{
        EventKind,
        event::{AccessKind, CreateKind, ModifyKind, RemoveKind},
    };

    use super::*;

    fn event(kind: EventKind, path: impl Into<PathBuf>) -> Seen {
        Ok(Event::new(kind).add_path(path.into()))
    }

    #[test]
    fn only_files_of_the_site_count() {
        // CP-601
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        fs::create_dir_all(root.join("app/lib")).unwrap();
        for file in ["fourfront.yaml", "auth.js", "real.js", "app/index.js"] {
            fs::write(root.join(file), "").unwrap();
        }
        std::os::unix::fs::symlink(root.join("real.js"), root.join("link.js")).unwrap();
        let paths = ["fourfront.yaml", "./auth.js", "link.js", "app"].map(|p| root.join(p));
        let files = Files::of(paths.iter().map(PathBuf::as_path));
        let touched = |path: &str| {
            let change = EventKind::Modify(ModifyKind::Any);
            files.are_touched_by(&event(change, root.join(path)))
        };
        for path in [
            "fourfront.yaml",
            "auth.js",
            "link.js",
            "real.js",
            "app/lib/a.js",
            "app",
        ] {
            assert!(touched(path), "{path}");
        }
        for path in ["access.log", "auth.js~", ".fourfront.yaml.swp", "lib/a.js"] {
            assert!(!touched(path), "{path}");
        }
        let read = EventKind::Access(AccessKind::Any);
        assert!(!files.are_touched_by(&event(read, root.join("auth.js"))));
        let lost = Event::new(EventKind::Other).set_flag(notify::event::Flag::Rescan);
        assert!(files.are_touched_by(&Ok(lost)));
        assert_eq!(files.folders(), BTreeSet::from([root.as_path()]));
        let removed = |path| event(EventKind::Remove(RemoveKind::Folder), path);
        assert!(files.lose_a_folder_by(&removed(root.join("app"))));
        assert!(!files.lose_a_folder_by(&removed(root.join("app/lib"))));
    }

    #[test]
    fn changes_without_end_still_lead_to_a_reload() {
        // CP-601
        let (sender, events) = channel();
        let (stop, stopped) = channel::<()>();
        let writing = thread::spawn(move || {
            let created = || event(EventKind::Create(CreateKind::File), "/f");
            let pause = DEBOUNCE / 10;
            while stopped.recv_timeout(pause) == Err(RecvTimeoutError::Timeout) {
                sender.send(created()).unwrap();
            }
        });
        let begun = Instant::now();
        assert!(next_change(&events, |_| true).is_some());
        assert!(begun.elapsed() >= LONGEST);
        drop(stop);
        writing.join().unwrap();
    }

    #[test]
    fn events_that_do_not_count_neither_start_nor_prolong_a_wait() {
        let (sender, events) = channel();
        for counts in [false, true, false] {
            sender.send(counts).unwrap();
        }
        assert!(next_change(&events, |counts| *counts).is_some());
        drop(sender);
        assert!(next_change(&events, |counts| *counts).is_none());
    }
}
