//! Reading a log through and listing all damage, with the scanner and the rules that opening uses.

use std::ops::ControlFlow;
use std::path::Path;

use super::Engine;
use super::look::FoundLog;
use super::recover::{proved_end, read_known_header};
use crate::error::{DecodeError, Error, Result};
use crate::format::seal::Contents;
use crate::index::IndexBuilder;
use crate::log::source::Source;
use crate::log::tail;
use crate::log::walk::{Step, walk};
use crate::options::{Options, ReadMode};
use crate::progress::Listener;
use crate::stats::{Damage, VerifyReport, VerifyStatus};
use crate::storage::Storage;

/// How often a store is verified again because somebody began to use it meanwhile.
const TRIES: u32 = 10;

impl Engine {
    /// Verifies what is durable now. Saves and finds go on.
    pub(crate) fn verify(&self) -> Result<VerifyReport> {
        let (file, slot) = {
            self.check_usable()?;
            let mut tip = self.tip.lock();
            self.follow(&mut tip)?;
            (tip.file.clone(), tip.slot())
        };
        let (path, end) = (self.log_path.clone(), slot.watermark);
        let header = match read_known_header(file.as_ref(), &path, &self.keyring(), end, &[slot]) {
            Ok(header) => header,
            Err(error) => return unreadable(error),
        };
        let slots = vec![slot];
        verify(&FoundLog { file, path, end, file_len: end, in_use: true, header, slots }, &self.progress)
    }
}

/// Verifies a store that nobody needs to have open. Writes nothing.
pub(crate) fn verify_path(options: &Options, storage: &dyn Storage, path: &Path) -> Result<VerifyReport> {
    let mut tries = TRIES;
    loop {
        let log = match FoundLog::open(storage, path, &options.keyring.to_look()) {
            Ok(log) => log,
            Err(error) => return unreadable(error),
        };
        if let Some(reason) = log.contradiction() {
            return Err(Error::Copied { path: log.path, reason });
        }
        let report = verify(&log, &options.progress)?;
        tries -= 1;
        // A store that somebody begins to use meanwhile looks as if its end had been torn, or worse.
        if report.status == VerifyStatus::Clean
            || tries == 0
            || log.in_use
            || !log.has_moved_on(storage, path, &options.keyring.to_look())?
        {
            return Ok(report);
        }
    }
}

/// A header that cannot be read is damage like any other.
fn unreadable(error: Error) -> Result<VerifyReport> {
    let Error::Corrupt { offset, reason, .. } = error else { return Err(error) };
    let damage = vec![Damage { offset, reason }];
    Ok(VerifyReport { status: VerifyStatus::Corrupt, frames: 0, operations: 0, damage })
}

fn verify(log: &FoundLog, progress: &Listener) -> Result<VerifyReport> {
    let mut report = VerifyReport { status: VerifyStatus::Clean, frames: 0, operations: 0, damage: Vec::new() };
    let extent = log.extent();
    let source = Source::new(log.file.clone(), &log.path, extent.codec, ReadMode::Copy, log.end)?;
    // Rows can be followed as long as nothing is missing.
    let mut index = Some(IndexBuilder::new()).filter(|_| !matches!(extent.codec.contents, Contents::Locked));
    // Whether frames that are good by themselves say what cannot be.
    let mut contradicted = false;
    let mut meter = progress.start(log.end);
    let end = walk(extent, |step| {
        match step {
            Step::Damage(damaged) => {
                contradicted |= matches!(damaged.reason, DecodeError::Forged { .. });
                report.damage.push(Damage { offset: damaged.from, reason: damaged.reason });
                index = None;
            }
            Step::Frame(frame) => {
                report.frames += 1;
                report.operations += frame.operations.len() as u64;
                meter.step_to(frame.offset + frame.header.frame_len());
                match index.as_mut().map_or(Ok(()), |index| index.apply(&source, &frame.operations)) {
                    Err(Error::Corrupt { offset, reason, .. }) => {
                        report.damage.push(Damage { offset, reason });
                        contradicted = true;
                        index = None;
                    }
                    applied => applied?,
                }
            }
        }
        Ok(ControlFlow::Continue(()))
    })?;
    let end = end.expect("nothing breaks this walk");
    contradicted |= matches!(end.reason, DecodeError::Forged { .. });
    let first = report.damage.first().map_or(end.at, |damage| damage.offset);
    let tail = tail::examine(log.file.as_ref(), &log.path, extent.codec.seed, first, log.end)?;
    let lost = contradicted || !end.sealed || tail.watermark.max(proved_end(&log.header.head, &log.slots)) > first;
    if tail.end > end.at || (lost && report.damage.is_empty()) {
        report.damage.push(Damage { offset: end.at, reason: end.reason });
    }
    report.status = match (lost, report.damage.is_empty()) {
        (true, _) => VerifyStatus::Corrupt,
        (false, false) => VerifyStatus::TornTail,
        (false, true) => VerifyStatus::Clean,
    };
    if let Some((offset, reason)) = log.header.damaged_copy.clone() {
        report.damage.insert(0, Damage { offset, reason });
        report.status = VerifyStatus::Corrupt;
    }
    Ok(report)
}
