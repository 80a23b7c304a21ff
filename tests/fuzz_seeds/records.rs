//! Records of every shape: few values and all, long ones, extra values, an id that is no number, a row that was updated.

use std::slice;

use tokcask::format::record;
use tokcask::{Token, TokenStore};

use super::Seed;
use super::bodies::decode_record::LENGTHS;
use super::bodies::memory::Memory;
use super::logs::{ana, open};

pub(crate) fn records() -> Vec<Seed> {
    let least = Token::builder().refresh_token("f").build();
    let extra = ana().to_builder().extra("scope", "read").extra("a", "é").extra("région", "eu").build();
    let named = ana().to_builder().id("né-7").user_name("zoë").build();
    let long = Token::builder().access_token("x".repeat(251)).user_name("y".repeat(250)).extra("z", "z".repeat(300));
    let seed = |name, switches: u8, record: &[u8]| Seed::new("decode_record", name, [&[switches], record].concat());
    vec![
        seed("least", 0, &stored(slice::from_ref(&least))),
        seed("least-to-mend", LENGTHS, &stored(&[least])),
        seed("all", 0, &stored(&[ana()])),
        seed("all-to-mend", LENGTHS, &stored(&[ana()])),
        seed("updated", LENGTHS, &stored(&[ana(), ana().to_builder().access_token("fake-2").build()])),
        seed("extra", 0, &stored(slice::from_ref(&extra))),
        seed("extra-to-mend", LENGTHS, &stored(&[extra])),
        seed("named", LENGTHS, &stored(&[named])),
        seed("long", LENGTHS, &stored(&[long.build()])),
    ]
}

/// The record of the oldest row after these saves.
fn stored(saves: &[Token]) -> Vec<u8> {
    let store = open(&Memory::default());
    for token in saves {
        store.save_token(token).unwrap();
    }
    let mut bytes = Vec::new();
    record::encode(&store.get_tokens().unwrap()[0].view(), &mut bytes);
    bytes
}
