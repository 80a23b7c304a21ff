//! Accepting a log that was put back: what the lock file knew of is lost, and nothing of it is ever given again.
//!
//! Method: each way to come to `Copied` on the simulated storage, adopted, and adopted with a crash at each call.

mod sim;

use std::path::Path;
use std::sync::Arc;

use sim::{Damage, Fault, Plan, Sim};
use tokcask::{
    AdoptReport, ErrorKind, LogStore, Options, ReadMode, Result, Token, TokenStore, VerifyStatus, adopt_on, open_on,
};

const STORE: &str = "/store";
/// In `store.lock`.
const SYNC_FAILED_AT: usize = 16;

fn options() -> Options {
    Options::new().background(false).read_mode(ReadMode::Copy)
}

fn open(sim: &Sim) -> Result<LogStore> {
    open_on(&options(), Arc::new(sim.clone()), Path::new(STORE))
}

fn adopt(sim: &Sim) -> Result<AdoptReport> {
    adopt_on(&options(), Arc::new(sim.clone()), Path::new(STORE))
}

fn log(sim: &Sim) -> Vec<u8> {
    sim.content(Path::new(STORE), "store.log").unwrap()
}

fn save(store: &LogStore, user: &str) -> Token {
    store.save_token(&Token::builder().user_name(user).refresh_token(format!("fake-{user}")).build()).unwrap()
}

fn users(store: &LogStore) -> Vec<String> {
    store.get_tokens().unwrap().iter().map(|row| row.user_name().unwrap().to_owned()).collect()
}

/// What was lost, as a client may still hold it.
#[derive(Clone)]
struct Lost {
    next_id: u64,
    next_revision: u64,
    /// Should somebody find it again.
    log: Vec<u8>,
}

/// A store whose log was replaced by an older one; then it had `kept` alone.
#[derive(Clone)]
struct Case {
    name: &'static str,
    reason: &'static str,
    sim: Sim,
    kept: Vec<String>,
    lost: Lost,
}

fn case(name: &'static str, reason: &'static str, change: impl FnOnce(&Sim) -> (Vec<String>, Lost)) -> Case {
    let sim = Sim::new();
    let (kept, lost) = change(&sim);
    let sim = sim.kill();
    assert_eq!(open(&sim).unwrap_err().kind(), ErrorKind::Copied, "{name}");
    Case { name, reason, sim, kept, lost }
}

/// Saves some, hands over, saves more, and says what the counters came to.
fn grow(sim: &Sim, between: impl FnOnce(&LogStore)) -> (Vec<String>, Lost) {
    let store = open(sim).unwrap();
    save(&store, "ann");
    save(&store, "bob");
    let kept = users(&store);
    between(&store);
    // Long enough for the older log, with its room, to be shorter.
    for number in 0..200 {
        let token = Token::builder().user_name(format!("more{number}")).access_token("x".repeat(2000)).build();
        store.save_token(&token).unwrap();
    }
    let stats = store.stats().unwrap();
    store.close().unwrap();
    let log = log(sim);
    (kept, Lost { next_id: stats.next_id, next_revision: stats.next_revision, log })
}

