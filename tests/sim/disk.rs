//! The simulated directory.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokcask::Result;
use tokcask::storage::{Access, Directory, File};

use super::file::SimFile;
use super::{Call, Lie, Sim, failure};

pub(super) fn directory(sim: Sim, path: &Path) -> Arc<dyn Directory> {
    Arc::new(SimDirectory { sim, path: path.to_owned() })
}

#[derive(Debug)]
struct SimDirectory {
    sim: Sim,
    path: PathBuf,
}

impl SimDirectory {
    fn handle(&self, inode: u64, to_lock: bool) -> Arc<dyn File> {
        let mut world = self.sim.world();
        world.next_opening += 1;
        Arc::new(SimFile { sim: self.sim.clone(), inode, opening: world.next_opening, to_lock })
    }

    fn open_as(&self, name: &str, to_lock: bool) -> Result<Option<Arc<dyn File>>> {
        drop(self.sim.simple(Call::Open).map_err(|error| failure(&self.path, error))?);
        Ok(self.inode(name).map(|inode| self.handle(inode, to_lock)))
    }

    fn change(&self, call: Call, change: Vec<(String, Option<u64>)>) -> Result<()> {
        let mut world = self.sim.simple(call).map_err(|error| failure(&self.path, error))?;
        let lie = world.lie;
        let folder = world.directories.get_mut(&self.path).unwrap();
        // Another process may have been faster since the caller looked: there is one moment at which it happens.
        if call == Call::Create && change.iter().any(|(name, _)| folder.names.contains_key(name)) {
            return Err(failure(&self.path, io::ErrorKind::AlreadyExists.into()));
        }
        for (name, inode) in &change {
            match inode {
                Some(inode) => drop(folder.names.insert(name.clone(), *inode)),
                None => drop(folder.names.remove(name)),
            }
        }
        if call == Call::Rename && lie == Some(Lie::RenamesAreNotDurable) {
            return Ok(());
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
        self.open_as(name, false)
    }

    fn open_to_read(&self, name: &str) -> Result<Option<Arc<dyn File>>> {
        self.open_as(name, false)
    }

    fn open_to_lock(&self, name: &str, _: Access) -> Result<Option<Arc<dyn File>>> {
        self.open_as(name, true)
    }

    fn create_to_lock(&self, name: &str) -> Result<Arc<dyn File>> {
        self.create(name)
    }

    fn network_kind(&self) -> Result<Option<&'static str>> {
        Ok(self.sim.world().network_kind)
    }

    fn create(&self, name: &str) -> Result<Arc<dyn File>> {
        drop(self.sim.arrive());
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
        Ok(self.handle(inode, false))
    }

    fn is_current(&self, name: &str, file: &dyn File) -> Result<bool> {
        drop(self.sim.look(Call::Stat).map_err(|error| failure(&self.path, error))?);
        Ok(self.inode(name) == Some(file.identity().inode))
    }

    fn rename(&self, from: &str, to: &str, replace: bool) -> Result<()> {
        drop(self.sim.arrive());
        let inode = self.inode(from).ok_or_else(|| failure(&self.path, io::ErrorKind::NotFound.into()))?;
        if !replace && self.inode(to).is_some() {
            return Err(failure(&self.path, io::ErrorKind::AlreadyExists.into()));
        }
        self.change(Call::Rename, vec![(from.to_owned(), None), (to.to_owned(), Some(inode))])
    }

    fn remove(&self, name: &str) -> Result<bool> {
        drop(self.sim.arrive());
        if self.inode(name).is_none() {
            return Ok(false);
        }
        self.change(Call::Remove, vec![(name.to_owned(), None)])?;
        Ok(true)
    }

    fn list(&self) -> Result<Vec<String>> {
        drop(self.sim.look(Call::Stat).map_err(|error| failure(&self.path, error))?);
        Ok(self.sim.names(&self.path))
    }

    fn sync(&self) -> Result<()> {
        let (mut world, fault) = self.sim.call(Call::SyncDirectory);
        let lie = world.lie;
        let folder = world.directories.get_mut(&self.path).unwrap();
        match fault {
            None if lie == Some(Lie::DirectoriesAreNotSynced) => Ok(()),
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
                if !fault.is_crash() {
                    // The names show, and no later sync knows that they were never written.
                    folder.pending.clear();
                }
                Err(failure(&self.path, fault.error()))
            }
        }
    }

    fn sync_parent(&self) -> Result<()> {
        let mut world = self.sim.simple(Call::SyncParent).map_err(|error| failure(&self.path, error))?;
        world.directories.get_mut(&self.path).unwrap().durable = true;
        Ok(())
    }

    fn make_private(&self) -> Result<()> {
        Ok(())
    }
}
