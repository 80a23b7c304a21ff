//! One key column: from a hash to the oldest row with that key, and from there to the younger ones.
//!
//! Knows no keys: whoever asks compares them. Keeps 32 bits of each hash, so that growing reads no key and a miss
//! almost never does. Split into segments that grow by themselves, so that no single insert is slow.

use std::collections::BTreeSet;

use hashbrown::{HashMap, HashTable};

/// Number of segments.
pub(super) const SEGMENTS: usize = 64;

/// A row under the hash of one of its keys.
#[derive(Clone, Copy, Debug)]
struct Entry {
    hash: u32,
    row: u32,
}

/// Rows by one key column.
#[derive(Debug)]
pub(super) struct KeyTable {
    segments: [HashTable<Entry>; SEGMENTS],
    /// By a key's oldest row: the younger rows with that key. In the segment of that row's number.
    younger: [HashMap<u32, BTreeSet<u32>, foldhash::fast::FixedState>; SEGMENTS],
}

impl KeyTable {
    pub(super) fn new() -> Self {
        Self {
            segments: std::array::from_fn(|_| HashTable::new()),
            younger: std::array::from_fn(|_| HashMap::default()),
        }
    }

    /// Makes room for so many more keys in each segment.
    pub(super) fn reserve(&mut self, counts: &[usize; SEGMENTS]) {
        for (segment, count) in self.segments.iter_mut().zip(counts) {
            segment.reserve(*count, |entry| spread(entry.hash));
        }
    }

    /// The oldest row under this hash for which `is_key` holds.
    pub(super) fn oldest(&self, hash: u32, mut is_key: impl FnMut(u32) -> bool) -> Option<u32> {
        let segment = &self.segments[segment(hash)];
        segment.find(spread(hash), |entry| entry.hash == hash && is_key(entry.row)).map(|entry| entry.row)
    }

    /// The younger rows with the key of `oldest`, in order.
    pub(super) fn younger(&self, oldest: u32) -> impl Iterator<Item = u32> {
        self.younger[place(oldest)].get(&oldest).into_iter().flatten().copied()
    }

    /// Adds a row whose key has the oldest row `oldest`, if any. The row must not be there under this key.
    pub(super) fn insert(&mut self, hash: u32, row: u32, oldest: Option<u32>) {
        let segment = &mut self.segments[segment(hash)];
        match oldest {
            None => {
                segment.insert_unique(spread(hash), Entry { hash, row }, |entry| spread(entry.hash));
            }
            Some(oldest) if oldest < row => {
                self.younger[place(oldest)].entry(oldest).or_default().insert(row);
            }
            Some(oldest) => {
                let entry = segment.find_mut(spread(hash), |entry| entry.row == oldest);
                entry.expect("the oldest row of a key has an entry").row = row;
                let mut rows = self.younger[place(oldest)].remove(&oldest).unwrap_or_default();
                rows.insert(oldest);
                self.younger[place(row)].insert(row, rows);
            }
        }
    }

    /// Takes a row out from under a key with this hash; returns whether it was there.
    pub(super) fn remove(&mut self, hash: u32, row: u32) -> bool {
        let younger = &self.younger;
        let holds = |entry: &Entry| {
            let among = |rows: &BTreeSet<u32>| rows.contains(&row);
            entry.hash == hash && (entry.row == row || younger[place(entry.row)].get(&entry.row).is_some_and(among))
        };
        let Ok(mut found) = self.segments[segment(hash)].find_entry(spread(hash), holds) else { return false };
        let oldest = found.get().row;
        let Some(mut rows) = self.younger[place(oldest)].remove(&oldest) else {
            found.remove();
            return true;
        };
        if oldest == row {
            found.get_mut().row = rows.pop_first().expect("an empty set of younger rows is not kept");
        } else {
            rows.remove(&row);
        }
        if !rows.is_empty() {
            let oldest = found.get().row;
            self.younger[place(oldest)].insert(oldest, rows);
        }
        true
    }

    /// Memory, about, in bytes.
    pub(super) fn memory(&self) -> usize {
        let segments = self.segments.iter().map(HashTable::allocation_size).sum::<usize>();
        let sets = self.younger.iter().flat_map(HashMap::values);
        let younger = sets.map(|rows| rows.len() * 2 * size_of::<u32>()).sum::<usize>();
        segments + younger + self.younger.iter().map(HashMap::allocation_size).sum::<usize>()
    }
}

/// The segment that keeps a hash.
///
/// The last one takes twice as large a share of all hashes as the first, and those between them what is between: segments
/// of one size would be full at the same moment, and one batch would wait for all of them to grow.
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

/// `hashbrown` takes its tag from the highest bits and its place from the lowest; both have to depend on all of ours.
fn spread(hash: u32) -> u64 {
    u64::from(hash).wrapping_mul(0x9E37_79B9_7F4A_7C15)
}
