//! Building a frame in memory, operation by operation.

use super::frame::{FRAME_HEADER_LEN, FrameHeader};
use super::operation::{self, Operation};
use super::{ALIGN_LEN, DecodeError, FRAME_LEN_MAX, Seed};
use crate::wipe::wipe;

/// Builds one frame in memory.
pub struct FrameBuilder {
    seed: Seed,
    offset: u64,
    bytes: Vec<u8>,
    body_crc: crc32fast::Hasher,
}

impl FrameBuilder {
    /// Starts a frame at `offset`, for about `body_len` bytes of operations.
    #[must_use]
    pub fn new(seed: Seed, offset: u64, body_len: usize) -> Self {
        let mut bytes = Vec::with_capacity(body_len.saturating_add(FRAME_HEADER_LEN));
        bytes.resize(FRAME_HEADER_LEN, 0);
        Self { seed, offset, bytes, body_crc: seed.hasher(offset) }
    }

    /// Appends an operation; returns its offset in the log and its length.
    ///
    /// # Errors
    /// An operation over its limits, or one that would make the frame longer than a frame may be; the frame is then
    /// as it was.
    pub fn push(&mut self, operation: &Operation<'_>) -> Result<(u64, u64), DecodeError> {
        let start = self.bytes.len();
        let written = operation::encode(self.seed, self.offset, operation, &mut self.bytes)?;
        if self.bytes.len() > FRAME_LEN_MAX as usize {
            let (len, limit) = (self.bytes.len() as u64, FRAME_LEN_MAX.into());
            self.bytes.truncate(start);
            return Err(DecodeError::TooLong { what: "frame", len, limit });
        }
        self.body_crc.update(&written.crc.to_le_bytes());
        self.body_crc.update([0; ALIGN_LEN].get(..written.padding_len).unwrap_or_default());
        Ok((written.offset, written.len))
    }

    /// Length of the frame so far, in bytes.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.bytes.len() as u64
    }

    /// Whether there is no operation yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bytes.len() <= FRAME_HEADER_LEN
    }

    /// The finished frame, to be written at its offset, and its header checksum.
    ///
    /// Body length and body checksum are filled in here, whatever `header` says.
    #[must_use]
    pub fn finish(mut self, header: FrameHeader) -> (Vec<u8>, u32) {
        let mut bytes = std::mem::take(&mut self.bytes);
        let body_len = bytes.len().saturating_sub(FRAME_HEADER_LEN);
        let header = FrameHeader {
            body_len: u32::try_from(body_len).unwrap_or(u32::MAX),
            body_crc: self.body_crc.clone().finalize(),
            ..header
        };
        let (encoded, crc) = header.encode(self.seed, self.offset);
        for (to, from) in bytes.iter_mut().zip(encoded) {
            *to = from;
        }
        (bytes, crc)
    }
}

/// A frame that is given up holds the secrets of one that is not.
impl Drop for FrameBuilder {
    fn drop(&mut self) {
        wipe(&mut self.bytes);
    }
}
