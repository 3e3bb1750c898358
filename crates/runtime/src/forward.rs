//! Forwarding the journal to the ledger: in order, kept until acknowledged.

mod backlog;
mod dated;
mod outbox;

pub use backlog::Backlog;
pub use outbox::{Acknowledged, Outbox, OutboxError, Step};

use crate::journal::Desks;
use crate::standing::Standing;
use bytes::Bytes;
use dated::Dated;
use eleven_api::answer::read_json;
use eleven_api::audit::{Appended, Cursor};
use eleven_api::client::{CallError, Client};
use eleven_api::edge::{Clock, Moment};
use eleven_api::problem::Problem;
use eleven_api::reader::ReadAs;
use eleven_api::routes;
use eleven_core::encoding::{Value, parse};
use eleven_core::reason::Reason;
use eleven_core::time::Time;
use std::collections::BTreeSet;
use std::fmt;
use std::mem::{Discriminant, discriminant};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::sync::{Notify, watch};

/// How long the ledger may take for one POST.
const DEADLINE: Duration = Duration::from_secs(10);
/// A point asks the ledger at least this often, so that its backlog is known where it is idle, and the ledger's time where it is
/// not; more often when it is idle under a short bound.
const IDLE: Duration = Duration::from_secs(1);
/// So long after a record was committed it is forwarded, and requests stand at least so far apart: what comes meanwhile goes
/// together, and costs the ledger one fdatasync.
const GATHER: Duration = Duration::from_millis(4);
/// How long the last records may take when the point stops.
const FLUSH: Duration = Duration::from_secs(1);
/// How long to wait after the ledger did not answer.
const RETRY: Duration = Duration::from_millis(200);

/// So many operations are named whose records the ledger refused at once.
const NAMED: usize = 16;

/// What is said where the ledger does not have all when the point stops.
const LATE: &str = "the ledger did not take the last records in time; they are forwarded at the next start";

/// What to do about a ledger that does not know this point by its signature.
const UNKNOWN: &str = "; compare this machine's clock with the ledger's, ten seconds apart at most; where they agree, this point's key \
                       is known as compromised: replace it by `eleven runtime key replace`";

/// How far the ledger has acknowledged this point's records.
pub(crate) struct Progress {
    backlog: Backlog,
    acknowledged: AtomicU64,
    dated: Dated,
    wake: Notify,
}

impl Progress {
    /// At start, where the ledger had acknowledged everything up to `all_at`.
    pub(crate) fn new(all_at: Moment) -> Self {
        let backlog = Backlog::new(all_at);
        Self { backlog, acknowledged: AtomicU64::new(0), dated: Dated::default(), wake: Notify::new() }
    }

    pub(crate) fn wake(&self) {
        self.wake.notify_one();
    }

    /// Milliseconds since the ledger had acknowledged everything (step 16).
    pub(crate) fn backlog_ms(&self, now: Moment) -> i64 {
        self.backlog.ms(now)
    }

    /// The number the ledger expects next from this point.
    pub(crate) fn acknowledged(&self) -> u64 {
        self.acknowledged.load(Ordering::Relaxed)
    }

    /// Between which times the ledger would date an entry that is made now (step 3).
    pub(crate) fn dated(&self, now: Moment) -> Option<(Time, Time)> {
        self.dated.between(now)
    }

    /// Whether the ledger answered last that it does not know this point by its signature (step 3).
    pub(crate) fn is_unknown(&self) -> bool {
        self.dated.is_unknown()
    }

    /// To a question of `asked` the ledger said when it would date an entry.
    pub(crate) fn told(&self, at: Option<Time>, asked: Moment) {
        self.dated.told(at, asked);
    }

    fn advance(&self, next: u64, acknowledged: Acknowledged, asked_at: Moment) {
        self.acknowledged.fetch_max(next, Ordering::Relaxed);
        self.backlog.advance(acknowledged, asked_at);
    }
}

/// How often an idle point asks the ledger. What was acknowledged is as old as the question: a fourth of the audit bound leaves
/// three for the answer, so that a point that is well never comes to its bound by waiting.
fn idle(audit_bound: Duration) -> Duration {
    IDLE.min(audit_bound / 4)
}

/// The forwarding task.
pub(crate) struct Forwarder {
    pub(crate) desks: Arc<Desks>,
    pub(crate) progress: Arc<Progress>,
    pub(crate) standing: Arc<Standing>,
    pub(crate) client: Client,
    pub(crate) ledger: String,
    /// How long the ledger may leave records unacknowledged.
    pub(crate) audit_bound: Duration,
    /// The point's event key, whose stream this is.
    pub(crate) reader: ReadAs,
    pub(crate) clock: Arc<dyn Clock>,
    /// That the ledger has another stream of the key than this journal, once that is known.
    pub(crate) foreign: Arc<OnceLock<OutboxError>>,
}

