//! The commands of the three corners.

use super::{Compare, Follow, LedgerRestore, RecoveryCommand, Search};
use crate::hammer;
use clap::{Args, Subcommand};
use std::path::PathBuf;

/// What every corner's process is started with.
#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// End when the process of this number, the parent, ends.
    #[arg(long, hide = true, value_name = "PID")]
    pub(crate) parent: Option<i32>,
}

/// `… key`.
#[derive(Debug, Subcommand)]
pub(crate) enum CornerKeyCommand {
    /// Make the corner's folder, keystore and keys, and print the public keys.
    New {
        /// The last part of the keys' names.
        #[arg(long, default_value = "1")]
        label: String,
    },
    /// Add new keys to the keystore, the corner may run, and print the public ones: for `key register`, and for `root next
    /// --renew`. The corner holds them from its next start on. Where it has keys of the label, those are printed.
    Renew {
        /// The last part of the new keys' names, such as the year.
        #[arg(long)]
        label: String,
        /// Write the public keys to this file, too.
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
}

/// `runtime key`.
#[derive(Debug, Subcommand)]
pub(crate) enum RuntimeKeyCommand {
    /// Make the corner's folder, keystore and keys, and print the public keys.
    New {
        /// The last part of the keys' names.
        #[arg(long, default_value = "1")]
        label: String,
    },
    /// Return under new keys, when they end or after the journal was lost: the old ones are retired. What the journal holds has to
    /// be in the ledger; where it is lost, the ledger records where their stream breaks off. The runtime must not run, ledger and
    /// authority must: where `eleven up` ran all corners, stop it and start `eleven ledger serve` and `eleven authority serve`. Can
    /// be repeated where it was cut short.
    Replace {
        /// The last part of the new keys' names.
        #[arg(long)]
        label: String,
        /// For how many days they count.
        #[arg(long, value_name = "N", default_value_t = 365, value_parser = clap::value_parser!(u16).range(1..=36500))]
        valid_days: u16,
        /// Give up what the ledger has not of the journal: it never gets it, and records that something may be missing.
        #[arg(long)]
        journal_lost: bool,
    },
}

/// `authority`.
#[derive(Debug, Subcommand)]
pub(crate) enum AuthorityCommand {
    /// Run the authority.
    Serve(Serve),
    /// Restart the running authority without refusing a call: callers wait.
    Restart,
    /// The authority's own keys.
    #[command(subcommand)]
    Key(CornerKeyCommand),
    /// Sign grants for the key records on standard input.
    #[command(hide = true)]
    Grant,
    /// Carry out the founding acts on standard input.
    #[command(hide = true)]
    Found,
    /// Try to read a path from within the corner's confinement.
    #[command(hide = true)]
    Probe(Probe),
}

/// `runtime`.
#[derive(Debug, Subcommand)]
pub(crate) enum RuntimeCommand {
    /// Run the enforcement point.
    Serve(Serve),
    /// Restart the running enforcement point without refusing a call: callers wait.
    Restart,
    /// The enforcement point's own keys.
    #[command(subcommand)]
    Key(RuntimeKeyCommand),
    /// Approve this binary and this configuration for the enforcement point.
    Register,
    /// Take the enforcement point out of the registry.
    Remove,
    /// Print what `runtime register` would approve.
    Measure,
    /// Try to read a path from within the corner's confinement.
    #[command(hide = true)]
    Probe(Probe),
}

/// `ledger`.
#[derive(Debug, Subcommand)]
pub(crate) enum LedgerCommand {
    /// Run the ledger.
    Serve(Serve),
    /// Restart the running ledger without refusing a call: callers wait.
    Restart,
    /// The ledger's own keys.
    #[command(subcommand)]
    Key(CornerKeyCommand),
    /// Check the whole ledger from its files alone: everything is computed again, on all cores. The ledger must not run.
    Fsck {
        /// The ledger's folder, or a mirror's, where it is not the configuration's; no configuration is needed then.
        #[arg(long, value_name = "DIR")]
        data: Option<PathBuf>,
    },
    /// Follow another's ledger: copy its entries, compute everything again, keep what is verified.
    #[command(
        after_help = "It stops with status 1 at the first entry that is wrong, and names it; where the ledger signed what \
                      can't both be true, the evidence is written to DIR/evidence."
    )]
    Follow(Follow),
    /// Compare what two places show of one ledger; where they differ, make a file that convicts it.
    #[command(after_help = "Exit status: 0 they agree; 1 they differ, or one was not reached.")]
    Compare(Compare),
    /// Find lineages by what they name, the last one first.
    Search(Search),
    /// Make the search index again from the ledger's files. The ledger must not run.
    Reindex,
    /// Measure what a ledger takes on this machine, in a domain of its own.
    Hammer(hammer::Args),
    /// Tell what the ledger takes on its disk and will take, and for how long what is free there will do, from what is in its
    /// folder, while it runs or not.
    Size {
        /// Governed calls a day.
        #[arg(long, value_name = "N", default_value_t = 10_000)]
        calls_per_day: u64,
        /// For how many years.
        #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=100))]
        years: u64,
    },
    /// Copy the ledger up to its last signed head, while it runs or not, and read the copy back. Keys are not copied.
    Backup {
        /// The folder of the copy; it must be empty, or not be there.
        dest: PathBuf,
    },
    /// Put a copy in the ledger's place. The ledger must not run. Never behind a published head, unless the root signed that.
    Restore(LedgerRestore),
    /// Move content past its retention, and not held, to an archive. Entries and proofs stay. The ledger must not run; one
    /// that runs does this itself where `ledger.archive_every` is set.
    Archive {
        /// The archive's folder; it is made, or added to.
        #[arg(long, value_name = "DIR")]
        to: PathBuf,
    },
    /// The root's word that a ledger goes back behind a head that was published.
    #[command(subcommand)]
    Recovery(RecoveryCommand),
    /// Make the first entry from the genesis on standard input.
    #[command(hide = true)]
    Genesis,
    /// Try to read a path from within the corner's confinement.
    #[command(hide = true)]
    Probe(Probe),
}

/// `… probe`.
#[derive(Debug, Args)]
pub(crate) struct Probe {
    /// The path.
    pub(crate) path: PathBuf,
}
