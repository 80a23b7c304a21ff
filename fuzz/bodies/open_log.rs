//! A whole log: recovery, the index, finds, a save, a delete, a compaction, reopening.
//!
//! Whatever the input, opening ends in an error, and the log is as it was, or in a store that keeps all promises:
//! nothing proved durable is changed, it verifies, every row is found by each of its keys, the oldest first, and after
//! reopening it is the same store.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use tokcask::{ErrorKind, Key, LogStore, Options, ReadMode, Token, TokenStore, VerifyStatus, open_on};

use super::layout::{LaidOut, lay_out};
use super::memory::{Memory, PATH};

pub(crate) fn run(data: &[u8]) {
    let storage = Memory::default();
    let Some(laid_out) = lay_out(data, &storage) else { return };
    let store = match open(&storage) {
        Ok(store) => store,
        Err(error) => {
            let log = storage.content("store.log").expect("nobody removes it");
            assert!(log == laid_out.log || log == laid_out.redone, "a log that does not open is left alone: {error}");
            return;
        }
    };
    check_opened(&storage, &store, &laid_out);
    let opened = rows(&store);
    store.close().expect("memory can be synced");

    let store = open(&storage).expect("what opened opens again");
    assert_eq!(rows(&store), opened, "it is the same store");
    assert_eq!(store.open_report().recovered, None, "a tail is cut once");
    change(&store, &opened, laid_out.compact);
    let changed = rows(&store);
    check_finds(&store, &changed);
    store.close().expect("memory can be synced");

    let store = open(&storage).expect("what was saved opens");
    assert_eq!(rows(&store), changed, "what was saved is there");
    check_finds(&store, &changed);
}

fn open(storage: &Memory) -> tokcask::Result<LogStore> {
    open_on(&Options::new().background(false).read_mode(ReadMode::Copy), Arc::new(storage.clone()), Path::new(PATH))
}

fn check_opened(storage: &Memory, store: &LogStore, laid_out: &LaidOut) {
    let report = store.open_report();
    let moved = report.moved_after_failed_sync;
    let log = storage.content("store.log").expect("it is open");
    let proved = ..laid_out.proved;
    assert!(moved || log[proved] == laid_out.redone[proved], "what is durable is not written over");
    let end = usize::try_from(store.stats().expect("it is open").log_bytes).expect("it is in memory");
    assert!(log[end..].iter().all(|byte| *byte == 0), "only zeros lie behind the end");
    let status = store.verify().expect("memory can be read").status;
    let header_damaged = report.header_copy_damaged && !moved;
    assert!(status == VerifyStatus::Clean || header_damaged, "a store that opened verifies: {status:?}");
    check_finds(store, &rows(store));
}

/// Saves, deletes the oldest row, and compacts, if so wished.
fn change(store: &LogStore, before: &[Row], compact: bool) {
    let token = Token::builder().user_name("fuzz").refresh_token("fake-refresh").build();
    match store.save_token(&token) {
        Ok(saved) => {
            let after = rows(store);
            let known = before.iter().any(|row| row.token.id() == saved.id());
            assert_eq!(after.len(), before.len() + usize::from(!known), "an id is given once");
            assert!(after.iter().any(|row| row.token == saved && row.revision == saved.revision()));
        }
        // Counters have an end; and "fuzz" may be the name of a large row.
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::TooLarge, "{error}");
            assert_eq!(rows(store), before, "a failed save changes nothing");
        }
    }
    if let Some(oldest) = before.first() {
        let deleted = store.delete(oldest.token.id().expect("a row has an id")).map_err(|error| error.kind());
        assert!(matches!(deleted, Ok(true) | Err(ErrorKind::TooLarge)), "{deleted:?}");
    }
    if compact {
        let kept = rows(store);
        let compacted = store.compact().map_err(|error| error.kind());
        assert!(matches!(compacted, Ok(_) | Err(ErrorKind::TooLarge)), "{compacted:?}");
        assert_eq!(rows(store), kept, "a compaction changes no row");
    }
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
