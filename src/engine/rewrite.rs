//! Making a new generation: rows in a new file, which is read back, compared, sealed, and takes the old one's name.
//!
//! For a compaction, which goes on from here with what was saved meanwhile; and whole, for an import that is too long
//! for one frame and for an adoption, which let nobody save meanwhile.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use super::build::{Counters, NewLog};
use super::follow::Tip;
use super::head::{Head, Keyring};
use super::locks::LogLock;
use super::page::{State, Swap};
use super::replay::{Haste, Replayed, replay_durable};
use super::turn::Turn;
use super::{Engine, LOG_NEW, Shared, tail_file};
use crate::error::{DecodeError, Error, Result};
use crate::format::frame::Link;
use crate::format::header::{FRAMES_AT, FileHeader};
use crate::format::{COUNTER_MAX, record};
use crate::index::Index;
use crate::log::Location;
use crate::log::scan::Scanner;
use crate::log::source::Source;
use crate::overlay::Row;
use crate::progress::{Listener, Meter};
use crate::stats::CompactReport;
use crate::token::{Column, Token, TokenView};

/// A generation from which a new one is made, as it is at some moment.
pub(super) struct Original {
    pub(super) head: Head,
    pub(super) end: u64,
    pub(super) link: Link,
    pub(super) source: Arc<Source>,
}

/// What a new generation is to be, beside the rows.
pub(super) struct Rewrite<'a> {
    pub(super) generation: u64,
    pub(super) counters: Counters,
    /// What it is to be opened with, if that is to be something else than now.
    pub(super) rekeyed: Option<Keyring>,
    /// Rows that read otherwise than they do now, by number; those behind the last one are new.
    pub(super) changed: BTreeMap<Row, &'a Token>,
}

/// A new generation that has no name yet.
pub(super) struct Built<'a> {
    pub(super) head: Head,
    pub(super) log: NewLog<'a>,
    /// What an opener would make of it.
    replayed: Replayed,
}

/// Where a row of a new generation comes from.
#[derive(Clone, Copy)]
enum Origin<'a> {
    Kept(Location),
    Given(&'a Token),
}

impl Origin<'_> {
    /// How much of a log it takes, about.
    fn len(&self) -> u64 {
        match self {
            Self::Kept(at) => at.len(),
            Self::Given(token) => record::encoded_len(&token.view()),
        }
    }
}

impl Engine {
    /// Moves to a new generation with changes: all of them, or nothing happens. For whoever holds the compactor's lock.
    pub(super) fn rewrite(&self, turn: &mut Turn<'_>, rewrite: &Rewrite<'_>) -> Result<CompactReport> {
        let (original, built) = self.build(rewrite, &self.progress)?;
        let installed = self.install(turn, built, None, original.end);
        installed.map_err(|error| if rewrite.changed.is_empty() { error } else { self.unknown_if_shown(error) })
    }

    /// The new name may show already, and with it what is new, if it survives.
    pub(super) fn unknown_if_shown(&self, error: Error) -> Error {
        if self.lock_file.page.state().1.pending().is_none() {
            return error;
        }
        Error::OutcomeUnknown { path: self.log_path.clone(), source: Arc::new(io::Error::other(error)) }
    }

    /// The number of the next generation. That of one whose maker died may be taken, by a file that may still show.
    pub(super) fn next_generation(&self, tip: &Tip) -> u64 {
        let (_, state) = self.lock_file.page.state();
        tip.head.generation.max(state.generation).max(state.swap.to).saturating_add(1)
    }

