//! The signed structures: whatever is read is written again as it was, and fits where it stands next.

use crate::vectors;
use eleven_api::audit::Append;
use eleven_core::artifact::{Artifact, Token};
use eleven_core::chain::{Entry, EntryHeader};
use eleven_core::encoding::{Object, Value, parse, parse_canonical};
use eleven_core::event::{Draft, Place, Record, Tip};
use eleven_core::hash::base64url;
use eleven_core::limits::{MAX_ARTIFACT, MAX_DELEGATION, MAX_RECORD, MAX_SCOPE, MAX_TOKEN};
use eleven_core::registry::{Snapshot, Stamp};
use eleven_core::root::TrustRoot;
use eleven_core::signature::SeedSigner;
use eleven_core::time::Time;
use std::sync::OnceLock;

/// An artifact.
///
/// # Panics
/// Where a property does not hold.
pub fn artifact(bytes: &[u8]) {
    let Ok(value) = parse(bytes) else { return };
    let Ok(artifact) = Artifact::read(value.clone()) else { return };
    assert_eq!(artifact.to_value(), value, "the artifact is written otherwise than it was read");
    assert!(value.canonical().len() <= MAX_ARTIFACT && artifact.op.scope.len() <= MAX_SCOPE, "past a limit");
    assert!(artifact.parent.as_ref().is_none_or(|parent| parent.ancestors.len() <= MAX_DELEGATION), "past a limit");
    assert!(artifact.exp > artifact.nbf, "an artifact without a life");
    let _ = (artifact.digests_follow(), artifact.payload(), artifact.content_id());
    // Whoever gets an artifact gets it in a token: one that can't stand there could be issued and never presented.
    let token = Object::new().with("artifact", value).with("issued", an_issuance().clone()).with("salt", "");
    assert!(Token::read(&base64url(&token.canonical())).is_ok(), "an artifact that can't stand in a token");
}

/// A token as it travels.
///
/// # Panics
/// Where a property does not hold.
pub fn token(bytes: &[u8]) {
    let Ok(text) = core::str::from_utf8(bytes) else { return };
    let Ok(token) = Token::read(text) else { return };
    assert_eq!(token.text(), text, "two texts for one token");
    assert!(text.len() <= MAX_TOKEN, "past the limit");
}

/// An event record.
///
/// # Panics
/// Where a property does not hold.
pub fn event(bytes: &[u8]) {
    let Ok(value) = parse(bytes) else { return };
    let Ok(record) = Record::read(value.clone()) else { return };
    let canonical = record.canonical();
    assert_eq!(canonical, value.canonical(), "the record is written otherwise than it was read");
    assert_eq!(parse_canonical(canonical).map(Record::read), Ok(Ok(record.clone())), "the record is read otherwise");
    assert!(canonical.len() <= MAX_RECORD, "past the limit");
    let _ = (record.hashes_follow(), record.op_is_content(), record.kind(), record.tip(), record.is_counted_denial());
    made_again(&record);
    // Where it goes: into a request to the audit service, and into an entry of the ledger.
    let mut append = Append::default();
    append.record(&record);
    let sent = Append::read(&append.to_bytes()).map(|append| append.records);
    assert_eq!(sent, Ok(vec![canonical.to_vec()]), "a record that can't be sent to the audit service");
    let header = EntryHeader { seq: 0, at: Time(0), prev: None };
    let entry = header.bytes(canonical);
    assert_eq!(EntryHeader::split(&entry), Ok((header.clone(), canonical)), "an entry that is split elsewhere");
    assert_eq!(Entry::parse(&entry), Ok(Entry { header, record: value }), "a record that can't stand in an entry");
}

/// A record that is made of the same parts, and signed by a key of here, reads as what was made.
fn made_again(record: &Record) {
    let Some(kind) = record.kind() else { return };
    let place = match &record.prev {
        None if record.op_is_content() => Place::Alone,
        None => Place::First { op: record.op.clone() },
        Some((hash, hash_alt)) => {
            Place::After { op: record.op.clone(), tip: Tip { n: record.n - 1, hash: *hash, hash_alt: *hash_alt } }
        }
    };
    let draft = Draft {
        event: kind.name,
        place,
        ts: record.ts,
        by: record.by.clone(),
        src_seq: record.src_seq,
        data: record.data.clone(),
        about: record.about.clone(),
    };
    let signer = SeedSigner::new(record.kid.clone(), &[5; 32]);
    if let Ok(made) = draft.sign(&signer) {
        assert!(made.hashes_follow(), "a record that is made with other hashes");
        assert_eq!(Record::read(made.to_value()), Ok(made), "a record that is made otherwise than it is read");
    }
}

/// What a registry view is made of: trust root, snapshot, stamp.
///
/// # Panics
/// Where a property does not hold.
pub fn registry(bytes: &[u8]) {
    let Ok(value) = parse(bytes) else { return };
    if let Ok(root) = TrustRoot::read(value.clone()) {
        assert_eq!(root.to_value(), value, "the root is written otherwise than it was read");
        let _ = (root.verify_own(), root.hash_for_prev(), root.succeeds(&root));
    }
    if let Ok(snapshot) = Snapshot::read(value.clone()) {
        assert_eq!(snapshot.to_value(), value, "the snapshot is written otherwise than it was read");
    }
    if let Ok(stamp) = Stamp::read(value.clone()) {
        assert_eq!(stamp.to_value(), value, "the stamp is written otherwise than it was read");
    }
}

/// A record that may stand beside an artifact: of its form, and of whichever artifact.
fn an_issuance() -> &'static Value {
    static ISSUED: OnceLock<Value> = OnceLock::new();
    ISSUED.get_or_init(|| {
        let issued = |value: &Value| value.get("event").and_then(Value::as_str) == Some("authorization.issued");
        vectors::objects_with(&["event_hash", "sig"]).into_iter().find(issued).expect("an issuance in the vectors")
    })
}

/// Every artifact of the vectors.
#[must_use]
pub fn artifacts() -> Vec<Vec<u8>> {
    vectors::canonical(&vectors::objects_with(&["chash", "sig"]))
}

/// Every token of the vectors, and more made of their artifacts and records.
#[must_use]
pub fn tokens() -> Vec<Vec<u8>> {
    let mut texts = Vec::new();
    for case in vectors::objects_with(&["token"]) {
        texts.extend(case.get("token").and_then(Value::as_str).map(|text| text.as_bytes().to_vec()));
    }
    for artifact in vectors::objects_with(&["chash", "sig"]) {
        let token = Object::new().with("artifact", artifact).with("issued", an_issuance().clone()).with("salt", "");
        texts.push(base64url(&token.canonical()).into_bytes());
    }
    texts
}

/// Every event record of the vectors.
#[must_use]
pub fn events() -> Vec<Vec<u8>> {
    vectors::canonical(&vectors::objects_with(&["event_hash", "sig"]))
}

/// Every root, snapshot and stamp of the vectors.
#[must_use]
pub fn registries() -> Vec<Vec<u8>> {
    let kinds: [&[&str]; 3] = [&["threshold", "sigs"], &["header", "containments"], &["issued", "epoch", "sig"]];
    kinds.into_iter().flat_map(|members| vectors::canonical(&vectors::objects_with(members))).collect()
}
