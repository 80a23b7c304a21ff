//! Logs to be damaged, and everything that was ever true of them.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;

use tokcask::format::frame::{FrameHeader, Kind};
use tokcask::format::header::{COPY_LEN, FRAMES_AT, FileHeader};
use tokcask::{LogStore, Token, TokenStore};

use crate::history::{STORE, open};
use crate::settings::machine;
use crate::sim::Sim;

/// Of the zeros behind the last frame, so many are part of the log.
const ZERO_TAIL_LEN: usize = 1000;

/// A row as it was stored, with its revision.
pub(crate) type Version = (Token, u64);

pub(crate) struct Canonical {
    pub(crate) name: &'static str,
    pub(crate) sim: Sim,
    pub(crate) log: Vec<u8>,
    /// The same, earlier: before some of its frames, and the generation before.
    pub(crate) older: Vec<Vec<u8>>,
    pub(crate) frames: Vec<Frame>,
    /// End of the last frame.
    pub(crate) end: usize,
    pub(crate) rows: Vec<Version>,
    /// All versions of each id.
    pub(crate) versions: BTreeMap<String, Vec<Version>>,
    /// What the next row is called, and the next operation is numbered.
    pub(crate) next: (u64, u64),
}

impl Canonical {
    pub(crate) fn full_name(&self) -> String {
        format!("{}{}", if self.sim.is_encrypted() { "encrypted " } else { "" }, self.name)
    }
}

pub(crate) struct Frame {
    pub(crate) range: Range<usize>,
    pub(crate) watermark: u64,
    /// What a log has that ends here.
    pub(crate) rows_before: Vec<Version>,
}

/// Small enough that every bit is tried, with every kind of frame and operation.
pub(crate) fn small(is_encrypted: bool) -> Canonical {
    let mut maker = Maker::new("small", 12, is_encrypted);
    maker.save(&[1]);
    maker.clear();
    maker.save(&[2, 3, 4]);
    maker.save(&[3]);
    maker.tear();
    maker.delete("2");
    maker.save(&[5]);
    maker.keep_older();
    maker.save(&[6]);
    maker.finish()
}

/// What a compaction made of one, and saves since.
pub(crate) fn compacted(is_encrypted: bool) -> Canonical {
    let mut maker = Maker::new("compacted", 12, is_encrypted);
    maker.save(&[1, 2, 3, 4, 5, 6]);
    maker.delete("2");
    maker.keep_older();
    maker.compact();
    maker.save(&[1]);
    maker.save(&[7, 3, 8]);
    maker.delete("4");
    maker.keep_older();
    maker.save(&[9]);
    maker.finish()
}

/// More than 64 KiB, compacted, torn, sealed and written again.
pub(crate) fn large(is_encrypted: bool) -> Canonical {
    let mut maker = Maker::new("large", 700, is_encrypted);
    maker.save(&[200]);
    maker.clear();
    maker.save(&(0..50).collect::<Vec<_>>());
    maker.keep_older();
    maker.compact();
    for number in 0..12 {
        maker.save(&[number * 3]);
    }
    maker.tear();
    maker.keep_older();
    maker.delete("7");
    maker.save(&(60..75).collect::<Vec<_>>());
    maker.reopen();
    for number in 70..80 {
        maker.save(&[number]);
    }
    maker.delete("9");
    maker.keep_older();
    maker.save(&[90]);
    maker.finish()
}

struct Maker {
    name: &'static str,
    text_len: usize,
    sim: Sim,
    store: Option<LogStore>,
    /// Ends of the log after each step, and its rows.
    steps: Vec<(usize, Vec<Version>)>,
    versions: BTreeMap<String, Vec<Version>>,
    older: Vec<Vec<u8>>,
    saves: usize,
}

impl Maker {
    fn new(name: &'static str, text_len: usize, is_encrypted: bool) -> Self {
        let sim = machine(is_encrypted);
        let store = Some(open(&sim, STORE).unwrap());
        let (steps, versions, older) = (Vec::new(), BTreeMap::new(), Vec::new());
        let mut maker = Self { name, text_len, sim, store, steps, versions, older, saves: 0 };
        maker.end_step();
        maker
    }

    fn store(&self) -> &LogStore {
        self.store.as_ref().unwrap()
    }

