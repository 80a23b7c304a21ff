//! The compiled half of the Python package `tokcask`: the store as Python objects, and nothing of what the package makes of it.
//!
//! Every call that may wait, for a device or for somebody else, lets go of the interpreter lock. Strings of Python are read
//! in place; what is copied is wiped.

#![expect(clippy::needless_pass_by_value, reason = "arguments from Python come owned")]

mod columns;
mod command;
mod errors;
mod handle;
mod import;
mod key;
mod maintain;
mod refresh;
mod reports;
mod rows;
mod token;

use pyo3::prelude::*;

#[pymodule]
fn _tokcask(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    module.add("COLUMNS", tokcask_zoho::columns::NAMES)?;
    module.add_class::<handle::Handle>()?;
    module.add_class::<rows::Rows>()?;
    module.add_class::<token::Token>()?;
    module.add_function(wrap_pyfunction!(command::command, module)?)?;
    module.add_function(wrap_pyfunction!(import::read_file_store, module)?)?;
    module.add_function(wrap_pyfunction!(import::read_sqlite, module)?)?;
    module.add_function(wrap_pyfunction!(maintain::verify, module)?)?;
    module.add_function(wrap_pyfunction!(maintain::salvage, module)?)?;
    Ok(())
}
