//! A crash at every call of every short history, and in the recoveries from it: whatever the power loss leaves opens by
//! itself and shows everything that was acknowledged.
//!
//! Method: each sequence of up to three verbs runs once, on a plain and on an encrypted store of the simulated machine, which keeps every moment of the last
//! verb. From each, the process is killed, and the power is lost with every subset of up to twelve pending parts (sectors,
//! names, lengths), and with each sector alone as zeros, garbage, shorn or half old; beyond twelve parts with a sample. From
//! some of these machines the recovery is crashed again, up to three deep. Equal machines are tried once.
//! `TOKCASK_IMAGES` says how many there are to be at least: the histories are gone through in an order that `TOKCASK_SEED`
//! draws, and after the last one again, with other samples.

use std::collections::HashSet;
use std::hash::{BuildHasher, Hash, Hasher};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use foldhash::fast::FixedState;

use super::history::{STORE, State, Verb, histories, open, run};
use super::images::{all_fates, is_exhaustive, some_fates};
use super::settings::{Tally, in_parallel, machine, number, seed};
use super::sim::{Call, Fate, Lie, Moment, Sim, next_random};
use super::verdict::check;

/// How many times a recovery is crashed in the recovery from the crash before.
const DEPTH_MAX: u32 = 3;
/// Of so many machines one has its recovery crashed.
const DEEPER_EVERY: u64 = 8;

#[test]
fn every_crash_reopens_with_everything_acknowledged() {
    let wanted = number("TOKCASK_IMAGES", 200_000);
    let tally = campaign(wanted, None);
    tally.expect_none("crash images");
    assert!(tally.get("images") >= wanted);
    for deep in 1..=DEPTH_MAX {
        assert!(tally.get(&format!("crashes in a recovery, depth {deep}")) > 0);
    }
}

/// Goes through the histories, again and again if need be, until so many different images were tried.
pub(crate) fn campaign(wanted: u64, lie: Option<Lie>) -> Tally {
    let histories = shuffled(histories());
    let seen = Seen::default();
    let (limit, done) = (wanted, AtomicU64::new(0));
    in_parallel(|job, tally| {
        let is_first_time = job < histories.len();
        let (history, is_encrypted) = &histories[job % histories.len()];
        let random = seed() ^ ((job as u64) << 20);
        let mut explorer =
            Explorer { history, is_encrypted: *is_encrypted, is_first_time, random, images: 0, seen: &seen, tally };
        explorer.explore(lie);
        let images = explorer.images;
        tally.add("images", images);
        tally.add("histories", u64::from(is_first_time));
        done.fetch_add(images, Ordering::Relaxed) + images < limit
    })
}

fn shuffled<T>(mut all: Vec<T>) -> Vec<T> {
    let mut random = seed();
    for place in (1..all.len()).rev() {
        all.swap(place, usize::try_from(next_random(&mut random)).unwrap_or(0) % (place + 1));
    }
    all
}

/// Machines that were tried, by their hashes.
#[derive(Default)]
struct Seen {
    shards: [Mutex<HashSet<u64>>; 16],
}

impl Seen {
    fn is_new(&self, machine: &Sim, state: &State) -> bool {
        let mut hasher = FixedState::default().build_hasher();
        machine.hash_files(&mut hasher);
        (&state.acknowledged, &state.in_flight).hash(&mut hasher);
        let hash = hasher.finish();
        self.shards[usize::from(hash.to_le_bytes()[0] % 16)].lock().unwrap().insert(hash)
    }
}

struct Explorer<'a> {
    history: &'a [Verb],
    is_encrypted: bool,
    /// Else only what is drawn.
    is_first_time: bool,
    random: u64,
    images: u64,
    seen: &'a Seen,
    tally: &'a mut Tally,
}

impl Explorer<'_> {
    fn explore(&mut self, lie: Option<Lie>) {
        let sim = machine(self.is_encrypted);
        if let Some(lie) = lie {
            sim.set_lie(lie);
        }
        let (states, outcome) = run(&sim, self.history);
        if let Err(error) = outcome {
            return self.tally.violation(format!("{} fails by itself: {error}", self.name()));
        }
        for (number, moment) in sim.moments().iter().enumerate() {
            let state = &states[moment.label];
            let path = format!("{}, moment {number} after {:?}", self.name(), moment.after);
            self.explore_moment(moment, state, 0, &path);
        }
    }

    fn name(&self) -> String {
        format!("{}{:?}", if self.is_encrypted { "encrypted " } else { "" }, self.history)
    }

    /// A process that is killed at this moment, and a machine that loses its power.
    fn explore_moment(&mut self, moment: &Moment, state: &State, depth: u32, path: &str) {
        let machine = &moment.machine;
        self.try_image(&machine.kill(), state, depth, || format!("{path}, killed"));
        let parts = machine.pending();
        let fates = match () {
            () if depth > 0 => vec![some_fates(machine, &parts, &mut self.random).swap_remove(0)],
            // The page means nothing after a power loss.
            () if moment.after == Some(Call::Page) => vec![vec![Fate::New; parts.len()]],
            () if self.is_first_time => {
                self.tally.count(if is_exhaustive(&parts) { "moments, every subset" } else { "moments, a sample" });
                all_fates(machine, &parts, &mut self.random)
            }
            () => some_fates(machine, &parts, &mut self.random),
        };
        for fates in fates {
            let image = machine.after_power_loss(&parts, &fates);
            self.try_image(&image, state, depth, || format!("{path}, power lost, {fates:?}"));
        }
    }

    fn try_image(&mut self, image: &Sim, state: &State, depth: u32, path: impl Fn() -> String) {
        if !self.tally.violations.is_empty() || !self.seen.is_new(image, state) {
            return;
        }
        self.images += 1;
        if depth < DEPTH_MAX && next_random(&mut self.random).is_multiple_of(DEEPER_EVERY) {
            self.crash_the_recovery(&image.kill(), state, depth + 1, &path);
        }
        let verdict = catch_unwind(AssertUnwindSafe(|| check(image, state)));
        match verdict {
            Ok(Ok(())) => {}
            Ok(Err(broken)) => self.tally.violation(format!("{}: {broken}", path())),
            Err(_) => self.tally.violation(format!("{}: panic", path())),
        }
    }

    /// Two moments of the recovery, drawn.
    fn crash_the_recovery(&mut self, image: &Sim, state: &State, depth: u32, path: &impl Fn() -> String) {
        image.start_recording(0);
        drop(open(image, STORE));
        let moments = image.moments();
        self.tally.count(&format!("crashes in a recovery, depth {depth}"));
        for _ in 0..2 {
            let number = usize::try_from(next_random(&mut self.random)).unwrap_or(0) % moments.len();
            let path = format!("{}, recovered until moment {number}", path());
            self.explore_moment(&moments[number], state, depth, &path);
        }
    }
}
