//! A watermark slot of `store.lock`: the end of the log that was known durable when it was written.
//!
//! FORMAT.md, "store.lock". A slot is a lower bound: a power loss may leave an older one.

use super::input::Input;
use super::{ALIGN, DecodeError, check_counters};

/// Length of a slot, in bytes.
pub const SLOT_LEN: usize = 56;

/// What a sync of the log proved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot {
    /// The store whose log it speaks of.
    pub uuid: [u8; 16],
    /// The generation of that log.
    pub generation: u64,
    /// Every byte before this offset is durable and part of a good frame.
    pub watermark: u64,
    /// The id counter there.
    pub next_id: u64,
    /// The operation counter there.
    pub next_revision: u64,
}

impl Slot {
    /// The slot's bytes.
    #[must_use]
    pub fn encode(&self) -> [u8; SLOT_LEN] {
        let numbers = [self.generation, self.watermark, self.next_id, self.next_revision];
        let covered: Vec<u8> = self.uuid.into_iter().chain(numbers.into_iter().flat_map(u64::to_le_bytes)).collect();
        let crc = u64::from(crc32fast::hash(&covered));
        let mut bytes = [0; SLOT_LEN];
        for (to, from) in bytes.iter_mut().zip(covered.into_iter().chain(crc.to_le_bytes())) {
            *to = from;
        }
        bytes
    }

    /// Reads a slot.
    ///
    /// # Errors
    /// A slot that was never written, or not whole, fails its checksum.
    pub fn decode(bytes: &[u8; SLOT_LEN]) -> Result<Self, DecodeError> {
        let mut input = Input::new(bytes);
        let covered = input.bytes(SLOT_LEN.saturating_sub(8))?;
        if input.u64()? != u64::from(crc32fast::hash(covered)) {
            return Err(DecodeError::Checksum { of: "watermark slot" });
        }
        let mut input = Input::new(covered);
        let slot = Self {
            uuid: input.array()?,
            generation: input.u64()?,
            watermark: input.u64()?,
            next_id: input.u64()?,
            next_revision: input.u64()?,
        };
        if !slot.watermark.is_multiple_of(ALIGN) {
            return Err(DecodeError::Invalid { rule: "watermark not aligned" });
        }
        let counters =
            [("generation", slot.generation), ("next id", slot.next_id), ("next revision", slot.next_revision)];
        check_counters(&counters)?;
        Ok(slot)
    }
}
