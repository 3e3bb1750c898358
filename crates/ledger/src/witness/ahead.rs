//! Which witnesses have cosigned what is not in this ledger's tree. An answer that says so by a size is not signed, so
//! whoever answers at a witness's URL can give it: it is a claim, for somebody to look at. A checkpoint under the ledger's
//! own head key that is not in its tree, beyond what it holds or of another root, is more than that: the ledger was put
//! back or forked, and no entry that comes later mends it.

use crate::state::{Shared, read, write};
use eleven_core::head::checkpoint::Note;
use eleven_core::recovery::{Recovery, TreeAt};
use eleven_core::root::{KeyStatus, KeyUse};
use eleven_core::signature::VerifyingKey;
use eleven_core::tree::MemoryTree;
use std::collections::BTreeMap;
use std::sync::RwLock;

/// What witnesses have cosigned that the ledger does not have.
#[derive(Default)]
pub(crate) struct Ahead {
    /// What each of them, by its URL, said last of that.
    said: RwLock<BTreeMap<String, Beyond>>,
    /// Each word of the root by which the ledger went back.
    recovered: RwLock<Vec<Recovery>>,
}

/// What the ledger does not have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Beyond {
    /// It answered with this size, which is beyond the ledger's, and showed nothing for it.
    Claimed(u64),
    /// It showed a checkpoint of this tree that the ledger signed.
    Shown(TreeAt),
}

impl Beyond {
    const fn is_shown(&self) -> bool {
        matches!(self, Self::Shown(_))
    }
}

impl Ahead {
    /// Nothing was said yet to a ledger that went back by these words of the root.
    pub(crate) fn new(recovered: Vec<Recovery>) -> Self {
        Self { said: RwLock::default(), recovered: RwLock::new(recovered) }
    }

    /// Each word of the root by which the ledger went back.
    pub(crate) fn recovered(&self) -> Vec<Recovery> {
        read(&self.recovered).clone()
    }

    /// The ledger went back by one more.
    pub(crate) fn went_back(&self, recovery: Recovery) {
        write(&self.recovered).push(recovery);
    }

    /// Remembers what the witness at `url` said; true where it did not say the like before. No claim takes the place of what
    /// was shown.
    pub(super) fn says(&self, url: &str, said: Beyond) -> bool {
        let mut all = write(&self.said);
        let before = all.get(url).map(Beyond::is_shown);
        if before == Some(true) && !said.is_shown() {
            return false;
        }
        let fresh = before != Some(said.is_shown());
        all.insert(url.to_owned(), said);
        fresh
    }

    /// The witness at `url` claims nothing any more. What it showed stays: the ledger signed that, and an answer signs nothing.
    pub(super) fn claims_nothing(&self, url: &str) {
        if read(&self.said).get(url).is_some_and(|said| !said.is_shown()) {
            write(&self.said).remove(url);
        }
    }

    /// The witness at `url` signed that the ledger goes on from what it saw.
    pub(super) fn cosigned(&self, url: &str) {
        if read(&self.said).contains_key(url) {
            write(&self.said).remove(url);
        }
    }

    /// The largest size that was shown of another tree than the ledger's.
    pub(crate) fn shown(&self, tree: &MemoryTree) -> Option<u64> {
        let lacking = |said: &Beyond| match said {
            Beyond::Shown(head) if is_lacking(tree, head) => Some(head.size),
            _ => None,
        };
        read(&self.said).values().filter_map(lacking).max()
    }

    /// The largest size that was claimed and not shown, where it is beyond the `held` entries of the ledger.
    pub(crate) fn claimed(&self, held: u64) -> Option<u64> {
        let beyond = |said: &Beyond| match said {
            Beyond::Claimed(size) if *size > held => Some(*size),
            _ => None,
        };
        read(&self.said).values().filter_map(beyond).max()
    }

    /// Why a witness that cosigned a head which is not in the tree cosigns nothing of this ledger, which has `held` entries, and
    /// what to do.
    pub(super) fn advice(&self, head: &TreeAt, held: u64) -> String {
        let size = head.size;
        if self.is_given_up(head) {
            return format!(
                "it has cosigned {size} entries, and the root let this ledger go back behind them: it never cosigns another \
                 history; name a witness under a new key and name in the next root (docs/witness.md)"
            );
        }
        if size > held {
            return format!(
                "it has cosigned {size} entries and the ledger has fewer: the folder was rolled back, restore it"
            );
        }
        format!(
            "it has cosigned {size} entries of another history than the ledger's: the folder was rolled back and has grown \
             since, or was forked; keep it, and restore the one that holds them"
        )
    }

    /// Whether the root gave a head up: by its name, or as one that came before that and after what was put back.
    fn is_given_up(&self, head: &TreeAt) -> bool {
        read(&self.recovered)
            .iter()
            .any(|Recovery { restored, lost, .. }| lost == head || (restored.size < head.size && head.size < lost.size))
    }
}

/// Whether a tree does not begin with what a head says of it.
pub(super) fn is_lacking(tree: &MemoryTree, head: &TreeAt) -> bool {
    tree.root_at(head.size) != Some(head.root)
}

/// Whether a checkpoint is of this ledger, by a head key of its root that nobody else is known to have.
pub(super) fn is_own(shared: &Shared, note: &Note) -> bool {
    let book = read(&shared.book);
    let Some(root) = book.registry().map(|registry| registry.root()) else { return false };
    let counts = |status| !matches!(status, KeyStatus::Compromised(_));
    let heads = root.roles.iter().filter(|key| key.usage == KeyUse::Head && counts(key.status));
    let keys: Vec<VerifyingKey> = heads.filter_map(|key| VerifyingKey::new(&key.public)).collect();
    let of_ledger = note.checkpoint.origin == root.origin();
    drop(book);
    of_ledger && keys.iter().any(|key| note.signed_by(key))
}
