//! The simulated directory and file.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokcask::Result;
use tokcask::storage::{Access, Directory, File, Identity, Lock, Map, Page};

use super::{Call, Fault, Held, Sim, failure};

/// "Input/output error".
const EIO: i32 = 5;

pub(super) fn directory(sim: Sim, path: &Path) -> Arc<dyn Directory> {
    Arc::new(SimDirectory { sim, path: path.to_owned() })
}

#[derive(Debug)]
struct SimDirectory {
    sim: Sim,
    path: PathBuf,
}

impl SimDirectory {
    fn handle(&self, inode: u64) -> Arc<dyn File> {
        let mut world = self.sim.world();
        world.next_opening += 1;
        Arc::new(SimFile { sim: self.sim.clone(), inode, opening: world.next_opening })
    }

    fn change(&self, call: Call, change: Vec<(String, Option<u64>)>) -> Result<()> {
        let mut world = self.sim.world();
        world.simple(call).map_err(|error| failure(&self.path, error))?;
        let folder = world.directories.get_mut(&self.path).unwrap();
        for (name, inode) in &change {
            match inode {
                Some(inode) => drop(folder.names.insert(name.clone(), *inode)),
                None => drop(folder.names.remove(name)),
            }
        }
        folder.pending.push(change);
        Ok(())
    }

    fn inode(&self, name: &str) -> Option<u64> {
        self.sim.world().directories[&self.path].names.get(name).copied()
    }
}

impl Directory for SimDirectory {
    fn path(&self) -> &Path {
        &self.path
    }

    fn open(&self, name: &str) -> Result<Option<Arc<dyn File>>> {
        self.sim.world().simple(Call::Open).map_err(|error| failure(&self.path, error))?;
        Ok(self.inode(name).map(|inode| self.handle(inode)))
    }

    fn open_to_read(&self, name: &str) -> Result<Option<Arc<dyn File>>> {
        self.open(name)
    }

    fn open_to_lock(&self, name: &str, _: Access) -> Result<Option<Arc<dyn File>>> {
        self.open(name)
    }

    fn create_to_lock(&self, name: &str) -> Result<Arc<dyn File>> {
        self.create(name)
    }

    fn network_kind(&self) -> Result<Option<&'static str>> {
        Ok(None)
    }

    fn create(&self, name: &str) -> Result<Arc<dyn File>> {
        if self.inode(name).is_some() {
            return Err(failure(&self.path, io::ErrorKind::AlreadyExists.into()));
        }
        let inode = {
            let mut world = self.sim.world();
            world.next_inode += 1;
            let inode = world.next_inode;
            world.files.insert(inode, super::Inode::default());
            inode
        };
        self.change(Call::Create, vec![(name.to_owned(), Some(inode))])?;
        Ok(self.handle(inode))
    }

    fn is_current(&self, name: &str, file: &dyn File) -> Result<bool> {
        Ok(self.inode(name) == Some(file.identity().inode))
    }

    fn rename(&self, from: &str, to: &str, replace: bool) -> Result<()> {
        let inode = self.inode(from).ok_or_else(|| failure(&self.path, io::ErrorKind::NotFound.into()))?;
        if !replace && self.inode(to).is_some() {
            return Err(failure(&self.path, io::ErrorKind::AlreadyExists.into()));
        }
        self.change(Call::Rename, vec![(from.to_owned(), None), (to.to_owned(), Some(inode))])
    }

    fn remove(&self, name: &str) -> Result<bool> {
        if self.inode(name).is_none() {
            return Ok(false);
        }
        self.change(Call::Remove, vec![(name.to_owned(), None)])?;
        Ok(true)
    }

    fn list(&self) -> Result<Vec<String>> {
        Ok(self.sim.names(&self.path))
    }

    fn sync(&self) -> Result<()> {
        let mut world = self.sim.world();
        let fault = world.call(Call::SyncDirectory);
        let folder = world.directories.get_mut(&self.path).unwrap();
        match fault {
            None => {
                // Only what is dirty is written: a change whose sync failed stays lost.
                for (name, inode) in std::mem::take(&mut folder.pending).into_iter().flatten() {
                    match inode {
                        Some(inode) => drop(folder.durable_names.insert(name, inode)),
                        None => drop(folder.durable_names.remove(&name)),
                    }
                }
                Ok(())
            }
            Some(fault) => {
                if fault != Fault::Crash {
                    // The names show, and no later sync knows that they were never written.
                    folder.pending.clear();
                }
                Err(failure(&self.path, fault.error()))
            }
        }
    }

    fn sync_parent(&self) -> Result<()> {
        let mut world = self.sim.world();
        world.simple(Call::SyncParent).map_err(|error| failure(&self.path, error))?;
        world.directories.get_mut(&self.path).unwrap().durable = true;
        Ok(())
    }

    fn make_private(&self) -> Result<()> {
        Ok(())
    }
}

