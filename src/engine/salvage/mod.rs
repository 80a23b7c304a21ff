//! Writing every row that can be read of a damaged log into a new store.
//!
//! Frames that are good by themselves count, wherever they lie; in between, every operation that verifies. What lies
//! behind the durable end counts as little as for an opener. The file header is not needed. The damaged store is only read.

mod bad_sectors;
mod headless;
mod lost;
mod search;

use std::ops::ControlFlow;
use std::path::Path;

use self::bad_sectors::Unreadable;
use self::lost::{Lost, Part};
use self::search::Search;
use super::build::{Counters, NewLog};
use super::fresh;
use super::head::Head;
use super::look::FoundLog;
use super::recover::proved_end;
use crate::error::{Error, Result};
use crate::format::frame::{FRAME_HEADER_LEN, Kind};
use crate::format::header::{FRAMES_AT, FileHeader};
use crate::format::operation::{Located, OPERATION_HEADER_LEN, Operation};
use crate::format::{ALIGN, COUNTER_MAX};
use crate::index::IndexBuilder;
use crate::inspect::SalvageReport;
use crate::log::source::Source;
use crate::log::tail;
use crate::log::walk::{Damaged, End, Step, walk};
use crate::log::{Location, OFFSET_MAX};
use crate::matching;
use crate::options::{Options, ReadMode};
use crate::stats::Damage;
use crate::storage::{Directory, Storage};

/// Length of a seal's frame: header, operation header, a count.
const SEAL_LEN: u64 = FRAME_HEADER_LEN as u64 + OPERATION_HEADER_LEN as u64 + 8;

/// Salvages the store at `from` into a new one at `to`.
pub(crate) fn salvage(options: &Options, storage: &dyn Storage, from: &Path, to: &Path) -> Result<SalvageReport> {
    if storage.is_inside(to, from) {
        return Err(Error::NotAStore { path: to.into(), reason: "it lies inside the store that is to be salvaged" });
    }
    let unreadable = Unreadable::default();
    salvage_around(&unreadable, options, storage, from, to).map_err(|error| unreadable.reason_for(error, from))
}

fn salvage_around(
    unreadable: &Unreadable,
    options: &Options,
    storage: &dyn Storage,
    from: &Path,
    to: &Path,
) -> Result<SalvageReport> {
    let log = FoundLog::open_through(
        storage,
        from,
        &options.keyring,
        &|file| unreadable.skip(file),
        headless::without_header,
    )?;
    let log = headless::under_own_header(log, &options.keyring)?;
    let found = Collected::read(&log, options)?;
    let mut uuid = [0; 16];
    storage.random(&mut uuid)?;
    let head = options.keyring.new_head(storage, to, FileHeader::plain(uuid, 1, 0, storage.now_ms()))?;
    fresh::make(storage, to, &head, |storage, directory| found.write(storage, directory, &head, options))?;
    Ok(found.report)
}

/// What can be read of a log.
struct Collected {
    rows: IndexBuilder,
    source: Source,
    lost: Lost,
    /// Where the rows end that a compaction carried over: what is lost before cannot have changed any other row.
    base_end: u64,
    counters: Counters,
    report: SalvageReport,
}

impl Collected {
    fn read(log: &FoundLog, options: &Options) -> Result<Self> {
        let extent = log.extent();
        let Survey { first, end, was_sealed } = survey(log)?;
        let tail = tail::examine(log.file.as_ref(), &log.path, extent.codec.seed, first, log.end)?;
        let mut durable = tail.watermark.max(proved_end(&log.header.head, &log.slots));
        if !was_sealed {
            // A log gets its name only after its seal: all that there is was durable, and so was a seal behind it.
            durable = durable.max(tail.end.max(end.at).next_multiple_of(ALIGN) + SEAL_LEN);
        }
        let mut counters = Counters::FIRST;
        counters.raise_on_hearsay(tail.next_id, tail.next_revision);
        for slot in log.slots.iter().filter(|slot| slot.uuid == log.header.head.uuid) {
            counters.raise_by_slot(slot);
        }
        let source = Source::new(log.file.clone(), &log.path, extent.codec, ReadMode::Copy, log.end)?;
        let mut found = Self {
            rows: IndexBuilder::new(),
            source,
            lost: Lost::default(),
            base_end: FRAMES_AT,
            counters,
            report: SalvageReport::default(),
        };
        let mut search = Search::new(extent);
        let mut meter = options.progress.start(log.end);
        walk(extent, |step| {
            match step {
                Step::Frame(frame) => {
                    let frame_end = frame.offset + frame.header.frame_len();
                    meter.step_to(frame_end);
                    if found.lost.frame(frame.header.sequence) {
                        found.apply(&frame.operations)?;
                        found.counters.raise(frame.header.next_id, frame.header.next_revision);
                        // A log that was put back from a backup has a second seal, behind commits.
                        let first_seal = frame.header.kind == Kind::Seal && frame.offset == found.base_end;
                        if first_seal || frame.header.kind == Kind::Base {
                            found.base_end = frame_end;
                        }
                    } else {
                        found.lost.bytes(frame.offset..frame_end);
                    }
                }
                Step::Damage(Damaged { from, reason, .. }) if from >= durable => {
                    found.report.torn_tail = Some(Damage { offset: from, reason });
                    return Ok(ControlFlow::Break(()));
                }
                Step::Damage(Damaged { from, to, .. }) => found.search(&mut search, from, to)?,
            }
            Ok(ControlFlow::Continue(()))
        })?;
        if found.report.torn_tail.is_none() {
            if durable > end.at {
                found.lost.last_frame(search.trusted_header_at(end.at)?.map(|header| header.sequence));
                found.search(&mut search, end.at, durable.min(log.end))?;
                found.lost.bytes(log.end.max(end.at)..durable);
            }
            if tail.end > durable.max(end.at) {
                found.report.torn_tail = Some(Damage { offset: durable.max(end.at), reason: end.reason });
            }
        }
        // Whatever ids and revisions the operations there gave, they are not given again.
        let left_out = found.report.torn_tail.as_ref().map_or(0, |torn| tail.end.saturating_sub(torn.offset));
        let skipped = (found.lost.len() + left_out).min(OFFSET_MAX) / ALIGN;
        let Counters { next_id, next_revision } = found.counters;
        found.counters.raise(next_id.saturating_add(skipped), next_revision.saturating_add(skipped));
        found.account(log)?;
        Ok(found)
    }

