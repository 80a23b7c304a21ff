//! The shared page: what the processes that have a store open agree on. FORMAT.md, "store.lock".
//!
//! A publish is one step: it fills the copy of the state that does not count, then bumps the version. So a process that
//! is killed anywhere leaves the old state or the new one, and a reader that finds the version unchanged has a whole one.
//! Everything here is written by whoever holds the right to commit, but for the waiters' stamp and the back-offs.

use std::sync::Arc;
use std::time::Duration;

use crate::storage::Page;

const LAYOUT: u64 = 1;
const WORD: usize = 8;
const LAYOUT_AT: usize = 0;
const VERSION_AT: usize = 8 / WORD;
const SYNC_FAILED_AT: usize = 16 / WORD;
const INTENT_END_AT: usize = 24 / WORD;
const RELEASES_AT: usize = 32 / WORD;
const WAITED_AT: usize = 40 / WORD;
const GRANTS_AT: usize = 48 / WORD;
const TURN_AT: usize = 56 / WORD;
const UNSYNCED_AT: usize = 64 / WORD;
const SYNCED_AT: usize = 72 / WORD;
const STATES_AT: [usize; 2] = [128 / WORD, 256 / WORD];
const BACKOFFS_AT: usize = 12_288 / WORD;

/// How long ago somebody may have begun to wait to count as waiting, by the clock on the wall: a hint, no more.
const WAITING_MS: u64 = 3;

/// What processes that share the store agree on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct State {
    pub(crate) generation: u64,
    pub(crate) durable_end: u64,
    pub(crate) next_sequence: u64,
    pub(crate) next_id: u64,
    pub(crate) next_revision: u64,
    pub(crate) swap: Swap,
}

/// The last move from one generation to another: done, if `to` is the generation that counts; else under way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Swap {
    pub(crate) from: u64,
    pub(crate) to: u64,
    /// Where the old log ends for good. 0 if the new one does not begin with what the old one ended with.
    pub(crate) old_end: u64,
    /// Where the new log stood when it had the same rows: the end of its last seal.
    pub(crate) new_end: u64,
}

impl State {
    /// The generation that a file was given the name for, or was about to be, when its maker died.
    pub(crate) fn pending(&self) -> Option<u64> {
        (self.swap.to > self.generation).then_some(self.swap.to)
    }
}

/// The page, as far as it is not slots.
#[derive(Debug)]
pub(crate) struct SharedPage {
    page: Arc<dyn Page>,
}

impl SharedPage {
    pub(crate) fn new(page: Arc<dyn Page>) -> Self {
        Self { page }
    }

    /// A number of the slots.
    pub(super) fn word(&self, word: usize) -> u64 {
        self.page.load(word)
    }

    pub(super) fn set_word(&self, word: usize, value: u64) {
        self.page.store(word, value);
    }

    /// Starts the page anew for an opener that is alone. The version goes on, so that nobody takes it for an old one.
    pub(crate) fn initialise(&self, state: &State, turn: usize) {
        self.page.store(LAYOUT_AT, LAYOUT);
        self.page.store(INTENT_END_AT, state.durable_end);
        self.page.store(WAITED_AT, 0);
        self.page.store(TURN_AT, turn as u64);
        self.page.store(UNSYNCED_AT, 0);
        self.publish(state);
    }

    /// Whether somebody has laid it out.
    pub(crate) fn is_laid_out(&self) -> bool {
        self.page.load(LAYOUT_AT) == LAYOUT
    }

    /// Changes with every publish.
    pub(crate) fn version(&self) -> u64 {
        self.page.load(VERSION_AT)
    }

    /// The state that counts, and its version.
    pub(crate) fn state(&self) -> (u64, State) {
        loop {
            let version = self.version();
            let copy = copy_at(version);
            let word = |number: usize| self.page.load(copy + number);
            let swap = Swap { from: word(5), to: word(6), old_end: word(7), new_end: word(8) };
            let state = State {
                generation: word(0),
                durable_end: word(1),
                next_sequence: word(2),
                next_id: word(3),
                next_revision: word(4),
                swap,
            };
            // The copy is only written again after the other one has come to count.
            if self.version() == version {
                return (version, state);
            }
        }
    }