fn cases() -> Vec<Case> {
    let older = case("an older state of the same log", "it is shorter than what was already durable", |sim| {
        let mut old = Vec::new();
        let grown = grow(sim, |_| old = log(sim));
        sim.set_content(Path::new(STORE), "store.log", &old);
        grown
    });
    let generation = case("a log from before a compaction", "it is of an earlier generation", |sim| {
        let mut old = Vec::new();
        let grown = grow(sim, |store| {
            old = log(sim);
            store.compact().unwrap();
            store.compact().unwrap();
        });
        sim.set_content(Path::new(STORE), "store.log", &old);
        grown
    });
    let cut = case("a log that was cut off", "it is shorter than what was already durable", |sim| {
        let mut end = 0;
        let grown = grow(sim, |store| end = usize::try_from(store.stats().unwrap().log_bytes).unwrap());
        let whole = log(sim);
        sim.set_content(Path::new(STORE), "store.log", &whole[..end + 100]);
        grown
    });
    let foreign = case("the log of another store", "it is the log of another store", |sim| {
        let other = Sim::with_seed(2);
        let store = open(&other).unwrap();
        save(&store, "cid");
        let kept = users(&store);
        store.close().unwrap();
        let (_, lost) = grow(sim, |_| {});
        sim.set_content(Path::new(STORE), "store.log", &log(&other));
        (kept, Lost { next_id: 2, next_revision: 2, ..lost })
    });
    // So little that what an adoption might append would make it as long as it was.
    let little = case("a log that was cut off a little", "it is shorter than what was already durable", |sim| {
        let store = open(sim).unwrap();
        save(&store, "ann");
        let kept = users(&store);
        save(&store, "bob");
        let stats = store.stats().unwrap();
        store.close().unwrap();
        let whole = log(sim);
        let end = usize::try_from(stats.log_bytes).unwrap();
        sim.set_content(Path::new(STORE), "store.log", &whole[..end - 20]);
        (kept, Lost { next_id: stats.next_id, next_revision: stats.next_revision, log: whole })
    });
    // Its slots are gone: what its torn end gave, only the end itself can tell.
    let foreign_cut = case("the log of another store, cut off", "it is the log of another store", |sim| {
        let other = Sim::with_seed(3);
        let store = open(&other).unwrap();
        save(&store, "cid");
        let kept = users(&store);
        store.save_tokens(&["dan", "eve", "fay"].map(|user| Token::builder().access_token(user).build())).unwrap();
        let stats = store.stats().unwrap();
        store.close().unwrap();
        let (_, lost) = grow(sim, |_| {});
        let end = usize::try_from(stats.log_bytes).unwrap();
        sim.set_content(Path::new(STORE), "store.log", &log(&other)[..end - 20]);
        (kept, Lost { next_id: stats.next_id, next_revision: stats.next_revision, ..lost })
    });
    vec![older, generation, cut, foreign, little, foreign_cut]
}

/// Opens what was adopted, and looks whether it keeps what it should and gives nothing again.
fn check(case: &Case, sim: &Sim) {
    let store = open(sim).unwrap_or_else(|error| panic!("{}: {error}", case.name));
    assert_eq!(users(&store), case.kept, "{}", case.name);
    assert_eq!(store.verify().unwrap().status, VerifyStatus::Clean, "{}", case.name);
    let saved = save(&store, "new");
    let id: u64 = saved.id().unwrap().parse().unwrap();
    assert!(id >= case.lost.next_id, "{}: id {id} was given before", case.name);
    assert!(saved.revision().unwrap() >= case.lost.next_revision, "{}", case.name);
    drop(store);
    assert!(open(&sim.power_loss(Damage::Mixed, 7)).is_ok(), "{}", case.name);
}

#[test]
fn what_was_put_back_is_the_store_again() {
    for case in cases() {
        let sim = case.sim.kill();
        let before = log(&sim);
        let report = adopt(&sim).unwrap();
        assert_eq!(report.reason, Some(case.reason), "{}", case.name);
        assert_eq!(report.tokens, case.kept.len() as u64, "{}", case.name);
        assert_eq!(report.recovered.is_some(), case.name.contains("cut off"), "{}", case.name);
        if let Some(tail) = report.recovered {
            let last = before.iter().rposition(|byte| *byte != 0).unwrap() as u64;
            assert_eq!(tail.offset + tail.bytes_cut, last + 1, "{}", case.name);
        }
        check(&case, &sim.kill());
        assert!(log(&sim) != before, "a new file: the old one, put back again, is noticed");
        let sim = case.sim.kill();
        adopt(&sim).unwrap();
        sim.set_content(Path::new(STORE), "store.log", &before);
        assert_eq!(open(&sim.kill()).unwrap_err().kind(), ErrorKind::Copied, "{}", case.name);
        let again = adopt(&sim.kill()).unwrap();
        assert_eq!(again.tokens, case.kept.len() as u64);
        let sim = case.sim.kill();
        adopt(&sim).unwrap();
        sim.set_content(Path::new(STORE), "store.log", &case.lost.log);
        let found = open(&sim.kill()).map(drop).map_err(|error| error.kind());
        assert_eq!(found, Err(ErrorKind::Copied), "{}: the lost log is not the store's any more", case.name);
    }
}

