//! What a store does, one verb a file: open, read, commit, import, sweep, compact, back up; and what is done to a store that
//! nobody has open: verify, dump, salvage, adopt.
//!
//! Finds look at [`Shared`] under a sharded read lock, which is held for the look-up alone. Whoever writes has a
//! [`turn`] from planning to acknowledgement, and [`Shared`] exclusively only to show what is durable. ARCHITECTURE.md has
//! the order of all locks.

pub(crate) mod adopt;
pub(crate) mod attempt;
mod backoff;
pub(crate) mod backup;
mod build;
pub(crate) mod commit;
pub(crate) mod compact;
pub(crate) mod dump;
mod follow;
mod fresh;
mod head;
mod housekeeping;
pub(crate) mod import;
mod join;
mod lease;
mod lock_file;
mod locks;
mod look;
mod mark;
mod meters;
pub(crate) mod open;
mod page;
mod pinned;
pub(crate) mod plan;
mod policy;
mod purge;
mod queue;
pub(crate) mod read;
#[cfg(feature = "metrics")]
mod recorder;
mod recover;
mod redo;
pub(crate) mod refresh;
#[cfg(feature = "encryption")]
mod rekey;
mod replay;
mod rewrite;
pub(crate) mod salvage;
mod stats;
mod sweep;
mod tail_file;
mod turn;
mod unsaved;
pub(crate) mod verify;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use self::follow::Tip;
pub(crate) use self::head::Keyring;
use self::housekeeping::Housekeeper;
use self::lock_file::LockFile;
use self::locks::StoreLock;
use self::meters::Meters;
use self::pinned::Pinned;
use self::queue::Queue;
use self::refresh::Refreshes;
use self::replay::{Haste, Replayed, replay_durable};
use crate::error::{Error, ErrorKind, Result};
use crate::index::Index;
use crate::log::append::Appender;
use crate::options::{CompactionPolicy, ReadMode};
use crate::progress::Listener;
use crate::stats::OpenReport;
use crate::storage::{Directory, Storage, fork};
use crate::sync::atomic::{AtomicBool, Ordering};
use crate::sync::{Mutex, ShardedLock, ShardedLockReadGuard};

pub(crate) const LOG: &str = "store.log";
pub(crate) const LOG_NEW: &str = "store.log.new";
pub(crate) const LOCK: &str = "store.lock";
pub(crate) const LEASE: &str = "store.lease";

/// What a handle may do, and beside whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Shared,
    Exclusive,
    ReadOnly,
}

/// An open store.
pub(crate) struct Engine {
    storage: Arc<dyn Storage>,
    directory: Arc<dyn Directory>,
    keyring: Mutex<Keyring>,
    mode: Mode,
    read_mode: ReadMode,
    lock_timeout: Duration,
    policy: CompactionPolicy,
    progress: Listener,
    log_path: PathBuf,
    report: OpenReport,
    /// `None` for a handle that only reads, on a store without a lock file.
    lock: Option<StoreLock>,
    lock_file: LockFile,
    queue: Queue<commit::Call, commit::Answer>,
    /// One compaction at a time.
    compactor: Mutex<()>,
    writer: Mutex<Writer>,
    tip: Mutex<Tip>,
    shared: ShardedLock<Shared>,
    is_closed: AtomicBool,
    /// Of the process that opened it.
    forks: u64,
    housekeeper: Housekeeper,
    refreshes: Refreshes,
    meters: Meters,
    /// The version of what was shown, and the next expiry then.
    next_expiry: Mutex<Option<(u64, Option<u64>)>>,
}

/// What finds look at.
struct Shared {
    index: Index,
    source: Pinned,
    /// Of the page, when it said what this shows.
    version: u64,
    /// When the first record of this generation was replaced or deleted.
    dead_since_ms: Option<u64>,
    /// Why nothing can be found any more.
    ended: Option<Error>,
}

/// What only the one who writes touches.
struct Writer {
    appender: Appender,
    /// A write panicked. Refuses all but the compaction that mends it.
    poisoned: bool,
    closed: bool,
}

