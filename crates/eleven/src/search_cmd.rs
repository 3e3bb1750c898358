//! `eleven ledger search` and `eleven ledger reindex`.

use crate::call::{self, At};
use crate::cli::Search;
use crate::config::Config;
use crate::output::{Failure, Output, Paint};
use crate::progress::{Shown, far};
use eleven_api::routes;
use eleven_core::encoding::{Object, Value};
use eleven_core::time::Time;
use std::fmt::Write as _;
use std::path::Path;

/// Lineages by what they name, the last one first.
///
/// # Errors
/// Where the ledger does not answer, or does not show this to whoever asks.
pub(crate) fn search(args: &Search, file: &Path, output: Output) -> Result<(), Failure> {
    let at = At::of(args.ledger.as_deref(), args.secret_file.as_deref(), file)?;
    let known = |answer: &Value| {
        let counts = |name: &str| answer.get(name).and_then(Value::as_int).is_some();
        answer.get("results").and_then(Value::as_array).is_some() && counts("indexed") && counts("size")
    };
    let answer = call::get_of(&at, &path(args), "ledger", known)?;
    let text = || {
        let results = answer.get("results").and_then(Value::as_array).unwrap_or_default();
        let cell = |row: &Value, name: &str| row.get(name).and_then(Value::as_str).unwrap_or("-").to_owned();
        let names = ["at", "op", "last_event", "identity", "operation", "runtime", "reason"];
        let heading = ["BEGUN", "OPERATION ID", "CAME TO", "IDENTITY", "OPERATION", "RUNTIME", "REASON"];
        let row = |row: &Value| names.map(|name| cell(row, name)).to_vec();
        let table = output.table_of(heading, results.iter().map(row));
        let number = |name: &str| answer.get(name).and_then(Value::as_int);
        let more = number("next").map(|next| format!("; there may be more with --before {next}")).unwrap_or_default();
        let (indexed, size) = (number("indexed").unwrap_or(0), number("size").unwrap_or(0));
        let far = format!("{} found{more}; {indexed} of {size} entries are indexed", results.len());
        format!("{table}\n\n{}", output.paint(Paint::Dim, &far))
    };
    output.either(|| answer.clone(), text);
    Ok(())
}

fn path(args: &Search) -> String {
    let number = |number: Option<u64>| number.map(|number| number.to_string());
    let (before, count) = (number(args.before), number(args.count));
    let (from, until) = (args.from.map(Time::millis), args.until.map(Time::millis));
    let named = [
        ("op", &args.op),
        ("identity", &args.identity),
        ("operation", &args.operation),
        ("artifact", &args.artifact),
        ("runtime", &args.runtime),
        ("reason", &args.reason),
        ("event", &args.event),
        ("from", &from),
        ("until", &until),
        ("before", &before),
        ("count", &count),
    ];
    let mut path = routes::AUDIT_SEARCH.to_owned();
    for (name, value) in named {
        if let Some(value) = value {
            let sign = if path.contains('?') { '&' } else { '?' };
            // Writing to a string cannot fail.
            let _ = write!(path, "{sign}{name}={}", eleven_api::routes::percent_encoded(value));
        }
    }
    path
}

/// Makes the search index again from the log.
///
/// # Errors
/// Where the ledger runs, or its folder holds none.
pub(crate) fn reindex(config: &Config, output: Output) -> Result<(), Failure> {
    let mut shown = Shown::new(output);
    let made = eleven_ledger::reindex(&config.ledger.data, &mut |pass| shown.tell(|_| far(pass)));
    drop(shown);
    let made = made?;
    let value = || Value::Object(Object::new().with("entries", made.entries).with("rows", made.rows));
    output.either(value, || format!("search index made again: {} rows of {} entries", made.rows, made.entries));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_that_is_asked_for_is_asked_of_the_ledger_by_its_name() {
        let named = |what: &str| Some(format!("{what}&of=it"));
        let all = Search {
            op: named("op"),
            identity: named("identity"),
            operation: named("operation"),
            artifact: named("artifact"),
            runtime: named("runtime"),
            reason: named("reason"),
            event: named("event"),
            from: Some(Time(1000)),
            until: Some(Time(2000)),
            before: Some(7),
            count: Some(9),
            ledger: None,
            secret_file: None,
        };
        let (path, query) =
            path(&all).split_once('?').map(|(path, query)| (path.to_owned(), query.to_owned())).expect("?");
        assert_eq!(path, routes::AUDIT_SEARCH);
        let texts = ["op", "identity", "operation", "artifact", "runtime", "reason", "event"];
        let texts = texts.map(|name| format!("{name}={name}%26of%3Dit"));
        let times = ["from=1970-01-01T00%3A00%3A01.000Z", "until=1970-01-01T00%3A00%3A02.000Z"].map(str::to_owned);
        let numbers = ["before=7", "count=9"].map(str::to_owned);
        assert_eq!(query.split('&').collect::<Vec<_>>(), [&texts[..], &times, &numbers].concat());
        let (op, identity, operation, artifact, runtime, reason, event) = (None, None, None, None, None, None, None);
        let (from, until, before, count) = (None, None, None, Some(9));
        let few =
            Search { op, identity, operation, artifact, runtime, reason, event, from, until, before, count, ..all };
        assert_eq!(super::path(&few), format!("{}?count=9", routes::AUDIT_SEARCH));
        assert_eq!(super::path(&Search { count: None, ..few }), routes::AUDIT_SEARCH);
    }
}
