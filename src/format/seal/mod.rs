//! Sealed logs: what hides the contents of operations, and chains frames so that without the key nothing can be forged,
//! dropped, repeated or put elsewhere. FORMAT.md, "Sealed stores".
//!
//! Without the feature `encryption` there are no keys: such a log can be framed, and not read.

#[cfg(feature = "encryption")]
mod cipher;
#[cfg(feature = "encryption")]
mod envelope;
#[cfg(feature = "encryption")]
mod keys;
#[cfg(not(feature = "encryption"))]
mod none;

use std::sync::Arc;

#[cfg(feature = "encryption")]
pub(crate) use self::envelope::{OUTER_KEY_LEN, OpenError, key_id, open, seal};
#[cfg(feature = "encryption")]
pub use self::keys::LogKeys;
#[cfg(not(feature = "encryption"))]
pub use self::none::LogKeys;
use super::Seed;

/// The cipher suite of a plain log.
pub const SUITE_PLAIN: u16 = 0;
/// XChaCha20-Poly1305, HMAC-SHA-256.
pub const SUITE_SEALED: u16 = 1;

/// Random bytes before a sealed content.
pub(crate) const NONCE_LEN: usize = 24;
/// Length of a tag, behind a sealed content and at the end of a sealed frame.
pub const TAG_LEN: usize = 16;
/// Length of what ends a sealed frame: the tag that it follows, and its own, so that it can be told by itself to be genuine.
pub const TRAILER_LEN: usize = 2 * TAG_LEN;
/// How much longer sealing makes a content.
pub(crate) const CONTENT_LEN_MORE: u32 = 40;

/// Proves that a holder of the key wrote something.
pub type Tag = [u8; TAG_LEN];
/// Never used twice with the same key.
pub(crate) type Nonce = [u8; NONCE_LEN];

/// How the frames of one log are written and read.
#[derive(Clone, Debug)]
pub struct Codec {
    /// What checksums start from.
    pub seed: Seed,
    /// How contents are written.
    pub contents: Contents,
}

/// How the contents of a log's operations are written.
#[derive(Clone, Debug)]
pub enum Contents {
    /// As they are.
    Plain,
    /// Sealed with these keys.
    Sealed(Arc<LogKeys>),
    /// Sealed, and the keys are not known: frames can be checked, and not read.
    Locked,
}

impl Codec {
    /// How much longer than its record an operation's content is.
    pub(crate) fn content_len_more(&self) -> u32 {
        if matches!(self.contents, Contents::Plain) { 0 } else { CONTENT_LEN_MORE }
    }

    /// Length of what ends a frame.
    pub(crate) fn trailer_len(&self) -> usize {
        if matches!(self.contents, Contents::Plain) { 0 } else { TRAILER_LEN }
    }
}

impl From<Seed> for Codec {
    /// Of a plain log.
    fn from(seed: Seed) -> Self {
        Self { seed, contents: Contents::Plain }
    }
}
