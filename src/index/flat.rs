//! Row numbers by the hash of a key: one flat array, so that a find looks at one cache line of it.
//!
//! Open addressing with linear probing. An entry stands at the place that its hash means, or behind it with nothing free in
//! between. Several entries may have one hash. Grows by a quarter at a time: doubling would leave half of the memory unused.

/// Of seven places in eight at most, entries are taken.
const LOAD: (usize, usize) = (7, 8);
const CAPACITY_MIN: usize = 4;

/// A row under the hash of one of its keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Entry {
    /// `FREE`: nothing is here.
    hash: u32,
    row: u32,
}

/// No key has this hash.
const FREE: u32 = 0;
const NOTHING: Entry = Entry { hash: FREE, row: 0 };

/// Rows by hash.
#[derive(Debug, Default)]
pub(super) struct FlatTable {
    entries: Box<[Entry]>,
    len: usize,
}

/// Where an entry is, until the table changes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place(usize);

impl FlatTable {
    /// Where the entries under this hash are.
    #[inline]
    pub(super) fn places(&self, hash: u32) -> impl Iterator<Item = Place> {
        debug_assert_ne!(hash, FREE);
        let mut next = self.home(hash);
        std::iter::from_fn(move || {
            loop {
                // There is a free place behind all of them, or no place at all.
                let (at, entry) = (next, self.entries.get(next)?);
                next = if at + 1 == self.entries.len() { 0 } else { at + 1 };
                if entry.hash == hash {
                    return Some(Place(at));
                }
                if entry.hash == FREE {
                    return None;
                }
            }
        })
    }

    /// The first entry under this hash for whose row `is` holds.
    pub(super) fn find(&self, hash: u32, mut is: impl FnMut(u32) -> bool) -> Option<Place> {
        self.places(hash).find(|place| is(self.row(*place)))
    }

    #[inline]
    pub(super) fn row(&self, place: Place) -> u32 {
        self.entries[place.0].row
    }

    pub(super) fn set_row(&mut self, place: Place, row: u32) {
        self.entries[place.0].row = row;
    }

    /// Adds an entry, whatever else is there under this hash, which is not 0.
    pub(super) fn insert(&mut self, hash: u32, row: u32) {
        debug_assert_ne!(hash, FREE);
        self.reserve(1);
        self.put(Entry { hash, row });
        self.len += 1;
    }

    /// The row of the first entry under this hash for whose row `is` holds. If there is none, adds an entry.
    pub(super) fn find_or_insert(&mut self, hash: u32, row: u32, mut is: impl FnMut(u32) -> bool) -> Option<u32> {
        self.reserve(1);
        let mut at = self.home(hash);
        loop {
            let entry = &mut self.entries[at];
            if entry.hash == FREE {
                *entry = Entry { hash, row };
                self.len += 1;
                return None;
            }
            if entry.hash == hash && is(entry.row) {
                return Some(entry.row);
            }
            at = if at + 1 == self.entries.len() { 0 } else { at + 1 };
        }
    }

    /// Takes an entry out, and moves up those that it was in the way of.
    pub(super) fn remove(&mut self, place: Place) {
        let capacity = self.entries.len();
        let mut hole = place.0;
        let mut at = hole;
        loop {
            at = if at + 1 == capacity { 0 } else { at + 1 };
            let entry = self.entries[at];
            if entry.hash == FREE {
                break;
            }
            let behind = |from: usize| if at >= from { at - from } else { at + capacity - from };
            if behind(self.home(entry.hash)) >= behind(hole) {
                self.entries[hole] = entry;
                hole = at;
            }
        }
        self.entries[hole] = NOTHING;
        self.len -= 1;
    }

    /// Makes room for so many entries more.
    pub(super) fn reserve(&mut self, more: usize) {
        let needed = (self.len + more) * LOAD.1 / LOAD.0 + 1;
        let capacity = self.entries.len();
        if needed > capacity {
            let grown = (capacity + capacity / 4).max(needed).max(CAPACITY_MIN);
            let before = std::mem::replace(&mut self.entries, vec![NOTHING; grown].into_boxed_slice());
            before.into_iter().filter(|entry| entry.hash != FREE).for_each(|entry| self.put(entry));
        }
    }

    /// Memory, in bytes.
    pub(super) fn memory(&self) -> usize {
        size_of_val(&*self.entries)
    }

    /// Puts an entry where there is room for it.
    fn put(&mut self, entry: Entry) {
        let home = self.home(entry.hash);
        let free = |entries: &[Entry]| entries.iter().position(|entry| entry.hash == FREE);
        let at = free(&self.entries[home..]).map(|distance| home + distance);
        let at = at.or_else(|| free(&self.entries[..home])).expect("one place in eight is free");
        self.entries[at] = entry;
    }

    /// The place that a hash means: in proportion to its product with a number that lets each of its bits reach the highest.
    #[inline]
    fn home(&self, hash: u32) -> usize {
        let spread = hash.wrapping_mul(0x9E37_79B1);
        // The product fits: a table has fewer than 2^32 entries, for it has row numbers.
        usize::try_from((u64::from(spread) * self.entries.len() as u64) >> u32::BITS).expect("below the capacity")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All rows under a hash, in ascending order.
    fn rows(table: &FlatTable, hash: u32) -> Vec<u32> {
        let mut rows = Vec::new();
        assert!(
            table
                .find(hash, |row| {
                    rows.push(row);
                    false
                })
                .is_none()
        );
        rows.sort_unstable();
        rows
    }

    /// Few hashes, close together and at both ends, so that runs are long, meet, and go over the end of the table.
    #[test]
    fn is_a_set_of_pairs_whatever_comes_in_and_goes_out() {
        let hashes: Vec<u32> = (1..40).chain((0..40).map(|n| u32::MAX - n)).collect();
        let mut random = 0x2545_F491_4F6C_DD1D_u64;
        let mut next = |below: usize| {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            usize::try_from(random >> 20).unwrap() % below
        };
        for _ in 0..50 {
            let (mut table, mut pairs) = (FlatTable::default(), Vec::<(u32, u32)>::new());
            for row in 0..400 {
                if pairs.is_empty() || next(5) > 1 {
                    let hash = hashes[next(hashes.len())];
                    table.insert(hash, row);
                    pairs.push((hash, row));
                } else {
                    let (hash, row) = pairs.swap_remove(next(pairs.len()));
                    table.remove(table.find(hash, |found| found == row).unwrap());
                }
                assert_eq!(table.len, pairs.len());
                assert!(table.len * LOAD.1 <= table.entries.len() * LOAD.0);
            }
            for hash in hashes.iter().copied().chain([1 << 31, 77_777]) {
                let mut expected: Vec<u32> = pairs.iter().filter(|pair| pair.0 == hash).map(|pair| pair.1).collect();
                expected.sort_unstable();
                assert_eq!(rows(&table, hash), expected);
            }
        }
    }
}
