//! Tokens as JSON, one object a line: the listing that people and scripts read, and feed back.

mod error;
mod read;
mod write;

pub use error::{JsonError, JsonFault};
pub use read::{from_json, read_json};
pub use write::to_json;

/// The names beside the columns: first the one that is read, then those that only a store knows.
const EXTRA: &str = "extra";
const STORE_NAMES: [&str; 3] = ["created_at", "updated_at", "revision"];
