//! What becomes of every row of a file store, whole, damaged, or written by an SDK with other habits.
//! Method: files that the real SDKs wrote, cut at every length; small texts for each habit; the `csv` crate as oracle.

mod samples;

use std::io::{self, Read};

use samples::{Columns, columns, sample};
use tokcask::Secret;
use tokcask_zoho::{Error, Import, Reason, Row, Skipped, read_csv};

const SAMPLES: [&str; 10] =
    ["empty", "ninecolumns", "node8", "noheader", "py7", "py7.tricky", "py8", "py8.1000", "py8.tricky", "torn"];
const NODE_HEADER: &str = "id,user_name,client_id,client_secret,refresh_token,access_token,grant_token,expiry_time,\
                           redirect_url,api_domain\n";

fn read(bytes: impl AsRef<[u8]>) -> Import {
    read_csv(bytes.as_ref()).expect("the text is UTF-8")
}

fn tokens(import: &Import) -> Vec<Columns<'_>> {
    import.rows.iter().map(|row| columns(&row.token)).collect()
}

fn skipped(import: &Import) -> Vec<(u64, Reason)> {
    import.skipped.iter().map(|skipped| (skipped.line, skipped.reason)).collect()
}

fn user_names(import: &Import) -> Vec<Option<&str>> {
    import.rows.iter().map(|row| row.token.user_name()).collect()
}

#[test]
fn every_row_of_every_sample_is_a_token_or_reported() {
    let counts = SAMPLES.map(|name| {
        let import = read(sample(name));
        (name, import.rows.len(), import.skipped.len())
    });
    assert_eq!(
        counts,
        [
            ("empty", 0, 0),
            ("ninecolumns", 25, 0),
            ("node8", 25, 0),
            ("noheader", 25, 0),
            ("py7", 25, 0),
            ("py7.tricky", 12, 0),
            ("py8", 25, 0),
            ("py8.1000", 1000, 0),
            ("py8.tricky", 12, 0),
            ("torn", 24, 1),
        ]
    );
}

#[test]
fn columns_are_taken_by_position() {
    let import = read(sample("py8"));
    let Row { line, token, .. } = &import.rows[0];
    assert_eq!(*line, 2);
    assert_eq!(
        columns(token),
        [
            Some("1"),
            Some("user0001@example.test:7000001"),
            Some("1000.D0F631CA1DDBA8DB3BCFCB9E057CDC"),
            Some("e8bc163c82eee18733288c7d4ac636db3a6deb013e"),
            Some("1000.82f3e9c695dc6b8d1b11818d5701919e.a791366f6f6201254edcac9ec72017b1"),
            Some("1000.f55ff16f66f43360266b95db6f8fec01.16a36e86f6fed5d465ff332511a0ce1a"),
            None,
            Some("1760000061001"),
            Some("https://app.example/oauth2/callback"),
            Some("https://www.zohoapis.com"),
        ]
    );
    assert_eq!(import.rows[2].token.user_name(), None, "an empty cell is null");
    assert_eq!(import.rows[6].token.api_domain(), None, "also at the end of a row");
}

#[test]
fn all_writers_of_one_store_are_read_alike() {
    let python = read(sample("py8"));
    assert_eq!(tokens(&read(sample("py7"))), tokens(&python));
    assert_eq!(tokens(&read(sample("node8"))), tokens(&python));
    assert_eq!(tokens(&read(sample("py8.1000")))[..25], tokens(&python));

    let without_header = read(sample("noheader"));
    assert_eq!(tokens(&without_header), tokens(&python));
    assert_eq!((without_header.rows[0].line, without_header.rows[24].line), (1, 25));

    let mut without_domain = tokens(&python);
    for columns in &mut without_domain {
        columns[9] = None;
    }
    assert_eq!(tokens(&read(sample("ninecolumns"))), without_domain);
}

#[test]
fn quotes_commas_line_ends_and_long_tokens_come_back_exactly() {
    let import = read(sample("py8.tricky"));
    let token = |id: usize| &import.rows[id - 1].token;
    assert_eq!(token(5).user_name(), Some("Ann \"Quote\", Comma@example.test"));
    assert_eq!(token(6).user_name(), Some("Zoë Ünïcode 💡@example.test"));
    assert_eq!(token(7).redirect_url(), Some("https://app.example/cb?a=1,b=2;c=\"3\""));
    assert_eq!(token(7).api_domain(), None);
    let long = token(8).access_token().map(Secret::expose_secret);
    assert_eq!(long, Some(format!("eyJhbGciOiJSUzI1NiJ9.{}.sig", "x".repeat(900)).as_str()));
    assert_eq!(token(9).user_name(), Some("line one\nline two@example.test"));
    let lines: Vec<_> = import.rows[7..].iter().map(|row| row.line).collect();
    assert_eq!(lines, [9, 10, 12, 13, 14], "a value of two lines takes two");
}

