//! The corner without threads, sockets and a folder: whoever holds it says what happens when. For simulations; what
//! commits, recovers and signs is the same as in [`Ledger`].

use crate::audit::{Answer, Audit, Request};
use crate::error::LedgerError;
use crate::heads::{HeadError, HeadSigner, Heads};
use crate::ledger::{Ledger, Parts};
use crate::receive::Received;
use crate::recover::{Depth, ReplayError, replay};
use crate::seal::{Pace, SealedEntry};
use crate::serve::{hash_of, told, unavailable};
use crate::settings::Signers;
use crate::state::{Shared, read};
use eleven_api::audit::{Cursor, Durability};
use eleven_api::edge::Clock;
use eleven_api::problem::Problem;
use eleven_core::encoding::Value;
use eleven_core::hash::Sha256;
use eleven_core::head::Head;
use eleven_core::registry::{Fold, GrantedKey};
use eleven_core::root::TrustRoot;
use eleven_core::signature::Signer;
use eleven_core::time::Time;
use eleven_core::tree;
use eleven_store::{CommitError, Committed, GroupOptions, SegmentLog, SteppedCommit};
use std::path::Path;
use std::sync::{Arc, mpsc};
use std::time::Duration;

/// A ledger that is driven by hand.
pub struct SteppedLedger {
    shared: Arc<Shared>,
    commit: SteppedCommit<SegmentLog, Audit>,
    signer: HeadSigner,
    seals: mpsc::Receiver<SealedEntry>,
    last: Option<SealedEntry>,
}

/// An answer as it goes over the wire: status and body.
#[derive(Clone, Debug)]
pub struct WireAnswer {
    /// The HTTP status.
    pub status: u16,
    /// The document.
    pub body: Vec<u8>,
}

impl WireAnswer {
    fn problem(problem: &Problem) -> Self {
        Self { status: problem.status, body: Value::Object(problem.to_object()).canonical() }
    }
}

impl SteppedLedger {
    /// As [`Ledger::genesis`], in a log that is empty.
    ///
    /// # Errors
    /// As [`Ledger::genesis`].
    pub fn genesis(
        log: &mut SegmentLog,
        root: &TrustRoot,
        fresh: u64,
        keys: &[GrantedKey],
        signer: &dyn Signer,
        now: Time,
    ) -> Result<(), LedgerError> {
        Ledger::found(log, root, fresh, keys, signer, now)
    }

    /// As [`Ledger::open`], on logs that are open: every fold is rebuilt.
    ///
    /// # Errors
    /// As [`Ledger::open`].
    pub fn open(
        log: SegmentLog,
        heads: SegmentLog,
        signers: Signers,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, LedgerError> {
        let heads = Heads::new(heads);
        // Whoever drives it says when to seal.
        let pace = Pace::new(Duration::ZERO, Duration::ZERO, 0);
        let parts = Parts::new(&log, heads, Path::new("memory"), None, |_| Ok(None), pace, signers, clock)?;
        let Parts { shared, audit, signer, seals, .. } = parts;
        let commit = SteppedCommit::new(log, audit, GroupOptions::default());
        Ok(Self { shared, commit, signer, seals, last: None })
    }

    /// `POST /v1/audit/events`: the answer comes with the commit, in [`SteppedLedger::step`].
    pub fn append(&self, body: &[u8], reply: impl FnOnce(WireAnswer) + Send + 'static) {
        let received = match Received::read(body, &self.shared.keys) {
            Ok(received) => received,
            Err(error) => return reply(WireAnswer::problem(&Problem::malformed(error.to_string()))),
        };
        self.commit.submit(Request::Append(received), move |outcome| reply(appended(outcome)));
    }

    /// `GET /v1/audit/cursor/{kid}`: likewise.
    pub fn cursor(&self, kid: &str, reply: impl FnOnce(WireAnswer) + Send + 'static) {
        let (shared, now) = (Arc::clone(&self.shared), self.signer.clock.now());
        let counts = read(&shared.book).registry().and_then(|fold| fold.key(kid)).is_some_and(|key| key.counts_at(now));
        self.commit.submit(Request::Cursor(kid.to_owned()), move |outcome| reply(cursor(&shared, counts, outcome)));
    }

    /// How many requests wait to be judged.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.commit.waiting()
    }

