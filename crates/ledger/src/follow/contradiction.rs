//! What a ledger signed that can't both be true, made into a file that convicts it.

use super::source::{self, Said, Source};
use super::tiles::HashTiles;
use super::{FollowError, Follower, trust};
use crate::saved::entry_of;
use eleven_core::chain::{EntryHeader, advance};
use eleven_core::encoding::{Object, Value, parse};
use eleven_core::head::{Commitment, Head};
use eleven_core::recovery::Recovery;
use eleven_core::root::TrustRoot;
use eleven_core::tree::{self, MemoryTree};
use eleven_store::Log as _;
use eleven_verify::equivocation::{Conflict, Evidence, Leaf, Leaves, Statement, verify};
use eleven_verify::{Caller, Pinned, Verdict};

const FORKED: &str = "the ledger signed two histories";
const WENT_BACK: &str = "the ledger signed a head that goes back";
/// So many entries after two histories part the root's word for that is looked for: it is appended before anything is taken,
/// behind what was put back past its last head.
const NEAR: u64 = 1024;

impl Follower {
    /// The new head and the last one are of one history as far as the two alone tell.
    ///
    /// # Errors
    /// [`FollowError::Equivocation`], with the evidence written.
    pub(super) async fn check_not_contradicted(
        &self,
        source: &dyn Source,
        said: &Said,
        roots: &[TrustRoot],
    ) -> Result<(), FollowError> {
        let Some(last) = &self.last else { return Ok(()) };
        match conflict_of(&last.head, &said.head) {
            None => Ok(()),
            Some((what, conflict)) => self.convict(what, conflict, source, said, roots).await,
        }
    }

    /// Of the new head's tree and the one that was verified the smaller does not begin the larger: the leaf at which they part is
    /// looked for. Of the last head's tree there are all leaves here; the ledger has to show its new tree.
    pub(super) async fn explain_fork(
        &self,
        source: &dyn Source,
        tiles: &mut HashTiles,
        said: &Said,
        roots: &[TrustRoot],
    ) -> Result<(), FollowError> {
        let Some(last) = &self.last else {
            let what = "entries were verified under a head that it does not show any more".to_owned();
            return Err(FollowError::NotUnderHead { seq: 0, what });
        };
        let (mine, size) = (&self.replayed.tree, last.head.commitment.size);
        let both = mine.size().min(said.head.commitment.size);
        let Some(seq) = tiles.first_other(source, 0, both, mine).await? else {
            let what = "its tiles do not add up to the tree that its head signs".to_owned();
            return Err(FollowError::NotUnderHead { seq: both, what });
        };
        let leaves = leaves_at(source, tiles, mine, size, seq).await?;
        let statements = [Statement::Head(last.head.clone()), Statement::Head(said.head.clone())];
        self.convict(FORKED, Conflict::Fork { statements, leaves }, source, said, roots).await?;
        let what = "it is not the entry that was verified, and its tiles do not prove the new one".to_owned();
        Err(FollowError::NotUnderHead { seq, what })
    }

    /// Whether a head over the beginning of the tree that was verified commits to what the seal under it does, which was verified
    /// with its entries.
    pub(super) fn is_sealed(&self, head: &Commitment) -> Result<bool, FollowError> {
        let (log, seq) = (self.log.reader(), head.size.saturating_sub(1));
        let seal = entry_of(log.as_ref(), &self.replayed.places, &self.replayed.tree, seq);
        let (header, record) = seal.map_err(FollowError::Kept)?;
        let named =
            Object::new().with("size", seq).with("index", head.index).with("registry", head.registry.to_value());
        let chain = advance(header.prev.as_ref(), &header.bytes(record.canonical()));
        Ok(record.event == "ledger.sealed" && record.data == named && chain == head.chain)
    }

