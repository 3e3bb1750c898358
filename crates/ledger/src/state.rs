//! What the writer, the prover and the server share. The writer alone changes it; who reads goes by the durable size or by
//! the head, never by what was only staged.

use crate::archive::Archive;
use crate::history::Shown;
use crate::keys::Keys;
use crate::places::Places;
use crate::rules::Book;
use crate::saved::saved_fields;
use crate::seal::SealedEntry;
use crate::stored::Stored;
use eleven_api::audit::Durability;
use eleven_core::chain::{ChainValue, EntryHeader};
use eleven_core::hash::{Sha3, Sha256};
use eleven_core::head::Head;
use eleven_core::head::checkpoint::Note;
use eleven_core::index::OperationIndex;
use eleven_core::registry::Fold;
use eleven_core::root::Witnesses;
use eleven_core::time::Time;
use eleven_core::tree::MemoryTree;
use eleven_store::{ReadError, ReadLog};
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;
use tokio::sync::watch;

/// Reads a lock whose holder never leaves it half changed.
pub(crate) fn read<T>(lock: &RwLock<T>) -> RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(PoisonError::into_inner)
}

/// Writes such a lock.
pub(crate) fn write<T>(lock: &RwLock<T>) -> RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(PoisonError::into_inner)
}

/// The state of the corner.
pub(crate) struct Shared {
    /// The rules' fold, the staged entries among it.
    pub(crate) book: RwLock<Book>,
    /// Where things stand in the log. Changed under the book where both change, so that whoever asks the book first finds here
    /// what it named; and nothing else is locked by who holds these.
    pub(crate) places: RwLock<Places>,
    /// The tree over durable entries.
    pub(crate) tree: RwLock<MemoryTree>,
    /// The folds as of the last seal.
    pub(crate) sealed: RwLock<Sealed>,
    /// Event keys.
    pub(crate) keys: Keys,
    /// How many entries are durable.
    pub(crate) durable: watch::Sender<u64>,
    /// How many entries were durable after the last commit that held a notable one: an entry that makes a registry epoch, or says that
    /// a stream is broken. Whoever waits for such entries alone watches this, and is not woken by every commit.
    pub(crate) notable: watch::Sender<u64>,
    /// The last signed head, durable before it is here. Sent again when it rises.
    pub(crate) head: watch::Sender<Option<Arc<Published>>>,
    /// The heads before it.
    pub(crate) shown: Shown,
    /// The newest heads above D3.
    pub(crate) raised: watch::Sender<Raised>,
    /// Set while the last head waits for its witnesses: the next seal waits a little, too.
    pub(crate) collecting: AtomicBool,
    /// What witnesses say to have cosigned that this ledger does not have.
    pub(crate) ahead: crate::witness::Ahead,
    /// The log.
    pub(crate) log: Arc<dyn ReadLog>,
    /// Set where the authority signed another registry than was folded here: no head is signed any more.
    pub(crate) disagreement: AtomicBool,
    /// Whether that was so when this process started: then it ends where both agree again.
    pub(crate) carried: AtomicBool,
    /// Set where a head could not be signed or stored.
    pub(crate) headless: AtomicBool,
    pub(crate) counts: Counts,
    /// Held while a record is given its time, judged and applied. Whoever takes it finds no record half way: all later ones are judged
    /// by what is folded now, at a time not before now.
    pub(crate) judging: Mutex<()>,
    /// The time of the last head that covered every entry, in milliseconds, set before the head is signed. No later entry is dated
    /// before it.
    pub(crate) dated: AtomicI64,
    /// Where content went that is past its retention, where that is at hand.
    pub(crate) archive: Option<Archive>,
}

/// What `/metrics` tells.
#[derive(Default)]
pub(crate) struct Counts {
    pub(crate) appended: AtomicU64,
    pub(crate) repeated: AtomicU64,
    pub(crate) refused: AtomicU64,
    pub(crate) equivocations: AtomicU64,
    pub(crate) gaps: AtomicU64,
    pub(crate) untimely: AtomicU64,
    pub(crate) unfolded: AtomicU64,
    pub(crate) heads: AtomicU64,
    pub(crate) cosignatures: AtomicU64,
    pub(crate) archived: AtomicU64,
    pub(crate) failed_archivings: AtomicU64,
}

