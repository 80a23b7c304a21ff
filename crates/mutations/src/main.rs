//! Puts small bugs into a copy of the store, one at a time, and runs the short proof on each: does it notice?
//!
//! `cargo run -p tokcask-mutations` runs all; `-- --check` only sees that each still applies, `-- --sample 4` runs some.
//! Fails if a bug no longer applies, does not compile, or is missed, and if the proof fails without any.

mod list;
mod tree;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};
use std::{io, thread};

use clap::Parser;

use list::{MUTATIONS, Mutation};
use tree::Tree;

/// A store that never ends is a bug that was noticed.
const TIME_MAX: Duration = Duration::from_secs(600);
/// The proof, short: as much as finds each of these.
const COUNTS: [(&str, &str); 4] = [
    ("TOKCASK_IMAGES", "30000"),
    ("TOKCASK_CASES", "20000"),
    ("TOKCASK_FAULTS", "8000"),
    ("TOKCASK_OPERATIONS", "100000"),
];

#[derive(Parser)]
#[command(about = "Puts small bugs into a copy of the store and sees whether its proof notices")]
struct Arguments {
    /// Only see that each still applies.
    #[arg(long)]
    check: bool,
    /// Only those whose name contains this; may come several times.
    #[arg(long)]
    only: Vec<String>,
    /// Only so many, evenly spread; which ones, the seed says.
    #[arg(long)]
    sample: Option<usize>,
    /// Which ones.
    #[arg(long, default_value_t = 0)]
    seed: usize,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<bool, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    // The crates that the store needs are built there already.
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    let place = target.join("mutations");
    let tree = Tree::copy(&root, &place.join("tree")).map_err(|error| format!("copy of the source: {error}"))?;
    for mutation in MUTATIONS {
        tree.mutated(mutation).map_err(|error| format!("{:?} no longer applies. {error}", mutation.name))?;
    }
    println!("{} bugs, all of them apply", MUTATIONS.len());
    if arguments.check {
        return Ok(true);
    }
    let chosen = chosen(arguments);
    let proof = Proof { tree: &tree, target, log: place.join("log") };
    let mut tests: Vec<_> = chosen.iter().flat_map(|mutation| mutation.tests).copied().collect();
    tests.sort_unstable();
    tests.dedup();
    if proof.run(&tests)? != Verdict::Passes {
        return Err(format!("the proof fails without any bug; see {}", proof.log.display()));
    }
    let mut missed = 0;
    for mutation in chosen {
        let start = Instant::now();
        tree.apply(mutation)?;
        let verdict = proof.run(mutation.tests)?;
        tree.restore(mutation).map_err(|error| error.to_string())?;
        if verdict == Verdict::DoesNotCompile {
            return Err(format!("{:?} does not compile; see {}", mutation.name, proof.log.display()));
        }
        missed += u32::from(verdict == Verdict::Passes);
        println!("{:>4} s  {:8} {}", start.elapsed().as_secs(), verdict.word(), mutation.name);
    }
    println!("missed: {missed}");
    Ok(missed == 0)
}

fn chosen(arguments: &Arguments) -> Vec<&'static Mutation> {
    let is_meant = |mutation: &&Mutation| {
        arguments.only.is_empty() || arguments.only.iter().any(|part| mutation.name.contains(part))
    };
    let all: Vec<_> = MUTATIONS.iter().filter(is_meant).collect();
    let step = arguments.sample.map_or(1, |count| all.len().div_ceil(count.max(1)));
    all.into_iter().skip(arguments.seed % step).step_by(step).collect()
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Passes,
    Fails,
    Hangs,
    DoesNotCompile,
}

impl Verdict {
    fn word(self) -> &'static str {
        match self {
            Self::Passes => "MISSED",
            Self::Fails => "caught",
            Self::Hangs => "hung",
            Self::DoesNotCompile => "broken",
        }
    }
}

/// The tests, in the copy.
struct Proof<'a> {
    tree: &'a Tree,
    target: PathBuf,
    log: PathBuf,
}

impl Proof<'_> {
    fn run(&self, tests: &[&str]) -> Result<Verdict, String> {
        let built = self.start(tests, true).and_then(|mut build| build.wait()).map_err(|error| error.to_string())?;
        if !built.success() {
            return Ok(Verdict::DoesNotCompile);
        }
        let start = Instant::now();
        let mut tests = self.start(tests, false).map_err(|error| error.to_string())?;
        loop {
            match tests.try_wait().map_err(|error| error.to_string())? {
                Some(status) if status.success() => return Ok(Verdict::Passes),
                Some(_) => return Ok(Verdict::Fails),
                None if start.elapsed() > TIME_MAX => {
                    end(&tests);
                    tests.wait().map_err(|error| error.to_string())?;
                    return Ok(Verdict::Hangs);
                }
                None => thread::sleep(Duration::from_millis(100)),
            }
        }
    }

    fn start(&self, tests: &[&str], build_alone: bool) -> io::Result<Child> {
        use std::os::unix::process::CommandExt;
        let mut command = Command::new(env!("CARGO"));
        // All that a plain `cargo test` is for, so that what it has built serves here.
        command.args(["test", "--quiet"]);
        for test in ["proof"].iter().chain(tests) {
            command.args(["--test", test]);
        }
        if build_alone {
            command.arg("--no-run");
        }
        let log = File::create(&self.log)?;
        let command = command.current_dir(&self.tree.copy).env("CARGO_TARGET_DIR", &self.target).envs(COUNTS);
        // A group of its own, so that a hanging test ends with its cargo.
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).process_group(0).spawn()
    }
}

fn end(child: &Child) {
    let _ = Command::new("kill").args(["-KILL", "--", &format!("-{}", child.id())]).status();
}
