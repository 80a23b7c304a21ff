//! Short histories of a store, run beside the plain list that it has to equal.

use std::path::Path;
use std::sync::Arc;

use tokcask::{
    Key, ListStore, LogStore, OnClash, RefreshPolicy, Refreshed, Result, Secret, Token, TokenStore, open_on,
};

use super::settings::{key, options};
use super::sim::Sim;

pub(crate) const STORE: &str = "/store";
pub(crate) const BACKUP: &str = "/backup";

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Verb {
    Save,
    Update,
    Batch,
    Delete,
    Clear,
    Compact,
    Reopen,
    Backup,
    Refresh,
    Import,
    Purge,
    /// Of encrypted stores alone.
    Rekey,
}

const VERBS: [Verb; 12] = [
    Verb::Save,
    Verb::Update,
    Verb::Batch,
    Verb::Delete,
    Verb::Clear,
    Verb::Compact,
    Verb::Reopen,
    Verb::Backup,
    Verb::Refresh,
    Verb::Import,
    Verb::Purge,
    Verb::Rekey,
];

/// All sequences of up to three verbs, each on a plain store and on an encrypted one.
pub(crate) fn histories() -> Vec<(Vec<Verb>, bool)> {
    let plain: Vec<_> = VERBS.into_iter().filter(|verb| *verb != Verb::Rekey).collect();
    let plain = sequences(&plain).into_iter().map(|verbs| (verbs, false));
    plain.chain(sequences(&VERBS).into_iter().map(|verbs| (verbs, true))).collect()
}

fn sequences(verbs: &[Verb]) -> Vec<Vec<Verb>> {
    let mut all: Vec<Vec<Verb>> = vec![Vec::new()];
    for len in 0..3 {
        let longest: Vec<_> = all.iter().filter(|history| history.len() == len).cloned().collect();
        for history in longest {
            all.extend(verbs.iter().map(|verb| history.iter().copied().chain([*verb]).collect()));
        }
    }
    all
}

/// A row as far as a crash must keep it: id, user name, refresh token, revision.
pub(crate) type Row = (Option<String>, Option<String>, Option<String>, Option<u64>);

pub(crate) fn rows(store: &impl TokenStore) -> Result<Vec<Row>> {
    let text = |value: Option<&str>| value.map(str::to_owned);
    let row = |token: &Token| {
        let refresh = token.refresh_token().map(Secret::expose_secret);
        (text(token.id()), text(token.user_name()), text(refresh), token.revision())
    };
    Ok(store.get_tokens()?.iter().map(row).collect())
}

pub(crate) fn open(sim: &Sim, path: &str) -> Result<LogStore> {
    open_on(&options(sim), Arc::new(sim.clone()), Path::new(path))
}

pub(crate) fn token(number: usize) -> Token {
    Token::builder()
        .user_name(format!("user{number}"))
        .refresh_token(format!("fake-{number}-{}", "x".repeat(700)))
        .build()
}

/// What the provider answers to the refresh at this step.
fn answer(step: usize) -> Token {
    Token::builder().access_token(format!("fake-access-{step}")).refresh_token(format!("fake-rotated-{step}")).build()
}

/// What a test of a crash compares with.
#[derive(Clone, Debug, Default)]
pub(crate) struct State {
    pub(crate) acknowledged: Vec<Row>,
    /// With the operation that is in flight.
    pub(crate) in_flight: Vec<Row>,
    /// What an acknowledged backup holds.
    pub(crate) backup: Option<Vec<Row>>,
    /// The highest id and revision that anybody was ever told.
    pub(crate) given: (u64, u64),
    /// The key that an acknowledged `rekey` has taken from the store.
    pub(crate) key_gone: Option<usize>,
}

impl State {
    fn begin(&mut self, in_flight: Vec<Row>) {
        self.in_flight = in_flight;
    }

    fn acknowledge(&mut self) {
        self.acknowledged.clone_from(&self.in_flight);
        for (id, _, _, revision) in &self.acknowledged {
            let id = id.as_ref().and_then(|id| id.parse().ok()).unwrap_or(0);
            self.given = (self.given.0.max(id), self.given.1.max(revision.unwrap_or(0)));
        }
    }
}

/// Runs a history, and records its last verb, or, if it has none, how the store is made. The states are what the labels of
/// the recording stand for. Stops at the first error.
pub(crate) fn run(sim: &Sim, verbs: &[Verb]) -> (Vec<State>, Result<()>) {
    let mut states = vec![State::default()];
    let outcome = perform(sim, verbs, &mut states);
    (states, outcome)
}

