//! A store's directory held in memory, so that one copy after another can be written with other damage.
//!
//! Names, bytes, modes; holes stay holes. Links are followed by nobody here: a store makes none.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, OpenOptions, Permissions};
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use crate::Result;
use crate::damage::Patch;

/// What was never written is told by blocks of this length.
pub const BLOCK_LEN: usize = 4096;

/// A directory with all below it.
#[derive(Clone, Debug, Default)]
pub struct Image {
    /// By path in the directory.
    pub files: BTreeMap<String, File>,
    /// Path and mode of each directory, outer ones first; the empty path is the directory itself.
    pub directories: BTreeMap<String, u32>,
}

/// One file of it.
#[derive(Clone, Debug)]
pub struct File {
    bytes: Vec<u8>,
    mode: u32,
    /// For each block, whether it holds anything. A file may be 64 MiB of zeros, and is copied a thousand times.
    written: Vec<bool>,
}

impl File {
    /// A file of these bytes and permissions.
    #[must_use]
    pub fn new(bytes: Vec<u8>, mode: u32) -> Self {
        let written = bytes.chunks(BLOCK_LEN).map(|block| block.iter().any(|byte| *byte != 0)).collect();
        Self { bytes, mode, written }
    }

    /// All its bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Up to the last byte that is not zero.
    #[must_use]
    pub fn used(&self) -> &[u8] {
        let end = self.bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        &self.bytes[..end]
    }

    /// Whether a block holds anything.
    #[must_use]
    pub fn is_written(&self, block: usize) -> bool {
        self.written[block]
    }
}

impl Image {
    /// Reads a directory.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn load(directory: &Path) -> Result<Self> {
        let mut image = Self::default();
        image.add(directory, "")?;
        Ok(image)
    }

    fn add(&mut self, directory: &Path, name: &str) -> Result<()> {
        let mode = fs::metadata(directory)?.permissions().mode() & 0o7777;
        self.directories.insert(name.into(), mode);
        for entry in fs::read_dir(directory)? {
            let entry = entry?;
            let entry_name =
                entry.file_name().into_string().map_err(|name| format!("{} is no text", name.display()))?;
            let below = if name.is_empty() { entry_name } else { format!("{name}/{entry_name}") };
            if entry.file_type()?.is_dir() {
                self.add(&entry.path(), &below)?;
            } else {
                let mode = entry.metadata()?.permissions().mode() & 0o7777;
                self.files.insert(below, File::new(fs::read(entry.path())?, mode));
            }
        }
        Ok(())
    }

    /// Writes a copy in which one file is damaged.
    ///
    /// # Errors
    /// If there is something at the path, or no room.
    pub fn write(&self, directory: &Path, damage: Option<(&str, &Patch)>) -> Result<()> {
        for (name, mode) in &self.directories {
            let path = directory.join(name);
            DirBuilder::new().mode(0o700).create(&path)?;
            fs::set_permissions(path, Permissions::from_mode(*mode))?;
        }
        for (name, file) in &self.files {
            let copy = OpenOptions::new().write(true).create_new(true).mode(file.mode).open(directory.join(name))?;
            for (block, bytes) in file.bytes.chunks(BLOCK_LEN).enumerate() {
                if file.is_written(block) {
                    copy.write_all_at(bytes, (block * BLOCK_LEN) as u64)?;
                }
            }
            copy.set_len(file.bytes.len() as u64)?;
            match damage {
                Some((damaged, Patch::Bytes(at, bytes))) if damaged == name => copy.write_all_at(bytes, *at as u64)?,
                Some((damaged, Patch::Len(len))) if damaged == name => copy.set_len(*len as u64)?,
                _ => {}
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{File, Image};
    use crate::damage::Patch;

    #[test]
    fn a_copy_is_the_same_but_for_its_damage() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        std::fs::create_dir_all(path("store/inner")).unwrap();
        std::fs::write(path("store/log"), [&[1; 5000][..], &[0; 9000]].concat()).unwrap();
        std::fs::write(path("store/inner/part"), b"part").unwrap();
        let image = Image::load(&path("store")).unwrap();
        image.write(&path("copy"), Some(("log", &Patch::Bytes(4990, vec![9; 20])))).unwrap();
        let mut copy = Image::load(&path("copy")).unwrap();
        let mut log = copy.files["log"].bytes.clone();
        assert_eq!(log[4989..5011], [&[1][..], &[9; 20], &[0]].concat());
        log[4990..5000].fill(1);
        log[5000..5010].fill(0);
        copy.files.insert("log".into(), File::new(log, copy.files["log"].mode));
        assert_eq!(format!("{:?}", copy.files), format!("{:?}", image.files));
        assert_eq!(copy.directories, image.directories);
        image.write(&path("shorter"), Some(("inner/part", &Patch::Len(3)))).unwrap();
        assert_eq!(Image::load(&path("shorter")).unwrap().files["inner/part"].bytes, b"par");
    }
}
