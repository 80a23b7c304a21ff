//! The counts as a Markdown table: a line for each part of a store and each class of damage.

use std::fmt::Write;

use crate::measure::Measured;
use crate::outcome::Counts;

/// The first lines.
pub const HEADER: &str = "\
| store | damage | cases | no effect | error | told of a loss | silent: rows missing | silent: an older row | wrong value | killed, panic, hang | commits gone |
| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |
";

/// The lines of one engine.
#[must_use]
pub fn lines(title: &str, measured: &Measured) -> String {
    let mut text = String::new();
    for ((part, class), counts) in &measured.counts {
        let share = |count| share(count, counts.cases());
        let cells = [
            format!("{title}: {part}"),
            class.name().into(),
            thousands(counts.cases()),
            share(counts.no_effect),
            share(counts.error),
            share(counts.told),
            share(counts.missing),
            share(counts.older),
            share(counts.wrong),
            ended(counts),
            gone(counts),
        ];
        writeln!(text, "| {} |", cells.join(" | ")).expect("a string takes everything");
    }
    text
}

fn share(count: usize, cases: usize) -> String {
    if count == 0 {
        return "0".into();
    }
    let tenths = (1000 * count + cases / 2) / cases;
    format!("{}.{} % ({})", tenths / 10, tenths % 10, thousands(count))
}

fn ended(counts: &Counts) -> String {
    match (counts.killed, counts.panic, counts.hang) {
        (0, 0, 0) => "0".into(),
        (killed, panic, hang) => [killed, panic, hang].map(thousands).join(", "),
    }
}

/// The mean of the silent cases.
fn gone(counts: &Counts) -> String {
    match counts.silent() {
        0 => String::new(),
        silent => format!("{}", (counts.gone + silent / 2) / silent),
    }
}

/// A number as people read it.
#[must_use]
pub fn thousands(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.char_indices() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{HEADER, lines};
    use crate::damage::Class;
    use crate::measure::Measured;
    use crate::outcome::Counts;

    #[test]
    fn a_line_has_shares_and_counts_and_the_columns_of_the_header() {
        let counts = Counts { error: 1999, missing: 1, older: 1, killed: 3, gone: 201, ..Counts::default() };
        let measured = Measured { counts: [(("log", Class::Byte), counts)].into(), ..Measured::default() };
        let text = lines("this", &measured);
        let missing = "0.0 % (1) | 0.0 % (1) | 0 | 3, 0, 0 | 101 |\n";
        assert_eq!(text, format!("| this: log | byte, bit | 2,004 | 0 | 99.8 % (1,999) | 0 | {missing}"));
        let columns = |line: &str| line.matches('|').count();
        assert!(HEADER.lines().all(|line| columns(line) == columns(&text)));
    }
}
