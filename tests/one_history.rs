//! One small history of everything that a store does, on the simulated machine: short enough for an interpreter that knows
//! undefined behaviour and data races (README, "Working on it": Miri), which takes a thousand times as long.
//!
//! Method: each operation once, every answer compared with a plain list; then a restart, a power loss in the middle of a
//! save, a damaged record, a salvage. Threads save and find at the same time.

mod sim;

use std::path::Path;
use std::sync::Arc;

use sim::{Call, Damage, Fault, Plan, Sim};
use tokcask::{
    ErrorKind, Key, ListStore, LogStore, Options, ReadMode, Token, TokenStore, VerifyStatus, open_on, salvage_on,
};

const STORE: &str = "/store";

fn options() -> Options {
    Options::new().background(false).read_mode(ReadMode::Copy)
}

fn open(sim: &Sim) -> LogStore {
    open_on(&options(), Arc::new(sim.clone()), Path::new(STORE)).unwrap()
}

fn token(user: u32, version: u32) -> Token {
    Token::builder()
        .user_name(format!("user{user}"))
        .refresh_token(format!("fake-refresh-{user}"))
        .access_token(format!("fake-access-{user}-{version}"))
        .grant_token("fake-grant-of-all")
        .extra("scope", "é")
        .build()
}

fn rows(store: &impl TokenStore) -> Vec<(Token, Option<u64>)> {
    store.get_tokens().unwrap().into_iter().map(|row| (row.clone(), row.revision())).collect()
}

/// Some of everything, on both stores.
fn act(store: &LogStore, list: &ListStore) {
    let both: [&dyn TokenStore; 2] = [store, list];
    for store in both {
        store.save_token(&token(1, 1)).unwrap();
        store.save_token(&token(2, 1)).unwrap();
        store.save_token(&token(1, 2)).unwrap();
        store.delete_token("2").unwrap();
    }
    let batch = [token(3, 1), token(4, 1), token(5, 1)];
    assert_eq!(store.save_tokens(&batch).unwrap().len(), list.save_tokens(&batch).unwrap().len());
    let found = both.map(|store| store.find_token(&Token::builder().refresh_token("fake-refresh-4").build()).unwrap());
    assert_eq!(found[0], found[1]);
    assert!(store.get(Key::UserName("user2")).unwrap().is_none());
    assert_eq!(store.get(Key::AccessToken("fake-access-1-2")).unwrap(), list.get(Key::UserName("user1")).unwrap());
    assert_eq!(rows(store), rows(list));
}

#[test]
fn everything_reads_back_after_a_restart_a_compaction_and_a_backup() {
    let (sim, list) = (Sim::new(), ListStore::new());
    let store = open(&sim);
    act(&store, &list);
    store.close().unwrap();
    drop(store);
    let store = open(&sim);
    assert_eq!(rows(&store), rows(&list));
    store.compact().unwrap();
    assert_eq!(rows(&store), rows(&list), "through places of both generations");
    store.save_token(&token(1, 3)).unwrap();
    list.save_token(&token(1, 3)).unwrap();
    assert_eq!(rows(&store), rows(&list));
    assert_eq!(store.verify().unwrap().status, VerifyStatus::Clean);
    store.backup("/backup").unwrap();
    for store in [&store as &dyn TokenStore, &list] {
        store.delete_tokens().unwrap();
        assert_eq!(store.get_tokens().unwrap(), []);
    }
    drop(store);
    let backup = open_on(&options(), Arc::new(sim), Path::new("/backup")).unwrap();
    assert_eq!(backup.get_tokens().unwrap().len(), 4);
}

#[test]
fn a_save_that_a_power_loss_cut_short_is_cut_off() {
    let (sim, list) = (Sim::new(), ListStore::new());
    let store = open(&sim);
    act(&store, &list);
    // The write is done, its sync is not.
    sim.set_plan(Some(Plan::next(Call::Sync, Fault::Crash)));
    store.save_token(&token(6, 1)).unwrap_err();
    for seed in 0..3 {
        let after = sim.power_loss(Damage::Mixed, seed);
        let store = open(&after);
        let found = rows(&store);
        if found != rows(&list) {
            assert_eq!(found.len(), rows(&list).len() + 1, "all of the save, or nothing");
        }
    }
}

#[test]
#[cfg_attr(miri, ignore = "a salvage looks at every byte, too many for an interpreter")]
fn a_damaged_record_is_an_error_and_the_other_rows_are_salvaged() {
    let (sim, list) = (Sim::new(), ListStore::new());
    let store = open(&sim);
    act(&store, &list);
    let path = Path::new(STORE);
    let mut log = sim.content(path, "store.log").unwrap();
    let place = log.windows(15).rposition(|bytes| bytes == b"fake-access-1-2").unwrap();
    log[place] ^= 1;
    sim.set_content(path, "store.log", &log);
    assert_eq!(store.get(Key::UserName("user1")).unwrap_err().kind(), ErrorKind::Corrupt);
    assert!(store.get(Key::UserName("user3")).unwrap().is_some());
    drop(store);
    let refused = open_on(&options(), Arc::new(sim.clone()), path).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Corrupt);
    salvage_on(&options(), &sim, path, Path::new("/rescued")).unwrap();
    let rescued = open_on(&options(), Arc::new(sim), Path::new("/rescued")).unwrap();
    assert!(rescued.get(Key::UserName("user3")).unwrap().is_some());
}

#[test]
fn threads_of_one_handle_save_and_find_at_the_same_time() {
    let sim = Sim::new();
    let store = open(&sim);
    std::thread::scope(|scope| {
        for user in 1..=3 {
            let store = &store;
            scope.spawn(move || {
                store.save_token(&token(user, 1)).unwrap();
                assert!(store.get(Key::UserName(&format!("user{user}"))).unwrap().is_some());
                store.save_token(&token(user, 2)).unwrap();
            });
        }
        scope.spawn(|| store.compact().unwrap());
    });
    assert_eq!(store.get_tokens().unwrap().len(), 3);
}
