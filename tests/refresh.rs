//! How a refresh ends, outcome by outcome: what the provider was asked, what is stored, what the caller is told.
//!
//! On a simulated machine, so that clocks, full disks and failing syncs are what the test says.

mod sim;

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use sim::{Call, Fault, Plan, Sim};
use tokcask::storage::Storage;
use tokcask::{
    Error, ErrorKind, Key, LogStore, Options, ReadMode, RefreshError, RefreshPolicy, Refreshed, Secret, Token,
    TokenStore, open_on,
};

const STORE: &str = "/store";
const NOW_MS: u64 = 1_700_000_000_000;
const ANN: Key<'_> = Key::UserName("ann");

type Outcome = Result<Refreshed, RefreshError<&'static str>>;

fn open_with(process: &Sim, options: Options) -> LogStore {
    let options = options.background(false).read_mode(ReadMode::Copy);
    open_on(&options, Arc::new(process.clone()), Path::new(STORE)).unwrap()
}

fn open(process: &Sim) -> LogStore {
    open_with(process, Options::new())
}

/// A machine, a store on it, and in that a row of ann's that has expired.
fn expired() -> (Sim, Sim, LogStore) {
    let sim = Sim::new();
    let process = sim.process();
    let store = open(&process);
    store.save_token(&ann("old", NOW_MS - 1).refresh_token("refresh-1").build()).unwrap();
    (sim, process, store)
}

fn ann(access: &str, expiry_ms: u64) -> tokcask::TokenBuilder {
    Token::builder().user_name("ann").access_token(access).expiry_time(expiry_ms.to_string())
}

fn answer(access: &str) -> tokcask::TokenBuilder {
    Token::builder().access_token(access).expiry_time((NOW_MS + 3_600_000).to_string())
}

fn access(token: &Token) -> Option<&str> {
    token.access_token().map(Secret::expose_secret)
}

fn refresh_token(token: &Token) -> Option<&str> {
    token.refresh_token().map(Secret::expose_secret)
}

fn stored(store: &LogStore) -> Token {
    store.get(ANN).unwrap().expect("there")
}

/// Refreshes with a provider that counts how often it is asked.
fn refresh(store: &LogStore, policy: RefreshPolicy, said: Result<Token, &'static str>) -> (Outcome, u32) {
    let asked = Cell::new(0);
    let outcome = store.refresh(ANN, policy, |_| {
        asked.set(asked.get() + 1);
        said
    });
    (outcome, asked.get())
}

#[test]
fn an_answer_is_merged_and_stored_before_it_is_returned() {
    let (_, _, store) = expired();
    let provider = |current: &Token| {
        assert_eq!((current.id(), refresh_token(current)), (Some("1"), Some("refresh-1")));
        Ok::<_, &str>(answer("new").refresh_token("refresh-2").build())
    };
    let Ok(Refreshed::ByUs(token)) = store.refresh(ANN, RefreshPolicy::new(), provider) else { panic!("by us") };
    assert_eq!((token.id(), token.user_name()), (Some("1"), Some("ann")), "what the answer leaves out stays");
    assert_eq!((access(&token), refresh_token(&token)), (Some("new"), Some("refresh-2")));
    assert_eq!((stored(&store), stored(&store).revision()), (token.clone(), token.revision()));
    assert!(
        matches!(refresh(&store, RefreshPolicy::new(), Err("not asked")), (Ok(Refreshed::Fresh(found)), 0) if found == token)
    );
}

#[test]
fn an_answer_without_a_refresh_token_keeps_the_stored_one_and_one_without_an_expiry_does_not_keep_that() {
    let (_, _, store) = expired();
    let said = Token::builder().id("77").access_token("new").build();
    let (outcome, _) = refresh(&store, RefreshPolicy::new(), Ok(said));
    assert!(matches!(outcome, Ok(Refreshed::ByUs(_))));
    let row = stored(&store);
    assert_eq!((row.id(), access(&row), refresh_token(&row)), (Some("1"), Some("new"), Some("refresh-1")));
    assert_eq!(row.expiry_time(), None, "that of the old access token");
    assert!(matches!(refresh(&store, RefreshPolicy::new(), Err("not asked")), (Ok(Refreshed::Fresh(_)), 0)));
}

