//! The worked example of FORMAT.md: its bytes are those that the encoder writes, and they read as the document says.
//!
//! Method: the encoder's bytes are laid out field by field as the document does, and the two texts compared, so that
//! neither can drift. Then a `store.log` is put together from the document's digits alone and read by the program that
//! was written from it (python3 in the `PATH`), and by us.

mod read_store;

use std::fmt::Write;
use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::json;
use tokcask::format::frame::{FRAME_HEADER_LEN, FrameBuilder, FrameHeader, Kind, Link};
use tokcask::format::header::{COPY_LEN, FRAMES_AT, FileHeader};
use tokcask::format::operation::Operation;
use tokcask::format::record;
use tokcask::{LogStore, Secret, TokenStore};

const DOCUMENT: &str = include_str!("../FORMAT.md");
const TIME_MS: u64 = 1_700_000_000_000;

/// A field as the tables name it: its length and its meaning, where `#` stands for its number.
type Field<'a> = (usize, &'a str);

const FILE_HEADER: &[Field<'_>] = &[
    (8, "magic"),
    (2, "version: #"),
    (6, "zero"),
    (8, "incompatible features: none"),
    (8, "read-only compatible features: none"),
    (8, "compatible features: none"),
    (16, "uuid"),
    (8, "generation: #"),
    (8, "salt"),
    (2, "cipher suite: plain"),
    (6, "zero"),
    (16, "key id: none"),
    (72, "wrapped data key: none"),
    (32, "key commitment: none"),
    (4, "record limit: #"),
    (4, "key limit: #"),
    (4, "frame limit: #"),
    (4, "zero"),
    (8, "created: #"),
];

const SEAL: &[Field<'_>] = &[
    (4, "magic"),
    (1, "kind: seal"),
    (3, "zero"),
    (4, "body length: #"),
    (4, "chain: the file header's checksum"),
    (8, "sequence number: #"),
    (8, "watermark: #"),
    (8, "time: #"),
    (8, "next id: #"),
    (8, "next revision: #"),
    (4, "body checksum, over bytes 76 to 79"),
    (4, "header checksum, over bytes 0 to 59"),
    (1, "operation: sealed"),
    (3, "zero"),
    (4, "content length: #"),
    (4, "distance: #"),
    (4, "checksum, over bytes 64 to 75 and 80 to 87"),
    (8, "rows: #"),
];

const COMMIT: &[Field<'_>] = &[
    (4, "magic"),
    (1, "kind: commit"),
    (3, "zero"),
    (4, "body length: #"),
    (4, "chain: the seal's header checksum"),
    (8, "sequence number: #"),
    (8, "watermark: #"),
    (8, "time: #"),
    (8, "next id: #, for id 1 is taken"),
    (8, "next revision: #, for the frame before said 1 and here is one operation"),
    (4, "body checksum, over bytes 76 to 79 and 127"),
    (4, "header checksum, over bytes 0 to 59"),
    (1, "operation: put"),
    (3, "zero"),
    (4, "content length: #"),
    (4, "distance: #"),
    (4, "checksum, over bytes 64 to 75 and 80 to 126"),
    (1, "revision: #"),
    (9, "created: FD, then the time in 8 bytes"),
    (9, "updated: the same"),
    (10, "column lengths: id 1, user_name 3, refresh_token 12"),
    (1, "number of extra pairs: #"),
    (1, "length of the text: #"),
    (1, "id: 1"),
    (3, "user_name: ana"),
    (12, "refresh_token: fake-refresh"),
    (1, "padding"),
];

#[test]
fn the_example_in_the_document_is_what_the_encoder_writes() {
    let [copy, seal, commit] = encoded();
    let checksum_at = COPY_LEN - 4;
    let (fields_len, checksum) = (FILE_HEADER.iter().map(|(len, _)| len).sum(), &copy[checksum_at..]);
    assert!(copy[fields_len..checksum_at].iter().all(|byte| *byte == 0), "the rest of a copy is zero");
    let copy = layout(0, &copy[..fields_len], FILE_HEADER) + &layout(checksum_at, checksum, &[(4, "checksum")]);
    for (text, in_document) in [copy, layout(0, &seal, SEAL), layout(0, &commit, COMMIT)].iter().zip(blocks()) {
        assert_eq!(text, in_document, "FORMAT.md should show:\n{text}");
    }
}

