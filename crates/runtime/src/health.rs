//! What a point says of itself: whether it is ready, what runs in it, and what it counted.

use crate::gateway::Gate;
use axum::response::{IntoResponse as _, Response};
use eleven_api::edge::Moment;
use eleven_api::serve::{MetricsText, json};
use eleven_core::encoding::{Object, Value};
use eleven_core::reason::Reason;
use eleven_core::registry::{RuntimeRecord, View};
use eleven_core::time::Time;
use eleven_enforce::admission::{denies_all, went_back};
use eleven_enforce::journal::Point;
use std::sync::Arc;

/// Ready is a point that can admit: its view of the registry is fresh and approves what runs here, its journal is written, and
/// nothing denies whatever comes.
pub(crate) async fn health(gate: Arc<Gate>) -> Response {
    let (remembered, held, point) = (gate.remembered(), gate.registry.held(), &gate.point);
    let (_, seen) = remembered;
    let behind = held.as_ref().and_then(|held| went_back(held.view.epoch(), seen)).map(|_| seen);
    let now = Moment::now(&*gate.clock);
    let fresh = held.as_ref().is_some_and(|held| held.is_fresh(now));
    let unapproved = held.as_ref().map(|held| unapproved(&held.view, point, now.at));
    let approved = unapproved.as_ref().map(Option::is_none);
    let denies = denies_all(&gate.holding(held.as_deref(), remembered, now), now.at);
    let ready = fresh && approved == Some(true) && denies.is_none() && !gate.desks.is_stopped();
    let body = Object::new()
        .with("corner", "runtime")
        .with("domain", &gate.registry.roots().last().domain)
        .with("ready", ready)
        .with("point", &point.name)
        .with("binary", point.binary)
        .with("config", point.config)
        .with("kid", point.event.kid())
        .with("approved", approved.map_or(Value::Null, Value::from))
        .with_some("unapproved", unapproved.flatten())
        .with("epoch", held.as_ref().map_or(Value::Null, |held| Value::from(held.view.epoch())))
        .with_some("seen_epoch", behind)
        .with("fresh", fresh)
        .with_some("reason", denies.as_ref().map(|(reason, _)| reason.code()))
        .with_some("denies", denies.map(|(reason, why)| format!("{reason}: {why}")))
        .with("backlog_ms", gate.progress.backlog_ms(now))
        .with_some("unproven_ms", gate.standing.unproven_ms(now).map(|(waits, _)| waits))
        .with("running", u64::try_from(gate.running.len()).unwrap_or(u64::MAX));
    let mut response = json(&Value::Object(body));
    if !ready {
        *response.status_mut() = http::StatusCode::SERVICE_UNAVAILABLE;
    }
    response
}

/// Why the registry does not approve what runs here, and what to do; `None` where it does. Its keys come first: who replaces them
/// registers binary and configuration with them, and who registers those alone lets nothing pass.
pub(crate) fn unapproved(view: &View, point: &Point, now: Time) -> Option<String> {
    point.uncounted_key(view, now).or_else(|| unregistered(view.runtime(&point.name), point))
}

/// What to know where every call is refused for the clock, and what to do; without the numbers, which vary.
pub(crate) fn wrong_clock(gate: &Gate) -> Option<String> {
    let (remembered, held) = (gate.remembered(), gate.registry.held());
    let now = Moment::now(&*gate.clock);
    let (reason, _) = denies_all(&gate.holding(held.as_deref(), remembered, now), now.at)?;
    let what = "its clock went back, or is not that of authority and ledger: set all by one source; `/health` says how far it is \
                off";
    (reason == Reason::RuntimeClock).then(|| what.to_owned())
}

/// What runs here, its keys aside, that the registry does not have in the row under the point's name; `None` where it has all.
fn unregistered(row: Option<&RuntimeRecord>, point: &Point) -> Option<String> {
    let Point { name, binary, config, .. } = point;
    let Some(row) = row else { return Some(format!("{name} is not registered: `eleven runtime register`")) };
    let next = "was approved than runs here: where it is the one that is meant, put it here and `eleven runtime restart`, else \
                `eleven runtime register`";
    if row.binary != *binary {
        return Some(format!("another binary {next}"));
    }
    if row.config != *config {
        return Some(format!("another configuration {next}"));
    }
    None
}

/// What it counted, as Prometheus text.
pub(crate) async fn metrics(gate: Arc<Gate>) -> Response {
    let sync = gate.desks.metrics().sync.summary();
    let running = u64::try_from(gate.running.len()).unwrap_or(u64::MAX);
    let mut text = MetricsText::default();
    text.counter("eleven_journal_records_total", "Records that the point made.", gate.desks.records());
    let next = "The number that the ledger expects next from the point.";
    text.gauge("eleven_journal_acknowledged", next, gate.progress.acknowledged());
    text.counter("eleven_journal_syncs_total", "Each fdatasync of the journal.", sync.count);
    text.gauge("eleven_running", "Executions that run.", running);
    let now = Moment::now(&*gate.clock);
    let since = "Milliseconds since the ledger had acknowledged everything.";
    text.gauge("eleven_backlog_ms", since, gate.progress.backlog_ms(now));
    let waits = gate.standing.unproven_ms(now).map_or(0, |(waits, _)| waits);
    let since = "Milliseconds for which what is acknowledged waits for the durability required; 0 where none is.";
    text.gauge("eleven_unproven_ms", since, waits);
    let quantiles = [sync.p50, sync.p90, sync.p99, sync.max];
    let each = "Microseconds of each fdatasync of the journal.";
    text.summary("eleven_journal_fdatasync_us", each, quantiles, sync.count);
    text.into_response()
}

#[cfg(test)]
mod tests;