#[test]
fn fresh_is_what_is_good_for_longer_than_the_slack() {
    let slack = |ms| RefreshPolicy { slack: Duration::from_millis(ms), ..RefreshPolicy::new() };
    let cases = [
        (Some("1700000009999"), 0, true),
        (Some("1700000009999"), 15_000, false),
        (Some("1699999999999"), 0, false),
        (None, 5_000, true),
        (Some("soon"), 0, false),
        (Some("-1"), 0, false),
        (Some("99999999999999999999999"), 0, false),
        (Some("18446744073709551615"), u64::MAX, true),
    ];
    for (expiry, slack_ms, is_fresh) in cases {
        let store = open(&Sim::new().process());
        let row = Token::builder().user_name("ann").access_token("old").expiry_time(expiry.unwrap_or("")).build();
        store.save_token(&row).unwrap();
        let (outcome, asked) = refresh(&store, slack(slack_ms), Ok(answer("new").build()));
        assert_eq!(asked, u32::from(!is_fresh), "{expiry:?} with a slack of {slack_ms} ms: {outcome:?}");
    }
    let store = open(&Sim::new().process());
    store.save_token(&Token::builder().user_name("ann").refresh_token("refresh-1").build()).unwrap();
    assert_eq!(refresh(&store, slack(0), Ok(answer("new").build())).1, 1, "a row without an access token is not fresh");
}

#[test]
fn the_boundary_of_the_slack_is_that_of_the_sdk() {
    // "Less than 5000 ms ahead" is refreshed.
    for (ahead_ms, asked) in [(5_000, 0), (4_999, 1)] {
        let sim = Sim::new();
        let store = open(&sim.process());
        store.save_token(&ann("old", NOW_MS + 1_000_000).build()).unwrap();
        // The simulated clock steps on whenever somebody looks at it; the first look decides here.
        let before_ms = sim.now_ms();
        let step_ms = sim.now_ms() - before_ms;
        sim.set_now_ms(NOW_MS + 1_000_000 - ahead_ms - step_ms);
        let (outcome, found) = refresh(&store, RefreshPolicy::new(), Ok(answer("new").build()));
        assert_eq!(found, asked, "{ahead_ms} ms ahead: {outcome:?}");
    }
}

#[test]
fn a_token_that_the_provider_refused_is_refreshed_once() {
    let (_, _, store) = expired();
    store.save_token(&ann("revoked", NOW_MS + 3_600_000).build()).unwrap();
    let rejected = RefreshPolicy { rejected: stored(&store).revision(), ..RefreshPolicy::new() };
    assert!(matches!(refresh(&store, rejected, Ok(answer("new").build())), (Ok(Refreshed::ByUs(_)), 1)));
    let (outcome, asked) = refresh(&store, rejected, Err("not asked"));
    assert!(matches!(outcome, Ok(Refreshed::Fresh(token)) if access(&token) == Some("new")) && asked == 0);
}

#[test]
fn an_unknown_key_is_told_and_nobody_is_asked() {
    let (_, _, store) = expired();
    let outcome = store.refresh(Key::UserName("bob"), RefreshPolicy::new(), |_| -> Result<_, &str> { unreachable!() });
    assert!(matches!(outcome, Err(RefreshError::UnknownKey)));
}

