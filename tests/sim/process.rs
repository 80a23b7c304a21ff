//! Processes on one simulated machine: each has its own locks, calls and plan, and can die alone.
//!
//! A handle that belongs to no process is the machine itself: the simulation of a single process, whose locks and looks
//! are no calls. The machine also counts, and can lose, the calls of all its processes.

use std::io;
use std::panic::resume_unwind;
use std::sync::MutexGuard;

use super::{Call, Fault, Ledger, Sim, World};

impl Sim {
    /// A new process on this machine.
    pub(crate) fn process(&self) -> Self {
        let mut world = self.world();
        world.processes.push(Ledger::default());
        Self { shared: self.shared.clone(), process: Some(world.processes.len() - 1) }
    }

    /// The process is killed: its locks go and its later calls fail. Memory and the other processes go on.
    pub(crate) fn die(&self) {
        let process = self.process.expect("a process's handle");
        self.world().die(process);
    }

    /// Comes to a call: waits for this process's turn, then counts it. What it does happens under the guard.
    pub(super) fn call(&self, call: Call) -> (MutexGuard<'_, World>, Option<Fault>) {
        let mut world = self.arrive();
        self.record(&world, call);
        let fault = world.call(self.process, call);
        if fault == Some(Fault::Panic) {
            drop(world);
            resume_unwind(Box::new("a simulated panic"));
        }
        (world, fault)
    }

    /// The same for one that either happens or fails.
    pub(super) fn simple(&self, call: Call) -> io::Result<MutexGuard<'_, World>> {
        let (world, fault) = self.call(call);
        fault.map_or(Ok(world), |fault| Err(fault.error()))
    }

    /// The same for what only processes count.
    pub(super) fn look(&self, call: Call) -> io::Result<MutexGuard<'_, World>> {
        if self.process.is_some() { self.simple(call) } else { Ok(self.world()) }
    }
}

impl World {
    /// Counts a call for the process and for the machine; says what is to happen to it.
    fn call(&mut self, process: Option<usize>, call: Call) -> Option<Fault> {
        if self.machine.gone || process.is_some_and(|process| self.processes[process].gone) {
            return Some(Fault::Crash);
        }
        let own = process.and_then(|process| {
            let fault = self.processes[process].call(call);
            if fault.is_some_and(Fault::is_crash) {
                self.die(process);
            }
            fault
        });
        self.machine.call(call).or(own)
    }

    fn die(&mut self, process: usize) {
        self.processes[process].gone = true;
        self.locks.retain(|held| held.process != Some(process));
    }

    /// The ledger of a process, or the machine's.
    pub(super) fn ledger(&mut self, process: Option<usize>) -> &mut Ledger {
        match process {
            Some(process) => &mut self.processes[process],
            None => &mut self.machine,
        }
    }
}
