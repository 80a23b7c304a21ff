//! `cargo +nightly fuzz run import_zoho_csv`. What it does stands in `bodies/import_zoho_csv.rs`.

#![no_main]

#[path = "../bodies/mod.rs"]
mod bodies;

libfuzzer_sys::fuzz_target!(|data: &[u8]| bodies::import_zoho_csv::run(data));
