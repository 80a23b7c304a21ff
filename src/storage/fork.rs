//! What a forked child does with inherited locks: it lets go of them at once, and the parent keeps them.
//!
//! A lock ends with the last descriptor of its opening, and a fork copies every descriptor. Without this a child that
//! never looks at the store would keep its dead parent's locks. The child closes and never unlocks: an unlock is of the
//! opening, so it would be the parent's.
//!
//! The child does so right after the fork, which may be a moment after the parent goes on: there, only an explicit unlock
//! frees a byte at once; dropping the file may leave it locked for that moment.
//!
//! Covers what goes through the C library's `fork`. A raw `clone` and, on Linux, `vfork` and `posix_spawn` do not run the
//! hook; descriptors then go with the exec (they are close-on-exec). A fork by another thread while the first opening of the
//! process installs the hook may miss it.

#![expect(unsafe_code, reason = "the C library calls the hook, and the lock is handed from one part of it to the next")]

use std::cell::UnsafeCell;
use std::io;
use std::mem::ManuallyDrop;
use std::os::fd::RawFd;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use super::file::DiskFile;
use super::{File, Identity};
use crate::error::{Error, Result};

/// Descriptors that take locks. Who opens or closes one holds this, so that no fork comes between.
///
/// Not a lock of `parking_lot`: its unlock may ask a process-wide table for sleepers, and in the child that table may be
/// locked for good by a thread that is not there.
static DESCRIPTORS: Mutex<Vec<RawFd>> = Mutex::new(Vec::new());

static FORKS: AtomicU64 = AtomicU64::new(0);

/// How many forks lie between this process and the ancestor that first used the library.
#[inline]
#[must_use]
pub fn count() -> u64 {
    FORKS.load(Ordering::Relaxed)
}

/// A file that takes locks, known to the hook until it is dropped.
#[derive(Debug)]
pub(super) struct Registered {
    file: ManuallyDrop<DiskFile>,
    opened_at_count: u64,
}

impl Registered {
    /// Registers what `open` opens, in one step for every fork.
    pub(super) fn open(path: &Path, open: impl FnOnce() -> Result<Option<DiskFile>>) -> Result<Option<Self>> {
        install().map_err(|error| Error::io("install the fork hook for", path, error))?;
        let mut descriptors = descriptors();
        let Some(file) = open()? else { return Ok(None) };
        descriptors.push(file.descriptor());
        Ok(Some(Self { file: ManuallyDrop::new(file), opened_at_count: count() }))
    }

    /// The file.
    ///
    /// # Errors
    /// In a child that inherited it: the descriptor's number may be somebody else's by now.
    pub(super) fn get(&self) -> io::Result<&DiskFile> {
        if self.opened_at_count == count() {
            Ok(&self.file)
        } else {
            Err(io::Error::other("opened by an ancestor of this process"))
        }
    }

    /// Known without asking the system, so also in a child.
    pub(super) fn identity(&self) -> Identity {
        self.file.identity()
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        let mut descriptors = descriptors();
        if self.opened_at_count != count() {
            // The hook has closed it.
            return;
        }
        let ours = self.file.descriptor();
        descriptors.retain(|descriptor| *descriptor != ours);
        // SAFETY: dropped nowhere else, and not used after this.
        unsafe { ManuallyDrop::drop(&mut self.file) };
    }
}

fn descriptors() -> MutexGuard<'static, Vec<RawFd>> {
    DESCRIPTORS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The lock of `DESCRIPTORS` on its way through a fork, from `prepare` to `parent` and, in the child's copy, to `child`.
struct Passing(UnsafeCell<Option<MutexGuard<'static, Vec<RawFd>>>>);

// SAFETY: only who holds the lock of `DESCRIPTORS` touches it: `prepare` after locking, `parent` and `child` before they
// unlock. These run on the one thread that forks, so the guard never changes threads.
unsafe impl Sync for Passing {}

static PASSING: Passing = Passing(UnsafeCell::new(None));

fn install() -> io::Result<()> {
    static INSTALLED: OnceLock<i32> = OnceLock::new();
    // SAFETY: plain functions that live as long as this code, which removes them if it is unloaded.
    let install = || unsafe { libc::pthread_atfork(Some(prepare), Some(parent), Some(child)) };
    match *INSTALLED.get_or_init(install) {
        0 => Ok(()),
        errno => Err(io::Error::from_raw_os_error(errno)),
    }
}

extern "C" fn prepare() {
    let descriptors = descriptors();
    // SAFETY: the lock is held; see `Passing`.
    unsafe { *PASSING.0.get() = Some(descriptors) };
}

extern "C" fn parent() {
    // SAFETY: `prepare` on this thread holds the lock; see `Passing`.
    drop(unsafe { (*PASSING.0.get()).take() });
}

/// Allocates nothing and waits for nothing: other threads may have held any lock at the fork.
extern "C" fn child() {
    FORKS.fetch_add(1, Ordering::Relaxed);
    // SAFETY: `prepare` on the thread that this one is the copy of holds the lock; see `Passing`.
    let descriptors = unsafe { (*PASSING.0.get()).take() };
    if let Some(mut descriptors) = descriptors {
        for descriptor in descriptors.drain(..) {
            // SAFETY: a registered descriptor is open and belongs to a `Registered`, which does not touch it any more,
            // now that the count has changed.
            unsafe { libc::close(descriptor) };
        }
    }
}
