//! What people see: aligned tables, dates, distances, pictures; nothing that could steer their terminal.
//!
//! Method: whole outputs of known stores are compared, with what changes from run to run cut out.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::json;
use tokcask::{LogStore, Token, TokenStore};

use crate::fixture::Fixture;
use crate::run::feed;

fn save(fixture: &Fixture, token: &Token) {
    LogStore::open(fixture.store()).unwrap().save_token(token).unwrap();
}

fn in_seconds(seconds: i64) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    now.as_millis().checked_add_signed(i128::from(seconds) * 1000).unwrap().to_string()
}

#[test]
fn a_list_is_aligned_whatever_the_script() {
    let fixture = Fixture::empty();
    let secret = "1000.fakefakefakefakefakefakefake0a1b2";
    save(
        &fixture,
        &Token::builder().user_name("ana").access_token(secret).expiry_time(in_seconds(41 * 60 + 40)).build(),
    );
    save(
        &fixture,
        &Token::builder().user_name("日本語").refresh_token("fake").expiry_time(in_seconds(-3 * 86_400)).build(),
    );
    save(&fixture, &Token::builder().user_name("Zoe\u{308}").grant_token(secret).expiry_time("soon").build());
    let out = fixture.text("list", &[]).ok().out;
    let columns: Vec<Vec<usize>> = out.lines().map(starts).collect();
    for row in &columns {
        assert!(row.iter().all(|start| columns[0].contains(start)), "not aligned:\n{out}");
    }
    assert!(out.contains("  in 41 min\n") && out.contains("  expired 3 d ago\n") && out.contains("  soon\n"), "{out}");
    assert!(out.contains("1000.…a1b2"), "{out}");
}

/// Where the cells of a line begin on the screen: after two blanks or more.
fn starts(line: &str) -> Vec<usize> {
    let mut starts = vec![0];
    let (mut at, mut blanks) = (0, 0);
    for character in line.chars() {
        if character != ' ' && blanks >= 2 {
            starts.push(at);
        }
        blanks = if character == ' ' { blanks + 1 } else { 0 };
        at += unicode_width::UnicodeWidthChar::width(character).unwrap_or(0);
    }
    starts
}

#[test]
fn a_token_is_a_table_of_what_it_has() {
    let fixture = Fixture::filled();
    let out = fixture.text("get", &["--id", "1"]).ok().out;
    let names: Vec<_> = out.lines().map(|line| line.split("  ").next().unwrap()).collect();
    let expected = "id user_name client_id client_secret refresh_token access_token grant_token expiry_time redirect_url \
                    api_domain";
    let expected: Vec<_> = expected.split(' ').chain(["extra scope", "created_at", "updated_at", "revision"]).collect();
    assert_eq!(names, expected);
    assert!(out.lines().all(|line| starts(line).get(1) == Some(&15)), "{out}");
    assert!(out.contains("\nexpiry_time    1600000000000 (expired "), "{out}");
    assert!(out.contains("\nrefresh_token  1000.…fana\n"), "{out}");
    let created = out.lines().find(|line| line.starts_with("created_at")).unwrap();
    assert!(created.ends_with(" UTC") && created.contains("20"), "{created}");
    assert!(!fixture.text("get", &["--id", "2"]).ok().out.contains("client"));
}

#[test]
fn nothing_from_a_store_reaches_the_terminal_raw() {
    let fixture = Fixture::empty();
    let nasty = "a\u{1b}]0;x\u{7}\n\r\t\u{9b}2J\u{202e}\u{200b}\u{2028}\0b";
    let line = json!({
        "id": nasty, "user_name": nasty, "client_id": nasty, "client_secret": nasty, "access_token": nasty,
        "refresh_token": nasty, "grant_token": nasty, "expiry_time": nasty, "redirect_url": nasty, "api_domain": nasty,
        "extra": { nasty: nasty },
    });
    let harmless = |out: &str| {
        let raw = out.chars().find(|character| {
            (character.is_control() && *character != '\n') || "\u{202e}\u{200b}\u{2028}".contains(*character)
        });
        assert_eq!(raw, None, "{out:?}");
    };
    harmless(&feed(&["save", &fixture.store(), "--reveal"], &format!("{line}\n")).ok().out);
    for (command, args) in [("list", &["--reveal"][..]), ("dump", &[]), ("stat", &[])] {
        let out = fixture.text(command, args).ok().out;
        harmless(&out);
        assert!(command == "stat" || out.contains("\\u{1b}"), "{out}");
    }
    harmless(&feed(&["get", &fixture.store(), "--id", "-", "--reveal"], nasty).ok().out);
    let file = fixture.file("clash", format!("{line}\n"));
    let clash = fixture.text("import", &["--from", "json", &file]).code(3);
    harmless(&clash.err);
    let path = fixture.at("no\u{1b}[2Jthing");
    harmless(&crate::run::run(&["list", &path]).code(4).err);
}

#[test]
fn stat_and_dump_draw_live_and_dead_bytes_along_the_log() {
    let fixture = Fixture::empty();
    let long = "v".repeat(2000);
    for round in 0..20 {
        save(&fixture, &Token::builder().id((round % 10).to_string()).access_token("fake").extra("v", &long).build());
    }
    for command in ["stat", "dump"] {
        let out = fixture.text(command, &[]).ok().out;
        let picture = out.lines().find(|line| line.starts_with("8.0 KiB [")).expect("a picture");
        let drawn: Vec<_> = picture.chars().collect();
        let first_live = drawn.iter().position(|cell| *cell == '█').unwrap();
        let last_dead = drawn.iter().rposition(|cell| *cell == '░').unwrap();
        assert!(last_dead < first_live, "dead in front of live: {picture}");
        let count = |shade| drawn.iter().filter(|cell| **cell == shade).count();
        assert!(count('█').abs_diff(count('░')) <= 2 && count('█') >= 10, "{picture}");
        assert!(out.ends_with("█ live  ▒ half  ░ dead\n"), "{out}");
    }
    let dump = fixture.text("dump", &[]).ok().out;
    assert!(dump.contains("  put 0 (dead)\n") && dump.contains("  put 9\n") && dump.contains("  sealed\n"), "{dump}");
}

#[test]
fn a_frame_of_many_operations_is_one_line() {
    let fixture = Fixture::empty();
    let store = LogStore::open(fixture.store()).unwrap();
    let tokens: Vec<_> = (0..19).map(|id| Token::builder().id(id.to_string()).access_token("fake").build()).collect();
    store.save_tokens(&tokens).unwrap();
    store.close().unwrap();
    let out = fixture.text("dump", &[]).ok().out;
    assert!(out.contains("put 6, put 7, and 11 more, 11 of them live\n"), "{out}");
}
