//! `expiring` lists tokens by their end, `sweep` deletes those that a condition is met by, and says which.
//!
//! Method: expiries lie decades away from now, and limits are nothing or decades, so that no clock decides.

use serde_json::{Value, json};
use tokcask::{LogStore, Token, TokenStore};

use crate::fixture::Fixture;
use crate::run::names;

/// Of 2020, 2052 and 2084.
const EXPIRIES_MS: [&str; 3] = ["1600000000000", "2600000000000", "3600000000000"];

/// Four that expire, not in order; two that do not; the second has a refresh token.
fn filled() -> Fixture {
    let fixture = Fixture::empty();
    let store = LogStore::open(fixture.store()).unwrap();
    let row = |user: &str| Token::builder().user_name(user).access_token(format!("fake-access-{user}"));
    for token in [
        row("late").expiry_time(EXPIRIES_MS[2]),
        row("kept").expiry_time(EXPIRIES_MS[0]).refresh_token("fake-refresh"),
        row("over").expiry_time(EXPIRIES_MS[0]),
        row("soon").expiry_time(EXPIRIES_MS[1]),
        row("never"),
        row("unread").expiry_time("soon"),
    ] {
        store.save_token(&token.build()).unwrap();
    }
    store.close().unwrap();
    fixture
}

fn ids(fixture: &Fixture) -> Vec<String> {
    let rows = LogStore::open(fixture.store()).unwrap().get_tokens().unwrap();
    rows.iter().map(|row| row.id().unwrap().to_owned()).collect()
}

fn expiring(fixture: &Fixture, args: &[&str]) -> Vec<Value> {
    let lines = fixture.json("expiring", args).ok().json();
    for line in &lines {
        assert_eq!(names(line), ["expiry_time", "has_refresh_token", "id", "user_name"]);
    }
    lines.iter().map(|line| line["id"].clone()).collect()
}

#[test]
fn expiring_lists_the_soonest_first() {
    let fixture = filled();
    assert_eq!(expiring(&fixture, &[]), ["2", "3", "4", "1"]);
    let first = fixture.json("expiring", &[]).ok().json().remove(0);
    let expected = json!({
        "id": "2", "user_name": "kept", "expiry_time": EXPIRIES_MS[0], "has_refresh_token": true,
    });
    assert_eq!(first, expected);
    let text = fixture.text("expiring", &[]).ok().out;
    let cells = |line: &'_ str| -> Vec<String> {
        line.split("  ").filter(|cell| !cell.is_empty()).map(|cell| cell.trim().to_owned()).collect()
    };
    let lines: Vec<_> = text.lines().map(cells).collect();
    assert_eq!(lines[0], ["id", "user name", "expiry", "date", "refresh"]);
    assert!(lines[1][2].starts_with("expired ") && lines[3][2].starts_with("in "), "{text}");
    assert_eq!(lines[1][3..], ["2020-09-13 12:26:40 UTC", "yes"]);
    assert_eq!(lines[2][3..], ["2020-09-13 12:26:40 UTC", "no"]);
    assert!(Fixture::empty().json("expiring", &[]).ok().out.is_empty());
}

#[test]
fn expiring_ends_before_an_instant_or_within_a_time() {
    let fixture = filled();
    for before in [EXPIRIES_MS[1], "2052-05-22T14:13:20Z", "2052-05-22T16:13:20+02:00"] {
        assert_eq!(expiring(&fixture, &["--before", before]), ["2", "3"], "{before}");
    }
    assert_eq!(expiring(&fixture, &["--before", "2600000000001"]), ["2", "3", "4"]);
    assert_eq!(expiring(&fixture, &["--before", "2052-05-22T14:13:20.001Z"]), ["2", "3", "4"]);
    assert!(expiring(&fixture, &["--before", "0"]).is_empty());
    assert_eq!(expiring(&fixture, &["--within", "0s"]), ["2", "3"], "those that have");
    assert_eq!(expiring(&fixture, &["--within", "1h"]), ["2", "3"]);
    assert_eq!(expiring(&fixture, &["--within", "7304484d"]).len(), 4, "20,000 years");
}

