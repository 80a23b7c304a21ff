//! The command `tokcask`, which the package brings along.

use std::ffi::OsString;

use pyo3::prelude::*;

/// Does what a command line asks, whose first argument is the program's name; returns the exit code.
#[pyfunction]
pub(crate) fn command(py: Python<'_>, command_line: Vec<OsString>) -> u8 {
    py.detach(|| tokcask_cli::run(&command_line))
}
