//! Reading all of a log: the frames that are good by themselves, and the damage between them.
//!
//! For whoever looks at a log and does not use it: verifying, dumping, salvaging. Opening stops at the first bad frame.

use std::ops::ControlFlow;
use std::path::Path;

use super::scan::{Frame, Scanner};
use super::tail;
use crate::error::{DecodeError, Result};
use crate::format::frame::Link;
use crate::format::seal::Codec;
use crate::format::{ALIGN, FRAME_LEN_MAX};
use crate::storage::File;

/// A log to read, up to `end`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Extent<'a> {
    pub(crate) file: &'a dyn File,
    pub(crate) path: &'a Path,
    pub(crate) codec: &'a Codec,
    /// What the first frame has to follow.
    pub(crate) first: Link,
    pub(crate) end: u64,
}

/// What comes next in a log.
pub(crate) enum Step<'a> {
    /// A good frame.
    Frame(&'a Frame<'a>),
    /// No good frame.
    Damage(Damaged),
}

/// Bytes from where a frame should begin to where a frame's header does.
#[derive(Clone, Debug)]
pub(crate) struct Damaged {
    pub(crate) from: u64,
    pub(crate) to: u64,
    pub(crate) reason: DecodeError,
}

/// Where a walk came to.
#[derive(Clone, Debug)]
pub(crate) struct End {
    /// Behind the last good frame of the file, whatever lies before it.
    pub(crate) at: u64,
    /// Why no frame begins there.
    pub(crate) reason: DecodeError,
    /// Whether a seal stood before the first damage.
    pub(crate) sealed: bool,
}

/// Hands over everything in order, until `f` breaks; then there is no end.
pub(crate) fn walk(log: Extent<'_>, mut f: impl FnMut(Step<'_>) -> Result<ControlFlow<()>>) -> Result<Option<End>> {
    let Extent { file, path, codec, first, end } = log;
    let mut scanner = Scanner::new(file, path, codec, first, end);
    let mut sealed = None;
    let mut read_again = end.saturating_mul(2).saturating_add(FRAME_LEN_MAX.into());
    loop {
        let reason = match scanner.next_frame()? {
            Ok(frame) => match f(Step::Frame(&frame))? {
                ControlFlow::Continue(()) => continue,
                ControlFlow::Break(()) => return Ok(None),
            },
            Err(reason) => reason,
        };
        let (from, sealed_here) = (scanner.position(), scanner.link().sealed);
        let sealed = *sealed.get_or_insert(sealed_here);
        let next = tail::next_header(file, path, codec.seed, from + ALIGN, end)?;
        // A file can be made in which every place seems to begin a frame of half its length: not all are read.
        let affordable = |len: u64| read_again.checked_sub(len);
        let next = next.and_then(|(next, header)| Some((next, affordable(header.frame_len())?)));
        let Some((to, left)) = next else { return Ok(Some(End { at: from, reason, sealed })) };
        read_again = left;
        if f(Step::Damage(Damaged { from, to, reason }))?.is_break() {
            return Ok(None);
        }
        scanner.resume(to);
    }
}
