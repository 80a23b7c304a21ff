//! How long a find takes: by each key, hit and miss, owned and in place, plain and encrypted, on two threads, beside a writer.
//!
//! Method: keys in pseudo-random order, so that at the large size neither the log nor the tables are in the core's own caches.
//! `find/refresh_token/100k` is `get`, whose token is made and dropped; `.../view` reads one field in place; `.../miss` asks for
//! what is not there; `find_encrypted/...` is the same of an encrypted store. `.../two_threads` is the time of one find while
//! another thread finds as well, `.../beside_saves` while one saves durably, as often as it can. The yardsticks,
//! `find/hash_map_cloned/...` and `find/hash_map_touched/...`, are a plain `HashMap` behind a `RwLock`, out of which the
//! token is cloned, or one field read.

mod setup;

use std::collections::HashMap;
use std::hint::black_box;
use std::sync::RwLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use criterion::Criterion;
use tempfile::TempDir;
use tokcask::{EncryptionKey, LogStore, Options, Token, TokenStore};

use setup::Column;
use setup::args::is_bench;

const SIZES: [(&str, u64); 2] = [("1k", 1_000), ("100k", 100_000)];
/// Looked up in turn.
const KEYS: usize = 100_000;
/// No store here has so many tokens.
const ABSENT: u64 = 1 << 40;

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let key = EncryptionKey::generate().expect("randomness");
    // A test sees that everything works.
    let sizes = if is_bench() { &SIZES[..] } else { &SIZES[..1] };
    for &(label, count) in sizes {
        for (group, options) in [("find", Options::new()), ("find_encrypted", Options::encrypted(&key))] {
            let (store, _directory) = stored(&options, count);
            for column in Column::ALL {
                find(&mut criterion, &store, column, &format!("{group}/{}/{label}", column.name()), count);
            }
            let name = format!("{group}/{}/{label}", Column::RefreshToken.name());
            beside(&mut criterion, &store, &name, count);
        }
        hash_map(&mut criterion, label, count);
    }
    criterion.final_summary();
}

fn stored(options: &Options, count: u64) -> (LogStore, TempDir) {
    let directory = setup::temp_dir().expect("a directory on a disk");
    let store = options.open(directory.path().join("tokens")).expect("a new store");
    setup::fill(&store, count, setup::token).expect("room for the tokens");
    (store, directory)
}

fn find(criterion: &mut Criterion, store: &LogStore, column: Column, name: &str, count: u64) {
    let keys = setup::keys(column, count, KEYS);
    let mut next = keys.iter().cycle();
    let mut key = || column.key(next.next().expect("a cycle has no end"));
    criterion.bench_function(name, |bencher| {
        bencher.iter(|| store.get(black_box(key())).expect("a readable log").expect("a saved token"));
    });
    criterion.bench_function(&format!("{name}/view"), |bencher| {
        let len = |row: tokcask::TokenView<'_>| row.access_token().map_or(0, |secret| secret.expose_secret().len());
        bencher.iter(|| store.view(black_box(key()), len).expect("a readable log").expect("a saved token"));
    });
    let absent: Vec<_> = (0..1_000).map(|number| column.value(ABSENT + number)).collect();
    let mut next = absent.iter().cycle();
    criterion.bench_function(&format!("{name}/miss"), |bencher| {
        let mut key = || column.key(next.next().expect("a cycle has no end"));
        bencher.iter(|| assert!(store.get(black_box(key())).expect("a readable log").is_none()));
    });
}

/// Finds on two threads, and beside a thread that saves.
fn beside(criterion: &mut Criterion, store: &LogStore, name: &str, count: u64) {
    let keys = setup::keys(Column::RefreshToken, count, KEYS);
    criterion.bench_function(&format!("{name}/two_threads"), |bencher| {
        bencher.iter_custom(|finds| {
            thread::scope(|scope| {
                let readers = [0, KEYS / 2].map(|first| {
                    let keys = &keys;
                    scope.spawn(move || timed(store, keys, first, finds))
                });
                let times = readers.map(|reader| reader.join().expect("a reader that ends"));
                times.into_iter().max().expect("two")
            })
        });
    });
    criterion.bench_function(&format!("{name}/beside_saves"), |bencher| {
        let row = store.get(Column::Id.key("1")).expect("a readable log").expect("the first token");
        bencher.iter_custom(|finds| {
            let is_over = AtomicBool::new(false);
            thread::scope(|scope| {
                scope.spawn(|| {
                    while !is_over.load(Ordering::Relaxed) {
                        store.save_token(&row).expect("room for the token");
                    }
                });
                let time = timed(store, &keys, 0, finds);
                is_over.store(true, Ordering::Relaxed);
                time
            })
        });
    });
}

/// How long so many finds take, from this key on.
fn timed(store: &LogStore, keys: &[String], first: usize, finds: u64) -> Duration {
    let mut next = keys.iter().cycle().skip(first);
    let start = Instant::now();
    for _ in 0..finds {
        let key = Column::RefreshToken.key(next.next().expect("a cycle has no end"));
        black_box(store.get(black_box(key)).expect("a readable log").expect("a saved token"));
    }
    start.elapsed()
}

fn hash_map(criterion: &mut Criterion, label: &str, count: u64) {
    let column = Column::RefreshToken;
    let rows = (0..count).map(|number| (column.value(number), setup::token(number)));
    let rows: RwLock<HashMap<String, Token>> = RwLock::new(rows.collect());
    let keys = setup::keys(column, count, KEYS);
    let mut next = keys.iter().cycle();
    let mut key = || black_box(next.next().expect("a cycle has no end"));
    criterion.bench_function(&format!("find/hash_map_cloned/{label}"), |bencher| {
        bencher.iter(|| rows.read().expect("no writer").get(key()).cloned().expect("a saved token"));
    });
    criterion.bench_function(&format!("find/hash_map_touched/{label}"), |bencher| {
        bencher.iter(|| {
            let rows = rows.read().expect("no writer");
            let token = rows.get(key()).expect("a saved token");
            token.access_token().map_or(0, |secret| secret.expose_secret().len())
        });
    });
}
