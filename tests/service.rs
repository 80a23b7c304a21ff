//! The example service, run as a user runs it: it keeps its promises, says so, and gives no secret away.
//! Method: `cargo run` in the profile of this test; the example itself compares the store with what was acknowledged.

mod run_example;

use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::Barrier;
use std::thread;

use run_example::{command, run, text};
use serde_json::{Value, json};
use tokcask::{Key, LogStore, Token, TokenStore};
use ureq::Agent;

const CSV: &str = "tests/data/zoho/filestore.py8.1000.csv";
const ROWS: [&str; 13] = [
    "imported",
    "requests",
    "logins",
    "deletes",
    "finds",
    "writes",
    "refreshes",
    "killed after",
    "found again",
    "recovery time",
    "recovery",
    "log bytes before compaction",
    "log bytes after compaction",
];

/// What the row with this label says.
fn row<'a>(table: &'a str, label: &str) -> Option<&'a str> {
    table.lines().find_map(|line| line.strip_prefix(label)?.strip_prefix("  ")).map(str::trim)
}

#[test]
fn the_service_keeps_its_promises_twice_in_one_directory() {
    let temporary = tempfile::tempdir().expect("a temporary directory");
    let dir = temporary.path().join("tokens");
    for imported in ["1000 of 1000 rows", "0 of 1000 rows"] {
        let output = run("service", [OsStr::new("--seconds"), OsStr::new("1"), OsStr::new("--dir"), dir.as_os_str()]);
        let (table, errors) = (text(output.stdout), text(output.stderr));
        assert!(output.status.success(), "{errors}");
        assert_eq!(row(&table, "imported"), Some(imported), "{table}");
        for label in ROWS {
            assert!(row(&table, label).is_some(), "{label} is missing in\n{table}");
        }
        for label in ["logins", "deletes", "finds", "writes", "refreshes"] {
            assert!(row(&table, label).is_some_and(|count| count != "0"), "no {label} in\n{table}");
        }
        assert_no_secret(&table);
        assert_no_secret(&errors);
    }
}

fn assert_no_secret(printed: &str) {
    let csv = std::fs::File::open(Path::new(env!("CARGO_MANIFEST_DIR")).join(CSV)).expect("the sample is there");
    let import = tokcask_zoho::read_csv(csv).expect("the sample is whole");
    assert!(!import.rows.is_empty());
    for row in &import.rows {
        let token = &row.token;
        let secrets = [token.client_secret(), token.refresh_token(), token.access_token(), token.grant_token()];
        let shown = secrets.into_iter().flatten().any(|secret| printed.contains(secret.expose_secret()));
        assert!(!shown, "a secret of line {} is shown", row.line);
    }
    assert!(!printed.contains("fake-"), "a secret that the example made is shown");
}

/// A running example; ends with the test, whatever comes of it.
struct Running {
    service: Child,
    address: String,
    agent: Agent,
}

impl Running {
    /// Starts the service on a free port, and waits until it listens there.
    fn start(dir: &Path) -> Self {
        let args = ["--seconds", "1", "--listen", "127.0.0.1:0", "--dir"].map(OsStr::new);
        let mut command = command("service", args.into_iter().chain([dir.as_os_str()]));
        let mut service = command.stdout(Stdio::piped()).spawn().expect("cargo runs the example");
        let lines = BufReader::new(service.stdout.take().expect("it is piped")).lines();
        let address = lines.map_while(Result::ok).find_map(|line| {
            let address = line.strip_prefix("listening on ")?.split(',').next()?;
            Some(address.to_owned())
        });
        let agent = Agent::from(Agent::config_builder().proxy(None).build());
        Self { service, address: address.expect("it says where it listens"), agent }
    }

    fn get(&self, path: &str) -> Result<Value, ureq::Error> {
        self.agent.get(format!("{}/{path}", self.address)).call()?.body_mut().read_json()
    }

    fn post(&self, path: &str, body: &Value) -> Result<Value, ureq::Error> {
        self.agent.post(format!("{}/{path}", self.address)).send_json(body)?.body_mut().read_json()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.service.kill();
        let _ = self.service.wait();
    }
}

#[test]
fn a_service_that_listens_answers_until_ctrl_c_and_closes_its_store() {
    let temporary = tempfile::tempdir().expect("a temporary directory");
    let dir = temporary.path().join("tokens");
    let mut running = Running::start(&dir);
    let id = running.post("login", &json!({ "user": "ana" })).expect("the login is done")["id"].clone();
    let token = running.get("token/ana").expect("ana has a token");
    assert_eq!((&token["id"], token["user_name"].as_str()), (&id, Some("ana")));
    assert!(matches!(running.get("token/nobody"), Err(ureq::Error::StatusCode(404))));
    let stats = running.get("stats").expect("the service counts");
    assert_eq!(stats["writes"].as_u64(), Some(1));

    let pid = rustix::process::Pid::from_child(&running.service);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).expect("the service runs");
    assert!(running.service.wait().expect("it is our child").success());
    let store = LogStore::open(&dir).expect("nobody has it open any more");
    let found = store.get(Key::UserName("ana")).expect("the store can be read").expect("ana has logged in");
    assert_eq!(found.id(), id.as_str());
}

#[test]
fn requests_that_want_one_expired_token_at_once_make_one_call_of_the_provider() {
    const REQUESTS: usize = 16;
    let temporary = tempfile::tempdir().expect("a temporary directory");
    let dir = temporary.path().join("tokens");
    let store = LogStore::open(&dir).expect("a new store");
    // An id that none of the rows has which the service imports.
    let expired = Token::builder().id("9001").user_name("ana").access_token("fake-old").expiry_time("1760000000000");
    store.save_token(&expired.refresh_token("fake-refresh").build()).expect("a new row");
    store.close().expect("nothing is under way");

    let running = Running::start(&dir);
    let barrier = Barrier::new(REQUESTS);
    let want = || {
        barrier.wait();
        running.get("token/ana").expect("every request is answered")["access_token"].clone()
    };
    let access_tokens: Vec<Value> = thread::scope(|scope| {
        let threads: Vec<_> = (0..REQUESTS).map(|_| scope.spawn(want)).collect();
        threads.into_iter().map(|thread| thread.join().expect("no request fails")).collect()
    });
    // Were there a second call with the same refresh token, this provider would also have ended the login.
    assert!(access_tokens.iter().all(|token| *token == access_tokens[0] && *token != "fake-old"));
    let stats = running.get("stats").expect("the service counts");
    assert_eq!((stats["provider_calls"].as_u64(), stats["refreshes"].as_u64()), (Some(1), Some(1)));
}

#[test]
fn bad_arguments_are_refused_with_the_help() {
    for args in [["--seconds", "0"], ["--listen", "here"], ["--unknown", "1"]] {
        let output = run("service", args);
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert!(text(output.stderr).contains("Usage:"), "{args:?}");
    }
}

#[test]
fn a_directory_that_holds_no_store_is_left_alone() {
    let temporary = tempfile::tempdir().expect("a temporary directory");
    let file = temporary.path().join("notes");
    std::fs::write(&file, "no store").expect("a temporary file");
    let output = run("service", [OsStr::new("--dir"), file.as_os_str()]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(output.stderr).starts_with("service: opening the store: "));
    assert_eq!(std::fs::read_to_string(&file).ok().as_deref(), Some("no store"));
}
