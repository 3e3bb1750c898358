//! Replaying a ledger: everything is computed again from the log's bytes, by the code that appends. Starting, `fsck` and an
//! auditor that follows another's ledger are this one replay.
//!
//! What follows from a record alone is prepared on all cores (`prepare`, `pool`): parsing, event hashes, its own link of
//! both chains, its leaf, its signatures. What depends on all before it is judged in order, here: numbers and chains, the
//! append rules, content, the tree, the index at each seal, the registry.

mod content;
mod moved;
mod pool;
mod prepare;
mod under;

pub(crate) use pool::in_order;
pub(crate) use prepare::{Prepared, prepare_each};

use crate::keys::Keys;
use crate::places::Places;
use crate::receive::Reading;
use crate::rules::{Book, Candidate, Judgement, Verified};
use crate::state::Sealed;
use content::Pending;
use eleven_core::chain::{ChainValue, EntryHeader};
use eleven_core::encoding::Value;
use eleven_core::event::Record;
use eleven_core::hash::Sha256;
use eleven_core::head::{Commitment, Head, RegistryRef};
use eleven_core::index::OperationIndex;
use eleven_core::name;
use eleven_core::recovery::Recovery;
use eleven_core::registry::history::Moment;
use eleven_core::registry::{Fold, Header};
use eleven_core::root::{KeyRecord, KeyStatus, KeyUse};
use eleven_core::signature::{Signature, VerifyingKey};
use eleven_core::time::Time;
use eleven_core::tree::MemoryTree;
use eleven_store::ReadLog;
use moved::MovedOut;
use prepare::{Entry, What};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;
use under::SinceSeal;

/// Read and prepared at a time by one core.
const PIECE_RECORDS: usize = 512;
const PIECE_BYTES: usize = 1 << 20;
/// Records of a log with their positions.
type Piece = Vec<(u64, Vec<u8>)>;
/// How often a long replay says where it is.
const PROGRESS: u64 = 100_000;

/// The log does not hold a ledger that this build would have written.
#[derive(Clone, Debug)]
pub struct ReplayError {
    /// The entry at which the replay stopped.
    pub seq: u64,
    /// What is wrong with it.
    pub what: String,
}

impl fmt::Display for ReplayError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "entry {} of the ledger is wrong: {}", self.seq, self.what)
    }
}

impl std::error::Error for ReplayError {}

/// What the writer goes on with.
#[derive(Debug, Default)]
pub(crate) struct Resumed {
    /// `ledger://<domain>`.
    pub(crate) name: String,
    pub(crate) chain: Option<ChainValue>,
    pub(crate) changes: Vec<(Sha256, Sha256)>,
    pub(crate) unsealed: u64,
    /// Whether the authority's registry was another than the ledger's when the log ends.
    pub(crate) contained: bool,
    /// Each word of the root by which this ledger went back.
    pub(crate) recovered: Vec<Recovery>,
    /// The entries that published the versions of the root, in their order.
    roots: Vec<u64>,
}

impl Resumed {
    fn note_registry(&mut self, record: &Record) {
        let about_it = record.data_str("cause") == Some(crate::audit::own::REGISTRY_CAUSE);
        if about_it && name::ledger_domain(&record.by).is_some() {
            self.contained = record.event == "audit.discontinuity";
        }
    }

    pub(crate) fn note_root(&mut self, seq: u64, record: &Record) {
        if matches!(record.event.as_str(), "ledger.genesis" | "root.published") {
            self.roots.push(seq);
        }
    }

    fn note_recovery(&mut self, record: &Record) {
        if record.event == "ledger.recovered" {
            // What was not of its form did not pass the rules.
            self.recovered.extend(Recovery::read(Value::Object(record.data.clone())));
        }
    }
}

