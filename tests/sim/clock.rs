//! The clock on the wall: it goes on a little with every look, unless it is stopped.

use super::{Sim, threads};

impl Sim {
    /// Sets the clock, which may step back.
    pub(crate) fn set_now_ms(&self, now_ms: u64) {
        self.world().now_ms = now_ms;
    }

    /// From now on the clock shows this, and stands still.
    pub(crate) fn stop_clock_at(&self, now_ms: u64) {
        let mut world = self.world();
        (world.now_ms, world.is_stopped) = (now_ms, true);
    }

    pub(super) fn look_at_clock(&self) -> u64 {
        let mut world = self.world();
        world.now_ms += if world.is_stopped { 0 } else { threads::CLOCK_STEP_MS };
        world.now_ms
    }
}
