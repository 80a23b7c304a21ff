//! Real files.

use std::fs;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

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

    fn is_locked(&self, byte: u64) -> io::Result<bool> {
        lock::is_locked(&self.file, byte)
    }

    fn page(&self, len: usize, access: Access) -> io::Result<Arc<dyn Page>> {
        Ok(Arc::new(MappedPage::new(&self.file, len, access)?))
    }

    fn identity(&self) -> Identity {
        self.identity
    }
}
