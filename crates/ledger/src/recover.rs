//! Starting: the folds are rebuilt from the log by the code that appends.

use crate::receive::read_artifact;
use crate::rules::{Book, Candidate, Judgement};
use crate::state::{Places, Sealed};
use crate::stored::Stored;
use eleven_core::artifact::Artifact;
use eleven_core::chain::{self, ChainValue, EntryHeader};
use eleven_core::encoding::parse_canonical;
use eleven_core::hash::{Sha3, Sha256};
use eleven_core::index::OperationIndex;
use eleven_core::registry::Header;
use eleven_core::tree::{self, MemoryTree};
use eleven_store::ReadLog;
use std::fmt;
use std::sync::Arc;

/// Read at a time.
const CHUNK_RECORDS: usize = 4096;
const CHUNK_BYTES: usize = 4 << 20;
/// How often a long replay says where it is.
const PROGRESS: u64 = 100_000;

/// The log does not hold a ledger that this build would have written.
#[derive(Debug)]
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
}

/// Everything that the log says.
pub(crate) struct Replayed {
    pub(crate) book: Book,
    pub(crate) places: Places,
    pub(crate) tree: MemoryTree,
    pub(crate) sealed: Sealed,
    pub(crate) resumed: Resumed,
    /// What the last seal names as index.
    sealed_index: Option<Sha256>,
    /// The artifact that stood right before where the replay is.
    artifact: Option<(u64, Artifact)>,
}

/// How much a replay checks beyond the rules.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Depth {
    /// The chains; signatures and seals were checked when they were appended, and the log's checksums cover them.
    Resume,
    /// Every signature, every seal's index, every blob's place.
    Everything,
}

/// Replays a log from its first record.
pub(crate) fn replay(log: &dyn ReadLog, depth: Depth) -> Result<Replayed, ReplayError> {
    let mut replayed = Replayed::new();
    let mut position = log.first();
    if position != 0 {
        return Err(replayed.wrong("the log does not begin at its first record"));
    }
    loop {
        let records = log.read_from(position, CHUNK_RECORDS, CHUNK_BYTES).map_err(|error| replayed.wrong(error))?;
        let Some((last, _)) = records.last() else { break };
        position = last + 1;
        for (at, bytes) in records {
            replayed.take(at, bytes, depth)?;
        }
    }
    replayed.finish()
}

impl Replayed {
    fn new() -> Self {
        Self {
            book: Book::new(),
            places: Places::default(),
            tree: MemoryTree::new(),
            sealed: Sealed::default(),
            resumed: Resumed::default(),
            sealed_index: None,
            artifact: None,
        }
    }

    fn wrong(&self, what: impl fmt::Display) -> ReplayError {
        ReplayError { seq: self.book.size(), what: what.to_string() }
    }

    fn take(&mut self, position: u64, bytes: Vec<u8>, depth: Depth) -> Result<(), ReplayError> {
        match Stored::decode(bytes) {
            Some(Stored::Entry(bytes)) => self.take_entry(position, &bytes, depth),
            Some(Stored::Blob(bytes)) => {
                self.places.add_blob(&Sha3::of(&[&bytes]), position);
                self.artifact = read_artifact(&bytes).map(|artifact| (position, artifact));
                Ok(())
            }
            Some(Stored::Header(bytes)) => {
                let header = parse_canonical(&bytes).map_err(Into::into).and_then(Header::read);
                let (header, _) = header.map_err(|error| self.wrong(error))?;
                self.places.add_header(header.epoch, position);
                Ok(())
            }
            None => Err(self.wrong("a record before it is of no kind that this build knows")),
        }
    }

