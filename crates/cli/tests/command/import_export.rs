//! Tokens move in and out whole: what an export writes an import reads, and a failed one leaves everything as it was.
//!
//! Method: round trips through every format, every answer to a clash, files compared byte for byte with what the SDKs
//! write; folders compared before and after what must fail.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use serde_json::json;
use tokcask::{LogStore, Token, TokenStore};

use crate::fixture::{Fixture, SECRETS};
use crate::run::{PROGRAM, names, run};

fn rows(dir: &str) -> Vec<Token> {
    LogStore::open(dir).unwrap().get_tokens().unwrap()
}

#[test]
fn json_and_python_csv_bring_back_every_row() {
    let fixture = Fixture::filled();
    for (to, from) in [("json", "json"), ("zoho-csv", "zoho-csv")] {
        let (file, dir) = (fixture.at(&format!("out.{to}")), fixture.at(&format!("from-{to}")));
        let exported = fixture.json("export", &["--to", to, &file]).code(0);
        assert_eq!(exported.one(), json!({ "export": file, "tokens": 3 }));
        assert_eq!(exported.err.contains("\"notice\":\"extra_left_out\""), to == "zoho-csv", "{exported:?}");
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        let report = run(&["--json", "import", &dir, "--from", from, &file]).ok().one();
        assert_eq!(report, json!({ "imported": 3, "skipped": [], "clashes": 0 }));
        let mut expected = rows(&fixture.store());
        if to == "zoho-csv" {
            let ana = expected[0].to_builder().extra("scope", "");
            expected[0] = ana.build();
            let imported = rows(&dir);
            assert_eq!(imported[0].extra().next(), None);
            let imported = imported[0].to_builder().extra("scope", "").build();
            assert_eq!(imported, expected[0]);
            assert_eq!(rows(&dir)[1..], expected[1..]);
        } else {
            assert_eq!(rows(&dir), expected);
        }
    }
}

/// Of every file that an SDK wrote, and whether a Python SDK wrote it, whole and of ten columns: then it comes out as it was.
const SAMPLES: [(&str, &str, usize, bool); 11] = [
    ("zoho-csv", "filestore.empty.csv", 0, false),
    ("zoho-csv", "filestore.ninecolumns.csv", 25, false),
    ("zoho-csv", "filestore.node8.csv", 25, false),
    ("zoho-csv", "filestore.noheader.csv", 25, false),
    ("zoho-csv", "filestore.py7.csv", 25, true),
    ("zoho-csv", "filestore.py7.tricky.csv", 12, true),
    ("zoho-csv", "filestore.py8.csv", 25, true),
    ("zoho-csv", "filestore.py8.1000.csv", 1000, true),
    ("zoho-csv", "filestore.py8.tricky.csv", 12, true),
    ("zoho-csv", "filestore.torn.csv", 24, false),
    ("zoho-sqlite", "zohooauth.db", 25, false),
];

#[test]
fn every_sample_comes_out_and_in_again_as_it_was() {
    let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/data/zoho");
    for (from, name, count, is_python) in SAMPLES {
        let fixture = Fixture::new();
        let sample = samples.join(name);
        fixture.json("import", &["--from", from, sample.to_str().unwrap()]).code(0);
        let imported = rows(&fixture.store());
        assert_eq!(imported.len(), count, "{name}");
        for (to, back) in [("zoho-csv", "zoho-csv"), ("json", "json"), ("zoho-node-csv", "zoho-csv")] {
            let file = fixture.at(to);
            let exported = fixture.json("export", &["--to", to, &file]);
            if to == "zoho-node-csv" && name.contains("tricky") {
                exported.code(3);
                continue;
            }
            exported.code(0);
            let dir = fixture.at(&format!("{to}.again"));
            run(&["--json", "import", &dir, "--from", back, &file]).code(0);
            assert!(rows(&dir) == imported, "{name} through {to}");
        }
        let same = fs::read(&sample).unwrap() == fs::read(fixture.at("zoho-csv")).unwrap();
        assert_eq!(same, is_python, "{name}");
    }
}

