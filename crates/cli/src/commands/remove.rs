//! `delete` one token, `clear` all.

use std::path::Path;

use serde::Serialize;
use tokcask::TokenStore;

use super::open;
use crate::args::Clear;
use crate::failure::{Failure, Kind};
use crate::ui::Ui;

#[derive(Serialize)]
struct Deleted {
    deleted: u64,
}

pub(super) fn delete(ui: &mut Ui, dir: &Path, id: &str) -> Result<(), Failure> {
    let store = open::existing(ui, dir)?;
    store.delete_token(id)?;
    store.close()?;
    print(ui, 1)
}

pub(super) fn clear(ui: &mut Ui, clear: &Clear) -> Result<(), Failure> {
    if !clear.yes {
        return Err(Failure::new(Kind::Usage, "clear deletes every token of the store; say --yes if it shall"));
    }
    let store = open::existing(ui, &clear.dir)?;
    let deleted = store.stats()?.tokens;
    store.delete_tokens()?;
    store.close()?;
    print(ui, deleted)
}

fn print(ui: &mut Ui, deleted: u64) -> Result<(), Failure> {
    if ui.style.json {
        return ui.json(&Deleted { deleted });
    }
    ui.text(&format!("deleted: {deleted}"))
}
