//! Opening: the directory, the locks, the log; making what is missing.

use std::path::Path;
use std::sync::Arc;

use super::build::{Counters, NewLog};
use super::follow::Tip;
use super::head::Keyring;
use super::housekeeping::Housekeeper;
use super::lease::Leases;
use super::lock_file::LockFile;
use super::locks::{self, LogLock, StoreLock};
use super::meters::Meters;
use super::page::Swap;
use super::queue::Queue;
use super::recover::{Recovered, Recovery, read_header};
use super::refresh::Refreshes;
use super::{Engine, LOCK, LOG, LOG_NEW, Mode, Shared, Writer, join};
use crate::error::{Error, ErrorKind, Result};
use crate::format::header::FileHeader;
use crate::format::slot::Slot;
use crate::log::append::Appender;
use crate::options::Options;
use crate::stats::OpenReport;
use crate::storage::{Access, Directory, Storage, fork};
use crate::sync::atomic::AtomicBool;
use crate::sync::{Mutex, ShardedLock};
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

/// Opens the store at `path`.
pub(crate) fn open(options: &Options, storage: &Arc<dyn Storage>, path: &Path) -> Result<Arc<Engine>> {
    open_log(options, storage, path, Accept::KnownLog).map(|(engine, _)| engine)
}

/// With [`Accept::AnyLog`] the handle is always alone.
pub(super) fn open_log(
    options: &Options,
    storage: &Arc<dyn Storage>,
    path: &Path,
    accept: Accept,
) -> Result<(Arc<Engine>, Option<Contradiction>)> {
    let directory = open_directory(options, storage.as_ref(), path)?;
    let network_kind = directory.network_kind()?;
    if let Some(kind) = network_kind.filter(|_| !options.network) {
        return Err(Error::NetworkFileSystem { path: path.into(), kind });
    }
    refuse_foreign(directory.as_ref(), &options.keyring)?;
    if options.read_only {
        return join::open_to_read(options, storage, &directory).map(|engine| (engine, None));
    }
    let is_exclusive = options.exclusive || network_kind.is_some() || accept == Accept::AnyLog;
    let orphan = lock_orphan(directory.as_ref())?;
    let lock = StoreLock::take_door(storage.as_ref(), &directory, options.lock_timeout)?;
    let locked = || Error::Locked { path: directory.path().join(LOCK) };
    if lock.be_alone()? {
        let mode = if is_exclusive { Mode::Exclusive } else { Mode::Shared };
        return Alone { options, storage, directory: &directory, accept, mode }.open(lock, orphan);
    }
    // Not to be waited for: whoever is refused here would else come into a store that nobody has recovered, if the one
    // who does is killed.
    if is_exclusive || !lock.be_present()? {
        return Err(locked());
    }
    if let Some(orphan) = orphan {
        orphan.release();
    }
    join::join(options, storage, &directory, lock).map(|engine| (engine, None))
}

/// An opener that nobody else is beside, and what it was asked for.
struct Alone<'a> {
    options: &'a Options,
    storage: &'a Arc<dyn Storage>,
    directory: &'a Arc<dyn Directory>,
    accept: Accept,
    mode: Mode,
}

impl Alone<'_> {
    fn open(&self, lock: StoreLock, orphan: Option<LogLock>) -> Result<(Arc<Engine>, Option<Contradiction>)> {
        let (storage, directory) = (self.storage.as_ref(), self.directory.as_ref());
        let log_path = directory.path().join(LOG);
        let lock_file = LockFile::open(directory, lock.file())?;
        let mut report = OpenReport::default();
        let log_lock = self.lock_log(&lock_file, orphan, &mut report)?;
        // CRASH: what a compaction left that did not come to its rename.
        directory.remove(LOG_NEW)?;
        let missing = || Error::LockReplaced { path: log_path.clone() };
        let file = locks::open(directory, LOG, Access::Write)?.ok_or_else(missing)?;
        log_lock.check_current(directory)?;
        let recovery = Recovery {
            options: self.options,
            accept: self.accept,
            storage,
            directory,
            lock_file: &lock_file,
            file,
            path: &log_path,
        };
        let Recovered { head, appender, index, source, distrusted, contradiction, dead_since_ms } =
            recovery.run(&mut report)?;
        trace::opened(&log_path, &report);

        log_lock.share(directory)?;
        // Who made it, or moved to it, may not have lived to see that its name is durable.
        let distrusted = distrusted || lock_file.page.sync_failed() || lock_file.page.state().1.pending().is_some();
        let (end, link) = (appender.end(), appender.link());
        let tip = Tip { head, file: appender.file().clone(), log_lock: Some(log_lock), end, link };
        lock_file.page.set_sync_failed(distrusted);
        lock_file.initialise(&tip.state(Swap::default()));
        if !distrusted && contradiction.is_none() {
            // The name of a file whose directory's sync failed may go; a slot must not speak of it.
            lock_file.write_slot(&tip.slot());
        }
        let version = lock_file.page.version();
        let shared = Shared { index, source: source.into(), version, dead_since_ms, ended: None };
        let parts = Parts { lock: Some(lock), lock_file, tip, shared, appender, report, mode: self.mode };
        let mut engine = Engine::assemble(self.options, self.storage, self.directory, parts);
        if distrusted && contradiction.is_none() {
            // A sync of this file or of its name failed under an earlier handle. A new file has no such past; without
            // one, finds work and writes stay refused.
            engine.report.moved_after_failed_sync = engine.compact().is_ok();
        }
        if let Some(lock) = &engine.lock {
            if self.mode == Mode::Shared {
                lock.be_present()?;
            }
            lock.leave_door();
        }
        Ok((engine.start(self.options)?, contradiction))
    }

    /// Makes sure that nobody else has the log open who holds another lock file; makes the log if there is none.
    fn lock_log(&self, lock_file: &LockFile, orphan: Option<LogLock>, report: &mut OpenReport) -> Result<LogLock> {
        let (storage, directory) = (self.storage.as_ref(), self.directory.as_ref());
        let (path, log_path) = (directory.path(), directory.path().join(LOG));
        let log_lock = match orphan {
            Some(lock) => Some(lock),
            None => LogLock::take(directory)?,
        };
        match log_lock {
            Some(lock) => Ok(lock),
            // A slot is written only once the log has its name, durably. (Bytes that are no slot may be of a lock file
            // whose making a power loss cut short.)
            None if lock_file.slots().next().is_some() => {
                Err(Error::Copied { path: log_path, reason: "the lock file knows of a log that is not there" })
            }
            None if !self.options.create => {
                Err(Error::NotAStore { path: path.into(), reason: "there is no store.log" })
            }
            None => {
                create_log(storage, directory, lock_file, &self.options.keyring)?;
                report.created = true;
                LogLock::take_soon(storage, directory)?.ok_or(Error::LockReplaced { path: log_path })
            }
        }
    }
}