#[test]
fn an_export_to_standard_output_is_the_file() {
    let fixture = Fixture::filled();
    for to in ["json", "zoho-csv"] {
        let file = fixture.at(to);
        fixture.text("export", &["--to", to, &file]).code(0);
        let content = fs::read_to_string(&file).unwrap();
        assert!(content.contains(SECRETS[0]));
        for args in [&["--to", to, "--reveal"][..], &["--to", to, "-", "--reveal"]] {
            assert_eq!(fixture.text("export", args).code(0).out, content);
        }
    }
}

#[test]
fn node_csv_is_written_where_it_can_hold_the_values() {
    let fixture = Fixture::empty();
    fixture.feed_json("save", &[], "{\"user_name\":\"ana\",\"access_token\":\"fake\"}").ok();
    let out = fixture.text("export", &["--to", "zoho-node-csv", "--reveal"]).ok().out;
    assert!(out.ends_with("redirect_url,api_domain\n1,ana,,,,fake,,,,"), "{out}");
}

#[test]
fn force_replaces_a_file_and_a_failed_export_leaves_it() {
    let fixture = Fixture::filled();
    let file = fixture.file("out", "before");
    let failed = fixture.text("export", &["--to", "zoho-node-csv", "--force", &file]).code(3);
    assert!(failed.err.contains("user_name holds a comma"), "{failed:?}");
    assert_eq!(fs::read_to_string(&file).unwrap(), "before");
    fixture.text("export", &["--to", "json", "--force", &file]).ok();
    assert_eq!(fs::read_to_string(&file).unwrap().lines().count(), 3);
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let names: Vec<_> = fs::read_dir(fixture.at("")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names.len(), 2, "something is left over: {names:?}");
}

const CLASHING: &str = "{\"id\":\"2\",\"access_token\":\"fake-two\"}\n{\"access_token\":\"fake-none\"}\n\
                        {\"id\":\"7\",\"access_token\":\"fake-seven\"}\n";

#[test]
fn each_answer_to_a_clash_does_what_it_says_and_a_dry_run_foretells_it() {
    let answers = [
        ("keep", 2, [SECRETS[5], "fake-none", "fake-seven", ""], ["1", "2", "3", "8", "7"].as_slice()),
        ("replace", 3, ["fake-two", "fake-none", "fake-seven", ""], &["1", "2", "3", "8", "7"]),
        ("renumber", 3, [SECRETS[5], "fake-two", "fake-none", "fake-seven"], &["1", "2", "3", "8", "9", "7"]),
    ];
    for (answer, imported, [second, others @ ..], ids) in answers {
        let fixture = Fixture::filled();
        let file = fixture.file("clashing", CLASHING);
        let args = ["--from", "json", &file, "--on-clash", answer];
        let before = rows(&fixture.store());
        let foretold = fixture.json("import", &[&args[..], &["--dry-run"]].concat()).ok().one();
        assert_eq!(rows(&fixture.store()), before, "{answer}: a dry run is dry");
        let report = fixture.json("import", &args).ok().one();
        assert_eq!((&report, &report), (&foretold, &json!({ "imported": imported, "skipped": [], "clashes": 1 })));
        let after = rows(&fixture.store());
        assert_eq!(after.iter().map(|row| row.id().unwrap()).collect::<Vec<_>>(), ids, "{answer}");
        let access = |row: &Token| row.access_token().unwrap().expose_secret().to_owned();
        assert_eq!(access(&after[1]), second, "{answer}");
        let added: Vec<_> = after[3..].iter().map(access).collect();
        assert_eq!(added, others.into_iter().filter(|other| !other.is_empty()).collect::<Vec<_>>(), "{answer}");
        // Nothing of the old row is left.
        assert_eq!(after[1].user_name().is_none(), answer == "replace");
    }
}

