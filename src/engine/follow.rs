//! Following what others publish: new frames of the log, and moves to a new generation.
//!
//! A find looks at one number of the page; if it has changed, it comes here first. Only what is below the published end
//! is ever read, so nothing is seen that is not durable. Waits for no sync, of whichever process.

use std::sync::Arc;

use super::build::Counters;
use super::head::Head;
use super::join::generation_in_doubt;
use super::locks::{self, LogLock};
use super::page::{State, Swap};
use super::recover::{FoundHeader, read_header};
use super::replay::{Haste, Replayed, replay_durable};
use super::{Engine, LOG, Mode, Shared, mark};
use crate::error::{DecodeError, Error, Result};
use crate::format::frame::{FRAME_HEADER_LEN, Kind, Link};
use crate::format::operation::SEALED_LEN;
use crate::log::scan::{Frame, Scanner};
use crate::log::source::Source;
use crate::storage::{Access, File};

/// Where this handle stands in the log: up to here everything is in the index.
pub(super) struct Tip {
    pub(super) head: Head,
    pub(super) file: Arc<dyn File>,
    /// `None` if this handle only reads.
    pub(super) log_lock: Option<LogLock>,
    pub(super) end: u64,
    pub(super) link: Link,
}

impl Tip {
    /// Whoever recovered the store may know of ids that were given and whose frames are gone, and had no room to say so in
    /// the log.
    pub(super) fn reserve_ids(&mut self, state: &State) {
        let mut counters = Counters { next_id: self.link.next_id, next_revision: self.link.next_revision };
        counters.raise_on_hearsay(state.next_id, 0);
        self.link.next_id = counters.next_id;
    }
}

impl Engine {
    /// Shows everything that was published before the call.
    pub(super) fn catch_up(&self) -> Result<()> {
        self.follow(&mut self.tip.lock())
    }

    /// The same for whoever holds the tip.
    pub(super) fn follow(&self, tip: &mut Tip) -> Result<()> {
        const TRIES: u32 = 1000;
        for _ in 0..TRIES {
            // A handle that is closed takes no lock of a new file: nobody would let go of it.
            self.check_usable()?;
            let (version, state) = self.lock_file.page.state();
            if self.shared_version()? == version {
                return Ok(());
            }
            if self.follow_to(tip, version, &state)? {
                return Ok(());
            }
            // The name stands for a generation that nobody has published yet, or that has gone already.
            self.storage.sleep(super::locks::POLL);
        }
        let waited = super::locks::POLL * TRIES;
        Err(Error::Busy { path: self.log_path.clone(), waited })
    }

    /// The same for whoever has the right to commit: also if whoever made a new generation died in it, and this handle
    /// has slept since before the last one that was published, whose file nobody can open any more.
    pub(super) fn follow_to_write(&self, tip: &mut Tip) -> Result<()> {
        let (version, state) = self.lock_file.page.state();
        if let Some(pending) = state.pending().filter(|_| tip.head.generation != state.generation)
            && let Some((generation, durable_end)) =
                generation_in_doubt(self.directory.as_ref(), &self.keyring(), &state, pending)?
            && generation != tip.head.generation
        {
            let in_doubt = State { generation, durable_end, swap: Swap::default(), ..state };
            self.follow_to(tip, version, &in_doubt)?;
        }
        self.follow(tip)
    }

    /// Returns whether it came there: the file may not be found under its name just now.
    fn follow_to(&self, tip: &mut Tip, version: u64, state: &State) -> Result<bool> {
        if state.generation == tip.head.generation && state.durable_end >= tip.end {
            self.read_on(tip, state.durable_end)?;
            tip.reserve_ids(state);
            self.set_version(version)?;
            return Ok(true);
        }
        let missing = || Error::LockReplaced { path: self.log_path.clone() };
        let file = locks::open(self.directory.as_ref(), LOG, self.access())?.ok_or_else(missing)?;
        let FoundHeader { head, .. } = read_header(file.as_ref(), &self.log_path, &self.keyring())?;
        if head.uuid != tip.head.uuid {
            let reason = "another store took its place while it was open";
            return Err(Error::Copied { path: self.log_path.clone(), reason });
        }
        if head.generation < tip.head.generation {
            // Generations only rise: somebody put an earlier file back, and the page to it.
            let reason = DecodeError::Invalid { rule: "an earlier generation than the one that was shown already" };
            return Err(Error::Corrupt { path: self.log_path.clone(), offset: 0, reason });
        }
        let Swap { new_end, old_end, .. } = state.swap;
        let end = match head.generation {
            generation if generation == state.generation => state.durable_end,
            // Its maker has not published it yet, and may never; what it begins with was published before.
            generation if state.pending() == Some(generation) && old_end > 0 => new_end,
            _ => return Ok(false),
        };
        if head.generation == tip.head.generation && end < tip.end {
            // What was durable stays so: to follow would be to forget, and then to write over it.
            let reason = DecodeError::Invalid { rule: "the shared page ends before what it has shown already" };
            return Err(Error::Corrupt { path: self.log_path.clone(), offset: end, reason });
        }
        let Some(file) = mark::mark_current(self.directory.as_ref(), file, head.generation)? else { return Ok(false) };
        let log_lock = if self.mode == Mode::ReadOnly { None } else { LogLock::join(self.directory.as_ref(), LOG)? };
        if self.mode != Mode::ReadOnly && !log_lock.as_ref().is_some_and(|lock| lock.is_of(file.as_ref())) {
            return Ok(false);
        }
        if self.can_go_on(tip, &head, &state.swap) {
            self.read_on(tip, old_end)?;
            let link = self.sealed_link(file.as_ref(), &head, new_end)?.ok_or_else(|| self.unlike_page(new_end))?;
            let source = self.source(&file, &head, end)?;
            source.publish(new_end)?;
            self.publish(|shared| {
                shared.source = source.after(shared.source.share()).into();
                shared.dead_since_ms = None;
                Ok(())
            })?;
            *tip = Tip { head, file, log_lock, end: new_end, link };
            self.read_on(tip, end)?;
            self.set_version(version)?;
        } else {
            let replayed = replay_durable(&file, &self.log_path, &head, end, self.read_mode, Haste::Waited)?;
            let Replayed { index, source, link, dead_since_ms, .. } = replayed;
            *tip = Tip { head, file, log_lock, end, link };
            self.publish(|shared| {
                *shared = Shared { index, source: source.into(), version, dead_since_ms, ended: None };
                Ok(())
            })?;
        }
        tip.reserve_ids(state);
        self.wake_housekeeper();
        Ok(true)
    }

