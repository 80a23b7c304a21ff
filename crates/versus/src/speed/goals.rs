//! What tokcask is to reach, beside what was measured. It judges nothing but this one run.

use std::fmt;

use super::Measured;
use super::save::{FLOOR, MANY, ONE, QUEUED};
use super::stores::{Way, titled};
use super::table::{OURS, Table, number};
use crate::table::thousands;

/// Engines that could be taken in tokcask's place.
pub const PEERS: [&str; 5] = ["redb", "LMDB", "fjall", "SQLite", "sled"];

/// One goal.
#[derive(Clone, Debug)]
pub struct Goal {
    /// What is compared.
    pub name: String,
    /// What is to be reached.
    pub bound: Bound,
    /// Nothing, if this run has not measured it.
    pub measured: Option<f64>,
}

/// On which side a figure has to lie.
#[derive(Clone, Copy, Debug)]
pub enum Bound {
    /// More is better.
    AtLeast(f64),
    /// Less is better.
    AtMost(f64),
}

impl Goal {
    /// Whether it is kept, if it was measured.
    #[must_use]
    pub fn is_kept(&self) -> Option<bool> {
        self.measured.map(|measured| match self.bound {
            Bound::AtLeast(bound) => measured >= bound,
            Bound::AtMost(bound) => measured <= bound,
        })
    }
}

impl fmt::Display for Goal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bound = match self.bound {
            Bound::AtLeast(bound) => format!("at least {}", number(bound)),
            Bound::AtMost(bound) => format!("at most {}", number(bound)),
        };
        let verdict = match self.is_kept() {
            None => "not measured",
            Some(true) => "kept",
            Some(false) => "missed",
        };
        write!(f, "| {} | {bound} | {} | {verdict} |", self.name, self.measured.map_or_else(String::new, number))
    }
}

const SIZES: [u64; 3] = [1_000, 100_000, 1_000_000];

/// All goals.
#[must_use]
pub fn goals(measured: &Measured) -> Vec<Goal> {
    let mut goals = Vec::new();
    let mut goal = |name: &str, bound, measured| goals.push(Goal { name: name.into(), bound, measured });
    let column = |size: u64| thousands(usize::try_from(size).unwrap_or(usize::MAX));
    let Measured { by_refresh_token, by_id, readers, saves, opening, memory, disk, load, .. } = measured;

    for (table, what, bounds) in [(by_refresh_token, "refresh token", [7.0, 6.0, 4.5]), (by_id, "id", [4.5, 3.3, 2.5])]
    {
        for (size, bound) in SIZES.map(column).into_iter().zip(bounds) {
            let times = ratio(fastest_time(table, &size), table.get(OURS, &size));
            goal(&format!("find by {what}, {size}: times as fast as the fastest engine"), Bound::AtLeast(bound), times);
        }
    }
    for size in SIZES.map(column) {
        let times = ratio(by_refresh_token.get("map", &size), by_refresh_token.get(OURS, &size));
        goal(&format!("find by refresh token, {size}: times as fast as the map's clone"), Bound::AtLeast(1.0), times);
    }
    for size in [SIZES[0], SIZES[2]].map(column) {
        let in_place = |row: &str| by_refresh_token.get(&titled(row, Way::InPlace), &size);
        let (viewed, touched) = (in_place(OURS), in_place("map"));
        let name = format!("viewed, {size}: times the map's touched");
        goal(&name, Bound::AtMost(2.0), ratio(viewed, touched));
    }
    goal("two readers: times one reader", Bound::AtLeast(1.9), readers.get(OURS, super::GAIN));

    let saved = |row, column| saves.get(row, column);
    let best = |column| fastest_rate(saves, column);
    let (one, many) = (saved(OURS, ONE), saved(OURS, MANY));
    goal("save, 1 thread: of the bare floor", Bound::AtLeast(0.9), ratio(one, saved(FLOOR, ONE)));
    goal("save, 1 thread: times the fastest engine", Bound::AtLeast(1.6), ratio(one, best(ONE)));
    goal("save, 64 threads: of the hand-over floor", Bound::AtLeast(0.8), ratio(many, saved(FLOOR, QUEUED)));
    goal("save, 64 threads: times the fastest behind a queue", Bound::AtLeast(1.8), ratio(many, best(QUEUED)));
    goal("save, 64 threads: times the fastest by itself", Bound::AtLeast(3.0), ratio(many, best(MANY)));

    goal("open, 1,000,000: ms", Bound::AtMost(250.0), opening.get(OURS, &column(SIZES[2])));
    for (size, bound) in [(SIZES[1], 64.0), (SIZES[2], 96.0)] {
        let size = column(size);
        goal(&format!("memory, {size}: bytes by token"), Bound::AtMost(bound), memory.get(OURS, &size));
    }
    let bytes = |column| disk.get(OURS, column);
    goal("disk, bulk loaded: bytes by token", Bound::AtMost(450.0), bytes(super::LOADED));
    goal("disk, saved singly: bytes by token", Bound::AtMost(510.0), bytes(super::SINGLY));
    let growth = ratio(bytes(super::REFRESHED), bytes(super::LOADED));
    goal("disk, after five refreshes: times bulk loaded", Bound::AtMost(2.2), growth);
    goal("disk, after compact: bytes by token", Bound::AtMost(460.0), bytes(super::COMPACTED));
    let times = load.columns().last().and_then(|column| ratio(load.get(OURS, column), fastest_rate(load, column)));
    goal("bulk load: times the fastest engine", Bound::AtLeast(4.0), times);
    goals
}

fn fastest_time(table: &Table, column: &str) -> Option<f64> {
    PEERS.iter().filter_map(|peer| table.get(peer, column)).reduce(f64::min)
}

fn fastest_rate(table: &Table, column: &str) -> Option<f64> {
    PEERS.iter().filter_map(|peer| table.get(peer, column)).reduce(f64::max)
}

fn ratio(figure: Option<f64>, to: Option<f64>) -> Option<f64> {
    Some(figure? / to?)
}
