//! Signed heads (PROTOCOL 7): made from durable seals, one after the other, by one thread with a small log of its own.
//!
//! A head is durable there before anybody sees it, and before one is signed the last is read back from there: a ledger
//! whose log was rolled back under it signs nothing. Witnesses' cosignatures are kept with the head, and raise it from D3.

use crate::history::KEPT;
use crate::seal::SealedEntry;
use crate::state::{Counts, Published, Shared, read};
use eleven_api::audit::Durability;
use eleven_api::edge::Clock;
use eleven_api::keyring::Keyring;
use eleven_core::encoding::{Object, parse_canonical};
use eleven_core::form::{Form, FormError};
use eleven_core::head::checkpoint::{Checkpoint, Line, Note};
use eleven_core::head::{Commitment, Head};
use eleven_core::limits::MAX_ISSUED_LATE_MS;
use eleven_core::root::{KeyUse, Witnesses};
use eleven_core::signature::Signer;
use eleven_core::time::Time;
use eleven_store::{Log, ReadLog, SegmentLog};
use std::fmt;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

#[cfg(test)]
mod tests;

/// So many records are kept in the log: each head, and each head again for its cosignatures.
const RECORDS: usize = 4 * KEPT;

/// How many milliseconds clocks may differ by.
const CLOCKS_DIFFER: i64 = eleven_core::limits::MAX_STAMP_AHEAD_MS;

/// Why a head was not signed.
#[derive(Debug)]
pub enum HeadError {
    /// The last head covers more than this ledger has.
    Back {
        /// The size of the last head.
        last: u64,
        /// The size of the one to be signed.
        next: u64,
    },
    /// The last head commits to another history.
    Fork {
        /// The size of the last head.
        size: u64,
    },
    /// The key may not sign heads now.
    Key(String),
    /// The log of heads failed.
    Store(String),
    /// A head that was signed is not one that this ledger could have signed.
    Wrong {
        /// Its size.
        size: u64,
        /// What is wrong with it.
        what: String,
    },
}

impl fmt::Display for HeadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Back { last, next } => {
                write!(
                    f,
                    "the last head covers {last} entries and the ledger has {next}: restore the folder from a copy"
                )
            }
            Self::Fork { size } => {
                write!(
                    f,
                    "the last head, of {size} entries, is not that of the entries that are here: `eleven ledger fsck` names the first \
                     that is wrong; restore the folder from a copy"
                )
            }
            Self::Key(kid) => write!(f, "{kid} is no head key of the root that counts now: publish a root with one"),
            Self::Store(why) => write!(f, "the log of heads failed: {why}"),
            Self::Wrong { size, what } => write!(f, "a head of {size} entries is wrong: {what}"),
        }
    }
}

impl std::error::Error for HeadError {}

/// The log of heads.
pub(crate) struct Heads {
    log: SegmentLog,
    reader: Arc<dyn ReadLog>,
}

impl Heads {
    pub(crate) fn new(log: SegmentLog) -> Self {
        let reader = log.reader();
        Self { log, reader }
    }

    /// The last head, from durable storage. Who cosigned it is judged by `witnesses`.
    pub(crate) fn last(&self, witnesses: &Witnesses) -> Result<Option<Published>, HeadError> {
        let Some(position) = self.reader.durable().checked_sub(1) else { return Ok(None) };
        let found = self.reader.read_from(position, 1, 1).map_err(|error| HeadError::Store(error.to_string()))?;
        let (_, bytes) = found.into_iter().next().ok_or(HeadError::Store("its last record is gone".to_owned()))?;
        read_stored(&bytes, witnesses).map(Some)
    }

    /// All heads that are still there, the oldest first.
    pub(crate) fn kept(&self, witnesses: &Witnesses) -> Result<Vec<Published>, HeadError> {
        let from = self.reader.first().max(self.reader.durable().saturating_sub(RECORDS as u64));
        let found =
            self.reader.read_from(from, RECORDS, usize::MAX).map_err(|error| HeadError::Store(error.to_string()))?;
        found.iter().map(|(_, bytes)| read_stored(bytes, witnesses)).collect()
    }

