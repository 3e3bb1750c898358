//! What keeps and gives away: copies of the ledger, retention and legal holds, disclosures.

use clap::{Args, Subcommand};
use std::path::PathBuf;

/// `ledger restore`.
#[derive(Debug, Args)]
pub(crate) struct LedgerRestore {
    /// The copy, as `ledger backup` made it.
    pub(crate) source: PathBuf,
    /// A head that is known to have been published: a head, a checkpoint, or a file that shows one, such as a proof. May be
    /// repeated. The folder's own last head is always known, and so is what the witnesses of the configuration cosigned.
    #[arg(long = "head", value_name = "FILE")]
    pub(crate) heads: Vec<PathBuf>,
    /// The URL of another witness that is asked what it cosigned. May be repeated.
    #[arg(long = "witness", value_name = "URL")]
    pub(crate) witnesses: Vec<String>,
    /// Ask no witness: what was published since the heads that are given is not known then.
    #[arg(long, conflicts_with = "witnesses")]
    pub(crate) unwitnessed: bool,
    /// What the root signed.
    #[arg(long, value_name = "FILE")]
    pub(crate) recovery: Option<PathBuf>,
}

/// `ledger recovery`.
#[derive(Debug, Subcommand)]
pub(crate) enum RecoveryCommand {
    /// Sign with a root key that a copy may be restored and a published head given up.
    Sign {
        /// The copy that is to be restored.
        #[arg(long, value_name = "DIR")]
        backup: Option<PathBuf>,
        /// The newest published head: a file that shows one, as for `ledger restore`, or the URL of the witness that cosigned
        /// it.
        #[arg(long, value_name = "FILE|URL")]
        lost: Option<String>,
        /// Add a signature to what another root key signed, where more than one is needed.
        #[arg(long, value_name = "FILE")]
        add_to: Option<PathBuf>,
        /// Why. It stands in the ledger.
        #[arg(long, value_name = "TEXT")]
        cause: Option<String>,
        /// The root key's file.
        #[arg(long, value_name = "FILE")]
        root_key: PathBuf,
        /// Write the document here.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
}

/// `retention`.
#[derive(Debug, Subcommand)]
pub(crate) enum RetentionCommand {
    /// Set how long content is kept after the last event of its lineage. It can only be raised.
    Set {
        /// Days; where none are given, the least that the regime asks for. `own` asks for none.
        #[arg(long)]
        days: Option<u64>,
        /// eu-ai-act, hipaa, sec-17a-4, or own for none of them.
        #[arg(long)]
        regime: String,
    },
    /// Show what was set.
    Show,
}

/// `hold`.
#[derive(Debug, Subcommand)]
pub(crate) enum HoldCommand {
    /// Place a hold.
    Place(HoldOn),
    /// Lift a hold.
    Lift(HoldOn),
    /// List what was ever held, and whether it is now.
    List,
}

/// What is held.
#[derive(Debug, Args)]
pub(crate) struct HoldOn {
    /// An operation: its id, `lineage://op/…`, or artifact id.
    #[arg(long)]
    pub(crate) operation: Option<String>,
    /// All that an identity did.
    #[arg(long)]
    pub(crate) identity: Option<String>,
}

/// `disclosure`.
#[derive(Debug, Subcommand)]
pub(crate) enum DisclosureCommand {
    /// Erase what opens an operation's commitments. Every proof stays whole. That is recorded.
    Erase(Disclose),
}

/// Disclosures of an operation, and who asks for them what for.
// The command of the same name has a group of that name already.
#[derive(Debug, Args)]
#[group(id = "opening")]
pub(crate) struct Disclose {
    /// Operation id, `lineage://op/…`, or artifact id.
    pub(crate) id: String,
    /// What for. It stands in the ledger: name no secret in it.
    #[arg(long, value_name = "TEXT")]
    pub(crate) purpose: String,
    /// Only this path, such as `/op/user`. May be repeated; without one it is all of them.
    #[arg(long = "path", value_name = "POINTER")]
    pub(crate) paths: Vec<String>,
    /// Who asks; the operator, where nobody is named. A policy has to permit it.
    #[arg(long = "as", value_name = "IDENTITY")]
    pub(crate) identity: Option<String>,
}
