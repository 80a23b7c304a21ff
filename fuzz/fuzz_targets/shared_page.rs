//! `cargo +nightly fuzz run shared_page`. What it does stands in `bodies/shared_page.rs`.

#![no_main]

#[path = "../bodies/mod.rs"]
mod bodies;

libfuzzer_sys::fuzz_target!(|data: &[u8]| bodies::shared_page::run(data));
