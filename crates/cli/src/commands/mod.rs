//! The commands, each verb in a file, but for pairs that differ in a line; `open` is what they share.

mod adopt;
mod backup;
mod compact;
mod completions;
mod create;
mod dump;
mod expiring;
mod export;
mod get;
mod import;
mod key;
mod list;
mod open;
mod remove;
mod salvage;
mod save;
mod stat;
mod sweep;
mod verify;

use std::path::Path;

use crate::args::{Command, Key};
use crate::failure::{Failure, Kind};
use crate::ui::Ui;

/// Does what the command line asks.
pub(crate) fn run(ui: &mut Ui, command: &Command) -> Result<(), Failure> {
    if command.source().is_some_and(may_be_a_token) {
        let message = "there is nothing of that name, which is not shown: it looks like a token in the wrong place";
        let kind = if matches!(command, Command::Import(_)) { Kind::Io } else { Kind::NotAStore };
        return Err(Failure::new(kind, message));
    }
    match command {
        Command::Create(store) => create::run(ui, &store.dir),
        Command::List(store) => list::run(ui, &store.dir),
        Command::Get(get) => get::run(ui, get),
        Command::Find(store) => get::find(ui, &store.dir),
        Command::Save(store) => save::run(ui, &store.dir),
        Command::Delete(delete) => remove::delete(ui, &delete.dir, &delete.id),
        Command::Expiring(expiring) => expiring::run(ui, expiring),
        Command::Sweep(sweep) => sweep::run(ui, sweep),
        Command::Clear(clear) => remove::clear(ui, clear),
        Command::Import(import) => import::run(ui, import),
        Command::Export(export) => export::run(ui, export),
        Command::Stat(store) => stat::run(ui, &store.dir),
        Command::Verify(store) => verify::run(ui, &store.dir),
        Command::Dump(store) => dump::run(ui, &store.dir),
        Command::Compact(store) => compact::run(ui, &store.dir),
        Command::Purge(store) => compact::purge(ui, &store.dir),
        Command::Key(Key::New(args)) => key::new(ui, args),
        Command::Rekey(args) => key::rekey(ui, args),
        Command::Encrypt(args) => key::encrypt(ui, args),
        Command::Decrypt(copied) => key::decrypt(ui, copied),
        Command::Backup(copied) => backup::run(ui, copied),
        Command::Salvage(copied) => salvage::run(ui, copied),
        Command::Adopt(store) => adopt::run(ui, &store.dir),
        Command::Completions(completions) => completions::run(ui, completions.shell),
    }
}

/// Failures show paths. One of which nothing is there, and which looks as tokens do, may have taken a path's place.
fn may_be_a_token(path: &Path) -> bool {
    const RANDOM_LEN_MIN: usize = 20;
    let text = path.as_os_str().to_string_lossy();
    let longest = text.split(['-', '_', '.', ' ', '/']).map(str::len).max();
    let is_there = path.symlink_metadata().is_ok();
    // An absolute path was meant as one.
    !is_there && path.is_relative() && longest.is_some_and(|len| len >= RANDOM_LEN_MIN)
}
