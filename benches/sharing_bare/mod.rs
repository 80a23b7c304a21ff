//! Group commit without a store: threads hand bytes to a leader, who writes all of them and syncs once.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex};

/// A file of zeros, durable, into which the bytes of all who wait go at once.
pub(crate) struct Bare {
    file: File,
    bytes: Vec<u8>,
    line: Mutex<Line>,
}

#[derive(Default)]
struct Line {
    at: u64,
    end: u64,
    is_led: bool,
    waiting: Vec<Arc<Seat>>,
}

#[derive(Default)]
struct Seat {
    fate: Mutex<Fate>,
    decided: Condvar,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Fate {
    #[default]
    Open,
    Lead,
    Done,
}

impl Bare {
    pub(crate) fn new(path: &Path, len: usize, file_len: u64) -> io::Result<Self> {
        let zeros = vec![0; 64 << 10];
        let file = File::create_new(path)?;
        for at in (0..file_len).step_by(zeros.len()) {
            file.write_all_at(&zeros, at)?;
        }
        file.sync_all()?;
        Ok(Self { file, bytes: vec![0xA5; len], line: Mutex::new(Line { end: file_len, ..Line::default() }) })
    }

    /// Durable when it returns.
    pub(crate) fn save(&self) {
        let seat = {
            let mut line = self.line.lock().expect("nothing panics");
            if line.is_led {
                let seat = Arc::new(Seat::default());
                line.waiting.push(seat.clone());
                Some(seat)
            } else {
                line.is_led = true;
                None
            }
        };
        if let Some(seat) = seat {
            let fate = seat.fate.lock().expect("nothing panics");
            let fate = seat.decided.wait_while(fate, |fate| *fate == Fate::Open).expect("nothing panics");
            if *fate == Fate::Done {
                return;
            }
        }
        self.lead();
    }

    fn lead(&self) {
        let (waiting, at) = {
            let mut line = self.line.lock().expect("nothing panics");
            let waiting = std::mem::take(&mut line.waiting);
            let len = ((waiting.len() + 1) * self.bytes.len()) as u64;
            if line.at + len > line.end {
                line.at = 0;
            }
            let at = line.at;
            line.at += len;
            (waiting, at)
        };
        let bytes = self.bytes.repeat(waiting.len() + 1);
        self.file.write_all_at(&bytes, at).expect("room in the file");
        self.file.sync_data().expect("synced");
        let next = {
            let mut line = self.line.lock().expect("nothing panics");
            let next = if line.waiting.is_empty() { None } else { Some(line.waiting.remove(0)) };
            line.is_led = next.is_some();
            next
        };
        // The next write goes on while we wake those whose bytes are durable.
        if let Some(next) = next {
            next.decide(Fate::Lead);
        }
        for seat in waiting {
            seat.decide(Fate::Done);
        }
    }
}

impl Seat {
    fn decide(&self, fate: Fate) {
        *self.fate.lock().expect("nothing panics") = fate;
        self.decided.notify_one();
    }
}
