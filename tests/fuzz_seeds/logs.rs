//! Logs and frames: every operation and every frame kind, shared keys, what a tail leaves, what may lie beside a log.

use std::path::Path;
use std::sync::Arc;

use tokcask::format::frame::FrameHeader;
use tokcask::format::header::{FRAMES_AT, FileHeader};
use tokcask::{LogStore, Options, ReadMode, Token, TokenStore, open_on};

use super::Seed;
use super::bodies::decode_frame;
use super::bodies::layout::{COMPACT, COUNTERS, HEAD_LEN, LENGTHS, REDO, SLOT, SYNC_FAILED, WHOLE};
use super::bodies::memory::{Memory, PATH};

/// More than any seed has.
const ALL_FRAMES: u8 = 200;

pub(crate) fn logs() -> Vec<Seed> {
    let full = LENGTHS | COUNTERS;
    let seed = |name, head: [u8; HEAD_LEN], log: &[u8]| Seed::new("open_log", name, [&head, log].concat());
    let frames = |log: &[u8]| log[usize::try_from(FRAMES_AT).unwrap()..].to_vec();
    let [plain, shared, moved, mended] = [plain(), shared(), moved(), recovered()];
    vec![
        seed("new", [full, ALL_FRAMES, 4, 0], &frames(&log(|_| {}))),
        seed("put-delete-clear", [full, ALL_FRAMES, 4, 0], &frames(&plain)),
        seed("put-without-mending-numbers", [0, ALL_FRAMES, 0, 0], &frames(&plain)),
        seed("shared-keys", [full | COMPACT, ALL_FRAMES, 4, 0], &frames(&shared)),
        seed("shared-keys-torn", [full, 3, 4, 0], &frames(&shared)),
        seed("shared-keys-proved", [full | SLOT, ALL_FRAMES, 4, 0], &frames(&shared)),
        seed("proof-of-more", [full | SLOT, 3, 4, 16], &frames(&shared)),
        seed("rewriting", [full | REDO, ALL_FRAMES, 4, 40], &frames(&plain)),
        seed("sync-failed", [full | SLOT | SYNC_FAILED, ALL_FRAMES, 4, 0], &frames(&plain)),
        seed("moved", [full | COMPACT, ALL_FRAMES, 4, 0], &frames(&moved)),
        seed("mended", [full, ALL_FRAMES, 4, 0], &frames(&mended)),
        seed("whole", [WHOLE | COMPACT, 0, 0, 0], &plain),
        seed("whole-torn", [WHOLE, 0, 0, 0], &plain[..plain.len() - 20]),
        seed("whole-to-mend", [WHOLE | full | SLOT | COMPACT, ALL_FRAMES, 4, 0], &plain),
    ]
}

/// The frames of those logs, one by one.
pub(crate) fn frames() -> Vec<Seed> {
    let switches = decode_frame::CHECKSUMS | decode_frame::LENGTHS;
    let seed = |name, switches: u8, log: &[u8], number: usize| {
        let (file_header, _) = FileHeader::decode(log).unwrap();
        let mut at = FRAMES_AT;
        let frame = |at: u64| &log[usize::try_from(at).unwrap()..];
        let len = |at: u64| FrameHeader::decode(file_header.seed(), at, frame(at)).unwrap().0.frame_len();
        for _ in 0..number {
            at += len(at);
        }
        let numbers = [file_header.salt, file_header.generation, at].map(u64::to_le_bytes).concat();
        let frame = &frame(at)[..usize::try_from(len(at)).unwrap()];
        Seed::new("decode_frame", name, [&[switches], numbers.as_slice(), frame].concat())
    };
    let [plain, shared, moved, mended] = [plain(), shared(), moved(), recovered()];
    vec![
        seed("seal", switches, &plain, 0),
        seed("put", switches, &plain, 1),
        seed("put-untouched", 0, &plain, 1),
        seed("put-checksums-only", decode_frame::CHECKSUMS, &plain, 1),
        seed("update", switches, &plain, 2),
        seed("one-delete", switches, &plain, 3),
        seed("one-clear", switches, &plain, 5),
        seed("several-puts", switches, &shared, 1),
        seed("rows-moved", switches, &moved, 0),
        seed("mended", switches, &mended, 2),
    ]
}

/// A log without its extension.
fn log(script: impl Fn(&LogStore)) -> Vec<u8> {
    let memory = Memory::default();
    let store = open(&memory);
    script(&store);
    content(&memory, &store)
}

pub(crate) fn open(memory: &Memory) -> LogStore {
    let options = Options::new().background(false).read_mode(ReadMode::Copy);
    open_on(&options, Arc::new(memory.clone()), Path::new(PATH)).unwrap()
}

fn content(memory: &Memory, store: &LogStore) -> Vec<u8> {
    let len = usize::try_from(store.stats().unwrap().log_bytes).unwrap();
    memory.content("store.log").unwrap()[..len].to_vec()
}

pub(crate) fn ana() -> Token {
    let token = Token::builder().user_name("ana").client_id("fake-client").client_secret("fake-secret");
    let token = token.access_token("fake-access").refresh_token("fake-refresh").grant_token("fake-grant");
    token.expiry_time("1700003600000").redirect_url("https://a.test").api_domain("https://b.test").build()
}

fn plain() -> Vec<u8> {
    log(|store| {
        store.save_token(&ana()).unwrap();
        store.save_token(&ana().to_builder().access_token("fake-2").extra("scope", "read").build()).unwrap();
        store.delete("1").unwrap();
        store.save_token(&ana()).unwrap();
        store.delete_tokens().unwrap();
        store.save_token(&ana()).unwrap();
    })
}

/// Rows that share keys, among them one that changes in the middle and the oldest, which goes.
fn shared() -> Vec<u8> {
    let row = |name: &str| Token::builder().user_name(name).grant_token("fake-grant").access_token("fake-access");
    log(|store| {
        let rows = ["ana", "ben", "eva", "ida"].map(|name| row(name).refresh_token("fake-refresh").build());
        store.save_tokens(&rows).unwrap();
        store.save_token(&row("ben").grant_token("fake-other").build()).unwrap();
        store.delete("1").unwrap();
        store.save_token(&row("ida").id("70").refresh_token("").build()).unwrap();
        store.save_token(&row("ben").build()).unwrap();
    })
}

fn moved() -> Vec<u8> {
    log(|store| {
        store.save_tokens(&["ana", "ben"].map(|name| ana().to_builder().user_name(name).build())).unwrap();
        store.compact().unwrap();
        store.save_token(&ana().to_builder().access_token("fake-2").build()).unwrap();
    })
}

/// A log whose torn tail was cut.
fn recovered() -> Vec<u8> {
    let memory = Memory::default();
    let store = open(&memory);
    store.save_token(&ana()).unwrap();
    let mut log = content(&memory, &store);
    drop(store);
    log.extend([0xA5; 200]);
    memory.put("store.log", log);
    let store = open(&memory);
    store.save_token(&ana().to_builder().access_token("fake-2").build()).unwrap();
    content(&memory, &store)
}
