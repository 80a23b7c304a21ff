//! The exit code says what kind of thing went wrong, and with `--json` one line on standard error says which.
//!
//! Method: every kind of failure that can be had without a failing device is brought about; code, kind and the names
//! of the line are compared.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use tokcask::format::header::FileHeader;
use tokcask::{LogStore, Options};

use crate::fixture::{Fixture, store_with_header};
use crate::run::{PROGRAM, Ran, feed, names, run};

/// One line on standard error, of this kind, about this path; nothing on standard output.
#[track_caller]
fn check(ran: &Ran, code: i32, kind: &str, path: Option<&str>) {
    let error = ran.error();
    assert_eq!((ran.code, error["error"].as_str(), ran.out.as_str()), (code, Some(kind), ""), "{ran:?}");
    assert_eq!(error["path"].as_str(), path, "{error}");
    assert_eq!(names(&error), ["error", "message", "offset", "path"]);
}

const ON_A_STORE: [&[&str]; 17] = [
    &["list"],
    &["get", "--id", "1"],
    &["find"],
    &["save"],
    &["delete", "1"],
    &["expiring"],
    &["sweep", "--idle-for", "1h", "--dry-run"],
    &["sweep", "--idle-for", "1h"],
    &["clear", "--yes"],
    &["export", "--to", "json", "--reveal"],
    &["stat"],
    &["verify"],
    &["dump"],
    &["compact"],
    &["backup", "DEST"],
    &["salvage", "DEST"],
    &["adopt"],
];

/// The arguments with the store's directory in its place.
fn on(command: &[&str], fixture: &Fixture) -> Ran {
    let dest = fixture.at("dest");
    let args: Vec<_> = command[1..].iter().map(|arg| if *arg == "DEST" { dest.as_str() } else { arg }).collect();
    let input = if command[0] == "find" { "{\"user_name\":\"ana\"}" } else { "" };
    fixture.feed_json(command[0], &args, input)
}

#[test]
fn a_missing_store_is_4_and_nothing_is_made() {
    for command in ON_A_STORE {
        let fixture = Fixture::new();
        let ran = on(command, &fixture);
        check(&ran, 4, "not_a_store", Some(&fixture.store()));
        assert_eq!(fixture.snapshot().len(), 1, "{command:?} made something");
    }
}

#[test]
fn a_store_in_use_is_4_and_the_message_says_who_must_stop() {
    let fixture = Fixture::filled();
    let _holder = Options::new().exclusive(true).open(fixture.store()).unwrap();
    let lock = format!("{}/store.lock", fixture.store());
    let name = fs::read_to_string("/proc/self/comm").unwrap();
    // Beside a child of another test that has not closed its copy yet.
    let holder = format!("{} ({})", std::process::id(), name.trim_end());
    for command in ON_A_STORE.into_iter().filter(|command| !["verify", "dump", "salvage"].contains(&command[0])) {
        let ran = on(command, &fixture);
        check(&ran, 4, "locked", Some(&lock));
        assert!(ran.error()["message"].as_str().unwrap().contains(&holder), "{ran:?}");
        assert!(ran.err.contains("process") && ran.err.contains("the store open; stop"), "{ran:?}");
    }
    for command in ["verify", "dump"] {
        fixture.json(command, &[]).ok();
    }
}

#[test]
fn a_store_that_is_not_private_is_4() {
    let fixture = Fixture::filled();
    fs::set_permissions(fixture.log(), fs::Permissions::from_mode(0o644)).unwrap();
    check(&fixture.json("list", &[]), 4, "insecure", fixture.log().to_str());
}

