//! The command line: every command, its arguments, its help with an example.

mod expiry;
mod formats;

use std::path::{Path, PathBuf};

use clap::{ArgGroup, Parser, Subcommand};
use clap_complete::Shell;

pub(crate) use expiry::{Expiring, Sweep};
pub(crate) use formats::{ExportFormat, ImportFormat, OnClash};

/// Look into, check, back up, move and mend a store of OAuth tokens.
#[derive(Parser)]
#[command(name = "tokcask", version, subcommand_required = true)]
#[command(after_help = "Exit codes: 0 done, 1 not found, 2 wrong usage, 3 damaged store or bad input, \
                        4 missing, locked or I/O, 5 key missing or wrong.\n\n\
                        Example: tokcask list tokens")]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) style: Style,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// How a run speaks.
#[derive(clap::Args, Clone)]
pub(crate) struct Style {
    /// The key of an encrypted store: a file of 32 bytes that only its owner can read
    #[arg(long, global = true, value_name = "PATH", display_order = 100)]
    pub(crate) key_file: Option<PathBuf>,
    /// Print JSON lines, errors too
    #[arg(long, global = true, display_order = 100)]
    pub(crate) json: bool,
    /// Print secrets in full
    #[arg(long, global = true, display_order = 100)]
    pub(crate) reveal: bool,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Make an empty store
    #[command(after_help = "Example: tokcask create tokens")]
    Create(Store),
    /// List all tokens, oldest first
    #[command(after_help = "Example: tokcask list tokens")]
    List(Store),
    /// Print the oldest token with one key
    #[command(after_help = "A value of - is read from standard input: arguments can be seen by other users.\n\n\
                            Example: tokcask get tokens --user-name ana@example.test:60001")]
    Get(Get),
    /// Print the token that a partial one on standard input means
    #[command(after_help = "The user name decides, if there is one; else the access token, if client id and secret \
                            are missing;\nelse the grant or refresh token; else the id.\n\n\
                            Example: echo '{\"user_name\":\"ana\"}' | tokcask find tokens")]
    Find(Store),
    /// Save tokens, one JSON object a line on standard input
    #[command(
        after_help = "A value replaces, null keeps, \"\" clears. created_at, updated_at and revision are ignored.\n\n\
                            Example: echo '{\"user_name\":\"ana\",\"refresh_token\":\"1000.ab.cd\"}' | tokcask save tokens"
    )]
    Save(Store),
    /// Delete one token
    #[command(after_help = "Example: tokcask delete tokens 17")]
    Delete(Delete),
    /// List the tokens with an expiry, the soonest first
    #[command(
        after_help = "Those that have expired come first. Tokens without an expiry that can be read are left out.\n\n\
                            Example: tokcask expiring tokens --within 1h"
    )]
    Expiring(Expiring),
    /// Delete the tokens that are expired, too old or unused
    #[command(
        after_help = "Any of the conditions that are given is enough. TIME reads like 90s, 15m, 12h or 30d. Tokens \
                            with a refresh token\nare spared without --with-refresh-token, and so is what somebody \
                            saves meanwhile.\n\n\
                            Example: tokcask sweep tokens --expired-for 30d --dry-run"
    )]
    Sweep(Sweep),
    /// Delete all tokens
    #[command(after_help = "Example: tokcask clear tokens --yes")]
    Clear(Clear),
    /// Take over the tokens of another store: all that its file holds whole or, if anything fails, none
    #[command(
        after_help = "Makes the store if it is missing. FILE may be - for standard input, but for zoho-sqlite.\n\n\
                            Example: tokcask import tokens --from zoho-csv sdk_tokens.txt --dry-run"
    )]
    Import(Import),
    /// Write all tokens, secrets included, to a file or standard output
    #[command(after_help = "The file is readable by its owner only. Standard output needs --reveal.\n\n\
                            Example: tokcask export tokens --to zoho-csv sdk_tokens.txt")]
    Export(Export),
    /// Print numbers about a store, and where its log is live
    #[command(after_help = "Example: tokcask stat tokens")]
    Stat(Store),
    /// Read a store through and list all damage; writes nothing
    #[command(after_help = "Example: tokcask verify tokens --json")]
    Verify(Store),
    /// Print every frame of the log; writes nothing
    #[command(after_help = "Example: tokcask dump tokens | less")]
    Dump(Store),
    /// Rewrite the log without what was replaced or deleted
    #[command(after_help = "Example: tokcask compact tokens")]
    Compact(Store),
    /// Compact, and wait until every process has let go of the old file
    #[command(
        after_help = "What was replaced or deleted is then in no file of the store. Flash memory, snapshots and \
                            backups keep old blocks:\nthere only encryption helps, and a new key.\n\n\
                            Example: tokcask purge tokens"
    )]
    Purge(Store),
    /// Make a key for encrypted stores
    #[command(subcommand, after_help = "Example: tokcask key new tokens.key")]
    Key(Key),
    /// Give an encrypted store another key
    #[command(after_help = "Processes that have the store open need the new key from then on.\n\n\
                            Example: tokcask rekey tokens --key-file old.key --new-key-file new.key")]
    Rekey(Rekey),
    /// Write the tokens of a store to a new, encrypted one; leaves the old one alone
    #[command(after_help = "The key is --key-file's; of two stores that are both encrypted, --new-key-file's.\n\n\
                            Example: tokcask encrypt tokens tokens.encrypted --key-file tokens.key")]
    Encrypt(Encrypt),
    /// Write the tokens of an encrypted store to a new, plain one; leaves the encrypted one alone
    #[command(after_help = "Example: tokcask decrypt tokens.encrypted tokens --key-file tokens.key")]
    Decrypt(Copied),
    /// Write a complete copy of a store to a new or empty directory
    #[command(after_help = "Example: tokcask backup tokens /mnt/backup/tokens")]
    Backup(Copied),
    /// Write what can be read of a damaged store to a new one; leaves the damaged one alone
    #[command(after_help = "Example: tokcask salvage tokens tokens.salvaged")]
    Salvage(Copied),
    /// Accept a log that was put back from elsewhere as the newest
    #[command(after_help = "Example: tokcask adopt tokens")]
    Adopt(Store),
    /// Print completions for a shell
    #[command(after_help = "Example: tokcask completions bash > /etc/bash_completion.d/tokcask")]
    Completions(Completions),
}

