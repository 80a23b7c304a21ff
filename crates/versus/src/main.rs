//! The program: `tokcask-versus damage` compares what one damaged place does to each store, and `tokcask-versus speed` how
//! fast each is; both print tables.
//!
//! Exits with 1 if tokcask misled its caller, died or hung in any case of damage; with 2 if nothing could be measured.
//! Speed is not judged: a goal that is missed is said, and no failure.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use clap::{Parser, Subcommand};
use tokcask_versus::engines::{ALL, find};
use tokcask_versus::measure::{Settings, measure};
use tokcask_versus::speed::goals::goals;
use tokcask_versus::speed::{self, Plan, stores, svg};
use tokcask_versus::table::{HEADER, lines, thousands};
use tokcask_versus::worker::{Program, obey};
use tokcask_versus::{Result, tokens};

/// tokcask beside redb, SQLite, fjall, sled and LMDB.
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
    /// Find, save, open and load, in turns
    #[command(after_help = "Example: cargo run --release -p tokcask-versus -- speed --quick")]
    Speed(Speed),
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

#[derive(clap::Args)]
struct Speed {
    /// Fewer tokens and rounds, for a first look of less than two minutes
    #[arg(long)]
    quick: bool,
    /// How many tokens are stored, one size after the other [default: 1000,100000,1000000; with --quick 1000,100000]
    #[arg(long, value_name = "N", value_delimiter = ',', value_parser = clap::value_parser!(u64).range(1..))]
    tokens: Vec<u64>,
    /// Draws the keys
    #[arg(long, value_name = "S", default_value_t = 1)]
    seed: u64,
    /// Draws finds by refresh token as a bar chart
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    /// Folder for the stores, on a disk [default: where this program lies]
    #[arg(long, value_name = "PATH")]
    folder: Option<PathBuf>,
}

fn main() -> ExitCode {
    let ran = obey(&ALL).and_then(|was_worker| {
        if was_worker {
            return Ok(ExitCode::SUCCESS);
        }
        match Args::parse().command {
            Command::Damage(damage) => damage.run(),
            Command::Speed(speed) => speed.run(),
        }
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

impl Speed {
    fn run(self) -> Result<ExitCode> {
        let default: &[u64] = if self.quick { &[1_000, 100_000] } else { &[1_000, 100_000, 1_000_000] };
        let mut sizes = if self.tokens.is_empty() { default.to_vec() } else { self.tokens };
        sizes.sort_unstable();
        sizes.dedup();
        let settings = speed::Settings {
            sizes,
            seed: self.seed,
            folder: self.folder.map_or_else(speed::beside_program, Ok)?,
            plan: if self.quick { Plan::QUICK } else { Plan::FULL },
        };
        let start = Instant::now();
        let measured = speed::measure(&settings, |step| eprintln!("{:4} s: {step}", start.elapsed().as_secs()))?;
        let others = ALL.iter().filter(|engine| engine.name() != "sqlite-checkpointed");
        let versions: Vec<_> = others.map(|engine| format!("{} {}", engine.title(), engine.version())).collect();
        println!("seed {}, {} s: {}\n", self.seed, start.elapsed().as_secs(), versions.join(", "));
        for table in measured.tables() {
            println!("{table}");
        }
        println!("| goal | bound | measured | |\n| --- | --- | --- | --- |");
        for goal in goals(&measured) {
            println!("{goal}");
        }
        if let Some(path) = self.svg {
            let rows: Vec<_> = stores::ALL.iter().map(|engine| engine.title()).collect();
            std::fs::write(path, svg::chart(&measured.by_refresh_token, &rows))?;
        }
        Ok(ExitCode::SUCCESS)
    }
}
