//! `completions`: what a shell needs to complete this command line.

use clap::CommandFactory;
use clap_complete::Shell;

use crate::args::Args;
use crate::failure::Failure;
use crate::ui::Ui;

pub(super) fn run(ui: &mut Ui, shell: Shell) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Args::command(), "tokcask", &mut script);
    ui.out.line(String::from_utf8_lossy(&script).trim_end())
}
