//! What somebody does when a call fails: what was there before, what happened to it, and what is done then.

use std::path::Path;

use super::acts::Act::{
    self, Backup, Batch, Clear, Close, Compact, CompareAndSave, Delete, Import, Join, Look, LookThere, Open,
    OpenToRead, Refresh, Salvage, Save, SaveLong, SaveThere, Sweep, Verify,
};
use crate::history::STORE;
use crate::sim::{Call, Damage, Fault, Plan, Sim};

pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    /// Done before, all of it acknowledged.
    pub(crate) before: &'static [Act],
    /// What happens to the machine then; its processes end.
    pub(crate) event: fn(&Sim) -> Sim,
    /// Done while calls fail.
    pub(crate) acts: &'static [Act],
    /// What the event did without anybody knowing whether it is done.
    pub(crate) unknown: Option<Act>,
    /// Whether it leaves ids and revisions out.
    pub(crate) skips_numbers: bool,
}

const fn scenario(
    name: &'static str,
    before: &'static [Act],
    event: fn(&Sim) -> Sim,
    acts: &'static [Act],
) -> Scenario {
    Scenario { name, before, event, acts, unknown: None, skips_numbers: false }
}

const ROWS: &[Act] = &[Open, Save(1), Batch(2, 5), Save(6), Delete("3"), Save(1)];
const CLOSED: &[Act] = &[Open, Save(1), Batch(2, 5), Save(6), Delete("3"), Save(1), Close];

pub(crate) const SCENARIOS: &[Scenario] = &[
    scenario("make a store", &[], Sim::kill, &[Open, Save(1), Save(2), Close]),
    scenario("open", CLOSED, Sim::kill, &[Open, Look, Save(7)]),
    scenario("open after a kill", ROWS, Sim::kill, &[Open, Look, Save(7)]),
    scenario("open after a power loss", ROWS, lose_power, &[Open, Look, Save(7)]),
    Scenario { skips_numbers: true, ..scenario("open with a torn tail", ROWS, tear, &[Open, Look, Save(7)]) },
    Scenario {
        unknown: Some(Delete("1")),
        ..scenario("open after a failed sync", ROWS, fail_a_sync, &[Open, Look, Save(7)])
    },
    scenario("open after a compaction's death", ROWS, kill_a_compaction, &[Open, Look, Save(7)]),
    scenario("open after a move whose directory was not synced", ROWS, fail_a_move, &[Open, Look, Save(7)]),
    scenario("open to read", ROWS, Sim::kill, &[OpenToRead, Look, Verify]),
    scenario("save", ROWS, Sim::kill, &[Open, Save(7), Save(8), Look]),
    scenario("save and grow", ROWS, Sim::kill, &[Open, SaveLong(7), Save(8)]),
    scenario("update", ROWS, Sim::kill, &[Open, Save(1), Save(6), Save(1)]),
    scenario("compare and save", ROWS, Sim::kill, &[Open, CompareAndSave(6, 5), Save(8)]),
    scenario("batch", ROWS, Sim::kill, &[Open, Batch(1, 9), Save(8)]),
    scenario("batch and grow", ROWS, Sim::kill, &[Open, Batch(10, 40), Delete("9"), Save(8)]),
    scenario("delete", ROWS, Sim::kill, &[Open, Delete("1"), Delete("2"), Look]),
    scenario("clear", ROWS, Sim::kill, &[Open, Clear, Save(7), Clear]),
    scenario("import", ROWS, Sim::kill, &[Open, Import(7), Save(8)]),
    scenario("refresh", ROWS, Sim::kill, &[Open, Refresh(1), Refresh(6), Look]),
    scenario("sweep", &[Open, Batch(3, 12), Save(15)], Sim::kill, &[Open, Sweep, Save(8)]),
    scenario("compact", ROWS, Sim::kill, &[Open, Compact, Save(7)]),
    scenario("compact again and again", ROWS, Sim::kill, &[Open, Compact, Save(7), Compact, Delete("1"), Compact]),
    scenario("back up", ROWS, Sim::kill, &[Open, Backup, Save(7)]),
    scenario("verify", ROWS, Sim::kill, &[Open, Verify, Look, Verify]),
    scenario("close", ROWS, Sim::kill, &[Open, Save(7), Close, Open, Close]),
    scenario("salvage", ROWS, Sim::kill, &[Salvage]),
    scenario("join", ROWS, Sim::kill, &[Open, Join, LookThere, SaveThere(7), Look]),
    scenario("follow a save", ROWS, Sim::kill, &[Open, Join, Save(7), LookThere, Clear, LookThere]),
    scenario("follow a compaction", ROWS, Sim::kill, &[Open, Join, Compact, LookThere, SaveThere(7), Look, Compact]),
    scenario("take turns", ROWS, Sim::kill, &[Open, Join, Save(7), SaveThere(8), Batch(9, 12), SaveThere(7), Look]),
];

fn lose_power(machine: &Sim) -> Sim {
    machine.power_loss(Damage::Old, 0)
}

fn tear(machine: &Sim) -> Sim {
    let machine = machine.kill();
    let path = Path::new(STORE);
    let mut log = machine.content(path, "store.log").unwrap();
    let torn = log.iter().rposition(|byte| *byte != 0).unwrap() + 64;
    log[torn..torn + 700].fill(0xA5);
    machine.set_content(path, "store.log", &log);
    machine
}

/// Somebody's sync failed, and nothing of it is durable.
fn fail_a_sync(machine: &Sim) -> Sim {
    with_a_failure(machine, Call::Sync, |store| drop(store.delete("1")))
}

fn fail_a_move(machine: &Sim) -> Sim {
    with_a_failure(machine, Call::SyncDirectory, |store| drop(store.compact()))
}

fn with_a_failure(machine: &Sim, call: Call, act: fn(&tokcask::LogStore)) -> Sim {
    let machine = machine.kill();
    let store = crate::history::open(&machine, STORE).unwrap();
    machine.set_plan(Some(Plan { call: machine.calls(), ..Plan::next(call, Fault::Errno(5)) }));
    act(&store);
    assert_eq!(machine.tripped(), Some(call));
    machine.kill()
}

fn kill_a_compaction(machine: &Sim) -> Sim {
    let machine = machine.kill();
    let store = crate::history::open(&machine, STORE).unwrap();
    machine.set_plan(Some(Plan { call: machine.calls(), ..Plan::next(Call::Rename, Fault::Crash) }));
    store.compact().unwrap_err();
    machine.kill()
}
