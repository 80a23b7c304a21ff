//! A machine with one directory, in memory. Small and fast: it never fails, but for files that grow too large.
//!
//! The same every time: the clock stands still, and randomness counts.

use std::collections::BTreeMap;
use std::io;
use std::ops::Range;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokcask::storage::{Access, Directory, File, Identity, Lock, Map, Page, Storage};
use tokcask::{Error, Result};

/// Where the directory is.
pub(crate) const PATH: &str = "/store";
/// No input leads to a longer file.
const FILE_LEN_MAX: usize = 8 << 20;

/// The machine. A clone is the same one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Memory {
    files: Arc<Mutex<BTreeMap<String, Node>>>,
    given: Arc<AtomicU64>,
}

#[derive(Clone, Debug)]
struct Node {
    inode: u64,
    content: Arc<Mutex<Vec<u8>>>,
}

impl Memory {
    /// Makes a file, or replaces one.
    pub(crate) fn put(&self, name: &str, content: Vec<u8>) {
        let content = Arc::new(Mutex::new(content));
        self.files().insert(name.to_owned(), Node { inode: self.next(), content });
    }

    /// What a file holds.
    pub(crate) fn content(&self, name: &str) -> Option<Vec<u8>> {
        self.files().get(name).map(|node| node.content().clone())
    }

    fn files(&self) -> MutexGuard<'_, BTreeMap<String, Node>> {
        self.files.lock().expect("nothing panics while it is locked")
    }

    fn next(&self) -> u64 {
        self.given.fetch_add(1, Ordering::Relaxed)
    }
}

impl Node {
    fn content(&self) -> MutexGuard<'_, Vec<u8>> {
        self.content.lock().expect("nothing panics while it is locked")
    }
}

impl Storage for Memory {
    fn open_dir(&self, _: &Path) -> Result<Option<Arc<dyn Directory>>> {
        Ok(Some(Arc::new(self.clone())))
    }

    fn create_dir(&self, _: &Path) -> Result<Arc<dyn Directory>> {
        Ok(Arc::new(self.clone()))
    }

    fn remove_dir(&self, _: &Path) -> Result<()> {
        Ok(())
    }

    fn now_ms(&self) -> u64 {
        1_700_000_000_000
    }

    fn clock(&self) -> Duration {
        Duration::ZERO
    }

    fn sleep(&self, _: Duration) {
        unreachable!("there is nobody to wait for");
    }

    fn random(&self, bytes: &mut [u8]) -> Result<()> {
        bytes.fill_with(|| self.next().to_le_bytes()[0]);
        Ok(())
    }
}

impl Directory for Memory {
    fn path(&self) -> &Path {
        Path::new(PATH)
    }

    fn open(&self, name: &str) -> Result<Option<Arc<dyn File>>> {
        Ok(self.files().get(name).map(|node| -> Arc<dyn File> { Arc::new(node.clone()) }))
    }

    fn open_to_read(&self, name: &str) -> Result<Option<Arc<dyn File>>> {
        self.open(name)
    }

    fn open_to_lock(&self, name: &str, _: Access) -> Result<Option<Arc<dyn File>>> {
        self.open(name)
    }

    fn create_to_lock(&self, name: &str) -> Result<Arc<dyn File>> {
        self.create(name)
    }

    fn network_kind(&self) -> Result<Option<&'static str>> {
        Ok(None)
    }

    fn create(&self, name: &str) -> Result<Arc<dyn File>> {
        if self.files().contains_key(name) {
            return Err(failure(name, io::ErrorKind::AlreadyExists));
        }
        self.put(name, Vec::new());
        self.open(name)?.ok_or_else(|| failure(name, io::ErrorKind::NotFound))
    }

    fn is_current(&self, name: &str, file: &dyn File) -> Result<bool> {
        Ok(self.files().get(name).is_some_and(|node| node.inode == file.identity().inode))
    }

    fn rename(&self, from: &str, to: &str, replace: bool) -> Result<()> {
        let mut files = self.files();
        if !replace && files.contains_key(to) {
            return Err(failure(to, io::ErrorKind::AlreadyExists));
        }
        let node = files.remove(from).ok_or_else(|| failure(from, io::ErrorKind::NotFound))?;
        files.insert(to.to_owned(), node);
        Ok(())
    }

    fn remove(&self, name: &str) -> Result<bool> {
        Ok(self.files().remove(name).is_some())
    }

    fn list(&self) -> Result<Vec<String>> {
        Ok(self.files().keys().cloned().collect())
    }

    fn sync(&self) -> Result<()> {
        Ok(())
    }

    fn sync_parent(&self) -> Result<()> {
        Ok(())
    }

    fn make_private(&self) -> Result<()> {
        Ok(())
    }
}

fn failure(name: &str, kind: io::ErrorKind) -> Error {
    Error::Io { operation: "call in memory", path: Path::new(PATH).join(name), source: Arc::new(kind.into()) }
}

impl File for Node {
    fn file_len(&self) -> io::Result<u64> {
        Ok(self.content().len() as u64)
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let content = self.content();
        let start = usize::try_from(offset).map_or(content.len(), |start| start.min(content.len()));
        let len = buffer.len().min(content.len() - start);
        buffer[..len].copy_from_slice(&content[start..start + len]);
        Ok(len)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let start = usize::try_from(offset).ok().filter(|start| start.saturating_add(bytes.len()) <= FILE_LEN_MAX);
        let start = start.ok_or(io::ErrorKind::StorageFull)?;
        let mut content = self.content();
        if content.len() < start + bytes.len() {
            content.resize(start + bytes.len(), 0);
        }
        content[start..start + bytes.len()].copy_from_slice(bytes);
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }

    fn map(&self, _: u64) -> io::Result<Option<Map>> {
        Ok(None)
    }

    fn try_lock(&self, _: u64, _: Lock) -> io::Result<bool> {
        // Handles come one after the other.
        Ok(true)
    }

    fn is_locked(&self, _: Range<u64>) -> io::Result<bool> {
        Ok(false)
    }

    fn page(&self, _: usize, _: Access) -> io::Result<Arc<dyn Page>> {
        Ok(Arc::new(self.clone()))
    }

    fn identity(&self) -> Identity {
        Identity { device: 1, inode: self.inode }
    }
}

impl Page for Node {
    fn load(&self, number: usize) -> u64 {
        let content = self.content();
        u64::from_le_bytes(std::array::from_fn(|byte| content[8 * number + byte]))
    }

    fn store(&self, number: usize, value: u64) {
        self.content()[8 * number..8 * number + 8].copy_from_slice(&value.to_le_bytes());
    }

    fn wait(&self, _: usize, _: u32, _: Duration) {
        unreachable!("there is nobody to wait for");
    }

    fn wake(&self, _: usize) {}
}
