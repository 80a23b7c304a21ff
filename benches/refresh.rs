//! What it costs to ask for a token that is fresh already: `refresh` over a plain `get`.
//!
//! Method: both take turns in the same run, on the same rows in the same order; the median of all rounds counts. Ends with
//! failure past the bound.
//!
//! `cargo bench --bench refresh`, and behind `--` perhaps `--quick`.

mod setup;

use std::error::Error;
use std::hint::black_box;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use setup::args::{Args, is_bench};
use setup::{Column, Random};
use tokcask::{LogStore, Options, RefreshPolicy};

type Outcome<T> = Result<T, Box<dyn Error>>;

const ROWS: u64 = 1_000;
const LOOKS: u32 = 100_000;
const BOUND: f64 = 1.3;
/// As long as any other expiry.
const NEVER: &str = "4102444800000";

fn main() -> Outcome<ExitCode> {
    if !is_bench() {
        println!("what a refresh of a fresh token costs is measured by: cargo bench --bench refresh");
        return Ok(ExitCode::SUCCESS);
    }
    let rounds = if Args::parse()?.quick { 11 } else { 51 };
    let directory = setup::temp_dir()?;
    let store = Options::new().background(false).open(directory.path())?;
    setup::fill(&store, ROWS, |number| setup::token(number).to_builder().expiry_time(NEVER).build())?;
    let keys: Vec<_> = (0..ROWS).map(|number| Column::RefreshToken.value(number)).collect();
    let get = |key: &str| drop(black_box(store.get(Column::RefreshToken.key(key)).expect("found")));
    let refresh = |key: &str| drop(black_box(refresh(&store, key)));
    let mut ratios: Vec<_> = (0..rounds)
        .map(|round| {
            let both = if round % 2 == 0 {
                let plain = time(&keys, get);
                (plain, time(&keys, refresh))
            } else {
                let refreshed = time(&keys, refresh);
                (time(&keys, get), refreshed)
            };
            (both.1.as_secs_f64() / both.0.as_secs_f64(), both.0)
        })
        .collect();
    ratios.sort_by(|one, other| one.0.total_cmp(&other.0));
    let (ratio, plain) = ratios[rounds / 2];
    let word = if ratio <= BOUND { "within" } else { "MISSES" };
    println!("a get: {plain:?}; a refresh of a fresh token / a get: {ratio:.2}, {word} the bound of {BOUND}");
    Ok(if ratio <= BOUND { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn refresh(store: &LogStore, key: &str) -> tokcask::Refreshed {
    let provider = |_: &tokcask::Token| Err("the bench's tokens are fresh");
    store.refresh(Column::RefreshToken.key(key), RefreshPolicy::new(), provider).expect("fresh")
}

fn time(keys: &[String], look: impl Fn(&str)) -> Duration {
    let mut random = Random::new();
    let start = Instant::now();
    for _ in 0..LOOKS {
        look(&keys[usize::try_from(random.below(ROWS)).expect("small")]);
    }
    start.elapsed() / LOOKS
}
