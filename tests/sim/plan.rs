//! Which calls there were, and which of them go wrong: for the machine, and for each process on it.

use std::io;

/// What happens to a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It fails with this error number and does nothing (a sync: its data is lost but reads as written).
    Errno(i32),
    /// A write writes half of its bytes and fails with this error number.
    Short(i32),
    /// A write writes all of its bytes and fails with this error number all the same.
    Late(i32),
    /// The machine is gone: this call and all later ones fail, and nothing changes any more. In a process's plan it is
    /// that process which is gone, killed before this call did anything.
    Crash,
    /// The same, but a write has written half of its bytes.
    CrashHalfway,
    /// The thread that makes the call panics before it did anything; nothing is printed.
    Panic,
}

/// Which calls a fault hits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    /// The number of the call, from 0; with `only`, the first from there on.
    pub call: u64,
    /// Only a call that does this.
    pub only: Option<Call>,
    /// What happens to it.
    pub fault: Fault,
    /// And to every later call of the same kind.
    pub sticky: bool,
}

/// What a machine may promise and not do. No store can live with that: a proof has to notice each of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lie {
    /// A sync of a file makes nothing durable.
    SyncDoesNothing,
    /// That of a directory makes no name durable.
    DirectoriesAreNotSynced,
    /// It makes names durable, but none that a rename gave.
    RenamesAreNotDurable,
    /// Reads give what was there before the last sync.
    StaleReads,
}

/// What a call does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Call {
    Open,
    Create,
    Read,
    Write,
    Sync,
    Rename,
    Remove,
    SyncDirectory,
    SyncParent,
    /// A store into shared memory, which cannot fail.
    Page,
    /// Takes a lock or asks for one. This and the kinds below are calls of processes only.
    Lock,
    /// Lets go of one byte's lock, which cannot fail: the kernel needs no memory for that.
    Unlock,
    /// A load from shared memory, which cannot fail.
    Load,
    /// Looks at names or lengths.
    Stat,
    /// Ends an opening that holds locks, which cannot fail.
    Close,
}

/// The calls of one process, or of all.
#[derive(Clone, Default)]
pub(super) struct Ledger {
    pub(super) calls: u64,
    pub(super) trace: Vec<Call>,
    pub(super) plan: Option<Plan>,
    pub(super) tripped: Option<Call>,
    pub(super) gone: bool,
    /// Calls neither count nor fail.
    pub(super) paused: bool,
}

impl Plan {
    /// The call with this number.
    pub(crate) fn at(call: u64, fault: Fault) -> Self {
        Self { call, only: None, fault, sticky: false }
    }

    /// The next call that does this.
    pub(crate) fn next(only: Call, fault: Fault) -> Self {
        Self { call: 0, only: Some(only), fault, sticky: false }
    }
}

impl Ledger {
    /// Counts a call; says what is to happen to it.
    pub(super) fn call(&mut self, call: Call) -> Option<Fault> {
        if self.gone {
            return Some(Fault::Crash);
        }
        if self.paused {
            return None;
        }
        let number = self.calls;
        self.calls += 1;
        self.trace.push(call);
        let plan = self.plan?;
        let first = match plan.only {
            None => number == plan.call,
            Some(only) => number >= plan.call && only == call && self.tripped.is_none(),
        };
        let hit = first || (plan.sticky && self.tripped == Some(call));
        if !hit || (!call.can_fail() && !plan.fault.is_crash()) {
            return None;
        }
        self.tripped = Some(call);
        self.gone = plan.fault.is_crash();
        Some(plan.fault)
    }
}

impl Call {
    /// What can fail on any machine.
    pub(crate) const FALLIBLE: [Self; 9] = [
        Self::Open,
        Self::Create,
        Self::Read,
        Self::Write,
        Self::Sync,
        Self::Rename,
        Self::Remove,
        Self::SyncDirectory,
        Self::SyncParent,
    ];

    /// Whether it may change what a power loss leaves.
    pub(super) fn changes(self) -> bool {
        !matches!(self, Self::Open | Self::Read | Self::Lock | Self::Unlock | Self::Load | Self::Stat | Self::Close)
    }

    /// Whether it is more than a look at memory, or the end of an opening.
    pub(crate) fn can_fail(self) -> bool {
        !matches!(self, Self::Page | Self::Load | Self::Unlock | Self::Close)
    }
}

impl Fault {
    pub(super) fn is_crash(self) -> bool {
        matches!(self, Self::Crash | Self::CrashHalfway)
    }

    pub(super) fn error(self) -> io::Error {
        match self {
            Self::Errno(errno) | Self::Short(errno) | Self::Late(errno) => io::Error::from_raw_os_error(errno),
            Self::Panic => unreachable!("the call has panicked"),
            Self::Crash | Self::CrashHalfway => io::Error::other("the simulated machine or process is gone"),
        }
    }
}
