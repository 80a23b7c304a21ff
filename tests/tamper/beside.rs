//! The files beside the log, which no key protects: whatever stands in them, rows are as they were, and what is saved next gets
//! numbers that were never given.

use std::path::Path;

use tokcask::format::header::{COPY_LEN, FileHeader};
use tokcask::format::redo;
use tokcask::format::slot::SLOT_LEN;
use tokcask::storage::Storage;
use tokcask::{Error, ErrorKind, LogStore, TokenStore};

use crate::forger::{FRAMES_AT, chain, mend};
use crate::sim::Sim;
use crate::victim::{Canonical, STORE, canonical, open, token};

const SLOTS_AT: [usize; 2] = [4096, 8192];
/// The page, up to the end of its second state.
const PAGE_LEN: usize = 256 + 72;

#[test]
fn a_lock_file_that_was_changed_takes_no_row_and_gives_no_number_again() {
    let canonical = canonical();
    let lock = canonical.sim.content(Path::new(STORE), "store.lock").unwrap();
    let slots = SLOTS_AT.into_iter().flat_map(|at| at..at + SLOT_LEN);
    let (mut opened, mut refused) = (0, 0);
    for byte in (0..PAGE_LEN).chain(slots) {
        for bit in 0..8 {
            for mended in [false, true] {
                let mut changed = lock.clone();
                changed[byte] ^= 1 << bit;
                if mended {
                    for at in SLOTS_AT {
                        mend_slot(&mut changed[at..at + SLOT_LEN]);
                    }
                }
                let sim = canonical.sim.kill();
                sim.set_content(Path::new(STORE), "store.lock", &changed);
                let what = format!("bit {bit} of byte {byte} of store.lock, mended: {mended}");
                match open(&sim) {
                    Ok(store) => {
                        check(&canonical, &store, &what);
                        opened += 1;
                    }
                    Err(error) => {
                        check_refusal(&error, &what);
                        refused += 1;
                    }
                }
            }
        }
    }
    assert!(opened > 1000 && refused > 10, "{opened} opened, {refused} refused");
}

fn mend_slot(slot: &mut [u8]) {
    let crc = crc32fast::hash(&slot[..SLOT_LEN - 8]);
    slot[SLOT_LEN - 8..].copy_from_slice(&u64::from(crc).to_le_bytes());
}

/// It has its rows, and gives numbers that were never given.
fn check(canonical: &Canonical, store: &LogStore, what: &str) {
    assert_eq!(store.get_tokens().unwrap(), canonical.rows, "{what}");
    let number = |token: &tokcask::Token| token.id().unwrap().parse::<u64>().unwrap();
    let highest = canonical.rows.iter().map(number).max().unwrap();
    let revision = canonical.rows.iter().map(|row| row.revision().unwrap()).max().unwrap();
    let saved = store.save_token(&token(50)).unwrap_or_else(|error| panic!("{what}: {error}"));
    assert!(number(&saved) > highest && saved.revision().unwrap() > revision, "{what}: {saved:?}");
}

fn check_refusal(error: &Error, what: &str) {
    assert!(matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::Copied), "{what}: {error}");
}

#[test]
fn bytes_to_be_written_again_are_believed_no_more_than_the_log() {
    let canonical = canonical();
    let Canonical { log, frames, older, .. } = &canonical;
    let end = frames.last().unwrap().end;
    let (header, _) = FileHeader::decode(&log[..COPY_LEN]).unwrap();
    let open_with = |forged: &[u8]| {
        let sim = canonical.sim.kill();
        let content = redo::encode(&header, FRAMES_AT as u64, &forged[FRAMES_AT..end]);
        put(&sim, "store.redo", &content);
        open(&sim)
    };
    // What was there goes on.
    check(&canonical, &open_with(log).unwrap(), "the same bytes");
    let refused = |forged: &[u8], what: &str| match open_with(forged) {
        Ok(store) => panic!("{what}: it opens, with {:?}", store.get_tokens()),
        Err(error) => check_refusal(&error, what),
    };
    for byte in FRAMES_AT..end {
        let mut forged = log.clone();
        forged[byte] ^= 0x40;
        let touched = forged.clone();
        chain(&mut forged, frames);
        for (forged, what) in [(&touched, "touched"), (&forged, "chained")] {
            if forged != log {
                refused(forged, &format!("byte {byte} in store.redo, {what}"));
            }
        }
    }
    let mut forged = log.clone();
    forged[FRAMES_AT..older.len()].copy_from_slice(&older[FRAMES_AT..]);
    mend(&mut forged, &crate::forger::frames(older));
    refused(&forged, "the generation before in store.redo");
}

fn put(sim: &Sim, name: &str, content: &[u8]) {
    let directory = sim.open_dir(Path::new(STORE)).unwrap().unwrap();
    let file = directory.create(name).unwrap();
    file.write_at(content, 0).unwrap();
    file.sync().unwrap();
    directory.sync().unwrap();
}
