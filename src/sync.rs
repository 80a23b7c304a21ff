//! The primitives by which threads of a process meet, in one place.
//!
//! The standard library's, which live in their own memory alone. `parking_lot` keeps its sleepers in a table of the
//! process, and a forked child inherits that with threads in it which it does not have: a lock of its own store may then
//! wake one of them for ever.
//!
//! Under `--cfg shuttle` they are shuttle's, so that `tests/schedules.rs` can try one order of the threads after another.
//! Shuttle has no time: whoever waits with a time limit then waits until it is told.

#[cfg(not(shuttle))]
use std::sync;
use std::sync::{PoisonError, TryLockError};
use std::time::Duration;

#[cfg(not(shuttle))]
pub(crate) use crossbeam_utils::sync::{ShardedLock, ShardedLockReadGuard};
#[cfg(shuttle)]
use shuttle::sync;
#[cfg(shuttle)]
pub(crate) use shuttle::{
    sync::{RwLock as ShardedLock, RwLockReadGuard as ShardedLockReadGuard},
    thread,
};
#[cfg(not(shuttle))]
pub(crate) use std::thread;

pub(crate) use sync::{MutexGuard, atomic};

/// A mutex that a panic does not poison: whoever panics while holding one marks what is left by other means.
#[derive(Default)]
pub(crate) struct Mutex<T>(sync::Mutex<T>);

impl<T> Mutex<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(sync::Mutex::new(value))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn get_mut(&mut self) -> &mut T {
        self.0.get_mut().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
        match self.0.try_lock() {
            Ok(guard) => Some(guard),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }
}

/// What to wait for while a mutex is let go.
#[derive(Default)]
pub(crate) struct Condvar(sync::Condvar);

impl Condvar {
    pub(crate) fn new() -> Self {
        Self(sync::Condvar::new())
    }

    /// May return early.
    pub(crate) fn wait<'a, T>(&self, guard: MutexGuard<'a, T>) -> MutexGuard<'a, T> {
        self.0.wait(guard).unwrap_or_else(PoisonError::into_inner)
    }

    /// The same, for at most this long.
    pub(crate) fn wait_for<'a, T>(&self, guard: MutexGuard<'a, T>, time: Duration) -> MutexGuard<'a, T> {
        self.0.wait_timeout(guard, time).unwrap_or_else(PoisonError::into_inner).0
    }

    pub(crate) fn notify_all(&self) {
        self.0.notify_all();
    }
}