    fn search(&mut self, search: &mut Search<'_>, from: u64, to: u64) -> Result<()> {
        if let Some(header) = search.trusted_header_at(from)?.filter(|header| header.kind == Kind::Base) {
            self.base_end = to.min(from + header.frame_len());
        }
        let mut part = Part::new(from..to);
        search.operations(from, to, |located| {
            // No writer gives such a revision, and no store could hold it.
            if matches!(&located.operation, Operation::Put(row) if row.layout().revision >= COUNTER_MAX) {
                return Ok(());
            }
            part.operation(located, &mut self.lost);
            self.apply(std::slice::from_ref(located))
        })?;
        part.finish(&mut self.lost);
        Ok(())
    }

    fn apply(&mut self, operations: &[Located<'_>]) -> Result<()> {
        for located in operations {
            if let Operation::Put(row) = &located.operation {
                let next_id = matching::next_id_after(row.id().unwrap_or_default(), 1);
                self.counters.raise(next_id, row.layout().revision.saturating_add(1));
            }
        }
        self.rows.apply_readable(&self.source, operations)
    }

    fn write<'a>(
        &self,
        storage: &'a dyn Storage,
        directory: &'a dyn Directory,
        head: &Head,
        options: &Options,
    ) -> Result<(NewLog<'a>, u64)> {
        let mut log = NewLog::start(storage, directory, head, self.counters, storage.now_ms())?;
        let mut meter = options.progress.start(self.rows.locations().map(Location::len).sum());
        for at in self.rows.locations() {
            self.source.read(at, |row| log.push(row))??;
            meter.step_by(at.len());
        }
        Ok((log, self.report.tokens))
    }

    /// Says what is lost, and which rows that makes doubtful.
    fn account(&mut self, log: &FoundLog) -> Result<()> {
        let header = &log.header.head;
        let of_this_store = || log.slots.iter().filter(|slot| slot.uuid == header.uuid);
        // Of a later generation nothing is known but that it was.
        let superseded = of_this_store().any(|slot| slot.generation > header.generation);
        self.report.copied = log.contradiction();
        self.report.end_unproved = !of_this_store().any(|slot| slot.generation == header.generation);
        for at in self.rows.locations() {
            self.report.tokens += 1;
            if superseded || self.lost.any_after(at.offset(), self.base_end) {
                let id = self.source.read(at, |row| row.id().map(str::to_owned))?;
                self.report.maybe_stale.extend(id);
            }
        }
        self.report.lost = std::mem::take(&mut self.lost.ranges);
        self.report.missing_sequences = std::mem::take(&mut self.lost.sequences);
        Ok(())
    }
}

/// What a first look at a log shows.
struct Survey {
    /// Where the first damage begins.
    first: u64,
    /// Where the last good frame ends.
    end: End,
    /// Whether there is any frame that only follows a seal, or one.
    was_sealed: bool,
}

fn survey(log: &FoundLog) -> Result<Survey> {
    let (mut first, mut was_sealed) = (None, false);
    let end = walk(log.extent(), |step| {
        match step {
            Step::Damage(damaged) => drop(first.get_or_insert(damaged.from)),
            Step::Frame(frame) => was_sealed |= frame.header.kind != Kind::Base,
        }
        Ok(ControlFlow::Continue(()))
    })?;
    let end = end.expect("nothing breaks this walk");
    Ok(Survey { first: first.unwrap_or(end.at), end, was_sealed })
}
