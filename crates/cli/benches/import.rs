//! How long the command takes to import 100,000 rows of CSV into a new store: `cargo bench -p tokcask-cli`.
//!
//! The whole process is timed, from its start to its end, five times; the median counts. Fails past the bound.

use std::fmt::Write;
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

const ROWS: u32 = 100_000;
const RUNS: usize = 5;
const BOUND: Duration = Duration::from_secs(3);

fn main() -> ExitCode {
    let folder = tempfile::tempdir().expect("there is room for files");
    let file = folder.path().join("rows.csv");
    std::fs::write(&file, rows()).expect("there is room for the rows");
    let mut times: Vec<_> = (0..RUNS)
        .map(|run| {
            let store = folder.path().join(format!("store-{run}"));
            let mut command = Command::new(env!("CARGO_BIN_EXE_tokcask"));
            command.arg("import").arg(&store).args(["--from", "zoho-csv"]).arg(&file).stdout(Stdio::null());
            let start = Instant::now();
            assert!(command.status().expect("the command was built").success());
            start.elapsed()
        })
        .collect();
    times.sort();
    let median = times[RUNS / 2];
    println!("import/zoho_csv/100k: {median:.2?} (of {times:.2?}), at most {BOUND:?}");
    if median <= BOUND { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// As long as Zoho's are.
fn rows() -> String {
    let mut rows = String::new();
    for id in 1..=ROWS {
        write!(
            rows,
            "{id},user{id}@example.test:{id},1000.{id:030},{id:042},1000.{id:032x}.{id:032x},1000.{id:032x}.{id:032},,\
             1795300000000,https://app.example/oauth2/callback,https://www.zohoapis.com\r\n"
        )
        .expect("a String takes all");
    }
    rows
}
