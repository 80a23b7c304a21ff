//! A sweep beside others who save: a row goes only as it was looked at, so that a refresh meanwhile is never lost.
//!
//! Method: somebody saves at a known moment: from a progress report, in the same batch, or as another simulated process at
//! each call in turn.

mod one_batch;
mod sim;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use one_batch::{at_once, kinds, open, options};
use sim::{Call, Fault, Plan, Sim, interleave};
use tokcask::storage::Storage;
use tokcask::{
    Error, ErrorKind, Key, LogStore, Options, RefreshError, RefreshPolicy, SweepPolicy, SweepReport, Token, TokenStore,
};

fn expired() -> SweepPolicy {
    SweepPolicy { expired_for: Some(Duration::ZERO), ..SweepPolicy::default() }
}

/// A row whose token ended long ago.
fn over(user: &str) -> Token {
    Token::builder().user_name(user).access_token(format!("fake-{user}-1")).expiry_time("1").build()
}

/// The same with a token that goes on.
fn refreshed(user: &str) -> Token {
    Token::builder().user_name(user).access_token(format!("fake-{user}-2")).expiry_time("9999999999999").build()
}

fn users(store: &LogStore) -> Vec<String> {
    store.get_tokens().unwrap().iter().map(|row| row.user_name().unwrap().to_owned()).collect()
}

fn gone(report: &SweepReport) -> Vec<&str> {
    report.swept.iter().map(|row| row.user_name.as_deref().unwrap()).collect()
}

/// Options with which `act` runs once, when a sweep has looked at the last row.
fn options_that_act(is_armed: &Arc<AtomicBool>, act: impl FnOnce() + Send + 'static) -> Options {
    let (is_armed, act) = (is_armed.clone(), Mutex::new(Some(act)));
    options().on_progress(move |progress| {
        if progress.bytes_done == progress.bytes_total && is_armed.swap(false, Ordering::SeqCst) {
            let act = act.lock().unwrap().take().expect("armed once");
            act();
        }
    })
}

#[test]
fn rows_that_move_on_between_the_look_and_the_delete_are_left_alone() {
    let sim = Sim::new();
    let other = open(&sim, &options());
    for user in ["ana", "bob", "cid", "dan", "eve"] {
        other.save_token(&over(user).to_builder().id(format!("id-{user}")).build()).unwrap();
    }
    let is_armed = Arc::new(AtomicBool::new(false));
    let store = open(
        &sim,
        &options_that_act(&is_armed, move || {
            other.save_token(&refreshed("bob")).unwrap();
            other.save_token(&over("cid").to_builder().client_id("fake").build()).unwrap();
            other.delete("id-dan").unwrap();
            other.delete("id-eve").unwrap();
            other.save_token(&over("eve").to_builder().id("id-eve").build()).unwrap();
        }),
    );
    is_armed.store(true, Ordering::SeqCst);
    let report = store.sweep(&expired()).unwrap();
    assert_eq!((gone(&report), report.examined, report.moved_on), (vec!["ana"], 5, 4));
    assert!(!is_armed.load(Ordering::SeqCst) && report.stopped.is_none());
    assert_eq!(users(&store), ["bob", "cid", "eve"]);
    // What still is over goes the next time.
    let report = store.sweep(&expired()).unwrap();
    assert_eq!((gone(&report), report.moved_on), (vec!["cid", "eve"], 0));
}

#[test]
fn a_row_that_is_saved_in_the_same_batch_survives() {
    let sim = Sim::new();
    let store = open(&sim, &options());
    store.save_tokens(&[over("ana"), over("bob")]).unwrap();
    let sequence = store.stats().unwrap().sequence;
    let report = Mutex::new(SweepReport::default());
    let answers = at_once(
        &sim,
        &store,
        vec![
            Box::new(|store| kinds(store.save_token(&refreshed("ana")))),
            Box::new(|store| kinds(store.sweep(&expired()).map(|swept| *report.lock().unwrap() = swept))),
        ],
    );
    assert_eq!(answers, [Ok(()), Ok(())]);
    let report = report.into_inner().unwrap();
    assert_eq!((gone(&report), report.moved_on), (vec!["bob"], 1));
    assert_eq!(store.stats().unwrap().sequence, sequence + 2, "the import's frame, and one for both");
    let ana = store.get(Key::UserName("ana")).unwrap().unwrap();
    assert_eq!(ana.access_token().unwrap().expose_secret(), "fake-ana-2");
    assert!(store.get(Key::UserName("bob")).unwrap().is_none());
}

/// A row that a sweep of everything would take, refresh token and all.
fn over_with_login(store: &LogStore) {
    store.save_token(&over("ana").to_builder().refresh_token("fake-refresh-1").build()).unwrap();
}

fn everything() -> SweepPolicy {
    SweepPolicy { with_refresh_token: true, ..expired() }
}

const ANA: Key<'_> = Key::UserName("ana");

#[test]
fn a_row_that_somebody_is_refreshing_is_left_alone() {
    let sim = Sim::new();
    let [store, other] = [sim.process(), sim.process()].map(|process| open(&process, &options()));
    over_with_login(&store);
    for sweeps in [&store, &other] {
        let failed = store.refresh(ANA, RefreshPolicy { backoff_max: Duration::ZERO, ..RefreshPolicy::new() }, |_| {
            let report = sweeps.sweep(&everything()).unwrap();
            assert_eq!((report.swept.len(), report.moved_on), (0, 1));
            Err::<Token, _>("the provider is out")
        });
        assert!(matches!(failed, Err(RefreshError::Provider(_))), "{failed:?}");
        assert!(store.get(ANA).unwrap().is_some());
    }
    assert_eq!(gone(&other.sweep(&everything()).unwrap()), ["ana"]);
}

