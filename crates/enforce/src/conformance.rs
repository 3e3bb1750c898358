//! Running a case of `admission.json` (PROTOCOL 4.1) through the same [`admit`] and [`Uses`] that production runs.

use crate::admission::{Admitted, Asked, Held, admit};
use crate::uses::Uses;
use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use eleven_core::artifact::{Environment, Operation, RequestBinding};
use eleven_core::encoding::Value;
use eleven_core::form::{Form, FormError};
use eleven_core::hash::{Sha3, Sha256};
use eleven_core::reason::Reason;
use eleven_core::registry::{KeyTables, Snapshot, Stamp, View};
use eleven_core::root::TrustRoot;
use eleven_core::time::Time;

/// Decides the situation that `known` describes: the members of the vectors' `base`.
///
/// The outer error says that the case itself can't be read.
///
/// # Errors
/// Where a member of the case is missing or of another form.
pub fn admission(known: Value) -> Result<Result<(), Reason>, FormError> {
    let mut case = Form::of(known.clone(), "admission case")?;
    let mut earlier = case.object("uses")?;
    let (writable, now) = (case.boolean("journal_writable")?, case.millis("now")?);
    Ok(admitted(known)?.and_then(|admitted| {
        let artifact = &admitted.token().artifact;
        let mut uses = Uses::default();
        let times = earlier.remove(&artifact.id);
        let times = times.as_ref().and_then(Value::as_array).unwrap_or_default().iter();
        let mut times: Vec<Time> = times.map(|at| at.as_str().and_then(Time::parse_millis).unwrap_or(now)).collect();
        // In whatever order a case has them: a journal has them rising.
        times.sort_unstable();
        for at in times {
            uses.restore(artifact.id.clone(), artifact.exp, at);
        }
        uses.take(artifact, now)?;
        // 18: without a durable receipt there is no permit.
        if writable { Ok(()) } else { Err(Reason::AuditUnavailable) }
    }))
}

/// Steps 1 to 16 of a case.
pub(crate) fn admitted(known: Value) -> Result<Result<Admitted, Reason>, FormError> {
    admitted_where(known, |_| {})
}

/// The same at a point that holds something else, of what no vector speaks.
pub(crate) fn admitted_where(
    known: Value,
    change: impl FnOnce(&mut Held<'_>),
) -> Result<Result<Admitted, Reason>, FormError> {
    let mut case = Form::of(known, "admission case")?;
    let token = case.opt("token").and_then(|token| token.as_str().map(ToOwned::to_owned));
    let (now, last_now) = (case.millis("now")?, case.millis("last_now")?);
    let stamp = case.take("stamp")?;
    let stamped = stamp.get("issued").and_then(Value::as_str).and_then(Time::parse_millis);
    let view = open_view(case.take("root")?, case.take("registry")?, stamp);
    let (point, caller) = (case.string("point")?, case.string("caller")?);
    let (binary, config) = (case.sha3("binary")?, case.sha3("config")?);
    let operation = Operation::read(case.take("operation")?)?;
    let request = read_request(case.take("request")?)?;
    let environment = Environment::read(case.take("environment")?)?;
    let holder = case.opt("holder").as_ref().and_then(Value::as_str).and_then(Sha256::parse);
    let number = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
    let mut held = Held {
        view: view.as_ref(),
        stamped,
        held_ms: 0,
        point: &point,
        binary: &binary,
        config: &config,
        signs: &[],
        last_now: Some(last_now),
        dated: None,
        unknown: false,
        seen_epoch: case.uint("seen_epoch")?,
        uses_since: None,
        bundles: None,
        backlog_ms: number(case.uint("backlog_ms")?),
        backlog_bound_ms: number(case.uint("backlog_bound_ms")?),
        unproven_ms: None,
    };
    change(&mut held);
    let asked = Asked {
        now,
        caller: &caller,
        holder,
        operation: &operation,
        request: Some(&request),
        environment: &environment,
    };
    case.object("uses")?;
    case.boolean("journal_writable")?;
    case.finish()?;
    Ok(admit(&held, &asked, token.as_deref()).map_err(|denial| denial.reason))
}

fn open_view(root: Value, registry: Value, stamp: Value) -> Option<View> {
    let root = TrustRoot::read(root).ok()?;
    let (snapshot, stamp) = (Snapshot::read(registry).ok()?, Stamp::read(stamp).ok()?);
    View::open(&root, snapshot, stamp, &mut KeyTables::new()).ok()
}

fn read_request(value: Value) -> Result<RequestBinding, FormError> {
    let mut form = Form::of(value, "request")?;
    let body: Sha3 = form.sha3("body")?;
    let (method, path) = (form.string("method")?, form.string("path")?);
    form.finish()?;
    Ok(RequestBinding { body, method, path })
}

/// The name of an outcome as the vectors write it: `permit`, or the reason's code.
#[must_use]
pub fn outcome(result: Result<(), Reason>) -> String {
    result.map_or_else(|reason| format!("{reason}"), |()| "permit".to_owned())
}
