//! Wiping secrets from memory at the speed of a copy.

/// Zeros that the compiler may not leave out.
///
/// `Zeroize` for bytes stores them one by one, which for a token takes longer than the whole find that made it.
pub(crate) fn wipe(bytes: &mut [u8]) {
    bytes.fill(0);
    zeroize::optimization_barrier(bytes);
}
