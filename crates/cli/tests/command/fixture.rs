//! Stores to look at, with secrets that are known.

use std::fs;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use tempfile::TempDir;
use tokcask::{LogStore, Token, TokenStore};

use crate::run::{Ran, feed, run};

/// Every secret of [`Fixture::filled`]: of all lengths, with and without a prefix, of all columns.
pub(crate) const SECRETS: [&str; 10] = [
    "1000.fakefakefakefakefakefake.accessofana",
    "1000.fakefakefakefakefakefake.refreshofana",
    "1000.fakefakefakefakefakefake.grantofana",
    "fakeclientsecretofana",
    "fakevalueofscope",
    "fake-b",
    "fake-refresh-of-bob",
    "1000.fake-short",
    "fakegränt日本of🔑carol",
    "fakesecretwith\"quote",
];

/// A folder for one test, and a store in it.
pub(crate) struct Fixture {
    folder: TempDir,
}

impl Fixture {
    /// An empty folder.
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    /// With an empty store.
    pub(crate) fn empty() -> Self {
        let fixture = Self::new();
        run(&["create", &fixture.store()]).ok();
        fixture
    }

    /// With three tokens, one of which has everything.
    pub(crate) fn filled() -> Self {
        let fixture = Self::empty();
        let store = LogStore::open(fixture.store()).unwrap();
        for token in tokens() {
            store.save_token(&token).unwrap();
        }
        store.close().unwrap();
        fixture
    }

    /// The store's directory.
    pub(crate) fn store(&self) -> String {
        self.at("tokens")
    }

    /// Something else in the folder.
    pub(crate) fn at(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }

    /// A file in the folder.
    pub(crate) fn file(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        let path = self.at(name);
        fs::write(&path, content).unwrap();
        path
    }

    pub(crate) fn log(&self) -> PathBuf {
        Path::new(&self.store()).join("store.log")
    }

    /// Turns one bit of the log around.
    pub(crate) fn flip(&self, offset: usize) {
        let mut bytes = fs::read(self.log()).unwrap();
        bytes[offset] ^= 1;
        fs::write(self.log(), bytes).unwrap();
    }

    /// Runs a command on the store, with `--json`.
    pub(crate) fn json(&self, command: &str, args: &[&str]) -> Ran {
        self.feed_json(command, args, "")
    }

    pub(crate) fn feed_json(&self, command: &str, args: &[&str], input: &str) -> Ran {
        feed(&[&["--json", command, &self.store()], args].concat(), input)
    }

    /// Runs a command on the store, as people do.
    pub(crate) fn text(&self, command: &str, args: &[&str]) -> Ran {
        run(&[&[command, &self.store()], args].concat())
    }

    /// Everything below the folder, with content and mode.
    pub(crate) fn snapshot(&self) -> Vec<(PathBuf, u32, Vec<u8>)> {
        let mut all = Vec::new();
        collect(self.folder.path(), &mut all);
        all.sort();
        all
    }
}

fn collect(path: &Path, all: &mut Vec<(PathBuf, u32, Vec<u8>)>) {
    let mode = path.symlink_metadata().unwrap().permissions().mode();
    if path.is_dir() {
        all.push((path.into(), mode, Vec::new()));
        for entry in fs::read_dir(path).unwrap() {
            collect(&entry.unwrap().path(), all);
        }
    } else {
        all.push((path.into(), mode, fs::read(path).unwrap()));
    }
}

pub(crate) fn tokens() -> [Token; 3] {
    let ana = Token::builder().user_name("ana").client_id("client of ana").client_secret(SECRETS[3]);
    let ana = ana.refresh_token(SECRETS[1]).access_token(SECRETS[0]).grant_token(SECRETS[2]);
    let ana = ana.expiry_time("1600000000000").redirect_url("https://ana.test/").api_domain("https://api.test");
    let bob = Token::builder().user_name("bob, \"the builder\"").access_token(SECRETS[5]).refresh_token(SECRETS[6]);
    let carol = Token::builder().user_name("Zoë 日本").access_token(SECRETS[7]).grant_token(SECRETS[8]);
    let carol = carol.client_secret(SECRETS[9]).expiry_time("soon");
    [ana.extra("scope", SECRETS[4]).build(), bob.build(), carol.build()]
}

/// A directory whose log has this as both copies of its file header.
pub(crate) fn store_with_header(dir: &str, copy: &[u8]) {
    fs::create_dir(dir).unwrap();
    fs::set_permissions(dir, fs::Permissions::from_mode(0o700)).unwrap();
    let path = Path::new(dir).join("store.log");
    let mut log = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).unwrap();
    std::io::Write::write_all(&mut log, &[copy, copy].concat()).unwrap();
}
