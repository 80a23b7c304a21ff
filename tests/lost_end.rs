//! A frame behind damage that knew more to be durable makes it corruption, wherever it lies: never a torn tail.
//!
//! Method: the last frame of a small log is damaged, the slots are gone, and one header with a watermark behind the damage
//! is put at each place around which the search reads on, and at the very end of the file.

mod sim;

use std::path::Path;
use std::sync::Arc;

use sim::Sim;
use tokcask::format::COUNTER_MAX;
use tokcask::format::frame::{FrameBuilder, FrameHeader, Kind};
use tokcask::format::header::{FRAMES_AT, FileHeader};
use tokcask::format::operation::Operation;
use tokcask::{Error, LogStore, Options, ReadMode, Result, Token, TokenStore, open_on};

const STORE: &str = "/store";
const HEADER_LEN: usize = 64;
/// Lengths of what is read at once, each but the last four times as long as the one before.
const PIECES: [usize; 4] = [4 << 10, 16 << 10, 64 << 10, 256 << 10];

fn open(sim: &Sim) -> Result<LogStore> {
    open_on(&Options::new().background(false).read_mode(ReadMode::Copy), Arc::new(sim.clone()), Path::new(STORE))
}

/// A log of two saves, of which the second is damaged.
struct Damaged {
    sim: Sim,
    log: Vec<u8>,
    header: FileHeader,
    /// Where the damaged frame begins.
    end: usize,
}

impl Damaged {
    fn new() -> Self {
        let sim = Sim::new();
        let store = open(&sim).unwrap();
        let token = |user: &str| Token::builder().user_name(user).access_token("fake").build();
        store.save_token(&token("ann")).unwrap();
        let end = usize::try_from(store.stats().unwrap().log_bytes).unwrap();
        store.save_token(&token("bob")).unwrap();
        drop(store);
        let mut log = sim.content(Path::new(STORE), "store.log").unwrap();
        log[end + HEADER_LEN + 20] ^= 1;
        let (header, _) = FileHeader::decode(&log[..4096]).unwrap();
        Self { sim, log, header, end }
    }

    /// The header of the frame before the damage, and its checksum.
    fn last_good(&self) -> (FrameHeader, u32) {
        let mut at = usize::try_from(FRAMES_AT).unwrap();
        loop {
            let (header, crc) = FrameHeader::decode(self.header.seed(), at as u64, &self.log[at..]).unwrap();
            at += usize::try_from(header.frame_len()).unwrap();
            if at == self.end {
                return (header, crc);
            }
        }
    }

    /// The log, so long, with a frame at `place` whose header says so.
    fn with_frame(&self, len: usize, place: usize, watermark: usize) -> Vec<u8> {
        let mut frame = FrameBuilder::new(self.header.seed(), place as u64, 0);
        frame.push(&Operation::Clear).unwrap();
        let watermark = watermark as u64;
        let (kind, sequence) = (Kind::Commit, 100);
        let header = FrameHeader {
            kind,
            body_len: 0,
            chain: 0,
            sequence,
            watermark,
            time_ms: 0,
            next_id: 500,
            next_revision: 600,
            body_crc: 0,
        };
        let (bytes, _) = frame.finish(header);
        let mut log = self.log.clone();
        log.resize(len, 0);
        for (to, from) in log[place..].iter_mut().zip(bytes) {
            *to = from;
        }
        log
    }

    fn open(&self, log: &[u8]) -> (Sim, Result<LogStore>) {
        let sim = self.sim.with_log(Path::new(STORE), log, false);
        let opened = open(&sim);
        (sim, opened)
    }

    /// Places around which one piece ends and the next begins.
    fn places(&self) -> impl Iterator<Item = usize> {
        let mut start = self.end;
        let boundaries = PIECES.map(|len| {
            start += len - (HEADER_LEN - 8);
            start
        });
        boundaries.into_iter().flat_map(|start| (start - 3 * HEADER_LEN..start + 3 * HEADER_LEN).step_by(8))
    }
}

