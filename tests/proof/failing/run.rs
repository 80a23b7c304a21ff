//! One scenario with one call that fails, and perhaps one more while the store recovers from that.

use std::path::Path;

use tokcask::{Error, Result, Token, TokenStore};

use super::acts::{Act, Players, Row, is_right, replay, rows};
use super::scenarios::Scenario;
use crate::history::{BACKUP, STORE, open};
use crate::settings::{Tally, machine};
use crate::sim::{Call, Damage, Fault, Plan, Sim};
use crate::verdict::Broken;

/// A fault during the recovery: so many calls after its beginning.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Second {
    pub(crate) call: u64,
    pub(crate) fault: Fault,
}

/// Saved once the faults are over.
const AFTER: &str = "after";

/// The calls of a scenario that can fail.
pub(crate) fn calls(scenario: &Scenario) -> Vec<u64> {
    let machine = prepare(scenario, false);
    let first = machine.calls();
    let mut players = Players::new(machine.clone());
    for act in scenario.acts {
        players.perform(*act).expect("open").unwrap_or_else(|error| panic!("{}: {error}", scenario.name));
    }
    let trace = machine.trace();
    (first..machine.calls()).filter(|call| trace[usize::try_from(*call).unwrap()].can_fail()).collect()
}

fn prepare(scenario: &Scenario, is_encrypted: bool) -> Sim {
    let machine = machine(is_encrypted);
    let mut players = Players::new(machine.clone());
    for act in scenario.before {
        players.perform(*act).expect("open").unwrap_or_else(|error| panic!("{}: {error}", scenario.name));
    }
    // Its processes end with the machine, not before: nothing is closed.
    (scenario.event)(&machine)
}

/// What is to be true of the rows.
struct Expected {
    /// Whether that includes ids and revisions: a recovery that cuts a tail leaves some out.
    with_numbers: bool,
    acknowledged: Vec<Act>,
    /// Where an act would stand whose outcome is unknown.
    unknown: Option<(usize, Act)>,
}

impl Expected {
    fn without(&self) -> Vec<Row> {
        self.numbered(replay(&self.acknowledged))
    }

    fn numbered(&self, rows: Vec<Row>) -> Vec<Row> {
        if self.with_numbers {
            return rows;
        }
        rows.into_iter().map(|(row, _)| (row.to_builder().id("any").build(), None)).collect()
    }

    fn with_unknown(&self) -> Option<Vec<Act>> {
        let (place, act) = self.unknown?;
        let mut acts = self.acknowledged.clone();
        acts.insert(place, act);
        Some(acts)
    }

    /// Compares with what can be seen, and learns from that whether the unknown act is done.
    fn compare(&mut self, seen: Vec<Row>, written_since: bool) -> Result<(), Broken> {
        let seen = self.numbered(without_after(seen));
        if seen == self.without() {
            if written_since {
                self.unknown = None;
            }
            return Ok(());
        }
        match self.with_unknown() {
            Some(acts) if seen == self.numbered(replay(&acts)) => {
                (self.acknowledged, self.unknown) = (acts, None);
                Ok(())
            }
            _ => Err(format!("rows {seen:?}, acknowledged {:?}, unknown {:?}", self.acknowledged, self.unknown)),
        }
    }
}