#[derive(clap::Args)]
pub(crate) struct Store {
    /// The store's directory
    pub(crate) dir: PathBuf,
}

#[derive(clap::Args)]
#[command(group = ArgGroup::new("key").required(true))]
#[command(override_usage = "tokcask get [OPTIONS] <DIR> \
    <--id|--user-name|--access-token|--refresh-token|--grant-token> <VALUE>")]
pub(crate) struct Get {
    /// The store's directory
    pub(crate) dir: PathBuf,
    /// The token's id
    #[arg(long, group = "key")]
    pub(crate) id: Option<String>,
    /// Whose token
    #[arg(long, group = "key", value_name = "NAME")]
    pub(crate) user_name: Option<String>,
    /// The access token
    #[arg(long, group = "key", value_name = "TOKEN")]
    pub(crate) access_token: Option<String>,
    /// The refresh token
    #[arg(long, group = "key", value_name = "TOKEN")]
    pub(crate) refresh_token: Option<String>,
    /// The grant token
    #[arg(long, group = "key", value_name = "TOKEN")]
    pub(crate) grant_token: Option<String>,
}

#[derive(clap::Args)]
pub(crate) struct Delete {
    /// The store's directory
    pub(crate) dir: PathBuf,
    /// The token's id
    pub(crate) id: String,
}

#[derive(clap::Args)]
pub(crate) struct Clear {
    /// The store's directory
    pub(crate) dir: PathBuf,
    /// Yes, all of them
    #[arg(long)]
    pub(crate) yes: bool,
}

#[derive(clap::Args)]
pub(crate) struct Import {
    /// The store's directory
    pub(crate) dir: PathBuf,
    /// The file to read
    pub(crate) file: PathBuf,
    /// What the file is
    #[arg(long, value_name = "FORMAT")]
    pub(crate) from: ImportFormat,
    /// What to do if the store has a token with the same id
    #[arg(long, value_name = "WHAT", default_value = "refuse")]
    pub(crate) on_clash: OnClash,
    /// Only say what would happen
    #[arg(long)]
    pub(crate) dry_run: bool,
}

