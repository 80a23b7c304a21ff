//! What is damaged: one place of one file, in one of eight ways.
//!
//! Only places that were ever written are hit: blocks of 4 KiB that hold nothing but zeros are left out, and a file ends
//! at its last byte that is not zero. Only damage that changes a byte counts. Where there are more places than cases, one
//! is drawn from each of as many equal stretches; the seed decides which.

use crate::Result;
use crate::image::{BLOCK_LEN, File, Image};
use crate::random::mix;

/// A way to damage a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A byte XOR FF.
    Inverted,
    /// A byte that becomes 00.
    Cleared,
    /// A byte that becomes FF.
    Filled,
    /// One bit, drawn by the seed.
    Bit,
    /// 512 bytes of zeros.
    Sector,
    /// 512 bytes of garbage.
    Garbage,
    /// 4096 bytes of zeros.
    Page,
    /// The end of the file, at any byte.
    Truncated,
}

/// Kinds that share a line of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// A byte or a bit.
    Byte,
    /// A sector or a page.
    Sector,
    /// A truncation.
    Truncation,
}

impl Class {
    /// What the table calls it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Byte => "byte, bit",
            Self::Sector => "sector",
            Self::Truncation => "truncation",
        }
    }
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Inverted,
        Self::Cleared,
        Self::Filled,
        Self::Bit,
        Self::Sector,
        Self::Garbage,
        Self::Page,
        Self::Truncated,
    ];

    /// Its line of the table.
    #[must_use]
    pub fn class(self) -> Class {
        match self {
            Self::Inverted | Self::Cleared | Self::Filled | Self::Bit => Class::Byte,
            Self::Sector | Self::Garbage | Self::Page => Class::Sector,
            Self::Truncated => Class::Truncation,
        }
    }

    /// Its name in a case.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Inverted => "inverted",
            Self::Cleared => "cleared",
            Self::Filled => "filled",
            Self::Bit => "bit",
            Self::Sector => "sector",
            Self::Garbage => "garbage",
            Self::Page => "page",
            Self::Truncated => "truncated",
        }
    }

    /// Length, and distance, of places.
    fn unit(self) -> usize {
        match self {
            Self::Inverted | Self::Cleared | Self::Filled | Self::Bit | Self::Truncated => 1,
            Self::Sector | Self::Garbage => 512,
            Self::Page => 4096,
        }
    }

    fn changes(self, bytes: &[u8]) -> bool {
        match self {
            Self::Inverted | Self::Bit | Self::Garbage | Self::Truncated => true,
            Self::Filled => bytes != [0xFF],
            Self::Cleared | Self::Sector | Self::Page => bytes.iter().any(|byte| *byte != 0),
        }
    }
}

/// What happens to a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Patch {
    /// Other bytes at an offset.
    Bytes(usize, Vec<u8>),
    /// Another length.
    Len(usize),
}

/// One place, damaged in one way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Case {
    /// The file, by its path in the store's directory.
    pub file: String,
    /// How.
    pub kind: Kind,
    /// The offset; for a truncation the length that is left.
    pub place: usize,
}

impl Case {
    /// The same bytes for the same seed.
    #[must_use]
    pub fn patch(&self, file: &File, seed: u64) -> Patch {
        let end = file.bytes().len().min(self.place + self.kind.unit());
        let bytes = &file.bytes()[self.place.min(end)..end];
        let random = |number: usize| mix(seed, (self.place + number) as u64);
        let damaged = match self.kind {
            Kind::Truncated => return Patch::Len(self.place),
            Kind::Inverted => bytes.iter().map(|byte| byte ^ 0xFF).collect(),
            Kind::Bit => bytes.iter().map(|byte| byte ^ (1 << (random(0) % 8))).collect(),
            Kind::Filled => vec![0xFF; bytes.len()],
            Kind::Cleared | Kind::Sector | Kind::Page => vec![0; bytes.len()],
            Kind::Garbage => (0..bytes.len()).map(|at| random(at).to_le_bytes()[0]).collect(),
        };
        Patch::Bytes(self.place, damaged)
    }

    /// A line for a worker, and for whoever wants to see a case again.
    #[must_use]
    pub fn line(&self) -> String {
        format!("{} {} {}", self.kind.name(), self.place, self.file)
    }

