//! The command line: every command and what it takes.

mod corners;
mod keeping;
mod operators;
mod pages;
mod reading;
mod root;
mod witness;

pub(crate) use corners::{AuthorityCommand, CornerKeyCommand, LedgerCommand, RuntimeCommand, RuntimeKeyCommand, Serve};
pub(crate) use keeping::{
    Disclose, DisclosureCommand, HoldCommand, HoldOn, LedgerRestore, RecoveryCommand, RetentionCommand,
};
pub(crate) use operators::OperatorCommand;
pub(crate) use pages::{COMMANDS_PAGE, CONFIG_PAGE, commands};
pub(crate) use reading::{Compare, Follow, Operation, Search, moment};
pub(crate) use root::{Next, RootCommand};
pub(crate) use witness::{WitnessCommand, WitnessKeyCommand, WitnessLogCommand, WitnessServe};

use crate::output::Failure;
use crate::{bench, config, demo, evidence, output};
use clap::error::{ContextKind, ErrorKind};
use clap::{Args, Parser, Subcommand};
use eleven_core::registry::exposure::Exposure;
use eleven_core::subject::KINDS;
use eleven_core::time::Time;
use std::path::PathBuf;

/// Infrastructure between an authenticated identity and any executable operation: verified before, enforced during,
/// proven after.
#[derive(Debug, Parser)]
#[command(
    name = "eleven",
    version,
    propagate_version = true,
    disable_help_subcommand = true,
    max_term_width = 100,
    after_help = "Exit status: 0 done; 1 refused, failed or not verified; 2 wrong command line or configuration, nothing was \
                  done; 3 (verify) not I-JSON.\nColour is used on terminals only, and not where NO_COLOR is set."
)]
pub(crate) struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
    /// Print JSON for machines.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// The configuration.
    #[arg(long, global = true, value_name = "FILE", default_value = config::FILE)]
    pub(crate) config: PathBuf,
}

/// The command line of this process. A wrong one ends it here, with what is wrong for people to read.
///
/// # Errors
/// Where it is wrong and asks for JSON.
pub(crate) fn parsed() -> Result<Cli, Failure> {
    let mut error = match Cli::try_parse() {
        Ok(parsed) => return Ok(parsed),
        Err(error) => error,
    };
    // It names the hidden commands, too.
    error.remove(ContextKind::ValidSubcommand);
    let json = std::env::args_os().take_while(|arg| arg != "--").any(|arg| arg == "--json");
    if !error.use_stderr() {
        output::end(error.print());
    }
    if !json {
        error.exit();
    }
    Err(Failure::usage(wrong(&error)))
}

