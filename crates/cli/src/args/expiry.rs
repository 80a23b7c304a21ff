//! Which tokens end, and which are to go.

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use clap::ArgGroup;

use crate::time;

#[derive(clap::Args)]
pub(crate) struct Expiring {
    /// The store's directory
    pub(crate) dir: PathBuf,
    /// Only those that end within this time, like 15m, 12h or 30d
    #[arg(long, value_name = "TIME", value_parser = time::duration)]
    pub(crate) within: Option<Duration>,
    /// Only those that end before this instant: a date as in RFC 3339, or milliseconds since 1970
    #[arg(long, value_name = "INSTANT", value_parser = time::instant, conflicts_with = "within")]
    pub(crate) before: Option<SystemTime>,
}

#[derive(clap::Args)]
#[command(group = ArgGroup::new("condition").required(true).multiple(true))]
pub(crate) struct Sweep {
    /// The store's directory
    pub(crate) dir: PathBuf,
    /// Tokens whose access token ended at least this long ago
    #[arg(long, group = "condition", value_name = "TIME", value_parser = time::duration)]
    pub(crate) expired_for: Option<Duration>,
    /// Tokens that were first saved at least this long ago
    #[arg(long, group = "condition", value_name = "TIME", value_parser = time::duration)]
    pub(crate) older_than: Option<Duration>,
    /// Tokens that were last saved at least this long ago
    #[arg(long, group = "condition", value_name = "TIME", value_parser = time::duration)]
    pub(crate) idle_for: Option<Duration>,
    /// Also those with a refresh token, whose users have to log in again then
    #[arg(long)]
    pub(crate) with_refresh_token: bool,
    /// Only say what would happen
    #[arg(long)]
    pub(crate) dry_run: bool,
}