#[test]
fn expiring_shows_no_secret_even_if_all_others_are_revealed() {
    let fixture = filled();
    for args in [&["--reveal"][..], &["--reveal", "--json"]] {
        assert!(!fixture.text("expiring", args).ok().out.contains("fake"));
    }
}

#[test]
fn sweep_spares_refresh_tokens_and_a_dry_run_deletes_nothing() {
    let fixture = filled();
    let row = |id: &str, user: &str, refresh: bool| json!({ "id": id, "user_name": user, "reason": "expired", "had_refresh_token": refresh });
    let report = |dry_run: bool, examined: u64, swept: &[Value], spared: u64| json!({ "dry_run": dry_run, "examined": examined, "swept": swept, "spared": spared, "moved_on": 0 });
    let sweep = |args: &[&str]| fixture.json("sweep", &[&["--expired-for", "30d"], args].concat()).ok().one();
    let (over, kept) = (row("3", "over", false), row("2", "kept", true));
    assert_eq!(sweep(&["--dry-run"]), report(true, 6, std::slice::from_ref(&over), 1));
    assert_eq!(sweep(&["--dry-run", "--with-refresh-token"]), report(true, 6, &[kept.clone(), over.clone()], 0));
    assert_eq!(ids(&fixture).len(), 6);
    assert_eq!(sweep(&[]), report(false, 6, &[over], 1));
    assert_eq!(ids(&fixture), ["1", "2", "4", "5", "6"]);
    assert_eq!(sweep(&["--with-refresh-token"]), report(false, 5, &[kept], 0));
    assert_eq!(sweep(&["--with-refresh-token"]), report(false, 4, &[], 0));
    assert_eq!(ids(&fixture), ["1", "4", "5", "6"]);
}

#[test]
fn sweep_takes_each_condition_and_any_of_several() {
    let fixture = filled();
    let reasons = |args: &[&str]| {
        let report = fixture.json("sweep", &[args, &["--dry-run"]].concat()).ok().one();
        let reasons = report["swept"].as_array().unwrap().iter().map(|row| row["reason"].as_str().unwrap().to_owned());
        reasons.collect::<Vec<_>>()
    };
    assert_eq!(reasons(&["--older-than", "0s"]), ["age"; 5]);
    assert_eq!(reasons(&["--idle-for", "0s"]), ["idle"; 5]);
    assert_eq!(reasons(&["--idle-for", "0s", "--older-than", "36500d"]), ["idle"; 5]);
    assert_eq!(reasons(&["--expired-for", "0s", "--idle-for", "36500d"]), ["expired"]);
    assert!(reasons(&["--expired-for", "36500d", "--older-than", "36500d", "--idle-for", "36500d"]).is_empty());
    assert_eq!(ids(&fixture).len(), 6);
}

#[test]
fn sweep_tells_people_who_is_gone() {
    let fixture = filled();
    let swept = ["", "id  user name  why      refresh", "3   over       expired  no", ""].join("\n");
    let dry = fixture.text("sweep", &["--expired-for", "30d", "--dry-run"]).ok().out;
    assert_eq!(dry, format!("would delete  1\nspared        1\nmoved on      0\nexamined      6\n{swept}"));
    let done = fixture.text("sweep", &["--expired-for", "30d"]).ok().out;
    assert_eq!(done, format!("deleted   1\nspared    1\nmoved on  0\nexamined  6\n{swept}"));
    let again = fixture.text("sweep", &["--expired-for", "30d"]).ok().out;
    assert_eq!(again, "deleted   0\nspared    1\nmoved on  0\nexamined  5\n");
}

#[test]
fn sweep_of_a_damaged_store_is_3_and_deletes_nothing() {
    let fixture = filled();
    let before = ids(&fixture);
    let frames = fixture.json("dump", &[]).ok().json();
    let last = usize::try_from(frames.last().unwrap()["offset"].as_u64().unwrap()).unwrap();
    fixture.flip(last + 100);
    for more in [&["--dry-run"][..], &[]] {
        let ran = fixture.json("sweep", &[&["--expired-for", "30d"], more].concat()).code(3);
        assert_eq!((ran.error()["error"].as_str(), ran.out.as_str()), (Some("corrupt"), ""));
    }
    fixture.flip(last + 100);
    assert_eq!(ids(&fixture), before);
}
