//! The comparison of speed: every store finds the right token for each key, and every figure is measured.
//!
//! Method: a few hundred tokens in each store, found in each way by each key, before and after refreshes and after the
//! store was opened again; then the whole job, at sizes at which its figures mean nothing.

use std::path::Path;
use std::time::Duration;

use tokcask_versus::speed::goals::{PEERS, goals};
use tokcask_versus::speed::stores::{ALL, Store, titled};
use tokcask_versus::speed::work::{By, absent, token};
use tokcask_versus::speed::{Plan, Settings, beside_program, measure, stores};

const TOKENS: u64 = 300;

/// The version of each token, once some were refreshed.
fn version(number: u64) -> u64 {
    match number {
        0..100 => 1,
        100 => 2,
        _ => 0,
    }
}

fn check(engine: &dyn stores::Engine, store: &dyn Store, version: impl Fn(u64) -> u64) {
    for way in engine.ways() {
        let mut reader = store.reader(*way).unwrap();
        let name = titled(engine.title(), *way);
        for number in 0..TOKENS {
            let token = token(number, version(number));
            let [id, user_name, _, _, refresh_token, access_token, ..] = token.fields();
            for (by, value) in By::ALL.into_iter().zip([id, user_name, access_token, refresh_token]) {
                let found = reader.token(by, value.unwrap()).unwrap();
                assert_eq!(found.as_ref(), Some(&token), "{name}, {by:?}");
                assert!(reader.find(by, value.unwrap()).unwrap(), "{name}, {by:?}");
            }
            let is_first = version(number) == 0;
            assert_eq!(reader.find(By::AccessToken, &By::AccessToken.value(number)).unwrap(), is_first, "{name}");
        }
        for by in By::ALL {
            for value in absent(by, 10, 1) {
                assert_eq!(reader.token(by, &value).unwrap(), None, "{name}, {by:?}");
                assert!(!reader.find(by, &value).unwrap(), "{name}, {by:?}");
            }
        }
        assert!(!reader.find(By::Id, "no number").unwrap(), "{name}");
    }
}

fn run(engine: &dyn stores::Engine, directory: &Path) {
    let store = engine.open(directory).unwrap();
    let batch =
        |numbers: std::ops::Range<u64>, version| numbers.map(|number| token(number, version)).collect::<Vec<_>>();
    store.writer().unwrap().insert(&batch(0..TOKENS - 1, 0)).unwrap();
    store.writer().unwrap().insert(&batch(TOKENS - 1..TOKENS, 0)).unwrap();
    check(engine, store.as_ref(), |_| 0);
    store.writer().unwrap().refresh(&batch(0..100, 1)).unwrap();
    store.writer().unwrap().refresh(&[token(100, 2)]).unwrap();
    check(engine, store.as_ref(), version);
    store.settle().unwrap();
    store.compact().unwrap();
    if engine.is_durable() {
        drop(store);
        check(engine, engine.open(directory).unwrap().as_ref(), version);
    }
}

#[test]
fn every_store_gives_the_right_token_for_each_key_in_each_way() {
    for engine in ALL {
        let directory = tempfile::tempdir_in(beside_program().unwrap()).unwrap();
        run(engine, directory.path());
    }
}

/// The whole job, in a moment.
fn plan(load_limit: Duration) -> Plan {
    let moment = Duration::from_millis(1);
    Plan {
        find_rounds: 1,
        find_slice: moment,
        keys: 1000,
        warm_up: moment,
        reader_slice: moment,
        save_rounds: 1,
        save_slice: 10 * moment,
        opens: 1,
        load_limit,
        singles: 10,
    }
}

#[test]
fn the_job_fills_every_table() {
    let plan = plan(Duration::from_secs(60));
    let settings = Settings { sizes: vec![70, TOKENS], seed: 1, folder: beside_program().unwrap(), plan };
    let measured = measure(&settings, |_| {}).unwrap();
    let all = PEERS.into_iter().chain(["tokcask"]);
    for table in [&measured.by_refresh_token, &measured.by_id, &measured.absent, &measured.load] {
        let rows = all.clone().chain(["map"]);
        assert!(rows.into_iter().all(|row| table.get(row, "70") > Some(0.0) && table.get(row, "300") > Some(0.0)));
    }
    for (table, column) in [
        (&measured.opening, "300"),
        (&measured.saves, "1 thread"),
        (&measured.saves, "64 threads"),
        (&measured.disk, "bulk loaded"),
        (&measured.disk, "after five refreshes"),
    ] {
        assert!(all.clone().all(|row| table.get(row, column) > Some(0.0)), "{table}");
    }
    // The others name sizes that are not measured here.
    assert_eq!(goals(&measured).iter().filter(|goal| goal.measured.is_some_and(f64::is_finite)).count(), 11);
}

#[test]
fn an_engine_that_would_take_too_long_is_left_out() {
    let plan = plan(Duration::ZERO);
    let settings = Settings { sizes: vec![10], seed: 1, folder: beside_program().unwrap(), plan };
    let measured = measure(&settings, |_| {}).unwrap();
    assert_eq!((measured.by_refresh_token.rows().count(), measured.load.rows().count()), (0, 0));
}