    fn save(&mut self, users: &[usize]) {
        self.saves += 1;
        let token = |user: &usize| {
            Token::builder()
                .user_name(format!("user{user}"))
                .refresh_token(format!("fake-refresh-{user}-{}", "r".repeat(self.text_len)))
                .access_token(format!("fake-access-{user}-{}-{}", self.saves, "a".repeat(self.text_len)))
                .extra("scope", "crm")
                .build()
        };
        let tokens: Vec<_> = users.iter().map(token).collect();
        for row in self.store().save_tokens(&tokens).unwrap() {
            let id = row.id().unwrap().to_owned();
            self.versions.entry(id).or_default().push((row.clone(), row.revision().unwrap()));
        }
        self.end_step();
    }

    fn clear(&mut self) {
        self.store().delete_tokens().unwrap();
        self.end_step();
    }

    fn delete(&mut self, id: &str) {
        assert!(self.store().delete(id).unwrap());
        self.end_step();
    }

    fn compact(&mut self) {
        self.store().compact().unwrap();
        self.steps.clear();
        self.end_step();
    }

    /// Somebody's write is cut short; whoever opens the store then leaves a frame that says so.
    fn tear(&mut self) {
        self.store = None;
        let mut log = self.sim.content(Path::new(STORE), "store.log").unwrap();
        let torn = log.iter().rposition(|byte| *byte != 0).unwrap() + 64;
        log[torn..torn + 40].fill(0xA5);
        self.sim.set_content(Path::new(STORE), "store.log", &log);
        self.reopen();
        assert!(self.store().open_report().recovered.is_some());
    }

    /// Leaves a seal in the middle.
    fn reopen(&mut self) {
        if let Some(store) = self.store.take() {
            store.close().unwrap();
        }
        self.store = Some(open(&self.sim, STORE).unwrap());
        self.end_step();
    }

    fn keep_older(&mut self) {
        self.older.push(self.sim.content(Path::new(STORE), "store.log").unwrap());
    }

    fn end_step(&mut self) {
        let end = usize::try_from(self.store().stats().unwrap().log_bytes).unwrap();
        self.steps.push((end, rows(self.store())));
    }

    fn finish(mut self) -> Canonical {
        let stats = self.store().stats().unwrap();
        let rows = rows(self.store());
        let store = self.store.take().unwrap();
        store.close().unwrap();
        drop(store);
        let mut log = self.sim.content(Path::new(STORE), "store.log").unwrap();
        let frames = frames(&log, &self.steps);
        let end = frames.last().unwrap().range.end;
        log.truncate(end + ZERO_TAIL_LEN);
        self.sim.set_content(Path::new(STORE), "store.log", &log);
        let next = (stats.next_id, stats.next_revision);
        let older = self.older.into_iter().map(|mut older| {
            older.resize(log.len(), 0);
            older
        });
        let older = older.collect();
        Canonical { name: self.name, sim: self.sim, log, older, frames, end, rows, versions: self.versions, next }
    }
}

/// The frames of a log, and what stood in it before each.
fn frames(log: &[u8], steps: &[(usize, Vec<Version>)]) -> Vec<Frame> {
    let (header, _) = FileHeader::decode(&log[..COPY_LEN]).unwrap();
    let mut frames = Vec::new();
    let mut at = usize::try_from(FRAMES_AT).unwrap();
    while let Ok((frame, _)) = FrameHeader::decode(header.seed(), at as u64, &log[at..]) {
        let end = at + usize::try_from(frame.frame_len()).unwrap();
        // Each commit was durable before the next frame was built, and that one says so: damage before it is then proved.
        assert!(frame.kind == Kind::Base || frame.watermark == at as u64, "{} at {at}", frame.watermark);
        // Nothing of a compacted file was there without the rest of it.
        let before = steps.iter().rev().find(|(end, _)| *end <= at);
        let rows_before = before.map_or_else(Vec::new, |(_, rows)| rows.clone());
        frames.push(Frame { range: at..end, watermark: frame.watermark, rows_before });
        at = end;
    }
    frames
}

pub(crate) fn rows(store: &LogStore) -> Vec<Version> {
    store.get_tokens().unwrap().into_iter().map(|row| (row.clone(), row.revision().unwrap())).collect()
}