impl Counts {
    pub(crate) fn add(counter: &AtomicU64) {
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

/// A signed head and its checkpoint.
#[derive(Debug)]
pub(crate) struct Published {
    pub(crate) head: Head,
    /// The text of `note`, as it is served.
    pub(crate) checkpoint: String,
    /// The checkpoint with the ledger's line and those of its witnesses.
    pub(crate) note: Note,
    /// D3, or what its cosignatures make of it.
    pub(crate) level: Durability,
    /// Whether it is cosigned by all that the root asks for: what a verifier wants to see.
    pub(crate) satisfied: bool,
}

impl Published {
    pub(crate) const fn size(&self) -> u64 {
        self.head.commitment.size
    }
}

/// The newest heads above D3.
#[derive(Clone, Debug, Default)]
pub(crate) struct Raised {
    /// The newest that the quorum of witnesses cosigned: D4.
    pub(crate) cosigned: Option<Arc<Published>>,
    /// The newest that an auditor cosigned besides: D5.
    pub(crate) mirrored: Option<Arc<Published>>,
}

/// The folds over the entries before the last seal: what the head over that seal commits to.
#[derive(Default)]
pub(crate) struct Sealed {
    /// The size of a head over the seal; 0 before the first.
    pub(crate) size: u64,
    /// When the seal was appended.
    pub(crate) at: Option<Time>,
    /// Both chains after the seal, from when that is durable.
    pub(crate) chain: Option<ChainValue>,
    pub(crate) index: OperationIndex,
    pub(crate) registry: Option<Arc<Fold>>,
}

impl Sealed {
    /// Notes the chains after a seal that is durable, unless the next is staged by now.
    pub(crate) fn chained(&mut self, seal: &SealedEntry) {
        if self.size == seal.size {
            self.chain = Some(seal.chain);
        }
    }
}

// The registry follows from the entries that made its epochs.
saved_fields!(Sealed { size, at, chain, index } but registry);

/// An entry as it was read back.
pub(crate) struct ReadEntry {
    pub(crate) header: EntryHeader,
    /// The record's canonical bytes.
    pub(crate) record: Vec<u8>,
}

/// Why something could not be read back.
#[derive(Debug)]
pub(crate) enum LookError {
    /// It is not there, or not yet durable.
    Absent,
    /// It was moved to an archive that is not at hand.
    Archived,
    /// The log could not be read.
    Read(ReadError),
    /// The log holds something else there.
    Other(&'static str),
}

impl fmt::Display for LookError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absent => f.write_str("it is not in this ledger"),
            Self::Archived => f.write_str(
                "its content is past its retention and was moved to an archive: mount it and name it in `ledger.archive`",
            ),
            Self::Read(error) => error.fmt(f),
            Self::Other(what) => write!(f, "the log holds no {what} where one was written: run `eleven ledger fsck`"),
        }
    }
}

impl std::error::Error for LookError {}

