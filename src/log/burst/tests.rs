//! Small logs, read by windows that are smaller still.

use std::path::Path;

use super::*;
use crate::format::frame::{FrameBuilder, Kind};
use crate::format::operation::Operation;
use crate::format::seal::Tag;
use crate::storage::disk::Disk;
use crate::storage::{File, Storage};
use crate::token::Token;

const FRAMES_AT: usize = 2 * crate::format::header::COPY_LEN;

struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 20).unwrap() % end
    }
}

fn seed() -> Seed {
    Seed::new(7, 1)
}

/// Appends a frame that follows `link`, if `step` is 1.
fn append(log: &mut Vec<u8>, link: Link, kind: Kind, step: u64, operations: &[Operation<'_>]) -> Link {
    let mut frame = FrameBuilder::new(seed(), log.len() as u64, 0);
    for operation in operations {
        frame.push(operation).unwrap();
    }
    let taken = if kind == Kind::Seal { 0 } else { operations.len() as u64 };
    let header = FrameHeader {
        kind,
        body_len: 0,
        chain: link.chain,
        sequence: link.sequence + step,
        watermark: log.len() as u64,
        time_ms: 5,
        next_id: link.next_id + taken,
        next_revision: link.next_revision + taken,
        body_crc: 0,
    };
    let (bytes, after) = frame.finish_after(header, &Tag::default());
    log.extend(bytes);
    after
}

fn sealed() -> (Vec<u8>, Link) {
    let mut log = vec![0; FRAMES_AT];
    let link = append(&mut log, Link::first(9), Kind::Seal, 1, &[Operation::Sealed { rows: 0 }]);
    (log, link)
}

/// A log, and where its frames begin and end. Now and then one does not follow the one before it.
fn log(random: &mut Random) -> (Vec<u8>, Vec<usize>) {
    let (mut log, mut link) = sealed();
    let mut places = vec![FRAMES_AT, log.len()];
    for _ in 0..random.below(40) {
        let row = |number: u64, random: &mut Random| {
            let row = Token::builder().id((link.next_id + number).to_string());
            let mut row = row.access_token("x".repeat(random.below(300))).build();
            row.stamp(1, 2, link.next_revision + number);
            row
        };
        let rows: Vec<_> = (0..=random.below(9)).zip(0..).map(|(_, number)| row(number, random)).collect();
        let operation = |row| match random.below(6) {
            0 => Operation::Delete("1"),
            1 => Operation::Clear,
            _ => Operation::Put(Token::view(row)),
        };
        let operations: Vec<_> = rows.iter().map(operation).collect();
        let step = if random.below(60) == 0 { 2 } else { 1 };
        link = append(&mut log, link, Kind::Commit, step, &operations);
        places.push(log.len());
    }
    (log, places)
}

fn damage(log: &mut Vec<u8>, places: &[usize], random: &mut Random) {
    let any = FRAMES_AT + random.below(log.len() - FRAMES_AT);
    let [one, other] = [(); 2].map(|()| places[random.below(places.len())]);
    match random.below(6) {
        0 => {}
        1 => log[any] ^= 1 << random.below(8),
        2 => log[one.min(places[places.len() - 2]) + random.below(FRAME_HEADER_LEN)] ^= 1,
        3 => log.truncate(any),
        4 => drop(log.drain(one.min(other)..one.max(other))),
        _ => log.resize(log.len() + random.below(9000), 0),
    }
}

type Told = (Vec<String>, DecodeError, u64, Link, Option<(u64, FrameHeader)>);

/// All that a reader is told.
fn told(file: &dyn File, end: u64, cores: usize, burst_len: u64) -> Told {
    let mut scanner = Scanner::new(file, Path::new("store.log"), &seed().into(), Link::first(9), end);
    (scanner.cores, scanner.burst_len) = (cores, burst_len);
    let mut frames = Vec::new();
    loop {
        let take = |frame: &Frame<'_>, digests: &[u32]| {
            let Frame { offset, header, operations, bytes, after } = frame;
            let crc = crc32fast::hash(bytes);
            frames.push(format!("{offset} {header:?} {operations:?} {digests:?} {crc} {after:?}"));
            Ok(())
        };
        if let Err(reason) = scanner.next_burst(|located| located.crc, take).unwrap() {
            return (frames, reason, scanner.position(), scanner.link(), scanner.last());
        }
    }
}

/// What is decoded of a window is in memory at once.
#[test]
fn windows_are_short_again_behind_a_long_frame() {
    const BURST_LEN: u64 = 4096;
    let (mut log, link) = sealed();
    let mut link = append(&mut log, link, Kind::Commit, 1, &[Operation::Delete(&"x".repeat(200_000))]);
    let short_at = log.len();
    for _ in 0..20_000 {
        link = append(&mut log, link, Kind::Commit, 1, &[Operation::Delete("1")]);
    }
    let short_len = (log.len() - short_at) / 20_000;
    let dir = tempfile::tempdir().unwrap();
    let file = Disk.open_dir(dir.path()).unwrap().unwrap().create("store.log").unwrap();
    file.write_at(&log, 0).unwrap();

    let (first, end) = (Link::first(9), log.len() as u64);
    let mut scanner = Scanner::new(file.as_ref(), Path::new("store.log"), &seed().into(), first, end);
    (scanner.cores, scanner.burst_len) = (2, BURST_LEN);
    let mut windows = Vec::new();
    while scanner.position() < end {
        let mut frames = 0;
        let take = |_: &Frame<'_>, _: &[()]| {
            frames += 1;
            Ok(())
        };
        scanner.next_burst(|_| (), take).unwrap().unwrap();
        windows.push(frames);
    }
    let all = windows.iter().sum::<usize>();
    assert_eq!(all, 20_002);
    // The first, that of the long frame, and what was read ahead then.
    assert!(windows.len() > 50 && windows[3..].iter().all(|frames| frames * short_len <= 4096), "{windows:?}");
}

#[test]
fn windows_of_any_length_tell_what_one_frame_after_the_other_does() {
    let (dir, mut random) = (tempfile::tempdir().unwrap(), Random(0x2545_F491_4F6C_DD1D));
    let directory = Disk.open_dir(dir.path()).unwrap().unwrap();
    let (mut bad, mut whole) = (0, 0);
    for _ in 0..40 {
        let (good, places) = log(&mut random);
        for _ in 0..10 {
            let mut bytes = good.clone();
            damage(&mut bytes, &places, &mut random);
            directory.remove("store.log").unwrap();
            let file = directory.create("store.log").unwrap();
            file.write_at(&bytes, 0).unwrap();
            let end = bytes.len() as u64 + if random.below(4) == 0 { 5000 } else { 0 };
            let one_core = told(file.as_ref(), end, 1, BURST_LEN);
            for burst_len in [1, 65, 200, 4096, BURST_LEN] {
                let cores = 2 + random.below(3);
                assert_eq!(told(file.as_ref(), end, cores, burst_len), one_core, "{cores} cores, {burst_len} bytes");
            }
            if one_core.2 < bytes.len() as u64 { bad += 1 } else { whole += 1 }
        }
    }
    assert!(bad > 100 && whole > 50, "{bad} {whole}");
}
