//! Compaction: exactly the present rows, in a new file, under the old name. An import that is too long for one frame
//! goes the same way.
//!
//! Ids, revisions, order and counters survive; dead records, and with them deleted secrets, do not. The copy is read
//! back and compared before it takes the name. Also the way out after a failed sync, for a new file has no such past.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use super::build::{Counters, NewLog};
use super::locks::LogLock;
use super::replay::replay_durable;
use super::{Engine, LOG, LOG_NEW, Shared, Writer, tail_file};
use crate::error::{DecodeError, Error, Result};
use crate::format::header::{FRAMES_AT, FileHeader};
use crate::format::{COUNTER_MAX, record};
use crate::index::Index;
use crate::log::Location;
use crate::log::scan::Scanner;
use crate::log::source::Source;
use crate::overlay::Row;
use crate::stats::CompactReport;
use crate::token::{Column, Token, TokenView};
use crate::trace;

/// Bytes that a compaction would save, but for the frames around them.
pub(crate) fn dead_bytes(end: u64, index: &Index) -> u64 {
    end.saturating_sub(FRAMES_AT).saturating_sub(index.live_bytes())
}

/// A new generation that has no name yet.
struct Built<'a> {
    header: FileHeader,
    log: NewLog<'a>,
    log_lock: LogLock,
    index: Index,
    source: Source,
}

/// What a new generation is to be.
pub(super) struct Rewrite<'a> {
    pub(super) generation: u64,
    pub(super) counters: Counters,
    /// Rows that read otherwise than they do now, by number; those behind the last one are new.
    pub(super) changed: BTreeMap<Row, &'a Token>,
}

