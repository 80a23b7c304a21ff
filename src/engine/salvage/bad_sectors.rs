//! Reading around sectors that the device does not give back. They read as zeros, which no checksum takes for anything.
//!
//! If a salvage fails then, it is the device that says why, and not what is missing.

use std::io;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use crate::error::Error;
use crate::storage::File;
use crate::storage::altered::Altered;

const SECTOR_LEN: u64 = 512;

/// The first error of a device.
#[derive(Default)]
pub(super) struct Unreadable {
    first: Arc<OnceLock<io::Error>>,
}

impl Unreadable {
    /// The same file, without read errors.
    pub(super) fn skip(&self, file: Arc<dyn File>) -> Arc<dyn File> {
        let first = self.first.clone();
        Arc::new(Altered::new(file, move |file, buffer, offset| read_at(file, buffer, offset, &first)))
    }

    /// Why the salvage of the store at `from` failed: `error`, or the device if that is behind it.
    pub(super) fn reason_for(&self, error: Error, from: &Path) -> Error {
        let is_about_content = match &error {
            // Not of the place where the rows are to go.
            Error::NotAStore { path, .. } | Error::Corrupt { path, .. } | Error::Copied { path, .. } => {
                path.starts_with(from)
            }
            _ => false,
        };
        match self.first.get() {
            Some(first) if is_about_content => {
                let first = first.raw_os_error().map_or_else(|| first.kind().into(), io::Error::from_raw_os_error);
                Error::io("read", from, first)
            }
            _ => error,
        }
    }
}

fn read_at(file: &dyn File, buffer: &mut [u8], offset: u64, first: &OnceLock<io::Error>) -> io::Result<usize> {
    let error = match file.read_at(buffer, offset) {
        Ok(read) => return Ok(read),
        Err(error) => error,
    };
    first.get_or_init(|| error);
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
