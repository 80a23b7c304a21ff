//! What the benches have in common: tokens that look real, a filled store on a real disk, keys in no order.
//!
//! The same tokens and the same order at every run; only the store's own hash keys and salts differ.

#![allow(dead_code, reason = "each bench uses a part")]

pub(crate) mod args;

use std::error::Error;
use std::path::Path;

use tempfile::TempDir;
use tokcask::{Key, LogStore, Token};

const SEED: u64 = 20_261_121;
const BATCH_LEN: u64 = 10_000;
const FIRST_EXPIRY_MS: u64 = 1_795_000_000_000;

/// Numbers that look random, always the same.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new() -> Self {
        Self(SEED)
    }

    /// `SplitMix64`: small, and the same everywhere.
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
}

/// The values that a row can be found by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Column {
    Id,
    UserName,
    AccessToken,
    RefreshToken,
    GrantToken,
}

impl Column {
    pub(crate) const ALL: [Self; 5] =
        [Self::Id, Self::UserName, Self::AccessToken, Self::RefreshToken, Self::GrantToken];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Id => "id",
            Self::UserName => "user_name",
            Self::AccessToken => "access_token",
            Self::RefreshToken => "refresh_token",
            Self::GrantToken => "grant_token",
        }
    }

    pub(crate) fn key(self, value: &str) -> Key<'_> {
        match self {
            Self::Id => Key::Id(value),
            Self::UserName => Key::UserName(value),
            Self::AccessToken => Key::AccessToken(value),
            Self::RefreshToken => Key::RefreshToken(value),
            Self::GrantToken => Key::GrantToken(value),
        }
    }

    /// What this column holds in the token with this number, from 0, of a store that [`fill`] filled.
    pub(crate) fn value(self, number: u64) -> String {
        match self {
            Self::Id => (number + 1).to_string(),
            Self::UserName => format!("user-{number:07}@example.com"),
            Self::AccessToken => secret(number, "access"),
            Self::RefreshToken => secret(number, "refresh"),
            Self::GrantToken => secret(number, "grant"),
        }
    }
}

/// A token with ten columns and about 400 bytes, once the store has given it its id.
pub(crate) fn token(number: u64) -> Token {
    let of = |column: Column| column.value(number);
    Token::builder()
        .user_name(of(Column::UserName))
        .client_id("1000.FAKECLIENTFAKECLIENTFAKECLIENT0")
        .client_secret("fakesecretfakesecretfakesecretfakesecret00")
        .refresh_token(of(Column::RefreshToken))
        .access_token(of(Column::AccessToken))
        .grant_token(of(Column::GrantToken))
        .expiry_time((FIRST_EXPIRY_MS + number).to_string())
        .redirect_url("https://service.example.com/oauth/callback")
        .api_domain("https://www.zohoapis.com")
        .build()
}

/// As long as the real ones, and no two alike.
fn secret(number: u64, kind: &str) -> String {
    let mut random = Random(SEED ^ (number << 8) ^ kind.len() as u64);
    let [first, second, third, fourth] = std::array::from_fn(|_| random.next());
    format!("1000.{first:016x}{second:016x}.{third:016x}{fourth:08x}", fourth = fourth >> 32)
}

/// Saves `count` tokens of `make`, in batches.
pub(crate) fn fill(store: &LogStore, count: u64, make: impl Fn(u64) -> Token) -> tokcask::Result<()> {
    for start in (0..count).step_by(usize::try_from(BATCH_LEN).expect("a small number")) {
        let batch: Vec<_> = (start..count.min(start + BATCH_LEN)).map(&make).collect();
        store.save_tokens(&batch)?;
    }
    Ok(())
}

/// Values of a column that are in a store of `stored` tokens, in no order; some come again, others never.
pub(crate) fn keys(column: Column, stored: u64, count: usize) -> Vec<String> {
    let mut random = Random::new();
    (0..count).map(|_| column.value(random.below(stored))).collect()
}

/// A directory below `target`: a place in memory would make every sync free.
///
/// # Errors
/// If it lies in memory all the same.
pub(crate) fn temp_dir() -> Result<TempDir, Box<dyn Error>> {
    let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    if is_in_memory(directory.path())? {
        return Err(format!("{} is in memory; set CARGO_TARGET_DIR to a disk", directory.path().display()).into());
    }
    Ok(directory)
}

#[cfg(target_os = "linux")]
fn is_in_memory(path: &Path) -> Result<bool, Box<dyn Error>> {
    const TMPFS_MAGIC: rustix::fs::FsWord = 0x0102_1994;
    Ok(rustix::fs::statfs(path)?.f_type == TMPFS_MAGIC)
}

#[cfg(not(target_os = "linux"))]
fn is_in_memory(_path: &Path) -> Result<bool, Box<dyn Error>> {
    Ok(false)
}
