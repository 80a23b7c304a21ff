//! Making a log file under a temporary name: for a new store, a compaction, a backup.
//!
//! Synced, then sealed with its own end as watermark, synced again, renamed, the directory synced. One sync for all
//! would leave old watermarks everywhere: a flipped bit in it would pass for a torn tail.

use std::sync::Arc;

use super::head::Head;
use super::{LOG, LOG_NEW, mark};
use crate::error::{Error, Result};
use crate::format::frame::{FrameBuilder, FrameHeader, Kind, Link};
use crate::format::header::FRAMES_AT;
use crate::format::operation::Operation;
use crate::format::slot::Slot;
use crate::format::{ALIGN, COUNTER_MAX};
use crate::log::OFFSET_MAX;
use crate::log::append::{AppendError, Appender, FrameHead, Room, refused};
use crate::log::scan::Frame;
use crate::storage::{Directory, File, Storage};
use crate::token::TokenView;

/// Body of a base frame, about.
const BASE_BODY_LEN: u64 = 1 << 20;
/// Room for that and the longest row behind it: what growing leaves behind is not wiped.
const BASE_CAPACITY: usize = 3 << 20;
/// Bytes after which a long copy is synced, so that the last sync does not take all the time.
const SYNC_EVERY: u64 = 8 << 20;
/// The same while others save to the same device, whose syncs wait for ours.
const SYNC_EVERY_BESIDE_SAVES: u64 = 256 << 10;

/// As many operations as the longest log holds.
const GIVEN_MAX: u64 = OFFSET_MAX / ALIGN;

/// Counters that outlive a generation.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Counters {
    pub(crate) next_id: u64,
    pub(crate) next_revision: u64,
}

/// A log file that has no name yet; it goes again if it never gets one.
pub(crate) struct NewLog<'a> {
    storage: &'a dyn Storage,
    directory: &'a dyn Directory,
    is_named: bool,
    appender: Appender,
    frame: Option<FrameBuilder>,
    unsynced: u64,
    sync_every: u64,
    counters: Counters,
    time_ms: u64,
}

impl Counters {
    /// Of a store that has given none.
    pub(crate) const FIRST: Self = Self { next_id: 1, next_revision: 1 };

    /// These may have been given too, says what a crash has left, or somebody who need not have the store's key: they are
    /// not given again. More than any log has room for is not believed, or nothing could be given any more.
    pub(crate) fn raise_on_hearsay(&mut self, next_id: u64, next_revision: u64) {
        let believed = |known: u64, told: u64| told.min(known.saturating_add(GIVEN_MAX));
        self.raise(believed(self.next_id, next_id), believed(self.next_revision, next_revision));
    }

    /// The same of a slot, which speaks of what was acknowledged: also of ids that callers chose.
    pub(crate) fn raise_by_slot(&mut self, slot: &Slot) {
        /// An id that counts has at most 18 digits.
        const CHOSEN_MAX: u64 = 1_000_000_000_000_000_000;
        let chosen = slot.next_id.min(CHOSEN_MAX);
        self.raise(chosen, 0);
        self.raise_on_hearsay(slot.next_id, slot.next_revision);
    }

    /// These were given already, too.
    pub(crate) fn raise(&mut self, next_id: u64, next_revision: u64) {
        self.next_id = self.next_id.max(next_id).min(COUNTER_MAX);
        self.next_revision = self.next_revision.max(next_revision).min(COUNTER_MAX);
    }
}

impl<'a> NewLog<'a> {
    /// Starts the file, in place of any that an earlier attempt left.
    pub(super) fn start(
        storage: &'a dyn Storage,
        directory: &'a dyn Directory,
        head: &Head,
        counters: Counters,
        time_ms: u64,
    ) -> Result<Self> {
        directory.remove(LOG_NEW)?;
        let file = mark::mark(directory, directory.create(LOG_NEW)?, head.generation)?;
        let path = directory.path().join(LOG_NEW);
        let (copy, _) = head.encode();
        let both = [copy.as_slice(), &copy].concat();
        let appender = Appender::fresh(file, &path, &head.codec, FRAMES_AT, head.first);
        let log = Self {
            storage,
            directory,
            is_named: false,
            appender,
            frame: None,
            unsynced: 0,
            sync_every: SYNC_EVERY,
            counters,
            time_ms,
        };
        log.file().write_at(&both, 0).map_err(|error| Error::io("write", &path, error))?;
        Ok(log)
    }