    /// What a [`Case::line`] says.
    ///
    /// # Errors
    /// If it is none.
    pub fn parse(line: &str) -> Result<Self> {
        let mut words = line.splitn(3, ' ');
        let kind = words.next().and_then(|name| Kind::ALL.into_iter().find(|kind| kind.name() == name));
        let place = words.next().and_then(|word| word.parse().ok());
        match (kind, place, words.next()) {
            (Some(kind), Some(place), Some(file)) => Ok(Self { file: file.into(), kind, place }),
            _ => Err(format!("no case: {line}").into()),
        }
    }
}

/// At most `cases` cases of one kind, spread over the places of these files.
#[must_use]
pub fn plan(image: &Image, files: &[&str], kind: Kind, cases: usize, seed: u64) -> Vec<Case> {
    let places: Vec<_> =
        files.iter().flat_map(|name| places(&image.files[*name], kind).map(move |place| (*name, place))).collect();
    let count = places.len().min(cases);
    // A place of each stretch: strides that never change would meet the same byte of every record.
    let stretch = |number: usize| number * places.len() / count;
    (0..count)
        .map(|number| {
            let (from, to) = (stretch(number), stretch(number + 1));
            let (file, place) = places[from + below(to - from, mix(seed, number as u64))];
            Case { file: file.into(), kind, place }
        })
        .collect()
}

/// A number below a length.
#[expect(clippy::cast_possible_truncation, reason = "what is left of it is as random")]
fn below(len: usize, random: u64) -> usize {
    random as usize % len
}

fn places(file: &File, kind: Kind) -> impl Iterator<Item = usize> {
    let bytes = file.used();
    let blocks = (0..bytes.len()).step_by(BLOCK_LEN);
    let hit = blocks.filter(move |at| kind == Kind::Truncated || file.is_written(at / BLOCK_LEN));
    hit.flat_map(move |at| (at..bytes.len().min(at + BLOCK_LEN)).step_by(kind.unit()))
        .filter(move |place| kind.changes(&bytes[*place..bytes.len().min(place + kind.unit())]))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{Case, Kind, Patch, plan};
    use crate::image::{File, Image};

    fn image() -> Image {
        let mut bytes = vec![0; 40_000];
        bytes[..5000].fill(7); // blocks 0 and 1
        bytes[20_000] = 0xFF; // block 4
        Image { files: [("log".to_owned(), File::new(bytes, 0o600))].into(), ..Image::default() }
    }

    #[test]
    fn every_place_that_was_written_and_would_change_is_hit_once() {
        let image = image();
        let count = |kind| {
            let cases = plan(&image, &["log"], kind, usize::MAX, 1);
            let places: BTreeSet<_> = cases.iter().map(|case| case.place).collect();
            assert_eq!(places.len(), cases.len());
            for case in cases {
                let file = &image.files["log"];
                match case.patch(file, 1) {
                    Patch::Bytes(at, bytes) => assert_ne!(bytes, file.bytes()[at..at + bytes.len()], "{}", case.line()),
                    Patch::Len(len) => assert!(len <= 20_000),
                }
                assert_eq!(Case::parse(&case.line()).unwrap(), case);
            }
            places.len()
        };
        assert_eq!(count(Kind::Inverted), 8192 + 20_001 - 16_384);
        assert_eq!(count(Kind::Cleared), 5001);
        assert_eq!(count(Kind::Filled), 8192 + 20_000 - 16_384);
        assert_eq!(count(Kind::Sector), 10 + 1);
        assert_eq!(count(Kind::Page), 3);
        assert_eq!(count(Kind::Truncated), 20_001);
    }

    #[test]
    fn fewer_cases_are_spread_and_follow_the_seed() {
        let image = image();
        let cases = plan(&image, &["log"], Kind::Truncated, 100, 1);
        assert_eq!(cases.len(), 100);
        assert!(
            cases.iter().enumerate().all(|(number, case)| case.place / 201 <= number + 1 && number <= case.place / 199)
        );
        assert_eq!(cases, plan(&image, &["log"], Kind::Truncated, 100, 1));
        assert_ne!(cases, plan(&image, &["log"], Kind::Truncated, 100, 2));
    }
}
