//! What must be true of a machine that a crash has left.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use tokcask::{Error, Key, LogStore, TokenStore, VerifyStatus, open_on};

use super::history::{BACKUP, Row, STORE, State, open, rows, token};
use super::settings::{key, options_with};
use super::sim::{Damage, Sim};

/// A promise that was broken.
pub(crate) type Broken = String;

fn broken(what: &'static str) -> impl Fn(Error) -> Broken {
    move |error| format!("{what}: {error}")
}

/// It opens by itself, holds what was acknowledged, or that and what was in flight, and goes on as if nothing had been.
pub(crate) fn check(machine: &Sim, state: &State) -> Result<(), Broken> {
    let store = open(machine, STORE).map_err(broken("does not open"))?;
    let found = rows(&store).map_err(broken("rows"))?;
    if found != state.acknowledged && found != state.in_flight {
        let [found, acknowledged, in_flight] = [&found, &state.acknowledged, &state.in_flight].map(|rows| short(rows));
        return Err(format!("found {found}, acknowledged {acknowledged}, in flight {in_flight}"));
    }
    check_key_gone(machine, state)?;
    check_durable(machine, &found)?;
    check_finds(&store, &found)?;
    check_save(&store, state)?;
    let verified = store.verify().map_err(broken("verify"))?;
    if verified.status != VerifyStatus::Clean {
        return Err(format!("verify says {:?}", verified.status));
    }
    let after = rows(&store).map_err(broken("rows"))?;
    check_durable(machine, &after)?;
    drop(store);
    let store = open(machine, STORE).map_err(broken("does not open again"))?;
    if rows(&store).map_err(broken("rows"))? != after {
        return Err("other rows when opened again".to_owned());
    }
    if let Some(tail) = &store.open_report().recovered {
        return Err(format!("a torn tail was cut, and is there again: {tail:?}"));
    }
    drop(store);
    if let Some(left) = machine.names(Path::new(STORE)).iter().find(|name| name.contains(".new")) {
        return Err(format!("{left} is left"));
    }
    check_backup(machine, state)
}

/// A key that was replaced opens the store no more.
fn check_key_gone(machine: &Sim, state: &State) -> Result<(), Broken> {
    let Some(number) = state.key_gone else { return Ok(()) };
    match open_on(&options_with(&key(number)), Arc::new(machine.clone()), Path::new(STORE)) {
        Err(Error::WrongKey { .. }) => Ok(()),
        other => Err(format!("to a key that was replaced it says {other:?}")),
    }
}

/// These rows were shown, or acknowledged: they survive a power loss right then.
fn check_durable(machine: &Sim, shown: &[Row]) -> Result<(), Broken> {
    let store = open(&machine.power_loss(Damage::Old, 0), STORE).map_err(broken("what was shown does not open"))?;
    if rows(&store).map_err(broken("rows"))? == shown { Ok(()) } else { Err("rows were shown and are gone".to_owned()) }
}

/// Rows as a person can read them.
fn short(rows: &[Row]) -> String {
    let text =
        |text: &Option<String>| text.as_ref().map_or_else(|| "-".to_owned(), |text| text.chars().take(20).collect());
    let row = |(id, user, refresh, revision): &Row| {
        format!("{} {} {} at {}", text(id), text(user), text(refresh), revision.unwrap_or(0))
    };
    format!("{:?}", rows.iter().map(row).collect::<Vec<_>>())
}

/// Each key finds the oldest row that has it.
fn check_finds(store: &LogStore, rows: &[Row]) -> Result<(), Broken> {
    let mut oldest = BTreeMap::new();
    for (id, user, refresh, _) in rows {
        oldest.entry((0, user)).or_insert(id);
        oldest.entry((1, refresh)).or_insert(id);
    }
    for ((column, text), id) in oldest {
        let Some(text) = text else { continue };
        let key = [Key::UserName(text), Key::RefreshToken(text)][column];
        let found = store.get(key).map_err(|error| format!("find: {error}"))?;
        if found.as_ref().and_then(|row| row.id()) != id.as_deref() {
            return Err(format!("{key:?} finds {found:?}, not {id:?}"));
        }
    }
    Ok(())
}

/// It can be written to, and gives no id and no revision twice.
fn check_save(store: &LogStore, state: &State) -> Result<(), Broken> {
    let saved = store.save_token(&token(99)).map_err(|error| format!("no save: {error}"))?;
    let id: u64 = saved.id().and_then(|id| id.parse().ok()).ok_or("no decimal id")?;
    let revision = saved.revision().ok_or("no revision")?;
    let (id_given, revision_given) = state.given;
    if id <= id_given || revision <= revision_given {
        return Err(format!("id {id} and revision {revision}, although {id_given} and {revision_given} were given"));
    }
    match store.get(Key::UserName("user99")) {
        Ok(Some(_)) => Ok(()),
        other => Err(format!("what was saved is not found: {other:?}")),
    }
}

fn check_backup(machine: &Sim, state: &State) -> Result<(), Broken> {
    let Some(expected) = &state.backup else { return Ok(()) };
    let backup = open(machine, BACKUP).map_err(|error| format!("backup: {error}"))?;
    match rows(&backup) {
        Ok(found) if found == *expected => Ok(()),
        other => Err(format!("the backup has {other:?}, not {expected:?}")),
    }
}
