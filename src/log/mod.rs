//! The log as a sequence of frames in one file: reading it through, reading one record, appending to it.
//!
//! One scanner serves opening, verifying, dumping, salvaging, compaction and backup.

pub(crate) mod append;
pub(crate) mod scan;
pub(crate) mod source;
pub(crate) mod tail;
pub(crate) mod walk;

use crate::format::ALIGN;

/// Where an operation lies in its log: offset and padded length, in one number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Location(u64);

const LEN_BITS: u32 = 18; // in units of ALIGN: 2 MiB, over the longest operation
const OFFSET_BITS: u32 = 45; // 256 TiB; one bit is left for telling two generations apart

/// No operation starts at this offset or beyond.
pub(crate) const OFFSET_MAX: u64 = ALIGN << OFFSET_BITS;

impl Location {
    /// No operation: the place of a deleted row. (The file header lies at offset 0.)
    pub(crate) const NONE: Self = Self(0);

    /// `None` if the log is too long for this place.
    pub(crate) fn new(offset: u64, len: u64) -> Option<Self> {
        let (offset, len) = (offset / ALIGN, len / ALIGN);
        (offset < 1 << OFFSET_BITS && len < 1 << LEN_BITS).then_some(Self(offset << LEN_BITS | len))
    }

    pub(crate) fn offset(self) -> u64 {
        (self.0 >> LEN_BITS) * ALIGN
    }

    pub(crate) fn len(self) -> u64 {
        (self.0 & ((1 << LEN_BITS) - 1)) * ALIGN
    }
}
