//! The files of an encrypted store, changed by somebody who has no key: whatever they make of them, no row is believed that
//! nobody with the key has written, and of what opens nothing is missing that the lock file knows of.
//!
//! Input: a byte of switches; then changes, one after the other. Each changes a byte, or copies some from elsewhere in the
//! log or from the log of the generation before. What they do to one copy of the file header they do to both.

use std::path::Path;
use std::sync::{Arc, LazyLock};

use tokcask::storage::Directory;
use tokcask::{EncryptionKey, ErrorKind, LogStore, Options, ReadMode, Result, Token, TokenStore, open_on, salvage_on};

use super::forger::{FRAMES_AT, chain, frames, mend};
use super::input::Input;
use super::memory::{Memory, PATH};
use super::salvage_log::{RESCUED, Two};

/// Checksums are made right again.
pub(crate) const MENDED: u8 = 1;
/// And all that shows which frame follows which, but for the tags.
pub(crate) const CHAINED: u8 = 2;
/// The lock file is lost.
pub(crate) const WITHOUT_LOCK_FILE: u8 = 4;

/// What the file header's fields take.
const HEADER_LEN: usize = 224;
const COPY_LEN: usize = FRAMES_AT / 2;
const CHECKSUM_LEN: usize = 4;

type Row = (Token, Option<u64>);

/// A store that nobody has changed.
struct Genuine {
    log: Vec<u8>,
    earlier: Vec<u8>,
    lock: Vec<u8>,
    /// Its rows after each frame that counts; together, every row that there ever was.
    states: Vec<Vec<Row>>,
}

static GENUINE: LazyLock<Genuine> = LazyLock::new(genuine);

pub(crate) fn run(data: &[u8]) {
    let Some((switches, changes)) = data.split_first() else { return };
    let log = changed(&GENUINE, *switches, &mut Input::new(changes));
    check_opened(&GENUINE, &log, *switches);
    check_salvaged(&GENUINE, &log, *switches);
    check_live(&GENUINE, &log);
}

fn genuine() -> Genuine {
    let memory = Memory::default();
    let store = open(&memory).expect("a store can be made in memory");
    let mut states = Vec::new();
    let mut note = || states.push(rows(&store));
    let save = |users: &[&str]| {
        let tokens: Vec<_> = users.iter().map(|user| token(user)).collect();
        store.save_tokens(&tokens).expect("memory can be written");
    };
    save(&["ana", "ben", "eva"]);
    save(&["ida"]);
    note();
    let earlier = content(&memory);
    store.compact().expect("memory can be written");
    for users in [&["ana"][..], &["uma", "zoe"], &["ben"]] {
        save(users);
        note();
    }
    store.delete("2").expect("memory can be written");
    note();
    store.close().expect("memory can be synced");
    let lock = memory.content("store.lock").expect("an open store has one");
    Genuine { log: content(&memory), earlier, lock, states }
}

fn token(user: &str) -> Token {
    Token::builder().user_name(user).refresh_token(format!("fake-{user}")).build()
}

/// The log up to the end of its last frame, and a little more.
fn content(memory: &Memory) -> Vec<u8> {
    let mut log = memory.content("store.log").expect("it is open");
    let end = frames(&log).last().expect("there is a seal").end;
    log.truncate(end + 64);
    log
}

fn changed(genuine: &Genuine, switches: u8, changes: &mut Input<'_>) -> Vec<u8> {
    let places: Vec<_> =
        (0..HEADER_LEN).chain(COPY_LEN - CHECKSUM_LEN..COPY_LEN).chain(FRAMES_AT..genuine.log.len()).collect();
    let elsewhere = [&genuine.log[..], &genuine.earlier].concat();
    let mut log = genuine.log.clone();
    while !changes.is_empty() {
        let [to, from] = [(), ()].map(|()| usize::from(changes.byte()) << 8 | usize::from(changes.byte()));
        let to = to % places.len();
        match 8 * changes.below(32) {
            0 => {
                let byte = log[places[to]] ^ from.to_le_bytes()[0];
                put(&mut log, places[to], byte);
            }
            len => {
                for (place, byte) in places[to..].iter().zip(&elsewhere[from % elsewhere.len()..]).take(len) {
                    put(&mut log, *place, *byte);
                }
            }
        }
    }
    let frames = frames(&genuine.log);
    match switches & (MENDED | CHAINED) {
        0 => {}
        MENDED => mend(&mut log, &frames),
        _ => chain(&mut log, &frames),
    }
    log
}

fn put(log: &mut [u8], at: usize, byte: u8) {
    log[at] = byte;
    if at < COPY_LEN {
        log[at + COPY_LEN] = byte;
    }
}

fn laid_out(genuine: &Genuine, log: &[u8], switches: u8) -> Memory {
    let memory = Memory::default();
    memory.put("store.log", log.to_vec());
    if switches & WITHOUT_LOCK_FILE == 0 {
        memory.put("store.lock", genuine.lock.clone());
    }
    memory
}

fn check_opened(genuine: &Genuine, log: &[u8], switches: u8) {
    let Ok(store) = open(&laid_out(genuine, log, switches)) else { return };
    let rows = rows(&store);
    let last = genuine.states.last().expect("it has states");
    // Without its anchor, a log may end anywhere: FORMAT.md, section 10.
    let is_cut = switches & WITHOUT_LOCK_FILE != 0 && genuine.states.contains(&rows);
    assert!(rows == *last || is_cut, "rows that nobody saved, or some are missing: {rows:?}");
}

fn check_salvaged(genuine: &Genuine, log: &[u8], switches: u8) {
    let machine = Two { damaged: laid_out(genuine, log, switches), ..Two::default() };
    if salvage_on(&options(), &machine, Path::new(PATH), Path::new(RESCUED)).is_err() {
        return;
    }
    let rescued = open(&machine.rescued).expect("a salvage makes a store");
    for row in rows(&rescued) {
        assert!(genuine.states.iter().any(|rows| rows.contains(&row)), "a row that nobody saved: {row:?}");
    }
}

/// While somebody has the store open, who has read it before.
fn check_live(genuine: &Genuine, log: &[u8]) {
    let memory = laid_out(genuine, &genuine.log, 0);
    let store = open(&memory).expect("nothing is wrong with it yet");
    let file = memory.open("store.log").expect("it is in memory").expect("it is open");
    file.write_at(log, 0).expect("it is not long");
    for (row, revision) in genuine.states.last().expect("it has states") {
        match store.find_token_by_id(row.id().expect("a row has an id")) {
            Ok(found) => assert!(found == *row && found.revision() == *revision, "another row: {found:?}"),
            Err(error) => assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}"),
        }
    }
}

fn options() -> Options {
    let key = EncryptionKey::from_bytes(&[7; EncryptionKey::LEN]).expect("memory for a key");
    Options::encrypted(key).background(false).read_mode(ReadMode::Copy)
}

fn open(memory: &Memory) -> Result<LogStore> {
    open_on(&options(), Arc::new(memory.clone()), Path::new(PATH))
}

fn rows(store: &LogStore) -> Vec<Row> {
    let rows = store.get_tokens().expect("a log that opened can be read");
    rows.into_iter().map(|row| (row.clone(), row.revision())).collect()
}
