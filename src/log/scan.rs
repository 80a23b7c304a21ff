//! Reading a log through, frame by frame, with `read_at`, so that a bad sector is an error here.
//!
//! Stops at the first frame that is not good and says why; what that means is decided elsewhere (FORMAT.md, "What a
//! reader decides").

use std::io;
use std::path::{Path, PathBuf};

use super::burst::BURST_LEN;
use crate::error::{DecodeError, Error, Result};
use crate::format::frame::{self, FRAME_HEADER_LEN, FrameHeader, Link};
use crate::format::header::FRAMES_AT;
use crate::format::operation::Located;
use crate::format::seal::{Codec, Contents, Tag};
use crate::storage::File;
use crate::wipe::Wiped;

/// Bytes that are read at once, unless more is asked for.
const WINDOW_LEN: u64 = 1 << 20;

/// Where a scan stands.
pub(crate) struct Scanner<'a> {
    pub(super) window: Window<'a>,
    pub(super) codec: Codec,
    /// The contents of the present frame, where the log has them sealed.
    plain: Wiped,
    pub(super) at: u64,
    pub(super) link: Link,
    pub(super) last: Option<(u64, FrameHeader)>,
    pub(super) resumed: bool,
    /// How many read it; more than one do so by the window.
    pub(super) cores: usize,
    /// Bytes that those read at once, at least.
    pub(super) burst_len: u64,
}

/// A good frame.
pub(crate) struct Frame<'a> {
    pub(crate) offset: u64,
    pub(crate) header: FrameHeader,
    pub(crate) operations: Vec<Located<'a>>,
    /// All of its bytes.
    pub(crate) bytes: &'a [u8],
    /// What the next frame has to follow.
    pub(crate) after: Link,
}

impl<'a> Scanner<'a> {
    /// Starts at the first frame, which has to follow `first`; `end` is the first byte that does not count.
    pub(crate) fn new(file: &'a dyn File, path: &Path, codec: &Codec, first: Link, end: u64) -> Self {
        Self::after(file, path, codec, (FRAMES_AT, first), end)
    }

    /// Starts behind a good frame.
    pub(crate) fn after(file: &'a dyn File, path: &Path, codec: &Codec, (at, link): (u64, Link), end: u64) -> Self {
        let (window, codec) = (Window::new(file, path, end), codec.clone());
        Self {
            window,
            codec,
            plain: Wiped::default(),
            at,
            link,
            last: None,
            resumed: false,
            cores: 1,
            burst_len: BURST_LEN,
        }
    }

    /// The next frame if it is good, else why it is not.
    pub(crate) fn next_frame(&mut self) -> Result<std::result::Result<Frame<'_>, DecodeError>> {
        let offset = self.at;
        let header = match self.window.get(offset, FRAME_HEADER_LEN as u64)? {
            Ok(bytes) => FrameHeader::decode(self.codec.seed, offset, bytes),
            Err(reason) => Err(reason),
        };
        let (header, crc) = match header {
            Ok(decoded) => decoded,
            Err(reason) => return Ok(Err(reason)),
        };
        let bytes = match self.window.get(offset, header.frame_len())? {
            Ok(bytes) => bytes,
            Err(reason) => return Ok(Err(reason)),
        };
        let (head, body) = bytes.split_at(FRAME_HEADER_LEN);
        let seed = self.codec.seed;
        let plainly = |operations| (operations, Tag::default());
        let read = match &self.codec.contents {
            Contents::Plain => frame::decode_body(seed, offset, &header, body).map(plainly),
            Contents::Locked => frame::check_locked_body(seed, offset, &header, body).map(plainly),
            Contents::Sealed(keys) => {
                let previous = Some(&self.link.tag).filter(|_| !self.resumed);
                frame::open_body((seed, keys), offset, (&header, head), previous, body, &mut self.plain)
            }
        };
        let checked = read.and_then(|(operations, tag)| {
            let link =
                if self.resumed { Link::at(&header, crc) } else { self.link.after(&header, crc, &operations)? };
            Ok((link.with_tag(tag), operations))
        });
        Ok(checked.map(|(link, operations)| {
            self.link = link;
            self.resumed = false;
            self.at = offset + header.frame_len();
            self.last = Some((offset, header));
            Frame { offset, header, operations, bytes, after: link }
        }))
    }

    /// How much there is still to read, in bytes.
    pub(super) fn left(&self) -> u64 {
        self.window.end.saturating_sub(self.at)
    }

    /// End of the last good frame.
    pub(crate) fn position(&self) -> u64 {
        self.at
    }

    /// What the next frame has to follow.
    pub(crate) fn link(&self) -> Link {
        self.link
    }

    /// The last good frame's offset and header.
    pub(crate) fn last(&self) -> Option<(u64, FrameHeader)> {
        self.last
    }

    /// Goes on at a frame whose header is valid, whatever it follows: for listing damage behind damage.
    pub(crate) fn resume(&mut self, offset: u64) {
        self.at = offset;
        self.resumed = true;
    }
}

