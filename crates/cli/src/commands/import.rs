//! `import`: the tokens of another store, all that its file holds whole, or none.
//!
//! Everything that can be told beforehand is told before the store is opened, let alone made.

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use serde::Serialize;
use tokcask::{Key, LogStore, Token};
use tokcask_zoho::{Reason, Skipped, read_csv, read_json, read_sqlite};

use super::open;
use crate::args::{Import, ImportFormat, OnClash};
use crate::failure::{Failure, Kind};
use crate::input;
use crate::progress::{Bar, Unit};
use crate::table::{self, cell};
use crate::ui::Ui;

#[derive(Serialize)]
struct Report {
    imported: u64,
    skipped: Vec<SkippedJson>,
    clashes: u64,
}

#[derive(Serialize)]
struct SkippedJson {
    line: u64,
    reason: String,
}

pub(super) fn run(ui: &mut Ui, args: &Import) -> Result<(), Failure> {
    let import = read(ui, args)?;
    refuse_foreign(args, &import)?;
    for row in &import.rows {
        row.token.check_limits().map_err(|error| {
            let failure = Failure::from(error);
            let message = format!("{}: line {}: {}", args.file.display(), row.line, failure.message);
            Failure { message, ..failure }.at(&args.file)
        })?;
    }
    let (lines, tokens): (Vec<u64>, Vec<Token>) = import.rows.into_iter().map(|row| (row.line, row.token)).unzip();
    if args.on_clash == OnClash::Refuse {
        // Before a store is made for them.
        refuse_clashes(None, args, &lines, &tokens)?;
    }
    let (imported, clashes) =
        if args.dry_run { preview(ui, args, &lines, &tokens)? } else { store_all(ui, args, &lines, &tokens)? };
    print(ui, args, imported, clashes, &import.skipped)
}

/// A file of which no row has the right number of columns is something else.
fn refuse_foreign(args: &Import, import: &tokcask_zoho::Import) -> Result<(), Failure> {
    let is_foreign = |reason| matches!(reason, Reason::TooFewColumns { .. } | Reason::TooManyColumns { .. });
    let all = import.skipped.iter().all(|skipped| is_foreign(skipped.reason));
    if !import.rows.is_empty() || import.skipped.is_empty() || !all {
        return Ok(());
    }
    let message = format!("{} is no file of tokens: {}", args.file.display(), import.skipped[0]);
    Err(Failure::new(Kind::Input, message).at(&args.file))
}

fn store_all(ui: &mut Ui, args: &Import, lines: &[u64], tokens: &[Token]) -> Result<(u64, u64), Failure> {
    let options = open::options(ui)?.create(true);
    let (store, bar) = open::held(ui, &options, &args.dir, "import")?;
    if args.on_clash == OnClash::Refuse {
        refuse_clashes(Some(&store), args, lines, tokens)?;
    }
    let report = store.import(tokens, on_clash(args.on_clash))?;
    store.close()?;
    bar.finish();
    Ok((report.imported, report.clashes))
}

/// What [`store_all`] would do. Makes no store.
fn preview(ui: &mut Ui, args: &Import, lines: &[u64], tokens: &[Token]) -> Result<(u64, u64), Failure> {
    let rows = tokens.len() as u64;
    let store = open::if_there(ui, &args.dir)?;
    if args.on_clash == OnClash::Refuse {
        refuse_clashes(store.as_ref(), args, lines, tokens)?;
    }
    let clashes = clashes(store.as_ref(), lines, tokens)?.len() as u64;
    if let Some(store) = store {
        store.close()?;
    }
    let kept_out = if args.on_clash == OnClash::Keep { clashes } else { 0 };
    Ok((rows - kept_out, clashes))
}

/// The library would refuse as well, but knows no lines.
fn refuse_clashes(store: Option<&LogStore>, args: &Import, lines: &[u64], tokens: &[Token]) -> Result<(), Failure> {
    const NAMED_MAX: usize = 5;
    let clashes = clashes(store, lines, tokens)?;
    if clashes.is_empty() {
        return Ok(());
    }
    let named: Vec<_> = clashes.iter().take(NAMED_MAX).map(|(id, line)| format!("{id:?} (line {line})")).collect();
    let more =
        if clashes.len() > NAMED_MAX { format!(", and {} more", clashes.len() - NAMED_MAX) } else { String::new() };
    let message = format!(
        "nothing was imported: ids taken already, by {} or by an earlier row: {}{more}; --on-clash says what to do",
        args.dir.display(),
        named.join(", ")
    );
    Err(Failure::new(Kind::Clash, message).at(&args.dir))
}

