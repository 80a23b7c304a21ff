//! Rounds: every subject in turn, several times over, and the median of what each came to.
//!
//! A machine that is slower for a while is slower for all of them then, and one bad moment is no figure.

use std::time::{Duration, Instant};

use super::stores::Reader;
use super::work::By;
use crate::Result;

/// Finds between two looks at the clock.
const BATCH: u32 = 256;

/// Something that is measured again and again.
pub(crate) struct Subject<'a> {
    pub(crate) name: String,
    pub(crate) run: Box<dyn FnMut() -> Result<f64> + 'a>,
}

impl<'a> Subject<'a> {
    pub(crate) fn new(name: impl Into<String>, run: impl FnMut() -> Result<f64> + 'a) -> Self {
        Self { name: name.into(), run: Box::new(run) }
    }
}

/// The median of each, under its name.
pub(crate) fn medians(rounds: usize, mut subjects: Vec<Subject<'_>>) -> Result<Vec<(String, f64)>> {
    let mut figures = vec![Vec::with_capacity(rounds); subjects.len()];
    for round in 0..rounds {
        for turn in 0..subjects.len() {
            // Nobody always comes after the same one, whose rows are in the caches.
            let at = if round % 2 == 0 { turn } else { subjects.len() - 1 - turn };
            let Subject { name, run } = &mut subjects[at];
            figures[at].push(run().map_err(|error| format!("{name}: {error}"))?);
        }
    }
    Ok(subjects.into_iter().map(|subject| subject.name).zip(figures.into_iter().map(median)).collect())
}

/// Of some figures, the one in the middle.
pub(crate) fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_unstable_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Keys that are looked up one after the other, and again from the first.
#[derive(Clone)]
pub(crate) struct Keys<'a> {
    pub(crate) by: By,
    pub(crate) values: &'a [String],
    /// Whether the stores have them.
    pub(crate) are_present: bool,
    next: usize,
}

impl<'a> Keys<'a> {
    pub(crate) fn new(by: By, values: &'a [String], are_present: bool) -> Self {
        Self { by, values, are_present, next: 0 }
    }

    /// Finds one batch of them.
    fn find(&mut self, reader: &mut dyn Reader) -> Result<()> {
        for _ in 0..BATCH {
            let value = &self.values[self.next];
            self.next = (self.next + 1) % self.values.len();
            if reader.find(self.by, value)? != self.are_present {
                return Err(format!("a find by {:?} went wrong", self.by).into());
            }
        }
        Ok(())
    }

    /// Finds each of them once, but for no longer than that.
    pub(crate) fn warm_up(&mut self, reader: &mut dyn Reader, limit: Duration) -> Result<()> {
        let start = Instant::now();
        for _ in 0..self.values.len().div_ceil(BATCH as usize) {
            if start.elapsed() > limit {
                break;
            }
            self.find(reader)?;
        }
        Ok(())
    }

    /// Finds for as long as that; returns how many, and in which time. The first batch is not counted: it brings the
    /// reader's own code and pages back into the caches.
    pub(crate) fn find_for(&mut self, reader: &mut dyn Reader, slice: Duration) -> Result<(u32, Duration)> {
        self.find(reader)?;
        let start = Instant::now();
        let mut found = 0;
        loop {
            self.find(reader)?;
            found += BATCH;
            let time = start.elapsed();
            if time >= slice {
                return Ok((found, time));
            }
        }
    }
}
