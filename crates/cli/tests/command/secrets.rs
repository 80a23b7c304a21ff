//! No secret of a store, and none of the command line or the input, is on any output without `--reveal`.
//!
//! Method: every command is run on a store whose secrets are all known, sound, damaged and in use, right and wrong,
//! with secrets in every place where somebody may put one by mistake; everything printed is searched for all of them.

use std::fs;

use tokcask::LogStore;

use crate::fixture::{Fixture, SECRETS};
use crate::run::{Ran, feed, run};

/// None is there, whole or with its quotes escaped.
#[track_caller]
fn check(ran: &Ran) {
    for secret in SECRETS {
        for text in [secret.to_owned(), secret.replace('"', "\\\"")] {
            assert!(!ran.out.contains(&text) && !ran.err.contains(&text), "{text} is shown: {ran:?}");
        }
    }
}

/// Runs a command on the store, for people and for scripts.
#[track_caller]
fn sweep(fixture: &Fixture, command: &str, args: &[&str], input: &str) {
    for json in [&["--json"][..], &[]] {
        check(&feed(&[&[command, &fixture.store()], args, json].concat(), input));
    }
}

#[test]
fn by_commands_that_work() {
    let fixture = Fixture::filled();
    for (key, secret) in
        [("--access-token", SECRETS[0]), ("--refresh-token", SECRETS[6]), ("--grant-token", SECRETS[8])]
    {
        sweep(&fixture, "get", &[key, secret], "");
        sweep(&fixture, "get", &[key, "-"], secret);
    }
    for id in ["1", "2", "3"] {
        sweep(&fixture, "get", &["--id", id], "");
    }
    for command in ["list", "expiring", "stat", "verify", "dump", "compact", "dump", "adopt", "create"] {
        sweep(&fixture, command, &[], "");
    }
    let listing = run(&["list", &fixture.store(), "--reveal", "--json"]).ok().out;
    for line in listing.lines() {
        sweep(&fixture, "find", &[], line);
    }
    sweep(&fixture, "save", &[], &listing);
    for to in ["json", "zoho-csv", "zoho-node-csv"] {
        let file = fixture.at(to);
        sweep(&fixture, "export", &["--to", to, &file, "--force"], "");
        sweep(&fixture, "export", &["--to", to], "");
        if to != "zoho-node-csv" {
            let from = ["--from", to, &file];
            for more in [&["--dry-run"][..], &[], &["--on-clash", "keep"], &["--on-clash", "renumber"]] {
                sweep(&fixture, "import", &[&from[..], more].concat(), "");
            }
        }
    }
    sweep(&fixture, "backup", &[&fixture.at("backup")], "");
    sweep(&fixture, "salvage", &[&fixture.at("salvaged")], "");
    sweep(&fixture, "delete", &["2"], "");
    sweep(&fixture, "expiring", &["--reveal"], "");
    for more in [&["--dry-run"][..], &[], &["--with-refresh-token", "--reveal"]] {
        sweep(&fixture, "sweep", &[&["--expired-for", "1d"], more].concat(), "");
    }
    sweep(&fixture, "sweep", &["--idle-for", "0s", "--with-refresh-token"], "");
    sweep(&fixture, "clear", &["--yes"], "");
}

#[test]
fn and_the_search_finds_what_is_revealed() {
    let ran = run(&["list", &Fixture::filled().store(), "--reveal", "--json"]);
    let missed = SECRETS.iter().filter(|secret| !ran.out.contains(&secret.replace('"', "\\\"")));
    assert_eq!(missed.count(), 0, "{}", ran.out);
}

#[test]
fn by_wrong_command_lines() {
    let fixture = Fixture::filled();
    let store = fixture.store();
    for secret in SECRETS {
        let (long, flag) = (format!("--access-tokn={secret}"), format!("--{secret}"));
        let (short, json) = (format!("-{secret}"), format!("--json={secret}"));
        let lines: [&[&str]; 22] = [
            &[secret],
            &[secret, &store],
            &["list", &store, secret],
            &["get", &store, secret],
            &["get", &store, "--access-token", secret, "--id", secret],
            &["get", &store, "--access-token", secret, secret],
            &["get", &store, &long],
            &["get", &store, &flag],
            &["get", &store, &short],
            &["get", &store, &json],
            &["get", &store, "--id", secret],
            &["delete", &store, secret],
            &["delete", &store, "1", secret],
            &["import", &store, "--from", secret, "file"],
            &["import", &store, "--from", "json", "file", "--on-clash", secret],
            &["export", &store, "--to", secret],
            &["expiring", &store, "--within", secret],
            &["expiring", &store, "--before", secret],
            &["sweep", &store, "--expired-for", secret],
            &["sweep", secret, "--idle-for", "1h", "--older-than", &store],
            &["completions", secret],
            &["help", secret],
        ];
        for line in lines {
            for more in [&["--json"][..], &[]] {
                let ran = run(&[line, more].concat());
                assert_ne!(ran.code, 0, "{ran:?}");
                check(&ran);
            }
        }
    }
}

