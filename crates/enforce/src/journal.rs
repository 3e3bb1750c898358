//! The journal of an enforcement point: a state machine whose records the driver commits (PROTOCOL 5.1).
//!
//! One instance, behind one writer, owns what must not be done twice: the numbers under the point's event key, the uses
//! of artifacts, the lineages that are open. Each step returns the records that the driver has to make durable before it
//! goes on. After a crash the same records, read back in order by [`Reading`], give the same state, and
//! [`Journal::recover`] closes truthfully what had started.
//!
//! That the ledger has a line is not enough for letting go of it: with a use that is forgotten an artifact is admitted again.
//! What stands before all of these may go: the first event that the ledger has not acknowledged; the first consumption whose
//! artifact has not expired by the newest event's time; the line from which on what is open is said
//! ([`Journal::open_from`]); the newest epoch; and the newest event itself, which always stays.

mod line;
mod reading;
mod recovery;

pub use line::{Forward, Line, LineError, encode_event};
pub use reading::Reading;

use crate::admission::{Admitted, uncounted_key};
use crate::denial::{Counted, Denial, about_admitted};
use crate::permit::{Ending, Execution, Opened};
use crate::uses::Uses;
use alloc::borrow::ToOwned;
use alloc::collections::BTreeMap;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use eleven_core::artifact::Artifact;
use eleven_core::attestation::{Evidence, Outcome, Statement, StatementResult};
use eleven_core::encoding::{Object, Value};
use eleven_core::event::{About, Draft, Place, Record, Tip};
use eleven_core::hash::Sha3;
use eleven_core::id;
use eleven_core::limits::{MAX_INTEGER, MAX_POLICY, MAX_PREDICATE_TYPE, MAX_RUNTIME, MAX_USE};
use eleven_core::lineage::{Lineage, Stage};
use eleven_core::name;
use eleven_core::reason::Reason;
use eleven_core::registry::View;
use eleven_core::root::KeyUse;
use eleven_core::signature::Signer;
use eleven_core::time::Time;

/// So many open lineages are said again at once. A record is at most 16 KiB, so they take 16 MiB of the 64 MiB of a commit, whose
/// requests come to 1 MiB and a little: they always fit, and what counts as said again is.
const AGAIN: usize = 1024;

/// An enforcement point as it knows itself: name, keys, and what was measured when it started.
#[derive(Clone)]
pub struct Point {
    /// `<runtime>#<point>`.
    pub name: String,
    /// Signs events.
    pub event: Arc<dyn Signer>,
    /// Signs attestations.
    pub attestation: Arc<dyn Signer>,
    /// Digest of the running binary.
    pub binary: Sha3,
    /// Digest of the effective configuration.
    pub config: Sha3,
    /// The predicate type of attestations.
    pub predicate_type: String,
}

impl Point {
    /// What it signs with, and as what.
    #[must_use]
    pub fn signs(&self) -> [(KeyUse, &dyn Signer); 2] {
        [(KeyUse::Event, &*self.event), (KeyUse::Attestation, &*self.attestation)]
    }

    /// What a person should know where a key of this point does not count by `view`.
    #[must_use]
    pub fn uncounted_key(&self, view: &View, now: Time) -> Option<String> {
        uncounted_key(view, &self.name, &self.signs(), now)
    }

    /// The measured environment: SHA3-512 of the canonical {binary, config, point}.
    #[must_use]
    pub fn fingerprint(&self) -> Sha3 {
        let measured = Object::new().with("binary", self.binary).with("config", self.config).with("point", &self.name);
        Sha3::of_value(&Value::Object(measured))
    }
}

/// The state behind a point's journal.
pub struct Journal {
    point: Point,
    fingerprint: Sha3,
    next_seq: u64,
    last: Option<Time>,
    seen_epoch: u64,
    /// The number that came next when the epoch was written last.
    epoch_at: u64,
    uses: Uses,
    open: BTreeMap<String, Begun>,
}

/// A lineage that has begun here and is not closed. Attestation, outcome and evidence are one commit, so a journal that
/// was read back whole knows none between them.
struct Begun {
    /// Its last event.
    last: Record,
    /// What the journal says of it stands after the events below this number.
    from: u64,
}

/// The records that close an execution: attestation, outcome and evidence, one commit.
#[derive(Debug)]
pub struct Closing {
    /// In their order.
    pub records: Vec<Record>,
}

