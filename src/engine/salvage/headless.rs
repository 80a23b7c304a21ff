//! A log whose file header is in doubt: both copies damaged, or different, or what is left is the header of other frames.
//!
//! A copy under which a frame is good is the log's. If there is none: the header's salt is in every checksum, so each good
//! frame tells what they all start from; that one frame is good is shown by its operations' checksums.

use std::ops::ControlFlow;

use crate::engine::look::{FoundLog, Headless};
use crate::engine::recover::FoundHeader;
use crate::error::{DecodeError, Error, Result};
use crate::format::frame::{self, FRAME_HEADER_LEN, FrameHeader};
use crate::format::header::{COPY_LEN, FRAMES_AT, FileHeader, SECOND_COPY_AT};
use crate::format::slot::Slot;
use crate::format::{ALIGN_LEN, FRAME_LEN_MAX, Seed};
use crate::log::scan::Window;
use crate::log::walk::{Step, walk};

/// A log without a header that both copies agree on, if its frames tell which it was.
pub(super) fn without_header(error: Error, log: &Headless) -> Result<FoundLog> {
    let lost = match &error {
        Error::Corrupt { offset, reason, .. } => (*offset, reason.clone()),
        Error::NotAStore { .. } | Error::Copied { .. } => (0, DecodeError::Magic),
        _ => return Err(error),
    };
    for at in [0, SECOND_COPY_AT] {
        if let Some(found) = under_copy(log, at, &lost)?
            && has_frames(&found)?
        {
            return Ok(found);
        }
    }
    guess_header(log, lost)?.ok_or(error)
}

/// The same for a header that only one copy has, and under which no frame is good: it may be an earlier generation's,
/// whose sectors a device gave back, or another store's. (A header that both copies have, or the slots know, is the log's:
/// then the frames are what is damaged.)
pub(super) fn under_own_header(log: FoundLog) -> Result<FoundLog> {
    let FoundLog { file, path, file_len, slots, header: FoundHeader { header, damaged_copy, .. }, .. } = &log;
    let is_known = newest(slots).is_some_and(|slot| (slot.uuid, slot.generation) == (header.uuid, header.generation));
    let Some(damaged) = damaged_copy.clone().filter(|_| !is_known) else { return Ok(log) };
    if has_frames(&log)? {
        return Ok(log);
    }
    let headless = Headless { file: file.clone(), path: path.clone(), file_len: *file_len, slots: slots.clone() };
    Ok(guess_header(&headless, damaged)?.unwrap_or(log))
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
fn under_copy(log: &Headless, at: u64, lost: &(u64, DecodeError)) -> Result<Option<FoundLog>> {
    let Headless { file, path, .. } = log;
    let mut copy = [0; COPY_LEN];
    let read = file.read_at(&mut copy, at).map_err(|error| Error::io("read", path, error))?;
    let Ok((header, crc)) = FileHeader::decode(&copy[..read]) else { return Ok(None) };
    if header.check_readable().is_err() {
        return Ok(None);
    }
    let header = FoundHeader { header, crc, damaged_copy: Some(lost.clone()) };
    Ok(Some(found_log(log, header)))
}

/// What the frames tell of their header. The slots beside them are taken for their own.
fn guess_header(log: &Headless, lost: (u64, DecodeError)) -> Result<Option<FoundLog>> {
    let Headless { file, path, file_len, slots } = log;
    let Some(guess) = guess(Window::new(file.as_ref(), path, *file_len), *file_len)? else {
        return Ok(None);
    };
    let (uuid, generation) = newest(slots).map_or(([0; 16], 1), |slot| (slot.uuid, slot.generation));
    let header = FoundHeader {
        header: FileHeader::plain(uuid, generation, 0, 0),
        crc: guess.file_header_crc,
        damaged_copy: Some(lost),
    };
    Ok(Some(FoundLog { seed: guess.seed, ..found_log(log, header) }))
}

/// The slot that speaks of the latest log.
fn newest(slots: &[Slot]) -> Option<&Slot> {
    slots.iter().max_by_key(|slot| (slot.generation, slot.watermark))
}

fn found_log(log: &Headless, header: FoundHeader) -> FoundLog {
    let Headless { file, path, file_len, slots } = log;
    let (file, path, file_len, slots) = (file.clone(), path.clone(), *file_len, slots.clone());
    let seed = header.header.seed();
    FoundLog { file, path, end: file_len, file_len, in_use: false, seed, header, slots }
}

/// What a header would have told.
struct Guess {
    seed: Seed,
    /// The file header's checksum, if the first frame is there, whose chain it is.
    file_header_crc: u32,
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
        if frame::decode_body(seed, at, &header, bytes.get(FRAME_HEADER_LEN..).unwrap_or_default()).is_ok() {
            let file_header_crc = if at == FRAMES_AT { header.chain } else { 0 };
            return Ok(Some(Guess { seed, file_header_crc }));
        }
        in_vain = left;
    }
    Ok(None)
}
