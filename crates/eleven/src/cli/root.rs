//! `eleven root …`.

use clap::Subcommand;
use std::path::PathBuf;

/// `root`.
#[derive(Debug, Subcommand)]
pub(crate) enum RootCommand {
    /// Sign the next version with a root key: the same root with other witnesses, or in force for longer. Needs neither a
    /// domain's folder nor its network, so that it can be done where the key is kept.
    Next {
        /// The version in force, as `eleven root show` prints it.
        #[arg(long, value_name = "FILE", required_unless_present = "add_to")]
        from: Option<PathBuf>,
        /// Add a witness, by the `witness.json` that `eleven witness key new` wrote. May be repeated.
        #[arg(long = "add", value_name = "FILE")]
        add: Vec<PathBuf>,
        /// Remove the witness of this name. May be repeated.
        #[arg(long = "remove", value_name = "NAME")]
        remove: Vec<String>,
        /// How many witnesses have to cosign a head; where it is not said, all that are left after some were added or removed,
        /// and else as many as before.
        #[arg(long, value_name = "N")]
        quorum: Option<u64>,
        /// How many of them have to be auditors; as many as before where it is not said, as far as there are so many left.
        #[arg(long, value_name = "N")]
        auditors: Option<u64>,
        /// Have it in force for this many days from now on. Its keys count as long as they did, since no version changes the
        /// record of a key.
        #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u16).range(1..=36500))]
        extend: Option<u16>,
        /// Add a signature to what another root key signed, where more than one is needed.
        #[arg(long, value_name = "FILE", conflicts_with_all = ["from", "add", "remove", "quorum", "auditors", "extend"])]
        add_to: Option<PathBuf>,
        /// The root key's file.
        #[arg(long, value_name = "FILE")]
        root_key: PathBuf,
        /// Write the new version here.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// Publish a version that `eleven root next` wrote. The ledger collects by it from the next head on.
    Publish {
        /// The new version.
        file: PathBuf,
    },
    /// Print the version in force, as the authority serves it.
    Show,
}
