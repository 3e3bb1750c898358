//! Which witnesses have cosigned what is not in this ledger's tree. An answer that says so by a size is not signed, so
//! whoever answers at a witness's URL can give it: it is a claim, for somebody to look at. A checkpoint under the ledger's
//! own head key that is not in its tree, beyond what it holds or of another root, is more than that: the ledger was put
//! back or forked, and no entry that comes later mends it. Only where the root says that the key was in other hands by the
//! time that this was shown is it a claim as before.

use crate::state::{Shared, read, write};
use eleven_core::head::checkpoint::Note;
use eleven_core::recovery::{Recovery, TreeAt};
use eleven_core::root::{KeyRecord, KeyStatus, KeyUse, TrustRoot};
use eleven_core::signature::VerifyingKey;
use eleven_core::time::Time;
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
enum Beyond {
    /// It answered with this size, which is beyond the ledger's, and showed nothing for it.
    Claimed(u64),
    /// It showed a checkpoint that the ledger signed.
    Shown(Seen),
}

/// A checkpoint that was shown, which a head key of the ledger signed.
pub(super) struct Seen {
    pub(super) head: TreeAt,
    /// The head keys that signed it and that nobody else was known to have then.
    keys: Vec<[u8; 32]>,
    /// When it was shown first, which is all that is known of when it was signed.
    at: Time,
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

    /// Remembers that the witness at `url` claims this size; not where it showed something, which no claim takes the place of.
    pub(super) fn claims(&self, url: &str, size: u64) {
        let mut all = write(&self.said);
        if !all.get(url).is_some_and(Beyond::is_shown) {
            all.insert(url.to_owned(), Beyond::Claimed(size));
        }
    }

    /// Remembers what the witness at `url` showed; true where it had shown nothing before.
    pub(super) fn shows(&self, shared: &Shared, url: &str, seen: Seen) -> bool {
        // Held meanwhile, so that no root that says otherwise of its keys comes in between.
        let book = read(&shared.book);
        if !book.registry().is_some_and(|registry| seen.counts(registry.root())) {
            return false;
        }
        let mut all = write(&self.said);
        let before = match all.get(url) {
            // The same once more: the time at which it came first is the one that says something.
            Some(Beyond::Shown(before)) if before.head == seen.head => return false,
            before => before.is_some_and(Beyond::is_shown),
        };
        all.insert(url.to_owned(), Beyond::Shown(seen));
        !before
    }

    /// What was shown under keys that were in other hands by then, as this root says, may be anybody's: it counts no more. The
    /// book is held by whoever puts the root there.
    pub(crate) fn learn(&self, root: &TrustRoot) {
        write(&self.said).retain(|url, said| {
            let Beyond::Shown(seen) = said else { return true };
            let counts = seen.counts(root);
            if !counts {
                let size = seen.head.size;
                tracing::warn!(
                    witness = url,
                    size,
                    "the root says that what the witness showed was signed by a key in other hands: it counts no more"
                );
            }
            counts
        });
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
            Beyond::Shown(Seen { head, .. }) if is_lacking(tree, head) => Some(head.size),
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

impl Seen {
    /// A checkpoint that is shown at `at`; `None` where it is not of this ledger, by a head key of its root that nobody else is
    /// known to have.
    pub(super) fn of(shared: &Shared, note: &Note, at: Time) -> Option<Self> {
        let (origin, heads) = {
            let book = read(&shared.book);
            let root = book.registry()?.root();
            let counts =
                |key: &&KeyRecord| key.usage == KeyUse::Head && !matches!(key.status, KeyStatus::Compromised(_));
            let heads: Vec<[u8; 32]> = root.roles.iter().filter(counts).map(|key| key.public).collect();
            (root.origin(), heads)
        };
        if note.checkpoint.origin != origin {
            return None;
        }
        let signed = |public: &[u8; 32]| VerifyingKey::new(public).is_some_and(|key| note.signed_by(&key));
        let keys: Vec<[u8; 32]> = heads.into_iter().filter(signed).collect();
        let head = TreeAt { size: note.checkpoint.size, root: note.checkpoint.root };
        (!keys.is_empty()).then_some(Self { head, keys, at })
    }

    /// Whether one of its keys was in nobody else's hands when it was shown, as far as this root knows.
    fn counts(&self, root: &TrustRoot) -> bool {
        let own = |key: &KeyRecord| !matches!(key.status, KeyStatus::Compromised(since) if since <= self.at);
        root.roles.iter().any(|key| self.keys.contains(&key.public) && own(key))
    }
}
