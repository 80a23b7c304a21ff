//! `import`: the tokens of another store, all of them or none.
//!
//! Everything that can be told beforehand is told before the store is opened, let alone made.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use serde::Serialize;
use tokcask::{Key, LogStore, Token};
use tokcask_zoho::{Skipped, read_csv, read_json, read_sqlite};

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
    for row in &import.rows {
        row.token.check_limits().map_err(|error| {
            let failure = Failure::from(error);
            let message = format!("{}: line {}: {}", args.file.display(), row.line, failure.message);
            Failure { message, ..failure }.at(&args.file)
        })?;
    }
    let (lines, tokens): (Vec<u64>, Vec<Token>) = import.rows.into_iter().map(|row| (row.line, row.token)).unzip();
    let (imported, clashes) =
        if args.dry_run { preview(ui, args, &lines, &tokens)? } else { store_all(ui, args, &lines, &tokens)? };
    print(ui, args, imported, clashes, &import.skipped)
}

fn store_all(ui: &mut Ui, args: &Import, lines: &[u64], tokens: &[Token]) -> Result<(u64, u64), Failure> {
    let (store, bar) = open::held(ui, &open::options().create(true), &args.dir, "import")?;
    if args.on_clash == OnClash::Refuse {
        refuse_clashes(&store, args, lines, tokens)?;
    }
    let report = store.import(tokens, on_clash(args.on_clash))?;
    store.close()?;
    bar.finish();
    Ok((report.imported, report.clashes))
}

/// What [`store_all`] would do. Makes no store.
fn preview(ui: &mut Ui, args: &Import, lines: &[u64], tokens: &[Token]) -> Result<(u64, u64), Failure> {
    let rows = tokens.len() as u64;
    let Some(store) = open::if_there(ui, &args.dir)? else { return Ok((rows, 0)) };
    if args.on_clash == OnClash::Refuse {
        refuse_clashes(&store, args, lines, tokens)?;
    }
    let mut clashes = 0;
    for token in tokens {
        clashes += u64::from(is_taken(&store, token)?);
    }
    store.close()?;
    let kept_out = if args.on_clash == OnClash::Keep { clashes } else { 0 };
    Ok((rows - kept_out, clashes))
}

/// The library would refuse as well, but knows no lines.
fn refuse_clashes(store: &LogStore, args: &Import, lines: &[u64], tokens: &[Token]) -> Result<(), Failure> {
    const NAMED_MAX: u64 = 5;
    let (mut clashes, mut named) = (0, Vec::new());
    for (line, token) in lines.iter().zip(tokens) {
        if let (true, Some(id)) = (is_taken(store, token)?, token.id()) {
            clashes += 1;
            if clashes <= NAMED_MAX {
                named.push(format!("{id:?} (line {line})"));
            }
        }
    }
    if clashes == 0 {
        return Ok(());
    }
    let more = if clashes > NAMED_MAX { format!(", and {} more", clashes - NAMED_MAX) } else { String::new() };
    let message = format!(
        "nothing was imported: {} has tokens with {clashes} of these ids already: {}{more}; --on-clash says what to do",
        args.dir.display(),
        named.join(", ")
    );
    Err(Failure::new(Kind::Clash, message).at(&args.dir))
}

fn is_taken(store: &LogStore, token: &Token) -> Result<bool, Failure> {
    Ok(token.id().map_or(Ok(None), |id| store.view(Key::Id(id), |_| ()))?.is_some())
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
        // Names lines and columns, never content.
        error => bad(error.to_string()),
    })
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
