//! The figures that are promised: how long a million tokens take to open, and what a durable save costs over a bare one.
//!
//! Method: opening is the median of three opens of a store that was just written, in seconds; then a tenth of the tokens is
//! refreshed, and opening takes so many times as long. A save is compared, in the
//! same run and the same directory, with a `pwrite` of as many bytes into a file of zeros and its `fdatasync`; rounds of
//! both take turns, and the medians of all single calls are divided; the fastest tenths if the machine is so busy that
//! a median shows how long it keeps us waiting. Ends with failure if a bound is missed.
//!
//! `cargo bench --bench figures`, and behind `--` perhaps `--tokens N` or `--quick`.

mod setup;

use std::error::Error;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use tokcask::{LogStore, TokenStore};

use setup::args::{Args, is_bench};

const OPENS: usize = 3;
/// For opening, by token: a second for a million.
const OPEN_BOUND: Duration = Duration::from_micros(1);
/// Of a store of which one token in ten was refreshed, and of the one before.
const REFRESHED_BOUND: f64 = 2.0;
/// Of a save and of a bare write.
const SAVE_BOUND: f64 = 1.2;
/// Medians over this many times the fastest tenth are not the device's.
const BUSY: u32 = 2;
const ROUND_LEN: usize = 50;
const ROWS: u64 = 1_000;

fn main() -> Result<ExitCode, Box<dyn Error>> {
    if !is_bench() {
        println!("figures are measured by: cargo bench --bench figures");
        return Ok(ExitCode::SUCCESS);
    }
    let args = Args::parse()?;
    let (tokens, rounds) = if args.quick { (100_000, 10) } else { (1_000_000, 40) };
    let directory = setup::temp_dir()?;
    let opening = opening(&directory.path().join("opened"), args.tokens.unwrap_or(tokens))?;
    let saving = saving(directory.path(), rounds)?;
    Ok(if opening && saving { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn opening(path: &Path, tokens: u64) -> Result<bool, Box<dyn Error>> {
    let store = LogStore::open(path)?;
    setup::fill(&store, tokens, setup::token)?;
    store.close()?;
    drop(store);
    let (time, facts) = open(path, tokens)?;
    let rate = f64::from(u32::try_from(tokens)?) / time.as_secs_f64();
    println!("open: {tokens} tokens, {facts}, {rate:.0} tokens/s");
    let bound = OPEN_BOUND * u32::try_from(tokens)?;
    let in_time = verdict("open", " s", time.as_secs_f64(), bound.as_secs_f64());

    let store = LogStore::open(path)?;
    let refreshed = |number| setup::token(number).to_builder().access_token(format!("refreshed-{number}")).build();
    setup::fill(&store, tokens / 10, refreshed)?;
    store.close()?;
    drop(store);
    let (refreshed, facts) = open(path, tokens)?;
    println!("open, a tenth refreshed: {facts}");
    let times = refreshed.as_secs_f64() / time.as_secs_f64();
    Ok(verdict("open, a tenth refreshed / open", "", times, REFRESHED_BOUND) && in_time)
}

/// The median of some opens, and what was opened.
fn open(path: &Path, tokens: u64) -> Result<(Duration, String), Box<dyn Error>> {
    let mut times = Vec::with_capacity(OPENS);
    let mut facts = String::new();
    for _ in 0..OPENS {
        let start = Instant::now();
        let store = LogStore::open(path)?;
        times.push(start.elapsed());
        let stats = store.stats()?;
        assert_eq!(stats.tokens, tokens, "every token that was saved is there");
        facts = format!("{} frames, {} bytes", store.open_report().frames, stats.log_bytes);
        store.close()?;
    }
    Ok((Times::of(times).median, facts))
}

fn saving(directory: &Path, rounds: usize) -> Result<bool, Box<dyn Error>> {
    let store = LogStore::open(directory.join("saved"))?;
    setup::fill(&store, ROWS, setup::token)?;
    let before = store.stats()?.log_bytes;
    store.save_token(&renewed(0))?;
    let frame_len = usize::try_from(store.stats()?.log_bytes - before)?;
    let mut bare = Bare::new(&directory.join("bare"), frame_len, rounds * ROUND_LEN)?;

    let (mut saves, mut writes) = (Vec::new(), Vec::new());
    for round in 0..rounds {
        // Neither is always the one that comes second.
        for save in [round % 2 == 0, round % 2 != 0] {
            for call in 0..ROUND_LEN {
                if save {
                    let token = renewed((round * ROUND_LEN + call) as u64);
                    let start = Instant::now();
                    store.save_token(&token)?;
                    saves.push(start.elapsed());
                } else {
                    writes.push(bare.write()?);
                }
            }
        }
    }
    store.close()?;
    let (saves, writes) = (Times::of(saves), Times::of(writes));
    println!("save: {saves}, {frame_len} bytes");
    println!("bare: {writes}");
    let busy = writes.median > BUSY * writes.fast;
    let [save, write] = [saves, writes].map(|times| if busy { times.fast } else { times.median }.as_secs_f64());
    let name = if busy { "save / bare, by the fastest tenth" } else { "save / bare" };
    Ok(verdict(name, "", save / write, SAVE_BOUND))
}

/// What a service saves again and again: a row that is there, with another access token.
fn renewed(number: u64) -> tokcask::Token {
    let access = setup::Column::AccessToken.value(ROWS + number);
    setup::token(number % ROWS).to_builder().access_token(access).build()
}

/// A file of zeros, durable, into which writes go one after the other.
struct Bare {
    file: File,
    bytes: Vec<u8>,
    at: u64,
}

impl Bare {
    fn new(path: &Path, len: usize, count: usize) -> Result<Self, Box<dyn Error>> {
        let zeros = vec![0; 64 << 10];
        let file = File::create_new(path)?;
        // Not all at once: large units of the page cache make small writes into them slower, which would flatter us.
        for at in (0..len * count).step_by(zeros.len()) {
            file.write_all_at(&zeros, at as u64)?;
        }
        file.sync_all()?;
        Ok(Self { file, bytes: vec![0xA5; len], at: 0 })
    }

    fn write(&mut self) -> std::io::Result<Duration> {
        let start = Instant::now();
        self.file.write_all_at(&self.bytes, self.at)?;
        self.file.sync_data()?;
        self.at += self.bytes.len() as u64;
        Ok(start.elapsed())
    }
}

struct Times {
    /// A tenth of the calls took no longer.
    fast: Duration,
    median: Duration,
    mean: Duration,
    p99: Duration,
}

impl Times {
    fn of(mut times: Vec<Duration>) -> Self {
        times.sort_unstable();
        let at = |percent| times[times.len() * percent / 100];
        let count = u32::try_from(times.len()).expect("few measurements");
        Self { fast: at(10), median: at(50), mean: times.iter().sum::<Duration>() / count, p99: at(99) }
    }
}

impl std::fmt::Display for Times {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { fast, median, mean, p99 } = self;
        write!(f, "a tenth within {fast:.1?}, median {median:.1?}, mean {mean:.1?}, 99 % within {p99:.1?}")
    }
}

/// Says whether a figure is within its bound.
fn verdict(name: &str, unit: &str, figure: f64, bound: f64) -> bool {
    let kept = figure <= bound;
    let word = if kept { "within" } else { "MISSES" };
    println!("{name}: {figure:.3}{unit}, {word} the bound of {bound:.3}{unit}");
    kept
}
