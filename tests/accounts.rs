//! What a handle says of its log is what is in it: live bytes, dead records; how much is read to open it, how the file grows.
//!
//! Method: after each operation the numbers of the handle that did it, of one that looked on, and of one that opens
//! afterwards are compared with what a dump of the log adds up to.

mod sim;

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use sim::{Call, Fault, Plan, Sim};
use tokcask::{ErrorKind, LogStore, OperationKind, Options, ReadMode, Stats, Token, TokenStore, open_on};

fn token(user: u32, len: usize) -> Token {
    Token::builder().user_name(format!("user{user}")).access_token("x".repeat(len)).grant_token("fake-shared").build()
}

/// Live bytes, dead records and rows, by a dump.
fn dumped(path: &Path) -> (u64, u64, u64) {
    let (mut live_bytes, mut dead_records, mut rows) = (0, 0, 0);
    let listed = Options::new().dump(path, |frame| {
        for operation in frame.operations.iter().filter(|operation| operation.kind == OperationKind::Put) {
            if operation.live == Some(true) {
                live_bytes += operation.len;
                rows += 1;
            } else {
                dead_records += 1;
            }
        }
        ControlFlow::Continue(())
    });
    listed.unwrap();
    (live_bytes, dead_records, rows)
}

fn told(stats: &Stats) -> (u64, u64, u64) {
    (stats.live_bytes, stats.dead_records, stats.tokens)
}

#[test]
fn live_bytes_and_dead_records_are_what_the_log_holds() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tokens");
    let options = Options::new().background(false);
    let store = options.open(&path).unwrap();
    let onlooker = options.open(&path).unwrap();
    let steps: [&dyn Fn(); 9] = [
        &|| drop(store.save_token(&token(1, 10)).unwrap()),
        &|| drop(store.save_tokens(&[token(2, 20), token(3, 30)]).unwrap()),
        &|| drop(store.save_token(&token(1, 500)).unwrap()),
        &|| drop(store.save_token(&token(2, 1)).unwrap()),
        &|| store.delete_token("2").unwrap(),
        &|| drop(store.save_token(&token(2, 7)).unwrap()),
        &|| store.delete_token("1").unwrap(),
        &|| store.delete_tokens().unwrap(),
        &|| drop(store.save_tokens(&[token(5, 20), token(5, 30), token(6, 40)]).unwrap()),
    ];
    for (number, step) in steps.iter().enumerate() {
        step();
        let right = dumped(&path);
        assert_eq!(told(&store.stats().unwrap()), right, "step {number}");
        assert_eq!(told(&onlooker.stats().unwrap()), right, "step {number}, as seen by another handle");
        let reader = Options::new().read_only(true).open(&path).unwrap();
        assert_eq!(told(&reader.stats().unwrap()), right, "step {number}, opened anew");
        // From then on the policy counts the age of what is dead, across restarts.
        let dead_since = |store: &LogStore| store.stats().unwrap().dead_since_ms;
        assert_eq!(dead_since(&store).is_some(), right.1 > 0, "step {number}");
        assert_eq!((dead_since(&reader), dead_since(&onlooker)), (dead_since(&store), dead_since(&store)));
    }
    store.compact().unwrap();
    let right = dumped(&path);
    assert_eq!((right.1, right.2), (0, 2));
    assert_eq!(told(&store.stats().unwrap()), right);
    // Until it has read the new log through, the other one still counts what the move has left behind.
    let seen = onlooker.stats().unwrap();
    assert_eq!((seen.live_bytes, seen.tokens), (right.0, right.2));
    assert!(seen.dead_records >= right.1);
}

/// What a save costs: the room is made ahead, so that most saves find it.
#[test]
fn a_save_is_one_write_and_one_sync_and_now_and_then_the_slots() {
    let sim = Sim::new();
    let options = Options::new().background(false).read_mode(ReadMode::Copy);
    let store: LogStore = open_on(&options, Arc::new(sim.clone()), Path::new("/store")).unwrap();
    store.save_token(&token(0, 200)).unwrap();
    for number in 1..100 {
        let stats = store.stats().unwrap();
        assert!(stats.file_bytes - stats.log_bytes <= 256 << 10, "room is made for a while, and no more");
        let before = sim.trace().len();
        store.save_token(&token(number, 200)).unwrap();
        let trace = sim.trace();
        let calls = |kind: Call| trace[before..].iter().filter(|call| **call == kind).count();
        assert_eq!(calls(Call::Write), 1, "save {number}");
        assert!((1..=2).contains(&calls(Call::Sync)), "save {number}: {} syncs", calls(Call::Sync));
    }
}

