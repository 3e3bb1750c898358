use super::{COMMANDS_PAGE, CONFIG_PAGE, Cli, commands};
use clap::CommandFactory as _;
use std::path::Path;

#[test]
fn the_command_line_is_sound() {
    Cli::command().debug_assert();
}

#[test]
fn the_pages_in_docs_are_what_the_program_says() {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs");
    for (page, text) in [(COMMANDS_PAGE, commands()), (CONFIG_PAGE, crate::config::markdown())] {
        let written = std::fs::read_to_string(docs.join(page)).expect("the page");
        assert!(written == text, "docs/{page} is not what the program says: write it with `eleven pages docs`");
    }
}

#[test]
fn every_command_says_what_it_does() {
    fn check(command: &clap::Command) {
        assert!(command.get_about().is_some(), "{} has no description", command.get_name());
        for argument in command.get_arguments().filter(|argument| !argument.is_hide_set()) {
            let documented = argument.get_help().is_some();
            assert!(documented, "{} {} has no description", command.get_name(), argument.get_id());
        }
        command.get_subcommands().for_each(check);
    }
    let mut root = Cli::command();
    root.build();
    check(&root);
}
