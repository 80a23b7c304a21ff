//! `export`: all tokens, secrets included, to a file or standard output.
//!
//! A file appears under its name when it is complete and durable, for its owner alone from the first byte.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use serde::Serialize;
use tokcask::LogStore;
use tokcask_zoho::{Dialect, WriteError, write_csv};

use super::open::{self, LOG};
use crate::args::{Export, ExportFormat};
use crate::failure::{Failure, Kind};
use crate::output::{self, Output};
use crate::progress::{Bar, Unit};
use crate::token;
use crate::ui::{Notice, Ui, text_of};
use crate::unfinished::Unfinished;

#[derive(Serialize)]
struct Exported {
    export: String,
    tokens: u64,
}

pub(super) fn run(ui: &mut Ui, args: &Export) -> Result<(), Failure> {
    match args.to_file() {
        Some(path) => to_file(ui, args, path),
        None if !ui.style.reveal => {
            Err(Failure::new(Kind::Usage, "an export shows every secret: name a file, or say --reveal"))
        }
        None => {
            let store = open::existing(ui, &args.dir)?;
            let mut out = Output::stdout();
            // A bar would be drawn over the text, if both go to one terminal.
            let counts = write(&Bar::none(), &store, args.to, &mut out, |error| output::failed(&error))?;
            tell(ui, args, &counts)
        }
    }
}

fn to_file(ui: &mut Ui, args: &Export, path: &Path) -> Result<(), Failure> {
    let folder = match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    check_target(path, args.force)?;
    check_outside(path, folder, &args.dir)?;
    let store = open::existing(ui, &args.dir)?;
    let failed = |error: io::Error| Failure::io("write", path, &error);
    let file = Unfinished::new(folder).map_err(failed)?;
    let mut out = Output::to(file.as_file().try_clone().map_err(failed)?);
    let counts = write(&ui.bar("export", Unit::Rows), &store, args.to, &mut out, failed)?;
    file.as_file().sync_all().map_err(failed)?;
    give_name(file, path, args.force)?;
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)?;
    tell(ui, args, &counts)?;
    if ui.style.json {
        return ui.json(&Exported { export: text_of(path), tokens: counts.tokens });
    }
    ui.text(&format!("exported {} tokens to {}", counts.tokens, path.display()))
}

/// Whether the name may be used. A device or a link is never replaced.
fn check_target(path: &Path, force: bool) -> Result<(), Failure> {
    let refused = |what: &str| Err(Failure::new(Kind::Exists, format!("{} {what}", path.display())).at(path));
    match path.symlink_metadata() {
        Ok(there) if !there.is_file() => refused("is there and no regular file"),
        Ok(_) if !force => refused("exists; --force replaces it"),
        _ => Ok(()),
    }
}

/// Nothing may take the place of the store's own files.
fn check_outside(path: &Path, folder: &Path, dir: &Path) -> Result<(), Failure> {
    match (folder.canonicalize(), dir.canonicalize()) {
        (Ok(folder), Ok(dir)) if folder == dir => {
            Err(Failure::new(Kind::Exists, format!("{} would be among the store's files", path.display())).at(path))
        }
        // What is missing is told by whoever opens it.
        _ => Ok(()),
    }
}

fn give_name(file: Unfinished, path: &Path, force: bool) -> Result<(), Failure> {
    file.give_name(path, force).map_err(|source| match source.kind() {
        // Since we looked.
        io::ErrorKind::AlreadyExists => Failure::new(Kind::Exists, format!("{} exists", path.display())).at(path),
        _ => Failure::io("write", path, &source),
    })
}

struct Counts {
    tokens: u64,
    /// Tokens with extra values that the format has no place for.
    without_extra: u64,
}

fn write(
    bar: &Bar,
    store: &LogStore,
    format: ExportFormat,
    out: &mut Output,
    failed: impl Fn(io::Error) -> Failure,
) -> Result<Counts, Failure> {
    bar.set_total(store.iter().len() as u64);
    let tokens = store.iter().inspect(|_| bar.advance(1));
    let dialect = match format {
        ExportFormat::ZohoCsv => Dialect::Python,
        ExportFormat::ZohoNodeCsv => Dialect::Node,
        ExportFormat::Json => {
            let mut counts = Counts { tokens: 0, without_extra: 0 };
            for token in tokens {
                let line = token::json(&token?, true);
                out.write_all(line.as_bytes()).and_then(|()| out.write_all(b"\n")).map_err(&failed)?;
                counts.tokens += 1;
            }
            out.flush().map_err(failed)?;
            bar.finish();
            return Ok(counts);
        }
    };
    let written = write_csv(dialect, tokens, out).map_err(|error| match error {
        WriteError::Source(error) => error.into(),
        WriteError::Io { source } => failed(source),
        // Names the row, its id and the column, never the value.
        error => Failure::new(Kind::Input, error.to_string()),
    })?;
    bar.finish();
    Ok(Counts { tokens: written.rows, without_extra: written.with_extra })
}

fn tell(ui: &mut Ui, args: &Export, counts: &Counts) -> Result<(), Failure> {
    if counts.without_extra == 0 {
        return Ok(());
    }
    let message = format!("extra values of {} tokens were left out: CSV has no place for them", counts.without_extra);
    ui.notice(&Notice::new("extra_left_out", message, &args.dir.join(LOG)))
}