    /// Makes a head durable; very old ones are let go of.
    pub(crate) fn store(&mut self, published: &Published) -> Result<(), HeadError> {
        let record = Object::new().with("checkpoint", &published.checkpoint).with("head", published.head.to_value());
        let expected = self.log.next();
        let durable = self.log.append(expected, &[&record.canonical()]).map_err(|e| HeadError::Store(e.to_string()))?;
        if let Some(old) = durable.next().checked_sub(RECORDS as u64)
            && let Err(error) = self.log.drop_before(old)
        {
            tracing::warn!(%error, "old heads were not dropped");
        }
        Ok(())
    }
}

/// Every head that a log of heads still holds, oldest first. Who cosigned them is not judged.
pub(crate) fn all(log: &dyn ReadLog) -> Result<Vec<Published>, HeadError> {
    let (mut heads, mut position) = (Vec::new(), log.first());
    loop {
        let records = log.read_from(position, 256, 1 << 20).map_err(|error| HeadError::Store(error.to_string()))?;
        let Some((last, _)) = records.last() else { return Ok(heads) };
        position = last + 1;
        for (_, bytes) in records {
            heads.push(read_stored(&bytes, &Witnesses::default())?);
        }
    }
}

fn read_stored(bytes: &[u8], witnesses: &Witnesses) -> Result<Published, HeadError> {
    let read = || {
        let mut form = Form::of(parse_canonical(bytes)?, "stored head")?;
        let (head, note) = (Head::read(form.take("head")?)?, Note::parse(&form.string("checkpoint")?)?);
        form.finish()?;
        Ok::<_, FormError>(Published::new(head, note, witnesses))
    };
    read().map_err(|error| HeadError::Store(format!("one of its records is no head: {error}")))
}

impl Published {
    /// A head and its checkpoint, at the level that its cosignatures give it.
    pub(crate) fn new(head: Head, note: Note, witnesses: &Witnesses) -> Self {
        let (level, satisfied) = level(&note, witnesses);
        Self { head, checkpoint: note.to_string(), note, level, satisfied }
    }
}

/// How durable what stands under a checkpoint is (PROTOCOL 8), and whether it is witnessed as its root asks.
fn level(note: &Note, witnesses: &Witnesses) -> (Durability, bool) {
    let level = Durability::of(note, witnesses);
    let asked = match (witnesses.quorum, witnesses.auditors) {
        (0, _) => Durability::D3,
        (_, 0) => Durability::D4,
        _ => Durability::D5,
    };
    (level, level >= asked)
}

/// By how many milliseconds a clock that shows `now` is behind the last entry or head, where that is more than clocks may
/// differ. Neither goes back: a clock that once ran ahead dates all that comes until it is that late.
pub(crate) fn clock_behind(shared: &Shared, now: Time) -> Option<u64> {
    let head = shared.published().map(|published| published.head.at);
    let last = read(&shared.book).at().max(head)?;
    let behind = last.0.saturating_sub(now.0);
    u64::try_from(behind).ok().filter(|_| behind > CLOCKS_DIFFER)
}

/// Starts the thread that signs; it ends when the writer is gone, or where it may sign no more, through `on_failure`. With
/// nothing new the same size is signed again every `idle` (PROTOCOL 7).
pub(crate) fn start(
    signing: Arc<Mutex<HeadSigner>>,
    idle: Duration,
    seals: Receiver<SealedEntry>,
    on_failure: impl FnOnce(HeadError) + Send + 'static,
) -> std::io::Result<JoinHandle<()>> {
    std::thread::Builder::new().name("heads".into()).spawn(move || {
        if let Err(error) = run(&signing, idle, &seals) {
            tracing::error!(%error, "no head is signed any more");
            lock(&signing).shared.headless.store(true, Ordering::Release);
            on_failure(error);
        }
    })
}

pub(crate) fn lock(signing: &Mutex<HeadSigner>) -> std::sync::MutexGuard<'_, HeadSigner> {
    signing.lock().unwrap_or_else(PoisonError::into_inner)
}