/// What is wrong with a command line, on one line.
fn wrong(error: &clap::Error) -> String {
    if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        return "a command is missing; --help says which there are".to_owned();
    }
    let text = error.render().to_string();
    let what = text.trim_start_matches("error: ").split("\n\n").next().unwrap_or_default();
    format!("{}; --help says what is taken", what.split_whitespace().collect::<Vec<_>>().join(" "))
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make a domain in a folder: configuration, keys, genesis, starter policy.
    Init(Init),
    /// Run the three corners of a domain, and restart one that falls.
    Up(Up),
    /// See all of it at work: calls that pass, every way to be refused, outages, and proofs.
    Demo(demo::Args),
    /// Measure what governance adds to a call on this machine.
    Bench(bench::Args),
    /// The model of the demo, a process of its own.
    #[command(hide = true)]
    DemoUpstream(demo::upstream::Args),
    /// Verify a proof file, or evidence of equivocation, offline; or an operation, from a ledger's public surfaces alone.
    #[command(
        after_help = "Exit status: 0 verified; 1 failed or unpinned; 2 wrong command line; 3 the file is not I-JSON."
    )]
    Verify(Verify),
    /// Explain a refusal, or how an operation ended.
    Why(Operation),
    /// Check the machine, the configuration and what runs.
    Doctor,
    /// The corner that decides.
    #[command(subcommand)]
    Authority(AuthorityCommand),
    /// The corner that enforces.
    #[command(subcommand)]
    Runtime(RuntimeCommand),
    /// The corner that proves.
    #[command(subcommand)]
    Ledger(LedgerCommand),
    /// A witness: it cosigns the heads of ledgers, on another machine than theirs.
    #[command(subcommand)]
    Witness(WitnessCommand),
    /// Identities of callers.
    #[command(subcommand)]
    Identity(IdentityCommand),
    /// Callers that authenticate by a secret.
    #[command(subcommand)]
    Client(ClientCommand),
    /// Those who may read a ledger that is not open to everybody.
    #[command(subcommand)]
    Auditor(AuditorCommand),
    /// Those who change a domain, by acts that they sign.
    #[command(subcommand)]
    Operator(OperatorCommand),
    /// Policies.
    #[command(subcommand)]
    Policy(PolicyCommand),
    /// Authorization artifacts.
    #[command(subcommand)]
    Artifact(ArtifactCommand),
    /// The trust root: its next version, with renewed keys or other witnesses.
    #[command(subcommand)]
    Root(RootCommand),
    /// Keys of the registry.
    #[command(subcommand)]
    Key(KeyCommand),
    /// What can be contained: a runtime, identity, operation, model, tool, policy, route, domain or mesh.
    #[command(subcommand)]
    Subject(SubjectCommand),
    /// What happened to an operation.
    #[command(subcommand)]
    Lineage(LineageCommand),
    /// Evidence for an examiner: one folder, checked offline.
    #[command(subcommand)]
    Evidence(evidence::EvidenceCommand),
    /// What operations committed to instead of writing it.
    #[command(subcommand)]
    Disclosure(DisclosureCommand),
    /// How long content is kept.
    #[command(subcommand)]
    Retention(RetentionCommand),
    /// Legal holds: what is kept whatever the retention says.
    #[command(subcommand)]
    Hold(HoldCommand),
    /// The registry in force.
    #[command(subcommand)]
    Registry(RegistryCommand),
    /// Conformance of this, or any other, implementation.
    #[command(subcommand)]
    Conformance(ConformanceCommand),
    /// Write the pages that are made of this command line and its configuration.
    #[command(hide = true)]
    Pages {
        /// The folder of the pages.
        dir: PathBuf,
    },
}

/// `init`.
#[derive(Debug, Args)]
pub(crate) struct Init {
    /// The folder; it must be empty, or not be there.
    pub(crate) dir: PathBuf,
    /// The domain's name.
    #[arg(long, default_value = "11-11")]
    pub(crate) domain: String,
    /// Base URL of the upstream, without `/v1`.
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8000")]
    pub(crate) upstream: String,
    /// Set a key of the configuration, for instance `--set runtime.audit_bound=2`. May be repeated.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(crate) settings: Vec<String>,
    /// How much of the ledger strangers may read: open, by-possession or private.
    #[arg(long, default_value = "by-possession")]
    pub(crate) exposure: String,
    /// How many days the trust root and all keys count. Where they are not renewed before, the domain ends with them.
    #[arg(long, value_name = "N", default_value_t = 365, value_parser = clap::value_parser!(u16).range(1..=36500))]
    pub(crate) valid_days: u16,
    /// Listen on ports that are free now instead of 1111, 1112 and 1113.
    #[arg(long)]
    pub(crate) free_ports: bool,
    /// Name a witness in the trust root, by the `witness.json` that `eleven witness key new` wrote, or by a file with the
    /// verifier key of a C2SP witness of another make. May be repeated. Where the ledger asks it, `--set ledger.witnesses`
    /// says.
    #[arg(long = "witness", value_name = "FILE")]
    pub(crate) witnesses: Vec<PathBuf>,
    /// How many witnesses have to cosign a head; all that are named where it is not said.
    #[arg(long, value_name = "N", requires = "witnesses")]
    pub(crate) quorum: Option<u64>,
    /// How many of them have to be auditors that replay the ledger.
    #[arg(long, value_name = "N", default_value_t = 0, requires = "witnesses")]
    pub(crate) auditors: u64,
}

/// `up`.
#[derive(Debug, Args)]
pub(crate) struct Up {
    /// Leave a fallen corner down.
    #[arg(long)]
    pub(crate) no_restart: bool,
}

