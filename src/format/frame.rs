//! Frames: one append, one transaction. A fixed header, then operations.
//!
//! FORMAT.md, "Frames". A header's length is believed only after the header's own checksum holds; the header is
//! chained to the frame before it, so that removal, repetition and reordering show.

pub use super::frame_body::decode_body;
pub(crate) use super::frame_body::{check_locked_body, open_body};
pub(crate) use super::frame_builder::FRAME_NONCE_LEN;
pub use super::frame_builder::FrameBuilder;
use super::input::Input;
use super::operation::{Located, Operation};
use super::seal::Tag;
use super::{ALIGN, DecodeError, FRAME_LEN_MAX, Seed, check_counters};
use crate::matching;

/// Length of a frame's header, in bytes.
pub const FRAME_HEADER_LEN: usize = 64;
/// First bytes of a frame, as a little-endian number: `tkf\x97`.
pub const FRAME_MAGIC: u32 = u32::from_le_bytes(*b"tkf\x97");

const CRC_AT: usize = 60;
/// What a frame's tag covers of its header: all before the two checksums.
pub(super) const HEAD_LEN: usize = 56;

/// What a frame is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Operations that somebody asked for.
    Commit,
    /// Rows carried over by a compaction, with the revisions that they had.
    Base,
    /// Ends a file that is about to be renamed into place.
    Seal,
    /// Notes what a recovery cut.
    Recovered,
}

impl Kind {
    const ALL: [(u8, Self); 4] = [(1, Self::Commit), (2, Self::Base), (3, Self::Seal), (4, Self::Recovered)];

    fn decode(number: u8) -> Result<Self, DecodeError> {
        let known = Self::ALL.iter().find(|(known, _)| *known == number);
        known.map(|(_, kind)| *kind).ok_or(DecodeError::Unknown { field: "frame kind", value: number.into() })
    }

    fn encode(self) -> u8 {
        Self::ALL.iter().find(|(_, kind)| *kind == self).map_or(0, |(number, _)| *number)
    }
}

/// A frame's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameHeader {
    /// What the frame is for.
    pub kind: Kind,
    /// Length of the operations, in bytes.
    pub body_len: u32,
    /// Header checksum of the frame before, or the file header's.
    pub chain: u32,
    /// One more than the frame before; the first is 1.
    pub sequence: u64,
    /// The offset known durable when this frame was built.
    pub watermark: u64,
    /// When, milliseconds since 1970; advisory.
    pub time_ms: u64,
    /// The id counter after this frame.
    pub next_id: u64,
    /// The operation counter after this frame.
    pub next_revision: u64,
    /// Checksum of the operations' checksums and padding.
    pub body_crc: u32,
}

impl FrameHeader {
    /// Reads a header that stands at `offset`; returns its checksum too, which is the next frame's chain.
    ///
    /// # Errors
    /// Anything that no frame at this offset could have.
    pub fn decode(seed: Seed, offset: u64, bytes: &[u8]) -> Result<(Self, u32), DecodeError> {
        let mut input = Input::new(bytes);
        let covered = input.bytes(CRC_AT)?;
        let crc = input.u32()?;
        let mut fields = Input::new(covered);
        if fields.u32()? != FRAME_MAGIC {
            return Err(DecodeError::Magic);
        }
        if seed.crc(offset, &[covered]) != crc {
            return Err(DecodeError::Checksum { of: "frame header" });
        }
        let kind = Kind::decode(fields.u8()?)?;
        fields.zeros(3, "reserved field of a frame")?;
        let header = Self {
            kind,
            body_len: fields.u32()?,
            chain: fields.u32()?,
            sequence: fields.u64()?,
            watermark: fields.u64()?,
            time_ms: fields.u64()?,
            next_id: fields.u64()?,
            next_revision: fields.u64()?,
            body_crc: fields.u32()?,
        };
        let limit = u64::from(FRAME_LEN_MAX);
        if header.frame_len() > limit {
            return Err(DecodeError::TooLong { what: "frame", len: header.frame_len(), limit });
        }
        if !u64::from(header.body_len).is_multiple_of(ALIGN) || !header.watermark.is_multiple_of(ALIGN) {
            return Err(DecodeError::Invalid { rule: "length or watermark not aligned" });
        }
        let counters = [
            ("sequence number", header.sequence),
            ("next id", header.next_id),
            ("next revision", header.next_revision),
        ];
        check_counters(&counters)?;
        if header.watermark > offset {
            let (expected, found) = (offset, header.watermark);
            return Err(DecodeError::Mismatch { field: "watermark", expected, found });
        }
        Ok((header, crc))
    }

    /// The seed under which a header at `offset` verifies; `None` if these bytes begin as none.
    ///
    /// For a log whose file header is lost. It proves nothing by itself: see [`Seed::of`].
    #[must_use]
    pub fn seed(offset: u64, bytes: &[u8]) -> Option<Seed> {
        let mut input = Input::new(bytes);
        let covered = input.bytes(CRC_AT).ok()?;
        let crc = input.u32().ok()?;
        covered.starts_with(&FRAME_MAGIC.to_le_bytes()).then(|| Seed::of(offset, covered, crc))
    }