#[test]
fn a_failure_is_passed_on_changes_nothing_and_holds_everybody_back_for_a_while() {
    let (sim, _, store) = expired();
    let other = open(&sim.process());
    let before = (stored(&store), stored(&store).revision());
    let policy = RefreshPolicy { backoff_min: Duration::from_secs(10), ..RefreshPolicy::new() };
    assert!(matches!(refresh(&store, policy, Err("invalid_grant")), (Err(RefreshError::Provider("invalid_grant")), 1)));
    assert_eq!((stored(&store), stored(&store).revision()), before);
    for handle in [&store, &other] {
        let (outcome, asked) = refresh(handle, policy, Err("again"));
        let Err(RefreshError::BackOff { token, retry_in }) = outcome else { panic!("{outcome:?}") };
        assert!(asked == 0 && *token == before.0 && retry_in <= Duration::from_secs(10) && !retry_in.is_zero());
    }
    // Twice as long after the second time, and for ever no longer than the limit.
    let mut now_ms = NOW_MS + 11_000;
    for delay_s in [20, 40, 60, 60, 60] {
        sim.set_now_ms(now_ms);
        assert_eq!(refresh(&other, policy, Err("again")).1, 1);
        sim.set_now_ms(now_ms + delay_s * 1_000 - 500);
        assert!(matches!(refresh(&store, policy, Err("again")), (Err(RefreshError::BackOff { .. }), 0)), "{delay_s} s");
        now_ms += delay_s * 1_000 + 500;
    }
}

#[test]
fn a_new_login_is_not_held_back_nor_is_another_row() {
    let (_, _, store) = expired();
    store.save_token(&Token::builder().user_name("bob").refresh_token("bob-1").build()).unwrap();
    assert_eq!(refresh(&store, RefreshPolicy::new(), Err("invalid_grant")).1, 1);
    let bob = store.refresh(Key::UserName("bob"), RefreshPolicy::new(), |_| Ok::<_, &str>(answer("new").build()));
    assert!(matches!(bob, Ok(Refreshed::ByUs(_))));
    store.save_token(&Token::builder().user_name("ann").refresh_token("refresh-2").build()).unwrap();
    assert!(matches!(refresh(&store, RefreshPolicy::new(), Ok(answer("new").build())), (Ok(Refreshed::ByUs(_)), 1)));
}

#[test]
fn a_back_off_ends_when_the_clock_steps_back_and_can_be_switched_off() {
    let (sim, _, store) = expired();
    assert_eq!(refresh(&store, RefreshPolicy::new(), Err("down")).1, 1);
    sim.set_now_ms(NOW_MS - 3_600_000);
    let slack = RefreshPolicy { slack: Duration::from_secs(7200), ..RefreshPolicy::new() };
    assert_eq!(refresh(&store, slack, Err("down")).1, 1, "an hour is more than any back-off");
    let (_, _, store) = expired();
    let never = RefreshPolicy { backoff_max: Duration::ZERO, ..RefreshPolicy::new() };
    assert_eq!((refresh(&store, never, Err("down")).1, refresh(&store, never, Err("down")).1), (1, 1));
}

#[test]
fn an_error_about_a_refresh_token_of_the_past_is_not_believed() {
    let (sim, _, store) = expired();
    let other = open(&sim.process());
    let outcome = store.refresh(ANN, RefreshPolicy::new(), |_| {
        // A worker that knows nothing of leases was faster.
        other.save_token(&answer("theirs").user_name("ann").refresh_token("refresh-2").build()).unwrap();
        Err("invalid_grant")
    });
    assert!(matches!(outcome, Ok(Refreshed::ByAnother(token)) if access(&token) == Some("theirs")));
}

#[test]
fn an_answer_that_is_not_fresh_is_returned_and_nobody_asks_again_at_once() {
    let (_, _, store) = expired();
    let stale = ann("short", NOW_MS - 1).build();
    let (outcome, _) = refresh(&store, RefreshPolicy::new(), Ok(stale));
    assert!(matches!(outcome, Ok(Refreshed::ByUs(token)) if access(&token) == Some("short")));
    assert!(matches!(refresh(&store, RefreshPolicy::new(), Err("again")), (Err(RefreshError::BackOff { .. }), 0)));
}