    /// The new head is over the tree that was verified, and commits to something else than its entries come to. Where another of its
    /// size was taken, the two convict.
    pub(super) async fn explain_seal(
        &self,
        source: &dyn Source,
        said: &Said,
        roots: &[TrustRoot],
    ) -> Result<(), FollowError> {
        let kept = self.heads.kept(&self.pinned.witnesses).map_err(|error| FollowError::Kept(error.to_string()))?;
        let taken = kept.into_iter().map(|kept| kept.head).find(|taken| taken.equivocates(&said.head));
        if let Some(taken) = taken {
            let statements = [Statement::Head(taken), Statement::Head(said.head.clone())];
            self.convict(FORKED, Conflict::Fork { statements, leaves: None }, source, said, roots).await?;
        }
        Err(other_than_its_entries(&said.head.commitment))
    }

    /// Writes the evidence of a conflict, where it is proven.
    async fn convict(
        &self,
        what: &'static str,
        conflict: Conflict,
        source: &dyn Source,
        said: &Said,
        roots: &[TrustRoot],
    ) -> Result<(), FollowError> {
        let Some(evidence) = proven(roots.to_vec(), conflict, &self.pinned) else { return Ok(()) };
        let file = self.write_evidence(&evidence)?;
        Err(FollowError::Equivocation { what, file, recovered: self.recovered(source, said, roots).await })
    }

    /// The entry of the new history that holds the root's word for what was verified here being given up; none where the
    /// ledger does not show one. It undoes no evidence, so what can't be read says as little as what is not there.
    async fn recovered(&self, source: &dyn Source, said: &Said, roots: &[TrustRoot]) -> Option<u64> {
        let (size, mine) = (said.head.commitment.size, &self.replayed.tree);
        let both = size.min(mine.size());
        let parted = HashTiles::new(size).first_other(source, 0, both, mine).await.ok()?;
        let from = parted.unwrap_or(both);
        let entries = source::fetch_entries(source, from, size.min(from + NEAR), size).await.ok()?;
        let word = entries.into_iter().find(|(_, entry)| self.is_answered_by(entry, said, roots));
        word.map(|(seq, _)| seq)
    }

    /// Whether an entry is a recovery of that ledger by the root in force then, from what stands here, which gives up the rest of it.
    pub(super) fn is_answered_by(&self, entry: &[u8], said: &Said, roots: &[TrustRoot]) -> bool {
        let record = EntryHeader::split(entry).ok().and_then(|(_, record)| parse(record).ok());
        let data = record.as_ref().and_then(|record| record.get("data"));
        let Some(word) = data.and_then(|data| Recovery::read(data.clone()).ok()) else { return false };
        let (mine, last) = (&self.replayed.tree, self.last.as_ref().map(|last| &last.head));
        // Whoever signs says when that was: a key that had ended under what was verified here names no moment before its end.
        let then = last.map_or(word.at, |last| last.at.max(word.at));
        let in_force = roots.iter().filter(|root| root.nbf <= then).max_by_key(|root| root.version);
        word.ledger == said.head.commitment.ledger
            && in_force.is_some_and(|root| word.is_signed_by(root))
            && mine.root_at(word.restored.size) == Some(word.restored.root)
            && last.is_none_or(|last| last.commitment.size <= word.lost.size)
            && mine.root_at(word.lost.size).is_none_or(|root| root == word.lost.root)
    }
}

/// A head over the very tree of its entries, and not over what they come to.
pub(super) fn other_than_its_entries(head: &Commitment) -> FollowError {
    let what = "the head's chain values, index or registry are not those that the entries come to".to_owned();
    FollowError::NotUnderHead { seq: head.size.saturating_sub(1), what }
}

/// What two signed heads show by themselves: one size and two commitments, or a younger one that is smaller.
fn conflict_of(one: &Head, two: &Head) -> Option<(&'static str, Conflict)> {
    if one.equivocates(two) {
        let statements = [Statement::Head(one.clone()), Statement::Head(two.clone())];
        return Some((FORKED, Conflict::Fork { statements, leaves: None }));
    }
    let (older, younger) = if one.at <= two.at { (one, two) } else { (two, one) };
    let back = older.at < younger.at && younger.commitment.size < older.commitment.size;
    back.then(|| (WENT_BACK, Conflict::Back { heads: [older.clone(), younger.clone()] }))
}

