//! Who has a store open: the processes with the same lock file among their descriptors, as far as `/proc` shows them.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Names who must stop before the store can be opened.
pub(crate) fn describe(lock_path: &Path) -> String {
    let holders = find(lock_path);
    match holders.as_slice() {
        // Descriptors of others are hidden from all but root.
        [] => "a process of another user or container has the store open; stop it or wait for it".into(),
        [holder] => format!("process {holder} has the store open; stop it or wait for it"),
        holders => format!("processes {} have the store open; stop them or wait for them", holders.join(", ")),
    }
}

/// `4242 (gunicorn)`, one for each process.
fn find(lock_path: &Path) -> Vec<String> {
    let Ok(lock_file) = fs::metadata(lock_path) else { return Vec::new() };
    let Ok(processes) = fs::read_dir("/proc") else { return Vec::new() };
    let mut pids: Vec<u32> = processes.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
    pids.sort_unstable();
    pids.retain(|pid| *pid != std::process::id() && has_open(*pid, &lock_file));
    pids.into_iter().map(named).collect()
}

fn has_open(pid: u32, file: &fs::Metadata) -> bool {
    let Ok(descriptors) = fs::read_dir(format!("/proc/{pid}/fd")) else { return false };
    // By identity: the same file may have another path in there.
    let same = |open: fs::Metadata| (open.dev(), open.ino()) == (file.dev(), file.ino());
    descriptors.flatten().any(|descriptor| fs::metadata(descriptor.path()).is_ok_and(same))
}

fn named(pid: u32) -> String {
    match fs::read_to_string(format!("/proc/{pid}/comm")) {
        Ok(name) => format!("{pid} ({})", name.trim_end()),
        Err(_) => pid.to_string(),
    }
}
