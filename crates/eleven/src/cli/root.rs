//! `eleven root …`.

use super::reading::moment;
use clap::{Args, Subcommand};
use eleven_core::time::Time;
use std::path::PathBuf;

/// `root`.
#[derive(Debug, Subcommand)]
pub(crate) enum RootCommand {
    /// Sign the next version with a root key: the same root with renewed keys, with other witnesses, or in force for longer. Needs
    /// neither a domain's folder nor its network, so that it can be done where the key is kept.
    Next(Next),
    /// Publish a version that `eleven root next` wrote. The ledger collects by it from the next head on.
    Publish {
        /// The new version.
        file: PathBuf,
    },
    /// Print the version in force, as the authority serves it.
    Show,
    /// Print the verifier keys by which tools for transparency logs know a root's ledger and its witnesses, one a line. Needs no
    /// configuration.
    Vkeys {
        /// The root.
        file: PathBuf,
    },
}

/// `root next`.
#[derive(Debug, Args)]
pub(crate) struct Next {
    /// The version in force, as `eleven root show` prints it.
    #[arg(long, value_name = "FILE", required_unless_present = "add_to")]
    pub(crate) from: Option<PathBuf>,
    /// Add a witness, by the `witness.json` that `eleven witness key new` wrote, or by a file with the verifier key of a C2SP
    /// witness of another make. May be repeated.
    #[arg(long = "add", value_name = "FILE")]
    pub(crate) add: Vec<PathBuf>,
    /// Remove the witness of this name. May be repeated.
    #[arg(long = "remove", value_name = "NAME")]
    pub(crate) remove: Vec<String>,
    /// How many witnesses have to cosign a head; where it is not said, all that are left after some were added or removed,
    /// and else as many as before.
    #[arg(long, value_name = "N")]
    pub(crate) quorum: Option<u64>,
    /// How many of them have to be auditors; as many as before where it is not said, as far as there are so many left.
    #[arg(long, value_name = "N")]
    pub(crate) auditors: Option<u64>,
    /// Have it in force for this many days from now on. The keys that it has already count as long as they did, since no
    /// version changes the record of a key.
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u16).range(1..=36500))]
    pub(crate) extend: Option<u16>,
    /// Name the head, policy and registry keys of this file first, which `eleven authority key renew --out` or the ledger's
    /// wrote: they sign from this version on, for as long as it is in force. May be repeated.
    #[arg(long = "renew", value_name = "FILE")]
    pub(crate) renew: Vec<PathBuf>,
    /// Make a new root key, write it to this file, and name it first: it signs the versions after this one, and this one too.
    #[arg(long, value_name = "FILE")]
    pub(crate) new_root_key: Option<PathBuf>,
    /// Take this key out of service: what it signed stays good. May be repeated.
    #[arg(long = "retire", value_name = "KID")]
    pub(crate) retire: Vec<String>,
    /// Say that this key is in other hands: what is dated later than `--since` and signed by it counts for nothing. May be
    /// repeated.
    #[arg(long = "compromise", value_name = "KID")]
    pub(crate) compromise: Vec<String>,
    /// From when it may have been, such as 2026-01-31T12:00:00Z; now where it is not said.
    #[arg(long, value_name = "TIME", requires = "compromise", value_parser = moment)]
    pub(crate) since: Option<Time>,
    /// Add a signature to what another root key signed, where more than one is needed.
    #[arg(long, value_name = "FILE", conflicts_with_all = [
        "from", "add", "remove", "quorum", "auditors", "extend", "renew", "new_root_key", "retire", "compromise",
        "since"
    ])]
    pub(crate) add_to: Option<PathBuf>,
    /// The root key's file.
    #[arg(long, value_name = "FILE")]
    pub(crate) root_key: PathBuf,
    /// Write the new version here.
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
}
