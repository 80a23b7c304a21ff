//! The commands, one verb a file.

mod adopt;
mod backup;
mod compact;
mod completions;
mod create;
mod dump;
mod export;
mod get;
mod import;
mod list;
mod open;
mod remove;
mod salvage;
mod save;
mod stat;
mod verify;

use crate::args::Command;
use crate::failure::Failure;
use crate::ui::Ui;

/// Does what the command line asks.
pub(crate) fn run(ui: &mut Ui, command: &Command) -> Result<(), Failure> {
    match command {
        Command::Create(store) => create::run(ui, &store.dir),
        Command::List(store) => list::run(ui, &store.dir),
        Command::Get(get) => get::run(ui, get),
        Command::Find(store) => get::find(ui, &store.dir),
        Command::Save(store) => save::run(ui, &store.dir),
        Command::Delete(delete) => remove::delete(ui, &delete.dir, &delete.id),
        Command::Clear(clear) => remove::clear(ui, clear),
        Command::Import(import) => import::run(ui, import),
        Command::Export(export) => export::run(ui, export),
        Command::Stat(store) => stat::run(ui, &store.dir),
        Command::Verify(store) => verify::run(ui, &store.dir),
        Command::Dump(store) => dump::run(ui, &store.dir),
        Command::Compact(store) => compact::run(ui, &store.dir),
        Command::Backup(copied) => backup::run(ui, copied),
        Command::Salvage(copied) => salvage::run(ui, copied),
        Command::Adopt(store) => adopt::run(ui, &store.dir),
        Command::Completions(completions) => completions::run(ui, completions.shell),
    }
}