/// Rows whose id a row of the store or an earlier row of the file has, with their lines.
fn clashes<'a>(store: Option<&LogStore>, lines: &[u64], tokens: &'a [Token]) -> Result<Vec<(&'a str, u64)>, Failure> {
    let mut seen = HashSet::new();
    let mut clashes = Vec::new();
    for (line, token) in lines.iter().zip(tokens) {
        let Some(id) = token.id() else { continue };
        let in_store = match store {
            Some(store) => store.view(Key::Id(id), |_| ())?.is_some(),
            None => false,
        };
        if !seen.insert(id) || in_store {
            clashes.push((id, *line));
        }
    }
    Ok(clashes)
}

fn on_clash(choice: OnClash) -> tokcask::OnClash {
    match choice {
        OnClash::Refuse => tokcask::OnClash::Refuse,
        OnClash::Keep => tokcask::OnClash::Keep,
        OnClash::Replace => tokcask::OnClash::Replace,
        OnClash::Renumber => tokcask::OnClash::Renumber,
    }
}

fn read(ui: &Ui, args: &Import) -> Result<tokcask_zoho::Import, Failure> {
    let bar = ui.bar("read", Unit::Bytes);
    let import = match args.from {
        ImportFormat::ZohoCsv => read_csv(open_file(&args.file, &bar)?),
        ImportFormat::Json => read_json(open_file(&args.file, &bar)?),
        ImportFormat::ZohoSqlite if args.file == Path::new("-") => {
            return Err(Failure::new(Kind::Usage, "zoho-sqlite needs a file, standard input will not do"));
        }
        ImportFormat::ZohoSqlite => read_sqlite(&args.file),
    };
    let bad = |fault: String| Failure::new(Kind::Input, format!("{}: {fault}", args.file.display())).at(&args.file);
    import.map_err(|error| match error {
        tokcask_zoho::Error::Io { source } => Failure::io("read", &args.file, &source),
        tokcask_zoho::Error::Sqlite { code, .. } if is_in_the_way(code) => {
            Failure::new(Kind::Io, format!("{}: {error}", args.file.display())).at(&args.file)
        }
        // Names lines and columns, never content.
        error => bad(error.to_string()),
    })
}

/// Whether SQLite says that the file is fine and something around it is not: permissions, I/O, a lock.
fn is_in_the_way(code: i32) -> bool {
    const PERM: i32 = 3;
    const BUSY: i32 = 5;
    const LOCKED: i32 = 6;
    const IO_ERROR: i32 = 10;
    const CANNOT_OPEN: i32 = 14;
    // The lowest byte of an extended code is its kind.
    [PERM, BUSY, LOCKED, IO_ERROR, CANNOT_OPEN].contains(&(code & 0xFF))
}

fn open_file<'a>(path: &Path, bar: &'a Bar) -> Result<Counted<'a>, Failure> {
    if path == Path::new("-") {
        return Ok(Counted { file: input::stdin()?, bar });
    }
    let file = File::open(path).map_err(|error| Failure::io("open", path, &error))?;
    if let Ok(metadata) = file.metadata() {
        bar.set_total(metadata.len());
    }
    Ok(Counted { file, bar })
}

/// A file that shows how far it was read.
struct Counted<'a> {
    file: File,
    bar: &'a Bar,
}

impl Read for Counted<'_> {
    fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(space)?;
        self.bar.advance(read as u64);
        Ok(read)
    }
}

fn print(ui: &mut Ui, args: &Import, imported: u64, clashes: u64, skipped: &[Skipped]) -> Result<(), Failure> {
    if ui.style.json {
        let json = |skipped: &Skipped| SkippedJson { line: skipped.line, reason: skipped.reason.to_string() };
        return ui.json(&Report { imported, skipped: skipped.iter().map(json).collect(), clashes });
    }
    let imported_name = if args.dry_run { "would import" } else { "imported" };
    let number = |number: u64| cell(&number.to_string());
    let numbers =
        [(imported_name, number(imported)), ("skipped", number(skipped.len() as u64)), ("clashes", number(clashes))];
    table::pairs(&mut ui.out, &numbers)?;
    skipped.iter().try_for_each(|skipped| ui.text(&skipped.to_string()))
}
