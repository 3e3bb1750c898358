//! The one commit point (DESIGN, invariant 4): one thread at a time on which records become entries.
//!
//! Reading and verifying happened elsewhere; here each record is judged, and handed to the group commit. Put into its entry and
//! chained it is in the second half of its commit ([`linked`]), while the next may be judged. What readers see, the tree and the
//! durable size, moves only after the sync.

mod content;
mod linked;
pub(crate) mod own;
#[cfg(test)]
mod tests;

pub(crate) use content::{hashes_named, issuer_key};
pub(crate) use linked::Pending;

use crate::receive::{Reading, Received};
use crate::rules::{Judgement, Last, Refusal, Verified};
use crate::seal::{Pace, SealedEntry, StagedSeal};
use crate::state::{Counts, Shared, read, write};
use crate::stored::Stored;
use eleven_api::edge::Clock;
use eleven_api::keyring::InUse;
use eleven_core::artifact::Artifact;
use eleven_core::event::Record;
use eleven_core::hash::{Sha3, Sha256};
use eleven_core::head::RegistryRef;
use eleven_core::limits::{MAX_SEEN_EARLY_MS, MAX_SEEN_LATE_MS};
use eleven_core::recovery::Recovery;
use eleven_core::registry::Header;
use eleven_core::registry::history::Moment;
use eleven_core::time::Time;
use eleven_store::{Batch, BatchFull, Durable, Stage};
use std::collections::BTreeSet;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError, mpsc};

/// Bytes of a commit that are left for the seal that may close it.
const RESERVED: usize = 16 * 1024;
/// From so many waiting requests on, a commit is staged while the one before is put together and synced.
pub(crate) const CROWD: usize = 4;
/// Of so many registries it is told that uses named them and the entries don't come to them: a point may name what it likes.
const UNFOLDED: usize = 64;

/// What the writer is asked for.
pub(crate) enum Request {
    /// Records and content of a POST.
    Append(Received),
    /// A registry header that the authority signed, verified, to be kept for bundles.
    Header { header: Header, bytes: Vec<u8> },
    /// That the authority signed another registry than was folded here, with what it signed; or that both agree again.
    Registry { agrees: bool, epoch: u64, header: Vec<u8> },
    /// The root's word for a restored ledger.
    Recovered(Box<Recovery>),
    /// That what came since the last seal is sealed now, whatever the pace: the ledger ends.
    Seal,
    /// A commit of nothing: its answer says where the ledger durably stands.
    Cursor(String),
}

/// What became of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It is in the ledger, now or since before.
    Taken,
    /// Another record stands under its number; `new` where no other of that kind is kept under it.
    Equivocation { new: bool },
    /// Records before it are missing.
    Gap { expected: u64 },
    /// It was refused; `numbered` where an entry says so under its number.
    Refused { why: Refusal, numbered: bool },
}

impl Outcome {
    /// The greatest next number that whoever sent a record under `number` may be told. A record that the ledger did not have comes
    /// from whoever has the key, and may be told where the stream stands. One that it has, taken or refused, may have been read here
    /// and sent by anybody: that tells no more than the number after its own.
    const fn tells(&self, number: u64) -> u64 {
        match self {
            Self::Equivocation { new: true } => u64::MAX,
            // One that was taken now ends its stream, and where one is not the next yet the stream ends before it.
            _ => number.saturating_add(1),
        }
    }
}

/// The writer's answer; it leaves after the commit.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    /// One for each record, in order.
    pub(crate) outcomes: Vec<Outcome>,
    /// The next number of the last record's key, as far as [`Outcome::tells`] it, or of the key asked for.
    pub(crate) next: Option<u64>,
    /// The last record under the key asked for.
    pub(crate) last: Option<Last>,
    /// How many entries there are.
    pub(crate) size: u64,
    /// When an entry would be dated that is made now, where a cursor was asked for.
    pub(crate) at: Option<Time>,
    /// Where the whole request is more than one commit takes.
    pub(crate) too_large: bool,
}

