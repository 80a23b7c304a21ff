//! A new store in a directory of its own, for a backup and a salvage: complete, or nothing is left.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::build::NewLog;
use super::head::Head;
use super::lock_file::LockFile;
use super::locks::StoreLock;
use super::replay::{Haste, replay_durable};
use super::{LOCK, LOG, LOG_NEW};
use crate::error::{Error, Result};
use crate::format::slot::Slot;
use crate::options::ReadMode;
use crate::storage::{Directory, Storage};

/// Makes a store at `path`, which must be missing or an empty directory, of what `fill` puts into a log with this header.
///
/// `fill` returns the number of rows. Nothing is at `path` if it fails.
pub(super) fn make(
    storage: &dyn Storage,
    path: &Path,
    head: &Head,
    fill: impl for<'a> FnOnce(&'a dyn Storage, &'a dyn Directory) -> Result<(NewLog<'a>, u64)>,
) -> Result<()> {
    let mut place = Place::take(storage, path)?;
    let directory = place.directory.clone();
    check_empty(directory.as_ref())?;
    let lock = StoreLock::take_door(storage, &directory, Duration::ZERO)?;
    if !lock.be_alone()? {
        return Err(occupied(directory.as_ref()));
    }
    // Again, for somebody may have come first; from here on nobody can.
    check_empty(directory.as_ref())?;
    let mut files = Files { directory: directory.as_ref(), ours: true };
    let lock_file = LockFile::open(directory.as_ref(), lock.file())?;
    if lock_file.slots().next().is_some() {
        files.ours = false;
        return Err(occupied(directory.as_ref()));
    }
    directory.make_private()?;
    let (log, rows) = fill(storage, directory.as_ref())?;
    finish(directory.as_ref(), &lock_file, head, log, rows)?;
    (files.ours, place.made) = (false, false);
    lock.release();
    Ok(())
}

/// The directory of a new store, which goes again if the store does not come about.
struct Place<'a> {
    storage: &'a dyn Storage,
    path: &'a Path,
    directory: Arc<dyn Directory>,
    made: bool,
}

impl<'a> Place<'a> {
    fn take(storage: &'a dyn Storage, path: &'a Path) -> Result<Self> {
        let existing = storage.open_dir(path)?;
        let made = existing.is_none();
        let directory = match existing {
            Some(directory) => directory,
            None => storage.create_dir(path)?,
        };
        Ok(Self { storage, path, directory, made })
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        if self.made {
            // Stays if somebody else has put something there.
            let _ = self.storage.remove_dir(self.path);
        }
    }
}

/// The files of a new store, which go again if it does not come about, whatever the reason.
struct Files<'a> {
    directory: &'a dyn Directory,
    ours: bool,
}

impl Drop for Files<'_> {
    fn drop(&mut self) {
        if self.ours {
            for name in [LOG_NEW, LOG, LOCK] {
                let _ = self.directory.remove(name);
            }
        }
    }
}

fn finish(directory: &dyn Directory, lock_file: &LockFile, head: &Head, mut log: NewLog<'_>, rows: u64) -> Result<()> {
    log.sync()?;
    // As an opener would read it.
    replay_durable(log.file(), &directory.path().join(LOG_NEW), head, log.end(), ReadMode::Copy, Haste::Waited)?;
    log.seal(rows)?;
    directory.sync_parent()?;
    log.rename(false)?;
    let appender = log.finish()?;
    let link = appender.link();
    lock_file.write_first_slot(&Slot {
        uuid: head.uuid,
        generation: head.generation,
        watermark: appender.end(),
        next_id: link.next_id,
        next_revision: link.next_revision,
    })
}

/// A directory with nothing in it, but perhaps what an attempt left that did not come to an end.
fn check_empty(directory: &dyn Directory) -> Result<()> {
    let ours = |name: &String| name == LOCK || name == LOG_NEW;
    if directory.list()?.iter().all(ours) { Ok(()) } else { Err(occupied(directory)) }
}

fn occupied(directory: &dyn Directory) -> Error {
    Error::NotAStore { path: directory.path().into(), reason: "it has to be a new or empty directory" }
}
