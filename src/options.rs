//! How a store is opened.

use std::fmt;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::engine::{self, Keyring};
use crate::error::Result;
use crate::inspect::{AdoptReport, FrameInfo, SalvageReport};
#[cfg(feature = "encryption")]
use crate::key::KeySource;
use crate::progress::Listener;
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

/// What [`LogStore::import`] does with a row whose id a row of the store already has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum OnClash {
    /// Imports nothing at all: [`IdTaken`](crate::Error::IdTaken).
    #[default]
    Refuse,
    /// The store's row stays as it is.
    Keep,
    /// The imported row takes its place, and nothing of the old one is left.
    Replace,
    /// Both stay; the imported row gets the next free number.
    Renumber,
}

/// When the store moves to a new file by itself, to get rid of what was replaced or deleted.
///
/// Either condition is enough: enough of the log is dead, or the oldest dead record, which may hold a secret, is too old.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CompactionPolicy {
    /// Dead bytes that are worth it, 1 KiB at least; 1 MiB if not set.
    pub dead_bytes_min: u64,
    /// And how much of the log they are, in percent, 1 at least; 50 if not set.
    pub dead_percent_min: u8,
    /// How long a replaced or deleted record may stay in the log, from the moment when the first one was; 24 h if not set.
    pub dead_age_max: Duration,
}

impl CompactionPolicy {
    /// The conditions that hold if no others are set.
    #[must_use]
    pub const fn new() -> Self {
        Self { dead_bytes_min: 1 << 20, dead_percent_min: 50, dead_age_max: Duration::from_secs(24 * 3600) }
    }
}

impl Default for CompactionPolicy {
    fn default() -> Self {
        Self::new()
    }
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
#[expect(clippy::struct_excessive_bools, reason = "each is a choice of its own")]
pub struct Options {
    pub(crate) read_mode: ReadMode,
    pub(crate) create: bool,
    pub(crate) exclusive: bool,
    pub(crate) read_only: bool,
    pub(crate) network: bool,
    pub(crate) background: bool,
    pub(crate) compaction: CompactionPolicy,
    pub(crate) lock_timeout: Duration,
    pub(crate) progress: Listener,
    pub(crate) keyring: Keyring,
}

impl Options {
    /// The options of [`LogStore::open`]: mapped reads, made if missing.
    #[must_use]
    pub fn new() -> Self {
        Self {
            read_mode: ReadMode::Map,
            create: true,
            exclusive: false,
            read_only: false,
            network: false,
            background: true,
            compaction: CompactionPolicy::new(),
            lock_timeout: Duration::from_secs(10),
            progress: Listener::default(),
            keyring: Keyring::default(),
        }
    }

