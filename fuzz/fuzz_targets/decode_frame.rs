//! `cargo +nightly fuzz run decode_frame`. What it does stands in `bodies/decode_frame.rs`.

#![no_main]

#[path = "../bodies/mod.rs"]
mod bodies;

libfuzzer_sys::fuzz_target!(|data: &[u8]| bodies::decode_frame::run(data));
