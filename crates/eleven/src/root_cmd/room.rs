//! How much a version of the trust root can still name: it names every key that there ever was, and stands in one event (PROTOCOL 3, 13).

use eleven_core::encoding::Object;
use eleven_core::event::{About, Draft, Place};
use eleven_core::limits::MAX_RECORD;
use eleven_core::root::{KeyRecord, KeyUse, TrustRoot};
use eleven_core::signature::SeedSigner;

/// Keys that a whole renewal adds: one of each role, and a root key.
pub(crate) const RENEWAL: usize = 4;
/// Bytes by which the event may be longer than the shortest: its producer's key has a longer name, and a larger number.
const NAMES: usize = 128;

/// How many bytes are left in the event that publishes a root, where the key that signs it has the shortest of names; `None` where there
/// is no room for the root.
pub(super) fn left(root: &TrustRoot) -> Option<usize> {
    let authority = root.role_at(KeyUse::Registry, root.nbf).map(|key| key.owner.clone());
    let empty = Object::new();
    let around = empty.canonical().len();
    let draft = Draft {
        event: "root.published",
        place: Place::Alone,
        ts: root.nbf,
        by: authority.unwrap_or_else(|| format!("governance://{}/authority/a", root.domain)),
        src_seq: 0,
        data: Object::new().with("root", empty),
        about: About::default(),
    };
    // Whose signature it is makes no difference to its length.
    let record = draft.sign(&SeedSigner::new(format!("key:{}/a/1", root.domain), &[0; 32])).ok()?;
    MAX_RECORD.checked_sub(record.canonical().len() - around + root.to_value().canonical().len())
}

/// How many more keys a version after this one can name, at least.
pub(crate) fn keys(root: &TrustRoot) -> usize {
    let of_one = |key: &KeyRecord| key.to_value().canonical().len() + 1;
    let largest = root.records().map(of_one).max().unwrap_or(1);
    left(root).and_then(|left| left.checked_sub(NAMES)).map_or(0, |left| left / largest)
}
