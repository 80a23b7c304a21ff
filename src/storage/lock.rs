//! Open-file-description locks of bytes: the kernel drops them when the last descriptor goes.
//!
//! Never classic POSIX locks, which any `close` of the file in the process drops.

#![expect(unsafe_code, reason = "no safe wrapper for these locks is among the dependencies")]

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::fd::AsRawFd;

use super::Lock;

/// Changes the lock of `byte` without waiting; returns whether it was granted.
pub(super) fn try_lock(file: &File, byte: u64, lock: Lock) -> io::Result<bool> {
    let kind = match lock {
        Lock::Shared => libc::F_RDLCK,
        Lock::Exclusive => libc::F_WRLCK,
        Lock::Unlocked => libc::F_UNLCK,
    };
    match call(file, libc::F_OFD_SETLK, kind, byte..byte.saturating_add(1)) {
        Ok(_) => Ok(true),
        Err(error) if matches!(error.raw_os_error(), Some(libc::EAGAIN | libc::EACCES)) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Whether another description holds a lock of one of these bytes.
pub(super) fn is_locked(file: &File, bytes: Range<u64>) -> io::Result<bool> {
    let answer = call(file, libc::F_OFD_GETLK, libc::F_WRLCK, bytes)?;
    Ok(i32::from(answer.l_type) != libc::F_UNLCK)
}

fn call(file: &File, command: i32, kind: i32, bytes: Range<u64>) -> io::Result<libc::flock> {
    // SAFETY: `flock` is a plain C structure for which all zeros is a valid value; `l_pid` must be zero.
    let mut request: libc::flock = unsafe { std::mem::zeroed() };
    request.l_type = kind.try_into().map_err(|_| io::ErrorKind::InvalidInput)?;
    request.l_whence = libc::SEEK_SET.try_into().map_err(|_| io::ErrorKind::InvalidInput)?;
    request.l_start = bytes.start.try_into().map_err(|_| io::ErrorKind::InvalidInput)?;
    request.l_len = bytes.end.saturating_sub(bytes.start).try_into().map_err(|_| io::ErrorKind::InvalidInput)?;
    loop {
        // SAFETY: the descriptor is open for as long as `file` is borrowed, and `request` outlives the call.
        if unsafe { libc::fcntl(file.as_raw_fd(), command, &raw mut request) } == 0 {
            return Ok(request);
        }
        let error = io::Error::last_os_error();
        if error.raw_os_error() != Some(libc::EINTR) {
            return Err(error);
        }
    }
}
