//! Who may open: bytes of `store.lock` and of the log that the kernel locks, and lets go when we die.
//!
//! A lock belongs to one opening of a file; those openings are used for nothing else.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use super::{LOCK, LOG};
use crate::error::{Error, Result};
use crate::storage::{Directory, File, Lock};

/// Of `store.lock`: held while the store is open, shared or alone.
pub(super) const PRESENCE: u64 = 2;
/// Of `store.lock`: held while somebody opens or closes.
const OPEN_CLOSE: u64 = 3;
/// Of the log: held by whoever may write to this file.
const WRITERS: u64 = 0;
/// Of the log: held by whoever reads or maps this file.
const READERS: u64 = 1;

const POLL: Duration = Duration::from_millis(1);

/// The right to have the store open, alone.
#[derive(Debug)]
pub(crate) struct OpenLock {
    file: Arc<dyn File>,
}

impl OpenLock {
    /// Takes it, making the lock file if there is none.
    ///
    /// Waits for somebody who is opening or closing, but not for somebody who has the store open: that is `Locked`.
    pub(crate) fn take(directory: &dyn Directory, timeout: Duration) -> Result<Self> {
        // No deadline if the clock does not reach so far.
        let deadline = Instant::now().checked_add(timeout);
        let over = || deadline.is_some_and(|deadline| Instant::now() >= deadline);
        loop {
            let file = open_or_create(directory)?;
            let locked = || Error::Locked { path: directory.path().join(LOCK) };
            while !try_lock(directory, LOCK, file.as_ref(), OPEN_CLOSE, Lock::Exclusive)? {
                if over() {
                    return Err(locked());
                }
                // There is no waiting with a time limit for these locks.
                thread::sleep(POLL);
            }
            // Somebody may have put another lock file there while we waited for the old one.
            if directory.is_current(LOCK, file.as_ref())? {
                if !try_lock(directory, LOCK, file.as_ref(), PRESENCE, Lock::Exclusive)? {
                    return Err(locked());
                }
                return Ok(Self { file });
            }
            if over() {
                return Err(Error::LockReplaced { path: directory.path().join(LOCK) });
            }
        }
    }

    /// Opening is over.
    pub(crate) fn opened(&self, directory: &dyn Directory) -> Result<()> {
        try_lock(directory, LOCK, self.file.as_ref(), OPEN_CLOSE, Lock::Unlocked).map(drop)
    }

    pub(crate) fn file(&self) -> &dyn File {
        self.file.as_ref()
    }

    pub(crate) fn check_current(&self, directory: &dyn Directory) -> Result<()> {
        check_current(directory, LOCK, self.file.as_ref())
    }

    /// Lets others open.
    pub(crate) fn release(self) {
        // What cannot be unlocked is let go with the file.
        let _ = self.file.try_lock(PRESENCE, Lock::Unlocked);
    }
}

fn open_or_create(directory: &dyn Directory) -> Result<Arc<dyn File>> {
    if let Some(file) = directory.open(LOCK)? {
        return Ok(file);
    }
    match directory.create(LOCK) {
        Ok(file) => Ok(file),
        // Somebody else was faster, or it is something that cannot be opened; opening again tells which.
        Err(error) => directory.open(LOCK)?.ok_or(error),
    }
}

/// The right to write to one log file: shows that nobody lost the lock file under a live handle.
#[derive(Debug)]
pub(crate) struct LogLock {
    file: Arc<dyn File>,
}

impl LogLock {
    /// Takes it alone; refused, somebody still has this log open who holds another lock file.
    pub(crate) fn take(directory: &dyn Directory, name: &str) -> Result<Option<Self>> {
        let Some(file) = directory.open(name)? else { return Ok(None) };
        for (byte, lock) in [(WRITERS, Lock::Exclusive), (READERS, Lock::Shared)] {
            if !try_lock(directory, name, file.as_ref(), byte, lock)? {
                return Err(Error::LockReplaced { path: directory.path().join(LOCK) });
            }
        }
        Ok(Some(Self { file }))
    }

    /// The same for whoever has just made the log, and may meet somebody who looks whether it is in use.
    pub(crate) fn take_soon(directory: &dyn Directory, name: &str) -> Result<Option<Self>> {
        const TRIES: u32 = 100;
        for _ in 0..TRIES {
            match Self::take(directory, name) {
                Err(Error::LockReplaced { .. }) => thread::sleep(POLL),
                taken => return taken,
            }
        }
        Self::take(directory, name)
    }

    /// As it is held while the store is open.
    pub(crate) fn share(&self, directory: &dyn Directory, name: &str) -> Result<()> {
        try_lock(directory, name, self.file.as_ref(), WRITERS, Lock::Shared).map(drop)
    }

    pub(crate) fn check_current(&self, directory: &dyn Directory) -> Result<()> {
        check_current(directory, LOG, self.file.as_ref())
    }

    pub(crate) fn release(&self) {
        for byte in [WRITERS, READERS] {
            // What cannot be unlocked is let go with the file.
            let _ = self.file.try_lock(byte, Lock::Unlocked);
        }
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
