//! What the tests with several processes share: a test program that runs itself as its own children, and seeds.
//!
//! A child is told by environment variables what it is to do, and does it in place of the tests. It talks line by line:
//! it hears its standard input, and a line that it says has reached the parent's pipe when `say` returns, so that a
//! kill afterwards cannot take it back. Children end with their parent's handle on them.
#![allow(dead_code, reason = "each test program uses a part")]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use rustix::process::{Pid, Signal};
use tokcask::{EncryptionKey, LogStore, Options, Token, TokenStore};

const ROLE: &str = "TOKCASK_TEST_ROLE";
const PATH: &str = "TOKCASK_TEST_PATH";
const SEED: &str = "TOKCASK_TEST_SEED";

/// What a child was told. The test of this name in each program is where children begin.
pub(crate) struct Orders {
    pub(crate) role: String,
    pub(crate) path: PathBuf,
    pub(crate) random: Random,
}

/// `None` in the parent.
pub(crate) fn orders() -> Option<Orders> {
    let role = std::env::var(ROLE).ok()?;
    let seed = std::env::var(SEED).expect("a child has a seed").parse().expect("a seed is a number");
    Some(Orders { role, path: std::env::var_os(PATH).expect("a child has a path").into(), random: Random::new(seed) })
}

/// Opens the kind of store that has this name: `sealed` is an encrypted one.
pub(crate) fn options(path: &Path) -> Options {
    let key = EncryptionKey::from_bytes(&[0xA7; EncryptionKey::LEN]).expect("memory for a key");
    if path.ends_with("sealed") { Options::encrypted(&key) } else { Options::new() }
}

/// Tells the parent.
pub(crate) fn say(line: impl std::fmt::Display) {
    // One write: the standard output of a child is written line by line.
    writeln!(std::io::stdout(), "> {line}").expect("the parent listens");
}

/// What the parent says next; `None` once it has nothing more to say.
pub(crate) fn hear() -> Option<String> {
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).expect("a pipe");
    line.ends_with('\n').then(|| line.trim_end().to_owned())
}

/// A child process.
pub(crate) struct Process {
    child: Child,
    input: Option<ChildStdin>,
    output: Option<BufReader<ChildStdout>>,
}

impl Process {
    /// Starts this program once more. It begins in its test `a_child_does_as_it_is_told`.
    pub(crate) fn start(role: &str, path: &Path, seed: u64) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["a_child_does_as_it_is_told", "--exact", "--nocapture", "--test-threads=1"])
            .env(ROLE, role)
            .env(PATH, path)
            .env(SEED, seed.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (input, output) = (child.stdin.take(), child.stdout.take().map(BufReader::new));
        Self { child, input, output }
    }

    pub(crate) fn say(&mut self, line: impl std::fmt::Display) {
        writeln!(self.input.as_mut().expect("it has not been told to end"), "{line}").expect("the child listens");
    }

    /// The next line that the child says; `None` if it has ended, perhaps in the middle of a line.
    pub(crate) fn hear(&mut self) -> Option<String> {
        next_line(self.output.as_mut().expect("nobody else listens"))
    }

    /// For somebody else to listen to.
    pub(crate) fn take_output(&mut self) -> BufReader<ChildStdout> {
        self.output.take().expect("it is taken once")
    }

    /// The child hears nothing more.
    pub(crate) fn hang_up(&mut self) {
        self.input = None;
    }

    pub(crate) fn signal(&self, signal: Signal) {
        rustix::process::kill_process(self.pid(), signal).expect("it was not waited for yet");
    }

    /// Kills it, and waits until it is gone, with all its locks.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Whether it is stopped, by what the system says of it.
    pub(crate) fn is_stopped(&self) -> bool {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap();
        stat.rsplit(')').next().unwrap().trim_start().starts_with('T')
    }

    /// What the system calls it.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id().try_into().unwrap()).unwrap()
    }

    /// Waits for its end, which must be a good one.
    pub(crate) fn end(mut self) {
        self.hang_up();
        if let Some(output) = &mut self.output {
            output.read_to_end(&mut Vec::new()).unwrap();
        }
        let status = self.child.wait().unwrap();
        assert!(status.success(), "a child ended with {status}");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The next line that a child says, without what its test harness says.
pub(crate) fn next_line(output: &mut impl BufRead) -> Option<String> {
    loop {
        let mut line = String::new();
        output.read_line(&mut line).expect("a pipe of text");
        if !line.ends_with('\n') {
            return None;
        }
        // The harness says "test name ... " and no new line before it begins.
        if let Some((_, said)) = line.split_once("> ") {
            return Some(said.trim_end().to_owned());
        }
    }
}

/// Random numbers, by the method that is called `SplitMix64`.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut number = self.0;
        number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        number ^ (number >> 31)
    }

    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }
}

/// `TOKCASK_SEED`, or one of the moment.
pub(crate) fn seed() -> u64 {
    let nanos = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().subsec_nanos();
    setting("TOKCASK_SEED", nanos.into())
}

/// A number from the environment.
pub(crate) fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |value| value.parse().unwrap_or_else(|_| panic!("{name} is a number")))
}

pub(crate) fn token(user: &str, access: &str) -> Token {
    Token::builder().user_name(user).access_token(access).build()
}

pub(crate) fn access(row: &Token) -> &str {
    row.access_token().map_or("", |secret| secret.expose_secret())
}

/// The rows' user names by id; no id is there twice.
pub(crate) fn users_by_id(store: &LogStore) -> BTreeMap<String, String> {
    let rows = store.get_tokens().unwrap();
    let users: BTreeMap<_, _> =
        rows.iter().map(|row| (row.id().unwrap().to_owned(), row.user_name().unwrap_or("").to_owned())).collect();
    assert_eq!(users.len(), rows.len(), "an id twice");
    users
}

/// Names of the files of a store.
pub(crate) fn files(path: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(path).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}
