//! `store.lock` as content: the watermark slots, which survive a crash, and the shared page around them.
//!
//! FORMAT.md, "store.lock". A slot says how far a sync of the log has succeeded; between two syncs of this file only one of
//! the two is written, by whichever process, so that a power loss leaves the other.

use std::path::PathBuf;
use std::sync::Arc;

use super::page::{SharedPage, State, Still};
use super::{LOCK, locks};
use crate::error::{DecodeError, Error, Result};
use crate::format::slot::{SLOT_LEN, Slot};
use crate::log::append;
use crate::storage::{Access, Directory, File};

/// Length of the file.
pub(crate) const LOCK_LEN: usize = 16 << 10;

const WORD: usize = 8;
const SLOT_BLOCKS_AT: [usize; 2] = [4096 / WORD, 8192 / WORD];

/// The open file.
#[derive(Debug)]
pub(crate) struct LockFile {
    /// `None` if there is no such file, or it may not be used.
    file: Option<Arc<dyn File>>,
    pub(super) page: SharedPage,
    path: PathBuf,
}

impl LockFile {
    /// For an opener that is alone. Fills a file that is too short with zeros, durably.
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
        let lock_file = Self::map(directory, locked, Access::Write)?;
        // What is the better slot must not be so in memory only: it is left alone while the other one is written.
        locked.sync().map_err(io("sync"))?;
        Ok(lock_file)
    }

    /// For an opener that joins others, or only reads beside them.
    pub(crate) fn join(directory: &dyn Directory, locked: &dyn File, access: Access) -> Result<Self> {
        let lock_file = Self::map(directory, locked, access)?;
        if lock_file.page.is_laid_out() {
            return Ok(lock_file);
        }
        let reason = DecodeError::Unknown { field: "layout of the lock file", value: lock_file.page.word(0) };
        Err(Error::Unsupported { path: lock_file.path, reason })
    }

    /// Whether it has the length that it has once it is made.
    pub(crate) fn is_whole(directory: &dyn Directory, locked: &dyn File) -> Result<bool> {
        let len = locked.file_len().map_err(|error| Error::io("stat", directory.path().join(LOCK), error))?;
        Ok(len >= LOCK_LEN as u64)
    }

    /// For an opener that only reads while nobody writes.
    pub(crate) fn to_read(directory: &dyn Directory, locked: &dyn File) -> Result<Self> {
        Self::map(directory, locked, Access::Read)
    }

    /// Opens it a second time: a descriptor that holds locks is never mapped, or a map would keep the lock alive in a child.
    fn map(directory: &dyn Directory, locked: &dyn File, access: Access) -> Result<Self> {
        let path = directory.path().join(LOCK);
        let replaced = || Error::LockReplaced { path: path.clone() };
        let file = locks::open(directory, LOCK, access)?.ok_or_else(replaced)?;
        if file.identity() != locked.identity() {
            return Err(replaced());
        }
        let page = file.page(LOCK_LEN, access).map_err(|error| Error::io("map", &path, error))?;
        Ok(Self { file: Some(file), page: SharedPage::new(page), path })
    }

    /// Of a store whose lock file is not there, or may not be used.
    pub(crate) fn absent(directory: &dyn Directory) -> Self {
        Self { file: None, page: SharedPage::new(Arc::new(Still)), path: directory.path().join(LOCK) }
    }

    /// The slots that are whole.
    pub(crate) fn slots(&self) -> impl Iterator<Item = Slot> + '_ {
        [0, 1].into_iter().filter_map(|slot| self.slot(slot))
    }

    fn slot(&self, slot: usize) -> Option<Slot> {
        let mut bytes = [0; SLOT_LEN];
        for (word, space) in bytes.chunks_exact_mut(WORD).enumerate() {
            space.copy_from_slice(&self.page.word(SLOT_BLOCKS_AT[slot] + word).to_le_bytes());
        }
        Slot::decode(&bytes).ok()
    }

    /// Starts the page anew, for an opener that is alone. The better slot is left alone until the other one is durable.
    pub(crate) fn initialise(&self, state: &State) {
        let [first, second] = [0, 1].map(|slot| self.slot(slot).map(|slot| (slot.generation, slot.watermark)));
        self.page.initialise(state, usize::from(first > second));
    }

    /// Notes what a successful sync of the log has proved. For whoever holds the right to commit.
    pub(crate) fn write_slot(&self, slot: &Slot) {
        self.put_slot(self.page.slot_turn(), slot);
        self.page.set_unsynced();
    }

    fn put_slot(&self, turn: usize, slot: &Slot) {
        for (word, bytes) in slot.encode().chunks_exact(WORD).enumerate() {
            let value = u64::from_le_bytes(bytes.try_into().expect("chunks of a word"));
            self.page.set_word(SLOT_BLOCKS_AT[turn] + word, value);
        }
    }

    /// Makes the first slot of a store, or of one that was adopted, survive a power loss: nobody shares the page yet.
    pub(crate) fn write_first_slot(&self, slot: &Slot) -> Result<()> {
        self.put_slot(0, slot);
        self.sync_file()
    }

    /// Makes the slot survive a power loss, and turns to the other one. For whoever holds the right to commit.
    pub(crate) fn sync(&self) -> Result<()> {
        if self.page.is_unsynced() {
            self.sync_file()?;
            self.page.synced();
        }
        Ok(())
    }

    fn sync_file(&self) -> Result<()> {
        let synced = self.file.as_ref().map_or(Ok(()), |file| file.sync());
        synced.map_err(|error| Error::io("sync", &self.path, error))
    }

    /// The same, if the last time was a while ago: a lone save is worth a second sync, each of many is not.
    ///
    /// Failing is no failure of the save: a slot is a lower bound.
    pub(crate) fn sync_now_and_then(&self, now_ms: u64) {
        if self.is_sync_due(now_ms) && self.sync().is_ok() {
            self.page.set_synced_at_ms(now_ms);
        }
    }

    /// Whether there is something to sync, and the last time was a while ago.
    pub(crate) fn is_sync_due(&self, now_ms: u64) -> bool {
        const EVERY_MS: u64 = 1000;
        self.page.is_unsynced() && now_ms.abs_diff(self.page.synced_at_ms()) >= EVERY_MS
    }
}

/// The slots that are whole, in the bytes of a file that is not mapped.
pub(crate) fn slots_of(bytes: &[u8]) -> Vec<Slot> {
    let block = |at: &usize| bytes.get(at * WORD..at * WORD + SLOT_LEN)?.try_into().ok();
    SLOT_BLOCKS_AT.iter().filter_map(block).filter_map(|slot| Slot::decode(slot).ok()).collect()
}
