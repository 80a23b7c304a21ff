//! Real directories: everything is opened relative to a held directory, without following links.

use std::fs;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::OnceLock;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, RenameFlags};
use rustix::io::Errno;

use super::file::{DiskFile, LockFile};
use super::fork::Registered;
use super::{Access, Directory, File, Identity, Storage, network, parents};
use crate::error::{Error, Result};

const FILE_MODE: u32 = 0o600;
const DIRECTORY_MODE: u32 = 0o700;
const OTHERS: u32 = 0o077;
const OTHERS_WRITE: u32 = 0o022;

/// The machine that we run on.
#[derive(Clone, Copy, Debug, Default)]
pub struct Disk;

impl Storage for Disk {
    fn open_dir(&self, path: &Path) -> Result<Option<Arc<dyn Directory>>> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fd = match rustix::fs::open(path, flags, Mode::empty()) {
            Ok(fd) => fd,
            Err(Errno::NOENT) => return Ok(None),
            Err(Errno::LOOP) => return Err(insecure(path, "it is a symbolic link; name its target")),
            Err(Errno::NOTDIR) if fs::symlink_metadata(path).is_ok_and(|found| found.is_symlink()) => {
                return Err(insecure(path, "it is a symbolic link; name its target"));
            }
            Err(Errno::NOTDIR) => {
                return Err(Error::NotAStore { path: path.into(), reason: "not a directory" });
            }
            Err(errno) => return Err(Error::io("open", path, errno.into())),
        };
        let directory = DiskDirectory { fd, path: path.to_owned() };
        let metadata = directory.metadata()?;
        if metadata.st_uid != rustix::process::geteuid().as_raw() {
            return Err(insecure(path, "it belongs to another user; run as that user or chown it"));
        }
        if metadata.st_mode & OTHERS_WRITE != 0 {
            return Err(insecure(path, "others may write to it; chmod 700 it"));
        }
        parents::check(path)?;
        Ok(Some(Arc::new(directory)))
    }

    fn create_dir(&self, path: &Path) -> Result<Arc<dyn Directory>> {
        rustix::fs::mkdir(path, Mode::from_raw_mode(DIRECTORY_MODE))
            .map_err(|errno| Error::io("create directory", path, errno.into()))?;
        let made = || {
            // A umask can have taken the right to open it.
            let mode = rustix::fs::statat(CWD, path, AtFlags::SYMLINK_NOFOLLOW).map(|found| found.st_mode);
            if mode.is_ok_and(|mode| mode & DIRECTORY_MODE != DIRECTORY_MODE) {
                let made_private = rustix::fs::chmod(path, Mode::from_raw_mode(DIRECTORY_MODE));
                made_private.map_err(|errno| Error::io("chmod", path, errno.into()))?;
            }
            let missing = || Error::io("open", path, io::ErrorKind::NotFound.into());
            let directory = self.open_dir(path)?.ok_or_else(missing)?;
            directory.make_private()?;
            directory.sync_parent()?;
            Ok(directory)
        };
        made().inspect_err(|_| drop(self.remove_dir(path)))
    }

    fn remove_dir(&self, path: &Path) -> Result<()> {
        fs::remove_dir(path).map_err(|error| Error::io("remove directory", path, error))
    }

    fn is_inside(&self, path: &Path, directory: &Path) -> bool {
        let there = path.ancestors().find_map(|ancestor| {
            let ancestor = if ancestor == Path::new("") { Path::new(".") } else { ancestor };
            ancestor.canonicalize().ok()
        });
        match (there, directory.canonicalize()) {
            (Some(there), Ok(directory)) => there.starts_with(directory),
            _ => path.starts_with(directory),
        }
    }

    fn now_ms(&self) -> u64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }

    #[cfg(target_os = "linux")]
    fn about_now_ms(&self) -> u64 {
        use rustix::time::{ClockId, clock_gettime};

        let since = Duration::try_from(clock_gettime(ClockId::RealtimeCoarse)).unwrap_or_default();
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }

    fn clock(&self) -> Duration {
        static START: OnceLock<Instant> = OnceLock::new();
        START.get_or_init(Instant::now).elapsed()
    }

    fn sleep(&self, time: Duration) {
        thread::sleep(time);
    }

    fn random(&self, bytes: &mut [u8]) -> Result<()> {
        getrandom::fill(bytes).map_err(|error| Error::io("read randomness", "getrandom", io::Error::other(error)))
    }
}

