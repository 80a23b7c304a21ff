//! The `FileStore` files of the SDKs: comma-separated, each SDK in its own way.

mod cells;
mod read;
mod write;

pub use read::read_csv;
pub use write::{Dialect, Fault, WriteError, Written, write_csv};
