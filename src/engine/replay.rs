//! Building the index by reading a log through: for an opener, after a compaction, and when the index is lost.

use std::path::Path;
use std::sync::Arc;

use crate::error::{DecodeError, Error, Result};
use crate::format::header::FileHeader;
use crate::index::{Index, IndexBuilder};
use crate::log::scan::{Frame, Scanner};
use crate::log::source::Source;
use crate::options::ReadMode;
use crate::storage::File;

/// Applies all good frames, publishing each before it is applied; returns the index and why the next frame is not good.
pub(super) fn replay(
    scanner: &mut Scanner<'_>,
    source: &Source,
    mut seen: impl FnMut(&Frame<'_>),
) -> Result<(Index, DecodeError)> {
    let mut index = IndexBuilder::new();
    loop {
        let frame = match scanner.next_frame()? {
            Ok(frame) => frame,
            Err(reason) => return Ok((index.finish(source)?, reason)),
        };
        source.publish(frame.offset + frame.header.frame_len())?;
        index.apply(source, &frame.operations)?;
        seen(&frame);
    }
}

/// The index of a log that must be good up to `end`, and where to read it from.
pub(super) fn replay_durable(
    file: &Arc<dyn File>,
    path: &Path,
    header: &FileHeader,
    end: u64,
    read_mode: ReadMode,
) -> Result<(Index, Source)> {
    let source = Source::new(file.clone(), path, header.seed(), read_mode, end)?;
    let mut scanner = Scanner::new(file.as_ref(), path, header.seed(), header.encode().1, end);
    let (index, reason) = replay(&mut scanner, &source, |_| {})?;
    let offset = scanner.position();
    if offset == end { Ok((index, source)) } else { Err(Error::Corrupt { path: path.into(), offset, reason }) }
}