#[test]
fn a_torn_last_row_is_kept_out() {
    let import = read(sample("torn"));
    assert_eq!(skipped(&import), [(26, Reason::Torn)]);
    assert_eq!(tokens(&import), tokens(&read(sample("py8")))[..24]);
}

/// A cut inside the last column leaves all ten of them: `https://www.zohoapis.co` would be believed, and be sent secrets.
#[test]
fn a_file_cut_at_any_length_gives_only_rows_that_were_whole() {
    for name in ["py8", "py8.tricky", "ninecolumns", "noheader"] {
        let bytes = sample(name);
        let whole = read(&bytes);
        let first_line_len = bytes.iter().position(|byte| *byte == b'\n').expect("the sample has lines") + 1;
        for keep_len in first_line_len..bytes.len() {
            match read_csv(&bytes[..keep_len]) {
                Ok(cut) => {
                    assert!(tokens(&whole).starts_with(&tokens(&cut)), "{name} cut at {keep_len}");
                    let ends = bytes[keep_len - 1] == b'\r' || bytes[keep_len - 1] == b'\n';
                    assert!(ends || !cut.skipped.is_empty(), "{name} cut at {keep_len} without a word");
                }
                Err(Error::NotUtf8 { .. }) => assert!(!bytes[keep_len].is_ascii(), "{name} cut inside a letter"),
                Err(error) => panic!("{name} cut at {keep_len}: {error}"),
            }
        }
    }
}

#[test]
fn the_csv_crate_agrees_about_the_files_of_python() {
    for name in ["py7.tricky", "py8.tricky", "py8.1000", "ninecolumns", "noheader"] {
        let bytes = sample(name);
        let mut oracle = csv::ReaderBuilder::new().has_headers(false).from_reader(&bytes[..]);
        let records: Vec<_> = oracle.records().map(|record| record.expect("Python quotes by the rules")).collect();
        let rows = records.iter().filter(|record| &record[0] != "id");
        let expected = rows.map(|record| {
            let cell = |column| record.get(column).filter(|cell: &&str| !cell.is_empty());
            std::array::from_fn(cell)
        });
        assert_eq!(tokens(&read(&bytes)), expected.collect::<Vec<[_; 10]>>(), "{name}");
    }
}

#[test]
fn files_without_rows_are_fine() {
    for text in ["", "\n", "\r\n\r\n", "id", "id,user_name", NODE_HEADER, "\u{feff}", "\u{feff}id,user_name\r\n"] {
        let import = read(text);
        assert!(import.rows.is_empty() && import.skipped.is_empty(), "{text:?}");
    }
}

#[test]
fn only_a_first_cell_of_id_makes_a_header() {
    let import = read("ID,ann,,,,fake-1,,,,\nid,bob,,,,fake-2,,,,\n");
    assert_eq!(user_names(&import), [Some("ann"), Some("bob")]);
}

#[test]
fn blank_lines_are_passed_over_and_counted() {
    let import = read("\r\n1,ann,,,,fake-1,,,,\r\n\r\n\r\n2,bob,,,,fake-2,,,,\r\n\r\n");
    assert_eq!(import.rows.iter().map(|row| row.line).collect::<Vec<_>>(), [2, 5]);
    assert!(import.skipped.is_empty());
}

/// Python on Windows, opening its file in text mode, ends lines in CR CR LF.
#[test]
fn line_ends_of_windows_are_passed_over() {
    let import = read("1,ann,,,,fake-1,,,,\r\r\n2,bob,,,,fake-2,,,,\r\r\n");
    assert_eq!(user_names(&import), [Some("ann"), Some("bob")]);
    assert!(import.skipped.is_empty());
}

#[test]
fn line_ends_inside_quotes_are_kept_as_they_are() {
    let import = read("1,\"a\r\nb\nc\rd\",,,,fake-1,,,,\r\n2,bob,,,,fake-2,,,,\r\n");
    assert_eq!(user_names(&import), [Some("a\r\nb\nc\rd"), Some("bob")]);
    assert_eq!(import.rows[1].line, 4);
}

#[test]
fn quotes_in_a_file_of_node_are_part_of_the_value() {
    let names = ["an\"n", "\"ann\"", "\"\"", "\"ann", "ann\"", "a\"\"b", "\"a\"b\""];
    let rows: Vec<_> = names.iter().enumerate().map(|(id, name)| format!("{id},{name},,,,fake-{id},,,,")).collect();
    let import = read(format!("{NODE_HEADER}{}", rows.join("\n")));
    assert_eq!(user_names(&import), names.map(Some));
    assert!(import.skipped.is_empty());
}

/// Without its header a file of Node's looks like Python's. Its quotes must not swallow the rows up to the next quote.
#[test]
fn quotes_that_python_would_not_write_are_part_of_the_value() {
    let names = ["an\"n", "\"ann", "\"a\"b\"", "ann\"", "\"ann"];
    let rows: Vec<_> = names.iter().enumerate().map(|(id, name)| format!("{id},{name},,,,fake-{id},,,,\n")).collect();
    let import = read(rows.concat());
    assert_eq!(user_names(&import), names.map(Some));
    assert!(import.skipped.is_empty());
}

