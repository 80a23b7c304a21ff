//! What a file for an SDK looks like, and what cannot be in one.
//! Method: files that the real SDKs wrote are read and written again; random values with the `csv` crate as oracle;
//! each value that an SDK could not read.

mod samples;

use std::cell::Cell;
use std::convert::Infallible;
use std::io::{self, Write};

use proptest::array::uniform10;
use proptest::collection::vec;
use proptest::prelude::*;
use samples::{columns, sample};
use tokcask::{Error as StoreError, Token};
use tokcask_zoho::{Dialect, Fault, WriteError, Written, read_csv, write_csv};

const PYTHON_HEADER: &str = "id,user_name,client_id,client_secret,refresh_token,access_token,grant_token,expiry_time,\
                             redirect_uri,api_domain\r\n";
const NODE_HEADER: &str = "id,user_name,client_id,client_secret,refresh_token,access_token,grant_token,expiry_time,\
                           redirect_url,api_domain";

fn try_write(dialect: Dialect, tokens: &[Token]) -> Result<(Vec<u8>, Written), WriteError<Infallible>> {
    let mut file = Vec::new();
    let written = write_csv(dialect, tokens.iter().map(Ok), &mut file)?;
    Ok((file, written))
}

fn write(dialect: Dialect, tokens: &[Token]) -> Vec<u8> {
    try_write(dialect, tokens).expect("the SDK can read every value").0
}

fn tokens_of(name: &str) -> Vec<Token> {
    let import = read_csv(&sample(name)[..]).expect("samples are UTF-8");
    import.rows.into_iter().map(|row| row.token).collect()
}

/// The files that are left out are not what an SDK writes today: one lacks its header, one a column, one its end.
#[test]
fn files_of_the_sdks_come_out_byte_for_byte() {
    for name in ["py7", "py7.tricky", "py8", "py8.tricky", "py8.1000"] {
        assert!(write(Dialect::Python, &tokens_of(name)) == sample(name), "{name}");
    }
    assert!(write(Dialect::Node, &tokens_of("node8")) == sample("node8"));

    let with_header = [PYTHON_HEADER.as_bytes(), &sample("noheader")].concat();
    assert!(write(Dialect::Python, &tokens_of("noheader")) == with_header);
}

#[test]
fn a_file_without_rows_is_a_header() {
    assert_eq!(write(Dialect::Python, &[]), PYTHON_HEADER.as_bytes());
    assert_eq!(write(Dialect::Node, &[]), NODE_HEADER.as_bytes());
}

#[test]
fn missing_and_empty_values_are_empty_cells() {
    let token = Token::builder().user_name("").access_token("fake").build();
    assert_eq!(
        write(Dialect::Python, std::slice::from_ref(&token)),
        format!("{PYTHON_HEADER},,,,,fake,,,,\r\n").as_bytes()
    );
    assert_eq!(write(Dialect::Node, &[token]), format!("{NODE_HEADER}\n,,,,,fake,,,,").as_bytes());
}

#[test]
fn rows_and_those_with_extra_values_are_counted() {
    let plain = Token::builder().id("1").access_token("fake-1").build();
    let more = plain.to_builder().id("2").extra("scope", "crm.read").extra("region", "eu").build();
    for dialect in [Dialect::Python, Dialect::Node] {
        let (file, written) = try_write(dialect, &[plain.clone(), more.clone(), plain.clone()]).unwrap();
        assert_eq!((written.rows, written.with_extra), (3, 1));
        assert!(!String::from_utf8(file).unwrap().contains("crm.read"));
    }
}

#[test]
fn what_node_cannot_read_is_refused_by_row_and_column() {
    let cases = [(",", Fault::Comma), ("\"", Fault::Quote), ("\r", Fault::LineEnd), ("\n", Fault::LineEnd)];
    for (text, fault) in cases {
        let good = Token::builder().id("1").access_token("fake-1").build();
        let bad = good.to_builder().id("2").redirect_url(format!("fake{text}")).build();
        match try_write(Dialect::Node, &[good, bad]).unwrap_err() {
            WriteError::Value { row: 2, id: Some(id), column: "redirect_url", fault: found } => {
                assert_eq!((id.as_str(), found), ("2", fault));
            }
            error => panic!("{error}"),
        }
    }
}

/// Either would make Python's reader refuse the whole file, not only the row.
#[test]
fn what_python_cannot_read_is_refused() {
    let token = |value: String| [Token::builder().id("1").access_token(value).build()];
    let longest = "ü".repeat(131_072);
    assert!(try_write(Dialect::Python, &token(longest.clone())).is_ok(), "characters count, not bytes");
    for (value, fault) in [(longest + "x", Fault::TooLong { chars_max: 131_072 }), ("fa\0ke".to_owned(), Fault::Nul)] {
        match try_write(Dialect::Python, &token(value.clone())).unwrap_err() {
            WriteError::Value { row: 1, column: "access_token", fault: found, .. } => assert_eq!(found, fault),
            error => panic!("{error}"),
        }
        assert!(try_write(Dialect::Node, &token(value)).is_ok(), "Node has neither limit");
    }
}

