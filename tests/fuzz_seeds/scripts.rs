//! Scripts for the two targets whose inputs are operations: each step is there, and each has something to work on.

use super::Seed;
use super::bodies::operations::{PROCESSES, SHARED};
use super::bodies::tampered::{CHAINED, MENDED, WITHOUT_LOCK_FILE};

/// Five steps that leave rows behind: two saves, a batch, an update, one row with an id.
const ROWS: [u8; 21] = [0, 0, 46, 0, 0, 0, 14, 8, 0, 6, 3, 46, 17, 12, 18, 30, 3, 0, 0, 5, 5];

pub(crate) fn operations() -> Vec<Seed> {
    let seed = |name, switches: u8, script: &[u8]| {
        Seed::new("operations", name, [&[switches], ROWS.as_slice(), script].concat())
    };
    // Compare and save, import, delete, clear, sweep, find, get, compact, refresh.
    let verbs =
        [0, 8, 6, 8, 1, 0, 9, 2, 14, 8, 7, 9, 2, 0, 10, 0, 0, 13, 1, 0, 15, 2, 8, 0, 16, 1, 4, 0, 17, 0, 20, 3, 1];
    let lose = [30, 0, 0, 0, 0, 46, 1, 30, 3, 0, 0, 14, 8, 31, 5, 9, 0];
    let fail_writes = [22, 2, 1, 0, 3, 0, 0, 46, 2, 0, 17, 27, 0, 0, 14, 9];
    let fail_sync = [22, 6, 0, 0, 4, 0, 0, 46, 2, 0, 0, 14, 3, 0, 17, 27, 0, 10, 0];
    let crash_in_compaction = [24, 0, 40, 0, 17, 5, 7, 0, 0, 46, 3];
    let crash_in_recovery = [24, 1, 9, 0, 17, 5, 7, 17, 5, 1, 33, 5, 2, 0];
    vec![
        seed("verbs", 0, &verbs),
        seed("verbs-shared", SHARED, &[&verbs[..], &[128, 8, 6, 8, 128, 17, 128, 0, 46, 1]].concat()),
        seed("back-up-and-lose", 0, &[&[19, 0, 0, 46, 9, 19], lose.as_slice()].concat()),
        seed("failing-writes", 0, &fail_writes),
        seed("failing-sync", 0, &fail_sync),
        seed("failing-sync-shared", SHARED, &fail_sync),
        seed("full", 0, &[26, 1, 0, 0, 174, 3, 0, 10, 0, 0, 17, 27, 0, 0, 46, 4]),
        seed("crash-in-compaction", 0, &crash_in_compaction),
        seed("crash-in-recovery", 0, &crash_in_recovery),
        seed("death-of-one", PROCESSES | SHARED, &[157, 1, 5, 128, 0, 46, 7, 0, 17, 20, 29, 0, 30, 0, 17, 0, 0, 46, 3]),
        seed("crash-of-all", PROCESSES | SHARED, &crash_in_recovery),
    ]
}

pub(crate) fn pages() -> Vec<Seed> {
    let seed = |name, script: &[u8]| Seed::new("shared_page", name, script.to_vec());
    // A saves twice, and B joins and saves; at the end all look.
    let start = [0x04, 0x04, 0x44, 0x1b, 0x14, 0x2b];
    let look = [0x09, 0x19, 0x29, 0x04, 0x19, 0x0f];
    let patched = |name, patch: &[u8]| seed(name, &[&start[..], patch, &look].concat());
    vec![
        patched("untouched", &[]),
        patched("compacted", &[0x0a, 0x19, 0x29, 0x56]),
        patched("version", &[0x00, 0x80]),
        patched("end-of-before", &[0x00, 0x83, 1, 3, 1]),
        patched("end-far-beyond", &[0x00, 0x83, 1, 0, 7]),
        patched("other-generation", &[0x00, 0x83, 0, 1, 1]),
        patched("pending", &[0x00, 0x83, 6, 1, 2]),
        patched("intent", &[0x00, 0x01, 3, 2, 9]),
        patched("sync-failed", &[0x00, 0x01, 2, 0, 1]),
        patched("no-layout", &[0x00, 0x01, 0, 0, 0, 0x1b]),
        patched("held-back", &[0x0d, 0, 0x00, 0x05, 3, 5, 255, 255, 255, 255, 255, 255, 255, 255, 0x0d, 0]),
        patched("slot-of-more", &[0x00, 0x07, 0, 2, 2, 16, 0x0f]),
        patched("slot-of-another", &[0x00, 0x07, 0, 0, 0, 0, 0x0f]),
    ]
}

/// Each change: the place, where it comes from, how many times eight bytes (0: one byte, by what it is changed).
pub(crate) fn changes() -> Vec<Seed> {
    let seed = |name, switches: u8, changes: &[[u8; 5]]| {
        Seed::new("tampered", name, [&[switches], changes.as_flattened()].concat())
    };
    let (created, wrapped, first_frame) = ([0, 216, 0, 1, 0], [0, 120, 0, 9, 0], [0, 236, 0, 1, 0]);
    let operation = [2, 0, 0x21, 0, 10];
    vec![
        seed("nothing", 0, &[]),
        seed("header", MENDED, &[created]),
        seed("wrapped-key", MENDED, &[wrapped]),
        seed("bit-of-a-frame", MENDED, &[first_frame]),
        seed("bit-of-a-frame-chained", CHAINED, &[first_frame]),
        seed("bytes-of-another-frame", CHAINED, &[operation]),
        seed("bytes-of-another-frame-untouched", 0, &[operation]),
        seed("end-without-anchor", MENDED | WITHOUT_LOCK_FILE, &[[3, 200, 0, 77, 0]]),
        seed("several", CHAINED, &[created, operation, first_frame]),
    ]
}
