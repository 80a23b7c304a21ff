//! A change to `store.lock`: any number, or one that could nearly stand there.
//!
//! FORMAT.md, "`store.lock`". Knows the layout by itself.

use tokcask::format::slot::{SLOT_LEN, Slot};

use crate::bodies::input::Input;

pub(super) const LOCK_LEN: usize = 16 << 10;
const WORD: usize = 8;
const VERSION_AT: usize = 8;
const STATES_AT: [usize; 2] = [128, 256];
const STATE_WORDS: u8 = 9;
const HEAD_WORDS: u8 = 10;
const SLOTS_AT: [usize; 2] = [4096, 8192];
const BACKOFFS_AT: usize = 12_288;
const NUMBERS: [u64; 12] =
    [0, 1, 2, 8, 8192, 8280, 12_345, 1 << 50, (1 << 62) - 1, (1 << 62) + 8, u64::MAX - 7, u64::MAX];

/// What to write where.
pub(super) struct Patch {
    words: Vec<(usize, u64)>,
    slot: Option<(usize, Slot)>,
    /// So that everybody looks.
    bump: Option<u64>,
}

impl Patch {
    pub(super) fn read(input: &mut Input<'_>, lock: &[u8], ends: &[u64]) -> Self {
        let kind = input.byte();
        let bump = (kind & 0x80 != 0).then(|| u64::from(kind >> 6 & 1) + 1);
        let mut patch = Self { words: Vec::new(), slot: None, bump };
        match kind & 7 {
            0 => {}
            1 | 2 => {
                let at = WORD * usize::from(input.byte() % HEAD_WORDS);
                patch.words.push((at, number(input, lock, ends, at)));
            }
            3 | 4 => {
                // In both copies, so that it counts whichever is read.
                let at = WORD * usize::from(input.byte() % STATE_WORDS);
                let number = number(input, lock, ends, STATES_AT[0] + at);
                patch.words.extend(STATES_AT.map(|copy| (copy + at, number)));
            }
            5 => {
                let at = BACKOFFS_AT + WORD * (2 * usize::from(input.byte()) % 512);
                patch.words.push((at, number(input, lock, ends, at)));
            }
            6 => {
                let at = WORD * (usize::from(input.byte()) << 8 | usize::from(input.byte())) % LOCK_LEN;
                patch.words.push((at, number(input, lock, ends, at)));
            }
            _ => {
                let at = input.pick(&SLOTS_AT);
                let bytes = lock[at..at + SLOT_LEN].try_into().expect("the length of a slot");
                let none = Slot { uuid: [7; 16], generation: 1, watermark: 8192, next_id: 1, next_revision: 1 };
                let mut slot = Slot::decode(bytes).unwrap_or(none);
                let field = input.byte();
                let number = number(input, lock, ends, at + 16);
                match field % 5 {
                    0 => slot.uuid[0] ^= field,
                    1 => slot.generation = number,
                    2 => slot.watermark = number,
                    3 => slot.next_id = number,
                    _ => slot.next_revision = number,
                }
                patch.slot = Some((at, slot));
            }
        }
        patch
    }

    /// Whether it may be, or change, a slot that is valid.
    pub(super) fn is_slot(&self) -> bool {
        let in_slot = |at: usize| SLOTS_AT.iter().any(|slot| (*slot..slot + SLOT_LEN).contains(&at));
        self.slot.is_some() || self.words.iter().any(|(at, _)| in_slot(*at))
    }

    pub(super) fn apply(&self, lock: &mut [u8]) {
        let mut put = |at: usize, bytes: &[u8]| lock[at..at + bytes.len()].copy_from_slice(bytes);
        for (at, word) in &self.words {
            put(*at, &word.to_le_bytes());
        }
        if let Some((at, slot)) = &self.slot {
            put(*at, &slot.encode());
        }
        if let Some(more) = self.bump {
            let version = word(lock, VERSION_AT).wrapping_add(more);
            lock[VERSION_AT..VERSION_AT + WORD].copy_from_slice(&version.to_le_bytes());
        }
    }
}

/// One for the word at `at`: some that are often interesting, near the present one, an end of the log, another word's, any.
fn number(input: &mut Input<'_>, lock: &[u8], ends: &[u64], at: usize) -> u64 {
    match input.below(6) {
        0 => input.pick(&NUMBERS),
        1 => word(lock, at).wrapping_add_signed(input.byte().cast_signed().into()),
        2 => word(lock, at).wrapping_add_signed(8 * i64::from(input.byte().cast_signed())),
        3 if !ends.is_empty() => input.pick(ends),
        4 => word(lock, STATES_AT[0] + WORD * usize::from(input.byte() % 32)),
        _ => input.word(),
    }
}

fn word(lock: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(std::array::from_fn(|byte| lock[at + byte]))
}