    /// Length of the whole frame, in bytes.
    #[must_use]
    pub fn frame_len(&self) -> u64 {
        u64::from(self.body_len).saturating_add(FRAME_HEADER_LEN as u64)
    }

    /// The header's bytes at `offset`, and its checksum.
    pub(super) fn encode(&self, seed: Seed, offset: u64) -> ([u8; FRAME_HEADER_LEN], u32) {
        let fields = FRAME_MAGIC
            .to_le_bytes()
            .into_iter()
            .chain([self.kind.encode(), 0, 0, 0])
            .chain(self.body_len.to_le_bytes())
            .chain(self.chain.to_le_bytes())
            .chain(self.sequence.to_le_bytes())
            .chain(self.watermark.to_le_bytes())
            .chain(self.time_ms.to_le_bytes())
            .chain(self.next_id.to_le_bytes())
            .chain(self.next_revision.to_le_bytes())
            .chain(self.body_crc.to_le_bytes());
        let covered: Vec<u8> = fields.collect();
        let crc = seed.crc(offset, &[&covered]);
        let mut bytes = [0; FRAME_HEADER_LEN];
        for (to, from) in bytes.iter_mut().zip(covered.into_iter().chain(crc.to_le_bytes())) {
            *to = from;
        }
        (bytes, crc)
    }
}

/// Where the chain of frames stands: what the next frame has to follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link {
    /// The next frame's chain.
    pub chain: u32,
    /// The last frame's number.
    pub sequence: u64,
    /// The last frame's watermark.
    pub watermark: u64,
    /// The id counter.
    pub next_id: u64,
    /// The operation counter.
    pub next_revision: u64,
    /// Whether a seal has gone before.
    pub sealed: bool,
    /// The last frame's tag, or the file header's; zeros in a plain log.
    pub tag: Tag,
}

impl Link {
    /// Before the first frame of a file with this header checksum.
    #[must_use]
    pub fn first(file_header_crc: u32) -> Self {
        Self {
            chain: file_header_crc,
            sequence: 0,
            watermark: 0,
            next_id: 1,
            next_revision: 1,
            sealed: false,
            tag: Tag::default(),
        }
    }

    /// After a frame, whatever came before it.
    #[must_use]
    pub fn at(header: &FrameHeader, crc: u32) -> Self {
        Self {
            chain: crc,
            sequence: header.sequence,
            watermark: header.watermark,
            next_id: header.next_id,
            next_revision: header.next_revision,
            sealed: header.kind != Kind::Base,
            tag: Tag::default(),
        }
    }

    /// The same in a sealed log.
    #[must_use]
    pub fn with_tag(self, tag: Tag) -> Self {
        Self { tag, ..self }
    }

    /// The place after a frame, which must follow this one.
    ///
    /// # Errors
    /// Names the field that contradicts.
    pub fn after(&self, header: &FrameHeader, crc: u32, operations: &[Located<'_>]) -> Result<Self, DecodeError> {
        let mismatch = |field, expected, found| Err(DecodeError::Mismatch { field, expected, found });
        if header.chain != self.chain {
            return mismatch("chain", self.chain.into(), header.chain.into());
        }
        if header.sequence != self.sequence.saturating_add(1) {
            return mismatch("sequence number", self.sequence.saturating_add(1), header.sequence);
        }
        if header.watermark < self.watermark {
            return mismatch("watermark", self.watermark, header.watermark);
        }
        if header.next_id < self.next_id {
            return mismatch("next id", self.next_id, header.next_id);
        }
        self.check_counters(header, operations)?;
        if self.sealed == (header.kind == Kind::Base) && header.kind != Kind::Seal {
            return Err(DecodeError::Invalid { rule: "frame kind on the wrong side of the seal" });
        }
        Ok(Self::at(header, crc))
    }

    /// Every put, delete and clear of a commit takes the next number; rows of a base keep older ones. No row has an id
    /// that the counter has still to give.
    fn check_counters(&self, header: &FrameHeader, operations: &[Located<'_>]) -> Result<(), DecodeError> {
        let commit = header.kind == Kind::Commit;
        let taken = if commit { operations.len() as u64 } else { 0 };
        let expected = self.next_revision.saturating_add(taken);
        let found = header.next_revision;
        if found < expected || (commit && found != expected) {
            return Err(DecodeError::Mismatch { field: "next revision", expected, found });
        }
        for (place, located) in operations.iter().enumerate() {
            let Operation::Put(view) = &located.operation else { continue };
            if let Some(number) = view.id().and_then(matching::counted).filter(|number| *number >= header.next_id) {
                let (expected, found) = (number.saturating_add(1), header.next_id);
                return Err(DecodeError::Mismatch { field: "next id", expected, found });
            }
            let found = view.layout().revision;
            let expected = self.next_revision.saturating_add(place as u64);
            if if commit { found != expected } else { found >= header.next_revision } {
                return Err(DecodeError::Mismatch { field: "revision", expected, found });
            }
        }
        Ok(())
    }
}
