//! Tables for people: columns as wide as their widest cell on the screen, whatever the script.

use unicode_width::UnicodeWidthStr;
use zeroize::Zeroizing;

use crate::escape::escape;
use crate::failure::Failure;
use crate::output::Output;

/// Text of one cell, safe for a terminal; wiped, for it may be a secret that was to be revealed.
pub(crate) type Cell = Zeroizing<String>;

const GAP: &str = "  ";

pub(crate) fn cell(text: &str) -> Cell {
    Zeroizing::new(escape(text).into_owned())
}

pub(crate) fn yes_or_no(is_so: bool) -> &'static str {
    if is_so { "yes" } else { "no" }
}

/// Prints a header and rows. `rows` is called twice, once for the widths, so that no table has to fit into memory.
pub(crate) fn print<const N: usize, I>(out: &mut Output, header: [&str; N], rows: impl Fn() -> I) -> Result<(), Failure>
where
    I: Iterator<Item = Result<[Cell; N], Failure>>,
{
    let mut widths = header.map(UnicodeWidthStr::width);
    for row in rows() {
        for (width, cell) in widths.iter_mut().zip(&row?) {
            *width = (*width).max(cell.width());
        }
    }
    line(out, &header.map(cell), widths)?;
    for row in rows() {
        line(out, &row?, widths)?;
    }
    Ok(())
}

/// Prints names and values, one pair a line.
pub(crate) fn pairs(out: &mut Output, pairs: &[(&str, Cell)]) -> Result<(), Failure> {
    let width = pairs.iter().map(|(name, _)| name.width()).max().unwrap_or(0);
    for (name, value) in pairs {
        line(out, &[cell(name), value.clone()], [width, 0])?;
    }
    Ok(())
}

fn line<const N: usize>(out: &mut Output, cells: &[Cell; N], widths: [usize; N]) -> Result<(), Failure> {
    let last = cells.iter().rposition(|cell| !cell.is_empty()).unwrap_or(0);
    let len = cells.iter().zip(widths).map(|(cell, width)| cell.len() + width + GAP.len()).sum();
    let mut text = Zeroizing::new(String::with_capacity(len));
    for (at, (cell, width)) in cells.iter().zip(widths).take(last + 1).enumerate() {
        text.push_str(cell);
        if at < last {
            text.extend(std::iter::repeat_n(' ', width.saturating_sub(cell.width())));
            text.push_str(GAP);
        }
    }
    out.line(&text)
}
