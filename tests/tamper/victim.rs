//! The store that is tampered with, and what has to become of it.

use std::ops::Range;
use std::path::Path;
use std::sync::{Arc, LazyLock};

use tokcask::{EncryptionKey, Error, ErrorKind, LogStore, Options, ReadMode, Result, Token, TokenStore, open_on};

use crate::forger::frames;
use crate::sim::Sim;

pub(crate) const STORE: &str = "/store";
pub(crate) static KEY: LazyLock<EncryptionKey> = LazyLock::new(|| EncryptionKey::generate().unwrap());

pub(crate) fn options(key: &EncryptionKey) -> Options {
    Options::encrypted(key).background(false).read_mode(ReadMode::Copy)
}

pub(crate) fn open(sim: &Sim) -> Result<LogStore> {
    open_on(&options(&KEY), Arc::new(sim.clone()), Path::new(STORE))
}

pub(crate) fn token(user: usize) -> Token {
    Token::builder().user_name(format!("user{user}")).refresh_token(format!("fake-refresh-{user}")).build()
}

/// A log of a store, and what is in it.
pub(crate) struct Canonical {
    pub(crate) sim: Sim,
    pub(crate) log: Vec<u8>,
    /// The same store's log one generation before, with as many rows.
    pub(crate) older: Vec<u8>,
    pub(crate) frames: Vec<Range<usize>>,
    pub(crate) rows: Vec<Token>,
}

pub(crate) fn content(sim: &Sim) -> Vec<u8> {
    let mut log = sim.content(Path::new(STORE), "store.log").unwrap();
    log.truncate(log.iter().rposition(|byte| *byte != 0).unwrap().next_multiple_of(8) + 64);
    log
}

/// With a base frame, two seals, commits of one operation and of several, a delete, and a recovered frame.
pub(crate) fn canonical() -> Canonical {
    canonical_on(Sim::new())
}

pub(crate) fn canonical_on(sim: Sim) -> Canonical {
    let store = open(&sim).unwrap();
    store.save_tokens(&[token(1), token(2), token(3)]).unwrap();
    store.save_token(&token(4)).unwrap();
    store.save_token(&token(5)).unwrap();
    let older = content(&sim);
    store.compact().unwrap();
    store.save_token(&token(4)).unwrap();
    store.save_tokens(&[token(6), token(7)]).unwrap();
    store.delete("2").unwrap();
    store.close().unwrap();
    drop(store);
    let torn = sim.content(Path::new(STORE), "store.log").unwrap();
    let end = torn.iter().rposition(|byte| *byte != 0).unwrap() + 64;
    let mut torn = torn;
    torn[end] = 0xA5;
    sim.set_content(Path::new(STORE), "store.log", &torn);
    let store = open(&sim).unwrap();
    assert!(store.open_report().recovered.is_some());
    store.save_token(&token(8)).unwrap();
    store.save_token(&token(8)).unwrap();
    let rows = store.get_tokens().unwrap();
    store.close().unwrap();
    drop(store);
    let log = content(&sim);
    let frames = frames(&log);
    Canonical { sim, log, older, frames, rows }
}

/// Opening must refuse this log, whatever became of its checksums, and leave it as it is.
pub(crate) fn refused(canonical: &Canonical, log: &[u8], what: &str) -> ErrorKind {
    let sim = canonical.sim.with_log(Path::new(STORE), log, true);
    let error = match open(&sim) {
        Ok(store) => panic!("{what}: it opens, with {:?}", store.get_tokens()),
        Err(error) => error,
    };
    let right = [ErrorKind::Corrupt, ErrorKind::WrongKey, ErrorKind::Copied, ErrorKind::Unsupported];
    let right = right.contains(&error.kind()) || matches!(error, Error::NotEncrypted { .. } | Error::NotAStore { .. });
    assert!(right, "{what}: {error}");
    assert_eq!(sim.content(Path::new(STORE), "store.log").as_deref(), Some(log), "{what}: the log is left as it was");
    error.kind()
}

/// A handle that was open before finds what was saved, or an error.
pub(crate) fn check_live(canonical: &Canonical, log: &[u8]) {
    let sim = canonical.sim.kill();
    let store = open(&sim).unwrap();
    sim.set_content(Path::new(STORE), "store.log", log);
    for row in &canonical.rows {
        match store.find_token_by_id(row.id().unwrap()) {
            Ok(found) => assert_eq!(found, *row),
            Err(error) => assert_eq!(error.kind(), ErrorKind::Corrupt),
        }
    }
}
