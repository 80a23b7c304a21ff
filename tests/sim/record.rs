//! Every moment of a run at which the machine could lose its power, kept: one run serves for all of its crashes.

use std::hash::{Hash, Hasher};

use super::{Call, Sim, World};

/// What the machine was like between two calls.
pub(crate) struct Moment {
    /// The machine, as it was then.
    pub(crate) machine: Sim,
    /// What the test had come to.
    pub(crate) label: usize,
    /// The last call that changed something; none at the beginning or when the label has changed.
    pub(crate) after: Option<Call>,
}

#[derive(Default)]
pub(super) struct Recording {
    moments: Vec<Moment>,
    label: usize,
    last: Option<Call>,
}

impl Sim {
    /// From now on keeps every moment. The label is what the test has come to.
    pub(crate) fn start_recording(&self, label: usize) {
        *self.shared.recording.lock().unwrap() = Some(Recording { label, ..Recording::default() });
    }

    /// Says what the test has come to; the moments before and after this are kept.
    pub(crate) fn set_label(&self, label: usize) {
        let world = self.world();
        if let Some(recording) = self.shared.recording.lock().unwrap().as_mut() {
            recording.keep(&world);
            (recording.label, recording.last) = (label, None);
            recording.keep(&world);
        }
    }

    /// Ends the recording.
    pub(crate) fn moments(&self) -> Vec<Moment> {
        let world = self.world();
        let recording = self.shared.recording.lock().unwrap().take();
        recording.map_or_else(Vec::new, |mut recording| {
            recording.keep(&world);
            recording.moments
        })
    }

    /// All that a process on this machine could see in its files.
    pub(crate) fn hash_files(&self, hasher: &mut impl Hasher) {
        let world = self.world();
        for (path, folder) in &world.directories {
            path.hash(hasher);
            for (name, inode) in &folder.names {
                (name, &world.files[inode].cache, world.files[inode].pending.len()).hash(hasher);
            }
        }
    }

    pub(super) fn record(&self, world: &World, call: Call) {
        if !call.changes() {
            return;
        }
        if let Some(recording) = self.shared.recording.lock().unwrap().as_mut() {
            recording.keep(world);
            recording.last = Some(call);
        }
    }
}

impl Recording {
    fn keep(&mut self, world: &World) {
        let machine = Sim::of(world.clone());
        self.moments.push(Moment { machine, label: self.label, after: self.last });
    }
}