/// A directory of the operating system, held open.
#[derive(Debug)]
struct DiskDirectory {
    fd: OwnedFd,
    path: PathBuf,
}

impl DiskDirectory {
    fn metadata(&self) -> Result<rustix::fs::Stat> {
        rustix::fs::fstat(&self.fd).map_err(|errno| Error::io("stat", &self.path, errno.into()))
    }

    fn error(&self, operation: &'static str, name: &str) -> impl Fn(Errno) -> Error {
        let path = self.path.join(name);
        move |errno| Error::io(operation, &path, errno.into())
    }

    fn open_with(&self, name: &str, access: OFlags) -> Result<Option<DiskFile>> {
        // NONBLOCK: a FIFO in place of our file must not make us wait; regular files do not care.
        let flags = access | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
        match rustix::fs::openat(&self.fd, name, flags, Mode::empty()) {
            Ok(fd) => self.check(name, fd).map(Some),
            Err(Errno::NOENT) => Ok(None),
            Err(Errno::LOOP) => Err(insecure(self.path.join(name), "it is a symbolic link; remove it")),
            Err(Errno::ISDIR | Errno::NXIO) => Err(insecure(self.path.join(name), "it is no regular file; remove it")),
            Err(errno) => Err(self.error("open", name)(errno)),
        }
    }

    fn create_file(&self, name: &str) -> Result<DiskFile> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mode = Mode::from_raw_mode(FILE_MODE);
        let fd = rustix::fs::openat(&self.fd, name, flags, mode).map_err(self.error("create", name))?;
        // A umask can only have taken bits away, also from us.
        rustix::fs::fchmod(&fd, mode).map_err(self.error("chmod", name))?;
        self.check(name, fd)
    }

    fn is_directory(&self, name: &str) -> bool {
        let found = rustix::fs::statat(&self.fd, name, AtFlags::SYMLINK_NOFOLLOW);
        found.is_ok_and(|found| FileType::from_raw_mode(found.st_mode).is_dir())
    }

    fn check(&self, name: &str, fd: OwnedFd) -> Result<DiskFile> {
        let file = fs::File::from(fd);
        let path = self.path.join(name);
        let metadata = file.metadata().map_err(|error| Error::io("stat", &path, error))?;
        if !metadata.is_file() {
            return Err(insecure(path, "it is no regular file; remove it"));
        }
        if metadata.uid() != rustix::process::geteuid().as_raw() {
            return Err(insecure(path, "it belongs to another user; chown it"));
        }
        if metadata.mode() & OTHERS != 0 {
            return Err(insecure(path, "others may open it; chmod 600 it"));
        }
        if metadata.nlink() > 1 {
            return Err(insecure(path, "it has a second name (hard link); remove that"));
        }
        let identity = Identity { device: metadata.dev(), inode: metadata.ino() };
        Ok(DiskFile::new(file, identity))
    }
}

impl Directory for DiskDirectory {
    fn path(&self) -> &Path {
        &self.path
    }

    fn open(&self, name: &str) -> Result<Option<Arc<dyn File>>> {
        Ok(self.open_with(name, OFlags::RDWR)?.map(shared))
    }

    fn open_to_read(&self, name: &str) -> Result<Option<Arc<dyn File>>> {
        Ok(self.open_with(name, OFlags::RDONLY)?.map(shared))
    }

    fn open_to_lock(&self, name: &str, access: Access) -> Result<Option<Arc<dyn File>>> {
        let flags = match access {
            Access::Read => OFlags::RDONLY,
            Access::Write => OFlags::RDWR,
        };
        let registered = Registered::open(&self.path, || self.open_with(name, flags))?;
        Ok(registered.map(|file| shared(LockFile(file))))
    }

    fn create_to_lock(&self, name: &str) -> Result<Arc<dyn File>> {
        let registered = Registered::open(&self.path, || self.create_file(name).map(Some))?;
        Ok(shared(LockFile(registered.expect("what was made is there"))))
    }

