//! `sweep`: deletes tokens that are expired, too old or unused.

use serde::Serialize;
use tokcask::{SweepPolicy, SweepReason, SweepReport, Swept};

use super::open;
use crate::args::Sweep;
use crate::failure::Failure;
use crate::table::{self, Cell, cell};
use crate::ui::Ui;

const HEADER: [&str; 4] = ["id", "user name", "why", "refresh"];

#[derive(Serialize)]
struct Report<'a> {
    dry_run: bool,
    examined: u64,
    swept: Vec<Row<'a>>,
    spared: u64,
    moved_on: u64,
}

#[derive(Serialize)]
struct Row<'a> {
    id: &'a str,
    user_name: Option<&'a str>,
    reason: &'static str,
    had_refresh_token: bool,
}

pub(super) fn run(ui: &mut Ui, args: &Sweep) -> Result<(), Failure> {
    let policy = SweepPolicy {
        expired_for: args.expired_for,
        age_max: args.older_than,
        idle_max: args.idle_for,
        with_refresh_token: args.with_refresh_token,
        dry_run: args.dry_run,
    };
    let options = open::options(ui)?;
    let (store, bar) = open::held(ui, &options, &args.dir, "sweep")?;
    let report = store.sweep(&policy)?;
    bar.finish();
    // Before anything else can fail: nobody could tell afterwards who is gone.
    print(ui, args, &report)?;
    match report.stopped {
        Some(error) => Err(error.into()),
        None => Ok(store.close()?),
    }
}

fn print(ui: &mut Ui, args: &Sweep, report: &SweepReport) -> Result<(), Failure> {
    let SweepReport { examined, swept, spared, moved_on, .. } = report;
    if ui.style.json {
        let swept = swept.iter().map(row).collect();
        return ui.json(&Report {
            dry_run: args.dry_run,
            examined: *examined,
            swept,
            spared: *spared,
            moved_on: *moved_on,
        });
    }
    let swept_name = if args.dry_run { "would delete" } else { "deleted" };
    let number = |number: u64| cell(&number.to_string());
    let numbers = [
        (swept_name, number(swept.len() as u64)),
        ("spared", number(*spared)),
        ("moved on", number(*moved_on)),
        ("examined", number(*examined)),
    ];
    table::pairs(&mut ui.out, &numbers)?;
    if swept.is_empty() {
        return Ok(());
    }
    ui.text("")?;
    table::print(&mut ui.out, HEADER, || swept.iter().map(|swept| Ok(cells(swept))))
}

fn row(swept: &Swept) -> Row<'_> {
    Row {
        id: &swept.id,
        user_name: swept.user_name.as_deref(),
        reason: name_of(swept.reason),
        had_refresh_token: swept.had_refresh_token,
    }
}

fn cells(swept: &Swept) -> [Cell; 4] {
    [
        cell(&swept.id),
        cell(swept.user_name.as_deref().unwrap_or_default()),
        cell(name_of(swept.reason)),
        cell(table::yes_or_no(swept.had_refresh_token)),
    ]
}

fn name_of(reason: SweepReason) -> &'static str {
    match reason {
        SweepReason::Expired => "expired",
        SweepReason::Age => "age",
        SweepReason::Idle => "idle",
        _ => "other",
    }
}
