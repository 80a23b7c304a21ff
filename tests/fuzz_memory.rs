//! What hostile input takes of memory: at most 64 MiB for 1 MiB of it, whatever it claims.
//!
//! Method: an allocator that counts runs the fuzz targets' bodies on inputs of 1 MiB that are made to be large in memory:
//! nothing but the smallest things, lengths that lie, with checksums mended so that they are believed. What is measured
//! includes what the bodies themselves hold, such as a simulated directory. `open_log` mends what it is given.

#![expect(unsafe_code, reason = "a global allocator is unsafe to write")]

#[path = "../fuzz/bodies/mod.rs"]
mod bodies;

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

use bodies::layout::{COMPACT, COUNTERS, LENGTHS, SLOT, WHOLE};
use bodies::{decode_frame, decode_record, import_zoho_csv, open_log, salvage_log};

const INPUT_LEN: usize = 1 << 20;
const LIMIT: usize = 64 << 20;

static LIVE: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

struct Counting;

/// A target's name, its body, and what it is given.
type Target = (&'static str, fn(&[u8]), Vec<Vec<u8>>);

// SAFETY: every call goes to the system's allocator as it came; counting touches no memory of the caller's.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let live = LIVE.fetch_add(layout.size(), Ordering::Relaxed) + layout.size();
        PEAK.fetch_max(live, Ordering::Relaxed);
        // SAFETY: the caller keeps the promises of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: it came from `alloc` above with this layout.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// How much more was alive at the worst moment than before. One at a time: the allocator counts for all threads.
fn peak_of(body: impl FnOnce()) -> usize {
    let before = LIVE.load(Ordering::Relaxed);
    PEAK.store(before, Ordering::Relaxed);
    body();
    PEAK.load(Ordering::Relaxed) - before
}

/// One test, for the same reason.
#[test]
fn a_mebibyte_of_hostile_input_takes_at_most_64() {
    let targets: [Target; 5] = [
        ("decode_frame", decode_frame::run, frames()),
        ("decode_record", decode_record::run, records()),
        ("open_log", open_log::run, logs()),
        ("salvage_log", salvage_log::run, logs()),
        ("import_zoho_csv", import_zoho_csv::run, files()),
    ];
    let mut too_much = Vec::new();
    for (name, body, inputs) in targets {
        let mut peaks: Vec<_> = inputs.iter().map(|input| peak_of(|| body(input))).collect();
        println!("{name}: peaks of {peaks:?} bytes");
        peaks.retain(|peak| *peak > LIMIT);
        too_much.extend(peaks.iter().map(|peak| (name, *peak)));
    }
    assert!(too_much.is_empty(), "{too_much:?}");
}

fn of(head: &[u8], unit: &[u8]) -> Vec<u8> {
    head.iter().chain(unit.iter().cycle()).copied().take(INPUT_LEN).collect()
}

/// What any decoder may meet.
fn any(head: &[u8]) -> Vec<Vec<u8>> {
    [&[0][..], &[0xFF], &[0xFA], b"tkf\x97", &[1, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0x7F]].map(|unit| of(head, unit)).into()
}

/// An operation without content takes the fewest bytes: clears, and deletes of one letter.
const CLEAR: [u8; 16] = [3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
const DELETE: [u8; 24] = [2, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, b'1', 0, 0, 0, 0, 0, 0, 0];

fn header(kind: u8, body_len: u32) -> Vec<u8> {
    let mut header = vec![0; 64];
    header[..4].copy_from_slice(&0x9766_6B74_u32.to_le_bytes());
    header[4] = kind;
    header[8..12].copy_from_slice(&body_len.to_le_bytes());
    header[16] = 1;
    header[40] = 1;
    header[48] = 1;
    header
}

fn body_len() -> u32 {
    u32::try_from(INPUT_LEN).unwrap()
}

fn frames() -> Vec<Vec<u8>> {
    let switches = [0, decode_frame::CHECKSUMS, decode_frame::CHECKSUMS | decode_frame::LENGTHS];
    let head = |switches: u8, len: u32| [[switches].as_slice(), &[0; 24], &header(1, len)].concat();
    let mut all = Vec::new();
    for switches in switches {
        all.extend(any(&[switches]));
        for len in [body_len(), u32::MAX, 0x03FF_FFC0] {
            all.extend([&CLEAR[..], &DELETE].map(|unit| of(&head(switches, len), unit)));
            all.push(of(&head(switches, len), &one_put(&least_record())));
            all.push(of(&head(switches, len), &one_put(&record_of_pairs(1000))));
        }
    }
    all
}

fn records() -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    for switches in [0, decode_record::LENGTHS] {
        all.extend(any(&[switches]));
        // More pairs than there are, each of one byte, or of none; and of as many as fit.
        for count in [[0xFC, 0xFF, 0xFF, 0xFF, 0xFF], [0xFC, 0, 0, 8, 0], [0xFC, 0, 0, 4, 0]] {
            let head = [&[switches, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0][..], &count].concat();
            all.extend([&[0][..], &[1], &[0xFB, 0xFF, 0xFF]].map(|unit| of(&head, unit)));
        }
        all.push([&[switches][..], &record_of_pairs(150_000)].concat());
        all.push(of(&[switches, 1, 0, 0, 1, 0xFC, 0, 0, 15, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], b"x"));
    }
    all
}

fn logs() -> Vec<Vec<u8>> {
    let full = LENGTHS | COUNTERS;
    let mut all = any(&[WHOLE, 0, 0, 0]);
    all.extend(any(&[full, 255, 0, 0]));
    let seal = [header(3, 24), vec![4, 0, 0, 0, 8, 0, 0, 0], vec![0; 16]].concat();
    for switches in [full, full | SLOT, full | COMPACT] {
        let head = |kind: u8, len: u32| [&[switches, 255, 0, 0], seal.as_slice(), &header(kind, len)].concat();
        for unit in [&CLEAR[..], &DELETE, &one_put(&least_record()), &one_put(&record_of_pairs(1000))] {
            all.push(of(&head(1, body_len()), unit));
        }
        // Nothing but frames of one operation, and of none.
        all.push(of(&[switches, 255, 0, 0], &[seal.as_slice(), &header(1, 16), &CLEAR].concat()));
        all.push(of(&[switches, 255, 0, 0], &header(1, 0)));
    }
    all
}

fn files() -> Vec<Vec<u8>> {
    let units = ["\n", ",", "a\n", "\"", "\"\"", "\"\"\"", "\",", ",,,,x,,,,\n", ",,,,x,,,,,\r\n", "\u{1f}", "x", "\r"];
    let node = "id,user_name,client_id,client_secret,refresh_token,access_token,grant_token,expiry_time,redirect_url,\
                api_domain\n";
    let mut all = Vec::new();
    for switches in [0, import_zoho_csv::VALUES, import_zoho_csv::IN_PIECES] {
        all.extend(any(&[switches]));
        for unit in units {
            all.push(of(&[switches], unit.as_bytes()));
            all.push(of(&[&[switches], node.as_bytes()].concat(), unit.as_bytes()));
        }
    }
    all
}

fn one_put(record: &[u8]) -> Vec<u8> {
    let len = u32::try_from(record.len()).unwrap().to_le_bytes();
    let mut put = [&[1, 0, 0, 0], &len[..], &[0; 8], record].concat();
    put.resize(put.len().next_multiple_of(8), 0);
    put
}

/// An id and nothing else.
fn least_record() -> Vec<u8> {
    [&[1, 0, 0, 1][..], &[0; 9], &[0, 1], b"1"].concat()
}

/// Keys of three letters or more, with values of one.
fn record_of_pairs(count: u32) -> Vec<u8> {
    let keys: Vec<_> = (0..count).map(|number| format!("{number:06x}")).collect();
    let text_len = 1 + count * 7;
    let mut record = [&[1, 0, 0, 1][..], &[0; 9]].concat();
    for number in [count, text_len] {
        if number == text_len {
            record.extend([6, 1].repeat(keys.len()));
        }
        record.extend([&[0xFC][..], &number.to_le_bytes()].concat());
    }
    record.push(b'1');
    for key in &keys {
        record.extend([key.as_bytes(), b"v"].concat());
    }
    record
}
