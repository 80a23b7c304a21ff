//! Wiping secrets from memory at the speed of a copy.

use std::fmt;
use std::ops::{Deref, DerefMut};

/// Zeros that the compiler may not leave out.
///
/// `Zeroize` for bytes stores them one by one, which for a token takes longer than the whole find that made it.
pub(crate) fn wipe(bytes: &mut [u8]) {
    // Nothing lies nowhere, and a store there that a mask suppresses is a fault to some processors, of 50 nanoseconds.
    if bytes.is_empty() {
        return;
    }
    bytes.fill(0);
    zeroize::optimization_barrier(bytes);
}

/// Wipes what functions called before have left on the stack, at about the depth where they ran.
#[cfg(feature = "encryption")]
#[inline(never)]
pub(crate) fn wipe_stack() {
    wipe(&mut [0xFF; 2048]);
}

/// Text that is wiped when it goes.
#[derive(Clone)]
pub(crate) struct WipedText(String);

impl WipedText {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<String> for WipedText {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl Drop for WipedText {
    fn drop(&mut self) {
        let mut bytes = std::mem::take(&mut self.0).into_bytes();
        // Behind it may be what it was before somebody cut it.
        bytes.resize(bytes.capacity(), 0);
        wipe(&mut bytes);
    }
}

/// Bytes that are wiped when they go. They are never moved, for that would leave a copy behind.
#[derive(Default)]
pub(crate) struct Wiped(Vec<u8>);

impl Wiped {
    /// Zeros to read into.
    pub(crate) fn zeros(len: usize) -> Self {
        Self(vec![0; len])
    }

    /// Makes it this long, in the same memory if that is enough. What it holds afterwards is to be read over.
    pub(crate) fn resize(&mut self, len: usize) {
        if len > self.0.capacity() {
            *self = Self::zeros(len);
        }
        self.truncate(len);
        self.0.resize(len, 0);
    }

    /// Forgets what lies behind `len`.
    pub(crate) fn truncate(&mut self, len: usize) {
        if let Some(rest) = self.0.get_mut(len..) {
            wipe(rest);
        }
        self.0.truncate(len);
    }
}

impl From<Vec<u8>> for Wiped {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }
}

impl Deref for Wiped {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl DerefMut for Wiped {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.0
    }
}

impl Drop for Wiped {
    fn drop(&mut self) {
        wipe(&mut self.0);
    }
}

impl fmt::Debug for Wiped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wiped").field("len", &self.0.len()).finish_non_exhaustive()
    }
}
