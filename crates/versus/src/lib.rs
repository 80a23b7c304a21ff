//! tokcask beside the stores that could be taken in its place: what one damaged place does to each, and how fast each is.
//!
//! **Speed** is [`speed`], and knows nothing of the rest.
//!
//! **Damage**: the same 200 commits go to each store, all of them acknowledged as durable; one place of a file is damaged; the
//! store is opened and every key read. The program `tokcask-versus` counts the outcomes and prints a table.
//!
//! [`damage`] says what is damaged, [`tokens`] what is right, [`outcome`] what is counted as what, [`worker`] what a
//! process does with a damaged copy, [`measure`] who tells it to and who outlives it. A store is an [`engines::Engine`];
//! nothing else here knows one from another.

pub mod damage;
pub mod engines;
pub mod image;
pub mod measure;
pub mod outcome;
pub mod random;
pub mod speed;
pub mod table;
pub mod tokens;
pub mod worker;
mod workers;

/// Why something failed; only people read it.
pub type Error = Box<dyn std::error::Error + Send + Sync>;

/// Whatever may fail here.
pub type Result<T> = std::result::Result<T, Error>;
