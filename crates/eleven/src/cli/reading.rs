//! What commands take that read a ledger.

use clap::Args;
use eleven_core::id;
use eleven_core::time::Time;
use std::path::PathBuf;

/// An operation, and the ledger that is asked about it.
#[derive(Debug, Args)]
pub(crate) struct Operation {
    /// Operation id, `lineage://op/…`, or artifact id.
    pub(crate) id: String,
    /// The ledger, where it is not the configuration's; no configuration is needed then.
    #[arg(long, value_name = "URL")]
    pub(crate) ledger: Option<String>,
    /// A file with a registered auditor's secret, where the ledger is not shown to strangers.
    #[arg(long, value_name = "FILE")]
    pub(crate) secret_file: Option<PathBuf>,
}

/// What a search asks for; all of it has to hold.
#[derive(Debug, Args)]
pub(crate) struct Search {
    /// Operation id, `lineage://op/…`, or artifact id.
    #[arg(long, value_name = "ID", value_parser = operation_id)]
    pub(crate) op: Option<String>,
    /// The identity that called.
    #[arg(long)]
    pub(crate) identity: Option<String>,
    /// The operation's name, such as `model.invoke`.
    #[arg(long, value_name = "NAME")]
    pub(crate) operation: Option<String>,
    /// The artifact that an event is about.
    #[arg(long, value_name = "ID")]
    pub(crate) artifact: Option<String>,
    /// The runtime.
    #[arg(long)]
    pub(crate) runtime: Option<String>,
    /// Why it was refused or ended.
    #[arg(long)]
    pub(crate) reason: Option<String>,
    /// The first event, such as `execution.denied`.
    #[arg(long)]
    pub(crate) event: Option<String>,
    /// Begun at this time or later, such as `2026-05-12` or `2026-05-12T17:00:00Z`.
    #[arg(long, value_name = "TIME", value_parser = moment)]
    pub(crate) from: Option<Time>,
    /// Begun before this time.
    #[arg(long, value_name = "TIME", value_parser = moment)]
    pub(crate) until: Option<Time>,
    /// Begun before this entry: where the answer before ended.
    #[arg(long, value_name = "ENTRY")]
    pub(crate) before: Option<u64>,
    /// At most so many, 500 at a time; 50 where nothing is said.
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) count: Option<u64>,
    /// The ledger, where it is not the configuration's; no configuration is needed then.
    #[arg(long, value_name = "URL")]
    pub(crate) ledger: Option<String>,
    /// A file with a registered auditor's secret, where the ledger is not shown to strangers.
    #[arg(long, value_name = "FILE")]
    pub(crate) secret_file: Option<PathBuf>,
}

/// `ledger follow`.
#[derive(Debug, Args)]
pub(crate) struct Follow {
    /// The ledger, such as `http://127.0.0.1:1111`.
    pub(crate) url: String,
    /// A version of the domain's trust root, from where you trust it.
    #[arg(long, value_name = "FILE")]
    pub(crate) root: PathBuf,
    /// The mirror's folder; made where it is not there. It is to hold nothing else.
    #[arg(long, value_name = "DIR")]
    pub(crate) data: PathBuf,
    /// A file with a registered auditor's secret, where the domain shows its entries to those only.
    #[arg(long, value_name = "FILE")]
    pub(crate) secret_file: Option<PathBuf>,
    /// Verify all that is there now, and end.
    #[arg(long)]
    pub(crate) once: bool,
    /// How often the ledger is asked for a new head, in milliseconds.
    #[arg(long, value_name = "MS", default_value_t = 1000)]
    pub(crate) every: u64,
}

/// `ledger compare`.
#[derive(Debug, Args)]
pub(crate) struct Compare {
    /// One place that shows the ledger.
    pub(crate) one: String,
    /// Another.
    pub(crate) two: String,
    /// A version of the domain's trust root, from where you trust it.
    #[arg(long, value_name = "FILE")]
    pub(crate) root: PathBuf,
    /// Where evidence is written.
    #[arg(long, value_name = "FILE", default_value = "equivocation.json")]
    pub(crate) out: PathBuf,
    /// A file with a registered auditor's secret, where the domain shows its tree to those only.
    #[arg(long, value_name = "FILE")]
    pub(crate) secret_file: Option<PathBuf>,
}

/// An operation as people have it at hand: its id, the lineage's name, or the artifact's id.
fn operation_id(text: &str) -> Result<String, String> {
    let known = id::split_operation(id::operation_at_hand(text)).map(|_| text.to_owned());
    known.ok_or_else(|| "give an operation's id, lineage://op/… or auth_…".to_owned())
}

/// A moment as people write it: a day, or a time to the second or to the millisecond, in UTC.
pub(crate) fn moment(text: &str) -> Result<Time, String> {
    let day = || Time::parse_seconds(&format!("{text}T00:00:00Z"));
    let read = Time::parse_millis(text).or_else(|| Time::parse_seconds(text)).or_else(day);
    read.ok_or_else(|| "write it in UTC as 2026-01-31, 2026-01-31T08:00:00Z or 2026-01-31T08:00:00.000Z".to_owned())
}