/// What a log takes on disk: room for a quarter of what it holds and a MiB at most, and for deletes when the disk is full.
/// (A thirty-second part is more than that from 32 MiB on.)
#[test]
fn a_log_that_has_no_room_left_grows_by_a_part() {
    const KIB: u64 = 1 << 10;
    let sim = Sim::new();
    let options = Options::new().background(false).read_mode(ReadMode::Copy);
    let store: LogStore = open_on(&options, Arc::new(sim.clone()), Path::new("/store")).unwrap();
    let mut grown = 0;
    for number in 0..120 {
        let (before, calls) = (store.stats().unwrap(), sim.trace().len());
        // Long frames are another way through the same room.
        store.save_tokens(&vec![token(number, 60_000); 1 + number as usize % 2]).unwrap();
        let after = store.stats().unwrap();
        let writes = sim.trace()[calls..].iter().filter(|call| **call == Call::Write).count();
        if after.file_bytes == before.file_bytes {
            assert_eq!(writes, 1, "save {number}");
            continue;
        }
        grown += 1;
        let step = (before.log_bytes / 4).clamp(128 * KIB, 1 << 20);
        let room = after.file_bytes - after.log_bytes;
        assert!((64 * KIB + step..=64 * KIB + step + 4095).contains(&room), "save {number} left room for {room} bytes");
    }
    assert!((15..40).contains(&grown), "{grown} times");
}

/// A frame that was written in part is gone at once, and the file is no longer for it.
#[test]
fn a_save_that_does_not_fit_costs_nothing_and_the_error_names_the_log() {
    const ENOSPC: i32 = 28;
    let sim = Sim::new();
    let options = Options::new().background(false).read_mode(ReadMode::Copy);
    let store: LogStore = open_on(&options, Arc::new(sim.clone()), Path::new("/store")).unwrap();
    store.save_token(&token(0, 200)).unwrap();
    // The log was written under another name.
    store.compact().unwrap();
    let before = sim.content(Path::new("/store"), "store.log");
    for fault in [Fault::Errno(ENOSPC), Fault::Short(ENOSPC)] {
        sim.set_plan(Some(Plan::next(Call::Write, fault)));
        let error = store.save_token(&token(1, 200)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NoSpace);
        assert!(error.to_string().contains("/store/store.log:"), "{error}");
        assert!(sim.content(Path::new("/store"), "store.log") == before);
    }
    store.save_token(&token(1, 200)).unwrap();
}

/// Some file systems give out room only when they are told to sync.
#[test]
fn a_disk_that_is_full_when_new_room_is_synced_is_full_and_one_that_fails_is_not_trusted() {
    const EIO: i32 = 5;
    const ENOSPC: i32 = 28;
    for errno in [ENOSPC, EIO] {
        let sim = Sim::new();
        let options = Options::new().background(false).read_mode(ReadMode::Copy);
        let open = |sim: &Sim| -> LogStore { open_on(&options, Arc::new(sim.clone()), Path::new("/store")).unwrap() };
        let store = open(&sim);
        store.save_token(&token(0, 200)).unwrap();
        sim.set_plan(Some(Plan::next(Call::Sync, Fault::Errno(errno))));
        let error = store.save_tokens(&(1..5).map(|user| token(user, 60_000)).collect::<Vec<_>>()).unwrap_err();
        sim.set_plan(None);
        let again = store.save_token(&token(9, 200));
        let outcome = (error.kind(), again.map(drop).map_err(|error| error.kind()));
        drop(store);
        let store = open(&sim.kill());
        let is_full = errno == ENOSPC;
        assert_eq!(store.open_report().moved_after_failed_sync, !is_full);
        if is_full {
            assert_eq!((outcome, store.stats().unwrap().tokens), ((ErrorKind::NoSpace, Ok(())), 2));
        } else {
            assert_eq!((outcome, store.stats().unwrap().tokens), ((ErrorKind::Io, Err(ErrorKind::Poisoned)), 1));
        }
    }
}

#[test]
fn a_log_of_many_small_frames_is_opened_in_large_pieces() {
    let sim = Sim::new();
    let open = || -> LogStore {
        let options = Options::new().background(false).read_mode(ReadMode::Copy);
        open_on(&options, Arc::new(sim.clone()), Path::new("/store")).unwrap()
    };
    let store = open();
    for user in 0..200 {
        store.save_token(&Token::builder().access_token(format!("fake-{user}")).build()).unwrap();
    }
    store.close().unwrap();
    drop(store);
    let before = sim.trace().len();
    let store = open();
    let trace = sim.trace();
    let reads = trace[before..].iter().filter(|call| **call == Call::Read).count();
    assert!(reads < 40, "{reads} reads for 200 frames");
    assert_eq!(store.get_tokens().unwrap().len(), 200);
}
