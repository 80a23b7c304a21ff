//! `compact` and `purge`: a new log without what was replaced or deleted.

use std::path::Path;

use serde::Serialize;
use tokcask::{CompactReport, LogStore};

use super::open;
use crate::failure::Failure;
use crate::picture::bytes_text;
use crate::ui::Ui;

#[derive(Serialize)]
struct Compacted {
    tokens: u64,
    generation: u64,
    log_bytes_before: u64,
    log_bytes_after: u64,
}

pub(super) fn run(ui: &mut Ui, dir: &Path) -> Result<(), Failure> {
    rewrite(ui, dir, "compact", LogStore::compact)
}

/// The same, until nobody has the old log any more.
pub(super) fn purge(ui: &mut Ui, dir: &Path) -> Result<(), Failure> {
    rewrite(ui, dir, "purge", LogStore::purge)
}

fn rewrite(
    ui: &mut Ui,
    dir: &Path,
    work: &'static str,
    rewrite: fn(&LogStore) -> tokcask::Result<CompactReport>,
) -> Result<(), Failure> {
    let options = open::options(ui)?;
    let (store, bar) = open::held(ui, &options, dir, work)?;
    let report = rewrite(&store)?;
    store.close()?;
    bar.finish();
    let (before, after) = (report.log_bytes_before, report.log_bytes_after);
    if ui.style.json {
        let (tokens, generation) = (report.tokens, report.generation);
        return ui.json(&Compacted { tokens, generation, log_bytes_before: before, log_bytes_after: after });
    }
    let (before, after) = (bytes_text(before), bytes_text(after));
    ui.text(&format!("compacted: {before} to {after}, {} tokens, generation {}", report.tokens, report.generation))
}