#[test]
fn a_row_that_is_deleted_meanwhile_is_not_brought_back() {
    let (sim, _, store) = expired();
    let other = open(&sim.process());
    let outcome = store.refresh(ANN, RefreshPolicy::new(), |_| {
        assert!(other.delete("1").unwrap());
        Ok::<_, &str>(answer("new").refresh_token("refresh-2").build())
    });
    let Err(RefreshError::Deleted { answer: Some(answer) }) = outcome else { panic!("{outcome:?}") };
    assert_eq!(refresh_token(&answer), Some("refresh-2"), "to be revoked");
    assert!(store.get_tokens().unwrap().is_empty());
}

#[test]
fn another_login_is_not_overwritten_by_the_answer_to_the_old_one() {
    for their_expiry_ms in [NOW_MS + 3_600_000, NOW_MS - 1] {
        let (sim, _, store) = expired();
        let other = open(&sim.process());
        let outcome = store.refresh(ANN, RefreshPolicy::new(), |_| {
            other.save_token(&ann("theirs", their_expiry_ms).refresh_token("login-2").build()).unwrap();
            Ok::<_, &str>(answer("ours").refresh_token("refresh-2").build())
        });
        match outcome {
            Ok(Refreshed::ByAnother(token)) if their_expiry_ms > NOW_MS => assert_eq!(access(&token), Some("theirs")),
            Err(RefreshError::Replaced { token, answer }) if their_expiry_ms < NOW_MS => {
                assert_eq!((access(&token), refresh_token(&answer)), (Some("theirs"), Some("refresh-2")));
            }
            outcome => panic!("{outcome:?}"),
        }
        assert_eq!(refresh_token(&stored(&store)), Some("login-2"));
    }
}

#[test]
fn what_others_save_in_the_row_meanwhile_is_kept() {
    let (sim, _, store) = expired();
    let other = open(&sim.process());
    let outcome = store.refresh(ANN, RefreshPolicy::new(), |_| {
        other.save_token(&Token::builder().id("1").extra("note", "kept").build()).unwrap();
        Ok::<_, &str>(answer("new").refresh_token("refresh-2").build())
    });
    assert!(matches!(outcome, Ok(Refreshed::ByUs(_))));
    let row = stored(&store);
    assert_eq!((row.extra().get("note"), refresh_token(&row)), (Some("kept"), Some("refresh-2")));
}

#[test]
fn whoever_waits_longer_than_its_limit_is_told_and_given_the_row() {
    let (sim, _, store) = expired();
    let other = open(&sim.process());
    let outcome = store.refresh(ANN, RefreshPolicy::new(), |_| {
        for wait_max in [Duration::ZERO, Duration::from_millis(250)] {
            let policy = RefreshPolicy { wait_max, ..RefreshPolicy::new() };
            let (outcome, asked) = refresh(&other, policy, Err("not asked"));
            let Err(RefreshError::Busy { token, waited }) = outcome else { panic!("{outcome:?}") };
            assert!(asked == 0 && access(&token) == Some("old") && waited >= wait_max);
        }
        // Another row is another lease.
        other.save_token(&Token::builder().user_name("bob").refresh_token("bob-1").build()).unwrap();
        let policy = RefreshPolicy { wait_max: Duration::ZERO, ..RefreshPolicy::new() };
        let bob = other.refresh(Key::UserName("bob"), policy, |_| Ok::<_, &str>(answer("new").build()));
        assert!(matches!(bob, Ok(Refreshed::ByUs(_))));
        Ok::<_, &str>(answer("new").build())
    });
    assert!(matches!(outcome, Ok(Refreshed::ByUs(_))));
}

#[test]
fn a_provider_that_panics_lets_go_of_the_lease() {
    let (sim, _, store) = expired();
    let ask = || store.refresh(ANN, RefreshPolicy::new(), |_| -> Result<_, &str> { panic!("of the test") });
    catch_unwind(AssertUnwindSafe(ask)).unwrap_err();
    for handle in [&store, &open(&sim.process())] {
        let policy = RefreshPolicy { wait_max: Duration::ZERO, backoff_max: Duration::ZERO, ..RefreshPolicy::new() };
        assert!(matches!(refresh(handle, policy, Err("asked")), (Err(RefreshError::Provider("asked")), 1)));
    }
}