    /// Writes the rows as they are now, with changes, into a new file, up to its seal. Returns also what it was made from.
    pub(super) fn build(&self, rewrite: &Rewrite<'_>, progress: &Listener) -> Result<(Original, Built<'_>)> {
        let (original, origins) = {
            let tip = self.tip.lock();
            let shared = self.shared()?;
            let original =
                Original { head: tip.head.clone(), end: tip.end, link: tip.link, source: shared.source.share() };
            (original, origins(&shared.index, &rewrite.changed))
        };
        let now_ms = self.storage.now_ms();
        // Somebody may have saved since these were chosen, and the rows are of now.
        let next_id = rewrite.counters.next_id.max(original.link.next_id);
        let next_revision = rewrite.counters.next_revision.max(original.link.next_revision);
        let counters = [("generation", rewrite.generation), ("next id", next_id), ("next revision", next_revision)];
        if let Some((what, len)) = counters.into_iter().find(|(_, value)| *value > COUNTER_MAX) {
            return Err(Error::TooLarge { what, len, limit: COUNTER_MAX });
        }
        let header = FileHeader { generation: rewrite.generation, created_ms: now_ms, ..(*original.head).clone() };
        let head = self.new_head(header, rewrite.rekeyed.as_ref())?;
        let counters = Counters { next_id, next_revision };
        let mut log =
            NewLog::start(self.storage.as_ref(), self.directory.as_ref(), &head, counters, now_ms)?.beside_saves();
        let to_write: u64 = origins.iter().map(Origin::len).sum();
        let mut meter = progress.start(original.end + to_write);
        self.check_through(&original, &mut meter)?;
        for origin in &origins {
            self.check_usable()?;
            match origin {
                Origin::Kept(at) => original.source.read(*at, |row| log.push(row))??,
                Origin::Given(token) => log.push(&token.view())?,
            }
            meter.step_by(origin.len());
        }
        log.sync()?;
        let replayed = replay_durable(log.file(), &self.log_path, &head, log.end(), self.read_mode, Haste::Background);
        let replayed = replayed.map_err(|error| self.of_new(error))?;
        self.compare(&original.source, &origins, &replayed.source, &replayed.index)?;
        let mut built = Built { head, log, replayed };
        self.seal(&mut built)?;
        Ok((original, built))
    }

    fn new_head(&self, header: FileHeader, rekeyed: Option<&Keyring>) -> Result<Head> {
        let (storage, path) = (self.storage.as_ref(), &self.log_path);
        let Some(keyring) = rekeyed else { return self.keyring().new_head(storage, path, header) };
        let before = header.key_id;
        let head = keyring.new_head(storage, path, FileHeader { key_id: [0; 16], ..header })?;
        if head.key_id == before {
            // Somebody would destroy the old key now.
            return Err(Error::WrongKey {
                path: path.clone(),
                reason: "it has the key already that was to be its new one",
            });
        }
        Ok(head)
    }

    /// Makes all of it durable, and then says so in it.
    pub(super) fn seal(&self, built: &mut Built<'_>) -> Result<()> {
        built.log.sync()?;
        built.log.seal(built.replayed.index.len())?;
        self.read_back(built)
    }

    /// Reads what was written to the file since the last time.
    pub(super) fn read_back(&self, built: &mut Built<'_>) -> Result<()> {
        let Built { head, log, replayed } = built;
        replayed.read_on(head, log.end()).map_err(|error| self.of_new(error))
    }

    /// Reads the old log once with `read_at`, where a bad sector is an error; in a map it would be the end of the process.
    fn check_through(&self, original: &Original, meter: &mut Meter<'_>) -> Result<()> {
        let Original { head, end, source, .. } = original;
        let mut scanner = Scanner::new(source.file().as_ref(), &self.log_path, &head.codec, head.first, *end);
        while scanner.position() < *end {
            self.check_usable()?;
            let offset = scanner.position();
            let damaged = |reason| Error::Corrupt { path: self.log_path.clone(), offset, reason };
            scanner.next_frame()?.map_err(damaged)?;
            meter.step_to(scanner.position());
        }
        Ok(())
    }

