//! `backup`: a complete copy of a store in a directory of its own.

use serde::Serialize;

use super::open;
use crate::args::Copied;
use crate::failure::{Failure, Kind};
use crate::picture::bytes_text;
use crate::ui::{Ui, text_of};

#[derive(Serialize)]
struct BackedUp {
    backup: String,
    tokens: u64,
    log_bytes: u64,
}

pub(super) fn run(ui: &mut Ui, args: &Copied) -> Result<(), Failure> {
    let options = open::options(ui)?;
    let (store, bar) = open::held(ui, &options, &args.dir, "backup")?;
    store.backup(&args.dest).map_err(|error| dest_failure(error, args))?;
    let stats = store.stats()?;
    store.close()?;
    bar.finish();
    let (tokens, log_bytes) = (stats.tokens, stats.log_bytes);
    if ui.style.json {
        return ui.json(&BackedUp { backup: text_of(&args.dest), tokens, log_bytes });
    }
    ui.text(&format!("backup: {} ({tokens} tokens, {})", args.dest.display(), bytes_text(log_bytes)))
}

/// For the library a directory with things in it is "no store"; here it is what was to be written to.
pub(super) fn dest_failure(error: tokcask::Error, args: &Copied) -> Failure {
    let mut failure = Failure::from(error);
    if failure.kind == Kind::NotAStore && failure.path.as_ref() == Some(&args.dest) && args.dest.is_dir() {
        failure.kind = Kind::Exists;
        failure.message = format!("{} is not empty", args.dest.display());
    }
    failure
}
