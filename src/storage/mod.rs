//! The only door to the operating system: open, read, map, write at, sync, rename, remove, lock, shared page.
//!
//! The traits say what the store relies on; [`disk`] is the real thing, and simulated ones live with the tests.
//! Nothing above this layer touches a file, reads a clock or asks for randomness.
//!
//! Relied on: a sync that returned success is durable; a write changes no byte outside its range; a rename within a
//! directory is atomic; a map sees what a write wrote. Nothing else: no order among unsynced writes, no durability of
//! a name before its directory is synced.

#![cfg_attr(
    not(feature = "internals"),
    allow(unreachable_pub, dead_code, reason = "public to the tests and fuzz targets through the `internals` feature")
)]

pub(crate) mod altered;
pub mod disk;
mod file;
pub mod fork;
mod lock;
mod map;
mod network;
mod page;
mod parents;
#[cfg(feature = "encryption")]
pub(crate) mod secret_file;

use std::fmt::Debug;
use std::io;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

pub use map::Map;

use crate::error::Result;

/// A machine: its directories, its clock, its randomness.
pub trait Storage: Debug + Send + Sync {
    /// The directory at `path`, or `None` if there is nothing.
    ///
    /// # Errors
    /// `Insecure` if others may write to it; `NotAStore` if it is no directory.
    fn open_dir(&self, path: &Path) -> Result<Option<Arc<dyn Directory>>>;

    /// Makes the directory, for the owner alone, and syncs its parent.
    ///
    /// # Errors
    /// If it exists, or its parent does not.
    fn create_dir(&self, path: &Path) -> Result<Arc<dyn Directory>>;

    /// Removes an empty directory.
    ///
    /// # Errors
    /// If it is not empty.
    fn remove_dir(&self, path: &Path) -> Result<()>;

    /// Whether `path`, which may be missing, would lie inside a directory, or is it.
    fn is_inside(&self, path: &Path, directory: &Path) -> bool {
        path.starts_with(directory)
    }

    /// Milliseconds since 1970. May step back.
    fn now_ms(&self) -> u64;

    /// The same to a few milliseconds, late rather than early, for whoever asks at every find.
    fn about_now_ms(&self) -> u64 {
        self.now_ms()
    }

    /// Time since some moment, for time limits. Never steps back.
    fn clock(&self) -> Duration;

    /// Lets others run for about this long.
    fn sleep(&self, time: Duration);

    /// Fills `bytes` from the system's randomness.
    ///
    /// # Errors
    /// If the system has none.
    fn random(&self, bytes: &mut [u8]) -> Result<()>;
}

/// An open directory. Errors name the path.
pub trait Directory: Debug + Send + Sync {
    /// Where it is.
    fn path(&self) -> &Path;

    /// Opens a file for reading and writing, without following links; `None` if there is none.
    ///
    /// # Errors
    /// `Insecure` if it is no plain file that only its owner, who is us, can read.
    fn open(&self, name: &str) -> Result<Option<Arc<dyn File>>>;

    /// The same, for reading only.
    ///
    /// # Errors
    /// The same.
    fn open_to_read(&self, name: &str) -> Result<Option<Arc<dyn File>>>;

    /// An opening for taking locks, which is never mapped: a child that is forked off lets go of it at once, so that our
    /// locks end with us ([`fork`]). There all of its methods fail.
    ///
    /// # Errors
    /// The same.
    fn open_to_lock(&self, name: &str, access: Access) -> Result<Option<Arc<dyn File>>>;

    /// Makes such a file, which must not exist.
    ///
    /// # Errors
    /// If it exists.
    fn create_to_lock(&self, name: &str) -> Result<Arc<dyn File>>;

    /// What kind of network or user-space file system it lies on, if it does: locks or maps may not work there.
    ///
    /// # Errors
    /// If the system will not tell.
    fn network_kind(&self) -> Result<Option<&'static str>>;

    /// Makes a file that must not exist, readable by its owner alone from the start.
    ///
    /// # Errors
    /// If it exists.
    fn create(&self, name: &str) -> Result<Arc<dyn File>>;

