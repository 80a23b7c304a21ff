//! The content of `store.lock`: watermark slots that survive a crash, and the shared page of the processes that have
//! the store open.
//!
//! FORMAT.md, "store.lock". A slot says how far a sync of the log has succeeded; between two syncs of this file only one of
//! the two is written, so that a power loss leaves the other.

use std::path::PathBuf;
use std::sync::Arc;

use super::LOCK;
use crate::error::{Error, Result};
use crate::format::slot::{SLOT_LEN, Slot};
use crate::log::append;
use crate::storage::{Access, Directory, File, Page};

/// Length of the file.
pub(crate) const LOCK_LEN: usize = 16 << 10;

const LAYOUT: u64 = 1;
const WORD: usize = 8;
const LAYOUT_AT: usize = 0;
const VERSION_AT: usize = 8 / WORD;
const SYNC_FAILED_AT: usize = 16 / WORD;
const INTENT_END_AT: usize = 24 / WORD;
const STATES_AT: [usize; 2] = [128 / WORD, 256 / WORD];
const SLOT_BLOCKS_AT: [usize; 2] = [4096 / WORD, 8192 / WORD];

/// What processes that share the store agree on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct State {
    pub(crate) generation: u64,
    pub(crate) durable_end: u64,
    pub(crate) next_sequence: u64,
    pub(crate) next_id: u64,
    pub(crate) next_revision: u64,
}

/// The open file.
#[derive(Debug)]
pub(crate) struct LockFile {
    file: Arc<dyn File>,
    page: Arc<dyn Page>,
    path: PathBuf,
    /// Which slot is written until the next sync.
    turn: usize,
    unsynced: bool,
    synced_at_ms: u64,
}

impl LockFile {
    /// Fills a file that is too short with zeros, durably, and opens it a second time: a descriptor that holds locks
    /// is never mapped, or a map would keep the lock alive in a child.
    pub(crate) fn open(directory: &dyn Directory, locked: &dyn File) -> Result<Self> {
        let path = directory.path().join(LOCK);
        let io = |operation: &'static str| {
            let path = path.clone();
            move |error| Error::io(operation, path, error)
        };
        let len = locked.file_len().map_err(io("stat"))?;
        if len < LOCK_LEN as u64 {
            append::write_zeros(locked, len, LOCK_LEN as u64).and_then(|()| locked.sync()).map_err(io("write"))?;
            directory.sync()?;
        }
        let replaced = || Error::LockReplaced { path: path.clone() };
        let file = directory.open(LOCK)?.ok_or_else(replaced)?;
        if file.identity() != locked.identity() {
            return Err(replaced());
        }
        let page = file.page(LOCK_LEN, Access::Write).map_err(io("map"))?;
        let mut lock_file = Self { file, page, path: path.clone(), turn: 0, unsynced: false, synced_at_ms: 0 };
        // What is the better slot must not be so in memory only: it is left alone while the other one is written.
        lock_file.file.sync().map_err(io("sync"))?;
        let [first, second] = [0, 1].map(|slot| lock_file.slot(slot).map(|slot| (slot.generation, slot.watermark)));
        lock_file.turn = usize::from(first > second);
        Ok(lock_file)
    }

    /// The slots that are whole.
    pub(crate) fn slots(&self) -> impl Iterator<Item = Slot> + '_ {
        [0, 1].into_iter().filter_map(|slot| self.slot(slot))
    }

    fn slot(&self, slot: usize) -> Option<Slot> {
        let mut bytes = [0; SLOT_LEN];
        for (word, space) in bytes.chunks_exact_mut(WORD).enumerate() {
            space.copy_from_slice(&self.page.load(SLOT_BLOCKS_AT[slot] + word).to_le_bytes());
        }
        Slot::decode(&bytes).ok()
    }

    /// Notes what a successful sync of the log has proved.
    pub(crate) fn write_slot(&mut self, slot: &Slot) {
        for (word, bytes) in slot.encode().chunks_exact(WORD).enumerate() {
            let value = u64::from_le_bytes(bytes.try_into().expect("chunks of a word"));
            self.page.store(SLOT_BLOCKS_AT[self.turn] + word, value);
        }
        self.unsynced = true;
    }

    /// Makes the slot survive a power loss, and turns to the other one.
    pub(crate) fn sync(&mut self) -> Result<()> {
        if self.unsynced {
            self.file.sync().map_err(|error| Error::io("sync", &self.path, error))?;
            self.unsynced = false;
            self.turn = 1 - self.turn;
        }
        Ok(())
    }

    /// The same, if the last time was a while ago: a lone save is worth a second sync, each of many is not.
    ///
    /// Failing is no failure of the save: a slot is a lower bound.
    pub(crate) fn sync_now_and_then(&mut self, now_ms: u64) {
        const EVERY_MS: u64 = 1000;
        if now_ms.abs_diff(self.synced_at_ms) >= EVERY_MS && self.sync().is_ok() {
            self.synced_at_ms = now_ms;
        }
    }

    /// Starts the page anew for an opener that is alone. The version goes on, so that nobody takes it for an old one.
    pub(crate) fn initialise(&self, state: &State) {
        self.page.store(LAYOUT_AT, LAYOUT);
        self.page.store(INTENT_END_AT, state.durable_end);
        self.publish(state);
    }

    /// Shows a state to everybody in one step: fills the copy that does not count, then bumps the version.
    pub(crate) fn publish(&self, state: &State) {
        let version = self.page.load(VERSION_AT).wrapping_add(1);
        let copy = STATES_AT[usize::from(version % 2 == 1)];
        let none_pending = [0; 3];
        let sync_failed = self.page.load(SYNC_FAILED_AT);
        let words = [state.generation, state.durable_end, state.next_sequence, state.next_id, state.next_revision];
        for (word, value) in words.into_iter().chain(none_pending).chain([sync_failed]).enumerate() {
            self.page.store(copy + word, value);
        }
        self.page.store(VERSION_AT, version);
    }

    /// Says how far bytes may be written from now on without being durable.
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
}

/// The slots that are whole, in the bytes of a file that is not mapped.
pub(crate) fn slots_of(bytes: &[u8]) -> Vec<Slot> {
    let block = |at: &usize| bytes.get(at * WORD..at * WORD + SLOT_LEN)?.try_into().ok();
    SLOT_BLOCKS_AT.iter().filter_map(block).filter_map(|slot| Slot::decode(slot).ok()).collect()
}
