//! What the fuzz targets do with an input: plain functions, so that `tests/fuzz_corpus.rs` replays the corpus without
//! nightly. A body panics when a promise is broken, and is silent about input that is refused.

#![allow(dead_code, reason = "each target uses a part")]

pub(crate) mod decode_frame;
pub(crate) mod decode_record;
#[path = "../../tests/tamper/forger.rs"]
pub(crate) mod forger;
pub(crate) mod import_zoho_csv;
pub(crate) mod input;
pub(crate) mod layout;
pub(crate) mod memory;
pub(crate) mod mend;
pub(crate) mod open_log;
pub(crate) mod operations;
pub(crate) mod salvage_log;
pub(crate) mod shared_page;
#[path = "../../tests/sim/mod.rs"]
pub(crate) mod sim;
pub(crate) mod tampered;
