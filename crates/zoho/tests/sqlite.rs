//! What becomes of every row, every value and every kind of SQLite file, and that reading one leaves no trace.
//! Method: the sample beside its twin in CSV; databases made here with `rusqlite`, whole, cut, and left by a killed
//! writer; the folder before and after.

#![cfg(feature = "sqlite")]

mod samples;

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use rusqlite::Connection;
use samples::{Columns, columns, sample, sample_path};
use tempfile::TempDir;
use tokcask_zoho::{Error, Import, Reason, read_csv, read_sqlite};

/// Without types, SQLite keeps every value as it comes.
const TABLE: &str = "CREATE TABLE oauthtoken (id, user_name, client_id, client_secret, refresh_token, access_token, \
                     grant_token, expiry_time, redirect_url, api_domain)";

struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a temporary folder"))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn database(&self, sql: &str) -> PathBuf {
        let path = self.path("zohooauth.db");
        Connection::open(&path).and_then(|database| database.execute_batch(sql)).expect("the SQL is valid");
        path
    }

    fn content(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let files = fs::read_dir(&self.0).unwrap().map(|entry| entry.unwrap().path());
        let mut content: Vec<_> = files.map(|path| (path.clone(), fs::read(path).unwrap())).collect();
        content.sort();
        content
    }
}

fn read_made(sql: &str) -> Import {
    read_sqlite(Folder::new().database(sql)).expect("the table is one of tokens")
}

fn rows(import: &Import) -> Vec<Columns<'_>> {
    import.rows.iter().map(|row| columns(&row.token)).collect()
}

fn ids(import: &Import) -> Vec<&str> {
    import.rows.iter().map(|row| row.token.id().unwrap_or("none")).collect()
}

fn skipped(import: &Import) -> Vec<(u64, Reason)> {
    import.skipped.iter().map(|skipped| (skipped.line, skipped.reason)).collect()
}

#[test]
fn the_sample_holds_the_rows_of_the_file_store() {
    let database = read_sqlite(sample_path("zohooauth.db")).unwrap();
    let file = read_csv(&sample("py8")[..]).unwrap();
    assert_eq!(rows(&database), rows(&file));
    assert!(database.skipped.is_empty());
    assert_eq!((database.rows[0].line, database.rows[24].line), (1, 25));
}

#[test]
fn values_are_text_whole_numbers_or_nothing() {
    let import = read_made(
        &format!(
            "{TABLE}; INSERT INTO oauthtoken VALUES
            (7, '', NULL, 'ü', 'fake\0-1', '-9223372036854775808', -9223372036854775808, 1760000061001, 0, 'x');"
        )
        .replace("fake\0-1", "' || char(102, 0, 103) || '"),
    );
    let long = Some("-9223372036854775808");
    let expected =
        [Some("7"), None, None, Some("ü"), Some("f\0g"), long, long, Some("1760000061001"), Some("0"), Some("x")];
    assert_eq!(rows(&import), [expected]);
}

#[test]
fn values_of_other_types_keep_the_row_out() {
    let values = ["1.5", "x'66616b65'", "CAST(x'66616bff' AS TEXT)", "x''", "CAST(x'00ff' AS TEXT)"];
    let rows =
        values.map(|value| format!("INSERT INTO oauthtoken (refresh_token, expiry_time) VALUES ('fake', {value});"));
    let import = read_made(&format!("{TABLE}; {}", rows.concat()));
    let found = ["a REAL", "a BLOB", "text that is not UTF-8", "a BLOB", "text that is not UTF-8"];
    let expected: Vec<_> = (1..).zip(found.map(|found| Reason::NotText { column: "expiry_time", found })).collect();
    assert_eq!(skipped(&import), expected);
    assert_eq!(import.skipped[0].to_string(), "line 1: expiry_time holds a REAL");
    assert!(import.rows.is_empty());
}

#[test]
fn rows_that_cannot_be_used_are_skipped_as_in_a_file_store() {
    let import = read_made(&format!(
        "{TABLE}; INSERT INTO oauthtoken (id, access_token) VALUES
            ('1', 'fake-1'), ('2', ''), ('3', NULL), (1, 'fake-4'), (NULL, 'fake-5'), ('', 'fake-6'), (2, 'fake-7');"
    ));
    assert_eq!(ids(&import), ["1", "1", "none", "none", "2"]);
    assert_eq!(skipped(&import), [(2, Reason::NoToken), (3, Reason::NoToken)]);
}

