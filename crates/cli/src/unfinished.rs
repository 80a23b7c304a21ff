//! A file that has no name until it is complete, so that a run that is killed leaves nothing behind, secrets least of all.
//!
//! Where the file system has no such files, one with a name of its own, which goes unless the run is killed.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::path::Path;

use rustix::fs::{AtFlags, CWD, Mode, OFlags};
use rustix::io::Errno;
use tempfile::NamedTempFile;

const PREFIX: &str = ".tokcask-";

/// A file for its owner alone, in the folder where it is to appear.
pub(crate) enum Unfinished {
    Unnamed(File),
    Named(NamedTempFile),
}

impl Unfinished {
    pub(crate) fn new(folder: &Path) -> io::Result<Self> {
        let mode = Mode::RUSR | Mode::WUSR;
        match rustix::fs::open(folder, OFlags::TMPFILE | OFlags::WRONLY | OFlags::CLOEXEC, mode) {
            Ok(fd) => Ok(Self::Unnamed(File::from(fd))),
            // What a file system, or an old kernel, says that knows no such files.
            Err(Errno::OPNOTSUPP | Errno::ISDIR | Errno::INVAL) => {
                tempfile::Builder::new().prefix(PREFIX).tempfile_in(folder).map(Self::Named)
            }
            Err(errno) => Err(errno.into()),
        }
    }

    pub(crate) fn as_file(&self) -> &File {
        match self {
            Self::Unnamed(file) => file,
            Self::Named(file) => file.as_file(),
        }
    }

    /// Makes it appear; in the place of what is there, if `replace` says so.
    pub(crate) fn give_name(self, path: &Path, replace: bool) -> io::Result<()> {
        match self {
            Self::Named(file) if replace => file.persist(path).map(drop).map_err(|error| error.error),
            Self::Named(file) => file.persist_noclobber(path).map(drop).map_err(|error| error.error),
            Self::Unnamed(file) if !replace => link(&file, path),
            Self::Unnamed(file) => {
                // A name in between, since a link replaces nothing; it goes again if the rename fails.
                let folder = path.parent().filter(|folder| *folder != Path::new("")).unwrap_or(Path::new("."));
                let make = |between: &Path| link(&file, between);
                let between = tempfile::Builder::new().prefix(PREFIX).make_in(folder, make)?;
                between.persist(path).map(drop).map_err(|error| error.error)
            }
        }
    }
}

fn link(file: &File, path: &Path) -> io::Result<()> {
    let open = format!("/proc/self/fd/{}", file.as_raw_fd());
    Ok(rustix::fs::linkat(CWD, open, CWD, path, AtFlags::SYMLINK_FOLLOW)?)
}
