//! How fast tokcask is, beside the stores that could be taken in its place and beside maps in memory.
//!
//! The same tokens go to each store, the same keys are asked for. Every figure is the median of several rounds in which
//! all stores take turns; making and loading stores is not timed, but where it is what is measured. All happens in one
//! process, in a directory on a disk that is gone afterwards.

mod aging;
mod find;
mod floor;
pub mod goals;
mod opening;
mod place;
pub mod plain;
mod queue;
mod rounds;
mod save;
mod stock;
pub mod stores;
pub mod svg;
pub mod table;
pub mod work;

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::Result;
use crate::table::thousands;
use stock::Stock;
use table::{OURS, Table, quotient};
use work::By;

pub use place::beside_program;

/// The size at which saves, readers and disks are measured, or the next one below.
const BASE: u64 = 100_000;
/// Refreshes of every token, before disks are measured once more.
const REFRESHES: u64 = 5;

const GAIN: &str = "two: times one";
const LOG: &str = "tokcask, without its extension";
const LOADED: &str = "bulk loaded";
const SINGLY: &str = "saved singly";
const REFRESHED: &str = "after five refreshes";
const COMPACTED: &str = "after compact";

/// What to measure.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Tokens in a store, ascending.
    pub sizes: Vec<u64>,
    /// Draws keys.
    pub seed: u64,
    /// Where stores are made: on a disk.
    pub folder: PathBuf,
    /// How long.
    pub plan: Plan,
}

/// How often, and how long at a time.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Rounds of finds.
    pub find_rounds: usize,
    /// Of one store's finds in a round.
    pub find_slice: Duration,
    /// Looked up in turn.
    pub keys: usize,
    /// In which each store finds them once before the first round, as far as it comes.
    pub warm_up: Duration,
    /// Of one or two readers in a round.
    pub reader_slice: Duration,
    /// Rounds of saves.
    pub save_rounds: usize,
    /// Of one store's saves in a round.
    pub save_slice: Duration,
    /// Rounds of opens.
    pub opens: usize,
    /// For which an engine may load a size, or refresh it as often as that is done. Whoever would take longer is left out.
    pub load_limit: Duration,
    /// Tokens that are saved singly, to see what they take.
    pub singles: u64,
}

impl Plan {
    /// For figures.
    pub const FULL: Self = Self {
        find_rounds: 15,
        find_slice: Duration::from_millis(30),
        keys: 200_000,
        warm_up: Duration::from_secs(5),
        reader_slice: Duration::from_millis(100),
        save_rounds: 9,
        save_slice: Duration::from_millis(300),
        opens: 5,
        load_limit: Duration::from_secs(180),
        singles: 100_000,
    };
    /// For a first look.
    pub const QUICK: Self = Self {
        find_rounds: 5,
        find_slice: Duration::from_millis(15),
        warm_up: Duration::from_secs(1),
        save_rounds: 3,
        save_slice: Duration::from_millis(150),
        opens: 3,
        load_limit: Duration::from_secs(12),
        singles: 10_000,
        ..Self::FULL
    };
}

/// All tables.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "each table has a title")]
pub struct Measured {
    pub by_refresh_token: Table,
    pub by_id: Table,
    pub absent: Table,
    pub readers: Table,
    pub saves: Table,
    pub opening: Table,
    pub memory: Table,
    pub disk: Table,
    pub load: Table,
}

impl Measured {
    fn new() -> Self {
        Self {
            by_refresh_token: Table::new("find by refresh token, ns"),
            by_id: Table::new("find by id, ns"),
            absent: Table::new("find by a refresh token that is not there, ns"),
            readers: Table::new("finds a second"),
            saves: Table::new("durable saves of a refreshed token a second"),
            opening: Table::new("open, and find a first token, ms"),
            memory: Table::new("memory beside the mapped file, bytes by token"),
            disk: Table::new("bytes on disk by token"),
            load: Table::new("bulk load in batches of 1,000, tokens a second"),
        }
    }

    /// In the order in which they are read.
    #[must_use]
    pub fn tables(&self) -> [&Table; 9] {
        let Self { by_refresh_token, by_id, absent, readers, saves, opening, memory, disk, load } = self;
        [by_refresh_token, by_id, absent, readers, saves, opening, memory, disk, load]
    }
}

/// Measures everything; says on the way what is under way.
///
/// # Errors
/// If a store fails, or does not find what it was given; if the folder is in memory.
pub fn measure(settings: &Settings, say: impl Fn(&str)) -> Result<Measured> {
    let root = place::directory(&settings.folder)?;
    let mut measured = Measured::new();
    let (Some(first), Some(largest)) = (settings.sizes.first(), settings.sizes.last()) else {
        return Err("there is no size to measure".into());
    };
    let base = *settings.sizes.iter().rfind(|size| **size <= BASE).unwrap_or(first);
    for size in &settings.sizes {
        let directory = root.path().join(size.to_string());
        let is_opened = *size >= BASE || size == largest;
        let of_size = OfSize { settings, directory: &directory, tokens: *size, is_base: *size == base, is_opened };
        of_size.measure(&mut measured, &say)?;
        std::fs::remove_dir_all(&directory)?;
    }
    Ok(measured)
}

/// One size.
struct OfSize<'a> {
    settings: &'a Settings,
    directory: &'a Path,
    tokens: u64,
    is_base: bool,
    is_opened: bool,
}

impl OfSize<'_> {
    fn measure(&self, measured: &mut Measured, say: &impl Fn(&str)) -> Result<()> {
        let Settings { plan, seed, .. } = self.settings;
        let (tokens, seed) = (self.tokens, *seed);
        let size = thousands(usize::try_from(tokens)?);
        say(&format!("{size} tokens"));
        let (stock, rates) = Stock::load(self.directory, tokens, self.settings.plan.load_limit)?;
        measured.load.set_all(&size, rates);
        say("finding");
        measured.by_refresh_token.set_all(&size, find::find(&stock, By::RefreshToken, true, plan, seed)?);
        measured.by_id.set_all(&size, find::find(&stock, By::Id, true, plan, seed)?);
        measured.absent.set_all(&size, find::find(&stock, By::RefreshToken, false, plan, seed)?);
        if self.is_base {
            self.readers(&stock, &mut measured.readers)?;
        }
        let closed = stock.close();
        let facts = stores::facts(&self.directory.join(OURS))?;
        measured.memory.set(OURS, &size, quotient(facts.index_bytes, facts.tokens));
        if self.is_opened {
            say("opening");
            measured.opening.set_all(&size, opening::open(&closed, tokens, plan.opens)?);
        }
        if self.is_base {
            self.age(&closed, measured, say)?;
        }
        Ok(())
    }

    fn readers(&self, stock: &Stock, table: &mut Table) -> Result<()> {
        let [one, two] = find::readers(stock, &self.settings.plan, self.settings.seed)?;
        let gains = one.iter().zip(&two).map(|((name, one), (_, two))| (name.clone(), two / one)).collect();
        table.set_all("one reader", one);
        table.set_all("two readers", two);
        table.set_all(GAIN, gains);
        Ok(())
    }
}
