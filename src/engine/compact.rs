//! Compaction: exactly the present rows, in a new file, under the old name, while saves and finds go on.
//!
//! The rows of one moment are copied; what is saved meanwhile is carried over frame by frame, in rounds that grow shorter;
//! only the last round, and the move, are done while nobody else can save. Ids, revisions, order and counters survive;
//! dead records, and with them deleted secrets, do not. Also the way out after a failed sync, for a new file has no such past.

use std::time::Duration;

use super::build::Counters;
use super::locks::StoreLock;
use super::meters::{Count, Timed};
use super::replay::{Haste, Replayed, replay_durable};
use super::rewrite::{Built, Original, Rewrite};
use super::{Engine, Keyring};
use crate::error::{Error, Result};
use crate::format::frame::Link;
use crate::log::scan::Scanner;
use crate::progress::Listener;
use crate::stats::CompactReport;
use crate::sync::MutexGuard;
use crate::trace;

/// What is left to carry over when saves are made to wait: about as much as a commit writes.
const LAST_ROUND_LEN: u64 = 64 << 10;
/// Whoever saves faster than we copy is made to wait in the end.
const ROUNDS_MAX: u32 = 32;

/// The right to make a new generation, as long as this is held.
pub(super) struct Compacting<'a> {
    _ours: MutexGuard<'a, ()>,
    lock: &'a StoreLock,
}

impl Drop for Compacting<'_> {
    fn drop(&mut self) {
        self.lock.release_compactor();
    }
}

impl Engine {
    /// Moves to a new generation.
    pub(crate) fn compact(&self) -> Result<CompactReport> {
        let _compacting = self.take_compactor(self.lock_timeout)?;
        self.move_on(&self.progress, None)
    }

    /// The same in the background, unless somebody is at it, or `still_due` says no once it is our turn.
    pub(super) fn try_compact(&self, still_due: impl FnOnce() -> Result<bool>) -> Result<Option<CompactReport>> {
        let _compacting = self.take_compactor(Duration::ZERO)?;
        self.catch_up()?;
        if still_due()? { self.move_on(&Listener::default(), None).map(Some) } else { Ok(None) }
    }

    /// Makes the generation that follows a move whose maker died in it; not for nothing, if somebody else has made it
    /// while we waited. `compacting` is for who has the right to already.
    pub(super) fn end_doubt(&self, compacting: Option<&Compacting<'_>>) -> Result<()> {
        let _compacting = if compacting.is_none() { Some(self.take_compactor(self.lock_timeout)?) } else { None };
        if self.lock_file.page.state().1.pending().is_some() {
            self.move_on(&self.progress, None)?;
        }
        Ok(())
    }

