//! `ledger.inclusion`: the head's tree holds every event, in order.

use super::{Judged, hold};
use crate::shown::Shown;
use alloc::vec::Vec;
use eleven_core::time::Time;

/// Every event and the seal are in the head's tree; their numbers rise, their times do not fall, and the head's is last.
pub(super) fn inclusion(shown: &Shown<'_>) -> Judged {
    let (events, entries) = (shown.events()?, shown.entries()?);
    for (entry, event) in entries.iter().zip(&events) {
        shown.included(entry, event)?;
    }
    let (seal, record) = shown.seal()?;
    shown.included(seal, record)?;
    let all = || entries.iter().map(|entry| &entry.header).chain([&seal.header]);
    hold(all().is_sorted_by(|a, b| a.seq < b.seq), "the entries' numbers do not rise up to the seal's")?;
    let times: Vec<Time> = all().map(|header| header.at).chain([shown.head()?.at]).collect();
    hold(times.is_sorted(), "the ledger's clock went back between two entries, the seal or the head")
}
