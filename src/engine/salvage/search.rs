//! Single operations where no frame is good: each has a checksum of its own, over its place too.

use crate::error::Result;
use crate::format::frame::{FRAME_HEADER_LEN, FrameHeader};
use crate::format::operation::{self, Located, OPERATION_HEADER_LEN};
use crate::format::seal::Contents;
use crate::format::{ALIGN, FRAME_LEN_MAX};
use crate::log::scan::Window;
use crate::log::walk::Extent;
use crate::wipe::Wiped;

/// Looks for operations, as long as that stays in proportion to the log.
pub(super) struct Search<'a> {
    log: Extent<'a>,
    window: Window<'a>,
    /// Bytes that may still be read for nothing. A file can be made in which every place seems to begin an operation of
    /// a megabyte.
    in_vain: u64,
}

impl<'a> Search<'a> {
    pub(super) fn new(log: Extent<'a>) -> Self {
        let in_vain = log.end.saturating_mul(2).saturating_add(FRAME_LEN_MAX.into());
        Self { log, window: Window::new(log.file, log.path, log.end), in_vain }
    }

    /// The frame's header here, if it is valid, whatever the frame is worth. Of a sealed log none is: only with its
    /// operations can a header be told to be genuine.
    pub(super) fn trusted_header_at(&mut self, at: u64) -> Result<Option<FrameHeader>> {
        if !matches!(self.log.codec.contents, Contents::Plain) {
            return Ok(None);
        }
        let Ok(bytes) = self.window.get(at, FRAME_HEADER_LEN as u64)? else { return Ok(None) };
        Ok(FrameHeader::decode(self.log.codec.seed, at, bytes).ok().map(|(header, _)| header))
    }

    /// Hands every operation that verifies and lies between `from` and `to` to `f`, in order.
    pub(super) fn operations(
        &mut self,
        from: u64,
        to: u64,
        mut f: impl FnMut(&Located<'_>) -> Result<()>,
    ) -> Result<()> {
        let mut at = from.next_multiple_of(ALIGN);
        while at < to {
            at += self.operation_at(at, to, &mut f)?.unwrap_or(ALIGN);
        }
        Ok(())
    }

    /// The length of the operation here, if there is one.
    fn operation_at(
        &mut self,
        at: u64,
        to: u64,
        f: &mut impl FnMut(&Located<'_>) -> Result<()>,
    ) -> Result<Option<u64>> {
        let Ok(header) = self.window.get(at, OPERATION_HEADER_LEN as u64)? else { return Ok(None) };
        let Some(len) = operation::plausible_len(at, header, self.log.codec.content_len_more()) else {
            return Ok(None);
        };
        if at + len > to || len > self.in_vain {
            return Ok(None);
        }
        let Ok(bytes) = self.window.get(at, len)? else { return Ok(None) };
        let mut plain = Wiped::default();
        let Ok(located) = operation::decode_by(self.log.codec, at, bytes, &mut plain) else {
            self.in_vain -= len;
            return Ok(None);
        };
        f(&located)?;
        Ok(Some(len))
    }
}