    /// Others save meanwhile, and wait for the same device: no single write or sync is long.
    pub(crate) fn beside_saves(mut self) -> Self {
        self.sync_every = SYNC_EVERY_BESIDE_SAVES;
        self
    }

    /// Carries a row over.
    pub(crate) fn push(&mut self, row: &TokenView<'_>) -> Result<()> {
        let frame = match &mut self.frame {
            Some(frame) => frame,
            none => none.insert(self.appender.frame(self.storage, BASE_CAPACITY)?),
        };
        frame.push(&Operation::Put(row.clone())).map_err(refused)?;
        if frame.len() >= BASE_BODY_LEN.min(self.sync_every) {
            self.flush()?;
        }
        Ok(())
    }

    /// Carries a frame over as it is, to the same offset.
    pub(crate) fn copy(&mut self, frame: &Frame<'_>) -> Result<()> {
        assert_eq!(self.appender.end(), frame.offset, "frames are copied in order, to where they were");
        self.appender.copy(frame.bytes, frame.after)?;
        self.sync_now_and_then(frame.bytes.len() as u64)
    }

    /// Carries a frame of the generation before over, whose place and surroundings are others here.
    pub(crate) fn transcribe(&mut self, frame: &Frame<'_>) -> Result<()> {
        let mut copy = self.appender.frame(self.storage, frame.bytes.len())?;
        for located in &frame.operations {
            copy.push(&located.operation).map_err(refused)?;
        }
        let len = copy.len();
        let FrameHeader { kind, time_ms, next_id, next_revision, .. } = frame.header;
        self.appender.write(copy, FrameHead { kind, time_ms, next_id, next_revision })?;
        self.sync_now_and_then(len)
    }

    fn flush(&mut self) -> Result<()> {
        let Some(frame) = self.frame.take() else { return Ok(()) };
        let len = frame.len();
        self.appender.write(frame, self.head(Kind::Base))?;
        self.sync_now_and_then(len)
    }

    fn sync_now_and_then(&mut self, len: u64) -> Result<()> {
        self.unsynced += len;
        if self.unsynced >= self.sync_every {
            self.sync_file()?;
            self.unsynced = 0;
        }
        Ok(())
    }

    /// Writes the last rows and makes all of them durable. What was written can now be read back.
    pub(crate) fn sync(&mut self) -> Result<()> {
        self.flush()?;
        self.sync_file()
    }

    /// A file that has no name yet is thrown away after any failure: nothing is unknown.
    fn sync_file(&mut self) -> Result<()> {
        self.appender.sync().map_err(|error| Error::io("sync", self.directory.path().join(LOG_NEW), error))
    }

    /// Ends the file: room to write into, then the seal.
    pub(crate) fn seal(&mut self, rows: u64) -> Result<()> {
        let mut frame = self.appender.frame(self.storage, 0)?;
        frame.push(&Operation::Sealed { rows }).map_err(refused)?;
        self.appender.make_room(frame.len(), Room::Ordinary).map_err(|error| match error {
            AppendError::Undone(error) | AppendError::Unknown(error) => error,
        })?;
        self.appender.write(frame, self.head(Kind::Seal))?;
        self.sync_file()
    }

    /// Gives the file its name.
    pub(crate) fn rename(&mut self, replace: bool) -> Result<()> {
        // CRASH: before the rename the old state is complete and the next open removes the new file; after it the new
        // one is, and whichever of the two files a power loss leaves under the name is a whole store.
        self.directory.rename(LOG_NEW, LOG, replace)?;
        self.appender.renamed(self.directory.path().join(LOG));
        self.is_named = true;
        Ok(())
    }

    /// Makes the name durable.
    pub(crate) fn finish(self) -> Result<Appender> {
        self.directory.sync()?;
        Ok(self.appender.clone())
    }

    fn head(&self, kind: Kind) -> FrameHead {
        let Link { next_id, next_revision, .. } = self.appender.link();
        FrameHead {
            kind,
            time_ms: self.time_ms,
            next_id: self.counters.next_id.max(next_id),
            next_revision: self.counters.next_revision.max(next_revision),
        }
    }

    pub(crate) fn file(&self) -> &Arc<dyn File> {
        self.appender.file()
    }

    pub(crate) fn end(&self) -> u64 {
        self.appender.end()
    }
}

impl Drop for NewLog<'_> {
    fn drop(&mut self) {
        if !self.is_named {
            // What stays all the same goes when the next one is made, or at the next open.
            let _ = self.directory.remove(LOG_NEW);
        }
    }
}
