//! A storage in memory that knows the difference between written and durable, and can lose it.
//!
//! Follows the fault model of README.md: a sync that returned success is durable; a crash may damage only bytes
//! inside the range of a write that was not synced, and there any 512-byte sector may be old, new, zero, garbage or
//! shorn, in any combination, the file's length and the directory's entries independent of data. A failed sync leaves
//! pages that read as written and are not durable. Locks die with their opening.
//!
//! [`Sim::process`] makes several processes on the machine, [`interleave`] runs two of them in every order.

#![allow(dead_code, unused_imports, reason = "each test program uses a part")]

mod clock;
mod disk;
mod file;
mod gate;
mod image;
mod page;
mod plan;
mod process;
mod record;
mod threads;

pub(crate) use gate::{Outcome, Schedule, interleave};
pub(crate) use image::{Damage, Fate, Part};
pub(crate) use plan::{Call, Fault, Lie, Plan};
pub(crate) use record::Moment;

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Duration;

use tokcask::storage::{Directory, Storage};
use tokcask::{Error, Result};

use gate::Play;
use plan::Ledger;
use record::Recording;

/// A simulated machine, or a process on it: calls, traces, plans and pauses are then the process's.
#[derive(Clone)]
pub(crate) struct Sim {
    shared: Arc<Shared>,
    process: Option<usize>,
}

struct Shared {
    world: Mutex<World>,
    /// Told when another process may run.
    turn: Condvar,
    recording: Mutex<Option<Recording>>,
}

#[derive(Clone, Default)]
struct World {
    directories: BTreeMap<PathBuf, Folder>,
    files: HashMap<u64, Inode>,
    next_inode: u64,
    next_opening: u64,
    locks: Vec<Held>,
    now_ms: u64,
    /// Whether `now_ms` stays as it is.
    is_stopped: bool,
    /// Moves on only while somebody waits.
    clock: Duration,
    random: u64,
    machine: Ledger,
    processes: Vec<Ledger>,
    play: Option<Play>,
    /// Bytes that all files together may have.
    quota: Option<u64>,
    /// What kind of network file system all of it lies on, if it does.
    network_kind: Option<&'static str>,
    lie: Option<Lie>,
    /// Whether the stores here are encrypted: for whoever opens them.
    is_encrypted: bool,
}

#[derive(Clone, Default)]
struct Folder {
    /// Whether its own name is durable.
    durable: bool,
    names: BTreeMap<String, u64>,
    durable_names: BTreeMap<String, u64>,
    pending: Vec<Vec<(String, Option<u64>)>>,
}

#[derive(Clone, Default)]
struct Inode {
    /// What reads see.
    cache: Arc<Vec<u8>>,
    /// What a crash leaves at least.
    durable: Arc<Vec<u8>>,
    /// The same before the last sync, where reads are stale.
    before_sync: Arc<Vec<u8>>,
    /// Writes since the last sync, in order.
    pending: Vec<(u64, Vec<u8>)>,
    /// Bytes that the device does not give back.
    bad: Option<Range<u64>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
struct Held {
    inode: u64,
    byte: u64,
    opening: u64,
    process: Option<usize>,
    exclusive: bool,
}

impl Sim {
    pub(crate) fn new() -> Self {
        Self::with_seed(1)
    }

    /// Another machine: its randomness differs.
    pub(crate) fn with_seed(random: u64) -> Self {
        Self::of(World { now_ms: 1_700_000_000_000, random, ..World::default() })
    }

    /// A machine whose stores are encrypted.
    pub(crate) fn encrypted(self) -> Self {
        self.world().is_encrypted = true;
        self
    }

    pub(crate) fn is_encrypted(&self) -> bool {
        self.world().is_encrypted
    }

    fn of(world: World) -> Self {
        Self {
            shared: Arc::new(Shared { world: Mutex::new(world), turn: Condvar::new(), recording: Mutex::new(None) }),
            process: None,
        }
    }

    fn world(&self) -> MutexGuard<'_, World> {
        self.shared.world.lock().unwrap()
    }

    /// Calls so far.
    pub(crate) fn calls(&self) -> u64 {
        self.world().ledger(self.process).calls
    }

    /// Kinds of all calls so far.
    pub(crate) fn trace(&self) -> Vec<Call> {
        self.world().ledger(self.process).trace.clone()
    }

    pub(crate) fn set_plan(&self, plan: Option<Plan>) {
        let mut world = self.world();
        let ledger = world.ledger(self.process);
        ledger.plan = plan;
        ledger.tripped = None;
    }

    /// Does something that the plan does not see.
    pub(crate) fn paused<R>(&self, f: impl FnOnce() -> R) -> R {
        self.world().ledger(self.process).paused = true;
        let result = f();
        self.world().ledger(self.process).paused = false;
        result
    }

    /// Whether the plan's call has come.
    pub(crate) fn tripped(&self) -> Option<Call> {
        self.world().ledger(self.process).tripped
    }

    /// From now on the machine does not keep what it promises.
    pub(crate) fn set_lie(&self, lie: Lie) {
        self.world().lie = Some(lie);
    }