fn run(signing: &Mutex<HeadSigner>, idle: Duration, seals: &mpsc::Receiver<SealedEntry>) -> Result<(), HeadError> {
    let mut last: Option<SealedEntry> = None;
    loop {
        match seals.recv_timeout(idle) {
            Ok(seal) => {
                // Only the newest is worth a signature.
                let seal = seals.try_iter().last().unwrap_or(seal);
                lock(signing).attempt(seal)?;
                last = Some(seal);
            }
            Err(RecvTimeoutError::Timeout) => {
                if let Some(seal) = last {
                    lock(signing).again(seal)?;
                }
            }
            Err(RecvTimeoutError::Disconnected) => return Ok(()),
        }
    }
}

/// Whoever signs heads.
pub(crate) struct HeadSigner {
    pub(crate) shared: Arc<Shared>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) keys: Keyring,
    /// `ledger://<domain>`.
    pub(crate) ledger: String,
    pub(crate) heads: Heads,
    /// Whether it was said that the clock is behind what was signed.
    pub(crate) behind: bool,
}

impl HeadSigner {
    /// Shows the last head again, where it is this ledger's. `sealed` is the size of a head over the last seal that was replayed, 0
    /// where there is none.
    ///
    /// # Errors
    /// Where the ledger is not the one, or not all of the one, that the last head commits to.
    pub(crate) fn resume(&mut self, sealed: u64) -> Result<(), HeadError> {
        let Some(last) = self.heads.last(&self.shared.witnesses())? else { return Ok(()) };
        let size = last.head.commitment.size;
        if sealed < size {
            return Err(HeadError::Back { last: size, next: sealed });
        }
        if self.shared.root_at(size) != Some(last.head.commitment.root) {
            return Err(HeadError::Fork { size });
        }
        for shown in self.heads.kept(&self.shared.witnesses())? {
            let shown = Arc::new(shown);
            self.shared.raise(&shown);
            self.shared.shown.add(shown);
        }
        self.shared.show(Arc::new(last));
        Ok(())
    }

    /// Signs unless the authority's registry is another, or the key does not count now: those may pass, or are for the
    /// operator; all else ends the signing.
    pub(crate) fn attempt(&mut self, seal: SealedEntry) -> Result<(), HeadError> {
        if self.shared.disagreement.load(Ordering::Acquire) || self.leaves_out(&seal) {
            return Ok(());
        }
        match self.sign(seal) {
            Err(HeadError::Key(kid)) => {
                // Said once: it is tried again at each seal, and where none comes all the same.
                if !self.shared.headless.swap(true, Ordering::AcqRel) {
                    tracing::error!(kid, "no head is signed: the key does not count now");
                }
                Ok(())
            }
            other => other,
        }
    }

    /// Signs over a seal once more where nothing came since. What came is under the next seal, and where none can be made no head
    /// of now is signed that would leave it out.
    pub(crate) fn again(&mut self, seal: SealedEntry) -> Result<(), HeadError> {
        if self.shared.size() > seal.size { Ok(()) } else { self.attempt(seal) }
    }

    /// Whether a head of now over this seal could leave out an issuance that is more than a minute older, which convicts: something
    /// stands behind it, and the seal is that old. The next is on its way.
    fn leaves_out(&self, seal: &SealedEntry) -> bool {
        self.shared.size() > seal.size && self.clock.now().since(seal.at) > MAX_ISSUED_LATE_MS
    }

    /// When a head over this seal is dated: now, or when it was sealed where something stands behind it. So whatever is not under it
    /// is dated no earlier, and of what was before its time all is there.
    fn dated(&self, seal: &SealedEntry) -> Time {
        // What has its time already is applied, and what comes is given one that is not before this.
        let _judging = self.shared.judging.lock().unwrap_or_else(PoisonError::into_inner);
        if read(&self.shared.book).size() > seal.size {
            return seal.at;
        }
        let now = self.clock.now().max(seal.at);
        self.shared.dated.fetch_max(now.0, Ordering::AcqRel);
        now
    }