#[test]
fn rows_with_too_few_or_too_many_columns_are_kept_out() {
    let import = read("1,ann,,,,fake-1,,,,\n2,bob,,,,fake-2,,\n,\n3,c,carol,,,,fake-3,,,,\n4,dan,,,,fake-4,,,,\n");
    assert_eq!(user_names(&import), [Some("ann"), Some("dan")]);
    assert_eq!(
        skipped(&import),
        [
            (2, Reason::TooFewColumns { found: 8 }),
            (3, Reason::TooFewColumns { found: 2 }),
            (4, Reason::TooManyColumns { found: 11 }),
        ]
    );
}

/// An older Node SDK writes nine columns: with a comma in a value there are ten, all at the wrong place.
#[test]
fn a_tenth_column_in_a_file_of_nine_is_too_many() {
    let import = read("id,user_name,,,,,,,\n1,ann, the elder,,,fake-1,,,,\n2,bob,,,,fake-2,,,\n");
    assert_eq!(user_names(&import), [Some("bob")]);
    assert_eq!(skipped(&import), [(2, Reason::TooManyColumns { found: 10 })]);
}

#[test]
fn a_last_row_of_node_without_line_end_needs_all_columns() {
    let rows = "1,ann,,,,fake-1,,,https://app.example/cb,\n2,bob,,,,fake-2,,,https://app.ex";
    assert_eq!(skipped(&read(format!("{NODE_HEADER}{rows}"))), [(3, Reason::Torn)]);
    assert!(read(format!("{NODE_HEADER}{rows}ample/cb,")).skipped.is_empty());
}

#[test]
fn a_row_without_any_token_is_kept_out() {
    let import = read("1,ann,client,fake-secret,,,,,,\n2,,,,fake-r,,,,,\n3,,,,,fake-a,,,,\n4,,,,,,fake-g,,,\n");
    assert_eq!(skipped(&import), [(1, Reason::NoToken)]);
    assert_eq!(import.rows.len(), 3);
}

#[test]
fn rows_with_the_same_id_or_name_all_come() {
    let import = read("1,ann,,,,fake-1,,,,\n1,bob,,,,fake-2,,,,\n2,ann,,,,fake-3,,,,\n1,,,,,fake-4,,,,\n");
    assert_eq!(user_names(&import), [Some("ann"), Some("bob"), Some("ann"), None]);
    assert!(import.skipped.is_empty());
}

#[test]
fn rows_without_an_id_are_kept_in_their_place() {
    let import = read(",ann,,,,fake-1,,,,\n,bob,,,,fake-2,,,,\n1,carol,,,,fake-3,,,,\n");
    assert_eq!(user_names(&import), [Some("ann"), Some("bob"), Some("carol")]);
}

#[test]
fn another_encoding_is_an_error_with_its_line() {
    let error = read_csv(&b"id,user_name\r\n1,ann,,,,fake-1,,,,\r\n2,Zo\xeb,,,,fake-2,,,,\r\n"[..]).unwrap_err();
    assert!(matches!(error, Error::NotUtf8 { line: 3 }));
    assert_eq!(error.to_string(), "line 3 of the token file is not UTF-8");
}

#[test]
fn a_reader_that_fails_is_an_error_and_one_that_is_interrupted_is_not() {
    struct Halting<'a>(io::ErrorKind, bool, &'a [u8]);
    impl Read for Halting<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.1 = !self.1;
            if self.1 { Err(self.0.into()) } else { (&mut self.2).read(buffer) }
        }
    }
    let bytes = sample("py8.1000");
    let import = read_csv(Halting(io::ErrorKind::Interrupted, false, &bytes)).expect("an interrupted read is repeated");
    assert_eq!(import.rows.len(), 1000);
    let error = read_csv(Halting(io::ErrorKind::TimedOut, false, &bytes)).unwrap_err();
    assert!(matches!(error, Error::Io { source } if source.kind() == io::ErrorKind::TimedOut));
}

#[test]
fn nothing_that_is_printed_holds_a_secret() {
    let bad_rows = "1,a,b,fake-secret,fake-r,fake-a,fake-g\n2,,,fake-secret,,,,,,\n3,a,,,fake-r,fake-a,fake-g,,,,,\n\
                    4,,,fake-secret,fake-r,fake-a,fake-g,,,\n4,,,fake-secret,fake-r,fake-a,fake-g,,,\n5,,,fake-secret,fa";
    let import = read(bad_rows);
    assert_eq!((import.rows.len(), import.skipped.len()), (2, 4));
    let reasons: String = import.skipped.iter().map(Skipped::to_string).collect();
    let error = read_csv(&b"1,,,fake-secret,fake-r,\xff"[..]).unwrap_err();
    let printed = format!("{import:?} {reasons} {error} {error:?}");
    assert!(!printed.contains("fake"), "{printed}");
    assert!(import.skipped[3].to_string().starts_with("line 6: the file ends inside this row"));
}
