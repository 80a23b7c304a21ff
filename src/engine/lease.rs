//! Leases: of all threads of all processes, one at a time may refresh a row.
//!
//! A lease is a byte of `store.lease` that the kernel locks, and lets go when its process dies: no time limits, nothing
//! stale. Threads of one handle share the opening that locks, so they first agree among themselves, by the byte and not by
//! the row: two rows of one byte would else let go of each other's lock.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use super::LEASE;
use crate::error::{Error, Result};
use crate::storage::{Access, Directory, File, Lock};
use crate::sync::{Condvar, Mutex};

/// The first byte that is somebody's; bytes below are for other uses.
const FIRST: u64 = 1 << 32;
/// Behind the first one. The kernel counts bytes in 63 bits.
const BYTE_BITS: u32 = 62;

/// All leases of a handle.
pub(crate) struct Leases {
    directory: Arc<dyn Directory>,
    uuid: [u8; 16],
    /// Opened when the first lease is asked for.
    file: Mutex<Option<Arc<dyn File>>>,
    ours: Mutex<Ours>,
    freed: Condvar,
    #[cfg(feature = "tokio")]
    freed_async: tokio::sync::Notify,
}

#[derive(Default)]
struct Ours {
    /// Bytes that some thread of this handle has, or waits for at the kernel's.
    bytes: BTreeSet<u64>,
    /// Bumped whenever one is let go.
    epoch: u64,
}

/// The right to wait for a lease at the kernel's, before all other threads of this handle.
pub(super) struct Claim {
    leases: Arc<Leases>,
    byte: u64,
}

/// A lease.
pub(super) struct Lease {
    claim: Claim,
    file: Arc<dyn File>,
}

/// FNV-1a: every process, of whatever version, has to come to the same.
fn hash(parts: &[&[u8]]) -> u64 {
    const START: u64 = 0xCBF2_9CE4_8422_2325;
    const PRIME: u64 = 0x0000_0100_0000_01B3;
    parts.iter().copied().flatten().fold(START, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(PRIME))
}

impl Leases {
    pub(super) fn new(directory: Arc<dyn Directory>, uuid: [u8; 16]) -> Self {
        Self {
            directory,
            uuid,
            file: Mutex::new(None),
            ours: Mutex::default(),
            freed: Condvar::new(),
            #[cfg(feature = "tokio")]
            freed_async: tokio::sync::Notify::new(),
        }
    }

    /// The byte of a row.
    pub(super) fn byte(&self, id: &str) -> u64 {
        FIRST + (hash(&[&self.uuid, id.as_bytes()]) & ((1 << BYTE_BITS) - 1))
    }

    /// What a row's back-off goes by.
    pub(super) fn hash_at_revision(&self, id: &str, revision: u64) -> u64 {
        hash(&[&self.uuid, id.as_bytes(), &revision.to_le_bytes()])
    }

    /// What [`wait`](Self::wait) compares with. Asked for before looking whether there is anything to wait for.
    pub(super) fn epoch(&self) -> u64 {
        self.ours.lock().epoch
    }

    /// `None` if another thread of this handle has it.
    pub(super) fn claim(self: &Arc<Self>, byte: u64) -> Option<Claim> {
        let is_free = self.ours.lock().bytes.insert(byte);
        is_free.then(|| Claim { leases: self.clone(), byte })
    }

    /// The lease of a row, if it can be had without waiting.
    pub(super) fn try_lease(self: &Arc<Self>, id: &str) -> Result<Option<Lease>> {
        self.claim(self.byte(id)).map_or(Ok(None), |claim| claim.try_lease().map(std::result::Result::ok))
    }

    /// Something has changed for whoever waits.
    pub(super) fn wake(&self) {
        self.ours.lock().epoch += 1;
        self.freed.notify_all();
        #[cfg(feature = "tokio")]
        self.freed_async.notify_waiters();
    }

    /// Waits until a thread of this handle has let go of something since `epoch`, for at most `time`.
    pub(super) fn wait(&self, epoch: u64, time: Duration) {
        let ours = self.ours.lock();
        if ours.epoch == epoch {
            drop(self.freed.wait_for(ours, time));
        }
    }

    /// Ends with the next letting go, from now on.
    #[cfg(feature = "tokio")]
    pub(crate) fn freed(&self) -> tokio::sync::futures::Notified<'_> {
        self.freed_async.notified()
    }

    fn file(&self) -> Result<Arc<dyn File>> {
        let mut file = self.file.lock();
        if let Some(file) = file.as_ref() {
            return Ok(file.clone());
        }
        let opened = open_or_create(self.directory.as_ref())?;
        *file = Some(opened.clone());
        Ok(opened)
    }
}

impl Claim {
    /// Asks the kernel once; gives the claim back if another process has the lease.
    pub(super) fn try_lease(self) -> Result<std::result::Result<Lease, Self>> {
        let leases = &self.leases;
        let (file, path) = (leases.file()?, || leases.directory.path().join(LEASE));
        let granted = file.try_lock(self.byte, Lock::Exclusive).map_err(|error| Error::io("lock", path(), error))?;
        if !granted {
            return Ok(Err(self));
        }
        let is_current = leases.directory.is_current(LEASE, file.as_ref());
        let lease = Lease { claim: self, file };
        // Whoever opens the store now would lock another file.
        match is_current {
            Ok(true) => Ok(Ok(lease)),
            Ok(false) => Err(Error::LockReplaced { path: lease.claim.leases.directory.path().join(LEASE) }),
            Err(error) => Err(error),
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        // What cannot be unlocked is let go with the file.
        let _ = self.file.try_lock(self.claim.byte, Lock::Unlocked);
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.leases.ours.lock().bytes.remove(&self.byte);
        self.leases.wake();
    }
}

fn open_or_create(directory: &dyn Directory) -> Result<Arc<dyn File>> {
    if let Some(file) = directory.open_to_lock(LEASE, Access::Write)? {
        return Ok(file);
    }
    match directory.create_to_lock(LEASE) {
        Ok(file) => Ok(file),
        // Somebody else was faster, or it is something that cannot be opened; opening again tells which.
        Err(error) => directory.open_to_lock(LEASE, Access::Write)?.ok_or(error),
    }
}
