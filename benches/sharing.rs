//! What sharing costs: threads that find at once, threads that save at once, finds beside saves, saves beside compactions.
//!
//! Method: every figure is a ratio of two rates, or of two times, that take turns in the same run; the median of all
//! rounds counts. "Bare" is threads that hand the bytes of a frame to a leader, who writes those of all who wait into a
//! file of zeros and syncs it once: what a store cannot beat. Ends with failure if a bound is missed.
//!
//! `cargo bench --bench sharing`, and behind `--` perhaps `--quick`.

mod setup;
mod sharing_bare;

use std::error::Error;
use std::hint::black_box;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use tokcask::{LogStore, Options, TokenStore};

use setup::args::{Args, is_bench};
use setup::{Column, Random};
use sharing_bare::Bare;

type Outcome<T> = Result<T, Box<dyn Error>>;

const ROWS: u64 = 10_000;
const MANY: usize = 64;

fn main() -> Outcome<ExitCode> {
    if !is_bench() {
        println!("what sharing costs is measured by: cargo bench --bench sharing");
        return Ok(ExitCode::SUCCESS);
    }
    let args = Args::parse()?;
    let rounds = if args.quick { 5 } else { 15 };
    let time = Duration::from_millis(if args.quick { 150 } else { 400 });
    let directory = setup::temp_dir()?;
    let path = directory.path();
    let kept = [
        two_readers(&path.join("readers"), rounds, time)?,
        shared_find(&path.join("shared"), rounds)?,
        many_savers(path, rounds, time)?,
        reader_beside_saver(&path.join("beside"), rounds, time)?,
        saves_beside_compactions(&path.join("compacted"), rounds, args.quick)?,
        finds_while_loading(&path.join("loaded"), if args.quick { 200_000 } else { 1_000_000 })?,
    ];
    Ok(if kept.into_iter().all(|kept| kept) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn filled(path: &Path) -> Outcome<LogStore> {
    let store = Options::new().background(false).open(path)?;
    setup::fill(&store, ROWS, setup::token)?;
    Ok(store)
}

/// How often `work` is done by so many threads at once, each second.
fn rate(threads: usize, time: Duration, work: impl Fn(&mut Random) + Sync) -> f64 {
    let (start, stop) = (Barrier::new(threads + 1), AtomicBool::new(false));
    let done = AtomicU64::new(0);
    let mut began = Instant::now();
    thread::scope(|scope| {
        for thread in 0..threads as u64 {
            let (start, stop, done, work) = (&start, &stop, &done, &work);
            scope.spawn(move || {
                let mut random = Random::new();
                for _ in 0..thread {
                    random.next();
                }
                let mut count = 0;
                start.wait();
                while !stop.load(Ordering::Relaxed) {
                    work(&mut random);
                    count += 1;
                }
                done.fetch_add(count, Ordering::Relaxed);
            });
        }
        start.wait();
        began = Instant::now();
        thread::sleep(time);
        stop.store(true, Ordering::Relaxed);
    });
    #[expect(clippy::cast_precision_loss, reason = "a rate")]
    let done = done.into_inner() as f64;
    done / began.elapsed().as_secs_f64()
}

fn keys() -> Vec<String> {
    (0..ROWS).map(|number| Column::RefreshToken.value(number)).collect()
}

fn two_readers(path: &Path, rounds: usize, time: Duration) -> Outcome<bool> {
    let (store, keys) = (filled(path)?, keys());
    let find = |random: &mut Random| {
        let key = &keys[usize::try_from(random.below(ROWS)).expect("small")];
        black_box(store.get(Column::RefreshToken.key(key)).expect("found"));
    };
    let ratios = (0..rounds).map(|_| {
        let one = rate(1, time, find);
        let two = rate(2, time, find);
        two / one
    });
    Ok(at_least("finds of two threads / of one", median(ratios.collect()), 1.9))
}

fn shared_find(path: &Path, rounds: usize) -> Outcome<bool> {
    const FINDS: u32 = 200_000;
    drop(filled(path)?);
    let keys = keys();
    let time_of = |store: &LogStore| {
        let mut random = Random::new();
        let start = Instant::now();
        for _ in 0..FINDS {
            let key = &keys[usize::try_from(random.below(ROWS)).expect("small")];
            black_box(store.get(Column::RefreshToken.key(key)).expect("found"));
        }
        nanos(start.elapsed() / FINDS)
    };
    let mut more = Vec::new();
    for _ in 0..rounds {
        let exclusive = Options::new().background(false).exclusive(true).open(path)?;
        let alone = time_of(&exclusive).min(time_of(&exclusive));
        drop(exclusive);
        let shared = Options::new().background(false).open(path)?;
        let other = Options::new().background(false).open(path)?;
        let beside = time_of(&shared).min(time_of(&shared));
        drop(other);
        more.push(beside - alone);
    }
    Ok(at_most("a find in a shared handle takes longer by", " ns", median(more), 5.0))
}

fn many_savers(path: &Path, rounds: usize, time: Duration) -> Outcome<bool> {
    let store = filled(&path.join("many"))?;
    let before = store.stats()?.log_bytes;
    store.save_token(&renewed(0))?;
    let frame_len = usize::try_from(store.stats()?.log_bytes - before)?;
    let bare = Bare::new(&path.join("bare"), frame_len, 64 << 20)?;
    // Made beforehand: what a caller does to make a token is not what is measured.
    let tokens: Vec<_> = (0..4 * ROWS).map(renewed).collect();
    let save = |random: &mut Random| {
        let token = &tokens[usize::try_from(random.below(4 * ROWS)).expect("small")];
        store.save_token(token).expect("saved");
    };
    let write = |_: &mut Random| bare.save();
    let (mut over_one, mut over_bare) = (Vec::new(), Vec::new());
    for round in 0..rounds {
        let one = rate(1, time, save);
        let (many, bare) = if round % 2 == 0 {
            let many = rate(MANY, time, save);
            (many, rate(MANY, time, write))
        } else {
            let bare = rate(MANY, time, write);
            (rate(MANY, time, save), bare)
        };
        println!("  durable saves a second: one thread {one:.0}, {MANY} threads {many:.0}, bare {bare:.0}");
        over_one.push(many / one);
        over_bare.push(many / bare);
    }
    let scales = at_least("durable saves of 64 threads / of one", median(over_one), 6.0);
    Ok(at_least("durable saves of 64 threads / bare", median(over_bare), 0.8) && scales)
}

fn reader_beside_saver(path: &Path, rounds: usize, time: Duration) -> Outcome<bool> {
    let (store, keys) = (filled(path)?, keys());
    let find = |random: &mut Random| {
        // Rows that are not saved meanwhile: others lie elsewhere in memory.
        let key = &keys[usize::try_from(ROWS / 2 + random.below(ROWS / 2)).expect("small")];
        black_box(store.get(Column::RefreshToken.key(key)).expect("found"));
    };
    let mut ratios = Vec::new();
    for round in 0..rounds {
        let mut rates = [0.0; 2];
        for beside in [round % 2 == 0, round % 2 != 0] {
            let stop = AtomicBool::new(!beside);
            thread::scope(|scope| {
                scope.spawn(|| {
                    let mut number = 0;
                    while !stop.load(Ordering::Relaxed) {
                        store.save_token(&renewed(number % (ROWS / 2))).expect("saved");
                        number += 1;
                    }
                });
                rates[usize::from(beside)] = rate(1, time, find);
                stop.store(true, Ordering::Relaxed);
            });
        }
        ratios.push(rates[1] / rates[0]);
    }
    Ok(at_least("finds beside a saver / alone", median(ratios), 0.85))
}

fn saves_beside_compactions(path: &Path, rounds: usize, quick: bool) -> Outcome<bool> {
    let store = filled(path)?;
    setup::fill(&store, if quick { 50_000 } else { 200_000 }, setup::token)?;
    let saves = if quick { 2_000 } else { 10_000 };
    let (mut ratios, mut longest) = (Vec::new(), Duration::ZERO);
    for round in 0..rounds.min(7) {
        let mut p999 = [0.0; 2];
        for beside in [round % 2 == 0, round % 2 != 0] {
            let stop = AtomicBool::new(!beside);
            let times = thread::scope(|scope| {
                let compactor = scope.spawn(|| {
                    let mut count = 0;
                    while !stop.load(Ordering::Relaxed) {
                        store.compact().expect("compacted");
                        count += 1;
                    }
                    count
                });
                let mut times: Vec<_> = (0..saves)
                    .map(|number| {
                        let token = renewed(number % ROWS);
                        let start = Instant::now();
                        store.save_token(&token).expect("saved");
                        start.elapsed()
                    })
                    .collect();
                stop.store(true, Ordering::Relaxed);
                let count: u32 = compactor.join().expect("no panic");
                times.sort_unstable();
                if beside {
                    println!(
                        "  {count} compactions beside {saves} saves, the longest of which took {:.1?}",
                        times.last()
                    );
                }
                times
            });
            p999[usize::from(beside)] = nanos(times[times.len() * 999 / 1000]);
            if beside {
                longest = longest.max(*times.last().expect("not empty"));
            }
        }
        ratios.push(p999[1] / p999[0]);
    }
    println!("longest save beside compactions: {longest:.1?}");
    Ok(at_most("p99.9 of a save beside compactions / without", "", median(ratios), 3.0))
}

fn finds_while_loading(path: &Path, tokens: u64) -> Outcome<bool> {
    let (store, keys) = (filled(path)?, keys());
    let stop = AtomicBool::new(false);
    let (longest, finds) = thread::scope(|scope| -> Outcome<_> {
        let finder = scope.spawn(|| {
            let mut random = Random::new();
            let (mut longest, mut finds) = (Duration::ZERO, 0_u64);
            while !stop.load(Ordering::Relaxed) {
                let key = &keys[usize::try_from(random.below(ROWS)).expect("small")];
                let start = Instant::now();
                black_box(store.get(Column::RefreshToken.key(key)).expect("found"));
                longest = longest.max(start.elapsed());
                finds += 1;
            }
            (longest, finds)
        });
        for start in (ROWS..ROWS + tokens).step_by(1_000) {
            let batch: Vec<_> = (start..start + 1_000).map(setup::token).collect();
            store.save_tokens(&batch)?;
        }
        stop.store(true, Ordering::Relaxed);
        Ok(finder.join().expect("no panic"))
    })?;
    println!("{finds} finds while {tokens} tokens were saved in batches of 1,000");
    Ok(at_most("longest find", " ms", nanos(longest) / 1e6, 5.0))
}

/// What a service saves again and again: a row that is there, with another access token.
fn renewed(number: u64) -> tokcask::Token {
    let access = Column::AccessToken.value(ROWS + number);
    setup::token(number % ROWS).to_builder().access_token(access).build()
}

fn nanos(time: Duration) -> f64 {
    time.as_secs_f64() * 1e9
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

fn at_least(name: &str, figure: f64, bound: f64) -> bool {
    verdict(figure >= bound, name, figure, "", "at least", bound)
}

fn at_most(name: &str, unit: &str, figure: f64, bound: f64) -> bool {
    verdict(figure <= bound, name, figure, unit, "at most", bound)
}

fn verdict(kept: bool, name: &str, figure: f64, unit: &str, relation: &str, bound: f64) -> bool {
    let word = if kept { "within" } else { "MISSES" };
    println!("{name}: {figure:.2}{unit}, {word} the bound of {relation} {bound}{unit}");
    kept
}
