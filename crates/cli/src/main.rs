//! The program `tokcask`.

use std::process::ExitCode;

fn main() -> ExitCode {
    let command_line: Vec<_> = std::env::args_os().collect();
    tokcask_cli::run(&command_line).into()
}
