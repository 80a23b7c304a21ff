//! Building a frame in memory, operation by operation.

use std::sync::Arc;

use super::frame::{FRAME_HEADER_LEN, FrameHeader, HEAD_LEN, Link};
use super::operation::Operation;
use super::operation_writer;
use super::seal::{LogKeys, NONCE_LEN, Nonce, TRAILER_LEN, Tag};
use super::{ALIGN_LEN, DecodeError, FRAME_LEN_MAX, Seed};
use crate::wipe::wipe;

/// Builds one frame in memory.
pub struct FrameBuilder {
    seed: Seed,
    offset: u64,
    bytes: Vec<u8>,
    body_crc: crc32fast::Hasher,
    sealing: Option<Sealing>,
}

/// What seals the operations of a frame.
struct Sealing {
    keys: Arc<LogKeys>,
    /// Random, once for the frame; the rest of a nonce counts the operations.
    nonce: [u8; FRAME_NONCE_LEN],
    tags: Vec<Tag>,
}

/// The random part of a nonce: two frames of a key have the same with a chance of one in 2^128.
pub(crate) const FRAME_NONCE_LEN: usize = 16;

impl FrameBuilder {
    /// Starts a frame at `offset`, for about `body_len` bytes of operations.
    #[must_use]
    pub fn new(seed: Seed, offset: u64, body_len: usize) -> Self {
        let mut bytes = Vec::with_capacity(body_len.saturating_add(FRAME_HEADER_LEN));
        bytes.resize(FRAME_HEADER_LEN, 0);
        Self { seed, offset, bytes, body_crc: seed.hasher(offset), sealing: None }
    }

    /// The same of a sealed log; `nonce` is random.
    pub(crate) fn sealed(mut self, keys: Arc<LogKeys>, nonce: [u8; FRAME_NONCE_LEN]) -> Self {
        self.sealing = Some(Sealing { keys, nonce, tags: Vec::new() });
        self
    }

    /// Appends an operation; returns its offset in the log and its length.
    ///
    /// # Errors
    /// An operation over its limits, or one that would make the frame longer than a frame may be; the frame is then
    /// as it was.
    pub fn push(&mut self, operation: &Operation<'_>) -> Result<(u64, u64), DecodeError> {
        let start = self.bytes.len();
        let nonce = self.sealing.as_ref().map(Sealing::next_nonce);
        let sealing = self.sealing.as_ref().map(|sealing| sealing.keys.as_ref()).zip(nonce.as_ref());
        let written = operation_writer::encode(self.seed, sealing, self.offset, operation, &mut self.bytes)?;
        if self.len() > FRAME_LEN_MAX.into() {
            let (len, limit) = (self.len(), FRAME_LEN_MAX.into());
            self.bytes.truncate(start);
            return Err(DecodeError::TooLong { what: "frame", len, limit });
        }
        self.body_crc.update(&written.crc.to_le_bytes());
        self.body_crc.update([0; ALIGN_LEN].get(..written.padding_len).unwrap_or_default());
        if let Some(sealing) = &mut self.sealing {
            sealing.tags.push(written.tag);
        }
        Ok((written.offset, written.len))
    }

    /// Length of the frame so far, in bytes.
    #[must_use]
    pub fn len(&self) -> u64 {
        let trailer_len = if self.sealing.is_some() { TRAILER_LEN } else { 0 };
        self.bytes.len().saturating_add(trailer_len) as u64
    }

    /// Whether there is no operation yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bytes.len() <= FRAME_HEADER_LEN
    }

    /// The finished frame of a plain log, to be written at its offset, and its header checksum.
    ///
    /// Body length and body checksum are filled in here, whatever `header` says.
    #[must_use]
    pub fn finish(self, header: FrameHeader) -> (Vec<u8>, u32) {
        let (bytes, link) = self.finish_after(header, &Tag::default());
        (bytes, link.chain)
    }

    /// The finished frame, behind a frame with the tag `previous`, and what the next one has to follow.
    pub(crate) fn finish_after(mut self, header: FrameHeader, previous: &Tag) -> (Vec<u8>, Link) {
        let mut bytes = std::mem::take(&mut self.bytes);
        let trailer_len = if self.sealing.is_some() { TRAILER_LEN } else { 0 };
        let body_len = bytes.len().saturating_sub(FRAME_HEADER_LEN).saturating_add(trailer_len);
        let mut header = FrameHeader { body_len: u32::try_from(body_len).unwrap_or(u32::MAX), ..header };
        let mut tag = Tag::default();
        if let Some(Sealing { keys, tags, .. }) = &self.sealing {
            let (head, _) = header.encode(self.seed, self.offset);
            let (head, _) = head.split_at(HEAD_LEN);
            tag = keys.frame_tag(self.offset, head, previous, tags);
            for tag in [previous, &tag] {
                bytes.extend(tag);
                self.body_crc.update(tag);
            }
        }
        header.body_crc = self.body_crc.clone().finalize();
        let (encoded, crc) = header.encode(self.seed, self.offset);
        for (to, from) in bytes.iter_mut().zip(encoded) {
            *to = from;
        }
        (bytes, Link::at(&header, crc).with_tag(tag))
    }
}

impl Sealing {
    fn next_nonce(&self) -> Nonce {
        let mut nonce = [0; NONCE_LEN];
        let count = (self.tags.len() as u64).to_le_bytes();
        for (to, from) in nonce.iter_mut().zip(self.nonce.iter().chain(&count)) {
            *to = *from;
        }
        nonce
    }
}

/// A frame that is given up holds the secrets of one that is not.
impl Drop for FrameBuilder {
    fn drop(&mut self) {
        wipe(&mut self.bytes);
    }
}
