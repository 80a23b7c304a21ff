//! Nothing that stands in the lock file is believed: it is an error, and never a panic, an overflow or a lock kept.
//!
//! Method: numbers of the shared page are overwritten under a live handle, as a broken neighbour might.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::Duration;

use tokcask::{Key, LogStore, Options, Token, TokenStore};

/// Where the two copies of the state stand, and how long one is.
const STATES_AT: [u64; 2] = [128, 256];
const STATE_LEN: u64 = 72;

fn store(path: &Path) -> LogStore {
    let store = Options::new().background(false).open(path).unwrap();
    store.save_token(&Token::builder().user_name("ann").access_token("fake").build()).unwrap();
    store
}

fn lock_file(path: &Path) -> File {
    OpenOptions::new().read(true).write(true).open(path.join("store.lock")).unwrap()
}

fn options() -> Options {
    Options::new().background(false).lock_timeout(Duration::from_millis(50))
}

#[test]
fn any_number_of_the_state_may_be_any_number() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tokens");
    for word in (0..STATE_LEN).step_by(8) {
        for number in [0, 1, 8, 12_345, 1 << 50, (1 << 62) + 8, 1 << 63, u64::MAX - 7, u64::MAX] {
            let _ = std::fs::remove_dir_all(&path);
            let live = store(&path);
            let lock = lock_file(&path);
            for at in STATES_AT {
                lock.write_all_at(&number.to_le_bytes(), at + word).unwrap();
            }
            // A version that nobody has seen, so that everybody looks.
            lock.write_all_at(&1_000_u64.to_le_bytes(), 8).unwrap();
            for opened in [options().open(&path), options().read_only(true).open(&path)] {
                let found = opened.and_then(|opened| opened.get(Key::UserName("ann")));
                assert!(found.is_err() || found.unwrap().is_some(), "word {word}, {number:x}: not found");
            }
            let found = live.get(Key::UserName("ann"));
            assert!(found.is_err() || found.unwrap().is_some(), "word {word}, {number:x}: not found");
            drop(live);
            // Alone, nothing of the page counts but that a sync failed, or a move was not finished.
            let alone = Options::new().background(false).open(&path).unwrap();
            assert!(alone.get(Key::UserName("ann")).unwrap().is_some(), "word {word}, {number:x}: lost");
        }
    }
}

/// An end of another frame fits the file, and what lies before it reads well; only who was there knows that there is more.
#[test]
fn who_has_seen_a_save_does_not_follow_a_page_that_goes_back_behind_it() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tokens");
    let live = store(&path);
    let before = live.stats().unwrap().log_bytes;
    let token = Token::builder().user_name("ann").access_token("fake-2").build();
    live.save_token(&token).unwrap();
    let lock = lock_file(&path);
    for at in STATES_AT {
        lock.write_all_at(&before.to_le_bytes(), at + 8).unwrap();
    }
    lock.write_all_at(&1_000_u64.to_le_bytes(), 8).unwrap();
    let found = live.get(Key::UserName("ann"));
    assert!(found.is_err() || found.unwrap() == live.get(Key::AccessToken("fake-2")).unwrap(), "the row of before");
    assert!(live.save_token(&Token::builder().user_name("bob").access_token("fake").build()).is_err());
    drop(live);
    let alone = Options::new().background(false).open(&path).unwrap();
    assert!(alone.get(Key::AccessToken("fake-2")).unwrap().is_some(), "nobody has written over it");
}

#[test]
fn a_reader_of_a_store_whose_lock_file_was_cut_short_keeps_nobody_out() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tokens");
    store(&path).close().unwrap();
    lock_file(&path).set_len(0).unwrap();
    let reader = Options::new().read_only(true).background(false).open(&path).unwrap();
    assert!(reader.get(Key::UserName("ann")).unwrap().is_some());
    options().open(&path).unwrap();
}