#[test]
fn a_refused_clash_names_ids_and_lines_and_changes_nothing() {
    let fixture = Fixture::filled();
    let all = [1, 2, 3].map(|id| format!("{{\"id\":\"{id}\",\"access_token\":\"fake\"}}\n")).concat();
    let file = fixture.file("all", format!("{{\"access_token\":\"fake\"}}\n{all}"));
    let before = rows(&fixture.store());
    for dry in [&["--dry-run"][..], &[]] {
        let ran = fixture.json("import", &[&["--from", "json", &file], dry].concat()).code(3);
        let message = ran.error()["message"].as_str().unwrap().to_owned();
        assert!(message.contains("\"1\" (line 2), \"2\" (line 3), \"3\" (line 4);"), "{message}");
    }
    assert_eq!(rows(&fixture.store()), before);
}

#[test]
fn nothing_is_made_by_a_dry_run_or_for_a_file_that_cannot_be_imported() {
    let fixture = Fixture::new();
    let (good, bad) =
        (fixture.file("good", "{\"access_token\":\"fake\"}"), fixture.file("bad", "{\"access_token\":1}"));
    let before = fixture.snapshot();
    let report = fixture.json("import", &["--from", "json", &good, "--dry-run"]).ok().one();
    assert_eq!(report, json!({ "imported": 1, "skipped": [], "clashes": 0 }));
    fixture.json("import", &["--from", "json", &bad]).code(3);
    assert!(fixture.snapshot() == before);
    assert_eq!(fixture.text("import", &["--from", "json", &good]).ok().out, "imported  1\nskipped   0\nclashes   0\n");
}

#[test]
fn rows_that_are_kept_out_are_listed_with_their_lines() {
    let fixture = Fixture::new();
    let text = "id,user_name\r\n1,ana,,,fake-1,,,,\r\n2,bob,,,,,,,\r\n3,eve\r\n4,dan,,,fake-";
    let file = fixture.file("file", text);
    let report = fixture.json("import", &["--from", "zoho-csv", &file]).ok().one();
    assert_eq!((&report["imported"], names(&report["skipped"][0])), (&json!(1), vec!["line", "reason"]));
    let lines: Vec<_> = report["skipped"].as_array().unwrap().iter().map(|skipped| skipped["line"].clone()).collect();
    assert_eq!(json!(lines), json!([3, 4, 5]));
    let again = fixture.text("import", &["--from", "zoho-csv", &file, "--on-clash", "keep"]).ok().out;
    assert!(again.contains("line 5: the file ends inside this row; "), "{again}");
}

#[test]
fn rows_of_one_file_with_the_same_id_clash() {
    let text = "1,ana,,,fake-1,,,,\n2,bob,,,fake-2,,,,\n1,eve,,,fake-3,,,,\n";
    for (on_clash, users, imported) in [
        ("keep", vec![("1", "ana"), ("2", "bob")], 2),
        ("replace", vec![("1", "eve"), ("2", "bob")], 3),
        ("renumber", vec![("1", "ana"), ("2", "bob"), ("3", "eve")], 3),
    ] {
        let fixture = Fixture::new();
        let file = fixture.file("file", text);
        for dry in [&["--dry-run"][..], &[]] {
            let refused = fixture.json("import", &[&["--from", "zoho-csv", &file][..], dry].concat()).code(3);
            assert!(refused.error()["message"].as_str().unwrap().contains("\"1\" (line 3)"), "{refused:?}");
            assert!(!Path::new(&fixture.store()).exists(), "nothing was made");
        }
        for dry in [&["--dry-run"][..], &[]] {
            let args = [&["--from", "zoho-csv", &file, "--on-clash", on_clash][..], dry].concat();
            let report = fixture.json("import", &args).ok().one();
            assert_eq!(report, json!({ "imported": imported, "skipped": [], "clashes": 1 }));
        }
        let found = rows(&fixture.store());
        let found: Vec<_> = found.iter().map(|row| (row.id().unwrap(), row.user_name().unwrap())).collect();
        assert_eq!(found, users, "{on_clash}");
    }
}

