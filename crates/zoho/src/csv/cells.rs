//! Lines and cells of a file store's text. Knows quotes and line ends, not what a column means.
//!
//! Python quotes where it must, Node never does, and nothing in a file says which it was. So a cell counts as quoted
//! only if its quotes are exactly as Python writes them, and is taken literally otherwise. A general CSV parser always
//! finds some reading: there, one value of Node's that begins with a quote swallows the rows up to the next quote.

use crate::buffer::lines_in;

const QUOTE: char = '"';
const CELL_ENDS: [char; 3] = [',', '\r', '\n'];
/// So many cells of a row are kept, more than any layout has. The others are counted: a cell of one byte would take two dozen.
const KEPT_MAX: usize = 16;

/// One row of the text.
pub(crate) struct Record<'a> {
    /// The line that it begins on, from 1.
    pub(crate) line: u64,
    /// The first ones.
    pub(crate) cells: Vec<Cell<'a>>,
    /// How many there are.
    pub(crate) cell_count: usize,
    pub(crate) end: LineEnd,
}

/// One cell as it stands in the text.
#[derive(Clone, Copy)]
pub(crate) struct Cell<'a> {
    raw: &'a str,
    quoted: bool,
}

impl Cell<'_> {
    pub(crate) fn is_empty(self) -> bool {
        self.raw.is_empty()
    }

    pub(crate) fn value(self) -> String {
        // Never grows, so that no unwiped copy of a secret is left behind.
        let mut value = String::with_capacity(self.raw.len());
        let mut raw = self.raw;
        while let Some((part, rest)) = raw.split_once("\"\"").filter(|_| self.quoted) {
            value.push_str(part);
            value.push(QUOTE);
            raw = rest;
        }
        value.push_str(raw);
        value
    }
}

/// What follows a row. A lone CR counts as CRLF: it is what remains if the file was cut between the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LineEnd {
    CrLf,
    Lf,
    /// The end of the text.
    Missing,
}

/// The rows of a text, blank lines left out.
pub(crate) struct Records<'a> {
    rest: &'a str,
    line: u64,
    quoting: bool,
}

impl<'a> Records<'a> {
    /// Without `quoting` every quote is taken literally.
    pub(crate) fn new(text: &'a str, quoting: bool) -> Self {
        Self { rest: text, line: 1, quoting }
    }

    fn advance(&mut self, rest: &'a str) {
        self.line += lines_in(&self.rest.as_bytes()[..self.rest.len() - rest.len()]);
        self.rest = rest;
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = Record<'a>;

    fn next(&mut self) -> Option<Record<'a>> {
        self.advance(self.rest.trim_start_matches(['\r', '\n']));
        if self.rest.is_empty() {
            return None;
        }
        let mut cells = Vec::with_capacity(10);
        let mut cell_count = 0;
        let mut rest = self.rest;
        let end = loop {
            let quoted = if self.quoting { quoted_cell(rest) } else { None };
            let (cell, after) = quoted.unwrap_or_else(|| plain_cell(rest));
            cell_count += 1;
            if cell_count <= KEPT_MAX {
                cells.push(cell);
            }
            rest = match after.strip_prefix(',') {
                Some(next) => next,
                None => break after,
            };
        };
        let record = Record { line: self.line, cells, cell_count, end: line_end(end) };
        self.advance(end);
        Some(record)
    }
}

/// A quoted cell and what follows it. `None` unless the quotes inside are doubled and the closing one ends the cell.
fn quoted_cell(text: &str) -> Option<(Cell<'_>, &str)> {
    let inner = text.strip_prefix(QUOTE)?;
    let mut at = 0;
    loop {
        at += inner[at..].find(QUOTE)?;
        let after = &inner[at + 1..];
        if after.starts_with(QUOTE) {
            at += 2;
            continue;
        }
        let ends = after.is_empty() || after.starts_with(CELL_ENDS);
        return ends.then_some((Cell { raw: &inner[..at], quoted: true }, after));
    }
}

fn plain_cell(text: &str) -> (Cell<'_>, &str) {
    let (raw, after) = text.split_at(text.find(CELL_ENDS).unwrap_or(text.len()));
    (Cell { raw, quoted: false }, after)
}

fn line_end(text: &str) -> LineEnd {
    match text.bytes().next() {
        Some(b'\r') => LineEnd::CrLf,
        Some(_) => LineEnd::Lf,
        None => LineEnd::Missing,
    }
}
