//! CSV files of both SDKs' layouts, and values that are hard to write.

use std::convert::Infallible;
use std::fs;
use std::path::Path;

use tokcask::Token;
use tokcask_zoho::{Dialect, write_csv};

use super::Seed;
use super::bodies::import_zoho_csv::{IN_PIECES, VALUES};
use super::logs::ana;

pub(crate) fn files() -> Vec<Seed> {
    let seed = |name, switches: u8, file: &[u8]| Seed::new("import_zoho_csv", name, [&[switches], file].concat());
    let plain = ["1", "2"].map(|id| ana().to_builder().id(id).build());
    let tricky = ["a,b", "say \"so\"", "two\r\nlines"].map(|user| ana().to_builder().user_name(user).build());
    let python = written(Dialect::Python, &plain);
    let node = written(Dialect::Node, &plain);
    let nine = "1,ann,,,fake-1,,,,\n2,bob,,,,fake-2,,,\n";
    let values = "1\u{1f}a,b\u{1f}\"\u{1f}two\nlines\u{1f}fake\u{1f}\u{1f}\u{1f}soon\u{1f}\u{1f}é\u{1f}2\u{1f}bob";
    vec![
        seed("python", IN_PIECES, &python),
        seed("python-torn", 0, &python[..python.len() - 9]),
        seed("python-quoted", 0, &written(Dialect::Python, &tricky)),
        seed("node", IN_PIECES, &node),
        seed("node-torn", 0, &node[..node.len() - 40]),
        seed("node-with-quotes", 0, &[&node, "\n3,\"x,,,fake,,,,,\n4,y\",,,fake,,,,,".as_bytes()].concat()),
        seed("nine-columns", 0, nine.as_bytes()),
        seed("not-utf8", 0, b"1,Zo\xeb,,,fake,,,,,\r\n"),
        seed("of-the-sdk", 0, &head_of("filestore.py8.tricky.csv")),
        seed("values", VALUES, values.as_bytes()),
    ]
}

fn written(dialect: Dialect, tokens: &[Token]) -> Vec<u8> {
    let mut file = Vec::new();
    write_csv(dialect, tokens.iter().map(Ok::<_, Infallible>), &mut file).unwrap();
    file
}

/// The first lines of a file that a real SDK wrote.
fn head_of(name: &str) -> Vec<u8> {
    let file = fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/zoho").join(name)).unwrap();
    file.split_inclusive(|byte| *byte == b'\n').take(5).collect::<Vec<_>>().concat()
}