/// The writer's state.
pub(crate) struct Audit {
    pub(crate) shared: Arc<Shared>,
    pub(crate) clock: Arc<dyn Clock>,
    /// The ledger's event key.
    pub(crate) signer: Arc<InUse>,
    /// `ledger://<domain>`.
    pub(crate) name: String,
    /// Both chains after the last entry that was put together.
    chain: linked::Chain,
    /// Staged entries, of which the batch has the records yet.
    links: Vec<linked::Link>,
    /// What the index takes at the next seal.
    pub(crate) changes: Vec<(Sha256, Sha256)>,
    /// How many entries came since the last seal.
    pub(crate) unsealed: u64,
    /// When to seal.
    pub(crate) pace: Pace,
    /// A seal that is staged, and goes to whoever signs heads once it is durable.
    pub(crate) seal: Option<StagedSeal>,
    pub(crate) heads: mpsc::Sender<SealedEntry>,
    unfolded: Unfolded,
}

/// Registries that uses named and the entries don't come to, as far as they were told of.
#[derive(Default)]
struct Unfolded(BTreeSet<(u64, Sha3)>);

impl Unfolded {
    /// Whether this one is told of now: each is once.
    fn is_news(&mut self, RegistryRef { epoch, hash }: RegistryRef) -> bool {
        self.0.len() < UNFOLDED && self.0.insert((epoch, hash))
    }
}

impl Audit {
    pub(crate) fn new(
        shared: Arc<Shared>,
        clock: Arc<dyn Clock>,
        signer: Arc<InUse>,
        resumed: crate::recover::Resumed,
        pace: Pace,
        heads: mpsc::Sender<SealedEntry>,
    ) -> Self {
        let crate::recover::Resumed { name, chain, changes, unsealed, .. } = resumed;
        let (chain, links) = (linked::Chain::new(chain.into()), Vec::new());
        let (seal, unfolded) = (None, Unfolded::default());
        Self { shared, clock, signer, name, chain, links, changes, unsealed, pace, seal, heads, unfolded }
    }

    fn append(&mut self, received: Received, batch: &mut Batch) -> Answer {
        if received.most_bytes() + RESERVED > batch.room() {
            return Answer { too_large: true, size: read(&self.shared.book).size(), ..Answer::default() };
        }
        let Received { records, artifacts, blobs, .. } = received.settled(&self.shared.keys);
        let mut content = content::Content::new(artifacts, blobs, &records);
        let untimely = self.shared.counts.untimely.load(Ordering::Relaxed);
        let (mut last, mut outcomes) = (None, Vec::with_capacity(records.len()));
        for reading in records {
            let outcome = match self.verified(reading) {
                Ok(verified) => {
                    let outcome = self.take(&verified, &mut content, batch);
                    let tells = outcome.tells(verified.src_seq());
                    last = Some((verified, tells));
                    outcome
                }
                Err(why) => Outcome::Refused { why, numbered: false },
            };
            if outcome != Outcome::Taken {
                content.release();
            }
            self.count(&outcome);
            outcomes.push(outcome);
        }
        let untimely = self.shared.counts.untimely.load(Ordering::Relaxed).saturating_sub(untimely);
        if untimely > 0 {
            tracing::warn!(
                untimely,
                "uses came too long before or after their own time: no proof of them will ever hold"
            );
        }
        let answer = self.answer(last.as_ref().map(|(verified, _)| verified.kid()), outcomes);
        let next = answer.next.zip(last).map(|(next, (_, tells))| next.min(tells));
        Answer { next, last: None, ..answer }
    }

    fn answer(&self, kid: Option<&str>, outcomes: Vec<Outcome>) -> Answer {
        let book = read(&self.shared.book);
        let cursor = kid.and_then(|kid| book.cursor(kid));
        let (next, last) = (cursor.map(|(next, _)| next), cursor.and_then(|(_, last)| last));
        Answer { outcomes, next, last, size: book.size(), at: None, too_large: false }
    }

    /// The time of the next entries: the clock's, and never before that of the last entry or of the last head, which does not cover
    /// them. A head counts from when it is dated, before it is shown.
    pub(crate) fn entry_time(&self) -> Time {
        let head = self.shared.published().map(|published| published.head.at);
        let dated = Time(self.shared.dated.load(Ordering::Acquire));
        let before = read(&self.shared.book).at().max(head).map_or(dated, |before| before.max(dated));
        before.max(self.clock.now())
    }

    /// The record as it was verified. Where its key was not registered when it was read, it may be by now, and is asked for again.
    fn verified(&self, reading: Reading) -> Result<Verified, Refusal> {
        match reading.again(&self.shared.keys) {
            Reading::Verified(verified) => Ok(verified),
            Reading::Refused(why) => Err(why),
            Reading::Unknown(_) => Err(Refusal::UnknownKey),
        }
    }

