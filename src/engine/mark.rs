//! Which generations somebody has open, so that a purge knows for whom to wait, also if it was made two moves ago.
//!
//! A byte of `store.lock` stands for each generation. Whoever reads or maps a log of it holds that byte, on an opening of its
//! own, which goes when the log's does.

use std::io;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use super::{LOCK, LOG};
use crate::error::{Error, Result};
use crate::storage::{Access, Directory, File, Identity, Lock, Map, Page};

/// Of `store.lock`: the bytes from here on, one for each generation.
const MARKS: u64 = 1 << 61;

/// The marks of all generations before this one.
pub(super) fn before(generation: u64) -> Range<u64> {
    MARKS..MARKS.saturating_add(generation)
}

/// The same file, marked as one of this generation until nobody has it any more. Where there is no `store.lock` yet,
/// nobody makes another generation.
pub(super) fn mark(directory: &dyn Directory, file: Arc<dyn File>, generation: u64) -> Result<Arc<dyn File>> {
    // Not one that a fork closes: what is mapped here, a child has mapped, too.
    let Some(mark) = directory.open_to_read(LOCK)? else { return Ok(file) };
    let path = || directory.path().join(LOCK);
    let granted = mark.try_lock(MARKS.saturating_add(generation), Lock::Shared);
    if !granted.map_err(|error| Error::io("lock", path(), error))? {
        // Nobody of ours takes one for itself alone; without it, a purge would not wait for this file.
        return Err(Error::Busy { path: path(), waited: Duration::ZERO });
    }
    Ok(Arc::new(Marked { file, _mark: mark }))
}

/// The same for the log that has the name; `None` if that has gone to another one meanwhile, and a purge may have been
/// done before the mark was there.
pub(super) fn mark_current(
    directory: &dyn Directory,
    file: Arc<dyn File>,
    generation: u64,
) -> Result<Option<Arc<dyn File>>> {
    let marked = mark(directory, file, generation)?;
    Ok(if directory.is_current(LOG, marked.as_ref())? { Some(marked) } else { None })
}

/// A log file, and the mark of its generation.
#[derive(Debug)]
struct Marked {
    file: Arc<dyn File>,
    _mark: Arc<dyn File>,
}

impl File for Marked {
    fn file_len(&self) -> io::Result<u64> {
        self.file.file_len()
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.file.read_at(buffer, offset)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.file.write_at(bytes, offset)
    }

    fn sync(&self) -> io::Result<()> {
        self.file.sync()
    }

    fn map(&self, len: u64) -> io::Result<Option<Map>> {
        self.file.map(len)
    }

    fn try_lock(&self, byte: u64, lock: Lock) -> io::Result<bool> {
        self.file.try_lock(byte, lock)
    }

    fn is_locked(&self, bytes: Range<u64>) -> io::Result<bool> {
        self.file.is_locked(bytes)
    }

    fn page(&self, len: usize, access: Access) -> io::Result<Arc<dyn Page>> {
        self.file.page(len, access)
    }

    fn identity(&self) -> Identity {
        self.file.identity()
    }
}
