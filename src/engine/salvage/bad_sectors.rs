//! Reading around sectors that the device does not give back. They read as zeros, which no checksum takes for anything.

use std::io;
use std::sync::Arc;

use crate::storage::File;
use crate::storage::altered::Altered;

const SECTOR_LEN: u64 = 512;

/// The same file, without read errors.
pub(super) fn skipped(file: Arc<dyn File>) -> Arc<dyn File> {
    Arc::new(Altered::new(file, read_at))
}

fn read_at(file: &dyn File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    if let Ok(read) = file.read_at(buffer, offset) {
        return Ok(read);
    }
    let available = file.file_len()?.saturating_sub(offset);
    let len = usize::try_from(available).unwrap_or(buffer.len()).min(buffer.len());
    let mut done = 0;
    while done < len {
        let at = offset + done as u64;
        let to_next = usize::try_from(SECTOR_LEN - at % SECTOR_LEN).expect("a sector is short");
        let piece = &mut buffer[done..len.min(done + to_next)];
        let read = file.read_at(piece, at).unwrap_or(0);
        piece[read..].fill(0);
        done += piece.len();
    }
    Ok(len)
}