#[test]
fn something_in_the_way_is_4_and_stays() {
    let fixture = Fixture::filled();
    let file = fixture.file("file", "content");
    let full = fixture.at("full");
    fs::create_dir(&full).unwrap();
    fixture.file("full/content", "");
    let link = fixture.at("link");
    std::os::unix::fs::symlink(&file, &link).unwrap();
    let before = fixture.snapshot();
    check(&fixture.json("create", &[]), 4, "exists", Some(&fixture.store()));
    check(&fixture.json("backup", &[&full]), 4, "exists", Some(&full));
    check(&fixture.json("salvage", &[&full]), 4, "exists", Some(&full));
    check(&fixture.json("export", &["--to", "json", &file]), 4, "exists", Some(&file));
    check(&fixture.json("export", &["--to", "json", "--force", &full]), 4, "exists", Some(&full));
    check(&fixture.json("export", &["--to", "json", "--force", &link]), 4, "exists", Some(&link));
    let own = fixture.log().to_str().unwrap().to_owned();
    check(&fixture.json("export", &["--to", "json", "--force", &own]), 4, "exists", Some(&own));
    check(&run(&["--json", "create", &file]), 4, "not_a_store", Some(&file));
    let after = fixture.snapshot();
    assert!(before.iter().all(|was| was.0.starts_with(fixture.store()) || after.contains(was)));
    assert_eq!(before.len(), after.len());
    // Nor does it look into what is there.
    fixture.flip(8192 + 40);
    check(&fixture.json("create", &[]), 4, "exists", Some(&fixture.store()));
}

#[test]
fn files_that_cannot_be_read_or_written_are_4() {
    let fixture = Fixture::filled();
    let (missing, inside) = (fixture.at("missing"), fixture.at("missing/file"));
    check(&fixture.json("import", &["--from", "json", &missing]), 4, "io", Some(&missing));
    check(&fixture.json("import", &["--from", "zoho-sqlite", &missing]), 4, "io", Some(&missing));
    check(&fixture.json("export", &["--to", "json", &inside]), 4, "io", Some(&inside));
    check(&run(&["--json", "create", &inside]), 4, "io", Some(&inside));
}

#[test]
fn output_that_cannot_be_written_is_4_and_a_reader_who_has_enough_is_0() {
    let fixture = Fixture::filled();
    let run_to = |args: &[&str], out: Stdio| {
        let child = Command::new(PROGRAM).args(args).stdin(Stdio::null()).stdout(out).stderr(Stdio::piped()).spawn();
        Ran::of(child.unwrap().wait_with_output().unwrap())
    };
    let closed = || Stdio::from(std::io::pipe().unwrap().1);
    let full = || Stdio::from(fs::OpenOptions::new().write(true).open("/dev/full").unwrap());
    let store = fixture.store();
    let reading: [&[&str]; 8] = [
        &["list", &store],
        &["get", &store, "--id", "1"],
        &["stat", &store],
        &["dump", &store, "--json"],
        &["expiring", &store],
        &["sweep", &store, "--idle-for", "0s", "--dry-run"],
        &["export", &store, "--to", "zoho-csv", "--reveal"],
        &["--help"],
    ];
    for args in reading {
        run_to(args, closed()).ok();
        run_to(args, full()).code(4);
    }
    // A run that changed the store and cannot say so must not look as if it had.
    let ran = run_to(&["clear", &store, "--yes", "--json"], closed());
    check(&ran, 4, "io", None);
}

#[test]
fn a_wrong_command_line_is_2() {
    let fixture = Fixture::filled();
    let store = fixture.store();
    let before = fixture.snapshot();
    let lines: [&[&str]; 21] = [
        &[],
        &["lst", &store],
        &["list"],
        &["list", &store, "more"],
        &["list", &store, "--all"],
        &["get", &store],
        &["get", &store, "--id", "1", "--user-name", "ana"],
        &["get", &store, "--id", "1", "--id", "2"],
        &["get", &store, "--client-id", "x"],
        &["clear", &store],
        &["expiring", &store, "--within", "1h", "--before", "0"],
        &["expiring", &store, "--within", "3600"],
        &["expiring", &store, "--before", "1h"],
        &["sweep", &store],
        &["sweep", &store, "--dry-run", "--with-refresh-token"],
        &["sweep", &store, "--expired-for", "1mo"],
        &["sweep", &store, "--idle-for=-1h"],
        &["export", &store, "--to", "json"],
        &["export", &store, "--to", "xml", "file"],
        &["import", &store, "--from", "json", "--on-clash", "merge", "file"],
        &["import", &store, "--from", "zoho-sqlite", "-"],
    ];
    for line in lines {
        check(&run(&[line, &["--json"]].concat()), 2, "usage", None);
        let ran = run(line).code(2);
        assert!(ran.err.starts_with("error: ") && ran.out.is_empty(), "{ran:?}");
    }
    assert!(fixture.snapshot() == before, "a wrong command line did something");
}

