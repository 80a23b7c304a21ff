//! Who may do what: bytes of `store.lock` and of the log that the kernel locks, and lets go when we die.
//!
//! A lock belongs to one opening of a file, and those openings are used for nothing else. Two threads of one handle are
//! the same opening, so they stand behind mutexes of the handle; two handles in one process are as two processes.
//!
//! Order: the door; presence; the compactor; the right to commit. The log's byte is only ever tried. ARCHITECTURE.md,
//! "Processes".

use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::page::SharedPage;
use super::{LOCK, LOG, mark};
use crate::error::{Error, Result};
use crate::storage::{Access, Directory, File, Lock, Storage};
use crate::sync::atomic::{AtomicU32, Ordering};

/// Of `store.lock`: the right to commit, for one frame.
const COMMIT: u64 = 0;
/// Of `store.lock`: the right to make a new generation.
const COMPACTOR: u64 = 1;
/// Of `store.lock`: held while the store is open for writing, shared or alone.
pub(super) const PRESENCE: u64 = 2;
/// Of `store.lock`: held while somebody opens or closes.
const DOOR: u64 = 3;
/// Of the log: held by whoever may write to this file.
const WRITERS: u64 = 0;

/// There is no waiting with a time limit for these locks.
pub(super) const POLL: Duration = Duration::from_millis(1);
/// Batches that a process commits in a row while another one waits.
const BATCHES_IN_A_ROW: u32 = 4;

/// The opening of `store.lock` that takes locks.
pub(crate) struct StoreLock {
    directory: Arc<dyn Directory>,
    file: Arc<dyn File>,
    path: PathBuf,
    /// Commits since this process last waited for another one.
    in_a_row: AtomicU32,
}

impl StoreLock {
    /// Stands in the door: nobody else opens or closes meanwhile. Makes the lock file if there is none.
    pub(crate) fn take_door(storage: &dyn Storage, directory: &Arc<dyn Directory>, timeout: Duration) -> Result<Self> {
        let start = storage.clock();
        loop {
            let (file, path) = (open_or_create(directory.as_ref())?, directory.path().join(LOCK));
            let lock = Self { directory: directory.clone(), file, path, in_a_row: AtomicU32::new(0) };
            lock.wait_for(storage, DOOR, Lock::Exclusive, (start, timeout), || Ok(()))?;
            // Somebody may have put another lock file there while we waited for the old one.
            if lock.directory.is_current(LOCK, lock.file.as_ref())? {
                return Ok(lock);
            }
            if storage.clock().saturating_sub(start) >= timeout {
                return Err(Error::LockReplaced { path: lock.path });
            }
        }
    }

    /// The same for a handle that only reads, beside others who do; `None` if there is no lock file.
    pub(crate) fn take_door_to_read(
        storage: &dyn Storage,
        directory: &Arc<dyn Directory>,
        timeout: Duration,
    ) -> Result<Option<Self>> {
        let Some(file) = directory.open_to_lock(LOCK, Access::Read)? else { return Ok(None) };
        let path = directory.path().join(LOCK);
        let lock = Self { directory: directory.clone(), file, path, in_a_row: AtomicU32::new(0) };
        lock.wait_for(storage, DOOR, Lock::Shared, (storage.clock(), timeout), || Ok(()))?;
        Ok(Some(lock))
    }

    /// Stands in the door once more, to leave.
    pub(crate) fn wait_at_door(&self, storage: &dyn Storage, timeout: Duration) -> Result<()> {
        self.wait_for(storage, DOOR, Lock::Exclusive, (storage.clock(), timeout), || Ok(()))
    }

    pub(crate) fn leave_door(&self) {
        self.unlock(DOOR);
    }

    /// Whether nobody else has the store open for writing; then nobody comes in.
    pub(crate) fn be_alone(&self) -> Result<bool> {
        self.try_lock(PRESENCE, Lock::Exclusive)
    }

