//! The primitives by which threads of a process meet, in one place.

pub(crate) use crossbeam_utils::sync::{ShardedLock, ShardedLockReadGuard};
pub(crate) use parking_lot::{Condvar, Mutex, MutexGuard};
