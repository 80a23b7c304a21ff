//! `cargo +nightly fuzz run operations`. What it does stands in `bodies/operations.rs`.

#![no_main]

#[path = "../bodies/mod.rs"]
mod bodies;

libfuzzer_sys::fuzz_target!(|data: &[u8]| bodies::operations::run(data));