pub(crate) fn run(
    (scenario, is_encrypted): (&Scenario, bool),
    plan: Plan,
    second: Option<Second>,
    tally: &mut Tally,
) -> Result<(), Broken> {
    let machine = prepare(scenario, is_encrypted);
    let mut players = Players::new(machine.clone());
    let mut expected = Expected {
        with_numbers: !scenario.skips_numbers,
        acknowledged: scenario.before.to_vec(),
        unknown: scenario.unknown.map(|act| (scenario.before.len(), act)),
    };
    let mut backup = None;
    let mut sync_failed = false;
    machine.set_plan(Some(plan));
    for act in scenario.acts {
        match players.perform(*act) {
            // Whoever should could not open the store.
            None => {}
            Some(Ok(())) => {
                if sync_failed && act.only_saves() {
                    return Err(format!("{act:?} is done although a sync has failed"));
                }
                sync_failed &= !act.mends();
                if *act == Act::Backup {
                    backup = Some(expected.without());
                }
                expected.acknowledged.push(*act);
                expected.compare_with_here(&machine, &players, act.writes())?;
            }
            Some(Err(error)) => {
                check_error(&error, tally)?;
                let is_unknown = matches!(error, Error::OutcomeUnknown { .. });
                sync_failed |= is_unknown && act.only_saves() && machine.tripped() == Some(Call::Sync);
                if is_unknown && expected.unknown.is_none() {
                    expected.unknown = Some((expected.acknowledged.len(), *act));
                }
                expected.compare_with_here(&machine, &players, false)?;
            }
        }
    }
    if let Some(call) = machine.tripped() {
        tally.count(&format!("failed {call:?}"));
    }
    if let Some(second) = second {
        machine.set_plan(Some(Plan { call: machine.calls() + second.call, ..Plan::at(0, second.fault) }));
        if let Err(error) = recover(&mut players) {
            check_error(&error, tally)?;
        }
        tally.add("second faults", u64::from(machine.tripped().is_some()));
    }
    machine.set_plan(None);
    recover(&mut players).map_err(|error| format!("not usable again: {error}"))?;
    expected.compare_with_here(&machine, &players, true)?;
    let images = [machine.kill(), machine.power_loss(Damage::Old, 1), machine.power_loss(Damage::Mixed, plan.call)];
    images.iter().try_for_each(|image| check_image(image, &mut expected, backup.as_deref()))
}

impl Expected {
    fn compare_with_here(&mut self, machine: &Sim, players: &Players, written_since: bool) -> Result<(), Broken> {
        let Some(store) = &players.here else { return Ok(()) };
        let seen = machine.paused(|| rows(store)).map_err(|error| format!("rows: {error}"))?;
        self.compare(seen, written_since)
    }
}

fn without_after(mut rows: Vec<Row>) -> Vec<Row> {
    rows.retain(|(row, _)| row.user_name() != Some(AFTER));
    rows
}

fn check_error(error: &Error, tally: &mut Tally) -> Result<(), Broken> {
    tally.count(&format!("refused as {:?}", error.kind()));
    if is_right(error) { Ok(()) } else { Err(format!("not the right error: {error}")) }
}

/// What anybody would try: to save, to compact and save, to open anew and save.
fn recover(players: &mut Players) -> Result<()> {
    let token = Token::builder().user_name(AFTER).access_token("fake").build();
    if let Some(store) = &players.here {
        let saved = store.save_token(&token).or_else(|_| store.compact().and_then(|_| store.save_token(&token)));
        match saved {
            Err(Error::ReadOnly { .. }) => {}
            other => return other.map(drop),
        }
    }
    players.open_here()?;
    players.here.as_ref().expect("open").save_token(&token).map(drop)
}

fn check_image(image: &Sim, expected: &mut Expected, backup: Option<&[Row]>) -> Result<(), Broken> {
    let store = open(image, STORE).map_err(|error| format!("does not open: {error}"))?;
    let seen = rows(&store).map_err(|error| format!("rows: {error}"))?;
    if !seen.iter().any(|(row, _)| row.user_name() == Some(AFTER)) {
        return Err("what was saved when all was well is gone".to_owned());
    }
    expected.compare(seen, true)?;
    store
        .save_token(&Token::builder().user_name("later").access_token("fake").build())
        .map_err(|error| error.to_string())?;
    let Some(backup) = backup else { return Ok(()) };
    assert!(image.names(Path::new(BACKUP)).contains(&"store.log".to_owned()));
    let copy = open(image, BACKUP).map_err(|error| format!("backup: {error}"))?;
    match rows(&copy) {
        Ok(rows) if expected.numbered(rows.clone()) == backup => Ok(()),
        other => Err(format!("the backup has {other:?}")),
    }
}
