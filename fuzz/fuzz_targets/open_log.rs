//! `cargo +nightly fuzz run open_log`. What it does stands in `bodies/open_log.rs`.

#![no_main]

#[path = "../bodies/mod.rs"]
mod bodies;

libfuzzer_sys::fuzz_target!(|data: &[u8]| bodies::open_log::run(data));