impl Journal {
    /// A journal without records, of a point that never ran. It knows of no use: of one that did, read its own back by
    /// [`Reading`], or what was used once is admitted again.
    #[must_use]
    pub fn new(point: Point) -> Self {
        let fingerprint = point.fingerprint();
        Self {
            point,
            fingerprint,
            next_seq: 0,
            last: None,
            seen_epoch: 0,
            epoch_at: 0,
            uses: Uses::default(),
            open: BTreeMap::new(),
        }
    }

    /// The point.
    #[must_use]
    pub const fn point(&self) -> &Point {
        &self.point
    }

    /// The next number under the point's event key.
    #[must_use]
    pub const fn next_seq(&self) -> u64 {
        self.next_seq
    }

    /// The latest time that a record bears: no admission may come before it (step 3).
    #[must_use]
    pub const fn last_now(&self) -> Option<Time> {
        self.last
    }

    /// The highest registry epoch that was persisted (step 4).
    #[must_use]
    pub const fn seen_epoch(&self) -> u64 {
        self.seen_epoch
    }

    /// Lineages that are open.
    #[must_use]
    pub fn open_lineages(&self) -> usize {
        self.open.len()
    }

    /// Notes a higher registry epoch; the line must become durable before the view is used.
    #[must_use]
    pub fn note_epoch(&mut self, epoch: u64) -> Option<Line> {
        let higher = epoch > self.seen_epoch;
        self.seen_epoch = self.seen_epoch.max(epoch);
        higher.then(|| self.write_epoch())
    }

    /// The highest epoch and the last event of each open lineage once more, where so many events came since they were
    /// written: old lines are dropped, and these must not go with them. Of lineages at most 1024 at once, the oldest first;
    /// the rest keep their place, and [`Self::open_from`] with them, until the next call.
    #[must_use]
    pub fn again(&mut self, after: u64) -> Vec<Line> {
        let next = self.next_seq;
        let old = |from: u64| next.saturating_sub(from) >= after;
        let epoch = (self.seen_epoch > 0 && old(self.epoch_at)).then(|| self.write_epoch());
        let mut begun: Vec<&mut Begun> = self.open.values_mut().filter(|begun| old(begun.from)).collect();
        begun.sort_by_key(|begun| begun.from);
        let begun = begun.into_iter().take(AGAIN).map(|begun| {
            // It stands before the next event, and perhaps after none since the one before that.
            begun.from = next.saturating_sub(1);
            Line::Open(begun.last.clone())
        });
        epoch.into_iter().chain(begun).collect()
    }

    /// The lines from the event of this number on hold all that is said of open lineages, those that begin later among them.
    #[must_use]
    pub fn open_from(&self) -> u64 {
        self.open.values().map(|begun| begun.from).fold(self.next_seq, u64::min)
    }

    fn write_epoch(&mut self) -> Line {
        self.epoch_at = self.next_seq;
        Line::Epoch(self.seen_epoch)
    }

    /// Step 17: takes the use, and makes the records of consumption, admission and start.
    ///
    /// # Errors
    /// The reasons of step 17; `artifact.expired` or `runtime.clock` where the records would bear a time past the artifact's
    /// window; `limits.exceeded` where the execution could not be closed; `audit.unavailable` where they can't be made. A use that
    /// was taken stays taken.
    pub fn open(&mut self, admitted: Admitted, workload: Sha3, now: Time) -> Result<Opened, Denial> {
        let about = about_admitted(&admitted.token().artifact);
        let refused = |reason, detail: &str| Denial { reason, detail: detail.to_string(), about: about.clone() };
        let artifact = &admitted.token().artifact;
        // Uses are forgotten once a time past `exp` was seen: a clock that went on and came back must not bring one back.
        if self.next_ts(now) >= artifact.exp {
            let reason = if now >= artifact.exp { Reason::ArtifactExpired } else { Reason::RuntimeClock };
            return Err(refused(reason, "it has expired by the time that this point has seen; ask for a new one"));
        }
        if !self.leaves_room(artifact, admitted.token().issued.tip(), workload, now) {
            return Err(refused(Reason::LimitsExceeded, UNCLOSABLE));
        }
        let used = self.uses.take(artifact, self.next_ts(now)).map_err(|reason| refused(reason, used_up(reason)))?;
        let opened = self.start(admitted, used, workload, now);
        opened.map_err(|error| refused(Reason::AuditUnavailable, &error))
    }

