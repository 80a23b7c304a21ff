//! `cargo +nightly fuzz run tampered`. What it does stands in `bodies/tampered.rs`.

#![no_main]

#[path = "../bodies/mod.rs"]
mod bodies;

libfuzzer_sys::fuzz_target!(|data: &[u8]| bodies::tampered::run(data));
