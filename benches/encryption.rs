//! What encryption costs: a find, an opening and a durable save of an encrypted store beside those of a plain one.
//!
//! Method: two stores with the same tokens in one directory. Both take turns, round by round, in one run; the medians of
//! all rounds are compared. Ends with failure if a bound is missed.
//!
//! `cargo bench --bench encryption`, and behind `--` perhaps `--tokens N` or `--quick`.

mod setup;

use std::error::Error;
use std::hint::black_box;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use tokcask::{EncryptionKey, LogStore, Options, TokenStore};

use setup::Column;
use setup::args::{Args, is_bench};

/// How much longer a find may take.
const FIND_BOUND_US: f64 = 1.0;
/// How many times as long an opening may take.
const OPEN_BOUND: f64 = 3.0;
/// How many times as long a save may take.
const SAVE_BOUND: f64 = 1.1;
const OPENS: usize = 3;
const FINDS: usize = 2_000;
const SAVES: usize = 50;

fn main() -> Result<ExitCode, Box<dyn Error>> {
    if !is_bench() {
        println!("what encryption costs is measured by: cargo bench --bench encryption");
        return Ok(ExitCode::SUCCESS);
    }
    let args = Args::parse()?;
    let (tokens, rounds) = if args.quick { (100_000, 20) } else { (1_000_000, 100) };
    let tokens = args.tokens.unwrap_or(tokens);
    let directory = setup::temp_dir()?;
    let key = EncryptionKey::generate()?;
    let stores = [
        (directory.path().join("plain"), Options::new()),
        (directory.path().join("encrypted"), Options::encrypted(&key)),
    ];
    for (path, options) in &stores {
        let store = options.open(path)?;
        setup::fill(&store, tokens, setup::token)?;
        store.close()?;
    }
    let opening = opening(&stores)?;
    let [plain, encrypted] = &stores;
    let opened = [plain.1.open(&plain.0)?, encrypted.1.open(&encrypted.0)?];
    let finding = finding(&opened, tokens, rounds)?;
    let saving = saving(&opened, rounds)?;
    Ok(if opening && finding && saving { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn opening(stores: &[(impl AsRef<Path>, Options); 2]) -> Result<bool, Box<dyn Error>> {
    let [plain, encrypted] = in_turns(OPENS, |which| {
        let (path, options) = &stores[which];
        let start = Instant::now();
        let store = options.open(path)?;
        let time = start.elapsed();
        store.close()?;
        Ok(time)
    })?;
    println!("open: plain {plain:.2?}, encrypted {encrypted:.2?}");
    Ok(verdict("open, times plain", encrypted.as_secs_f64() / plain.as_secs_f64(), OPEN_BOUND))
}

fn finding(stores: &[LogStore; 2], tokens: u64, rounds: usize) -> Result<bool, Box<dyn Error>> {
    let keys = setup::keys(Column::RefreshToken, tokens, FINDS * 16);
    let mut round = 0;
    let [plain, encrypted] = in_turns(rounds, |which| {
        let keys = keys.chunks(FINDS).nth(round / 2 % 16).ok_or("no keys")?;
        round += 1;
        let start = Instant::now();
        for key in keys {
            black_box(stores[which].get(Column::RefreshToken.key(key))?.ok_or("it is there")?);
        }
        Ok(start.elapsed() / u32::try_from(FINDS)?)
    })?;
    println!("find: plain {plain:.2?}, encrypted {encrypted:.2?}");
    let more_us = (encrypted.as_secs_f64() - plain.as_secs_f64()) * 1e6;
    Ok(verdict("find, microseconds more than plain", more_us, FIND_BOUND_US))
}

fn saving(stores: &[LogStore; 2], rounds: usize) -> Result<bool, Box<dyn Error>> {
    let mut number = 0;
    let [plain, encrypted] = in_turns(rounds, |which| {
        let mut times = Vec::with_capacity(SAVES);
        for _ in 0..SAVES {
            number += 1;
            let token = setup::token(number % 1_000);
            let start = Instant::now();
            stores[which].save_token(&token)?;
            times.push(start.elapsed());
        }
        Ok(median(times))
    })?;
    println!("save: plain {plain:.2?}, encrypted {encrypted:.2?}");
    Ok(verdict("save, times plain", encrypted.as_secs_f64() / plain.as_secs_f64(), SAVE_BOUND))
}

/// The medians of both, each measured so many times.
fn in_turns(
    rounds: usize,
    mut measure: impl FnMut(usize) -> Result<Duration, Box<dyn Error>>,
) -> Result<[Duration; 2], Box<dyn Error>> {
    let mut times = [Vec::new(), Vec::new()];
    for _ in 0..rounds {
        for (which, times) in times.iter_mut().enumerate() {
            times.push(measure(which)?);
        }
    }
    Ok(times.map(median))
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

fn verdict(what: &str, value: f64, bound: f64) -> bool {
    let is_reached = value <= bound;
    println!("{what}: {value:.2}, bound {bound:.2}: {}", if is_reached { "reached" } else { "MISSED" });
    is_reached
}
