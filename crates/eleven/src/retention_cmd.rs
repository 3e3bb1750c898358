//! How long content is kept, what is held beyond that, and moving what may go to an archive.

use crate::admin::{act, report};
use crate::call;
use crate::cli::{HoldCommand, HoldOn, RetentionCommand};
use crate::config::Config;
use crate::operator::OperatorKey;
use crate::output::{Failure, Output, Paint};
use eleven_api::edge::{Clock as _, SystemClock};
use eleven_core::encoding::{Object, Value};
use eleven_core::id;
use eleven_core::registry::retention::{Hold, OWN, REGIMES, RETENTION_SERVICE, Retention};
use eleven_core::registry::{InterfaceRecord, Lists, Snapshot};
use eleven_ledger::LedgerError;
use eleven_store::FolderError;
use std::path::Path;

/// `retention …`.
///
/// # Errors
/// Where the authority does not answer or refuses: a retention is only ever raised.
pub(crate) fn retention(config: &Config, command: RetentionCommand, output: Output) -> Result<(), Failure> {
    match command {
        RetentionCommand::Set { days, regime } => {
            let floor = REGIMES.iter().find(|(name, _)| *name == regime).map_or(0, |(_, floor)| *floor);
            let days = match days {
                // A day is the least that may be set, and not what somebody asks for who says nothing.
                None if regime == OWN => {
                    return Err(Failure::usage("--regime own asks for no days: say how many by --days"));
                }
                days => days.unwrap_or(floor),
            };
            // What the authority would refuse is refused here by name: it knows of no regime but of the days that it gave.
            Retention::new(days, &regime).map_err(|why| Failure::usage(format!("--regime {regime}: {why}")))?;
            let done = act(config, "retention.set", Object::new().with("days", days).with("regime", &regime))?;
            report(&done, &format!("content is kept for {days} days ({regime})"), output);
        }
        RetentionCommand::Show => {
            let lists = lists(config)?;
            let set = || lists.interfaces.iter().filter(|approved| approved.service == RETENTION_SERVICE);
            let longest = Retention::in_force(&lists).map(|retention| retention.days);
            let value = || {
                let row = |set: &InterfaceRecord| {
                    Value::Object(Object::new().with("hash", set.hash).with("version", &set.version))
                };
                let set = set().map(row).collect::<Vec<_>>();
                Value::Object(Object::new().with("days", longest.map(Value::from)).with("set", set))
            };
            let text = || match longest {
                None => "no retention is set: all content is kept".to_owned(),
                Some(days) => {
                    let rows = set().map(|set| vec![set.version.clone(), set.hash.to_string()]);
                    format!("content is kept for {days} days\n{}", output.table_of(["VERSION", "HASH"], rows))
                }
            };
            output.either(value, text);
        }
    }
    Ok(())
}

/// `hold …`.
///
/// # Errors
/// Where the authority does not answer or refuses.
pub(crate) fn hold(config: &Config, command: HoldCommand, output: Output) -> Result<(), Failure> {
    match command {
        HoldCommand::Place(on) => set(config, "hold.place", &on, "is held: its content is kept", output),
        HoldCommand::Lift(on) => set(config, "hold.lift", &on, "is no longer held", output),
        HoldCommand::List => {
            let held = Held::all(&lists(config)?, config);
            output.either(|| Value::Array(held.iter().map(Held::to_value).collect()), || Held::table(&held, output));
            Ok(())
        }
    }
}

fn set(config: &Config, name: &str, on: &HoldOn, state: &str, output: Output) -> Result<(), Failure> {
    let (kind, subject) = match (&on.operation, &on.identity) {
        // The registry writes ids in small letters, and an id has none.
        (Some(operation), None) => ("operation", id::operation_at_hand(operation).to_ascii_uppercase()),
        (None, Some(identity)) => ("identity", identity.clone()),
        _ => return Err(Failure::usage("name one of --operation and --identity")),
    };
    let done = act(config, name, Object::new().with("kind", kind).with("subject", &subject))?;
    report(&done, &format!("{kind} {subject} {state}"), output);
    Ok(())
}