#[test]
fn what_is_not_there_is_1() {
    let fixture = Fixture::filled();
    for key in ["--id", "--user-name", "--access-token", "--refresh-token", "--grant-token"] {
        check(&fixture.json("get", &[key, "nobody"]), 1, "not_found", None);
        check(&fixture.json("get", &[key, ""]), 1, "not_found", None);
    }
    check(&fixture.feed_json("find", &[], "{\"user_name\":\"nobody\"}"), 1, "not_found", None);
    check(&fixture.json("delete", &["4"]), 1, "not_found", None);
}

#[test]
fn a_damaged_store_is_3_and_names_the_place() {
    let fixture = Fixture::filled();
    fixture.flip(8192 + 40);
    for command in ["list", "stat", "compact", "adopt"] {
        let ran = fixture.json(command, &[]);
        let error = ran.error();
        assert_eq!((ran.code, error["error"].as_str()), (3, Some("corrupt")), "{ran:?}");
        assert_eq!((error["path"].as_str(), error["offset"].as_u64()), (fixture.log().to_str(), Some(8192)));
        assert_eq!(names(&error), ["error", "message", "offset", "path"]);
    }
    let ran = fixture.text("list", &[]).code(3);
    assert!(ran.err.contains("at offset 8192") && ran.err.contains("tokcask salvage"), "{ran:?}");
}

#[test]
fn an_older_log_put_back_is_3() {
    let fixture = Fixture::filled();
    let older = fs::read(fixture.log()).unwrap();
    fixture.text("compact", &[]).ok();
    fs::write(fixture.log(), older).unwrap();
    for command in ["list", "verify", "compact"] {
        check(&fixture.json(command, &[]), 3, "copied", fixture.log().to_str());
    }
    // What is in it can be looked at before it is adopted.
    let ran = fixture.json("dump", &[]);
    assert_eq!((ran.code, ran.json().len(), ran.error()["error"].as_str()), (3, 4, Some("copied")));
}

#[test]
fn bad_input_is_3() {
    let fixture = Fixture::filled();
    for input in
        ["", "{", "[]", "null", "{\"user\":\"ana\"}", "{\"id\":1}", "{\"user_name\":\"a\",\"user_name\":\"b\"}"]
    {
        check(&fixture.feed_json("find", &[], input), 3, "input", None);
    }
    let bad = fixture.file("bad", "id\n\"\u{0}");
    let latin = fixture.file("latin", b"id,\xe4\n");
    check(&fixture.json("import", &["--from", "json", &bad]), 3, "input", Some(&bad));
    check(&fixture.json("import", &["--from", "zoho-csv", &latin]), 3, "input", Some(&latin));
    check(&fixture.json("import", &["--from", "zoho-sqlite", &bad]), 3, "input", Some(&bad));
    let long = fixture.file("long", format!("{{\"access_token\":\"{}\"}}\n", "a".repeat(70_000)));
    check(&fixture.json("import", &["--from", "json", &long]), 3, "too_large", Some(&long));
    let clash = fixture.file("clash", "{\"id\":\"2\",\"access_token\":\"fake\"}\n");
    let ran = fixture.json("import", &["--from", "json", &clash]);
    check(&ran, 3, "clash", Some(&fixture.store()));
    assert!(ran.error()["message"].as_str().unwrap().contains("\"2\" (line 1)"), "{ran:?}");
    check(&fixture.json("export", &["--to", "zoho-node-csv", &fixture.at("out")]), 3, "input", None);
    assert!(!fs::exists(fixture.at("out")).unwrap());
}

