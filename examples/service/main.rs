//! A token service that embeds the store as an application would, and then doubts it.
//!
//! It imports the tokens of a Zoho `FileStore`, logs users in, hands out access tokens and renews those that have
//! expired, over HTTP and from many threads. Then it kills a process that is saving, and compares what is there with
//! what was acknowledged. It ends with a table of numbers, or with the first promise that was not kept.
//!
//! ```text
//! cargo run --release --example service -- --help
//! ```
//!
//! Left out: TLS, knowing the callers, and a provider on the internet.

mod args;
mod clients;
mod crash;
mod failure;
mod import;
mod latency;
mod oauth;
mod provider;
mod routes;
mod server;
mod service;
mod table;
mod tokens;

use std::env;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tokcask::{LogStore, OpenReport};
use tokio::runtime::Runtime;

use args::{Command, Options};
use failure::{Context, Failure, Result};
use service::{LOOPBACK, Service};
use table::Table;

const CSV: &str = "tests/data/zoho/filestore.py8.1000.csv";
/// How many saves the child may acknowledge before it is killed, and a bit more by chance.
const ACKS_MIN: usize = 200;
/// A second more than a token has to be good to count as fresh, so that a run of some seconds sees tokens expire.
const SHORT: Duration = Duration::from_secs(6);
const HOUR: Duration = Duration::from_secs(3600);

fn main() -> ExitCode {
    let done = match args::parse(env::args_os().skip(1)) {
        Ok(Command::Help) => {
            print!("{}", args::HELP);
            Ok(())
        }
        Ok(Command::Child { dir, run }) => crash::child(&dir, &run),
        Ok(Command::Run(options)) => run(&options),
        Err(message) => {
            eprintln!("service: {message}\n\n{}", args::HELP);
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("service: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<()> {
    let temporary; // Lives, and with it the directory, until the end.
    let dir = if let Some(dir) = &options.dir {
        dir.clone()
    } else {
        temporary = tempfile::tempdir().context("making a temporary directory")?;
        temporary.path().join("tokens")
    };
    let runtime = Runtime::new().context("starting the runtime")?;
    let mut table = Table::default();

    let users = serve_own_clients(options, &dir, &runtime, &mut table)?;
    crash_and_recover(&dir, &users, &mut table)?;
    write!(io::stdout(), "{table}").context("printing the table")?;

    options.listen.map_or(Ok(()), |address| serve_until_ctrl_c(&dir, &runtime, address))
}

/// Imports, and lets clients use the service. Returns the users that came with the import.
fn serve_own_clients(options: &Options, dir: &Path, runtime: &Runtime, table: &mut Table) -> Result<Vec<String>> {
    let csv = Path::new(env!("CARGO_MANIFEST_DIR")).join(CSV);
    let import = import::read(&csv)?;
    let names = import.rows.iter().filter_map(|row| row.token.user_name());
    let users: Vec<_> = names.map(str::to_owned).collect();
    if let Some(skipped) = import.skipped.first() {
        return Err(Failure::new(format!("{}: {skipped}", csv.display())));
    }

    let store = open(dir)?;
    let rows = import.rows.len();
    let imported = import::save_new(&store, import).context("importing")?;
    table.row("imported", format!("{imported} of {rows} rows"));

    let service = Service::start(runtime, Arc::clone(&store), LOOPBACK, SHORT)?;
    let ledger = clients::run(service.address(), &users, options.duration)?;
    service.stop(runtime)?;
    ledger.check(&store)?;

    let activity = store.stats().context("counting")?.activity;
    table.row("requests", ledger.requests);
    table.row("logins", ledger.logins);
    table.row("deletes", ledger.deleted_ids.len());
    table.row("finds", activity.finds);
    table.row("writes", activity.writes);
    table.row("refreshes", activity.refreshes.by_us);
    store.close().context("closing the store")?;
    Ok(users)
}

/// Kills a process that saves, looks whether all is there, compacts, and measures finds.
fn crash_and_recover(dir: &Path, users: &[String], table: &mut Table) -> Result<()> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let run = format!("{:x}", now.as_nanos());
    let acks = ACKS_MIN + usize::try_from(now.subsec_nanos()).unwrap_or_default() % ACKS_MIN;
    let acknowledged = crash::kill_one_that_writes(dir, &run, acks)?;

    let start = Instant::now();
    let store = open(dir)?;
    let recovery_time = start.elapsed();
    let more = crash::check(&store, &run, &acknowledged)?;
    table.row("killed after", format!("{} acknowledged saves", acknowledged.len()));
    table.row("found again", format!("{} of them, and {more} more", acknowledged.len()));
    table.row("recovery time", format!("{recovery_time:.1?}"));
    table.row("recovery", describe(store.open_report()));

    let before = store.stats().context("counting")?.log_bytes;
    store.compact().context("compacting")?;
    crash::check(&store, &run, &acknowledged)?;
    table.row("log bytes before compaction", before);
    table.row("log bytes after compaction", store.stats().context("counting")?.log_bytes);

    let latency = latency::of_finds(&store, users)?;
    table.row("find p50", format!("{:?}", latency.p50));
    table.row("find p99", format!("{:?}", latency.p99));
    store.close().context("closing the store")
}

fn serve_until_ctrl_c(dir: &Path, runtime: &Runtime, address: SocketAddr) -> Result<()> {
    let store = open(dir)?;
    let service = Service::start(runtime, Arc::clone(&store), address, HOUR)?;
    let listening = format!("listening on http://{}, until ctrl-c", service.address());
    writeln!(io::stdout(), "{listening}").context("printing the address")?;
    runtime.block_on(tokio::signal::ctrl_c()).context("waiting for ctrl-c")?;
    service.stop(runtime)?;
    store.close().context("closing the store")
}

fn open(dir: &Path) -> Result<Arc<LogStore>> {
    LogStore::open(dir).map(Arc::new).context("opening the store")
}

fn describe(report: &OpenReport) -> String {
    let OpenReport { frames, operations, recovered, .. } = report;
    match recovered {
        None => format!("read {operations} operations in {frames} frames, nothing was torn"),
        Some(tail) => {
            format!("read {operations} operations in {frames} frames, cut {} bytes: {}", tail.bytes_cut, tail.reason)
        }
    }
}