    fn take(&mut self, verified: &Verified, content: &mut content::Content, batch: &mut Batch) -> Outcome {
        let artifact = content.artifact_of(verified);
        let shared = Arc::clone(&self.shared);
        let _judging = shared.judging.lock().unwrap_or_else(PoisonError::into_inner);
        // Each anew: an entry of our own, a refusal, may have come between.
        let at = self.entry_time();
        let judgement = read(&self.shared.book).judge_new(verified, at, artifact.map(|sent| &sent.artifact));
        match judgement {
            Judgement::Accept(accepted) => match content.needed(verified, at, &self.shared) {
                Ok(needed) => {
                    let broken = read(&self.shared.book).broken_stream(verified);
                    let artifact = self.store_content(needed, batch);
                    self.push(accepted, verified, at, artifact.as_ref(), batch);
                    if let Some(broken) = broken {
                        self.record_break(&broken, batch);
                    }
                    Outcome::Taken
                }
                Err(why) => self.refuse(verified, why, batch),
            },
            Judgement::Repeat => {
                Counts::add(&self.shared.counts.repeated);
                Outcome::Taken
            }
            Judgement::Equivocation => {
                let new = read(&self.shared.book).wants_evidence(verified.kid(), verified.src_seq());
                if new {
                    // Where it is the authority's nobody is contained for it: somebody has to read this.
                    tracing::error!(
                        kid = verified.kid(),
                        src_seq = verified.src_seq(),
                        "another record under a number that is taken: two processes sign by this key, or somebody else has it"
                    );
                    self.record_refusal(verified, "record.equivocation", "drift.equivocation", batch);
                }
                Outcome::Equivocation { new }
            }
            Judgement::Gap { expected } => Outcome::Gap { expected },
            Judgement::Refused { why, takes_number: true } => self.refuse(verified, why, batch),
            Judgement::Refused { why, takes_number: false } => Outcome::Refused { why, numbered: false },
        }
    }

    fn refuse(&mut self, verified: &Verified, why: Refusal, batch: &mut Batch) -> Outcome {
        tracing::warn!(kid = verified.kid(), src_seq = verified.src_seq(), reason = why.code(), %why, "refused a record");
        let numbered = self.record_refusal(verified, why.code(), "drift.audit", batch);
        Outcome::Refused { why, numbered }
    }

    /// Stages the content of an entry; the artifact, which is given back, last, so that it stands right before its entry.
    fn store_content(&mut self, needed: content::Needed, batch: &mut Batch) -> Option<Artifact> {
        let (artifact, encoded) = needed.artifact.map(|sent| (sent.artifact, (sent.hash, sent.bytes))).unzip();
        for (hash, bytes) in needed.blobs.into_iter().chain(encoded) {
            let position = stage(batch, Stored::Blob(bytes));
            write(&self.shared.places).add_blob(&hash, position);
        }
        artifact
    }

    /// Makes an accepted record the next entry.
    pub(super) fn push(
        &mut self,
        accepted: crate::rules::Accepted,
        verified: &Verified,
        at: Time,
        artifact: Option<&Artifact>,
        batch: &mut Batch,
    ) {
        let Ok(record) = verified.record() else { return };
        // Nobody else makes entries, so that this is its number when it is applied, too.
        let seq = read(&self.shared.book).size();
        self.links.push(linked::Link { index: batch.len(), seq, at });
        let position = staged(batch.push_unfinished(verified.canonical().to_vec(), linked::AROUND));
        // Under both locks: a reader who finds an entry in the book finds its place and the entry before it in its lineage, too.
        let mut book = write(&self.shared.book);
        debug_assert!(book.at().is_none_or(|last| last <= at), "an entry's time never goes back");
        let applied = book.apply(accepted, record, verified.mark(), at, artifact);
        let epoch = book.registry().filter(|_| applied.registry).map(|registry| {
            self.shared.keys.learn(registry);
            self.shared.ahead.learn(registry.root());
            registry.hash()
        });
        write(&self.shared.places).note(Moment { seq, at }, position, &applied, epoch, record);
        drop(book);
        self.changes.extend(applied.index);
        self.unsealed += 1;
        Counts::add(&self.shared.counts.appended);
        if record.event == "authorization.consumed" {
            self.look_at_use(record, at);
        }
    }

