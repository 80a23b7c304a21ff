//! Files that hold a secret: who else could read them, or put another one in their place.

use std::fs;
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;

use rustix::fs::{Mode, OFlags};

use super::disk::insecure;
use super::parents;
use crate::error::{Error, Result};

const OTHERS: u32 = 0o077;

/// Reads a file that holds a secret of this length and nothing else.
///
/// Links are followed: what counts is who may read what is at their end.
///
/// # Errors
/// `Insecure` if somebody else may read or replace it, root excepted; `Io` if it is not this long.
pub(crate) fn read_secret(path: &Path, secret: &mut [u8]) -> Result<()> {
    let io = |error| Error::io("read the key in", path, error);
    // NONBLOCK: nobody has to be waited for who might write into a FIFO.
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let fd = rustix::fs::open(path, flags, Mode::empty()).map_err(|errno| io(errno.into()))?;
    let file = fs::File::from(fd);
    let metadata = file.metadata().map_err(io)?;
    if !metadata.is_file() {
        return Err(insecure(path, "it is no regular file"));
    }
    if metadata.uid() != 0 && metadata.uid() != rustix::process::geteuid().as_raw() {
        return Err(insecure(path, "it belongs to another user; chown it"));
    }
    if metadata.mode() & OTHERS != 0 && !is_credential(path, &metadata) {
        return Err(insecure(path, "others may read it; chmod 600 it"));
    }
    parents::check(path)?;
    if metadata.len() != secret.len() as u64 {
        return Err(io(io::Error::new(io::ErrorKind::InvalidData, "a key file has 32 bytes and nothing else")));
    }
    file.read_exact_at(secret, 0).map_err(io)
}

/// Whether this is a credential that the service manager hands to a service that runs as a user of its own: root's, and
/// readable for that user by an access list, which the mode shows as bits of root's group (`systemd.exec(5)`).
fn is_credential(path: &Path, metadata: &fs::Metadata) -> bool {
    const OTHERS_BUT_TO_READ_BY_GROUP: u32 = 0o037;
    let folder = std::env::var_os("CREDENTIALS_DIRECTORY");
    metadata.uid() == 0
        && metadata.gid() == 0
        && metadata.mode() & OTHERS_BUT_TO_READ_BY_GROUP == 0
        && folder.is_some_and(|folder| path.parent() == Some(Path::new(&folder)))
}
