//! Numbers that look random and are the same for the same seed: no more is asked of them.

/// `SplitMix64`'s step: each input has an output of its own, and neighbours have nothing in common.
#[must_use]
pub fn mix(seed: u64, number: u64) -> u64 {
    let mut word = seed.wrapping_add(number.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
    word = (word ^ (word >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    word ^ (word >> 31)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    #[test]
    fn seeds_and_numbers_give_different_words() {
        let words: BTreeSet<_> = (0..10_000).map(|number| super::mix(number % 10, number)).collect();
        assert_eq!(words.len(), 10_000);
    }
}
