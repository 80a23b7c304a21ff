//! The keys of encrypted stores: 32 bytes, in memory of their own, from wherever the application keeps them.

use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::format::seal::{self, OUTER_KEY_LEN};
use crate::guarded::Guarded;
use crate::storage::secret_file;
use crate::sync::Mutex;

/// The key of an encrypted store: 32 random bytes.
///
/// They lie in memory of their own, which is wiped when the last clone goes, and which the system keeps out of swap and
/// core dumps where it lets us ([`is_locked`](Self::is_locked)). Whoever has the key can read and write the store;
/// without it nobody can, and there is no other way in.
///
/// ```
/// # let dir = tempfile::tempdir()?;
/// # let path = dir.path().join("tokens");
/// use tokcask::{EncryptionKey, ErrorKind, LogStore};
///
/// let key = EncryptionKey::generate()?;
/// LogStore::open_encrypted(&path, &key)?.close()?;
/// let other = EncryptionKey::generate()?;
/// assert_eq!(LogStore::open_encrypted(&path, &other).unwrap_err().kind(), ErrorKind::WrongKey);
/// assert_eq!(LogStore::open(&path).unwrap_err().kind(), ErrorKind::WrongKey);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct EncryptionKey(Arc<Guarded<OUTER_KEY_LEN>>);

/// Which key it is. Tells nothing of the key, and is the same wherever that is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct KeyId([u8; 16]);

impl EncryptionKey {
    /// Length of a key, in bytes.
    pub const LEN: usize = OUTER_KEY_LEN;

    /// A key that nobody else has, of the system's randomness.
    ///
    /// # Errors
    /// `Io` if the system has no randomness or no memory.
    pub fn generate() -> Result<Self> {
        let mut key = Guarded::zeros().map_err(no_memory)?;
        getrandom::fill(key.bytes_mut())
            .map_err(|error| Error::io("read randomness", "getrandom", io::Error::other(error)))?;
        Ok(Self(Arc::new(key)))
    }

    /// The key with these bytes, which must be random: not a password. The caller's copy is the caller's to wipe.
    ///
    /// # Errors
    /// `Io` if the system has no memory.
    pub fn from_bytes(bytes: &[u8; OUTER_KEY_LEN]) -> Result<Self> {
        let mut key = Guarded::zeros().map_err(no_memory)?;
        *key.bytes_mut() = *bytes;
        Ok(Self(Arc::new(key)))
    }

    /// The key in this file, which has 32 bytes and nothing else: made by `tokcask key new`, or a systemd credential.
    ///
    /// # Errors
    /// `Insecure` if it is no regular file, belongs to somebody else (root may have it), or others may open it; `Io` if
    /// it cannot be read, is shorter or is longer.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let mut key = Guarded::zeros().map_err(no_memory)?;
        secret_file::read_secret(path, key.bytes_mut())?;
        Ok(Self(Arc::new(key)))
    }

    /// Which key this is.
    #[must_use]
    pub fn id(&self) -> KeyId {
        KeyId(seal::key_id(self.bytes()))
    }

    /// Whether the system promised to keep the key in memory and out of core dumps. It may have said no: the limit on
    /// locked memory is often small (`ulimit -l`).
    #[must_use]
    pub fn is_locked(&self) -> bool {
        self.0.is_locked()
    }

    pub(crate) fn bytes(&self) -> &[u8; OUTER_KEY_LEN] {
        self.0.bytes()
    }
}

fn no_memory(error: io::Error) -> Error {
    Error::io("get memory for", "a key", error)
}

impl fmt::Debug for EncryptionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EncryptionKey(redacted)")
    }
}

/// In hexadecimal.
impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Where the key of a store comes from: a key at hand, or a function that gets it.
#[derive(Clone)]
pub struct KeySource(Source);

#[derive(Clone)]
enum Source {
    Key(EncryptionKey),
    /// And what it gave last, for the handles that share it.
    Ask(Arc<Ask>, Arc<Mutex<Vec<EncryptionKey>>>),
}

type Ask = dyn Fn(Option<KeyId>) -> Result<EncryptionKey, Box<dyn StdError + Send + Sync>> + Send + Sync;

impl KeySource {
    /// A function that gets the key from where it is kept: a key management service, the system's keyring.
    ///
    /// It is told which key the store has, or `None` when a store is made and by [`LogStore::rekey`](crate::LogStore::rekey):
    /// then it gives the key that is to be used from now on. It is asked for a key that it has not given lately: when a store
    /// is opened, and when another process has given the store another key, by whatever call meets that first. Finds of the
    /// handle wait then, so it must not use the store. Stores may share one. What it says when it fails must hold no
    /// secret: it is part of the error.
    ///
    /// ```
    /// # let dir = tempfile::tempdir()?;
    /// # let path = dir.path().join("tokens");
    /// use tokcask::{EncryptionKey, KeySource, LogStore};
    ///
    /// # let secret = [7; 32];
    /// let source = KeySource::asking(move |_id| Ok(EncryptionKey::from_bytes(&secret)?));
    /// LogStore::open_encrypted(&path, source)?.close()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn asking(
        ask: impl Fn(Option<KeyId>) -> Result<EncryptionKey, Box<dyn StdError + Send + Sync>> + Send + Sync + 'static,
    ) -> Self {
        Self(Source::Ask(Arc::new(ask), Arc::default()))
    }

    /// The key, for the log at `path` which has the one with this id, or none yet.
    pub(crate) fn key(&self, id: Option<[u8; 16]>, path: &Path) -> Result<EncryptionKey> {
        const KNOWN_MAX: usize = 8;
        let (ask, known) = match &self.0 {
            Source::Key(key) => return Ok(key.clone()),
            Source::Ask(ask, known) => (ask, known),
        };
        let id = id.map(KeyId);
        let mut known = known.lock();
        if let Some(key) = known.iter().find(|key| Some(key.id()) == id) {
            return Ok(key.clone());
        }
        let key = ask(id).map_err(|error| Error::io("get the key of", path, io::Error::other(error)))?;
        known.retain(|other| other.id() != key.id());
        known.insert(0, key.clone());
        known.truncate(KNOWN_MAX);
        Ok(key)
    }
}

impl From<EncryptionKey> for KeySource {
    fn from(key: EncryptionKey) -> Self {
        Self(Source::Key(key))
    }
}

impl From<&EncryptionKey> for KeySource {
    fn from(key: &EncryptionKey) -> Self {
        key.clone().into()
    }
}

impl fmt::Debug for KeySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeySource(redacted)")
    }
}