#[test]
fn the_example_in_the_document_is_a_store() {
    if read_store::python_is_missing() {
        return;
    }
    let [copy, seal, commit] = blocks().map(bytes);
    let log = [&copy, &copy, &seal, &commit].map(Vec::as_slice).concat();
    let directory = tempfile::tempdir().unwrap();
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o700)).unwrap();
    let path = directory.path().join("store.log");
    fs::write(&path, log).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();

    let output = read_store::read_store(&[directory.path().into()]);
    let row = json!({
        "id": "1", "user_name": "ana", "client_id": null, "client_secret": null, "refresh_token": "fake-refresh",
        "access_token": null, "grant_token": null, "expiry_time": null, "redirect_url": null, "api_domain": null,
        "extra": {}, "created_at": TIME_MS, "updated_at": TIME_MS, "revision": 1,
    });
    assert_eq!(read_store::lines(&output), [row]);
    assert!(output.stderr.is_empty());

    let store = LogStore::open(directory.path()).unwrap();
    assert_eq!(store.open_report().recovered, None);
    let rows = store.get_tokens().unwrap();
    let columns = rows.iter().map(|row| (row.id(), row.user_name(), row.refresh_token().map(Secret::expose_secret)));
    assert_eq!(columns.collect::<Vec<_>>(), [(Some("1"), Some("ana"), Some("fake-refresh"))]);
}

/// One copy of the file header, the seal, the commit.
fn encoded() -> [Vec<u8>; 3] {
    let header =
        FileHeader::plain(std::array::from_fn(byte), 1, u64::from_le_bytes(std::array::from_fn(salt)), TIME_MS);
    let (copy, crc) = header.encode();
    let mut link = Link::first(crc);
    let mut offset = FRAMES_AT;
    let mut frame = |kind, operation: &Operation<'_>, next_id, next_revision| {
        let mut frame = FrameBuilder::new(header.seed(), offset, 0);
        frame.push(operation).unwrap();
        let (bytes, crc) = frame.finish(FrameHeader {
            kind,
            body_len: 0, // filled in, as is the checksum
            chain: link.chain,
            sequence: link.sequence + 1,
            watermark: offset,
            time_ms: TIME_MS,
            next_id,
            next_revision,
            body_crc: 0,
        });
        let (written, _) = FrameHeader::decode(header.seed(), offset, &bytes[..FRAME_HEADER_LEN]).unwrap();
        link = Link::at(&written, crc);
        offset += bytes.len() as u64;
        bytes
    };
    let time = [&[0xFD], TIME_MS.to_le_bytes().as_slice()].concat();
    let lengths = [1, 3, 0, 0, 12, 0, 0, 0, 0, 0, 0, 16];
    let record = [&[1], time.as_slice(), &time, &lengths, b"1anafake-refresh"].concat();
    let seal = frame(Kind::Seal, &Operation::Sealed { rows: 0 }, 1, 1);
    let commit = frame(Kind::Commit, &Operation::Put(record::decode(&record).unwrap()), 2, 2);
    [copy, seal, commit]
}

fn byte(at: usize) -> u8 {
    u8::try_from(at).unwrap()
}

fn salt(at: usize) -> u8 {
    byte(0x10 + at)
}

/// Lines of an offset, up to twelve bytes, and on a field's first line what it means.
fn layout(start: usize, bytes: &[u8], fields: &[Field<'_>]) -> String {
    const PER_LINE: usize = 12;
    let (mut text, mut at) = (String::new(), 0);
    for (len, meaning) in fields {
        let field = &bytes[at..at + len];
        let meaning = if meaning.contains('#') { meaning.replace('#', &decimal(field)) } else { (*meaning).into() };
        for (number, line) in field.chunks(PER_LINE).enumerate() {
            let digits: Vec<_> = line.iter().map(|byte| format!("{byte:02X}")).collect();
            let meaning = if number == 0 { &meaning } else { "" };
            let line = format!("{:5}  {:35} | {meaning}", start + at + number * PER_LINE, digits.join(" "));
            writeln!(text, "{}", line.trim_end()).unwrap();
        }
        at += len;
    }
    assert_eq!(at, bytes.len(), "the fields are all there is");
    text
}

/// A little-endian number, with commas.
fn decimal(field: &[u8]) -> String {
    let digits = field.iter().rfold(0, |number, byte| number << 8 | u64::from(*byte)).to_string();
    let groups: Vec<_> = digits.as_bytes().rchunks(3).rev().map(|group| std::str::from_utf8(group).unwrap()).collect();
    groups.join(",")
}

/// The fenced blocks of the example.
fn blocks() -> [&'static str; 3] {
    let (_, section) = DOCUMENT.split_once("\n## 12. Worked example\n").expect("the example is section 12");
    let parts: Vec<_> = section.split("```text\n").skip(1).collect();
    let blocks: Vec<_> = parts.iter().filter_map(|part| part.split_once("```")).map(|(block, _)| block).collect();
    blocks.try_into().expect("a copy of the file header, a seal, a commit")
}

/// What a block spells; zeros where it leaves bytes out.
fn bytes(block: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for line in block.lines() {
        let (place, _) = line.split_once('|').expect("digits, a bar, the meaning");
        let (offset, digits) = place.trim().split_once(' ').expect("an offset, then digits");
        bytes.resize(offset.parse().expect("a decimal offset"), 0);
        bytes.extend(digits.split_whitespace().map(|digits| u8::from_str_radix(digits, 16).expect("two hex digits")));
    }
    bytes
}
