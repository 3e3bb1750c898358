//! Files that readers opened last: who asks for one record after the other comes back to the same ones.

use std::{
    collections::VecDeque,
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::disk::DiskFile;

/// How many stay open.
const MOST: usize = 8;

/// Closed segments' files, open, the latest used last.
#[derive(Default)]
pub(super) struct Files {
    open: Mutex<VecDeque<(Key, Arc<dyn DiskFile>)>>,
}

/// A segment's first position and its salt: one that is packed or written anew has another.
pub(super) type Key = (u64, u64);

impl Files {
    /// The file of a segment, which `open` opens where it is not open.
    pub(super) fn get(
        &self,
        key: Key,
        open: impl FnOnce() -> io::Result<Arc<dyn DiskFile>>,
    ) -> io::Result<Arc<dyn DiskFile>> {
        let mut held = self.lock();
        let found = held.iter().rposition(|(other, _)| *other == key).and_then(|at| held.remove(at));
        let (_, file) = match found {
            Some(found) => found,
            None => (key, open()?),
        };
        held.push_back((key, Arc::clone(&file)));
        if held.len() > MOST {
            held.pop_front();
        }
        Ok(file)
    }

    /// Closes what is kept of the segment that begins at `first`: its file is to go, or another takes its place.
    pub(super) fn forget(&self, first: u64) {
        self.lock().retain(|((other, _), _)| *other != first);
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<(Key, Arc<dyn DiskFile>)>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