#[test]
fn rows_come_in_the_order_of_their_insertion() {
    let insert = "INSERT INTO oauthtoken (id, access_token) VALUES ('2', 'fake'), ('10', 'fake'), ('1', 'fake')";
    let keyed = TABLE.replace("(id,", "(id PRIMARY KEY,");
    assert_eq!(ids(&read_made(&format!("{keyed}; {insert}"))), ["2", "10", "1"]);
    let reused = format!(
        "{keyed}; {insert}; DELETE FROM oauthtoken WHERE id = '2'; UPDATE oauthtoken SET rowid = 9 WHERE id = '10';"
    );
    assert_eq!(ids(&read_made(&reused)), ["1", "10"]);
}

#[test]
fn tables_without_rowid_and_other_cases_of_the_name_are_read() {
    let insert = "INSERT INTO oauthtoken (id, access_token) VALUES ('2', 'fake'), ('1', 'fake')";
    let without_rowid = TABLE.replace("(id,", "(id PRIMARY KEY,") + " WITHOUT ROWID";
    assert_eq!(ids(&read_made(&format!("{without_rowid}; {insert}"))), ["1", "2"]);
    assert_eq!(ids(&read_made(&format!("{}; {insert}", TABLE.replace("oauthtoken", "OAuthToken")))), ["2", "1"]);
}

#[test]
fn nine_columns_are_read_and_other_numbers_refused() {
    let nine = TABLE.replace(", api_domain", "");
    let insert = "INSERT INTO oauthtoken (id, access_token) VALUES ('1', 'fake')";
    assert_eq!(ids(&read_made(&format!("{nine}; {insert}"))), ["1"]);
    for (table, count) in [(nine.replace(", redirect_url", ""), 8), (TABLE.replace("(id,", "(id, id2,"), 11)] {
        let error = read_sqlite(Folder::new().database(&table)).unwrap_err();
        assert!(matches!(error, Error::Columns { found } if found == count), "{error}");
    }
}

#[test]
fn text_of_other_encodings_of_sqlite_is_read() {
    let import = read_made(&format!(
        "PRAGMA encoding = 'UTF-16'; {TABLE}; INSERT INTO oauthtoken (id, access_token) VALUES ('Zoë 💡', 'fake');"
    ));
    assert_eq!(ids(&import), ["Zoë 💡"]);
}

#[test]
fn a_missing_file_is_not_found_and_not_made() {
    let folder = Folder::new();
    let kind = |path: &Path| match read_sqlite(path) {
        Err(Error::Io { source }) => source.kind(),
        other => panic!("{}: {other:?}", path.display()),
    };
    for path in [folder.path("missing.db"), folder.path("missing/tokens.db"), ":memory:".into(), "".into()] {
        assert_eq!(kind(&path), ErrorKind::NotFound, "{}", path.display());
    }
    assert_eq!(kind(folder.0.path()), ErrorKind::IsADirectory);
    assert!(folder.content().is_empty());
}

#[test]
fn other_files_are_told_by_what_they_are() {
    let folder = Folder::new();
    let path = folder.path("file");
    for (content, expected) in [
        (&b""[..], "the database has no table oauthtoken"),
        (b"id,user_name,fake", "the token file is not an SQLite database"),
        (b"SQLite format 3", "the token file is not an SQLite database"),
        (&[b'x'; 5000], "the token file is not an SQLite database"),
    ] {
        fs::write(&path, content).unwrap();
        assert_eq!(read_sqlite(&path).unwrap_err().to_string(), expected);
    }
    let folder = Folder::new();
    assert!(matches!(read_sqlite(folder.database("CREATE TABLE oauthtokens (id)")), Err(Error::NoTable)));
}

/// SQLite takes zeros for what a cut page lacks: rows would be gone, or their values end in NULs.
#[test]
fn a_database_cut_anywhere_is_an_error_without_content() {
    let whole = fs::read(sample_path("zohooauth.db")).unwrap();
    let folder = Folder::new();
    let path = folder.path("damaged.db");
    for keep_len in (1..whole.len()).step_by(111).chain((512..whole.len()).step_by(512)) {
        fs::write(&path, &whole[..keep_len]).unwrap();
        let error = read_sqlite(&path).expect_err("rows are missing");
        let printed = format!("{error} {error:?}");
        assert!(!printed.contains("1000.") && !printed.contains("example"), "{printed}");
    }
}

#[test]
fn what_sqlite_says_of_damage_is_passed_on_by_its_code() {
    let mut bytes = fs::read(sample_path("zohooauth.db")).unwrap();
    bytes[100..200].fill(0xee);
    let folder = Folder::new();
    fs::write(folder.path("damaged.db"), bytes).unwrap();
    let error = read_sqlite(folder.path("damaged.db")).unwrap_err();
    assert!(matches!(error, Error::Sqlite { code: rusqlite::ffi::SQLITE_CORRUPT, .. }), "{error}");
}

