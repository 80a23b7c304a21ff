//! Reading a log through and listing all damage, with the scanner that opening uses.

use std::path::Path;

use super::lock_file::LOCK_LEN;
use super::recover::{proved_end, read_known_header};
use super::{Engine, LOCK, LOG, lock_file};
use crate::error::{Error, Result};
use crate::format::header::SECOND_COPY_AT;
use crate::format::slot::Slot;
use crate::format::{ALIGN, DecodeError};
use crate::log::scan::Scanner;
use crate::log::tail;
use crate::stats::{Damage, VerifyReport, VerifyStatus};
use crate::storage::{Directory, File, Storage};

impl Engine {
    /// Verifies what is durable now. Saves and finds go on.
    pub(crate) fn verify(&self) -> Result<VerifyReport> {
        let (source, slot) = {
            let writer = self.writer()?;
            (self.shared()?.source.clone(), writer.slot())
        };
        verify(source.file(), source.path(), slot.watermark, &[slot])
    }
}

/// Verifies a store that nobody needs to have open. Writes nothing.
pub(crate) fn verify_path(storage: &dyn Storage, path: &Path) -> Result<VerifyReport> {
    let nothing = |reason| Error::NotAStore { path: path.into(), reason };
    let directory = storage.open_dir(path)?.ok_or_else(|| nothing("there is nothing"))?;
    let file = directory.open_to_read(LOG)?;
    let slots = read_slots(directory.as_ref())?;
    let log_path = path.join(LOG);
    let file = match file {
        Some(file) => file,
        None if slots.is_empty() => return Err(nothing("there is no store.log")),
        None => return Err(Error::Copied { path: log_path, reason: "the lock file knows of a log that is not there" }),
    };
    let end = file.len().map_err(|error| Error::io("stat", &log_path, error))?;
    verify(file.as_ref(), &log_path, end, &slots)
}

fn read_slots(directory: &dyn Directory) -> Result<Vec<Slot>> {
    let Some(file) = directory.open_to_read(LOCK)? else { return Ok(Vec::new()) };
    let mut bytes = [0; LOCK_LEN];
    let read = file.read_at(&mut bytes, 0);
    let read = read.map_err(|error| Error::io("read", directory.path().join(LOCK), error))?;
    Ok(lock_file::slots_of(&bytes[..read]))
}

fn verify(file: &dyn File, path: &Path, end: u64, slots: &[Slot]) -> Result<VerifyReport> {
    let mut report = VerifyReport { status: VerifyStatus::Clean, frames: 0, operations: 0, damage: Vec::new() };
    let (header, crc, both) = match read_known_header(file, path, end, slots) {
        Ok(found) => found,
        Err(Error::Corrupt { offset, reason, .. }) => {
            report.status = VerifyStatus::Corrupt;
            report.damage.push(Damage { offset, reason });
            return Ok(report);
        }
        Err(error) => return Err(error),
    };
    let seed = header.seed();
    let mut scanner = Scanner::new(file, path, seed, crc, end);
    let (sealed, place) = loop {
        match scanner.next_frame()? {
            Ok(frame) => {
                report.frames += 1;
                report.operations += frame.operations.len() as u64;
            }
            Err(reason) => {
                let offset = scanner.position();
                let (sealed, place) = (scanner.link().sealed, Damage { offset, reason });
                let Some((next, _)) = tail::next_header(file, path, seed, offset + ALIGN, end)? else {
                    break (sealed, place);
                };
                report.damage.push(place);
                scanner.resume(next);
            }
        }
    };
    let first = report.damage.first().map_or(place.offset, |damage| damage.offset);
    let tail = tail::examine(file, path, seed, first, end)?;
    let lost = tail.watermark.max(proved_end(&header, slots)) > first || !sealed;
    if lost || tail.end > place.offset {
        report.damage.push(place);
    }
    report.status = match (lost, report.damage.is_empty()) {
        (true, _) => VerifyStatus::Corrupt,
        (false, false) => VerifyStatus::TornTail,
        (false, true) => VerifyStatus::Clean,
    };
    if !both {
        let reason = DecodeError::Checksum { of: "file header" };
        let offset = if first_copy_is_whole(file, path)? { SECOND_COPY_AT } else { 0 };
        report.damage.insert(0, Damage { offset, reason });
        report.status = VerifyStatus::Corrupt;
    }
    Ok(report)
}

fn first_copy_is_whole(file: &dyn File, path: &Path) -> Result<bool> {
    let mut copy = [0; crate::format::header::COPY_LEN];
    let read = file.read_at(&mut copy, 0).map_err(|error| Error::io("read", path, error))?;
    Ok(crate::format::header::FileHeader::decode(&copy[..read]).is_ok())
}
