//! Heads of a ledger as others show them: in a file, or by a witness that cosigned one.

use crate::call;
use crate::output::Failure;
use eleven_api::client::{CallError, Client};
use eleven_api::routes;
use eleven_core::encoding::{Value, parse};
use eleven_core::head::Head;
use eleven_core::head::checkpoint::{Line, Note};
use eleven_ledger::Known;
use eleven_ledger::witness::{self, AddCheckpoint};
use http::StatusCode;
use std::path::Path;

/// A head in a file: by itself, in whatever shows one, such as a proof, or as a checkpoint.
///
/// # Errors
/// Where the file can't be read, or shows none.
pub(crate) fn in_file(file: &Path) -> Result<Known, Failure> {
    let wrong = |what: &dyn std::fmt::Display| Failure::usage_about(file, what);
    let bytes = std::fs::read(file).map_err(|error| wrong(&error))?;
    let Ok(value) = parse(&bytes) else {
        let note = std::str::from_utf8(&bytes).ok().and_then(|text| Note::parse(text).ok());
        return note.map(Known::Checkpoint).ok_or_else(|| wrong(&"this is neither I-JSON nor a checkpoint"));
    };
    let head = value.get("head").cloned().unwrap_or(value);
    Head::read(head).map(Known::Head).map_err(|error| wrong(&error))
}

/// A head in a file, or what the witness of a URL cosigned of the ledger of which `copy` is a copy.
///
/// # Errors
/// As [`in_file`] and [`by_witness`]; where the witness cosigned nothing of that ledger.
pub(crate) fn at(place: &str, copy: &Path) -> Result<Known, Failure> {
    if !place.starts_with("http://") && !place.starts_with("https://") {
        return in_file(Path::new(place));
    }
    let copy = eleven_ledger::checkpoint_of(copy).map_err(Failure::new)?;
    let cosigned = by_witness(place, &copy, &[])?;
    cosigned.ok_or_else(|| Failure::new(format!("{place} cosigned nothing of {}", copy.checkpoint.origin)))
}

/// Why it is not known what a witness cosigned of a ledger.
#[derive(Debug)]
pub(crate) enum Unknown {
    /// It gives no answer, or not as a witness does.
    Silent(String),
    /// It says that it cosigned a head which the copy does not hold, and does not show it.
    Unshown(String),
}

impl std::fmt::Display for Unknown {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Silent(why) | Self::Unshown(why) => f.write_str(why),
        }
    }
}

impl From<Unknown> for Failure {
    fn from(why: Unknown) -> Self {
        Self::new(why)
    }
}

/// What a witness cosigned last of the ledger whose checkpoint `copy` is; `None` where it has seen nothing of it, or nothing
/// beyond `copy`, or a head that it does not show and that is among those that are `named`.
///
/// # Errors
/// Where it gives no answer; where it cosigned another head and can't show it.
pub(crate) fn by_witness(url: &str, copy: &Note, named: &[Known]) -> Result<Option<Known>, Unknown> {
    let client = Client::new();
    let path = routes::WITNESS_LOGS;
    let unheard = |error: Failure| Unknown::Silent(error.to_string());
    let silent = |what: &str| Unknown::Silent(format!("the witness {url} {what}"));
    let said = call::wait(async { client.get_json(url.trim_end_matches('/'), path, call::PATIENCE).await });
    match said.map_err(unheard)? {
        Ok(said) => remembered(&said, &copy.checkpoint.origin)
            .map_err(|what| silent(&format!("answers {path} with what is no list of logs: {what}"))),
        // Only ours show what they remember. Any witness says by a 409 that it knows another size.
        Err(CallError::Refused(problem)) if problem.status == 404 => {
            let (size, root) = (copy.checkpoint.size, copy.checkpoint.root);
            let own = copy.lines.iter().filter(|line| line.name == copy.checkpoint.origin).cloned().collect();
            let note = Note { checkpoint: copy.checkpoint.clone(), lines: own };
            let request = AddCheckpoint { old: size, proof: Vec::new(), note };
            let answer = call::wait(async { witness::put(&client, url, &request).await }).map_err(unheard)?;
            let (status, body) = answer.map_err(|why| Unknown::Silent(format!("the witness {url}: {why}")))?;
            let text = std::str::from_utf8(&body).unwrap_or_default();
            // One that is named is held against the copy as any other that was published.
            let is_named = |size: u64| named.iter().map(Known::tree).any(|tree| tree.size == size && tree.root != root);
            let unshown = |size: u64, what: &str| {
                let why = format!(
                    "the witness {url} cosigned {what}: have its operator give you that checkpoint, and name it by --head"
                );
                if is_named(size) { Ok(None) } else { Err(Unknown::Unshown(why)) }
            };
            let another = || {
                let what = "entries than the copy's, which is of another history then";
                unshown(size, &format!("another head of {size} {what}"))
            };
            match (status, witness::size(text.trim_end_matches('\n'))) {
                (StatusCode::CONFLICT, Some(known)) if known > size => {
                    unshown(known, &format!("a head of {known} entries, and the copy ends at {size}"))
                }
                // It was asked to go on from this very size, so what differs is the tree. It says so by a 422; some say the size.
                (StatusCode::CONFLICT, Some(known)) if known == size => another(),
                (StatusCode::UNPROCESSABLE_ENTITY, _) => another(),
                (StatusCode::CONFLICT, Some(_)) => Ok(None),
                // A proxy of a witness that is gone may answer with a page of its own.
                (StatusCode::OK, _) if are_signatures(text) => Ok(None),
                (StatusCode::OK, _) => Err(silent(
                    "answers a checkpoint of the copy with what is no cosignature: it is no witness, or is not there",
                )),
                // A witness says so of a log that it does not know, and a proxy of a witness that is gone.
                (StatusCode::NOT_FOUND, _) => Err(silent(
                    "answers 404 to a checkpoint of the copy: it has been given no such ledger to watch, or is not there",
                )),
                _ => Err(silent(&format!("answers {status} to a checkpoint of the copy"))),
            }
        }
        Err(error) => Err(Unknown::Silent(format!("the witness {url}: {error}"))),
    }
}

/// Whether a witness answers so to a checkpoint that it cosigned: by lines of signatures, and nothing else. By which key is not known here.
fn are_signatures(text: &str) -> bool {
    !text.is_empty() && text.lines().all(|line| Line::parse(line).is_some())
}

/// The checkpoint of a log in what a witness says that it has seen.
fn remembered(said: &Value, origin: &str) -> Result<Option<Known>, &'static str> {
    let seen = said.get("seen").and_then(Value::as_array).ok_or("`seen` is missing")?;
    let Some(log) = seen.iter().find(|log| log.get("origin").and_then(Value::as_str) == Some(origin)) else {
        return Ok(None);
    };
    let note = log.get("checkpoint").and_then(Value::as_str).and_then(|note| Note::parse(note).ok());
    note.map(|note| Some(Known::Checkpoint(note))).ok_or("its checkpoint is none")
}

#[cfg(test)]
mod tests;
