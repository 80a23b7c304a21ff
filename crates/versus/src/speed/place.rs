//! Where stores are made: on a disk, beside this program, and gone afterwards.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::Result;

/// A place in memory would make every sync free.
const TMPFS_MAGIC: rustix::fs::FsWord = 0x0102_1994;
/// Of a block in `st_blocks`, on every Unix of today.
const BLOCK_LEN: u64 = 512;

/// The directory that this program lies in: where Cargo builds is a disk, and `/tmp` often is none.
///
/// # Errors
/// If there is none.
pub fn beside_program() -> Result<PathBuf> {
    let program = std::env::current_exe()?;
    Ok(program.parent().ok_or("a program lies in a directory")?.to_owned())
}

/// A new directory in `folder`.
pub(crate) fn directory(folder: &Path) -> Result<TempDir> {
    let directory = tempfile::Builder::new().prefix("tokcask-versus-").tempdir_in(folder)?;
    if rustix::fs::statfs(directory.path())?.f_type == TMPFS_MAGIC {
        return Err(format!("{} is in memory, where a sync costs nothing: name a --folder", folder.display()).into());
    }
    Ok(directory)
}

/// What all files in a directory take on the disk. Holes take nothing, and what is reserved ahead does.
pub(crate) fn disk_bytes(directory: &Path) -> Result<u64> {
    let mut bytes = 0;
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        bytes += if metadata.is_dir() { disk_bytes(&entry.path())? } else { metadata.blocks() * BLOCK_LEN };
    }
    Ok(bytes)
}