    /// Keeps everybody else from making a new generation, in this process and others.
    pub(super) fn take_compactor(&self, timeout: Duration) -> Result<Compacting<'_>> {
        let lock = self.writing_lock()?;
        let ours = self.compactor.lock();
        lock.take_compactor(self.storage.as_ref(), timeout, || self.check_usable())?;
        let compacting = Compacting { _ours: ours, lock };
        self.check_usable()?;
        Ok(compacting)
    }

    /// For whoever has the right to make a new generation: one with the present rows, and another key, if so wished.
    pub(super) fn move_on(&self, progress: &Listener, rekeyed: Option<Keyring>) -> Result<CompactReport> {
        let start = self.storage.clock();
        let report = self.move_rows(progress, rekeyed.as_ref())?;
        if let Some(keyring) = rekeyed {
            *self.keyring.lock() = keyring;
        }
        self.meters.count(Count::Compactions);
        self.meters.time(Timed::Compaction, self.storage.clock().saturating_sub(start));
        Ok(report)
    }

    fn move_rows(&self, progress: &Listener, rekeyed: Option<&Keyring>) -> Result<CompactReport> {
        self.catch_up()?;
        self.heal()?;
        self.renew_now()?;
        let rewrite = Rewrite { rekeyed: rekeyed.cloned(), ..Rewrite::nothing(self) };
        let (original, built) = self.build(&rewrite, progress)?;
        let mut carrying =
            Carrying { engine: self, copied: (original.end, original.link), built, carried: false, original };
        for _ in 0..ROUNDS_MAX {
            self.catch_up()?;
            if carrying.round()? < LAST_ROUND_LEN {
                break;
            }
        }
        let mut turn = self.take_turn(self.storage.clock())?;
        carrying.round()?;
        if carrying.carried {
            // The file grew since its seal.
            self.seal(&mut carrying.built)?;
        }
        let Carrying { built, copied: (end, _), .. } = carrying;
        let installed = self.install(&mut turn, built, Some(end), end);
        let report = installed.map_err(|error| if rekeyed.is_some() { self.unknown_if_shown(error) } else { error })?;
        drop(turn);
        trace::compacted(&self.log_path, &report);
        Ok(report)
    }

    /// Lets go of the file of the generation before, if rows are still read there, by reading the present one through.
    /// Finds and saves go on meanwhile.
    pub(super) fn renew(&self) -> Result<()> {
        let Some(_ours) = self.compactor.try_lock() else { return Ok(()) };
        self.renew_now()
    }

    pub(super) fn renew_now(&self) -> Result<()> {
        if !self.shared()?.source.has_older() {
            return Ok(());
        }
        let (head, file, end) = {
            let tip = self.tip.lock();
            (tip.head.clone(), tip.file.clone(), tip.end)
        };
        let mut replayed = replay_durable(&file, &self.log_path, &head, end, self.read_mode, Haste::Background)?;
        let tip = self.tip.lock();
        if tip.file.identity() != file.identity() {
            return Ok(());
        }
        replayed.read_on(&head, tip.end)?;
        let Replayed { index, source, dead_since_ms, .. } = replayed;
        let mut renewed = (index, source.into());
        self.publish(|shared| {
            std::mem::swap(&mut shared.index, &mut renewed.0);
            std::mem::swap(&mut shared.source, &mut renewed.1);
            // What it said before may be of records that the move has left behind.
            shared.dead_since_ms = dead_since_ms;
            Ok(())
        })?;
        // Before the old index goes, which takes a while.
        drop(tip);
        Ok(())
    }
}

impl Rewrite<'_> {
    /// The present rows, and nothing else.
    pub(super) fn nothing(engine: &Engine) -> Self {
        let tip = engine.tip.lock();
        let Link { next_id, next_revision, .. } = tip.link;
        let generation = engine.next_generation(&tip);
        Self {
            generation,
            counters: Counters { next_id, next_revision },
            rekeyed: None,
            changed: std::collections::BTreeMap::new(),
        }
    }
}

/// Carrying over what was saved since the copy was begun.
struct Carrying<'a> {
    engine: &'a Engine,
    original: Original,
    /// How far the original was copied.
    copied: (u64, Link),
    built: Built<'a>,
    /// Whether anything was.
    carried: bool,
}

impl Carrying<'_> {
    /// Carries over all frames up to the tip; returns their length.
    fn round(&mut self) -> Result<u64> {
        let end = {
            let tip = self.engine.tip.lock();
            if tip.head.generation != self.original.head.generation {
                // Only somebody who holds another lock file can have made it.
                return Err(Error::LockReplaced { path: self.engine.log_path.clone() });
            }
            tip.end
        };
        let (from, link) = self.copied;
        let (path, codec) = (&self.engine.log_path, &self.original.head.codec);
        let file = self.original.source.file().clone();
        let mut old = Scanner::after(file.as_ref(), path, codec, (from, link), end);
        while old.position() < end {
            self.engine.check_usable()?;
            let offset = old.position();
            let damaged = |reason| Error::Corrupt { path: path.clone(), offset, reason };
            let frame = old.next_frame()?.map_err(damaged)?;
            self.built.log.transcribe(&frame)?;
            self.carried = true;
        }
        self.copied = (end, old.link());
        self.engine.read_back(&mut self.built)?;
        Ok(end - from)
    }
}
