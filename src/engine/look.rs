//! Looking at a log that nobody needs to have open: no lock is taken and nothing is written, so that it also works on a
//! store that does not open, and on one that somebody is writing to.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use super::head::Keyring;
use super::lock_file::LOCK_LEN;
use super::locks::PRESENCE;
use super::recover::{FoundHeader, contradiction, proved_end, read_header_beside};
use super::{LOCK, LOG, lock_file, redo};
use crate::error::{Error, Result};
use crate::format::slot::Slot;
use crate::log::walk::Extent;
use crate::storage::{Directory, File, Storage};

/// How often a slot is looked for that speaks of a log in use, and how long in between.
const SLOT_TRIES: u32 = 200;
const SLOT_WAIT: Duration = Duration::from_millis(1);

/// A log, and what stands beside it.
pub(super) struct FoundLog {
    pub(super) file: Arc<dyn File>,
    pub(super) path: PathBuf,
    /// The first byte that does not count: where the file ends, or, if somebody has the store open, what is behind the
    /// durable end: it is being written.
    pub(super) end: u64,
    pub(super) file_len: u64,
    pub(super) in_use: bool,
    pub(super) header: FoundHeader,
    pub(super) slots: Vec<Slot>,
}

/// The same, but for what a file header tells.
pub(super) struct Headless {
    pub(super) file: Arc<dyn File>,
    pub(super) path: PathBuf,
    pub(super) file_len: u64,
    pub(super) slots: Vec<Slot>,
}

impl FoundLog {
    /// Finds the log of the store at `path`, whatever the lock file says of it.
    pub(super) fn open(storage: &dyn Storage, path: &Path, keys: &Keyring) -> Result<Self> {
        Self::open_through(storage, path, keys, &|file| file, |error, _, _| Err(error))
    }

    /// The same, reading all files through `through`; a log of which no header can be read is left to `without_header`.
    pub(super) fn open_through(
        storage: &dyn Storage,
        path: &Path,
        keys: &Keyring,
        through: &dyn Fn(Arc<dyn File>) -> Arc<dyn File>,
        without_header: fn(Error, &Headless, &Keyring) -> Result<Self>,
    ) -> Result<Self> {
        let nothing = |reason| Error::NotAStore { path: path.into(), reason };
        let directory = storage.open_dir(path)?.ok_or_else(|| nothing("there is nothing"))?;
        let path = path.join(LOG);
        // Before the log: a compaction in between may leave slots that are behind it, never ahead.
        let lock_file = directory.open_to_read(LOCK)?.map(through);
        let mut slots = read_slots(lock_file.as_deref(), directory.as_ref())?;
        let file = match directory.open_to_read(LOG)? {
            Some(file) => through(file),
            None if slots.is_empty() => return Err(nothing("there is no store.log")),
            None => return Err(Error::Copied { path, reason: "the lock file knows of a log that is not there" }),
        };
        let file_len = || file.file_len().map_err(|error| Error::io("stat", &path, error));
        let header = match read_header_beside(file.as_ref(), &path, keys, file_len()?, &slots) {
            Ok(header) => header,
            Err(error) => {
                let file_len = file_len()?;
                return without_header(error, &Headless { file, path, file_len, slots }, keys);
            }
        };
        let mut durable = None;
        if is_in_use(lock_file.as_deref(), directory.as_ref())? {
            // A slot may be half written just now, or still be one of the generation before.
            for _ in 0..SLOT_TRIES {
                durable = Some(proved_end(&header.head, &slots)).filter(|end| *end > 0);
                if durable.is_some() {
                    break;
                }
                thread::sleep(SLOT_WAIT);
                slots = read_slots(lock_file.as_deref(), directory.as_ref())?;
            }
        }
        let file_len = file_len()?;
        let file = redo::with_pending(directory.as_ref(), file, &header.head, through)?;
        let end = durable.unwrap_or(file_len).min(file_len);
        let in_use = durable.is_some();
        Ok(Self { file, path, end, file_len, in_use, header, slots })
    }

    /// Whether somebody has begun to write to the store since this was found.
    pub(super) fn has_moved_on(&self, storage: &dyn Storage, path: &Path, keys: &Keyring) -> Result<bool> {
        let now = Self::open(storage, path, keys)?;
        Ok(now.in_use || now.slots != self.slots || now.file.identity() != self.file.identity())
    }

    /// Why the lock file says that this is not its log.
    pub(super) fn contradiction(&self) -> Option<&'static str> {
        contradiction(&self.header.head, &self.slots, self.file_len)
    }

    /// What there is to read.
    pub(super) fn extent(&self) -> Extent<'_> {
        Extent {
            file: self.file.as_ref(),
            path: &self.path,
            codec: &self.header.head.codec,
            first: self.header.head.first,
            end: self.end,
        }
    }
}

fn read_slots(lock_file: Option<&dyn File>, directory: &dyn Directory) -> Result<Vec<Slot>> {
    let Some(file) = lock_file else { return Ok(Vec::new()) };
    let mut bytes = [0; LOCK_LEN];
    let read = file.read_at(&mut bytes, 0);
    let read = read.map_err(|error| Error::io("read", directory.path().join(LOCK), error))?;
    Ok(lock_file::slots_of(&bytes[..read]))
}

fn is_in_use(lock_file: Option<&dyn File>, directory: &dyn Directory) -> Result<bool> {
    let in_use = lock_file.map_or(Ok(false), |file| file.is_locked(PRESENCE..PRESENCE + 1));
    in_use.map_err(|error| Error::io("ask for the lock of", directory.path().join(LOCK), error))
}
