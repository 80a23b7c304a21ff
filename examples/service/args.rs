//! The command line. Decides nothing and opens nothing.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

pub(crate) const HELP: &str = "\
A token service that embeds tokcask. Imports a Zoho FileStore CSV, serves HTTP to its own clients for a while, kills a
process that is writing, and checks that every token that was acknowledged is there.

Usage: cargo run --release --example service [-- OPTIONS]

  --dir DIR       keep the store in DIR; it may be there already [default: a new temporary directory]
  --seconds N     how long the clients run, 1 to 3600 [default: 3]
  --listen ADDR   afterwards go on serving on ADDR, such as 127.0.0.1:8080, until ctrl-c
  --help          print this
";

/// Makes the child that is killed; not for people, so not in the help.
pub(crate) const CHILD: &str = "--child";

const SECONDS_MAX: u64 = 3600;

pub(crate) enum Command {
    Help,
    Run(Options),
    Child { dir: PathBuf, run: String },
}

pub(crate) struct Options {
    pub(crate) dir: Option<PathBuf>,
    pub(crate) duration: Duration,
    pub(crate) listen: Option<SocketAddr>,
}

/// Reads the arguments after the program's name.
pub(crate) fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Command, String> {
    let mut args = args.into_iter();
    let mut options = Options { dir: None, duration: Duration::from_secs(3), listen: None };
    while let Some(arg) = args.next() {
        let name = arg.to_string_lossy().into_owned();
        let mut value = || args.next().ok_or_else(|| format!("{name} needs a value"));
        match name.as_str() {
            "--help" | "-h" => return Ok(Command::Help),
            CHILD => return Ok(Command::Child { dir: value()?.into(), run: text(value()?)? }),
            "--dir" => options.dir = Some(value()?.into()),
            "--seconds" => options.duration = seconds(&text(value()?)?)?,
            "--listen" => options.listen = Some(address(&text(value()?)?)?),
            _ => return Err(format!("unknown argument {name:?}")),
        }
    }
    Ok(Command::Run(options))
}

fn text(value: OsString) -> Result<String, String> {
    value.into_string().map_err(|value| format!("{} is no text", value.display()))
}

fn seconds(text: &str) -> Result<Duration, String> {
    match text.parse() {
        Ok(seconds @ 1..=SECONDS_MAX) => Ok(Duration::from_secs(seconds)),
        _ => Err(format!("--seconds takes a number from 1 to {SECONDS_MAX}, not {text:?}")),
    }
}

fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| format!("--listen takes an address such as 127.0.0.1:8080, not {text:?}"))
}