impl Forwarder {
    /// Runs until told to stop. What is not acknowledged by then is forwarded at the next start.
    ///
    /// Ends by itself, and the point with it, where the journal is not the one that the ledger knows: of what that held this one may
    /// lack uses, and nothing that is recorded here is ever acknowledged.
    pub(crate) async fn run(self, mut stop: watch::Receiver<bool>) {
        let mut outbox = Outbox::default();
        // What was said last of a ledger that does not acknowledge: it is said again where it is something else by now.
        let mut said = None;
        loop {
            let gathered = tokio::time::Instant::now() + GATHER;
            let forwarded = tokio::select! {
                forwarded = self.forward(&mut outbox) => forwarded,
                // A ledger that is there and does not answer makes no end longer.
                () = overdue(&mut stop) => return tracing::info!("{LATE}"),
            };
            match forwarded {
                Ok((more, acknowledged)) => {
                    // That it tells a number acknowledges nothing: what it refuses it is sent again.
                    if acknowledged != Acknowledged::Open && said.take().is_some() {
                        tracing::info!("the ledger acknowledges again");
                    }
                    self.desks.drop_before(outbox.unwanted_before(self.desks.open_from()));
                    let waits = async {
                        let wake = || self.progress.wake.notified();
                        if !more && tokio::time::timeout(idle(self.audit_bound), wake()).await.is_ok() {
                            // A call has begun. It is not kept waiting by its own first records, and its last ones go with
                            // them; their own wake-up is spent by that.
                            tokio::time::sleep(GATHER).await;
                            let _ = tokio::time::timeout(Duration::ZERO, wake()).await;
                        }
                        tokio::time::sleep_until(gathered).await;
                    };
                    tokio::select! {
                        () = waits => {}
                        () = eleven_api::serve::stopped(&mut stop) => return self.flush(outbox).await,
                    }
                }
                Err(_) if self.foreign.get().is_some() => return,
                Err(error) => {
                    let (kind, advice) = (kind(&error), advice(&error));
                    // What it refused for good is told, does not stay, and is sent no more.
                    if refused_for_good(&error).is_none() && said.replace(kind) != Some(kind) {
                        tracing::warn!(%error, "the ledger does not acknowledge this point's records; they stay in the journal{advice}");
                    }
                    tokio::select! {
                        () = tokio::time::sleep(RETRY) => {}
                        () = eleven_api::serve::stopped(&mut stop) => return self.flush(outbox).await,
                    }
                }
            }
        }
    }

    /// Sends what was committed last, so that a clean stop leaves no lineage open in the ledger: for a second at most.
    async fn flush(&self, mut outbox: Outbox) {
        let all = async {
            loop {
                match self.forward(&mut outbox).await {
                    Ok((true, _)) => {}
                    ended => return ended,
                }
            }
        };
        match tokio::time::timeout(FLUSH, all).await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => tracing::info!(%error, "{LATE}"),
            Err(_) => tracing::info!("{LATE}"),
        }
    }

    /// Takes the next step: whether more is waiting, and what the ledger has by then.
    async fn forward(&self, outbox: &mut Outbox) -> Result<(bool, Acknowledged), CallError> {
        let reader = self.desks.reader();
        let asked_at = Moment::now(&*self.clock);
        let step = outbox.next(reader.as_ref()).map_err(|error| {
            let failed = malformed(&error);
            if matches!(error, OutboxError::Foreign { .. }) {
                // It is known once.
                let _ = self.foreign.set(error);
            }
            failed
        })?;
        let (next, size, acknowledged) = match step {
            Step::Ask => {
                let cursor = self.cursor().await?;
                (cursor.next, cursor.size, outbox.told(&cursor))
            }
            Step::Send(body) => {
                // A point that is never idle asks beside that: what it does not hear then is asked for again.
                let is_due = self.progress.dated.is_due(asked_at, IDLE);
                let heard = if is_due { self.cursor().await.map(drop) } else { Ok(()) };
                let body = Bytes::from(body);
                let appended = self.send(body.clone()).await.inspect_err(|error| {
                    if matches!(error, CallError::Refused(problem) if problem.status < 500) {
                        outbox.refused();
                    }
                    if let Some(problem) = refused_for_good(error) {
                        tell_refused(problem, &body);
                    }
                })?;
                let acknowledged = outbox.taken(appended.next);
                // To whom it does not know by a signature of its own time it does not say how far its clock is off. What is sent
                // is kept, and acknowledges nothing: so it is where a point is idle.
                if let Err(error) = heard
                    && is_unknown(&error)
                {
                    return Err(error);
                }
                (appended.next, appended.size, acknowledged)
            }
        };
        self.progress.advance(next, acknowledged, asked_at);
        self.standing.acknowledge(Moment::now(&*self.clock), next, size);
        Ok((outbox.is_behind(reader.as_ref()), acknowledged))
    }

    async fn send(&self, body: Bytes) -> Result<Appended, CallError> {
        let signed = self.reader.for_append(body.len());
        let answer = self.client.post(&self.ledger, routes::AUDIT_EVENTS, &signed, body, DEADLINE).await?;
        Appended::read(read_json(&answer).map_err(malformed)?).map_err(malformed)
    }

    async fn cursor(&self) -> Result<Cursor, CallError> {
        let asked = Moment::now(&*self.clock);
        self.progress.dated.ask(asked);
        let cursor = cursor(&self.client, &self.ledger, &self.reader).await.inspect_err(|error| {
            if is_unknown(error) {
                self.progress.dated.unheard();
            }
        })?;
        self.progress.told(cursor.at, asked);
        Ok(cursor)
    }
}

