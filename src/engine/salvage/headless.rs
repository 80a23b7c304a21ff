//! A log whose file header is in doubt: both copies damaged, or different, or what is left is the header of other frames.
//!
//! A copy under which a frame is good is the log's. If there is none: the header's salt is in every checksum, so each good
//! frame tells what they all start from; that one frame is good is shown by its operations' checksums.

use std::ops::ControlFlow;

use crate::engine::head::{Head, Keyring};
use crate::engine::look::{FoundLog, Headless};
use crate::engine::recover::FoundHeader;
use crate::error::{DecodeError, Error, ErrorKind, Result};
use crate::format::frame::{self, FRAME_HEADER_LEN, FrameHeader};
use crate::format::header::{COPY_LEN, FRAMES_AT, FileHeader, SECOND_COPY_AT};
use crate::format::seal::SUITE_PLAIN;
use crate::format::slot::Slot;
use crate::format::{ALIGN_LEN, FRAME_LEN_MAX, Seed};
use crate::log::scan::Window;
use crate::log::walk::{Step, walk};

/// A log without a header that both copies agree on, if its frames tell which it was.
pub(super) fn without_header(error: Error, log: &Headless, keys: &Keyring) -> Result<FoundLog> {
    let lost = match &error {
        Error::Corrupt { offset, reason, .. } => (*offset, reason.clone()),
        Error::NotAStore { .. } | Error::Copied { .. } => (0, DecodeError::Magic),
        _ => return Err(error),
    };
    let mut reason = error;
    for at in [0, SECOND_COPY_AT] {
        match under_copy(log, keys, at, &lost) {
            Ok(Some(found)) if has_frames(&found)? => return Ok(found),
            Ok(_) => {}
            // It may be of another store; if nothing else is found, this is why.
            Err(error) if matches!(error.kind(), ErrorKind::WrongKey | ErrorKind::NotEncrypted) => reason = error,
            Err(error) => return Err(error),
        }
    }
    match guess_header(log, keys, lost) {
        Ok(found) => found.ok_or(reason),
        Err(error) => Err(if reason.kind() == ErrorKind::WrongKey { reason } else { error }),
    }
}

/// The same for a header that only one copy has, and under which no frame is good: it may be an earlier generation's,
/// whose sectors a device gave back, or another store's. (A header that both copies have, or the slots know, is the log's:
/// then the frames are what is damaged.)
pub(super) fn under_own_header(log: FoundLog, keys: &Keyring) -> Result<FoundLog> {
    let FoundLog { file, path, file_len, slots, header: FoundHeader { head, damaged_copy }, .. } = &log;
    let is_known = newest(slots).is_some_and(|slot| (slot.uuid, slot.generation) == (head.uuid, head.generation));
    let Some(damaged) = damaged_copy.clone().filter(|_| !is_known) else { return Ok(log) };
    if has_frames(&log)? {
        return Ok(log);
    }
    if head.suite != SUITE_PLAIN {
        // The key has told that it is one of this store: its frames are what is lost. Unless the slots know of a later one,
        // with which the key to the contents is lost.
        let corrupt = |(offset, reason)| Error::Corrupt { path: path.clone(), offset, reason };
        return if log.contradiction().is_none() { Ok(log) } else { Err(corrupt(damaged)) };
    }
    let headless = Headless { file: file.clone(), path: path.clone(), file_len: *file_len, slots: slots.clone() };
    match guess_header(&headless, keys, damaged) {
        Ok(guessed) => Ok(guessed.unwrap_or(log)),
        // Sealed frames are another store's.
        Err(error) if error.kind() == ErrorKind::Corrupt => Ok(log),
        Err(error) => Err(error),
    }
}