#[test]
fn a_file_of_something_else_is_refused() {
    let fixture = Fixture::new();
    let file = fixture.file("file", "root:x:0:0:root:/root:/bin/bash\nbin:x:1:1::/:/bin/false\n");
    let ran = fixture.json("import", &["--from", "zoho-csv", &file]).code(3);
    assert_eq!(ran.error()["error"], "input");
    assert!(!Path::new(&fixture.store()).exists());
}

#[test]
fn an_export_that_is_killed_leaves_nothing() {
    let fixture = Fixture::new();
    let line = |id: u32| format!("{{\"id\":\"{id}\",\"access_token\":\"fake-{id}\"}}\n");
    let file = fixture.file("file", (1..=20_000).map(line).collect::<String>());
    fixture.json("import", &["--from", "json", &file]).ok();
    fs::create_dir(fixture.at("folder")).unwrap();
    let out = fixture.at("folder/out");
    for kill in 0..20 {
        let mut command = Command::new(PROGRAM);
        command.args(["export", &fixture.store(), "--to", "json", &out]).stdout(Stdio::null());
        let mut child = command.spawn().unwrap();
        thread::sleep(Duration::from_millis(3 * kill));
        child.kill().unwrap();
        child.wait().unwrap();
        let names: Vec<_> = fs::read_dir(fixture.at("folder")).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert!(names.is_empty() || names == [PathBuf::from(&out)], "{names:?}");
        if !names.is_empty() {
            assert_eq!(fs::read_to_string(&out).unwrap().lines().count(), 20_000, "it is whole");
            fs::remove_file(&out).unwrap();
        }
    }
}

#[test]
fn a_database_of_the_article_is_imported() {
    let fixture = Fixture::new();
    let path = fixture.at("zohooauth.db");
    let database = rusqlite::Connection::open(&path).unwrap();
    let table = "id, user_name, client_id, client_secret, refresh_token, access_token, grant_token, expiry_time, \
                 redirect_url, api_domain";
    database.execute(&format!("CREATE TABLE oauthtoken ({table})"), []).unwrap();
    let row = "INSERT INTO oauthtoken (id, user_name, refresh_token) VALUES ('7', 'ana', 'fake'), ('8', 'bob', NULL)";
    database.execute(row, []).unwrap();
    let report = fixture.json("import", &["--from", "zoho-sqlite", &path]).ok().one();
    let skipped = json!([{ "line": 2, "reason": "no access, refresh or grant token" }]);
    assert_eq!(report, json!({ "imported": 1, "skipped": skipped, "clashes": 0 }));
    let imported = rows(&fixture.store());
    assert_eq!((imported[0].id(), imported[0].user_name()), (Some("7"), Some("ana")));
}

#[test]
fn standard_input_can_be_imported() {
    let fixture = Fixture::new();
    let csv = "1,ana,,,fake-1,,,,\n";
    assert_eq!(fixture.feed_json("import", &["--from", "zoho-csv", "-"], csv).ok().one()["imported"], 1);
    let line = "{\"access_token\":\"fake\"}\n";
    assert_eq!(fixture.feed_json("import", &["--from", "json", "-"], line).ok().one()["imported"], 1);
}

#[test]
fn a_file_with_more_rows_than_one_frame_holds_is_imported_whole() {
    let fixture = Fixture::new();
    let line = format!("{}\n", json!({ "access_token": "fake", "extra": { "note": "n".repeat(900_000) } }));
    let file = fixture.file("file", line.repeat(80));
    assert_eq!(fixture.json("import", &["--from", "json", &file]).ok().one()["imported"], 80);
    assert_eq!(rows(&fixture.store()).len(), 80);
}
