//! Moves to a new generation that nobody finished: whoever comes next, joins or has slept through them goes on.
//!
//! Method: simulated processes die in a compaction, right before its rename or its directory's sync, one after the other.

mod sim;

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use sim::{Call, Fault, Plan, Sim};
use tokcask::{LogStore, OnClash, Options, ReadMode, Result, Token, TokenStore, open_on};

const LIMIT: Duration = Duration::from_secs(60);

fn token(user: &str) -> Token {
    Token::builder().user_name(user).access_token("fake").build()
}

fn open(process: &Sim) -> Result<LogStore> {
    let options = Options::new().background(false).read_mode(ReadMode::Copy).lock_timeout(Duration::from_secs(2));
    open_on(&options, Arc::new(process.clone()), Path::new("/store"))
}

/// Three processes that have a store with one row open.
fn three() -> (Sim, [Sim; 3], [LogStore; 3]) {
    let sim = Sim::new();
    let processes = [0; 3].map(|_| sim.process());
    let stores = [0, 1, 2].map(|player: usize| open(&processes[player]).unwrap());
    stores[0].save_token(&token("ann")).unwrap();
    for store in &stores {
        assert_eq!(store.get_tokens().unwrap().len(), 1);
    }
    (sim, processes, stores)
}

/// A compaction of this process dies before its next call of this kind.
fn die_in_compaction(process: &Sim, store: &LogStore, call: Call) {
    process.set_plan(Some(Plan::next(call, Fault::Crash)));
    store.compact().unwrap_err();
    assert!(process.tripped().is_some());
}

#[test]
fn a_long_import_makes_the_next_generation_itself() {
    let (_, processes, [first, second, _]) = three();
    die_in_compaction(&processes[0], &first, Call::SyncDirectory);
    let (done, is_done) = channel();
    // Not joined: it would wait for itself as long.
    thread::spawn(move || {
        let pad = "x".repeat(900_000);
        let row = |number| token(&format!("user{number}")).to_builder().extra("pad", &*pad).build();
        let rows: Vec<_> = (0..40).map(row).collect();
        let _ = done.send(second.import(&rows, OnClash::Refuse).map(|report| report.imported));
    });
    assert_eq!(is_done.recv_timeout(LIMIT).expect("the import ends").unwrap(), 40);
}

#[test]
fn two_of_them_in_a_row_keep_nobody_out() {
    let (sim, processes, [first, second, idle]) = three();
    die_in_compaction(&processes[0], &first, Call::SyncDirectory);
    die_in_compaction(&processes[1], &second, Call::Rename);
    let joined = open(&sim.process()).unwrap();
    assert_eq!(joined.get_tokens().unwrap().len(), 1);
    joined.save_token(&token("bob")).unwrap();
    assert_eq!(idle.get_tokens().unwrap().len(), 2);
}

#[test]
fn two_of_them_in_a_row_do_not_stop_who_slept_since_before_an_earlier_one() {
    let (_, processes, [first, second, idle]) = three();
    first.compact().unwrap();
    assert_eq!(second.get_tokens().unwrap().len(), 1);
    die_in_compaction(&processes[0], &first, Call::SyncDirectory);
    die_in_compaction(&processes[1], &second, Call::Rename);
    idle.save_token(&token("bob")).unwrap();
    assert_eq!(idle.get_tokens().unwrap().len(), 2);
}