    /// Comes in beside others, or lets others come in; `false` if somebody keeps the store to itself.
    pub(crate) fn be_present(&self) -> Result<bool> {
        self.try_lock(PRESENCE, Lock::Shared)
    }

    /// Whether somebody else has the store open for writing. Asks, and takes nothing.
    pub(crate) fn is_anybody_present(&self) -> Result<bool> {
        self.is_held_by_others(PRESENCE..PRESENCE + 1)
    }

    /// Whether anybody, in this process too, has a log open that is of an earlier generation.
    pub(crate) fn is_earlier_open(&self, generation: u64) -> Result<bool> {
        self.is_held_by_others(mark::before(generation))
    }

    fn is_held_by_others(&self, bytes: Range<u64>) -> Result<bool> {
        self.file.is_locked(bytes).map_err(|error| Error::io("ask for the lock of", &self.path, error))
    }

    /// Makes another process's writers wait. Under the handle's own mutex of writers. The time limit counts from `start`;
    /// `go_on` is asked before each wait, and an error ends them.
    pub(crate) fn take_commit(
        &self,
        storage: &dyn Storage,
        page: &SharedPage,
        start: Duration,
        timeout: Duration,
        go_on: impl Fn() -> Result<()>,
    ) -> Result<()> {
        let contended = page.is_waited_for(storage.now_ms());
        if contended && self.in_a_row.load(Ordering::Relaxed) >= BATCHES_IN_A_ROW {
            // Whoever has waited longer would else meet us again and again, for we need not be woken.
            page.await_grant(page.grants(), POLL.min(timeout));
            self.in_a_row.store(0, Ordering::Relaxed);
        }
        loop {
            let releases = page.releases();
            if self.try_lock(COMMIT, Lock::Exclusive)? {
                page.granted(contended);
                self.in_a_row.fetch_add(1, Ordering::Relaxed);
                return Ok(());
            }
            self.in_a_row.store(0, Ordering::Relaxed);
            go_on()?;
            let waited = storage.clock().saturating_sub(start);
            if waited >= timeout {
                return Err(Error::Busy { path: self.path.clone(), waited });
            }
            page.await_release(releases, storage.now_ms(), POLL);
        }
    }

    pub(crate) fn release_commit(&self, storage: &dyn Storage, page: &SharedPage) {
        let contended = page.is_waited_for(storage.now_ms());
        page.releasing();
        self.unlock(COMMIT);
        if contended {
            page.wake_waiters();
        }
    }

    /// Keeps other processes from making a new generation. Under the handle's own mutex of compactors. `go_on` as above.
    pub(crate) fn take_compactor(
        &self,
        storage: &dyn Storage,
        timeout: Duration,
        go_on: impl Fn() -> Result<()>,
    ) -> Result<()> {
        self.wait_for(storage, COMPACTOR, Lock::Exclusive, (storage.clock(), timeout), go_on)
    }

    pub(crate) fn release_compactor(&self) {
        self.unlock(COMPACTOR);
    }

    /// Whether the lock file still is the one that was opened.
    pub(crate) fn check_current(&self) -> Result<()> {
        check_current(self.directory.as_ref(), LOCK, self.file.as_ref())
    }

    pub(crate) fn file(&self) -> &dyn File {
        self.file.as_ref()
    }

    /// Lets go of everything.
    pub(crate) fn release(&self) {
        for byte in [COMMIT, COMPACTOR, PRESENCE, DOOR] {
            self.unlock(byte);
        }
    }

    /// The time limit counts from the moment beside it; `go_on` as above.
    fn wait_for(
        &self,
        storage: &dyn Storage,
        byte: u64,
        lock: Lock,
        (start, timeout): (Duration, Duration),
        go_on: impl Fn() -> Result<()>,
    ) -> Result<()> {
        while !self.try_lock(byte, lock)? {
            go_on()?;
            let waited = storage.clock().saturating_sub(start);
            if waited >= timeout {
                return Err(Error::Busy { path: self.path.clone(), waited });
            }
            storage.sleep(POLL);
        }
        Ok(())
    }

