//! Reading and writing the token files of the Zoho CRM SDKs, for moving to tokcask and back.
//!
//! [`read_csv`] reads the `FileStore` CSV of the Python and Node SDKs of all versions, whole or damaged: every row of
//! the file is either among [`Import::rows`] or among [`Import::skipped`], with its line and a reason. [`write_csv`]
//! writes such a file for either. Nothing here opens a file or a store; saving the rows is the caller's, so that a
//! caller decides what a second import does.
//!
//! ```no_run
//! use tokcask::{LogStore, TokenStore};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let import = tokcask_zoho::read_csv(std::fs::File::open("sdk_tokens.txt")?)?;
//! for skipped in &import.skipped {
//!     eprintln!("{skipped}"); // "line 26: the file ends inside this row"
//! }
//! let store = LogStore::open("tokens")?;
//! for token in import.tokens() {
//!     store.save_token(token)?;
//! }
//! # Ok(())
//! # }
//! ```

mod buffer;
mod columns;
mod csv;
mod error;
mod import;

pub use csv::{Dialect, Fault, WriteError, Written, read_csv, write_csv};
pub use error::Error;
pub use import::{Import, Reason, Row, Skipped};
