//! How long the command takes to import rows of CSV into a new store, and how much memory: `cargo bench -p tokcask-cli`,
//! or with `-- --rows 1000000` for another number than 100,000.
//!
//! The whole process is timed, from its start to its end, five times; the median counts. Fails past the bound, which is
//! for 100,000 rows.

use std::fmt::Write;
use std::process::{Child, Command, ExitCode, Stdio};
use std::thread;
use std::time::{Duration, Instant};

const ROWS: u32 = 100_000;
const RUNS: usize = 5;
const BOUND: Duration = Duration::from_secs(3);

fn main() -> ExitCode {
    let args: Vec<_> = std::env::args().collect();
    let given = args.iter().position(|arg| arg == "--rows").and_then(|at| args.get(at + 1));
    let count = given.map_or(ROWS, |rows| rows.parse().expect("--rows takes a number"));
    let folder = tempfile::tempdir().expect("there is room for files");
    let file = folder.path().join("rows.csv");
    std::fs::write(&file, rows(count)).expect("there is room for the rows");
    let mut memory_kib = 0;
    let mut times: Vec<_> = (0..RUNS)
        .map(|run| {
            let store = folder.path().join(format!("store-{run}"));
            let mut command = Command::new(env!("CARGO_BIN_EXE_tokcask"));
            command.arg("import").arg(&store).args(["--from", "zoho-csv"]).arg(&file).stdout(Stdio::null());
            let start = Instant::now();
            let mut child = command.spawn().expect("the command was built");
            let watched = watch_memory_kib(&child);
            assert!(child.wait().expect("it is our child").success());
            let took = start.elapsed();
            memory_kib = memory_kib.max(watched.join().expect("watching cannot fail"));
            std::fs::remove_dir_all(store).expect("nobody has it open");
            took
        })
        .collect();
    times.sort();
    let median = times[RUNS / 2];
    println!("import/zoho_csv/{count}: {median:.2?} (of {times:.2?}), {} MiB at most", memory_kib / 1024);
    if count != ROWS {
        return ExitCode::SUCCESS;
    }
    println!("bound: {BOUND:?}");
    if median <= BOUND { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The most that the process has held at once, as long as it could be seen; 0 where there is no `/proc`.
fn watch_memory_kib(child: &Child) -> thread::JoinHandle<u64> {
    let status = format!("/proc/{}/status", child.id());
    thread::spawn(move || {
        let mut most = 0;
        while let Ok(status) = std::fs::read_to_string(&status) {
            let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
            // A process that has ended, and waits to be noticed, has none.
            let Some(peak) = peak.and_then(|peak| peak.trim().strip_suffix(" kB")) else { break };
            most = peak.trim().parse().unwrap_or(most);
            thread::sleep(Duration::from_millis(5));
        }
        most
    })
}

/// As long as Zoho's are.
fn rows(count: u32) -> String {
    let mut rows = String::new();
    for id in 1..=count {
        write!(
            rows,
            "{id},user{id}@example.test:{id},1000.{id:030},{id:042},1000.{id:032x}.{id:032x},1000.{id:032x}.{id:032},,\
             1795300000000,https://app.example/oauth2/callback,https://www.zohoapis.com\r\n"
        )
        .expect("a String takes all");
    }
    rows
}