    fn try_lock(&self, byte: u64, lock: Lock) -> Result<bool> {
        try_lock(self.directory.as_ref(), LOCK, self.file.as_ref(), byte, lock)
    }

    fn unlock(&self, byte: u64) {
        // What cannot be unlocked is let go with the file.
        let _ = self.file.try_lock(byte, Lock::Unlocked);
    }
}

fn open_or_create(directory: &dyn Directory) -> Result<Arc<dyn File>> {
    if let Some(file) = directory.open_to_lock(LOCK, Access::Write)? {
        return Ok(file);
    }
    match directory.create_to_lock(LOCK) {
        Ok(file) => Ok(file),
        // Somebody else was faster, or it is something that cannot be opened; opening again tells which.
        Err(error) => directory.open_to_lock(LOCK, Access::Write)?.ok_or(error),
    }
}

/// The right to write to one log file: shows that nobody lost the lock file under a live handle.
pub(crate) struct LogLock {
    file: Arc<dyn File>,
}

impl LogLock {
    /// Takes it alone; refused, somebody still has this log open who holds another lock file. `None` if there is no log.
    pub(crate) fn take(directory: &dyn Directory) -> Result<Option<Self>> {
        Self::take_as(directory, LOG, Lock::Exclusive)
    }

    /// The same for whoever has just made the log, and may meet somebody who looks whether it is in use.
    pub(crate) fn take_soon(storage: &dyn Storage, directory: &dyn Directory) -> Result<Option<Self>> {
        const TRIES: u32 = 100;
        for _ in 0..TRIES {
            match Self::take(directory) {
                Err(Error::LockReplaced { .. }) => storage.sleep(POLL),
                taken => return taken,
            }
        }
        Self::take(directory)
    }

    /// Takes it with others.
    pub(crate) fn join(directory: &dyn Directory, name: &str) -> Result<Option<Self>> {
        Self::take_as(directory, name, Lock::Shared)
    }

    fn take_as(directory: &dyn Directory, name: &str, lock: Lock) -> Result<Option<Self>> {
        let Some(file) = directory.open_to_lock(name, Access::Write)? else { return Ok(None) };
        if !try_lock(directory, name, file.as_ref(), WRITERS, lock)? {
            return Err(Error::LockReplaced { path: directory.path().join(LOCK) });
        }
        Ok(Some(Self { file }))
    }

    /// As it is held while the store is open.
    pub(crate) fn share(&self, directory: &dyn Directory) -> Result<()> {
        try_lock(directory, LOG, self.file.as_ref(), WRITERS, Lock::Shared).map(drop)
    }

    pub(crate) fn check_current(&self, directory: &dyn Directory) -> Result<()> {
        check_current(directory, LOG, self.file.as_ref())
    }

    pub(crate) fn is_of(&self, file: &dyn File) -> bool {
        self.file.identity() == file.identity()
    }

    pub(crate) fn release(&self) {
        // What cannot be unlocked is let go with the file.
        let _ = self.file.try_lock(WRITERS, Lock::Unlocked);
    }
}

pub(super) fn open(directory: &dyn Directory, name: &str, access: Access) -> Result<Option<Arc<dyn File>>> {
    match access {
        Access::Write => directory.open(name),
        Access::Read => directory.open_to_read(name),
    }
}

fn check_current(directory: &dyn Directory, name: &str, file: &dyn File) -> Result<()> {
    if directory.is_current(name, file)? {
        return Ok(());
    }
    Err(Error::LockReplaced { path: directory.path().join(name) })
}

fn try_lock(directory: &dyn Directory, name: &str, file: &dyn File, byte: u64, lock: Lock) -> Result<bool> {
    file.try_lock(byte, lock).map_err(|error| Error::io("lock", directory.path().join(name), error))
}
