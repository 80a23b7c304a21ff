//! Opening a store that others have open, and opening one for reading alone.
//!
//! Who joins recovers nothing: what the page says is durable counts, and what is behind it belongs to whoever writes. Who
//! only reads never writes, not even to recover: it reads what an opener would keep, and reports the rest.

use std::sync::Arc;

use super::follow::Tip;
use super::head::{Keyring, refuse_forged};
use super::lock_file::LockFile;
use super::locks::{self, POLL, StoreLock};
use super::open::Parts;
use super::page::State;
use super::recover::{FoundHeader, proved_end, read_header, read_known_header};
use super::replay::{Haste, Replayed, replay, replay_through};
use super::{Engine, LOG, Mode, Shared, mark, redo};
use crate::error::{Error, Result};
use crate::format::slot::Slot;
use crate::log::scan::Scanner;
use crate::log::source::Source;
use crate::log::tail;
use crate::options::Options;
use crate::stats::{OpenReport, RecoveredTail};
use crate::storage::{Access, Directory, Storage};
use crate::trace;

/// Opens a store beside those who have it open; `lock` is present, and stands in the door.
pub(super) fn join(
    options: &Options,
    storage: &Arc<dyn Storage>,
    directory: &Arc<dyn Directory>,
    lock: StoreLock,
) -> Result<Arc<Engine>> {
    let lock_file = LockFile::join(directory.as_ref(), lock.file(), Access::Write)?;
    // Being present is enough: nobody can be alone any more.
    lock.leave_door();
    let (joined, in_doubt) =
        Joining { options, storage: storage.as_ref(), directory, lock_file: &lock_file }.join(Some(&lock))?;
    let Joined { tip, shared, report } = joined;
    let appender = tip.appender(&directory.path().join(LOG))?;
    let parts = Parts { lock: Some(lock), lock_file, tip, shared, appender, report, mode: Mode::Shared };
    let engine = Engine::assemble(options, storage, directory, parts);
    if in_doubt {
        // The name of this file may not be durable, and there is no other.
        engine.end_doubt(None)?;
    }
    trace::opened(&engine.log_path, &engine.report);
    engine.start(options)
}

/// Opens a store for reading alone, beside others or not.
pub(super) fn open_to_read(
    options: &Options,
    storage: &Arc<dyn Storage>,
    directory: &Arc<dyn Directory>,
) -> Result<Arc<Engine>> {
    let lock = StoreLock::take_door_to_read(storage.as_ref(), directory, options.lock_timeout)?;
    let is_anybody_present = lock.as_ref().map_or(Ok(false), StoreLock::is_anybody_present)?;
    let (lock_file, joined) = match &lock {
        Some(lock) if is_anybody_present => {
            let lock_file = LockFile::join(directory.as_ref(), lock.file(), Access::Read)?;
            lock.leave_door();
            let joining = Joining { options, storage: storage.as_ref(), directory, lock_file: &lock_file };
            let (joined, _) = joining.join(None)?;
            (lock_file, joined)
        }
        Some(lock) if LockFile::is_whole(directory.as_ref(), lock.file())? => {
            let lock_file = LockFile::to_read(directory.as_ref(), lock.file())?;
            let joined = read_alone(options, directory.as_ref(), &lock_file)?;
            lock.leave_door();
            (lock_file, joined)
        }
        _ => {
            let lock_file = LockFile::absent(directory.as_ref());
            let joined = read_alone(options, directory.as_ref(), &lock_file)?;
            if let Some(lock) = &lock {
                lock.leave_door();
            }
            (lock_file, joined)
        }
    };
    let Joined { tip, shared, report } = joined;
    let appender = tip.appender(&directory.path().join(LOG))?;
    let parts = Parts { lock, lock_file, tip, shared, appender, report, mode: Mode::ReadOnly };
    let engine = Engine::assemble(options, storage, directory, parts);
    trace::opened(&engine.log_path, &engine.report);
    engine.start(options)
}

/// What an opener beside others has read.
struct Joined {
    tip: Tip,
    shared: Shared,
    report: OpenReport,
}

