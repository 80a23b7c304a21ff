//! `adopt`: accepts a log that was put back as the newest.

use std::path::Path;

use serde::Serialize;

use super::open;
use crate::failure::Failure;
use crate::progress::Unit;
use crate::ui::Ui;

#[derive(Serialize)]
struct Report {
    adopted: bool,
    reason: Option<&'static str>,
    tokens: u64,
    generation: u64,
}

pub(super) fn run(ui: &mut Ui, dir: &Path) -> Result<(), Failure> {
    let bar = ui.bar("adopt", Unit::Bytes);
    let report = open::options(ui)?.on_progress(bar.hook()).adopt(dir)?;
    bar.finish();
    if let Some(tail) = &report.recovered {
        open::tell_recovered(ui, dir, tail)?;
    }
    let (reason, tokens, generation) = (report.reason, report.tokens, report.generation);
    if ui.style.json {
        return ui.json(&Report { adopted: reason.is_some(), reason, tokens, generation });
    }
    ui.text(&match reason {
        Some(reason) => format!("adopted: {tokens} tokens, generation {generation} ({reason})"),
        None => format!("nothing to adopt: the store opens, with {tokens} tokens"),
    })
}
