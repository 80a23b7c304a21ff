//! From an input to the files of a store: a log that is mended as far as the input says, and what lies beside it.
//!
//! Input: switches, number of frames to mend, length of the extension, a place; then the log, from its first frame on
//! or whole. With no frames to mend it is taken as it is.

use tokcask::format::frame::Link;
use tokcask::format::header::{COPY_LEN, FRAMES_AT, FileHeader};
use tokcask::format::redo;
use tokcask::format::slot::{SLOT_LEN, Slot};

use super::memory::Memory;
use super::mend::{Mending, mend_copy, mend_log};

/// The input is the whole file, header and all.
pub(crate) const WHOLE: u8 = 1;
pub(crate) const LENGTHS: u8 = 2;
pub(crate) const COUNTERS: u8 = 4;
/// The lock file says that the mended frames were durable, but for the last `8 * place` bytes.
pub(crate) const SLOT: u8 = 8;
/// The first `8 * place` bytes of the frames are zeros in the log and stand in `store.redo`.
pub(crate) const REDO: u8 = 16;
/// The store is compacted after the save.
pub(crate) const COMPACT: u8 = 32;
/// The lock file says that a sync failed.
pub(crate) const SYNC_FAILED: u8 = 64;

pub(crate) const HEAD_LEN: usize = 4;

const LOCK_LEN: usize = 16 << 10;
const SYNC_FAILED_AT: usize = 16;
const SLOT_AT: usize = 4096;
const EXTENSION_UNIT: usize = 512;

/// A log as it lies in a storage.
#[derive(Default)]
pub(crate) struct LaidOut {
    pub(crate) log: Vec<u8>,
    /// The same after `store.redo` was written back.
    pub(crate) redone: Vec<u8>,
    /// How far the lock file proves it durable.
    pub(crate) proved: usize,
    pub(crate) compact: bool,
}

/// Makes the files that an input stands for; `None` if it is too short.
pub(crate) fn lay_out(data: &[u8], storage: &Memory) -> Option<LaidOut> {
    let (&[switches, frames, extension, place], input) = data.split_first_chunk::<HEAD_LEN>()?;
    let mut log = if switches & WHOLE == 0 { header_copies() } else { Vec::new() };
    log.extend(input);
    let mut laid_out = LaidOut { compact: switches & COMPACT != 0, ..LaidOut::default() };
    let mended = mend(&mut log, switches, frames.into());
    log.resize(log.len() + usize::from(extension) * EXTENSION_UNIT, 0);
    laid_out.redone.clone_from(&log);
    if let Some((header, end)) = mended {
        let place = usize::from(place) * 8;
        let frames_at = 2 * COPY_LEN;
        if switches & SLOT != 0 {
            laid_out.proved = end.saturating_sub(place).max(frames_at);
        }
        if switches & REDO != 0 {
            let pending = &mut log[frames_at..end.min(frames_at + place)];
            storage.put("store.redo", redo::encode(&header, FRAMES_AT, pending));
            pending.fill(0);
        }
        if switches & (SLOT | SYNC_FAILED) != 0 {
            storage.put("store.lock", lock_file(&header, switches, laid_out.proved));
        }
    }
    storage.put("store.log", log.clone());
    Some(LaidOut { log, ..laid_out })
}

/// The start of every log that is not an input as a whole.
fn header_copies() -> Vec<u8> {
    let uuid = std::array::from_fn(|byte| byte.to_le_bytes()[0]);
    let (copy, _) = FileHeader::plain(uuid, 1, 0x1716_1514_1312_1110, 1_700_000_000_000).encode();
    copy.repeat(2)
}

/// Mends a log; returns its header and where the last mended frame ends, if it has a header that can be mended.
fn mend(log: &mut [u8], switches: u8, frames: usize) -> Option<(FileHeader, usize)> {
    let (copies, rest) = log.split_at_mut_checked(2 * COPY_LEN).filter(|_| frames != 0)?;
    copies.chunks_exact_mut(COPY_LEN).for_each(mend_copy);
    let (header, crc) = FileHeader::decode(copies).ok()?;
    let mending = Mending { lengths: switches & LENGTHS != 0, counters: switches & COUNTERS != 0 };
    let end = mend_log(header.seed(), FRAMES_AT, rest, Link::first(crc), frames, mending);
    Some((header, usize::try_from(end).ok()?))
}

fn lock_file(header: &FileHeader, switches: u8, proved: usize) -> Vec<u8> {
    let mut lock = vec![0; LOCK_LEN];
    if switches & SLOT != 0 {
        let (uuid, generation) = (header.uuid, header.generation);
        let slot = Slot { uuid, generation, watermark: proved as u64, next_id: 1, next_revision: 1 };
        lock[SLOT_AT..SLOT_AT + SLOT_LEN].copy_from_slice(&slot.encode());
    }
    lock[SYNC_FAILED_AT] = u8::from(switches & SYNC_FAILED != 0);
    lock
}
