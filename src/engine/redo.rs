//! Writing bytes of the log again that were read but may not be on the device.
//!
//! After a sync that failed, pages read as they were written and are not durable; a process that died right then told
//! nobody. So an opener that has no proof writes the last commit's bytes again. Those bytes may also have been
//! acknowledged, and a power loss may damage whatever it finds being written: so a copy is made durable first, in
//! `store.redo`, and an opener that finds one writes it back before it reads the log.

use std::path::Path;

use zeroize::Zeroizing;

use crate::error::{Error, Result, is_full};
use crate::format::header::{FRAMES_AT, FileHeader};
use crate::format::redo;
use crate::storage::{Directory, File};

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
    let mut bytes = Zeroizing::new(vec![0; len]);
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
    let Some(file) = directory.open(REDO)? else { return Ok(()) };
    let io = |error| Error::io("read", directory.path().join(REDO), error);
    let len = file.len().map_err(io)?.min(redo::LEN_MAX);
    let mut saved = Zeroizing::new(vec![0; usize::try_from(len).expect("bounded")]);
    file.read_at(&mut saved, 0).map_err(io)?;
    // One of another generation has done its service; what does not decode was never needed, or the log will tell.
    if let Ok((offset, bytes)) = redo::decode(header, &saved) {
        write_back(log, log_path, offset, bytes)?;
    }
    directory.remove(REDO).map(drop)
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
