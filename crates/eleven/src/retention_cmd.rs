//! How long content is kept, what is held beyond that, and moving what may go to an archive.

use crate::admin::{act, report};
use crate::call::{self, Registry};
use crate::cli::{HoldCommand, HoldOn, RetentionCommand};
use crate::config::Config;
use crate::output::{Failure, Output};
use eleven_api::edge::{Clock as _, SystemClock};
use eleven_api::routes;
use eleven_core::encoding::{Object, Value};
use eleven_core::registry::retention::{REGIMES, Retention};
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
            let days = days.unwrap_or(floor);
            // What the authority would refuse is refused here by name: it knows of no regime but of the days that it gave.
            Retention::new(days, &regime).map_err(|why| Failure::usage(format!("--regime {regime}: {why}")))?;
            let done = act(config, "retention.set", Object::new().with("days", days).with("regime", &regime))?;
            report(&done, &format!("content is kept for {days} days ({regime})"), output);
        }
        RetentionCommand::Show => {
            let records = interfaces(config, "retention")?;
            let days = |record: &Record| record.version.split_once('.').and_then(|(days, _)| days.parse::<u64>().ok());
            let longest = records.iter().filter_map(days).max();
            let value = || {
                let set = records.iter().map(Record::to_value).collect::<Vec<_>>();
                Value::Object(Object::new().with("days", longest.map(Value::from)).with("set", set))
            };
            let text = || match longest {
                None => "no retention is set: all content is kept".to_owned(),
                Some(days) => format!("content is kept for {days} days\n{}", table(&records, output)),
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
            let records = interfaces(config, "hold")?;
            let value = || Value::Array(records.iter().map(Record::to_value).collect());
            output.either(value, || table(&records, output));
            Ok(())
        }
    }
}

fn set(config: &Config, name: &str, on: &HoldOn, state: &str, output: Output) -> Result<(), Failure> {
    let (kind, subject) = match (&on.operation, &on.identity) {
        (Some(operation), None) => ("operation", operation),
        (None, Some(identity)) => ("identity", identity),
        _ => return Err(Failure::usage("name one of --operation and --identity")),
    };
    let done = act(config, name, Object::new().with("kind", kind).with("subject", subject))?;
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
        error => Failure::new(error),
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

/// What the registry lists of one service.
struct Record {
    version: String,
    hash: String,
}

impl Record {
    fn to_value(&self) -> Value {
        Value::Object(Object::new().with("hash", &self.hash).with("version", &self.version))
    }
}

fn interfaces(config: &Config, service: &str) -> Result<Vec<Record>, Failure> {
    let snapshot = call::get(&Registry::of(config), routes::REGISTRY_SNAPSHOT)?;
    let rows = snapshot.get("interfaces").and_then(Value::as_array).unwrap_or_default();
    let text = |row: &Value, name: &str| row.get(name).and_then(Value::as_str).map(str::to_owned);
    let of_service = rows.iter().filter(|row| row.get("service").and_then(Value::as_str) == Some(service));
    Ok(of_service.filter_map(|row| Some(Record { version: text(row, "version")?, hash: text(row, "hash")? })).collect())
}

fn table(records: &[Record], output: Output) -> String {
    let heading = ["VERSION", "HASH"].map(str::to_owned).to_vec();
    let rows = records.iter().map(|record| vec![record.version.clone(), record.hash.clone()]);
    output.table(&std::iter::once(heading).chain(rows).collect::<Vec<_>>())
}
