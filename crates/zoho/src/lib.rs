//! Reading and writing the token stores of the Zoho CRM SDKs, for moving to tokcask and back.
//!
//! | format | reading | writing |
//! | --- | --- | --- |
//! | `FileStore` CSV of the Python, Node and TypeScript SDKs | [`read_csv`] | [`write_csv`] |
//! | the table `oauthtoken` in an SQLite file | [`read_sqlite`] | |
//! | JSON lines, which alone hold extra values | [`read_json`], [`from_json`] | [`to_json`], with [`mask`] for people |
//!
//! Files are read whole or damaged: every row is either among [`Import::rows`] or among [`Import::skipped`], with its
//! line and a reason. Only of JSON lines, which people edit, one bad line stops all. Nothing here opens a store; saving
//! the rows is the caller's, so that a caller decides what a second import does. No error holds a token.
//!
//! The feature `sqlite`, on by default, brings [`read_sqlite`] and an SQLite of its own.
//!
//! ```no_run
//! use std::fs::File;
//! use tokcask::{LogStore, OnClash};
//! use tokcask_zoho::Dialect;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let import = tokcask_zoho::read_csv(File::open("sdk_tokens.txt")?)?;
//! for skipped in &import.skipped {
//!     eprintln!("{skipped}"); // "line 26: the file ends inside this row"
//! }
//! let store = LogStore::open("tokens")?;
//! store.import(&import.into_tokens(), OnClash::Refuse)?; // all of them or none, by id, unmerged
//! tokcask_zoho::write_csv(Dialect::Python, store.iter(), File::create("back_again.txt")?)?;
//! # Ok(())
//! # }
//! ```

mod buffer;
pub mod columns;
mod csv;
mod error;
mod import;
mod json;
mod mask;
#[cfg(feature = "sqlite")]
mod sqlite;

pub use csv::{Dialect, Fault, WriteError, Written, read_csv, write_csv};
pub use error::Error;
pub use import::{Import, Reason, Row, Skipped};
pub use json::{JsonError, JsonFault, from_json, read_json, to_json};
pub use mask::mask;
#[cfg(feature = "sqlite")]
pub use sqlite::read_sqlite;
