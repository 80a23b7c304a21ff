//! Opening: the directory, the locks, the log; making what is missing.

use std::path::Path;
use std::sync::Arc;

use crossbeam_utils::sync::ShardedLock;
use parking_lot::Mutex;

use super::build::{Counters, NewLog};
use super::lock_file::LockFile;
use super::locks::{LogLock, OpenLock};
use super::recover::{Recovery, read_header};
use super::{Engine, LOCK, LOG, LOG_NEW, Shared, Writer};
use crate::error::{Error, ErrorKind, Result};
use crate::format::header::FileHeader;
use crate::format::slot::Slot;
use crate::options::Options;
use crate::stats::OpenReport;
use crate::storage::{Directory, Storage};
use crate::trace;

/// Which logs an open takes for the store's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Accept {
    /// The one that the lock file knows.
    KnownLog,
    /// Also an older one, or another store's. Nothing is written then, neither to the log nor to the slots: what they
    /// say together is what makes the next open refuse the log still.
    AnyLog,
}

/// What the lock file has against a log that was accepted all the same.
pub(super) struct Contradiction {
    pub(super) reason: &'static str,
    pub(super) slots: Vec<Slot>,
    /// Counters above everything that a torn tail may have given.
    pub(super) counters: Counters,
}

/// Opens the store at `path`, alone.
pub(crate) fn open(options: &Options, storage: Arc<dyn Storage>, path: &Path) -> Result<Engine> {
    open_log(options, storage, path, Accept::KnownLog).map(|(engine, _)| engine)
}

pub(super) fn open_log(
    options: &Options,
    storage: Arc<dyn Storage>,
    path: &Path,
    accept: Accept,
) -> Result<(Engine, Option<Contradiction>)> {
    let directory = open_directory(options, storage.as_ref(), path)?;
    let log_path = path.join(LOG);
    refuse_foreign(directory.as_ref())?;
    let orphan = lock_orphan(directory.as_ref())?;
    let open_lock = OpenLock::take(directory.as_ref(), options.lock_timeout)?;
    let lock_file = LockFile::open(directory.as_ref(), open_lock.file())?;
    let log_lock = match orphan {
        Some(lock) => Some(lock),
        None => LogLock::take(directory.as_ref(), LOG)?,
    };
    let mut report = OpenReport::default();
    let log_lock = match log_lock {
        Some(lock) => lock,
        // A slot is written only once the log has its name, durably. (Bytes that are no slot may be of a lock file whose
        // making a power loss cut short.)
        None if lock_file.slots().next().is_some() => {
            return Err(Error::Copied { path: log_path, reason: "the lock file knows of a log that is not there" });
        }
        None if !options.create => {
            return Err(Error::NotAStore { path: path.into(), reason: "there is no store.log" });
        }
        None => {
            create_log(storage.as_ref(), directory.as_ref(), &lock_file)?;
            report.created = true;
            let missing = || Error::LockReplaced { path: log_path.clone() };
            LogLock::take_soon(directory.as_ref(), LOG)?.ok_or_else(missing)?
        }
    };
    // CRASH: what a compaction left that did not come to its rename.
    directory.remove(LOG_NEW)?;
    let missing = || Error::LockReplaced { path: log_path.clone() };
    let file = directory.open(LOG)?.ok_or_else(missing)?;
    log_lock.check_current(directory.as_ref())?;
    let recovery = Recovery {
        options,
        accept,
        storage: storage.as_ref(),
        directory: directory.as_ref(),
        lock_file: &lock_file,
        file,
        path: &log_path,
    };
    let recovered = recovery.run(&mut report)?;
    trace::opened(&log_path, &report);

    log_lock.share(directory.as_ref(), LOG)?;
    let mut writer = Writer {
        header: recovered.header,
        appender: recovered.appender,
        lock_file,
        log_lock,
        poisoned: false,
        open_lock: Some(open_lock),
    };
    let distrusted = writer.lock_file.sync_failed() || recovered.distrusted;
    writer.lock_file.initialise(&writer.state());
    if !distrusted && recovered.contradiction.is_none() {
        // The name of a file whose directory's sync failed may go; a slot must not speak of it.
        writer.lock_file.write_slot(&writer.slot());
    }
    if let Some(lock) = &writer.open_lock {
        lock.opened(directory.as_ref())?;
    }
    writer.poisoned = distrusted;
    let shared = Shared { index: recovered.index, source: Arc::new(recovered.source), ended: None };
    let mut engine = Engine {
        storage,
        directory,
        read_mode: options.read_mode,
        progress: options.progress.clone(),
        log_path,
        report,
        shared: ShardedLock::new(shared),
        writer: Mutex::new(writer),
    };
    if distrusted && recovered.contradiction.is_none() {
        // A sync of this file or of its name failed under an earlier handle. A new file has no such past; without one,
        // finds work and writes stay refused.
        engine.report.moved_after_failed_sync = engine.compact().is_ok();
    }
    Ok((engine, recovered.contradiction))
}

