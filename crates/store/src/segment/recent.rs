//! What was read last, checked and unpacked, for readers that ask for one record after the other.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Parts of segments, at most so many bytes of them, or the last one alone where that is larger.
pub(super) struct Recent {
    most: usize,
    parts: Mutex<Parts>,
}

#[derive(Default)]
struct Parts {
    /// The latest used last.
    parts: VecDeque<(Key, Arc<Vec<u8>>)>,
    bytes: usize,
}

/// A part: a frame by its segment's first position and its offset, or, marked `true`, a block by the salt of its packed
/// segment, of which there may be several after each other, and its number.
pub(super) type Key = (u64, bool, u64);

impl Recent {
    /// Holds at most `most` bytes, or one part that has more: whoever reads what a large commit wrote, record by record, would read all
    /// of it for each. None at all where that is 0.
    pub(super) fn new(most: usize) -> Recent {
        Recent { most, parts: Mutex::default() }
    }

    /// Whether it holds anything at all.
    pub(super) fn serves(&self) -> bool {
        self.most > 0
    }

    pub(super) fn get(&self, key: Key) -> Option<Arc<Vec<u8>>> {
        if !self.serves() {
            return None;
        }
        let mut held = self.lock();
        let at = held.parts.iter().rposition(|(other, _)| *other == key)?;
        let part = held.parts.remove(at)?;
        let bytes = Arc::clone(&part.1);
        held.parts.push_back(part);
        Some(bytes)
    }

    pub(super) fn put(&self, key: Key, bytes: &Arc<Vec<u8>>) {
        if !self.serves() {
            return;
        }
        let mut held = self.lock();
        if held.parts.iter().any(|(other, _)| *other == key) {
            return;
        }
        held.bytes += bytes.len();
        held.parts.push_back((key, Arc::clone(bytes)));
        while held.bytes > self.most && held.parts.len() > 1 {
            let Some((_, oldest)) = held.parts.pop_front() else { return };
            held.bytes -= oldest.len();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Parts> {
        self.parts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
