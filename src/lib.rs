//! An embedded, crash-safe store for OAuth tokens: one append-only, checksummed log file, hash indexes in memory, and
//! nothing else to run.
//!
//! [`LogStore`] is the store; [`Token`] what it keeps; [`Options`] how it is opened; [`ListStore`] the same answers
//! from a plain list, for tests of applications. The README says what survives which failure, FORMAT.md every byte of
//! the files, ARCHITECTURE.md how the parts keep the promises.
//!
//! ```
//! # let dir = tempfile::tempdir()?;
//! # let path = dir.path().join("tokens");
//! use tokcask::{Key, LogStore, Token, TokenStore};
//!
//! let store = LogStore::open(&path)?;
//! let saved = store.save_token(&Token::builder().user_name("ana").refresh_token("fake-refresh").build())?;
//! let found = store.get(Key::UserName("ana"))?.expect("just saved");
//! assert_eq!(found.id(), saved.id());
//! store.close()?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod activity;
mod cores;
mod engine;
mod error;
#[cfg(feature = "encryption")]
mod guarded;
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct ReadmeProgram;

#[cfg(not(feature = "internals"))]
mod format;
mod index;
mod inspect;
#[cfg(feature = "encryption")]
mod key;
mod log;
mod matching;
mod options;
mod overlay;
mod progress;
mod refresh;
mod stats;
#[cfg(not(feature = "internals"))]
mod storage;
mod store;
mod sweep;
mod sync;
mod token;
mod trace;
mod wipe;

pub use activity::{Activity, Histogram, RefreshCounts};
pub use error::{DecodeError, Error, ErrorKind, Result};
pub use inspect::{AdoptReport, FrameInfo, FrameKind, OperationInfo, OperationKind, SalvageReport};
#[cfg(feature = "encryption")]
pub use key::{EncryptionKey, KeyId, KeySource};
pub use options::{CompactionPolicy, OnClash, Options, ReadMode};
pub use refresh::{RefreshError, RefreshPolicy, Refreshed};
pub use stats::{
    CompactReport, CompactionReason, Damage, ImportReport, OpenReport, Progress, RecoveredTail, Stats, VerifyReport,
    VerifyStatus,
};
pub use store::{Key, ListStore, LogStore, TokenStore, Tokens};
pub use sweep::{SweepPolicy, SweepReason, SweepReport, Swept};
pub use token::{Extra, Secret, Token, TokenBuilder, TokenView};

#[cfg(feature = "internals")]
#[doc(hidden)]
pub mod format;
#[cfg(feature = "internals")]
#[doc(hidden)]
pub mod storage;

/// [`Options::open`] on another storage than the machine's, for this repository's own tests. No stability.
///
/// # Errors
/// The same.
#[cfg(feature = "internals")]
#[doc(hidden)]
#[expect(clippy::needless_pass_by_value, reason = "its callers have just made it")]
pub fn open_on(
    options: &Options,
    storage: std::sync::Arc<dyn storage::Storage>,
    path: &std::path::Path,
) -> Result<LogStore> {
    options.open_on(&storage, path)
}

/// [`Options::salvage`], likewise.
///
/// # Errors
/// The same.
#[cfg(feature = "internals")]
#[doc(hidden)]
pub fn salvage_on(
    options: &Options,
    storage: &dyn storage::Storage,
    from: &std::path::Path,
    to: &std::path::Path,
) -> Result<SalvageReport> {
    engine::salvage::salvage(options, storage, from, to)
}

/// [`Options::adopt`], likewise.
///
/// # Errors
/// The same.
#[cfg(feature = "internals")]
#[doc(hidden)]
#[expect(clippy::needless_pass_by_value, reason = "its callers have just made it")]
pub fn adopt_on(
    options: &Options,
    storage: std::sync::Arc<dyn storage::Storage>,
    path: &std::path::Path,
) -> Result<AdoptReport> {
    engine::adopt::adopt(options, &storage, path)
}
