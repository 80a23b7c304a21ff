//! Text that holds secrets, whole files of it included: wiped when dropped, and when it moves to a longer buffer.

use std::io::{self, ErrorKind, Read, Write};

use zeroize::Zeroizing;

use crate::Error;

const LEN_MIN: usize = 1 << 16;
/// Longest text that is read: a device that never ends must not take all memory.
const TEXT_LEN_MAX: usize = 2 << 30;

/// A buffer to write to. A `Vec` would leave an unwiped copy behind whenever it grows.
pub(crate) struct Buffer {
    /// Zeros past `len`.
    bytes: Zeroizing<Vec<u8>>,
    len: usize,
}

impl Buffer {
    pub(crate) fn with_capacity(capacity: usize) -> Self {
        Self { bytes: Zeroizing::new(vec![0; capacity]), len: 0 }
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    /// The text, in the same allocation, or the line of the first byte that is not UTF-8.
    pub(crate) fn into_text(mut self) -> Result<Zeroizing<String>, u64> {
        self.bytes.truncate(self.len);
        String::from_utf8(std::mem::take(&mut *self.bytes)).map(Zeroizing::new).map_err(|error| {
            let valid_len = error.utf8_error().valid_up_to();
            1 + lines_in(&Zeroizing::new(error.into_bytes())[..valid_len])
        })
    }

    /// Forgets what it holds, for the next use. Wiped when overwritten or dropped.
    pub(crate) fn clear(&mut self) {
        self.len = 0;
    }

    pub(crate) fn push(&mut self, text: &str) {
        self.push_bytes(text.as_bytes());
    }

    fn read_all(mut reader: impl Read) -> io::Result<Self> {
        let mut buffer = Self::with_capacity(LEN_MIN);
        loop {
            match reader.read(&mut buffer.bytes[buffer.len..]) {
                Ok(0) => return Ok(buffer),
                Ok(read) => buffer.len += read,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
            if buffer.len == buffer.bytes.len() {
                if buffer.len >= TEXT_LEN_MAX {
                    return Err(io::Error::new(ErrorKind::FileTooLarge, "it is longer than 2 GiB"));
                }
                buffer.grow(1);
            }
        }
    }

    fn push_bytes(&mut self, bytes: &[u8]) {
        if bytes.len() > self.bytes.len() - self.len {
            self.grow(bytes.len());
        }
        self.bytes[self.len..][..bytes.len()].copy_from_slice(bytes);
        self.len += bytes.len();
    }

    fn grow(&mut self, more_len: usize) {
        let longer_len = (2 * self.bytes.len()).max(self.len + more_len);
        let mut longer = Zeroizing::new(vec![0; longer_len]);
        longer[..self.len].copy_from_slice(self.as_bytes());
        self.bytes = longer;
    }
}

/// Everything up to the reader's end.
pub(crate) fn read_text(reader: impl Read) -> Result<Zeroizing<String>, Error> {
    let buffer = Buffer::read_all(reader).map_err(|source| Error::Io { source })?;
    buffer.into_text().map_err(|line| Error::NotUtf8 { line })
}

/// How many lines end in these bytes.
pub(crate) fn lines_in(bytes: &[u8]) -> u64 {
    bytes.iter().map(|byte| u64::from(*byte == b'\n')).sum()
}

impl Write for Buffer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.push_bytes(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
