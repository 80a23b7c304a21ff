//! A damaged log, opened.

use std::path::Path;

use tokcask::{Error, ErrorKind};

use crate::history::{STORE, open};
use crate::verdict::Broken;

use super::canonical::{Canonical, rows};
use super::verdict::{Harm, Right};

/// Returns what came of it, if it may.
pub(crate) fn check(canonical: &Canonical, log: &[u8], slots: bool) -> Result<&'static str, Broken> {
    let harm = Harm::of(canonical, log);
    let sim = canonical.sim.with_log(Path::new(STORE), log, slots);
    let store = match open(&sim, STORE) {
        Ok(store) => store,
        Err(error) => {
            if sim.content(Path::new(STORE), "store.log").as_deref() != Some(log) {
                return Err(format!("refused, and changed: {error}"));
            }
            return refusal(canonical, &harm, slots, &error);
        }
    };
    let report = store.open_report();
    let found = rows(&store);
    match (harm.right(canonical, slots), &report.recovered) {
        (Right::Refused, _) => Err(format!("opens, with {} rows of {}", found.len(), canonical.rows.len())),
        (Right::Same, recovered) => {
            if found != canonical.rows {
                return Err(format!("wrong rows: {found:?}"));
            }
            if harm.tail != recovered.is_some() {
                return Err(format!("a tail is reported as {recovered:?}"));
            }
            if report.header_copy_damaged != (harm.headers.differ != [false; 2]) {
                return Err("the header's copy".to_owned());
            }
            Ok(if report.header_copy_damaged {
                "opened: other header"
            } else if harm.tail {
                "opened: tail that nobody acknowledged cut"
            } else {
                "opened: same"
            })
        }
        (Right::CutOrRefused(at, before), recovered) => {
            if found != before {
                return Err(format!("rows that never were: {found:?}"));
            }
            match recovered {
                Some(tail) if tail.offset == at as u64 && tail.quarantine.is_some() => {
                    Ok("opened: tail cut, watermark lost")
                }
                None if harm.is_blank => Ok("opened: end gone without a trace, watermark lost"),
                other => Err(format!("a tail cut at {at} is reported as {other:?}")),
            }
        }
    }
}

fn refusal(canonical: &Canonical, harm: &Harm, slots: bool, error: &Error) -> Result<&'static str, Broken> {
    if matches!(harm.right(canonical, slots), Right::Same) {
        return Err(format!("nothing is wrong, but: {error}"));
    }
    match error {
        Error::Corrupt { offset, .. } if harm.error_range(canonical).contains(offset) => Ok("opened: refused"),
        Error::Corrupt { .. } => Err(format!("not in {:?}: {error}", harm.error_range(canonical))),
        _ if error.kind() == ErrorKind::Copied && slots && (harm.is_blank || harm.is_short) => Ok("opened: refused"),
        _ if error.kind() == ErrorKind::NotAStore && harm.headers.differ == [true; 2] => Ok("opened: refused"),
        _ => Err(format!("not the right error: {error}")),
    }
}
