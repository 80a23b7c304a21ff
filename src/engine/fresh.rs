//! A new store in a directory of its own, for a backup and a salvage: complete, or nothing is left.

use std::path::Path;
use std::time::Duration;

use super::build::NewLog;
use super::lock_file::LockFile;
use super::locks::OpenLock;
use super::{LOCK, LOG, LOG_NEW};
use crate::error::{Error, Result};
use crate::format::header::FileHeader;
use crate::format::slot::Slot;
use crate::storage::{Directory, Storage};

/// Makes a store at `path`, which must be missing or an empty directory, of what `fill` puts into a log with this header.
///
/// `fill` returns the number of rows. Nothing is at `path` if it fails.
pub(super) fn make(
    storage: &dyn Storage,
    path: &Path,
    header: &FileHeader,
    fill: impl FnOnce(&dyn Directory) -> Result<(NewLog<'_>, u64)>,
) -> Result<()> {
    let existing = storage.open_dir(path)?;
    let made = existing.is_none();
    let directory = match existing {
        Some(directory) => directory,
        None => storage.create_dir(path)?,
    };
    check_empty(directory.as_ref())?;
    let open_lock = OpenLock::take(directory.as_ref(), Duration::ZERO)?;
    let mut lock_file = LockFile::open(directory.as_ref(), open_lock.file())?;
    // Again, for somebody may have come first; from here on nobody can.
    check_empty(directory.as_ref())?;
    if lock_file.slots().next().is_some() {
        return Err(occupied(directory.as_ref()));
    }
    let filled = directory.make_private().and_then(|()| fill(directory.as_ref()));
    let done = filled.and_then(|(log, rows)| finish(directory.as_ref(), &mut lock_file, header, log, rows));
    if done.is_err() {
        for name in [LOG_NEW, LOG, LOCK] {
            let _ = directory.remove(name);
        }
        if made {
            let _ = storage.remove_dir(path);
        }
    }
    open_lock.release();
    done
}

fn finish(
    directory: &dyn Directory,
    lock_file: &mut LockFile,
    header: &FileHeader,
    mut log: NewLog<'_>,
    rows: u64,
) -> Result<()> {
    log.sync()?;
    log.seal(rows)?;
    directory.sync_parent()?;
    log.rename(false)?;
    let appender = log.finish()?;
    let link = appender.link();
    lock_file.write_slot(&Slot {
        uuid: header.uuid,
        generation: header.generation,
        watermark: appender.end(),
        next_id: link.next_id,
        next_revision: link.next_revision,
    });
    lock_file.sync()
}

/// A directory with nothing in it, but perhaps what an attempt left that did not come to an end.
fn check_empty(directory: &dyn Directory) -> Result<()> {
    let ours = |name: &String| name == LOCK || name == LOG_NEW;
    if directory.list()?.iter().all(ours) { Ok(()) } else { Err(occupied(directory)) }
}

fn occupied(directory: &dyn Directory) -> Error {
    Error::NotAStore { path: directory.path().into(), reason: "it has to be a new or empty directory" }
}
