//! How long a find takes, and what a second reader adds.

use std::sync::Barrier;
use std::thread;
use std::time::Duration;

use super::Plan;
use super::rounds::{Keys, Subject, medians};
use super::stock::{Item, Stock};
use super::stores::{Way, titled};
use super::work::{By, absent, present};
use crate::Result;

/// Engines whose readers are counted by two.
const SHARED: [&str; 3] = ["tokcask", "LMDB", "map"];

/// Mean nanoseconds of a find by `by`, for each engine and each of its ways.
pub(crate) fn find(stock: &Stock, by: By, are_present: bool, plan: &Plan, seed: u64) -> Result<Vec<(String, f64)>> {
    let values = if are_present { present(by, stock.tokens, plan.keys, seed) } else { absent(by, plan.keys, seed) };
    let mut subjects = Vec::new();
    for item in &stock.items {
        // Caches of an engine's own are empty after a load, and a service runs for longer than our rounds.
        let mut reader = item.store.reader(Way::Owned)?;
        Keys::new(by, &values, are_present).warm_up(reader.as_mut(), plan.warm_up)?;
        for way in item.engine.ways() {
            let mut keys = Keys::new(by, &values, are_present);
            subjects.push(Subject::new(titled(item.engine.title(), *way), move || {
                // A reader for each slice: a thread can have only one read transaction of LMDB at a time.
                let mut reader = item.store.reader(*way)?;
                let (found, time) = keys.find_for(reader.as_mut(), plan.find_slice)?;
                Ok(time.as_secs_f64() * 1e9 / f64::from(found))
            }));
        }
    }
    medians(plan.find_rounds, subjects)
}

/// Finds a second by refresh token of one and of two threads, each as far as it comes.
pub(crate) fn readers(stock: &Stock, plan: &Plan, seed: u64) -> Result<[Vec<(String, f64)>; 2]> {
    let values = present(By::RefreshToken, stock.tokens, plan.keys, seed);
    let items: Vec<_> = stock.items.iter().filter(|item| SHARED.contains(&item.engine.title())).collect();
    let (mut alone, mut together) = (Vec::new(), Vec::new());
    for item in &items {
        for (threads, subjects) in [(1, &mut alone), (2, &mut together)] {
            let values = &values;
            let run = move || throughput(item, values, threads, plan.reader_slice);
            subjects.push(Subject::new(item.engine.title(), run));
        }
    }
    // One and two of the same engine take turns, too.
    let both = alone.into_iter().zip(together).flat_map(|(one, two)| [one, two]).collect();
    let figures = medians(plan.find_rounds, both)?;
    let every_second = |from: usize| figures.iter().skip(from).step_by(2).cloned().collect();
    Ok([every_second(0), every_second(1)])
}

fn throughput(item: &Item, values: &[String], threads: usize, slice: Duration) -> Result<f64> {
    let barrier = Barrier::new(threads);
    let read = |number: usize| -> Result<f64> {
        let mut reader = item.store.reader(Way::Owned)?;
        // Not the same keys at the same time.
        let (before, after) = values.split_at(number * values.len() / threads);
        let values = [after, before].concat();
        let mut keys = Keys::new(By::RefreshToken, &values, true);
        barrier.wait();
        let (found, time) = keys.find_for(reader.as_mut(), slice)?;
        Ok(f64::from(found) / time.as_secs_f64())
    };
    thread::scope(|scope| {
        let threads: Vec<_> = (0..threads).map(|number| scope.spawn(move || read(number))).collect();
        threads.into_iter().map(|thread| thread.join().map_err(|_| "a reader panicked")?).sum()
    })
}