    /// Whether `name` still is this very file.
    ///
    /// # Errors
    /// If the system will not tell.
    fn is_current(&self, name: &str, file: &dyn File) -> Result<bool>;

    /// Renames a file. With `replace` unset an existing `to` is an error.
    ///
    /// # Errors
    /// The system's.
    fn rename(&self, from: &str, to: &str, replace: bool) -> Result<()>;

    /// Removes a file; returns whether there was one.
    ///
    /// # Errors
    /// The system's.
    fn remove(&self, name: &str) -> Result<bool>;

    /// Names of everything in it.
    ///
    /// # Errors
    /// The system's.
    fn list(&self) -> Result<Vec<String>>;

    /// Makes names durable: creations, renames and removals before this survive a power loss.
    ///
    /// # Errors
    /// The system's.
    fn sync(&self) -> Result<()>;

    /// The same for the directory that holds this one.
    ///
    /// # Errors
    /// The system's.
    fn sync_parent(&self) -> Result<()>;

    /// Shuts everyone but the owner out.
    ///
    /// # Errors
    /// The system's.
    fn make_private(&self) -> Result<()>;
}

/// What a file is opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Reading.
    Read,
    /// Reading and writing. Exclusive locks need it.
    Write,
}

/// How a byte of a file is locked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lock {
    /// With others.
    Shared,
    /// Alone.
    Exclusive,
    /// Not any more.
    Unlocked,
}

/// An open file. Several threads may use it at once.
pub trait File: Debug + Send + Sync {
    /// Its length in bytes.
    ///
    /// # Errors
    /// The system's.
    fn file_len(&self) -> io::Result<u64>;

    /// Reads at `offset` until `buffer` is full or the file ends; returns how much was read.
    ///
    /// # Errors
    /// The system's.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;

    /// Writes all of `bytes` at `offset`.
    ///
    /// # Errors
    /// The system's; any part of the range may then have been written.
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;

    /// Makes the content and the length durable.
    ///
    /// # Errors
    /// The system's; a later success says nothing of what this one should have written.
    fn sync(&self) -> io::Result<()>;

    /// Maps the first `len` bytes, which may be more than there are; `None` if this storage has no maps.
    ///
    /// # Errors
    /// The system's.
    fn map(&self, len: u64) -> io::Result<Option<Map>>;

    /// Changes the lock of one byte, without waiting; returns whether it was granted. Locks belong to this opening of
    /// the file: another opening in the same process is somebody else. They end with it. To let go of a lock always works.
    ///
    /// # Errors
    /// The system's.
    fn try_lock(&self, byte: u64, lock: Lock) -> io::Result<bool>;

    /// Whether another opening holds a lock of one of these bytes, of either kind. Asks, and takes none.
    ///
    /// # Errors
    /// The system's.
    fn is_locked(&self, bytes: Range<u64>) -> io::Result<bool>;

    /// Maps the first `len` bytes as numbers shared with every other process that does. For reading alone, nothing may be
    /// stored.
    ///
    /// # Errors
    /// The system's.
    fn page(&self, len: usize, access: Access) -> io::Result<Arc<dyn Page>>;

    /// What tells this file from every other one while it is open.
    fn identity(&self) -> Identity;
}

/// Device and inode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The device.
    pub device: u64,
    /// The inode on it.
    pub inode: u64,
}

/// Memory shared between processes: little-endian numbers of eight bytes.
pub trait Page: Debug + Send + Sync {
    /// The number at this place, with everything that was stored before it.
    fn load(&self, word: usize) -> u64;

    /// Stores a number, after everything that was stored before.
    fn store(&self, word: usize, value: u64);

    /// Sleeps until somebody wakes whoever waits for this number, for at most `time`; not at all if its lower half is no
    /// longer `expected`. May return early. Not for a page that is only read.
    fn wait(&self, word: usize, expected: u32, time: Duration);

    /// Wakes everybody who waits for this number.
    fn wake(&self, word: usize);
}
