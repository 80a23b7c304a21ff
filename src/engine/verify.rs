//! Reading a log through and listing all damage, with the scanner and the rules that opening uses.

use std::path::Path;
use std::sync::Arc;

use super::lock_file::LOCK_LEN;
use super::recover::{FoundHeader, proved_end, read_known_header};
use super::{Engine, LOCK, LOG, lock_file, redo};
use crate::error::{DecodeError, Error, Result};
use crate::format::header::FileHeader;
use crate::format::slot::Slot;
use crate::format::{ALIGN, FRAME_LEN_MAX};
use crate::index::IndexBuilder;
use crate::log::scan::Scanner;
use crate::log::source::Source;
use crate::log::tail;
use crate::options::ReadMode;
use crate::stats::{Damage, VerifyReport, VerifyStatus};
use crate::storage::{Directory, File, Storage};

impl Engine {
    /// Verifies what is durable now. Saves and finds go on.
    pub(crate) fn verify(&self) -> Result<VerifyReport> {
        let (file, slot) = {
            let writer = self.writer()?;
            (writer.appender.file().clone(), writer.slot())
        };
        let end = slot.watermark;
        match read_known_header(file.as_ref(), &self.log_path, end, &[slot]) {
            Ok(found) => verify(&file, &self.log_path, end, &[slot], found),
            Err(error) => unreadable(error),
        }
    }
}

/// Verifies a store that nobody needs to have open. Writes nothing.
pub(crate) fn verify_path(storage: &dyn Storage, path: &Path) -> Result<VerifyReport> {
    let nothing = |reason| Error::NotAStore { path: path.into(), reason };
    let directory = storage.open_dir(path)?.ok_or_else(|| nothing("there is nothing"))?;
    let log_path = path.join(LOG);
    // Before the log: a compaction in between may leave slots that are behind it, never ahead.
    let slots = read_slots(directory.as_ref())?;
    let file = match directory.open_to_read(LOG)? {
        Some(file) => file,
        None if slots.is_empty() => return Err(nothing("there is no store.log")),
        None => return Err(Error::Copied { path: log_path, reason: "the lock file knows of a log that is not there" }),
    };
    let file_len = |file: &dyn File| file.file_len().map_err(|error| Error::io("stat", &log_path, error));
    let found = match read_known_header(file.as_ref(), &log_path, file_len(file.as_ref())?, &slots) {
        Ok(found) => found,
        Err(error) => return unreadable(error),
    };
    let file = redo::with_pending(directory.as_ref(), file, &found.header)?;
    let end = file_len(file.as_ref())?;
    verify(&file, &log_path, end, &slots, found)
}

fn read_slots(directory: &dyn Directory) -> Result<Vec<Slot>> {
    let Some(file) = directory.open_to_read(LOCK)? else { return Ok(Vec::new()) };
    let mut bytes = [0; LOCK_LEN];
    let read = file.read_at(&mut bytes, 0);
    let read = read.map_err(|error| Error::io("read", directory.path().join(LOCK), error))?;
    Ok(lock_file::slots_of(&bytes[..read]))
}

/// A header that cannot be read is damage like any other.
fn unreadable(error: Error) -> Result<VerifyReport> {
    let Error::Corrupt { offset, reason, .. } = error else { return Err(error) };
    let damage = vec![Damage { offset, reason }];
    Ok(VerifyReport { status: VerifyStatus::Corrupt, frames: 0, operations: 0, damage })
}

fn verify(
    file: &Arc<dyn File>,
    path: &Path,
    end: u64,
    slots: &[Slot],
    FoundHeader { header, crc, damaged_copy }: FoundHeader,
) -> Result<VerifyReport> {
    let mut report = VerifyReport { status: VerifyStatus::Clean, frames: 0, operations: 0, damage: Vec::new() };
    let walked = walk(file, path, end, &header, crc, &mut report)?;
    let first = report.damage.first().map_or(walked.end, |damage| damage.offset);
    let tail = tail::examine(file.as_ref(), path, header.seed(), first, end)?;
    let lost = walked.contradicted || !walked.sealed || tail.watermark.max(proved_end(&header, slots)) > first;
    if tail.end > walked.end || (lost && report.damage.is_empty()) {
        report.damage.push(Damage { offset: walked.end, reason: walked.reason });
    }
    report.status = match (lost, report.damage.is_empty()) {
        (true, _) => VerifyStatus::Corrupt,
        (false, false) => VerifyStatus::TornTail,
        (false, true) => VerifyStatus::Clean,
    };
    if let Some((offset, reason)) = damaged_copy {
        report.damage.insert(0, Damage { offset, reason });
        report.status = VerifyStatus::Corrupt;
    }
    Ok(report)
}

/// Where a walk through all frames came to.
struct Walked {
    /// Behind the last good frame of the file, whatever lies before it.
    end: u64,
    /// Why no frame begins there.
    reason: DecodeError,
    /// Whether a seal stood before the first damage.
    sealed: bool,
    /// Whether frames that are good by themselves say what cannot be.
    contradicted: bool,
}

/// Reads all frames, and those behind damage; lists the damage between them.
fn walk(
    file: &Arc<dyn File>,
    path: &Path,
    end: u64,
    header: &FileHeader,
    crc: u32,
    report: &mut VerifyReport,
) -> Result<Walked> {
    let seed = header.seed();
    let source = Source::new(file.clone(), path, seed, ReadMode::Copy, end)?;
    let mut scanner = Scanner::new(file.as_ref(), path, seed, crc, end);
    // Rows can be followed as long as nothing is missing.
    let mut index = Some(IndexBuilder::new());
    let mut sealed = None;
    let mut read_again = end.saturating_mul(2).saturating_add(FRAME_LEN_MAX.into());
    let mut contradicted = false;
    loop {
        let reason = match scanner.next_frame()? {
            Ok(frame) => {
                report.frames += 1;
                report.operations += frame.operations.len() as u64;
                match index.as_mut().map_or(Ok(()), |index| index.apply(&source, &frame.operations)) {
                    Err(Error::Corrupt { offset, reason, .. }) => {
                        report.damage.push(Damage { offset, reason });
                        contradicted = true;
                        index = None;
                    }
                    applied => applied?,
                }
                continue;
            }
            Err(reason) => reason,
        };
        let (offset, sealed_here) = (scanner.position(), scanner.link().sealed);
        let sealed = *sealed.get_or_insert(sealed_here);
        let next = tail::next_header(file.as_ref(), path, seed, offset + ALIGN, end)?;
        // A file can be made in which every place seems to begin a frame of half its length: not all are read.
        let affordable = |len: u64| read_again.checked_sub(len);
        let next = next.and_then(|(next, header)| Some((next, affordable(header.frame_len())?)));
        let Some((next, left)) = next else { return Ok(Walked { end: offset, reason, sealed, contradicted }) };
        read_again = left;
        report.damage.push(Damage { offset, reason });
        scanner.resume(next);
        index = None;
    }
}