#[test]
fn a_later_watermark_anywhere_behind_damage_is_proof_of_corruption() {
    let damaged = Damaged::new();
    let len = damaged.places().max().unwrap() + 4096;
    for place in damaged.places() {
        let (_, opened) = damaged.open(&damaged.with_frame(len, place, damaged.end + 8));
        match opened.map(drop) {
            Err(Error::Corrupt { offset, .. }) => assert_eq!(offset, damaged.end as u64, "place {place}"),
            other => panic!("place {place}: {other:?}"),
        }
    }
}

#[test]
fn a_header_in_the_last_bytes_of_the_file_is_proof_too() {
    let damaged = Damaged::new();
    for place in damaged.places().chain([damaged.end + 512]) {
        let log = damaged.with_frame(place + HEADER_LEN, place, damaged.end + 8);
        let (_, opened) = damaged.open(&log);
        assert!(matches!(opened.map(drop), Err(Error::Corrupt { .. })), "place {place}");
        // One byte less, and there is no header: a torn tail, of which all that is not zero was cut.
        let (_, opened) = damaged.open(&log[..log.len() - 1]);
        let store = opened.unwrap();
        let tail = store.open_report().recovered.clone().unwrap();
        let cut = usize::try_from(tail.offset + tail.bytes_cut).unwrap();
        assert_eq!(Some(cut - 1), log[..log.len() - 1].iter().rposition(|byte| *byte != 0), "place {place}");
    }
}

/// The log of a store that was just made: a file header, a seal, zeros.
fn new_log() -> (Sim, Vec<u8>) {
    let sim = Sim::new();
    drop(open(&sim).unwrap());
    let log = sim.content(Path::new(STORE), "store.log").unwrap();
    (sim, log)
}

/// Its first frames came with the file itself: no crash can have torn them, and cutting them would leave an empty store.
#[test]
fn a_file_without_a_good_seal_is_damaged_though_no_slot_says_so() {
    let (sim, whole) = new_log();
    let seal_at = usize::try_from(FRAMES_AT).unwrap();
    let mut damaged = whole.clone();
    damaged[seal_at + HEADER_LEN + 1] ^= 1;
    let mut lost = whole;
    lost[seal_at..].fill(0);
    for log in [damaged, lost] {
        let opened = open(&sim.with_log(Path::new(STORE), &log, false));
        assert!(matches!(opened.map(drop), Err(Error::Corrupt { offset: FRAMES_AT, .. })));
    }
}

/// A seal counts the rows of its file: one that counts others is of a file that is not whole.
#[test]
fn a_seal_that_counts_other_rows_is_corruption() {
    let (sim, mut log) = new_log();
    let (file, _) = FileHeader::decode(&log[..4096]).unwrap();
    let seal_at = usize::try_from(FRAMES_AT).unwrap();
    let (header, _) = FrameHeader::decode(file.seed(), FRAMES_AT, &log[seal_at..]).unwrap();
    for rows in [0, 1] {
        let mut frame = FrameBuilder::new(file.seed(), FRAMES_AT, 0);
        frame.push(&Operation::Sealed { rows }).unwrap();
        let (bytes, _) = frame.finish(header);
        log[seal_at..seal_at + bytes.len()].copy_from_slice(&bytes);
        match open(&sim.with_log(Path::new(STORE), &log, false)).map(drop) {
            Ok(()) => assert_eq!(rows, 0),
            Err(Error::Corrupt { offset, .. }) => assert_eq!((rows, offset), (1, FRAMES_AT + HEADER_LEN as u64)),
            Err(other) => panic!("{rows} rows: {other}"),
        }
    }
}

/// Both are written at once and never again: which of two good ones is right, nobody can tell.
#[test]
fn two_good_copies_of_the_file_header_that_differ_are_corruption() {
    let (sim, mut log) = new_log();
    let (header, _) = FileHeader::decode(&log[..4096]).unwrap();
    let (other, _) = FileHeader { created_ms: header.created_ms + 1, ..header }.encode();
    log[4096..8192].copy_from_slice(&other);
    let opened = open(&sim.with_log(Path::new(STORE), &log, true));
    assert!(matches!(opened.map(drop), Err(Error::Corrupt { offset: 4096, .. })));
}

