//! Which rows a sweep takes: each condition to the millisecond, what is spared, what a dry run leaves alone.
//!
//! Method: a store on the simulated storage, whose clock shows what the test says.

mod sim;

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use sim::{Call, Sim};
use tokcask::{
    ErrorKind, Key, LogStore, Options, ReadMode, SweepPolicy, SweepReason, SweepReport, Token, TokenBuilder,
    TokenStore, open_on,
};

const STORE: &str = "/store";
const START_MS: u64 = 1_700_000_000_000;
const LIMIT_MS: u64 = 10_000;
const LIMIT: Option<Duration> = Some(Duration::from_millis(LIMIT_MS));
const NOW: Option<Duration> = Some(Duration::ZERO);
const NOTHING: SweepPolicy =
    SweepPolicy { expired_for: None, age_max: None, idle_max: None, with_refresh_token: false, dry_run: false };
const EVERYTHING: SweepPolicy =
    SweepPolicy { expired_for: NOW, age_max: NOW, idle_max: NOW, with_refresh_token: true, dry_run: false };

fn options() -> Options {
    Options::new().background(false).read_mode(ReadMode::Copy)
}

fn open(sim: &Sim, options: &Options) -> LogStore {
    open_on(options, Arc::new(sim.clone()), Path::new(STORE)).unwrap()
}

/// A store whose clock stands at the start.
fn fresh() -> (Sim, LogStore) {
    let sim = Sim::new();
    sim.stop_clock_at(START_MS);
    let store = open(&sim, &options());
    (sim, store)
}

fn row(user: &str) -> TokenBuilder {
    Token::builder().user_name(user).access_token(format!("fake-{user}"))
}

fn save(store: &LogStore, token: TokenBuilder) {
    store.save_token(&token.build()).unwrap();
}

/// Users and why they are gone.
fn swept(report: &SweepReport) -> Vec<(&str, SweepReason)> {
    assert!(report.stopped.is_none() && report.moved_on == 0, "{report:?}");
    report.swept.iter().map(|row| (row.user_name.as_deref().unwrap(), row.reason)).collect()
}

fn users(store: &LogStore) -> Vec<String> {
    store.get_tokens().unwrap().iter().map(|row| row.user_name().unwrap().to_owned()).collect()
}

/// The only row goes when the clock shows this, and not a millisecond before.
#[track_caller]
fn check_boundary(sim: &Sim, store: &LogStore, policy: SweepPolicy, first_ms: u64, reason: SweepReason) {
    for dry_run in [true, false] {
        let policy = SweepPolicy { dry_run, ..policy };
        sim.stop_clock_at(first_ms - 1);
        assert_eq!(swept(&store.sweep(&policy).unwrap()), []);
        sim.stop_clock_at(first_ms);
        assert_eq!(swept(&store.sweep(&policy).unwrap()), [("ana", reason)]);
    }
    assert!(users(store).is_empty());
}

#[test]
fn an_expired_row_goes_from_its_limit_on() {
    let (sim, store) = fresh();
    save(&store, row("ana").expiry_time((START_MS + 5).to_string()));
    let policy = SweepPolicy { expired_for: LIMIT, ..NOTHING };
    check_boundary(&sim, &store, policy, START_MS + 5 + LIMIT_MS, SweepReason::Expired);
    save(&store, row("ana").expiry_time((START_MS + 7).to_string()));
    check_boundary(&sim, &store, SweepPolicy { expired_for: NOW, ..NOTHING }, START_MS + 7, SweepReason::Expired);
}

#[test]
fn an_old_row_goes_from_its_limit_on_however_often_it_was_saved() {
    let (sim, store) = fresh();
    save(&store, row("ana"));
    sim.stop_clock_at(START_MS + LIMIT_MS - 1);
    save(&store, row("ana").client_id("fake"));
    let policy = SweepPolicy { age_max: LIMIT, ..NOTHING };
    check_boundary(&sim, &store, policy, START_MS + LIMIT_MS, SweepReason::Age);
}

