//! Looking at a log that nobody needs to have open: no lock is taken and nothing is written, so that it also works on a
//! store that does not open, and on one that somebody is writing to.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::lock_file::LOCK_LEN;
use super::recover::{FoundHeader, contradiction, read_header_beside};
use super::{LOCK, LOG, lock_file, redo};
use crate::error::{Error, Result};
use crate::format::Seed;
use crate::format::slot::Slot;
use crate::log::walk::Extent;
use crate::storage::{Directory, File, Storage};

/// A log, and what stands beside it.
pub(super) struct FoundLog {
    pub(super) file: Arc<dyn File>,
    pub(super) path: PathBuf,
    pub(super) end: u64,
    pub(super) seed: Seed,
    pub(super) header: FoundHeader,
    pub(super) slots: Vec<Slot>,
}

/// The same, but for what a file header tells.
pub(super) struct Headless {
    pub(super) file: Arc<dyn File>,
    pub(super) path: PathBuf,
    pub(super) end: u64,
    pub(super) slots: Vec<Slot>,
}

impl FoundLog {
    /// Finds the log of the store at `path`, whatever the lock file says of it.
    pub(super) fn open(storage: &dyn Storage, path: &Path) -> Result<Self> {
        Self::open_through(storage, path, |file| file, |error, _| Err(error))
    }

    /// The same, reading all files through `through`; a log of which no header can be read is left to `without_header`.
    pub(super) fn open_through(
        storage: &dyn Storage,
        path: &Path,
        through: fn(Arc<dyn File>) -> Arc<dyn File>,
        without_header: fn(Error, Headless) -> Result<Self>,
    ) -> Result<Self> {
        let nothing = |reason| Error::NotAStore { path: path.into(), reason };
        let directory = storage.open_dir(path)?.ok_or_else(|| nothing("there is nothing"))?;
        let path = path.join(LOG);
        // Before the log: a compaction in between may leave slots that are behind it, never ahead.
        let slots = read_slots(directory.as_ref(), through)?;
        let file = match directory.open_to_read(LOG)? {
            Some(file) => through(file),
            None if slots.is_empty() => return Err(nothing("there is no store.log")),
            None => return Err(Error::Copied { path, reason: "the lock file knows of a log that is not there" }),
        };
        let file_len = |file: &dyn File| file.file_len().map_err(|error| Error::io("stat", &path, error));
        let header = match read_header_beside(file.as_ref(), &path, file_len(file.as_ref())?, &slots) {
            Ok(header) => header,
            Err(error) => {
                let end = file_len(file.as_ref())?;
                return without_header(error, Headless { file, path, end, slots });
            }
        };
        let file = redo::with_pending(directory.as_ref(), file, &header.header, through)?;
        let end = file_len(file.as_ref())?;
        Ok(Self { file, path, end, seed: header.header.seed(), header, slots })
    }

    /// Why the lock file says that this is not its log.
    pub(super) fn contradiction(&self) -> Option<&'static str> {
        contradiction(&self.header.header, &self.slots, self.end)
    }

    /// What there is to read.
    pub(super) fn extent(&self) -> Extent<'_> {
        Extent {
            file: self.file.as_ref(),
            path: &self.path,
            seed: self.seed,
            file_header_crc: self.header.crc,
            end: self.end,
        }
    }
}

fn read_slots(directory: &dyn Directory, through: fn(Arc<dyn File>) -> Arc<dyn File>) -> Result<Vec<Slot>> {
    let Some(file) = directory.open_to_read(LOCK)? else { return Ok(Vec::new()) };
    let mut bytes = [0; LOCK_LEN];
    let read = through(file).read_at(&mut bytes, 0);
    let read = read.map_err(|error| Error::io("read", directory.path().join(LOCK), error))?;
    Ok(lock_file::slots_of(&bytes[..read]))
}