    pub(crate) fn set_network_kind(&self, kind: Option<&'static str>) {
        self.world().network_kind = kind;
    }

    pub(crate) fn set_quota(&self, bytes: Option<u64>) {
        self.world().quota = bytes;
    }

    /// Bytes of all files.
    pub(crate) fn used(&self) -> u64 {
        self.world().used()
    }

    /// Every process is killed: memory of the machine stays, locks go.
    pub(crate) fn kill(&self) -> Self {
        let mut world = self.world().clone();
        world.locks.clear();
        world.processes.clear();
        world.play = None;
        world.machine.gone = false;
        world.machine.plan = None;
        Self::of(world)
    }

    /// A file's content as reads see it.
    pub(crate) fn content(&self, path: &Path, name: &str) -> Option<Vec<u8>> {
        let world = self.world();
        let inode = world.directories.get(path)?.names.get(name)?;
        Some(world.files[inode].cache.to_vec())
    }

    /// Replaces a file's content, durably, as somebody else might.
    pub(crate) fn set_content(&self, path: &Path, name: &str, content: &[u8]) {
        let mut world = self.world();
        let inode = world.directories[path].names[name];
        let file = world.files.get_mut(&inode).unwrap();
        file.cache = Arc::new(content.to_vec());
        file.durable = file.cache.clone();
        file.pending.clear();
    }

    /// The machine after a restart, with this log in the store at `path`; without its slots, if `slots` says so.
    pub(crate) fn with_log(&self, path: &Path, log: &[u8], slots: bool) -> Self {
        let sim = self.kill();
        sim.set_content(path, "store.log", log);
        if !slots {
            sim.set_content(path, "store.lock", &[0; 16 << 10]);
        }
        sim
    }

    /// From now on the device cannot read these bytes of a file.
    pub(crate) fn set_bad(&self, path: &Path, name: &str, bytes: Range<u64>) {
        let mut world = self.world();
        let inode = world.directories[path].names[name];
        world.files.get_mut(&inode).unwrap().bad = Some(bytes);
    }

    /// Removes a file, durably, as somebody else might.
    pub(crate) fn remove(&self, path: &Path, name: &str) {
        let mut world = self.world();
        let folder = world.directories.get_mut(path).unwrap();
        folder.names.remove(name);
        folder.durable_names.remove(name);
    }

    /// Whether these bytes stand in any file, named or not, and would survive a power loss.
    pub(crate) fn is_durable(&self, bytes: &[u8]) -> bool {
        self.world().files.values().any(|file| file.durable.windows(bytes.len()).any(|window| window == bytes))
    }

    pub(crate) fn names(&self, path: &Path) -> Vec<String> {
        self.world().directories.get(path).map(|folder| folder.names.keys().cloned().collect()).unwrap_or_default()
    }
}

impl World {
    fn used(&self) -> u64 {
        let named = self.directories.values().flat_map(|folder| folder.names.values());
        named.map(|inode| self.files[inode].cache.len() as u64).sum()
    }
}

impl fmt::Debug for Sim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sim")
    }
}

impl Storage for Sim {
    fn open_dir(&self, path: &Path) -> Result<Option<Arc<dyn Directory>>> {
        let world = self.look(Call::Stat).map_err(|error| failure(path, error))?;
        Ok(world.directories.contains_key(path).then(|| disk::directory(self.clone(), path)))
    }

    fn create_dir(&self, path: &Path) -> Result<Arc<dyn Directory>> {
        let io = |error| failure(path, error);
        self.simple(Call::Create).map_err(io)?.directories.entry(path.to_owned()).or_default();
        self.simple(Call::SyncParent).map_err(io)?.directories.get_mut(path).unwrap().durable = true;
        Ok(disk::directory(self.clone(), path))
    }

    fn remove_dir(&self, path: &Path) -> Result<()> {
        let mut world = self.simple(Call::Remove).map_err(|error| failure(path, error))?;
        if world.directories.get(path).is_some_and(|folder| !folder.names.is_empty()) {
            return Err(failure(path, io::ErrorKind::DirectoryNotEmpty.into()));
        }
        world.directories.remove(path);
        Ok(())
    }

    fn now_ms(&self) -> u64 {
        self.look_at_clock()
    }

    fn clock(&self) -> Duration {
        self.world().clock
    }

    fn sleep(&self, time: Duration) {
        self.pass(time);
    }

    fn random(&self, bytes: &mut [u8]) -> Result<()> {
        let mut world = self.world();
        for byte in bytes {
            *byte = next_random(&mut world.random).to_le_bytes()[4];
        }
        Ok(())
    }
}

/// A simulated error as the real storage would give it.
fn failure(path: &Path, error: io::Error) -> Error {
    let (path, full, source) = (path.to_owned(), error.kind() == io::ErrorKind::StorageFull, Arc::new(error));
    if full { Error::NoSpace { path, source } } else { Error::Io { operation: "simulated call", path, source } }
}

/// `SplitMix64`: small, and the same everywhere.
pub(crate) fn next_random(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut mixed = *state;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}
