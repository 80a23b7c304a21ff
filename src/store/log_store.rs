//! The durable store. Thin: every method is a call into `engine`.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use super::{Key, TokenStore};
use crate::engine::Engine;
use crate::engine::plan::{Outcome, Request};
use crate::engine::read::Rows;
use crate::error::{Error, Result};
use crate::options::{OnClash, Options};
use crate::stats::{CompactReport, ImportReport, OpenReport, Stats, VerifyReport};
use crate::token::{Token, TokenView};

/// A durable token store in a directory.
///
/// A save that returned is kept: it was synced to the device, and after a crash at any moment the next open shows it.
/// Nothing is visible before it is durable. Any number of threads may use one handle; every method takes `&self`.
/// Any number of processes may have the same directory open: what one saves, the next find of every other sees. A handle
/// does not survive a `fork`: in the child every call is [`Forked`](Error::Forked), and the child opens the store anew.
/// Methods that write block for a sync, about as long as the device takes: from async code, call them through your
/// runtime's `spawn_blocking`.
///
/// ```
/// # let dir = tempfile::tempdir()?;
/// # let path = dir.path().join("tokens");
/// use tokcask::{Key, LogStore, Token, TokenStore};
///
/// let store = LogStore::open(&path)?;
/// let saved = store.save_token(&Token::builder().user_name("ana").refresh_token("fake-refresh").build())?;
/// assert_eq!(saved.id(), Some("1"));
/// assert!(store.get(Key::UserName("ana"))?.is_some());
/// store.close()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct LogStore {
    pub(super) engine: Arc<Engine>,
    #[cfg_attr(not(feature = "tokio"), expect(dead_code, reason = "kept for what it does when it goes"))]
    pub(super) open: Arc<KeptOpen>,
}

/// Closes the store when the last one lets go of it: the handle, or a refresh that goes on when its caller has gone.
pub(super) struct KeptOpen(Arc<Engine>);

#[cfg(feature = "tokio")]
impl KeptOpen {
    pub(super) fn engine(&self) -> &Engine {
        &self.0
    }
}

impl Drop for KeptOpen {
    fn drop(&mut self) {
        // The background thread may hold on to the engine for a moment; the locks are let go now.
        let _ = self.0.close();
    }
}

impl LogStore {
    pub(crate) fn new(engine: Arc<Engine>) -> Self {
        Self { open: Arc::new(KeptOpen(engine.clone())), engine }
    }

