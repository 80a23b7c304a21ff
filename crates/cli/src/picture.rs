//! A picture of a log: where its bytes are live and where they are dead, in one line.
//!
//! The length of the log need not be known: cells are merged in pairs whenever they no longer reach.

use tokcask::{FrameInfo, OperationKind};

const CELLS: u64 = 64;
/// Two copies of the file header come first, which are neither live nor dead.
const HEADERS_LEN: u64 = 8192;

/// Live and dead bytes along a log.
#[derive(Default)]
pub(crate) struct Picture {
    cells: Vec<Bytes>,
    /// How many doublings a cell is larger than the smallest.
    scale: u32,
    end: u64,
    /// Something was added of which nobody without the key can tell.
    is_unknown: bool,
}

#[derive(Clone, Copy, Default)]
struct Bytes {
    live: u64,
    dead: u64,
}

impl Picture {
    /// Adds what a frame did. A seal is as much of a log as its headers are.
    pub(crate) fn add_frame(&mut self, frame: &FrameInfo<'_>) {
        for operation in frame.operations.iter().filter(|operation| operation.kind != OperationKind::Sealed) {
            self.is_unknown |= operation.live.is_none();
            self.add(operation.offset, operation.len, operation.live.unwrap_or_default());
        }
    }

    fn add(&mut self, offset: u64, len: u64, live: bool) {
        let offset = offset.saturating_sub(HEADERS_LEN);
        let end = offset.saturating_add(len);
        self.end = self.end.max(end);
        while end > CELLS.saturating_mul(self.cell_len()) {
            self.merge();
        }
        let mut at = offset;
        while at < end {
            let cell = at / self.cell_len();
            let cell_end = end.min((cell + 1).saturating_mul(self.cell_len()));
            let bytes = self.cell(cell);
            *(if live { &mut bytes.live } else { &mut bytes.dead }) += cell_end - at;
            at = cell_end;
        }
    }

    /// Whether it could be told of all that was added.
    pub(crate) fn is_known(&self) -> bool {
        !self.is_unknown
    }

    /// The picture and its legend.
    pub(crate) fn lines(&self) -> [String; 2] {
        let drawn: String = self.cells.iter().map(|bytes| bytes.drawn()).collect();
        let (start, end) = (bytes_text(HEADERS_LEN), bytes_text(self.end.saturating_add(HEADERS_LEN)));
        [format!("{start} [{drawn}] {end}"), format!("each {}: █ live  ▒ half  ░ dead", bytes_text(self.cell_len()))]
    }

    fn cell_len(&self) -> u64 {
        const SMALLEST: u64 = 256;
        SMALLEST << self.scale
    }

    fn merge(&mut self) {
        self.scale += 1;
        let merged = |pair: &[Bytes]| Bytes {
            live: pair.iter().map(|bytes| bytes.live).sum(),
            dead: pair.iter().map(|bytes| bytes.dead).sum(),
        };
        self.cells = self.cells.chunks(2).map(merged).collect();
    }

    fn cell(&mut self, cell: u64) -> &mut Bytes {
        let cell = usize::try_from(cell).expect("fewer cells than CELLS");
        if cell >= self.cells.len() {
            self.cells.resize(cell + 1, Bytes::default());
        }
        &mut self.cells[cell]
    }
}

impl Bytes {
    fn drawn(self) -> char {
        const SHADES: [char; 5] = ['░', '░', '▒', '▓', '█'];
        match self.live + self.dead {
            0 => ' ', // headers
            all => SHADES[usize::try_from(self.live * 4 / all).expect("at most 4")],
        }
    }
}

/// `4.2 MiB`.
pub(crate) fn bytes_text(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let mut tenths = u128::from(bytes) * 10 / 1024;
    let mut unit = 0;
    while tenths >= 10_240 && unit + 1 < UNITS.len() {
        tenths /= 1024;
        unit += 1;
    }
    format!("{}.{} {}", tenths / 10, tenths % 10, UNITS[unit])
}

#[cfg(test)]
mod tests {
    use super::{CELLS, Picture};

    #[test]
    fn cells_are_shaded_by_their_share_of_live_bytes() {
        let mut picture = Picture::default();
        picture.add(8192, 1024, true);
        picture.add(8192 + 1024, 1024, false);
        picture.add(8192 + 2048, 256, true);
        picture.add(8192 + 2048 + 256, 256, false);
        let [line, legend] = picture.lines();
        assert_eq!(line, "8.0 KiB [████░░░░█░] 10.5 KiB");
        assert!(legend.starts_with("each 256 B"));
    }

    #[test]
    fn a_long_log_keeps_its_width_and_its_proportions() {
        let mut picture = Picture::default();
        for frame in 0..100_000 {
            picture.add(8192 + frame * 96, 96, frame >= 50_000);
        }
        let line = &picture.lines()[0];
        let count = |shade| u64::try_from(line.chars().filter(|drawn| *drawn == shade).count()).unwrap();
        assert!(count('█') + count('░') + count('▒') + count('▓') <= CELLS);
        assert!(count('█').abs_diff(count('░')) <= 1, "{line}");
        picture.add(u64::MAX - 10, 10, false);
        assert!(picture.lines()[0].ends_with("15.9 EiB"));
    }
}