#[test]
fn a_bad_line_of_save_names_its_number_and_what_was_saved() {
    let good = "{\"access_token\":\"fake-1\"}\r\n\n{\"access_token\":\"fake-2\"}\n";
    let long = format!("{{\"access_token\":\"{}\"}}", "a".repeat(70_000));
    let endless = "x".repeat(10 << 20);
    let bad = [
        ("{\"access_token\":\"fake", "input"),
        ("{\"token\":\"fake\"}\n{\"access_token\":\"fake-3\"}", "input"),
        ("{\"user_name\":\"ana\"}", "too_little"),
        ("{\"id\":\"\",\"access_token\":\"fake\"}", "empty_id"),
        (&long, "too_large"),
        (&endless, "too_large"),
    ];
    for (line, kind) in bad {
        let fixture = Fixture::empty();
        let ran = fixture.feed_json("save", &[], &format!("{good}{line}")).code(3);
        let error = ran.error();
        assert_eq!(
            (error["error"].as_str(), error["line"].as_u64(), error["saved"].as_u64()),
            (Some(kind), Some(4), Some(2))
        );
        assert_eq!(names(&error), ["error", "line", "message", "offset", "path", "saved"]);
        assert_eq!(ran.json().len(), 2);
        assert_eq!(LogStore::open(fixture.store()).unwrap().iter().len(), 2, "earlier lines stay saved");
        let ran = feed(&["save", &fixture.store()], line).code(3);
        assert!(ran.err.starts_with("error: line 1: ") && ran.err.contains("\nsaved: 0\n"), "{ran:?}");
    }
}

#[test]
fn a_newer_store_is_4() {
    let fixture = Fixture::new();
    let plain = FileHeader::plain([7; 16], 1, 7, 7);
    let stores = [
        ("newer cipher", FileHeader { suite: 2, ..plain.clone() }, 4, "unsupported"),
        ("newer", FileHeader { incompatible: 1, ..plain }, 4, "unsupported"),
    ];
    for (name, header, code, kind) in stores {
        let dir = fixture.at(name);
        store_with_header(&dir, &header.encode().0);
        let log = format!("{dir}/store.log");
        let before = fixture.snapshot();
        for command in ["list", "stat", "verify", "dump", "compact", "adopt"] {
            check(&run(&["--json", command, &dir]), code, kind, Some(&log));
        }
        assert!(fixture.snapshot() == before, "{name} was changed");
    }
}

#[test]
fn a_recovered_tail_is_0_and_a_line_on_standard_error() {
    let fixture = Fixture::filled();
    let stat = Options::new().verify(fixture.store()).unwrap();
    assert_eq!(stat.frames, 4);
    for json in [true, false] {
        let end = usize::try_from(fixture.json("stat", &[]).ok().one()["log_bytes"].as_u64().unwrap()).unwrap();
        fixture.flip(end + 100);
        let verified = fixture.json("verify", &[]).code(0);
        assert_eq!(verified.one()["status"], "torn_tail");
        assert!(verified.err.starts_with("{\"notice\":\"torn_tail\""), "{verified:?}");
        let ran = if json { fixture.json("list", &[]) } else { fixture.text("list", &[]) }.code(0);
        assert_eq!(ran.err.lines().count(), 1, "{ran:?}");
        if json {
            let notice: serde_json::Value = serde_json::from_str(&ran.err).unwrap();
            assert_eq!(names(&notice), ["message", "notice", "offset", "path"]);
            assert_eq!(
                (notice["notice"].as_str(), notice["path"].as_str()),
                (Some("recovered_tail"), fixture.log().to_str())
            );
            assert_eq!(ran.json().len(), 3);
        } else {
            assert!(ran.err.starts_with("note: ") && ran.err.contains("torn tail"), "{ran:?}");
        }
        fixture.json("list", &[]).ok();
    }
}
