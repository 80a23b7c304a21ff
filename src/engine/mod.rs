//! What a store does, one verb a file: open, read, commit, import, compact, back up; and what is done to a store that
//! nobody has open: verify, dump, salvage, adopt.
//!
//! Finds look at [`Shared`] under a sharded read lock, which is held for the look-up alone. Whoever writes holds the
//! writer's mutex from planning to acknowledgement, and [`Shared`] exclusively only to show what is durable.

pub(crate) mod adopt;
pub(crate) mod backup;
mod build;
pub(crate) mod commit;
pub(crate) mod compact;
pub(crate) mod dump;
mod fresh;
pub(crate) mod import;
mod lock_file;
mod locks;
mod look;
pub(crate) mod open;
pub(crate) mod plan;
pub(crate) mod read;
mod recover;
mod redo;
mod replay;
pub(crate) mod salvage;
mod tail_file;
pub(crate) mod verify;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crossbeam_utils::sync::{ShardedLock, ShardedLockReadGuard};
use parking_lot::{Mutex, MutexGuard};

use self::lock_file::LockFile;
use self::locks::{LogLock, OpenLock};
use self::replay::replay_durable;
use crate::error::{Error, ErrorKind, Result};
use crate::format::header::FileHeader;
use crate::index::Index;
use crate::log::append::Appender;
use crate::log::source::Source;
use crate::options::ReadMode;
use crate::progress::Listener;
use crate::stats::{OpenReport, Stats};
use crate::storage::{Directory, Storage};

pub(crate) const LOG: &str = "store.log";
pub(crate) const LOG_NEW: &str = "store.log.new";
pub(crate) const LOCK: &str = "store.lock";

/// An open store.
pub(crate) struct Engine {
    storage: Arc<dyn Storage>,
    directory: Arc<dyn Directory>,
    read_mode: ReadMode,
    progress: Listener,
    log_path: PathBuf,
    report: OpenReport,
    shared: ShardedLock<Shared>,
    writer: Mutex<Writer>,
}

/// What finds look at.
struct Shared {
    index: Index,
    source: Arc<Source>,
    /// Why nothing can be found any more.
    ended: Option<Error>,
}

/// What only the one who writes touches.
struct Writer {
    header: FileHeader,
    appender: Appender,
    lock_file: LockFile,
    log_lock: LogLock,
    /// Refuses all but the compaction that mends it.
    poisoned: bool,
    /// `None` after close. Last, so that it is let go last.
    open_lock: Option<OpenLock>,
}

impl Engine {
    fn shared(&self) -> Result<ShardedLockReadGuard<'_, Shared>> {
        // A panic while the index was being changed leaves it in no known state.
        let shared = self.shared.read().map_err(|_| Error::Poisoned { path: self.log_path.clone() })?;
        match &shared.ended {
            None => Ok(shared),
            Some(error) => Err(error.clone()),
        }
    }

    /// The same for a find, which mends an index that was lost to a read error if that has passed.
    fn readable(&self) -> Result<ShardedLockReadGuard<'_, Shared>> {
        match self.shared() {
            Err(error) if error.kind() != ErrorKind::Closed => {
                let writer = self.writer()?;
                self.heal(&writer)?;
                self.shared()
            }
            shared => shared,
        }
    }

    /// Builds the index anew if it is lost. For whoever holds the writer.
    fn heal(&self, writer: &Writer) -> Result<()> {
        if self.shared().is_ok() { Ok(()) } else { self.rebuild(writer) }
    }

    /// Changes what finds see. `change` is short: finds wait for it.
    fn publish(&self, change: impl FnOnce(&mut Shared) -> Result<()>) -> Result<()> {
        let mut shared = self.shared.write().map_err(|_| Error::Poisoned { path: self.log_path.clone() })?;
        let changed = change(&mut shared);
        if let Err(error) = &changed {
            // The change is durable and cannot be shown: nothing may be found rather than the state before it.
            shared.ended = Some(error.clone());
        }
        changed
    }

    /// Builds the index anew from what is durable, after it could not be changed.
    fn rebuild(&self, writer: &Writer) -> Result<()> {
        let (file, end) = (writer.appender.file(), writer.appender.end());
        let (index, source) = replay_durable(file, &self.log_path, &writer.header, end, self.read_mode)?;
        self.publish(|shared| {
            *shared = Shared { index, source: Arc::new(source), ended: None };
            Ok(())
        })
    }

    /// The writer of a store that is open, poisoned or not.
    fn writer(&self) -> Result<MutexGuard<'_, Writer>> {
        let writer = self.writer.lock();
        if writer.open_lock.is_none() {
            return Err(Error::Closed);
        }
        Ok(writer)
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    pub(crate) fn report(&self) -> &OpenReport {
        &self.report
    }

    pub(crate) fn stats(&self) -> Result<Stats> {
        let writer = self.writer()?;
        let shared = self.shared()?;
        let link = writer.appender.link();
        Ok(Stats {
            uuid: writer.header.uuid,
            generation: writer.header.generation,
            sequence: link.sequence,
            tokens: shared.index.len(),
            next_id: link.next_id,
            next_revision: link.next_revision,
            log_bytes: writer.appender.end(),
            file_bytes: writer.appender.capacity(),
            live_bytes: shared.index.live_bytes(),
            dead_bytes: compact::dead_bytes(writer.appender.end(), &shared.index),
            index_bytes: shared.index.memory(),
        })
    }

    /// Lets go of everything. Later calls fail with `Closed`; a second close does nothing.
    pub(crate) fn close(&self) -> Result<()> {
        let mut writer = self.writer.lock();
        let Some(open_lock) = writer.open_lock.take() else { return Ok(()) };
        let synced = writer.lock_file.sync();
        if let Ok(mut shared) = self.shared.write() {
            shared.ended = Some(Error::Closed);
            shared.index.clear();
        }
        writer.log_lock.release();
        open_lock.release();
        synced
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        // Whoever wants to know whether it went well calls `close`.
        let _ = self.close();
    }
}
