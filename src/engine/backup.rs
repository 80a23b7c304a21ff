//! Backup: the log up to its durable end, byte for byte, sealed, in a directory of its own.
//!
//! The same generation at the same offsets: put back over a log that has gone on, it is noticed.

use std::path::Path;
use std::time::Duration;

use super::build::{Counters, NewLog};
use super::lock_file::LockFile;
use super::locks::OpenLock;
use super::{Engine, LOCK, LOG, LOG_NEW};
use crate::error::{Error, Result};
use crate::format::header::FileHeader;
use crate::format::slot::Slot;
use crate::log::scan::Scanner;
use crate::log::source::Source;
use crate::storage::Directory;

impl Engine {
    /// Writes a complete store to `path`, which must be missing or an empty directory. Saves go on meanwhile.
    pub(crate) fn backup(&self, path: &Path) -> Result<()> {
        let (header, end, rows, source) = {
            let writer = self.writer()?;
            let shared = self.shared()?;
            (writer.header.clone(), writer.appender.end(), shared.index.len(), shared.source.clone())
        };
        let existing = self.storage.open_dir(path)?;
        let made = existing.is_none();
        let directory = match existing {
            Some(directory) => directory,
            None => self.storage.create_dir(path)?,
        };
        check_empty(directory.as_ref())?;
        let open_lock = OpenLock::take(directory.as_ref(), Duration::ZERO)?;
        let mut lock_file = LockFile::open(directory.as_ref(), open_lock.file())?;
        // Again, for somebody may have come first; from here on nobody can.
        check_empty(directory.as_ref())?;
        if lock_file.slots().next().is_some() {
            return Err(occupied(directory.as_ref()));
        }
        let copied = self.copy_to(directory.as_ref(), &mut lock_file, &header, &source, end, rows);
        if copied.is_err() {
            for name in [LOG_NEW, LOG, LOCK] {
                let _ = directory.remove(name);
            }
            if made {
                let _ = self.storage.remove_dir(path);
            }
        }
        open_lock.release();
        copied
    }

    fn copy_to(
        &self,
        directory: &dyn Directory,
        lock_file: &mut LockFile,
        header: &FileHeader,
        source: &Source,
        end: u64,
        rows: u64,
    ) -> Result<()> {
        directory.make_private()?;
        let crc = header.encode().1;
        let mut scanner = Scanner::new(source.file(), source.path(), header.seed(), crc, end);
        let mut log = NewLog::start(directory, header, Counters::FIRST, self.storage.now_ms())?;
        while scanner.position() < end {
            let offset = scanner.position();
            let damaged = |reason| Error::Corrupt { path: source.path().into(), offset, reason };
            log.copy(&scanner.next_frame()?.map_err(damaged)?)?;
        }
        log.sync()?;
        log.seal(rows)?;
        directory.sync_parent()?;
        log.rename(false)?;
        let appender = log.finish()?;
        let link = appender.link();
        lock_file.write_slot(&Slot {
            uuid: header.uuid,
            generation: header.generation,
            watermark: appender.end(),
            next_id: link.next_id,
            next_revision: link.next_revision,
        });
        lock_file.sync()
    }
}

/// A directory with nothing in it, but perhaps what a backup left that did not come to an end.
fn check_empty(directory: &dyn Directory) -> Result<()> {
    let ours = |name: &String| name == LOCK || name == LOG_NEW;
    if directory.list()?.iter().all(ours) { Ok(()) } else { Err(occupied(directory)) }
}

fn occupied(directory: &dyn Directory) -> Error {
    Error::NotAStore { path: directory.path().into(), reason: "a backup needs a new or empty directory" }
}
