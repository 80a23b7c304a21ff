//! The example service, run as a user runs it: it keeps its promises, says so, and gives no secret away.
//! Method: `cargo run` in the profile of this test; the example itself compares the store with what was acknowledged.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use tokcask::{Key, LogStore};

const CSV: &str = "tests/data/zoho/filestore.py8.1000.csv";
const ROWS: [&str; 13] = [
    "imported",
    "requests",
    "logins",
    "saves",
    "finds",
    "refreshes",
    "deletes",
    "killed after",
    "found again",
    "recovery time",
    "recovery",
    "log bytes before compaction",
    "log bytes after compaction",
];

fn command<I: AsRef<OsStr>>(args: impl IntoIterator<Item = I>) -> Command {
    let this_test = std::env::current_exe().expect("a test knows its own path");
    // target/PROFILE/deps/service-HASH
    let profile_dir = this_test.parent().and_then(Path::parent).expect("cargo puts tests two folders down");
    let profile = match profile_dir.file_name().and_then(OsStr::to_str) {
        Some("debug") | None => "test",
        Some(profile) => profile,
    };
    let mut command = Command::new(env!("CARGO"));
    command
        .args(["run", "--quiet", "--example", "service", "--profile", profile, "--target-dir"])
        .arg(profile_dir.parent().unwrap_or(profile_dir))
        .arg("--")
        .args(args)
        .current_dir(env!("CARGO_MANIFEST_DIR"));
    command
}

fn service<I: AsRef<OsStr>>(args: impl IntoIterator<Item = I>) -> Output {
    command(args).output().expect("cargo runs the example")
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).expect("the example prints UTF-8")
}

/// What the row with this label says.
fn row<'a>(table: &'a str, label: &str) -> Option<&'a str> {
    table.lines().find_map(|line| line.strip_prefix(label)?.strip_prefix("  ")).map(str::trim)
}

#[test]
fn the_service_keeps_its_promises_twice_in_one_directory() {
    let temporary = tempfile::tempdir().expect("a temporary directory");
    let dir = temporary.path().join("tokens");
    for imported in ["1000 of 1000 rows", "0 of 1000 rows"] {
        let output = service([OsStr::new("--seconds"), OsStr::new("1"), OsStr::new("--dir"), dir.as_os_str()]);
        let (table, errors) = (text(output.stdout), text(output.stderr));
        assert!(output.status.success(), "{errors}");
        assert_eq!(row(&table, "imported"), Some(imported), "{table}");
        for label in ROWS {
            assert!(row(&table, label).is_some(), "{label} is missing in\n{table}");
        }
        for label in ["logins", "saves", "finds", "refreshes", "deletes"] {
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
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_service_that_listens_answers_until_ctrl_c_and_closes_its_store() {
    let temporary = tempfile::tempdir().expect("a temporary directory");
    let dir = temporary.path().join("tokens");
    let args = ["--seconds", "1", "--listen", "127.0.0.1:0", "--dir"].map(OsStr::new);
    let mut command = command(args.into_iter().chain([dir.as_os_str()]));
    let mut service = Running(command.stdout(Stdio::piped()).spawn().expect("cargo runs the example"));
    let lines = BufReader::new(service.0.stdout.take().expect("it is piped")).lines();
    let address = lines.map_while(Result::ok).find_map(|line| {
        let address = line.strip_prefix("listening on ")?.split(',').next()?;
        Some(address.to_owned())
    });
    let address = address.expect("it says where it listens");

    let agent = ureq::Agent::from(ureq::Agent::config_builder().proxy(None).build());
    let json = |mut response: ureq::http::Response<ureq::Body>| -> serde_json::Value {
        response.body_mut().read_json().expect("the service answers in JSON")
    };
    let login = agent.post(format!("{address}/login")).send_json(serde_json::json!({ "user": "ana" }));
    let id = json(login.expect("the login is done"))["id"].clone();
    let token = json(agent.get(format!("{address}/token/ana")).call().expect("ana has a token"));
    assert_eq!((&token["id"], token["user_name"].as_str()), (&id, Some("ana")));
    let unknown = agent.get(format!("{address}/token/nobody")).call();
    assert!(matches!(unknown, Err(ureq::Error::StatusCode(404))));
    let stats = json(agent.get(format!("{address}/stats")).call().expect("the service counts"));
    assert_eq!(stats["saves"].as_u64(), Some(1));

    rustix::process::kill_process(rustix::process::Pid::from_child(&service.0), rustix::process::Signal::INT)
        .expect("the service runs");
    assert!(service.0.wait().expect("it is our child").success());
    let store = LogStore::open(&dir).expect("nobody has it open any more");
    let found = store.get(Key::UserName("ana")).expect("the store can be read").expect("ana has logged in");
    assert_eq!(found.id(), id.as_str());
}

#[test]
fn bad_arguments_are_refused_with_the_help() {
    for args in [["--seconds", "0"], ["--listen", "here"], ["--unknown", "1"]] {
        let output = service(args);
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert!(text(output.stderr).contains("Usage:"), "{args:?}");
    }
}

#[test]
fn a_directory_that_holds_no_store_is_left_alone() {
    let temporary = tempfile::tempdir().expect("a temporary directory");
    let file = temporary.path().join("notes");
    std::fs::write(&file, "no store").expect("a temporary file");
    let output = service([OsStr::new("--dir"), file.as_os_str()]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(output.stderr).starts_with("service: opening the store: "));
    assert_eq!(std::fs::read_to_string(&file).ok().as_deref(), Some("no store"));
}
