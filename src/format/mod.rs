//! Bytes to values and back: file header, frames, operations, records, watermark slots.
//!
//! Total: any input yields a value or a [`DecodeError`], never a panic. Does no I/O and reads no clock.
//! The bytes are specified in FORMAT.md, whose names the constants carry.
#![cfg_attr(
    not(feature = "internals"),
    allow(unreachable_pub, dead_code, reason = "public to the tests and fuzz targets through the `internals` feature")
)]
#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::arithmetic_side_effects
)]

pub mod frame;
mod frame_body;
mod frame_builder;
pub mod header;
mod input;
pub mod operation;
mod operation_writer;
pub mod record;
pub mod redo;
pub mod seal;
pub mod slot;

pub use crate::error::DecodeError;

/// Frames and operations start at multiples of this, and are padded to it with zeros.
pub const ALIGN: u64 = 8;
/// The same, for lengths in memory.
pub(crate) const ALIGN_LEN: usize = 8;
/// Length of the encoding of one token, in bytes.
pub const RECORD_LEN_MAX: u32 = 1 << 20;
/// Length of an id, a user name, or an access, refresh or grant token, in bytes.
pub const KEY_LEN_MAX: u32 = 64 << 10;
/// Length of one frame, header included, in bytes.
pub const FRAME_LEN_MAX: u32 = 64 << 20;

/// Largest sequence number, id counter, operation counter and generation. A reader refuses more, so that no file can
/// make a counter run over; a writer stops before.
pub const COUNTER_MAX: u64 = 1 << 62;

/// What every checksum of a log starts from, so that bytes of another store, generation or place never verify.
///
/// Stands for the salt and the generation. The salt is private to the file: it is never printed, nor is this.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Seed {
    /// CRC of salt and generation.
    start: u32,
}

impl Seed {
    /// Of the log with this salt and generation.
    #[must_use]
    pub fn new(salt: u64, generation: u64) -> Self {
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(&salt.to_le_bytes());
        hasher.update(&generation.to_le_bytes());
        Self { start: hasher.finalize() }
    }

    /// The one seed under which `data` at `offset` has this checksum. Every checksum has one: whether it is the log's
    /// shows when other checksums agree.
    #[must_use]
    pub fn of(offset: u64, data: &[u8], crc: u32) -> Self {
        let covered = offset.to_le_bytes().into_iter().chain(data.iter().copied());
        let before: Vec<u8> = covered.collect();
        Self { start: !before.into_iter().rev().fold(!crc, crc_step_back) }
    }

    /// The checksum of `parts`, one after the other, as bytes at `offset` of the log.
    #[must_use]
    #[inline]
    pub fn crc(self, offset: u64, parts: &[&[u8]]) -> u32 {
        let mut hasher = self.hasher(offset);
        for part in parts {
            hasher.update(part);
        }
        hasher.finalize()
    }

    #[inline]
    fn hasher(self, offset: u64) -> crc32fast::Hasher {
        let mut hasher = crc32fast::Hasher::new_with_initial(self.start);
        hasher.update(&offset.to_le_bytes());
        hasher
    }
}

/// The state of a CRC-32 before this byte went in, if this is the state after it.
fn crc_step_back(state: u32, byte: u8) -> u32 {
    /// The polynomial, bits reversed, as FORMAT.md's CRC has it.
    const POLYNOMIAL: u32 = 0xEDB8_8320;
    let shifted = (0..8).fold(state, |state, _| {
        // The highest bit tells whether the polynomial was taken off in this step.
        if state >> 31 == 1 { ((state ^ POLYNOMIAL) << 1) | 1 } else { state << 1 }
    });
    shifted ^ u32::from(byte)
}

impl std::fmt::Debug for Seed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Seed(redacted)")
    }
}

/// Whether counters from a file are in their range.
///
/// # Errors
/// Names the one that is not.
fn check_counters(counters: &[(&'static str, u64)]) -> Result<(), DecodeError> {
    let over = counters.iter().find(|(_, value)| *value > COUNTER_MAX);
    over.map_or(Ok(()), |(field, value)| Err(DecodeError::Unknown { field, value: *value }))
}

/// The next multiple of [`ALIGN`], or `None` past the end of the number range.
#[must_use]
pub fn aligned(len: u64) -> Option<u64> {
    len.checked_next_multiple_of(ALIGN)
}
