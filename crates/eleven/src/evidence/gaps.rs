//! What proof files and the head leave unproven, in the words that an export tells it by. Whoever verifies makes the same of the same bytes, so
//! that a gap can be neither left out nor made up.

use super::history::History;
use super::lineage::{self, Lineage};
use eleven_core::head::Head;
use eleven_core::head::checkpoint::Note;
use eleven_verify::range::head_counts;
use eleven_verify::{Report, Status};
use std::borrow::Borrow;
use std::collections::BTreeSet;

/// Under which operations a proof file shows this one. An artifact whose uses are numbered has none of its own; that of its first
/// use shows its issuance.
pub(crate) fn shown_by(op: &str) -> [String; 2] {
    [op.to_owned(), format!("{op}.1")]
}

/// Whether none of the proof files of these operations shows this one.
pub(crate) fn is_missing(op: &str, known: &BTreeSet<impl Borrow<str> + Ord>) -> bool {
    !shown_by(op).iter().any(|shown| known.contains(shown.as_str()))
}

/// That there is no proof file of an operation that was asked for.
pub(crate) fn missing(op: &str) -> String {
    format!("there is no proof file of operation {op}")
}

/// That the head does not count under the domain's last root, as where its witnesses have not cosigned it.
pub(crate) fn of_head(head: &Head, checkpoint: &str, history: &History) -> Option<String> {
    let note = Note::parse(checkpoint).map_err(|error| error.to_string());
    let counts = note.and_then(|note| head_counts(history.root(), head, &note));
    counts.err().map(|why| format!("the head of {} entries does not count: {why}", head.commitment.size))
}

/// All that a proof file leaves unproven under a registry of this history, up to a head of `size` entries.
pub(crate) fn of_proof(
    lineage: &Lineage,
    report: &Report,
    history: &History,
    size: u64,
) -> impl Iterator<Item = String> {
    let failed: Vec<&str> = lineage::against(report).map(|check| check.name).collect();
    failing(&lineage.op, &failed).into_iter().chain(lineage.misbound(history, size)).chain(unreplayed(lineage, report))
}

/// That these checks of a proof file fail, in their order.
pub(crate) fn failing(op: &str, failed: &[&str]) -> Option<String> {
    (!failed.is_empty()).then(|| format!("the proof file of operation {op} fails {}", failed.join(", ")))
}

/// That the decision can't be made again: the file does not show what it was made of.
pub(crate) fn unreplayed(lineage: &Lineage, report: &Report) -> Option<String> {
    let open = lineage.kind != "denial" && report.status("policy.replay") == Some(Status::NotChecked);
    let op = &lineage.op;
    open.then(|| format!("the proof file of operation {op} shows no decision input: policy.replay was not checked"))
}
