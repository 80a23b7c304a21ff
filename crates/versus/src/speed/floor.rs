//! What a durable save costs when nothing is stored: bytes into a file of zeros, and a sync.
//!
//! No store that syncs each commit can be faster by one thread than the *bare floor*, and hardly by many than the
//! *hand-over floor*, whose writer does as little as can be done for 64 threads that wait.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

use crate::Result;

/// Of one save: a token and what a log writes around it.
pub(crate) const SAVE_LEN: usize = 512;
const FILE_LEN: u64 = 16 << 20;
const CHUNK_LEN: u64 = 64 << 10;

/// A file that has its length, so that a sync has no metadata to write.
pub(crate) struct Floor {
    file: File,
    at: u64,
}

impl Floor {
    pub(crate) fn new(path: &Path) -> Result<Self> {
        let file = File::create_new(path)?;
        let zeros = vec![0; usize::try_from(CHUNK_LEN)?];
        // Not all at once: large units of the page cache make small writes into them slower.
        for at in (0..FILE_LEN).step_by(zeros.len()) {
            file.write_all_at(&zeros, at)?;
        }
        file.sync_all()?;
        Ok(Self { file, at: 0 })
    }

    /// Writes these bytes behind the last, and syncs them.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<()> {
        let len = bytes.len() as u64;
        if self.at + len > FILE_LEN {
            self.at = 0;
        }
        self.file.write_all_at(bytes, self.at)?;
        self.file.sync_data()?;
        self.at += len;
        Ok(())
    }
}
