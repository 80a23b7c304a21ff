//! A read-only map of a log, of which only the durable prefix is ever touched.
//!
//! The file is written through `write_at`, never through the map, and only past the published prefix; a log is never
//! shortened. So published bytes do not change under a slice. Somebody else who shortens the file anyway causes SIGBUS.

#![expect(unsafe_code, reason = "slices of mapped memory cannot be made safely")]

use std::fs::File;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};

use memmap2::{MmapOptions, MmapRaw};

/// Mapped bytes of a file, readable up to what was published.
#[derive(Debug)]
pub struct Map {
    memory: MmapRaw,
    published: AtomicU64,
}

impl Map {
    pub(super) fn new(file: &File, len: u64) -> io::Result<Self> {
        let len = usize::try_from(len).map_err(|_| io::ErrorKind::FileTooLarge)?;
        let memory = MmapOptions::new().len(len).map_raw_read_only(file)?;
        Ok(Self { memory, published: AtomicU64::new(0) })
    }

    /// How far bytes can be published, whatever the file's length.
    #[must_use]
    #[inline]
    pub fn len(&self) -> u64 {
        self.memory.len() as u64
    }

    /// Whether nothing is mapped.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.memory.len() == 0
    }

    /// Allows reading up to `end`, which the caller knows to lie in the file and never to be written again.
    pub fn publish(&self, end: u64) {
        self.published.fetch_max(end.min(self.len()), Ordering::Release);
    }

    /// The bytes there, or `None` if they are not all published.
    #[must_use]
    #[inline]
    pub fn get(&self, offset: u64, len: u64) -> Option<&[u8]> {
        let end = offset.checked_add(len)?;
        if end > self.published.load(Ordering::Acquire) {
            return None;
        }
        let (start, len) = (usize::try_from(offset).ok()?, usize::try_from(len).ok()?);
        // SAFETY: start + len <= published <= the mapped length, so the range lies in one live mapping, which `self`
        // keeps. Below `published` the file has bytes and nobody writes or cuts them (log::append, storage::lock).
        Some(unsafe { std::slice::from_raw_parts(self.memory.as_ptr().add(start), len) })
    }
}
