//! Listing what a log holds, frame by frame, in two passes: the first finds out what of it is still in force.

use std::collections::HashSet;
use std::ops::ControlFlow;
use std::path::Path;

use super::look::FoundLog;
use super::verify::verify_path;
use crate::error::{ErrorKind, Result};
use crate::format::frame::Kind;
use crate::format::operation::{Located, LockedKind, Operation};
use crate::format::seal::Contents;
use crate::index::IndexBuilder;
use crate::inspect::{FrameInfo, FrameKind, OperationInfo, OperationKind};
use crate::log::Location;
use crate::log::scan::Frame;
use crate::log::source::Source;
use crate::log::walk::{Step, walk};
use crate::options::{Options, ReadMode};
use crate::stats::VerifyReport;
use crate::storage::Storage;

/// Hands every readable frame to `f`, also those behind damage.
pub(crate) fn dump(
    options: &Options,
    storage: &dyn Storage,
    path: &Path,
    mut f: impl FnMut(&FrameInfo<'_>) -> ControlFlow<()>,
) -> Result<VerifyReport> {
    match FoundLog::open(storage, path, &options.keyring.to_look()) {
        Ok(mut log) => {
            // Somebody may be writing: what comes after this is not listed, for it is not known what it replaces.
            let (live, end) = live_offsets(&log)?;
            log.end = end;
            walk(log.extent(), |step| {
                Ok(match step {
                    Step::Frame(frame) => f(&describe(frame, &live)),
                    Step::Damage(_) => ControlFlow::Continue(()),
                })
            })?;
        }
        // No header, no frames; the report says so.
        Err(error) if error.kind() == ErrorKind::Corrupt => {}
        Err(error) => return Err(error),
    }
    verify_path(options, storage, path)
}

/// Where the puts lie that hold the present rows, as far as the log can be read, and where its last frame ends.
fn live_offsets(log: &FoundLog) -> Result<(HashSet<u64>, u64)> {
    let source = Source::new(log.file.clone(), &log.path, &log.header.head.codec, ReadMode::Copy, log.end)?;
    let mut rows = IndexBuilder::new();
    let is_locked = matches!(log.header.head.codec.contents, Contents::Locked);
    let end = walk(log.extent(), |step| {
        // Without the key nobody knows which rows they are.
        if let (Step::Frame(frame), false) = (step, is_locked) {
            rows.apply_readable(&source, &frame.operations)?;
        }
        Ok(ControlFlow::Continue(()))
    })?;
    let end = end.expect("nothing breaks this walk").at;
    Ok((rows.locations().map(Location::offset).collect(), end))
}

fn describe<'a>(frame: &'a Frame<'_>, live: &HashSet<u64>) -> FrameInfo<'a> {
    FrameInfo {
        offset: frame.offset,
        sequence: frame.header.sequence,
        kind: match frame.header.kind {
            Kind::Commit => FrameKind::Commit,
            Kind::Base => FrameKind::Base,
            Kind::Seal => FrameKind::Seal,
            Kind::Recovered => FrameKind::Recovered,
        },
        body_len: frame.header.body_len.into(),
        operations: frame.operations.iter().map(|located| describe_operation(located, live)).collect(),
    }
}

fn describe_operation<'a>(located: &'a Located<'_>, live: &HashSet<u64>) -> OperationInfo<'a> {
    let (kind, id) = match &located.operation {
        Operation::Put(view) => (OperationKind::Put, view.id()),
        Operation::Delete(id) => (OperationKind::Delete, Some(*id)),
        Operation::Clear => (OperationKind::Clear, None),
        Operation::Sealed { .. } => (OperationKind::Sealed, None),
        Operation::Recovered { .. } => (OperationKind::Recovered, None),
        Operation::Locked { kind } => (
            match kind {
                LockedKind::Put => OperationKind::Put,
                LockedKind::Delete => OperationKind::Delete,
                LockedKind::Clear => OperationKind::Clear,
                LockedKind::Sealed => OperationKind::Sealed,
                LockedKind::Recovered => OperationKind::Recovered,
            },
            None,
        ),
    };
    let is_untold = matches!(located.operation, Operation::Locked { kind: LockedKind::Put });
    let live = (!is_untold).then(|| live.contains(&located.offset));
    OperationInfo { kind, id, live, offset: located.offset, len: located.len }
}
