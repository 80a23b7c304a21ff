//! `stat`: numbers about a store, and a picture of its log.

use std::ops::ControlFlow;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::Serialize;

use tokcask::CompactionReason;

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
    dead_records: u64,
    /// Milliseconds since 1970.
    dead_since: Option<u64>,
    /// Why a service that has the store open will compact it, if it will.
    compaction_due: Option<&'static str>,
    sync_failed: bool,
    index_bytes: u64,
    /// When the next access token ends, in milliseconds since 1970.
    next_expiry: Option<u64>,
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
        dead_records: stats.dead_records,
        dead_since: stats.dead_since_ms,
        compaction_due: stats.compaction.map(name_of),
        sync_failed: stats.sync_failed,
        index_bytes: stats.index_bytes,
        next_expiry: stats.next_expiry_ms,
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
        ("dead records", number(report.dead_records)),
        ("dead since", cell(&since_text(report.dead_since, SystemTime::now()))),
        ("compaction", cell(&stats.compaction.map_or_else(|| "not due".into(), |reason| format!("due: {reason}")))),
        ("writes", cell(if report.sync_failed { "refused until compact, for a sync failed" } else { "accepted" })),
        ("index", bytes(report.index_bytes)),
        ("next expiry", cell(&until_text(report.next_expiry, SystemTime::now()))),
    ];
    table::pairs(&mut ui.out, &pairs)?;

    // Of the log as it is now: somebody may have written to it since.
    let mut picture = Picture::default();
    open::options(ui)?.dump(dir, |frame| {
        picture.add_frame(frame);
        ControlFlow::Continue(())
    })?;
    ui.text("")?;
    picture.lines().iter().try_for_each(|line| ui.text(line))
}

fn name_of(reason: CompactionReason) -> &'static str {
    match reason {
        CompactionReason::DeadBytes => "dead_bytes",
        CompactionReason::DeadAge => "dead_age",
        _ => "other",
    }
}

/// How long ago the first record died.
fn since_text(since_ms: Option<u64>, now: SystemTime) -> String {
    let Some(since_ms) = since_ms else { return "-".into() };
    format!("{} ago ({since_ms})", rounded(now_ms(now).saturating_sub(since_ms)))
}

/// How long it takes until the next access token ends.
fn until_text(expiry_ms: Option<u64>, now: SystemTime) -> String {
    let Some(expiry_ms) = expiry_ms else { return "-".into() };
    format!("in {} ({expiry_ms})", rounded(expiry_ms.saturating_sub(now_ms(now))))
}

fn now_ms(now: SystemTime) -> u64 {
    let since = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// A time in the largest unit of which there are some.
fn rounded(time_ms: u64) -> String {
    const UNITS: [(u64, &str); 4] = [(86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")];
    let secs = time_ms / 1_000;
    let (unit, name) = UNITS.into_iter().find(|(unit, _)| secs >= *unit).unwrap_or((1, "s"));
    format!("{} {name}", secs / unit)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_age_of_what_is_dead_is_told_in_one_unit() {
        let at = |secs: u64| UNIX_EPOCH + Duration::from_secs(1_000 + secs);
        let text = |secs| since_text(Some(1_000_000), at(secs));
        assert_eq!(text(59), "59 s ago (1000000)");
        assert_eq!(text(3_599), "59 min ago (1000000)");
        assert_eq!(text(90_000), "1 d ago (1000000)");
        assert_eq!(since_text(Some(1_000_000), UNIX_EPOCH), "0 s ago (1000000)", "a clock may step back");
        assert_eq!(since_text(None, at(0)), "-");
        assert_eq!(until_text(Some(u64::MAX), at(0)), format!("in 213503982334 d ({})", u64::MAX));
        assert_eq!(until_text(Some(1_060_000), at(0)), "in 1 min (1060000)");
    }
}
