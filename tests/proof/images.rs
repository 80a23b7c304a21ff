//! The machines that a power loss can leave at one moment: all of them where few parts are pending, else a sample.

use super::sim::{Fate, Part, Sim, next_random};

/// Up to so many parts that differ, every subset of them is tried: ten sectors, a name, a length.
const EXHAUSTIVE_PARTS_MAX: usize = 12;
/// Beyond, so many drawn ones.
const SAMPLES: usize = 64;
/// Parts that differ are each damaged alone; of those that do not (zeros over zeros), so many.
const SAME_PARTS_MAX: usize = 3;

/// Whether [`all_fates`] has every subset.
pub(crate) fn is_exhaustive(parts: &[Part]) -> bool {
    parts.iter().filter(|part| part.differs).count() <= EXHAUSTIVE_PARTS_MAX
}

/// Fates of the pending parts, drawn.
pub(crate) fn some_fates(machine: &Sim, parts: &[Part], random: &mut u64) -> Vec<Vec<Fate>> {
    (0..SAMPLES).map(|_| parts.iter().map(|part| machine.random_fate(part, random)).collect()).collect()
}

/// Every fate of the pending parts that is to be tried.
pub(crate) fn all_fates(machine: &Sim, parts: &[Part], random: &mut u64) -> Vec<Vec<Fate>> {
    let differing: Vec<_> = (0..parts.len()).filter(|number| parts[*number].differs).collect();
    let mut all = Vec::new();
    if is_exhaustive(parts) {
        for subset in 0..1_u32 << differing.len() {
            let mut fates = vec![Fate::New; parts.len()];
            for (bit, number) in differing.iter().enumerate() {
                fates[*number] = if subset & (1 << bit) == 0 { Fate::Old } else { Fate::New };
            }
            all.push(fates);
        }
    } else {
        all.push(vec![Fate::Old; parts.len()]);
        all.push(vec![Fate::New; parts.len()]);
        for _ in 0..SAMPLES {
            all.push(parts.iter().map(|part| old_or_new(part, random)).collect());
            all.push(parts.iter().map(|part| machine.random_fate(part, random)).collect());
        }
    }
    for number in alone(parts, random) {
        for fate in [Fate::Zero, Fate::Garbage(next_random(random)), Fate::Shorn, Fate::First(1)] {
            for others in [Fate::Old, Fate::New] {
                let mut fates = vec![others; parts.len()];
                fates[number] = fate;
                all.push(fates);
            }
        }
    }
    all
}

fn old_or_new(part: &Part, random: &mut u64) -> Fate {
    if part.differs && next_random(random).is_multiple_of(2) { Fate::Old } else { Fate::New }
}

/// The sectors that are damaged each by itself.
fn alone(parts: &[Part], random: &mut u64) -> Vec<usize> {
    let sectors = (0..parts.len()).filter(|number| parts[*number].is_sector());
    let (mut chosen, same): (Vec<_>, Vec<_>) = sectors.partition(|number| parts[*number].differs);
    if same.len() <= SAME_PARTS_MAX {
        chosen.extend(same);
    } else {
        let middle = usize::try_from(next_random(random)).unwrap_or(0) % same.len();
        chosen.extend([same[0], same[middle], same[same.len() - 1]]);
    }
    chosen
}
