//! The log as a sequence of frames in one file: reading it through, reading one record, appending to it.
//!
//! One scanner serves opening, verifying, dumping, salvaging, compaction and backup.

pub(crate) mod append;
mod burst;
pub(crate) mod scan;
pub(crate) mod source;
pub(crate) mod tail;
pub(crate) mod walk;

use crate::format::ALIGN;

/// Where an operation lies: offset and padded length, and in which of two generations, in one number.
///
/// Places of one generation are made by its [`Source`](source::Source), and read through it or the one that follows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Location(u64);

const LEN_BITS: u32 = 18; // in units of ALIGN: 2 MiB, over the longest operation
const OFFSET_BITS: u32 = 45; // 256 TiB
const ODD: u64 = 1 << (LEN_BITS + OFFSET_BITS);

/// No operation starts at this offset or beyond.
pub(crate) const OFFSET_MAX: u64 = ALIGN << OFFSET_BITS;

impl Location {
    /// No operation: the place of a deleted row. (The file header lies at offset 0.)
    pub(crate) const NONE: Self = Self(0);

    /// `None` if the log is too long for this place.
    fn new(generation: u64, offset: u64, len: u64) -> Option<Self> {
        let (offset, len) = (offset / ALIGN, len / ALIGN);
        let odd = if generation.is_multiple_of(2) { 0 } else { ODD };
        (offset < 1 << OFFSET_BITS && len < 1 << LEN_BITS).then_some(Self(odd | offset << LEN_BITS | len))
    }

    #[inline]
    pub(crate) fn offset(self) -> u64 {
        ((self.0 & !ODD) >> LEN_BITS) * ALIGN
    }

    #[inline]
    pub(crate) fn len(self) -> u64 {
        (self.0 & ((1 << LEN_BITS) - 1)) * ALIGN
    }

    /// Whether it lies in a generation with an odd number: of two that follow each other, one is.
    #[inline]
    fn is_odd(self) -> bool {
        self.0 & ODD != 0
    }
}
