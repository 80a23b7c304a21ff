//! What an opener that is alone makes of a log. FORMAT.md, "What a reader decides".
//!
//! Only what was never acknowledged is ever cut; what cannot be told apart from damage is reported, and left as it is.

use std::path::Path;
use std::sync::Arc;

use super::build::Counters;
use super::head::{Head, Keyring};
use super::lock_file::LockFile;
use super::open::{Accept, Contradiction};
use super::replay::replay;
use super::{mark, redo, tail_file};
use crate::error::{DecodeError, Error, Result};
use crate::format::ALIGN;
use crate::format::frame::{Kind, Link};
use crate::format::header::{COPY_LEN, FRAMES_AT, FileHeader, SECOND_COPY_AT, VERSION_FIELD};
use crate::format::operation::Operation;
use crate::format::slot::Slot;
use crate::index::Index;
use crate::log::append::{self, AppendError, Appender, FrameHead, Room, refused};
use crate::log::scan::Scanner;
use crate::log::source::Source;
use crate::log::tail::{self, Tail};
use crate::options::Options;
use crate::stats::{OpenReport, RecoveredTail};
use crate::storage::{Directory, File, Storage};

/// A log that may be used, and what is in it.
pub(super) struct Recovered {
    pub(super) head: Head,
    pub(super) appender: Appender,
    pub(super) index: Index,
    pub(super) source: Source,
    /// The end may be in memory only, and there was no room to make sure of it.
    pub(super) distrusted: bool,
    /// What the lock file says against this log, if that was not to count.
    pub(super) contradiction: Option<Contradiction>,
    /// When the first of its records was replaced or deleted.
    pub(super) dead_since_ms: Option<u64>,
}

/// A log file and what stands around it.
pub(super) struct Recovery<'a> {
    pub(super) options: &'a Options,
    pub(super) accept: Accept,
    pub(super) storage: &'a dyn Storage,
    pub(super) directory: &'a dyn Directory,
    pub(super) lock_file: &'a LockFile,
    pub(super) file: Arc<dyn File>,
    pub(super) path: &'a Path,
}

