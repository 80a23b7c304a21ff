//! The side that lives: it has a store filled, plans the damage, and hands case after case to workers.
//!
//! A worker that dies, or says nothing within the time limit, has met its outcome with the case it was given; a new one
//! goes on. Before any damage an undamaged copy has to give all rows: an engine that fails there is an error of ours.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use rustix::process::Signal;

use crate::Result;
use crate::damage::{Case, Class, Kind, plan};
use crate::engines::Engine;
use crate::image::Image;
use crate::outcome::{Counts, Outcome};
use crate::tokens::COMMITS;
use crate::worker::{Program, SAID};
use crate::workers::Workers;

/// How to measure.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Cases for each kind of damage to each part of a store, at most.
    pub cases: usize,
    /// Draws the places.
    pub seed: u64,
    /// A case that takes longer hangs.
    pub limit: Duration,
    /// Workers at a time.
    pub jobs: usize,
    /// Where stores are made and copied; best in memory.
    pub folder: PathBuf,
    /// How to start a worker.
    pub program: Program,
}

/// What was counted for one engine.
#[derive(Clone, Debug, Default)]
pub struct Measured {
    /// By part of the store, and by what was done to it.
    pub counts: BTreeMap<(&'static str, Class), Counts>,
    /// For each part and each bad outcome, one case that had it.
    pub examples: BTreeMap<(&'static str, &'static str), String>,
}

impl Measured {
    /// All lines together.
    #[must_use]
    pub fn total(&self) -> Counts {
        self.counts.values().fold(Counts::default(), |mut total, counts| {
            total += *counts;
            total
        })
    }
}

/// Measures one engine.
///
/// # Errors
/// If its store cannot be filled, or an undamaged copy is not right.
///
/// # Panics
/// Never: its threads return their errors.
pub fn measure(engine: &dyn Engine, settings: &Settings) -> Result<Measured> {
    let folder = tempfile::Builder::new().prefix("tokcask-versus-").tempdir_in(&settings.folder)?;
    let store = folder.path().join("store");
    fill(engine, settings, &store)?;
    let image = Image::load(&store)?;
    let cases = cases(engine, &image, settings);
    let Some((_, first)) = cases.first() else { return Err("there is no file that could be damaged".into()) };
    let workers = |name: &str| Workers::new(engine, settings, &store, folder.path().join(name));
    check_undamaged(&mut workers("undamaged")?, &image, &first.file)?;
    let (next, measured) = (AtomicUsize::new(0), Mutex::new(Measured::default()));
    let job = |number: usize| -> Result<()> {
        let mut workers = workers(&format!("job-{number}"))?;
        while let Some((part, case)) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
            let outcome = workers.outcome(case)?;
            measured.lock().expect("no holder of it panics").count(part, case, outcome);
        }
        Ok(())
    };
    thread::scope(|scope| {
        let jobs: Vec<_> = (0..settings.jobs.max(1)).map(|number| scope.spawn(move || job(number))).collect();
        jobs.into_iter().try_for_each(|job| job.join().expect("a job returns its errors"))
    })?;
    Ok(measured.into_inner().expect("no holder of it panics"))
}

/// Has a store filled by a process that aborts then.
fn fill(engine: &dyn Engine, settings: &Settings, store: &Path) -> Result<()> {
    let mut child = settings.program.fill(engine, store)?;
    let lines = BufReader::new(child.stdout.take().ok_or("a worker has an output")?).lines();
    let (mut durable, mut failed) = (0, String::new());
    for line in lines {
        match line?.strip_prefix(SAID) {
            Some("durable") => durable += 1,
            Some(other) => failed = other.into(),
            None => {}
        }
    }
    let status = child.wait()?;
    if durable != COMMITS || status.signal() != Some(Signal::ABORT.as_raw()) {
        return Err(format!("{durable} of {COMMITS} commits were made, then {status} {failed}").into());
    }
    Ok(())
}

/// Every case, beside the part of the store that it hits.
fn cases(engine: &dyn Engine, image: &Image, settings: &Settings) -> Vec<(&'static str, Case)> {
    let mut parts = BTreeMap::<_, Vec<_>>::new();
    for name in image.files.keys() {
        if let Some(part) = engine.part(name) {
            parts.entry(part).or_default().push(name.as_str());
        }
    }
    let kinds = parts.iter().flat_map(|part| Kind::ALL.map(|kind| (part, kind)));
    kinds
        .flat_map(|((part, files), kind)| {
            plan(image, files, kind, settings.cases, settings.seed).into_iter().map(|case| (*part, case))
        })
        .collect()
}

fn check_undamaged(workers: &mut Workers<'_>, image: &Image, file: &str) -> Result<()> {
    // Cut where it ends.
    let case = Case { file: file.into(), kind: Kind::Truncated, place: image.files[file].bytes().len() };
    match workers.outcome(&case)? {
        Outcome::NoEffect => Ok(()),
        outcome => Err(format!("an undamaged copy: {}", outcome.line()).into()),
    }
}

impl Measured {
    fn count(&mut self, part: &'static str, case: &Case, outcome: Outcome) {
        *self.counts.entry((part, case.kind.class())).or_default() += outcome;
        if outcome.is_bad() {
            self.examples.entry((part, outcome.name())).or_insert_with(|| case.line());
        }
    }
}
