//! The SDKs themselves read what we write for them.
//!
//! Method: the samples and the longest, oddest values are written, the SDK's own `FileStore` lists them, and all
//! columns are compared. `TOKCASK_SDK_PYTHON` names the interpreter of a virtual environment with
//! `zohocrmsdk8_0==7.0.0`, `TOKCASK_SDK_NODE` a folder with `@zohocrm/nodejs-sdk-8.0` in its `node_modules`; without
//! them the tests say so and end.

mod samples;

use std::convert::Infallible;
use std::env;
use std::ffi::OsString;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use samples::{columns, sample};
use tokcask::Token;
use tokcask_zoho::{Dialect, read_csv, write_csv};

type Rows = Vec<[Option<String>; 10]>;

fn tokens_of(name: &str) -> Vec<Token> {
    let import = read_csv(&sample(name)[..]).expect("samples are UTF-8");
    import.rows.into_iter().map(|row| row.token).collect()
}

fn variable(name: &str) -> Option<OsString> {
    let value = env::var_os(name).filter(|value| !value.is_empty());
    if value.is_none() {
        eprintln!("skipped: {name} is not set");
    }
    value
}

/// What the SDK lists, and whether it left the file as we wrote it.
fn listed(dialect: Dialect, tokens: &[Token], reader: impl Fn(&Path) -> Command) -> Rows {
    // The SDKs write logs into the working directory.
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tokens.csv");
    write_csv(dialect, tokens.iter().map(Ok::<_, Infallible>), File::create(&path).unwrap()).unwrap();
    let written = fs::read(&path).unwrap();
    let output = reader(&path).current_dir(&folder).output().expect("the interpreter starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(fs::read(&path).unwrap() == written, "the SDK saw a need to rewrite the file");
    serde_json::from_slice(&output.stdout).expect("the script prints JSON")
}

fn expected(tokens: &[Token], as_read: fn(&str) -> String) -> Rows {
    tokens.iter().map(|token| columns(token).map(|value| value.map(as_read))).collect()
}

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sdk_readers").join(name)
}

#[test]
fn python_reads_every_column_of_every_row() {
    let Some(python) = variable("TOKCASK_SDK_PYTHON") else { return };
    let mut odd = Vec::new();
    for (id, value) in [
        "\"",
        "\"\"",
        ",",
        "\n",
        "\r",
        "\r\n",
        "a\r\rb\r\n\"c\",",
        " a ",
        "'",
        "\\",
        "\t",
        "#",
        "=1+1",
        "\u{feff}",
        "\u{2028}",
        "💡",
    ]
    .iter()
    .enumerate()
    {
        let token = Token::builder().id(id.to_string()).user_name(*value).access_token(format!("{value}x{value}"));
        odd.push(token.api_domain(*value).build());
    }
    odd.push(Token::builder().id("long").access_token("é\"".repeat(65_536)).build());

    for tokens in [tokens_of("py8"), tokens_of("py8.tricky"), tokens_of("py8.1000"), odd, Vec::new()] {
        let found = listed(Dialect::Python, &tokens, |path| {
            let mut command = Command::new(&python);
            // Else it would read in the encoding of the machine.
            command.env("PYTHONUTF8", "1").arg("-B").arg(script("read_python.py")).arg(path);
            command
        });
        // It opens the file in text mode, where every line end is read as LF, also inside quotes.
        assert!(found == expected(&tokens, |value| value.replace("\r\n", "\n").replace('\r', "\n")), "{found:?}");
    }
}

#[test]
fn node_reads_every_column_of_every_row() {
    let Some(sdk) = variable("TOKCASK_SDK_NODE") else { return };
    let mut odd = Vec::new();
    for (id, value) in [" a ", "'", "\\", "\t", "\0", "#", "\u{feff}", "\u{2028}", "💡", " "].iter().enumerate() {
        odd.push(Token::builder().id(id.to_string()).user_name(*value).access_token(*value).api_domain(*value).build());
    }
    odd.push(Token::builder().id("long").access_token("é'".repeat(100_000)).build());

    for tokens in [tokens_of("node8"), tokens_of("py8.1000"), odd, Vec::new()] {
        let found = listed(Dialect::Node, &tokens, |path| {
            let mut command = Command::new("node");
            command.arg(script("read_node.mjs")).arg(&sdk).arg(path);
            command
        });
        assert!(found == expected(&tokens, str::to_owned), "{found:?}");
    }
}