const ONE_ROW: &str = "INSERT INTO oauthtoken (id, access_token) VALUES ('1', 'fake')";

#[test]
fn reading_leaves_the_folder_as_it_was() {
    for mode in ["DELETE", "PERSIST", "TRUNCATE", "WAL"] {
        let folder = Folder::new();
        let path = folder.database(&format!("PRAGMA journal_mode = {mode}; {TABLE}; {ONE_ROW};"));
        for name in ["zohooauth.db", "a ?#%41&é=:.db"] {
            if name != "zohooauth.db" {
                fs::copy(&path, folder.path(name)).unwrap();
            }
            let before = folder.content();
            assert_eq!(ids(&read_sqlite(folder.path(name)).unwrap()), ["1"], "{mode} {name}");
            assert!(folder.content() == before, "{mode} {name}: {:?}", names(&folder));
        }
    }
}

fn names(folder: &Folder) -> Vec<PathBuf> {
    folder.content().into_iter().map(|(path, _)| path).collect()
}

fn copy_with(folder: &Folder, from: &Path, suffix: &str) -> PathBuf {
    let to = folder.path("copy.db");
    for suffix in ["", suffix] {
        let name = |path: &Path| PathBuf::from(format!("{}{suffix}", path.display()));
        fs::copy(name(from), name(&to)).unwrap();
    }
    to
}

/// The newest refresh token may be in the log alone, if the writer was killed.
#[test]
fn rows_in_a_write_ahead_log_are_read_and_the_log_kept() {
    let live = Folder::new();
    let path = live.database(&format!("PRAGMA journal_mode = WAL; {TABLE};"));
    let writer = Connection::open(&path).unwrap();
    writer.execute_batch(ONE_ROW).unwrap();
    assert_eq!(ids(&read_sqlite(&path).unwrap()), ["1"], "beside the writer");
    let links = Folder::new();
    std::os::unix::fs::symlink(&path, links.path("link.db")).unwrap();
    assert_eq!(ids(&read_sqlite(links.path("link.db")).unwrap()), ["1"], "through a link");

    let copies = Folder::new();
    let copy = copy_with(&copies, &path, "-wal");
    let before = copies.content();
    assert_eq!(ids(&read_sqlite(copy).unwrap()), ["1"], "after the writer");
    let after = copies.content();
    assert!(before.iter().all(|file| after.contains(file)), "{:?}", names(&copies));
}

/// Half of a transaction is in the file, and the journal that would take it back cannot be used without writing.
#[test]
fn half_a_transaction_of_a_killed_writer_is_not_read() {
    let live = Folder::new();
    let path = live.database(&format!("{TABLE}; {ONE_ROW};"));
    let writer = Connection::open(&path).unwrap();
    let many = "WITH RECURSIVE n(i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < 5000)
                INSERT INTO oauthtoken (id, access_token) SELECT i, 'fake' || hex(randomblob(400)) FROM n";
    writer.execute_batch(&format!("PRAGMA cache_size = 10; BEGIN; DELETE FROM oauthtoken; {many};")).unwrap();

    let copies = Folder::new();
    let copy = copy_with(&copies, &path, "-journal");
    let before = copies.content();
    let error = read_sqlite(&copy).unwrap_err();
    assert!(matches!(error, Error::HalfWritten), "{error}");
    assert!(copies.content() == before, "{:?}", names(&copies));

    // Also if its last page is cut: that is no reason to call it damaged for good.
    let file = fs::OpenOptions::new().write(true).open(&copy).unwrap();
    file.set_len(fs::metadata(&copy).unwrap().len() - 100).unwrap();
    assert!(matches!(read_sqlite(&copy), Err(Error::HalfWritten)));

    let what_the_error_advises = Connection::open(&copy).unwrap();
    what_the_error_advises.query_row("SELECT count(*) FROM oauthtoken", [], |_| Ok(())).unwrap();
    assert_eq!(ids(&read_sqlite(&copy).unwrap()), ["1"]);
}

#[test]
fn a_view_is_no_table_however_it_is_called() {
    let endless = "CREATE VIEW oauthtoken AS WITH RECURSIVE rows(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM rows)
        SELECT n, n, n, n, n, n, n, n, n, n FROM rows;";
    assert!(matches!(read_sqlite(Folder::new().database(endless)), Err(Error::NoTable)));
}