#[test]
fn a_watermark_that_says_no_more_than_what_is_there_proves_nothing_but_its_counters_count() {
    let damaged = Damaged::new();
    for place in damaged.places().step_by(7) {
        let len = place + 4096;
        let log = damaged.with_frame(len, place, damaged.end);
        let (sim, opened) = damaged.open(&log);
        let store = opened.unwrap_or_else(|error| panic!("place {place}: {error}"));
        let tail = store.open_report().recovered.clone().unwrap();
        let cut = usize::try_from(tail.offset + tail.bytes_cut).unwrap();
        assert_eq!(tail.offset, damaged.end as u64);
        assert_eq!(Some(cut - 1), log.iter().rposition(|byte| *byte != 0), "place {place}");
        let saved = store.save_token(&Token::builder().access_token("fake-new").build()).unwrap();
        assert!(saved.id().unwrap().parse::<u64>().unwrap() >= 500, "the cut frame may have given ids below");
        assert!(saved.revision().unwrap() >= 600);
        drop(store);
        assert_eq!(open(&sim).unwrap().get_tokens().unwrap().len(), 2, "and nothing of the tail is left");
    }
}

/// A note of a recovery may raise the counters by itself; a save at their end is refused before anything is written.
#[test]
fn a_counter_at_its_end_refuses_the_save_and_nothing_else() {
    let damaged = Damaged::new();
    let (header, crc) = damaged.last_good();
    let mut frame = FrameBuilder::new(damaged.header.seed(), damaged.end as u64, 0);
    frame.push(&Operation::Recovered { cut_len: 8 }).unwrap();
    let (chain, sequence, next_revision) = (crc, header.sequence + 1, COUNTER_MAX - 1);
    let (bytes, _) = frame.finish(FrameHeader { kind: Kind::Recovered, chain, sequence, next_revision, ..header });
    let mut log = damaged.log.clone();
    log[damaged.end..].fill(0);
    log[damaged.end..damaged.end + bytes.len()].copy_from_slice(&bytes);
    let (sim, opened) = damaged.open(&log);
    let store = opened.unwrap();
    let token = |user: &str| Token::builder().user_name(user).access_token("fake").build();
    assert_eq!(store.save_token(&token("cid")).unwrap().revision(), Some(COUNTER_MAX - 1), "the last one");
    let before = sim.content(Path::new(STORE), "store.log");
    let refused = store.save_token(&token("dan")).unwrap_err();
    assert!(matches!(refused, Error::TooLarge { what: "counter", .. }), "{refused}");
    assert!(sim.content(Path::new(STORE), "store.log") == before);
    assert_eq!(store.get_tokens().unwrap().len(), 2);
    drop(store);
    assert_eq!(open(&sim).unwrap().get_tokens().unwrap().len(), 2);
}

/// A frame that was torn may have lost its header and nearly all else: what is left is cut, and what it may have given is
/// not given again.
#[test]
fn what_lies_behind_the_end_is_cut_wherever_it_lies_and_the_counters_go_on_behind_it() {
    let damaged = Damaged::new();
    let (before, _) = damaged.last_good();
    for len in [600, 1000, 8192] {
        // Zeros are looked for in blocks of 256.
        let places = (0..len).step_by(97).chain([len - 1, len / 256 * 256]).map(|place| damaged.end + place);
        let ends = |place| [(place, place), (place, damaged.end + len - 1)];
        for (place, last) in places.filter(|place| *place < damaged.end + len).flat_map(ends) {
            let mut log = damaged.log.clone();
            log.truncate(damaged.end);
            log.resize(damaged.end + len, 0);
            log[place..=last].fill(1);
            let (sim, opened) = damaged.open(&log);
            let store = opened.unwrap();
            let tail = store.open_report().recovered.clone().unwrap_or_else(|| panic!("{len}: {place} was not seen"));
            let cut = (last + 1 - damaged.end) as u64;
            assert_eq!((tail.offset, tail.bytes_cut), (damaged.end as u64, cut));
            let saved = store.save_token(&Token::builder().access_token("fake-new").build()).unwrap();
            // No operation is shorter than 8 bytes.
            assert_eq!(saved.id().unwrap().parse::<u64>().unwrap(), before.next_id + cut / 8, "{len}: {place}");
            assert_eq!(saved.revision(), Some(before.next_revision + cut / 8), "{len}: {place}");
            drop(store);
            assert_eq!(open(&sim).unwrap().get_tokens().unwrap().len(), 2);
        }
    }
}
