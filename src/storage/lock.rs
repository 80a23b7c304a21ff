//! Open-file-description locks of single bytes: the kernel drops them when the last descriptor goes.
//!
//! Never classic POSIX locks, which any `close` of the file in the process drops.

#![expect(unsafe_code, reason = "no safe wrapper for these locks is among the dependencies")]

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;

use super::Lock;

/// Changes the lock of `byte` without waiting; returns whether it was granted.
pub(super) fn try_lock(file: &File, byte: u64, lock: Lock) -> io::Result<bool> {
    let kind = match lock {
        Lock::Shared => libc::F_RDLCK,
        Lock::Exclusive => libc::F_WRLCK,
        Lock::Unlocked => libc::F_UNLCK,
    };
    // SAFETY: `flock` is a plain C structure for which all zeros is a valid value; `l_pid` must be zero.
    let mut request: libc::flock = unsafe { std::mem::zeroed() };
    request.l_type = kind.try_into().map_err(|_| io::ErrorKind::InvalidInput)?;
    request.l_whence = libc::SEEK_SET.try_into().map_err(|_| io::ErrorKind::InvalidInput)?;
    request.l_start = byte.try_into().map_err(|_| io::ErrorKind::InvalidInput)?;
    request.l_len = 1;
    loop {
        // SAFETY: the descriptor is open for as long as `file` is borrowed, and `request` outlives the call.
        if unsafe { libc::fcntl(file.as_raw_fd(), libc::F_OFD_SETLK, &raw const request) } == 0 {
            return Ok(true);
        }
        let error = io::Error::last_os_error();
        match error.raw_os_error() {
            Some(libc::EINTR) => {}
            Some(libc::EAGAIN | libc::EACCES) => return Ok(false),
            _ => return Err(error),
        }
    }
}
