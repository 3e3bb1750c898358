//! Forwarding the journal to the ledger: in order, kept until acknowledged.

use crate::journal::Desks;
use crate::standing::Standing;
use eleven_api::audit::{Append, Appended, Cursor};
use eleven_api::client::{CallError, Client};
use eleven_api::edge::Clock;
use eleven_api::routes;
use eleven_core::encoding::parse;
use eleven_core::time::Time;
use eleven_enforce::journal::Forward;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::{Notify, watch};

/// Records of one POST.
const BATCH: usize = 256;
/// Bytes of one POST.
const BATCH_BYTES: usize = 1 << 20;
/// How long the ledger may take for one POST.
const DEADLINE: Duration = Duration::from_secs(10);
/// An idle point asks the ledger this often, so that its backlog is known.
const IDLE: Duration = Duration::from_millis(1000);
/// How long the last records may take when the point stops.
const FLUSH: Duration = Duration::from_secs(1);
/// How long to wait after the ledger did not answer.
const RETRY: Duration = Duration::from_millis(200);

/// How far the ledger has acknowledged this point's records.
pub(crate) struct Progress {
    /// The last moment at which the ledger had acknowledged everything.
    all_at: AtomicI64,
    acknowledged: AtomicU64,
    wake: Notify,
}

impl Progress {
    pub(crate) fn new(now: Time) -> Self {
        Self { all_at: AtomicI64::new(now.0), acknowledged: AtomicU64::new(0), wake: Notify::new() }
    }

    pub(crate) fn wake(&self) {
        self.wake.notify_one();
    }

    /// Milliseconds since the ledger had acknowledged everything (step 16).
    pub(crate) fn backlog_ms(&self, now: Time) -> i64 {
        now.0.saturating_sub(self.all_at.load(Ordering::Acquire)).max(0)
    }

    /// The number the ledger expects next from this point.
    pub(crate) fn acknowledged(&self) -> u64 {
        self.acknowledged.load(Ordering::Relaxed)
    }

    fn advance(&self, next: u64, all_at: Time) {
        self.acknowledged.fetch_max(next, Ordering::Relaxed);
        self.all_at.fetch_max(all_at.0, Ordering::Release);
    }
}

/// The forwarding task.
pub(crate) struct Forwarder {
    pub(crate) desks: Arc<Desks>,
    pub(crate) progress: Arc<Progress>,
    pub(crate) standing: Arc<Standing>,
    pub(crate) client: Client,
    pub(crate) ledger: String,
    pub(crate) kid: String,
    pub(crate) clock: Arc<dyn Clock>,
}

/// Where reading stands: the journal's position, and what must be kept for the sake of uses.
struct Place {
    position: u64,
    /// Consumptions before `position` whose artifacts may not have expired.
    uses: VecDeque<(u64, Time)>,
}

impl Forwarder {
    /// Runs until told to stop. What is not acknowledged by then is forwarded at the next start.
    pub(crate) async fn run(self, mut stop: watch::Receiver<bool>) {
        let reader = self.desks.reader();
        let mut place = Place { position: reader.first(), uses: VecDeque::new() };
        let mut down = false;
        loop {
            match self.forward(&mut place).await {
                Ok(more) => {
                    if down {
                        tracing::info!("the ledger acknowledges again");
                    }
                    down = false;
                    self.forget(&mut place);
                    if more {
                        continue;
                    }
                    tokio::select! {
                        () = self.progress.wake.notified() => {}
                        () = tokio::time::sleep(IDLE) => {}
                        () = eleven_api::serve::stopped(&mut stop) => return self.flush(place).await,
                    }
                }
                Err(error) => {
                    if !down {
                        tracing::warn!(%error, "the ledger does not acknowledge this point's records; they stay in the journal");
                    }
                    down = true;
                    if matches!(error, CallError::Refused(_)) {
                        // Another number was expected: read again from the oldest record, skipping what is known there.
                        place = Place { position: reader.first(), uses: VecDeque::new() };
                    }
                    tokio::select! {
                        () = tokio::time::sleep(RETRY) => {}
                        () = eleven_api::serve::stopped(&mut stop) => return,
                    }
                }
            }
        }
    }