    fn take_entry(&mut self, position: u64, bytes: &[u8], depth: Depth) -> Result<(), ReplayError> {
        let (header, record) = EntryHeader::split(bytes).map_err(|error| self.wrong(error))?;
        if header.seq != self.book.size() || header.prev != self.resumed.chain {
            return Err(self.wrong("its number or its `prev` does not follow"));
        }
        if self.book.at().is_some_and(|at| header.at < at) {
            return Err(self.wrong("its `at` lies before the entry before"));
        }
        let value = parse_canonical(record).map_err(|error| self.wrong(error))?;
        let candidate = Candidate::read(value).map_err(|why| self.wrong(why))?;
        let verified = if depth == Depth::Everything {
            self.verify(candidate)?
        } else {
            let key = self.book.registry().and_then(|registry| registry.key(candidate.kid()));
            let public =
                key.map(|key| key.public).or_else(|| Some(*crate::conformance::genesis_key(&candidate)?.as_bytes()));
            candidate.stored(public.ok_or_else(|| self.wrong("its key is not registered"))?)
        };
        let artifact = self.artifact.take().filter(|(at, _)| at + 1 == position).map(|(_, artifact)| artifact);
        let accepted = match self.book.judge(&verified, header.at, artifact.as_ref()) {
            Judgement::Accept(accepted) => accepted,
            Judgement::Refused { why, .. } => return Err(self.wrong(why)),
            other => return Err(self.wrong(format!("its number was used: {other:?}"))),
        };
        let record = verified.record().map_err(|error| self.wrong(error))?;
        if record.event == "authorization.issued" && artifact.is_none() {
            return Err(self.wrong("the artifact that it issues is not stored with it"));
        }
        if record.event == "ledger.sealed" {
            self.check_seal(record, depth)?;
        }
        let applied = self.book.apply(accepted, record, verified.mark(), header.at, artifact.as_ref());
        let epoch = self.book.registry().filter(|_| applied.registry).map(eleven_core::registry::Fold::hash);
        self.places.note(header.seq, position, &applied, epoch, record);
        let chain = chain::advance(header.prev.as_ref(), bytes);
        self.resumed.chain = Some(chain);
        self.tree.append(tree::leaf_hash(bytes));
        self.resumed.changes.extend(applied.index);
        self.resumed.unsealed += 1;
        if record.event == "ledger.sealed" {
            self.note_seal(header, chain);
        }
        if self.book.size().is_multiple_of(PROGRESS) {
            tracing::info!(entries = self.book.size(), "reading the ledger");
        }
        Ok(())
    }

    fn verify(&self, candidate: Candidate) -> Result<crate::rules::Verified, ReplayError> {
        let key = match self.book.registry() {
            Some(registry) => registry.key(candidate.kid()).and_then(eleven_core::root::KeyRecord::verifying),
            None => crate::conformance::genesis_key(&candidate),
        };
        let key = key.ok_or_else(|| self.wrong("its key is not registered"))?;
        candidate.verify(&key).map_err(|why| self.wrong(why))
    }

    /// The index over the entries before the seal is the one that it names.
    fn check_seal(&mut self, record: &eleven_core::event::Record, depth: Depth) -> Result<(), ReplayError> {
        for (key, value) in self.resumed.changes.drain(..) {
            self.sealed.index.insert(key, value);
        }
        self.sealed_index = record.data_str("index").and_then(Sha256::parse);
        if depth == Depth::Everything {
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

    fn note_seal(&mut self, header: EntryHeader, chain: ChainValue) {
        self.resumed.changes.clear();
        self.resumed.unsealed = 0;
        self.sealed.size = header.seq + 1;
        self.sealed.at = Some(header.at);
        self.sealed.chain = Some(chain);
        let known = self.sealed.registry.as_ref().map(|registry| registry.epoch());
        if let Some(registry) = self.book.registry().filter(|registry| known != Some(registry.epoch())) {
            self.sealed.registry = Some(Arc::new(registry.clone()));
        }
    }

    fn finish(mut self) -> Result<Self, ReplayError> {
        self.check_index()?;
        if let Some(registry) = self.book.registry() {
            self.resumed.name = format!("ledger://{}", registry.domain());
        }
        Ok(self)
    }
}
