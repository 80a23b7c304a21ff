//! After a provider's failure nobody asks it again for a while, in no process: a table in the shared page.
//!
//! An entry is of a row *at a revision*: whoever saves the row, by a new login say, is not held back. It is one number, so
//! that no lock is needed: what two writers or a hostile page make of it is a wait that the caller's own policy bounds.
//! FORMAT.md, "store.lock".

use std::time::Duration;

use super::page::SharedPage;
use crate::refresh::RefreshPolicy;

/// Entries in one bucket; they are looked through one by one.
const BUCKET_LEN: usize = 8;
const BUCKETS: u64 = 64;
const UNTIL_BITS: u32 = 42;
const COUNT_BITS: u32 = 4;
const COUNT_MAX: u32 = (1 << COUNT_BITS) - 1;

/// What an entry says.
#[derive(Clone, Copy)]
struct Entry {
    /// Of the hash, what chose no bucket.
    tag: u64,
    /// Failures in a row.
    count: u32,
    /// Until when nobody asks again, in milliseconds since 1970.
    until_ms: u64,
}

/// The back-off of one row at one revision.
pub(super) struct BackOff<'a> {
    page: &'a SharedPage,
    /// The bucket's first entry.
    first: usize,
    tag: u64,
    policy: &'a RefreshPolicy,
}

impl<'a> BackOff<'a> {
    /// `hash` is of the row and its revision.
    pub(super) fn new(page: &'a SharedPage, hash: u64, policy: &'a RefreshPolicy) -> Self {
        let bucket = usize::try_from(hash % BUCKETS).expect("below the number of buckets");
        Self { page, first: bucket * BUCKET_LEN, tag: hash >> (UNTIL_BITS + COUNT_BITS), policy }
    }

    /// How long nobody is to ask yet.
    pub(super) fn remaining(&self, now_ms: u64) -> Option<Duration> {
        let (_, entry) = self.find()?;
        let remaining = Duration::from_millis(entry.until_ms.saturating_sub(now_ms));
        // More than it ever was: the clock has stepped back, or somebody else has more patience.
        (!remaining.is_zero() && remaining <= self.delay(entry.count)).then_some(remaining)
    }

    /// The provider has just failed. For whoever holds the row's lease.
    pub(super) fn note(&self, now_ms: u64) {
        if self.policy.backoff_max.is_zero() {
            return;
        }
        let known = self.find();
        let is_recent = |entry: &Entry| now_ms <= entry.until_ms.saturating_add(millis(self.policy.backoff_max));
        let before = known.filter(|(_, entry)| is_recent(entry)).map_or(0, |(_, entry)| entry.count);
        let count = (before + 1).min(COUNT_MAX);
        let until_ms = now_ms.saturating_add(millis(self.delay(count))).min((1 << UNTIL_BITS) - 1);
        let at = known.map_or_else(|| self.oldest(), |(at, _)| at);
        self.page.set_backoff(at, Entry { tag: self.tag, count, until_ms }.encode());
    }

    fn delay(&self, count: u32) -> Duration {
        let doubled = self.policy.backoff_min.saturating_mul(1 << count.saturating_sub(1).min(COUNT_MAX));
        doubled.min(self.policy.backoff_max)
    }

    fn find(&self) -> Option<(usize, Entry)> {
        self.entries().find(|(_, entry)| entry.tag == self.tag && entry.count > 0)
    }

    /// The place that is free, or else the one that would be free first.
    fn oldest(&self) -> usize {
        self.entries().min_by_key(|(_, entry)| entry.until_ms).map_or(self.first, |(at, _)| at)
    }

    fn entries(&self) -> impl Iterator<Item = (usize, Entry)> {
        (self.first..self.first + BUCKET_LEN).map(|at| (at, Entry::decode(self.page.backoff(at))))
    }
}

impl Entry {
    fn decode(word: u64) -> Self {
        let count = word >> UNTIL_BITS & u64::from(COUNT_MAX);
        Self {
            tag: word >> (UNTIL_BITS + COUNT_BITS),
            count: u32::try_from(count).expect("a few bits"),
            until_ms: word & ((1 << UNTIL_BITS) - 1),
        }
    }

    fn encode(self) -> u64 {
        self.tag << (UNTIL_BITS + COUNT_BITS) | u64::from(self.count) << UNTIL_BITS | self.until_ms
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