#[derive(clap::Args)]
pub(crate) struct Export {
    /// The store's directory
    pub(crate) dir: PathBuf,
    /// The file to write; standard output if missing or -
    pub(crate) file: Option<PathBuf>,
    /// What to write
    #[arg(long, value_name = "FORMAT")]
    pub(crate) to: ExportFormat,
    /// Replace the file if it exists
    #[arg(long)]
    pub(crate) force: bool,
}

#[derive(clap::Args)]
pub(crate) struct Copied {
    /// The store's directory
    pub(crate) dir: PathBuf,
    /// The directory to write to: a new or an empty one
    pub(crate) dest: PathBuf,
}

#[derive(Subcommand)]
pub(crate) enum Key {
    /// Write a new key to a file, for its owner alone
    #[command(after_help = "Example: tokcask key new tokens.key")]
    New(NewKey),
}

#[derive(clap::Args)]
pub(crate) struct NewKey {
    /// The file to make, which must not be there
    pub(crate) file: PathBuf,
}

#[derive(clap::Args)]
pub(crate) struct Rekey {
    /// The store's directory
    pub(crate) dir: PathBuf,
    /// The key that it is to have
    #[arg(long, value_name = "PATH")]
    pub(crate) new_key_file: PathBuf,
}

#[derive(clap::Args)]
pub(crate) struct Encrypt {
    /// The store's directory
    pub(crate) dir: PathBuf,
    /// The directory to write to: a new or an empty one
    pub(crate) dest: PathBuf,
    /// The key of the new store, if the old one is encrypted, too
    #[arg(long, value_name = "PATH")]
    pub(crate) new_key_file: Option<PathBuf>,
}

#[derive(clap::Args)]
pub(crate) struct Completions {
    /// Which shell
    pub(crate) shell: Shell,
}

impl Export {
    /// The file that was named, if it is not standard output.
    pub(crate) fn to_file(&self) -> Option<&Path> {
        self.file.as_deref().filter(|file| *file != Path::new("-"))
    }
}

impl Command {
    /// What is read and never made: the store's directory, or the file of an import.
    pub(crate) fn source(&self) -> Option<&Path> {
        match self {
            Self::Create(_) | Self::Completions(_) | Self::Key(_) => None,
            Self::Import(import) => Some(&import.file),
            Self::Get(get) => Some(&get.dir),
            Self::Delete(delete) => Some(&delete.dir),
            Self::Expiring(expiring) => Some(&expiring.dir),
            Self::Sweep(sweep) => Some(&sweep.dir),
            Self::Clear(clear) => Some(&clear.dir),
            Self::Export(export) => Some(&export.dir),
            Self::Backup(copied) | Self::Salvage(copied) | Self::Decrypt(copied) => Some(&copied.dir),
            Self::Encrypt(encrypt) => Some(&encrypt.dir),
            Self::Rekey(rekey) => Some(&rekey.dir),
            Self::List(store)
            | Self::Find(store)
            | Self::Save(store)
            | Self::Stat(store)
            | Self::Verify(store)
            | Self::Dump(store)
            | Self::Compact(store)
            | Self::Purge(store)
            | Self::Adopt(store) => Some(&store.dir),
        }
    }

    /// Whether this is what a failure of others would advise.
    pub(crate) fn is_a_cure(&self) -> bool {
        matches!(self, Self::Salvage(_) | Self::Adopt(_))
    }

    /// Whether nothing of a store changes, so that nobody is misled if not all of the output was read.
    pub(crate) fn only_reads(&self) -> bool {
        match self {
            Self::List(_) | Self::Get(_) | Self::Find(_) | Self::Stat(_) | Self::Verify(_) | Self::Dump(_) => true,
            Self::Export(export) => export.to_file().is_none(),
            Self::Sweep(sweep) => sweep.dry_run,
            command => matches!(command, Self::Expiring(_) | Self::Completions(_)),
        }
    }
}