#[test]
fn an_adoption_that_is_stopped_anywhere_can_be_done_again_or_is_done() {
    // A sync may have failed before the log was put back: then an open would go on in a new file by itself.
    for (case, sync_failed) in cases().into_iter().flat_map(|case| [(case.clone(), false), (case, true)]) {
        if sync_failed {
            let mut lock = case.sim.content(Path::new(STORE), "store.lock").unwrap();
            lock[SYNC_FAILED_AT] = 1;
            case.sim.set_content(Path::new(STORE), "store.lock", &lock);
        }
        let dry = case.sim.kill();
        let first = dry.calls();
        adopt(&dry).unwrap();
        let mut images = 0;
        for call in first..dry.calls() {
            let crashing = case.sim.kill();
            crashing.set_plan(Some(Plan::at(call, Fault::Crash)));
            let _ = adopt(&crashing);
            for image in [crashing.kill(), crashing.power_loss(Damage::Mixed, call)] {
                images += 1;
                match open(&image) {
                    Err(error) if error.kind() == ErrorKind::Copied => {
                        let image = image.kill();
                        adopt(&image).unwrap_or_else(|error| panic!("{}, call {call}: {error}", case.name));
                        check(&case, &image.kill());
                    }
                    Err(error) => panic!("{}, call {call}: {error}", case.name),
                    Ok(store) => {
                        drop(store);
                        check(&case, &image.kill());
                    }
                }
            }
        }
        println!("{}: {images} images", case.name);
        assert!(images > 40, "{images}");
    }
}

#[test]
fn an_older_log_whose_room_reaches_past_the_newer_end_is_adopted_too() {
    let sim = Sim::new();
    let store = open(&sim).unwrap();
    save(&store, "ann");
    let (kept, older) = (users(&store), log(&sim));
    save(&store, "bob");
    let stats = store.stats().unwrap();
    store.close().unwrap();
    let lost = Lost { next_id: stats.next_id, next_revision: stats.next_revision, log: log(&sim) };
    drop(store);
    sim.set_content(Path::new(STORE), "store.log", &older);
    let sim = sim.kill();
    assert_eq!(open(&sim).unwrap_err().kind(), ErrorKind::Corrupt, "it could as well be a lost end");
    let reason = "it ends before what was already durable";
    assert_eq!(adopt(&sim).unwrap().reason, Some(reason));
    check(&Case { name: "room", reason, sim: sim.clone(), kept, lost }, &sim.kill());
}

#[test]
fn a_store_that_opens_is_left_as_it_is() {
    let sim = Sim::new();
    grow(&sim, |_| {});
    let before = log(&sim);
    let report = adopt(&sim).unwrap();
    assert_eq!((report.reason, report.generation, report.tokens), (None, 1, 202));
    assert!(log(&sim) == before);
}

#[test]
fn damage_a_lost_log_and_nothing_are_no_log_to_adopt() {
    let sim = Sim::new();
    assert_eq!(adopt(&sim).unwrap_err().kind(), ErrorKind::NotAStore);
    assert_eq!(sim.names(Path::new(STORE)), Vec::<String>::new());
    grow(&sim, |_| {});
    let mut damaged = log(&sim);
    damaged[9000] ^= 1;
    let image = sim.kill();
    image.set_content(Path::new(STORE), "store.log", &damaged);
    assert_eq!(adopt(&image).unwrap_err().kind(), ErrorKind::Corrupt);
    assert!(log(&image) == damaged);
    sim.remove(Path::new(STORE), "store.log");
    assert_eq!(adopt(&sim.kill()).unwrap_err().kind(), ErrorKind::Copied);
}

#[test]
fn an_adoption_without_room_changes_nothing_that_counts() {
    for case in cases() {
        let sim = case.sim.kill();
        sim.set_quota(Some(sim.used()));
        let refused = adopt(&sim).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::NoSpace, "{}", case.name);
        sim.set_quota(None);
        let sim = sim.kill();
        assert_eq!(open(&sim).unwrap_err().kind(), ErrorKind::Copied, "{}", case.name);
        adopt(&sim.kill()).unwrap();
    }
}

#[test]
fn whoever_adopts_is_alone() {
    let sim = Sim::new();
    let store = open(&sim).unwrap();
    save(&store, "ann");
    assert_eq!(adopt(&sim).unwrap_err().kind(), ErrorKind::Locked);
    save(&store, "bob");
    drop(store);
    assert_eq!(adopt(&sim).unwrap().tokens, 2);
}