    fn start(&mut self, admitted: Admitted, used: u64, workload: Sha3, now: Time) -> Result<Opened, String> {
        let issued = &admitted.token().issued;
        let artifact = &admitted.token().artifact;
        let op = artifact.usage.operation_id(artifact.content_id(), used);
        let (epoch, hash) = admitted.registry();
        let registry = Object::new().with("epoch", epoch).with("hash", hash);
        let consumed = Object::new().with("nonce", artifact.usage.nonce()).with("use", used).with("registry", registry);
        let granted = Object::new().with("workload", workload);
        let about = About::artifact(artifact);
        let steps = [
            ("authorization.consumed", consumed, about.clone()),
            ("admission.granted", granted, About { fingerprint: Some(self.fingerprint), ..about.clone() }),
            ("execution.started", Object::new(), about),
        ];
        let (lineage, from) = (Lineage::begin(issued).map_err(|error| error.to_string())?, self.next_seq);
        // The time of its records, also where the clock went back behind what the journal holds.
        let started = self.next_ts(now);
        let (records, lineage) = self.extend(&op, lineage, steps, started)?;
        self.open.extend(records.last().map(|last| (op.clone(), Begun { last: last.clone(), from })));
        Ok(Opened { execution: Execution::new(admitted, op, workload, started, lineage), records })
    }

    /// Attestation, outcome and evidence of an execution that ended: one commit, before the response ends.
    ///
    /// # Errors
    /// Where a record can't be made; the lineage stays open and is closed at the next start.
    pub fn close(&mut self, execution: Execution, ending: &Ending) -> Result<Closing, String> {
        // A clock that went back meanwhile lets nothing end before it began.
        let finished = ending.finished.max(execution.started);
        let Execution { artifact, op, workload, started, .. } = &execution;
        let envelope = self.attest(artifact, op, *workload, (*started, finished), ending);
        let attestation_id = id::attestation_id(&execution.artifact.id, &self.point.name, &execution.op);
        let outcome = Object::new().with("result", ending.result.to_value()).with_some("cause", ending.cause);
        let events = execution.lineage.tip.n + 3;
        let about = About::artifact(&execution.artifact);
        let attestation = Object::new().with("attestation", attestation_id).with("envelope", envelope);
        let before = self.next_seq;
        let step = [("attestation.signed", attestation, about.clone())];
        let (mut records, lineage) = self.extend(&execution.op, execution.lineage, step, finished)?;
        // The lineage knows the envelope's digest: it was taken of the bytes that were signed.
        let Stage::Attested(digest) = lineage.stage else {
            self.next_seq = before;
            return Err("an attestation attests nothing".to_owned());
        };
        let evidence = Object::new().with("evidence", digest).with("events", events);
        let steps = [(ending.outcome.event(), outcome, about.clone()), ("evidence.committed", evidence, about)];
        let (rest, _) = self.extend(&execution.op, lineage, steps, finished).inspect_err(|_| self.next_seq = before)?;
        records.extend(rest);
        self.open.remove(&execution.op);
        Ok(Closing { records })
    }

    fn attest(
        &self,
        artifact: &Artifact,
        op: &str,
        workload: Sha3,
        (started, finished): (Time, Time),
        ending: &Ending,
    ) -> Value {
        let Artifact { id, chash, op: operation, sub, env, pol, .. } = artifact;
        Statement {
            predicate_type: self.point.predicate_type.clone(),
            artifact_id: id.clone(),
            chash: *chash,
            op: op.to_owned(),
            operation: operation.value().clone(),
            identity: sub.clone(),
            runtime: env.runtime.clone(),
            environment: self.fingerprint,
            workload,
            policy: pol.clone(),
            started,
            finished,
            outcome: ending.outcome,
            result: ending.result,
            materials: None,
            evidence: alloc::vec![Evidence::Software { binary: self.point.binary, config: self.point.config }],
        }
        .sign(&*self.point.attestation)
        .to_value()
    }

    /// Whether an execution of this artifact can be closed, whatever comes of it: its attestation is the longest of its records, and
    /// fits where no name in it is longer than one may be. A name that was registered before it was held to that is tried out.
    fn leaves_room(&self, artifact: &Artifact, tip: Tip, workload: Sha3, now: Time) -> bool {
        let Artifact { id, env, pol, usage, .. } = artifact;
        let usual = pol.reference.len() <= MAX_POLICY
            && env.runtime.len() <= MAX_RUNTIME
            && self.point.predicate_type.len() <= MAX_PREDICATE_TYPE;
        if usual {
            return true;
        }
        let op = usage.operation_id(artifact.content_id(), MAX_USE);
        let result = StatementResult { digest: workload, bytes: MAX_INTEGER, status: u64::from(u16::MAX) };
        let longest = Ending { outcome: Outcome::Interrupted, cause: None, result, finished: now };
        let envelope = self.attest(artifact, &op, workload, (now, now), &longest);
        let attestation = id::attestation_id(id, &self.point.name, &op);
        let draft = Draft {
            event: "attestation.signed",
            place: Place::After { op, tip },
            ts: now,
            by: self.point.name.clone(),
            src_seq: MAX_INTEGER,
            data: Object::new().with("attestation", attestation).with("envelope", envelope),
            about: About::artifact(artifact),
        };
        draft.sign(&*self.point.event).is_ok()
    }

