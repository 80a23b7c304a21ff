//! `salvage`: every row that can be read of a damaged store, in a new one.

use serde::Serialize;
use tokcask::SalvageReport;

use super::backup::dest_failure;
use super::open;
use super::verify::DamageJson;
use crate::args::Copied;
use crate::failure::Failure;
use crate::progress::Unit;
use crate::ui::{Ui, text_of};

#[derive(Serialize)]
struct Salvaged<'a> {
    salvage: String,
    tokens: u64,
    /// Parts of the log, up to and without `end`.
    lost: Vec<Span>,
    /// Numbers of frames, from first to last.
    missing_sequences: Vec<Run>,
    maybe_stale: &'a [String],
    copied: Option<&'static str>,
    end_unproved: bool,
    torn_tail: Option<DamageJson>,
}

#[derive(Serialize)]
struct Span {
    start: u64,
    end: u64,
}

#[derive(Serialize)]
struct Run {
    first: u64,
    last: u64,
}

pub(super) fn run(ui: &mut Ui, args: &Copied) -> Result<(), Failure> {
    let bar = ui.bar("salvage", Unit::Bytes);
    let salvaged = open::options(ui)?.on_progress(bar.hook()).salvage(&args.dir, &args.dest);
    let report = salvaged.map_err(|error| dest_failure(error, args))?;
    bar.finish();
    if ui.style.json {
        return print_json(ui, args, &report);
    }
    print_text(ui, args, &report)
}

fn print_json(ui: &mut Ui, args: &Copied, report: &SalvageReport) -> Result<(), Failure> {
    let runs = report.missing_sequences.iter().map(|run| Run { first: *run.start(), last: *run.end() });
    ui.json(&Salvaged {
        salvage: text_of(&args.dest),
        tokens: report.tokens,
        lost: report.lost.iter().map(|lost| Span { start: lost.start, end: lost.end }).collect(),
        missing_sequences: runs.collect(),
        maybe_stale: &report.maybe_stale,
        copied: report.copied,
        end_unproved: report.end_unproved,
        torn_tail: report.torn_tail.as_ref().map(DamageJson::from),
    })
}

fn print_text(ui: &mut Ui, args: &Copied, report: &SalvageReport) -> Result<(), Failure> {
    ui.text(&format!("salvaged {} tokens to {}", report.tokens, args.dest.display()))?;
    if report.lost.is_empty() && report.missing_sequences.is_empty() && report.copied.is_none() {
        ui.text("nothing is lost")?;
    }
    for lost in &report.lost {
        ui.text(&format!("lost: offsets {} to {}, {} bytes", lost.start, lost.end, lost.end - lost.start))?;
    }
    for run in &report.missing_sequences {
        ui.text(&match (run.start(), run.end()) {
            (first, last) if first == last => format!("missing: frame {first}"),
            (first, last) => format!("missing: frames {first} to {last}"),
        })?;
    }
    if let Some(reason) = report.copied {
        ui.text(&format!("not the newest log: {reason}; anything later is missing"))?;
    }
    if report.end_unproved {
        ui.text("no watermark of this log can be read: if its end is lost, nothing tells")?;
    }
    if let Some(tail) = &report.torn_tail {
        ui.text(&format!("left out: a torn tail at offset {}, never acknowledged", tail.offset))?;
    }
    if !report.maybe_stale.is_empty() {
        ui.text("these ids may have been newer, or deleted, in what is lost:")?;
    }
    report.maybe_stale.iter().try_for_each(|id| ui.text(&format!("  {id}")))
}