    /// Opens the store in the directory `path`, with the defaults of [`Options`]: made if missing, recovered if needed.
    ///
    /// # Errors
    /// See [`Options::open`].
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        Options::new().open(path)
    }

    /// Opens the encrypted store in the directory `path`, with the defaults of [`Options`] else: made if missing, recovered
    /// if needed. A plain store is refused here, and an encrypted one by [`open`](Self::open).
    ///
    /// ```
    /// # let dir = tempfile::tempdir()?;
    /// # let path = dir.path().join("tokens");
    /// use tokcask::{EncryptionKey, Key, LogStore, Token, TokenStore};
    ///
    /// let key = EncryptionKey::generate()?;
    /// let store = LogStore::open_encrypted(&path, &key)?;
    /// store.save_token(&Token::builder().user_name("ana").refresh_token("fake-refresh").build())?;
    /// assert!(store.get(Key::UserName("ana"))?.is_some());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// `WrongKey`, `NotEncrypted`, and those of [`Options::open`].
    #[cfg(feature = "encryption")]
    pub fn open_encrypted(path: impl AsRef<Path>, key: impl Into<crate::KeySource>) -> Result<Self> {
        Options::encrypted(key).open(path)
    }

    /// The oldest row with this key, or `None`.
    ///
    /// # Errors
    /// `Corrupt` if the record is damaged: what cannot be read is never "not found".
    pub fn get(&self, key: Key<'_>) -> Result<Option<Token>> {
        let (column, value) = key.parts();
        self.engine.get(column, value)
    }

    /// Hands the oldest row with this key to `f` without copying it, and returns what `f` does; `None` if there is none.
    ///
    /// `f` runs outside all locks: it may save, find and compact. It sees the row as it was found.
    ///
    /// ```
    /// # let dir = tempfile::tempdir()?;
    /// # let store = tokcask::LogStore::open(dir.path().join("tokens"))?;
    /// # use tokcask::{Key, Token, TokenStore};
    /// # store.save_token(&Token::builder().user_name("ana").access_token("fake").build())?;
    /// let len = store.view(Key::UserName("ana"), |row| row.access_token().map(|secret| secret.expose_secret().len()))?;
    /// assert_eq!(len, Some(Some(4)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub fn view<R>(&self, key: Key<'_>, f: impl FnOnce(TokenView<'_>) -> R) -> Result<Option<R>> {
        let (column, value) = key.parts();
        self.engine.view(column, value, f)
    }

    /// Deletes the row with this id, returning whether there was one.
    ///
    /// Durable, and gone for every process, when the call returns. Deleting an absent row writes nothing. Works on a full
    /// disk. The bytes stay in the log until the next compaction.
    ///
    /// # Errors
    /// `Io` if the append fails; `Poisoned` if an earlier sync did; `Busy` if others kept us from writing for longer than the
    /// lock timeout.
    pub fn delete(&self, id: &str) -> Result<bool> {
        let outcomes = self.engine.commit(&[Request::delete(id, None)])?;
        Ok(matches!(outcomes.as_slice(), [Outcome::Deleted(true)]))
    }

    /// Saves all of these, in order, or none; returns the rows as stored.
    ///
    /// One append and one sync for all of them: the way to load many. After a crash all are there or none is. A later
    /// token sees what an earlier one of the same call did.
    ///
    /// # Errors
    /// Those of [`save_token`](TokenStore::save_token) for any of them, and `TooLarge` past 64 MiB in all.
    pub fn save_tokens(&self, tokens: &[Token]) -> Result<Vec<Token>> {
        let requests: Vec<_> = tokens.iter().map(|token| Request::save(token, None)).collect();
        Ok(self.engine.commit(&requests)?.into_iter().map(Outcome::into_token).collect())
    }

    /// Puts rows of another store in, in this order, as they are: by id and unmerged. All of them or none, however many.
    ///
    /// A row whose id is free becomes a new row with that id, whatever other keys it shares with other rows; a find by such
    /// a key goes on finding the oldest of them. A row without an id gets the next number that no row of the store or of
    /// `tokens` has. What becomes of a row whose id is taken, by a row of the store or an earlier one of `tokens`, is
    /// `on_clash`. Empty strings count as absent, and times and revisions are the store's, as on a save.
    ///
    /// Durable and visible when it returns. What is longer than 64 MiB makes the store move to a new file, as
    /// [`compact`](Self::compact) does, and needs room for it; saves of everybody wait until it is done.
    ///
    /// ```
    /// # let dir = tempfile::tempdir()?;
    /// # let store = tokcask::LogStore::open(dir.path().join("tokens"))?;
    /// use tokcask::{ErrorKind, OnClash, Token};
    ///
    /// let rows = [Token::builder().id("7").refresh_token("fake").build(), Token::builder().access_token("fake").build()];
    /// assert_eq!(store.import(&rows, OnClash::Refuse)?.imported, 2);
    /// assert_eq!(store.import(&rows, OnClash::Refuse).unwrap_err().kind(), ErrorKind::IdTaken);
    /// let again = store.import(&rows[..1], OnClash::Keep)?;
    /// assert_eq!((again.imported, again.clashes), (0, 1));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// `IdTaken` if an id is, and `on_clash` refuses that; those of [`Token::check_limits`]; `TooLittle` for a row
    /// without an access, refresh or grant token.
    pub fn import(&self, tokens: &[Token], on_clash: OnClash) -> Result<ImportReport> {
        self.engine.import(tokens, on_clash)
    }

    /// Saves the token if the row that it means is still at `revision`; 0 stands for "there is no such row".
    ///
    /// Revisions are never given twice, so this can also not succeed against a row that was deleted and saved again.
    ///
    /// # Errors
    /// `Conflict` if it is not, and those of [`save_token`](TokenStore::save_token).
    pub fn compare_and_save(&self, token: &Token, revision: u64) -> Result<Token> {
        one(&self.engine, Request::save(token, Some(revision)))
    }

    /// All rows as they are now, oldest first, read one by one. Later changes do not show.
    ///
    /// Each item brings its own error; on a closed handle the only item is `Closed`.
    #[must_use]
    pub fn iter(&self) -> Tokens {
        Tokens { rows: self.engine.rows() }
    }

    /// Reads everything durable through and lists all damage.
    ///
    /// # Errors
    /// `Io` if the log cannot be read. Damage is no error here.
    pub fn verify(&self) -> Result<VerifyReport> {
        self.engine.verify()
    }

    /// Moves the present rows to a new file, without what was replaced or deleted before the call. Finds and saves go on
    /// meanwhile, of every process; a save waits for the move itself, about as long as for a few syncs.
    ///
    /// A handle does this by itself when its [policy](Options::compaction) says so. Also makes a store writable again,
    /// for all processes, after a failed sync.
    ///
    /// # Errors
    /// `NoSpace` or `Io`; the old file then stays in use. `Busy` if somebody else compacts for longer than the lock timeout.
    pub fn compact(&self) -> Result<CompactReport> {
        self.engine.compact()
    }

    /// Compacts, and waits until every process has let go of the old file: then what was replaced or deleted before the
    /// call is in no file of the store any more, open or not. (A [`verify`](crate::Options::verify), dump or
    /// salvage that began before takes no lock and is not waited for.)
    ///
    /// What the device makes of that is its own affair. Flash memory keeps old blocks for a while, and snapshots and
    /// backups keep them as long as they live: there only encryption helps, with [`rekey`](Self::rekey) and the old key
    /// destroyed. A handle without a [background thread](Options::background) lets go at its next call, and one that has not
    /// the key any more when it is closed.
    ///
    /// # Errors
    /// Those of [`compact`](Self::compact), and `Busy` if somebody still has an old file open when the compaction has been
    /// done for as long as the lock timeout: another handle, a forked process, a [`view`](Self::view) or an
    /// [iterator](Self::iter) of this very handle. Then try again later.
    pub fn purge(&self) -> Result<CompactReport> {
        self.engine.purge()
    }

    /// Gives an encrypted store another key, by a compaction. The file that the old key opens goes once nobody has it open
    /// any more; [`purge`](Self::purge) waits for that. Copies of it that were made before are opened by the old key still.
    ///
    /// Other handles that are open meet [`WrongKey`](Error::WrongKey) from then on, unless their
    /// [key source](crate::KeySource::asking) has the new key.
    ///
    /// # Errors
    /// `NotEncrypted`; `WrongKey` if it has this key already; those of [`compact`](Self::compact); and `OutcomeUnknown` if
    /// the store may have either key now: keep both, and see which one opens it.
    #[cfg(feature = "encryption")]
    pub fn rekey(&self, key: impl Into<crate::KeySource>) -> Result<CompactReport> {
        self.engine.rekey(key.into())
    }

    /// Writes the present rows into a new encrypted store at `path`, a missing or empty directory, whether this one is
    /// encrypted or not. Ids, times, revisions and counters are the same; it is a store of its own, no backup of this one.
    ///
    /// # Errors
    /// As [`backup`](Self::backup).
    #[cfg(feature = "encryption")]
    pub fn copy_encrypted(&self, path: impl AsRef<Path>, key: impl Into<crate::KeySource>) -> Result<()> {
        self.engine.copy(path.as_ref(), Some(key.into()))
    }

    /// The same into a plain store: everything that was sealed here can be read there.
    ///
    /// # Errors
    /// As [`backup`](Self::backup).
    #[cfg(feature = "encryption")]
    pub fn copy_decrypted(&self, path: impl AsRef<Path>) -> Result<()> {
        self.engine.copy(path.as_ref(), None)
    }

    /// Writes a complete copy of the store, as of now, to `path`: a missing or empty directory. Saves and finds go on.
    ///
    /// Put back over a store that has gone on since, it is noticed as [`Error::Copied`] or [`Error::Corrupt`].
    ///
    /// # Errors
    /// `NotAStore` if `path` is not empty; `Corrupt` if the log is damaged; `NoSpace` or `Io`.
    pub fn backup(&self, path: impl AsRef<Path>) -> Result<()> {
        self.engine.backup(path.as_ref())
    }

    /// Numbers about the store.
    ///
    /// # Errors
    /// `Closed`.
    pub fn stats(&self) -> Result<Stats> {
        self.engine.stats()
    }

    /// What opening found and did.
    #[must_use]
    pub fn open_report(&self) -> &OpenReport {
        self.engine.report()
    }

    /// Lets go of the store's locks, after waiting for calls that write and giving up a compaction that is under way; memory
    /// and files go with the handle. Calls afterwards fail with `Closed`; a second close does nothing. Dropping the handle does the same and tells nobody how it went; nothing acknowledged depends on it.
    ///
    /// # Errors
    /// `Io` if the lock file's sync fails; the store is closed all the same.
    pub fn close(&self) -> Result<()> {
        self.engine.close()
    }
}

