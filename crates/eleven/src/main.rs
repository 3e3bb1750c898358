//! Eleven on the command line: composition of the three corners, and what operators, callers and auditors type.
//!
//! [`cli`] is every command and what it takes; [`config`] the one file; [`keystore`] a corner's keys; [`corner`] a corner
//! as a confined process; [`init`] and [`up`] make and run a domain; [`admin`] signs acts; the rest reads and explains.

mod admin;
mod audit_cmd;
mod backup_cmd;
mod bench;
mod call;
mod child;
mod cli;
mod config;
mod conformance;
mod corner;
mod demo;
mod disclosure_cmd;
mod disk;
mod doctor;
mod evidence;
mod expiry;
mod hammer;
mod health;
mod init;
mod key_cmd;
mod keystore;
mod lineage_cmd;
mod operator;
mod output;
mod progress;
mod published;
mod registry_cmd;
mod restart;
mod retention_cmd;
mod root_cmd;
mod root_key;
mod search_cmd;
mod size_cmd;
mod up;
mod verify_cmd;
mod why;
mod witness_cmd;

use cli::{
    AuthorityCommand, Cli, Command, ConformanceCommand, CornerKeyCommand, IdentityCommand, LedgerCommand,
    RegistryCommand, RuntimeCommand, RuntimeKeyCommand, SubjectCommand,
};
use config::Config;
use corner::Which;
use output::{EXIT_DONE, Failure, Output};
use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let Cli { command, json, config } = match cli::parsed() {
        Ok(parsed) => parsed,
        Err(failure) => return failure.report(true),
    };
    let output = Output::new(json);
    run(command, &config, output).unwrap_or_else(|failure| failure.report(json))
}

/// Runs a command and gives its exit status.
fn run(command: Command, file: &Path, output: Output) -> Result<ExitCode, Failure> {
    let config = || Config::load(file);
    match command {
        Command::Demo(args) => return demo::run(&args, output),
        Command::Bench(args) => return bench::run(args, output),
        Command::DemoUpstream(args) => return Ok(demo::upstream::run(args)),
        Command::Verify(args) => return verify_cmd::run(&args, output),
        Command::Conformance(ConformanceCommand::Vectors { dir }) => return conformance::run(&dir, output),
        Command::Doctor => return doctor::run(file, output),
        Command::Up(args) => return up::run(file, !args.no_restart, output),
        Command::Evidence(command) => return evidence::run(&command, file, output),
        Command::Lineage(command) => return lineage_cmd::run(command, file, output),
        Command::Init(args) => init::run(&args, output)?,
        Command::Why(args) => why::run(&args, file, output)?,
        Command::Authority(command) => return authority(command, file, output),
        Command::Runtime(command) => return runtime(command, file, output),
        Command::Ledger(command) => return ledger(command, file, output),
        Command::Witness(command) => return witness_cmd::run(command, output),
        Command::Identity(IdentityCommand::Issue { identity }) => admin::issue_identity(&config()?, &identity, output)?,
        Command::Client(command) => admin::client(&config()?, command, output)?,
        Command::Policy(command) => admin::policy(&config()?, command, output)?,
        Command::Artifact(command) => admin::artifact(&config()?, command, output)?,
        Command::Key(command) => key_cmd::run(&config()?, &command, output)?,
        Command::Root(command) => root_cmd::run(&command, config, output)?,
        Command::Subject(SubjectCommand::Contain(subject)) => {
            admin::subject(&config()?, "subject.contain", &subject, output)?;
        }
        Command::Subject(SubjectCommand::Lift(subject)) => {
            admin::subject(&config()?, "subject.lift", &subject, output)?;
        }
        Command::Disclosure(command) => disclosure_cmd::run(&config()?, &command, output)?,
        Command::Retention(command) => retention_cmd::retention(&config()?, command, output)?,
        Command::Hold(command) => retention_cmd::hold(&config()?, command, output)?,
        Command::Registry(RegistryCommand::Show) => registry_cmd::show(&config()?, output)?,
        Command::Registry(RegistryCommand::Expose { exposure }) => admin::expose(&config()?, &exposure, output)?,
        Command::Auditor(command) => admin::auditor(&config()?, command, output)?,
        Command::Operator(command) => admin::operator(&config()?, command, output)?,
        Command::Pages { dir } => pages(&dir)?,
    }
    Ok(ExitCode::from(EXIT_DONE))
}

fn serve(which: Which, file: &Path, args: &cli::Serve) -> Result<ExitCode, Failure> {
    corner::serve(which, file, args.parent).map(ExitCode::from)
}