/// A part of the file in memory.
pub(crate) struct Window<'a> {
    file: &'a dyn File,
    path: PathBuf,
    end: u64,
    piece: Piece,
    /// Perhaps what comes next.
    ahead: Piece,
}

impl<'a> Window<'a> {
    /// `end` is the first byte that does not count.
    pub(crate) fn new(file: &'a dyn File, path: &Path, end: u64) -> Self {
        Self { file, path: path.to_owned(), end, piece: Piece::new(), ahead: Piece::new() }
    }

    /// These bytes, if the file has them all.
    pub(crate) fn get(&mut self, offset: u64, len: u64) -> Result<std::result::Result<&[u8], DecodeError>> {
        let available = self.end.saturating_sub(offset);
        if len > available {
            return Ok(Err(DecodeError::Truncated { needed: len, available }));
        }
        if self.piece.get(offset, len).is_none() {
            self.read(offset, len.max(WINDOW_LEN))?;
        }
        let piece = &self.piece;
        let available = piece.start.saturating_add(piece.bytes.len() as u64).saturating_sub(offset);
        Ok(piece.get(offset, len).ok_or(DecodeError::Truncated { needed: len, available }))
    }

    /// Begins at `offset` and is this long at least, or reaches to the end.
    pub(super) fn move_to(&mut self, offset: u64, len: u64) -> Result<()> {
        let len = len.min(self.end.saturating_sub(offset));
        if self.ahead.start == offset {
            std::mem::swap(&mut self.piece, &mut self.ahead);
        }
        // Whatever it is, it is not ahead any more.
        self.ahead.start = NOWHERE;
        if self.piece.start == offset && self.piece.get(offset, len).is_some() {
            Ok(())
        } else {
            self.read(offset, len)
        }
    }

    /// These bytes, if they are all in memory.
    pub(super) fn loaded(&self, offset: u64, len: u64) -> Option<&[u8]> {
        self.piece.get(offset, len)
    }

    /// What is in memory, and what can read on meanwhile.
    pub(super) fn split(&mut self) -> (&Piece, Ahead<'_>) {
        (&self.piece, Ahead { file: self.file, end: self.end, piece: &mut self.ahead })
    }

    fn read(&mut self, offset: u64, len: u64) -> Result<()> {
        let read = self.piece.read(self.file, offset, len.min(self.end.saturating_sub(offset)));
        read.map_err(|error| Error::io("read", &self.path, error))
    }
}

/// Reads what comes behind a window.
pub(super) struct Ahead<'a> {
    file: &'a dyn File,
    end: u64,
    piece: &'a mut Piece,
}

impl Ahead<'_> {
    /// What cannot be read is read again in its turn, and is an error then.
    pub(super) fn read(self, offset: u64, len: u64) {
        let _ = self.piece.read(self.file, offset, len.min(self.end.saturating_sub(offset)));
    }
}

/// Bytes of a file.
pub(super) struct Piece {
    /// `NOWHERE`: they are not the file's.
    start: u64,
    bytes: Wiped,
}

const NOWHERE: u64 = u64::MAX;

impl Piece {
    fn new() -> Self {
        Self { start: NOWHERE, bytes: Wiped::default() }
    }

    /// These bytes, if it has them all.
    pub(super) fn get(&self, offset: u64, len: u64) -> Option<&[u8]> {
        let from = usize::try_from(offset.checked_sub(self.start)?).ok()?;
        self.bytes.get(from..from.checked_add(usize::try_from(len).ok()?)?)
    }

    /// Has as many of these bytes as the file has.
    fn read(&mut self, file: &dyn File, offset: u64, len: u64) -> io::Result<()> {
        self.start = NOWHERE;
        self.bytes.resize(usize::try_from(len).expect("a frame is at most 64 MiB long"));
        let read_len = file.read_at(&mut self.bytes, offset)?;
        self.bytes.truncate(read_len);
        self.start = offset;
        Ok(())
    }
}