impl Shared {
    /// What the search index is made of.
    pub(crate) fn source(&self) -> crate::search::Source<'_> {
        crate::search::Source { log: self.log.as_ref(), places: &self.places, tree: &self.tree }
    }

    /// How many entries are durable.
    pub(crate) fn size(&self) -> u64 {
        *self.durable.borrow()
    }

    /// The record of the log at a position.
    pub(crate) fn stored(&self, position: u64) -> Result<crate::stored::Stored, LookError> {
        let found = self.log.read_from(position, 1, 1).map_err(LookError::Read)?;
        let (_, bytes) = found.into_iter().next().ok_or(LookError::Absent)?;
        Stored::decode(bytes).ok_or(LookError::Other("record"))
    }

    /// The bytes of a durable entry.
    pub(crate) fn entry_bytes(&self, seq: u64) -> Result<Vec<u8>, LookError> {
        if seq >= self.size() {
            return Err(LookError::Absent);
        }
        let position = read(&self.places).entry(seq).ok_or(LookError::Absent)?;
        match self.stored(position)? {
            Stored::Entry(bytes) => Ok(bytes),
            _ => Err(LookError::Other("entry")),
        }
    }

    /// A durable entry, split into its header and its record.
    pub(crate) fn entry(&self, seq: u64) -> Result<ReadEntry, LookError> {
        let bytes = self.entry_bytes(seq)?;
        let (header, record) = EntryHeader::split(&bytes).map_err(|_| LookError::Other("entry"))?;
        Ok(ReadEntry { header, record: record.to_vec() })
    }

    /// Content by its hash.
    pub(crate) fn blob(&self, hash: &Sha3) -> Result<Vec<u8>, LookError> {
        let position = read(&self.places).blob(hash).ok_or(LookError::Absent)?;
        let bytes = self.blob_at(position)?;
        if Sha3::of(&[&bytes]) == *hash { Ok(bytes) } else { Err(LookError::Absent) }
    }

    fn blob_at(&self, position: u64) -> Result<Vec<u8>, LookError> {
        match self.stored(position)? {
            Stored::Blob(bytes) => Ok(bytes),
            Stored::Moved(hash) => {
                self.archive.as_ref().and_then(|archive| archive.content(&hash)).ok_or(LookError::Archived)
            }
            _ => Err(LookError::Other("blob")),
        }
    }

    /// The content that stands between an entry and the one before it; of what was moved to an archive that is not at hand,
    /// the hash.
    pub(crate) fn content_before(&self, seq: u64) -> Result<Vec<Stored>, LookError> {
        let (start, end) = {
            let places = read(&self.places);
            let before = seq.checked_sub(1).map(|before| places.entry(before).ok_or(LookError::Absent)).transpose()?;
            (before.map_or(0, |before| before + 1), places.entry(seq).ok_or(LookError::Absent)?)
        };
        let mut found = Vec::new();
        for position in start..end {
            match self.stored(position)? {
                Stored::Moved(hash) => {
                    let archived = self.archive.as_ref().and_then(|archive| archive.content(&hash));
                    found.push(archived.map_or(Stored::Moved(hash), Stored::Blob));
                }
                Stored::Blob(bytes) => found.push(Stored::Blob(bytes)),
                Stored::Entry(_) | Stored::Header(_) => {}
            }
        }
        Ok(found)
    }

    /// The artifact of an `authorization.issued`: it stands right before its entry.
    pub(crate) fn artifact_of(&self, issued: u64) -> Result<Vec<u8>, LookError> {
        let position = read(&self.places).entry(issued).ok_or(LookError::Absent)?;
        self.blob_at(position.checked_sub(1).ok_or(LookError::Absent)?)
    }

    /// Whether the authority's header for an epoch is here, and durable: one that is only staged is not shown.
    pub(crate) fn has_header(&self, epoch: u64) -> bool {
        let position = read(&self.places).header(epoch);
        position.is_some_and(|position| position < self.log.durable())
    }

    /// The registry header that the authority signed for an epoch.
    pub(crate) fn header(&self, epoch: u64) -> Result<Vec<u8>, LookError> {
        let position = read(&self.places).header(epoch).ok_or(LookError::Absent)?;
        match self.stored(position)? {
            Stored::Header(bytes) => Ok(bytes),
            _ => Err(LookError::Other("registry header")),
        }
    }

    /// The last head.
    pub(crate) fn published(&self) -> Option<Arc<Published>> {
        self.head.borrow().clone()
    }

    /// Shows a head that is durable: one that was just signed, or one that has risen.
    pub(crate) fn show(&self, published: Arc<Published>) {
        self.shown.add(Arc::clone(&published));
        self.raise(&published);
        self.head.send_replace(Some(published));
    }

    /// Notes a head that may be the newest of its level.
    pub(crate) fn raise(&self, published: &Arc<Published>) {
        let newer = |known: &Option<Arc<Published>>, least| {
            published.level >= least && known.as_ref().is_none_or(|known| known.size() <= published.size())
        };
        self.raised.send_if_modified(|raised| {
            let cosigned = newer(&raised.cosigned, Durability::D4);
            let mirrored = newer(&raised.mirrored, Durability::D5);
            if cosigned {
                raised.cosigned = Some(Arc::clone(published));
            }
            if mirrored {
                raised.mirrored = Some(Arc::clone(published));
            }
            cosigned || mirrored
        });
    }

    /// The newest head at a level, or above it; below D3 the last one.
    pub(crate) fn published_at(&self, level: Durability) -> Option<Arc<Published>> {
        match level {
            Durability::D5 => self.raised.borrow().mirrored.clone(),
            Durability::D4 => self.raised.borrow().cosigned.clone(),
            _ => self.published(),
        }
    }

    /// How durable the first `size` entries are (PROTOCOL 8); they are in the log.
    pub(crate) fn durability(&self, size: u64) -> Durability {
        let under = |level| self.published_at(level).is_some_and(|head| head.size() >= size);
        [Durability::D5, Durability::D4, Durability::D3]
            .into_iter()
            .find(|level| under(*level))
            .unwrap_or(Durability::D1)
    }

    /// Waits until the first `size` entries are as durable as `level`, for at most `wait`; says what they are then.
    pub(crate) async fn reached(&self, size: u64, level: Durability, wait: Duration) -> Durability {
        let (mut heads, mut raised) = (self.head.subscribe(), self.raised.subscribe());
        let deadline = tokio::time::Instant::now() + wait;
        loop {
            let (_, _) = (heads.borrow_and_update(), raised.borrow_and_update());
            let reached = self.durability(size);
            if reached >= level {
                return reached;
            }
            let changed = async {
                tokio::select! {
                    changed = heads.changed() => changed.is_ok(),
                    changed = raised.changed() => changed.is_ok(),
                }
            };
            if !tokio::time::timeout_at(deadline, changed).await.is_ok_and(|changed| changed) {
                return self.durability(size);
            }
        }
    }

    /// Who cosigns heads, by the root in force.
    pub(crate) fn witnesses(&self) -> Witnesses {
        let sealed = read(&self.sealed).registry.clone();
        let sealed = sealed.map(|registry| registry.root().witnesses.clone());
        sealed.or_else(|| Some(read(&self.book).registry()?.root().witnesses.clone())).unwrap_or_default()
    }

    /// The root of the tree at a size.
    pub(crate) fn root_at(&self, size: u64) -> Option<Sha256> {
        read(&self.tree).root_at(size)
    }
}
