//! Where and how a log is damaged: every way that the fault model knows, in one numbered list for each kind.

use crate::sim::next_random;

use super::canonical::Canonical;

/// One way to damage a log.
#[derive(Clone, Debug)]
pub(crate) enum Damage {
    /// A bit of a byte.
    Bit(usize, u8),
    /// A whole byte.
    Byte(usize, u8),
    /// A sector that is zeros, or bytes from a seed,
    Zeros {
        start: usize,
        len: usize,
    },
    Garbage {
        start: usize,
        len: usize,
        seed: u64,
    },
    /// or what it was earlier,
    Stale {
        start: usize,
        len: usize,
        older: usize,
    },
    /// or what stands in another sector,
    Duplicate {
        start: usize,
        len: usize,
        of: usize,
    },
    /// which then has what stood here.
    Swap {
        start: usize,
        len: usize,
        with: usize,
    },
    /// The file ends here.
    Cut(usize),
    /// Two places at once.
    Two(Box<[Damage; 2]>),
}

/// The kinds, by which a sweep is shared out: all places of the rare ones, a sample of the frequent ones.
pub(crate) const KINDS: [&str; 8] = ["cut", "zeros", "garbage", "stale", "duplicate", "swap", "byte", "bit"];

const SECTOR_LENS: [usize; 2] = [512, 4096];

/// All damages of a kind.
pub(crate) fn all(canonical: &Canonical, kind: &str) -> Vec<Damage> {
    let len = canonical.log.len();
    let sectors = || SECTOR_LENS.into_iter().flat_map(|size| (0..len).step_by(size).map(move |start| (start, size)));
    let others = |start: usize, size: usize| (0..len).step_by(size).filter(move |other| *other != start);
    match kind {
        "bit" => (0..len).flat_map(|at| (0..8).map(move |bit| Damage::Bit(at, bit))).collect(),
        "byte" => (0..len).flat_map(|at| [0x00, 0xFF].map(|byte| Damage::Byte(at, byte))).collect(),
        "cut" => (0..len).map(Damage::Cut).collect(),
        "zeros" => sectors().map(|(start, len)| Damage::Zeros { start, len }).collect(),
        "garbage" => {
            let garbage = |(start, len)| (0..4).map(move |seed| Damage::Garbage { start, len, seed });
            sectors().flat_map(garbage).collect()
        }
        "stale" => {
            let stale = |(start, len)| (0..canonical.older.len()).map(move |older| Damage::Stale { start, len, older });
            sectors().flat_map(stale).collect()
        }
        "duplicate" => {
            let duplicate = |(start, len)| others(start, len).map(move |of| Damage::Duplicate { start, len, of });
            sectors().flat_map(duplicate).collect()
        }
        "swap" => {
            let swap = |(start, len)| {
                others(start, len).filter(move |with| *with > start).map(move |with| Damage::Swap { start, len, with })
            };
            sectors().flat_map(swap).collect()
        }
        _ => unreachable!("{kind} is no kind"),
    }
}

/// Two places, drawn.
pub(crate) fn two(canonical: &Canonical, random: &mut u64) -> Damage {
    let len = canonical.log.len();
    let below = |limit: usize, random: &mut u64| usize::try_from(next_random(random)).unwrap_or(0) % limit;
    let mut one = || {
        let size = SECTOR_LENS[below(2, random)];
        let start = below(len.div_ceil(size), random) * size;
        match below(6, random) {
            0 => Damage::Zeros { start, len: size },
            1 => Damage::Garbage { start, len: size, seed: next_random(random) },
            2 => Damage::Stale { start, len: size, older: below(canonical.older.len(), random) },
            3 => Damage::Byte(below(len, random), 0xFF),
            _ => Damage::Bit(below(len, random), next_random(random).to_le_bytes()[0] % 8),
        }
    };
    Damage::Two(Box::new([one(), one()]))
}

impl Damage {
    /// The log with it.
    pub(crate) fn apply(&self, canonical: &Canonical) -> Vec<u8> {
        let mut log = canonical.log.clone();
        self.change(canonical, &mut log);
        log
    }

    fn change(&self, canonical: &Canonical, log: &mut Vec<u8>) {
        let whole = log.len();
        let range = |start: usize, len: usize| start.min(whole)..(start + len).min(whole);
        match *self {
            Self::Bit(at, bit) => log[at] ^= 1 << bit,
            Self::Byte(at, byte) => log[at] = byte,
            Self::Zeros { start, len } => log[range(start, len)].fill(0),
            Self::Garbage { start, len, mut seed } => {
                log[range(start, len)].fill_with(|| next_random(&mut seed).to_le_bytes()[3]);
            }
            Self::Stale { start, len, older } => {
                let range = range(start, len);
                log[range.clone()].copy_from_slice(&canonical.older[older][range]);
            }
            Self::Duplicate { start, len, of } => {
                let sector = canonical.log[range(of, len)].to_vec();
                let sector = &sector[..sector.len().min(whole - start)];
                log[start..start + sector.len()].copy_from_slice(sector);
            }
            Self::Swap { start, len, with } => {
                let len = len.min(whole - with);
                log[start..start + len].copy_from_slice(&canonical.log[with..with + len]);
                log[with..with + len].copy_from_slice(&canonical.log[start..start + len]);
            }
            Self::Cut(len) => log.truncate(len),
            Self::Two(ref both) => both.iter().for_each(|one| one.change(canonical, log)),
        }
    }
}