/// What an opener has gathered.
pub(super) struct Parts {
    pub(super) lock: Option<StoreLock>,
    pub(super) lock_file: LockFile,
    pub(super) tip: Tip,
    pub(super) shared: Shared,
    pub(super) appender: Appender,
    pub(super) report: OpenReport,
    pub(super) mode: Mode,
}

impl Engine {
    pub(super) fn assemble(
        options: &Options,
        storage: &Arc<dyn Storage>,
        directory: &Arc<dyn Directory>,
        parts: Parts,
    ) -> Self {
        let Parts { lock, lock_file, tip, shared, appender, report, mode } = parts;
        let leases = Leases::new(directory.clone(), tip.head.uuid);
        Self {
            storage: storage.clone(),
            directory: directory.clone(),
            keyring: Mutex::new(options.keyring.clone()),
            mode,
            read_mode: options.read_mode,
            lock_timeout: options.lock_timeout,
            policy: options.compaction,
            progress: options.progress.clone(),
            log_path: directory.path().join(LOG),
            report,
            lock,
            lock_file,
            queue: Queue::new(),
            compactor: Mutex::new(()),
            writer: Mutex::new(Writer { appender, poisoned: false, closed: false }),
            tip: Mutex::new(tip),
            shared: ShardedLock::new(shared),
            is_closed: AtomicBool::new(false),
            forks: fork::count(),
            housekeeper: Housekeeper::new(),
            refreshes: Refreshes::new(leases),
            meters: Meters::new(
                #[cfg(feature = "metrics")]
                directory.path(),
            ),
            next_expiry: Mutex::default(),
        }
    }

    /// Hands the engine over, with its housekeeper if it is to have one.
    pub(super) fn start(self, options: &Options) -> Result<Arc<Self>> {
        let engine = Arc::new(self);
        if options.background {
            engine.start_housekeeper()?;
        }
        Ok(engine)
    }
}

/// What is no store, or one of a later version, is left as it is: nothing is made beside it.
fn refuse_foreign(directory: &dyn Directory, keys: &Keyring) -> Result<()> {
    let Some(file) = directory.open_to_read(LOG)? else { return Ok(()) };
    match read_header(file.as_ref(), &directory.path().join(LOG), keys) {
        Err(error)
            if matches!(error.kind(), ErrorKind::Unsupported | ErrorKind::WrongKey | ErrorKind::NotEncrypted) =>
        {
            Err(error)
        }
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
    match LogLock::take(directory) {
        // Somebody has made both while we looked, and is to have the lock back at once.
        Ok(_) | Err(Error::LockReplaced { .. }) if has_lock_file()? => Ok(None),
        taken => taken,
    }
}

fn open_directory(options: &Options, storage: &dyn Storage, path: &Path) -> Result<Arc<dyn Directory>> {
    let create = options.create && !options.read_only;
    let directory = match storage.open_dir(path)? {
        Some(directory) => directory,
        None if !create => {
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
    if !is_store && !create {
        return Err(Error::NotAStore { path: path.into(), reason: "there is no store.log" });
    }
    // A directory that holds other things is not ours to shut; others can then list it, and open nothing of ours.
    if names.is_empty() {
        directory.make_private()?;
    }
    Ok(directory)
}

/// Makes an empty log. Under the open lock, so nobody else does.
fn create_log(storage: &dyn Storage, directory: &dyn Directory, lock_file: &LockFile, keys: &Keyring) -> Result<()> {
    let mut uuid = [0; 16];
    storage.random(&mut uuid)?;
    let now_ms = storage.now_ms();
    let head = keys.new_head(storage, directory.path(), FileHeader::plain(uuid, 1, 0, now_ms))?;
    let mut log = NewLog::start(storage, directory, &head, Counters::FIRST, now_ms)?;
    log.sync()?;
    log.seal(0)?;
    directory.sync_parent()?;
    // If the directory's sync fails, the name may be there and not durable: the next opener has to know.
    lock_file.page.set_sync_failed(true);
    log.rename(false)?;
    log.finish()?;
    lock_file.page.set_sync_failed(false);
    Ok(())
}