/// An opener beside others.
struct Joining<'a> {
    options: &'a Options,
    storage: &'a dyn Storage,
    directory: &'a Arc<dyn Directory>,
    lock_file: &'a LockFile,
}

impl Joining<'_> {
    /// Reads up to what the page says is durable. Returns also whether the log's name is in doubt.
    fn join(&self, lock: Option<&StoreLock>) -> Result<(Joined, bool)> {
        let start = self.storage.clock();
        loop {
            let (version, state) = self.lock_file.page.state();
            if let Some(joined) = self.read(lock.is_some(), version, &state)? {
                return Ok((joined, false));
            }
            // Who only reads need not know what becomes of a new file that begins with what was published before.
            if let Some(generation) = state.pending().filter(|_| lock.is_none() && state.swap.old_end > 0) {
                let state = State { generation, durable_end: state.swap.new_end, ..state };
                if let Some(joined) = self.read(false, version, &state)? {
                    return Ok((joined, false));
                }
            }
            // The name stands for a generation that is not published yet. Its maker has the right to commit until then.
            let waited = self.storage.clock().saturating_sub(start);
            if waited >= self.options.lock_timeout {
                return Err(Error::Busy { path: self.directory.path().join(LOG), waited });
            }
            if let Some(lock) = lock
                && let Some(joined) = self.read_in_doubt(lock, start)?
            {
                return Ok((joined, true));
            }
            self.storage.sleep(POLL);
        }
    }

    /// The same if the maker of a generation has died before it could publish it.
    fn read_in_doubt(&self, lock: &StoreLock, start: std::time::Duration) -> Result<Option<Joined>> {
        lock.take_commit(self.storage, &self.lock_file.page, start, self.options.lock_timeout, || Ok(()))?;
        let (version, state) = self.lock_file.page.state();
        let read = match state.pending() {
            None => Ok(None),
            Some(pending) => generation_in_doubt(self.directory.as_ref(), &self.options.keyring, &state, pending)
                .and_then(|found| match found {
                    Some((generation, durable_end)) => {
                        self.read(true, version, &State { generation, durable_end, ..state })
                    }
                    None => Ok(None),
                }),
        };
        lock.release_commit(self.storage, &self.lock_file.page);
        read
    }

    /// `None` if the log's name does not stand for the generation of this state.
    fn read(&self, is_writer: bool, version: u64, state: &State) -> Result<Option<Joined>> {
        let (directory, path) = (self.directory.as_ref(), self.directory.path().join(LOG));
        let missing = || Error::LockReplaced { path: path.clone() };
        let access = if is_writer { Access::Write } else { Access::Read };
        let file = locks::open(directory, LOG, access)?.ok_or_else(missing)?;
        let FoundHeader { head, damaged_copy } = read_header(file.as_ref(), &path, &self.options.keyring)?;
        if head.generation != state.generation {
            return Ok(None);
        }
        let Some(file) = mark::mark_current(directory, file, head.generation)? else { return Ok(None) };
        if is_writer {
            head.check_writable().map_err(|reason| Error::Unsupported { path: path.clone(), reason })?;
        }
        let log_lock = if is_writer { locks::LogLock::join(directory, LOG)? } else { None };
        if log_lock.as_ref().is_some_and(|lock| !lock.is_of(file.as_ref())) {
            return Ok(None);
        }
        let mut report =
            OpenReport { joined: true, header_copy_damaged: damaged_copy.is_some(), ..OpenReport::default() };
        let mut meter = self.options.progress.start(state.durable_end);
        let (end, read_mode) = (state.durable_end, self.options.read_mode);
        let replayed = replay_through(&file, &path, &head, end, read_mode, Haste::Waited, |frame| {
            report.frames += 1;
            report.operations += frame.operations.len() as u64;
            meter.step_to(frame.offset + frame.header.frame_len());
        })?;
        let Replayed { index, source, link, dead_since_ms, .. } = replayed;
        let shared = Shared { index, source: source.into(), version, dead_since_ms, ended: None };
        let mut tip = Tip { head, file, log_lock, end: state.durable_end, link };
        tip.reserve_ids(state);
        Ok(Some(Joined { tip, shared, report }))
    }
}