/// Everything that the log says.
pub(crate) struct Replayed {
    pub(crate) book: Book,
    pub(crate) places: Places,
    pub(crate) tree: MemoryTree,
    pub(crate) sealed: Sealed,
    pub(crate) resumed: Resumed,
    /// Keys that are ready to verify, as far as the replay has come.
    pub(crate) keys: Arc<Keys>,
    /// How much was met so far.
    pub(crate) met: Met,
    /// What a head of one of these sizes commits to, and when it was sealed.
    pub(crate) wanted: BTreeMap<u64, Option<(Commitment, Time)>>,
    depth: Depth,
    /// Whether the last entry's chain values were computed.
    chained: bool,
    /// What the last seal names as index.
    sealed_index: Option<Sha256>,
    pending: Pending,
    moved_out: MovedOut,
    since_seal: SinceSeal,
}

/// How much a replay met.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Met {
    /// Entries.
    pub entries: u64,
    /// Pieces of content: artifacts, policies, decision inputs, evidence.
    pub content: u64,
    /// How many of them were moved to an archive: of each only the hash is here, and nothing of it was checked.
    pub moved: u64,
    /// Registry headers that the authority signed.
    pub headers: u64,
    /// Bytes of the entries.
    pub bytes: u64,
}

impl Met {
    /// How many records of the log that is.
    #[must_use]
    pub const fn records(&self) -> u64 {
        self.entries + self.content + self.headers
    }
}

/// How far something is that goes over a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pass {
    /// What is done.
    pub doing: &'static str,
    /// To how many records it was.
    pub done: u64,
    /// How many there are.
    pub of: u64,
}

/// How much a replay checks beyond the rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Depth {
    /// The chains and hashes of entries from `under` on; signatures and seals were checked when they were appended, and the log's
    /// checksums cover them. Entries before are under a head, and whoever resumes compares its root with that of their leaves: so
    /// their bytes are those that were appended, and each chain value is the one that the next entry names.
    Resume {
        /// The size of that head; 0 where there is none.
        under: u64,
    },
    /// Every signature, every seal's index, every entry's content, every registry header.
    Everything,
}

impl Depth {
    /// All chains and hashes: for whoever takes no head's word.
    pub(crate) const RESUME: Self = Self::Resume { under: 0 };
}

/// Replays a log from its first record.
pub(crate) fn replay(log: &dyn ReadLog, depth: Depth) -> Result<Replayed, ReplayError> {
    replay_telling(log, depth, "", &mut |_| ())
}

/// The same, which tells how far it is, as `doing`.
pub(crate) fn replay_telling(
    log: &dyn ReadLog,
    depth: Depth,
    doing: &'static str,
    far: &mut dyn FnMut(Pass),
) -> Result<Replayed, ReplayError> {
    let (mut replayed, of) = (Replayed::new(depth, BTreeSet::new()), log.durable());
    replayed.extend(log, &mut |met| far(Pass { doing, done: met.records(), of }))?;
    replayed.finish()
}

impl Replayed {
    /// A replay at its beginning. What heads of `sizes` commit to is kept on the way.
    pub(crate) fn new(depth: Depth, sizes: BTreeSet<u64>) -> Self {
        Self {
            book: Book::new(),
            places: Places::default(),
            tree: MemoryTree::new(),
            sealed: Sealed::default(),
            resumed: Resumed::default(),
            keys: Arc::default(),
            met: Met::default(),
            wanted: sizes.into_iter().map(|size| (size, None)).collect(),
            depth,
            chained: true,
            sealed_index: None,
            pending: Pending::default(),
            moved_out: MovedOut::default(),
            since_seal: SinceSeal::default(),
        }
    }

    /// What a replay came to before, as it was put by. Nothing of it was replayed here.
    pub(crate) fn of_saved(book: Book, places: Places, tree: MemoryTree, sealed: Sealed, resumed: Resumed) -> Self {
        let mut replayed = Self { resumed, ..Self::new(Depth::RESUME, BTreeSet::new()) };
        replayed.resumed.name =
            book.registry().map(|registry| format!("ledger://{}", registry.domain())).unwrap_or_default();
        replayed.resumed.chain = sealed.chain;
        replayed.met.entries = book.size();
        replayed.met.moved = places.moved();
        Self { book, places, tree, sealed, ..replayed }
    }

