//! Encrypted stores by the command: every command with the key, none without it, and no secret in any file.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use crate::fixture::{Fixture, SECRETS};
use crate::run::{PROGRAM, feed, names, run};

/// A filled store, the same encrypted, and two keys.
struct Encrypted {
    fixture: Fixture,
    dir: String,
    keys: [String; 2],
}

impl Encrypted {
    fn new() -> Self {
        let fixture = Fixture::filled();
        let (dir, keys) = (fixture.at("encrypted"), ["key", "other"].map(|name| fixture.at(name)));
        for key in &keys {
            let made = run(&["--json", "key", "new", key]).ok().one();
            assert_eq!(names(&made), ["key_file", "key_id"]);
            assert_eq!(made["key_id"].as_str().unwrap().len(), 32);
        }
        let made = run(&["--json", "encrypt", &fixture.store(), &dir, "--key-file", &keys[0]]).ok().one();
        assert_eq!((made["tokens"].as_u64(), made["encrypted"].as_bool()), (Some(3), Some(true)));
        Self { fixture, dir, keys }
    }
}

fn list(dir: &str, more: &[&str]) -> String {
    run(&[&["--json", "--reveal", "list", dir], more].concat()).ok().out
}

#[test]
fn a_key_is_made_for_its_owner_alone_and_never_over_another() {
    let fixture = Fixture::new();
    let path = fixture.at("key");
    run(&["key", "new", &path]).ok();
    let key = fs::read(&path).unwrap();
    assert_eq!((key.len(), Path::new(&path).metadata().unwrap().permissions().mode() & 0o777), (32, 0o600));
    let error = run(&["--json", "key", "new", &path]).code(4).error();
    assert_eq!(error["error"], "exists");
    assert_eq!(fs::read(&path).unwrap(), key);
}

#[test]
fn with_its_key_every_command_does_what_it_does_on_a_plain_store() {
    let encrypted = Encrypted::new();
    let Encrypted { fixture, dir, keys: [key, _] } = &encrypted;
    let with_key = ["--key-file", key.as_str()];
    assert_eq!(list(dir, &with_key), list(&fixture.store(), &[]));
    let on = |command: &str, args: &[&str]| run(&[&["--json", command, dir], args, &with_key].concat()).ok();
    for command in ["stat", "verify", "dump", "compact", "purge", "adopt", "expiring"] {
        on(command, &[]);
    }
    on("get", &["--user-name", "ana"]);
    let saved = feed(&["save", dir, "--key-file", key], "{\"user_name\":\"dan\",\"access_token\":\"fake-dan\"}\n");
    saved.ok();
    on("delete", &["2"]);
    let export = fixture.at("export");
    on("export", &["--to", "json", &export]);
    on("import", &["--from", "json", &export, "--on-clash", "keep"]);
    on("sweep", &["--expired-for", "1d", "--dry-run"]);
    for command in ["backup", "salvage"] {
        let copy = fixture.at(command);
        on(command, &[&copy]);
        assert_eq!(list(&copy, &with_key), list(dir, &with_key));
    }
    let fresh = fixture.at("fresh");
    run(&["create", &fresh, "--key-file", key]).ok();
    run(&["list", &fresh]).code(5);
    let plain = fixture.at("plain");
    on("decrypt", &[&plain]);
    assert_eq!(list(&plain, &[]), list(dir, &with_key));
    on("clear", &["--yes"]);
}

