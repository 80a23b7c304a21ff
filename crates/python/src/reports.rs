//! What a store tells of itself, as dictionaries.

use pyo3::prelude::*;
use pyo3::types::PyDict;
use tokcask::{CompactReport, OpenReport, Stats, SweepReport, VerifyReport, VerifyStatus};

type Report<'py> = PyResult<Bound<'py, PyDict>>;

pub(crate) fn stats<'py>(py: Python<'py>, stats: &Stats) -> Report<'py> {
    let report = PyDict::new(py);
    report.set_item("uuid", stats.uuid)?;
    report.set_item("generation", stats.generation)?;
    report.set_item("sequence", stats.sequence)?;
    report.set_item("tokens", stats.tokens)?;
    report.set_item("next_id", stats.next_id)?;
    report.set_item("next_revision", stats.next_revision)?;
    report.set_item("log_bytes", stats.log_bytes)?;
    report.set_item("file_bytes", stats.file_bytes)?;
    report.set_item("live_bytes", stats.live_bytes)?;
    report.set_item("dead_bytes", stats.dead_bytes)?;
    report.set_item("dead_records", stats.dead_records)?;
    report.set_item("index_bytes", stats.index_bytes)?;
    report.set_item("next_expiry_ms", stats.next_expiry_ms)?;
    report.set_item("compaction", stats.compaction.map(|reason| reason.to_string()))?;
    report.set_item("compaction_failed", &stats.compaction_failed)?;
    report.set_item("sync_failed", stats.sync_failed)?;
    Ok(report)
}

pub(crate) fn compacted<'py>(py: Python<'py>, compacted: &CompactReport) -> Report<'py> {
    let report = PyDict::new(py);
    report.set_item("tokens", compacted.tokens)?;
    report.set_item("log_bytes_before", compacted.log_bytes_before)?;
    report.set_item("log_bytes_after", compacted.log_bytes_after)?;
    report.set_item("generation", compacted.generation)?;
    Ok(report)
}

pub(crate) fn opened<'py>(py: Python<'py>, opened: &OpenReport) -> Report<'py> {
    let report = PyDict::new(py);
    report.set_item("created", opened.created)?;
    report.set_item("joined", opened.joined)?;
    report.set_item("frames", opened.frames)?;
    report.set_item("operations", opened.operations)?;
    report.set_item("bytes_cut", opened.recovered.as_ref().map(|tail| tail.bytes_cut))?;
    report.set_item("quarantine", opened.recovered.as_ref().and_then(|tail| tail.quarantine.as_ref()))?;
    report.set_item("header_copy_damaged", opened.header_copy_damaged)?;
    report.set_item("moved_after_failed_sync", opened.moved_after_failed_sync)?;
    report.set_item("full", opened.full)?;
    Ok(report)
}

pub(crate) fn verified<'py>(py: Python<'py>, verified: &VerifyReport) -> Report<'py> {
    let status = match verified.status {
        VerifyStatus::Clean => "clean",
        VerifyStatus::TornTail => "torn tail",
        _ => "corrupt",
    };
    let damage: Vec<_> = verified.damage.iter().map(|damage| (damage.offset, damage.reason.to_string())).collect();
    let report = PyDict::new(py);
    report.set_item("status", status)?;
    report.set_item("frames", verified.frames)?;
    report.set_item("operations", verified.operations)?;
    report.set_item("damage", damage)?;
    Ok(report)
}

pub(crate) fn swept<'py>(py: Python<'py>, swept: &SweepReport) -> Report<'py> {
    let report = PyDict::new(py);
    report.set_item("examined", swept.examined)?;
    report.set_item("swept", swept.swept.iter().map(|row| &row.id).collect::<Vec<_>>())?;
    report.set_item("spared", swept.spared)?;
    report.set_item("moved_on", swept.moved_on)?;
    report.set_item("stopped", swept.stopped.as_ref().map(ToString::to_string))?;
    Ok(report)
}
