//! What a wrong command line is told. No value of it is repeated: it may be a secret in the wrong place.

use std::ffi::OsString;
use std::io::{self, Write};

use clap::error::{ContextKind, ContextValue, ErrorKind};

use crate::failure::{Failure, Kind};
use crate::output::{self, Output};
use crate::ui;

const HIDDEN: &str = "(not shown)";

/// Prints help and version where they were asked for, and what is wrong otherwise.
pub(crate) fn answer(error: clap::Error, command_line: &[OsString]) -> u8 {
    // Nothing is parsed, so this is all that can be known of how to say it.
    let json = command_line.iter().skip(1).take_while(|arg| *arg != "--").any(|arg| arg == "--json");
    if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
        return help(&error, json);
    }
    let message = message(error);
    if json {
        // How the command is used is for people.
        let fault = message.split("\n\n").next().unwrap_or_default();
        ui::print_failure(&Failure::new(Kind::Usage, fault), json);
    } else {
        ui::say(&format!("error: {message}"));
    }
    Kind::Usage.exit_code()
}

fn help(help: &clap::Error, json: bool) -> u8 {
    let mut out = Output::stdout();
    match out.write_all(help.render().to_string().as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            let failure = output::failed(&error);
            ui::print_failure(&failure, json);
            failure.kind.exit_code()
        }
        _ => 0,
    }
}

fn message(mut error: clap::Error) -> String {
    if matches!(error.kind(), ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand | ErrorKind::MissingSubcommand) {
        return "a command is missing; `tokcask --help` lists them".into();
    }
    // A flag is repeated if it is nearly one of ours.
    let is_near = error.get(ContextKind::SuggestedArg).is_some();
    for kind in [ContextKind::InvalidArg, ContextKind::InvalidSubcommand, ContextKind::InvalidValue] {
        let is_typed = match kind {
            // In other errors it names arguments of ours.
            ContextKind::InvalidArg => error.kind() == ErrorKind::UnknownArgument && !is_near,
            // One that is missing is nothing that was typed.
            _ => error.get(kind).is_some_and(|typed| !matches!(typed, ContextValue::String(text) if text.is_empty())),
        };
        if is_typed {
            error.insert(kind, ContextValue::String(HIDDEN.into()));
            // A tip may repeat it.
            error.insert(ContextKind::Suggested, ContextValue::None);
        }
    }
    let text = error.render().to_string();
    text.trim_start_matches("error: ").trim_end().to_owned()
}
