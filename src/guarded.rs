//! Memory for key material: pages of their own, which the system keeps out of swap and core dumps where it lets us.

use std::fmt;
use std::io;

use memmap2::MmapMut;

use crate::wipe::wipe;

/// `N` secret bytes, wiped when they go. They are never moved.
pub(crate) struct Guarded<const N: usize> {
    page: MmapMut,
    is_locked: bool,
}

impl<const N: usize> Guarded<N> {
    /// Zeros, to be made what they are to be.
    ///
    /// # Errors
    /// No memory.
    pub(crate) fn zeros() -> io::Result<Self> {
        let page = MmapMut::map_anon(N)?;
        // Both before the secret is there. A small limit on locked memory is common, and no reason not to work.
        let is_locked = page.lock().is_ok();
        #[cfg(target_os = "linux")]
        let is_locked = page.advise(memmap2::Advice::DontDump).is_ok() && is_locked;
        Ok(Self { page, is_locked })
    }

    /// Whether the system promised to keep them in memory, and out of core dumps.
    pub(crate) fn is_locked(&self) -> bool {
        self.is_locked
    }

    pub(crate) fn bytes(&self) -> &[u8; N] {
        self.page.first_chunk().expect("the page was made this long")
    }

    pub(crate) fn bytes_mut(&mut self) -> &mut [u8; N] {
        self.page.first_chunk_mut().expect("the page was made this long")
    }
}

impl<const N: usize> Drop for Guarded<N> {
    fn drop(&mut self) {
        wipe(self.bytes_mut());
    }
}

impl<const N: usize> fmt::Debug for Guarded<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Guarded(redacted)")
    }
}
