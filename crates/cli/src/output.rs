//! Standard output and exported files, with a buffer that is wiped: what `--reveal` prints stays nowhere in our memory.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::path::Path;

use zeroize::{Zeroize, Zeroizing};

use crate::failure::{Failure, Kind};

const BUFFER_LEN: usize = 64 << 10;

/// Standard output, or a file.
pub(crate) struct Output {
    /// Past the standard library's own buffer. `None` if the process was started without one.
    file: Option<File>,
    buffer: Zeroizing<Vec<u8>>,
}

impl Output {
    pub(crate) fn stdout() -> Self {
        let file = io::stdout().as_fd().try_clone_to_owned().ok().map(File::from);
        Self { file, buffer: Zeroizing::new(Vec::with_capacity(BUFFER_LEN)) }
    }

    /// The same to a file.
    pub(crate) fn to(file: File) -> Self {
        Self { file: Some(file), buffer: Zeroizing::new(Vec::with_capacity(BUFFER_LEN)) }
    }

    /// Writes the text and ends the line.
    pub(crate) fn line(&mut self, text: &str) -> Result<(), Failure> {
        self.write_all(text.as_bytes()).and_then(|()| self.write_all(b"\n")).map_err(|error| failed(&error))
    }

    /// Hands everything to the reader now.
    pub(crate) fn flush_lines(&mut self) -> Result<(), Failure> {
        self.flush().map_err(|error| failed(&error))
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.buffer.len() == BUFFER_LEN {
            self.flush()?;
        }
        // Never past the capacity, so that growing leaves no copy behind.
        let taken = bytes.len().min(BUFFER_LEN - self.buffer.len());
        self.buffer.extend_from_slice(&bytes[..taken]);
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        let written = match &mut self.file {
            Some(file) => file.write_all(&self.buffer),
            None => Err(io::ErrorKind::NotConnected.into()),
        };
        // What could not be written is not tried again.
        self.buffer.as_mut_slice().zeroize();
        self.buffer.clear();
        written
    }
}

/// The failure of a write to standard output.
pub(crate) fn failed(error: &io::Error) -> Failure {
    let mut failure = Failure::io("write", Path::new("standard output"), error);
    if error.kind() == io::ErrorKind::BrokenPipe {
        failure.kind = Kind::ClosedPipe;
    }
    failure.path = None;
    failure
}
