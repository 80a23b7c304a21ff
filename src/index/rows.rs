//! The places of all rows by their number, which is the order of first insertion.
//!
//! In pieces of one size, so that growing never moves what is there: a find would have to wait for that.

use crate::log::Location;

const PIECE_BITS: u32 = 15;
const PIECE_LEN: usize = 1 << PIECE_BITS;

/// Places by row number; `Location::NONE` where a row was deleted.
#[derive(Default)]
pub(super) struct Rows {
    /// All full but the last one.
    pieces: Vec<Vec<Location>>,
    len: usize,
}

impl Rows {
    /// Numbers given so far.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// The place of a row; `Location::NONE` too for a number that was not given.
    #[inline]
    pub(super) fn get(&self, row: u32) -> Location {
        let (piece, at) = split(row);
        self.pieces.get(piece).and_then(|piece| piece.get(at)).copied().unwrap_or(Location::NONE)
    }

    /// Gives the row another place; returns the one it had.
    pub(super) fn set(&mut self, row: u32, to: Location) -> Location {
        let (piece, at) = split(row);
        std::mem::replace(&mut self.pieces[piece][at], to)
    }

    /// A row behind all others.
    pub(super) fn push(&mut self, at: Location) {
        if self.len.is_multiple_of(PIECE_LEN) {
            // The first one grows, so that a small store needs little memory.
            let capacity = if self.pieces.is_empty() { 0 } else { PIECE_LEN };
            self.pieces.push(Vec::with_capacity(capacity));
        }
        self.pieces.last_mut().expect("just pushed, or not full").push(at);
        self.len += 1;
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = Location> {
        self.pieces.iter().flatten().copied()
    }

    /// Memory, about, in bytes.
    pub(super) fn memory(&self) -> usize {
        self.pieces.iter().map(Vec::capacity).sum::<usize>() * size_of::<Location>()
    }
}

#[inline]
fn split(row: u32) -> (usize, usize) {
    ((row >> PIECE_BITS) as usize, row as usize % PIECE_LEN)
}
