//! How many refreshed tokens a second are saved durably, by one thread and by 64, beside the two floors.
//!
//! With 64 threads an engine is used in two ways: each thread commits by itself, and each hands its token to one thread
//! that commits what has gathered. Each thread refreshes tokens of its own, in no order.

use std::path::Path;
use std::sync::Barrier;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Instant;

use super::Plan;
use super::floor::{Floor, SAVE_LEN};
use super::queue::Queue;
use super::rounds::{Subject, medians};
use super::stock::{Item, Stock};
use super::table::{OURS, Table};
use super::work;
use crate::Result;
use crate::random::mix;

/// The row of the floors.
pub(crate) const FLOOR: &str = "floor: 512 bytes and a sync";
pub(crate) const ONE: &str = "1 thread";
pub(crate) const MANY: &str = "64 threads";
pub(crate) const QUEUED: &str = "64 threads, one of them writes";
const THREADS: u64 = 64;

/// Versions of tokens: each save has one of its own, above all that were saved before.
static VERSION: AtomicU64 = AtomicU64::new(1000);

/// Fills a table of saves a second.
pub(crate) fn save(stock: &Stock, root: &Path, plan: &Plan, seed: u64) -> Result<Table> {
    let mut table = Table::new("durable saves of a refreshed token a second");
    let (mut bare, mut shared) = (Floor::new(&root.join("bare"))?, Floor::new(&root.join("shared"))?);
    let by_itself = |threads| {
        stock.items.iter().map(move |item| {
            Subject::new(item.engine.title(), move || {
                hammer(threads, plan, |thread| {
                    let (mut writer, mut tokens) = (item.store.writer()?, Tokens::new(stock, thread, threads, seed));
                    Ok(move || writer.refresh(&[tokens.next()]))
                })
            })
        })
    };
    let mut alone: Vec<_> = by_itself(1).collect();
    alone.push(Subject::new(FLOOR, || one_by_one(&mut bare, plan)));
    let mut queued: Vec<_> = stock
        .items
        .iter()
        .filter(|item| item.engine.title() != OURS)
        .map(|item| Subject::new(item.engine.title(), move || behind_queue(item, stock, plan, seed)))
        .collect();
    queued.push(Subject::new(FLOOR, || handed_over(&mut shared, plan)));
    table.set_all(ONE, medians(plan.save_rounds, alone)?);
    table.set_all(MANY, medians(plan.save_rounds, by_itself(THREADS).collect())?);
    table.set_all(QUEUED, medians(plan.save_rounds, queued)?);
    Ok(table)
}

/// The tokens that one thread refreshes, and no other: so engines without transactions need no lock for them.
struct Tokens {
    stored: u64,
    thread: u64,
    threads: u64,
    seed: u64,
    drawn: u64,
}

impl Tokens {
    fn new(stock: &Stock, thread: u64, threads: u64, seed: u64) -> Self {
        Self { stored: stock.tokens, thread, threads, seed, drawn: 0 }
    }

    fn next(&mut self) -> super::plain::PlainToken {
        let version = VERSION.fetch_add(1, Ordering::Relaxed);
        let draw = mix(self.seed ^ version, self.drawn) % (self.stored / self.threads).max(1);
        self.drawn += 1;
        work::token((draw * self.threads + self.thread) % self.stored, version)
    }
}

/// Calls a second of so many threads that do the same again and again.
fn hammer<T: FnMut() -> Result<()>>(threads: u64, plan: &Plan, start: impl Fn(u64) -> Result<T> + Sync) -> Result<f64> {
    let barrier = Barrier::new(usize::try_from(threads)?);
    let (start, barrier) = (&start, &barrier);
    let work = move |thread: u64| -> Result<f64> {
        let ready = start(thread);
        barrier.wait();
        let mut call = ready?;
        let (mut calls, start) = (0_u32, Instant::now());
        while start.elapsed() < plan.save_slice {
            call()?;
            calls += 1;
        }
        Ok(f64::from(calls) / start.elapsed().as_secs_f64())
    };
    thread::scope(|scope| {
        let threads: Vec<_> = (0..threads).map(|thread| scope.spawn(move || work(thread))).collect();
        threads.into_iter().map(|thread| thread.join().map_err(|_| "a thread panicked")?).sum()
    })
}

fn one_by_one(floor: &mut Floor, plan: &Plan) -> Result<f64> {
    let (mut calls, start) = (0_u32, Instant::now());
    while start.elapsed() < plan.save_slice {
        floor.write(&[0xA5; SAVE_LEN])?;
        calls += 1;
    }
    Ok(f64::from(calls) / start.elapsed().as_secs_f64())
}

fn handed_over(floor: &mut Floor, plan: &Plan) -> Result<f64> {
    let load = |_| || [0xA5; SAVE_LEN];
    through_queue(plan, load, |loads: Vec<[u8; SAVE_LEN]>| floor.write(loads.as_flattened()))
}

fn behind_queue(item: &Item, stock: &Stock, plan: &Plan, seed: u64) -> Result<f64> {
    let load = |thread| {
        let mut tokens = Tokens::new(stock, thread, THREADS, seed);
        move || tokens.next()
    };
    through_queue(plan, load, |tokens| item.store.writer()?.refresh(&tokens))
}

/// 64 threads, and one that commits for them all.
fn through_queue<T: Send, L: FnMut() -> T>(
    plan: &Plan,
    load: impl Fn(u64) -> L + Sync,
    commit: impl FnMut(Vec<T>) -> Result<()> + Send,
) -> Result<f64> {
    let queue = Queue::new();
    thread::scope(|scope| {
        let writer = scope.spawn(|| queue.serve(commit));
        let rate = hammer(THREADS, plan, |thread| {
            let (queue, mut load) = (&queue, load(thread));
            Ok(move || queue.hand_over(load()))
        });
        queue.close();
        writer.join().map_err(|_| "the writer panicked")??;
        rate
    })
}
