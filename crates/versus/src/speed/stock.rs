//! The stores of one size: made, loaded in turns, closed and opened again.
//!
//! An engine that would take too long is left out, and its cells of the tables stay empty.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::place::disk_bytes;
use super::plain::PlainToken;
use super::stores::{ALL, Engine, Store, Writer};
use super::table::{Table, quotient};
use super::work;
use crate::Result;

/// Tokens in a commit, where many are saved.
const BATCH: u64 = 1_000;
/// All engines take turns this many times.
const TURNS: u64 = 10;

/// A store of each engine, all with the same tokens.
pub(crate) struct Stock {
    pub(crate) tokens: u64,
    pub(crate) items: Vec<Item>,
}

/// One of them.
pub(crate) struct Item {
    pub(crate) engine: &'static dyn Engine,
    pub(crate) directory: PathBuf,
    pub(crate) store: Box<dyn Store>,
}

impl Item {
    fn open(engine: &'static dyn Engine, directory: PathBuf) -> Result<Self> {
        let store = engine.open(&directory).map_err(|error| format!("{}: {error}", engine.title()))?;
        Ok(Self { engine, directory, store })
    }
}

impl Stock {
    /// Stores of so many tokens, without those of engines that would need longer than `limit` for it; and how many tokens
    /// a second each took in.
    pub(crate) fn load(root: &Path, tokens: u64, limit: Duration) -> Result<(Self, Vec<(String, f64)>)> {
        let mut stock = Self { tokens, items: Vec::new() };
        for engine in ALL {
            let directory = root.join(engine.title());
            std::fs::create_dir_all(&directory)?;
            stock.items.push(Item::open(engine, directory)?);
        }
        let times = stock.in_turns(0..1, limit, |writer, batch| writer.insert(batch))?;
        let mut rates = Vec::new();
        for (item, time) in std::mem::take(&mut stock.items).into_iter().zip(times) {
            if let Some(time) = time {
                rates.push((item.engine.title().into(), quotient(tokens, 1) / time.as_secs_f64()));
                item.store.settle()?;
                stock.items.push(item);
            }
        }
        Ok((stock, rates))
    }

    /// Refreshes every token this many times, a thousand at a time, and leaves only the stores that came to an end.
    pub(crate) fn refresh(&mut self, times: u64, limit: Duration) -> Result<()> {
        let times = self.in_turns(1..times + 1, limit, |writer, batch| writer.refresh(batch))?;
        let mut times = times.into_iter();
        self.items.retain(|_| times.next().flatten().is_some());
        self.settle()
    }

    /// All tokens, once or again with other versions, batch after batch: a tenth of them for each engine in turn. Returns
    /// the time that each took to save them; none for those that gave up, since at their pace it would be over the limit.
    fn in_turns(
        &self,
        versions: Range<u64>,
        limit: Duration,
        save: impl Fn(&mut dyn Writer, &[PlainToken]) -> Result<()>,
    ) -> Result<Vec<Option<Duration>>> {
        let mut spent = vec![Some(Duration::ZERO); self.items.len()];
        let turn_len = self.tokens.div_ceil(TURNS).next_multiple_of(BATCH);
        let batch_len = usize::try_from(BATCH)?;
        for version in versions.clone() {
            for turn in (0..self.tokens).step_by(usize::try_from(turn_len)?) {
                let turn = turn..self.tokens.min(turn + turn_len);
                let done = (version - versions.start) * self.tokens + turn.end;
                let done = quotient(done, (versions.end - versions.start) * self.tokens);
                for (item, spent) in self.items.iter().zip(&mut spent) {
                    let Some(sum) = spent else { continue };
                    for from in turn.clone().step_by(batch_len) {
                        let numbers = from..turn.end.min(from + BATCH);
                        let batch: Vec<_> = numbers.map(|number| work::token(number, version)).collect();
                        let start = Instant::now();
                        save(item.store.writer()?.as_mut(), &batch)
                            .map_err(|error| format!("{}: {error}", item.engine.title()))?;
                        *sum += start.elapsed();
                    }
                    if sum.div_f64(done) > limit {
                        *spent = None;
                    }
                }
            }
        }
        Ok(spent)
    }

    fn settle(&self) -> Result<()> {
        self.items.iter().try_for_each(|item| item.store.settle())
    }

    /// Closes all, and forgets those that keep nothing.
    pub(crate) fn close(self) -> Vec<(&'static dyn Engine, PathBuf)> {
        let closed = self.items.into_iter().map(|item| (item.engine, item.directory));
        closed.filter(|(engine, _)| engine.is_durable()).collect()
    }

    /// The same stores once more.
    pub(crate) fn reopen(tokens: u64, closed: &[(&'static dyn Engine, PathBuf)]) -> Result<Self> {
        let items = closed.iter().map(|(engine, directory)| Item::open(*engine, directory.clone()));
        Ok(Self { tokens, items: items.collect::<Result<_>>()? })
    }
}

/// What closed stores take on the disk, by token.
pub(crate) fn measure_disk(
    closed: &[(&'static dyn Engine, PathBuf)],
    tokens: u64,
    column: &str,
    table: &mut Table,
) -> Result<()> {
    for (engine, directory) in closed {
        table.set(engine.title(), column, quotient(disk_bytes(directory)?, tokens));
    }
    Ok(())
}
