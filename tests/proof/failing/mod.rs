//! Every call of every scenario fails: nothing is acknowledged falsely, nothing half-visible, and all works again.
//!
//! Method: scenarios run on the simulated machine, half of them with encrypted stores, by processes, while each of their calls in turn fails with each error,
//! once or from then on. After each act the rows must be those of a plain list that saw the acknowledged acts; an error
//! is one of the system's, never an absence. Then the fault passes, and the store must be usable: by itself, after a
//! compaction, or when it is opened anew, while in some runs a second call fails. What is there after a kill and after
//! power losses is what was acknowledged, or that and an act whose error said that its outcome is unknown.
//! `TOKCASK_FAULTS` says how many runs there are to be; beyond the first round each has a second fault.

mod acts;
mod run;
mod scenarios;

use std::panic::{AssertUnwindSafe, catch_unwind};

use run::{Second, run};
use scenarios::{SCENARIOS, Scenario};

use super::settings::{Tally, in_parallel, number, seed};
use super::sim::{Call, Fault, Plan, next_random};

const FAULTS: [Fault; 9] = [
    Fault::Errno(5),  // EIO
    Fault::Errno(28), // ENOSPC
    Fault::Late(5),
    Fault::Errno(122), // EDQUOT
    Fault::Errno(30),  // EROFS
    Fault::Errno(24),  // EMFILE
    Fault::Errno(4),   // EINTR
    Fault::Short(5),
    Fault::Short(28),
];

#[test]
fn every_call_can_fail_and_nothing_is_lost_or_half_visible() {
    let wanted = number("TOKCASK_FAULTS", 25_000);
    let tally = campaign(wanted);
    tally.expect_none("failing calls");
    assert!(tally.get("runs") >= wanted);
    // Locks and looks are calls of processes.
    for site in Call::FALLIBLE.into_iter().chain([Call::Lock, Call::Stat]) {
        assert!(tally.get(&format!("failed {site:?}")) > 0, "no {site:?} has failed");
    }
    for kind in ["Io", "NoSpace", "OutcomeUnknown", "Poisoned"] {
        assert!(tally.get(&format!("refused as {kind}")) > 0, "nothing was refused as {kind}");
    }
}

/// One call that fails.
struct Site {
    scenario: &'static Scenario,
    call: u64,
}

/// Rounds over all calls: with each fault, once and from then on, alone and with a second fault; then again with other
/// second faults.
fn campaign(wanted: u64) -> Tally {
    let sites = |scenario| run::calls(scenario).into_iter().map(move |call| Site { scenario, call });
    let sites: Vec<_> = SCENARIOS.iter().flat_map(sites).collect();
    in_parallel(|number, tally| {
        if number as u64 >= wanted {
            return false;
        }
        let (round, site) = (number / sites.len(), &sites[number % sites.len()]);
        let (pass, fault) = (round / FAULTS.len(), round % FAULTS.len());
        // Begun elsewhere for each fault, so that a few rounds have something of everything.
        let way = pass + fault;
        let (sticky, with_second) = (way % 2 == 1, way % 4 >= 2 || pass >= 4);
        let fault = FAULTS[fault];
        let mut random = seed() ^ ((number as u64) << 16);
        let second = with_second.then(|| Second {
            call: next_random(&mut random) % 40,
            fault: FAULTS[usize::try_from(next_random(&mut random) % FAULTS.len() as u64).unwrap()],
        });
        let plan = Plan { call: site.call, only: None, fault, sticky };
        // Of every few runs half, in no step with the faults.
        try_run((site.scenario, number / 3 % 2 == 1), plan, second, tally);
        true
    })
}

fn try_run(what: (&Scenario, bool), plan: Plan, second: Option<Second>, tally: &mut Tally) {
    let verdict = catch_unwind(AssertUnwindSafe(|| run(what, plan, second, tally)));
    tally.count("runs");
    let (scenario, is_encrypted) = what;
    let context = || {
        let kind = if is_encrypted { "encrypted " } else { "" };
        format!("{kind}{}: {plan:?}, then {second:?}", scenario.name)
    };
    match verdict {
        Ok(Ok(())) => {}
        Ok(Err(broken)) => tally.violation(format!("{}: {broken}", context())),
        Err(_) => tally.violation(format!("{}: panic", context())),
    }
}
