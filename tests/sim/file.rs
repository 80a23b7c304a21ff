//! The simulated file.

use std::io;
use std::ops::Range;
use std::sync::Arc;
use std::thread;

use tokcask::storage::{Access, File, Identity, Lock, Map, Page};

use super::page::SimPage;
use super::{Call, Fault, Held, Lie, Sim};

/// "Input/output error".
const EIO: i32 = 5;

#[derive(Debug)]
pub(super) struct SimFile {
    pub(super) sim: Sim,
    pub(super) inode: u64,
    pub(super) opening: u64,
    /// Such an opening is never mapped.
    pub(super) to_lock: bool,
}

impl File for SimFile {
    fn file_len(&self) -> io::Result<u64> {
        Ok(self.sim.look(Call::Stat)?.files[&self.inode].cache.len() as u64)
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let world = self.sim.simple(Call::Read)?;
        let end = offset + buffer.len() as u64;
        if world.files[&self.inode].bad.as_ref().is_some_and(|bad| bad.start < end && offset < bad.end) {
            return Err(io::Error::from_raw_os_error(EIO));
        }
        let file = &world.files[&self.inode];
        let content = if world.lie == Some(Lie::StaleReads) { &file.before_sync } else { &file.cache };
        let start = content.len().min(usize::try_from(offset).unwrap());
        let len = buffer.len().min(content.len() - start);
        buffer[..len].copy_from_slice(&content[start..start + len]);
        Ok(len)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        drop(self.sim.arrive());
        let machine_gone_before = self.sim.world().machine.gone;
        let (mut world, fault) = self.sim.call(Call::Write);
        let power_lost = world.machine.gone && !machine_gone_before;
        let (written, error) = match fault {
            None => (bytes.len(), None),
            Some(Fault::Short(errno)) => (bytes.len() / 2, Some(Fault::Short(errno).error())),
            Some(Fault::Late(errno)) => (bytes.len(), Some(Fault::Late(errno).error())),
            Some(Fault::CrashHalfway) => (bytes.len() / 2, Some(Fault::CrashHalfway.error())),
            // Power is lost in the middle of a write: all of it is pending, so that any part may survive.
            Some(Fault::Crash) if power_lost => (bytes.len(), Some(Fault::Crash.error())),
            Some(fault) => (0, Some(fault.error())),
        };
        let end = offset + written as u64;
        let len = world.files[&self.inode].cache.len() as u64;
        let room = world.quota.map_or(u64::MAX, |quota| quota.saturating_sub(world.used()));
        let (written, error) = if end > len && end - len > room {
            let fits = (len + room).saturating_sub(offset);
            (usize::try_from(fits).unwrap().min(written), Some(io::ErrorKind::StorageFull.into()))
        } else {
            (written, error)
        };
        let file = world.files.get_mut(&self.inode).unwrap();
        let start = usize::try_from(offset).unwrap();
        if written > 0 {
            let cache = Arc::make_mut(&mut file.cache);
            if cache.len() < start + written {
                cache.resize(start + written, 0);
            }
            cache[start..start + written].copy_from_slice(&bytes[..written]);
            file.pending.push((offset, bytes[..written].to_vec()));
        }
        error.map_or(Ok(()), Err)
    }

    fn sync(&self) -> io::Result<()> {
        let (mut world, fault) = self.sim.call(Call::Sync);
        let lie = world.lie;
        let file = world.files.get_mut(&self.inode).unwrap();
        match fault {
            None if lie == Some(Lie::SyncDoesNothing) => Ok(()),
            None => {
                // Only what is dirty is written: pages that a failed sync left clean stay lost.
                let pending = std::mem::take(&mut file.pending);
                let len = file.cache.len();
                if lie == Some(Lie::StaleReads) {
                    file.before_sync = file.durable.clone();
                }
                let durable = Arc::make_mut(&mut file.durable);
                durable.resize(len, 0);
                for (offset, bytes) in pending {
                    let start = usize::try_from(offset).unwrap();
                    durable[start..start + bytes.len()].copy_from_slice(&bytes);
                }
                Ok(())
            }
            Some(fault) => {
                if !fault.is_crash() {
                    file.pending.clear();
                }
                Err(fault.error())
            }
        }
    }

    fn map(&self, _len: u64) -> io::Result<Option<Map>> {
        if self.to_lock { Err(io::ErrorKind::Unsupported.into()) } else { Ok(None) }
    }

    fn try_lock(&self, byte: u64, lock: Lock) -> io::Result<bool> {
        let call = if lock == Lock::Unlocked { Call::Unlock } else { Call::Lock };
        let mut world = self.sim.look(call)?;
        let (inode, opening) = (self.inode, self.opening);
        let exclusive = lock == Lock::Exclusive;
        let refused = |held: &Held| {
            held.inode == inode && held.byte == byte && held.opening != opening && (exclusive || held.exclusive)
        };
        if lock != Lock::Unlocked && world.locks.iter().any(refused) {
            return Ok(false);
        }
        world.locks.retain(|held| !(held.inode == inode && held.byte == byte && held.opening == opening));
        if lock != Lock::Unlocked {
            world.locks.push(Held { inode, byte, opening, process: self.sim.process, exclusive });
        }
        Ok(true)
    }

    fn is_locked(&self, bytes: Range<u64>) -> io::Result<bool> {
        let held = |held: &Held| held.inode == self.inode && bytes.contains(&held.byte) && held.opening != self.opening;
        Ok(self.sim.look(Call::Lock)?.locks.iter().any(held))
    }

    fn page(&self, _len: usize, _: Access) -> io::Result<Arc<dyn Page>> {
        if self.to_lock {
            return Err(io::ErrorKind::Unsupported.into());
        }
        Ok(Arc::new(SimPage { sim: self.sim.clone(), inode: self.inode }))
    }

    fn identity(&self) -> Identity {
        Identity { device: 1, inode: self.inode }
    }
}

impl Drop for SimFile {
    fn drop(&mut self) {
        let ours = |held: &Held| held.opening == self.opening;
        let holds = |sim: &Sim| sim.shared.world.lock().is_ok_and(|world| world.locks.iter().any(ours));
        if self.sim.process.is_some() && !thread::panicking() && holds(&self.sim) {
            drop(self.sim.call(Call::Close));
        }
        if let Ok(mut world) = self.sim.shared.world.lock() {
            world.locks.retain(|held| !ours(held));
        }
    }
}