    fn network_kind(&self) -> Result<Option<&'static str>> {
        network::kind(&self.fd).map_err(|error| Error::io("stat the file system of", &self.path, error))
    }

    fn create(&self, name: &str) -> Result<Arc<dyn File>> {
        self.create_file(name).map(shared)
    }

    fn is_current(&self, name: &str, file: &dyn File) -> Result<bool> {
        let ours = file.identity();
        match inode_at(&self.fd, name) {
            Ok(found) => Ok(found == ours),
            Err(Errno::NOENT) => Ok(false),
            Err(errno) => Err(self.error("stat", name)(errno)),
        }
    }

    fn rename(&self, from: &str, to: &str, replace: bool) -> Result<()> {
        let renamed = if replace {
            rustix::fs::renameat(&self.fd, from, &self.fd, to)
        } else {
            match rustix::fs::renameat_with(&self.fd, from, &self.fd, to, RenameFlags::NOREPLACE) {
                // Not every file system can; whoever renames holds a lock that keeps others of us from doing the same.
                Err(Errno::INVAL | Errno::NOSYS) => match rustix::fs::statat(&self.fd, to, AtFlags::SYMLINK_NOFOLLOW) {
                    Err(Errno::NOENT) => rustix::fs::renameat(&self.fd, from, &self.fd, to),
                    Ok(_) => Err(Errno::EXIST),
                    Err(errno) => Err(errno),
                },
                renamed => renamed,
            }
        };
        renamed.map_err(self.error("rename", from))
    }

    fn remove(&self, name: &str) -> Result<bool> {
        match rustix::fs::unlinkat(&self.fd, name, AtFlags::empty()) {
            Ok(()) => Ok(true),
            Err(Errno::NOENT) => Ok(false),
            // Not every kernel says so of a directory.
            Err(Errno::ISDIR | Errno::PERM) if self.is_directory(name) => {
                Err(insecure(self.path.join(name), "it is a directory; remove it"))
            }
            Err(errno) => Err(self.error("remove", name)(errno)),
        }
    }

    fn list(&self) -> Result<Vec<String>> {
        let entries = rustix::fs::Dir::read_from(&self.fd).map_err(self.error("list", ""))?;
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry.map_err(self.error("list", ""))?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if name != "." && name != ".." {
                names.push(name);
            }
        }
        names.sort();
        Ok(names)
    }

    fn sync(&self) -> Result<()> {
        rustix::fs::fsync(&self.fd).map_err(self.error("sync", ""))
    }

    fn sync_parent(&self) -> Result<()> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let parent = rustix::fs::openat(self.fd.as_fd(), "..", flags, Mode::empty());
        match parent {
            // One that we may not even read is not where we made anything.
            Err(Errno::ACCESS) => Ok(()),
            parent => parent.and_then(rustix::fs::fsync).map_err(self.error("sync", "..")),
        }
    }

    fn make_private(&self) -> Result<()> {
        let mode = Mode::from_raw_mode(DIRECTORY_MODE);
        rustix::fs::fchmod(&self.fd, mode).map_err(self.error("chmod", ""))
    }
}

/// What the name stands for.
///
/// Asks for nothing but the inode: on Linux a `stat` that also asks for times makes the next write stamp the inode anew,
/// and its sync write it, which takes half as long again as the sync of a commit.
#[cfg(target_os = "linux")]
fn inode_at(directory: &OwnedFd, name: &str) -> rustix::io::Result<Identity> {
    use rustix::fs::StatxFlags;

    let found = rustix::fs::statx(directory, name, AtFlags::SYMLINK_NOFOLLOW, StatxFlags::INO)?;
    Ok(Identity { device: rustix::fs::makedev(found.stx_dev_major, found.stx_dev_minor), inode: found.stx_ino })
}

#[cfg(not(target_os = "linux"))]
fn inode_at(directory: &OwnedFd, name: &str) -> rustix::io::Result<Identity> {
    let found = rustix::fs::statat(directory, name, AtFlags::SYMLINK_NOFOLLOW)?;
    Ok(Identity { device: found.st_dev as u64, inode: found.st_ino as u64 })
}

fn shared(file: impl File + 'static) -> Arc<dyn File> {
    Arc::new(file)
}

pub(super) fn insecure(path: impl Into<PathBuf>, reason: &'static str) -> Error {
    Error::Insecure { path: path.into(), reason }
}