    /// Sends what was committed last, so that a clean stop leaves no lineage open in the ledger: for a second at most.
    async fn flush(&self, mut place: Place) {
        let all = async { while matches!(self.forward(&mut place).await, Ok(true)) {} };
        if tokio::time::timeout(FLUSH, all).await.is_err() {
            tracing::info!("the ledger did not take the last records in time; they are forwarded at the next start");
        }
    }

    /// Sends the next records; `true` where more are waiting.
    async fn forward(&self, place: &mut Place) -> Result<bool, CallError> {
        let reader = self.desks.reader();
        let asked_at = self.clock.now();
        let durable = reader.durable();
        let known = self.progress.acknowledged();
        if known == 0 || place.position == durable {
            let cursor = self.cursor().await?;
            let all_at = if place.position == durable { asked_at } else { Time(0) };
            self.progress.advance(cursor.next, all_at);
            self.standing.acknowledge(asked_at, cursor.next, cursor.size);
            if place.position == durable {
                return Ok(false);
            }
        }
        let read = reader
            .read_from(place.position, BATCH, BATCH_BYTES)
            .map_err(|error| CallError::Malformed(format!("the journal cannot be read: {error}")))?;
        let known = self.progress.acknowledged();
        let mut unsent: Vec<&[u8]> = Vec::new();
        let (mut uses, mut newest, mut next_position) = (Vec::new(), Time(0), place.position);
        for (position, bytes) in &read {
            next_position = position + 1;
            let line = Forward::of(bytes).map_err(|error| CallError::Malformed(error.to_string()))?;
            let Some(line) = line else { continue };
            uses.extend(line.exp.map(|exp| (*position, exp)));
            newest = line.ts;
            if line.src_seq >= known {
                unsent.push(line.record);
            }
        }
        if unsent.is_empty() {
            place.position = next_position;
            place.uses.extend(uses);
            return Ok(next_position < reader.durable());
        }
        let body =
            self.client.post(&self.ledger, routes::AUDIT_EVENTS, &[], Append::of_canonical(&unsent), DEADLINE).await?;
        let answer = parse(&body).map_err(|error| CallError::Malformed(error.to_string()))?;
        let appended = Appended::read(answer).map_err(|error| CallError::Malformed(error.to_string()))?;
        // Everything that was durable when we began is acknowledged, or all up to the newest record that was sent.
        let all_at = if next_position >= durable { asked_at } else { newest };
        self.progress.advance(appended.next, all_at);
        self.standing.acknowledge(self.clock.now(), appended.next, appended.size);
        place.position = next_position;
        place.uses.extend(uses);
        Ok(next_position < reader.durable())
    }

    async fn cursor(&self) -> Result<Cursor, CallError> {
        cursor(&self.client, &self.ledger, &self.kid).await
    }

    /// Lets the journal forget what is acknowledged and whose artifacts have expired.
    fn forget(&self, place: &mut Place) {
        let now = self.clock.now();
        while place.uses.front().is_some_and(|(_, exp)| *exp <= now) {
            place.uses.pop_front();
        }
        let floor = place.uses.front().map_or(place.position, |(position, _)| *position);
        // The newest record is always kept: an empty journal beside a ledger that knows this key is a lost one.
        self.desks.drop_before(floor.min(place.position.saturating_sub(1)));
    }
}

/// What the ledger knows of a key's stream.
pub(crate) async fn cursor(client: &Client, ledger: &str, kid: &str) -> Result<Cursor, CallError> {
    let path = format!("{}{}", routes::AUDIT_CURSOR, kid.replace('%', "%25").replace('/', "%2F").replace(':', "%3A"));
    let value = client.get_json(ledger, &path, DEADLINE).await?;
    Cursor::read(value).map_err(|error| CallError::Malformed(error.to_string()))
}
