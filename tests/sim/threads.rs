//! Where threads meet: before every call on the machine, and while they wait.
//!
//! Under `--cfg shuttle` another thread may go on there. The machine's own lock is never held at such a place.

/// So much later it is whenever somebody looks at the clock on the wall. Whoever waits counts as waiting for 3 ms.
pub(super) const CLOCK_STEP_MS: u64 = if cfg!(shuttle) { 1 } else { 7 };

/// Comes to a call.
pub(super) fn may_switch() {
    #[cfg(shuttle)]
    if !std::thread::panicking() {
        // Shuttle has no time, so this only lets others run; unlike a yield it says nothing of who should.
        shuttle::thread::sleep(std::time::Duration::ZERO);
    }
}

/// Waits for what only another thread can do.
pub(super) fn give_way() {
    #[cfg(shuttle)]
    shuttle::thread::yield_now();
    #[cfg(not(shuttle))]
    std::thread::yield_now();
}
