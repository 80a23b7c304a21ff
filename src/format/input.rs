//! A cursor over bytes that never reads past their end.

use super::DecodeError;

/// Reads fields one after the other, little-endian.
pub(super) struct Input<'a> {
    rest: &'a [u8],
}

impl<'a> Input<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    #[inline]
    pub(super) fn bytes(&mut self, len: usize) -> Result<&'a [u8], DecodeError> {
        let Some((taken, rest)) = self.rest.split_at_checked(len) else {
            return Err(DecodeError::Truncated { needed: len as u64, available: self.rest.len() as u64 });
        };
        self.rest = rest;
        Ok(taken)
    }

    #[inline]
    pub(super) fn chunk<const N: usize>(&mut self) -> Result<&'a [u8; N], DecodeError> {
        let available = self.rest.len() as u64;
        let Some((taken, rest)) = self.rest.split_first_chunk() else {
            return Err(DecodeError::Truncated { needed: N as u64, available });
        };
        self.rest = rest;
        Ok(taken)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        self.chunk().copied()
    }

    pub(super) fn u8(&mut self) -> Result<u8, DecodeError> {
        self.array().map(u8::from_le_bytes)
    }

    pub(super) fn u16(&mut self) -> Result<u16, DecodeError> {
        self.array().map(u16::from_le_bytes)
    }

    #[inline]
    pub(super) fn u32(&mut self) -> Result<u32, DecodeError> {
        self.array().map(u32::from_le_bytes)
    }

    pub(super) fn u64(&mut self) -> Result<u64, DecodeError> {
        self.array().map(u64::from_le_bytes)
    }

    /// Skips `len` bytes that must be zero.
    pub(super) fn zeros(&mut self, len: usize, field: &'static str) -> Result<(), DecodeError> {
        if self.bytes(len)?.iter().any(|byte| *byte != 0) {
            return Err(DecodeError::NotZero { field });
        }
        Ok(())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }
}
