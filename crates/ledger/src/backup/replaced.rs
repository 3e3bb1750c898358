//! What stands in the folder that a copy is to take the place of: its last head, and what its log shows.

use super::{gave_up, last_of, newest_root, open, tree_at};
use crate::error::LedgerError;
use crate::home::{HEADS, LOG};
use crate::recover::{Depth, Replayed};
use eleven_core::recovery::{Recovery, TreeAt};
use eleven_core::root::TrustRoot;
use std::collections::BTreeSet;
use std::path::Path;

/// The last head there, which has to be of the ledger that the copy is of; `None` where no heads are there.
///
/// # Errors
/// Where it is another ledger's. Where they can't be read: which was published last they don't tell then, and what puts a copy back
/// must not take that for none.
pub(super) fn own_head(folder: &Path, copy: &str) -> Result<Option<TreeAt>, LedgerError> {
    let heads = folder.join(HEADS);
    if !heads.exists() {
        return Ok(None);
    }
    let last = open(&heads).and_then(|heads| last_of(&*heads)).map_err(|error| {
        LedgerError::Restore(format!(
            "{} does not tell which head was published last, since it can't be read ({error}): move it out of the folder, \
             and give by --head the newest that anybody has, from a witness, an auditor or a proof file",
            heads.display()
        ))
    })?;
    let Some(head) = last.map(|last| last.head) else { return Ok(None) };
    let there = &head.commitment.ledger;
    if there != copy {
        return Err(LedgerError::Restore(format!(
            "the copy is of {copy}, and {} is the folder of {there}: name a copy of that one, or by --config the \
             configuration whose ledger is {copy}",
            folder.display()
        )));
    }
    Ok(Some(tree_at(&head)))
}

/// What the log shows that a copy is to take the place of, as far as it can be read: nothing where there is none.
pub(super) struct Replaced(Option<Replayed>);

impl Replaced {
    pub(super) fn of(folder: &Path) -> Self {
        let log = open(&folder.join(LOG)).ok();
        Self(log.map(|log| {
            let mut replayed = Replayed::new(Depth::RESUME, BTreeSet::new());
            // What comes before what is wrong is as sound as in any other log, and who restores one often has one that is damaged.
            let _ = replayed.extend(&*log, &mut |_| ());
            replayed
        }))
    }

    /// The root in force there.
    pub(super) fn root(&self) -> Option<&TrustRoot> {
        self.0.as_ref().and_then(newest_root)
    }

    /// Whether it is what came of this recovery.
    pub(super) fn went_back_by(&self, recovery: &Recovery) -> bool {
        let mut used = self.0.iter().flat_map(|replayed| &replayed.resumed.recovered);
        used.any(|used| used.payload() == recovery.payload())
    }

    /// Whether who gives up `lost` gives up this head with it: it is that one, an earlier state of it, or was given up
    /// before. So does what an earlier restore put here, or an earlier state of that, where the root gave up `lost` for it in
    /// `before`, and no start has recorded that yet.
    pub(super) fn goes_with(&self, head: &TreeAt, lost: &TreeAt, before: Option<&Recovery>) -> bool {
        let Some(replayed) = &self.0 else { return head == lost };
        let stands = |at: &TreeAt| replayed.tree.root_at(at.size) == Some(at.root);
        let earlier = |later: &TreeAt| head.size < later.size && stands(later) && stands(head);
        let is_signed = |before: &Recovery| newest_root(replayed).is_some_and(|root| before.is_signed_by(root));
        let before = before.filter(|before| before.lost == *lost && is_signed(before));
        let by_root = before.is_some_and(|before| *head == before.restored || earlier(&before.restored));
        head == lost || earlier(lost) || by_root || gave_up(replayed, head)
    }
}
