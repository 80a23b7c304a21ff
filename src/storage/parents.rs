//! Who could put something else in the place of a store or a key file: whoever may write to a directory above it.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::disk::insecure;
use crate::error::{Error, Result};

const OTHERS_WRITE: u32 = 0o022;
/// What is in such a directory only its owner renames and removes.
const STICKY: u32 = 0o1000;
const ROOT: u32 = 0;

/// Every directory above `path`, which is there, belongs to us or to root, and nobody else may change what is in it.
///
/// As `sshd` asks of the files that it trusts, with its reason: what others can replace is not ours.
pub(super) fn check(path: &Path) -> Result<()> {
    let resolved = path.canonicalize().map_err(|error| Error::io("resolve", path, error))?;
    for parent in resolved.ancestors().skip(1) {
        let found = fs::metadata(parent).map_err(|error| Error::io("stat", parent, error))?;
        if found.uid() != ROOT && found.uid() != rustix::process::geteuid().as_raw() {
            let reason = "it belongs to another user, who could replace what is in it; chown it, or move what is in it";
            return Err(insecure(parent, reason));
        }
        if found.mode() & OTHERS_WRITE != 0 && found.mode() & STICKY == 0 {
            let reason = "others may write to it, and so replace what is in it; chmod go-w it, or move what is in it";
            return Err(insecure(parent, reason));
        }
    }
    Ok(())
}
