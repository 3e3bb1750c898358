//! The second half of a commit: the records that were taken become entries, each with both chains after the one before, and are
//! shown once they are durable. The next records are judged meanwhile, which needs none of that.

use super::Audit;
use crate::seal::{SealedEntry, StagedSeal};
use crate::state::{Shared, read, write};
use crate::stored::Stored;
use eleven_core::chain::{self, ChainValue};
use eleven_core::hash::Sha256;
use eleven_core::time::Time;
use eleven_core::tree;
use std::sync::{Arc, Mutex, PoisonError, mpsc};

/// Bytes of an entry around its record, its tag in the log included: at most so many.
pub(super) const AROUND: usize = 512;

/// Both chains after the last entry that was put together. One commit at a time moves it.
pub(super) type Chain = Arc<Mutex<Option<ChainValue>>>;

/// A record that is to be an entry.
pub(super) struct Link {
    /// Which record of its batch.
    pub(super) index: usize,
    /// The entry's number.
    pub(super) seq: u64,
    /// When it was appended.
    pub(super) at: Time,
}

/// What makes entries of a batch's records, and what readers see of it once it is durable.
pub(crate) struct Pending {
    shared: Arc<Shared>,
    chain: Chain,
    links: Vec<Link>,
    leaves: Vec<Sha256>,
    staged: Option<StagedSeal>,
    seal: Option<SealedEntry>,
    heads: mpsc::Sender<SealedEntry>,
}

impl Audit {
    /// What is left to be done for the records that were staged since this was asked last.
    pub(super) fn pending(&mut self) -> Pending {
        let (shared, chain, heads) = (Arc::clone(&self.shared), Arc::clone(&self.chain), self.heads.clone());
        let (links, staged) = (std::mem::take(&mut self.links), self.seal.take());
        let leaves = Vec::with_capacity(links.len());
        Pending { shared, chain, links, leaves, staged, seal: None, heads }
    }
}

impl Pending {
    /// Puts the entries together, in the place of their records: one after the other by definition.
    pub(super) fn link(&mut self, records: &mut [Vec<u8>]) {
        let mut chain = self.chain.lock().unwrap_or_else(PoisonError::into_inner);
        for Link { index, seq, at } in self.links.drain(..) {
            let Some(record) = records.get_mut(index) else { continue };
            let bytes = chain::entry_bytes(seq, at, chain.as_ref(), record);
            debug_assert!(bytes.len() < record.len() + AROUND, "an entry is not larger than was counted");
            let after = chain::advance(chain.as_ref(), &bytes);
            *chain = Some(after);
            self.leaves.push(tree::leaf_hash(&bytes));
            *record = Stored::Entry(bytes).encode();
            if let Some(staged) = self.staged.take_if(|staged| staged.size == seq + 1) {
                self.seal = Some(staged.with(after));
            }
        }
    }

    /// Shows what is durable: the tree, its size, and the seal to whoever signs heads.
    pub(super) fn show(self) {
        let Self { shared, leaves, seal, heads, .. } = self;
        let size = {
            let mut tree = write(&shared.tree);
            leaves.into_iter().for_each(|leaf| tree.append(leaf));
            tree.size()
        };
        let before = shared.durable.send_replace(size);
        let is_notable = {
            let places = read(&shared.places);
            let next = [places.registry_entries(before).next(), places.discontinuities(before).next()];
            next.into_iter().flatten().any(|seq| seq < size)
        };
        if is_notable {
            // Behind the size: who is woken by this finds them below it.
            shared.notable.send_replace(size);
        }
        if let Some(seal) = seal {
            write(&shared.sealed).chained(&seal);
            // Whoever signs heads has stopped where this fails, and said why.
            let _ = heads.send(seal);
        }
    }
}