    /// Says once that heads are dated by what was before them and not by the clock, and once that this is over.
    fn look_at_clock(&mut self) {
        let behind = clock_behind(&self.shared, self.clock.now());
        match behind {
            Some(behind) if !self.behind => tracing::error!(
                behind_ms = behind,
                "the clock is behind the last entry or head: it is wrong, or was ahead once; until it is that late again what is \
                 signed bears that time, and is refused as from the future"
            ),
            None if self.behind => tracing::info!("heads bear the clock's time again"),
            _ => {}
        }
        self.behind = behind.is_some();
    }

    /// Signs the head over a seal, stores it, and only then shows it.
    pub(crate) fn sign(&mut self, seal: SealedEntry) -> Result<(), HeadError> {
        let root = self.shared.root_at(seal.size);
        let root = root.ok_or(HeadError::Store("the tree has fewer entries than the seal".to_owned()))?;
        let SealedEntry { size, chain, index, registry, .. } = seal;
        let commitment = Commitment { ledger: self.ledger.clone(), size, chain, root, index, registry };
        let last = self.heads.last(&self.shared.witnesses())?;
        self.look_at_clock();
        let mut at = self.dated(&seal);
        if let Some(last) = &last {
            self.follows(&last.head, &commitment)?;
            at = at.max(last.head.at);
        }
        let signer = self.key(at)?;
        let head = Head::sign(commitment, at, signer.as_ref());
        let body = Checkpoint::of(&head.commitment);
        let mut lines = vec![body.sign(signer.as_ref())];
        // The same size again is the same checkpoint: who cosigned it did so for this head, too.
        let again = last.filter(|last| last.note.checkpoint == body).map(|last| last.note.lines).unwrap_or_default();
        lines.extend(again.into_iter().filter(|line| line.name != body.origin));
        let published = Published::new(head, Note { checkpoint: body, lines }, &self.shared.witnesses());
        self.heads.store(&published)?;
        if self.shared.headless.swap(false, Ordering::AcqRel) {
            tracing::info!("heads are signed again");
        }
        self.shared.show(Arc::new(published));
        Counts::add(&self.shared.counts.heads);
        Ok(())
    }

    /// Keeps cosignatures of a head, each verified: durable and shown with the last head, remembered for an older one.
    ///
    /// # Errors
    /// Where they could not be made durable.
    pub(crate) fn cosigned(&mut self, checkpoint: &Checkpoint, lines: Vec<Line>) -> Result<(), HeadError> {
        let found = self.shared.shown.of_size(checkpoint.size);
        let Some(found) = found.filter(|head| head.note.checkpoint == *checkpoint) else { return Ok(()) };
        let mut note = found.note.clone();
        for line in lines {
            note.lines.retain(|other| (&other.name, other.key_id) != (&line.name, line.key_id));
            note.lines.push(line);
        }
        let raised = Published::new(found.head.clone(), note, &self.shared.witnesses());
        Counts::add(&self.shared.counts.cosignatures);
        let last = self.shared.published().map_or(0, |last| last.size());
        if raised.size() == last {
            self.heads.store(&raised)?;
            self.shared.show(Arc::new(raised));
        } else {
            let raised = Arc::new(raised);
            self.shared.raise(&raised);
            self.shared.shown.add(raised);
        }
        Ok(())
    }

    /// A head never goes back, and the last one is of this very history.
    fn follows(&self, last: &Head, next: &Commitment) -> Result<(), HeadError> {
        let (before, size) = (&last.commitment, last.commitment.size);
        if next.size < size {
            return Err(HeadError::Back { last: size, next: next.size });
        }
        let same = next.size > size || before == next;
        if same && self.shared.root_at(size) == Some(before.root) { Ok(()) } else { Err(HeadError::Fork { size }) }
    }

    /// The key that signs at `at`: of those that are held the first that the root lists and that counts.
    fn key(&self, at: Time) -> Result<Arc<dyn Signer>, HeadError> {
        let registry = read(&self.shared.sealed).registry.clone();
        let held =
            registry.and_then(|registry| self.keys.first_of(registry.root().roles_at(KeyUse::Head, at)).cloned());
        held.ok_or_else(|| HeadError::Key(self.keys.newest().kid().to_owned()))
    }
}
