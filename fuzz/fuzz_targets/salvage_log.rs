//! `cargo +nightly fuzz run salvage_log`. What it does stands in `bodies/salvage_log.rs`.

#![no_main]

#[path = "../bodies/mod.rs"]
mod bodies;

libfuzzer_sys::fuzz_target!(|data: &[u8]| bodies::salvage_log::run(data));