#[test]
fn by_tokens_in_the_place_of_paths() {
    let fixture = Fixture::filled();
    let store = fixture.store();
    // Shorter ones look like any name.
    for secret in SECRETS.into_iter().filter(|secret| secret.len() >= 24) {
        let lines: [&[&str]; 7] = [
            &["list", secret],
            &["expiring", secret],
            &["sweep", secret, "--idle-for", "1h"],
            &["get", "--access-token", &store, secret],
            &["delete", secret, &store],
            &["backup", secret, &fixture.at("dest")],
            &["import", &store, "--from", "json", secret],
        ];
        for line in lines {
            for more in [&["--json"][..], &[]] {
                let ran = run(&[line, more].concat()).code(4);
                assert!(more.is_empty() || ran.error()["path"].is_null(), "{ran:?}");
                check(&ran);
            }
        }
    }
    // Not so where only the end of a path is missing, or if it is short.
    for path in [fixture.at("a name that is as long as a token"), "missing".into()] {
        assert!(run(&["list", &path]).code(4).err.contains(&path));
    }
}

#[test]
fn by_bad_input() {
    let fixture = Fixture::filled();
    for secret in SECRETS {
        let secret_json = serde_json::json!(secret).to_string();
        let lines = [
            secret.to_owned(),
            secret_json.clone(),
            format!("{{{secret_json}: \"x\"}}"),
            format!("{{\"access_token\": {secret_json}, \"acces_token\": \"x\"}}"),
            format!("{{\"access_token\": {secret_json}"),
            format!("{{\"access_token\": [{secret_json}]}}"),
            format!("{{\"access_token\": {secret_json}, \"access_token\": {secret_json}}}"),
            format!("{{\"extra\": {{{secret_json}: 1}}}}"),
            format!("{{\"access_token\": {secret_json}}} {secret_json}"),
        ];
        for line in &lines {
            sweep(&fixture, "find", &[], line);
            sweep(&fixture, "save", &[], line);
            let file = fixture.file("bad", line);
            for from in ["json", "zoho-csv", "zoho-sqlite"] {
                sweep(&fixture, "import", &["--from", from, &file], "");
            }
        }
        // A row of CSV with a comma in a value, one cut short, one in another encoding.
        for row in [format!("1,a,b,,,{secret},{secret},,,,,,\n"), format!("1,a,,,,{secret}"), format!("id\n1,{secret}")]
        {
            let mut bytes = row.into_bytes();
            for tail in [&b""[..], b"\xff"] {
                bytes.extend(tail);
                let file = fixture.file("bad", &bytes);
                sweep(&fixture, "import", &["--from", "zoho-csv", &file, "--on-clash", "keep"], "");
            }
        }
    }
}

#[test]
fn by_stores_that_are_damaged_or_in_use() {
    let commands: [(&str, &[&str]); 10] = [
        ("list", &[]),
        ("expiring", &[]),
        ("sweep", &["--older-than", "1h"]),
        ("get", &["--id", "1"]),
        ("stat", &[]),
        ("verify", &[]),
        ("dump", &[]),
        ("compact", &[]),
        ("adopt", &[]),
        ("delete", &["1"]),
    ];
    let fixture = Fixture::filled();
    let sound = fs::read(fixture.log()).unwrap();
    let store = LogStore::open(fixture.store()).unwrap();
    for (command, args) in commands {
        sweep(&fixture, command, args, "");
    }
    drop(store);
    let end = 8192 + 1000;
    for (round, offset) in (8192..end).step_by(61).enumerate() {
        fs::write(fixture.log(), &sound).unwrap();
        fixture.flip(offset);
        for (command, args) in commands {
            sweep(&fixture, command, args, "");
        }
        sweep(&fixture, "salvage", &[&fixture.at(&format!("salvaged-{round}"))], "");
    }
}
