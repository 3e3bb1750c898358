//! That somebody is left who may act. Nobody outside could put that right again: a founding act is possible only while the registry
//! lists no operator, and one that is contained lifts nothing while another may.

use crate::admin::ActError;
use crate::identity::Sources;
use crate::registry::Current;
use eleven_core::registry::SourceRecord;

/// Refuses that the row `gone` is removed, or replaced by `new`, where no operator is left who may act.
pub(super) fn check_rows(current: &Current, gone: &str, new: Option<&SourceRecord>) -> Result<(), ActError> {
    let lists = current.view.lists();
    let after = Sources::of_rows(lists.sources.iter().filter(|row| row.name != gone).chain(new));
    let is_left = after.operators().any(|operator| !operator.is_contained(lists));
    check(
        current,
        is_left,
        "no operator would be left who may act: add another one first, by the act `source.register`",
    )
}

/// Refuses that a subject is contained where no operator is left who may lift that.
pub(super) fn check_subject(current: &Current, kind: &str, subject: &str) -> Result<(), ActError> {
    let lists = current.view.lists();
    let mut operators = current.sources.operators();
    let is_left = operators.any(|operator| !operator.is_contained(lists) && !operator.is_covered(kind, subject));
    check(
        current,
        is_left,
        "no operator would be left who may lift that: add another one first, by the act `source.register`",
    )
}

/// A domain that is being founded has none yet.
fn check(current: &Current, is_left: bool, why: &'static str) -> Result<(), ActError> {
    if is_left || !current.sources.has_operators() { Ok(()) } else { Err(ActError::Impossible(why)) }
}
