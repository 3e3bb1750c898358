//! The pages of `docs/` that are made of the program itself.

use super::Cli;
use clap::{Command, CommandFactory as _};
use std::fmt::Write as _;

/// The page of the commands, in `docs/`.
pub(crate) const COMMANDS_PAGE: &str = "cli.md";
/// The page of the configuration, in `docs/`.
pub(crate) const CONFIG_PAGE: &str = "config.md";

/// `docs/cli.md`: what `--help` says, command by command.
pub(crate) fn commands() -> String {
    let mut out = String::from(
        "# The command line\n\nCommands are noun verb; only `init`, `up`, `demo`, `bench`, `doctor`, `verify`, `why` stand alone. Every \
         command takes `--json` and `--config`. This page is what `--help` says, command by command; a test keeps it so.\n",
    );
    let mut root = Cli::command().term_width(100);
    root.build();
    write(&mut root, &mut out);
    out
}

fn write(command: &mut Command, out: &mut String) {
    let name = command.get_bin_name().unwrap_or("eleven").to_owned();
    let help = command.render_long_help().to_string();
    let help: Vec<&str> = help.lines().map(str::trim_end).collect();
    let _ = write!(out, "\n## {name}\n\n```text\n{}\n```\n", help.join("\n").trim_end());
    for inner in command.get_subcommands_mut().filter(|inner| !inner.is_hide_set()) {
        write(inner, out);
    }
}
