//! Whose records the ledger shows (PROTOCOL 3, 6.1).
//!
//! The ledger verified each before it appended it. Here that is done once more, for it decides nothing: what it shows makes who may
//! act and who may call, and whoever answers at its address could show anything. That something is not shown nobody finds here.

use crate::ledger::Row;
use eleven_core::registry::{Fold, KeyTables};
use eleven_core::root::KeyUse;
use eleven_core::time::Time;
use std::collections::BTreeMap;

/// Why a record is not folded that its producer did not sign.
const UNSIGNED: &str =
    "no event key of its producer that counted then signed it, so that no ledger can have appended it";

/// How far the entries were taken.
#[derive(Default)]
pub(super) struct Producers {
    /// The number of the last record that was taken of each key.
    numbers: BTreeMap<String, u64>,
    /// When the last entry was appended.
    at: Option<Time>,
}

impl Producers {
    /// Takes the record of the next entry, where it is its producer's by the registry before it, and was not taken before.
    ///
    /// # Errors
    /// Why it is not folded.
    pub(super) fn take(&mut self, fold: &Fold, tables: &mut KeyTables, row: &Row) -> Result<(), &'static str> {
        // An entry's time is the ledger's word, and by it a key counts or has ended. So it never goes back (PROTOCOL 6): else a key
        // that ended could sign for before its end, for ever.
        if self.at.is_some_and(|last| row.at < last) {
            return Err("it is dated before an entry that stands before it, so that no ledger can have appended it");
        }
        verify(fold, tables, row)?;
        let record = &row.record;
        // Within a key numbers rise. What stands between two that are shown makes no epoch.
        if self.numbers.get(&record.kid).is_some_and(|last| *last >= record.src_seq) {
            return Err("its key signed it for an entry before, and a ledger shows each record once");
        }
        self.numbers.insert(record.kid.clone(), record.src_seq);
        self.at = Some(row.at);
        Ok(())
    }
}

/// Whether an event key that the registry has for who the record says it is by signed it, and counted when it was appended.
fn verify(fold: &Fold, tables: &mut KeyTables, row: &Row) -> Result<(), &'static str> {
    if !fold.key(&row.record.kid).is_some_and(|key| key.counts_at(row.at)) {
        return Err(UNSIGNED);
    }
    verify_signed(fold, tables, row)
}

/// The same, whether that key counted or not: for what stands before the last entry that was folded. By then it may be known to have
/// been in other hands, and what the ledger took under it before that stands.
///
/// # Errors
/// Why no ledger shows it.
pub(super) fn verify_signed(fold: &Fold, tables: &mut KeyTables, row: &Row) -> Result<(), &'static str> {
    let record = &row.record;
    let key = fold.key(&record.kid).filter(|key| key.usage == KeyUse::Event && key.owner == record.by);
    let key = key.and_then(|key| tables.key(key));
    if !key.is_some_and(|key| key.verifies(record.body(), &record.sig.val)) {
        return Err(UNSIGNED);
    }
    if record.hashes_follow() { Ok(()) } else { Err("its hashes are not those of what it says") }
}
