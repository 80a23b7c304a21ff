//! The shared page: memory of `store.lock` that every process with the store open sees.

#![expect(unsafe_code, reason = "memory shared with other processes is reached through a pointer")]

use std::fs::File;
use std::io;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use memmap2::{MmapOptions, MmapRaw};

use super::{Access, Page};

/// A mapped page.
#[derive(Debug)]
pub(super) struct MappedPage {
    memory: MmapRaw,
    access: Access,
}

impl MappedPage {
    pub(super) fn new(file: &File, len: usize, access: Access) -> io::Result<Self> {
        if file.metadata()?.len() < len as u64 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let mut options = MmapOptions::new();
        options.len(len);
        let memory = match access {
            Access::Write => options.map_raw(file)?,
            Access::Read => options.map_raw_read_only(file)?,
        };
        Ok(Self { memory, access })
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

impl MappedPage {
    /// The four bytes at which the number begins, which are its lower half in the file's byte order.
    fn lower_half(&self, word: usize) -> &AtomicU32 {
        let number: *const AtomicU64 = &raw const self.words()[word];
        // SAFETY: points to the first half of a live, aligned number of eight bytes, which is only accessed through
        // atomics; the kernel and this view touch that half as one of four.
        unsafe { &*number.cast::<AtomicU32>() }
    }
}

impl Page for MappedPage {
    fn load(&self, word: usize) -> u64 {
        u64::from_le(self.words()[word].load(Ordering::Acquire))
    }

    fn store(&self, word: usize, value: u64) {
        assert_eq!(self.access, Access::Write, "nothing is stored in a page that is mapped for reading");
        self.words()[word].store(value.to_le(), Ordering::Release);
    }

    #[cfg(target_os = "linux")]
    fn wait(&self, word: usize, expected: u32, time: Duration) {
        use rustix::thread::futex;

        let timeout = futex::Timespec::try_from(time).ok();
        // Whatever ends it, the caller looks again.
        let _ = futex::wait(self.lower_half(word), futex::Flags::empty(), expected.to_le(), timeout.as_ref());
    }

    #[cfg(target_os = "linux")]
    fn wake(&self, word: usize) {
        use rustix::thread::futex;

        let everybody = i32::MAX.unsigned_abs();
        let _ = futex::wake(self.lower_half(word), futex::Flags::empty(), everybody);
    }

    #[cfg(not(target_os = "linux"))]
    fn wait(&self, word: usize, expected: u32, time: Duration) {
        const NOBODY_WAKES_US: Duration = Duration::from_millis(1);
        if u32::from_le(self.lower_half(word).load(Ordering::Acquire)) == expected {
            std::thread::sleep(time.min(NOBODY_WAKES_US));
        }
    }

    #[cfg(not(target_os = "linux"))]
    fn wake(&self, _: usize) {}
}
