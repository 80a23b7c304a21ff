//! The CSV files of the Zoho SDKs: reading whatever stands in one, and writing what can be written so that it comes back.
//!
//! Input: a byte of switches, then a file; or values, separated by the byte 1F, that become rows of ten columns. What is
//! read, from a reader that gives much or little at a time, is a row with a token or a line with a reason. What is then
//! written for Python or Node is read again as the same rows, or it was refused for a value that does hold what was said.

use std::convert::Infallible;
use std::io::{self, Read};

use tokcask::{Secret, Token};
use tokcask_zoho::{Dialect, Fault, Import, WriteError, read_csv, write_csv};

/// The input is values, not a file.
pub(crate) const VALUES: u8 = 1;
/// The reader gives a few bytes at a time.
pub(crate) const IN_PIECES: u8 = 2;

const COLUMNS: usize = 10;
const REFRESH_TOKEN: usize = 4;
const SEPARATOR: char = '\u{1f}';
/// Python's `csv` reads no longer value, in characters.
const PYTHON_CHARS_MAX: usize = 131_072;
/// One row has at least so many commas, and a token.
const ROW_LEN_MIN: usize = 9;

pub(crate) fn run(data: &[u8]) {
    let Some((switches, input)) = data.split_first() else { return };
    if switches & VALUES == 0 {
        check_file(input, switches & IN_PIECES != 0);
    } else {
        let tokens = tokens(&String::from_utf8_lossy(input));
        check_writing(&tokens.iter().collect::<Vec<_>>());
    }
}

fn check_file(file: &[u8], in_pieces: bool) {
    let import = match read_csv(file) {
        Ok(import) => import,
        Err(error) => {
            assert!(std::str::from_utf8(file).is_err(), "{error}");
            return;
        }
    };
    if in_pieces {
        let again = read_csv(Pieces { file, next_len: 1 }).expect("it has been read");
        assert!(
            columns_of(&again) == columns_of(&import) && again.skipped == import.skipped,
            "the pieces do not matter"
        );
    }
    assert!(import.rows.len() <= file.len() / ROW_LEN_MIN, "a row takes its commas");
    let lines_max = file.split(|byte| *byte == b'\n').count() as u64;
    let lines: Vec<_> = import.rows.iter().map(|row| row.line).collect();
    let skipped: Vec<_> = import.skipped.iter().map(|skipped| skipped.line).collect();
    for lines in [lines, skipped] {
        assert!(lines.is_sorted(), "in the order of the file");
        assert!(lines.iter().all(|line| (1..=lines_max).contains(line)), "lines that are there");
    }
    for row in &import.rows {
        let values = columns(&row.token);
        assert!(values[4..7].iter().any(Option::is_some), "nobody could use the row");
        assert!(values.iter().flatten().all(|value| !value.is_empty()), "an empty cell is no value");
    }
    check_writing(&import.rows.iter().map(|row| &row.token).collect::<Vec<_>>());
}

fn check_writing(tokens: &[&Token]) {
    for dialect in [Dialect::Python, Dialect::Node] {
        let mut file = Vec::new();
        match write_csv(dialect, tokens.iter().map(|token| Ok::<_, Infallible>(*token)), &mut file) {
            Ok(written) => {
                assert_eq!(written.rows, tokens.len() as u64);
                let again = read_csv(&file[..]).expect("what we write is UTF-8");
                assert!(again.skipped.is_empty(), "{dialect:?}: {:?}", again.skipped);
                let same = tokens.iter().map(|token| columns(token)).eq(columns_of(&again));
                assert!(same, "{dialect:?}: other rows come back");
            }
            Err(WriteError::Value { row, column, fault, .. }) => {
                let row = usize::try_from(row).expect("it is in memory");
                let values = columns(tokens[row - 1]);
                assert!(
                    values.iter().flatten().any(|value| has_fault(dialect, value, fault)),
                    "{column} has no {fault}"
                );
            }
            Err(error) => panic!("memory can be written to: {error}"),
        }
    }
}

fn has_fault(dialect: Dialect, value: &str, fault: Fault) -> bool {
    match fault {
        Fault::Comma => dialect == Dialect::Node && value.contains(','),
        Fault::Quote => dialect == Dialect::Node && value.contains('"'),
        Fault::LineEnd => dialect == Dialect::Node && value.contains(['\r', '\n']),
        Fault::Nul => dialect == Dialect::Python && value.contains('\0'),
        Fault::TooLong { chars_max } => chars_max == PYTHON_CHARS_MAX && value.chars().count() > chars_max,
        _ => false,
    }
}

/// Rows of ten values; each gets a refresh token, for without any it would be skipped.
fn tokens(input: &str) -> Vec<Token> {
    let values: Vec<_> = input.split(SEPARATOR).collect();
    let token = |row: &[&str]| {
        let value = |column: usize| row.get(column).filter(|value| !value.is_empty()).map(|value| (*value).to_owned());
        let mut builder = Token::builder().refresh_token(value(REFRESH_TOKEN).unwrap_or_else(|| "fake".to_owned()));
        macro_rules! set {
            ($($number:literal $column:ident),*) => {
                $(if let Some(value) = value($number) { builder = builder.$column(value); })*
            };
        }
        set!(0 id, 1 user_name, 2 client_id, 3 client_secret, 5 access_token, 6 grant_token, 7 expiry_time,
            8 redirect_url, 9 api_domain);
        builder.build()
    };
    values.chunks(COLUMNS).map(token).collect()
}

fn columns_of(import: &Import) -> Vec<[Option<&str>; COLUMNS]> {
    import.rows.iter().map(|row| columns(&row.token)).collect()
}

fn columns(token: &Token) -> [Option<&str>; COLUMNS] {
    [
        token.id(),
        token.user_name(),
        token.client_id(),
        token.client_secret().map(Secret::expose_secret),
        token.refresh_token().map(Secret::expose_secret),
        token.access_token().map(Secret::expose_secret),
        token.grant_token().map(Secret::expose_secret),
        token.expiry_time(),
        token.redirect_url(),
        token.api_domain(),
    ]
}

/// Gives one byte, then two, and so on; and is interrupted before each.
struct Pieces<'a> {
    file: &'a [u8],
    next_len: usize,
}

impl Read for Pieces<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.next_len += 1;
        if self.next_len.is_multiple_of(2) {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let len = buffer.len().min(self.next_len / 2);
        (&mut self.file).read(&mut buffer[..len])
    }
}