#[derive(Debug)]
struct SimFile {
    sim: Sim,
    inode: u64,
    opening: u64,
}

impl File for SimFile {
    fn file_len(&self) -> io::Result<u64> {
        Ok(self.sim.world().files[&self.inode].cache.len() as u64)
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut world = self.sim.world();
        world.simple(Call::Read)?;
        let end = offset + buffer.len() as u64;
        if world.files[&self.inode].bad.as_ref().is_some_and(|bad| bad.start < end && offset < bad.end) {
            return Err(io::Error::from_raw_os_error(EIO));
        }
        let content = &world.files[&self.inode].cache;
        let start = content.len().min(usize::try_from(offset).unwrap());
        let len = buffer.len().min(content.len() - start);
        buffer[..len].copy_from_slice(&content[start..start + len]);
        Ok(len)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let mut world = self.sim.world();
        let gone_before = world.crashed;
        let (written, error) = match world.call(Call::Write) {
            None => (bytes.len(), None),
            Some(Fault::Short(errno)) => (bytes.len() / 2, Some(Fault::Short(errno).error())),
            // A crash in the middle of a write: all of it is pending, so that any part may survive.
            Some(Fault::Crash) if !gone_before => (bytes.len(), Some(Fault::Crash.error())),
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
            if file.cache.len() < start + written {
                file.cache.resize(start + written, 0);
            }
            file.cache[start..start + written].copy_from_slice(&bytes[..written]);
            file.pending.push((offset, bytes[..written].to_vec()));
        }
        error.map_or(Ok(()), Err)
    }

    fn sync(&self) -> io::Result<()> {
        let mut world = self.sim.world();
        let fault = world.call(Call::Sync);
        let file = world.files.get_mut(&self.inode).unwrap();
        match fault {
            None => {
                // Only what is dirty is written: pages that a failed sync left clean stay lost.
                let pending = std::mem::take(&mut file.pending);
                let len = file.cache.len();
                file.durable.resize(len, 0);
                for (offset, bytes) in pending {
                    let start = usize::try_from(offset).unwrap();
                    file.durable[start..start + bytes.len()].copy_from_slice(&bytes);
                }
                Ok(())
            }
            Some(fault) => {
                if fault != Fault::Crash {
                    file.pending.clear();
                }
                Err(fault.error())
            }
        }
    }

    fn map(&self, _len: u64) -> io::Result<Option<Map>> {
        Ok(None)
    }

    fn try_lock(&self, byte: u64, lock: Lock) -> io::Result<bool> {
        let mut world = self.sim.world();
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
            world.locks.push(Held { inode, byte, opening, exclusive });
        }
        Ok(true)
    }

    fn is_locked(&self, byte: u64) -> io::Result<bool> {
        let held = |held: &Held| held.inode == self.inode && held.byte == byte && held.opening != self.opening;
        Ok(self.sim.world().locks.iter().any(held))
    }

    fn page(&self, _len: usize, _: Access) -> io::Result<Arc<dyn Page>> {
        Ok(Arc::new(SimPage { sim: self.sim.clone(), inode: self.inode }))
    }

    fn identity(&self) -> Identity {
        Identity { device: 1, inode: self.inode }
    }
}

impl Drop for SimFile {
    fn drop(&mut self) {
        let opening = self.opening;
        if let Ok(mut world) = self.sim.world.lock() {
            world.locks.retain(|held| held.opening != opening);
        }
    }
}

#[derive(Debug)]
struct SimPage {
    sim: Sim,
    inode: u64,
}

impl Page for SimPage {
    fn load(&self, number: usize) -> u64 {
        let world = self.sim.world();
        let bytes = &world.files[&self.inode].cache[8 * number..8 * number + 8];
        u64::from_le_bytes(bytes.try_into().unwrap())
    }

    fn store(&self, number: usize, value: u64) {
        let mut world = self.sim.world();
        // Memory cannot fail, but the machine can be gone.
        if world.crashed || matches!(world.plan, Some(plan) if plan.fault == Fault::Crash && world.calls == plan.call) {
            if !world.crashed {
                let _ = world.call(Call::Page);
            }
            return;
        }
        world.calls += 1;
        world.trace.push(Call::Page);
        let bytes = value.to_le_bytes();
        let file = world.files.get_mut(&self.inode).unwrap();
        file.cache[8 * number..8 * number + 8].copy_from_slice(&bytes);
        file.pending.push((8 * number as u64, bytes.to_vec()));
    }

    fn wait(&self, _: usize, _: u32, time: Duration) {
        self.sim.pass(time);
    }

    fn wake(&self, _: usize) {}
}
