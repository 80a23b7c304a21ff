//! The fuzz corpus on stable: every input that is committed, the seeds and whatever once broke a promise.
//!
//! Method: the targets' bodies are run as they are, on all files of `fuzz/corpus`.

#[path = "../fuzz/bodies/mod.rs"]
mod bodies;

use std::fs;
use std::path::Path;

use bodies::{decode_frame, decode_record, import_zoho_csv, open_log, operations, salvage_log, shared_page, tampered};

fn replay(target: &str, body: impl Fn(&[u8])) {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let mut inputs = 0;
    for entry in fs::read_dir(corpus).unwrap() {
        let path = entry.unwrap().path();
        println!("{}", path.display());
        body(&fs::read(path).unwrap());
        inputs += 1;
    }
    assert!(inputs > 0, "{target} has seeds");
}

#[test]
fn frames_of_the_corpus_keep_all_promises() {
    replay("decode_frame", decode_frame::run);
}

#[test]
fn records_of_the_corpus_keep_all_promises() {
    replay("decode_record", decode_record::run);
}

#[test]
fn logs_of_the_corpus_keep_all_promises() {
    replay("open_log", open_log::run);
}

#[test]
fn logs_of_the_corpus_are_salvaged() {
    replay("open_log", salvage_log::run);
}

#[test]
fn csv_files_of_the_corpus_come_back() {
    replay("import_zoho_csv", import_zoho_csv::run);
}

#[test]
fn scripts_of_the_corpus_end_as_the_list_does() {
    replay("operations", operations::run);
}

#[test]
fn lock_files_of_the_corpus_mislead_nobody() {
    replay("shared_page", shared_page::run);
}

#[test]
fn changes_of_the_corpus_forge_nothing() {
    replay("tampered", tampered::run);
}
