//! Damaged stores are reported in full, dumped as far as they can be read, salvaged, and never changed by any of it.
//!
//! Method: one bit of a known frame is turned around; the reports are compared with what that frame held.

use serde_json::json;
use tokcask::{LogStore, Options, TokenStore};

use crate::fixture::Fixture;
use crate::run::names;

/// Where each frame begins: a seal, then the puts of rows 1 to 3.
fn offsets(fixture: &Fixture) -> Vec<usize> {
    let frames = fixture.json("dump", &[]).ok().json();
    frames.iter().map(|frame| usize::try_from(frame["offset"].as_u64().unwrap()).unwrap()).collect()
}

#[test]
fn verify_lists_the_damage_and_is_3() {
    let fixture = Fixture::filled();
    let at = offsets(&fixture)[2];
    fixture.flip(at + 70);
    let before = fixture.snapshot();
    let ran = fixture.json("verify", &[]).code(3);
    let report = ran.one();
    assert_eq!(names(&report), ["damage", "frames", "operations", "status"]);
    assert_eq!((&report["status"], &report["frames"]), (&json!("corrupt"), &json!(3)));
    assert_eq!((report["damage"].as_array().unwrap().len(), &report["damage"][0]["offset"]), (1, &json!(at)));
    assert_eq!(names(&report["damage"][0]), ["offset", "reason"]);
    let error = ran.error();
    assert_eq!(
        (&error["error"], &error["offset"], error["path"].as_str()),
        (&json!("corrupt"), &json!(at), fixture.log().to_str())
    );

    let text = fixture.text("verify", &[]).code(3);
    assert!(text.out.starts_with("status      corrupt\n") && text.out.contains(&at.to_string()), "{text:?}");
    assert!(fixture.snapshot() == before, "verify wrote");
}

#[test]
fn dump_prints_the_good_frames_and_is_3_with_the_first_damage() {
    let fixture = Fixture::filled();
    let at = offsets(&fixture);
    fixture.flip(at[2] + 70);
    let before = fixture.snapshot();
    let ran = fixture.json("dump", &[]).code(3);
    let frames: Vec<_> = ran.json().iter().map(|frame| frame["offset"].clone()).collect();
    assert_eq!(json!(frames), json!([at[0], at[1], at[3]]));
    assert_eq!((&ran.error()["error"], &ran.error()["offset"]), (&json!("corrupt"), &json!(at[2])));
    fixture.text("dump", &[]).code(3);
    assert!(fixture.snapshot() == before, "dump wrote");
}

#[test]
fn dump_without_a_header_is_3() {
    let fixture = Fixture::filled();
    fixture.flip(20);
    fixture.flip(4096 + 20);
    let ran = fixture.json("dump", &[]).code(3);
    assert_eq!((ran.out.as_str(), &ran.error()["error"]), ("", &json!("corrupt")));
}

#[test]
fn salvage_saves_the_valid_rows_and_lists_what_is_lost() {
    let fixture = Fixture::filled();
    let at = offsets(&fixture);
    // The header of row 2's frame: its length is not believed, and its row is searched for.
    fixture.flip(at[2] + 8);
    fixture.flip(at[2] + 64 + 8);
    let before = fixture.snapshot();
    let dest = fixture.at("salvaged");
    let report = fixture.json("salvage", &[&dest]).ok().one();
    assert_eq!(
        names(&report),
        ["copied", "end_unproved", "lost", "maybe_stale", "missing_sequences", "salvage", "tokens", "torn_tail"]
    );
    let parts = [&report["tokens"], &report["missing_sequences"], &report["copied"], &report["torn_tail"]];
    assert_eq!(json!(parts), json!([2, [{ "first": 3, "last": 3 }], null, null]));
    assert_eq!(report["salvage"], dest);
    assert_eq!(names(&report["lost"][0]), ["end", "start"]);
    assert_eq!(
        (&report["lost"][0]["start"], report["maybe_stale"].as_array().unwrap()[0].as_str()),
        (&json!(at[2]), Some("1"))
    );
    let rows = LogStore::open(&dest).unwrap().get_tokens().unwrap();
    assert_eq!(rows.iter().map(|row| row.id().unwrap()).collect::<Vec<_>>(), ["1", "3"]);
    assert!(before.iter().all(|was| fixture.snapshot().contains(was)), "salvage changed the damaged store");

    let text = fixture.text("salvage", &[&fixture.at("again")]).ok().out;
    assert!(text.contains("missing: frame 3\n") && text.contains(&format!("lost: offsets {} to ", at[2])), "{text}");
    assert!(text.ends_with("in what is lost:\n  1\n"), "{text}");
}

#[test]
fn salvage_of_a_sound_store_loses_nothing() {
    let fixture = Fixture::filled();
    let dest = fixture.at("salvaged");
    assert_eq!(fixture.text("salvage", &[&dest]).ok().out, format!("salvaged 3 tokens to {dest}\nnothing is lost\n"));
    assert_eq!(Options::new().verify(&dest).unwrap().damage, []);
}