    /// The event of a denial.
    ///
    /// # Errors
    /// Where the record can't be made.
    pub fn deny(&mut self, denial: &Denial, now: Time) -> Result<Record, String> {
        let runtime = name::runtime_of_point(&self.point.name).to_owned();
        let about = About {
            reason: Some(denial.reason),
            fingerprint: Some(self.fingerprint),
            runtime: Some(denial.about.runtime.clone().unwrap_or(runtime)),
            ..denial.about.clone()
        };
        self.alone("execution.denied", Object::new(), about, now)
    }

    /// The one event of many counted denials. It names nobody (PROTOCOL 5.3).
    ///
    /// # Errors
    /// Where the record can't be made.
    pub fn deny_counted(&mut self, counted: Counted, now: Time) -> Result<Record, String> {
        let about = About {
            reason: Some(counted.reason),
            fingerprint: Some(self.fingerprint),
            runtime: Some(name::runtime_of_point(&self.point.name).to_owned()),
            ..About::default()
        };
        self.alone("execution.denied", counted.data, about, now)
    }

    /// An event of this point that stands alone: `audit.discontinuity`, `audit.resumed`, `runtime.step`.
    ///
    /// # Errors
    /// Where the record can't be made.
    pub fn alone(&mut self, event: &'static str, data: Object, about: About, now: Time) -> Result<Record, String> {
        let ts = self.stamp(now);
        self.sign(event, Place::Alone, data, about, ts)
    }

    /// Forgets uses of artifacts that have expired by the latest time that a record bears: no admission comes before that.
    pub fn forget_expired(&mut self) {
        if let Some(last) = self.last {
            self.uses.forget_expired(last);
        }
    }

    /// Adds the events of `steps` to a lineage, in the order that the protocol has.
    fn extend<const N: usize>(
        &mut self,
        op: &str,
        mut lineage: Lineage,
        steps: [(&'static str, Object, About); N],
        now: Time,
    ) -> Result<(Vec<Record>, Lineage), String> {
        let ts = self.stamp(now);
        let mut records = Vec::with_capacity(N);
        let before = self.next_seq;
        for (event, data, about) in steps {
            let place = Place::After { op: op.to_owned(), tip: lineage.tip.clone() };
            let made = self.sign(event, place, data, about, ts).and_then(|record| {
                let next = lineage.advance(&record).map_err(|error| error.to_string())?;
                Ok((record, next))
            });
            match made {
                Ok((record, next)) => {
                    records.push(record);
                    lineage = next;
                }
                Err(error) => {
                    // Nothing of this commit leaves: its numbers are free again.
                    self.next_seq = before;
                    return Err(error);
                }
            }
        }
        debug_assert!(lineage.stage != Stage::Issued, "a lineage was extended by nothing");
        Ok((records, lineage))
    }

    fn sign(
        &mut self,
        event: &'static str,
        place: Place,
        data: Object,
        about: About,
        ts: Time,
    ) -> Result<Record, String> {
        let draft = Draft { event, place, ts, by: self.point.name.clone(), src_seq: self.next_seq, data, about };
        let record = draft.sign(&*self.point.event).map_err(|error| error.to_string())?;
        self.next_seq += 1;
        Ok(record)
    }

    /// The time that records made now bear: never before one that was made.
    fn stamp(&mut self, now: Time) -> Time {
        let ts = self.next_ts(now);
        self.last = Some(ts);
        ts
    }

    fn next_ts(&self, now: Time) -> Time {
        self.last.map_or(now, |last| last.max(now))
    }
}

/// What a caller hears whose operation could not be closed once it ran.
const UNCLOSABLE: &str = "what closes its execution would be larger than a record may be, by a name that is longer than one is \
                          taken by now: have its policy published under a reference, or its point registered for a runtime, of \
                          at most 512 bytes";

const fn used_up(reason: Reason) -> &'static str {
    match reason {
        Reason::ArtifactReplayed => "the artifact is for a single use and was used; ask for a new one",
        Reason::ArtifactUseExhausted => "the artifact was used as often as it may be; ask for a new one",
        _ => "the artifact was used as often as it may be in its window; wait, or ask for a new one",
    }
}

#[cfg(test)]
mod tests;
