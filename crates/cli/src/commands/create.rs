//! `create`: an empty store where there is none.

use std::path::Path;

use serde::Serialize;

use super::open::{self, LOG};
use crate::failure::{Failure, Kind};
use crate::ui::Ui;

#[derive(Serialize)]
struct Created {
    created: bool,
    uuid: String,
}

pub(super) fn run(ui: &mut Ui, dir: &Path) -> Result<(), Failure> {
    let exists = || Failure::new(Kind::Exists, format!("{} is a store already", dir.display())).at(dir);
    // Before opening, which would recover it. Whether a lock file alone was a store, opening tells.
    if dir.join(LOG).symlink_metadata().is_ok() {
        return Err(exists());
    }
    let options = open::options(ui)?.create(true);
    let store = open::with(ui, &options, dir)?;
    if !store.open_report().created {
        return Err(exists());
    }
    let uuid = uuid_text(&store.stats()?.uuid);
    store.close()?;
    if ui.style.json {
        return ui.json(&Created { created: true, uuid });
    }
    ui.text(&format!("created {} ({uuid})", dir.display()))
}

/// In groups, as UUIDs are written.
pub(super) fn uuid_text(uuid: &[u8; 16]) -> String {
    let digits = format!("{:032x}", u128::from_be_bytes(*uuid));
    [&digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..]].join("-")
}
