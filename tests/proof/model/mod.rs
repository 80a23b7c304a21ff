//! The model: random scripts over the whole public face, by several processes that are killed and lose their power, and
//! every answer is a plain list's.
//!
//! Up to three handles that write and one that reads, each a process of a simulated machine, do one call after the other,
//! so nothing is in flight when one of them is killed or the power fails: all rows are there afterwards, to the revision,
//! and no number is given again. After each call another handle is asked, which has to see what the first one did.
//! What calls that overlap do is shown elsewhere (`interleavings`, `schedules`); what a crash in the middle of one
//! leaves, in `crash`.
//!
//! `TOKCASK_OPERATIONS` says how many calls; a script is repeated by `TOKCASK_SEED` and `TOKCASK_SCRIPT`, and then says
//! what it does.

mod dice;
mod ends;
mod refresh;
mod script;
mod verb;

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use self::dice::Dice;
use self::script::Script;
use crate::settings::{Tally, in_parallel, number, seed};

/// Calls of a script.
const SCRIPT_LEN: u64 = 250;
/// So many that each kind of call, crash and answer is met.
const OPERATIONS: u64 = 250_000;

/// What a run of any length has to meet.
const KINDS: &[&str] = &[
    "save",
    "batch",
    "compare and save",
    "import or refuse",
    "import and keep",
    "import and replace",
    "import and renumber",
    "find_token",
    "find_by_id",
    "get by id",
    "get by user name",
    "get by access token",
    "get by refresh token",
    "get by grant token",
    "view",
    "iter",
    "delete",
    "delete_token",
    "dry sweep",
    "sweep",
    "clear",
    "refresh",
    "refresh: fresh",
    "refresh: by us",
    "refresh: by another",
    "refresh: unknown key",
    "refresh: provider failed",
    "refresh: back-off",
    "refresh: deleted",
    "refresh: replaced",
    "refresh: not saved",
    "compact",
    "backup",
    "backup refused",
    "verify",
    "write by a reader",
    "open",
    "open to read",
    "close",
    "process killed",
    "machine killed",
    "power lost: old",
    "power lost: new",
    "power lost: mixed",
    "found",
    "not found",
    "done",
    "nothing to delete",
    "another sees",
    "another sees nothing",
    "Conflict",
    "EmptyId",
    "IdTaken",
    "TooLarge",
    "TooLittle",
    "UnknownId",
];

#[test]
fn every_answer_of_every_handle_is_the_lists_whatever_is_asked_and_whoever_dies() {
    if let Ok(script) = std::env::var("TOKCASK_SCRIPT") {
        let mut tally = Tally::default();
        run(script.parse().expect("TOKCASK_SCRIPT is a number"), SCRIPT_LEN, true, &mut tally);
        return tally.expect_none("one script of the model");
    }
    let operations = number("TOKCASK_OPERATIONS", OPERATIONS);
    let tally = in_parallel(|job, tally| {
        let begun = job as u64 * SCRIPT_LEN;
        if begun < operations {
            run(job as u64, SCRIPT_LEN.min(operations - begun), false, tally);
        }
        begun < operations
    });
    tally.expect_none("model");
    for kind in KINDS {
        assert!(operations < OPERATIONS || tally.get(kind) > 0, "{kind:?} was not met in {operations} operations");
    }
}

/// Every other script is of an encrypted store.
fn is_encrypted(script: u64) -> bool {
    !script.is_multiple_of(2)
}

/// Runs one script. Whatever breaks is told with what repeats it.
fn run(number: u64, len: u64, is_loud: bool, tally: &mut Tally) {
    let mut steps = 0;
    let mut script = Script::new(Dice::new(seed(), number), tally, is_encrypted(number), is_loud);
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        while steps < len {
            script.step();
            steps += 1;
        }
        script.crash();
    }));
    let doing = std::mem::take(&mut script.doing);
    // A handle whose call has panicked may not be able to end.
    let _ = catch_unwind(AssertUnwindSafe(|| drop(script)));
    tally.count("scripts");
    tally.add("operations", steps);
    if let Err(panic) = outcome {
        let (seed, text) = (seed(), text(panic.as_ref()));
        tally.violation(format!(
            "script {number}, step {steps}, {doing}: {text}\nrepeat with TOKCASK_SEED={seed} TOKCASK_SCRIPT={number}"
        ));
    }
}

fn text(panic: &(dyn Any + Send)) -> &str {
    panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied()).unwrap_or("a panic")
}
