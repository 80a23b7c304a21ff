//! How long it takes until a store that was closed has found a first token, with its files in the page cache.
//!
//! Opening alone would flatter stores that put off work until they are asked something.

use std::path::PathBuf;
use std::time::Instant;

use super::rounds::{Subject, medians};
use super::stores::{Engine, Way};
use super::work::By;
use crate::Result;

/// Milliseconds of each.
pub(crate) fn open(
    closed: &[(&'static dyn Engine, PathBuf)],
    tokens: u64,
    rounds: usize,
) -> Result<Vec<(String, f64)>> {
    let key = By::RefreshToken.value(tokens / 2);
    let subjects = closed.iter().map(|(engine, directory)| {
        let key = &key;
        Subject::new(engine.title(), move || {
            let start = Instant::now();
            let store = engine.open(directory)?;
            let is_found = store.reader(Way::Owned)?.find(By::RefreshToken, key)?;
            let time = start.elapsed();
            if is_found { Ok(time.as_secs_f64() * 1e3) } else { Err("a token is gone".into()) }
        })
    });
    medians(rounds, subjects.collect())
}