fn authority(command: AuthorityCommand, file: &Path, output: Output) -> Result<ExitCode, Failure> {
    match command {
        AuthorityCommand::Serve(args) => return serve(Which::Authority, file, &args),
        AuthorityCommand::Restart => restart::run(Which::Authority, &Config::load(file)?, output)?,
        AuthorityCommand::Key(command) => key(Which::Authority, &command, file, output)?,
        AuthorityCommand::Grant => corner::grant(file, output)?,
        AuthorityCommand::Found => corner::found(file, output)?,
        AuthorityCommand::Probe(args) => corner::probe(Which::Authority, file, &args.path, output)?,
    }
    Ok(ExitCode::from(EXIT_DONE))
}

fn key(which: Which, command: &CornerKeyCommand, file: &Path, output: Output) -> Result<(), Failure> {
    match command {
        CornerKeyCommand::New { label } => corner::new_keys(which, file, label, output),
        CornerKeyCommand::Renew { label, out } => corner::renew_keys(which, file, label, out.as_deref(), output),
    }
}

fn runtime(command: RuntimeCommand, file: &Path, output: Output) -> Result<ExitCode, Failure> {
    match command {
        RuntimeCommand::Serve(args) => return serve(Which::Runtime, file, &args),
        RuntimeCommand::Restart => restart::run(Which::Runtime, &Config::load(file)?, output)?,
        RuntimeCommand::Key(RuntimeKeyCommand::New { label }) => {
            corner::new_keys(Which::Runtime, file, &label, output)?;
        }
        RuntimeCommand::Key(RuntimeKeyCommand::Replace { label, valid_days, journal_lost }) => {
            corner::replace_keys(file, &label, valid_days, journal_lost, output)?;
        }
        RuntimeCommand::Register => admin::register_runtime(&Config::load(file)?, output)?,
        RuntimeCommand::Remove => admin::remove_runtime(&Config::load(file)?, output)?,
        RuntimeCommand::Measure => admin::measure_runtime(&Config::load(file)?, output)?,
        RuntimeCommand::Probe(args) => corner::probe(Which::Runtime, file, &args.path, output)?,
    }
    Ok(ExitCode::from(EXIT_DONE))
}

fn ledger(command: LedgerCommand, file: &Path, output: Output) -> Result<ExitCode, Failure> {
    match command {
        LedgerCommand::Serve(args) => return serve(Which::Ledger, file, &args),
        LedgerCommand::Restart => restart::run(Which::Ledger, &Config::load(file)?, output)?,
        LedgerCommand::Key(command) => key(Which::Ledger, &command, file, output)?,
        LedgerCommand::Fsck { data } => {
            let data = data.map_or_else(|| Config::load(file).map(|config| config.ledger.data), Ok)?;
            audit_cmd::fsck(&data, output)?;
        }
        LedgerCommand::Follow(args) => audit_cmd::follow(&args, output)?,
        LedgerCommand::Compare(args) => audit_cmd::compare(&args, output)?,
        LedgerCommand::Search(args) => search_cmd::search(&args, file, output)?,
        LedgerCommand::Reindex => search_cmd::reindex(&Config::load(file)?, output)?,
        LedgerCommand::Backup { dest } => backup_cmd::backup(&Config::load(file)?, &dest, output)?,
        LedgerCommand::Restore(args) => backup_cmd::restore(&Config::load(file)?, &args, output)?,
        LedgerCommand::Archive { to } => retention_cmd::archive(&Config::load(file)?, &to, output)?,
        LedgerCommand::Recovery(command) => backup_cmd::sign(&command, output)?,
        LedgerCommand::Hammer(args) => return hammer::run(&args, output),
        LedgerCommand::Size { calls_per_day, years } => {
            size_cmd::size(&Config::load(file)?, calls_per_day, years, output)?;
        }
        LedgerCommand::Genesis => corner::genesis(file)?,
        LedgerCommand::Probe(args) => corner::probe(Which::Ledger, file, &args.path, output)?,
    }
    Ok(ExitCode::from(EXIT_DONE))
}

fn pages(dir: &Path) -> Result<(), Failure> {
    for (page, text) in [(cli::COMMANDS_PAGE, cli::commands()), (cli::CONFIG_PAGE, config::markdown())] {
        let file = dir.join(page);
        std::fs::write(&file, text).map_err(|error| Failure::about(&file, error))?;
    }
    Ok(())
}