impl Engine {
    /// What finds look at, if this handle may be used and shows all that was published.
    #[inline]
    fn readable(&self) -> Result<ShardedLockReadGuard<'_, Shared>> {
        // Apart from the loop below: to hand on a result that has room for an error takes a sixth of a find.
        if self.is_own()
            && let Ok(shared) = self.shared.read()
            && shared.ended.is_none()
            && shared.version == self.lock_file.page.version()
        {
            return Ok(shared);
        }
        self.made_readable()
    }

    /// The same, whatever has to be done for it.
    #[cold]
    fn made_readable(&self) -> Result<ShardedLockReadGuard<'_, Shared>> {
        self.check_process()?;
        loop {
            match self.shared() {
                Ok(shared) if shared.version == self.lock_file.page.version() => return Ok(shared),
                Ok(shared) => {
                    drop(shared);
                    self.catch_up()?;
                }
                // An index that was lost to a read error, which may have passed.
                Err(error) if error.kind() != ErrorKind::Closed => self.heal()?,
                Err(error) => return Err(error),
            }
        }
    }

    /// The same, however old.
    fn shared(&self) -> Result<ShardedLockReadGuard<'_, Shared>> {
        // A panic while the index was being changed leaves it in no known state.
        let shared = self.shared.read().map_err(|_| Error::Poisoned { path: self.log_path.clone() })?;
        match &shared.ended {
            None => Ok(shared),
            Some(error) => Err(error.clone()),
        }
    }

    fn shared_version(&self) -> Result<u64> {
        let shared = self.shared.read().map_err(|_| Error::Poisoned { path: self.log_path.clone() })?;
        Ok(shared.version)
    }

    /// Builds the index anew if it is lost.
    fn heal(&self) -> Result<()> {
        if self.shared().is_ok() { Ok(()) } else { self.rebuild(&self.tip.lock()) }
    }

    /// Changes what finds see. `change` is short: finds wait for it.
    fn publish(&self, change: impl FnOnce(&mut Shared) -> Result<()>) -> Result<()> {
        let mut shared = self.shared.write().map_err(|_| Error::Poisoned { path: self.log_path.clone() })?;
        let changed = change(&mut shared);
        if let Err(error) = &changed {
            // The change is durable and cannot be shown: nothing may be found rather than the state before it.
            shared.ended = Some(error.clone());
        }
        if self.is_closed.load(Ordering::Acquire) {
            // Whoever was about to show something when the handle was closed opens nothing again.
            shared.ended = Some(Error::Closed);
        }
        changed
    }

    /// Builds the index anew from what is durable, after it could not be changed.
    fn rebuild(&self, tip: &Tip) -> Result<()> {
        if self.is_closed.load(Ordering::Acquire) {
            return Err(Error::Closed);
        }
        let replayed = replay_durable(&tip.file, &self.log_path, &tip.head, tip.end, self.read_mode, Haste::Waited)?;
        let Replayed { index, source, dead_since_ms, .. } = replayed;
        self.publish(|shared| {
            let version = shared.version;
            *shared = Shared { index, source: source.into(), version, dead_since_ms, ended: None };
            Ok(())
        })
    }

    /// What this handle opens logs with.
    fn keyring(&self) -> Keyring {
        self.keyring.lock().clone()
    }

    /// Whether this process is the one that opened the store.
    fn is_own(&self) -> bool {
        self.forks == fork::count()
    }

    fn check_process(&self) -> Result<()> {
        if self.is_own() { Ok(()) } else { Err(Error::Forked) }
    }

    /// Whether this handle may be used at all.
    fn check_usable(&self) -> Result<()> {
        self.check_process()?;
        if self.is_closed.load(Ordering::Acquire) { Err(Error::Closed) } else { Ok(()) }
    }

    /// The locks of a handle that may write.
    fn writing_lock(&self) -> Result<&StoreLock> {
        self.check_usable()?;
        match &self.lock {
            Some(lock) if self.mode != Mode::ReadOnly => Ok(lock),
            _ => Err(Error::ReadOnly { path: self.directory.path().into() }),
        }
    }

    /// The time by the clock on the wall, to a few milliseconds.
    pub(crate) fn about_now_ms(&self) -> u64 {
        self.storage.about_now_ms()
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    pub(crate) fn report(&self) -> &OpenReport {
        &self.report
    }

    /// Lets go of everything. Later calls fail with `Closed`; a second close does nothing.
    pub(crate) fn close(&self) -> Result<()> {
        if self.check_process().is_err() {
            // All of it is the parent's.
            return Ok(());
        }
        if self.check_usable().is_ok() {
            // The last chance of answers that could not be saved.
            self.save_unsaved();
        }
        self.is_closed.store(true, Ordering::Release);
        self.housekeeper.stop();
        self.refreshes.close();
        // Whoever compacts sees the mark and gives up; whoever writes comes to an end.
        let _compactor = self.compactor.lock();
        let mut writer = self.writer.lock();
        if std::mem::replace(&mut writer.closed, true) {
            return Ok(());
        }
        let synced = self.leave();
        if let Ok(mut shared) = self.shared.write() {
            shared.ended = Some(Error::Closed);
            shared.index.clear();
        }
        if let Some(lock) = &self.tip.lock().log_lock {
            lock.release();
        }
        if let Some(lock) = &self.lock {
            lock.release();
        }
        synced
    }

    /// The last one out makes the watermark durable. Nothing acknowledged depends on it.
    fn leave(&self) -> Result<()> {
        const DOOR_TIMEOUT: Duration = Duration::from_millis(100);
        let Some(lock) = self.lock.as_ref().filter(|_| self.mode != Mode::ReadOnly) else { return Ok(()) };
        if lock.wait_at_door(self.storage.as_ref(), DOOR_TIMEOUT).is_ok() && lock.be_alone()? {
            return self.lock_file.sync();
        }
        Ok(())
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        // Whoever wants to know whether it went well calls `close`.
        let _ = self.close();
    }
}
