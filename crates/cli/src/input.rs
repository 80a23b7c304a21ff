//! Standard input, read into memory that is wiped.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::path::Path;

use tokcask_zoho::JsonError;
use zeroize::Zeroizing;

use crate::failure::{Failure, Kind};

/// Longest line: more than any token that a store takes, every byte of it written as `\u0000`.
const LINE_LEN_MAX: usize = 8 << 20;
const CHUNK_LEN: usize = 64 << 10;

type Bytes = Zeroizing<Vec<u8>>;

/// The lines of standard input.
pub(crate) struct Lines {
    file: File,
    /// Read and not yet given out, from `start` to `len`; of what waits, `searched` bytes hold no line end.
    buffer: Bytes,
    start: usize,
    len: usize,
    searched: usize,
    at_end: bool,
    /// Number of the line that was given out last, from 1.
    pub(crate) number: u64,
}

impl Lines {
    pub(crate) fn new() -> Result<Self, Failure> {
        let buffer = Bytes::new(vec![0; CHUNK_LEN]);
        Ok(Self { file: stdin()?, buffer, start: 0, len: 0, searched: 0, at_end: false, number: 0 })
    }

    /// The next line, without its end.
    pub(crate) fn next_line(&mut self) -> Result<Option<Zeroizing<String>>, Failure> {
        loop {
            let waiting = &self.buffer[self.start..self.len];
            let end = waiting[self.searched..].iter().position(|byte| *byte == b'\n').map(|at| self.searched + at);
            let Some(len) = end.or((self.at_end && !waiting.is_empty()).then_some(waiting.len())) else {
                if self.at_end {
                    return Ok(None);
                }
                self.searched = waiting.len();
                self.fill()?;
                continue;
            };
            let line = text(&waiting[..len]).map(|line| Zeroizing::new(strip_cr(line).to_owned()));
            self.start += len + usize::from(end.is_some());
            self.searched = 0;
            self.number += 1;
            return line.map(Some);
        }
    }

    /// Reads more, into a longer buffer if half of this one is taken.
    fn fill(&mut self) -> Result<(), Failure> {
        let waiting = self.len - self.start;
        if waiting > LINE_LEN_MAX {
            self.number += 1;
            return Err(too_long("the line"));
        }
        if self.start > 0 || 2 * waiting >= self.buffer.len() {
            let mut next = Bytes::new(vec![0; (4 * waiting).max(CHUNK_LEN)]);
            next[..waiting].copy_from_slice(&self.buffer[self.start..self.len]);
            (self.buffer, self.start, self.len) = (next, 0, waiting);
        }
        let read = read(&mut self.file, &mut self.buffer[self.len..])?;
        self.len += read;
        self.at_end = read == 0;
        Ok(())
    }
}

fn too_long(what: &str) -> Failure {
    Failure::new(Kind::TooLarge, format!("{what} is longer than {LINE_LEN_MAX} bytes"))
}

/// All of standard input as one value: a line end at its end is not part of it.
pub(crate) fn value() -> Result<Zeroizing<String>, Failure> {
    let bytes = all()?;
    let value = text(&bytes)?;
    let value = value.trim_start_matches('\u{feff}');
    let value = value.strip_suffix('\n').map_or(value, strip_cr);
    Ok(Zeroizing::new(value.to_owned()))
}

/// All of standard input, if it is no longer than a line may be.
fn all() -> Result<Bytes, Failure> {
    let mut file = stdin()?;
    let mut bytes = Bytes::new(vec![0; CHUNK_LEN]);
    let mut len = 0;
    loop {
        if len > LINE_LEN_MAX {
            return Err(too_long("standard input"));
        }
        if len == bytes.len() {
            let mut longer = Bytes::new(vec![0; 2 * len]);
            longer[..len].copy_from_slice(&bytes);
            bytes = longer;
        }
        match read(&mut file, &mut bytes[len..])? {
            0 => break,
            more => len += more,
        }
    }
    bytes.truncate(len);
    Ok(bytes)
}

/// Past the standard library's own buffer.
pub(crate) fn stdin() -> Result<File, Failure> {
    io::stdin().as_fd().try_clone_to_owned().map(File::from).map_err(|error| failed(&error))
}

fn read(file: &mut File, space: &mut [u8]) -> Result<usize, Failure> {
    loop {
        match file.read(space) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            read => return read.map_err(|error| failed(&error)),
        }
    }
}

fn failed(error: &io::Error) -> Failure {
    let mut failure = Failure::io("read", Path::new("standard input"), error);
    failure.path = None;
    failure
}

fn text(bytes: &[u8]) -> Result<&str, Failure> {
    std::str::from_utf8(bytes).map_err(|_| Failure::new(Kind::Input, "standard input is not UTF-8"))
}

fn strip_cr(line: &str) -> &str {
    line.strip_suffix('\r').unwrap_or(line)
}

/// A token in JSON that is none.
pub(crate) fn failure(error: &JsonError) -> Failure {
    Failure::new(Kind::Input, error.to_string())
}
