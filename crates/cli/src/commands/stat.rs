//! `stat`: numbers about a store, and a picture of its log.

use std::ops::ControlFlow;
use std::path::Path;

use serde::Serialize;

use super::create::uuid_text;
use super::open;
use crate::failure::Failure;
use crate::picture::{Picture, bytes_text};
use crate::table::{self, cell};
use crate::ui::Ui;

#[derive(Serialize)]
struct Report {
    uuid: String,
    generation: u64,
    sequence: u64,
    tokens: u64,
    next_id: u64,
    log_bytes: u64,
    live_bytes: u64,
    dead_bytes: u64,
    index_bytes: u64,
}

pub(super) fn run(ui: &mut Ui, dir: &Path) -> Result<(), Failure> {
    let store = open::existing(ui, dir)?;
    let stats = store.stats()?;
    let report = Report {
        uuid: uuid_text(&stats.uuid),
        generation: stats.generation,
        sequence: stats.sequence,
        tokens: stats.tokens,
        next_id: stats.next_id,
        log_bytes: stats.log_bytes,
        live_bytes: stats.live_bytes,
        dead_bytes: stats.dead_bytes,
        index_bytes: stats.index_bytes,
    };
    if ui.style.json {
        return ui.json(&report);
    }
    let number = |number: u64| cell(&number.to_string());
    let bytes = |bytes: u64| cell(&format!("{} ({bytes})", bytes_text(bytes)));
    let pairs = [
        ("uuid", cell(&report.uuid)),
        ("generation", number(report.generation)),
        ("sequence", number(report.sequence)),
        ("tokens", number(report.tokens)),
        ("next id", number(report.next_id)),
        ("log", bytes(report.log_bytes)),
        ("live", bytes(report.live_bytes)),
        ("dead", bytes(report.dead_bytes)),
        ("index", bytes(report.index_bytes)),
    ];
    table::pairs(&mut ui.out, &pairs)?;

    // We hold the store's lock, so that this is the log of the numbers above.
    let mut picture = Picture::default();
    open::options().dump(dir, |frame| {
        picture.add_frame(frame);
        ControlFlow::Continue(())
    })?;
    ui.text("")?;
    picture.lines().iter().try_for_each(|line| ui.text(line))
}
