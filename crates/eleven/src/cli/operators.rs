//! `eleven operator …`.

use clap::Subcommand;
use std::path::PathBuf;

/// `operator`.
#[derive(Debug, Subcommand)]
pub(crate) enum OperatorCommand {
    /// Add an operator and print its key, once, or write it into a file.
    Add {
        /// The operator's name.
        name: String,
        /// The identity that acts by the key.
        #[arg(long)]
        identity: String,
        /// Write the key into this new file, for its owner only, instead of printing it.
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// List the operators.
    List,
    /// Remove another operator: what it signs is refused, and tokens that it had issued end.
    Remove {
        /// The operator's name.
        name: String,
    },
}
