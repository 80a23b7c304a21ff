//! Two processes in a fixed order: one stops before a call of its choice, and the other runs meanwhile.
//!
//! Each process has an operating system's thread, and only one of the two runs at any moment: a turn passes on where a
//! process comes to its pause, where it waits, and where it ends. So a run is the same every time. Waiting takes no
//! time but the simulated clock's, by which every wait lasts its whole time limit.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::MutexGuard;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use super::{Sim, World, threads};

/// Of real time, for two processes together.
const LIMIT: Duration = Duration::from_secs(30);
/// A thread that hangs inside the simulation finds out by itself; it is waited for so much longer.
const GRACE: Duration = Duration::from_secs(5);

/// Where two processes give way. Calls are counted for each from the start of the run.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Schedule {
    pauses_at: [Option<u64>; 2],
    stopped: bool,
}

impl Schedule {
    /// The first process pauses before this call, until the second ends or waits.
    pub(crate) fn at(call: u64) -> Self {
        Self { pauses_at: [Some(call), None], stopped: false }
    }

    /// And the second before this one of its own, until the first ends or waits.
    pub(crate) fn then(mut self, call: u64) -> Self {
        self.pauses_at[1] = Some(call);
        self
    }

    /// The first does not go on when the second waits, as if it had been stopped by a signal, but only when it has ended.
    pub(crate) fn stopped(mut self) -> Self {
        self.stopped = true;
        self
    }
}

impl From<u64> for Schedule {
    fn from(call: u64) -> Self {
        Self::at(call)
    }
}

/// How two processes got on.
#[derive(Debug)]
pub(crate) struct Outcome<A, B> {
    pub first: A,
    pub second: B,
    /// Whether the first came to its pause; if not, the second ran after it.
    pub reached: bool,
    /// Whether the second came to its own, if it had one.
    pub second_reached: bool,
    /// Whether the second had to wait.
    pub waited: bool,
}

/// A run of two processes.
#[derive(Clone)]
pub(super) struct Play {
    processes: [usize; 2],
    /// The calls before which they pause, counted as the processes count.
    pauses_at: [Option<u64>; 2],
    stopped: bool,
    running: usize,
    reached: [bool; 2],
    waited: [bool; 2],
    ended: [bool; 2],
    deadline: Instant,
}

/// Runs the work of two processes of one machine as the schedule says, the first one first.
///
/// Panics if one of them panics, or if they are not done after half a minute.
pub(crate) fn interleave<A: Send + 'static, B: Send + 'static>(
    sim: &Sim,
    first: (&Sim, impl FnOnce() -> A + Send + 'static),
    second: (&Sim, impl FnOnce() -> B + Send + 'static),
    schedule: impl Into<Schedule>,
) -> Outcome<A, B> {
    let schedule = schedule.into();
    let processes = [first.0, second.0].map(|process| process.process.expect("a process's handle"));
    {
        let mut world = sim.world();
        let calls = processes.map(|process| world.processes[process].calls);
        world.play = Some(Play {
            processes,
            pauses_at: [0, 1].map(|player| schedule.pauses_at[player].map(|call| calls[player] + call)),
            stopped: schedule.stopped,
            running: 0,
            reached: [false; 2],
            waited: [false; 2],
            ended: [false; 2],
            deadline: Instant::now() + LIMIT,
        });
    }
    let answers = (start(first.0, first.1), start(second.0, second.1));
    let first = answer(&answers.0);
    let second = answer(&answers.1);
    let play = sim.world().play.take().expect("taken only here");
    Outcome { first, second, reached: play.reached[0], second_reached: play.reached[1], waited: play.waited[1] }
}

type Answer<R> = Result<R, Box<dyn Any + Send>>;

fn start<R: Send + 'static>(process: &Sim, work: impl FnOnce() -> R + Send + 'static) -> Receiver<Answer<R>> {
    let (answers, receiver) = channel();
    let process = process.clone();
    // Not a scoped thread: one that hangs is left behind, so that the test can fail.
    thread::spawn(move || {
        let answer = catch_unwind(AssertUnwindSafe(|| {
            drop(process.arrive());
            work()
        }));
        process.end_turn();
        let _ = answers.send(answer);
    });
    receiver
}

fn answer<R>(receiver: &Receiver<Answer<R>>) -> R {
    let answer =
        receiver.recv_timeout(LIMIT + GRACE).expect("a simulated process ends, or hangs inside the simulation");
    answer.unwrap_or_else(|panic| resume_unwind(panic))
}

impl Sim {
    /// Waits until this process may run: at once, if it is in no play.
    pub(super) fn arrive(&self) -> MutexGuard<'_, World> {
        threads::may_switch();
        let mut world = self.turn(self.world());
        if world.pause(self.process) {
            self.shared.turn.notify_all();
            world = self.turn(world);
        }
        world
    }

    /// Waits for so long, and lets the other process run.
    pub(super) fn pass(&self, time: Duration) {
        let mut world = self.turn(self.world());
        world.clock += time;
        if world.give_way(self.process) {
            self.shared.turn.notify_all();
            drop(self.turn(world));
        } else {
            drop(world);
            threads::give_way();
        }
    }

    fn turn<'a>(&'a self, mut world: MutexGuard<'a, World>) -> MutexGuard<'a, World> {
        // What is dropped while a thread panics must neither wait nor panic again.
        while let Some((play, player)) = world.player(self.process).filter(|_| !thread::panicking()) {
            let left = play.deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                let (reached, waited) = (play.reached, play.waited);
                drop(world);
                panic!("simulated process {player} is not done in time; paused {reached:?}, waited {waited:?}");
            }
            if play.running == player {
                break;
            }
            world = self.shared.turn.wait_timeout(world, left).unwrap().0;
        }
        world
    }

    fn end_turn(&self) {
        if let Some((play, player)) = self.world().player(self.process) {
            play.ended[player] = true;
            if !play.ended[1 - player] {
                play.running = 1 - player;
            }
        }
        self.shared.turn.notify_all();
    }
}

impl World {
    fn player(&mut self, process: Option<usize>) -> Option<(&mut Play, usize)> {
        let play = self.play.as_mut()?;
        let player = play.processes.iter().position(|player| Some(*player) == process)?;
        Some((play, player))
    }

    /// Whether the process is at its pause, so that it is the other's turn.
    fn pause(&mut self, process: Option<usize>) -> bool {
        let ledger = self.ledger(process);
        let (calls, unseen) = (ledger.calls, ledger.paused || ledger.gone);
        let Some((play, player)) = self.player(process) else { return false };
        if unseen || play.reached[player] || play.pauses_at[player] != Some(calls) {
            return false;
        }
        play.reached[player] = true;
        play.pass_on(player)
    }

    /// Whether it is the other's turn while this process waits.
    fn give_way(&mut self, process: Option<usize>) -> bool {
        let Some((play, player)) = self.player(process) else { return false };
        play.waited[player] = true;
        let stopped = play.stopped && player == 1 && play.reached[0];
        !stopped && play.pass_on(player)
    }
}

impl Play {
    fn pass_on(&mut self, player: usize) -> bool {
        let other = 1 - player;
        if !self.ended[other] {
            self.running = other;
        }
        !self.ended[other]
    }
}
