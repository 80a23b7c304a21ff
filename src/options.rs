//! How a store is opened.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::engine;
use crate::error::Result;
use crate::stats::{Progress, VerifyReport};
use crate::storage::Storage;
use crate::storage::disk::Disk;
use crate::store::LogStore;

/// How finds read the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReadMode {
    /// Through a read-only memory map: the fastest. A log that somebody else shortens meanwhile, or a device that cannot
    /// read a page back, ends the process with SIGBUS, as with every mapped file.
    #[default]
    Map,
    /// By reading into memory of our own. A shortened log or a failing device is an error.
    Copy,
}

/// Options for opening a store.
///
/// ```
/// # let dir = tempfile::tempdir()?;
/// # let path = dir.path().join("tokens");
/// use tokcask::{Options, ReadMode};
///
/// let store = Options::new().read_mode(ReadMode::Copy).open(&path)?;
/// store.close()?;
/// let missing = Options::new().create(false).open(dir.path().join("elsewhere"));
/// assert_eq!(missing.unwrap_err().kind(), tokcask::ErrorKind::NotAStore);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Options {
    pub(crate) read_mode: ReadMode,
    pub(crate) create: bool,
    pub(crate) lock_timeout: Duration,
    pub(crate) progress: Option<Arc<dyn Fn(Progress) + Send + Sync>>,
}

impl Options {
    /// The options of [`LogStore::open`]: mapped reads, made if missing.
    #[must_use]
    pub fn new() -> Self {
        Self { read_mode: ReadMode::Map, create: true, lock_timeout: Duration::from_secs(10), progress: None }
    }

    /// How finds read the log.
    #[must_use]
    pub fn read_mode(mut self, read_mode: ReadMode) -> Self {
        self.read_mode = read_mode;
        self
    }

    /// Whether a missing store is made (the default) or is `NotAStore`.
    #[must_use]
    pub fn create(mut self, create: bool) -> Self {
        self.create = create;
        self
    }

    /// Whether this handle keeps all others out. In this version every handle does, whatever is said here.
    #[must_use]
    pub fn exclusive(self, exclusive: bool) -> Self {
        let _ = exclusive;
        self
    }

    /// How long to wait for somebody else who is opening the store at the same moment; 10 s if not set. If somebody has
    /// it open already, `Locked` comes at once.
    #[must_use]
    pub fn lock_timeout(mut self, lock_timeout: Duration) -> Self {
        self.lock_timeout = lock_timeout;
        self
    }

    /// Is called now and then while the log is read, on the opening thread.
    #[must_use]
    pub fn on_progress(mut self, progress: impl Fn(Progress) + Send + Sync + 'static) -> Self {
        self.progress = Some(Arc::new(progress));
        self
    }

    /// Opens the store in the directory `path`, after making it if it is missing and recovering it if that is needed.
    ///
    /// # Errors
    /// `Locked` if another handle has it open; `Corrupt`, `Copied`, `NotAStore`, `Unsupported` or `Insecure` for what
    /// is found there, all of it left as it was.
    pub fn open(&self, path: impl AsRef<Path>) -> Result<LogStore> {
        self.open_on(Arc::new(Disk), path.as_ref())
    }

    /// Reads the store in the directory `path` through and lists all damage. Takes no lock and writes nothing, so it
    /// also works on a store that does not open; beside a writer it may see a torn tail that is being written.
    ///
    /// # Errors
    /// `NotAStore`, `Unsupported` or `Insecure` for what is found there. Damage is no error here.
    pub fn verify(&self, path: impl AsRef<Path>) -> Result<VerifyReport> {
        engine::verify::verify_path(&Disk, path.as_ref())
    }

    pub(crate) fn open_on(&self, storage: Arc<dyn Storage>, path: &Path) -> Result<LogStore> {
        engine::open::open(self, storage, path).map(LogStore::new)
    }
}

impl Default for Options {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("Options");
        out.field("read_mode", &self.read_mode).field("create", &self.create);
        out.field("lock_timeout", &self.lock_timeout).finish_non_exhaustive()
    }
}
