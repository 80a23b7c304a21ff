//! A copy of the source to put bugs into.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{fs, io};

use crate::list::Mutation;

/// The copy, and the original.
pub(crate) struct Tree {
    original: PathBuf,
    pub(crate) copy: PathBuf,
}

impl Tree {
    /// Copies every file that git knows, as it is in the work tree.
    pub(crate) fn copy(original: &Path, copy: &Path) -> io::Result<Self> {
        let listed = Command::new("git").args(["ls-files", "-z"]).current_dir(original).output()?;
        if !listed.status.success() {
            return Err(io::Error::other(String::from_utf8_lossy(&listed.stderr).into_owned()));
        }
        let names = String::from_utf8(listed.stdout).map_err(io::Error::other)?;
        for name in names.split_terminator('\0').filter(|name| !name.starts_with("fuzz/corpus")) {
            let (from, to) = (original.join(name), copy.join(name));
            if !from.is_file() {
                continue;
            }
            fs::create_dir_all(to.parent().expect("inside the copy"))?;
            // What is as it was keeps its time, so that nothing is built for nothing.
            let content = fs::read(from)?;
            if fs::read(&to).ok().as_ref() != Some(&content) {
                fs::write(to, content)?;
            }
        }
        Ok(Self { original: original.to_owned(), copy: copy.to_owned() })
    }

    /// The file with the bug in it; an error if what the bug replaces does not stand there exactly once.
    pub(crate) fn mutated(&self, mutation: &Mutation) -> Result<String, String> {
        let path = self.original.join(mutation.file);
        let source = fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        match source.matches(mutation.from).count() {
            1 => Ok(source.replacen(mutation.from, mutation.to, 1)),
            count => Err(format!("{}: stands there {count} times:\n{}", mutation.file, mutation.from)),
        }
    }

    pub(crate) fn apply(&self, mutation: &Mutation) -> Result<(), String> {
        let mutated = self.mutated(mutation)?;
        fs::write(self.copy.join(mutation.file), mutated).map_err(|error| error.to_string())
    }

    pub(crate) fn restore(&self, mutation: &Mutation) -> io::Result<()> {
        fs::write(self.copy.join(mutation.file), fs::read(self.original.join(mutation.file))?)
    }
}