    /// Whether the rows that are shown now are those with which the new generation begins, or will be when the old log
    /// was read to its end.
    fn can_go_on(&self, tip: &Tip, head: &Head, swap: &Swap) -> bool {
        let follows = swap.from == tip.head.generation && swap.to == head.generation && swap.to == swap.from + 1;
        // An index that is lost is built anew either way.
        follows && swap.old_end >= tip.end && self.shared().is_ok_and(|shared| !shared.source.has_older())
    }

    /// Takes up the frames from the tip to `end`, which are durable.
    pub(super) fn read_on(&self, tip: &mut Tip, end: u64) -> Result<()> {
        if tip.end >= end {
            return Ok(());
        }
        let file = tip.file.clone();
        let mut scanner = Scanner::after(file.as_ref(), &self.log_path, &tip.head.codec, (tip.end, tip.link), end);
        while scanner.position() < end {
            let offset = scanner.position();
            let frame = scanner.next_frame()?;
            let frame = frame.map_err(|reason| Error::Corrupt { path: self.log_path.clone(), offset, reason })?;
            (tip.end, tip.link) = (frame.offset + frame.header.frame_len(), frame.after);
            self.show(&frame)?;
        }
        Ok(())
    }

    fn show(&self, frame: &Frame<'_>) -> Result<()> {
        // Large, and nobody should wait for it to be let go.
        let mut cleared = Vec::new();
        self.publish(|shared| {
            if let Some(longer) = shared.source.publish(frame.offset + frame.header.frame_len())? {
                shared.source = longer.into();
            }
            for located in &frame.operations {
                cleared.extend(shared.index.apply(&shared.source, located)?);
            }
            shared.note_dead(frame.header.time_ms);
            Ok(())
        })
    }

    fn set_version(&self, version: u64) -> Result<()> {
        self.publish(|shared| {
            shared.version = version;
            Ok(())
        })
    }

    fn source(&self, file: &Arc<dyn File>, head: &Head, end: u64) -> Result<Source> {
        let source = Source::new(file.clone(), &self.log_path, &head.codec, self.read_mode, end)?;
        Ok(source.of_generation(head.generation))
    }

    fn access(&self) -> Access {
        if self.mode == Mode::ReadOnly { Access::Read } else { Access::Write }
    }

    fn unlike_page(&self, offset: u64) -> Error {
        let reason = DecodeError::Invalid { rule: "no seal where the shared page says that one ends" };
        Error::Corrupt { path: self.log_path.clone(), offset, reason }
    }

    /// What the frame behind a seal that ends at `end` has to follow; `None` if there is no such seal.
    fn sealed_link(&self, file: &dyn File, head: &Head, end: u64) -> Result<Option<Link>> {
        let sealed_len = SEALED_LEN + head.codec.content_len_more() as usize;
        let frame_len = (FRAME_HEADER_LEN + sealed_len + head.codec.trailer_len()) as u64;
        let Some(offset) = end.checked_sub(frame_len) else { return Ok(None) };
        // What stands before is read later; that the seal is genuine has to be known before anything is chained to it.
        let mut scanner = Scanner::new(file, &self.log_path, &head.codec, head.first, end);
        scanner.resume(offset);
        let seal = scanner.next_frame()?.ok();
        let seal = seal.filter(|frame| frame.header.kind == Kind::Seal && frame.header.frame_len() == frame_len);
        Ok(seal.map(|frame| frame.after))
    }
}
