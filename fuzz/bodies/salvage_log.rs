//! A whole log, salvaged: whatever the input, it is left as it is, and what comes of it is a good store.
//!
//! Where the log also opens, and nothing of it is cut, the salvaged rows are exactly its rows.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokcask::storage::{Directory, Storage};
use tokcask::{LogStore, Options, ReadMode, Result, Token, TokenStore, VerifyStatus, open_on, salvage_on};

use super::layout::lay_out;
use super::memory::{Memory, PATH};

pub(crate) const RESCUED: &str = "/rescued";

pub(crate) fn run(data: &[u8]) {
    let machine = Two::default();
    if lay_out(data, &machine.damaged).is_none() {
        return;
    }
    let contents = || ["store.log", "store.lock", "store.redo"].map(|name| machine.damaged.content(name));
    let before = contents();
    let salvaged = salvage_on(&Options::new(), &machine, Path::new(PATH), Path::new(RESCUED));
    assert!(contents() == before, "the damaged store is left alone");
    let opened = open(&machine.damaged);
    let Ok(report) = salvaged else {
        assert!(machine.rescued.content("store.log").is_none(), "nothing is left of a failed salvage");
        assert!(opened.is_err(), "what opens can be salvaged");
        return;
    };
    let rescued = open(&machine.rescued).expect("a salvage makes a store");
    assert_eq!(rescued.verify().expect("memory can be read").status, VerifyStatus::Clean);
    let rows = rows(&rescued);
    assert_eq!(rows.len() as u64, report.tokens);
    if let Ok(opened) = opened {
        let original = self::rows(&opened);
        assert_eq!(rows, original, "what opens loses nothing");
        assert!(report.lost.is_empty() && report.maybe_stale.is_empty(), "{report:?}");
        let (ours, theirs) = (rescued.stats().expect("it is open"), opened.stats().expect("it is open"));
        let tail = opened.open_report().recovered.is_some();
        assert!(tail || ours.next_id >= theirs.next_id && ours.next_revision >= theirs.next_revision);
    }
}

fn open(storage: &Memory) -> Result<LogStore> {
    open_on(&Options::new().read_mode(ReadMode::Copy), Arc::new(storage.clone()), Path::new(PATH))
}

fn rows(store: &LogStore) -> Vec<(Token, Option<u64>)> {
    let rows = store.get_tokens().expect("a log that opened can be read");
    rows.into_iter().map(|row| (row.clone(), row.revision())).collect()
}

/// A machine with two directories.
#[derive(Debug, Default)]
pub(crate) struct Two {
    pub(crate) damaged: Memory,
    pub(crate) rescued: Memory,
}

impl Two {
    fn at(&self, path: &Path) -> &Memory {
        if path == Path::new(RESCUED) { &self.rescued } else { &self.damaged }
    }
}

impl Storage for Two {
    fn open_dir(&self, path: &Path) -> Result<Option<Arc<dyn Directory>>> {
        self.at(path).open_dir(path)
    }

    fn create_dir(&self, path: &Path) -> Result<Arc<dyn Directory>> {
        self.at(path).create_dir(path)
    }

    fn remove_dir(&self, path: &Path) -> Result<()> {
        self.at(path).remove_dir(path)
    }

    fn now_ms(&self) -> u64 {
        self.damaged.now_ms()
    }

    fn clock(&self) -> Duration {
        self.damaged.clock()
    }

    fn sleep(&self, time: Duration) {
        self.damaged.sleep(time);
    }

    fn random(&self, bytes: &mut [u8]) -> Result<()> {
        self.damaged.random(bytes)
    }
}
