//! A log of which neither copy of the file header can be read. The header's salt is in every checksum, so each good frame
//! tells what they all start from; that one frame is good is shown by its operations' checksums.

use crate::error::Result;
use crate::format::frame::{self, FRAME_HEADER_LEN, FrameHeader};
use crate::format::header::FRAMES_AT;
use crate::format::{ALIGN_LEN, FRAME_LEN_MAX, Seed};
use crate::log::scan::Window;

/// What a header would have told.
pub(super) struct Guess {
    pub(super) seed: Seed,
    /// The file header's checksum, if the first frame is there, whose chain it is.
    pub(super) file_header_crc: u32,
}

/// Looks for a frame that is good by itself, up to `end`.
pub(super) fn guess(mut window: Window<'_>, end: u64) -> Result<Option<Guess>> {
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
