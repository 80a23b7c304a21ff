//! The command `tokcask`: from a command line to an exit code. What a command does is in `commands`, what is printed
//! goes through [`ui`], and why a run failed, with its exit code, is a [`failure::Failure`].

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

use std::process::ExitCode;

use clap::Parser;

use crate::args::Args;
use crate::ui::Ui;

fn main() -> ExitCode {
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(error) => return usage::answer(error),
    };
    let mut ui = Ui::new(args.style.clone());
    let ran = commands::run(&mut ui, &args.command).and_then(|()| ui.finish());
    match ran {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever read has seen enough, as `head` does. A command that changes a store must not end as if all went well.
        Err(failure) if failure.is_closed_pipe() && args.command.only_reads() => ExitCode::SUCCESS,
        Err(failure) => {
            ui.fail(&failure, !args.command.is_a_cure());
            failure.kind.exit_code()
        }
    }
}