/// The generation that has the name while a move is in doubt, and its end. For whoever has the right to commit.
pub(super) fn generation_in_doubt(
    directory: &dyn Directory,
    keys: &Keyring,
    state: &State,
    pending: u64,
) -> Result<Option<(u64, u64)>> {
    let path = directory.path().join(LOG);
    let Some(file) = locks::open(directory, LOG, Access::Write)? else { return Ok(None) };
    let FoundHeader { head, .. } = read_header(file.as_ref(), &path, keys)?;
    if head.generation == pending {
        return Ok(Some((pending, state.swap.new_end)));
    }
    if head.generation <= state.generation || head.generation > pending {
        return Ok(None);
    }
    // CRASH: its maker died after the rename, and whoever wanted to end that died before the next one. The page
    // speaks of the later one alone. Nobody has appended to this file, so it ends with its last seal.
    let file_len = file.file_len().map_err(|error| Error::io("stat", &path, error))?;
    let mut scanner = Scanner::new(file.as_ref(), &path, &head.codec, head.first, file_len);
    let reason = loop {
        if let Err(reason) = scanner.next_frame()?.map(drop) {
            break reason;
        }
    };
    let end = scanner.position();
    refuse_forged(&reason, &path, end)?;
    let tail = tail::examine(file.as_ref(), &path, head.codec.seed, end, file_len)?;
    if tail.watermark > end || !scanner.link().sealed {
        return Err(Error::Corrupt { path, offset: end, reason });
    }
    Ok(Some((head.generation, end)))
}

/// Reads a store that nobody has open for writing, as an opener would, and leaves it as it is.
fn read_alone(options: &Options, directory: &dyn Directory, lock_file: &LockFile) -> Result<Joined> {
    let path = directory.path().join(LOG);
    let version = lock_file.page.version();
    let slots: Vec<Slot> = lock_file.slots().collect();
    let file = match locks::open(directory, LOG, Access::Read)? {
        Some(file) => file,
        None if slots.is_empty() => {
            return Err(Error::NotAStore { path: directory.path().into(), reason: "there is no store.log" });
        }
        None => return Err(Error::Copied { path, reason: "the lock file knows of a log that is not there" }),
    };
    // Nothing should be believed that only memory holds. A medium that cannot be written to needs no sync.
    let _ = file.sync();
    let file_len = file.file_len().map_err(|error| Error::io("stat", &path, error))?;
    let FoundHeader { head, damaged_copy } =
        read_known_header(file.as_ref(), &path, &options.keyring, file_len, &slots)?;
    let file = mark::mark(directory, file, head.generation)?;
    let file = redo::with_pending(directory, file, &head, &|file| file)?;
    let source = Source::new(file.clone(), &path, &head.codec, options.read_mode, file_len)?;
    let source = source.of_generation(head.generation);
    let mut report = OpenReport { header_copy_damaged: damaged_copy.is_some(), ..OpenReport::default() };
    let mut meter = options.progress.start(file_len);
    let mut scanner = Scanner::new(file.as_ref(), &path, &head.codec, head.first, file_len);
    scanner.use_all_cores();
    let (index, dead_since_ms, reason) = replay(&mut scanner, &source, |frame| {
        report.frames += 1;
        report.operations += frame.operations.len() as u64;
        meter.step_to(frame.offset + frame.header.frame_len());
    })?;
    let (end, link) = (scanner.position(), scanner.link());
    let tail = tail::examine(file.as_ref(), &path, head.codec.seed, end, file_len)?;
    if tail.watermark > end || !link.sealed || proved_end(&head, &slots) > end {
        return Err(Error::Corrupt { path, offset: end, reason });
    }
    report.recovered =
        (tail.end > end).then(|| RecoveredTail { offset: end, bytes_cut: tail.end - end, reason, quarantine: None });
    let shared = Shared { index, source: source.into(), version, dead_since_ms, ended: None };
    Ok(Joined { tip: Tip { head, file, log_lock: None, end, link }, shared, report })
}