    /// Replays all of a log, from its first record. `progress` is told after each piece how much was met.
    ///
    /// # Errors
    /// The first entry that is wrong, and how.
    pub(crate) fn extend(&mut self, log: &dyn ReadLog, progress: &mut dyn FnMut(&Met)) -> Result<(), ReplayError> {
        let mut position = log.first();
        if position != 0 {
            return Err(self.wrong("the log does not begin at its first record"));
        }
        let (keys, depth) = (Arc::clone(&self.keys), self.depth);
        let read = || -> Result<Option<Piece>, String> {
            let records = log.read_from(position, PIECE_RECORDS, PIECE_BYTES);
            let records = records.map_err(|error| error.to_string())?;
            let Some((last, _)) = records.last() else { return Ok(None) };
            position = last + 1;
            Ok(Some(records))
        };
        let work = |records: Piece| prepare_each(records, &keys, depth);
        let outcome = in_order(read, work, |prepared| {
            let taken = prepared.into_iter().try_for_each(|record| self.take(record));
            progress(&self.met);
            taken.map_err(|error| error.what)
        });
        outcome.map_err(|what| self.wrong(what))
    }

    pub(crate) fn wrong(&self, what: impl fmt::Display) -> ReplayError {
        ReplayError { seq: self.book.size(), what: what.to_string() }
    }

    /// Takes the next record of the log.
    ///
    /// # Errors
    /// Where it, or the entry that it belongs to, is wrong.
    pub(crate) fn take(&mut self, prepared: Prepared) -> Result<(), ReplayError> {
        let Prepared { position, what } = prepared;
        match what {
            What::Entry(entry) => self.take_entry(position, *entry),
            What::Content(content) => {
                if content.moved {
                    self.places.add_moved(&content.hash, position);
                } else {
                    self.places.add_blob(&content.hash, position);
                }
                self.met.content += 1;
                self.met.moved += u64::from(content.moved);
                self.pending.push(*content);
                Ok(())
            }
            What::Header(header) => self.take_header(position, &header.0, &header.1),
            What::Wrong(what) => Err(self.wrong(what)),
        }
    }

    fn take_header(&mut self, position: u64, header: &Header, sig: &Signature) -> Result<(), ReplayError> {
        if self.depth == Depth::Everything {
            let signed = self.book.registry().is_some_and(|registry| {
                let mut keys = registry.roots().flat_map(|root| &root.roles);
                let key = keys.find(|key| key.usage == KeyUse::Registry && key.kid == header.kid);
                key.and_then(KeyRecord::verifying).is_some_and(|key| key.verifies(&header.payload(), &sig.val))
            });
            if !signed {
                return Err(self.wrong("the registry header before it is not signed by a registry key"));
            }
            if self.places.registry_hash(header.epoch) != Some(header.hash()) {
                return Err(self.wrong("the registry header before it is not the one that the entries come to"));
            }
        }
        self.places.add_header(header.epoch, position);
        self.met.headers += 1;
        Ok(())
    }

