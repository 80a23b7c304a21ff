//! Whether a find stays as cheap in a large store: instructions of a find, counted by callgrind.
//!
//! Method: stores are made natively; then this program runs itself under callgrind, opens one, and finds N and then 2N
//! keys that are there, in pseudo-random order. Only [`found`] is counted, each call of it by itself, and
//! (I(2N) - I(N)) / N is what one find takes, on any machine and under any load. Ends with failure if a find takes over
//! 1.3 times what it takes among a thousand tokens.
//!
//! `cargo bench --bench instructions`, and behind `--` perhaps `--tokens N` for the large store. Needs valgrind.

mod setup;

use std::error::Error;
use std::fs;
use std::hint::black_box;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

use tokcask::{LogStore, Token};

use setup::Column;
use setup::args::{Args, is_bench};

/// Tells this program that it runs under callgrind. Behind it: the store and how it was filled.
const CHILD: &str = "--count-finds";
/// The function that is counted, as callgrind names it.
const COUNTED: &str = "instructions::found";
const COLUMNS: [Column; 2] = [Column::RefreshToken, Column::GrantToken];
const FINDS: usize = 5_000;
const BOUND: f64 = 1.3;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> Result<ExitCode> {
    let args: Vec<_> = std::env::args().collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        [_, CHILD, path, name, tokens] => {
            count(Path::new(path), Case::parse(name, tokens)?).map(|()| ExitCode::SUCCESS)
        }
        _ if is_bench() => compare(Args::parse()?.tokens.unwrap_or(1_000_000)),
        _ => {
            println!("instructions are counted by: cargo bench --bench instructions");
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// A store and what is in it.
#[derive(Clone, Copy)]
struct Case {
    tokens: u64,
    /// All rows have the first one's grant token.
    one_grant: bool,
}

impl Case {
    const SMALL: Self = Self { tokens: 1_000, one_grant: false };

    fn name(self) -> &'static str {
        if self.one_grant { "one-grant" } else { "distinct" }
    }

    fn parse(name: &str, tokens: &str) -> Result<Self> {
        Ok(Self { tokens: tokens.parse()?, one_grant: name == "one-grant" })
    }

    fn token(self, number: u64) -> Token {
        let token = setup::token(number);
        if self.one_grant { token.to_builder().grant_token(Column::GrantToken.value(0)).build() } else { token }
    }

    fn keys(self, column: Column, count: usize) -> Vec<String> {
        let rows = if self.one_grant && column == Column::GrantToken { 1 } else { self.tokens };
        setup::keys(column, rows, count)
    }
}

/// Prints what a find takes in each store, and fails if it is too much.
fn compare(large: u64) -> Result<ExitCode> {
    let directory = setup::temp_dir()?;
    let cases =
        [Case::SMALL, Case { tokens: large, one_grant: false }, Case { tokens: large.min(100_000), one_grant: true }];
    println!("{:>9}  {:9}  {:13}  {:>12}  {:>5}", "tokens", "grants", "find by", "instructions", "ratio");
    let mut small = [0.0; COLUMNS.len()];
    let mut kept = true;
    for (number, case) in cases.into_iter().enumerate() {
        let figures = measure(directory.path(), case)?;
        if number == 0 {
            small = figures;
        }
        for ((column, figure), small) in COLUMNS.iter().zip(figures).zip(small) {
            let ratio = figure / small;
            kept &= ratio <= BOUND;
            println!("{:>9}  {:9}  {:13}  {figure:12.1}  {ratio:5.3}", case.tokens, case.name(), column.name());
        }
    }
    println!("no ratio over {BOUND}: {}", if kept { "kept" } else { "MISSED" });
    Ok(if kept { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Instructions of one find, by column.
fn measure(directory: &Path, case: Case) -> Result<[f64; COLUMNS.len()]> {
    let path = directory.join(format!("{}-{}", case.name(), case.tokens));
    let store = LogStore::open(&path)?;
    setup::fill(&store, case.tokens, |number| case.token(number))?;
    store.close()?;

    let out = path.with_extension("callgrind");
    let mut child = Command::new("valgrind");
    child.args(["--tool=callgrind", "--quiet"]);
    child.arg(format!("--toggle-collect={COUNTED}")).arg(format!("--dump-after={COUNTED}"));
    child.arg(format!("--callgrind-out-file={}", out.display())).arg(std::env::current_exe()?);
    child.arg(CHILD).arg(&path).args([case.name(), &case.tokens.to_string()]).stdout(Stdio::null());
    let status = child.status().map_err(|error| format!("valgrind does not start, is it installed? {error}"))?;
    if !status.success() {
        return Err(format!("valgrind ended with {status}").into());
    }
    let mut figures = [0.0; COLUMNS.len()];
    for (place, figure) in figures.iter_mut().enumerate() {
        // Dumps are numbered from 1; each column makes two.
        let [once, twice] =
            [1, 2].map(|call| instructions(&out.with_extension(format!("callgrind.{}", 2 * place + call))));
        let difference = twice?.checked_sub(once?).ok_or("twice as many finds took fewer instructions")?;
        *figure = f64::from(u32::try_from(difference)?) / f64::from(u32::try_from(FINDS)?);
    }
    Ok(figures)
}

/// The total of one dump.
fn instructions(dump: &Path) -> Result<u64> {
    let text = fs::read_to_string(dump).map_err(|error| format!("callgrind left no {}: {error}", dump.display()))?;
    let total = text.lines().find_map(|line| line.strip_prefix("totals: "));
    Ok(total.ok_or("callgrind's dump has no totals")?.trim().parse()?)
}

/// What runs under callgrind.
fn count(path: &Path, case: Case) -> Result<()> {
    let store = LogStore::open(path)?;
    for column in COLUMNS {
        let keys = case.keys(column, 2 * FINDS);
        let mut sum = 0;
        for count in [FINDS, 2 * FINDS] {
            sum += found(&store, column, &keys[..count]);
        }
        assert_eq!(sum, 3 * FINDS, "every key is there");
    }
    Ok(())
}

/// How many of the keys are there.
#[inline(never)]
fn found(store: &LogStore, column: Column, keys: &[String]) -> usize {
    let find = |key: &&String| black_box(store.get(column.key(key)).expect("a readable log")).is_some();
    keys.iter().filter(find).count()
}
