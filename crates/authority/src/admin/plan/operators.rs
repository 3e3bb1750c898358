//! Operators are added and removed, and somebody is left who may act. Nobody outside could put it right again if nobody were: a
//! founding act is possible only while the registry lists no operator, and one that is contained lifts nothing while another may.

use super::{Plan, Step, present, remove_source};
use crate::admin::ActError;
use crate::identity::{Operator, Sources, rows};
use crate::registry::Current;
use eleven_api::secret::operator_row;
use eleven_core::registry::{Item as _, SourceRecord};

/// Adds an operator under a name that no other has: whoever stands under it is removed first, and not replaced unseen.
pub(super) fn add(current: &Current, record: &SourceRecord) -> Result<Plan, ActError> {
    let lists = current.view.lists();
    if lists.sources.contains(&record.name) {
        return Err(ActError::Impossible("there is an operator of that name: remove it first, or take another name"));
    }
    rows::check(record, lists)?;
    Ok(Plan::one(Step::alone("source.registered", record.to_value().into_object())))
}

/// Removes an operator: its acts are refused from then on, those that wait for their turn too, and the tokens that it had issued end.
pub(super) fn remove(current: &Current, name: &str, by: Option<&Operator>) -> Result<Plan, ActError> {
    let row = operator_row(name);
    present(current.view.lists().sources.contains(&row), || format!("operator {name}"))?;
    remove_source(current, row, by)
}

/// Refuses that the row `gone` is removed, or replaced by `new`, where no operator is left who may act, or where it is the row of whom
/// that would be done by. Whoever took itself away would know of the mistake when nothing that it signs is taken any more.
pub(super) fn check_rows(
    current: &Current,
    gone: &str,
    new: Option<&SourceRecord>,
    by: Option<&Operator>,
) -> Result<(), ActError> {
    let lists = current.view.lists();
    let after = Sources::of_rows(lists.sources.iter().filter(|row| row.name != gone).chain(new));
    let is_left = after.operators().any(|operator| !operator.is_contained(lists));
    check(current, is_left, "no operator would be left who may act: add another one first, by `eleven operator add`")?;
    if by.is_some_and(|by| by.row == gone) {
        return Err(ActError::Impossible(
            "an operator does not remove itself, or replace its row: another one does, by its own key",
        ));
    }
    Ok(())
}

/// Refuses that an operator's row is replaced, also by another operator: whoever stands under a name is removed first, and the ledger
/// says so.
pub(super) fn check_name(current: &Current, name: &str) -> Result<(), ActError> {
    if current.sources.operators().any(|operator| operator.row == name) {
        return Err(ActError::Impossible(
            "an operator's row is not replaced: remove it first, by `eleven operator remove`",
        ));
    }
    Ok(())
}

/// Refuses that a subject is contained where no operator is left who may lift that.
pub(super) fn check_subject(current: &Current, kind: &str, subject: &str) -> Result<(), ActError> {
    let lists = current.view.lists();
    let mut operators = current.sources.operators();
    let is_left = operators.any(|operator| !operator.is_contained(lists) && !operator.is_covered(kind, subject));
    check(
        current,
        is_left,
        "no operator would be left who may lift that: add another one first, by `eleven operator add`",
    )
}

/// A domain that is being founded has none yet.
fn check(current: &Current, is_left: bool, why: &'static str) -> Result<(), ActError> {
    if is_left || !current.sources.has_operators() { Ok(()) } else { Err(ActError::Impossible(why)) }
}
