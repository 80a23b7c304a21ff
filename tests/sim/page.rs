//! The simulated page.

use std::sync::Arc;
use std::time::Duration;

use tokcask::storage::Page;

use super::{Call, Sim, World};

#[derive(Debug)]
pub(super) struct SimPage {
    pub(super) sim: Sim,
    pub(super) inode: u64,
}

impl SimPage {
    fn number(&self, world: &World, place: usize) -> u64 {
        let bytes = &world.files[&self.inode].cache[8 * place..8 * place + 8];
        u64::from_le_bytes(bytes.try_into().unwrap())
    }
}

impl Page for SimPage {
    fn load(&self, place: usize) -> u64 {
        // Memory cannot fail: who is gone sees what is there, and can do nothing with it.
        let world = if self.sim.process.is_some() { self.sim.call(Call::Load).0 } else { self.sim.world() };
        self.number(&world, place)
    }

    fn store(&self, place: usize, value: u64) {
        let (mut world, fault) = self.sim.call(Call::Page);
        if fault.is_some() {
            return;
        }
        let bytes = value.to_le_bytes();
        let file = world.files.get_mut(&self.inode).unwrap();
        Arc::make_mut(&mut file.cache)[8 * place..8 * place + 8].copy_from_slice(&bytes);
        file.pending.push((8 * place as u64, bytes.to_vec()));
    }

    fn wait(&self, place: usize, expected: u32, time: Duration) {
        let lower_half = self.number(&self.sim.arrive(), place) & u64::from(u32::MAX);
        if lower_half == u64::from(expected) {
            self.sim.pass(time);
        }
    }

    fn wake(&self, _: usize) {}
}
