//! What every command does to a store and says of it with `--json`, name by name.
//!
//! Method: one command a test, on a store that the library made; its lines are parsed, their names compared exactly,
//! and the store is read back through the library.

use std::fs;

use serde_json::{Value, json};
use tokcask::{Key, LogStore, Options, TokenStore};

use crate::fixture::{Fixture, SECRETS, tokens};
use crate::run::{feed, names, run};

const TOKEN_NAMES: [&str; 14] = [
    "access_token",
    "api_domain",
    "client_id",
    "client_secret",
    "created_at",
    "expiry_time",
    "extra",
    "grant_token",
    "id",
    "redirect_url",
    "refresh_token",
    "revision",
    "updated_at",
    "user_name",
];

fn rows(fixture: &Fixture) -> Vec<tokcask::Token> {
    Options::new().create(false).open(fixture.store()).unwrap().get_tokens().unwrap()
}

#[test]
fn create_makes_an_empty_private_store() {
    let fixture = Fixture::new();
    let created = fixture.json("create", &[]).ok().one();
    assert_eq!(names(&created), ["created", "uuid"]);
    assert_eq!(created["created"], true);
    assert_eq!(created["uuid"], fixture.json("stat", &[]).ok().one()["uuid"]);
    assert_eq!(created["uuid"].as_str().unwrap().len(), 36);
    let modes: Vec<_> = fixture.snapshot()[1..].iter().map(|(_, mode, _)| mode & 0o777).collect();
    assert_eq!(modes, [0o700, 0o600, 0o600]);
    assert!(rows(&fixture).is_empty());
}