/// The ledger's own answer that it refused records under their numbers. It says so once: to whoever sends them again it says that they
/// were refused before.
fn refused_for_good(error: &CallError) -> Option<&Problem> {
    match error {
        CallError::Refused(problem) if !problem.foreign && !problem.refused.is_empty() => Some(problem),
        _ => None,
    }
}

/// Says of which operations the ledger refused records of this point: what ran of them nothing proves, though its caller was answered.
fn tell_refused(problem: &Problem, body: &[u8]) {
    let sent = parse(body).ok();
    let records = sent.as_ref().and_then(|sent| sent.get("records")).and_then(Value::as_array).unwrap_or_default();
    let record = |at: &u64| usize::try_from(*at).ok().and_then(|at| records.get(at));
    let ops = problem.refused.iter().filter_map(|(at, _)| record(at)?.get("op")?.as_str());
    let ops: BTreeSet<&str> = ops.collect();
    let named = ops.iter().take(NAMED).copied().collect::<Vec<_>>().join(" ");
    let (more, why) = (ops.len().saturating_sub(NAMED), problem.refused.first().map(|(_, why)| why));
    tracing::error!(
        ops = named,
        more,
        why,
        "the ledger refused records of this point for good: what ran of these operations nothing proves"
    );
}

/// Waits until the point is told to stop, and for as long as its last records may take.
async fn overdue(stop: &mut watch::Receiver<bool>) {
    eleven_api::serve::stopped(stop).await;
    tokio::time::sleep(FLUSH).await;
}

/// What the ledger knows of the stream of the key that reads, and when it would date an entry.
///
/// # Errors
/// Where it does not answer, or not to this key.
pub async fn cursor(client: &Client, ledger: &str, reader: &ReadAs) -> Result<Cursor, CallError> {
    let path = format!("{}{}?at=1", routes::AUDIT_CURSOR, routes::percent_encoded(reader.signer.kid()));
    Cursor::read(client.get_json_as(reader, ledger, &path, DEADLINE).await?).map_err(malformed)
}

/// What was sent is not what it should be.
pub(crate) fn malformed(error: impl fmt::Display) -> CallError {
    CallError::Malformed(error.to_string())
}

/// Whether the ledger answered that it does not know who reads: it will not by itself at the next try. A proxy that says so knows of no
/// key, and may say so for as long as the ledger is gone.
pub(crate) fn is_unknown(error: &CallError) -> bool {
    matches!(error, CallError::Refused(problem) if problem.status == 401 && !problem.foreign)
}

/// What an error is beside the numbers and words that vary from one try to the next; of a refusal its status and reason.
pub(crate) fn kind(error: &CallError) -> (Discriminant<CallError>, Option<(u16, Option<Reason>)>) {
    let refusal = match error {
        CallError::Refused(problem) => Some((problem.status, problem.reason)),
        CallError::Unreachable(_)
        | CallError::Late(_)
        | CallError::Broken(_)
        | CallError::Untrusted(_)
        | CallError::Malformed(_) => None,
    };
    (discriminant(error), refusal)
}

/// What an operator can do about it, behind what is said of an error; nothing where the error says all.
pub(crate) fn advice(error: &CallError) -> &'static str {
    if is_unknown(error) { UNKNOWN } else { "" }
}

#[cfg(test)]
mod tests;