    /// Shows a state to everybody; returns its version.
    pub(crate) fn publish(&self, state: &State) -> u64 {
        let version = self.version().wrapping_add(1);
        let Swap { from, to, old_end, new_end } = state.swap;
        let words = [
            state.generation,
            state.durable_end,
            state.next_sequence,
            state.next_id,
            state.next_revision,
            from,
            to,
            old_end,
            new_end,
        ];
        for (number, value) in words.into_iter().enumerate() {
            self.page.store(copy_at(version) + number, value);
        }
        self.page.store(VERSION_AT, version);
        version
    }

    /// A number of the table of back-offs.
    pub(super) fn backoff(&self, number: usize) -> u64 {
        self.page.load(BACKOFFS_AT + number)
    }

    pub(super) fn set_backoff(&self, number: usize, entry: u64) {
        self.page.store(BACKOFFS_AT + number, entry);
    }

    /// How far bytes may have been written without being durable.
    pub(crate) fn intent_end(&self) -> u64 {
        self.page.load(INTENT_END_AT)
    }

    pub(crate) fn set_intent_end(&self, end: u64) {
        self.page.store(INTENT_END_AT, end);
    }

    /// Whether a sync failed, or may have, since the last new generation.
    pub(crate) fn sync_failed(&self) -> bool {
        self.page.load(SYNC_FAILED_AT) != 0
    }

    /// Survives this process, not a power loss, after which there is nothing left to distrust.
    pub(crate) fn set_sync_failed(&self, failed: bool) {
        self.page.store(SYNC_FAILED_AT, u64::from(failed));
    }

    /// Which slot is written until the next sync, whether it was, and when the last sync was.
    pub(super) fn slot_turn(&self) -> usize {
        usize::from(self.page.load(TURN_AT) != 0)
    }

    pub(super) fn is_unsynced(&self) -> bool {
        self.page.load(UNSYNCED_AT) != 0
    }

    pub(super) fn set_unsynced(&self) {
        self.page.store(UNSYNCED_AT, 1);
    }

    /// The slot in turn is durable: the other one comes next.
    pub(super) fn synced(&self) {
        self.page.store(TURN_AT, (1 - self.slot_turn()) as u64);
        self.page.store(UNSYNCED_AT, 0);
    }

    pub(super) fn synced_at_ms(&self) -> u64 {
        self.page.load(SYNCED_AT)
    }

    pub(super) fn set_synced_at_ms(&self, now_ms: u64) {
        self.page.store(SYNCED_AT, now_ms);
    }

    /// What the next release changes.
    pub(super) fn releases(&self) -> u32 {
        low_half(self.page.load(RELEASES_AT))
    }

    /// Waits for the right to commit to be let go, since `releases`.
    pub(super) fn await_release(&self, releases: u32, now_ms: u64, time: Duration) {
        self.page.store(WAITED_AT, now_ms);
        self.page.wait(RELEASES_AT, releases, time);
    }

    /// The right to commit is about to be let go.
    pub(super) fn releasing(&self) {
        self.page.store(RELEASES_AT, self.page.load(RELEASES_AT).wrapping_add(1));
    }

    pub(super) fn wake_waiters(&self) {
        self.page.wake(RELEASES_AT);
    }

    /// Whether another process waits for the right to commit, or did just now.
    pub(super) fn is_waited_for(&self, now_ms: u64) -> bool {
        self.page.load(WAITED_AT).abs_diff(now_ms) <= WAITING_MS
    }

    /// The right to commit was granted to somebody.
    pub(super) fn granted(&self, wake: bool) {
        self.page.store(GRANTS_AT, self.page.load(GRANTS_AT).wrapping_add(1));
        if wake {
            self.page.wake(GRANTS_AT);
        }
    }

    pub(super) fn grants(&self) -> u32 {
        low_half(self.page.load(GRANTS_AT))
    }

    /// Waits for somebody to be granted the right to commit, since `grants`.
    pub(super) fn await_grant(&self, grants: u32, time: Duration) {
        self.page.wait(GRANTS_AT, grants, time);
    }
}

/// The page of a store whose lock file is not there or may not be used: nothing ever changes.
#[derive(Debug)]
pub(super) struct Still;

impl Page for Still {
    fn load(&self, _: usize) -> u64 {
        0
    }

    fn store(&self, _: usize, _: u64) {
        unreachable!("only writing handles store");
    }

    fn wait(&self, _: usize, _: u32, _: Duration) {}

    fn wake(&self, _: usize) {}
}

fn copy_at(version: u64) -> usize {
    STATES_AT[usize::from(version % 2 == 1)]
}

fn low_half(number: u64) -> u32 {
    u32::try_from(number & u64::from(u32::MAX)).expect("32 bits")
}
