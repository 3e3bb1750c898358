//! Whose records the ledger shows (PROTOCOL 3, 6.1).
//!
//! The ledger verified each before it appended it. Here that is done once more, for it decides nothing: what it shows makes who may
//! act and who may call, and whoever answers at its address could show anything. That something is not shown nobody finds here.

use crate::ledger::Row;
use eleven_core::registry::{Fold, KeyTables};
use eleven_core::root::KeyUse;
use std::collections::BTreeMap;

/// The number of the last record that was taken of each key.
#[derive(Default)]
pub(super) struct Producers(BTreeMap<String, u64>);

impl Producers {
    /// Takes the record of the next entry, where it is its producer's by the registry before it, and was not taken before.
    ///
    /// # Errors
    /// Why it is not folded.
    pub(super) fn take(&mut self, fold: &Fold, tables: &mut KeyTables, row: &Row) -> Result<(), &'static str> {
        verify(fold, tables, row)?;
        let record = &row.record;
        // Within a key numbers rise. What stands between two that are shown makes no epoch.
        if self.0.get(&record.kid).is_some_and(|last| *last >= record.src_seq) {
            return Err("its key signed it for an entry before, and a ledger shows each record once");
        }
        self.0.insert(record.kid.clone(), record.src_seq);
        Ok(())
    }
}

/// Whether an event key that the registry has for who the record says it is by signed it, and counted when it was appended.
fn verify(fold: &Fold, tables: &mut KeyTables, row: &Row) -> Result<(), &'static str> {
    let record = &row.record;
    let key = fold.key(&record.kid).filter(|key| key.usage == KeyUse::Event && key.owner == record.by);
    let key = key.filter(|key| key.counts_at(row.at)).and_then(|key| tables.key(key));
    if !key.is_some_and(|key| key.verifies(record.body(), &record.sig.val)) {
        return Err("no event key of its producer that counted then signed it, so that no ledger can have appended it");
    }
    if record.hashes_follow() { Ok(()) } else { Err("its hashes are not those of what it says") }
}
