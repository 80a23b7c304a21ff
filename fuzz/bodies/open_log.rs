//! A whole log: recovery, the index, finds, a save, a compaction, reopening.
//!
//! Input: switches, number of frames to mend, length of the extension, a place; then the log, from its first frame on
//! or whole. Whatever it is, opening ends in an error or in a store that keeps all promises: it verifies, every row is
//! found by each of its keys, the oldest first, and after reopening it is the same store.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use tokcask::format::frame::Link;
use tokcask::format::header::{FRAMES_AT, FileHeader};
use tokcask::format::redo;
use tokcask::format::slot::{SLOT_LEN, Slot};
use tokcask::{ErrorKind, Key, LogStore, Options, ReadMode, Token, TokenStore, VerifyStatus, open_on};

use super::memory::{Memory, PATH};
use super::mend::{Mending, mend_log};

/// The input is the whole file, and nothing of it is mended.
pub(crate) const WHOLE: u8 = 1;
pub(crate) const LENGTHS: u8 = 2;
pub(crate) const COUNTERS: u8 = 4;
/// The lock file says that the mended frames were durable, but for the last `8 * place` bytes.
pub(crate) const SLOT: u8 = 8;
/// The first `8 * place` bytes are zeros in the log and stand in `store.redo`.
pub(crate) const REDO: u8 = 16;
/// The store is compacted after the save.
pub(crate) const COMPACT: u8 = 32;
/// The lock file says that a sync failed.
pub(crate) const SYNC_FAILED: u8 = 64;

pub(crate) const HEAD_LEN: usize = 4;

const LOCK_LEN: usize = 16 << 10;
const SYNC_FAILED_AT: usize = 16;
const SLOT_AT: usize = 4096;
const EXTENSION_UNIT: usize = 512;

pub(crate) fn run(data: &[u8]) {
    let Some((&[switches, frames, extension, place], log)) = data.split_first_chunk::<HEAD_LEN>() else { return };
    let storage = Memory::default();
    if switches & WHOLE == 0 {
        lay_out(&storage, switches, frames.into(), usize::from(place) * 8, log);
        extend(&storage, usize::from(extension) * EXTENSION_UNIT);
    } else {
        storage.put("store.log", log.to_vec());
    }
    check(&storage, switches & COMPACT != 0);
}

/// The file header of every log that is not an input as a whole.
pub(crate) fn file_header() -> FileHeader {
    FileHeader::plain(std::array::from_fn(|byte| byte.to_le_bytes()[0]), 1, 0x1716_1514_1312_1110, 1_700_000_000_000)
}

fn lay_out(storage: &Memory, switches: u8, frames: usize, place: usize, log: &[u8]) {
    let header = file_header();
    let (copy, crc) = header.encode();
    let mut frames_bytes = log.to_vec();
    let mending = Mending { lengths: switches & LENGTHS != 0, counters: switches & COUNTERS != 0 };
    let end = mend_log(header.seed(), FRAMES_AT, &mut frames_bytes, Link::first(crc), frames, mending);
    if switches & REDO != 0 {
        let len = place.min(frames_bytes.len());
        storage.put("store.redo", redo::encode(&header, FRAMES_AT, &frames_bytes[..len]));
        frames_bytes[..len].fill(0);
    }
    if switches & (SLOT | SYNC_FAILED) != 0 {
        let mut lock = vec![0; LOCK_LEN];
        if switches & SLOT != 0 {
            let watermark = end.saturating_sub(place as u64).max(FRAMES_AT);
            let slot = Slot { uuid: header.uuid, generation: 1, watermark, next_id: 1, next_revision: 1 };
            lock[SLOT_AT..SLOT_AT + SLOT_LEN].copy_from_slice(&slot.encode());
        }
        lock[SYNC_FAILED_AT] = u8::from(switches & SYNC_FAILED != 0);
        storage.put("store.lock", lock);
    }
    storage.put("store.log", [copy.as_slice(), &copy, &frames_bytes].concat());
}

fn extend(storage: &Memory, len: usize) {
    let mut log = storage.content("store.log").expect("just made");
    log.resize(log.len() + len, 0);
    storage.put("store.log", log);
}

fn open(storage: &Memory) -> tokcask::Result<LogStore> {
    open_on(&Options::new().read_mode(ReadMode::Copy), Arc::new(storage.clone()), Path::new(PATH))
}

fn check(storage: &Memory, compact: bool) {
    let Ok(store) = open(storage) else { return };
    let before = rows(&store);
    check_finds(&store, &before);
    let header_damaged = store.open_report().header_copy_damaged;
    let moved = store.open_report().moved_after_failed_sync;
    let status = store.verify().expect("memory can be read").status;
    assert!(status == VerifyStatus::Clean || (header_damaged && !moved), "a store that opened verifies: {status:?}");
    store.close().expect("memory can be synced");

    let store = open(storage).expect("what opened opens again");
    assert_eq!(rows(&store), before, "it is the same store");
    assert_eq!(store.open_report().recovered, None, "a tail is cut once");
    let token = Token::builder().user_name("fuzz").refresh_token("fake-refresh").build();
    match store.save_token(&token) {
        Ok(saved) => {
            let after = rows(&store);
            let known = before.iter().any(|row| row.token.id() == saved.id());
            assert_eq!(after.len(), before.len() + usize::from(!known), "an id is given once");
            assert!(after.iter().any(|row| row.token == saved && row.revision == saved.revision()));
        }
        // The counters have an end; rows have one too, and "fuzz" may be the name of a large one.
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::TooLarge, "{error}");
            assert_eq!(rows(&store), before, "a failed save changes nothing");
        }
    }
    let after = rows(&store);
    if compact {
        store.compact().expect("there is room");
        assert_eq!(rows(&store), after, "a compaction changes no row");
    }
    store.close().expect("memory can be synced");
    let store = open(storage).expect("what was saved opens");
    assert_eq!(rows(&store), after, "what was saved is there");
    check_finds(&store, &after);
}

/// All of a row that a reopening must keep.
#[derive(Debug, PartialEq)]
struct Row {
    token: Token,
    revision: Option<u64>,
    times: [Option<SystemTime>; 2],
}

fn rows(store: &LogStore) -> Vec<Row> {
    let row = |token: Token| Row { revision: token.revision(), times: [token.created_at(), token.updated_at()], token };
    let rows: Vec<_> = store.get_tokens().expect("a log that opened can be read").into_iter().map(row).collect();
    assert_eq!(store.stats().expect("it is open").tokens, rows.len() as u64);
    rows
}

/// Every key finds the oldest row that has it.
fn check_finds(store: &LogStore, rows: &[Row]) {
    let mut oldest = HashMap::new();
    for row in rows {
        for key in keys(&row.token) {
            oldest.entry(key).or_insert(row);
        }
    }
    for (key, row) in oldest {
        let found = store.get(key).expect("a log that opened can be read").expect("a row is found by its keys");
        assert_eq!((found.id(), found.revision()), (row.token.id(), row.revision), "the oldest row is found");
    }
}

fn keys(token: &Token) -> impl Iterator<Item = Key<'_>> {
    let secrets = [
        token.access_token().map(|secret| Key::AccessToken(secret.expose_secret())),
        token.refresh_token().map(|secret| Key::RefreshToken(secret.expose_secret())),
        token.grant_token().map(|secret| Key::GrantToken(secret.expose_secret())),
    ];
    [token.id().map(Key::Id), token.user_name().map(Key::UserName)].into_iter().chain(secrets).flatten()
}