impl Rewrite<'_> {
    /// The present rows, and nothing else.
    pub(super) fn nothing(writer: &Writer) -> Self {
        let link = writer.appender.link();
        Self {
            generation: writer.header.generation.saturating_add(1),
            counters: Counters { next_id: link.next_id, next_revision: link.next_revision },
            changed: BTreeMap::new(),
        }
    }
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
    /// Moves to a new generation. Saves wait for it, finds do not.
    pub(crate) fn compact(&self) -> Result<CompactReport> {
        let mut writer = self.writer()?;
        self.heal(&writer)?;
        let rewrite = Rewrite::nothing(&writer);
        self.rewrite(&mut writer, &rewrite)
    }

    /// Moves to a new generation, with changes: all of them, or nothing happens.
    pub(super) fn rewrite(&self, writer: &mut Writer, rewrite: &Rewrite<'_>) -> Result<CompactReport> {
        writer.check_current(self)?;
        let built = self.build(writer, rewrite).and_then(|mut built| {
            // Until the name is durable nobody may trust either file: after a failed sync of the directory the name
            // shows, and is not durable.
            writer.lock_file.set_sync_failed(true);
            built.log.rename(true)?;
            Ok(built)
        });
        let built = match built {
            Ok(built) => built,
            Err(error) => {
                // Nothing has happened yet. What is left of the file goes now or at the next open.
                writer.lock_file.set_sync_failed(writer.poisoned);
                let _ = self.directory.remove(LOG_NEW);
                return Err(error);
            }
        };
        writer.poisoned = true;
        let report = self.move_to(writer, built).map_err(|error| match error {
            // The name shows already, and with it the changes, if it survives.
            error if !rewrite.changed.is_empty() => {
                let (path, source) = (self.log_path.clone(), Arc::new(io::Error::other(error)));
                Error::OutcomeUnknown { path, source }
            }
            error => error,
        })?;
        trace::compacted(&self.log_path, &report);
        Ok(report)
    }

    fn build(&self, writer: &Writer, rewrite: &Rewrite<'_>) -> Result<Built<'_>> {
        let mut salt = [0; 8];
        self.storage.random(&mut salt)?;
        let now_ms = self.storage.now_ms();
        let Counters { next_id, next_revision } = rewrite.counters;
        let counters = [("generation", rewrite.generation), ("next id", next_id), ("next revision", next_revision)];
        if let Some((what, len)) = counters.into_iter().find(|(_, value)| *value > COUNTER_MAX) {
            return Err(Error::TooLarge { what, len, limit: COUNTER_MAX });
        }
        let header = FileHeader {
            generation: rewrite.generation,
            salt: u64::from_le_bytes(salt),
            created_ms: now_ms,
            ..writer.header.clone()
        };
        let mut log = NewLog::start(self.directory.as_ref(), &header, rewrite.counters, now_ms)?;
        let (old, origins) = {
            let shared = self.shared()?;
            (shared.source.clone(), origins(&shared.index, &rewrite.changed))
        };
        let to_write: u64 = origins.iter().map(Origin::len).sum();
        let mut meter = self.progress.start(writer.appender.end() + to_write);
        // Once with `read_at`, where a bad sector is an error; in a map it would be the end of the process.
        let mut scanner = Scanner::new(
            old.file(),
            &self.log_path,
            writer.header.seed(),
            writer.header.encode().1,
            writer.appender.end(),
        );
        while scanner.position() < writer.appender.end() {
            let offset = scanner.position();
            let damaged = |reason| Error::Corrupt { path: self.log_path.clone(), offset, reason };
            scanner.next_frame()?.map_err(damaged)?;
            meter.step_to(scanner.position());
        }
        for origin in &origins {
            match origin {
                Origin::Kept(at) => old.read(*at, |row| log.push(row))??,
                Origin::Given(token) => log.push(&token.view())?,
            }
            meter.step_by(origin.len());
        }
        log.sync()?;
        // As an opener would read it.
        let read_back = replay_durable(log.file(), &self.log_path, &header, log.end(), self.read_mode);
        let (index, source) = read_back.map_err(|error| match error {
            // The old log is fine.
            Error::Corrupt { offset, reason, .. } => {
                Error::Corrupt { path: self.directory.path().join(LOG_NEW), offset, reason }
            }
            error => error,
        })?;
        self.compare(&old, &origins, &source, &index)?;
        log.seal(index.len())?;
        // They may hold what was deleted; the directory's sync comes with the rename.
        tail_file::remove_all(self.directory.as_ref())?;
        let missing = || Error::LockReplaced { path: self.directory.path().join(LOG_NEW) };
        let log_lock = LogLock::take(self.directory.as_ref(), LOG_NEW)?.ok_or_else(missing)?;
        Ok(Built { header, log, log_lock, index, source })
    }

    /// Every row of the copy is the row of the original, in the same order, and there is no other.
    fn compare(&self, old: &Source, origins: &[Origin<'_>], new: &Source, index: &Index) -> Result<()> {
        let differs = |offset| {
            let reason = DecodeError::Invalid { rule: "row of a new generation differs from its original" };
            Err(Error::Corrupt { path: self.directory.path().join(LOG_NEW), offset, reason })
        };
        let mut copies = index.locations();
        for origin in origins {
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

    /// The name is given; makes it durable and goes on with the new file.
    fn move_to(&self, writer: &mut Writer, built: Built<'_>) -> Result<CompactReport> {
        let Built { header, log, log_lock, index, source } = built;
        // Whoever opens by the name meets this file from now on.
        writer.log_lock.release();
        writer.log_lock = log_lock;
        let appender = log.finish()?;
        let (before, after) = (writer.appender.end(), appender.end());
        let report = CompactReport::new(index.len(), before, after, header.generation);
        let source = source.publish(after)?.unwrap_or(source);
        writer.log_lock.share(self.directory.as_ref(), LOG)?;
        writer.header = header;
        writer.appender = appender;
        writer.lock_file.write_slot(&writer.slot());
        let mut swapped = Shared { index, source: Arc::new(source), ended: None };
        self.publish(|shared| {
            std::mem::swap(shared, &mut swapped);
            Ok(())
        })?;
        writer.lock_file.set_sync_failed(false);
        writer.lock_file.publish(&writer.state());
        writer.poisoned = false;
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
    let layouts = (before.layout(), after.layout());
    let stamps = |view: &TokenView<'_>| (view.created_at(), view.updated_at(), view.revision());
    Column::ALL.iter().all(|column| before.column(*column) == after.column(*column))
        && before.extra().eq(after.extra())
        && layouts.0.present == layouts.1.present
        && stamps(before) == stamps(after)
}
