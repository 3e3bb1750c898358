//! Evidence for an examiner: what the ledger holds about a range of time, as one folder that anybody checks offline.
//!
//! [`export`] asks a ledger, [`verify`] asks nobody. What both make of the same bytes is in [`facts`]: the range of entries
//! ([`stretch`]), the lineages and their proofs ([`lineage`]), the registry's history ([`history`]). A regime is data
//! ([`regime`]); [`controls`] puts its questions to the facts, [`oscal`] and [`page`] write down the answers.

mod ask;
mod controls;
mod export;
mod facts;
mod folder;
mod gaps;
mod history;
mod lineage;
mod manifest;
mod oscal;
mod page;
mod regime;
mod retention;
mod setting;
mod side;
mod stretch;
mod verifier;
mod verify;

use crate::cli::moment;
use crate::output::{Failure, Output};
use clap::{Args, Subcommand};
use eleven_core::name;
use eleven_core::time::Time;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// `evidence`.
#[derive(Debug, Subcommand)]
pub(crate) enum EvidenceCommand {
    /// Write what the ledger holds about a range of time into a folder, with its proofs.
    #[command(
        after_help = "Exit status: 0 written and every proof verified; 1 something is missing or does not verify, and \
                            the manifest's `gaps` say what; 2 wrong command line.\nA control that a regime asks for and \
                            nothing in the range speaks to is a gap of the regime, not of the export."
    )]
    Export(Export),
    /// Verify such a folder, offline: five verdicts, each on its own.
    #[command(
        after_help = "Exit status: 0 no verdict is `failed` and the signers are trusted; 1 otherwise; 2 wrong command line, \
                      or no folder of evidence."
    )]
    Verify(Verify),
}

/// `evidence export`.
#[derive(Debug, Args)]
pub(crate) struct Export {
    /// The first moment, such as 2026-01-31 or 2026-01-31T08:00:00Z. Without it, the ledger's beginning.
    #[arg(long, value_name = "TIME", value_parser = moment)]
    pub(crate) from: Option<Time>,
    /// The moment after the last. Without it, that of the last signed head.
    #[arg(long, value_name = "TIME", value_parser = moment)]
    pub(crate) to: Option<Time>,
    /// Only the operations of this identity.
    #[arg(long, value_parser = identity)]
    pub(crate) identity: Option<String>,
    /// Only operations of this name, such as model.invoke.
    #[arg(long, value_parser = operation)]
    pub(crate) operation: Option<String>,
    /// Ask for the controls of a regime: eu-ai-act, hipaa, sec-17a-4, soc2 or nist-800-53. May be repeated.
    #[arg(long, value_name = "NAME")]
    pub(crate) regime: Vec<String>,
    /// Ask for the controls of a regime of your own, of the same form as those in `regimes/`, under a name that
    /// is none of theirs. May be repeated.
    #[arg(long, value_name = "FILE")]
    pub(crate) regime_file: Vec<PathBuf>,
    /// The folder to write; it must be empty, or not be there.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,
    /// The ledger, where it is not the configuration's; no configuration is needed then.
    #[arg(long, value_name = "URL")]
    pub(crate) ledger: Option<String>,
    /// A file with a registered auditor's secret, where the ledger is not shown to strangers.
    #[arg(long, value_name = "FILE")]
    pub(crate) secret_file: Option<PathBuf>,
    /// A version of the domain's trust root, where it is not the configuration's.
    #[arg(long, value_name = "FILE")]
    pub(crate) root: Option<PathBuf>,
}

/// `evidence verify`.
#[derive(Debug, Args)]
pub(crate) struct Verify {
    /// The folder.
    pub(crate) dir: PathBuf,
    /// A version of the domain's trust root, from where you trust it. Without it the signers are not checked.
    #[arg(long, value_name = "FILE")]
    pub(crate) root: Option<PathBuf>,
    /// An access log of an upstream, exported by whoever runs it: JSON lines, or text lines that name the lineage. May be
    /// repeated. Without one, coverage is not checked.
    #[arg(long, value_name = "FILE")]
    pub(crate) access_log: Vec<PathBuf>,
    /// A regime's file, from where you trust it; the folder's regime of that name has to be the same. Without it, a regime
    /// that comes with this program has to be as it is here, and any other has the exporter's terms. May be repeated.
    #[arg(long, value_name = "FILE")]
    pub(crate) regime_file: Vec<PathBuf>,
    /// Leave the page and the OSCAL document unchecked, as of a folder from another version that writes them otherwise.
    /// They show nothing then; everything else is judged as ever.
    #[arg(long)]
    pub(crate) skip_documents: bool,
    /// The first moment for which the folder has to answer, as an export takes it. One that answers for another is not
    /// complete.
    #[arg(long, value_name = "TIME", value_parser = moment)]
    pub(crate) from: Option<Time>,
    /// The moment after the last for which it has to answer.
    #[arg(long, value_name = "TIME", value_parser = moment)]
    pub(crate) to: Option<Time>,
    /// The identity whose operations alone it has to have.
    #[arg(long, value_parser = identity)]
    pub(crate) identity: Option<String>,
    /// The name of the operations that alone it has to have.
    #[arg(long, value_parser = operation)]
    pub(crate) operation: Option<String>,
}

/// An identity, as the command line has it: no other has operations, and no manifest names another.
fn identity(text: &str) -> Result<String, String> {
    let wrong = "write it as `svc:name:environment`: human, svc, model, agent or workload, a name, and where it has one an environment";
    if name::is_identity(text) { Ok(text.to_owned()) } else { Err(wrong.to_owned()) }
}

/// An operation's name, as the command line has it.
fn operation(text: &str) -> Result<String, String> {
    let wrong = "write it as `model.invoke`: at most 64 letters, digits and marks, without spaces";
    if name::is_operation(text) { Ok(text.to_owned()) } else { Err(wrong.to_owned()) }
}

/// `evidence …`.
///
/// # Errors
/// What kept the command from its end.
pub(crate) fn run(command: &EvidenceCommand, config: &Path, output: Output) -> Result<ExitCode, Failure> {
    match command {
        EvidenceCommand::Export(args) => export::run(args, config, output),
        EvidenceCommand::Verify(args) => verify::run(args, output),
    }
}

#[cfg(test)]
mod tests;
