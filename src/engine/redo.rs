//! Writing bytes of the log again that were read but may not be on the device.
//!
//! After a sync that failed, pages read as they were written and are not durable; a process that died right then told
//! nobody. So an opener that has no proof writes the last commit's bytes again. Those bytes may also have been
//! acknowledged, and a power loss may damage whatever it finds being written: so a copy is made durable first, in
//! `store.redo`, and an opener that finds one writes it back before it reads the log.

use std::path::Path;
use std::sync::Arc;

use crate::error::{Error, Result, is_full};
use crate::format::header::{FRAMES_AT, FileHeader};
use crate::format::redo;
use crate::storage::altered::Altered;
use crate::storage::{Directory, File};
use crate::wipe::Wiped;

const REDO: &str = "store.redo";
const REDO_NEW: &str = "store.redo.new";

/// Bytes that are written again at once.
const PIECE_LEN: u64 = 32 << 20;

/// Writes the bytes of the log from `from` to `to` again, durably, safe from a power loss meanwhile.
///
/// Returns whether it did: not if there is no room for the copy.
pub(super) fn rewrite(
    directory: &dyn Directory,
    log: &dyn File,
    log_path: &Path,
    header: &FileHeader,
    from: u64,
    to: u64,
) -> Result<bool> {
    let mut offset = from.max(FRAMES_AT);
    while offset < to {
        let len = usize::try_from((to - offset).min(PIECE_LEN)).expect("a piece");
        let mut bytes = Wiped::zeros(len);
        log.read_at(&mut bytes, offset).map_err(|error| Error::io("read", log_path, error))?;
        match write_safely(directory, log, log_path, header, &Pending { offset, bytes }) {
            Err(Error::NoSpace { .. }) => return Ok(false),
            written => written?,
        }
        offset += len as u64;
    }
    Ok(true)
}

/// Finishes what an opener before us began and did not end. Comes before anything of the log is believed.
pub(super) fn finish(
    directory: &dyn Directory,
    log: &dyn File,
    log_path: &Path,
    log_len: u64,
    header: &FileHeader,
) -> Result<()> {
    directory.remove(REDO_NEW)?;
    let found = directory.open(REDO)?;
    let Some(pending) = pending(directory, found, log_len, header)? else { return directory.remove(REDO).map(drop) };
    // Saved anew: if the directory's sync failed under whoever made it, its name is there and not durable.
    match write_safely(directory, log, log_path, header, &pending) {
        // Then as it is: that failure and a full disk and a power loss do not come together.
        Err(Error::NoSpace { .. }) => write_back(directory, log, log_path, &pending),
        written => written,
    }
}

fn write_safely(
    directory: &dyn Directory,
    log: &dyn File,
    log_path: &Path,
    header: &FileHeader,
    pending: &Pending,
) -> Result<()> {
    save(directory, &Wiped::from(redo::encode(header, pending.offset, &pending.bytes)))?;
    write_back(directory, log, log_path, pending)
}

fn write_back(directory: &dyn Directory, log: &dyn File, log_path: &Path, pending: &Pending) -> Result<()> {
    let written = log.write_at(&pending.bytes, pending.offset).and_then(|()| log.sync());
    written.map_err(|error| Error::io("write", log_path, error))?;
    directory.remove(REDO).map(drop)
}

/// What is still to be written to the log.
#[derive(Debug)]
struct Pending {
    offset: u64,
    bytes: Wiped,
}

fn pending(
    directory: &dyn Directory,
    file: Option<Arc<dyn File>>,
    log_len: u64,
    header: &FileHeader,
) -> Result<Option<Pending>> {
    let Some(file) = file else { return Ok(None) };
    let io = |error| Error::io("read", directory.path().join(REDO), error);
    let len = file.file_len().map_err(io)?.min(redo::LEN_MAX);
    let mut saved = Wiped::zeros(usize::try_from(len).expect("bounded"));
    let read = file.read_at(&mut saved, 0).map_err(io)?;
    saved.truncate(read);
    // One of another generation has done its service; what does not decode was never needed, or the log will tell.
    let Ok((offset, found)) = redo::decode(header, log_len, &saved) else { return Ok(None) };
    let mut bytes = Wiped::zeros(found.len());
    bytes.copy_from_slice(found);
    Ok(Some(Pending { offset, bytes }))
}

/// The log as it will read once somebody finishes what is pending: for those who only read.
pub(super) fn with_pending(
    directory: &dyn Directory,
    log: Arc<dyn File>,
    header: &FileHeader,
    through: &dyn Fn(Arc<dyn File>) -> Arc<dyn File>,
) -> Result<Arc<dyn File>> {
    let log_len = log.file_len().map_err(|error| Error::io("stat", directory.path(), error))?;
    let Some(pending) = pending(directory, directory.open_to_read(REDO)?.map(through), log_len, header)? else {
        return Ok(log);
    };
    Ok(Arc::new(Altered::new(log, move |log, buffer, offset| {
        let read = log.read_at(buffer, offset)?;
        let Pending { offset: from, bytes } = &pending;
        let to = from + bytes.len() as u64;
        let wanted = offset..offset + buffer.len() as u64;
        let (start, end) = ((*from).max(wanted.start), to.min(wanted.end));
        if start >= end {
            return Ok(read);
        }
        let place = |at: u64, base: u64| usize::try_from(at - base).expect("inside a buffer");
        let replaced = place(start, offset)..place(end, offset);
        buffer[replaced.clone()].copy_from_slice(&bytes[place(start, *from)..place(end, *from)]);
        Ok(read.max(replaced.end))
    })))
}

fn save(directory: &dyn Directory, content: &[u8]) -> Result<()> {
    directory.remove(REDO_NEW)?;
    let file = directory.create(REDO_NEW)?;
    let written = file.write_at(content, 0).and_then(|()| file.sync());
    if let Err(error) = written {
        let full = is_full(&error);
        let error = Error::io("write", directory.path().join(REDO_NEW), error);
        if full {
            directory.remove(REDO_NEW)?;
        }
        return Err(error);
    }
    directory.rename(REDO_NEW, REDO, true)?;
    directory.sync()
}