#[test]
fn a_row_whose_answer_could_not_be_saved_yet_is_left_alone() {
    let sim = Sim::new();
    let process = sim.process();
    let [store, other] = [&process, &sim.process()].map(|process| open(process, &options()));
    over_with_login(&store);
    let outcome = store.refresh(ANA, RefreshPolicy::new(), |_| {
        process.set_plan(Some(Plan::next(Call::Write, Fault::Errno(5))));
        Ok::<_, &str>(refreshed("ana").to_builder().refresh_token("fake-refresh-2").build())
    });
    assert!(matches!(outcome, Err(RefreshError::SaveFailed { .. })), "{outcome:?}");
    process.set_plan(None);
    for sweeps in [&store, &other] {
        assert_eq!(sweeps.sweep(&everything()).unwrap().moved_on, 1);
    }
    store.refresh(ANA, RefreshPolicy::new(), |_| Err::<Token, _>("not asked again")).unwrap();
    let ana = other.get(ANA).unwrap().unwrap();
    assert_eq!(ana.refresh_token().unwrap().expose_secret(), "fake-refresh-2");
}

/// What the other process does to the row that is swept.
#[derive(Clone, Copy, Debug)]
enum Other {
    Saves,
    SavesAndCompacts,
    Refreshes,
}

/// What became of it.
#[derive(Debug, PartialEq, Eq)]
enum Done {
    Saved,
    /// It found the row gone, and asked nobody.
    Gone,
    Busy,
}

fn act(process: &Sim, store: &LogStore, other: Other) -> Done {
    let provider = |_: &Token| {
        // It takes its time, in which a sweep that is on its way goes on.
        process.sleep(Duration::from_millis(1));
        Ok::<_, Error>(refreshed("ana"))
    };
    let saved = match other {
        Other::Saves => store.save_token(&refreshed("ana")).map(drop),
        Other::SavesAndCompacts => store.save_token(&refreshed("ana")).map(|_| drop(store.compact())),
        Other::Refreshes => match store.refresh(ANA, RefreshPolicy::new(), provider) {
            Ok(_) => Ok(()),
            Err(RefreshError::UnknownKey | RefreshError::Deleted { answer: None }) => return Done::Gone,
            Err(RefreshError::Store(error)) => Err(error),
            Err(error) => panic!("an answer is lost, or nobody was asked: {error:?}"),
        },
    };
    saved.map_or_else(
        |error| if error.kind() == ErrorKind::Busy { Done::Busy } else { panic!("{error}") },
        |()| Done::Saved,
    )
}

/// One order of a sweep and what another process does. Returns whether the first came to its pause, and whether the other
/// came between look and delete.
fn play(sweeps_first: bool, other: Other, pause_at: u64) -> (bool, bool) {
    let name = format!("sweeps first {sweeps_first}, other {other:?}, pause {pause_at}");
    let sim = Sim::new();
    let [of_sweep, of_other] = [sim.process(), sim.process()];
    let options = options().lock_timeout(Duration::from_secs(10));
    let [sweeps, acts] = [&of_sweep, &of_other].map(|process| open(process, &options));
    acts.save_tokens(&[over("ana"), over("bob"), refreshed("cid")]).unwrap();
    let sweep = move || (sweeps.sweep(&expired()), sweeps);
    let process = of_other.clone();
    let act = move || (act(&process, &acts, other), acts);
    let (reached, (report, sweeps), (done, acts)) = if sweeps_first {
        let outcome = interleave(&sim, (&of_sweep, sweep), (&of_other, act), pause_at);
        (outcome.reached, outcome.first, outcome.second)
    } else {
        let outcome = interleave(&sim, (&of_other, act), (&of_sweep, sweep), pause_at);
        (outcome.reached, outcome.second, outcome.first)
    };
    let was_busy = |error: &Error| assert_eq!(error.kind(), ErrorKind::Busy, "{name}: {error}");
    let report = report.inspect_err(was_busy).unwrap_or_default();
    assert!(report.stopped.is_none(), "{name}: {report:?}");
    for store in [sweeps, acts, open(&sim.process(), &options)] {
        let id = |user| store.get(Key::UserName(user)).unwrap().map(|row| row.id().unwrap().to_owned());
        assert_eq!(id("cid").as_deref(), Some("3"), "{name}");
        assert_eq!(id("bob").is_none(), gone(&report).contains(&"bob"), "{name}: {report:?}");
        // Saved before its turn, it stays; saved afterwards, it is a row of its own.
        let expected = match (gone(&report).contains(&"ana"), &done) {
            (false, Done::Gone) => panic!("{name}: {report:?}"),
            (false, _) => Some("1"),
            (true, Done::Saved) => Some("4"),
            (true, _) => None,
        };
        assert_eq!(id("ana").as_deref(), expected, "{name}: {done:?}, {report:?}");
        if done == Done::Saved {
            assert!(store.get(Key::AccessToken("fake-ana-2")).unwrap().is_some(), "{name}");
        }
    }
    (reached, report.moved_on > 0)
}

#[test]
fn what_another_process_saves_survives_at_whatever_call_either_stops() {
    for other in [Other::Saves, Other::SavesAndCompacts, Other::Refreshes] {
        for sweeps_first in [true, false] {
            let runs = (0..).map(|pause_at| play(sweeps_first, other, pause_at));
            let met = runs.take_while(|(reached, _)| *reached).filter(|(_, moved_on)| *moved_on).count();
            assert!(met > 0, "nobody came between look and delete");
        }
    }
}