    /// The same options for an encrypted store, with the key from `key`: [`open`](Self::open) makes and opens only encrypted
    /// stores then ([`NotEncrypted`](crate::Error::NotEncrypted)), as it only opens plain ones without
    /// ([`WrongKey`](crate::Error::WrongKey)). `verify`, `dump`, `salvage` and `adopt` read such a store, too.
    #[cfg(feature = "encryption")]
    #[must_use]
    pub fn encrypted(key: impl Into<KeySource>) -> Self {
        Self { keyring: Keyring::Sealed(key.into()), ..Self::new() }
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

    /// Whether this handle keeps all others that write out, as long as it is open. Without it (the default) any number of handles, in
    /// any number of processes, share the store.
    #[must_use]
    pub fn exclusive(mut self, exclusive: bool) -> Self {
        self.exclusive = exclusive;
        self
    }

    /// Whether this handle only reads. It never writes to any file, not even to recover a torn tail, and needs no more than
    /// the right to read; writing calls are [`ReadOnly`](crate::Error::ReadOnly). It sees what others save at once. (A store
    /// whose lock file is not there is read as it is when it is opened.) It comes in beside everybody, also an exclusive
    /// handle, and [`exclusive`](Self::exclusive) means nothing for it.
    #[must_use]
    pub fn read_only(mut self, read_only: bool) -> Self {
        self.read_only = read_only;
        self
    }

    /// Whether the store may lie on a network or user-space file system, where locks and shared memory may not work between
    /// machines. There a handle is always [`exclusive`](Self::exclusive); that no other machine has the store open is for
    /// you to see to. Without it such a file system is refused.
    #[must_use]
    pub fn network(mut self, network: bool) -> Self {
        self.network = network;
        self
    }

    /// Whether the handle has a thread of its own (the default) which compacts when the
    /// [policy](Self::compaction) says so, makes the watermark of an idle store durable, and follows other processes to a
    /// new file soon. Without it nothing is compacted but by [`compact`](LogStore::compact), and a handle that has slept
    /// through two compactions of others reads the log through before its next find.
    #[must_use]
    pub fn background(mut self, background: bool) -> Self {
        self.background = background;
        self
    }

    /// When the store is compacted in the background.
    #[must_use]
    pub fn compaction(mut self, policy: CompactionPolicy) -> Self {
        self.compaction = policy;
        self
    }

    /// How long a call waits for others before it is [`Busy`](crate::Error::Busy): a save for other processes' saves, an
    /// open for somebody who is opening the store at the same moment, a compaction for another one. 10 s if not set. Threads
    /// of the same handle wait for each other's work as long as that takes. A store that somebody has open [exclusively](Self::exclusive) is `Locked` at once.
    #[must_use]
    pub fn lock_timeout(mut self, lock_timeout: Duration) -> Self {
        self.lock_timeout = lock_timeout;
        self
    }

    /// Is called now and then during long work, on the thread that does it: opening, verifying, dumping, salvaging,
    /// adopting, and `compact`, `backup`, `import`, `sweep` and `verify` of the handle (not compactions in the background).
    /// It may find, and call nothing else of the handle: some of that work holds locks, and would wait for itself.
    #[must_use]
    pub fn on_progress(mut self, progress: impl Fn(Progress) + Send + Sync + 'static) -> Self {
        self.progress = Listener::new(progress);
        self
    }

    /// Opens the store in the directory `path`, after making it if it is missing and recovering it if that is needed.
    ///
    /// # Errors
    /// `Locked` if another handle keeps it to itself, or this one is to and others have it open; `Busy` if somebody has been
    /// opening it for longer than the lock timeout; `NetworkFileSystem` where its locks may not work; `Corrupt`, `Copied`, `NotAStore`, `Unsupported` or `Insecure` for what
    /// is found there, all of it left as it was.
    pub fn open(&self, path: impl AsRef<Path>) -> Result<LogStore> {
        let storage: Arc<dyn Storage> = Arc::new(Disk);
        self.open_on(&storage, path.as_ref())
    }

    /// Reads the store in the directory `path` through and lists all damage. Takes no lock and writes nothing, so it
    /// also works on a store that does not open. Beside a writer it reads what was durable when it began.
    ///
    /// # Errors
    /// `NotAStore`, `Unsupported` or `Insecure` for what is found there. Damage is no error here.
    pub fn verify(&self, path: impl AsRef<Path>) -> Result<VerifyReport> {
        engine::verify::verify_path(self, &Disk, path.as_ref())
    }

    /// Hands every readable frame of the store in the directory `path` to `f`, oldest first, until `f` breaks; behind
    /// damage as well. Returns what [`verify`](Self::verify) does. Takes no lock and writes nothing.
    ///
    /// ```
    /// # let dir = tempfile::tempdir()?;
    /// # let path = dir.path().join("tokens");
    /// use std::ops::ControlFlow;
    /// use tokcask::{LogStore, Options, Token, TokenStore};
    ///
    /// let store = LogStore::open(&path)?;
    /// store.save_token(&Token::builder().access_token("fake").build())?;
    /// let mut ids = Vec::new();
    /// Options::new().dump(&path, |frame| {
    ///     ids.extend(frame.operations.iter().filter_map(|operation| operation.id.map(str::to_owned)));
    ///     ControlFlow::Continue(())
    /// })?;
    /// assert_eq!(ids, ["1"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`verify`](Self::verify).
    pub fn dump(
        &self,
        path: impl AsRef<Path>,
        f: impl FnMut(&FrameInfo<'_>) -> ControlFlow<()>,
    ) -> Result<VerifyReport> {
        engine::dump::dump(self, &Disk, path.as_ref(), f)
    }

    /// Writes every row that can still be read in the store at `from`, however damaged, into a new store at `to`: a
    /// missing or empty directory. What is at `from` is read and never changed.
    ///
    /// Ids, order, times and revisions stay (a row of which only a later version can be read stands where that did);
    /// counters go on above everything that `from` can have given. What a crash left behind the last acknowledged
    /// operation is left out, as an open would cut it. The report says what is lost, and which rows may be older than
    /// they were.
    ///
    /// # Errors
    /// `NotAStore` if there is nothing at `from`, or something at `to`; `Corrupt` (or `NotAStore`, or `Copied`) if neither
    /// a copy of the file header nor any frame can be read; `NoSpace` or `Io` for `to`, where nothing is left then.
    pub fn salvage(&self, from: impl AsRef<Path>, to: impl AsRef<Path>) -> Result<SalvageReport> {
        engine::salvage::salvage(self, &Disk, from.as_ref(), to.as_ref())
    }

    /// Accepts the log in the directory `path` as the store's, where opening says [`Copied`](crate::Error::Copied): an
    /// older log was put back, and what it lacks is to be lost. (Opening says `Corrupt` if the older log's room reaches
    /// past the newer one's end: a lost end cannot be told from that. It is accepted as well.)
    ///
    /// Counters go on above everything that the lost part gave, as far as the lock file knows. A store that opens is
    /// left as it is. After a crash the store is as it was, or adopted.
    ///
    /// # Errors
    /// Those of [`open`](Self::open). A log that is damaged stays `Corrupt`, and one that is gone `Copied`. After `Io` or
    /// `NoSpace` the store is as after a crash; asking again does no harm.
    pub fn adopt(&self, path: impl AsRef<Path>) -> Result<AdoptReport> {
        let storage: Arc<dyn Storage> = Arc::new(Disk);
        engine::adopt::adopt(self, &storage, path.as_ref())
    }

    pub(crate) fn open_on(&self, storage: &Arc<dyn Storage>, path: &Path) -> Result<LogStore> {
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
        out.field("exclusive", &self.exclusive).field("read_only", &self.read_only).field("network", &self.network);
        out.field("background", &self.background).field("compaction", &self.compaction);
        out.field("lock_timeout", &self.lock_timeout).finish_non_exhaustive()
    }
}
