use super::*;
use crate::fixtures::{self, AUTHORITY, NOW, root, signer, successor};
use crate::ledger::Ledger;
use eleven_api::client::Client;
use eleven_api::edge::ManualClock;
use eleven_core::encoding::Object;
use eleven_core::event::{About, Draft, Place};
use eleven_core::registry::genesis;
use eleven_core::time::Time;

/// A registry that nothing is told but what a test tells it, signed by the key of `role`.
fn registry(role: &str) -> Registry {
    let nowhere = Ledger::new(Client::new(), "http://127.0.0.1:9");
    Registry::new(nowhere, root(), Arc::new(signer(role)), Arc::new(ManualClock::new(NOW)))
}

fn row(seq: u64, event: &'static str, by: &str, data: Object) -> Row {
    let draft =
        Draft { event, place: Place::Alone, ts: NOW, by: by.into(), src_seq: seq, data, about: About::default() };
    Row { seq, at: NOW, record: draft.sign(&signer("event")).expect("a record") }
}

fn genesis_row() -> Row {
    row(0, "ledger.genesis", "ledger://11-11", genesis(&root(), 10, &fixtures::keys()))
}

/// The next root, which names another registry key.
fn successor_row(seq: u64) -> Row {
    row(seq, "root.published", AUTHORITY, Object::new().with("root", successor().to_value()))
}

/// A page of a ledger of `size` entries.
fn page(entries: Vec<Row>, size: u64) -> Page {
    let next = entries.last().map_or(size, |row| row.seq + 1);
    Page { entries, next, size }
}

fn epoch(registry: &Registry, now: Time) -> Option<u64> {
    registry.fresh(now).map(|current| current.view.epoch())
}

#[tokio::test]
async fn an_epoch_that_is_not_this_authoritys_to_sign_ends_it() {
    let (registry, mut following) = (registry("registry"), Following::default());
    following.take(&registry, page(vec![genesis_row()], 1)).await.expect("it can be signed");
    assert_eq!(epoch(&registry, NOW), Some(1));
    let why = following.take(&registry, page(vec![successor_row(1)], 2)).await.expect_err("another key's");
    assert!(why.starts_with("epoch 2 cannot be signed"), "{why}");
}

#[tokio::test]
async fn what_is_not_the_ledgers_end_is_neither_signed_nor_decided_by() {
    let (registry, mut following) = (registry("successor"), Following::default());
    // Epoch 1 was signed by a key that this process does not hold, and it is not the last.
    following.take(&registry, page(vec![genesis_row()], 2)).await.expect("there is more");
    assert_eq!(epoch(&registry, NOW), None);
    following.take(&registry, page(vec![successor_row(1)], 2)).await.expect("it can be signed");
    assert_eq!(epoch(&registry, NOW), Some(2));
}

#[tokio::test]
async fn what_the_rules_refuse_ends_it() {
    let (registry, mut following) = (registry("registry"), Following::default());
    let removed = row(1, "source.removed", AUTHORITY, Object::new().with("name", "nobody"));
    let why = following.take(&registry, page(vec![genesis_row(), removed], 2)).await.expect_err("nothing to remove");
    assert!(why.starts_with("entry 1, source.removed: "), "{why}");
    assert_eq!(epoch(&registry, NOW), None);
}
