//! What a power loss leaves: the durable bytes, and of the pending writes whatever the dice say.

use super::{Folder, Inode, Sim, World, next_random};

const SECTOR: usize = 512;

/// How pending bytes come out of a power loss.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Damage {
    /// None of them arrived.
    Old,
    /// All of them did.
    New,
    /// Each sector and each name for itself.
    Mixed,
}

impl Sim {
    /// The machine after a power loss. The same seed gives the same machine.
    pub(crate) fn power_loss(&self, damage: Damage, seed: u64) -> Self {
        let mut random = seed;
        let world = self.world();
        let mut after = World {
            next_inode: world.next_inode,
            next_opening: world.next_opening,
            now_ms: world.now_ms,
            random: world.random,
            quota: world.quota,
            ..World::default()
        };
        let mut inodes: Vec<_> = world.files.keys().copied().collect();
        inodes.sort_unstable();
        for inode in inodes {
            let content = survive(&world.files[&inode], damage, &mut random);
            after.files.insert(inode, Inode { cache: content.clone(), durable: content, ..Inode::default() });
        }
        for (path, folder) in &world.directories {
            if !folder.durable && (damage == Damage::Old || damage == Damage::Mixed && flip(&mut random)) {
                continue;
            }
            let mut names = folder.durable_names.clone();
            for change in &folder.pending {
                if damage == Damage::Old || damage == Damage::Mixed && flip(&mut random) {
                    continue;
                }
                for (name, inode) in change {
                    match inode {
                        Some(inode) => drop(names.insert(name.clone(), *inode)),
                        None => drop(names.remove(name)),
                    }
                }
            }
            let durable_names = names.clone();
            after.directories.insert(path.clone(), Folder { durable: true, names, durable_names, pending: Vec::new() });
        }
        Self::of(after)
    }
}

fn survive(file: &Inode, damage: Damage, random: &mut u64) -> Vec<u8> {
    match damage {
        Damage::Old => return file.durable.clone(),
        Damage::New => {
            let mut content = file.durable.clone();
            for (offset, bytes) in &file.pending {
                let start = usize::try_from(*offset).unwrap();
                content.resize(content.len().max(start + bytes.len()), 0);
                content[start..start + bytes.len()].copy_from_slice(bytes);
            }
            return content;
        }
        Damage::Mixed => {}
    }
    let len_after = file.pending.iter().map(|(offset, bytes)| usize::try_from(*offset).unwrap() + bytes.len()).max();
    let len_after = len_after.unwrap_or(0).max(file.durable.len());
    let mut content = file.durable.clone();
    content.resize(len_after, 0);
    // Each sector takes the writes up to some moment, then may be damaged where they wrote.
    let mut sectors = std::collections::BTreeMap::<usize, Vec<usize>>::new();
    for (number, (offset, bytes)) in file.pending.iter().enumerate() {
        let start = usize::try_from(*offset).unwrap();
        for sector in start / SECTOR..=(start + bytes.len() - 1) / SECTOR {
            sectors.entry(sector).or_default().push(number);
        }
    }
    for (sector, writes) in sectors {
        let (sector_start, sector_end) = (sector * SECTOR, (sector + 1) * SECTOR);
        let fate = next_random(random) % 8;
        let arrived = match fate {
            0 | 1 => 0,
            2 => usize::try_from(next_random(random)).unwrap_or(0) % (writes.len() + 1),
            _ => writes.len(),
        };
        for (place, number) in writes.iter().enumerate() {
            let (offset, bytes) = &file.pending[*number];
            let offset = usize::try_from(*offset).unwrap();
            let (start, end) = (offset.max(sector_start), (offset + bytes.len()).min(sector_end));
            if place < arrived {
                content[start..end].copy_from_slice(&bytes[start - offset..end - offset]);
            }
            match fate {
                4 => content[start..end].fill(0),
                5 => content[start..end].iter_mut().for_each(|byte| *byte = next_random(random).to_le_bytes()[5]),
                // Shorn: the front arrived, the rest is as it was.
                6 => {
                    let middle = start + (end - start) / 2;
                    for (at, byte) in (middle..end).zip(&mut content[middle..end]) {
                        *byte = file.durable.get(at).copied().unwrap_or(0);
                    }
                }
                _ => {}
            }
        }
    }
    if len_after > file.durable.len() && flip(random) {
        let cut = file.durable.len()
            + usize::try_from(next_random(random)).unwrap_or(0) % (len_after - file.durable.len() + 1);
        content.truncate(if flip(random) { file.durable.len() } else { cut });
    }
    content
}

fn flip(random: &mut u64) -> bool {
    next_random(random).is_multiple_of(2)
}
