//! Writing bytes of the log again that were read but may not be on the device.
//!
//! After a sync that failed, pages read as they were written and are not durable; a process that died right then told
//! nobody. So an opener that has no proof writes the last commit's bytes again. Those bytes may also have been
//! acknowledged, and a power loss may damage whatever it finds being written: so a copy is made durable first, in
//! `store.redo`, and an opener that finds one writes it back before it reads the log.

use std::io;
use std::path::Path;
use std::sync::Arc;

use crate::error::{Error, Result, is_full};
use crate::format::header::{FRAMES_AT, FileHeader};
use crate::format::redo;
use crate::storage::{Directory, File, Identity, Lock, Map, Page};
use crate::wipe::Wiped;

const REDO: &str = "store.redo";
const REDO_NEW: &str = "store.redo.new";

/// Writes the bytes of the log from `from` to `to` again, durably, safe from a power loss meanwhile.
///
/// Does nothing if there is no room for the copy: then only a sync that failed unseen is left unmended.
pub(super) fn rewrite(
    directory: &dyn Directory,
    log: &dyn File,
    log_path: &Path,
    header: &FileHeader,
    from: u64,
    to: u64,
) -> Result<()> {
    let from = from.max(FRAMES_AT);
    let len = usize::try_from(to - from).expect("one commit, at most 64 MiB long");
    let mut bytes = Wiped::zeros(len);
    let read = log.read_at(&mut bytes, from).map_err(|error| Error::io("read", log_path, error))?;
    bytes.truncate(read);
    match save(directory, &redo::encode(header, from, &bytes)) {
        Err(Error::NoSpace { .. }) => return Ok(()),
        saved => saved?,
    }
    write_back(log, log_path, from, &bytes)?;
    directory.remove(REDO).map(drop)
}

/// Finishes what an opener before us began and did not end. Comes before anything of the log is believed.
pub(super) fn finish(directory: &dyn Directory, log: &dyn File, log_path: &Path, header: &FileHeader) -> Result<()> {
    directory.remove(REDO_NEW)?;
    if let Some(Pending { offset, bytes }) = pending(directory, directory.open(REDO)?, header)? {
        write_back(log, log_path, offset, &bytes)?;
    }
    directory.remove(REDO).map(drop)
}

/// What is still to be written to the log.
#[derive(Debug)]
struct Pending {
    offset: u64,
    bytes: Wiped,
}

fn pending(directory: &dyn Directory, file: Option<Arc<dyn File>>, header: &FileHeader) -> Result<Option<Pending>> {
    let Some(file) = file else { return Ok(None) };
    let io = |error| Error::io("read", directory.path().join(REDO), error);
    let len = file.file_len().map_err(io)?.min(redo::LEN_MAX);
    let mut saved = Wiped::zeros(usize::try_from(len).expect("bounded"));
    let read = file.read_at(&mut saved, 0).map_err(io)?;
    saved.truncate(read);
    // One of another generation has done its service; what does not decode was never needed, or the log will tell.
    let Ok((offset, found)) = redo::decode(header, &saved) else { return Ok(None) };
    let mut bytes = Wiped::zeros(found.len());
    bytes.copy_from_slice(found);
    Ok(Some(Pending { offset, bytes }))
}

/// The log as it will read once somebody finishes what is pending: for those who only read.
pub(super) fn with_pending(
    directory: &dyn Directory,
    log: Arc<dyn File>,
    header: &FileHeader,
) -> Result<Arc<dyn File>> {
    let pending = pending(directory, directory.open_to_read(REDO)?, header)?;
    Ok(pending.map_or(log.clone(), |pending| Arc::new(Redone { log, pending })))
}

/// A file for reading, with some of its bytes replaced.
#[derive(Debug)]
struct Redone {
    log: Arc<dyn File>,
    pending: Pending,
}

impl File for Redone {
    fn file_len(&self) -> io::Result<u64> {
        Ok(self.log.file_len()?.max(self.pending.offset + self.pending.bytes.len() as u64))
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let read = self.log.read_at(buffer, offset)?;
        let Pending { offset: from, bytes } = &self.pending;
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
    }

    fn write_at(&self, _: &[u8], _: u64) -> io::Result<()> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }

    fn sync(&self) -> io::Result<()> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }

    fn map(&self, _: u64) -> io::Result<Option<Map>> {
        Ok(None)
    }

    fn try_lock(&self, byte: u64, lock: Lock) -> io::Result<bool> {
        self.log.try_lock(byte, lock)
    }

    fn page(&self, _: usize) -> io::Result<Arc<dyn Page>> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }

    fn identity(&self) -> Identity {
        self.log.identity()
    }
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

fn write_back(log: &dyn File, log_path: &Path, offset: u64, bytes: &[u8]) -> Result<()> {
    log.write_at(bytes, offset).and_then(|()| log.sync()).map_err(|error| Error::io("write", log_path, error))
}
