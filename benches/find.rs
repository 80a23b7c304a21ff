//! How long a find takes, by each key, at a thousand and at a hundred thousand tokens.
//!
//! Method: keys that are there, in pseudo-random order, so that at the large size neither the log nor the tables are in
//! the core's own caches. `find/refresh_token/100k` is `get`, whose token is made and dropped;
//! `find/refresh_token_view/100k` reads one field in place. The yardstick is a plain `HashMap` behind a `RwLock`, out of
//! which the token is cloned.

mod setup;

use std::collections::HashMap;
use std::hint::black_box;
use std::sync::RwLock;

use criterion::Criterion;
use tempfile::TempDir;
use tokcask::{LogStore, Token};

use setup::Column;

const SIZES: [(&str, u64); 2] = [("1k", 1_000), ("100k", 100_000)];
/// Looked up in turn.
const KEYS: usize = 100_000;

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    for (label, count) in SIZES {
        let (store, _directory) = stored(count);
        for column in Column::ALL {
            find(&mut criterion, &store, column, label, count);
        }
        hash_map(&mut criterion, label, count);
    }
    criterion.final_summary();
}

fn stored(count: u64) -> (LogStore, TempDir) {
    let directory = setup::temp_dir().expect("a directory on a disk");
    let store = LogStore::open(directory.path().join("tokens")).expect("a new store");
    setup::fill(&store, count, setup::token).expect("room for the tokens");
    (store, directory)
}

fn find(criterion: &mut Criterion, store: &LogStore, column: Column, label: &str, count: u64) {
    let keys = setup::keys(column, count, KEYS);
    let mut next = keys.iter().cycle();
    let mut key = || column.key(next.next().expect("a cycle has no end"));
    let name = column.name();
    criterion.bench_function(&format!("find/{name}/{label}"), |bencher| {
        bencher.iter(|| store.get(black_box(key())).expect("a readable log").expect("a saved token"));
    });
    criterion.bench_function(&format!("find/{name}_view/{label}"), |bencher| {
        let len = |row: tokcask::TokenView<'_>| row.access_token().map_or(0, |secret| secret.expose_secret().len());
        bencher.iter(|| store.view(black_box(key()), len).expect("a readable log").expect("a saved token"));
    });
}

fn hash_map(criterion: &mut Criterion, label: &str, count: u64) {
    let column = Column::RefreshToken;
    let rows = (0..count).map(|number| (column.value(number), setup::token(number)));
    let rows: RwLock<HashMap<String, Token>> = RwLock::new(rows.collect());
    let keys = setup::keys(column, count, KEYS);
    let mut next = keys.iter().cycle();
    criterion.bench_function(&format!("find/hash_map_cloned/{label}"), |bencher| {
        bencher.iter(|| {
            let key = black_box(next.next().expect("a cycle has no end"));
            rows.read().expect("no writer").get(key).cloned().expect("a saved token")
        });
    });
}