/// The file, where a verifier that pins the root finds it proven.
fn proven(roots: Vec<TrustRoot>, conflict: Conflict, pinned: &TrustRoot) -> Option<Value> {
    let evidence = Evidence { roots, conflict }.to_value();
    let root = Pinned::new(pinned.to_value());
    let report = verify(&evidence, &Caller { root: Some(&root), ..Caller::default() });
    (report.verdict == Verdict::Verified).then_some(evidence)
}

/// The file of evidence that two checkpoints make, each as text with the ledger's line: of one size and with two roots, as
/// a witness keeps them. `None` where they convict nobody whom the root names.
#[must_use]
pub fn convicts(root: &TrustRoot, held: &str, shown: &str) -> Option<Value> {
    let statements = [held, shown].map(|text| Statement::Checkpoint(text.to_owned()));
    proven(vec![root.clone()], Conflict::Fork { statements, leaves: None }, root)
}

/// Leaf `seq` in both trees.
async fn leaves_at(
    source: &dyn Source,
    tiles: &mut HashTiles,
    mine: &MemoryTree,
    size: u64,
    seq: u64,
) -> Result<Option<Leaves>, FollowError> {
    let first = tree::Hashes::node(mine, 0, seq).zip(tree::inclusion_proof(mine, seq, size));
    let second = tiles.leaf(source, seq).await?.zip(tiles.inclusion(source, seq).await?);
    let leaf = |(hash, proof)| Leaf { hash, proof };
    Ok(first.zip(second).map(|(first, second)| Leaves { seq, first: leaf(first), second: leaf(second) }))
}

/// Compares what two places show of one ledger: mirrors, caches, or a ledger and somebody who remembers. `None` where they
/// agree, so far as the smaller of both reaches.
///
/// # Errors
/// Where one is not reached, or a head is not signed by a head key of the root or of one that follows it;
/// [`FollowError::NotUnderHead`] where they differ and not enough is shown for evidence.
pub async fn compare(one: &dyn Source, two: &dyn Source, root: &TrustRoot) -> Result<Option<Value>, FollowError> {
    let (first, second) = (source::fetch_head(one).await?, source::fetch_head(two).await?);
    let mut roots = vec![root.clone()];
    for (source, said) in [(one, &first), (two, &second)] {
        // The root that is given may be newer than what is shown by one of them.
        if !trust::signs_under(root, said) {
            trust::lead(source, &mut roots, said).await?;
        }
    }
    if let Some((_, conflict)) = conflict_of(&first.head, &second.head) {
        let what = "the two heads differ, and no root that is known convicts whoever signed them".to_owned();
        let seq = first.head.commitment.size.min(second.head.commitment.size);
        return proven(roots, conflict, root).map(Some).ok_or(FollowError::NotUnderHead { seq, what });
    }
    let by_first = first.head.commitment.size <= second.head.commitment.size;
    let (small, large, small_source, large_source) =
        if by_first { (&first, &second, one, two) } else { (&second, &first, two, one) };
    let (from, to) = (&small.head.commitment, &large.head.commitment);
    let (mut small_tiles, mut large_tiles) = (HashTiles::new(from.size), HashTiles::new(to.size));
    if large_tiles.begins_with(large_source, from.size, &from.root, &to.root).await? {
        return Ok(None);
    }
    let seq = small_tiles.first_other_of(small_source, &mut large_tiles, large_source, from.size).await?;
    let leaf = async |tiles: &mut HashTiles, source: &dyn Source| {
        let (hash, proof) = (tiles.leaf(source, seq).await?, tiles.inclusion(source, seq).await?);
        Ok::<_, FollowError>(hash.zip(proof).map(|(hash, proof)| Leaf { hash, proof }))
    };
    let leaves = leaf(&mut small_tiles, small_source).await?.zip(leaf(&mut large_tiles, large_source).await?);
    let leaves = leaves.map(|(first, second)| Leaves { seq, first, second });
    let statements = [Statement::Head(small.head.clone()), Statement::Head(large.head.clone())];
    let evidence = proven(roots, Conflict::Fork { statements, leaves }, root);
    let what = "the two differ, and their tiles do not prove it".to_owned();
    evidence.map(Some).ok_or(FollowError::NotUnderHead { seq, what })
}