#[test]
fn an_idle_row_goes_from_its_limit_after_the_last_save_on() {
    let (sim, store) = fresh();
    save(&store, row("ana"));
    sim.stop_clock_at(START_MS + LIMIT_MS - 1);
    save(&store, row("ana").client_id("fake"));
    // Finds leave no trace.
    sim.stop_clock_at(START_MS + 2 * LIMIT_MS - 2);
    assert!(store.get(Key::UserName("ana")).unwrap().is_some());
    let policy = SweepPolicy { idle_max: LIMIT, ..NOTHING };
    check_boundary(&sim, &store, policy, START_MS + 2 * LIMIT_MS - 1, SweepReason::Idle);
    // Less than a millisecond counts.
    sim.stop_clock_at(START_MS);
    save(&store, row("ana"));
    let policy = SweepPolicy { idle_max: Some(Duration::from_nanos(LIMIT_MS * 1_000_000 + 1)), ..NOTHING };
    check_boundary(&sim, &store, policy, START_MS + LIMIT_MS + 1, SweepReason::Idle);
}

#[test]
fn any_condition_is_enough_and_the_first_that_is_met_is_told() {
    let (sim, store) = fresh();
    save(&store, row("old"));
    save(&store, row("expired").expiry_time("1"));
    sim.stop_clock_at(START_MS + LIMIT_MS);
    save(&store, row("idle"));
    save(&store, row("new"));
    sim.stop_clock_at(START_MS + LIMIT_MS + 2);
    save(&store, row("new").client_id("fake"));
    save(&store, row("old").client_id("fake"));
    let two = Some(Duration::from_millis(2));
    let policy = SweepPolicy { expired_for: LIMIT, age_max: LIMIT, idle_max: two, ..NOTHING };
    let expected = [("old", SweepReason::Age), ("expired", SweepReason::Expired), ("idle", SweepReason::Idle)];
    let report = store.sweep(&policy).unwrap();
    assert_eq!((swept(&report).as_slice(), report.examined, report.spared), (&expected[..], 4, 0));
    assert_eq!(users(&store), ["new"]);
}

#[test]
fn without_a_condition_nothing_goes() {
    let (sim, store) = fresh();
    save(&store, row("ana").expiry_time("1"));
    sim.stop_clock_at(u64::MAX / 2);
    assert_eq!(SweepPolicy::default(), NOTHING);
    let report = store.sweep(&SweepPolicy { with_refresh_token: true, ..NOTHING }).unwrap();
    assert_eq!((swept(&report).len(), report.examined, report.spared), (0, 1, 0));
}

#[test]
fn a_row_without_an_access_token_or_a_readable_expiry_is_not_expired() {
    let (sim, store) = fresh();
    save(&store, row("no expiry"));
    for expiry in ["soon", " 1", "-1", "1.5", "18446744073709551616"] {
        save(&store, row(expiry).expiry_time(expiry));
    }
    save(&store, Token::builder().user_name("refresh only").refresh_token("fake-r").expiry_time("1"));
    save(&store, Token::builder().user_name("grant only").grant_token("fake-g").expiry_time("1"));
    sim.stop_clock_at(START_MS + 1);
    let expired = SweepPolicy { expired_for: NOW, with_refresh_token: true, ..NOTHING };
    assert_eq!(swept(&store.sweep(&expired).unwrap()), []);
    // A login that nobody has exchanged is a row like others for the other limits.
    for policy in [SweepPolicy { age_max: NOW, ..NOTHING }, SweepPolicy { idle_max: NOW, ..NOTHING }] {
        let report = store.sweep(&SweepPolicy { dry_run: true, ..policy }).unwrap();
        assert_eq!((swept(&report).len(), report.spared), (7, 1));
        assert_eq!(swept(&report)[6].0, "grant only");
    }
}

#[test]
fn a_row_with_a_refresh_token_is_spared_unless_the_policy_takes_it_too() {
    let (_sim, store) = fresh();
    save(&store, row("ana").refresh_token("fake-refresh").expiry_time("1"));
    save(&store, row("bob").expiry_time("1"));
    let report = store.sweep(&SweepPolicy { with_refresh_token: false, ..EVERYTHING }).unwrap();
    assert_eq!((swept(&report), report.spared), (vec![("bob", SweepReason::Expired)], 1));
    assert!(!report.swept[0].had_refresh_token);
    assert_eq!(users(&store), ["ana"]);
    let report = store.sweep(&EVERYTHING).unwrap();
    assert_eq!((swept(&report), report.spared), (vec![("ana", SweepReason::Expired)], 0));
    assert!(report.swept[0].had_refresh_token && !format!("{report:?}").contains("fake"), "{report:?}");
    assert!(users(&store).is_empty());
}

