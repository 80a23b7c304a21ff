//! Keeping a torn tail: nobody was told that these bytes were saved, but somebody may want to look at them.
//!
//! Capped in number and size, and gone after the next compaction, for they may hold secrets.

use std::path::PathBuf;

use crate::error::{Error, Result};
use crate::storage::{Directory, File};
use crate::wipe::Wiped;

const PREFIX: &str = "store.torn.";
const NEW: &str = "store.torn.new";
const FILES_MAX: usize = 8;
const LEN_MAX: u64 = 64 << 20;
const CHUNK_LEN: usize = 1 << 20;

/// Copies bytes `from` to `to` of the log into a file of their own; `None` if that cannot be done, which is no reason
/// not to open.
pub(super) fn keep(directory: &dyn Directory, log: &dyn File, generation: u64, from: u64, to: u64) -> Option<PathBuf> {
    let name = format!("{PREFIX}{generation}.{from}");
    let kept = try_keep(directory, log, &name, from, to);
    if kept.is_err() {
        let _ = directory.remove(NEW);
    }
    matches!(kept, Ok(true)).then(|| directory.path().join(name))
}

fn try_keep(directory: &dyn Directory, log: &dyn File, name: &str, from: u64, to: u64) -> Result<bool> {
    directory.remove(NEW)?;
    let names = directory.list()?;
    if names.iter().any(|known| known == name) {
        // CRASH: an opener before us kept it and died while cutting; what is left now is less.
        return Ok(true);
    }
    if to - from > LEN_MAX || names.iter().filter(|known| known.starts_with(PREFIX)).count() >= FILES_MAX {
        return Ok(false);
    }
    let file = directory.create(NEW)?;
    let io = |error| Error::io("keep torn tail", directory.path().join(NEW), error);
    let mut buffer = Wiped::zeros(CHUNK_LEN);
    let mut at = from;
    while at < to {
        let wanted = usize::try_from(to - at).unwrap_or(CHUNK_LEN).min(CHUNK_LEN);
        let read = log.read_at(&mut buffer[..wanted], at).map_err(io)?;
        if read == 0 {
            break;
        }
        file.write_at(&buffer[..read], at - from).map_err(io)?;
        at += read as u64;
    }
    file.sync().map_err(io)?;
    directory.rename(NEW, name, false)?;
    directory.sync()?;
    Ok(true)
}

/// Removes all of them.
pub(super) fn remove_all(directory: &dyn Directory) -> Result<()> {
    for name in directory.list()?.iter().filter(|name| name.starts_with(PREFIX)) {
        directory.remove(name)?;
    }
    Ok(())
}
