//! The other side: a process that fills a store and aborts, or that opens one damaged copy after another.
//!
//! It is this same program, started once more, and told by environment variables what to do. It talks line by line: an
//! acknowledgement for each commit, an outcome for each case. An engine may end it at any moment; the line that is
//! missing then tells which case did. After a panic it ends by itself, for what the engine has left behind is unknown.

use std::io::{BufRead, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::process::{Resource, Rlimit, setrlimit};

use crate::Result;
use crate::damage::Case;
use crate::engines::{Engine, find};
use crate::image::Image;
use crate::outcome::Outcome;
use crate::tokens::{Expected, Found, commits};

const ENGINE: &str = "TOKCASK_VERSUS_ENGINE";
const STORE: &str = "TOKCASK_VERSUS_STORE";
const SCRATCH: &str = "TOKCASK_VERSUS_SCRATCH";
const SEED: &str = "TOKCASK_VERSUS_SEED";

/// Before each line of a worker: a test program says other things, too.
pub(crate) const SAID: &str = "> ";

/// How to start this program as a worker.
#[derive(Clone, Debug)]
pub struct Program {
    /// What it needs on its command line to come to [`obey`].
    pub arguments: Vec<String>,
}

impl Program {
    /// A worker that fills a store and aborts.
    pub(crate) fn fill(&self, engine: &dyn Engine, store: &Path) -> Result<Child> {
        Ok(self.command(engine, store)?.spawn()?)
    }

    /// A worker that opens damaged copies of a store.
    pub(crate) fn open(&self, engine: &dyn Engine, store: &Path, scratch: &Path, seed: u64) -> Result<Child> {
        Ok(self.command(engine, store)?.env(SCRATCH, scratch).env(SEED, seed.to_string()).spawn()?)
    }

    fn command(&self, engine: &dyn Engine, store: &Path) -> Result<Command> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(&self.arguments).env(ENGINE, engine.name()).env(STORE, store).env_remove(SCRATCH);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        Ok(command)
    }
}

/// Does what a worker was told. `false` in a process that is none.
///
/// # Errors
/// If there is no such engine, or no room for copies; not if an engine fails on one.
pub fn obey(engines: &[&dyn Engine]) -> Result<bool> {
    let Ok(name) = std::env::var(ENGINE) else { return Ok(false) };
    // Engines may die here by the thousand.
    setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) })?;
    // A test program has begun a line.
    println!();
    // An end without a word is held against the engine; what goes wrong here is not.
    work(engines, &name).inspect_err(|error| say(&format!("failed: {error}"))).map(|()| true)
}

fn work(engines: &[&dyn Engine], name: &str) -> Result<()> {
    let engine = find(engines, name)?;
    let store = PathBuf::from(std::env::var_os(STORE).ok_or("a worker without a store")?);
    match std::env::var_os(SCRATCH) {
        None => fill(engine, &store),
        Some(scratch) => open_copies(engine, &store, Path::new(&scratch), std::env::var(SEED)?.parse()?),
    }
}

fn say(line: &str) {
    // One write: a line is in the pipe, or it is not.
    writeln!(std::io::stdout(), "{SAID}{line}").expect("the parent listens");
}

fn fill(engine: &dyn Engine, path: &Path) -> Result<()> {
    let store = engine.create(path)?;
    for commit in commits() {
        store.save(&commit.user_name, &commit.record)?;
        say("durable");
    }
    std::process::abort() // nothing is closed
}

fn open_copies(engine: &dyn Engine, store: &Path, scratch: &Path, seed: u64) -> Result<()> {
    let image = Image::load(store)?;
    let expected = Expected::default();
    for (number, line) in std::io::stdin().lock().lines().enumerate() {
        let case = Case::parse(&line?)?;
        let file = image.files.get(&case.file).ok_or_else(|| format!("no file {}", case.file))?;
        // A directory of its own for each: threads of an engine may outlive their store for a while.
        let copy = scratch.join(number.to_string());
        image.write(&copy, Some((&case.file, &case.patch(file, seed))))?;
        let outcome = catch_unwind(AssertUnwindSafe(|| look(engine, &copy, &expected))).unwrap_or(Outcome::Panic);
        say(&outcome.line());
        if outcome == Outcome::Panic {
            break;
        }
        // What cannot be removed now goes with the scratch directory.
        drop(std::fs::remove_dir_all(copy));
    }
    Ok(())
}

/// Opens a store as an application does, and finds everything.
fn look(engine: &dyn Engine, path: &Path, expected: &Expected) -> Outcome {
    let Ok(store) = engine.open(path) else { return Outcome::Error };
    let (mut errors, mut gone, mut older, mut wrong) = (0, 0, 0, 0);
    for user_name in expected.users() {
        let Ok(found) = store.get(user_name) else {
            errors += 1;
            continue;
        };
        let (found, commits) = expected.judge(user_name, found.as_deref());
        gone += commits;
        older += usize::from(found == Found::Older);
        wrong += usize::from(found == Found::Wrong);
    }
    match (wrong, errors, gone) {
        (1.., _, _) => Outcome::Wrong,
        (0, 1.., _) => Outcome::Error,
        (0, 0, 0) => Outcome::NoEffect,
        _ if store.told_of_loss() => Outcome::Told(gone),
        _ if older > 0 => Outcome::Older(gone),
        _ => Outcome::Missing(gone),
    }
}