#[test]
fn a_dry_run_names_the_same_rows_and_writes_nothing() {
    let (sim, store) = fresh();
    save(&store, row("ana").expiry_time("1"));
    save(&store, row("bob").refresh_token("fake").expiry_time("1"));
    save(&store, row("eve"));
    let policy = SweepPolicy { expired_for: LIMIT, ..NOTHING };
    let dry = SweepPolicy { dry_run: true, ..policy };
    let reader = open(&sim, &options().read_only(true));
    let calls = sim.trace().len();
    let [would, would_read] = [&store, &reader].map(|store| store.sweep(&dry).unwrap());
    assert!(sim.trace()[calls..].iter().all(|call| *call == Call::Read), "a dry run wrote");
    assert_eq!(users(&store), ["ana", "bob", "eve"]);
    let done = store.sweep(&policy).unwrap();
    for report in [would, would_read] {
        assert_eq!((report.swept, report.examined, report.spared), (done.swept.clone(), done.examined, done.spared));
    }
    assert_eq!((done.examined, done.spared, users(&store)), (3, 1, vec!["bob".to_owned(), "eve".to_owned()]));
}

#[test]
fn a_handle_that_may_not_write_refuses_even_if_nothing_is_to_go() {
    let (sim, store) = fresh();
    save(&store, row("ana"));
    let reader = open(&sim, &options().read_only(true));
    for policy in [NOTHING, EVERYTHING] {
        assert_eq!(reader.sweep(&policy).unwrap_err().kind(), ErrorKind::ReadOnly);
    }
    assert_eq!(users(&store), ["ana"]);
    store.close().unwrap();
    for dry_run in [true, false] {
        assert_eq!(store.sweep(&SweepPolicy { dry_run, ..NOTHING }).unwrap_err().kind(), ErrorKind::Closed);
    }
}

#[test]
fn a_clock_that_stepped_back_makes_nothing_old() {
    let (sim, store) = fresh();
    save(&store, row("ana").expiry_time(START_MS.to_string()));
    for now_ms in [START_MS - 1, START_MS / 2, 0] {
        sim.stop_clock_at(now_ms);
        assert_eq!(swept(&store.sweep(&EVERYTHING).unwrap()), [], "at {now_ms}");
    }
    // Nor does a save by that clock: the row's last save is the latest one that the clock ever showed for it.
    save(&store, row("ana").client_id("fake"));
    sim.stop_clock_at(START_MS + LIMIT_MS - 1);
    assert_eq!(swept(&store.sweep(&SweepPolicy { idle_max: LIMIT, ..NOTHING }).unwrap()), []);
    sim.stop_clock_at(START_MS);
    assert_eq!(swept(&store.sweep(&EVERYTHING).unwrap()).len(), 1);
}

#[test]
fn the_longest_limits_and_the_last_instants_are_only_far_away() {
    let (sim, store) = fresh();
    save(&store, row("ana").expiry_time("0"));
    save(&store, row("bob").expiry_time(u64::MAX.to_string()));
    let ever = Some(Duration::MAX);
    let never = SweepPolicy { expired_for: ever, age_max: ever, idle_max: ever, ..EVERYTHING };
    for now_ms in [0, START_MS, u64::MAX] {
        sim.stop_clock_at(now_ms);
        let report = store.sweep(&SweepPolicy { dry_run: true, ..never }).unwrap();
        assert_eq!((swept(&report).len(), report.examined), (0, 2), "at {now_ms}");
    }
    let expired = SweepPolicy { expired_for: NOW, dry_run: true, ..NOTHING };
    assert_eq!(swept(&store.sweep(&expired).unwrap()).len(), 2, "at the last instant");
    sim.stop_clock_at(u64::MAX - 1);
    assert_eq!(swept(&store.sweep(&expired).unwrap()), [("ana", SweepReason::Expired)]);
    assert_eq!(store.expiring_before(UNIX_EPOCH + Duration::from_millis(u64::MAX)).unwrap().len(), 1);
}