#[test]
fn list_prints_every_row_oldest_first() {
    let fixture = Fixture::filled();
    let lines = fixture.json("list", &["--reveal"]).ok().json();
    assert_eq!(lines.len(), 3);
    for line in &lines {
        assert_eq!(names(line), TOKEN_NAMES);
    }
    let ids: Vec<_> = lines.iter().map(|line| line["id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["1", "2", "3"]);
    assert_eq!(lines[0]["access_token"], SECRETS[0]);
    assert_eq!(lines[0]["extra"], json!({ "scope": SECRETS[4] }));
    assert_eq!((&lines[1]["api_domain"], &lines[2]["expiry_time"]), (&Value::Null, &json!("soon")));
    assert!(Fixture::empty().json("list", &[]).ok().out.is_empty());
}

#[test]
fn get_finds_by_each_key_from_the_command_line_and_from_standard_input() {
    let fixture = Fixture::filled();
    let keys = [
        ("--id", "1"),
        ("--user-name", "ana"),
        ("--access-token", SECRETS[0]),
        ("--refresh-token", SECRETS[1]),
        ("--grant-token", SECRETS[2]),
    ];
    for (key, value) in keys {
        let given = fixture.json("get", &[key, value]).ok().one();
        assert_eq!((names(&given).as_slice(), &given["id"]), (&TOKEN_NAMES[..], &json!("1")));
        for end in ["", "\n", "\r\n"] {
            assert_eq!(fixture.feed_json("get", &[key, "-"], &format!("{value}{end}")).ok().one(), given);
        }
        fixture.feed_json("get", &[key, "-"], &format!("{value}\n\n")).code(1);
    }
}

#[test]
fn find_follows_the_precedence_of_the_library() {
    let fixture = Fixture::filled();
    let found = fixture.feed_json("find", &[], "{\"user_name\":\"ana\",\"id\":\"2\"}\n").ok().one();
    assert_eq!((names(&found).as_slice(), &found["id"]), (&TOKEN_NAMES[..], &json!("1")));
    let by_refresh = json!({ "refresh_token": SECRETS[6], "access_token": "other", "client_id": "c", "created_at": 1 });
    let found = fixture.feed_json("find", &["--reveal"], &by_refresh.to_string()).ok().one();
    assert_eq!((&found["id"], &found["access_token"]), (&json!("2"), &json!("other")), "laid over the row");
    fixture.feed_json("find", &[], "{\"user_name\":\"nobody\",\"id\":\"1\"}").code(1);
}

#[test]
fn save_adds_merges_and_clears_line_by_line() {
    let fixture = Fixture::filled();
    let lines = [
        json!({ "user_name": "dora", "refresh_token": "fake-d", "extra": { "scope": "crm" }, "revision": 99 }),
        json!({ "id": "1", "access_token": "fake-new", "client_id": "", "extra": { "scope": "" }, "updated_at": 5 }),
        json!({ "user_name": "dora", "access_token": "fake-d2", "refresh_token": null }),
    ];
    let input = lines.map(|line| format!("{line}\n")).concat();
    let saved = fixture.feed_json("save", &["--reveal"], &input).ok().json();
    let parts: Vec<_> = saved.iter().map(|row| [&row["id"], &row["revision"], &row["client_id"]]).collect();
    assert_eq!(json!(parts), json!([["4", 4, null], ["1", 5, null], ["4", 6, null]]));
    assert!(saved.iter().all(|row| names(row) == TOKEN_NAMES));
    let rows = rows(&fixture);
    assert_eq!(rows.len(), 4);
    assert_eq!((rows[0].client_id(), rows[0].extra().get("scope")), (None, None));
    assert_eq!(rows[0].refresh_token().unwrap().expose_secret(), SECRETS[1]);
    let dora = rows[3].to_builder().build();
    assert_eq!(dora.refresh_token().unwrap().expose_secret(), "fake-d");
    assert_eq!((dora.extra().get("scope"), rows[3].revision()), (Some("crm"), Some(6)));
}

#[test]
fn save_takes_values_as_long_as_the_store_does() {
    let fixture = Fixture::empty();
    let long = "ü".repeat(100_000);
    let line = json!({ "access_token": "fake", "extra": { "note": long } });
    fixture.feed_json("save", &[], &format!("{line}\n{line}")).ok();
    assert_eq!(rows(&fixture)[0].extra().get("note"), Some(long.as_str()));
}

#[test]
fn delete_and_clear_say_how_many() {
    let fixture = Fixture::filled();
    assert_eq!(fixture.json("delete", &["2"]).ok().one(), json!({ "deleted": 1 }));
    assert_eq!(rows(&fixture).len(), 2);
    assert_eq!(fixture.json("clear", &["--yes"]).ok().one(), json!({ "deleted": 2 }));
    assert_eq!(fixture.json("clear", &["--yes"]).ok().one(), json!({ "deleted": 0 }));
    assert!(rows(&fixture).is_empty());
}

#[test]
fn stat_has_the_numbers_of_the_library() {
    let fixture = Fixture::filled();
    fixture.feed_json("save", &[], "{\"id\":\"1\",\"access_token\":\"fake-new\"}").ok();
    let stat = fixture.json("stat", &[]).ok().one();
    let stats = LogStore::open(fixture.store()).unwrap().stats().unwrap();
    let numbers = json!({
        "uuid": stat["uuid"], "generation": 1, "sequence": 5, "tokens": 3, "next_id": 4,
        "log_bytes": stats.log_bytes, "live_bytes": stats.live_bytes, "dead_bytes": stats.dead_bytes,
        "dead_records": 1, "dead_since": stats.dead_since_ms, "compaction_due": null, "sync_failed": false,
        "index_bytes": stat["index_bytes"], "next_expiry": stats.next_expiry_ms,
    });
    assert_eq!(stat, numbers);
    assert!(stat["index_bytes"].as_u64() > Some(0), "it differs from run to run");
}

#[test]
fn verify_reads_a_sound_store_and_writes_nothing() {
    let fixture = Fixture::filled();
    let before = fixture.snapshot();
    let report = fixture.json("verify", &[]).ok().one();
    assert_eq!(report, json!({ "status": "clean", "frames": 4, "operations": 4, "damage": [] }));
    assert!(fixture.snapshot() == before);
}

#[test]
fn dump_prints_every_frame_and_writes_nothing() {
    let fixture = Fixture::filled();
    fixture.json("delete", &["3"]).ok();
    let before = fixture.snapshot();
    let frames = fixture.json("dump", &[]).ok().json();
    assert!(fixture.snapshot() == before);
    let mut end = 8192;
    for (frame, sequence) in frames.iter().zip(1..) {
        assert_eq!(names(frame), ["body_len", "kind", "offset", "operations", "sequence"]);
        assert_eq!((frame["offset"].as_u64(), frame["sequence"].as_u64()), (Some(end), Some(sequence)));
        assert_eq!(names(&frame["operations"][0]), ["id", "kind", "live"]);
        end += 64 + frame["body_len"].as_u64().unwrap();
    }
    let operations: Vec<_> = frames.iter().map(|frame| (&frame["kind"], &frame["operations"][0])).collect();
    let put = |id: &str, live: bool| json!(["commit", { "kind": "put", "id": id, "live": live }]);
    assert_eq!(
        json!(operations),
        json!([
            ["seal", { "kind": "sealed", "id": null, "live": false }],
            put("1", true),
            put("2", true),
            put("3", false),
            ["commit", { "kind": "delete", "id": "3", "live": false }],
        ])
    );
}

#[test]
fn compact_drops_what_is_dead() {
    let fixture = Fixture::filled();
    fixture.json("delete", &["1"]).ok();
    let log_bytes = fixture.json("stat", &[]).ok().one()["log_bytes"].clone();
    let report = fixture.json("compact", &[]).ok().one();
    assert_eq!(names(&report), ["generation", "log_bytes_after", "log_bytes_before", "tokens"]);
    let stat = fixture.json("stat", &[]).ok().one();
    let parts = [&report["tokens"], &report["generation"], &report["log_bytes_before"], &report["log_bytes_after"]];
    assert_eq!(json!(parts), json!([2, 2, log_bytes, stat["log_bytes"]]));
    let log = fs::read(fixture.log()).unwrap();
    assert!(!log.windows(SECRETS[0].len()).any(|window| window == SECRETS[0].as_bytes()));
}

#[test]
fn backup_is_a_store_with_the_same_rows() {
    let fixture = Fixture::filled();
    let dest = fixture.at("backup");
    let report = fixture.json("backup", &[&dest]).ok().one();
    assert_eq!(names(&report), ["backup", "log_bytes", "tokens"]);
    assert_eq!((report["backup"].as_str(), report["tokens"].as_u64()), (Some(dest.as_str()), Some(3)));
    assert_eq!(LogStore::open(&dest).unwrap().get_tokens().unwrap(), rows(&fixture));
}

#[test]
fn adopt_accepts_a_log_that_was_put_back() {
    let fixture = Fixture::filled();
    assert_eq!(
        fixture.json("adopt", &[]).ok().one(),
        json!({ "adopted": false, "reason": null, "tokens": 3, "generation": 1 })
    );
    let older = fs::read(fixture.log()).unwrap();
    fixture.json("clear", &["--yes"]).ok();
    fixture.json("compact", &[]).ok();
    fs::write(fixture.log(), older).unwrap();
    fixture.json("list", &[]).code(3);
    let report = fixture.json("adopt", &[]).ok().one();
    assert_eq!((&report["adopted"], &report["tokens"]), (&json!(true), &json!(3)));
    assert!(report["reason"].is_string());
    assert_eq!(fixture.json("list", &[]).ok().json().len(), 3);
    fixture.json("verify", &[]).ok();
}

#[test]
fn completions_name_the_commands() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = run(&["completions", shell]).ok().out;
        assert!(["salvage", "on-clash", "reveal"].iter().all(|word| script.contains(word)), "{shell}");
    }
}

