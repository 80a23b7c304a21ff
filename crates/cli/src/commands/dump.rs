//! `dump`: every frame that can be read, in the order of the log, without opening the store.

use std::ops::ControlFlow;
use std::path::Path;

use serde::Serialize;
use tokcask::{FrameInfo, OperationKind};

use super::{open, verify};
use crate::escape::escape;
use crate::failure::Failure;
use crate::picture::Picture;
use crate::ui::Ui;

/// For people, a line names so many operations; `--json` has all.
const NAMED_MAX: usize = 8;

#[derive(Serialize)]
struct Frame<'a> {
    offset: u64,
    sequence: u64,
    kind: &'static str,
    body_len: u64,
    operations: Vec<Operation<'a>>,
}

#[derive(Serialize)]
struct Operation<'a> {
    kind: &'static str,
    id: Option<&'a str>,
    /// Null where only the key tells.
    live: Option<bool>,
}

pub(super) fn run(ui: &mut Ui, dir: &Path) -> Result<(), Failure> {
    let mut picture = Picture::default();
    let mut frames = 0;
    let mut printed = Ok(());
    let report = open::options(ui)?.dump(dir, |frame| {
        picture.add_frame(frame);
        printed = if ui.style.json { print_json(ui, frame) } else { print_text(ui, frame, frames == 0) };
        frames += 1;
        if printed.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    });
    printed?;
    let report = report?;
    if !ui.style.json && frames > 0 && picture.is_known() {
        ui.text("")?;
        picture.lines().iter().try_for_each(|line| ui.text(line))?;
    }
    verify::judge(ui, dir, &report)
}

fn print_json(ui: &mut Ui, frame: &FrameInfo<'_>) -> Result<(), Failure> {
    let operations = frame.operations.iter().map(|operation| Operation {
        kind: operation.kind.as_str(),
        id: operation.id,
        live: operation.live,
    });
    ui.json(&Frame {
        offset: frame.offset,
        sequence: frame.sequence,
        kind: frame.kind.as_str(),
        body_len: frame.body_len,
        operations: operations.collect(),
    })
}

/// In columns wide enough for any log but a monstrous one: the widest number is not known before the end.
fn print_text(ui: &mut Ui, frame: &FrameInfo<'_>, is_first: bool) -> Result<(), Failure> {
    if is_first {
        ui.text(&format!("{:>12}  {:>10}  {:<9}  {:>10}  operations", "offset", "sequence", "kind", "body"))?;
    }
    let named = frame.operations.iter().take(NAMED_MAX).map(|operation| {
        let id = operation.id.map(|id| format!(" {}", escape(id))).unwrap_or_default();
        let is_dead = operation.kind == OperationKind::Put && operation.live == Some(false);
        let dead = if is_dead { " (dead)" } else { "" };
        format!("{}{id}{dead}", operation.kind.as_str())
    });
    let mut operations: Vec<_> = named.collect();
    let unnamed = frame.operations.iter().skip(NAMED_MAX);
    if unnamed.len() > 0 {
        let count = unnamed.len();
        let live = unnamed.map(|operation| operation.live.map(usize::from)).sum::<Option<usize>>();
        operations.push(
            live.map_or_else(|| format!("and {count} more"), |live| format!("and {count} more, {live} of them live")),
        );
    }
    let operations = operations.join(", ");
    ui.text(&format!(
        "{:>12}  {:>10}  {:<9}  {:>10}  {operations}",
        frame.offset,
        frame.sequence,
        frame.kind.as_str(),
        frame.body_len
    ))
}
