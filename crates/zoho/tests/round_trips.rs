//! Rows are the same after a way through any of the formats.
//! Method: every file that an SDK wrote, read, written in each format, and read again.

mod samples;

use std::convert::Infallible;

use samples::{Columns, columns, sample};
use tokcask_zoho::{Dialect, Import, WriteError, read_csv, read_json, to_json, write_csv};

const SAMPLES: [&str; 10] =
    ["empty", "ninecolumns", "node8", "noheader", "py7", "py7.tricky", "py8", "py8.1000", "py8.tricky", "torn"];

fn rows(import: &Import) -> Vec<Columns<'_>> {
    import.rows.iter().map(|row| columns(&row.token)).collect()
}

fn through_csv(dialect: Dialect, import: &Import) -> Result<Import, WriteError<Infallible>> {
    let mut file = Vec::new();
    write_csv(dialect, import.rows.iter().map(|row| Ok(&row.token)), &mut file)?;
    Ok(read_csv(&file[..]).expect("what we write is UTF-8"))
}

fn through_json(import: &Import) -> Import {
    let lines = import.rows.iter().map(|row| to_json(&row.token, |secret| secret.into()).to_string() + "\n");
    read_json(lines.collect::<String>().as_bytes()).expect("what we write is JSON")
}

fn check(name: &str, import: &Import) {
    let mut copies =
        vec![through_csv(Dialect::Python, import).expect("Python can read every sample"), through_json(import)];
    match through_csv(Dialect::Node, import) {
        Ok(copy) => copies.push(copy),
        Err(error) => assert!(name.ends_with("tricky"), "{name}: {error}"),
    }
    for copy in copies {
        assert!(rows(&copy) == rows(import), "{name}");
        assert!(copy.skipped.is_empty(), "{name}: {:?}", copy.skipped);
    }
}

#[test]
fn file_stores_come_back() {
    for name in SAMPLES {
        check(name, &read_csv(&sample(name)[..]).expect("samples are UTF-8"));
    }
}

#[cfg(feature = "sqlite")]
#[test]
fn a_database_comes_back() {
    check("database", &tokcask_zoho::read_sqlite(samples::sample_path("zohooauth.db")).expect("the sample is whole"));
}
