//! Following another's ledger: a replaying auditor. It copies the entries from tiles (C2SP tlog-tiles), with the content
//! that they name, and computes everything again by the replay that [`fsck`](crate::fsck()) runs: leaves, both chains, the
//! tree, the index at each seal, the registry, every signature and every rule. What it has verified it keeps, so that it is
//! a mirror too; and it says so of a head, to a witness that asks before it cosigns, only when all of it is verified.
//!
//! Nothing is kept before it stands under a head that the ledger signed, and no head is taken that does not go on from
//! the last one taken. Where the ledger signed what can't both be true, that becomes a file
//! ([`eleven_verify::equivocation`]). Memory holds the folds over the ledger and one window of entries, which is shorter
//! where their content is much: nothing is known of it before it is verified, so its bytes are what is bounded.

mod contradiction;
mod gate;
mod source;
#[cfg(test)]
mod tests;
mod tiles;
mod trust;

pub use contradiction::{compare, convicts};
pub use gate::Auditing;
pub use source::{Remote, Said, Source};

use crate::heads::{HeadError, Heads};
use crate::recover::{Depth, Met, ReplayError, Replayed, in_order, prepare_each, replay};
use crate::state::Published;
use eleven_api::client::CallError;
use eleven_core::encoding::Value;
use eleven_core::hash::{Sha3, Sha256};
use eleven_core::head::Head;
use eleven_core::root::TrustRoot;
use eleven_core::time::Time;
use eleven_store::{Folder, FolderError, Log as _, OpenError, Place, SegmentLog, SegmentOptions};
use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tiles::HashTiles;

/// The mark of an auditor's folder.
pub(crate) const CORNER: &str = "auditor";
/// The places of its logs in the folder.
const LOG: &str = "log";
const HEADS: &str = "heads";
/// Where evidence is written, in the folder.
const EVIDENCE: &str = "evidence";
/// So many tiles of entries are fetched, verified and kept at a time.
const WINDOW: u64 = 8;
/// A window ends early where the answers with its content have more bytes than this; each of them has at most what the
/// client takes.
const CONTENT_BYTES: usize = 32 << 20;
/// A window whose records have more bytes than this is kept in more than one commit.
const COMMIT_BYTES: usize = 24 << 20;

/// Why a ledger is not followed any further.
#[derive(Debug)]
pub enum FollowError {
    /// The ledger was not reached, or refused: ask again later.
    Call(CallError),
    /// Head and checkpoint are of two trees, however often they were asked for: ask again later.
    Apart,
    /// What it answered is not of its form: ask again later.
    Malformed(String),
    /// A head is not signed by a key that the pinned root leads to.
    Untrusted(String),
    /// An entry is wrong: the first, and how.
    Wrong(ReplayError),
    /// Entries are not those that the signed head commits to: the first of them, where it can be told, and how.
    NotUnderHead {
        /// The first entry that differs, or the first of those that were asked for.
        seq: u64,
        /// What is wrong.
        what: String,
    },
    /// The ledger signed what can't both be true; the evidence is kept.
    Equivocation {
        /// What it did.
        what: &'static str,
        /// The file of evidence.
        file: PathBuf,
        /// The entry by which the root let it, where it shows one.
        recovered: Option<u64>,
    },
    /// The folder can't be used.
    Folder(FolderError),
    /// A log in it can't be opened.
    Open(OpenError),
    /// What was kept is not what was verified.
    Kept(String),
    /// Something could not be written.
    Write(String),
    /// A round was left before what it verified was kept.
    Unfinished,
}

impl fmt::Display for FollowError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Call(error) => error.fmt(f),
            Self::Apart => f.write_str(
                "head and checkpoint are of two trees, however often they are asked for: a cache on the way keeps one of them",
            ),
            Self::Malformed(what) => write!(f, "the ledger's answer is not of its form: {what}"),
            Self::Untrusted(what) => f.write_str(what),
            Self::Wrong(error) => error.fmt(f),
            Self::NotUnderHead { seq, what } => {
                write!(f, "from entry {seq} on the ledger shows another history: {what}")
            }
            Self::Equivocation { what, file, recovered } => {
                write!(f, "{what}: the evidence is {}", file.display())?;
                let Some(seq) = recovered else { return Ok(()) };
                write!(
                    f,
                    "; its entry {seq} answers for that (`ledger.recovered`): the root let it go back; keep this folder and \
                     follow it into another"
                )
            }
            Self::Folder(error) => error.fmt(f),
            Self::Open(error) => error.fmt(f),
            Self::Kept(what) => write!(
                f,
                "the mirror is damaged: {what}: move its folder away, keep what is in `{EVIDENCE}` there, and follow again into a new one"
            ),
            Self::Write(what) => write!(f, "the mirror cannot be written: {what}"),
            Self::Unfinished => f.write_str("a round was left before what it verified was kept: start again"),
        }
    }
}

