//! Running a model under one schedule of its threads after another.

use std::sync::OnceLock;
use std::thread;

use shuttle::scheduler::{PctScheduler, RandomScheduler, Scheduler};
use shuttle::{Config, Runner};

use crate::sim::Sim;
use crate::two_processes::{Left, machine};

/// How often a schedule of the second kind prefers another thread than before.
const PCT_DEPTH: usize = 4;
const STACK_LEN: usize = 1 << 20;

/// A store with the rows of [`machine`], which nobody has open.
pub(crate) fn store() -> Sim {
    STORE.get().expect("made before the first schedule").kill()
}

static STORE: OnceLock<Sim> = OnceLock::new();

/// Tries schedules of two kinds, as many of each as `TOKCASK_SCHEDULES` or the model says: at every point some thread goes
/// on, whichever; and one goes on for as long as it can, but for a few times when another one is preferred.
pub(crate) fn check(name: &str, schedules: usize, model: fn()) {
    // On its own, so that the first schedule is the same with and without it.
    run(RandomScheduler::new_from_seed(0, 1), || {
        STORE.get_or_init(|| machine(Left::Closed));
    });
    let schedules = number("TOKCASK_SCHEDULES").map_or(schedules, |number| usize::try_from(number).expect("a number"));
    let seed = number("TOKCASK_SEED").unwrap_or(1);
    let on_failure = Told { name, schedules, seed };
    run(RandomScheduler::new_from_seed(seed, schedules), model);
    run(PctScheduler::new_from_seed(seed, PCT_DEPTH, schedules), model);
    drop(on_failure);
}

fn run(scheduler: impl Scheduler + 'static, model: fn()) {
    let mut config = Config::new();
    config.stack_size = STACK_LEN;
    config.silence_warnings = true;
    Runner::new(scheduler, config).run(model);
}

fn number(variable: &str) -> Option<u64> {
    let value = std::env::var(variable).ok()?;
    Some(value.parse().unwrap_or_else(|_| panic!("{variable} is a number")))
}

/// Says how to see a failure again.
struct Told<'a> {
    name: &'a str,
    schedules: usize,
    seed: u64,
}

impl Drop for Told<'_> {
    fn drop(&mut self) {
        let Self { name, schedules, seed } = self;
        if thread::panicking() {
            eprintln!("{name}: failed with TOKCASK_SEED={seed} TOKCASK_SCHEDULES={schedules}; again with the same");
        }
    }
}