#[test]
fn every_command_has_help_with_an_example_of_itself() {
    let help = run(&["--help"]).ok().out;
    let commands: Vec<_> = help.lines().skip_while(|line| *line != "Commands:").skip(1).collect();
    let commands: Vec<_> = commands.iter().map_while(|line| line.split_whitespace().next()).collect();
    assert_eq!(commands.len(), 25, "{commands:?}");
    assert!(help.contains("Example: tokcask "));
    for command in commands.into_iter().filter(|command| *command != "help") {
        let help = run(&[command, "--help"]).ok().out;
        let example = help.lines().find(|line| line.starts_with("Example: ")).expect(command);
        assert!(example.contains(&format!("tokcask {command} ")), "{example}");
        assert!(help.lines().all(|line| line.chars().count() <= 120), "{help}");
    }
}

#[test]
fn the_flags_may_stand_anywhere() {
    let fixture = Fixture::filled();
    let store = fixture.store();
    let lines: [&[&str]; 3] = [
        &["--json", "--reveal", "list", &store],
        &["list", "--reveal", &store, "--json"],
        &["list", &store, "--reveal", "--json"],
    ];
    let outputs = lines.map(|line| run(line).ok().out);
    assert!(outputs[0].contains(SECRETS[0]) && outputs[0] == outputs[1] && outputs[0] == outputs[2]);
}

#[test]
fn a_listing_that_is_fed_back_changes_nothing_and_a_masked_one_is_refused() {
    let fixture = Fixture::filled();
    let listing = fixture.json("list", &["--reveal"]).ok().out;
    let other = Fixture::empty();
    feed(&["save", &other.store()], &listing).ok();
    assert_eq!(rows(&other), rows(&fixture));
    let masked = fixture.json("list", &[]).ok().out;
    let ran = fixture.feed_json("save", &[], &masked).code(3);
    assert_eq!(ran.error()["saved"], 0);
    let plain: Vec<_> = tokens().iter().map(|token| token.user_name().map(str::to_owned)).collect();
    assert_eq!(rows(&fixture).iter().map(|row| row.user_name().map(str::to_owned)).collect::<Vec<_>>(), plain);
    let store = LogStore::open(fixture.store()).unwrap();
    assert!(store.get(Key::AccessToken(SECRETS[0])).unwrap().is_some());
}