impl std::error::Error for FollowError {}

impl From<CallError> for FollowError {
    fn from(error: CallError) -> Self {
        Self::Call(error)
    }
}

impl FollowError {
    /// Whether asking again later may help: the ledger was not there, or an answer is of before, or it is none, as a page of what stands
    /// on the way, or cut. Nothing speaks against the ledger, which signed none of that.
    #[must_use]
    pub const fn is_passing(&self) -> bool {
        matches!(self, Self::Call(_) | Self::Apart | Self::Malformed(_))
    }

    /// Whether it is this machine that fails, which says nothing of the ledger: its disk, or its mirror.
    #[must_use]
    pub const fn is_own(&self) -> bool {
        matches!(self, Self::Folder(_) | Self::Open(_) | Self::Kept(_) | Self::Write(_) | Self::Unfinished)
    }
}

/// What was verified so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Audited {
    /// The ledger's name; empty before the first head.
    pub ledger: String,
    /// The size of the last head: all entries below it are verified.
    pub size: u64,
    /// Its root.
    pub root: Option<Sha256>,
    /// When it was signed.
    pub at: Option<Time>,
    /// How much was replayed.
    pub met: Met,
}

/// A mirror of a ledger that was verified entry by entry.
pub struct Follower {
    folder: Folder,
    log: SegmentLog,
    heads: Heads,
    pinned: TrustRoot,
    replayed: Replayed,
    last: Option<Published>,
    /// Whether the folder was not there.
    made: bool,
    /// [`CONTENT_BYTES`], or what a test says.
    content_bytes: usize,
    /// Set where the state in memory is ahead of what was verified and kept: nothing goes on from it, and each round says
    /// again why.
    ahead: Option<Ahead>,
}

/// Why the state in memory is ahead of what was verified and kept.
#[derive(Clone)]
enum Ahead {
    /// The window is being verified, or whoever waited for that left.
    Unfinished,
    /// Something in it is wrong.
    Wrong(ReplayError),
    /// It is not what the signed head commits to.
    NotUnderHead { seq: u64, what: String },
    /// All of it is right, and it could not be written.
    Unwritten(String),
}

impl Ahead {
    /// What a round that ended so says once more.
    fn again(&self) -> FollowError {
        match self.clone() {
            Self::Unfinished => FollowError::Unfinished,
            Self::Wrong(error) => FollowError::Wrong(error),
            Self::NotUnderHead { seq, what } => FollowError::NotUnderHead { seq, what },
            Self::Unwritten(what) => FollowError::Write(what),
        }
    }
}

impl Follower {
    /// Opens a mirror, an empty one where there is none, for the ledger of the root's domain. What was kept is replayed.
    ///
    /// # Errors
    /// Where the folder can't be used, or does not hold what was verified.
    pub fn open(folder: &Path, pinned: TrustRoot) -> Result<Self, FollowError> {
        let made = !folder.exists();
        let folder = Folder::open_or_begin(folder, CORNER).map_err(FollowError::Folder)?;
        let place = |name| folder.place(name).map_err(FollowError::Folder);
        let (log, heads) = (place(LOG)?, place(HEADS)?);
        Ok(Self { made, ..Self::on(folder, log, heads, pinned)? })
    }

    /// Ends it. A mirror that holds nothing is taken away, and its folder where that was made for it: there it was asked for at an
    /// address where nobody is, or by whoever is shown nothing. What can't be taken away stays.
    pub fn leave(self) {
        let Self { folder, log, heads, last, made, .. } = self;
        let path = folder.path().to_owned();
        if log.next() > 0 || last.is_some() || path.join(EVIDENCE).exists() {
            return;
        }
        drop((log, heads));
        let mut removed = [LOG, HEADS].iter().map(|name| std::fs::remove_dir_all(path.join(name)));
        if removed.all(|removed| removed.is_ok()) && folder.abandon().is_ok() && made {
            // Somebody else may have begun there this moment.
            let _ = std::fs::remove_dir(path);
        }
    }

    /// The same, with its logs in these places.
    fn on(folder: Folder, log: Place, heads: Place, pinned: TrustRoot) -> Result<Self, FollowError> {
        let open = |place| SegmentLog::open(place, SegmentOptions::default()).map_err(FollowError::Open);
        let (log, heads) = (open(log)?, Heads::new(open(heads)?));
        let kept = |error: &dyn fmt::Display| FollowError::Kept(error.to_string());
        let replayed = if log.next() == 0 {
            Replayed::new(Depth::Everything, BTreeSet::new())
        } else {
            replay(log.reader().as_ref(), Depth::RESUME).map_err(|error| kept(&error))?.checking_everything()
        };
        let last = heads.last(&pinned.witnesses).map_err(|error| kept(&error))?;
        if let Some(last) = &last {
            let commitment = &last.head.commitment;
            if replayed.tree.root_at(commitment.size) != Some(commitment.root) {
                return Err(kept(&HeadError::Fork { size: commitment.size }));
            }
        }
        let (made, content_bytes) = (false, CONTENT_BYTES);
        Ok(Self { folder, log, heads, pinned, replayed, last, made, content_bytes, ahead: None })
    }