#[test]
fn without_the_key_a_dump_does_not_say_which_rows_are_live() {
    let encrypted = Encrypted::new();
    let Encrypted { dir, keys: [key, _], .. } = &encrypted;
    let puts = |args: &[&str]| {
        let frames = run(&[&["--json", "dump", dir], args].concat()).ok().json();
        let operations = frames.iter().flat_map(|frame| frame["operations"].as_array().cloned().unwrap_or_default());
        operations.filter(|operation| operation["kind"] == "put").map(|put| put["live"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(puts(&["--key-file", key]), [true; 3]);
    assert_eq!(puts(&[]), [const { serde_json::Value::Null }; 3]);
    let text = run(&["dump", dir]).ok().out;
    assert!(!text.contains("dead") && !text.contains("live"), "{text}");
}

#[test]
fn no_secret_is_in_any_file_of_an_encrypted_store() {
    let Encrypted { fixture, dir, keys: [key, _] } = Encrypted::new();
    let line = format!("{{\"user_name\":\"ana\",\"refresh_token\":\"{}\"}}\n", SECRETS[1]);
    feed(&["save", &dir, "--key-file", &key], &line).ok();
    let backup = fixture.at("backup");
    run(&["backup", &dir, &backup, "--key-file", &key]).ok();
    let key = fs::read(&key).unwrap();
    let mut files = 0;
    for file in [&dir, &backup].iter().flat_map(|dir| fs::read_dir(dir).unwrap()) {
        let bytes = fs::read(file.unwrap().path()).unwrap();
        let has = |secret: &[u8]| bytes.windows(secret.len()).any(|window| window == secret);
        assert!(!SECRETS.iter().any(|secret| has(secret.as_bytes())) && !has(b"ana") && !has(&key));
        files += 1;
    }
    assert_eq!(files, 4);
    // They are found where they are.
    let plain = fs::read(fixture.log()).unwrap();
    assert!(plain.windows(SECRETS[1].len()).any(|window| window == SECRETS[1].as_bytes()));
}

#[test]
fn without_the_key_or_with_another_it_is_5_and_nothing_changes() {
    let Encrypted { fixture, dir, keys: [key, other] } = Encrypted::new();
    let copy = fixture.at("copy");
    let before = fixture.snapshot();
    let plain = fixture.store();
    let other = ["--key-file", other.as_str()];
    for command in
        [&["list"][..], &["stat"], &["compact"], &["purge"], &["adopt"], &["delete", "1"], &["backup", &copy]]
    {
        let (verb, args) = command.split_first().unwrap();
        for (dir, key) in [(&dir, &[][..]), (&dir, &other), (&plain, &other)] {
            let error = run(&[&["--json", verb, dir], args, key].concat()).code(5).error();
            assert_eq!(error["error"], "key");
        }
    }
    run(&["salvage", &dir, &copy]).code(5);
    run(&["decrypt", &dir, &copy]).code(5);
    run(&["encrypt", &plain, &copy]).code(5);
    // Whoever only looks needs none, and sees no names.
    assert_eq!(run(&["--json", "verify", &dir]).ok().one()["status"], "clean");
    assert!(!run(&["--json", "dump", &dir]).ok().out.contains("\"1\""));
    assert!(fixture.snapshot() == before);
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    let error = run(&["--json", "list", &dir, "--key-file", &key]).code(4).error();
    assert_eq!((error["error"].as_str(), error["path"].as_str()), (Some("insecure"), Some(key.as_str())));
}

/// As a service manager hands a credential to a service that is not root: root's, with an access list, which shows as mode.
#[test]
fn a_credential_of_the_service_manager_is_a_key_file() {
    let Encrypted { fixture, dir, keys: [key, _] } = Encrypted::new();
    if !rustix::process::geteuid().is_root() {
        println!("not run: only root can make such a file");
        return;
    }
    let folder = fixture.at("credentials");
    fs::create_dir(&folder).unwrap();
    let credential = format!("{folder}/key");
    fs::copy(&key, &credential).unwrap();
    let with = |folder: &str, mode: u32| {
        fs::set_permissions(&credential, fs::Permissions::from_mode(mode)).unwrap();
        let mut command = Command::new(PROGRAM);
        command.args(["list", &dir, "--key-file", &credential]).env("CREDENTIALS_DIRECTORY", folder);
        command.output().unwrap().status.code()
    };
    assert_eq!(with(&folder, 0o440), Some(0));
    assert_eq!(with(&fixture.at("elsewhere"), 0o440), Some(4), "it is no credential");
    assert_eq!(with(&folder, 0o444), Some(4), "everybody may read it");
    assert_eq!(with(&folder, 0o460), Some(4), "others may write to it");
}

#[test]
fn another_key_is_given_and_the_first_opens_nothing_any_more() {
    let encrypted = Encrypted::new();
    let Encrypted { fixture, dir, keys: [key, other] } = &encrypted;
    let before = list(dir, &["--key-file", key]);
    let given = run(&["--json", "rekey", dir, "--key-file", key, "--new-key-file", other]).ok().one();
    assert_eq!(names(&given), ["generation", "key_id"]);
    run(&["list", dir, "--key-file", key]).code(5);
    assert_eq!(list(dir, &["--key-file", other]), before);
    run(&["rekey", &fixture.store(), "--new-key-file", other]).code(5);
    // From one key to another, into a store of its own.
    let twice = fixture.at("twice");
    run(&["encrypt", dir, &twice, "--key-file", other, "--new-key-file", key]).ok();
    assert_eq!(list(&twice, &["--key-file", key]), before);
}
