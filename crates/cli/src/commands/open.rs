//! Opening a store for a command, and telling what the opening found.

use std::io;
use std::path::Path;

use tokcask::{EncryptionKey, LogStore, OpenReport, Options, ReadMode, RecoveredTail};

use crate::failure::Failure;
use crate::progress::{Bar, Unit};
use crate::ui::{Notice, Ui};

/// The file that errors and notices of a store name.
pub(super) const LOG: &str = "store.log";
const LOCK: &str = "store.lock";

/// How every command reads: a device that fails is an error, where a map would end the process.
pub(super) fn options(ui: &Ui) -> Result<Options, Failure> {
    match &ui.style.key_file {
        None => Ok(plain_options()),
        Some(path) => Ok(as_commands_read(Options::encrypted(EncryptionKey::from_file(path)?))),
    }
}

/// The same for a store that is not encrypted.
pub(super) fn plain_options() -> Options {
    as_commands_read(Options::new())
}

fn as_commands_read(options: Options) -> Options {
    options.create(false).background(false).read_mode(ReadMode::Copy)
}

/// Opens a store that must be there.
pub(super) fn existing(ui: &mut Ui, dir: &Path) -> Result<LogStore, Failure> {
    let options = options(ui)?;
    with(ui, &options, dir)
}

/// Opens a store, or says that there is none, where one can be made.
pub(super) fn if_there(ui: &mut Ui, dir: &Path) -> Result<Option<LogStore>, Failure> {
    let is_missing = |path: &Path| match path.symlink_metadata() {
        Ok(_) => Ok(false),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(true),
        Err(error) => Err(Failure::io("look at", path, &error)),
    };
    if is_missing(dir)? {
        let parent = dir.parent().filter(|parent| *parent != Path::new("")).unwrap_or(Path::new("."));
        parent.metadata().map_err(|error| Failure::io("look at", parent, &error))?;
        return Ok(None);
    }
    if dir.is_dir() && is_missing(&dir.join(LOG))? && is_missing(&dir.join(LOCK))? {
        return Ok(None);
    }
    existing(ui, dir).map(Some)
}

/// Opens a store as these options say, and passes on what was found.
pub(super) fn with(ui: &mut Ui, options: &Options, dir: &Path) -> Result<LogStore, Failure> {
    held(ui, options, dir, "open").map(|(store, _)| store)
}

/// The same for long work, with a bar that shows the opening and then the work.
pub(super) fn held(ui: &mut Ui, options: &Options, dir: &Path, work: &'static str) -> Result<(LogStore, Bar), Failure> {
    let bar = ui.bar(work, Unit::Bytes);
    let store = options.clone().on_progress(bar.hook()).open(dir)?;
    bar.aside(|| tell(ui, dir, store.open_report()))?;
    Ok((store, bar))
}

/// Says that a torn tail was cut.
pub(super) fn tell_recovered(ui: &mut Ui, dir: &Path, tail: &RecoveredTail) -> Result<(), Failure> {
    let log = dir.join(LOG);
    let kept = match &tail.quarantine {
        Some(path) => format!("kept in {}", path.display()),
        None => "not kept".into(),
    };
    let message = format!(
        "{}: a torn tail of {} bytes at offset {} was cut ({}), {kept}",
        log.display(),
        tail.bytes_cut,
        tail.offset,
        tail.reason
    );
    ui.notice(&Notice::new("recovered_tail", message, &log).at(Some(tail.offset)))
}

fn tell(ui: &mut Ui, dir: &Path, report: &OpenReport) -> Result<(), Failure> {
    let log = dir.join(LOG);
    if let Some(tail) = &report.recovered {
        tell_recovered(ui, dir, tail)?;
    }
    let facts = [
        (report.header_copy_damaged, "header_copy_damaged", "one copy of the file header is damaged; compact mends it"),
        (report.moved_after_failed_sync, "moved_after_failed_sync", "an earlier sync had failed: moved to a new file"),
        (report.full, "full", "there is no room for puts; deletes work"),
    ];
    for (_, notice, message) in facts.into_iter().filter(|(is_so, ..)| *is_so) {
        let message = format!("{}: {message}", log.display());
        ui.notice(&Notice::new(notice, message, &log))?;
    }
    Ok(())
}