/// `ledger archive`.
///
/// # Errors
/// Where no retention is set, the ledger runs, or a log can't be read or written.
pub(crate) fn archive(config: &Config, to: &Path, output: Output) -> Result<(), Failure> {
    let done = eleven_ledger::archive(&config.ledger.data, to, SystemClock.now()).map_err(|error| match error {
        LedgerError::Folder(FolderError::Locked { .. }) => {
            Failure::new(format!("{error}; a ledger that runs moves content itself: set `ledger.archive_every`"))
        }
        error => Failure::from(error),
    })?;
    let value = || {
        let object = Object::new().with("bytes", done.bytes).with("days", done.days).with("held", done.held);
        let object = object.with("lineages", done.lineages).with("pieces", done.pieces);
        Value::Object(object.with("to", to.display().to_string()))
    };
    let text = || {
        format!(
            "{} lineages ended more than {} days ago, {} more are held\n{} pieces of content, {} bytes, are in {}; every \
             entry and every proof stays\nName the folder in `ledger.archive` to serve from it.",
            done.lineages,
            done.days,
            done.held,
            done.pieces,
            done.bytes,
            to.display()
        )
    };
    output.either(value, text);
    Ok(())
}

/// The registry's lists, as the authority shows them.
fn lists(config: &Config) -> Result<Lists, Failure> {
    Ok(Snapshot::read(call::registry(config)?)?.lists)
}

/// A subject that was ever held.
struct Held {
    kind: String,
    /// An operation's id, or an identity's digest: the registry has no more of it.
    id: String,
    /// The identity, where the registry or the operator's key names one of this digest.
    identity: Option<String>,
    /// Whether it is held now.
    is_held: bool,
}

impl Held {
    /// Every subject, once.
    fn all(lists: &Lists, config: &Config) -> Vec<Self> {
        let sources = lists.sources.iter().filter_map(|source| source.mapping.get("identity")?.as_str());
        let operator = OperatorKey::load(&config.operator_key).ok().map(|operator| operator.identity);
        let known: Vec<(&str, Hold)> = sources
            .chain(operator.as_deref())
            .filter_map(|identity| Some((identity, Hold::on("identity", identity).ok()?)))
            .collect();
        let placed = Hold::all(lists);
        let mut holds: Vec<Hold> = lists.interfaces.iter().filter_map(Hold::of).map(|(hold, _)| hold).collect();
        // In the order of their names, so that what was placed and lifted of one subject is side by side.
        holds.dedup();
        let row = |hold: &Hold| {
            let (kind, id) = hold.subject();
            let identity = known.iter().find(|(_, known)| known == hold).map(|(identity, _)| (*identity).to_owned());
            Self { kind: kind.to_owned(), id, identity, is_held: hold.is_in(&placed) }
        };
        holds.iter().map(row).collect()
    }

    fn to_value(&self) -> Value {
        let id = if self.kind == "identity" { "digest" } else { "operation" };
        let object = Object::new().with("held", self.is_held).with("kind", &self.kind).with(id, &self.id);
        Value::Object(object.with_some("identity", self.identity.as_ref()))
    }

    fn table(held: &[Self], output: Output) -> String {
        let row = |held: &Self| {
            let subject = held.identity.as_ref().unwrap_or(&held.id).clone();
            vec![held.kind.clone(), subject, if held.is_held { "yes" } else { "no" }.to_owned()]
        };
        let table = output.table_of(["KIND", "SUBJECT", "HELD"], held.iter().map(row));
        if held.iter().any(|held| held.kind == "identity" && held.identity.is_none()) {
            let why = "The registry has the digest of an identity alone: it is named where a client, an auditor or you are \
                       of that name.";
            return format!("{table}\n{}", output.paint(Paint::Dim, why));
        }
        table
    }
}