    /// Judges the first `first` of what waits for one commit, with a seal where `seal`, and what is behind them for another, before
    /// either is written: as two threads do. The next two steps commit them.
    pub fn judge_apart(&mut self, first: usize, seal: bool) {
        self.commit.stage_apart(first, seal);
    }

    /// One commit of what waits, with a seal where `seal`.
    ///
    /// # Errors
    /// Where the commit failed: the process must stop.
    pub fn step(&mut self, seal: bool) -> Result<(), LedgerError> {
        self.commit.step(seal).map_err(|error| LedgerError::Commit(error.to_string()))
    }

    /// Signs the head over the newest seal, or the last one again where nothing came since.
    ///
    /// # Errors
    /// Where no head may be signed any more: the process must stop.
    pub fn sign_head(&mut self) -> Result<(), HeadError> {
        if let Some(seal) = self.seals.try_iter().last() {
            self.last = Some(seal);
            return self.signer.attempt(seal);
        }
        self.last.map_or(Ok(()), |seal| self.signer.again(seal))
    }

    /// The last head that is shown, and its checkpoint.
    #[must_use]
    pub fn head(&self) -> Option<(Head, String)> {
        self.shared.published().map(|published| (published.head.clone(), published.checkpoint.clone()))
    }

    /// How many entries are durable.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.shared.size()
    }

    /// The bytes of a durable entry.
    #[must_use]
    pub fn entry(&self, seq: u64) -> Option<Vec<u8>> {
        self.shared.entry_bytes(seq).ok()
    }

    /// The durable entries from `from` on that made a registry epoch.
    #[must_use]
    pub fn registry_entries(&self, from: u64) -> Vec<u64> {
        let size = self.size();
        read(&self.shared.places).registry_entries(from).take_while(|seq| *seq < size).collect()
    }

    /// The registry as it is folded, what is staged included.
    #[must_use]
    pub fn registry(&self) -> Option<Fold> {
        read(&self.shared.book).registry().cloned()
    }

    /// A consistency proof between two sizes.
    #[must_use]
    pub fn consistency(&self, first: u64, second: u64) -> Option<Vec<Sha256>> {
        tree::consistency_proof(&*read(&self.shared.tree), first, second)
    }

    /// Replays the whole log as `fsck` does, and holds what that comes to against what is in memory.
    ///
    /// # Errors
    /// The first entry that is wrong; or that the state in memory is another.
    pub fn check(&self) -> Result<(), ReplayError> {
        let replayed = replay(self.shared.log.as_ref(), Depth::Everything)?;
        if crate::saved::is_replayed(&self.shared, &replayed) {
            Ok(())
        } else {
            Err(replayed.wrong("a replay up to here comes to another state than the one in memory"))
        }
    }
}

fn appended(outcome: Result<Committed<Answer>, CommitError>) -> WireAnswer {
    match outcome {
        Err(error) => WireAnswer::problem(&unavailable(&error)),
        Ok(committed) => match told(&committed.answer, Durability::D1) {
            Ok(taken) => WireAnswer { status: 200, body: taken.to_value().canonical() },
            Err((problem, body)) => WireAnswer { status: problem.status, body: body.canonical() },
        },
    }
}

fn cursor(shared: &Shared, counts: bool, outcome: Result<Committed<Answer>, CommitError>) -> WireAnswer {
    match outcome {
        Err(error) => WireAnswer::problem(&unavailable(&error)),
        Ok(Committed { answer: Answer { next: Some(next), last, size, at, .. }, .. }) => match hash_of(shared, last) {
            Ok(hash) => WireAnswer {
                status: 200,
                body: Cursor { next, hash, counts: Some(counts), at, size }.to_value().canonical(),
            },
            Err(error) => WireAnswer::problem(&Problem::with_status(500, error.to_string())),
        },
        Ok(_) => WireAnswer::problem(&Problem::with_status(404, "no key of that name is registered")),
    }
}

#[cfg(test)]
mod tests;