#[test]
fn a_handle_that_only_reads_returns_what_is_fresh_and_asks_nobody() {
    let (sim, _, store) = expired();
    let reader = open_with(&sim.process(), Options::new().read_only(true));
    let (outcome, asked) = refresh(&reader, RefreshPolicy::new(), Ok(answer("new").build()));
    assert!(matches!(outcome, Err(RefreshError::Store(Error::ReadOnly { .. }))) && asked == 0);
    assert!(refresh(&store, RefreshPolicy::new(), Ok(answer("new").build())).0.is_ok());
    assert!(matches!(refresh(&reader, RefreshPolicy::new(), Err("no")), (Ok(Refreshed::Fresh(_)), 0)));
}

#[test]
fn room_for_the_answer_is_made_sure_of_before_the_provider_is_asked() {
    let (sim, _, store) = expired();
    sim.set_quota(Some(sim.used()));
    // Others fill what they may of the log's extension.
    let filler = |number| Token::builder().user_name(format!("filler{number}")).access_token("x".repeat(1_000)).build();
    let full = (0..10_000).find_map(|number| store.save_token(&filler(number)).err());
    assert_eq!(full.map(|error| error.kind()), Some(ErrorKind::NoSpace));
    let said = answer("new").refresh_token("refresh-2").build();
    let (outcome, asked) = refresh(&store, RefreshPolicy::new(), Ok(said));
    assert!(matches!(outcome, Ok(Refreshed::ByUs(_))) && asked == 1, "the reserve is for this");
    // Until that is used up too: then nobody is asked.
    let rejected = || RefreshPolicy { rejected: stored(&store).revision(), ..RefreshPolicy::new() };
    for number in 0.. {
        let said = answer(&format!("new{number}")).extra("note", "x".repeat(1_000)).build();
        match refresh(&store, rejected(), Ok(said)) {
            (Ok(Refreshed::ByUs(_)), 1) => assert!(number < 1_000, "the reserve has an end"),
            (Err(RefreshError::Store(error)), 0) => {
                assert_eq!(error.kind(), ErrorKind::NoSpace);
                break;
            }
            other => panic!("{other:?}"),
        }
    }
    sim.set_quota(None);
    assert!(matches!(refresh(&store, rejected(), Ok(answer("last").build())), (Ok(Refreshed::ByUs(_)), 1)));
}

#[test]
fn an_answer_that_cannot_be_saved_is_given_out_and_saved_later_and_nobody_spends_the_old_refresh_token() {
    let (sim, process, store) = expired();
    let other = open(&sim.process());
    let outcome = store.refresh(ANN, RefreshPolicy::new(), |_| {
        process.set_plan(Some(Plan::next(Call::Write, Fault::Errno(5))));
        Ok::<_, &str>(answer("new").refresh_token("refresh-2").build())
    });
    let Err(RefreshError::SaveFailed { token, source }) = outcome else { panic!("{outcome:?}") };
    assert_eq!(source.kind(), ErrorKind::Io);
    assert_eq!((token.id(), token.user_name()), (Some("1"), Some("ann")), "the whole row, to be saved elsewhere");
    assert_eq!((access(&token), refresh_token(&token)), (Some("new"), Some("refresh-2")));
    assert_eq!(access(&stored(&other)), Some("old"));

    let policy =
        RefreshPolicy { wait_max: Duration::from_millis(50), backoff_max: Duration::ZERO, ..RefreshPolicy::new() };
    assert!(
        matches!(refresh(&other, policy, Err("spent")), (Err(RefreshError::Busy { .. }), 0)),
        "it would end the login"
    );
    process.set_plan(None);
    let (outcome, asked) = refresh(&store, policy, Err("spent"));
    assert!(matches!(outcome, Ok(Refreshed::ByAnother(token)) if access(&token) == Some("new")) && asked == 0);
    assert_eq!(refresh_token(&stored(&other)), Some("refresh-2"));
    // The lease was let go.
    let policy = RefreshPolicy { rejected: stored(&other).revision(), ..policy };
    assert!(matches!(refresh(&other, policy, Ok(answer("newer").build())), (Ok(Refreshed::ByUs(_)), 1)));
}

