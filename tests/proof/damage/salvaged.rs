//! A damaged log, salvaged.

use std::path::Path;

use tokcask::{ErrorKind, SalvageReport, Token, TokenStore, VerifyStatus, salvage_on};

use crate::history::{STORE, open};
use crate::settings::options;
use crate::verdict::Broken;

use super::canonical::{Canonical, Version, rows};
use super::verdict::Harm;

const RESCUED: &str = "/rescued";

/// Returns what came of it, if it may: rows that were saved, nothing else, and an honest account of the rest.
pub(crate) fn check(canonical: &Canonical, log: &[u8], slots: bool) -> Result<&'static str, Broken> {
    let harm = Harm::of(canonical, log);
    let sim = canonical.sim.with_log(Path::new(STORE), log, slots);
    let salvaged = salvage_on(&options(&sim), &sim, Path::new(STORE), Path::new(RESCUED));
    if sim.content(Path::new(STORE), "store.log").as_deref() != Some(log) {
        return Err("the damaged log is changed".to_owned());
    }
    let report = match salvaged {
        Ok(report) => report,
        Err(error) => {
            // Where the copies contradict each other a single good frame decides; the first copy may be gone for good.
            let all_lost = harm.frames.len() == canonical.frames.len();
            let has_header = !harm.headers.differ[0] && !(all_lost && (harm.headers.is_foreign || harm.is_short));
            let is_right = matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::NotAStore | ErrorKind::Copied);
            let is_clean = sim.names(Path::new(RESCUED)).is_empty();
            return if has_header || !is_right || !is_clean {
                Err(format!("refused: {error}"))
            } else {
                Ok("salvaged: refused")
            };
        }
    };
    let rescued = open(&sim, RESCUED).map_err(|error| format!("what was salvaged does not open: {error}"))?;
    match rescued.verify() {
        Ok(verified) if verified.status == VerifyStatus::Clean => {}
        other => return Err(format!("verify says {other:?}")),
    }
    let found = rows(&rescued);
    if found.len() as u64 != report.tokens {
        return Err(format!("{} rows, and {} reported", found.len(), report.tokens));
    }
    let is_whole = judge(canonical, &found, &report, slots)?;
    if report.torn_tail.is_none() && !report.end_unproved {
        check_counters(canonical, &rescued, &report)?;
    }
    if harm.is_none() && !is_whole {
        return Err(format!("nothing is wrong, and rows are lost: {report:?}"));
    }
    Ok(if is_whole { "salvaged: whole" } else { "salvaged: partly" })
}

/// Whether the rows are the last ones, all of them. If not, the report has to say so.
fn judge(canonical: &Canonical, found: &[Version], report: &SalvageReport, slots: bool) -> Result<bool, Broken> {
    let end_is_told = report.torn_tail.is_some() || report.end_unproved || report.copied.is_some();
    if report.end_unproved && slots {
        return Err(format!("the watermark is there, and not believed: {report:?}"));
    }
    for row in found {
        let id = row.0.id().unwrap_or_default();
        if !canonical.versions.get(id).is_some_and(|versions| versions.contains(row)) {
            return Err(format!("{row:?} was never saved"));
        }
        let is_last = canonical.rows.contains(row);
        if !is_last && !end_is_told && !report.maybe_stale.iter().any(|stale| stale == id) {
            return Err(format!("row {id} is of revision {}, and nobody is told: {report:?}", row.1));
        }
    }
    let is_whole = found == canonical.rows;
    if !is_whole && report.lost.is_empty() && !end_is_told {
        return Err(format!("rows are lost, and nobody is told: {report:?}"));
    }
    Ok(is_whole)
}

/// Ids and revisions are not given again.
fn check_counters(canonical: &Canonical, rescued: &impl TokenStore, report: &SalvageReport) -> Result<(), Broken> {
    let saved = rescued.save_token(&Token::builder().user_name("later").access_token("fake").build());
    let saved = saved.map_err(|error| format!("no save: {error}"))?;
    let id: u64 = saved.id().and_then(|id| id.parse().ok()).ok_or("no decimal id")?;
    if id < canonical.next.0 || saved.revision() < Some(canonical.next.1) {
        return Err(format!("id {id} and revision {:?} are given again: {report:?}", saved.revision()));
    }
    Ok(())
}
