//! Which witnesses have cosigned more than this ledger holds. The answer that says so is not signed, so whoever answers at
//! a witness's URL can give it: it is a claim, for somebody to look at. A checkpoint beyond what the ledger holds, under
//! the ledger's own head key, is more than that: the ledger was rolled back.

use crate::state::{Shared, read, write};
use eleven_core::head::checkpoint::Note;
use eleven_core::root::{KeyStatus, KeyUse};
use eleven_core::signature::VerifyingKey;
use std::collections::BTreeMap;
use std::sync::RwLock;

/// What each witness, by its URL, said last of more than the ledger holds.
#[derive(Default)]
pub(crate) struct Ahead(RwLock<BTreeMap<String, Beyond>>);

/// So many entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Beyond {
    /// It answered with this size, and showed nothing for it.
    Claimed(u64),
    /// It showed a checkpoint of this size that the ledger signed.
    Shown(u64),
}

impl Beyond {
    const fn is_shown(self) -> bool {
        matches!(self, Self::Shown(_))
    }
}

impl Ahead {
    /// Remembers what the witness at `url` said; true where it did not say the like before. No claim takes the place of what
    /// was shown.
    pub(super) fn says(&self, url: &str, said: Beyond) -> bool {
        let mut all = write(&self.0);
        match (all.get(url), said) {
            (Some(Beyond::Shown(_)), Beyond::Claimed(_)) => false,
            (before, _) => {
                let fresh = before.is_none_or(|before| before.is_shown() != said.is_shown());
                all.insert(url.to_owned(), said);
                fresh
            }
        }
    }

    /// The witness at `url` claims nothing any more. What it showed stays: the ledger signed that, and an answer signs nothing.
    pub(super) fn forget(&self, url: &str) {
        if read(&self.0).get(url).is_some_and(|said| !said.is_shown()) {
            write(&self.0).remove(url);
        }
    }

    /// The largest size that was shown, where it is beyond the `held` entries of the ledger.
    pub(crate) fn shown(&self, held: u64) -> Option<u64> {
        self.largest(held, |said| if let Beyond::Shown(size) = said { Some(size) } else { None })
    }

    /// The largest size that was claimed and not shown, where it is beyond the `held` entries of the ledger.
    pub(crate) fn claimed(&self, held: u64) -> Option<u64> {
        self.largest(held, |said| if let Beyond::Claimed(size) = said { Some(size) } else { None })
    }

    fn largest(&self, held: u64, of: impl Fn(Beyond) -> Option<u64>) -> Option<u64> {
        read(&self.0).values().filter_map(|said| of(*said)).filter(|size| *size > held).max()
    }
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
