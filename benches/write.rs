//! How long writing takes, and what a store needs: durable saves and refreshes on 1, 16 and 64 threads, batches, opening,
//! compaction; at the end bytes on disk and in memory.
//!
//! Method: the stores hold 1,000 tokens, or as many as the name says. `save/16_threads` is the time from the first of so many saves to
//! the last one, divided by their number: 16 threads save at the same time, each its own row. `save/batch_1000` is one
//! call that saves 1,000 rows. A refresh makes a stale row fresh; its provider answers at once.

mod setup;

use std::path::Path;
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use criterion::Criterion;
use tokcask::{LogStore, Options, RefreshPolicy, Token, TokenStore};

use setup::Column;
use setup::args::is_bench;

const ROWS: u64 = 1_000;
const LARGE: (&str, u64) = ("100k", 100_000);
const THREADS: [u64; 3] = [1, 16, 64];
const BATCHES: [u64; 2] = [100, 1_000];

fn main() {
    let mut criterion = Criterion::default().configure_from_args().sample_size(10);
    let directory = setup::temp_dir().expect("a directory on a disk");
    let store = filled(&directory.path().join("small"), ROWS);
    for threads in THREADS {
        criterion.bench_function(&format!("save/{threads}_threads"), |bencher| {
            bencher.iter_custom(|saves| together(threads, saves, |thread| save(&store, thread)));
        });
        criterion.bench_function(&format!("refresh/{threads}_threads"), |bencher| {
            bencher.iter_custom(|refreshes| together(threads, refreshes, |thread| refresh(&store, thread)));
        });
    }
    for len in BATCHES {
        let batch: Vec<_> = (0..len).map(|number| row(&store, number)).collect();
        criterion.bench_function(&format!("save/batch_{len}"), |bencher| {
            bencher.iter(|| store.save_tokens(&batch).expect("room for the tokens"));
        });
    }
    drop(store);
    // A test sees that everything works.
    let (label, count) = if is_bench() { LARGE } else { ("1k", ROWS) };
    large(&mut criterion, &directory.path().join("large"), label, count);
    criterion.final_summary();
}

fn filled(path: &Path, count: u64) -> LogStore {
    let store = Options::new().background(false).open(path).expect("a new store");
    setup::fill(&store, count, setup::token).expect("room for the tokens");
    store
}

/// How long it takes until so many calls are done, by `threads` threads that begin at the same time.
fn together(threads: u64, calls: u64, call: impl Fn(u64) + Sync) -> Duration {
    let barrier = Barrier::new(usize::try_from(threads + 1).expect("a small number"));
    thread::scope(|scope| {
        let callers: Vec<_> = (0..threads)
            .map(|thread| {
                let (barrier, call) = (&barrier, &call);
                scope.spawn(move || {
                    barrier.wait();
                    (0..calls).filter(|number| number % threads == thread).for_each(|_| call(thread));
                })
            })
            .collect();
        barrier.wait();
        let start = Instant::now();
        for caller in callers {
            caller.join().expect("a caller that ends");
        }
        start.elapsed()
    })
}

fn row(store: &LogStore, number: u64) -> Token {
    let id = Column::Id.value(number);
    store.get(Column::Id.key(&id)).expect("a readable log").expect("a saved token")
}

fn save(store: &LogStore, number: u64) {
    let renewed = Token::builder().id(Column::Id.value(number)).access_token("fake-renewed").build();
    store.save_token(&renewed).expect("room for the token");
}

/// The answer is stale as soon as it comes, so that the next call asks again.
fn refresh(store: &LogStore, number: u64) {
    let id = Column::Id.value(number);
    let policy = RefreshPolicy { backoff_max: Duration::ZERO, ..RefreshPolicy::new() };
    let answer =
        |_: &Token| Ok::<_, std::io::Error>(Token::builder().access_token("fake-answer").expiry_time("1").build());
    store.refresh(Column::Id.key(&id), policy, answer).expect("an answer");
}

fn large(criterion: &mut Criterion, path: &Path, label: &str, count: u64) {
    filled(path, count).close().expect("a durable store");
    criterion.bench_function(&format!("open/{label}"), |bencher| {
        bencher.iter_with_large_drop(|| LogStore::open(path).expect("the store"));
    });
    let store = Options::new().background(false).open(path).expect("the store");
    criterion.bench_function(&format!("compact/{label}"), |bencher| {
        bencher.iter(|| store.compact().expect("room for a second log"));
    });
    let stats = store.stats().expect("an open store");
    println!("{} tokens: {} bytes of log, {} of indexes", stats.tokens, stats.log_bytes, stats.index_bytes);
}