    fn take_entry(&mut self, position: u64, entry: Entry) -> Result<(), ReplayError> {
        let Entry { header, reading, chain, leaf, bytes } = entry;
        if header.seq != self.book.size() || (self.chained && header.prev != self.resumed.chain) {
            return Err(self.wrong("its number or its `prev` does not follow"));
        }
        if self.book.at().is_some_and(|at| header.at < at) {
            return Err(self.wrong("its `at` lies before the entry before"));
        }
        let verified = self.verified(reading)?;
        let artifact = self.pending.artifact(position).cloned();
        let accepted = match self.book.judge(&verified, header.at, artifact.as_ref()) {
            Judgement::Accept(accepted) => accepted,
            Judgement::Refused { why, .. } => return Err(self.wrong(why)),
            other => return Err(self.wrong(format!("its number was used: {other:?}"))),
        };
        let record = verified.record().map_err(|error| self.wrong(error))?;
        if record.event == "authorization.issued" && artifact.is_none() && !self.pending.is_moved(position) {
            return Err(self.wrong("the artifact that it issues is not stored with it"));
        }
        if self.depth == Depth::Everything {
            self.check_content(record, verified.canonical(), header.at).map_err(|what| self.wrong(what))?;
        }
        let moved = self.pending.close(record);
        self.moved_out.note(Moment { seq: header.seq, at: header.at }, record, moved);
        let seals = record.event == "ledger.sealed";
        if seals {
            self.check_seal(record)?;
        }
        let applied = self.book.apply(accepted, record, verified.mark(), header.at, artifact.as_ref());
        let epoch = self.book.registry().filter(|_| applied.registry).map(Fold::hash);
        if applied.registry {
            self.since_seal.note(header.at, record);
        }
        self.places.note(Moment { seq: header.seq, at: header.at }, position, &applied, epoch, record);
        if let Some(registry) = self.book.registry().filter(|_| applied.registry && self.depth == Depth::Everything) {
            self.keys.learn(registry);
        }
        self.chained = chain.is_some();
        self.resumed.chain = chain;
        self.tree.append(leaf);
        self.resumed.changes.extend(applied.index);
        self.resumed.unsealed += 1;
        self.resumed.note_registry(record);
        self.resumed.note_recovery(record);
        self.resumed.note_root(header.seq, record);
        self.met.entries += 1;
        self.met.bytes += bytes;
        if seals {
            self.note_seal(&header, chain);
        }
        if matches!(self.depth, Depth::Resume { .. }) && self.book.size().is_multiple_of(PROGRESS) {
            tracing::info!(entries = self.book.size(), "reading the ledger");
        }
        Ok(())
    }

    /// The record with the key that it was, or is now, verified by.
    fn verified(&self, reading: Reading) -> Result<Verified, ReplayError> {
        let candidate = match reading {
            Reading::Verified(verified) => return Ok(verified),
            Reading::Refused(why) => return Err(self.wrong(why)),
            Reading::Unknown(candidate) => candidate,
        };
        if self.depth == Depth::Everything {
            return self.verify(candidate);
        }
        let key = self.book.registry().and_then(|registry| registry.key(candidate.kid()));
        let public =
            key.map(|key| key.public).or_else(|| Some(*crate::conformance::genesis_key(&candidate)?.as_bytes()));
        Ok(candidate.stored(public.ok_or_else(|| self.wrong("its key is not registered"))?))
    }

    fn verify(&self, candidate: Candidate) -> Result<Verified, ReplayError> {
        let key = match self.book.registry() {
            Some(registry) => registry.key(candidate.kid()).and_then(KeyRecord::verifying),
            None => crate::conformance::genesis_key(&candidate),
        };
        let key = key.ok_or_else(|| self.wrong("its key is not registered"))?;
        candidate.verify(&key).map_err(|why| self.wrong(why))
    }

    /// The index over the entries before the seal is the one that it names.
    fn check_seal(&mut self, record: &Record) -> Result<(), ReplayError> {
        for (key, value) in self.resumed.changes.drain(..) {
            self.sealed.index.insert(key, value);
        }
        self.sealed_index = record.data_str("index").and_then(Sha256::parse);
        if self.depth == Depth::Everything {
            self.check_index()?;
        }
        Ok(())
    }

    fn check_index(&mut self) -> Result<(), ReplayError> {
        let index: &mut OperationIndex = &mut self.sealed.index;
        let root = index.rehash();
        if self.sealed_index.is_none_or(|sealed| sealed == root) {
            return Ok(());
        }
        Err(self.wrong("the operation index before it is not the one that the seal names"))
    }