#[test]
fn a_failed_sync_while_an_answer_is_saved_is_mended_by_a_compaction_and_the_answer_is_saved_then() {
    let (_, process, store) = expired();
    let outcome = store.refresh(ANN, RefreshPolicy::new(), |_| {
        process.set_plan(Some(Plan::next(Call::Sync, Fault::Errno(5))));
        Ok::<_, &str>(answer("new").refresh_token("refresh-2").build())
    });
    assert!(
        matches!(outcome, Err(RefreshError::SaveFailed { source: Error::OutcomeUnknown { .. }, .. })),
        "{outcome:?}"
    );
    process.set_plan(None);
    assert!(matches!(refresh(&store, RefreshPolicy::new(), Err("spent")), (Err(RefreshError::SaveFailed { .. }), 0)));
    store.compact().unwrap();
    assert!(matches!(refresh(&store, RefreshPolicy::new(), Err("spent")), (Ok(Refreshed::ByAnother(_)), 0)));
    assert_eq!(refresh_token(&stored(&store)), Some("refresh-2"));
}

#[test]
fn an_unsaved_answer_gives_way_to_whoever_saves_the_row() {
    let (sim, process, store) = expired();
    let other = open(&sim.process());
    let outcome = store.refresh(ANN, RefreshPolicy::new(), |_| {
        process.set_plan(Some(Plan::next(Call::Write, Fault::Errno(5))));
        Ok::<_, &str>(answer("new").build())
    });
    let Err(RefreshError::SaveFailed { .. }) = outcome else { panic!("{outcome:?}") };
    process.set_plan(None);
    // Expired as well, so that the next refresh has something to do; the same refresh token.
    other.save_token(&ann("theirs", NOW_MS - 1).build()).unwrap();
    let (outcome, asked) = refresh(&store, RefreshPolicy::new(), Ok(answer("newer").build()));
    assert!(matches!(outcome, Ok(Refreshed::ByUs(_))) && asked == 1, "the old answer is no longer the latest");
    assert_eq!(access(&stored(&store)), Some("newer"));
}

#[test]
fn an_answer_over_the_limits_is_given_out() {
    let (_, _, store) = expired();
    let (outcome, _) =
        refresh(&store, RefreshPolicy::new(), Ok(answer("new").refresh_token("r".repeat(70_000)).build()));
    let Err(RefreshError::SaveFailed { token, source }) = outcome else { panic!("{outcome:?}") };
    assert_eq!((source.kind(), refresh_token(&token).map(str::len)), (ErrorKind::TooLarge, Some(70_000)));
    assert!(matches!(refresh(&store, RefreshPolicy::new(), Err("again")), (Err(RefreshError::BackOff { .. }), 0)));
}

#[test]
fn a_lease_file_that_was_replaced_is_an_error() {
    let (sim, _, store) = expired();
    assert!(refresh(&store, RefreshPolicy::new(), Ok(ann("short", NOW_MS - 1).build())).0.is_ok());
    let directory = sim.open_dir(Path::new(STORE)).unwrap().unwrap();
    assert!(directory.remove("store.lease").unwrap());
    let policy = RefreshPolicy { backoff_max: Duration::ZERO, ..RefreshPolicy::new() };
    let (outcome, asked) = refresh(&store, policy, Err("two owners"));
    assert!(matches!(outcome, Err(RefreshError::Store(Error::LockReplaced { .. }))) && asked == 0, "{outcome:?}");
}

#[test]
fn errors_show_no_token() {
    let (_, _, store) = expired();
    let (error, _) = refresh(&store, RefreshPolicy::new(), Err("down"));
    let (error, back_off) = (error.unwrap_err(), refresh(&store, RefreshPolicy::new(), Err("down")).0.unwrap_err());
    for error in [error, back_off] {
        let shown = format!("{error} {error:?}");
        assert!(!shown.contains("old") && !shown.contains("refresh-1"), "{shown}");
    }
}
