//! `cargo +nightly fuzz run decode_record`. What it does stands in `bodies/decode_record.rs`.

#![no_main]

#[path = "../bodies/mod.rs"]
mod bodies;

libfuzzer_sys::fuzz_target!(|data: &[u8]| bodies::decode_record::run(data));