    fn note_seal(&mut self, header: &EntryHeader, chain: Option<ChainValue>) {
        self.resumed.changes.clear();
        self.resumed.unsealed = 0;
        self.sealed.size = header.seq + 1;
        self.sealed.at = Some(header.at);
        self.sealed.chain = chain;
        self.keep_registry();
        if self.wanted.contains_key(&self.sealed.size) {
            let commitment = self.sealed_commitment().map(|commitment| (commitment, header.at));
            self.wanted.insert(self.sealed.size, commitment);
        }
    }

    /// Keeps the registry that the last seal names. One before the last head is not asked for, since that head's seal follows.
    fn keep_registry(&mut self) {
        let followed = matches!(self.depth, Depth::Resume { under } if self.sealed.size < under);
        match self.book.registry() {
            Some(registry) if !followed => self.since_seal.bring_on(&mut self.sealed.registry, registry),
            _ => (self.sealed.registry, self.since_seal) = (None, SinceSeal::default()),
        }
    }

    /// Goes on after what was verified before: all that comes is checked entirely.
    pub(crate) fn checking_everything(mut self) -> Self {
        self.depth = Depth::Everything;
        if let Some(registry) = self.book.registry() {
            self.keys.learn(registry);
        }
        self
    }

    /// The key that signed a head: one for heads of any version of the root by which it counted then, since what a version ends may
    /// have signed until that was published. None that the version under the head calls compromised: that was there first.
    pub(crate) fn key_of(&self, head: &Head) -> Option<VerifyingKey> {
        let registry = self.book.registry()?;
        let published = self.resumed.roots.partition_point(|seq| *seq < head.commitment.size);
        let under = registry.roots().nth(published.checked_sub(1)?)?;
        let kid = &head.sig.kid;
        let is_stolen = |key: &KeyRecord| key.kid == *kid && matches!(key.status, KeyStatus::Compromised(_));
        if under.roles.iter().any(is_stolen) {
            return None;
        }
        let mut roots = registry.roots();
        roots.find_map(|root| root.role_key(KeyUse::Head, kid, head.at).filter(|key| head.verify(key)))
    }

    /// What a head over the last entry commits to, where that is a seal.
    pub(crate) fn sealed_commitment(&self) -> Option<Commitment> {
        let (size, registry) = (self.sealed.size, self.sealed.registry.as_ref()?);
        if size != self.book.size() {
            return None;
        }
        let ledger = format!("ledger://{}", registry.domain());
        let reference = RegistryRef { epoch: registry.epoch(), hash: registry.hash() };
        let (chain, index) = (self.sealed.chain?, self.sealed_index?);
        Some(Commitment { ledger, size, chain, root: self.tree.root(), index, registry: reference })
    }

    /// Content was moved out only where the domain's retention and holds let it, by a clock that shows `now`. Which
    /// retention was in force when it moved is not known; what the shortest ever set did not let go is found.
    ///
    /// # Errors
    /// The first entry whose content is gone and may not be.
    pub(crate) fn check_moved(&mut self, now: Time) -> Result<(), ReplayError> {
        let Some(registry) = self.book.registry() else { return Ok(()) };
        self.moved_out.judge(registry.lists(), now).map_err(|(seq, what)| ReplayError { seq, what })
    }

    /// Ends at the end of the log.
    ///
    /// # Errors
    /// Where the last seal names another index, or content is left that no entry names.
    pub(crate) fn finish(mut self) -> Result<Self, ReplayError> {
        self.check_index()?;
        debug_assert!(self.chained, "the chain of a piece's last entry is computed");
        if self.depth == Depth::Everything && self.pending.is_left() {
            return Err(self.wrong("there is none, and content before it that no entry names"));
        }
        if let Some(registry) = self.book.registry() {
            self.resumed.name = format!("ledger://{}", registry.domain());
        }
        Ok(self)
    }
}

#[cfg(test)]
mod tests;
