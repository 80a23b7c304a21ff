//! Runs `read_store.py`, the reader that knows our files from FORMAT.md alone.
#![allow(dead_code, reason = "each test program uses a part")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Whether there is no `python3`, so that a test is to end here. Only on a machine of a user's: ours must have it.
pub(crate) fn python_is_missing() -> bool {
    let missing = Command::new("python3").arg("--version").output().is_err();
    assert!(!missing || std::env::var_os("CI").is_none(), "python3, 3.9 or later, must be in the PATH");
    if missing {
        eprintln!("NOT TESTED: there is no python3 in the PATH");
    }
    missing
}

/// What the program says of these directories.
pub(crate) fn read_store(directories: &[PathBuf]) -> Output {
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/read_store.py");
    let output = Command::new("python3").arg("-B").arg(program).args(directories).output();
    output.unwrap_or_else(|error| panic!("python3 does not run: {error}"))
}

/// The lines of its standard output, as JSON; it must have ended well.
pub(crate) fn lines(output: &Output) -> Vec<serde_json::Value> {
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "read_store.py ended with {}: {complaint}", output.status);
    let text = std::str::from_utf8(&output.stdout).expect("its output is UTF-8");
    text.lines().map(|line| serde_json::from_str(line).expect("each line is JSON")).collect()
}