/// `verify`.
#[derive(Debug, Args)]
pub(crate) struct Verify {
    /// The proof file, or evidence that a ledger told two histories; or `lineage://op/…`, and the ledger with --from.
    #[arg(required_unless_present = "batch")]
    pub(crate) file: Option<PathBuf>,
    /// Verify each line of standard input, and answer each by a line.
    #[arg(long, hide = true, conflicts_with_all = ["file", "kind", "op", "max_age"])]
    pub(crate) batch: bool,
    /// The ledger whose surfaces are walked.
    #[arg(long, value_name = "URL")]
    pub(crate) from: Option<String>,
    /// A file with a registered auditor's secret, where that ledger is not shown to strangers.
    #[arg(long, value_name = "FILE", requires = "from")]
    pub(crate) secret_file: Option<PathBuf>,
    /// A version of the domain's trust root, from where you trust it. Without it the best verdict is `unpinned`.
    #[arg(long, value_name = "FILE")]
    pub(crate) root: Option<PathBuf>,
    /// The kind that has to be shown: execution, open, unused or denial.
    #[arg(long)]
    pub(crate) kind: Option<String>,
    /// The operation that has to be shown.
    #[arg(long)]
    pub(crate) op: Option<String>,
    /// How old the signed head may be. Evidence of equivocation, which stands for good, fails with it.
    #[arg(long, value_name = "SECONDS")]
    pub(crate) max_age: Option<u64>,
}

/// `identity`.
#[derive(Debug, Subcommand)]
pub(crate) enum IdentityCommand {
    /// Issue an identity token, good for fifteen minutes.
    Issue {
        /// The identity, such as `svc:demo-app:dev`.
        identity: String,
    },
}

