//! Reading a log through, frame by frame, with `read_at`, so that a bad sector is an error here.
//!
//! Stops at the first frame that is not good and says why; what that means is decided elsewhere (FORMAT.md, "What a
//! reader decides").

use std::io;
use std::path::{Path, PathBuf};

use crate::cores;
use crate::error::{DecodeError, Error, Result};
use crate::format::frame::{self, FRAME_HEADER_LEN, FrameHeader, Link};
use crate::format::header::FRAMES_AT;
use crate::format::operation::Located;
use crate::format::seal::{Codec, Contents, Tag};
use crate::storage::File;
use crate::wipe::Wiped;

/// Bytes that a scan reads at once, unless a frame is longer.
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
        Self { window, codec, plain: Wiped::default(), at, link, last: None, resumed: false }
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
    start: u64,
    bytes: Wiped,
    /// Read at once, unless more is asked for.
    len_min: u64,
    /// That read it, each a part.
    pub(super) cores: usize,
}

impl<'a> Window<'a> {
    /// `end` is the first byte that does not count.
    pub(crate) fn new(file: &'a dyn File, path: &Path, end: u64) -> Self {
        Self { file, path: path.to_owned(), end, start: 0, bytes: Wiped::default(), len_min: WINDOW_LEN, cores: 1 }
    }

    /// Reads so much at once from now on, on so many cores.
    pub(super) fn widen(&mut self, len: u64, cores: usize) {
        (self.len_min, self.cores) = (len, cores);
    }

    /// These bytes, if they are all in memory already.
    pub(super) fn loaded(&self, offset: u64, len: u64) -> Option<&[u8]> {
        let from = usize::try_from(offset.checked_sub(self.start)?).ok()?;
        self.bytes.get(from..from.checked_add(usize::try_from(len).ok()?)?)
    }

    /// These bytes, if the file has them all.
    pub(crate) fn get(&mut self, offset: u64, len: u64) -> Result<std::result::Result<&[u8], DecodeError>> {
        let available = self.end.saturating_sub(offset);
        if len > available {
            return Ok(Err(DecodeError::Truncated { needed: len, available }));
        }
        let loaded = self.start + self.bytes.len() as u64;
        if offset < self.start || offset + len > loaded {
            let wanted = len.max(self.len_min).min(available);
            let wanted = usize::try_from(wanted).expect("a frame is at most 64 MiB long");
            self.bytes.resize(wanted);
            let read = self.read(offset);
            let read = read.map_err(|error| Error::io("read", &self.path, error))?;
            self.bytes.truncate(read);
            self.start = offset;
        }
        let from = usize::try_from(offset - self.start).expect("inside the window");
        let to = from + usize::try_from(len).expect("inside the window");
        let available = self.bytes.len().saturating_sub(from) as u64;
        Ok(self.bytes.get(from..to).ok_or(DecodeError::Truncated { needed: len, available }))
    }

    /// Fills the window from the file; returns how much of it, from its start.
    fn read(&mut self, offset: u64) -> io::Result<usize> {
        let part_len = self.bytes.len().div_ceil(self.cores).max(1);
        let parts = (offset..).step_by(part_len).zip(self.bytes.chunks_mut(part_len));
        let read = cores::on_cores(self.cores, parts, |(), (at, part)| (self.file.read_at(part, at), part.len()));
        let mut filled = 0;
        for (read, wanted) in read {
            let read = read?;
            filled += read;
            if read < wanted {
                break;
            }
        }
        Ok(filled)
    }
}
