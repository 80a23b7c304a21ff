//! One damaged place, or two, in a log: never a wrong answer, never a silent loss, never a panic.
//!
//! Method: three logs, and three encrypted ones, with every kind of frame in them, the largest of more than 64 KiB. Each bit is flipped, each byte
//! set to 00 and FF; each sector of 512 bytes and of 4 KiB is zeros, garbage, what it was earlier, a copy of another sector,
//! or swapped with one; the file ends at each byte; and two such places at once. The log is then opened, with its watermark
//! and without; read through a handle that was open before; and salvaged. What may come of it is computed from the bytes
//! that differ. `TOKCASK_CASES` says how many cases there are to be: where a kind has more places, they are drawn, and
//! where all are tried, pairs of places fill up.

mod canonical;
mod live;
mod opened;
mod places;
mod salvaged;
mod verdict;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::OnceLock;

use canonical::Canonical;
use places::{Damage, KINDS};

use super::settings::{Tally, in_parallel, number, seed};
use super::sim::next_random;

/// What is done with a damaged log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Path {
    Opened { slots: bool },
    Live,
    Salvaged { slots: bool },
}

const PATHS: [Path; 5] = [
    Path::Opened { slots: true },
    Path::Opened { slots: false },
    Path::Live,
    Path::Salvaged { slots: true },
    Path::Salvaged { slots: false },
];

#[test]
fn every_damage_is_harmless_or_the_right_error_or_a_recovered_tail() {
    let wanted = number("TOKCASK_CASES", 100_000);
    let tally = campaign(wanted);
    tally.expect_none("damage");
    assert!(tally.get("cases") >= wanted);
    for outcome in ["opened: same", "opened: other header", "opened: refused", "opened: tail cut, watermark lost"] {
        assert!(tally.get(outcome) > 0, "no case of {outcome}");
    }
    for outcome in ["live: right", "live: refused", "salvaged: whole", "salvaged: partly", "salvaged: refused"] {
        assert!(tally.get(outcome) > 0, "no case of {outcome}");
    }
}

/// The logs, made once.
fn canonicals() -> &'static [Canonical] {
    static LOGS: OnceLock<Vec<Canonical>> = OnceLock::new();
    LOGS.get_or_init(|| {
        let make = |is_encrypted| {
            [canonical::small(is_encrypted), canonical::compacted(is_encrypted), canonical::large(is_encrypted)]
        };
        let logs = [make(false), make(true)];
        assert!(logs.iter().all(|[_, _, large]| large.end > 64 << 10));
        logs.into_iter().flatten().collect()
    })
}

/// One kind of damage to one log, of which every `step`-th place is tried.
struct Share {
    canonical: &'static Canonical,
    places: Vec<Damage>,
    step: usize,
}

/// So many cases are one job.
const JOB_PLACES: usize = 64;

fn campaign(wanted: u64) -> Tally {
    let places_wanted = usize::try_from(wanted).unwrap().div_ceil(PATHS.len());
    let jobs = jobs(places_wanted);
    in_parallel(|number, tally| {
        let Some((canonical, damages)) = jobs.get(number) else { return false };
        let live = live::Handle::new(canonical);
        for damage in damages {
            for path in PATHS {
                try_case(canonical, damage, path, &live, tally);
            }
        }
        true
    })
}

/// Shares the places out among the kinds: the rare ones first, as far as they go.
fn jobs(places_wanted: usize) -> Vec<(&'static Canonical, Vec<Damage>)> {
    let mut random = seed();
    let kinds = canonicals().iter().flat_map(|canonical| KINDS.map(|kind| (canonical, places::all(canonical, kind))));
    let mut shares: Vec<_> = kinds.map(|(canonical, places)| Share { canonical, places, step: 1 }).collect();
    shares.sort_by_key(|share| share.places.len());
    let kinds = shares.len();
    let mut left = places_wanted;
    let mut jobs = Vec::new();
    for (number, share) in shares.iter_mut().enumerate() {
        // Pairs of places are one more kind.
        let quota = left / (kinds - number + 1);
        share.step = share.places.len().div_ceil(quota.max(1));
        let first = usize::try_from(next_random(&mut random)).unwrap_or(0) % share.step;
        let chosen: Vec<_> = share.places.iter().skip(first).step_by(share.step).cloned().collect();
        left -= chosen.len().min(left);
        jobs.extend(chosen.chunks(JOB_PLACES).map(|chunk| (share.canonical, chunk.to_vec())));
    }
    let logs = canonicals();
    for number in 0..left.div_ceil(JOB_PLACES) {
        let canonical = &logs[number % logs.len()];
        jobs.push((canonical, (0..JOB_PLACES).map(|_| places::two(canonical, &mut random)).collect()));
    }
    jobs
}

fn try_case(canonical: &Canonical, damage: &Damage, path: Path, live: &live::Handle, tally: &mut Tally) {
    let log = damage.apply(canonical);
    let verdict = catch_unwind(AssertUnwindSafe(|| match path {
        Path::Opened { slots } => opened::check(canonical, &log, slots),
        Path::Live => live.check(canonical, &log),
        Path::Salvaged { slots } => salvaged::check(canonical, &log, slots),
    }));
    tally.count("cases");
    match verdict {
        Ok(Ok(outcome)) => tally.count(outcome),
        Ok(Err(broken)) => tally.violation(format!("{}: {damage:?}, {path:?}: {broken}", canonical.full_name())),
        Err(_) => tally.violation(format!("{}: {damage:?}, {path:?}: panic", canonical.full_name())),
    }
}
