//! The inputs that fuzzing starts from, made by the store itself.
//!
//! Method: they are made anew and compared with the files of `fuzz/corpus`; `TOKCASK_WRITE_SEEDS=1` writes them.

#[path = "../fuzz/bodies/mod.rs"]
mod bodies;
#[path = "fuzz_seeds/files.rs"]
mod files;
#[path = "fuzz_seeds/logs.rs"]
mod logs;
#[path = "fuzz_seeds/records.rs"]
mod records;
#[path = "fuzz_seeds/scripts.rs"]
mod scripts;

use std::fs;
use std::path::Path;

/// A file of a target's corpus.
#[derive(Clone)]
struct Seed {
    target: &'static str,
    name: &'static str,
    content: Vec<u8>,
}

impl Seed {
    fn new(target: &'static str, name: &'static str, content: Vec<u8>) -> Self {
        Self { target, name, content }
    }
}

#[test]
fn seeds_are_what_the_store_writes_today() {
    let writing = std::env::var_os("TOKCASK_WRITE_SEEDS").is_some();
    let logs = [logs::logs(), logs::frames(), records::records()].concat();
    let others = [files::files(), scripts::operations(), scripts::pages(), scripts::changes()].concat();
    for Seed { target, name, content } in [logs, others].concat() {
        let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
        let path = corpus.join(name);
        if writing {
            fs::create_dir_all(&corpus).unwrap();
            fs::write(&path, &content).unwrap();
        }
        assert!(fs::read(&path).unwrap() == content, "{} differs; see the head of this file", path.display());
    }
}
