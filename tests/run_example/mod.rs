//! Running an example as a user does.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Output};

/// `cargo run --example` in the profile of the test that asks, so that nothing is built twice.
pub(crate) fn command<I: AsRef<OsStr>>(example: &str, args: impl IntoIterator<Item = I>) -> Command {
    let this_test = std::env::current_exe().expect("a test knows its own path");
    // target/PROFILE/deps/TEST-HASH
    let profile_dir = this_test.parent().and_then(Path::parent).expect("cargo puts tests two folders down");
    let profile = match profile_dir.file_name().and_then(OsStr::to_str) {
        Some("debug") | None => "test",
        Some(profile) => profile,
    };
    let mut command = Command::new(env!("CARGO"));
    command
        .args(["run", "--quiet", "--example", example, "--profile", profile, "--target-dir"])
        .arg(profile_dir.parent().unwrap_or(profile_dir))
        .arg("--")
        .args(args)
        .current_dir(env!("CARGO_MANIFEST_DIR"));
    command
}

pub(crate) fn run<I: AsRef<OsStr>>(example: &str, args: impl IntoIterator<Item = I>) -> Output {
    command(example, args).output().expect("cargo runs the example")
}

pub(crate) fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).expect("the example prints UTF-8")
}