    /// Counts uses that are true and kept, and about which somebody should know more.
    fn look_at_use(&mut self, record: &Record, at: Time) {
        // No verifier takes it (PROTOCOL 11.1, `artifact.window`).
        if !(-MAX_SEEN_EARLY_MS..=MAX_SEEN_LATE_MS).contains(&at.since(record.ts)) {
            Counts::add(&self.shared.counts.untimely);
        }
        // An authority shows to points what the ledger acknowledged, and what a point was shown its uses name (PROTOCOL 5.1, 11).
        let named = record.data.get("registry").and_then(|registry| RegistryRef::read(registry.clone()).ok());
        let folded = |named: &RegistryRef| read(&self.shared.places).registry_hash(named.epoch) == Some(named.hash);
        let Some(named) = named.filter(|named| !folded(named)) else { return };
        Counts::add(&self.shared.counts.unfolded);
        if self.unfolded.is_news(named) {
            let RegistryRef { epoch, hash } = named;
            tracing::error!(
                point = %record.by, epoch, %hash,
                "a point admitted by a registry that is not the one which the entries come to: the authority, or who else has its \
                 registry key, shows points another than the ledger; compare what the points are shown"
            );
        }
    }

    fn count(&self, outcome: &Outcome) {
        let counts = &self.shared.counts;
        match outcome {
            Outcome::Taken => {}
            Outcome::Equivocation { .. } => Counts::add(&counts.equivocations),
            Outcome::Gap { .. } => Counts::add(&counts.gaps),
            // Whoever was not told sends it again: it was counted when it was refused.
            Outcome::Refused { why: Refusal::RefusedBefore, .. } => Counts::add(&counts.repeated),
            Outcome::Refused { .. } => Counts::add(&counts.refused),
        }
    }
}

/// Adds a record to the commit. That there is room was asked before the request was begun.
fn stage(batch: &mut Batch, stored: Stored) -> u64 {
    staged(batch.push(stored.encode()))
}

fn staged(pushed: Result<u64, BatchFull>) -> u64 {
    #[expect(clippy::expect_used, reason = "a request that may not fit was refused before any part of it was staged")]
    pushed.expect("room for what was measured")
}

impl Stage for Audit {
    type Request = Request;
    type Answer = Answer;
    type Pending = Pending;

    fn stage(&mut self, request: Request, batch: &mut Batch) -> Answer {
        match request {
            Request::Append(received) => self.append(received, batch),
            Request::Header { header, bytes } => {
                if read(&self.shared.places).header(header.epoch).is_none() {
                    let position = stage(batch, Stored::Header(bytes));
                    write(&self.shared.places).add_header(header.epoch, position);
                }
                Answer::default()
            }
            Request::Registry { agrees, epoch, header } => {
                let shared = Arc::clone(&self.shared);
                let _judging = shared.judging.lock().unwrap_or_else(PoisonError::into_inner);
                let taken = self.record_registry(agrees, epoch, header, batch);
                Answer { outcomes: taken.then_some(Outcome::Taken).into_iter().collect(), ..Answer::default() }
            }
            Request::Recovered(recovery) => {
                let shared = Arc::clone(&self.shared);
                let _judging = shared.judging.lock().unwrap_or_else(PoisonError::into_inner);
                let at = self.entry_time();
                let taken = self.append_own("ledger.recovered", recovery.to_object(), at, batch);
                if taken {
                    self.shared.ahead.went_back(*recovery);
                }
                Answer { outcomes: taken.then_some(Outcome::Taken).into_iter().collect(), ..Answer::default() }
            }
            Request::Seal => {
                self.seal(batch);
                self.answer(None, Vec::new())
            }
            Request::Cursor(kid) => Answer { at: Some(self.entry_time()), ..self.answer(Some(&kid), Vec::new()) },
        }
    }

    fn staged(&mut self) -> Pending {
        self.pending()
    }

    fn finish(pending: &mut Pending, records: &mut [Vec<u8>]) {
        pending.link(records);
    }

    fn committed(pending: Pending, durable: &Durable) {
        debug_assert!(durable.count() > 0, "a commit has records");
        pending.show();
    }

    fn tick(&mut self, batch: &mut Batch) {
        self.seal_if_due(batch);
    }
}