/// `client`.
#[derive(Debug, Subcommand)]
pub(crate) enum ClientCommand {
    /// Add a client and print its secret, once, or write it into a file.
    Add {
        /// The client's name.
        name: String,
        /// The identity that the secret stands for.
        #[arg(long)]
        identity: String,
        /// Write the secret into this new file, for its owner only, instead of printing it.
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// List the clients.
    List,
    /// Revoke a client's secret.
    Revoke {
        /// The client's name.
        name: String,
    },
}

/// `policy`.
#[derive(Debug, Subcommand)]
pub(crate) enum PolicyCommand {
    /// Say whether a policy could be published, what to look at, and what it decides.
    Check {
        /// A bundle as JSON; its Cedar text and schema may lie beside it as `.cedar` and `.cedarschema`.
        file: PathBuf,
        /// A request to decide by it, as JSON: `identity`, `op`, and if wanted `env`, `facts`, `at`.
        #[arg(long, value_name = "FILE")]
        ask: Vec<PathBuf>,
    },
    /// Publish a policy; vN+1 replaces vN of its path.
    Publish {
        /// A bundle as JSON; its Cedar text and schema may lie beside it as `.cedar` and `.cedarschema`.
        file: PathBuf,
        /// Give it the version after the last one of its path.
        #[arg(long)]
        next: bool,
    },
    /// Retire a policy.
    Retire {
        /// The reference in force, `policy://<path>/v<N>`.
        reference: String,
    },
    /// List the policies in force.
    List,
    /// Print the bundle of a policy in force.
    Show {
        /// Its reference.
        reference: String,
    },
}

/// `artifact`.
#[derive(Debug, Subcommand)]
pub(crate) enum ArtifactCommand {
    /// Revoke an artifact and interrupt what runs under it.
    Revoke {
        /// Artifact id, operation id or `lineage://op/…`.
        id: String,
        /// Why, in one word.
        #[arg(long, default_value = "operator")]
        why: String,
    },
}

/// `key`.
#[derive(Debug, Subcommand)]
pub(crate) enum KeyCommand {
    /// List the keys of the trust root and the registry.
    List,
    /// Register issuer, event, attestation and identity keys by the public ones that `eleven authority key renew --out` or another
    /// corner's wrote. Those that are registered already are passed over, and so are keys that stand in the trust root.
    Register {
        /// The files.
        #[arg(value_name = "FILE", required = true)]
        files: Vec<PathBuf>,
        /// For how many days they count; identity keys do until they are ended.
        #[arg(long, value_name = "N", default_value_t = 365, value_parser = clap::value_parser!(u16).range(1..=36500))]
        valid_days: u16,
    },
    /// Take a key of the registry out of service: what it signed stays good, what it signs from now on counts for nothing. Its
    /// producer's journal must be drained. With an identity key its tokens end.
    Retire {
        /// The key's name.
        kid: String,
    },
    /// Say that a key of the registry is in other hands: what the ledger dates later than `--since` counts for nothing. With an
    /// identity key all of its tokens end.
    Compromise {
        /// The key's name.
        kid: String,
        /// From when it may have been, such as 2026-01-31T12:00:00Z; now where it is not said.
        #[arg(long, value_name = "TIME", value_parser = reading::moment)]
        since: Option<Time>,
    },
}

/// `subject`.
#[derive(Debug, Subcommand)]
pub(crate) enum SubjectCommand {
    /// Contain a subject: nothing passes through it, and what runs under it is interrupted.
    Contain(Subject),
    /// Lift a containment.
    Lift(Subject),
}

/// A subject under governance.
#[derive(Debug, Args)]
pub(crate) struct Subject {
    /// runtime, identity, operation, model, tool, policy, route, domain or mesh.
    #[arg(value_parser = kind)]
    pub(crate) kind: String,
    /// The subject, such as `host://db-1` or `svc:demo-app:dev`; `*` for the mesh.
    pub(crate) subject: String,
}

/// A kind of subject.
fn kind(text: &str) -> Result<String, String> {
    let known = KINDS.contains(&text).then(|| text.to_owned());
    known.ok_or_else(|| format!("use one of {}", KINDS.join(", ")))
}

/// How much of a ledger strangers may read.
fn exposure(text: &str) -> Result<String, String> {
    let known = Exposure::parse(text).map(|exposure| exposure.name().to_owned());
    known.ok_or_else(|| format!("use one of {}", Exposure::ALL.map(Exposure::name).join(", ")))
}

/// `lineage`.
#[derive(Debug, Subcommand)]
pub(crate) enum LineageCommand {
    /// Show the events of an operation.
    Show(Operation),
    /// Fetch the proof file of an operation.
    Bundle {
        /// The operation.
        #[command(flatten)]
        of: Operation,
        /// Write it here instead of to standard output.
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Fetch the C2SP tlog-proof of one event: any tool for transparency logs reads it.
    TlogProof {
        /// The operation.
        #[command(flatten)]
        of: Operation,
        /// Which event, counted from 1; the last where none is named.
        #[arg(long, value_name = "NUMBER")]
        n: Option<u64>,
        /// Write it here instead of to standard output.
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Open what an operation committed to, for a purpose, and put it into its proof file. That is recorded.
    Disclose {
        /// What is opened, by whom and what for.
        #[command(flatten)]
        of: Disclose,
        /// The proof file, where it is at hand; else the ledger is asked for it.
        #[arg(long, value_name = "FILE")]
        bundle: Option<PathBuf>,
        /// The ledger that is asked, where it is not the configuration's.
        #[arg(long, value_name = "URL")]
        ledger: Option<String>,
        /// A file with a registered auditor's secret, where the ledger is not shown to strangers.
        #[arg(long, value_name = "FILE")]
        secret_file: Option<PathBuf>,
        /// Write the proof file with its disclosures here.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// Decide once more from what was kept, and compare.
    Replay(Operation),
}

/// `registry`.
#[derive(Debug, Subcommand)]
pub(crate) enum RegistryCommand {
    /// Show the registry in force.
    Show,
    /// Set how much of the ledger strangers may read.
    Expose {
        /// open, by-possession or private.
        #[arg(value_parser = exposure)]
        exposure: String,
    },
}

/// `auditor`.
#[derive(Debug, Subcommand)]
pub(crate) enum AuditorCommand {
    /// Add an auditor and print its secret, once, or write it into a file.
    Add {
        /// The auditor's name.
        name: String,
        /// The identity that the secret stands for.
        #[arg(long)]
        identity: String,
        /// Write the secret into this new file, for its owner only, instead of printing it.
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// List the auditors.
    List,
    /// Revoke an auditor's secret.
    Revoke {
        /// The auditor's name.
        name: String,
    },
}

/// `conformance`.
#[derive(Debug, Subcommand)]
pub(crate) enum ConformanceCommand {
    /// Run every case of a folder of vectors.
    #[command(after_help = "Exit status: 0 all passed; 1 a case failed; 2 the folder cannot be read.")]
    Vectors {
        /// A folder with files of the names and forms of `spec/vectors`.
        dir: PathBuf,
    },
}

#[cfg(test)]
mod tests;