impl TokenStore for LogStore {
    fn find_token(&self, partial: &Token) -> Result<Option<Token>> {
        self.engine.find(partial)
    }

    fn find_token_by_id(&self, id: &str) -> Result<Token> {
        self.get(Key::Id(id))?.ok_or_else(|| Error::UnknownId { id: id.to_owned() })
    }

    fn save_token(&self, token: &Token) -> Result<Token> {
        one(&self.engine, Request::save(token, None))
    }

    fn delete_token(&self, id: &str) -> Result<()> {
        if self.delete(id)? { Ok(()) } else { Err(Error::UnknownId { id: id.to_owned() }) }
    }

    fn get_tokens(&self) -> Result<Vec<Token>> {
        self.iter().collect()
    }

    fn delete_tokens(&self) -> Result<()> {
        self.engine.commit(&[Request::Clear]).map(drop)
    }
}

fn one(engine: &Engine, request: Request<'_>) -> Result<Token> {
    let outcomes = engine.commit(&[request])?;
    Ok(outcomes.into_iter().next().expect("one outcome for each request").into_token())
}

impl fmt::Debug for LogStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogStore").field("path", &self.engine.path()).finish_non_exhaustive()
    }
}

impl IntoIterator for &LogStore {
    type Item = Result<Token>;
    type IntoIter = Tokens;

    fn into_iter(self) -> Tokens {
        self.iter()
    }
}

/// The rows of a store at one moment, oldest first. See [`LogStore::iter`].
#[derive(Debug)]
pub struct Tokens {
    rows: Rows,
}

impl Iterator for Tokens {
    type Item = Result<Token>;

    fn next(&mut self) -> Option<Self::Item> {
        self.rows.next()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.rows.size_hint()
    }
}

impl ExactSizeIterator for Tokens {}
