//! Which outcomes a damage may have: none at all, the right error, or a recovered tail where nobody can know better.
//!
//! Computed from the undamaged log and the bytes that differ, without the store's help.

use std::ops::Range;

use tokcask::format::header::{COPY_LEN, FileHeader};

use super::canonical::{Canonical, Version};

/// What a damage did to a log.
pub(crate) struct Harm {
    pub(crate) headers: Headers,
    /// Numbers of the frames that differ.
    pub(crate) frames: Vec<usize>,
    /// Whether what stood behind the last frame is no longer zeros.
    pub(crate) tail: bool,
    /// Whether the log ends before its last frame.
    pub(crate) is_short: bool,
    /// Whether there are nothing but zeros from the first damaged frame on, or nothing.
    pub(crate) is_blank: bool,
}

/// The two copies of the file header.
pub(crate) struct Headers {
    pub(crate) differ: [bool; 2],
    /// Whether one that differs is good all the same: that of another generation.
    pub(crate) is_foreign: bool,
}

/// What an opener may see.
pub(crate) enum Right<'a> {
    /// The rows as they are. With the other header, if one is damaged.
    Same,
    /// An error.
    Refused,
    /// One of these: a tail cut here, with these rows before it, or an error.
    CutOrRefused(usize, &'a [Version]),
}

impl Harm {
    pub(crate) fn of(canonical: &Canonical, log: &[u8]) -> Self {
        let differs = |range: Range<usize>| log.get(range.clone()) != Some(&canonical.log[range]);
        let differ = [0, COPY_LEN].map(|start| differs(start..start + COPY_LEN));
        let is_foreign = |copy: usize| {
            let bytes = log.get(copy * COPY_LEN..(copy + 1) * COPY_LEN);
            differ[copy] && bytes.is_some_and(|bytes| FileHeader::decode(bytes).is_ok())
        };
        let is_foreign = is_foreign(0) || is_foreign(1);
        let frames = canonical.frames.iter().enumerate().filter(|(_, frame)| differs(frame.range.clone()));
        let frames: Vec<_> = frames.map(|(number, _)| number).collect();
        let tail = log.get(canonical.end..).is_some_and(|tail| tail.iter().any(|byte| *byte != 0));
        let first = frames.first().map_or(canonical.end, |number| canonical.frames[*number].range.start);
        let is_blank = log.get(first..).is_none_or(|rest| rest.iter().all(|byte| *byte == 0));
        Self { headers: Headers { differ, is_foreign }, frames, tail, is_short: log.len() < canonical.end, is_blank }
    }

    /// Whether there is any, but for a tail that was never acknowledged.
    pub(crate) fn is_none(&self) -> bool {
        self.headers.differ == [false; 2] && self.frames.is_empty()
    }

    /// What a store opens as whose watermark is known, or not.
    pub(crate) fn right<'a>(&self, canonical: &'a Canonical, slots: bool) -> Right<'a> {
        if self.headers.is_foreign
            || self.headers.differ == [true; 2]
            || (self.headers.differ[0] || self.headers.differ[1]) && self.is_short
        {
            return Right::Refused;
        }
        let Some(first) = self.frames.first() else { return Right::Same };
        let frame = &canonical.frames[*first];
        let proves = |number: usize| {
            !self.frames.contains(&number) && canonical.frames[number].watermark > frame.range.start as u64
        };
        if slots || (first + 1..canonical.frames.len()).any(proves) {
            return Right::Refused;
        }
        Right::CutOrRefused(frame.range.start, &frame.rows_before)
    }

    /// Where an error about a frame may say that it is: in the first one that is damaged.
    pub(crate) fn error_range(&self, canonical: &Canonical) -> Range<u64> {
        match self.frames.first() {
            Some(first) if self.headers.differ == [false; 2] => {
                let range = &canonical.frames[*first].range;
                range.start as u64..range.end as u64
            }
            _ => 0..canonical.log.len() as u64,
        }
    }
}
