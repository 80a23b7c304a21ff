//! What a power loss leaves: the durable bytes, and of what was pending whatever is decided, part by part.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use super::{Folder, Inode, Sim, World, next_random};

const SECTOR: usize = 512;

/// How everything that is pending comes out of a power loss.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Damage {
    /// None of it arrived.
    Old,
    /// All of it did.
    New,
    /// Each part for itself.
    Mixed,
}

/// Something pending that a power loss decides by itself.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    what: What,
    /// Whether it makes a difference if this arrives.
    pub(crate) differs: bool,
}

#[derive(Clone, Debug)]
enum What {
    /// A sector of a file, and the numbers of the writes into it.
    Sector { inode: u64, start: usize, writes: Vec<usize> },
    /// That a file has grown.
    Length { inode: u64, new: usize },
    /// A creation, rename or removal.
    Name { directory: PathBuf, change: usize },
    /// The name of a directory.
    Directory(PathBuf),
}

/// What becomes of a part. Of names and lengths only the first two are meant; what is neither counts as new.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// Nothing of it arrived.
    Old,
    /// All of it did.
    New,
    /// So many of a sector's writes did, or so many bytes of a length.
    First(usize),
    /// Where a sector was written there are zeros,
    Zero,
    /// or bytes drawn from this seed,
    Garbage(u64),
    /// or what was written in front, and what was there behind.
    Shorn,
}

impl Part {
    pub(crate) fn is_sector(&self) -> bool {
        matches!(self.what, What::Sector { .. })
    }
}

impl Sim {
    /// The machine after a power loss. The same seed gives the same machine.
    pub(crate) fn power_loss(&self, damage: Damage, seed: u64) -> Self {
        let parts = self.pending();
        let mut random = seed;
        let fates = parts.iter().map(|part| match damage {
            Damage::Old => Fate::Old,
            Damage::New => Fate::New,
            Damage::Mixed => self.random_fate(part, &mut random),
        });
        let fates: Vec<_> = fates.collect();
        self.after_power_loss(&parts, &fates)
    }

    /// Everything that is pending, in parts that may arrive or not independently of each other.
    pub(crate) fn pending(&self) -> Vec<Part> {
        let world = self.world();
        let mut parts = Vec::new();
        let mut inodes: Vec<_> = world.files.keys().copied().collect();
        inodes.sort_unstable();
        for inode in inodes {
            world.files[&inode].pending_parts(inode, &mut parts);
        }
        for (path, folder) in &world.directories {
            let changes = (0..folder.pending.len()).map(|change| What::Name { directory: path.clone(), change });
            let itself = (!folder.durable).then(|| What::Directory(path.clone()));
            parts.extend(changes.chain(itself).map(|what| Part { what, differs: true }));
        }
        parts
    }

    /// A fate as a power loss might deal it out.
    pub(crate) fn random_fate(&self, part: &Part, random: &mut u64) -> Fate {
        let below = |limit: usize, random: &mut u64| usize::try_from(next_random(random)).unwrap_or(0) % limit;
        match &part.what {
            What::Name { .. } | What::Directory(_) => [Fate::Old, Fate::New][below(2, random)],
            What::Length { inode, new } => {
                let old = self.world().files[inode].durable.len();
                match below(4, random) {
                    0 => Fate::Old,
                    1 => Fate::First(old + below(new - old + 1, random)),
                    _ => Fate::New,
                }
            }
            What::Sector { writes, .. } => match below(8, random) {
                0 | 1 => Fate::Old,
                2 => Fate::First(below(writes.len() + 1, random)),
                4 => Fate::Zero,
                5 => Fate::Garbage(next_random(random)),
                6 => Fate::Shorn,
                _ => Fate::New,
            },
        }
    }

