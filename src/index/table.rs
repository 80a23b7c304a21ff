//! One key column: from a hash to the oldest row with that key, and from there to the younger ones.
//!
//! Knows no keys: whoever asks compares them. Keeps 32 bits of each hash, so that growing reads no key and a miss
//! almost never does. Split into segments that grow by themselves, so that no single insert is slow.

use std::collections::BTreeSet;

use hashbrown::HashMap;

use super::flat::FlatTable;

/// Number of segments.
pub(super) const SEGMENTS: usize = 64;

/// Rows by one key column.
#[derive(Debug)]
pub(super) struct KeyTable {
    segments: [FlatTable; SEGMENTS],
    /// By a key's oldest row: the younger rows with that key. In the segment of that row's number.
    younger: [HashMap<u32, BTreeSet<u32>, foldhash::fast::FixedState>; SEGMENTS],
}

impl KeyTable {
    pub(super) fn new() -> Self {
        Self {
            segments: std::array::from_fn(|_| FlatTable::default()),
            younger: std::array::from_fn(|_| HashMap::default()),
        }
    }

    /// Makes room for so many more keys in a segment, and for some that come later: up to a fifth, by the segment's number, for
    /// if all of them were full at once, one batch would have to wait until all have grown.
    pub(super) fn reserve(&mut self, segment: usize, count: usize) {
        let later = count * (segment + 1) / (5 * SEGMENTS);
        self.segments[segment].reserve(count + later);
    }

    /// The oldest row of each key with this hash.
    #[inline]
    pub(super) fn oldest(&self, hash: u32) -> impl Iterator<Item = u32> {
        let segment = &self.segments[segment(hash)];
        segment.places(hash).map(|place| segment.row(place))
    }

    /// The younger rows with the key of `oldest`, in order.
    pub(super) fn younger(&self, oldest: u32) -> impl Iterator<Item = u32> {
        self.younger[place(oldest)].get(&oldest).into_iter().flatten().copied()
    }

    /// Adds a row whose key has the oldest row `oldest`, if any. The row must not be there under this key.
    pub(super) fn insert(&mut self, hash: u32, row: u32, oldest: Option<u32>) {
        let segment = &mut self.segments[segment(hash)];
        match oldest {
            None => segment.insert(hash, row),
            Some(oldest) if oldest < row => {
                self.younger[place(oldest)].entry(oldest).or_default().insert(row);
            }
            Some(oldest) => {
                let found = segment.find(hash, |found| found == oldest);
                segment.set_row(found.expect("the oldest row of a key has an entry"), row);
                let mut rows = self.younger[place(oldest)].remove(&oldest).unwrap_or_default();
                rows.insert(oldest);
                self.younger[place(row)].insert(row, rows);
            }
        }
    }

    /// Adds a row that is younger than all that are there, to the segment of its hash. `is_key` tells of older rows whether
    /// they have its key.
    pub(super) fn insert_youngest(&mut self, segment: usize, hash: u32, row: u32, is_key: impl FnMut(u32) -> bool) {
        if let Some(oldest) = self.segments[segment].find_or_insert(hash, row, is_key) {
            self.younger[place(oldest)].entry(oldest).or_default().insert(row);
        }
    }

    /// Takes a row out from under a key with this hash; returns whether it was there.
    pub(super) fn remove(&mut self, hash: u32, row: u32) -> bool {
        let younger = &self.younger;
        let among = |oldest: u32| younger[place(oldest)].get(&oldest).is_some_and(|rows| rows.contains(&row));
        let segment = &mut self.segments[segment(hash)];
        let Some(found) = segment.find(hash, |oldest| oldest == row || among(oldest)) else { return false };
        let oldest = segment.row(found);
        let Some(mut rows) = self.younger[place(oldest)].remove(&oldest) else {
            segment.remove(found);
            return true;
        };
        if oldest == row {
            segment.set_row(found, rows.pop_first().expect("an empty set of younger rows is not kept"));
        } else {
            rows.remove(&row);
        }
        if !rows.is_empty() {
            let oldest = segment.row(found);
            self.younger[place(oldest)].insert(oldest, rows);
        }
        true
    }

    /// Memory, about, in bytes.
    pub(super) fn memory(&self) -> usize {
        let segments = self.segments.iter().map(FlatTable::memory).sum::<usize>();
        let sets = self.younger.iter().flat_map(HashMap::values);
        // Rows come in order, which leaves a tree's nodes half full.
        let younger = sets.map(|rows| rows.len() * 3 * size_of::<u32>()).sum::<usize>();
        segments + younger + self.younger.iter().map(HashMap::allocation_size).sum::<usize>()
    }
}

/// The segment that keeps a hash.
///
/// The last one takes twice as large a share of all hashes as the first, and those between them what is between: segments
/// of one size would be full at the same moment, and one batch would wait for all of them to grow.
#[inline]
pub(super) fn segment(hash: u32) -> usize {
    const PART_BITS: u32 = 16;
    const PARTS: u64 = 1 << PART_BITS;
    let part = u64::from(hash >> (u32::BITS - PART_BITS));
    // From 0 to 3 * PARTS * PARTS, twice as steep in the beginning as in the end.
    let risen = part * (4 * PARTS - part);
    usize::try_from(risen * SEGMENTS as u64 / (3 * PARTS * PARTS)).expect("below the number of segments")
}

/// The segment that keeps what is younger than a row.
fn place(oldest: u32) -> usize {
    oldest as usize % SEGMENTS
}