    /// Every row of the copy is the row of the original, in the same order, and there is no other.
    fn compare(&self, old: &Source, origins: &[Origin<'_>], new: &Source, index: &Index) -> Result<()> {
        let differs = |offset| {
            let reason = DecodeError::Invalid { rule: "row of a new generation differs from its original" };
            Err(Error::Corrupt { path: self.directory.path().join(LOG_NEW), offset, reason })
        };
        let mut copies = index.locations();
        for origin in origins {
            self.check_usable()?;
            let Some(copy) = copies.next() else { return differs(FRAMES_AT) };
            let same = match origin {
                Origin::Kept(at) => old.read(*at, |before| new.read(copy, |after| same_row(before, after)))??,
                Origin::Given(token) => new.read(copy, |after| same_row(&token.view(), after))?,
            };
            if !same {
                return differs(copy.offset());
            }
        }
        copies.next().map_or(Ok(()), |surplus| differs(surplus.offset()))
    }

    /// Damage in the new file: the old one is fine.
    fn of_new(&self, error: Error) -> Error {
        match error {
            Error::Corrupt { offset, reason, .. } => {
                Error::Corrupt { path: self.directory.path().join(LOG_NEW), offset, reason }
            }
            error => error,
        }
    }

    /// Gives a sealed file the name, and goes on with it. `old_end` is where the old log ends if the new one begins with
    /// the same rows.
    pub(super) fn install(
        &self,
        turn: &mut Turn<'_>,
        built: Built<'_>,
        old_end: Option<u64>,
        bytes_before: u64,
    ) -> Result<CompactReport> {
        let Built { head, mut log, replayed } = built;
        let Replayed { index, source, dead_since_ms, .. } = replayed;
        let (page, directory) = (&self.lock_file.page, self.directory.as_ref());
        // They may hold what was deleted; the directory's sync comes with the rename.
        tail_file::remove_all(directory)?;
        let missing = || Error::LockReplaced { path: directory.path().join(LOG_NEW) };
        // Whoever opens by the name meets this file from the rename on.
        let log_lock = LogLock::join(directory, LOG_NEW)?.ok_or_else(missing)?;
        let (_, before) = page.state();
        let from = self.tip.lock().head.generation;
        // A generation that was never published is nowhere for others to go on from.
        let old_end = old_end.filter(|_| from == before.generation).unwrap_or(0);
        let swap = Swap { from, to: head.generation, old_end, new_end: log.end() };
        self.publish_page(&State { swap, ..before })?;
        if let Err(error) = log.rename(true) {
            self.publish_page(&before)?;
            return Err(error);
        }
        // CRASH: from here to the publish nobody can tell whether the name is durable: the page says so, and whoever
        // comes next makes another generation. Both files are whole, and nothing was acknowledged since.
        let (file, rows) = (log.file().clone(), index.len());
        let appender = log.finish().inspect_err(|_| page.set_sync_failed(true))?;
        let (end, link) = (appender.end(), appender.link());
        let report = CompactReport::new(rows, bytes_before, end, head.generation);
        let mut tip = self.tip.lock();
        if let Some(old) = &tip.log_lock {
            old.release();
        }
        *tip = Tip { head, file, log_lock: Some(log_lock), end, link };
        self.lock_file.write_slot(&tip.slot());
        page.set_intent_end(end);
        page.set_sync_failed(false);
        let mut swapped = Shared { index, source: source.into(), version: 0, dead_since_ms, ended: None };
        self.publish(|shared| {
            swapped.version = page.publish(&tip.state(swap));
            std::mem::swap(shared, &mut swapped);
            Ok(())
        })?;
        // Before the old index goes, which takes a while.
        drop(tip);
        turn.writer.appender = appender;
        turn.writer.poisoned = false;
        Ok(report)
    }
}

/// The rows of a new generation, oldest first.
fn origins<'a>(index: &Index, changed: &BTreeMap<Row, &'a Token>) -> Vec<Origin<'a>> {
    let kept = index.rows().map(|row| match changed.get(&row.into()) {
        Some(token) => Origin::Given(token),
        None => Origin::Kept(index.location(row)),
    });
    let added = changed.range(Row::from(index.rows_end())..).map(|(_, token)| Origin::Given(token));
    kept.chain(added).collect()
}

fn same_row(before: &TokenView<'_>, after: &TokenView<'_>) -> bool {
    let stamps = |view: &TokenView<'_>| (view.created_at(), view.updated_at(), view.revision());
    Column::ALL.iter().all(|column| before.column(*column) == after.column(*column))
        && before.extra().eq(after.extra())
        && stamps(before) == stamps(after)
}
