//! Real files.

use std::fs;
use std::io;
use std::ops::Range;
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use super::fork::Registered;
use super::page::MappedPage;
use super::{Access, File, Identity, Lock, Map, Page, lock};

/// A file of the operating system.
#[derive(Debug)]
pub(super) struct DiskFile {
    file: fs::File,
    identity: Identity,
}

impl DiskFile {
    pub(super) fn new(file: fs::File, identity: Identity) -> Self {
        Self { file, identity }
    }

    pub(super) fn descriptor(&self) -> RawFd {
        self.file.as_raw_fd()
    }
}

impl File for DiskFile {
    fn file_len(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut filled = 0;
        while filled < buffer.len() {
            match self.file.read_at(&mut buffer[filled..], offset + filled as u64) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(filled)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.file.write_all_at(bytes, offset)
    }

    fn sync(&self) -> io::Result<()> {
        // Makes the length durable too where it changed, and on macOS reaches the device.
        self.file.sync_data()
    }

    fn map(&self, len: u64) -> io::Result<Option<Map>> {
        Map::new(&self.file, len).map(Some)
    }

    fn try_lock(&self, byte: u64, lock: Lock) -> io::Result<bool> {
        lock::try_lock(&self.file, byte, lock)
    }

    fn is_locked(&self, bytes: Range<u64>) -> io::Result<bool> {
        lock::is_locked(&self.file, bytes)
    }

    fn page(&self, len: usize, access: Access) -> io::Result<Arc<dyn Page>> {
        Ok(Arc::new(MappedPage::new(&self.file, len, access)?))
    }

    fn identity(&self) -> Identity {
        self.identity
    }
}

/// A file that takes locks, and is never mapped: a map keeps its opening, and so the locks, alive in a child.
#[derive(Debug)]
pub(super) struct LockFile(pub(super) Registered);

impl File for LockFile {
    fn file_len(&self) -> io::Result<u64> {
        self.0.get()?.file_len()
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.0.get()?.read_at(buffer, offset)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.0.get()?.write_at(bytes, offset)
    }

    fn sync(&self) -> io::Result<()> {
        self.0.get()?.sync()
    }

    fn map(&self, _: u64) -> io::Result<Option<Map>> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn try_lock(&self, byte: u64, lock: Lock) -> io::Result<bool> {
        self.0.get()?.try_lock(byte, lock)
    }

    fn is_locked(&self, bytes: Range<u64>) -> io::Result<bool> {
        self.0.get()?.is_locked(bytes)
    }

    fn page(&self, _: usize, _: Access) -> io::Result<Arc<dyn Page>> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn identity(&self) -> Identity {
        self.0.identity()
    }
}