    /// The machine after a power loss that dealt with each of its pending parts like this.
    pub(crate) fn after_power_loss(&self, parts: &[Part], fates: &[Fate]) -> Self {
        let world = self.world();
        let mut after = World {
            next_inode: world.next_inode,
            next_opening: world.next_opening,
            now_ms: world.now_ms,
            random: world.random,
            quota: world.quota,
            network_kind: world.network_kind,
            lie: world.lie,
            is_encrypted: world.is_encrypted,
            ..World::default()
        };
        let mut contents: BTreeMap<u64, Arc<Vec<u8>>> =
            world.files.iter().map(|(inode, file)| (*inode, file.durable.clone())).collect();
        after.directories.clone_from(&world.directories);
        for folder in after.directories.values_mut() {
            folder.names.clone_from(&folder.durable_names);
        }
        let mut lengths = Vec::new();
        for (part, fate) in parts.iter().zip(fates) {
            match &part.what {
                What::Sector { inode, start, writes } => {
                    let file = &world.files[inode];
                    file.settle(
                        Arc::make_mut(contents.get_mut(inode).expect("of this machine")),
                        *start,
                        writes,
                        *fate,
                    );
                }
                What::Length { inode, new } => lengths.push((*inode, *new, *fate)),
                What::Name { directory, change } if *fate != Fate::Old => {
                    if let Some(folder) = after.directories.get_mut(directory) {
                        apply(folder, &world.directories[directory].pending[*change]);
                    }
                }
                What::Directory(path) if *fate == Fate::Old => drop(after.directories.remove(path)),
                What::Name { .. } | What::Directory(_) => {}
            }
        }
        for (inode, new, fate) in lengths {
            let content = Arc::make_mut(contents.get_mut(&inode).expect("of this machine"));
            match fate {
                Fate::Old => content.truncate(world.files[&inode].durable.len()),
                Fate::First(len) => content.resize(len, 0),
                _ => content.resize(new, 0),
            }
        }
        for folder in after.directories.values_mut() {
            folder.durable_names.clone_from(&folder.names);
            folder.pending.clear();
            folder.durable = true;
        }
        let file = |content: Arc<Vec<u8>>| Inode { cache: content.clone(), durable: content, ..Inode::default() };
        after.files = contents.into_iter().map(|(inode, content)| (inode, file(content))).collect();
        Self::of(after)
    }
}

fn apply(folder: &mut Folder, change: &[(String, Option<u64>)]) {
    for (name, inode) in change {
        match inode {
            Some(inode) => drop(folder.names.insert(name.clone(), *inode)),
            None => drop(folder.names.remove(name)),
        }
    }
}

impl Inode {
    fn pending_parts(&self, inode: u64, parts: &mut Vec<Part>) {
        let mut sectors = BTreeMap::<usize, Vec<usize>>::new();
        for (number, (offset, bytes)) in self.pending.iter().enumerate() {
            let start = usize::try_from(*offset).unwrap();
            for sector in start / SECTOR..=(start + bytes.len() - 1) / SECTOR {
                sectors.entry(sector * SECTOR).or_default().push(number);
            }
        }
        for (start, writes) in sectors {
            let differs = writes.iter().any(|number| {
                let (at, bytes) = self.overlap(*number, start);
                bytes.iter().zip(at..).any(|(byte, at)| *byte != self.durable_byte(at))
            });
            parts.push(Part { what: What::Sector { inode, start, writes }, differs });
        }
        let end = |(offset, bytes): &(u64, Vec<u8>)| usize::try_from(*offset).unwrap() + bytes.len();
        let new = self.pending.iter().map(end).max().unwrap_or(0);
        if new > self.durable.len() {
            parts.push(Part { what: What::Length { inode, new }, differs: true });
        }
    }

    /// Where a write meets a sector, and its bytes there.
    fn overlap(&self, number: usize, sector: usize) -> (usize, &[u8]) {
        let (offset, bytes) = &self.pending[number];
        let offset = usize::try_from(*offset).unwrap();
        let (start, end) = (offset.max(sector), (offset + bytes.len()).min(sector + SECTOR));
        (start, &bytes[start - offset..end - offset])
    }

    fn durable_byte(&self, at: usize) -> u8 {
        self.durable.get(at).copied().unwrap_or(0)
    }

    /// Makes of a sector what its fate is. Nothing outside the writes changes.
    fn settle(&self, content: &mut Vec<u8>, sector: usize, writes: &[usize], fate: Fate) {
        let arrived = match fate {
            Fate::Old => return,
            Fate::First(count) => count,
            _ => writes.len(),
        };
        for (place, number) in writes.iter().enumerate() {
            let (start, bytes) = self.overlap(*number, sector);
            let end = start + bytes.len();
            if content.len() < end {
                content.resize(end, 0);
            }
            let range = &mut content[start..end];
            if place < arrived {
                range.copy_from_slice(bytes);
            }
            match fate {
                Fate::Zero => range.fill(0),
                Fate::Garbage(mut random) => range.fill_with(|| next_random(&mut random).to_le_bytes()[5]),
                Fate::Shorn => {
                    let middle = bytes.len() / 2;
                    for (byte, at) in range[middle..].iter_mut().zip(start + middle..) {
                        *byte = self.durable_byte(at);
                    }
                }
                Fate::Old | Fate::New | Fate::First(_) => {}
            }
        }
    }
}