    /// What was verified so far.
    #[must_use]
    pub fn audited(&self) -> Audited {
        let head = self.last.as_ref().map(|last| &last.head.commitment);
        Audited {
            ledger: head.map_or_else(String::new, |head| head.ledger.clone()),
            size: head.map_or(0, |head| head.size),
            root: head.map(|head| head.root),
            at: self.last.as_ref().map(|last| last.head.at),
            met: self.replayed.met,
        }
    }

    /// The root of the verified tree at a size that a verified head covers.
    #[must_use]
    pub fn root_at(&self, size: u64) -> Option<Sha256> {
        let covered = self.last.as_ref().is_some_and(|last| size <= last.head.commitment.size);
        if covered { self.replayed.tree.root_at(size) } else { None }
    }

    /// Asks the ledger for its head, and verifies all that is new under it. `progress` is told after each window.
    ///
    /// # Errors
    /// [`FollowError`]; what was verified before stays as it was.
    pub async fn round(
        &mut self,
        source: &dyn Source,
        progress: &mut (dyn FnMut(&Met) + Send),
    ) -> Result<Audited, FollowError> {
        if let Some(ahead) = &self.ahead {
            return Err(ahead.again());
        }
        let mut wrong = None;
        loop {
            let moved = self.replayed.met.moved;
            let said = source::fetch_head(source).await?;
            let mut roots = self.roots();
            trust::lead(source, &mut roots, &said).await?;
            self.check_not_contradicted(source, &said, &roots).await?;
            let size = said.head.commitment.size;
            if size < self.replayed.book.size() {
                // An answer of before, from a cache on the way; or more was kept than a head was taken for.
                if self.replayed.tree.root_at(size) != Some(said.head.commitment.root) {
                    self.explain_fork(source, &mut HashTiles::new(size), &said, &roots).await?;
                }
                if !self.is_sealed(&said.head.commitment)? {
                    self.explain_seal(source, &said, &roots).await?;
                }
                // No content is judged by that: what the head before did not let go is not let go by it.
                return wrong.map_or_else(|| Ok(self.audited()), |error| Err(FollowError::Wrong(error)));
            }
            let mut tiles = HashTiles::new(size);
            self.check_goes_on(source, &mut tiles, &said, &roots).await?;
            while self.replayed.book.size() < size {
                self.window(source, &mut tiles, &said, progress).await?;
            }
            // Content may have gone since this head was signed. The head that let it go was signed before that, so the next that is
            // asked for says so.
            let since = self.replayed.met.moved > moved;
            match self.settle(said) {
                Err(FollowError::Wrong(error)) if since => wrong = Some(error),
                settled => return settled.map(|()| self.audited()),
            }
        }
    }

    /// The versions of the root that are known, the newest last: those that the entries published, and the pinned one.
    fn roots(&self) -> Vec<TrustRoot> {
        let folded = self.replayed.book.registry().into_iter().flat_map(|registry| registry.roots());
        let others = folded.filter(|root| root.version != self.pinned.version);
        let mut roots: Vec<TrustRoot> = others.chain([&self.pinned]).cloned().collect();
        roots.sort_by_key(|root| root.version);
        roots
    }

    /// The new head's tree begins with the tree that was verified.
    async fn check_goes_on(
        &mut self,
        source: &dyn Source,
        tiles: &mut HashTiles,
        said: &Said,
        roots: &[TrustRoot],
    ) -> Result<(), FollowError> {
        let (size, root) = (self.replayed.book.size(), self.replayed.tree.root());
        if size == 0 || size > said.head.commitment.size {
            return Ok(());
        }
        if tiles.begins_with(source, size, &root, &said.head.commitment.root).await? {
            return Ok(());
        }
        self.explain_fork(source, tiles, said, roots).await
    }