fn perform(sim: &Sim, verbs: &[Verb], states: &mut Vec<State>) -> Result<()> {
    if verbs.is_empty() {
        sim.start_recording(0);
    }
    let list = ListStore::new();
    let mut state = State::default();
    let mut store = Some(open(sim, STORE)?);
    let base: Vec<_> = (0..2).map(token).collect();
    list.save_tokens(&base)?;
    state.begin(rows(&list)?);
    label(sim, states, &state);
    store.as_ref().expect("open").save_tokens(&base)?;
    state.acknowledge();
    label(sim, states, &state);
    for (step, verb) in verbs.iter().enumerate() {
        if step + 1 == verbs.len() {
            sim.start_recording(states.len() - 1);
        }
        apply(&list, *verb, step)?;
        state.begin(rows(&list)?);
        label(sim, states, &state);
        if *verb == Verb::Reopen {
            drop(store.take());
            store = Some(open(sim, STORE)?);
        } else if *verb != Verb::Backup || state.backup.is_none() {
            act(store.as_ref().expect("open"), *verb, step, &state)?;
        }
        state.acknowledge();
        if *verb == Verb::Rekey {
            state.key_gone = Some(state.key_gone.map_or(0, |gone| gone + 1));
        }
        if *verb == Verb::Backup && state.backup.is_none() {
            state.backup = Some(state.acknowledged.clone());
        }
        label(sim, states, &state);
    }
    Ok(())
}

fn label(sim: &Sim, states: &mut Vec<State>, state: &State) {
    states.push(state.clone());
    sim.set_label(states.len() - 1);
}

fn batch(step: usize) -> [Token; 3] {
    [token(0), token(20 + step), token(30 + step)]
}

/// One that takes the place of a row, one with an id of its own, one without.
fn imported(step: usize) -> [Token; 3] {
    let [first, second, third] = batch(step);
    [first.to_builder().id("1").build(), second.to_builder().id("70").build(), third]
}

fn act(store: &LogStore, verb: Verb, step: usize, state: &State) -> Result<()> {
    match verb {
        Verb::Save => store.save_token(&token(10 + step)).map(drop),
        Verb::Update => store.save_token(&token(0)).map(drop),
        Verb::Batch => store.save_tokens(&batch(step)).map(drop),
        Verb::Delete => store.delete("2").map(drop),
        Verb::Clear => store.delete_tokens(),
        Verb::Compact => store.compact().map(drop),
        Verb::Backup => store.backup(BACKUP).map(drop),
        Verb::Import => store.import(&imported(step), OnClash::Replace).map(drop),
        Verb::Purge => store.purge().map(drop),
        Verb::Rekey => store.rekey(key(state.key_gone.map_or(1, |gone| gone + 2))).map(drop),
        Verb::Reopen => unreachable!("its caller has the handle"),
        Verb::Refresh => refresh(store, step),
    }
}

/// Refreshes the first row, if there is one, whether it is fresh or not.
fn refresh(store: &LogStore, step: usize) -> Result<()> {
    let Some(row) = store.get(Key::UserName("user0"))? else { return Ok(()) };
    let policy = RefreshPolicy { rejected: row.revision(), ..RefreshPolicy::new() };
    match store.refresh(Key::UserName("user0"), policy, |_| Ok::<_, String>(answer(step))) {
        Ok(outcome) => {
            assert!(matches!(outcome, Refreshed::ByUs(_)), "nobody else is there");
            Ok(())
        }
        Err(tokcask::RefreshError::SaveFailed { source, .. } | tokcask::RefreshError::Store(source)) => Err(source),
        Err(other) => panic!("{other}"),
    }
}

fn apply(list: &ListStore, verb: Verb, step: usize) -> Result<()> {
    match verb {
        Verb::Save => list.save_token(&token(10 + step)).map(drop),
        Verb::Update => list.save_token(&token(0)).map(drop),
        Verb::Batch => list.save_tokens(&batch(step)).map(drop),
        Verb::Delete => list.delete("2").map(drop),
        Verb::Clear => list.delete_tokens(),
        Verb::Import => list.import(&imported(step), OnClash::Replace).map(drop),
        Verb::Refresh if list.get(Key::UserName("user0"))?.is_none() => Ok(()),
        Verb::Refresh => list.save_token(&answer(step).to_builder().user_name("user0").build()).map(drop),
        Verb::Compact | Verb::Reopen | Verb::Backup | Verb::Purge | Verb::Rekey => Ok(()),
    }
}
