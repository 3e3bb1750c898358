//! The registry that the last seal names, while a log is replayed. It is brought on from seal to seal by what made epochs in between: a copy
//! of all of it for each epoch that there ever was would take longer than all else.

use eleven_core::event::Record;
use eleven_core::registry::Fold;
use eleven_core::time::Time;
use std::sync::Arc;

/// What made epochs since the last seal.
#[derive(Default)]
pub(super) struct SinceSeal(Vec<(Time, Record)>);

impl SinceSeal {
    /// Notes an entry that made an epoch.
    pub(super) fn note(&mut self, at: Time, record: &Record) {
        self.0.push((at, record.clone()));
    }

    /// Brings what was `kept` at the last seal on to `registry`, which is in force at this one.
    pub(super) fn bring_on(&mut self, kept: &mut Option<Arc<Fold>>, registry: &Fold) {
        let since = std::mem::take(&mut self.0);
        let kept = kept.get_or_insert_with(|| Arc::new(registry.clone()));
        if is(kept, registry) {
            return;
        }
        let fold = Arc::make_mut(kept);
        for (at, record) in since {
            // What the book took is taken here.
            let _ = fold.apply(at, &record.event, &record.by, &record.data);
        }
        // A replay that goes on from what was saved knows nothing of what came between the last seal and that.
        if !is(fold, registry) {
            *fold = registry.clone();
        }
    }
}

/// Whether two folds are of one registry.
fn is(one: &Fold, other: &Fold) -> bool {
    (one.epoch(), one.hash()) == (other.epoch(), other.hash())
}