    /// Fetches, verifies and keeps the next entries.
    async fn window(
        &mut self,
        source: &dyn Source,
        tiles: &mut HashTiles,
        said: &Said,
        progress: &mut (dyn FnMut(&Met) + Send),
    ) -> Result<(), FollowError> {
        let from = self.replayed.book.size();
        let to = ((from / tiles::WIDTH + WINDOW) * tiles::WIDTH).min(said.head.commitment.size);
        let (content, to) = source::fetch_content(source, from, to, self.content_bytes).await?;
        let entries = source::fetch_entries(source, from, to, said.head.commitment.size).await?;
        let records = source::as_records(entries, content);
        let beginning = tiles.beginning(source, to).await?;
        // From here on memory is ahead of what was verified, until it is kept: nothing may fail that could pass, so all
        // that the ledger is asked for was fetched.
        self.ahead = Some(Ahead::Unfinished);
        let taken = self.take(&records);
        progress(&self.replayed.met);
        let outcome = match taken {
            Err(error) => Err(Ahead::Wrong(error)),
            Ok(()) if beginning.is_of(&self.replayed.tree.root(), &said.head.commitment.root) => {
                self.keep(&records).map_err(Ahead::Unwritten)
            }
            Ok(()) => {
                // Which entry it is may not be told any more; that one is wrong stands.
                let first = tiles.first_other(source, from, to, &self.replayed.tree).await;
                let seq = first.ok().flatten().unwrap_or(from);
                let what = "its bytes are not those that the signed head commits to".to_owned();
                Err(Ahead::NotUnderHead { seq, what })
            }
        };
        self.ahead = outcome.err();
        self.ahead.as_ref().map_or(Ok(()), |ahead| Err(ahead.again()))
    }

    fn take(&mut self, records: &[Vec<u8>]) -> Result<(), ReplayError> {
        let keys = Arc::clone(&self.replayed.keys);
        let first = self.log.next();
        let mut pieces = (first..).zip(records).collect::<Vec<_>>().into_iter();
        let next = || {
            let piece: Vec<(u64, &Vec<u8>)> = pieces.by_ref().take(64).collect();
            Ok((!piece.is_empty()).then_some(piece))
        };
        let work = |piece: Vec<(u64, &Vec<u8>)>| {
            prepare_each(piece.into_iter().map(|(at, bytes)| (at, bytes.clone())), &keys, Depth::Everything)
        };
        let replayed = &mut self.replayed;
        in_order(next, work, |prepared| prepared.into_iter().try_for_each(|one| replayed.take(one)))
    }

    fn keep(&mut self, records: &[Vec<u8>]) -> Result<(), String> {
        let mut left = records;
        while !left.is_empty() {
            let mut bytes = 0;
            let fits = left.iter().take_while(|record| {
                bytes += record.len();
                bytes <= COMMIT_BYTES
            });
            let (commit, rest) = left.split_at(fits.count().max(1));
            let commit: Vec<&[u8]> = commit.iter().map(Vec::as_slice).collect();
            let durable = self.log.append(self.log.next(), &commit);
            drop(durable.map_err(|error| error.to_string())?);
            left = rest;
        }
        Ok(())
    }

    /// All that the head says follows from the entries: then it is taken.
    fn settle(&mut self, said: Said) -> Result<(), FollowError> {
        let registry = self.replayed.book.registry();
        if !registry.is_some_and(|registry| registry.roots().any(|root| root.payload() == self.pinned.payload())) {
            let what = "the pinned root is none of the ledger's: it is another domain's, or newer than the ledger";
            return Err(FollowError::Untrusted(what.to_owned()));
        }
        let sealed = self.replayed.sealed_commitment();
        if sealed.as_ref() != Some(&said.head.commitment) {
            return Err(contradiction::other_than_its_entries(&said.head.commitment));
        }
        // What led to its key is what the entries published, and not only what was shown beside them.
        if !trust::signs(&self.roots(), &said) {
            let what = "the head is not signed by a head key of a root that the entries under it publish";
            return Err(FollowError::Untrusted(what.to_owned()));
        }
        self.replayed.check_moved(said.head.at).map_err(FollowError::Wrong)?;
        let order = |head: &Head| (head.commitment.size, head.at);
        if self.last.as_ref().is_none_or(|last| order(&last.head) < order(&said.head)) {
            let note = trust::known_lines(&self.roots(), &said);
            let published = Published::new(said.head, note, &self.pinned.witnesses);
            self.heads.store(&published).map_err(|error| FollowError::Write(error.to_string()))?;
            self.last = Some(published);
        }
        Ok(())
    }

    /// Writes evidence, once for the same, and says where.
    fn write_evidence(&self, evidence: &Value) -> Result<PathBuf, FollowError> {
        let name: String = Sha3::of_value(evidence).hex().chars().take(16).collect();
        let folder = self.folder.path().join(EVIDENCE);
        let file = folder.join(format!("{name}.equivocation.json"));
        let written = std::fs::create_dir_all(&folder).and_then(|()| std::fs::write(&file, evidence.canonical()));
        written.map_err(|error| FollowError::Write(format!("{}: {error}", file.display())))?;
        Ok(file)
    }
}
