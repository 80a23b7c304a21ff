//! The program: `tokcask-versus damage` compares what one damaged place does to each store, and prints a table.
//!
//! Exits with 1 if tokcask misled its caller, died or hung in any case; with 2 if nothing could be measured.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use clap::{Parser, Subcommand};
use tokcask_versus::engines::{ALL, find};
use tokcask_versus::measure::{Settings, measure};
use tokcask_versus::table::{HEADER, lines, thousands};
use tokcask_versus::worker::{Program, obey};
use tokcask_versus::{Result, tokens};

/// What one damaged place does to tokcask, redb, SQLite, fjall, sled and LMDB.
#[derive(Parser)]
#[command(version)]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Damage one place after another, and count what comes of it
    #[command(after_help = "Example: cargo run --release -p tokcask-versus -- damage --cases 1000")]
    Damage(Damage),
}

#[derive(clap::Args)]
struct Damage {
    /// Cases for each of the eight kinds of damage to each part of a store, at most
    #[arg(long, value_name = "N", default_value_t = 4000)]
    cases: usize,
    /// This store alone: tokcask, redb, sqlite, sqlite-checkpointed, fjall, sled or lmdb
    #[arg(long, value_name = "NAME")]
    engine: Option<String>,
    /// Draws the places
    #[arg(long, value_name = "S", default_value_t = 1)]
    seed: u64,
    /// Seconds after which a case hangs
    #[arg(long, value_name = "SECONDS", default_value_t = 10)]
    limit: u64,
    /// Processes at a time [default: as many as there are processors]
    #[arg(long, value_name = "N")]
    jobs: Option<usize>,
    /// Folder for the copies, best in memory [default: /dev/shm where it is, else the one for temporary files]
    #[arg(long, value_name = "PATH")]
    folder: Option<PathBuf>,
}

fn main() -> ExitCode {
    let ran = obey(&ALL).and_then(|was_worker| {
        if was_worker {
            return Ok(ExitCode::SUCCESS);
        }
        let Command::Damage(damage) = Args::parse().command;
        damage.run()
    });
    ran.unwrap_or_else(|error| {
        eprintln!("{error}");
        ExitCode::from(2)
    })
}

impl Damage {
    fn run(self) -> Result<ExitCode> {
        let engines = match &self.engine {
            Some(name) => vec![find(&ALL, name)?],
            None => ALL.to_vec(),
        };
        let memory = Path::new("/dev/shm");
        let settings = Settings {
            cases: self.cases,
            seed: self.seed,
            limit: Duration::from_secs(self.limit),
            jobs: self.jobs.unwrap_or_else(|| thread::available_parallelism().map_or(1, usize::from)),
            folder: self.folder.unwrap_or_else(|| if memory.is_dir() { memory.into() } else { std::env::temp_dir() }),
            program: Program { arguments: Vec::new() },
        };
        println!("{} commits, seed {}, at most {} cases of a kind", tokens::COMMITS, self.seed, thousands(self.cases));
        let (mut table, mut ours) = (String::new(), 0);
        for engine in engines {
            let start = Instant::now();
            let (title, version) = (engine.title(), engine.version());
            let measured = measure(engine, &settings).map_err(|error| format!("{title}: {error}"))?;
            let total = measured.total();
            println!("{title} {version}: {} cases in {:.0?}", thousands(total.cases()), start.elapsed());
            for ((part, outcome), case) in &measured.examples {
                println!("  {part}: {outcome}, by: {case}");
            }
            table.push_str(&lines(title, &measured));
            ours += if engine.name() == "tokcask" { total.bad() } else { 0 };
        }
        println!("\n{HEADER}{table}");
        if ours > 0 {
            println!("tokcask failed in {} cases", thousands(ours));
        }
        Ok(if ours > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS })
    }
}
