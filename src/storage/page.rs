//! The shared page: memory of `store.lock` that every process with the store open sees.

#![expect(unsafe_code, reason = "memory shared with other processes is reached through a pointer")]

use std::fs::File;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};

use memmap2::{MmapOptions, MmapRaw};

use super::Page;

/// A mapped page.
#[derive(Debug)]
pub(super) struct MappedPage {
    memory: MmapRaw,
}

impl MappedPage {
    pub(super) fn new(file: &File, len: usize) -> io::Result<Self> {
        if file.metadata()?.len() < len as u64 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(Self { memory: MmapOptions::new().len(len).map_raw(file)? })
    }

    fn words(&self) -> &[AtomicU64] {
        #[expect(clippy::cast_ptr_alignment, reason = "a mapping starts at a page")]
        let start = self.memory.as_ptr().cast::<AtomicU64>();
        let words = self.memory.len() / size_of::<AtomicU64>();
        // SAFETY: the mapping is page-aligned, lives as long as `self`, and is only ever accessed through atomics; the
        // file has this length (checked in `new`) and `store.lock` is never shortened.
        unsafe { std::slice::from_raw_parts(start, words) }
    }
}

impl Page for MappedPage {
    fn load(&self, word: usize) -> u64 {
        u64::from_le(self.words()[word].load(Ordering::Acquire))
    }

    fn store(&self, word: usize, value: u64) {
        self.words()[word].store(value.to_le(), Ordering::Release);
    }
}
