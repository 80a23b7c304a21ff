//! `key new`, `rekey`, `encrypt`, `decrypt`: keys, and stores that get another one, or their first, or none.

use std::fs::File;
use std::io::Write;
use std::path::Path;

use serde::Serialize;
use tokcask::{EncryptionKey, ErrorKind};
use zeroize::Zeroizing;

use super::backup::dest_failure;
use super::open;
use crate::args::{Copied, Encrypt, NewKey, Rekey};
use crate::failure::{Failure, Kind};
use crate::ui::{Ui, text_of};
use crate::unfinished::Unfinished;

#[derive(Serialize)]
struct MadeKey {
    key_file: String,
    key_id: String,
}

/// A file with a new key, which must not be there yet.
pub(super) fn new(ui: &mut Ui, args: &NewKey) -> Result<(), Failure> {
    let path = &args.file;
    let mut bytes = Zeroizing::new([0; EncryptionKey::LEN]);
    let no_random = |error: getrandom::Error| Failure::new(Kind::Io, format!("read randomness: {error}"));
    getrandom::fill(bytes.as_mut_slice()).map_err(no_random)?;
    let folder = path.parent().filter(|folder| *folder != Path::new("")).unwrap_or(Path::new("."));
    let file = Unfinished::new(folder).map_err(|error| Failure::io("make a file in", folder, &error))?;
    let written = file.as_file().write_all(bytes.as_slice()).and_then(|()| file.as_file().sync_all());
    written.map_err(|error| Failure::io("write", path, &error))?;
    // Never in the place of another key: whatever that opens would be lost.
    file.give_name(path, false).map_err(|error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => Failure::new(Kind::Exists, format!("{} exists", path.display())).at(path),
        _ => Failure::io("make", path, &error),
    })?;
    // A key that a power loss takes takes everything along that it encrypts.
    let synced = File::open(folder).and_then(|folder| folder.sync_all());
    synced.map_err(|error| Failure::io("sync", folder, &error))?;
    let key_id = EncryptionKey::from_file(path)?.id().to_string();
    if ui.style.json {
        return ui.json(&MadeKey { key_file: text_of(path), key_id });
    }
    ui.text(&format!("key {key_id} in {}: without it nobody reads what it encrypts; keep a copy", path.display()))
}

#[derive(Serialize)]
struct Rekeyed {
    key_id: String,
    generation: u64,
}

/// Another key for an encrypted store.
pub(super) fn rekey(ui: &mut Ui, args: &Rekey) -> Result<(), Failure> {
    let key = EncryptionKey::from_file(&args.new_key_file)?;
    let options = open::options(ui)?;
    let (store, bar) = open::held(ui, &options, &args.dir, "rekey")?;
    let report = store.rekey(&key).map_err(|error| match error.kind() {
        ErrorKind::OutcomeUnknown => {
            let failure = Failure::from(error);
            let message =
                format!("{}; it may have either key now: keep both, and see which one opens it", failure.message);
            Failure { message, ..failure }
        }
        _ => Failure::from(error),
    })?;
    store.close()?;
    bar.finish();
    let key_id = key.id().to_string();
    if ui.style.json {
        return ui.json(&Rekeyed { key_id, generation: report.generation });
    }
    ui.text(&format!("{} has the key {key_id} now; what was copied before opens with the old one", args.dir.display()))
}

#[derive(Serialize)]
struct Made {
    store: String,
    tokens: u64,
    encrypted: bool,
}

/// A plain store as an encrypted one, elsewhere.
pub(super) fn encrypt(ui: &mut Ui, args: &Encrypt) -> Result<(), Failure> {
    let key = match (&args.new_key_file, &ui.style.key_file) {
        (Some(path), _) | (None, Some(path)) => EncryptionKey::from_file(path)?,
        (None, None) => {
            return Err(Failure::new(Kind::Key, "a key is missing: `tokcask key new` makes one, --key-file names it"));
        }
    };
    // The key on the command line is that of what is to be made, unless both are encrypted.
    let options = if args.new_key_file.is_some() { open::options(ui)? } else { open::plain_options() };
    let copied = Copied { dir: args.dir.clone(), dest: args.dest.clone() };
    copy(ui, &options, &copied, |store| store.copy_encrypted(&args.dest, &key), true)
}

/// An encrypted store as a plain one, elsewhere.
pub(super) fn decrypt(ui: &mut Ui, args: &Copied) -> Result<(), Failure> {
    let options = open::options(ui)?;
    copy(ui, &options, args, |store| store.copy_decrypted(&args.dest), false)
}

fn copy(
    ui: &mut Ui,
    options: &tokcask::Options,
    args: &Copied,
    copy: impl FnOnce(&tokcask::LogStore) -> tokcask::Result<()>,
    encrypted: bool,
) -> Result<(), Failure> {
    let (store, bar) = open::held(ui, options, &args.dir, "copy")?;
    copy(&store).map_err(|error| dest_failure(error, args))?;
    let tokens = store.stats()?.tokens;
    store.close()?;
    bar.finish();
    if ui.style.json {
        return ui.json(&Made { store: text_of(&args.dest), tokens, encrypted });
    }
    let how = if encrypted { "encrypted" } else { "plain" };
    let (from, to) = (args.dir.display(), args.dest.display());
    ui.text(&format!("{tokens} tokens in {to}, {how}; {from} is as it was"))
}