impl Recovery<'_> {
    /// Reads the log, decides, and cuts what a crash left.
    pub(super) fn run(&self, report: &mut OpenReport) -> Result<Recovered> {
        let file_len = self.file.file_len().map_err(|error| self.io("stat", error))?;
        // Nothing is believed that only memory holds.
        self.file.sync().map_err(|error| self.io("sync", error))?;
        self.directory.sync()?;
        let slots: Vec<Slot> = self.lock_file.slots().collect();
        let keys = &self.options.keyring;
        let found = match self.accept {
            Accept::KnownLog => read_known_header(self.file.as_ref(), self.path, keys, file_len, &slots)?,
            Accept::AnyLog => read_header_beside(self.file.as_ref(), self.path, keys, file_len, &slots)?,
        };
        let FoundHeader { head, damaged_copy } = found;
        let file = mark::mark(self.directory, self.file.clone(), head.generation)?;
        let mut against = contradiction(&head, &slots, file_len);
        head.check_writable().map_err(|reason| Error::Unsupported { path: self.path.into(), reason })?;
        report.header_copy_damaged = damaged_copy.is_some();
        if against.is_none() {
            redo::finish(self.directory, self.file.as_ref(), self.path, file_len, &head)?;
        }

        let codec = &head.codec;
        let source = Source::new(file.clone(), self.path, codec, self.options.read_mode, file_len)?;
        let source = source.of_generation(head.generation);
        let mut scanner = Scanner::new(self.file.as_ref(), self.path, codec, head.first, file_len);
        scanner.use_all_cores();
        let (index, dead_since_ms, reason) = self.replay(&mut scanner, &source, file_len, report)?;
        let (end, link) = (scanner.position(), scanner.link());
        let tail = tail::examine(self.file.as_ref(), self.path, codec.seed, end, file_len)?;
        let proved = proved_end(&head, &slots);
        if self.accept == Accept::AnyLog && proved > end {
            // An older log whose room reaches as far as the newer one's end.
            against = against.or(Some("it ends before what was already durable"));
        }
        if tail.watermark > end || !link.sealed || (proved > end && against.is_none()) {
            return Err(Error::Corrupt { path: self.path.into(), offset: end, reason });
        }
        let mut appender = Appender::new(file, self.path, codec, end, file_len, link);
        if let Some(against) = against {
            let contradiction =
                Some(Contradiction { reason: against, slots, counters: counters_after(link, &tail, end) });
            report.recovered = (tail.end > end).then(|| RecoveredTail {
                offset: end,
                bytes_cut: tail.end - end,
                reason,
                quarantine: None,
            });
            let distrusted = false;
            return Ok(Recovered { head, appender, index, source, distrusted, contradiction, dead_since_ms });
        }
        let mut distrusted = false;
        if let Some((_, last)) = scanner.last().filter(|_| proved < end) {
            let done = redo::rewrite(self.directory, self.file.as_ref(), self.path, &head, last.watermark, end)?;
            (distrusted, report.full) = (!done, !done);
        }
        // A frame behind an end that is in doubt would claim that end durable.
        if tail.end > end && !distrusted {
            report.recovered = Some(self.cut(&head, &mut appender, &tail, reason, report)?);
        }
        Ok(Recovered { head, appender, index, source, distrusted, contradiction: None, dead_since_ms })
    }

    fn replay(
        &self,
        scanner: &mut Scanner<'_>,
        source: &Source,
        file_len: u64,
        report: &mut OpenReport,
    ) -> Result<(Index, Option<u64>, DecodeError)> {
        let mut meter = self.options.progress.start(file_len);
        replay(scanner, source, |frame| {
            report.frames += 1;
            report.operations += frame.operations.len() as u64;
            meter.step_to(frame.offset + frame.header.frame_len());
        })
    }

    /// Zeros over a torn tail, and a frame that says so. A full disk is no reason not to open.
    fn cut(
        &self,
        header: &FileHeader,
        appender: &mut Appender,
        tail: &Tail,
        reason: DecodeError,
        report: &mut OpenReport,
    ) -> Result<RecoveredTail> {
        let offset = appender.end();
        let bytes_cut = tail.end - offset;
        let quarantine = tail_file::keep(self.directory, self.file.as_ref(), header.generation, offset, tail.end);
        let zeroed = append::write_zeros(self.file.as_ref(), offset, tail.end).and_then(|()| self.file.sync());
        zeroed.map_err(|error| self.io("cut torn tail", error))?;
        let mut frame = appender.frame(self.storage, 0)?;
        frame.push(&Operation::Recovered { cut_len: bytes_cut }).map_err(refused)?;
        let Counters { next_id, next_revision } = counters_after(appender.link(), tail, offset);
        let head = FrameHead { kind: Kind::Recovered, time_ms: self.storage.now_ms(), next_id, next_revision };
        let noted = appender.make_room(frame.len(), Room::Reserve).and_then(|()| appender.commit(frame, head));
        match noted {
            Ok(()) => {}
            Err(AppendError::Undone(Error::NoSpace { .. })) => {
                report.full = true;
                appender.raise_next_id(head.next_id);
            }
            Err(AppendError::Undone(error) | AppendError::Unknown(error)) => return Err(error),
        }
        Ok(RecoveredTail { offset, bytes_cut, reason, quarantine })
    }

    fn io(&self, operation: &'static str, error: std::io::Error) -> Error {
        Error::io(operation, self.path, error)
    }
}

/// Counters above everything that a torn tail behind `end` may have given.
fn counters_after(link: Link, tail: &Tail, end: u64) -> Counters {
    // An operation is longer than ALIGN: whatever ids the lost frames gave, they are not given again.
    let skipped = tail.end.saturating_sub(end) / ALIGN;
    let mut counters = Counters { next_id: link.next_id, next_revision: link.next_revision };
    counters.raise(link.next_id + skipped, link.next_revision + skipped);
    counters.raise_on_hearsay(tail.next_id, tail.next_revision);
    counters
}

