//! One worker after another: a process that answers cases, and what its silence or its end means.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;

use crate::Result;
use crate::damage::Case;
use crate::engines::Engine;
use crate::measure::Settings;
use crate::outcome::Outcome;
use crate::worker::SAID;

/// Cases that one process answers at most: what an engine leaves behind in its process shall not add up.
const CASES_OF_ONE: usize = 1000;

/// The workers of one job, of which at most one lives.
pub(crate) struct Workers<'a> {
    engine: &'a dyn Engine,
    settings: &'a Settings,
    store: &'a Path,
    scratch: PathBuf,
    started: usize,
    current: Option<Worker>,
}

struct Worker {
    child: Child,
    cases: ChildStdin,
    outcomes: Receiver<String>,
    answered: usize,
    scratch: PathBuf,
}

impl<'a> Workers<'a> {
    /// No worker yet. They copy the store into a new directory.
    pub(crate) fn new(
        engine: &'a dyn Engine,
        settings: &'a Settings,
        store: &'a Path,
        scratch: PathBuf,
    ) -> Result<Self> {
        std::fs::create_dir(&scratch)?;
        Ok(Self { engine, settings, store, scratch, started: 0, current: None })
    }

    /// What a case comes to.
    pub(crate) fn outcome(&mut self, case: &Case) -> Result<Outcome> {
        let mut worker = match self.current.take() {
            Some(worker) => worker,
            None => self.start()?,
        };
        // Cases come only to workers that wait for one; a failing write is told by the missing answer.
        drop(writeln!(worker.cases, "{}", case.line()));
        let outcome = match worker.outcomes.recv_timeout(self.settings.limit) {
            Ok(line) => Outcome::parse(&line).map_err(|_| format!("{} at {}", line, case.line()))?,
            Err(RecvTimeoutError::Timeout) => Outcome::Hang,
            Err(RecvTimeoutError::Disconnected) => Outcome::Killed,
        };
        if outcome == Outcome::Killed && worker.child.wait()?.success() {
            return Err(format!("a worker ended by itself at {}", case.line()).into());
        }
        worker.answered += 1;
        let goes_on = !matches!(outcome, Outcome::Killed | Outcome::Hang | Outcome::Panic);
        if goes_on && worker.answered < CASES_OF_ONE {
            self.current = Some(worker);
        }
        Ok(outcome)
    }

    fn start(&mut self) -> Result<Worker> {
        let scratch = self.scratch.join(self.started.to_string());
        self.started += 1;
        std::fs::create_dir(&scratch)?;
        let mut child = self.settings.program.open(self.engine, self.store, &scratch, self.settings.seed)?;
        let cases = child.stdin.take().ok_or("a worker has an input")?;
        let output = child.stdout.take().ok_or("a worker has an output")?;
        let (sender, outcomes) = channel();
        thread::spawn(move || pass_on(output, &sender));
        Ok(Worker { child, cases, outcomes, answered: 0, scratch })
    }
}

/// Until the process has ended.
fn pass_on(output: ChildStdout, lines: &Sender<String>) {
    for line in BufReader::new(output).lines() {
        let Ok(line) = line else { break };
        if let Some(said) = line.strip_prefix(SAID)
            && lines.send(said.to_owned()).is_err()
        {
            break;
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // It has ended, or hangs, or is not needed any more; nothing of what it did is kept.
        drop(self.child.kill());
        drop(self.child.wait());
        drop(std::fs::remove_dir_all(&self.scratch));
    }
}
