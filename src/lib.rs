pub mod error;
pub mod format;
mod matching;
pub mod storage;
pub mod token;
pub use error::*;
pub use token::*;
