//! A file for reading that shows the bytes of another one changed: as they will be, or with what cannot be read left
//! out. The other one is never written to.

use std::fmt;
use std::io;
use std::ops::Range;
use std::sync::Arc;

use super::{Access, File, Identity, Lock, Map, Page};

/// How a file is read instead; as [`File::read_at`].
pub(crate) type ReadAt = dyn Fn(&dyn File, &mut [u8], u64) -> io::Result<usize> + Send + Sync;

/// A file, and how it is read.
pub(crate) struct Altered {
    original: Arc<dyn File>,
    read_at: Box<ReadAt>,
}

impl Altered {
    pub(crate) fn new(
        original: Arc<dyn File>,
        read_at: impl Fn(&dyn File, &mut [u8], u64) -> io::Result<usize> + Send + Sync + 'static,
    ) -> Self {
        Self { original, read_at: Box::new(read_at) }
    }
}

impl File for Altered {
    fn file_len(&self) -> io::Result<u64> {
        self.original.file_len()
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        (self.read_at)(self.original.as_ref(), buffer, offset)
    }

    fn write_at(&self, _: &[u8], _: u64) -> io::Result<()> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }

    fn sync(&self) -> io::Result<()> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }

    fn map(&self, _: u64) -> io::Result<Option<Map>> {
        Ok(None)
    }

    fn try_lock(&self, byte: u64, lock: Lock) -> io::Result<bool> {
        self.original.try_lock(byte, lock)
    }

    fn is_locked(&self, bytes: Range<u64>) -> io::Result<bool> {
        self.original.is_locked(bytes)
    }

    fn page(&self, _: usize, _: Access) -> io::Result<Arc<dyn Page>> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }

    fn identity(&self) -> Identity {
        self.original.identity()
    }
}

impl fmt::Debug for Altered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Altered").field("original", &self.original).finish_non_exhaustive()
    }
}
