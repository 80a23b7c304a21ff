//! The right to commit: nobody else, in this process or another, writes to the log, the slots or the page.
//!
//! Whoever gets it first finishes or undoes what the one before may have left who died with it: a move to another
//! generation, a frame that was durable and not shown, a frame that was not durable.

use std::path::Path;
use std::time::Duration;

use super::compact::Compacting;
use super::follow::Tip;
use super::page::{State, Swap};
use super::recover::proved_end;
use super::{Engine, LOG, Writer};
use crate::error::{Error, Result};
use crate::format::slot::Slot;
use crate::log::append;
use crate::log::append::Appender;
use crate::sync::MutexGuard;

/// The right to commit, as long as this is held.
pub(super) struct Turn<'a> {
    pub(super) engine: &'a Engine,
    pub(super) writer: MutexGuard<'a, Writer>,
    /// Somebody died in the middle of a move to another generation. Nothing may be appended before a new one is made.
    pub(super) in_doubt: bool,
}

impl Engine {
    /// Waits for it, for at most the handle's lock timeout since `start`.
    pub(super) fn take_turn(&self, start: Duration) -> Result<Turn<'_>> {
        let lock = self.writing_lock()?;
        let writer = self.writer.lock();
        if writer.closed {
            return Err(Error::Closed);
        }
        let (storage, page) = (self.storage.as_ref(), &self.lock_file.page);
        // Whoever closes the handle waits for us.
        lock.take_commit(storage, page, start, self.lock_timeout, || self.check_usable())?;
        // From here on it is let go by `drop`.
        let in_doubt = false;
        let mut turn = Turn { engine: self, writer, in_doubt };
        turn.in_doubt = self.settle(&mut turn.writer)?;
        Ok(turn)
    }

    /// The same for appending: mends what keeps from it, if that can be done by itself.
    /// `compacting` is for who has the right to make a new generation already.
    pub(super) fn take_turn_to_append(&self, start: Duration, compacting: Option<&Compacting<'_>>) -> Result<Turn<'_>> {
        let turn = self.take_turn(start)?;
        let turn = if turn.in_doubt && !self.lock_file.page.sync_failed() {
            drop(turn);
            self.end_doubt(compacting)?;
            self.take_turn(self.storage.clock())?
        } else {
            turn
        };
        if turn.in_doubt || turn.writer.poisoned || self.lock_file.page.sync_failed() {
            return Err(Error::Poisoned { path: self.log_path.clone() });
        }
        self.heal()?;
        Ok(turn)
    }

    /// Brings this handle to where the store is, and the store to where its last writer should have left it. Returns
    /// whether that is in doubt.
    fn settle(&self, writer: &mut Writer) -> Result<bool> {
        if let Some(lock) = &self.lock {
            lock.check_current()?;
        }
        let mut tip = self.tip.lock();
        self.follow_to_write(&mut tip)?;
        let page = &self.lock_file.page;
        let (_, state) = page.state();
        let is_current = self.directory.is_current(LOG, tip.file.as_ref())?;
        if state.pending().is_some() {
            if !is_current || tip.head.generation != state.generation {
                // Its maker died between the rename and the end of the directory's sync, which may have failed.
                return Ok(true);
            }
            // CRASH: before the rename; the next compaction removes the file.
            self.publish_page(&State { swap: Swap::default(), ..state })?;
        }
        if !is_current {
            return Err(Error::LockReplaced { path: self.log_path.clone() });
        }
        let is_interrupted = page.intent_end() > tip.end && !page.sync_failed();
        if is_interrupted {
            self.show_proved(&mut tip)?;
        }
        if writer.appender.file().identity() == tip.file.identity() {
            writer.appender.move_to(tip.end, tip.link);
        } else {
            writer.appender = tip.appender(&self.log_path)?;
        }
        // Nobody moves it while we have the right to commit; whoever follows need not wait for the sync.
        drop(tip);
        if is_interrupted {
            self.undo_intent(writer)?;
        }
        Ok(false)
    }

    /// Of what a writer left that died between its intent and its acknowledgement, what its slot proves durable.
    fn show_proved(&self, tip: &mut Tip) -> Result<()> {
        let slots: Vec<Slot> = self.lock_file.slots().filter(|slot| slot.uuid == tip.head.uuid).collect();
        let proved = proved_end(&tip.head, &slots);
        if proved > tip.end {
            // CRASH: between slot and publish.
            self.read_on(tip, proved)?;
            let (_, state) = self.lock_file.page.state();
            self.publish_page(&tip.state(state.swap))?;
        }
        Ok(())
    }

    /// The rest never counts. It is zeroed, and not taken over: its sync may have failed.
    fn undo_intent(&self, writer: &Writer) -> Result<()> {
        let page = &self.lock_file.page;
        let (file, durable_end) = (writer.appender.file(), writer.appender.end());
        let io = |error| Error::io("undo an interrupted write to", &self.log_path, error);
        let end = page.intent_end().min(file.file_len().map_err(io)?);
        if end > durable_end {
            append::write_zeros(file.as_ref(), durable_end, end).map_err(io)?;
            file.sync().inspect_err(|_| page.set_sync_failed(true)).map_err(io)?;
        }
        page.set_intent_end(durable_end);
        Ok(())
    }

    /// Shows a state of which this handle's index already has all.
    pub(super) fn publish_page(&self, state: &State) -> Result<()> {
        self.publish(|shared| {
            shared.version = self.lock_file.page.publish(state);
            Ok(())
        })
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if let Some(lock) = &self.engine.lock {
            lock.release_commit(self.engine.storage.as_ref(), &self.engine.lock_file.page);
        }
    }
}

impl Tip {
    /// What appends here. Whatever the file has behind the end is taken for its extension: whoever has extended it has
    /// synced that before letting go of the right to commit.
    pub(super) fn appender(&self, path: &Path) -> Result<Appender> {
        let len = self.file.file_len().map_err(|error| Error::io("stat", path, error))?;
        Ok(Appender::new(self.file.clone(), path, &self.head.codec, self.end, len.max(self.end), self.link))
    }

    /// What the other processes are to see.
    pub(super) fn state(&self, swap: Swap) -> State {
        State {
            generation: self.head.generation,
            durable_end: self.end,
            next_sequence: self.link.sequence + 1,
            next_id: self.link.next_id,
            next_revision: self.link.next_revision,
            swap,
        }
    }

    /// What the last sync of the log proved.
    pub(super) fn slot(&self) -> Slot {
        Slot {
            uuid: self.head.uuid,
            generation: self.head.generation,
            watermark: self.end,
            next_id: self.link.next_id,
            next_revision: self.link.next_revision,
        }
    }
}
