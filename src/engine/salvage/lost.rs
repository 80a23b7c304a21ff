//! Bookkeeping of a salvage: which bytes of the log are accounted for, and which frames are missing.

use std::ops::{Range, RangeInclusive};

use crate::format::frame::FRAME_HEADER_LEN;
use crate::format::operation::Located;

/// What is lost so far.
#[derive(Debug, Default)]
pub(super) struct Lost {
    /// In order, not touching each other.
    pub(super) ranges: Vec<Range<u64>>,
    pub(super) sequences: Vec<RangeInclusive<u64>>,
    last_sequence: u64,
}

impl Lost {
    /// A whole frame. Returns whether it comes after the ones before it.
    pub(super) fn frame(&mut self, sequence: u64) -> bool {
        if sequence <= self.last_sequence {
            return false;
        }
        if sequence > self.last_sequence + 1 {
            self.sequences.push(self.last_sequence + 1..=sequence - 1);
        }
        self.last_sequence = sequence;
        true
    }

    /// The last frame, known to have been, is not whole; its number, if that can be read.
    pub(super) fn last_frame(&mut self, sequence: Option<u64>) {
        let next = self.last_sequence + 1;
        self.sequences.push(next..=sequence.unwrap_or(next).max(next));
    }

    /// Bytes that nothing is known of.
    pub(super) fn bytes(&mut self, range: Range<u64>) {
        match self.ranges.last_mut() {
            _ if range.is_empty() => {}
            Some(last) if last.end >= range.start => last.end = last.end.max(range.end),
            _ => self.ranges.push(range),
        }
    }

    pub(super) fn len(&self) -> u64 {
        self.ranges.iter().map(|range| range.end - range.start).sum()
    }

    /// Whether something is lost that came after this place and is not only rows of a compaction, which ends at `base_end`.
    pub(super) fn any_after(&self, offset: u64, base_end: u64) -> bool {
        self.ranges.last().is_some_and(|last| last.end > offset && last.end > base_end)
    }
}

/// Follows the operations found in a damaged part, and keeps what lies between them.
pub(super) struct Part {
    at: u64,
    end: u64,
}

impl Part {
    pub(super) fn new(range: Range<u64>) -> Self {
        Self { at: range.start, end: range.end }
    }

    /// An operation was found. A frame's header right before its first operation held nothing else.
    pub(super) fn operation(&mut self, located: &Located<'_>, lost: &mut Lost) {
        let is_first = u64::from(located.distance) == FRAME_HEADER_LEN as u64;
        let known_from = if is_first { located.offset - FRAME_HEADER_LEN as u64 } else { located.offset };
        if known_from > self.at {
            lost.bytes(self.at..known_from);
        }
        self.at = self.at.max(located.offset + located.len);
    }

    pub(super) fn finish(self, lost: &mut Lost) {
        if self.end > self.at {
            lost.bytes(self.at..self.end);
        }
    }
}