/// What is no store, or one of a later version, is left as it is: nothing is made beside it.
fn refuse_foreign(directory: &dyn Directory) -> Result<()> {
    let Some(file) = directory.open_to_read(LOG)? else { return Ok(()) };
    match read_header(file.as_ref(), &directory.path().join(LOG)) {
        Err(error) if error.kind() == ErrorKind::Unsupported => Err(error),
        // Beside a lock file it may have been one; its slots tell more.
        Err(error) if !directory.list()?.iter().any(|name| name == LOCK) => Err(error),
        _ => Ok(()),
    }
}

/// A log without a lock file may still be in use by somebody whose lock file was removed: asked before another is made.
fn lock_orphan(directory: &dyn Directory) -> Result<Option<LogLock>> {
    let has_lock_file = || directory.list().map(|names| names.iter().any(|name| name == LOCK));
    if has_lock_file()? {
        return Ok(None);
    }
    match LogLock::take(directory, LOG) {
        // Somebody has made both while we looked, and is to have the lock back at once.
        Ok(_) | Err(Error::LockReplaced { .. }) if has_lock_file()? => Ok(None),
        taken => taken,
    }
}

fn open_directory(options: &Options, storage: &dyn Storage, path: &Path) -> Result<Arc<dyn Directory>> {
    let directory = match storage.open_dir(path)? {
        Some(directory) => directory,
        None if !options.create => {
            return Err(Error::NotAStore { path: path.into(), reason: "there is nothing" });
        }
        None => match storage.create_dir(path) {
            Ok(directory) => directory,
            // Somebody else may have made it meanwhile.
            Err(error) => storage.open_dir(path)?.ok_or(error)?,
        },
    };
    let names = directory.list()?;
    let is_store = names.iter().any(|name| name == LOG || name == LOCK);
    if !is_store && !options.create {
        return Err(Error::NotAStore { path: path.into(), reason: "there is no store.log" });
    }
    // A directory that holds other things is not ours to shut; others can then list it, and open nothing of ours.
    if names.is_empty() {
        directory.make_private()?;
    }
    Ok(directory)
}

/// Makes an empty log. Under the open lock, so nobody else does.
fn create_log(storage: &dyn Storage, directory: &dyn Directory, lock_file: &LockFile) -> Result<()> {
    let mut uuid = [0; 16];
    let mut salt = [0; 8];
    storage.random(&mut uuid)?;
    storage.random(&mut salt)?;
    let now_ms = storage.now_ms();
    let header = FileHeader::plain(uuid, 1, u64::from_le_bytes(salt), now_ms);
    let mut log = NewLog::start(directory, &header, Counters::FIRST, now_ms)?;
    log.sync()?;
    log.seal(0)?;
    directory.sync_parent()?;
    // If the directory's sync fails, the name may be there and not durable: the next opener has to know.
    lock_file.set_sync_failed(true);
    log.rename(false)?;
    log.finish()?;
    lock_file.set_sync_failed(false);
    Ok(())
}