/// A file header that was found.
pub(super) struct FoundHeader {
    pub(super) head: Head,
    /// The copy that is not whole.
    pub(super) damaged_copy: Option<(u64, DecodeError)>,
}

/// The header of a log that the slots beside it know.
pub(super) fn read_known_header(
    file: &dyn File,
    path: &Path,
    keys: &Keyring,
    file_len: u64,
    slots: &[Slot],
) -> Result<FoundHeader> {
    let found = read_header_beside(file, path, keys, file_len, slots)?;
    match contradiction(&found.head, slots, file_len) {
        None => Ok(found),
        Some(reason) => Err(Error::Copied { path: path.into(), reason }),
    }
}

/// The header of a log beside which slots say that it is one.
pub(super) fn read_header_beside(
    file: &dyn File,
    path: &Path,
    keys: &Keyring,
    file_len: u64,
    slots: &[Slot],
) -> Result<FoundHeader> {
    match read_header(file, path, keys) {
        // A lock file that was used says that this was a store.
        Err(Error::NotAStore { path, .. }) if !slots.is_empty() && file_len < FRAMES_AT => {
            Err(Error::Copied { path, reason: SHORTER })
        }
        Err(Error::NotAStore { path, .. }) if !slots.is_empty() => {
            Err(Error::Corrupt { path, offset: 0, reason: DecodeError::Magic })
        }
        found => found,
    }
}

const SHORTER: &str = "it is shorter than what was already durable";

/// Why slots speak of another log than the one with this header and length.
pub(super) fn contradiction(header: &FileHeader, slots: &[Slot], file_len: u64) -> Option<&'static str> {
    if slots.iter().any(|slot| slot.uuid != header.uuid) {
        return Some("it is the log of another store");
    }
    if slots.iter().any(|slot| slot.generation > header.generation) {
        return Some("it is of an earlier generation");
    }
    // Slots of earlier generations speak of other files, which a compaction may have made shorter.
    (proved_end(header, slots) > file_len).then_some(SHORTER)
}

/// How far the slots prove this generation durable.
pub(super) fn proved_end(header: &FileHeader, slots: &[Slot]) -> u64 {
    let ours = slots.iter().filter(|slot| slot.generation == header.generation);
    ours.map(|slot| slot.watermark).max().unwrap_or(0)
}

/// The header that a log has, whatever stands beside it.
pub(super) fn read_header(file: &dyn File, path: &Path, keys: &Keyring) -> Result<FoundHeader> {
    let mut copies = [0; 2 * COPY_LEN];
    let read = file.read_at(&mut copies, 0).map_err(|error| Error::io("read", path, error))?;
    let (first, second) = copies[..read].split_at(read.min(COPY_LEN));
    let corrupt = |offset, reason| Error::Corrupt { path: path.into(), offset, reason };
    let (whole, damaged_copy) = match (FileHeader::check_copy(first), FileHeader::check_copy(second)) {
        (Ok(_), Ok(_)) if first != second => {
            let reason = DecodeError::Invalid { rule: "two different copies of the file header" };
            return Err(corrupt(SECOND_COPY_AT, reason));
        }
        (Ok(_), Ok(_)) => (first, None),
        (Ok(_), Err(reason)) => (first, Some((SECOND_COPY_AT, reason))),
        (Err(reason), Ok(_)) => (second, Some((0, reason))),
        (
            Err(DecodeError::Magic | DecodeError::Truncated { .. }),
            Err(DecodeError::Magic | DecodeError::Truncated { .. }),
        ) => {
            return Err(Error::NotAStore { path: path.into(), reason: "no copy of the file header begins as one" });
        }
        (Err(reason), Err(_)) => return Err(corrupt(0, reason)),
    };
    let unsupported = |reason| Error::Unsupported { path: path.into(), reason };
    let (header, _) = FileHeader::decode(whole).map_err(|reason| match reason {
        DecodeError::Unknown { field: VERSION_FIELD, .. } => unsupported(reason),
        reason => corrupt(0, reason),
    })?;
    header.check_readable().map_err(unsupported)?;
    Ok(FoundHeader { head: keys.head(header, path)?, damaged_copy })
}