#[test]
fn errors_never_show_a_value() {
    let bad_id = Token::builder().id("fake,").access_token("fake").build();
    let error = try_write(Dialect::Node, &[bad_id]).unwrap_err();
    assert_eq!(error.to_string(), "row 1: id holds a comma, which the Node SDK cannot read");

    for column in 1..10 {
        let mut cells = [""; 10];
        cells[0] = "id\u{1b}7";
        cells[5] = "fake";
        cells[column] = "\"fake,\"";
        let import = read_csv(cells.join(",").as_bytes()).unwrap();
        let error = try_write(Dialect::Node, &[import.rows[0].token.clone()]).unwrap_err();
        let printed = format!("{error} {error:?}");
        assert!(!printed.contains("fake") && printed.starts_with("row 1, id \"id\\u{1b}7\": "), "{printed}");
    }
}

#[test]
fn errors_of_the_store_pass_through_and_end_the_file() {
    let token = Token::builder().id("1").access_token("fake-1").build();
    let items = [Ok(token.clone()), Err(StoreError::Closed), Ok(token)];
    let error = write_csv(Dialect::Python, items, io::sink()).unwrap_err();
    assert_eq!(error.to_string(), StoreError::Closed.to_string());
    assert!(matches!(error, WriteError::Source(StoreError::Closed)));
}

#[test]
fn a_writer_that_fails_is_an_error() {
    struct Full(usize);
    impl Write for Full {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 = self.0.checked_sub(bytes.len()).ok_or(io::ErrorKind::StorageFull)?;
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            if self.0 == 0 { Err(io::ErrorKind::TimedOut.into()) } else { Ok(()) }
        }
    }
    let tokens = tokens_of("py8.1000");
    let len = write(Dialect::Python, &tokens).len();
    for (room, kind) in
        [(0, io::ErrorKind::StorageFull), (len - 1, io::ErrorKind::StorageFull), (len, io::ErrorKind::TimedOut)]
    {
        let items = tokens.iter().map(Ok::<_, Infallible>);
        match write_csv(Dialect::Python, items, Full(room)).unwrap_err() {
            WriteError::Io { source } => assert_eq!(source.kind(), kind, "room for {room} bytes"),
            error => panic!("{error}"),
        }
    }
}

/// A store may be larger than memory.
#[test]
fn tokens_are_written_while_they_come() {
    struct Counting<'a>(&'a Cell<usize>);
    impl Write for Counting<'_> {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.set(self.0.get() + bytes.len());
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let row = Token::builder().access_token("x".repeat(1000)).build();
    let written_len = Cell::new(0);
    let rows = (0..1000).map(|given| {
        assert!(1000 * given < written_len.get() + 100_000, "{given} rows given, {written_len:?} bytes written");
        Ok::<_, Infallible>(&row)
    });
    write_csv(Dialect::Python, rows, Counting(&written_len)).unwrap();
}

/// Text that is made of what the formats give a meaning to.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![3 => "[,\"\r\n a'é💡;\t#]{0,6}", 1 => "[^\0]{0,20}"]
}

fn token(values: [String; 10]) -> Token {
    let [id, user_name, client_id, client_secret, refresh_token, access_token, grant_token, ..] = values.clone();
    let [.., expiry_time, redirect_url, api_domain] = values;
    let client = Token::builder().id(id).user_name(user_name).client_id(client_id).client_secret(client_secret);
    let tokens = client.refresh_token(refresh_token).access_token(access_token).grant_token(grant_token);
    tokens.expiry_time(expiry_time).redirect_url(redirect_url).api_domain(api_domain).build()
}

/// An id of its own for each, and a refresh token: else a row would be skipped.
fn tokens(rows: &mut [[String; 10]]) -> Vec<Token> {
    for (number, row) in rows.iter_mut().enumerate() {
        row[0].insert_str(0, &number.to_string());
        row[4].insert(0, 'x');
    }
    rows.iter().cloned().map(token).collect()
}

fn check_same(file: &[u8], tokens: &[Token]) {
    let import = read_csv(file).unwrap();
    assert!(import.skipped.is_empty(), "{:?}", import.skipped);
    let read: Vec<_> = import.rows.iter().map(|row| columns(&row.token)).collect();
    let without_empty = tokens.iter().map(|token| columns(token).map(|value| value.filter(|value| !value.is_empty())));
    assert_eq!(read, without_empty.collect::<Vec<_>>());
}

fn check_python(mut rows: Vec<[String; 10]>) {
    let tokens = tokens(&mut rows);
    let file = write(Dialect::Python, &tokens);
    check_same(&file, &tokens);

    let mut oracle = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    oracle.write_record(PYTHON_HEADER.trim_end().split(',')).unwrap();
    for row in rows {
        oracle.write_record(&row).unwrap();
    }
    assert_eq!(String::from_utf8_lossy(&file), String::from_utf8_lossy(&oracle.into_inner().unwrap()));
}

fn check_node(mut rows: Vec<[String; 10]>) {
    let tokens = tokens(&mut rows);
    check_same(&write(Dialect::Node, &tokens), &tokens);
}

proptest! {
    #[test]
    fn the_csv_crate_writes_the_same_for_python_and_we_read_it(rows in vec(uniform10(text()), 0..8)) {
        check_python(rows);
    }

    #[test]
    fn what_node_can_read_comes_back(rows in vec(uniform10("[^,\"\r\n]{0,6}"), 0..8)) {
        check_node(rows);
    }
}
