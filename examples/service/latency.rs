//! How long a find takes, measured where a service would feel it: around the call, one by one, the clock included.

use std::time::{Duration, Instant};

use tokcask::{Key, LogStore};

use crate::failure::{Context, Failure, Result};

const FINDS: usize = 100_000;

pub(crate) struct Latency {
    pub(crate) p50: Duration,
    pub(crate) p99: Duration,
}

/// Finds these users' tokens, by turns. All of them must be there.
pub(crate) fn of_finds(store: &LogStore, users: &[String]) -> Result<Latency> {
    let mut times = Vec::with_capacity(FINDS);
    for user in users.iter().cycle().take(FINDS) {
        let start = Instant::now();
        let found = store.get(Key::UserName(user));
        times.push(start.elapsed());
        if found.context("finding a token")?.is_none() {
            return Err(Failure::new(format!("the token of {user} is not there")));
        }
    }
    times.sort_unstable();
    let at = |percent| times.get(times.len() * percent / 100).copied().unwrap_or_default();
    Ok(Latency { p50: at(50), p99: at(99) })
}
