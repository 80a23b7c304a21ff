//! The command `tokcask`: from a command line to an exit code. A library, so that the Python package can bring it along.
//!
//! What a command does is in `commands`, what is printed goes through `ui`, and why a run failed, with its exit code, is a
//! `failure::Failure`.

mod args;
mod commands;
mod escape;
mod failure;
mod holders;
mod input;
mod output;
mod picture;
mod progress;
mod table;
mod time;
mod token;
mod ui;
mod unfinished;
mod usage;

use std::ffi::OsString;

use clap::Parser;

use crate::args::Args;
use crate::ui::Ui;

/// Does what a command line asks, whose first argument is the program's name. Returns the exit code.
#[must_use]
pub fn run(command_line: &[OsString]) -> u8 {
    let args = match Args::try_parse_from(command_line) {
        Ok(args) => args,
        Err(error) => return usage::answer(error, command_line),
    };
    let mut ui = Ui::new(args.style.clone());
    let ran = commands::run(&mut ui, &args.command).and_then(|()| ui.finish());
    match ran {
        Ok(()) => 0,
        // Whoever read has seen enough, as `head` does. A command that changes a store must not end as if all went well.
        Err(failure) if failure.is_closed_pipe() && args.command.only_reads() => 0,
        Err(failure) => {
            ui.fail(&failure, !args.command.is_a_cure());
            failure.kind.exit_code()
        }
    }
}