/// Whether any frame is good under the log's header.
fn has_frames(log: &FoundLog) -> Result<bool> {
    let mut found = false;
    walk(log.extent(), |step| {
        found = matches!(step, Step::Frame(_));
        Ok(if found { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    })?;
    Ok(found)
}

/// The log with the header that stands here, if one does.
fn under_copy(log: &Headless, keys: &Keyring, at: u64, lost: &(u64, DecodeError)) -> Result<Option<FoundLog>> {
    let Headless { file, path, .. } = log;
    let mut copy = [0; COPY_LEN];
    let read = file.read_at(&mut copy, at).map_err(|error| Error::io("read", path, error))?;
    let Ok((header, _)) = FileHeader::decode(&copy[..read]) else { return Ok(None) };
    if header.check_readable().is_err() {
        return Ok(None);
    }
    match keys.head(header, path) {
        Ok(head) => Ok(Some(found_log(log, FoundHeader { head, damaged_copy: Some(lost.clone()) }))),
        Err(error) if error.kind() == ErrorKind::Corrupt => Ok(None),
        Err(error) => Err(error),
    }
}

/// What the frames tell of their header. The slots beside them are taken for their own.
fn guess_header(log: &Headless, keys: &Keyring, lost: (u64, DecodeError)) -> Result<Option<FoundLog>> {
    let Headless { file, path, file_len, slots } = log;
    let (seed, file_header_crc) = match guess(Window::new(file.as_ref(), path, *file_len), *file_len)? {
        Some(Guess::Plain { seed, file_header_crc }) => (seed, file_header_crc),
        // The key to the contents was in the header, and is nowhere else.
        Some(Guess::Sealed) => return Err(Error::Corrupt { path: path.clone(), offset: lost.0, reason: lost.1 }),
        None => return Ok(None),
    };
    // What anybody can write is not taken for what only a holder of the key could.
    keys.check_plain(path)?;
    let (uuid, generation) = newest(slots).map_or(([0; 16], 1), |slot| (slot.uuid, slot.generation));
    let header = FoundHeader {
        head: Head::guessed(FileHeader::plain(uuid, generation, 0, 0), seed, file_header_crc),
        damaged_copy: Some(lost),
    };
    Ok(Some(found_log(log, header)))
}

/// The slot that speaks of the latest log.
fn newest(slots: &[Slot]) -> Option<&Slot> {
    slots.iter().max_by_key(|slot| (slot.generation, slot.watermark))
}

fn found_log(log: &Headless, header: FoundHeader) -> FoundLog {
    let Headless { file, path, file_len, slots } = log;
    let (file, path, file_len, slots) = (file.clone(), path.clone(), *file_len, slots.clone());
    FoundLog { file, path, end: file_len, file_len, in_use: false, header, slots }
}

/// What a header would have told.
enum Guess {
    Plain {
        seed: Seed,
        /// The file header's checksum, if the first frame is there, whose chain it is.
        file_header_crc: u32,
    },
    Sealed,
}

/// Looks for a frame that is good by itself, up to `end`.
fn guess(mut window: Window<'_>, end: u64) -> Result<Option<Guess>> {
    // A file can be made in which every place seems to begin a long frame.
    let mut in_vain = end.saturating_mul(2).saturating_add(FRAME_LEN_MAX.into());
    for at in (FRAMES_AT..end).step_by(ALIGN_LEN) {
        let Ok(bytes) = window.get(at, FRAME_HEADER_LEN as u64)? else { continue };
        let Some(seed) = FrameHeader::seed(at, bytes) else { continue };
        let Ok((header, _)) = FrameHeader::decode(seed, at, bytes) else { continue };
        let Some(left) = in_vain.checked_sub(header.frame_len()) else { continue };
        let Ok(bytes) = window.get(at, header.frame_len())? else { continue };
        let body = bytes.get(FRAME_HEADER_LEN..).unwrap_or_default();
        if frame::decode_body(seed, at, &header, body).is_ok() {
            let file_header_crc = if at == FRAMES_AT { header.chain } else { 0 };
            return Ok(Some(Guess::Plain { seed, file_header_crc }));
        }
        if frame::check_locked_body(seed, at, &header, body).is_ok() {
            return Ok(Some(Guess::Sealed));
        }
        in_vain = left;
    }
    Ok(None)
}
