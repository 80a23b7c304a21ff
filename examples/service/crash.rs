//! A process that is killed while it saves, and what the store must hold afterwards.
//!
//! The child writes a line to its parent after each save that returned. Every token of such a line must be there, whole;
//! a token that was under way when the child died may be there, but then whole as well.

use std::env;
use std::io::{self, BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::thread;

use tokcask::{Key, LogStore, Token, TokenStore};

use crate::args::CHILD;
use crate::failure::{Context, Failure, Result};

const WRITERS: usize = 4;

/// One save that the child was told is durable.
pub(crate) struct Acknowledged {
    id: String,
    writer: usize,
    number: u64,
}

/// Saves until it is killed, or until nobody reads its lines any more.
pub(crate) fn child(dir: &Path, run: &str) -> Result<()> {
    let store = LogStore::open(dir).context("opening the store in the child")?;
    let write = |writer| -> Result<()> {
        for number in 0_u64.. {
            let saved = store.save_token(&token(run, writer, number)).context("saving in the child")?;
            // One line, one write: a killed process leaves no line behind that it had only buffered.
            let line = format!("{} {writer} {number}\n", saved.id().unwrap_or_default());
            io::stdout().lock().write_all(line.as_bytes()).context("telling the parent")?;
        }
        Ok(())
    };
    thread::scope(|scope| {
        let writers: Vec<_> = (0..WRITERS).map(|writer| scope.spawn(move || write(writer))).collect();
        writers.into_iter().try_for_each(|writer| writer.join().map_err(|_| Failure::new("a writer panicked"))?)
    })
}

/// Starts a child that saves into `dir`, kills it after `acks` lines, and returns all that it wrote until it was dead.
pub(crate) fn kill_one_that_writes(dir: &Path, run: &str, acks: usize) -> Result<Vec<Acknowledged>> {
    let program = env::current_exe().context("finding this program")?;
    let mut child = Command::new(program)
        .args([CHILD.as_ref(), dir.as_os_str(), run.as_ref()])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .context("starting the child")?;
    let Some(stdout) = child.stdout.take() else { return Err(Failure::new("the child has no standard output")) };
    let read = read_and_kill(&mut child, stdout, acks);
    // Whatever went wrong, no child is left behind.
    let status = end(&mut child).context("ending the child")?;
    let acknowledged = read?;
    if acknowledged.len() < acks {
        return Err(Failure::new(format!("the child ended by itself: {status}")));
    }
    Ok(acknowledged)
}

fn read_and_kill(child: &mut Child, stdout: ChildStdout, acks: usize) -> Result<Vec<Acknowledged>> {
    let mut acknowledged = Vec::new();
    let mut lines = BufReader::new(stdout);
    let mut line = String::new();
    loop {
        line.clear();
        lines.read_line(&mut line).context("listening to the child")?;
        // A line without its end was cut by the kill and acknowledges nothing.
        let Some(line) = line.strip_suffix('\n') else { return Ok(acknowledged) };
        acknowledged.push(Acknowledged::parse(line).ok_or_else(|| Failure::new("the child wrote no acknowledgement"))?);
        if acknowledged.len() == acks {
            // SIGKILL: it runs nothing more, in whatever it was.
            child.kill().context("killing the child")?;
        }
    }
}

fn end(child: &mut Child) -> io::Result<ExitStatus> {
    child.kill()?;
    child.wait()
}

impl Acknowledged {
    fn parse(line: &str) -> Option<Self> {
        let mut words = line.split(' ');
        let (id, writer, number) = (words.next()?, words.next()?, words.next()?);
        let writer = writer.parse().ok().filter(|writer| *writer < WRITERS)?;
        Some(Self { id: id.to_owned(), writer, number: number.parse().ok()? })
    }
}

/// What the child saves, so that the parent knows each token by its numbers. Another run writes other secrets.
fn token(run: &str, writer: usize, number: u64) -> Token {
    Token::builder()
        .user_name(format!("crash-{writer}-{number}"))
        .client_id("fake-client")
        .refresh_token(format!("fake-refresh/{run}/{writer}/{number}"))
        .access_token(format!("fake-access/{run}/{writer}/{number}"))
        .expiry_time((1_760_000_000_000 + number).to_string())
        .build()
}

/// Compares the store with what the child was told, returning how many more of its saves are there.
pub(crate) fn check(store: &LogStore, run: &str, acknowledged: &[Acknowledged]) -> Result<usize> {
    let mut under_way = [0; WRITERS];
    for save in acknowledged {
        let found = store.get(Key::Id(&save.id)).context("finding an acknowledged token")?;
        if found != Some(token(run, save.writer, save.number).to_builder().id(&save.id).build()) {
            return Err(Failure::new(format!("the acknowledged token {} is not there as it was saved", save.id)));
        }
        under_way[save.writer] = save.number + 1;
    }
    let mut more = 0;
    for (writer, number) in under_way.into_iter().enumerate() {
        more += usize::from(is_there_whole(store, &token(run, writer, number))?);
    }
    Ok(more)
}

/// Whether a save that nobody heard of was done. Its user may have a row of an earlier run, which then is as it was.
fn is_there_whole(store: &LogStore, saved: &Token) -> Result<bool> {
    let user_name = saved.user_name().unwrap_or_default();
    let found = store.get(Key::UserName(user_name)).context("finding a token that was under way")?;
    let Some(found) = found else { return Ok(false) };
    if saved.to_builder().id(found.id().unwrap_or_default()).build() == found {
        return Ok(true);
    }
    if found.refresh_token() == saved.refresh_token() || found.access_token() == saved.access_token() {
        return Err(Failure::new(format!("the token of {user_name} was saved in part")));
    }
    Ok(false)
}
