//! `verify`: reads a store through and lists all damage, without opening it.

use std::path::Path;

use serde::Serialize;
use tokcask::{Damage, VerifyReport, VerifyStatus};

use super::open::{self, LOG};
use crate::failure::{Failure, Kind};
use crate::progress::Unit;
use crate::table::{self, cell};
use crate::ui::{Notice, Ui};

#[derive(Serialize)]
struct Report {
    status: &'static str,
    frames: u64,
    operations: u64,
    damage: Vec<DamageJson>,
}

/// One damaged place.
#[derive(Serialize)]
pub(super) struct DamageJson {
    offset: u64,
    reason: String,
}

impl From<&Damage> for DamageJson {
    fn from(damage: &Damage) -> Self {
        Self { offset: damage.offset, reason: damage.reason.to_string() }
    }
}

pub(super) fn run(ui: &mut Ui, dir: &Path) -> Result<(), Failure> {
    let bar = ui.bar("verify", Unit::Bytes);
    let report = open::options(ui)?.on_progress(bar.hook()).verify(dir)?;
    bar.finish();
    print(ui, &report)?;
    judge(ui, dir, &report)
}

fn print(ui: &mut Ui, report: &VerifyReport) -> Result<(), Failure> {
    let status = status_text(report.status);
    if ui.style.json {
        let damage = report.damage.iter().map(DamageJson::from).collect();
        return ui.json(&Report { status, frames: report.frames, operations: report.operations, damage });
    }
    let numbers = [
        ("status", cell(status)),
        ("frames", cell(&report.frames.to_string())),
        ("operations", cell(&report.operations.to_string())),
    ];
    table::pairs(&mut ui.out, &numbers)?;
    if report.damage.is_empty() {
        return Ok(());
    }
    ui.text("")?;
    let rows = || report.damage.iter().map(|damage| Ok([damage.offset.to_string(), damage.reason.to_string()]));
    table::print(&mut ui.out, ["offset", "damage"], || rows().map(|row| row.map(|row| row.map(|text| cell(&text)))))
}

/// Damage is a failure, and a torn tail is worth a word.
pub(super) fn judge(ui: &mut Ui, dir: &Path, report: &VerifyReport) -> Result<(), Failure> {
    let log = dir.join(LOG);
    let first = report.damage.first();
    let reason = first.map(|damage| format!(" at offset {}: {}", damage.offset, damage.reason)).unwrap_or_default();
    let offset = first.map(|damage| damage.offset);
    match report.status {
        VerifyStatus::Clean => Ok(()),
        VerifyStatus::TornTail => {
            let message = format!("{} has a torn tail{reason}; the next open cuts it", log.display());
            ui.notice(&Notice::new("torn_tail", message, &log).at(offset))
        }
        _ => {
            let message = format!("{} is damaged{reason}", log.display());
            Err(Failure { offset, ..Failure::new(Kind::Corrupt, message).at(&log) })
        }
    }
}

fn status_text(status: VerifyStatus) -> &'static str {
    match status {
        VerifyStatus::Clean => "clean",
        VerifyStatus::TornTail => "torn_tail",
        _ => "corrupt",
    }
}
