//! When a compaction is worth its while. Pure: numbers in, a reason out.

use super::Shared;
use crate::format::header::FRAMES_AT;
use crate::index::Index;
use crate::options::CompactionPolicy;
use crate::stats::CompactionReason;

/// Bytes that a compaction would save, but for the frames around them.
pub(super) fn dead_bytes(end: u64, index: &Index) -> u64 {
    end.saturating_sub(FRAMES_AT).saturating_sub(index.live_bytes())
}

/// Frames and seals are no rows either: a policy that asks for less would compact a store for ever that nobody changes.
const DEAD_BYTES_MIN: u64 = 1 << 10;

/// Why a log that ends here is to be compacted now, if it is.
pub(super) fn due(policy: &CompactionPolicy, end: u64, shared: &Shared, now_ms: u64) -> Option<CompactionReason> {
    let dead = dead_bytes(end, &shared.index);
    let percent = u128::from(dead) * 100 / u128::from(end.saturating_sub(FRAMES_AT).max(1));
    if dead >= policy.dead_bytes_min.max(DEAD_BYTES_MIN) && percent >= policy.dead_percent_min.max(1).into() {
        return Some(CompactionReason::DeadBytes);
    }
    let age_ms = now_ms.saturating_sub(shared.dead_since_ms?);
    let over = u128::from(age_ms) >= policy.dead_age_max.as_millis();
    over.then_some(CompactionReason::DeadAge)
}

impl Shared {
    /// Takes down when the first record died.
    pub(super) fn note_dead(&mut self, time_ms: u64) {
        if self.dead_since_ms.is_none() && self.index.dead_records() > 0 {
            self.dead_since_ms = Some(time_ms);
        }
    }
}
